"""Columns of text as numbers, the way files really write them: 7,380,500 and 1.234,5, $3.50 and 12 %, NA and nothing.

One way of writing holds for a whole column: whether a comma parts thousands or decimals is decided by all of its cells.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lstmlab.errors import InputError

MISSING = ("", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "?", ".", "missing")
"""What stands for no number, in any case."""

# [0-9], since \d is any script's digit, and groups of thousands do not begin with 0: 0,123 has a decimal comma.
_PLAIN = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_THOUSANDS = r"^[+-]?[1-9][0-9]{0,2}(,[0-9]{3})+(\.[0-9]*)?$"
_POINTED = r"[1-9][0-9]{0,2}(\.[0-9]{3})+"
_DECIMAL_COMMA = rf"^[+-]?({_POINTED}|[0-9]*),[0-9]+$"
_INFINITE = r"(?i)^[+-]?inf(inity)?$"


def to_numbers(column: pl.Series, where: str) -> NDArray[np.float64]:
    """A column as numbers [N], NaN where there is none. Rows in errors are counted from 1, without the header.

    Raises InputError for text that is no number and for infinities, naming column and row.
    """
    if column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null):
        found = column.cast(pl.Float64).to_numpy().astype(np.float64)
        _refuse_infinite(found, column.name, where)
        return found
    if column.dtype != pl.String:
        raise InputError(f'{where}: the column "{column.name}" holds {column.dtype}, expected numbers')
    text = column.str.strip_chars().str.strip_chars_end("%").str.replace(r"^([+-]?)\s*[$€£¥]\s*", "$1")
    text = text.str.strip_chars().str.replace("\N{MINUS SIGN}", "-", literal=True)
    known = text.is_not_null() & ~text.str.to_lowercase().is_in(MISSING)
    _refuse_text(text, known, where, column)
    asked = text.filter(known)
    if not asked.str.contains(_PLAIN).all():
        asked = _without_marks(asked, known.arg_true(), where, column)
    found = np.full(len(text), np.nan)
    found[known.to_numpy()] = asked.cast(pl.Float64).to_numpy()
    _refuse_infinite(found, column.name, where)
    return found


def numeric_share(column: pl.Series) -> float:
    """Which part of a column's cells that are not missing could be numbers (0 to 1); 0 for a column without any."""
    if column.dtype.is_numeric():
        return 1.0
    if column.dtype != pl.String:
        return 0.0
    text = column.drop_nulls().str.strip_chars()
    text = text.filter(~text.str.to_lowercase().is_in(MISSING))
    if text.is_empty():
        return 0.0
    return int(text.str.contains(f"{_PLAIN}|{_THOUSANDS}|{_DECIMAL_COMMA}").sum()) / len(text)


def _refuse_text(text: pl.Series, known: pl.Series, where: str, column: pl.Series) -> None:
    number = text.str.contains(f"{_PLAIN}|{_THOUSANDS}|{_DECIMAL_COMMA}").fill_null(False)
    infinite = text.str.contains(_INFINITE).fill_null(False)
    if (known & infinite).any():
        _infinite(int((known & infinite).arg_true()[0]), column.name, where)
    odd = (known & ~number).arg_true()
    if len(odd):
        at = int(odd[0])
        others = f" (and {len(odd) - 1:,} rows more)" if len(odd) > 1 else ""
        raise InputError(
            f'{where}, row {at + 1}, column "{column.name}": "{str(column[at])[:40]}" is no number{others}. '
            "Leave a cell empty where a value is missing"
        )


def _without_marks(asked: pl.Series, rows: pl.Series, where: str, column: pl.Series) -> pl.Series:
    """Numbers with commas, and no comma but the decimal one as a point. `rows` says where they stand, from 0."""
    thousands = asked.str.contains(f"{_PLAIN}|{_THOUSANDS}")
    if thousands.all():
        return asked.str.replace_all(",", "", literal=True)
    decimal = asked.str.contains(rf"{_DECIMAL_COMMA}|^[+-]?[0-9]+$|^[+-]?{_POINTED}$")
    if decimal.all():
        return asked.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    first, other = (int((~fits).arg_true()[0]) for fits in (thousands, decimal))
    raise InputError(
        f'{where}, column "{column.name}": "{asked[first]}" (row {rows[first] + 1}) and "{asked[other]}" '
        f"(row {rows[other] + 1}) cannot both be numbers: does a comma part thousands or decimals? Write all cells in "
        "one way"
    )


def _refuse_infinite(found: NDArray[np.float64], name: str, where: str) -> None:
    infinite = np.flatnonzero(np.isinf(found))
    if len(infinite):
        _infinite(int(infinite[0]), name, where)


def _infinite(row: int, name: str, where: str) -> None:
    raise InputError(
        f'{where}, row {row + 1}, column "{name}": an infinite number. Leave the cell empty if the value is not known'
    )
