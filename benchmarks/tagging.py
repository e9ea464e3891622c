"""Taggers: how fast the likeliest tags are found, and what a CRF costs in training.

    python -m benchmarks.tagging [ROUNDS]

Data and model are those of `pos-ewt` (UD English-EWT, BiLSTM of 2 × 128 over words, letters, endings), untrained: time
does not depend on the weights. Tagging: all sentences of the test part, sorted by length, 512 side by side, as in
`predict`. Training: epochs over the whole training part without evaluation, output=softmax and output=crf in turns,
ROUNDS of each (5). Medians; what must be reached: 5,000 sentences a second, 1.5 times the time of softmax.
"""

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from lstmlab import request
from lstmlab.data.corpus import Dataset
from lstmlab.data.load import Watch
from lstmlab.nn.tagger import Tagger
from lstmlab.tasks import TASKS
from lstmlab.tasks.tagging import AT_ONCE
from lstmlab.training.experiment import start_training, typical_steps
from lstmlab.training.loop import Hooks
from lstmlab.training.machine import fitting_threads, tuned

SILENT = Hooks(keep=lambda tensors, facts, best: None, row=lambda row: None)
OUTPUTS = ("softmax", "crf")


def recipe(output: str) -> Any:
    """One epoch of pos-ewt."""
    return request.assemble("pos-ewt", {"model.output": output, "epochs": 1, "device": "cpu"})


def rate(work: Callable[[], object], sentences: int, rounds: int) -> float:
    """Sentences a second, the median of some rounds after one that does not count."""
    work()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return sentences / statistics.median(seconds)


@torch.inference_mode()
def tagging(task: Any, data: Dataset, rounds: int) -> None:
    """Sentences a second of the search, of the model and the search, and of everything from encoded words on."""
    model = task.build().eval()
    assert isinstance(model, Tagger)
    assert model.crf is not None
    assert data.test is not None
    encoded = task.encode(data.test, "the test part")
    order = np.argsort(encoded.lengths, kind="stable")
    batches = [task.collate(encoded, order[at : at + AT_ONCE]) for at in range(0, len(order), AT_ONCE)]
    scores = [model(batch.inputs, batch.second) for batch in batches]
    crf = model.crf
    told = {
        "Viterbi search alone": lambda: [crf.best(one) for one in scores],
        "model and search": lambda: [crf.best(model(batch.inputs, batch.second)) for batch in batches],
        "predict: model, search, certainties, names of tags": lambda: task.predict(
            model, encoded, np.zeros((0, 5), np.float32)
        ),
        "encoding the words before": lambda: task.encode(data.test, "the test part"),
    }
    print(f"{len(encoded):,} sentences of {encoded.lengths.mean():.1f} words, {len(task.tags)} tags")
    for name, work in told.items():
        print(f"{name}: {rate(work, len(encoded), rounds):,.0f} sentences/s", flush=True)


def epoch(task: Any, settings: Any, data: Dataset) -> float:
    """Seconds of training in one epoch."""
    training = start_training(settings, task, data, torch.device("cpu"), time.monotonic())
    with tuned(fitting_threads(training.model, typical_steps(training))):
        training.run(SILENT)
    return training.moment.seconds


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    recipes = {output: recipe(output) for output in OUTPUTS}
    data = TASKS["tagging"].load(recipes["crf"], Watch())
    tasks = {output: TASKS["tagging"].prepare(recipes[output], data, Watch()) for output in OUTPUTS}
    tagging(tasks["crf"], data, rounds)
    bare = replace(data, valid=None)
    seconds: dict[str, list[float]] = {output: [] for output in OUTPUTS}
    for _ in range(rounds):
        for output in OUTPUTS:
            seconds[output].append(epoch(tasks[output], recipes[output], bare))
            print(f"an epoch with {output}: {seconds[output][-1]:.1f} s", flush=True)
    softmax, crf = (statistics.median(seconds[output]) for output in OUTPUTS)
    print(f"medians: softmax {softmax:.1f} s, crf {crf:.1f} s, {crf / softmax:.2f} times")


if __name__ == "__main__":
    main()
