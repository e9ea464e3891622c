"""What pairs of texts are: translations, or questions and replies; and which side is the source."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lstmlab.data.datasets import aligned, dialogues, pair_tables
from lstmlab.errors import InputError

COMMON = 50
"""The commonest words of both sides tell whether they are in one language."""
SHARED = 0.5
"""Share of them (0 to 1) that stands on both sides where they are."""
LEAST_ROWS = 30
"""With fewer rows than this the words tell nothing."""
CHAINED = 0.05
"""Share of rows (0 to 1) whose question is the reply of the row before, from which on they are dialogues."""


@dataclass(frozen=True)
class Pairing:
    """Two columns as source and target of a task."""

    task: str
    """translation or dialogue."""
    source: str
    target: str
    reason: str
    sure: bool


def pairing(table: pl.DataFrame, first: str, second: str) -> Pairing:
    """What two columns of text are together; the earlier one is the source unless their names say otherwise."""
    one, other = first.lower(), second.lower()
    turned = one in pair_tables.TARGET_NAMES and other in pair_tables.SOURCE_NAMES
    source, target = (second, first) if turned else (first, second)
    if {one, other} & pair_tables.REPLY_NAMES and not {one, other} <= pair_tables.LANGUAGES:
        return Pairing("dialogue", source, target, f'its columns are called "{first}" and "{second}".', True)
    if {one, other} <= pair_tables.LANGUAGES | pair_tables.SOURCE_NAMES | pair_tables.TARGET_NAMES:
        return Pairing("translation", source, target, f'its columns are called "{first}" and "{second}".', True)
    left, right = table[source].fill_null("").to_list(), table[target].fill_null("").to_list()
    chained = sum(question == reply != "" for question, reply in zip(left[1:], right, strict=False))
    if chained > CHAINED * len(left) and len(left) > 2:
        return Pairing("dialogue", source, target, "replies come back as the question of the next row.", True)
    if len(left) >= LEAST_ROWS and _one_language(left, right):
        return Pairing("dialogue", source, target, "both columns of text are in one language.", False)
    return Pairing("translation", source, target, "it has two columns of text and no label.", True)


def sides(folder: Path) -> tuple[str, str, dict[str, aligned.Sides]] | None:
    """The endings of a folder of aligned files, English or the first by alphabet in front, and its parts; or None.

    Raises InputError where there are more than two languages, or several files that could be one part.
    """
    known = aligned.endings(folder)
    if len(known) < 2:
        return None
    known.sort(key=lambda ending: (ending.lower() not in ("en", "eng", "src", "source"), ending))
    if len(known) > 2:
        ways = " or ".join(f"source={known[0]} target={other}" for other in known[1:4])
        raise InputError(
            f"{folder} holds aligned files in {len(known)} languages ({', '.join(known)}): name two of them with "
            f"lstmlab train translation path={folder} {ways}"
        )
    return known[0], known[1], aligned.folder_parts(folder, known[0], known[1])


def turns_column(table: pl.DataFrame) -> str | None:
    """The column that holds whole dialogues as lists of turns."""
    listed = [name for name in table.columns if table.schema[name] in (pl.Object, pl.List)]
    return next((name for name in listed if name in dialogues.TURN_KEYS), None)


def _one_language(left: list[str], right: list[str]) -> bool:
    common = [{word for word, _ in Counter(_words(side)).most_common(COMMON)} for side in (left, right)]
    fewest = min(len(words) for words in common)
    return bool(fewest) and len(common[0] & common[1]) > SHARED * fewest


def _words(texts: list[str]) -> list[str]:
    return [word for text in texts for word in re.findall(r"[^\W\d_]+", text.lower())]
