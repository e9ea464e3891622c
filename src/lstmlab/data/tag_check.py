"""What is wrong with tagged sentences: tags that cannot stand where they do, tags that only some parts have, sentences
that stand in several parts or are tagged in several ways.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

import polars as pl

from lstmlab.data import spans
from lstmlab.data.check import FEW, check
from lstmlab.data.corpus import Corpus, Source
from lstmlab.data.finding import EXAMPLES, LEVELS, Finding, counted
from lstmlab.data.load import Watch
from lstmlab.data.spans import Scheme
from lstmlab.data.tagging import TaggingData, load_tagged, read_tables

SHOWN = 8
"""How many tags a finding names."""


def check_tagged(
    settings: TaggingData, seed: int, watch: Watch = Watch()
) -> tuple[dict[str, Corpus], tuple[Finding, ...]]:
    """The parts that training would see, and all findings about them, problems first.

    Tags that cannot stand where they do are counted, and mended for everything else.
    """
    tables, source = read_tables(settings, watch)
    scheme = settings.scheme or spans.scheme_of(tables["train"]["target"].to_list())
    found = [finding for name, table in tables.items() for finding in _misplaced(table, name, scheme)]
    data = load_tagged(settings.model_copy(update={"repair": True}), seed, watch)
    parts = {name: part for name, part in data.parts.items() if isinstance(part, Corpus)}
    found += [*_left_out(source), *check({name: _texts(part) for name, part in parts.items()})]
    counts = {name: _counts(part, scheme) for name, part in parts.items()}
    found += _learned(counts["train"], scheme)
    found += [
        finding for name in counts if name != "train" for finding in _unknown(name, counts[name], counts["train"])
    ]
    found += [finding for name, part in parts.items() for finding in _several(part, name)]
    return parts, tuple(sorted(found, key=lambda finding: LEVELS.index(finding.level)))


def _misplaced(table: pl.DataFrame, part: str, scheme: Scheme) -> Iterator[Finding]:
    """Tags that no spans of the scheme could have left there."""
    if scheme == "plain":
        return
    places = [len(spans.spans(tags, scheme)[1]) for tags in table["target"].to_list()]
    bad = [at for at, count in enumerate(places) if count]
    if bad:
        yield Finding(
            "problem",
            f"Tags in {part} that cannot stand where they do",
            f"{counted(sum(places), 'tag', 'tags')} of {counted(len(bad), 'sentence', 'sentences')} cannot be in "
            f"{scheme.upper()} (such as I-X after O): training refuses them. Mend them with data.repair=true, or name "
            "another data.scheme.",
            len(bad),
            tuple(f"{part} {table['id'][at]}" for at in bad[:EXAMPLES]),
        )


def _left_out(source: Source) -> Iterator[Finding]:
    told = [step for step in source.steps if "left out" in step]
    if told:
        yield Finding("note", "Left out in reading", " ".join(told), len(told))


def _texts(part: Corpus) -> Corpus:
    """The sentences as texts without labels, for all that is asked of texts."""
    return Corpus.of(part.frame.with_columns(inputs=pl.col("inputs").list.join(" "), target=pl.lit(None, pl.String)))


def _counts(part: Corpus, scheme: Scheme) -> Counter[str]:
    """How many words have each tag, or how many spans are of each kind."""
    if scheme == "plain":
        return Counter(tag for tags in part.targets for tag in tags)
    return Counter(span.kind for tags in part.targets for span in spans.spans(tags, scheme)[0])


def _learned(counts: Counter[str], scheme: Scheme) -> Iterator[Finding]:
    """What there is to learn."""
    what = ("word", "words") if scheme == "plain" else ("span", "spans")
    if len(counts) < (2 if scheme == "plain" else 1):
        yield Finding("problem", "One tag only in train", "All words have the same tag: nothing can be learned.", 1)
        return
    total = sum(counts.values())
    shares = [f"{tag} {100 * count / total:.1f} %" for tag, count in counts.most_common(SHOWN)]
    more = f", and {len(counts) - SHOWN} more" if len(counts) > SHOWN else ""
    told = f"{counted(total, *what)}, {scheme.upper() if scheme != 'plain' else 'tags that mark no spans'}"
    yield Finding("note", "Tags in train", f"{told}: {', '.join(shares)}{more}.", len(counts))
    few = [tag for tag, count in counts.items() if count < FEW]
    if few and total >= 10 * FEW:
        text = f"{counted(len(few), 'tag has', 'tags have')} fewer than {FEW} {what[1]} in train: {_list(few)}."
        yield Finding("warning", "Rare tags in train", text, len(few))


def _unknown(part: str, counts: Counter[str], train: Mapping[str, int]) -> Iterator[Finding]:
    strange = [tag for tag in counts if tag not in train]
    if strange:
        missed = sum(counts[tag] for tag in strange)
        yield Finding(
            "problem",
            f"Tags of {part} that train lacks",
            f"{_list(strange)}: {missed:,} of {part} cannot be got right.",
            len(strange),
        )


def _several(part: Corpus, name: str) -> Iterator[Finding]:
    """Sentences that stand there with other tags again."""
    rows = part.frame.with_columns(pl.col("inputs").list.join("\t").alias("text"), pl.col("target").list.join("\t"))
    split = rows.filter(pl.col("target").n_unique().over("text") > 1).sort("text", maintain_order=True)
    if len(split):
        texts = split["text"].n_unique()
        yield Finding(
            "warning",
            f"The same sentence tagged in several ways in {name}",
            f"{counted(texts, 'sentence stands', 'sentences stand')} there with different tags, {len(split):,} times "
            "in all: no model can get them all right.",
            len(split),
            tuple(f"{name} {one}" for one in split["id"].head(EXAMPLES)),
        )


def _list(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
