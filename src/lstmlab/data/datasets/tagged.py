"""Sentences whose words are tagged: CoNLL columns, CoNLL-U, JSON lines, and tables with columns of lists.

Tables have the columns id, inputs (list of words) and target (list of tags).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lstmlab.data.datasets.files import read_table, read_text
from lstmlab.errors import InputError, nearest

CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The ten columns of CoNLL-U (Nivre et al. 2020)."""
WORDS = ("tokens", "words", "form", "text")
TAGS = ("tags", "ner_tags", "pos_tags", "labels", "upos", "ner", "pos")
"""Names of JSON fields that say what they hold, the most telling first."""
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "id": pl.String,
    "inputs": pl.List(pl.String),
    "target": pl.List(pl.String),
}

Row = tuple[str, list[str], list[str] | None]


def read_tagged(
    path: Path, *, words: str | None = None, tags: str | None = None, encoding: str = "utf-8", tagged: bool = True
) -> tuple[pl.DataFrame, list[str]]:
    """A file of tagged sentences, and what was left out, a sentence each.

    `words` and `tags` name a column by its number (from 1), by CoNLL-U's name, or a JSON field; guessed where not given
    (the first and the last column). With `tagged` false there may be no tags. Raises InputError with the line.
    """
    where, name = str(path), path.name.lower().removesuffix(".gz")
    if name.endswith(".csv"):
        kinds = "columns parted by tabs or blanks (.conll, .tsv), CoNLL-U (.conllu), JSON lines (.jsonl) or Parquet"
        raise InputError(f"{where}: expected {kinds}: a word and its tag on each line, or lists of them")
    steps: list[str] = []
    if name.endswith((".jsonl", ".ndjson", ".parquet")):
        found = _parquet(path) if name.endswith(".parquet") else _json(read_text(path, encoding=encoding), where)
        every = [_sentence(one, at, number, words, tags, tagged=tagged) for at, number, one in found]
        rows = [one for one in every if one[1]]
        if len(rows) < len(every):
            steps = [f"{len(every) - len(rows):,} sentences without words were left out."]
    else:
        rows, steps = column_rows(read_text(path, encoding=encoding), where, words=words, tags=tags, tagged=tagged)
    if not rows:
        raise InputError(f"{where}: no sentences")
    return pl.DataFrame(rows, schema=SCHEMA, orient="row"), steps


def column_rows(
    text: str, where: str, *, words: str | None = None, tags: str | None = None, tagged: bool = True
) -> tuple[list[Row], list[str]]:
    """Sentences of columns, parted by blank lines. A line of nothing but blanks or tabs is blank."""
    named = where.lower().removesuffix(".gz").endswith(".conllu")
    blocks = list(_blocks(text, universal=named))
    if not blocks:
        return [], []
    universal = named or _universal(blocks[0])
    tabs = any("\t" in line for _, line in blocks[0])
    rows: list[Row] = []
    skipped = {"multiword": 0, "empty": 0}
    width = len(CONLLU) if universal else 0
    for block in blocks:
        cells = []
        for number, line in block:
            fields = line.rstrip("\r").split("\t") if tabs or universal else line.split()
            width = width or len(fields)
            if len(fields) != width:
                raise InputError(
                    f'{where}, line {number}: {len(fields)} columns, expected {width}: "{line.strip()[:60]}"'
                )
            if universal and not fields[0].isdecimal():
                skipped["multiword" if "-" in fields[0] else "empty"] += 1
                continue
            cells.append((number, fields))
        if not cells:
            continue
        word, tag = _places(words, tags, width, where, universal=universal, tagged=tagged)
        for at in (word, tag):
            for number, fields in cells:
                if at is not None and not fields[at].strip():
                    raise InputError(f"{where}, line {number}: column {at + 1} is empty")
        rows.append((
            str(block[0][0]),
            [fields[word] for _, fields in cells],
            None if tag is None else [fields[tag] for _, fields in cells],
        ))  # fmt: skip
    told = []
    if skipped["multiword"]:
        told.append(f"{skipped['multiword']:,} lines of multiword tokens were left out: their words follow them.")
    if skipped["empty"]:
        told.append(f"{skipped['empty']:,} empty nodes were left out: nobody wrote them.")
    return rows, told


def _blocks(text: str, *, universal: bool) -> Iterator[list[tuple[int, str]]]:
    """The lines of each sentence with their numbers, comments and document marks left out."""
    block: list[tuple[int, str]] = []
    lines = text.split("\n")
    words = set() if universal else _ends(lines)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            if block:
                yield block
            block = []
        elif not line.startswith("-DOCSTART-") and (block or not _comment(line, words, universal=universal)):
            block.append((number, line))
    if block:
        yield block


def _comment(line: str, words: set[tuple[int, str]], *, universal: bool) -> bool:
    """A line "# sent_id = 1" before a sentence. In CoNLL-U words have numbers before them, and every such line is one;
    elsewhere it has a blank after its sign and no tab, and is not like the lines of words ("# O").
    """
    if universal:
        return line.startswith("#")
    return _hashed(line) and _end(line) not in words


def _hashed(line: str) -> bool:
    return line.startswith(("# ", "#\r")) and "\t" not in line


def _ends(lines: Sequence[str]) -> set[tuple[int, str]]:
    """How many columns lines of words have and what their last one holds, where a comment could be taken for one."""
    return {_end(line) for line in lines if line.strip() and line[0] != "#"} if any(map(_hashed, lines)) else set()


def _end(line: str) -> tuple[int, str]:
    fields = line.split()
    return len(fields), fields[-1]


def _universal(block: Sequence[tuple[int, str]]) -> bool:
    fields = [line.split("\t") for _, line in block]
    return all(len(one) == len(CONLLU) for one in fields) and re.fullmatch(r"\d+([-.]\d+)?", fields[0][0]) is not None


def _places(
    words: str | None, tags: str | None, width: int, where: str, *, universal: bool, tagged: bool
) -> tuple[int, int | None]:
    """Which columns hold words and tags, counted from 0."""
    if universal:
        return _place(words or "form", width, where), _place(tags or "upos", width, where)
    word = _place(words or "1", width, where)
    if width < 2 and tags is None:
        if tagged:
            raise InputError(f"{where}: one column, expected words and tags side by side (a tab or blanks between)")
        return word, None
    return word, _place(tags or str(width), width, where) if tagged or tags else None


def _place(column: str, width: int, where: str) -> int:
    if column.lower() in CONLLU and width == len(CONLLU):
        return CONLLU.index(column.lower())
    if column.isdecimal() and 1 <= int(column) <= width:
        return int(column) - 1
    names = f", or {', '.join(CONLLU)}" if width == len(CONLLU) else ""
    raise InputError(f"{where}: no column {column}: expected a number from 1 to {width}{names}")


def _json(text: str, where: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Each line's object, where it stands, and its number."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        at = f"{where}, line {number}"
        try:
            found = json.loads(line)
        except ValueError as error:
            raise InputError(f"{at}: not JSON ({error})") from error
        if not isinstance(found, dict):
            raise InputError(f"{at}: expected an object with words and tags, got {type(found).__name__}")
        yield at, number, found


def _parquet(path: Path) -> Iterator[tuple[str, int, dict[str, Any]]]:
    for number, row in enumerate(read_table(path).iter_rows(named=True), 1):
        yield f"{path}, row {number}", number, row


def _sentence(
    found: Mapping[str, Any], at: str, number: int, words: str | None, tags: str | None, *, tagged: bool
) -> Row:
    """Words and tags that stand in two fields as lists."""
    word = _field(found, words, WORDS, at, "text")
    tag = _field(found, tags, TAGS, at, "label") if tagged or tags else None
    sentence = _texts(found[word], f'{at}, "{word}"')
    target = None if tag is None else _texts(found[tag], f'{at}, "{tag}"')
    if target is not None and len(target) != len(sentence):
        raise InputError(f"{at}: {len(sentence)} words and {len(target)} tags")
    return str(found.get("id", number)), sentence, target


def _field(found: Mapping[str, Any], typed: str | None, telling: Sequence[str], where: str, key: str) -> str:
    name = typed or next((name for name in telling if isinstance(found.get(name), list)), None)
    if name is not None and name in found:
        return name
    match = nearest(name, list(found)) if name else []
    lacking = f'field "{name}"' if name else f"list of {'words' if key == 'text' else 'tags'}"
    advice = f"Did you mean {key}={match[0]}?" if match else f"Give data.{key}=FIELD"
    raise InputError(f"{where}: no {lacking}. Fields: {', '.join(map(str, found))}. {advice}")


def _texts(given: object, where: str) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(one, str | int) for one in given):
        raise InputError(f"{where}: expected a list of words, got {str(given)[:60]}")
    found = [str(one) for one in given]
    for at, one in enumerate(found, 1):
        if not one.strip():
            raise InputError(f"{where}: number {at} is empty")
    return found


def lists(column: pl.Series) -> pl.Series | None:
    """A column whose values are lists of words or of whole numbers (Python's, NumPy's or polars' own), as lists of
    text; None for any other.
    """
    if column.dtype not in (pl.List, pl.Array, pl.Object):
        return None
    values = [_plain(value) for value in column.to_list()]
    if not all(value is None or isinstance(value, list) for value in values):
        return None
    if not all(isinstance(one, str | int) for value in values for one in value or []):
        return None
    texts = [None if value is None else [str(one) for one in value] for value in values]
    return pl.Series(column.name, texts, dtype=pl.List(pl.String))


def _plain(value: Any) -> Any:
    """A tuple, a NumPy array or a series as a list."""
    if isinstance(value, tuple):
        return list(value)
    return value.tolist() if hasattr(value, "tolist") else value.to_list() if hasattr(value, "to_list") else value


def list_columns(table: pl.DataFrame) -> tuple[str, str] | None:
    """The columns of a table that hold the words of sentences and their tags.

    Lists whose names say so; or else the only two columns of lists, where each row's are equally long: the tags are the
    one with fewer different values.
    """
    found = {name: one for name in table.columns if (one := lists(table[name])) is not None}
    words = next((name for name in WORDS if name in found), None)
    tags = next((name for name in TAGS if name in found), None)
    if words is not None and tags is not None:
        return words, tags
    if len(found) != 2:
        return None
    tags, words = sorted(found, key=lambda name: found[name].explode().n_unique())
    return (words, tags) if (found[words].list.len() == found[tags].list.len()).all() else None
