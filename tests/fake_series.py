"""Run directories of forecasters of real series, made up for tests."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fake_runs import forecasting_run, write_run
from lstmlab.tasks import past
from lstmlab.training.run import Run


def series_run(
    folder: Path,
    *,
    horizon: int = 12,
    windows: int = 60,
    error: float = 1.0,
    values: np.ndarray | None = None,
    name: str = "",
    quantiles: bool = False,
    free: bool = True,
) -> Run:
    """Windows of 24 steps over a daily wave with noise, the forecast off by noise that grows with the step ahead and is
    three times as large in a fifth of the test part.
    """
    rng, count = np.random.default_rng(0), 24 + windows + horizon
    at = np.arange(count)
    series = 20 + 5 * np.sin(2 * np.pi * at / 7) + rng.standard_normal(count) if values is None else values
    starts = 24 + np.arange(windows)
    truth = np.stack([series[start : start + horizon] for start in starts])
    noise = rng.standard_normal(truth.shape) * np.linspace(0.2, 1, horizon) * error
    noise[windows // 2 : windows // 2 + windows // 5] *= 3
    said, last = truth + noise, np.repeat(series[starts - 1][:, None], horizon, 1)
    days = [str(np.datetime64("2024-01-01") + int(start)) for start in starts]
    gaps = np.abs(noise)
    details: dict[str, Any] = {
        "mae_by_step": {"model": gaps.mean(0).tolist(), "last value": np.abs(last - truth).mean(0).tolist()},
        "season": 7,
        "windows": windows,
        "copy": past.copied(truth[..., None], said[..., None], last[..., None]),
        "residuals": {
            "quantiles": list(past.QUANTILES),
            "by_step": np.quantile(noise, past.QUANTILES, axis=0).tolist(),
            "times": days,
            "mean": noise.mean(1).tolist(),
            "mae": gaps.mean(1).tolist(),
        },
    }
    if free:
        details["free_run"] = {
            "series": name, "times": [days[0], days[-1]], "at_once": None,
            "truth": series[24:].tolist(), "prediction": (series[24:] * 0.5).tolist(),
        }  # fmt: skip
    predictions: list[dict[str, Any]] = [
        {
            "id": f"{name} {days[row]}".strip(), "input": series[starts[row] - 24 : starts[row]].tolist(),
            "target": truth[row].tolist(), "prediction": said[row].tolist(), "loss": 0.1,
        }
        for row in range(0, windows, max(1, windows // 20))
    ]  # fmt: skip
    if quantiles:
        for row in predictions:
            row["quantiles"] = {
                str(level): (np.array(row["prediction"]) + 2 * (level - 0.5)).tolist() for level in (0.05, 0.5, 0.95)
            }
    base = forecasting_run(folder / "sine", horizon=horizon)
    mae, naive = float(gaps.mean()), float(np.abs(last - truth).mean())
    scores = {"loss": 0.2, "mae": mae, "rmse": 1.3 * mae, "smape": 0.1, "mase": 1.0}
    if naive:
        scores["skill"] = 1 - mae / naive
    metrics = {
        **base.metrics, "test": scores | ({"coverage": 0.6} if quantiles else {}), "test_last": scores,
        "baseline": {"last value": {"mae": naive, "rmse": naive, "smape": 0.1, "mase": 1.0}}, "details": details,
    }  # fmt: skip
    recipe = json.loads(json.dumps(base.recipe))
    recipe["data"] |= {"name": "made-up", "window": 24}
    summary = {**base.summary, "data": {**base.summary["data"], "name": "made-up"}}
    return write_run(folder / "run", recipe, base.history, metrics, predictions, summary)
