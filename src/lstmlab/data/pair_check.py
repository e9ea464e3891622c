"""What is wrong with pairs of texts: empty or copied targets, sides of very different length, repeated pairs.

A sentence may well have several translations and a question several replies: other than two labels of one text, that is
no contradiction.
"""

from collections.abc import Iterator, Mapping

import polars as pl

from lstmlab.data.corpus import Corpus
from lstmlab.data.finding import SERIOUS, Finding, counted, ids, of

RATIO = 4.0
"""Sides are of very different length where one has this many times the characters of the other, beyond the usual."""
LEAST = 20
"""Nor does that count where both sides have fewer characters than this."""


def paired(parts: Mapping[str, Corpus]) -> bool:
    """Whether targets are sentences rather than labels: text, of several words, and mostly different."""
    part = parts.get("train") or next(iter(parts.values()), None)
    if part is None or part.frame.schema["target"] != pl.String or part.frame.schema["inputs"] != pl.String:
        return False
    targets = part.frame["target"].drop_nulls()
    wordy = len(targets) and targets.str.strip_chars().str.count_matches(r"\s+").mean() >= 0.5  # type: ignore[operator]
    different = targets.n_unique() > 0.5 * len(targets)
    return different and bool(wordy or len(targets) >= 50)


def within(rows: pl.DataFrame, part: str) -> Iterator[Finding]:
    """Findings about the pairs of one part: rows of id, inputs, target and key (what makes sources the same)."""
    rows = rows.with_columns(other=_key("target"))
    blank = rows.filter(pl.col("other") == "")
    if len(blank):
        yield Finding(
            "problem",
            f"Blank targets in {part}",
            f"{of(len(blank), len(rows))} of {part} have no target: nothing can be learned from them. Remove them.",
            len(blank),
            ids(blank),
        )
    rows = rows.filter((pl.col("key") != "") & (pl.col("other") != ""))
    again = rows.filter(~pl.struct("key", "other").is_first_distinct())
    if len(again):
        yield Finding(
            "warning" if len(again) > SERIOUS * len(rows) else "note",
            f"Repeated pairs in {part}",
            f"{of(len(again), len(rows))} of {part} repeat an earlier pair of it: they count twice. Keep one of each.",
            len(again),
            ids(again),
        )
    yield from _copied(rows, part)
    yield from _unlike(rows, part)
    yield from _several(rows, part)


def across(rows: pl.DataFrame) -> Iterator[Finding]:
    """Findings about targets that stand in training as well: they can be told by heart."""
    rows = rows.with_columns(other=_key("target")).filter(pl.col("other") != "")
    seen = rows.filter(pl.col("part") == "train")["other"].unique()
    for (part,), table in rows.group_by("part", maintain_order=True):
        both = table.filter(pl.col("other").is_in(seen.implode()))
        if part != "train" and len(both):
            yield Finding(
                "note",
                f"Targets of {part} that train has too",
                f"{of(len(both), len(table))} of {part} have a target that stands in train, with whatever source: "
                "common phrases, as a rule.",
                len(both),
                ids(both),
            )


def _key(column: str) -> pl.Expr:
    return pl.col(column).fill_null("").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def _copied(rows: pl.DataFrame, part: str) -> Iterator[Finding]:
    same = rows.filter(pl.col("key") == pl.col("other"))
    if len(same):
        yield Finding(
            "warning" if len(same) > SERIOUS * len(rows) else "note",
            f"Targets equal to their source in {part}",
            f"{of(len(same), len(rows))} of {part} have a target that is its source (names, or left untranslated).",
            len(same),
            ids(same),
        )


def _unlike(rows: pl.DataFrame, part: str) -> Iterator[Finding]:
    """Pairs whose sides differ in length as few do: what a file out of step looks like."""
    if rows.is_empty():
        return
    left, right = rows["key"].str.len_chars(), rows["other"].str.len_chars()
    usual = (left / right).median()
    ratio = left / right / usual
    longer = pl.DataFrame([left.alias("left"), right.alias("right")]).max_horizontal()
    odd = rows.filter(((ratio > RATIO) | (ratio < 1 / RATIO)) & (longer >= LEAST))
    if len(odd):
        share = len(odd) / len(rows)
        yield Finding(
            "warning" if share > SERIOUS else "note",
            f"Sides of very different length in {part}",
            f"{of(len(odd), len(rows))} of {part} have a side more than {RATIO:.0f} times as long as is usual for the "
            f"other{': are the two sides out of step?' if share > SERIOUS else '.'}",
            len(odd),
            ids(odd),
        )


def _several(rows: pl.DataFrame, part: str) -> Iterator[Finding]:
    groups = rows.unique(("key", "other")).group_by("key").len().filter(pl.col("len") > 1)
    if len(groups):
        yield Finding(
            "note",
            f"Sources with several targets in {part}",
            f"{counted(len(groups), 'source has', 'sources have')} several targets in {part}, "
            f"{int(groups['len'].max())} at most: a score against one of them understates.",  # type: ignore[arg-type]
            len(groups),
        )
