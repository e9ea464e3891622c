"""Columns as times: ways of writing, steps between rows, what is refused by row."""

import datetime
import json
import math

import numpy as np
import polars as pl
import pytest

from lstmlab.data.datasets.times import Step, from_fields, looks_like_time, step_of, to_times
from lstmlab.data.timeline import Rows, gridded
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
        (["01.02.23", "02.02.23"], ["2023-02-01", "2023-02-02"]),
        (["31-12-23", "01-01-24"], ["2023-12-31", "2024-01-01"]),
        (["24/01/31", "24/02/01"], ["2024-01-31", "2024-02-01"]),
        (["1 Jan 24", "2 Jan 24"], ["2024-01-01", "2024-01-02"]),
        (["Jan 31, 24", "Feb 1, 24"], ["2024-01-31", "2024-02-01"]),
        (["Jan-01", "Feb-01"], ["2001-01-01", "2001-02-01"]),
        (["Jan 01", "Feb 01"], ["2001-01-01", "2001-02-01"]),
        (["January 01", "February 01"], ["2001-01-01", "2001-02-01"]),
        (["01/24", "02/24"], ["2024-01-01", "2024-02-01"]),
        (["23-12", "24-01"], ["2023-12-01", "2024-01-01"]),
        (["9-12", "10-01"], ["0009-12-01", "0010-01-01"]),
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


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d/%m/%y", "%d-%m-%y", "%Y-%m-%d", "%y-%m-%d"])
@pytest.mark.parametrize(
    ("months", "step"),
    [
        (np.arange("2018-01", "2024-01", dtype="M8[M]"), Step(months=1)),
        (np.arange("2018-01", "2024-01", 3, dtype="M8[M]"), Step(months=3)),
        (np.arange("2018-01", "2020-01", dtype="M8[M]"), Step(months=1)),
        (np.delete(np.arange("2018-01", "2024-01", dtype="M8[M]"), [3, 20, 21, 50]), Step(months=1)),
    ],
)
def test_months_are_no_days_of_january_whatever_the_order_of_day_and_month(
    months: np.ndarray, step: Step, form: str
) -> None:
    dates = months.astype("M8[D]")
    times, _ = to_times(column(*(f"{one:{form}}" for one in dates.tolist())), "f")
    assert np.array_equal(times, dates.astype("M8[us]"))
    assert step_of(times) == step


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m-%d-%y", "%y-%m-%d"])
@pytest.mark.parametrize("days", [1, 7])
def test_days_and_weeks_stay_such(form: str, days: int) -> None:
    dates = np.arange("2023-11-01", "2024-03-01", days, dtype="M8[D]")
    assert np.array_equal(
        to_times(column(*(f"{one:{form}}" for one in dates.tolist())), "f")[0], dates.astype("M8[us]")
    )


def test_an_ambiguous_order_is_told_by_the_first_cell_that_tells_the_readings_apart() -> None:
    cells = [f"01/{month:02d}/{year}" for year in (2018, 2019) for month in range(1, 13)]
    assert '"01/02/2018" was read as 01 February 2018, not as 02 January 2018' in to_times(column(*cells), "f")[1]
    assert to_times(column("13/01/2024", "14/01/2024"), "f")[1] == ""


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
        (["2024-01-31", "9024-02-01"], 'row 2, column "when": "9024-02-01" is in the year 9024.*is a time mistyped'),
        (["0024-01-31", "0024-02-01"], 'row 1, column "when": "0024-01-31" is in the year 24'),
        (["Jan-2024", "Feb--1"], "row 2"),
        (["\N{ARABIC-INDIC DIGIT TWO}\N{ARABIC-INDIC DIGIT THREE}"] * 2, 'f, row 1, column "when"'),
        (["\N{FULLWIDTH DIGIT TWO}", "3"], 'f, row 1, column "when"'),
        (["3", "99999999999999999999"], 'f, row 2, column "when": "99999999999999999999".*whole numbers'),
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
    assert to_times(column("9007199254740993"), "f")[0].tolist() == [2**53 + 1]
    assert to_times(pl.Series("when", ["2024-01-31"], dtype=pl.Categorical), "f")[0][0] == np.datetime64("2024-01-31")
    with pytest.raises(InputError, match="no rows"):
        to_times(pl.Series("when", [], dtype=pl.String), "f")


@pytest.mark.parametrize(
    ("cells", "kind", "told"),
    [
        ([1.0, 0.5], pl.Float64, 'f, row 2, column "when": "0.5".*whole numbers'),
        ([1.0, math.inf], pl.Float64, 'f, row 2, column "when": "inf".*whole numbers'),
        ([1.0, math.nan], pl.Float64, 'f, row 2, column "when": "nan".*whole numbers'),
        ([1.0, 1e19], pl.Float64, 'f, row 2, column "when": "1e\\+?19".*whole numbers'),
        ([1, 2**64 - 1], pl.UInt64, 'f, row 2, column "when": "18446744073709551615".*whole numbers'),
        ([True, False], pl.Boolean, 'f, row 1, column "when": "true" is no date or time'),
        ([[1], [2]], pl.List(pl.Int64), 'f: the column "when" holds List'),
    ],
)
def test_numbers_that_are_no_times_are_named_with_their_row(cells: list, kind: pl.DataType, told: str) -> None:
    with pytest.raises(InputError, match=told):
        to_times(pl.Series("when", cells, dtype=kind), "f")


def test_several_columns_make_a_time() -> None:
    fields = [
        pl.Series(name, [value]) for name, value in (("year", "2010"), ("month", "1"), ("Day", "2"), ("hour", "3"))
    ]
    assert from_fields(fields, "f")[0] == np.datetime64("2010-01-02T03:00")
    with pytest.raises(InputError, match="in this order"):
        from_fields(fields[::-1], "f")
    floats = [pl.Series("year", [2010.0]), pl.Series("month", [2])]
    assert from_fields(floats, "f")[0] == np.datetime64("2010-02-01")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"year": ["2010", "x"]}, 'f, row 2, column "year": "x".*whole numbers'),
        ({"year": ["2010", None]}, 'f, row 2, column "year": no time'),
        ({"year": ["2010", "99999999999999999999"]}, 'f, row 2, column "year": "99999999999999999999".*whole numbers'),
        ({"year": ["2010", "0"]}, 'f, row 2, column "year": 0, expected 1 to 9999'),
        ({"year": ["2010"] * 2, "Month": ["1", "13"]}, 'f, row 2, column "Month": 13, expected 1 to 12'),
        (
            {"year": ["2023"] * 2, "month": ["1", "2"], "day": ["30", "30"]},
            'f, row 2, column "day": 30, expected 1 to 28',
        ),
        (
            {"year": ["2024"] * 2, "month": ["1"] * 2, "day": ["3"] * 2, "hour": ["23", "24"]},
            'f, row 2, column "hour": 24, expected 0 to 23. .*counted from 1 to 24',
        ),
        ({"year": [True, False]}, 'f, row 1, column "year": "true"'),
    ],
)
def test_fields_that_make_no_time_are_named_with_their_row(fields: dict[str, list], told: str) -> None:
    with pytest.raises(InputError, match=told):
        from_fields([pl.Series(name, cells) for name, cells in fields.items()], "f")


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


@pytest.mark.parametrize(
    ("known", "after"),
    [
        (["2023-12-31", "2024-01-31", "2024-02-29"], ["2024-03-31", "2024-04-30"]),
        (["2023-02-28", "2023-03-31", "2023-04-30"], ["2023-05-31", "2023-06-30"]),
        (["2023-03-31", "2023-06-30"], ["2023-09-30", "2023-12-31"]),
        (["2022-02-28", "2023-02-28", "2024-02-29"], ["2025-02-28", "2026-02-28"]),
        (["2023-12-31T23:59", "2024-01-31T23:59", "2024-02-29T23:59"], ["2024-03-31T23:59", "2024-04-30T23:59"]),
        (["2022-12-30", "2023-01-30", "2023-02-28"], ["2023-03-30", "2023-04-30"]),
        (["2023-01-29", "2023-02-28", "2023-03-29"], ["2023-04-29", "2023-05-29"]),
        (["2023-01-28", "2023-02-28", "2023-03-28"], ["2023-04-28", "2023-05-28"]),
        (["2021-02-28", "2022-02-28", "2023-02-28"], ["2024-02-28", "2025-02-28"]),
        (["2023-11-01", "2023-12-01"], ["2024-01-01", "2024-02-01"]),
    ],
)
def test_months_go_on_with_the_day_that_is_meant(known: list[str], after: list[str]) -> None:
    times = np.array(known, "M8[us]")
    step = step_of(times)
    assert step.words in ("month", "3 months", "year")
    assert step.after(times[-1:], np.arange(1, 3)).tolist() == np.array(after, "M8[us]").tolist()
    assert np.array_equal(step.after(times[:1], np.arange(len(times))), times)


def test_a_grid_of_months_keeps_the_times_of_the_rows_even_from_a_short_one() -> None:
    times = np.array(["2023-02-28", "2023-03-31", "2023-04-30", "2023-05-31", "2023-07-31"], "M8[us]")
    rows = gridded(Rows(times, np.zeros((5, 1)), np.arange(1, 6)), step_of(times), "f")
    assert np.array_equal(rows.times, np.insert(times, 4, np.datetime64("2023-06-30")))


def test_the_day_that_is_meant_belongs_to_series_that_have_it() -> None:
    ends = step_of(np.array(["2023-12-31", "2024-01-31", "2024-02-29"], "M8[us]"))
    assert ends.after(np.array(["2024-01-15"], "M8[us]"), np.arange(1, 2))[0] == np.datetime64("2024-02-15")


def test_a_step_is_as_long_whichever_day_is_meant_and_comes_back_from_json() -> None:
    """Fingerprints are made of its text, and runs keep its fields."""
    ends = step_of(np.array(["2023-12-31", "2024-01-31", "2024-02-29"], "M8[us]"))
    assert ends == Step(months=1)
    assert repr(ends) == "Step(months=1, microseconds=0, numbers=0, trading=False)"
    assert vars(Step(**json.loads(json.dumps(vars(ends))))) == vars(ends)
