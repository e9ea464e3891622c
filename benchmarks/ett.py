"""`ett-h1` at four horizons: MSE and MAE on standardised values, every window of the test part, last batch kept.

    python -m benchmarks.ett [key=value ...]

Look-back 720, 12/4/4 months, scaler of the first 12. One model a horizon, chosen by its validation loss. Prints each
horizon, the means and the minutes of everything.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import lstmlab
from lstmlab.recipe import parse_overrides

HORIZONS = (96, 192, 336, 720)


def main() -> None:
    changes = parse_overrides(sys.argv[1:])
    start, found = time.monotonic(), []
    print("| horizon | test MSE | test MAE | validation MSE | best epoch | seconds |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for horizon in HORIZONS:
            begin = time.monotonic()
            output = Path(folder) / str(horizon)
            result = lstmlab.train("ett-h1", output=output, **{"horizon": horizon, **changes})
            told = result.run.metrics
            found.append((told["test"]["mse_scaled"], told["test"]["mae_scaled"]))
            print(
                f"| {horizon} | {found[-1][0]:.4f} | {found[-1][1]:.4f} | {told['valid']['mse_scaled']:.4f} | "
                f"{told['best_epoch']} | {time.monotonic() - begin:.0f} |",
                flush=True,
            )
    means = [statistics.mean(column) for column in zip(*found, strict=True)]
    print(f"| mean | {means[0]:.4f} | {means[1]:.4f} | | | {time.monotonic() - start:.0f} |")


if __name__ == "__main__":
    main()
