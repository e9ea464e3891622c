"""What is found wrong with series, and that sound ones are left in peace."""

from pathlib import Path

import numpy as np
import pytest

from lstmlab.data.series_check import check_series
from lstmlab.data.series_settings import SeriesSettings


def titles(path: Path, rows: list[str], head: str = "day,y") -> dict[str, str]:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    _, found = check_series(SeriesSettings(path=str(path), time=["day"], target=["y"]))
    return {one.title: one.text for one in found}


def days(values: np.ndarray) -> list[str]:
    start = np.datetime64("2024-01-01")
    return [f"{start + at},{value:.4f}" for at, value in enumerate(values)]


WAVE = np.sin(np.arange(100) / 3)


def test_a_sound_series(tmp_path: Path) -> None:
    found = titles(tmp_path / "a.csv", days(WAVE))
    assert found.keys() == {"Lengths"}
    assert "1 series of 100 steps, a step being a day, from 2024-01-01 to 2024-04-09" in found["Lengths"]


@pytest.mark.parametrize(
    ("rows", "title", "told"),
    [
        ([*days(WAVE)[:40], *days(WAVE)[43:]], "Gaps", "3 steps without a row were added and marked as missing"),
        ([*days(WAVE)[:40], "2024-02-10,", *days(WAVE)[41:]], "Empty cells", "For training, choose data.missing="),
        ([*days(WAVE)[:40], days(WAVE)[39], *days(WAVE)[40:]], "Repeated times", "data.repeated="),
        ([*days(WAVE)[1:2], *days(WAVE)[:1], *days(WAVE)[2:]], "Rows out of order", "data.sort=true"),
        (["2023-12-31,", *days(WAVE)], "Nothing at the ends", "For training, choose data.missing="),
        (days(np.ones(100)), "Constant series", "1 series never changes"),
        (days(np.full(100, 0.1)), "Constant series", "1 series never changes"),
        (days(np.full(100, 1e9 + 0.1)), "Constant series", "1 series never changes"),
        (days(np.where(np.arange(100) == 50, 40, WAVE)), "Spikes", "1 value lies more than 12 times"),
        (days(np.where(np.arange(100) >= 88, 9, WAVE)), "A level that moved", "another level in the test part"),
    ],
)
def test_what_is_found(tmp_path: Path, rows: list[str], title: str, told: str) -> None:
    assert told in titles(tmp_path / "a.csv", rows)[title]


def test_what_little_there_is_counts_as_change(tmp_path: Path) -> None:
    assert "Constant series" not in titles(tmp_path / "a.csv", days(1e6 + np.arange(100) % 7 / 1000))
    assert titles(tmp_path / "b.csv", days(np.full(100, 0.1))).keys() == {"Lengths", "Constant series"}


def test_empty_cells_of_columns_that_help_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f"{row},{'' if at == 9 else at}" for at, row in enumerate(days(WAVE))]
    path.write_text("\n".join(["day,y,rain", *rows]) + "\n", encoding="utf-8")
    _, found = check_series(SeriesSettings(path=str(path), time=["day"], target=["y"], past=["rain"]))
    assert any("For training, choose data.missing=" in one.text for one in found)
