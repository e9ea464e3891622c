"""Tables of pairs: two columns of text by name, or by number where a file of tabs has no line of names."""

from collections.abc import Collection
from pathlib import Path

import polars as pl

from lstmlab.data.contents import read_text
from lstmlab.data.datasets import files
from lstmlab.errors import InputError, nearest

SOURCE_NAMES = frozenset(
    "source src input inputs text en eng english from question questions q prompt query context message utterance "
    "request user instruction".split()
)
TARGET_NAMES = frozenset(
    "target tgt output outputs translation reference to answer answers a reply replies response responses completion "
    "bot assistant".split()
)
LANGUAGES = frozenset(
    (
        "en eng english fr fra fre french français francais de deu ger german deutsch es spa spanish español it ita "
        "italian pt por portuguese nl nld dutch hi hin hindi ru rus russian zh cmn chinese ja jpn japanese ar ara "
        "arabic cs ces cze czech pl pol polish tr tur turkish uk ukr ukrainian ko kor korean vi vie vietnamese sv swe "
        "swedish fi fin finnish da dan danish no nor norwegian ro ron romanian hu hun hungarian el ell greek he heb "
        "hebrew fa fas persian bn ben bengali ur urd urdu ta tam tamil te tel telugu mr mar marathi gu guj gujarati "
        "pa pan punjabi id ind indonesian th tha thai la lat latin"
    ).split()
)
REPLY_NAMES = frozenset(
    "answer answers reply replies response responses question questions utterance bot assistant user prompt completion "
    "message context".split()
)
"""Column names that speak of a dialogue rather than of a translation."""

TABBED = (".tsv", ".tab", ".txt", ".text")
"""Endings of files whose columns tabs part; only these may come without a line of names."""


def read(path: Path, source: str | None, target: str | None, *, encoding: str = "utf-8") -> pl.DataFrame:
    """A table of pairs: id (the row's number), inputs, target; nothing is left out.

    Without column names given, the columns source and target are meant, or the first two of three or two where tabs
    part them and there is no line of names. Raises InputError for a column that is not there, naming those that are.
    """
    headless = tabbed(path) and _headless(path, source, target, encoding)
    table = read_headless(path, encoding=encoding) if headless else _read_named(path, encoding)
    where = str(path)
    if headless and source is None and target is None and len(table.columns) in (2, 3):
        source, target = "1", "2"
    if source is None and target is None and {"source", "target"} <= set(table.columns):
        source, target = "source", "target"
    if source is None or target is None:
        raise InputError(
            f"{where}: which columns? Give source=COLUMN and target=COLUMN. Columns: {', '.join(table.columns[:20])}"
        )
    if source == target:
        raise InputError(f'{where}: source and target are both "{source}": name two columns')
    sides = [
        text_column(table, name, key, where, telling)
        for name, key, telling in ((source, "source", SOURCE_NAMES), (target, "target", TARGET_NAMES))
    ]
    ids = [str(row) for row in range(1, len(table) + 1)]
    return pl.DataFrame([pl.Series(ids, dtype=pl.String), *sides], schema=["id", "inputs", "target"])


def tabbed(path: Path) -> bool:
    """Whether tabs part the columns of a file named like this."""
    return path.name.lower().removesuffix(".gz").endswith(TABBED)


def read_headless(path: Path, *, encoding: str = "utf-8") -> pl.DataFrame:
    """A file of tab-parted columns without a line of names: they are called 1, 2, …. Blank lines are left out."""
    rows = _rows(path, encoding)
    if not rows:
        raise InputError(f"{path}: nothing but blank lines")
    width = len(rows[0][1])
    for line, fields in rows:
        if len(fields) != width:
            raise InputError(f"{path}, line {line}: {len(fields)} fields, expected {width} separated by tabs")
    if width < 2:
        raise InputError(f"{path}: no tabs between columns: expected source TAB target on every line")
    columns = zip(*(fields for _, fields in rows), strict=True)
    return pl.DataFrame([pl.Series(str(at), values, dtype=pl.String) for at, values in enumerate(columns, 1)])


def names_columns(fields: list[str]) -> bool:
    """Whether a first line holds names of columns rather than a pair: words such as source, english, reply."""
    words = [field.strip().lower() for field in fields]
    known = sum(word in SOURCE_NAMES | TARGET_NAMES | LANGUAGES for word in words)
    return known > 1 and len(set(words)) == len(words)


def _rows(path: Path, encoding: str) -> list[tuple[int, list[str]]]:
    """Line numbers and fields of the lines that hold something. Only newlines end a line."""
    text = read_text(path, encoding=encoding).removeprefix("\ufeff")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return [
        (number, line.removesuffix("\r").split("\t")) for number, line in enumerate(text.split("\n"), 1) if line.strip()
    ]


def _headless(path: Path, source: str | None, target: str | None, encoding: str) -> bool:
    """Whether a file of tabs has no line of names: what was asked for decides, else its first line."""
    rows = _rows(path, encoding)
    first = [field.strip() for field in rows[0][1]] if rows else []
    asked = [name for name in (source, target) if name is not None]
    if asked:
        return all(name.isdecimal() and name not in first for name in asked)
    return not names_columns(first)


def _read_named(path: Path, encoding: str) -> pl.DataFrame:
    """A table with a line of names."""
    if not path.name.lower().removesuffix(".gz").endswith((".txt", ".text")):
        return files.read_table(path, encoding=encoding)
    rows = _rows(path, encoding)
    names = [field.strip() for field in rows[0][1]]
    if len(set(names)) < len(names):
        raise InputError(f"{path}: a name stands twice in its first line: {', '.join(names)}. Rename one of them.")
    frame = read_headless(path, encoding=encoding)[1:]
    if frame.is_empty():
        raise InputError(f"{path}: no rows, only a line of names ({', '.join(names)})")
    return frame.rename(dict(zip(frame.columns, names, strict=True)))


def text_column(table: pl.DataFrame, name: str, key: str, where: str, telling: Collection[str]) -> pl.Series:
    """A column as text, empty where it has nothing. Raises InputError with the nearest name where there is none, else
    with one of those `telling` what the setting `key` is for.
    """
    if name not in table.columns:
        match = nearest(name, table.columns) or [column for column in table.columns if column.lower() in telling]
        shown = ", ".join(table.columns[:20]) + (", …" if len(table.columns) > 20 else "")
        raise InputError(
            f'{where}: no column "{name}". Columns: {shown}.' + (f" Did you mean {key}={match[0]}?" if match else "")
        )
    values = files.text_of(table[name])
    if values is None:
        raise InputError(f'{where}: the column "{name}" holds {table.schema[name]}, expected text')
    return values.fill_null("")
