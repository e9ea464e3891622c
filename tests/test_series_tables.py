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
    assert values(found) == expected
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
    assert windows.read(np.array([0, 1]), "values")[:, :, 0].tolist() == [[0, 1, 2], [1, 2, 3]]
    assert windows.asked(np.array([1]))[0, :, 0].tolist() == [4, 5]
    assert windows[1:].fingerprint != windows.fingerprint
    with pytest.raises(ValueError, match="beyond its series"):
        Windows(found, np.zeros(1, np.int64), np.array([7]), 3, 2).asked(np.array([0]))
