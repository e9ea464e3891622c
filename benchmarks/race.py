"""From the typed command, caches cold, to a test accuracy of 0.862 on IMDB: lstmlab against a Keras script.

    python -m benchmarks.race KERAS_PYTHON KERAS_SCRIPT FOLDER

KERAS_PYTHON is a Python with TensorFlow, KERAS_SCRIPT prints "… test ACCURACY" after each epoch, FOLDER holds the
archive. One after the other. Keras runs five epochs; what counts is when it first prints 0.862, or else its best test
accuracy. lstmlab has to print at least 0.862. Seconds are from the start of each process.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

WANTED = 0.862


def printed(command: list[str], pattern: str, environment: dict[str, str]) -> list[tuple[float, float]]:
    """(seconds, accuracy) of every line that the pattern finds in what a command prints, until it ends."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    assert process.stdout is not None
    lines = [(time.perf_counter() - start, re.search(pattern, line)) for line in process.stdout]
    return [(seconds, float(found[1])) for seconds, found in lines if found]


def main() -> None:
    python, script, folder = sys.argv[1:]
    epochs = printed([python, "-u", script, folder, "5"], r"test (0\.\d+)", dict(os.environ))
    goal = min(WANTED, max(accuracy for _, accuracy in epochs))
    keras = next(moment for moment in epochs if moment[1] >= goal)
    with tempfile.TemporaryDirectory() as cold:
        command = [sys.executable, "-m", "lstmlab", "train", "imdb", "steps=100", "--output", f"{cold}/run"]
        (seconds, percent), *_ = printed(
            command, r"Test: .*accuracy ([\d.]+) %", {**os.environ, "LSTMLAB_CACHE": f"{cold}/cache"}
        )
    verdict = "reached" if percent / 100 >= WANTED else "not reached"
    print(
        f"lstmlab: {percent:.2f} % after {seconds:.0f} s ({WANTED:.1%} {verdict}); Keras: {keras[1]:.2%} after ", end=""
    )
    print(f"{keras[0]:.0f} s, by epoch {', '.join(f'{a:.2%} ({s:.0f} s)' for s, a in epochs)}")


if __name__ == "__main__":
    main()
