"""What is wrong with pairs of texts: empty or copied targets, sides of very different length, repeated pairs.

A sentence may well have several translations and a question several replies: other than two labels of one text, that is
no contradiction.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations

import polars as pl

from lstmlab.data.corpus import Corpus
from lstmlab.data.finding import EXAMPLES, Finding, by_share, counted, of, shared

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


def judged(part: Corpus) -> bool:
    """Whether inputs are two texts that something is said of: a label, or a score."""
    schema = part.frame.schema
    return schema["inputs"] == pl.List(pl.String) and not isinstance(schema["target"], pl.List)


def turned(parts: Mapping[str, Corpus]) -> Iterator[Finding]:
    """Findings about judged pairs whose two texts stand in an earlier part the other way round."""
    sides = {name: _sides(part, name) for name, part in parts.items() if judged(part)}
    for early, late in combinations(sides, 2):
        known = sides[early].select(key="other", other="key", twin="id").unique(("key", "other"), keep="first")
        there = sides[late].filter(pl.col("key") != pl.col("other"))
        both = there.join(known, on=["key", "other"], how="inner", maintain_order="left")
        if len(both):
            yield Finding(
                "warning",
                f"Pairs of {late} that stand in {early} the other way round",
                f"{of(len(both), len(sides[late]))} of {late} stand in {early} with their texts exchanged: where the "
                f"judgment holds either way, the score on {late} is partly memory. Remove them from {early}.",
                len(both),
                tuple(both.head(EXAMPLES).select(pl.format("{} = {}", "id", "twin")).to_series().to_list()),
            )


def _sides(part: Corpus, name: str) -> pl.DataFrame:
    """The pairs of a part: id as shown, key and other (what makes first and second texts the same)."""
    shown = pl.when(pl.col("id").str.starts_with(f"{name}/")).then("id").otherwise(f"{name} " + pl.col("id"))
    both = part.frame.with_columns(one=pl.col("inputs").list.get(0), two=pl.col("inputs").list.get(1))
    return both.select(shown.alias("id"), _key("one").alias("key"), _key("two").alias("other"))


def within(rows: pl.DataFrame, part: str) -> Iterator[Finding]:
    """Findings about the pairs of one part: rows of id, inputs, target and key (what makes sources the same)."""
    rows = rows.with_columns(other=_key("target"))
    blank = rows.filter(pl.col("other") == "")
    told = "have no target: nothing can be learned from them. Remove them."
    yield from shared("problem", f"Blank targets in {part}", blank, len(rows), part, told)
    rows = rows.filter((pl.col("key") != "") & (pl.col("other") != ""))
    again, same = (
        rows.filter(~pl.struct("key", "other").is_first_distinct()),
        rows.filter(pl.col("key") == pl.col("other")),
    )
    told = "repeat an earlier pair of it: they count twice. Keep one of each."
    level = by_share(len(again), len(rows))
    yield from shared(level, f"Repeated pairs in {part}", again, len(rows), part, told)
    told = "have a target that is its source (names, or left untranslated)."
    level = by_share(len(same), len(rows))
    yield from shared(level, f"Targets equal to their source in {part}", same, len(rows), part, told)
    yield from _unlike(rows, part)
    yield from _several(rows, part)


def across(rows: pl.DataFrame) -> Iterator[Finding]:
    """Findings about targets that stand in training as well: they can be told by heart."""
    rows = rows.with_columns(other=_key("target")).filter(pl.col("other") != "")
    seen = rows.filter(pl.col("part") == "train")["other"].unique()
    for (part,), table in rows.group_by("part", maintain_order=True):
        if part != "train":
            both = table.filter(pl.col("other").is_in(seen.implode()))
            told = "have a target that stands in train, with whatever source: common phrases, as a rule."
            yield from shared("note", f"Targets of {part} that train has too", both, len(table), str(part), told)


def _key(column: str) -> pl.Expr:
    return pl.col(column).fill_null("").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()


def _unlike(rows: pl.DataFrame, part: str) -> Iterator[Finding]:
    """Pairs whose sides differ in length as few do: what a file out of step looks like."""
    if rows.is_empty():
        return
    left, right = rows["key"].str.len_chars(), rows["other"].str.len_chars()
    usual = (left / right).median()
    ratio = left / right / usual
    longer = pl.DataFrame([left.alias("left"), right.alias("right")]).max_horizontal()
    odd = rows.filter(((ratio > RATIO) | (ratio < 1 / RATIO)) & (longer >= LEAST))
    level = by_share(len(odd), len(rows))
    asked = ": are the two sides out of step?" if level == "warning" else "."
    told = f"have a side more than {RATIO:.0f} times as long as is usual for the other{asked}"
    yield from shared(level, f"Sides of very different length in {part}", odd, len(rows), part, told)


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
