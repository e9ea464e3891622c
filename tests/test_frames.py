"""Data frames are as good as the files they could be written to: zones, truth values, dates, numbers."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lstmlab
from lstmlab import api
from lstmlab.data.datasets import files
from lstmlab.data.frames import kept_frame
from lstmlab.data.series import read_series
from lstmlab.data.series_settings import SeriesSettings
from lstmlab.errors import InputError

SMALL = {"hidden_size": 4, "window": 10, "horizon": 3, "epochs": 1}

SPRING = dt.datetime(2024, 3, 29)
"""Two days before clocks are put forward in Berlin, nineteen after it in New York."""


def hours(count: int = 96, zone: str | None = "Europe/Berlin") -> pl.DataFrame:
    times = pl.datetime_range(SPRING, SPRING + dt.timedelta(hours=count - 1), "1h", time_zone="UTC", eager=True)
    local = times.dt.convert_time_zone(zone) if zone else times.dt.replace_time_zone(None)
    return pl.DataFrame({"t": local, "y": np.sin(np.arange(count) / 4)})


def lines(path: Path, **settings: Any) -> list[Any]:
    return list(read_series(SeriesSettings(path=str(path), time=["t"], target=["y"], **settings))[0].lines)


def test_times_with_a_zone_are_read_as_utc_across_daylight_saving(tmp_path: Path) -> None:
    (bare,) = lines(kept_frame(hours(zone=None), tmp_path))
    hours().write_parquet(tmp_path / "hours.parquet")
    for path in (tmp_path / "hours.parquet", kept_frame(hours(), tmp_path)):
        (zoned,) = lines(path)
        assert (zoned.times == bare.times).all()
        assert (zoned.values == bare.values).all()


@pytest.mark.parametrize("zone", ["America/New_York", "UTC", dt.timezone(dt.timedelta(hours=-5))])
def test_times_of_pandas_with_a_zone_are_read_as_utc(tmp_path: Path, zone: Any) -> None:
    pd = pytest.importorskip("pandas")
    index = pd.date_range("2024-03-09", periods=96, freq="h", tz="UTC")
    local = pd.DataFrame({"y": np.sin(np.arange(96) / 4)}, index=index.tz_convert(zone).rename("t"))
    (found,) = lines(kept_frame(local, tmp_path))
    assert (found.times == index.tz_localize(None).to_numpy().astype("M8[us]")).all()
    column = local.reset_index().astype({"t": object})
    assert lines(kept_frame(column, tmp_path))[0].times.tolist() == found.times.tolist()


def test_times_of_which_some_have_no_zone_are_refused(tmp_path: Path) -> None:
    pd = pytest.importorskip("pandas")
    mixed = [SPRING, SPRING.replace(hour=1, tzinfo=dt.UTC), SPRING.replace(hour=2)]
    with pytest.raises(InputError, match="time zones are mixed"):
        lines(kept_frame(pd.DataFrame({"t": pd.Series(mixed, dtype=object), "y": [1.0, 2.0, 3.0]}), tmp_path))


@pytest.mark.parametrize("kind", ["polars", "pandas", "pandas with gaps"])
def test_a_column_of_truth_values_helps_to_forecast(tmp_path: Path, kind: str) -> None:
    table: Any = hours(zone=None).with_columns(holiday=pl.int_range(96) % 7 == 0)
    if kind != "polars":
        pd = pytest.importorskip("pandas")
        table = pd.DataFrame({name: table[name].to_list() for name in table.columns})
        table["holiday"] = table["holiday"].astype("boolean" if "gaps" in kind else bool)
    (found,) = lines(kept_frame(table, tmp_path), future=["holiday"])
    assert found.future[:8, 0].tolist() == [1, 0, 0, 0, 0, 0, 0, 1]


def test_every_plain_column_keeps_what_it_is(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "flag": [True, None],
            "day": [dt.date(2024, 1, 31), dt.date(2024, 2, 1)],
            "count": pl.Series([3, None], dtype=pl.UInt8),
            "whole": [1.0, float("nan")],
            "part": [0.1, None],
            "kind": pl.Series(["a", "b"], dtype=pl.Categorical),
            "empty": pl.Series([None, None], dtype=pl.Null),
            "list": [[1], [2]],
            "held": [{"a": 1}, {"a": 2}],
        }
    )
    kept = files.read_table(kept_frame(table, tmp_path))
    assert kept.to_dict(as_series=False) == {
        "flag": [True, None], "day": table["day"].to_list(), "count": [3, None], "whole": [1, None],
        "part": [0.1, None], "kind": ["a", "b"], "empty": [None, None], "list": [["1"], ["2"]],
    }  # fmt: skip
    assert kept["whole"].dtype == pl.Int64, "as names of series or labels they have no .0"


def test_whole_numbers_that_are_dates_are_dates(tmp_path: Path) -> None:
    days = [20240130, 20240131, 20240201, 20240202]
    (found,) = lines(kept_frame(pl.DataFrame({"t": days, "y": [1.0, 2.0, 3.0, 4.0]}), tmp_path))
    assert found.times.astype("M8[D]").tolist() == [dt.date(2024, 1, 30) + dt.timedelta(at) for at in range(4)]


def test_series_named_by_numbers_with_gaps_elsewhere_are_those_of_a_file(tmp_path: Path) -> None:
    table = pl.concat([hours(20, None).with_columns(s=pl.lit(name)) for name in (1.0, 2.0)])
    assert [line.name for line in lines(kept_frame(table, tmp_path), series="s")] == ["1", "2"]


@pytest.mark.slow
@pytest.mark.usefixtures("unreported")
@pytest.mark.parametrize("library", ["polars", "pandas"])
def test_a_zoned_frame_with_truth_values_is_trained_and_carried_on(tmp_path: Path, library: str) -> None:
    table: Any = hours(160).with_columns(holiday=pl.int_range(160) % 7 == 0)
    if library == "pandas":
        pd = pytest.importorskip("pandas")
        index = pd.DatetimeIndex(table["t"].dt.replace_time_zone(None).to_list(), name="t")
        index = index.tz_localize("Europe/Berlin", ambiguous="infer")
        rest = {name: table[name].to_list() for name in ("y", "holiday")}
        table = pd.DataFrame(rest, index=index)
    found = lstmlab.train(
        "forecasting", table, time="t", target="y", past="holiday", root=tmp_path, strategy="direct", **SMALL
    )
    (after,) = found.forecast(table)
    assert after.times == ("2024-04-04 16:00:00", "2024-04-04 17:00:00", "2024-04-04 18:00:00")
    assert found.evaluate(table)[0]["mae"] > 0


# ---- What is asked of a run and cannot be answered ------------------------------------------------------------------


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory: pytest.TempPathFactory) -> lstmlab.Result:
    folder = tmp_path_factory.mktemp("frames")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lstmlab.api.Result.report", lambda _: {})
        return lstmlab.train(
            "forecasting", hours(zone=None), time="t", target="y", root=folder, strategy="direct", **SMALL
        )


@pytest.mark.slow
def test_messages_speak_of_the_frame_and_of_no_file_nobody_gave(forecaster: lstmlab.Result) -> None:
    asked = (
        (hours(5), "the data frame: 5 steps, and"),
        (hours(40).rename({"y": "z"}), 'the data frame: no column "y"'),
        (hours(40).with_columns(y=pl.lit("much")), 'the data frame, row 1, column "y": "much" is no number'),
    )
    for table, told in asked:
        for ask in (forecaster.forecast, forecaster.evaluate):
            with pytest.raises(InputError) as caught:
                ask(table)
            assert str(caught.value).startswith(told)


@pytest.mark.slow
@pytest.mark.parametrize("count", [0, -2, True])
def test_a_horizon_or_origins_that_are_no_count_are_refused(forecaster: lstmlab.Result, count: int) -> None:
    with pytest.raises(InputError, match=f"^horizon: got {count}, expected a whole number of steps, 1 or more$"):
        forecaster.forecast(horizon=count)
    with pytest.raises(InputError, match=f"^origins: got {count}, expected a whole number of times, 1 or more$"):
        forecaster.backtest(count)


def test_whole_numbers_of_any_kind_are_counts() -> None:
    for count in (2, np.int64(2)):
        assert api._whole("horizon", count, "steps") == 2
    for odd in (2.5, 2.0, "3", float("nan"), None):
        with pytest.raises(InputError, match="horizon: got "):
            api._whole("horizon", odd, "steps")
