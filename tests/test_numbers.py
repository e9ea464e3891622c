"""Columns of text as numbers: how files write them, and what is refused by row and column."""

import math

import numpy as np
import polars as pl
import pytest

from lstmlab.data.datasets.numbers import numeric_share, to_numbers
from lstmlab.errors import InputError


def column(*cells: object) -> pl.Series:
    return pl.Series("y", list(cells), dtype=pl.String)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "-2.5", "+3", ".5", "1e-3", "2."], [1, -2.5, 3, 0.5, 1e-3, 2]),
        (["7,380,500", "12", "1,000.25"], [7380500, 12, 1000.25]),
        (["1.234,5", "12,25", "7", "1.000"], [1234.5, 12.25, 7, 1000]),
        (["3,5", "12,25"], [3.5, 12.25]),
        (["1,234", "5,678"], [1234, 5678]),
        (["$3.50", "-$ 4", "€1,200"], [3.5, -4, 1200]),
        (["12 %", "7%"], [12, 7]),
        (["\N{MINUS SIGN}4", " 5 "], [-4, 5]),
        (["0,123", "0,456"], [0.123, 0.456]),
        (["-0,123", "1,234", "5"], [-0.123, 1.234, 5]),
        (["0", "1,234"], [0, 1234]),
    ],
)
def test_a_column_is_read_in_one_way(cells: list[str], expected: list[float]) -> None:
    assert to_numbers(column(*cells), "f").tolist() == expected


@pytest.mark.parametrize("cell", ["", "NA", "n/a", "NaN", "null", "-", "?", " ", None])
def test_what_stands_for_nothing(cell: str | None) -> None:
    found = to_numbers(column("1", cell), "f")
    assert found[0] == 1
    assert math.isnan(found[1])


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["1", "abc"], 'f, row 2, column "y": "abc" is no number'),
        (["1", "x", "y"], r"\(and 1 rows more\)"),
        (["1", "inf"], 'row 2, column "y": an infinite number'),
        (["-Infinity"], "row 1"),
        (["1e999"], "infinite"),
        (["1,5", "1,000.5"], r'f, column "y": "1,5" \(row 1\) and "1,000.5" \(row 2\).*thousands or decimals'),
        (["NA", "0,123", "7", "1,234.5"], r'"0,123" \(row 2\) and "1,234.5" \(row 4\)'),
        (["0,123", "0.5"], "thousands or decimals"),
        (["0,5", "0.123"], "thousands or decimals"),
        (["0,123.5"], 'f, row 1, column "y": "0,123.5" is no number'),
        (["5", "\N{ARABIC-INDIC DIGIT TWO}"], 'f, row 2, column "y".*is no number'),
        (["\N{FULLWIDTH DIGIT TWO},5"], 'f, row 1, column "y".*is no number'),
        (["12,34,567"], "is no number"),
        (["1_000"], "is no number"),
        (["0x10"], "is no number"),
    ],
)
def test_what_is_refused(cells: list[str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        to_numbers(column(*cells), "f")


def test_columns_that_are_numbers_already() -> None:
    assert to_numbers(pl.Series("y", [1, None]), "f")[0] == 1
    assert np.isnan(to_numbers(pl.Series("y", [1.5, None]), "f")[1])
    with pytest.raises(InputError, match="infinite"):
        to_numbers(pl.Series("y", [1.5, math.inf]), "f")
    with pytest.raises(InputError, match="expected numbers"):
        to_numbers(pl.Series("y", [[1]]), "f")


@pytest.mark.parametrize(
    ("cells", "share"),
    [
        (["1", "2,5", "NA"], 1.0),
        (["1", "a"], 0.5),
        (["NA", ""], 0.0),
        (["2024-01-01"], 0.0),
        (["\N{FULLWIDTH DIGIT TWO}"], 0.0),
    ],
)
def test_how_much_of_a_column_is_numbers(cells: list[str], share: float) -> None:
    assert numeric_share(column(*cells)) == share
