"""How far ahead forecasts are worth something: the numbers of the scores, also where values are missing."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_series import series_run
from lstmlab.analysis import horizons
from lstmlab.analysis.discussion import assessment, improvements
from lstmlab.analysis.document import observations
from lstmlab.training.run import Run


def changed(run: Run, **metrics: Any) -> Run:
    """The run with other numbers."""
    path = run.folder / "metrics.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    for key, value in metrics.items():
        place = told
        *before, last = key.split("__")
        for name in before:
            place = place[name]
        place[last] = value
    path.write_text(json.dumps(told), encoding="utf-8")
    return Run(run.folder)


def test_words_about_all_steps_are_those_of_the_scores(tmp_path: Path) -> None:
    # Values are missing at some steps more than at others, so that the mean over values is not that over steps.
    steps = {"model": [0.2, 0.4], "last value": [1.0, 3.0], "drift": [1.5, 1.6]}
    run = changed(
        series_run(tmp_path, horizon=2),
        details__mae_by_step=steps,
        test__mae=0.25,
        test__skill=1 - 0.25 / 1.2,
        baseline={"last value": {"mae": 1.2}, "drift": {"mae": 1.52}},
    )
    told = horizons.Ahead.of(run)
    assert list(told.rivals) == ["last value", "drift"], "by their scores, of which the first is best"
    assert told.skill() == 1 - 0.25 / 1.2
    assert horizons.claim(told) == (
        "Forecasts of 2 steps ahead miss by 0.2500 on average, 79 % less than the best naive forecast (last value, "
        "1.2000)."
    )
    assert told.skill(0, 1) == pytest.approx(1 - 0.2 / 1.0)
    assert told.skill(1) == pytest.approx(1 - 0.4 / 1.6)
    assert "80 % at the first step, 75 % over steps 2 to 2" in horizons.reach_words(told)


@pytest.mark.parametrize("skill", [0.5, None])
def test_a_run_without_these_scores_is_told_by_its_steps(tmp_path: Path, skill: float | None) -> None:
    steps = {"model": [0.2, 0.4], "last value": [1.0, 3.0]}
    baseline = {"last value": {"mae": None}}
    run = changed(series_run(tmp_path, horizon=2), details__mae_by_step=steps, test__skill=skill, baseline=baseline)
    told = horizons.Ahead.of(changed(run, test__mae=None))
    assert told.mean("model") == pytest.approx(0.3)
    assert told.mean("last value") == pytest.approx(2.0)
    assert told.skill() == pytest.approx(0.5 if skill else 0.85)


def test_a_naive_forecast_that_is_perfect_leaves_nothing_to_save(tmp_path: Path) -> None:
    run = series_run(tmp_path, values=np.full(100, 3.0))
    told = horizons.Ahead.of(run)
    assert math.isnan(told.skill())
    assert "(last value, 0.0000) is perfect here" in horizons.claim(told)


COPY = ["details__copy", {"from_truth": None, "from_last": None, "naive": None}]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        COPY,
        ("details__copy", {"from_truth": None, "from_last": 0.1, "naive": 0.2}),
        ("details__mae_by_step", {"model": [None, 1.0, 1.0], "last value": [None, 2.0, 2.0]}),
        ("details__mae_by_step", {"model": [1.0, 1.0, None], "last value": [2.0, 2.0, None]}),
        ("details__mae_by_step", {"model": [None] * 3, "last value": [2.0, 2.0, 2.0]}),
        ("details__mae_by_step", {"model": [1.0] * 3, "last value": [None] * 3, "drift": [2.0, 2.0, 2.0]}),
        ("details__mae_by_step", {"model": [None] * 3, "last value": [None] * 3}),
    ],
)
@pytest.mark.parametrize("scored", [True, False])
def test_errors_that_are_unknown_are_survived(tmp_path: Path, key: str, value: Any, scored: bool) -> None:
    run = changed(series_run(tmp_path, horizon=3), **{key: value})
    if not scored:
        run = changed(run, test__mae=None, test__skill=None, baseline={"last value": {"mae": None}})
    section = horizons.section(run)
    said = "\n".join(
        [section.claim, section.evidence, *observations(run), assessment(run).evidence, improvements(run).evidence]
    )
    assert "nan" not in said
    assert "\n- \n" not in f"{said}\n"
    assert not horizons.Ahead.of(run).copies or key != "details__copy"


def test_a_step_without_any_truth_is_no_end_of_what_is_useful(tmp_path: Path) -> None:
    steps = {"model": [1.0, None, 1.0, 5.0], "last value": [2.0, None, 2.0, 2.0], "drift": [3.0, None, 3.0, None]}
    run = changed(series_run(tmp_path, horizon=4), details__mae_by_step=steps)
    assert horizons.Ahead.of(run).last_useful == 3
    broken = {"model": [1.0, None, 1.0, 1.0], "last value": [2.0] * 4}
    assert horizons.Ahead.of(changed(run, details__mae_by_step=broken)).last_useful == 1


def test_a_copy_of_the_last_value_is_called_one(tmp_path: Path) -> None:
    copy = {"from_truth": 1.0, "from_last": 0.05, "naive": 1.0}
    assert horizons.Ahead.of(changed(series_run(tmp_path), details__copy=copy)).copies


def test_forecasts_that_are_no_numbers_have_no_bias(tmp_path: Path) -> None:
    run = series_run(tmp_path, horizon=2)
    path = run.folder / "predictions.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("".join(json.dumps({**row, "prediction": [None, None]}) + "\n" for row in rows), encoding="utf-8")
    assert horizons.bias_words(Run(run.folder)) == ""


def test_one_step_ahead_there_is_no_empty_point(tmp_path: Path) -> None:
    run = series_run(tmp_path, horizon=1, free=False)
    assert horizons.reach_words(horizons.Ahead.of(run)) == "It beats every naive forecast."
    assert "\n- \n" not in assessment(run).evidence
