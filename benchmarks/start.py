"""How soon something happens: `lstmlab --help`, and the first batch of `imdb` on a second start.

    python -m benchmarks.start

Medians of 7 fresh processes each.
"""

import statistics
import subprocess
import sys
import time

FIRST_BATCH = """
import time, torch
start = time.perf_counter()
from lstmlab.request import assemble
from lstmlab.data.load import Watch
from lstmlab.tasks import TASKS
from lstmlab.training.loop import Training
recipe = assemble("imdb", {})
kind = TASKS[recipe.task]
data = kind.load(recipe, Watch())
task = kind.prepare(recipe, data, Watch())
train, valid = task.encode(data.train, "train"), task.encode(data.valid, "valid")
training = Training(task.build(), task, recipe.training, train, valid, 0, torch.device("cpu"))
task.collate(train, training.batches.epoch(1)[0])
print(time.perf_counter() - start)
"""


def main() -> None:
    helps, batches = [], []
    for _ in range(7):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "lstmlab", "--help"], check=True, capture_output=True)
        helps.append(time.perf_counter() - start)
        told = subprocess.run([sys.executable, "-c", FIRST_BATCH], check=True, capture_output=True, text=True)
        batches.append(float(told.stdout))
    print(
        f"lstmlab --help: {statistics.median(helps):.2f} s; from torch imported to imdb's first batch: "
        f"{statistics.median(batches):.2f} s (slowest {max(batches):.2f} s)"
    )


if __name__ == "__main__":
    main()
