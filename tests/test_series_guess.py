"""What a table of series is taken for: its times, its series, the column worth forecasting, how far ahead."""

import json
import shlex
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from lstmlab.data.series_guess import SeriesGuess, series_guess
from lstmlab.data.series_settings import SeriesSettings
from lstmlab.recipe import parse_overrides


def days(count: int, step: timedelta = timedelta(days=1)) -> list[str]:
    start = datetime(2024, 1, 1)
    return [str(start + at * step) for at in range(count)]


def found(**columns: Any) -> SeriesGuess:
    told = series_guess(pl.DataFrame(columns), "t.csv")
    assert told is not None
    return told


def wave(count: int) -> list[float]:
    return [(at * 37 % 11) + 0.5 for at in range(count)]


def test_the_telling_column_is_forecast_and_the_others_are_named() -> None:
    told = found(Date=days(300), Volume=wave(300), Close=wave(300))
    assert told.settings == {"data.target": "Close", "data.time": "Date", "data.window": 28, "data.horizon": 7}
    assert told.sure
    assert "past=Volume" in told.reasons[-1]
    assert told.alternatives == ("target=Volume", "target=Close")


def test_of_columns_that_tell_nothing_the_first_is_taken_without_being_sure() -> None:
    told = found(when=days(300), left=wave(300), right=wave(300))
    assert told.settings["data.target"] == "left"
    assert not told.sure


@pytest.mark.parametrize(
    ("step", "horizon"),
    [(timedelta(hours=1), 24), (timedelta(minutes=5), 24), (timedelta(days=1), 7), (timedelta(days=7), 8)],
)
def test_how_far_ahead_depends_on_the_step(step: timedelta, horizon: int) -> None:
    told = found(ds=days(1000, step), y=wave(1000))
    assert (told.settings["data.horizon"], told.settings["data.window"]) == (horizon, 4 * horizon)


def test_months_are_a_year_ahead_and_few_rows_are_less() -> None:
    months = [str(date(1950 + at // 12, at % 12 + 1, 1)) for at in range(300)]
    assert found(month=months, y=wave(300)).settings["data.horizon"] == 12
    assert found(month=months[:40], y=wave(40)).settings["data.horizon"] == 2


def test_series_are_told_apart_by_a_column_of_names() -> None:
    told = found(ds=days(90) * 3, unique_id=["a"] * 90 + ["b"] * 90 + ["c"] * 90, y=wave(270))
    assert told.settings["data.series"] == "unique_id"
    assert told.settings["data.window"] == 22, "a quarter of one series, not of all rows"
    assert 'each of "unique_id" for itself' in " ".join(told.reasons)


def test_year_month_and_day_are_one_time() -> None:
    stamps = [date(2024, 1, 1) + timedelta(days=at) for at in range(100)]
    parts = {name: [getattr(one, name) for one in stamps] for name in ("year", "month", "day")}
    assert found(**parts, y=wave(100)).settings["data.time"] == "year,month,day"


def test_numbers_alone_are_steps_and_a_counter_is_no_series() -> None:
    told = found(row=list(range(200)), level=wave(200))
    assert told.settings["data.target"] == "level"
    assert "data.time" not in told.settings
    assert "a row is a step" in told.reasons[0]
    assert series_guess(pl.DataFrame({"row": list(range(200))}), "t.csv") is None


def test_a_column_with_a_comma_is_one_column() -> None:
    """Settings split words at commas."""
    told = found(**{"Date, UTC": days(300), "Volume, pieces": wave(300), "Price, EUR": wave(300)})
    assert told.settings["data.time"] == ["Date, UTC"]
    assert told.settings["data.target"] == ["Volume, pieces"]
    settings = {key.removeprefix("data."): value for key, value in told.settings.items()}
    read = SeriesSettings.model_validate_json(json.dumps(settings))
    assert (read.time, read.target) == (["Date, UTC"], ["Volume, pieces"])
    assert shlex.split(told.alternatives[1]) == ['target=["Price, EUR"]']
    assert parse_overrides(shlex.split(told.alternatives[1])) == {"target": ["Price, EUR"]}


def test_what_is_to_be_typed_can_be_typed() -> None:
    told = found(when=days(300), **{"left hand": wave(300), "2": wave(300), "3": wave(300)})
    assert [parse_overrides(shlex.split(one))["target"] for one in told.alternatives] == ["left hand", ["2"], ["3"]]
    words = shlex.split(told.reasons[-1])
    assert parse_overrides([word for word in words if word.startswith("past=")]) == {"past": ["2"]}


def test_what_has_no_numbers_is_no_series() -> None:
    assert series_guess(pl.DataFrame({"ds": days(20), "word": ["a", "b"] * 10}), "t.csv") is None


def test_one_time_that_cannot_be_read_hides_nothing() -> None:
    """What is wrong with it is told when the times are read."""
    told = found(ds=[*days(50), "2024-13-45 00:00:00", *days(3)], y=wave(54))
    assert told.settings["data.time"] == "ds"
    assert told.reasons[0] == "It has times (ds) and numbers."
