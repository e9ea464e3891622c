"""Tables from files and data frames: CSV, TSV, JSON lines, Parquet, gzipped or not, and what is wrong with them.

The reader is strict because a table that was read wrongly trains without complaint: a row with a field too few or a
stray quote is named with its line instead of being mended silently.
"""

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from lstmlab.data.contents import existing_file, read_bytes, read_text
from lstmlab.data.corpus import Corpus
from lstmlab.errors import InputError, nearest

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json-lines": "jsonl",
    ".parquet": "parquet",
}
"""File name ending → format; each may be followed by .gz."""


TEXT_NAMES = (
    "text",
    "review",
    "sentence",
    "comment",
    "message",
    "tweet",
    "content",
    "body",
    "document",
    "question",
    "headline",
    "title",
    "description",
    "inputs",
    "input",
    "utterance",
)
LABEL_NAMES = (
    "label",
    "class",
    "category",
    "sentiment",
    "stars",
    "rating",
    "target",
    "topic",
    "polarity",
    "intent",
    "emotion",
    "score",
    "tag",
    "labels",
    "y",
)

DAYS = (1900_00_00, 2100_00_00)
"""Between these lie days written as numbers: 20240131."""

MOST_COLUMNS = 1000
"""The most different keys in JSON lines."""

_ADVICE = {
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "Save the sheet as CSV (UTF-8) and give that."),
    **dict.fromkeys((".pkl", ".pickle"), "Pickles can run code and are never opened: save it as CSV or Parquet."),
    ".json": "Write one JSON object per line and name it .jsonl.",
    ".txt": "If it is a table with tabs between its columns, name it .tsv.",
}


def read_table(path: Path, *, encoding: str = "utf-8") -> pl.DataFrame:
    """A file as a table with named columns, at least one row and no row of nothing but blanks.

    The columns of text formats are text (of JSON lines also lists and the like, as objects); Parquet keeps its types.
    The delimiter of CSV (comma, semicolon, tab) is the one its header line has most of; TSV is unquoted, as in corpora.
    Raises InputError naming file, line and remedy for everything that is wrong with the file.
    """
    kind, where = _format(path), str(path)
    if kind == "parquet":
        frame = _parquet(read_bytes(path), where)
    else:
        frame = {"csv": _csv, "tsv": _tsv, "jsonl": _jsonl}[kind](read_text(path, encoding=encoding), where)
    if frame.is_empty():
        raise InputError(f"{where}: no rows, only a header ({', '.join(frame.columns)})")
    return frame


def known(path: Path) -> bool:
    """Whether the name is one of a table this module reads."""
    return path.name.lower().removesuffix(".gz").endswith(tuple(FORMATS))


def corpus(
    frame: pl.DataFrame, *, text: str, label: str | None, where: str, least_classes: int = 2
) -> tuple[Corpus, tuple[str, ...]]:
    """A table as a corpus of texts and labels (strings), and what was done on the way, one sentence each.

    Ids are the frame's own `id` column where that is complete and unique, else the row's position counted from 1.
    Rows with a blank text are dropped and told; a row without a label is refused, and so are fewer than
    `least_classes` distinct labels (give 1 for a part that is only scored). `label` None leaves targets null.
    """
    if text == label:
        raise InputError(f'{where}: text and label are both "{text}": name two columns')
    inputs = _scalars(frame, text, "text", label, where)
    targets = (
        pl.repeat(None, len(frame), dtype=pl.String, eager=True)
        if label is None
        else _scalars(frame, label, "label", text, where).str.strip_chars()
    )
    ids, steps = row_ids(frame, (text, label), where)
    table = pl.DataFrame({"id": ids, "inputs": inputs, "target": targets})
    blank = inputs.fill_null("").str.strip_chars() == ""
    if blank.all():
        raise InputError(f'{where}: every text in column "{text}" is blank')
    if blank.any():
        count = int(blank.sum())
        steps.append(f'dropped {count} {"row" if count == 1 else "rows"} of {where} with a blank "{text}"')
    if label is not None:
        check_labels(targets, blank, label, where, least_classes)
    return Corpus.of(table.filter(~blank)), tuple(steps)


def from_frame(
    frame: object, *, text: str, label: str | None, where: str = "the data frame", least_classes: int = 2
) -> tuple[Corpus, tuple[str, ...]]:
    """A polars or pandas data frame as a corpus; see `corpus`."""
    return corpus(to_table(frame, where), text=text, label=label, where=where, least_classes=least_classes)


def to_table(frame: object, where: str = "the data frame") -> pl.DataFrame:
    """A polars or pandas data frame as a table with at least one row. Its index is a column where it holds times."""
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, pl.DataFrame):
        kind = type(frame)
        if kind.__name__ not in ("DataFrame", "Series") or kind.__module__.partition(".")[0] != "pandas":
            raise InputError(f"{where}: expected a polars or pandas data frame, got {kind.__name__}")
        frame = _from_pandas(frame, where)
    if frame.is_empty():
        raise InputError(f"{where}: no rows")
    return frame


def text_of(column: pl.Series) -> pl.Series | None:
    """A column of plain values as text (whole numbers without ".0", NaN as missing); None for lists and the like."""
    kind = column.dtype
    if kind == pl.String:
        return column
    if kind.is_float():
        column = column.fill_nan(None)
        if _whole(column):
            column = column.cast(pl.Int64)
    if kind.is_nested() or kind in (pl.Object, pl.Binary, pl.Duration):
        return None
    return column.cast(pl.String)


def kept(column: pl.Series) -> pl.Series | None:
    """A column as it is written down to be read again: dates, times, truth values and numbers as such, all else as
    text; None for lists and the like.

    Whole numbers are integers, also where a gap made them floats; 20240131 and the like are text, since only as text
    they are read as the dates they may be.
    """
    kind = column.dtype
    if kind.is_float():
        column = column.fill_nan(None)
        if not _whole(column):
            return column
        column = column.cast(pl.Int64)
    if column.dtype.is_integer() and not column.drop_nulls().cast(pl.Float64).is_between(*DAYS).all():
        return column
    return column if kind == pl.Boolean or isinstance(kind, (pl.Date, pl.Datetime)) else text_of(column)


def _whole(column: pl.Series) -> bool:
    """Whether floats are all whole numbers that are told apart from their neighbours."""
    exact = column.drop_nulls()
    return bool(((exact.floor() == exact) & (exact.abs() < 2**53)).all())


def _format(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    for ending, kind in FORMATS.items():
        if name.endswith(ending):
            return kind
    existing_file(path)
    ending = Path(name).suffix
    raise InputError(
        f"{path}: unknown kind of file ({ending or 'no ending'}). Known: {', '.join(FORMATS)}, "
        f"each also with .gz. {_ADVICE.get(ending, '')}".rstrip()
    )


def _header(names: Sequence[str], where: str) -> list[str]:
    """Column names without surrounding space; nameless ones are called column_1, column_2, ….

    Refuses names that stand twice.
    """
    named = [name.strip() or f"column_{at}" for at, name in enumerate(names, 1)]
    twice = [name for at, name in enumerate(named) if name in named[:at]]
    if twice:
        raise InputError(
            f'{where}: the column name "{twice[0]}" stands twice in the header: {", ".join(named)}. Rename one of them.'
        )
    return named


def _csv(text: str, where: str) -> pl.DataFrame:
    head = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    # The limit is meant for untrusted streams; the text is in memory already. It is process-wide, hence put back.
    limit = csv.field_size_limit(len(text) + 1)
    start = 1
    try:
        for row in reader:
            rows.append(row)
            lines.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{where}, line {start}: {_quoting(str(error), start, reader.line_num)}") from error
    finally:
        csv.field_size_limit(limit)
    return _columns(rows, lines, delimiter, where)


def _quoting(problem: str, start: int, end: int) -> str:
    if "unexpected end" in problem:
        return 'a quote (") opens in the row that begins here and is never closed'
    return (
        f'a quote (") inside a quoted field of the row that begins here (trouble on line {end}): write quotes '
        'inside quoted fields twice (""), or close the quote'
    )


def _tsv(text: str, where: str) -> pl.DataFrame:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return _columns([line.split("\t") for line in lines], range(1, len(lines) + 1), "\t", where)


def _columns(rows: list[list[str]], lines: Sequence[int], delimiter: str, where: str) -> pl.DataFrame:
    """Rows of fields, the first one the header, as text columns. Rows of nothing but blanks are left out."""
    kept = [(row, line) for row, line in zip(rows, lines, strict=True) if any(field.strip() for field in row)]
    if not kept:
        raise InputError(f"{where}: nothing but blank lines")
    names = _header(kept[0][0], where)
    shown = {"\t": "tabs", ",": "commas", ";": "semicolons"}[delimiter]
    for row, line in kept[1:]:
        if len(row) != len(names):
            quote = f'. A field that holds {shown} must stand in quotes ("…")' if delimiter != "\t" else ""
            raise InputError(
                f"{where}, line {line}: {len(row)} fields, expected {len(names)} "
                f"({', '.join(names[:10])}) separated by {shown}{quote if len(row) > len(names) else ''}"
            )
    fields = zip(*(row for row, _ in kept[1:]), strict=True) if len(kept) > 1 else [()] * len(names)
    return pl.DataFrame([pl.Series(name, values, dtype=pl.String) for name, values in zip(names, fields, strict=True)])


def _jsonl(text: str, where: str) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {}
    count = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        for name, value in _json_object(line, f"{where}, line {number}").items():
            column = columns.setdefault(name, [])
            column.extend([None] * (count - len(column)))
            column.append(value)
        count += 1
        if len(columns) > MOST_COLUMNS:
            raise InputError(f"{where}, line {number}: more than {MOST_COLUMNS} different keys: not a table")
    if not count:
        raise InputError(f"{where}: nothing but blank lines")
    series = [_column(name, values + [None] * (count - len(values))) for name, values in columns.items()]
    return pl.DataFrame([column if (words := text_of(column)) is None else words for column in series])


def _json_object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
        if "\\u" in line:
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise InputError(
            f"{where}: not JSON: {error.msg} (column {error.colno}). Expected one JSON object on every line"
        ) from error
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise InputError(f"{where}: {half} is half a character (a lone surrogate)") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: JSON that cannot be read: {error}") from error
    if not isinstance(value, dict) or not value:
        raise InputError(
            f'{where}: expected a JSON object such as {{"text": "…", "label": "…"}}, '
            f"got {type(value).__name__ if value else 'an empty one'}"
        )
    return value


def _parquet(raw: bytes, where: str) -> pl.DataFrame:
    if raw[:4] != b"PAR1" or raw[-4:] != b"PAR1":
        raise InputError(f"{where}: not a whole Parquet file (it begins with {raw[:4]!r}); write or fetch it again")
    try:
        return pl.read_parquet(io.BytesIO(raw))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        # A panic is how polars meets some damage; it is no Exception and would pass every other net.
        raise InputError(f"{where}: a damaged Parquet file: {(str(error).splitlines() or ['?'])[0]}") from error


def _column(name: str, values: list[Any]) -> pl.Series:
    """Python values as a column: numbers if all are, times if all are (with a zone, or none of them), text if they can
    be written as text, else objects.
    """
    kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {bool} or kinds <= {float} or (kinds <= {int, float} and all(abs(v or 0) < 2**53 for v in values)):
        return pl.Series(name, values, dtype=pl.Boolean if kinds == {bool} else None, strict=False)
    if kinds <= {str, bool, int, float}:
        words = [str(value).lower() if isinstance(value, bool) else value for value in values]
        return pl.Series(name, [None if word is None else str(word) for word in words], dtype=pl.String)
    if any(issubclass(kind, (list, tuple, dict, set, bytes)) or kind.__module__ == "numpy" for kind in kinds):
        return pl.Series(name, values, dtype=pl.Object)
    if all(issubclass(kind, datetime) for kind in kinds):
        times = [value for value in values if value is not None]
        if len({value.tzinfo is None for value in times}) == 1:
            return pl.Series(name, values)
    return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)


def _from_pandas(frame: Any, where: str) -> pl.DataFrame:
    if type(frame).__name__ == "Series":
        frame = frame.to_frame("value" if frame.name is None else frame.name)
    if type(frame.index).__name__ in ("DatetimeIndex", "PeriodIndex"):
        frame = frame.rename_axis(frame.index.name or "time").reset_index()
    names = _header([str(name) for name in frame.columns], where)
    columns = []
    for at, name in enumerate(names):
        column = frame.iloc[:, at]
        columns.append(_column(name, column.astype(object).where(column.notna(), None).tolist()))
    return pl.DataFrame(columns)


def _scalars(frame: pl.DataFrame, name: str, key: str, other: str | None, where: str) -> pl.Series:
    """The column as text; InputError with the nearest right name where there is none."""
    if name not in frame.columns:
        names = [column for column in frame.columns if column != other]
        telling = LABEL_NAMES if key == "label" else TEXT_NAMES
        match = (
            nearest(name, names)
            or [column for word in telling for column in names if column.lower() == word]
            or (names if len(names) == 1 else [])
        )
        shown = ", ".join(frame.columns[:20]) + (", …" if len(frame.columns) > 20 else "")
        raise InputError(
            f'{where}: no column "{name}". Columns: {shown}.' + (f" Did you mean {key}={match[0]}?" if match else "")
        )
    column = text_of(frame[name])
    if column is None:
        raise InputError(f'{where}: the column "{name}" holds {frame.schema[name]}, expected text')
    return column


def row_ids(frame: pl.DataFrame, used: tuple[str | None, ...], where: str) -> tuple[pl.Series, list[str]]:
    """The `id` column where it is complete and unique (and not used for something else), else the rows' numbers."""
    own = text_of(frame["id"]) if "id" in frame.columns and "id" not in used else None
    if own is not None and not own.has_nulls() and own.is_unique().all():
        return own, []
    steps = [] if own is None else [f'{where}: its "id" column has gaps or repetitions; rows are numbered instead']
    return pl.Series([str(row) for row in range(1, len(frame) + 1)], dtype=pl.String), steps


def check_labels(targets: pl.Series, blank: pl.Series, label: str, where: str, least: int) -> None:
    """Refuse a row without a label that is not `blank`, and fewer than `least` different labels."""
    missing = ((targets.fill_null("") == "") & ~blank).arg_true()
    if len(missing):
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f'{where}, row {missing[0] + 1}{others}: no label in column "{label}". '
            "Fill it in or remove the row (rows are counted from 1, without the header)"
        )
    found = targets.filter(~blank).unique()
    if len(found) < least:
        raise InputError(
            f'{where}: every row has the same label ("{found[0]}" in column "{label}"): '
            f"there is nothing to learn; expected at least {least} different ones"
        )
