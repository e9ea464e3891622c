"""One model over 1,000 series of 1,000 points: an epoch's minutes, and how much memory it takes beyond torch.

    python -m benchmarks.many_series

Context 48, horizon 12, stride 1, 64 units: some 840,000 training windows. The series are sums of two waves, a trend and
noise, written to a CSV of a million rows in a temporary folder.
"""

import resource
import tempfile
import time
from pathlib import Path

import numpy as np

SERIES, POINTS = 1000, 1000


def write(path: Path) -> None:
    """Long form: unique_id, ds, y."""
    rng, at = np.random.default_rng(0), np.arange(POINTS)
    days = np.datetime64("2020-01-01") + at
    with path.open("w", encoding="utf-8") as out:
        out.write("unique_id,ds,y\n")
        for number in range(SERIES):
            level, trend, noise = rng.normal(50, 20), rng.normal(0, 0.02), rng.uniform(0.2, 2)
            waves = sum(rng.uniform(1, 8) * np.sin(2 * np.pi * at / period + rng.uniform(0, 6)) for period in (7, 91))
            values = level + trend * at + waves + noise * rng.standard_normal(POINTS)
            out.writelines(f"s{number},{day},{value:.3f}\n" for day, value in zip(days, values, strict=True))


def main() -> None:
    import torch

    torch.zeros(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.csv"
        write(path)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        import lstmlab

        start = time.monotonic()
        result = lstmlab.train(
            "forecasting", output=Path(folder) / "run",
            **{"path": str(path), "time": "ds", "target": "y", "data.series": "unique_id", "window": 48, "horizon": 12,
               "epochs": 1, "batch_size": 512, "hidden_size": 64, "training.patience": None},
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        told = result.run.metrics
        parts = result.run.summary["data"]["parts"]
    print(
        f"{parts['train']:,} training windows: an epoch took {told['train_seconds'] / 60:.2f} min, everything "
        f"{(time.monotonic() - start) / 60:.2f} min; peak memory {after:.2f} GiB, {before:.2f} before"
    )
    print(f"MAE {told['test']['mae']:.3f}; naive { ({k: round(v['mae'], 3) for k, v in told['baseline'].items()}) }")


if __name__ == "__main__":
    main()
