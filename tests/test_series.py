"""Parts in time, windows, scalers that see the past alone, and everything that is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstmlab.data.panel import Windows
from lstmlab.data.scaler import Scaler
from lstmlab.data.series import load_series
from lstmlab.data.series_settings import SeriesSettings
from lstmlab.errors import InputError
from lstmlab.recipe import validate


def table(
    path: Path, count: int = 100, start: int = 0, series: str = "", change: dict[int, float] | None = None
) -> Path:
    """Values 0, 1, 2, … by the day."""
    days = np.datetime64("2024-01-01") + np.arange(start, start + count)
    values = np.arange(start, start + count, dtype=float)
    for place, value in (change or {}).items():
        values[place] = value
    rows = [f"{day},{value}{',' + series if series else ''}" for day, value in zip(days, values, strict=True)]
    head = "day,y,place" if series else "day,y"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def settings(path: Path, **changes: Any) -> SeriesSettings:
    tree = {"path": str(path), "time": "day", "target": "y", "window": 5, "horizon": 4, **changes}
    return validate(SeriesSettings, tree, "data")


def parts(path: Path, steps: int = 4, **changes: Any) -> tuple[Windows, Windows, Windows]:
    found = load_series(settings(path, **changes), steps)
    return found.train, found.valid, found.test  # type: ignore[return-value]


def targets(windows: Windows) -> set[float]:
    return set(np.ravel(windows.asked(np.arange(len(windows)))).tolist())


def test_parts_follow_one_another_and_share_no_target(tmp_path: Path) -> None:
    train, valid, test = parts(table(tmp_path / "a.csv"), valid_fraction=0.2, test_fraction=0.3)
    assert (max(targets(train)), min(targets(valid)), max(targets(valid)), max(targets(test))) == (49, 50, 69, 99)
    assert min(valid.origins) == 50  # what is read reaches back into the part before
    assert test.origins.tolist() == [72, 76, 80, 84, 88, 92, 96], "the newest steps are all tested"
    assert len(parts(tmp_path / "a.csv", test_stride=1)[2]) == 7
    assert len(parts(tmp_path / "a.csv", stride=2)[0]) == 36
    assert parts(tmp_path / "a.csv", limit=3)[0].origins.tolist() == [74, 75, 76]


def test_no_part_is_validated_on_where_none_is_wanted(tmp_path: Path) -> None:
    assert load_series(settings(table(tmp_path / "a.csv"), valid_fraction=0.0), 4).valid is None


def test_files_of_the_parts_follow_one_another(tmp_path: Path) -> None:
    first, second, third = (table(tmp_path / f"{at}.csv", 40, 40 * at) for at in range(3))
    train, valid, test = parts(first, valid=str(second), test=str(third))
    assert (max(targets(train)), min(targets(valid)), min(targets(test))) == (39, 40, 80)
    assert min(parts(first, test=str(second))[2].origins) == 40
    with pytest.raises(InputError, match=r"follow one another|has the time of"):
        parts(second, test=str(first), sort=True)
    with pytest.raises(InputError, match="needs one with the test part"):
        settings(first, valid=str(second))
    third.write_text(third.read_text().replace("100.0", "oops"))
    with pytest.raises(InputError, match=r'2\.csv, row 21, column "y": "oops" is no number'):
        parts(first, valid=str(second), test=str(third))
    (tmp_path / "other.csv").write_text("day,z\n2025-01-01,1\n")
    with pytest.raises(InputError, match='no column "y", which the file of data.path has'):
        parts(first, test=str(tmp_path / "other.csv"))


@pytest.mark.parametrize(
    ("count", "changes", "told"),
    [
        (8, {}, "too short: the longest part to learn from has 6 steps, and a window of 5 with 4 to forecast needs 9"),
        (40, {"horizon": 6}, "part to validate on has 4 steps, and 6 are needed.*data.valid_fraction"),
        (
            60,
            {"horizon": 7, "valid_fraction": 0.2},
            "part to test on has 6 steps, and 7 .*data.test_fraction",
        ),
    ],
)
def test_too_short(tmp_path: Path, count: int, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        parts(table(tmp_path / "a.csv", count), changes.get("horizon", 4), **changes)


def test_short_series_among_long_ones_are_left_out_and_told(tmp_path: Path) -> None:
    long, one = (table(tmp_path / name, count, series=name) for name, count in (("long", 60), ("one", 1)))
    whole = tmp_path / "whole.csv"
    whole.write_text(long.read_text() + one.read_text().split("\n", 1)[1])
    found = load_series(settings(whole, series="place"), 4)
    assert set(found.train.series) == {0}  # type: ignore[attr-defined]
    assert any("1 of 2 series is too short to learn from" in step for step in found.source.steps)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"horizon": 0}, "horizon"),
        ({"window": 0}, "window"),
        ({"steps": 9}, "steps"),
        ({"name": "sine"}, "two sources"),
        ({"missing": "guess"}, "missing"),
    ],
)
def test_bad_settings(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        settings(table(tmp_path / "a.csv"), **changes)


def test_no_target_and_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="which column is to be forecast"):
        load_series(settings(table(tmp_path / "a.csv"), target=None), 4)
    with pytest.raises(InputError, match='no column "yy".*Did you mean target=y'):
        load_series(settings(tmp_path / "a.csv", target="yy"), 4)
    with pytest.raises(InputError, match="no data set"):
        load_series(validate(SeriesSettings, {"name": "stonks"}, "data"), 1)
    with pytest.raises(InputError, match="is a data set for classification, not for forecasting"):
        load_series(validate(SeriesSettings, {"name": "imdb"}, "data"), 1)


def test_a_scaler_knows_its_past_and_no_more() -> None:
    past = np.array([[1.0], [3.0], [np.nan]])
    scaler = Scaler.fit([past, np.full((4, 1), 7.0), np.full((2, 1), np.nan)])
    assert scaler.mean[:, 0].tolist() == [2, 7, 0]
    assert scaler.deviation[:, 0].tolist() == [1, 1, 1]


def test_the_same_content_has_the_same_name(tmp_path: Path) -> None:
    first, second = (parts(table(tmp_path / f"{at}.csv"))[0] for at in range(2))
    other = parts(table(tmp_path / "2.csv", change={50: 9.0}))[0]
    assert first.fingerprint == second.fingerprint != other.fingerprint
