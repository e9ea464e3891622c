"""Seconds a training step of `imdb-classic`, ours beside the same model as everyone writes it in plain PyTorch.

    python -m benchmarks.step

Both sides run in this process on random tokens of the recipe's shape (64 × 200), interleaved; medians of 15 rounds of
20 steps. Ours is the whole step of the training loop: collating, loss, gradient, norm, NaN guard, tally and optimiser.
"""

import statistics
import time

import numpy as np
import torch
from torch import nn

from lstmlab.data.labels import LabelSet
from lstmlab.data.text import TextEncoder, Tokens
from lstmlab.request import assemble
from lstmlab.tasks.classification import EncodedTexts, TextClassification
from lstmlab.training.loop import Training
from lstmlab.training.machine import tuned
from lstmlab.training.moment import Hooks

ROUNDS, STEPS, BATCH, LENGTH, VOCABULARY = 15, 20, 64, 200, 10_000


def ours() -> Training:
    """The recipe's model and loop on random tokens."""
    recipe = assemble("imdb-classic", {})
    rng = np.random.default_rng(0)
    count = BATCH * STEPS
    tokens = Tokens.of(rng.integers(2, VOCABULARY, count * LENGTH).astype(np.int32), np.full(count, LENGTH))
    words = [f"word{i}" for i in range(VOCABULARY - 2)]
    task = TextClassification(recipe, TextEncoder.fit(recipe.text, words), LabelSet.fit(["neg", "pos"]))
    torch.manual_seed(0)
    encoded = EncodedTexts(tokens, rng.integers(0, 2, count))
    return Training(task.build(), task, recipe.training, encoded, None, 0, torch.device("cpu"))


class Plain(nn.Module):
    """The same model as tutorials write it."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm, self.output = (
            nn.Embedding(VOCABULARY, 128),
            nn.LSTM(128, 64, batch_first=True),
            nn.Linear(64, 1),
        )

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.output(self.lstm(self.embedding(tokens))[0][:, -1]).squeeze(-1)


def main() -> None:
    torch.manual_seed(0)
    training, plain = ours(), Plain()
    optimizer = torch.optim.Adam(plain.parameters())
    tokens, labels = torch.randint(1, VOCABULARY, (STEPS, BATCH, LENGTH)), torch.randint(0, 2, (STEPS, BATCH)).float()
    seconds: dict[str, list[float]] = {"lstmlab": [], "plain": []}
    hooks = Hooks(lambda *_: None, lambda _: None)
    for _ in range(ROUNDS):
        start = time.perf_counter()
        training.moment.batch = 0
        plan = training.batches.epoch(1)
        with tuned(torch.get_num_threads()):
            for _ in range(STEPS):
                training._step(plan, hooks)
        seconds["lstmlab"].append(time.perf_counter() - start)
        start = time.perf_counter()
        for x, y in zip(tokens, labels, strict=True):
            optimizer.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(plain(x), y).backward()
            optimizer.step()
        seconds["plain"].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) / STEPS * 1e3 for name, values in seconds.items()}
    print(
        f"lstmlab {medians['lstmlab']:.1f} ms a step, plain PyTorch {medians['plain']:.1f} ms a step, "
        f"ratio {medians['lstmlab'] / medians['plain']:.3f}"
    )


if __name__ == "__main__":
    main()
