"""Columns as times: ways of writing, steps between rows, what is refused by row."""

import datetime

import numpy as np
import polars as pl
import pytest

from lstmlab.data.datasets.times import Step, from_fields, looks_like_time, step_of, to_times
from lstmlab.errors import InputError


def column(*cells: object) -> pl.Series:
    return pl.Series("when", list(cells), dtype=pl.String)


def days(*cells: object) -> list[str]:
    return to_times(column(*cells), "f")[0].astype("M8[D]").astype(str).tolist()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["2024-01-31", "2024-02-01"], ["2024-01-31", "2024-02-01"]),
        (["1/3/2012", "1/4/2012"], ["2012-01-03", "2012-01-04"]),
        (["13/01/2024", "14/01/2024"], ["2024-01-13", "2024-01-14"]),
        (["31.12.2023", "01.01.2024"], ["2023-12-31", "2024-01-01"]),
        (["Jan 1 2000", "Feb 1 2000"], ["2000-01-01", "2000-02-01"]),
        (["January 1, 2000", "May 2, 2000"], ["2000-01-01", "2000-05-02"]),
        (["1949-01", "1949-02"], ["1949-01-01", "1949-02-01"]),
        (["1-01", "1-02"], ["0001-01-01", "0001-02-01"]),
        (["20240131", "20240201"], ["2024-01-31", "2024-02-01"]),
        (["2024-01-31T10:00:00Z", "2024-01-31T11:00:00Z"], ["2024-01-31"] * 2),
        ([" 2024-01-31  10:00 ", "2024-01-31 11:00"], ["2024-01-31"] * 2),
        (["3-Jan-24", "4-Jan-24"], ["2024-01-03", "2024-01-04"]),
    ],
)
def test_ways_of_writing(cells: list[str], expected: list[str]) -> None:
    assert days(*cells) == expected
    assert looks_like_time(column(*cells)) == (cells[0] != "20240131")


def test_an_ambiguous_order_is_the_one_that_leaves_rows_in_order_and_is_told() -> None:
    times, told = to_times(column("01/02/2024", "02/02/2024", "03/02/2024"), "f")
    assert times.astype("M8[D]").astype(str).tolist() == ["2024-02-01", "2024-02-02", "2024-02-03"]
    assert "01 February 2024" in told
    assert to_times(column("01/02/2024", "01/03/2024", "01/04/2024"), "f")[0].astype("M8[D]")[1] == np.datetime64(
        "2024-01-03"
    )


def test_clocks_and_fractions_are_kept() -> None:
    times, _ = to_times(column("2024-01-31 23:59:58.5", "2024-01-31 23:59:59.0"), "f")
    assert times[1] - times[0] == np.timedelta64(500, "ms")
    assert to_times(column("1/31/2024 1:05 PM"), "f")[0][0] == np.datetime64("2024-01-31T13:05")


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["2024-01-31", "soon"], 'f, row 2, column "when": "soon" is not written as the others'),
        (["soon", "later"], "row 1.*no date or time that is known"),
        (["2024-01-31", None], "row 2.*no time"),
        (["2024-01-31", " "], "row 2.*no time"),
        (["2024-01-31 10:00+01:00", "2024-01-31 11:00+02:00"], r'mixed: "\+01:00" in row 1, "\+02:00" in row 2'),
        (["2024-01-31 10:00Z", "2024-01-31 11:00"], 'mixed: "Z" in row 1, none in row 2'),
        (["2024-02-30"], "row 1"),
        (["2024-01-31", "2024-02-01 extra"], "row 2"),
    ],
)
def test_what_is_refused(cells: list[str | None], told: str) -> None:
    with pytest.raises(InputError, match=told):
        to_times(column(*cells), "f")


def test_columns_that_are_times_already() -> None:
    dates = pl.Series("when", [datetime.date(2024, 1, 31)])
    assert to_times(dates, "f")[0][0] == np.datetime64("2024-01-31")
    zoned = pl.Series("when", [datetime.datetime(2024, 1, 31, 12)]).dt.replace_time_zone("Europe/Paris")
    times, told = to_times(zoned, "f")
    assert times[0] == np.datetime64("2024-01-31T11:00")
    assert "Europe/Paris" in told
    assert to_times(pl.Series("when", [3, 5]), "f")[0].tolist() == [3, 5]
    with pytest.raises(InputError, match="whole numbers"):
        to_times(pl.Series("when", [0.5]), "f")
    with pytest.raises(InputError, match="no rows"):
        to_times(pl.Series("when", [], dtype=pl.String), "f")


def test_several_columns_make_a_time() -> None:
    fields = [
        pl.Series(name, [value]) for name, value in (("year", "2010"), ("month", "1"), ("Day", "2"), ("hour", "3"))
    ]
    assert from_fields(fields, "f")[0] == np.datetime64("2010-01-02T03:00")
    with pytest.raises(InputError, match="in this order"):
        from_fields(fields[::-1], "f")
    with pytest.raises(InputError, match="whole numbers"):
        from_fields([pl.Series("year", ["x"])], "f")


@pytest.mark.parametrize(
    ("times", "step", "words"),
    [
        (np.arange("2024-01-01", "2024-02-01", dtype="M8[D]"), Step(microseconds=86_400_000_000), "day"),
        (np.arange("2024-01", "2025-01", dtype="M8[M]"), Step(months=1), "month"),
        (np.arange("2000", "2010", dtype="M8[Y]"), Step(months=12), "year"),
        (np.arange("2000-01", "2005-01", 3, dtype="M8[M]"), Step(months=3), "3 months"),
        (np.arange("2024-01-01T00", "2024-01-02T00", dtype="M8[h]"), Step(microseconds=3_600_000_000), "hour"),
        (np.busday_offset("2024-01-01", np.arange(30)), Step(trading=True), "trading day"),
        (np.arange("2024-01-01", "2024-06-01", 7, dtype="M8[D]"), Step(microseconds=604_800_000_000), "week"),
    ],
)
def test_steps(times: np.ndarray, step: Step, words: str) -> None:
    precise = times.astype("M8[us]")
    assert step_of(precise) == step
    assert step.words == words
    assert np.array_equal(step.after(precise[:1], np.arange(len(times))), precise)


def test_the_last_day_of_a_month_is_a_month_from_the_last_of_another() -> None:
    ends = np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "M8[us]")
    assert step_of(ends) == Step(months=1)
    assert np.array_equal(Step(months=1).after(ends[:1], np.arange(3)), ends)
