"""Forecasts of ETTh1 and of the airline passengers beside NeuralForecast's LSTM, one after the other.

    python -m benchmarks.forecasting PEER_PYTHON PEER_SCRIPT [key=value ...]

PEER_PYTHON is a Python with NeuralForecast 3.3; PEER_SCRIPT trains its LSTM on ETTh1 (usage: SCRIPT ETTh1.csv CONTEXT)
and prints "SECONDS s  MSE …  MAE …". Both sides: horizon 96, look-back 96, 12/4/4 months, every test window; then the
year ahead of airline passengers. Seconds are of training and all test windows, in a process that has imported
everything (the peer's whole process stands beside it); ours are what the run tells as total_seconds, which is with
reading the data and the naive forecasts and without the report. Changes are of our recipe for ETTh1.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lstmlab
from lstmlab.recipe import parse_overrides

AIRLINE = Path(__file__).with_name("neuralforecast_airline.py")


def peer(python: str, script: Path, *arguments: str) -> tuple[float, float, float, float]:
    """Its seconds, its two errors, and the seconds of the whole process."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            python,
            str(script.absolute()),
            *(str(Path(one).absolute()) for one in arguments[:1]),
            *arguments[1:],
        ]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    told = re.search(r"([\d.]+) s +(?:MSE|RMSE) ([\d.]+) +MAE ([\d.]+)", done.stdout)
    if told is None:
        sys.exit(f"{script} ended with status {done.returncode}:\n{done.stderr[-600:]}")
    seconds, first, second = map(float, told.groups())
    return seconds, first, second, time.monotonic() - start


def ours(recipe: str, scores: tuple[str, str], changes: dict) -> tuple[float, float, float]:
    """Seconds of everything but the report, and two scores."""
    with tempfile.TemporaryDirectory() as folder:
        told = lstmlab.train(recipe, output=Path(folder) / "run", **changes).run.metrics
    return told["total_seconds"], told["test"][scores[0]], told["test"][scores[1]]


def main() -> None:
    python, script, *changes = sys.argv[1:]
    data = Path(os.environ["LSTMLAB_DATA"])
    table = [
        ("ETTh1, MSE and MAE, scaled", Path(script), (str(data / "ett" / "ETTh1.csv"), "96"),
         "ett-h1", ("mse_scaled", "mae_scaled"), {"window": 96, "horizon": 96, **parse_overrides(changes)}),
        ("airline, RMSE and MAE", AIRLINE, (str(data / "classic-series" / "airline-passengers.csv"),),
         "airline-passengers", ("rmse", "mae"), {}),
    ]  # fmt: skip
    titles = ("series", "NeuralForecast", "seconds (process)", "lstmlab", "seconds", "share of the time")
    print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
    for title, program, arguments, recipe, scores, change in table:
        seconds, first, second, whole = peer(python, program, *arguments)
        own, *errors = ours(recipe, scores, change)
        print(
            f"| {title} | {first:.4g}, {second:.4g} | {seconds:.0f} ({whole:.0f}) | {errors[0]:.4g}, {errors[1]:.4g} | "
            f"{own:.1f} | {own / seconds:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
