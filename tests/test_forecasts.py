"""The analysis of a forecast, on sines that go wrong in known ways."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_runs import forecasting_run, write_run
from lstmlab.analysis.forecasts import Forecasts, applies, period, section
from lstmlab.report import unlabelled

STEP = 100 / 999
TRUTH = np.sin(STEP * np.arange(1000, 1500))


def test_an_offset_is_measured(tmp_path: Path) -> None:
    found = section(forecasting_run(tmp_path, forecast=TRUTH[:100] + 0.02, horizon=100))
    assert "stays within 0.05 of the truth for all 100 steps; its mean absolute error is 0.0200" in found.claim
    assert "misses by 0.0200, which is 32 % of the 0.0624" in found.evidence
    assert "never passes 0.05 (5 % of the amplitude of the series)" in found.evidence
    assert "General remark, from experiments over ten seeds" in found.evidence
    assert "recipe sine-classic" in found.evidence
    assert [row[0] for row in found.tables[0].rows] == [1, 10, 50, 100]
    assert [row[1] for row in found.tables[0].rows] == pytest.approx([0.02] * 4)


def test_the_step_where_it_goes_wrong_is_counted_from_one(tmp_path: Path) -> None:
    forecast = TRUTH.copy()
    forecast[11:] += 0.06
    forecast[40:] += 0.6
    found = section(forecasting_run(tmp_path, forecast=forecast, horizon=500))
    assert "only the first 11 of 500 steps" in found.claim
    assert "passes 0.05 (5 % of the amplitude of the series) at step 12 and passes 0.5" in found.evidence
    assert "at step 41;" in found.evidence
    assert [row[0] for row in found.tables[0].rows] == [1, 10, 50, 100, 500]
    assert "General remark, from experiments" in found.evidence
    assert "This run has full batches, a constant learning rate and forecasts of the value" in found.evidence


def test_another_orbit_is_seen(tmp_path: Path) -> None:
    at = np.arange(1, 501)
    forecast = 0.7 * np.sin(STEP * 999 + at * 2 * np.pi / 55)
    evidence = section(forecasting_run(tmp_path, forecast=forecast, horizon=500)).evidence
    assert "over the last 63 steps, the forecast's amplitude is 0.6996" in evidence
    assert "one period of the forecast takes 55.0 steps, one of the truth 62.8" in evidence


def test_a_constant_is_seen(tmp_path: Path) -> None:
    forecast = np.where(np.arange(500) < 30, TRUTH, 0.25)
    assert "settled on a constant, 0.25" in section(forecasting_run(tmp_path, forecast=forecast, horizon=500)).evidence


def test_the_training_loss_is_translated_into_a_step(tmp_path: Path) -> None:
    evidence = section(forecasting_run(tmp_path)).evidence
    assert "training loss of 3.00e-04 looks small, but its root, the typical miss of one step, is 0.0173" in evidence
    assert "0.0173: 28 % of that difference" in evidence


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.sin(np.arange(300) * 2 * np.pi / 40), 40.0),
        (3 + np.sin(np.arange(300) * 2 * np.pi / 40), 40.0),
        (np.arange(100.0), None),
        (np.zeros(100), None),
        (np.random.default_rng(0).standard_normal(300), None),
        (np.random.default_rng(0).standard_normal(300).cumsum(), None),
    ],
)
def test_period(values: np.ndarray, expected: float | None) -> None:
    found = period(values)
    assert found is None if expected is None else found == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    "forecast",
    [
        TRUTH,
        np.full(500, np.nan),
        np.concatenate([TRUTH[:100], np.full(400, np.inf)]),
        np.full(500, 1e30),
        TRUTH[:1],
        TRUTH[:3] + 1,
        np.zeros(500),
    ],
    ids=["perfect", "nan", "inf", "huge", "one step", "three steps", "zero"],
)
def test_degenerate_forecasts(tmp_path: Path, forecast: np.ndarray) -> None:
    run = forecasting_run(tmp_path, forecast=np.where(np.isfinite(forecast), forecast, 0), horizon=len(forecast))
    row: dict[str, Any] = {**run.predictions[0], "prediction": [float(v) if np.isfinite(v) else None for v in forecast]}
    run = write_run(tmp_path / "again", run.recipe, run.history, run.metrics, [row], run.summary)
    found = section(run)
    assert applies(run)
    assert [problem for figure in found.figures for problem in unlabelled(figure)] == []
    if len(forecast) == 500 and not np.isfinite(forecast).all():
        assert "the forecast is not a number" in found.evidence


def test_a_constant_series_and_several_windows(tmp_path: Path) -> None:
    run = forecasting_run(tmp_path, horizon=20)
    row = {"id": "0", "input": [1.0] * 50, "target": [1.0] * 20, "prediction": [1.0] * 20, "loss": 0.0}
    run = write_run(tmp_path / "again", run.recipe, run.history, run.metrics, [row] * 3, run.summary)
    found = section(run)
    assert "3 windows of 50" in found.evidence
    assert [problem for figure in found.figures for problem in unlabelled(figure)] == []


def test_a_season_that_fits_the_window_is_a_baseline(tmp_path: Path) -> None:
    run = forecasting_run(tmp_path)
    assert list(Forecasts.of(run).naive) == ["last value"]
    changed = {**run.recipe, "data": {**run.recipe["data"], "season": 24}}
    run = write_run(tmp_path / "again", changed, run.history, run.metrics, run.predictions, run.summary)
    assert list(Forecasts.of(run).naive) == ["last value", "seasonal naive (24 steps)"]


def test_it_applies_to_forecasts_only(tmp_path: Path) -> None:
    run = forecasting_run(tmp_path)
    assert applies(run)
    assert not applies(write_run(tmp_path / "again", run.recipe, run.history, run.metrics, [], run.summary))
