"""Tables as panels: order, repetitions, gaps, several series; every refusal with file, row and column."""

import numpy as np
import polars as pl
import pytest

from lstmlab.data.datasets.series_tables import Columns, panel
from lstmlab.data.panel import Panel, Windows
from lstmlab.data.timeline import Rules
from lstmlab.errors import InputError

HOURS = [f"2024-01-01 {hour:02}:00" for hour in range(8)]
ONE = Columns(time=("t",), targets=("y",))


def made(rows: dict[str, list], columns: Columns = ONE, **rules: object) -> tuple[Panel, list[str]]:
    frame = pl.DataFrame({name: [None if one is None else str(one) for one in cells] for name, cells in rows.items()})
    return panel(frame, columns, Rules(**rules), "f.csv")  # type: ignore[arg-type]


def values(found: Panel, line: int = 0) -> list[float]:
    return found.lines[line].values[:, 0].tolist()


def without(*places: int) -> dict[str, list]:
    kept = [at for at in range(8) if at not in places]
    return {"t": [HOURS[at] for at in kept], "y": [float(at) for at in kept]}


def test_a_plain_table() -> None:
    found, told = made({"t": HOURS, "y": list(range(8))})
    assert values(found) == list(range(8))
    assert (found.step.words, told) == ("hour", [])


def test_latest_first_is_turned_round() -> None:
    found, told = made({"t": HOURS[::-1], "y": list(range(7, -1, -1))})
    assert values(found) == list(range(8))
    assert "turned round" in told[0]


@pytest.mark.parametrize(
    ("missing", "expected"),
    [("interpolate", [0, 1, 2, 3, 4, 5, 6, 7]), ("forward", [0, 1, 2, 2, 2, 5, 6, 7])],
)
def test_gaps_are_filled(missing: str, expected: list[float]) -> None:
    found, told = made(without(3, 4), missing=missing)
    assert found.lines[0].read.ravel().tolist() == expected
    assert np.flatnonzero(np.isnan(values(found))).tolist() == [3, 4], "nothing that was filled in is scored"
    assert told[0].startswith("2 steps without a row were added")
    assert np.array_equal(np.diff(found.lines[0].times), np.full(7, np.timedelta64(3600, "s")))


def test_gaps_can_stay_marked() -> None:
    found, told = made(without(3), missing="mask")
    assert np.flatnonzero(np.isnan(values(found))).tolist() == [3]
    assert "marked as missing" in told[0]


@pytest.mark.parametrize(
    ("rows", "rules", "told"),
    [
        (
            without(3, 4),
            {},
            r"2 steps are missing in 1 gap, the first after row 3 \(.*\).*data.missing=",
        ),
        ({"t": HOURS[:3], "y": [1, None, 3]}, {}, 'row 2 .*column "y": no value; 1 in all.*data.missing='),
        ({"t": HOURS[:3], "y": [None, 2, 3]}, {}, 'row 1 .*column "y": no value'),
        ({"t": [HOURS[1], HOURS[0], HOURS[2]], "y": [1, 2, 3]}, {}, r"row 2 .* comes after row 1 .*data.sort=true"),
        ({"t": [HOURS[0], HOURS[0], HOURS[1]], "y": [1, 2, 3]}, {}, "row 2 .* has the time of row 1 .*data.repeated="),
        ({"t": [*HOURS[:4], "2024-01-01 04:10"], "y": [1, 2, 3, 4, 5]}, {}, "row 5 .* no whole number of steps"),
        ({"t": HOURS[:2], "y": [None, None]}, {"missing": "forward"}, 'no value at all in column "y"'),
        ({"t": [*HOURS[:3], "9024-01-01 03:00"], "y": [1, 2, 3, 4]}, {"missing": "forward"}, "is a time mistyped"),
        ({"t": HOURS[:2], "y": ["a", 2]}, {}, 'f.csv, row 1, column "y": "a" is no number'),
        ({"t": HOURS[:2], "y": ["inf", 2]}, {}, "infinite"),
        ({"t": HOURS[:2], "z": [1, 2]}, {}, 'no column "y" .data.target.'),
        ({"t": [], "y": []}, {}, "no rows"),
    ],
)
def test_what_is_refused(rows: dict[str, list], rules: dict[str, str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        made(rows, **rules)


@pytest.mark.parametrize(("repeated", "expected"), [("first", [1, 3]), ("last", [2, 3]), ("mean", [1.5, 3])])
def test_repetitions(repeated: str, expected: list[float]) -> None:
    found, told = made({"t": [HOURS[0], HOURS[0], HOURS[1]], "y": [1, 2, 3]}, repeated=repeated)
    assert values(found) == expected
    assert told == [f"1 rows repeat the time of another: the {repeated} was kept."]


def test_disorder_can_be_sorted() -> None:
    found, _ = made({"t": [HOURS[1], HOURS[0], HOURS[2]], "y": [1, 0, 2]}, sort=True)
    assert values(found) == [0, 1, 2]


def test_a_long_table_has_several_series_of_different_lengths() -> None:
    rows = {"t": [HOURS[0], HOURS[1], HOURS[2], HOURS[0], HOURS[1]], "s": list("aaabb"), "y": [1, 2, 3, 10, 20]}
    found, _ = made(rows, Columns(("t",), "s", ("y",)))
    assert [line.name for line in found.lines] == ["a", "b"]
    assert [values(found, at) for at in (0, 1)] == [[1, 2, 3], [10, 20]]
    with pytest.raises(InputError, match='row 2, column "s": no name of a series'):
        made({"t": HOURS[:2], "s": ["a", None], "y": [1, 2]}, Columns(("t",), "s", ("y",)))


def test_several_targets_stand_apart_or_together() -> None:
    frame = pl.DataFrame({"t": HOURS, "a": list(range(8)), "b": list(range(10, 18)), "p": [0.5] * 8})
    columns = Columns(("t",), None, ("a", "b"), past=("p",))
    apart, _ = panel(frame, columns, Rules(), "f", dated=True)
    assert [line.name for line in apart.lines] == ["a", "b"]
    assert [line.values.shape for line in apart.lines] == [(8, 1), (8, 1)]
    assert apart.future[:2] == ("sine of hour", "cosine of hour")
    together, _ = panel(frame, columns, Rules(), "f", apart=False)
    assert together.lines[0].values.shape == (8, 2)
    assert together.lines[0].past.tolist() == [[0.5]] * 8
    assert apart.fingerprint != together.fingerprint


def test_without_times_rows_are_counted() -> None:
    found, _ = made({"y": [5, 6, 7]}, Columns(targets=("y",)))
    assert found.lines[0].times.tolist() == [1, 2, 3]
    assert found.step.words == "step"


def test_windows_are_views_that_become_examples_when_asked_for() -> None:
    found, _ = made({"t": HOURS, "y": list(range(8))})
    windows = Windows(found, np.zeros(2, np.int64), np.array([3, 4]), 3, 2)
    example = windows[1]
    assert (example.inputs, example.target) == ([1, 2, 3], [4, 5])
    assert example.id == "2024-01-01 04:00:00"
    assert windows.asked(np.array([1]))[0, :, 0].tolist() == [4, 5]
    assert windows[1:].fingerprint != windows.fingerprint
    with pytest.raises(ValueError, match="beyond its series"):
        Windows(found, np.zeros(1, np.int64), np.array([7]), 3, 2).asked(np.array([0]))


WEEK = [f"2024-01-{day:02}" for day in range(1, 11)]


def test_no_window_ends_on_a_value_drawn_to_what_comes_after() -> None:
    """A straight line over a gap leads to a value of the future."""
    found, _ = made(without(4, 5), missing="interpolate")
    windows = Windows.over(found, 2, 2, np.zeros(1, np.int64), np.array([8]))
    assert windows.origins.tolist() == [2, 3], "those at 5 and 6 would read what was drawn to step 6"
    assert np.isnan(windows.asked(np.array([1]))[0, 1]), "what was filled in is not asked"
    forward, _ = made(without(4, 5), missing="forward")
    assert Windows.over(forward, 2, 2, np.zeros(1, np.int64), np.array([8])).origins.tolist() == [2, 3, 5, 6]


def test_columns_beside_know_nothing_of_the_future() -> None:
    columns = Columns(time=("t",), targets=("y",), past=("p",))
    cells = [None, 1, None, 3, None, None, 6, 7]
    for missing in ("interpolate", "forward", "mask"):
        found, told = made({"t": HOURS, "y": list(range(8)), "p": cells}, columns, missing=missing)
        assert found.lines[0].past[1:, 0].tolist() == [1, 1, 3, 3, 3, 6, 7]
        assert np.isnan(found.lines[0].past[0, 0]), "before the first value there is none"
        assert told == ["4 empty cells of columns that help were read as the value before them."]


def test_columns_apart_begin_and_end_each_for_itself() -> None:
    columns = Columns(time=("t",), targets=("a", "b"))
    rows = {"t": WEEK, "a": list(range(10)), "b": [None] * 6 + [1, 2, 3, None]}
    found, _ = made(rows, columns, missing="interpolate")
    assert [(line.name, len(line), str(line.times[0])[:10]) for line in found.lines] == [
        ("a", 10, "2024-01-01"), ("b", 3, "2024-01-07")]  # fmt: skip
    frame = pl.DataFrame({name: [None if one is None else str(one) for one in cells] for name, cells in rows.items()})
    with pytest.raises(InputError, match="no row has a value in every column to forecast"):
        panel(
            frame.with_columns(a=pl.Series([*map(str, range(5)), *[None] * 5])),
            columns,
            Rules("mask"),
            "f",
            apart=False,
        )


def test_what_is_known_ahead_keeps_the_times_of_its_rows() -> None:
    """An exchange that closes for a day: the rows say when it opens again."""
    days = ["2024-03-04", "2024-03-05", "2024-03-06", "2024-03-07", "2024-03-08", "2024-03-11", "2024-03-13"]
    days = [f"2024-02-{day:02}" for day in (19, 20, 21, 22, 23, 26, 27, 28, 29)] + ["2024-03-01", *days]
    rows = {"t": days, "y": [*range(15), None, None], "f": list(range(17))}
    frame = pl.DataFrame({name: [None if one is None else str(one) for one in cells] for name, cells in rows.items()})
    columns = Columns(time=("t",), targets=("y",), future=("f",))
    found, _ = panel(frame, columns, Rules(), "f.csv", ahead=2)
    assert found.step.trading
    assert [str(time)[:10] for time in found.lines[0].times[15:]] == ["2024-03-11", "2024-03-13"]
    bare, _ = panel(frame.drop("f"), Columns(time=("t",), targets=("y",)), Rules(), "f.csv", ahead=3)
    assert [str(time)[:10] for time in bare.lines[0].times[15:]] == ["2024-03-11", "2024-03-13", "2024-03-14"]


def test_rows_have_to_be_as_far_apart_as_the_model_learned() -> None:
    hourly, _ = made({"t": HOURS, "y": list(range(8))})
    daily = pl.DataFrame({"t": WEEK, "y": [str(at) for at in range(10)]})
    with pytest.raises(InputError, match="rows are day apart, and the model learned from rows hour apart"):
        panel(daily, ONE, Rules(), "f.csv", step=hourly.step)
    assert panel(daily[:3], ONE, Rules("mask"), "f.csv", step=hourly.step)[0].step == hourly.step
    with pytest.raises(InputError, match="have no calendar"):
        panel(daily.drop("t"), Columns(targets=("y",)), Rules(), "f.csv", dated=True)
