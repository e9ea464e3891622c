"""Tables of pairs of texts with a judgment: what the two are to each other (a label), or how much alike (a score)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from lstmlab.data.datasets import files, pair_tables
from lstmlab.data.datasets.numbers import to_numbers
from lstmlab.errors import InputError

SIDES = (
    ("sentencea", "sentenceb"), ("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"),
    ("text1", "text2"), ("texta", "textb"), ("first", "second"), ("sent1", "sent2"), ("senta", "sentb"), ("s1", "s2"),
    ("1string", "2string"), ("string1", "string2"), ("questiona", "questionb"), ("firsttext", "secondtext"),
    ("firstsentence", "secondsentence"), ("text", "hypothesis"),
)  # fmt: skip
"""Names of two columns of texts as they are compared: letters and digits in small letters."""
LABELS = (
    "entailmentjudgment", "entailmentlabel", "goldlabel", "entailment", "judgment", "label", "isduplicate", "duplicate",
    "paraphrase", "isparaphrase", "quality", "relation", "class", "category", "target", "gold",
)  # fmt: skip
"""Names of a column of labels, the most telling first."""
SCORES = (
    "relatednessscore", "relatedness", "similarityscore", "similarity", "grade", "score", "rating", "label", "target",
    "gold",
)  # fmt: skip
"""Names of a column of scores, the most telling first."""
NO_CONSENSUS = "-"
"""What SNLI and MultiNLI write in `gold_label` where annotators did not agree."""

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {"id": pl.String, "inputs": pl.List(pl.String)}
SHOWN = 5
"""Rows named in a step."""


@dataclass(frozen=True)
class Columns:
    """Which columns hold the two texts and what is said of them; `label` None reads no judgment."""

    first: str
    second: str
    label: str | None


def sides(names: Sequence[str]) -> tuple[str, str] | None:
    """The two columns whose names say that they hold the texts of a pair."""
    plain = {_plain(name): name for name in reversed(names)}
    return next(((plain[one], plain[other]) for one, other in SIDES if one in plain and other in plain), None)


def judgment(names: Sequence[str], *, graded: bool) -> str | None:
    """The column whose name says that it holds the judgment."""
    plain = {_plain(name): name for name in reversed(names)}
    return next((plain[one] for one in (SCORES if graded else LABELS) if one in plain), None)


def columns(frame: pl.DataFrame, where: str, given: Sequence[str | None], *, graded: bool, judged: bool) -> Columns:
    """The columns meant: those given (first, second, label), the others by their names.

    Raises InputError where names do not say it, or two are the same. With `judged` false no judgment is looked for.
    """
    first, second, label = given
    if first is None or second is None:
        found = sides(frame.columns)
        if found is None:
            raise InputError(
                f"{where}: which two columns hold the texts? Give first=COLUMN and second=COLUMN. "
                f"Columns: {_listed(frame)}"
            )
        first, second = first or found[0], second or found[1]
    if judged and label is None:
        label = judgment([name for name in frame.columns if name not in (first, second)], graded=graded)
        if label is None:
            kind = "the score of a pair" if graded else "the label of a pair"
            raise InputError(f"{where}: which column holds {kind}? Give label=COLUMN. Columns: {_listed(frame)}")
    chosen = [first, second, *([label] if label and judged else [])]
    if len(set(chosen)) < len(chosen):
        raise InputError(f"{where}: first, second and label name the same column twice: {', '.join(chosen)}")
    return Columns(first, second, label if judged else None)


def read_judged(
    path: Path,
    given: Sequence[str | None],
    *,
    graded: bool = False,
    judged: bool = True,
    encoding: str = "utf-8",
    least_classes: int = 1,
) -> tuple[pl.DataFrame, list[str]]:
    """A file of pairs as id, inputs (both texts) and target, and what was left out, a sentence each."""
    frame = files.read_table(path, encoding=encoding)
    where = str(path)
    chosen = columns(frame, where, given, graded=graded, judged=judged)
    return table(frame, chosen, where, graded=graded, least_classes=least_classes)


def table(
    frame: pl.DataFrame, chosen: Columns, where: str, *, graded: bool = False, least_classes: int = 1
) -> tuple[pl.DataFrame, list[str]]:
    """Pairs as id, inputs and target (text, or numbers where graded; null without judgment), and what was left out.

    Rows with an empty side are left out and told; a row without judgment is refused, and so are scores that are no
    numbers. Rows are counted from 1, without the header.
    """
    first, second, empty = texts(frame, chosen, where)
    if empty.all():
        raise InputError(f"{where}: every pair has an empty side")
    steps = _left_out(empty, where, "with an empty side")
    ids, told = files.row_ids(frame, (chosen.first, chosen.second, chosen.label), where)
    out, steps = empty, steps + told
    if chosen.label is None:
        target = pl.Series([None] * len(frame), dtype=pl.Float64 if graded else pl.String)
    elif graded:
        target = _scores(frame, chosen.label, empty, where)
    else:
        target = _side(frame, chosen.label, "label", where).str.strip_chars()
        if _plain(chosen.label) == "goldlabel" and (unsure := (target == NO_CONSENSUS) & ~empty).any():
            steps += _left_out(unsure, where, f'without consensus (label "{NO_CONSENSUS}")')
            out = empty | unsure
        files.check_labels(target, out, chosen.label, where, least_classes)
    both = pl.select(pl.concat_list(first.alias("first"), second.alias("second"))).to_series()
    made = pl.DataFrame([ids.alias("id"), both.alias("inputs"), target.alias("target")])
    return made.filter(~out), steps


def texts(frame: pl.DataFrame, chosen: Columns, where: str) -> tuple[pl.Series, pl.Series, pl.Series]:
    """The first texts, the second ones, and where one of them is empty."""
    first, second = _side(frame, chosen.first, "first", where), _side(frame, chosen.second, "second", where)
    return first, second, (first.str.strip_chars() == "") | (second.str.strip_chars() == "")


def _scores(frame: pl.DataFrame, name: str, empty: pl.Series, where: str) -> pl.Series:
    if name not in frame.columns:
        pair_tables.text_column(frame, name, "label", where, SCORES)  # raises
    values = to_numbers(frame[name], where)
    missing = np.flatnonzero(np.isnan(values) & ~empty.to_numpy())
    if len(missing):
        others = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise InputError(
            f'{where}, row {missing[0] + 1}{others}: no score in column "{name}". Fill it in or remove the row '
            "(rows are counted from 1, without the header)"
        )
    return pl.Series(values, dtype=pl.Float64)


def _side(frame: pl.DataFrame, name: str, key: str, where: str) -> pl.Series:
    known = LABELS if key == "label" else [side[key == "second"] for side in SIDES]
    telling = [column.lower() for column in frame.columns if _plain(column) in known]
    return pair_tables.text_column(frame, name, key, where, telling)


def _left_out(rows: pl.Series, where: str, why: str) -> list[str]:
    at = [row + 1 for row in rows.arg_true().to_list()]
    if not at:
        return []
    shown = ", ".join(map(str, at[:SHOWN])) + (f" and {len(at) - SHOWN:,} more" if len(at) > SHOWN else "")
    noun = "pair" if len(at) == 1 else "pairs"
    return [f"{where}: {len(at):,} {noun} {why} left out (row{'s' * (len(at) > 1)} {shown})."]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _listed(frame: pl.DataFrame) -> str:
    return ", ".join(frame.columns[:20]) + (", …" if len(frame.columns) > 20 else "")
