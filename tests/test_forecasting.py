"""Forecasting as a task: what is scored, what is written down, what comes after the end of a series."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lstmlab
from lstmlab import request
from lstmlab.analysis import ANALYSES, horizons
from lstmlab.data.datasets.times import DAY, Step
from lstmlab.data.load import Watch
from lstmlab.errors import InputError
from lstmlab.tasks.forecasting import KEPT, Forecasting
from lstmlab.tasks.past import copied, usual_season
from lstmlab.training import backtest
from lstmlab.training.continuation import carry_on
from lstmlab.types import Example

SMALL = {
    "hidden_size": 8, "window": 12, "horizon": 6, "epochs": 3, "training.patience": None, "learning_rate": 0.01,
}  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unreported")]


def write(path: Path, count: int = 160, series: tuple[str, ...] = (), **columns: Any) -> Path:
    """Waves of a week, by the day; `columns` are more of them."""
    days = np.datetime64("2024-01-01") + np.arange(count)
    wave = 20 + 5 * np.sin(2 * np.pi * np.arange(count) / 7)
    frames = [
        pl.DataFrame({"day": [str(day) for day in days], "y": wave + 10 * at, **columns}).with_columns(
            shop=pl.lit(name)
        )
        for at, name in enumerate(series or ("only",))
    ]
    whole = pl.concat(frames)
    (whole if series else whole.drop("shop")).write_csv(path)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> lstmlab.Result:
    folder = tmp_path_factory.mktemp("forecasts")
    return lstmlab.train(str(write(folder / "sales.csv")), output=folder / "run", **SMALL)


def task_of(**changes: Any) -> tuple[Forecasting, Any]:
    recipe = request.assemble("forecasting", {**SMALL, "time": "day", "target": "y", **changes})
    data = Forecasting.load(recipe, Watch())
    return Forecasting.prepare(recipe, data, Watch()), data


def test_a_file_is_guessed_trained_and_scored_beside_naive_forecasts(run: lstmlab.Result) -> None:
    assert run.run.recipe["data"]["target"] == ["y"]
    assert {"mae", "rmse", "smape", "mase", "mse_scaled", "mae_scaled"} <= run.scores.keys()
    assert run.baselines.keys() == {"last value", "seasonal naive (7 steps)", "drift", "mean"}
    assert run.baselines["seasonal naive (7 steps)"]["mae"] == pytest.approx(0, abs=1e-9)
    details = run.run.metrics["details"]
    assert details["season"] == 7
    assert {name: len(values) for name, values in details["mae_by_step"].items()} == dict.fromkeys(
        ("model", *run.baselines), 6
    )
    assert np.mean(details["mae_by_step"]["model"]) == pytest.approx(run.scores["mae"])
    best = min(scores["mae"] for scores in run.baselines.values() if scores["mae"] is not None)
    assert run.scores["skill"] == pytest.approx(1 - run.scores["mae"] / best)


def test_what_is_left_over_is_told_by_step_and_over_time(run: lstmlab.Result) -> None:
    details = run.run.metrics["details"]
    left, rows = details["residuals"], run.run.predictions
    assert len(rows) == details["windows"] <= 100, "every window is written down, so it can be counted again"
    gaps = np.array([np.subtract(row["prediction"], row["target"]) for row in rows])
    assert np.array(left["by_step"]) == pytest.approx(np.quantile(gaps, left["quantiles"], axis=0), abs=1e-6)
    assert left["mae"] == pytest.approx(np.abs(gaps).mean(1), abs=1e-6)
    assert left["mean"] == pytest.approx(gaps.mean(1), abs=1e-6)
    assert left["times"] == [row["id"] for row in rows]


def test_the_model_is_left_alone_from_the_first_test_window_on(run: lstmlab.Result) -> None:
    free, rows = run.run.metrics["details"]["free_run"], run.run.predictions
    assert free["times"][0] == rows[0]["id"]
    assert free["prediction"][:1] == pytest.approx(rows[0]["prediction"][:1], abs=1e-5)
    truth = [value for row in rows for value in row["target"]]
    assert free["truth"][: len(truth)] == pytest.approx(truth), "test windows stand end to end"
    assert len(free["prediction"]) == len(free["truth"]) >= len(truth)


def test_what_comes_after_the_end(run: lstmlab.Result, tmp_path: Path) -> None:
    (short,), (long,) = run.forecast(horizon=4), run.forecast(horizon=15)
    assert (short.times[0], len(short.times), long.times[-1]) == ("2024-06-09", 4, "2024-06-23")
    assert long.values[:4] == short.values
    assert np.isfinite(long.values).all()
    again = run.forecast(write(tmp_path / "same.csv"), horizon=4)[0]
    np.testing.assert_allclose(again.values, short.values)
    later = run.forecast(write(tmp_path / "later.csv", 20), horizon=1)[0]
    assert later.times == ("2024-01-21",)
    with pytest.raises(InputError, match="5 steps, and the model reads 12"):
        run.forecast(write(tmp_path / "short.csv", 5))
    with pytest.raises(InputError, match='no column "y"'):
        run.forecast(_renamed(tmp_path))


def test_a_backtest_forecasts_from_several_times(run: lstmlab.Result) -> None:
    found = run.backtest(3)
    assert [one.windows for one in found] == [1, 1, 1]
    assert found[0].time < found[1].time < found[2].time
    (*_, last), refitted = run.run.predictions, run.backtest(2, refit=True)
    gaps = np.abs(np.array(last["prediction"]) - np.array(last["target"]))
    assert found[-1].mae == pytest.approx(gaps.mean(), rel=1e-4)
    # The first model learned from what this run did, the second from more.
    assert refitted[0].mae == pytest.approx(found[0].mae, rel=1e-3)
    assert refitted[1].mae != pytest.approx(found[-1].mae, rel=1e-6)
    with pytest.raises(InputError, match="--origins 11 at most"):
        run.backtest(12)


def test_another_file_is_scored(run: lstmlab.Result, tmp_path: Path) -> None:
    scores, count = run.evaluate(write(tmp_path / "other.csv", 50))
    assert count == 6
    assert scores["mae"] > 0
    with pytest.raises(InputError, match="15 steps, and a window of 12 with 6 to forecast needs 18"):
        run.evaluate(write(tmp_path / "little.csv", 15))


def _renamed(folder: Path) -> Path:
    path = folder / "renamed.csv"
    path.write_text(write(folder / "a.csv").read_text().replace("day,y", "day,z"))
    return path


def test_a_backtest_refuses_data_that_changed_and_keeps_a_limit(tmp_path: Path) -> None:
    path = write(tmp_path / "sales.csv")
    made = lstmlab.train(str(path), output=tmp_path / "run", **SMALL, limit=20)
    seen = []
    start = backtest.start_training
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backtest, "start_training", lambda *given: (seen.append(len(given[2].train)), start(*given))[1])
        made.backtest(2, refit=True)
    assert seen == [20, 20]
    write(path, 140)
    with pytest.raises(InputError, match="changed"):
        made.backtest(2)


def test_the_run_goes_on_where_its_last_file_ends(tmp_path: Path) -> None:
    whole = pl.read_csv(write(tmp_path / "whole.csv", 100))
    for name, first, last in (("a", 0, 80), ("b", 80, 88)):
        whole[first:last].write_csv(tmp_path / f"{name}.csv")
    made = lstmlab.train(
        "forecasting", output=tmp_path / "run", path=str(tmp_path / "a.csv"), test=str(tmp_path / "b.csv"),
        time="day", target="y", **SMALL,
    )  # fmt: skip
    (found,) = made.forecast(horizon=2)
    assert found.times == ("2024-03-29", "2024-03-30"), "the test file alone is shorter than a window"
    whole[:88].write_csv(tmp_path / "all.csv")
    assert made.forecast(tmp_path / "all.csv", 2)[0].values == found.values


def test_a_file_of_other_steps_is_refused(run: lstmlab.Result, tmp_path: Path) -> None:
    path = write(tmp_path / "weekly.csv")
    table = pl.read_csv(path).with_columns(
        day=pl.Series([str(np.datetime64("2020-01-06") + 7 * at) for at in range(160)])
    )
    table.write_csv(path)
    with pytest.raises(InputError, match="the model learned from rows day apart"):
        run.forecast(path)
    with pytest.raises(InputError, match="the model learned from rows day apart"):
        run.evaluate(path)


def test_a_series_too_short_to_be_read_hinders_no_other(run: lstmlab.Result, tmp_path: Path) -> None:
    made = lstmlab.train(
        str(write(tmp_path / "shops.csv", series=("north", "south"))), output=tmp_path / "run", **SMALL
    )
    table = pl.read_csv(write(tmp_path / "new.csv", 40, series=("north", "tiny")))
    table = pl.concat([table.filter(shop="north"), table.filter(shop="tiny")[:5]])
    table.write_csv(tmp_path / "new.csv")
    said: list[str] = []
    found = carry_on(made.predictor, tmp_path / "new.csv", 3, say=said.append)
    assert [one.series for one in found] == ["north"]
    assert '5 steps of "tiny", and the model reads 12' in said[0]


def test_the_scale_of_a_stranger_is_that_of_its_own_values(tmp_path: Path) -> None:
    """Forecasts that are read on from change nothing in how it is scaled."""
    made = lstmlab.train(
        str(write(tmp_path / "shops.csv", series=("north", "south"))), output=tmp_path / "run", **SMALL
    )
    scales = []
    encode = Forecasting.encode

    def watched(self: Forecasting, examples: Any, where: str) -> Any:
        scales.append((found := encode(self, examples, where)).scaler.mean.tolist())
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Forecasting, "encode", watched)
        made.forecast(write(tmp_path / "new.csv", 60, series=("west",)), 18)
    assert len(scales) == 3
    assert np.allclose(scales, scales[0], rtol=1e-12)


def test_a_segment_longer_than_the_window_is_refused() -> None:
    with pytest.raises(InputError, match=r"model\.segment \(20\) is more than data\.window \(12\)"):
        task_of(path="a.csv", segment=20, strategy="direct")


def test_a_data_frame_is_as_good_as_a_file(run: lstmlab.Result, tmp_path: Path) -> None:
    table = pl.read_csv(write(tmp_path / "sales.csv"))
    found = lstmlab.train(table, root=tmp_path, output=tmp_path / "run", **SMALL)
    assert found.scores == run.scores
    later = pl.read_csv(write(tmp_path / "later.csv", 200))
    assert found.forecast(later, 3) == run.forecast(tmp_path / "later.csv", 3)
    assert found.evaluate(later) == run.evaluate(tmp_path / "later.csv")
    with pytest.raises(InputError, match="expected a recipe, a task or a file before the data, got DataFrame"):
        lstmlab.train(table, table)
    with pytest.raises(InputError, match="expected a polars or pandas data frame, got list"):
        lstmlab.train([1, 2, 3])


def test_typed_numbers_are_a_window(run: lstmlab.Result) -> None:
    (row,) = [one for one in run.run.predictions[:1]]
    (answer,) = run.predict([row["input"]])
    np.testing.assert_allclose(answer["prediction"], row["prediction"], rtol=1e-4)
    for given, told in (
        ([1.0] * 5, "expected 12 numbers, got 5"),
        ([np.inf] * 12, "no finite number"),
        ("x", "numbers"),
    ):
        with pytest.raises(InputError, match=told):
            run.predict([given])


def test_many_windows_are_scored_and_some_are_written_down(tmp_path: Path) -> None:
    path = write(tmp_path / "long.csv", 900)
    made = lstmlab.train(
        str(path), output=tmp_path / "run", **{**SMALL, "epochs": 1, "test_fraction": 0.5, "test_stride": 1}
    )
    assert made.run.metrics["details"]["windows"] == 445
    assert len(made.run.predictions) == KEPT
    whole = [row["prediction"] for row in made.run.predictions]
    assert np.isfinite(whole).all()
    assert made.evaluate()[1] == 445
    assert made.evaluate()[0]["mae"] == pytest.approx(made.scores["mae"])


@pytest.mark.parametrize("head", ["quantile", "gaussian"])
def test_intervals_are_told_scored_and_in_order(head: str, tmp_path: Path) -> None:
    made = lstmlab.train(str(write(tmp_path / "a.csv")), output=tmp_path / "run", **{**SMALL, "model.head": head})
    assert {"quantile_loss", "coverage"} <= made.scores.keys()
    for row in made.run.predictions:
        levels = [np.array(row["quantiles"][level]) for level in sorted(row["quantiles"], key=float)]
        assert all((low <= high).all() for low, high in itertools.pairwise(levels))
        np.testing.assert_allclose(row["quantiles"]["0.5"], row["prediction"])
    assert "Intervals:" in ANALYSES["forecasts"].section(made.run).evidence
    assert set(made.forecast(horizon=3)[0].quantiles) == set(made.run.predictions[0]["quantiles"])


def test_series_are_scaled_each_for_itself_and_strangers_by_their_own_past(tmp_path: Path) -> None:
    path = write(tmp_path / "shops.csv", series=("a", "b"))
    task, data = task_of(path=str(path), series="shop")
    assert task.scalers.names == ("a", "b")
    assert np.diff(task.scalers.values.mean[:, 0]) == pytest.approx(10, abs=0.1)
    encoded = task.encode(data.train, "train")
    assert set(encoded.who) == {0, 1}
    assert abs(encoded.steps.mean()) < 0.2
    stranger = task.encode([Example("1", list(1000 + np.arange(12.0)), meta={"series": "c"})], "here")
    assert stranger.who.tolist() == [-1]
    assert abs(stranger.steps.mean()) < 1e-6


def test_missing_values_count_in_nothing(tmp_path: Path) -> None:
    holes = [None if at % 9 == 4 else float(at % 7) for at in range(160)]
    path = write(tmp_path / "holes.csv", y=holes)
    task, data = task_of(path=str(path), missing="mask")
    assert task.masked
    assert task.sizes.beside == 1
    encoded = task.encode(data.train, "train")
    assert np.isfinite(encoded.steps).all()
    batch = task.collate(encoded, np.arange(4))
    loss = task.loss(task.outputs(task.build().eval(), batch), batch)
    assert loss.count == int((~batch.wanted.isnan()).sum()) < batch.wanted.numel()
    made = lstmlab.train(
        "forecasting", output=tmp_path / "run", **SMALL, path=str(path), time="day", target="y", missing="mask"
    )
    assert np.isfinite([made.scores[name] for name in ("mae", "rmse")]).all()
    json.dumps(made.run.predictions, allow_nan=False)


def test_a_constant_series_is_learned_and_nothing_is_divided_by_zero(tmp_path: Path) -> None:
    path = write(tmp_path / "flat.csv", y=[3.0] * 160)
    made = lstmlab.train("forecasting", output=tmp_path / "run", **SMALL, path=str(path), time="day", target="y")
    assert made.scores["mae"] == pytest.approx(0, abs=0.5)
    assert made.scores["mase"] is None  # a naive forecast is perfect


def test_what_is_known_ahead_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "plan.csv", plan=[float(at % 2) for at in range(160)])
    made = lstmlab.train(
        "forecasting", output=tmp_path / "run", **SMALL, path=str(path), time="day", target="y", future="plan",
        calendar=True,
    )  # fmt: skip
    with pytest.raises(InputError, match='"plan" has to be known ahead, and it is not for 2024-06-09'):
        made.forecast()
    more = path.read_text() + "".join(f"2024-06-{day:02},,{day % 2}\n" for day in range(9, 15))
    (tmp_path / "more.csv").write_text(more)
    (found,) = made.forecast(tmp_path / "more.csv")
    assert (found.times[0], len(found.times)) == ("2024-06-09", 6)


def test_what_is_past_cannot_be_carried_on_for_ever(tmp_path: Path) -> None:
    path = write(tmp_path / "past.csv", wind=list(np.linspace(0, 1, 160)))
    made = lstmlab.train(
        "forecasting", output=tmp_path / "run", **SMALL, path=str(path), time="day", target="y", past="wind"
    )
    assert len(made.forecast(horizon=6)[0].times) == 6
    with pytest.raises(InputError, match="it would need wind ahead: ask for --horizon 6 at most"):
        made.forecast(horizon=7)
    with pytest.raises(InputError, match="feeds forecasts back, and wind will not be known then"):
        task_of(path=str(path), past="wind", strategy="recursive", normalise="none")


def test_a_season_longer_than_the_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="data.season=500 is as long as the data to learn from"):
        task_of(path=str(write(tmp_path / "a.csv")), season=500)


@pytest.mark.parametrize(
    ("step", "season"),
    [
        (Step(microseconds=DAY), 7), (Step(microseconds=DAY // 24), 24), (Step(microseconds=DAY // 288), 288),
        (Step(months=1), 12), (Step(months=3), 4), (Step(months=12), None), (Step(trading=True), 5),
        (Step(numbers=1), None), (Step(microseconds=7 * DAY), 52), (Step(microseconds=1000), None),
    ],
)  # fmt: skip
def test_usual_seasons(step: Step, season: int | None) -> None:
    assert usual_season(step) == season


def ahead(said: np.ndarray, truth: np.ndarray, last: np.ndarray) -> horizons.Ahead:
    shape = (-1, 1, 1)
    told = copied(truth.reshape(shape), said.reshape(shape), last.reshape(shape))
    errors = {"model": np.abs(said - truth).mean()[None], "last value": np.abs(last - truth).mean()[None]}
    return horizons.Ahead(errors, len(truth), told)


def test_a_copy_is_called_one_and_a_forecast_is_not() -> None:
    walk = np.random.default_rng(0).standard_normal(500).cumsum()
    truth, last = walk[1:], walk[:-1]
    lazy = ahead(last + 0.02, truth, last)
    assert lazy.copies
    assert "the last value, shifted" in horizons.copy_words(lazy)
    good = ahead(truth + 0.1, truth, last)
    assert not good.copies
    assert "no mere copy" in horizons.copy_words(good)
    assert "less than the best naive forecast" in horizons.claim(good)
    wild = ahead(truth + 5, truth, last)
    assert not wild.copies
    assert "not worth its trouble" in horizons.claim(wild)
