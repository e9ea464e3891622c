"""From the `data` block of a recipe to sentences whose words are tagged."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import BeforeValidator

from lstmlab.baselines import WORD
from lstmlab.data import cache, spans
from lstmlab.data.corpus import Corpus, Dataset, Source, shuffled
from lstmlab.data.datasets import named, tagged
from lstmlab.data.load import Watch
from lstmlab.data.parts import PartedData
from lstmlab.data.spans import Scheme
from lstmlab.errors import InputError, unknown

IN_TRAINING = "Mend such tags with data.repair=true, or name another data.scheme"
AFTERWARDS = (
    "Mend the file: its tags have to be in the scheme that was trained with. Only a run trained with data.repair=true "
    "mends such tags itself"
)
"""What can be done about a tag that cannot stand where it does, where a run is finished."""

# `text=1` is a number to YAML, and the first column to whoever types it.
Column = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]


class TaggingData(PartedData):
    """Which sentences to learn to tag, and how they are parted.

    One's own are columns (a word a line, blank lines between sentences), CoNLL-U, or JSON lines.
    """

    text: Column | None = None
    """The column of the words: its number (from 1), a name of CoNLL-U or a JSON field; guessed where not given."""
    label: Column | None = None
    """The column of the tags: likewise; of a named set with several kinds of tags, which of them."""
    scheme: Scheme | None = None
    """How tags mark spans: bio, iob1, bioes, or plain for tags that mark none. null: what the training part shows."""
    repair: bool = False
    """Mend tags that cannot stand where they do (I-X after O) as conlleval reads them, instead of refusing them."""

    join_valid: bool = False
    """Learn from the validation part too, once everything has been chosen by it: nothing is left to choose an epoch by,
    so the last weights are kept."""

    def idle(self) -> dict[str, str]:
        """What a named set, or a validation part that is learned from, leaves without effect."""
        reasons = super().idle()
        if self.join_valid:
            reasons["valid_fraction"] = "data.join_valid=true leaves no validation part"
        if self.name is not None:
            reasons["text"] = f"it names a column of one's own file; data.name is {self.name}"
            chosen = named.NAMED.get(self.name)
            if chosen is not None and not chosen.tags:
                reasons["label"] = f"{self.name} has one kind of tags"
        return reasons


def load_tagged(settings: TaggingData, seed: int, watch: Watch = Watch()) -> Dataset:
    """The parts a recipe names, each with inputs (lists of words) and target (lists of tags of one scheme).

    Raises InputError for every fault of file, line, column or name.
    """
    tables, source = read_tables(settings, watch)
    scheme = settings.scheme or spans.scheme_of(tables["train"]["target"].to_list())
    parts: dict[str, pl.DataFrame] = {}
    for part, table in tables.items():
        where = f"{source.name}, {part} part"
        parts[part], told = sound(table, scheme, where, repair=settings.repair, advice=IN_TRAINING)
        source = source.then(*told)
    if settings.join_valid and "valid" in parts:
        parts, joined = _joined(parts)
        source = source.then(joined)
    found, steps = _complete({name: Corpus.of(table) for name, table in parts.items()}, settings, seed)
    return Dataset(found["train"], found.get("valid"), found["test"], source.then(*steps))


def _joined(parts: dict[str, pl.DataFrame]) -> tuple[dict[str, pl.DataFrame], str]:
    """The validation part behind the training part, its ids with its name in front; and what was done."""
    valid = parts["valid"].with_columns(pl.format("valid/{}", pl.col("id").str.strip_prefix("valid/")).alias("id"))
    left = {name: table for name, table in parts.items() if name != "valid"}
    told = (
        f"The {len(valid):,} sentences of the validation part were learned from too; nothing was chosen by them here."
    )
    return {**left, "train": pl.concat([parts["train"], valid])}, told


def read_tables(settings: TaggingData, watch: Watch = Watch()) -> tuple[dict[str, pl.DataFrame], Source]:
    """The parts as they are in the files, whatever their tags: id, inputs, target."""
    return _read_named(settings, watch) if settings.name is not None else _read_own(settings, watch)


def sound(
    table: pl.DataFrame, scheme: Scheme, where: str, *, repair: bool, advice: str = AFTERWARDS
) -> tuple[pl.DataFrame, list[str]]:
    """A part all of whose tags can stand where they do, written in one way (BILOU as BIOES), and what was mended.

    Raises InputError, with `advice`, for a tag that cannot, unless it is to be repaired.
    """
    if scheme == "plain":
        return table, []
    targets, wrong, written = table["target"].to_list(), 0, []
    for row, tags in enumerate(targets):
        _, places = spans.spans(tags, scheme)
        if places and not repair:
            at = places[0]
            words = table["inputs"][row]
            before = tags[at - 1] if at else "the beginning of the sentence"
            raise InputError(
                f'{where}, sentence {table["id"][row]}: "{words[at]}" is tagged {tags[at]} after {before}, which '
                f"cannot be in {scheme.upper()}. {advice}"
            )
        wrong += len(places)
        written.append(spans.repaired(tags, scheme) if places else spans.converted(tags, scheme, scheme))
    told = f"{where}: {wrong:,} tags that could not stand where they did were mended as conlleval reads them."
    return table.with_columns(target=pl.Series(written, dtype=pl.List(pl.String))), [told] if wrong else []


def _read_named(settings: TaggingData, watch: Watch) -> tuple[dict[str, pl.DataFrame], Source]:
    name = str(settings.name)
    chosen, frames, source = named.open_for(
        name,
        "tagging",
        announce=watch.say,
        progress=lambda done, total: watch.progress(f"fetching {name}", done, total),
    )
    label = settings.label or (chosen.tags[0] if chosen.tags else "target")
    if chosen.tags and label not in chosen.tags:
        raise unknown("kind of tags", label, chosen.tags)
    return {part: table.select("id", "inputs", pl.col(label).alias("target")) for part, table in frames.items()}, source


def _read_own(settings: TaggingData, watch: Watch) -> tuple[dict[str, pl.DataFrame], Source]:
    given = settings.files()
    parts, steps = {}, []
    for part, file in given.items():
        watch.say(f"Reading {file}")
        parts[part], told = read_file(settings, file)
        steps += [f"{part}: {line}" if len(given) > 1 else line for line in told]
    path = given["train"]
    checksums = {part: cache.digest(file) for part, file in given.items()}
    source = Source(path.name, "files of one's own", address=str(path), checksums=checksums, steps=tuple(steps))
    return parts, source


def read_file(
    settings: TaggingData, file: Path, *, labelled: bool = True, encoding: str | None = None
) -> tuple[pl.DataFrame, list[str]]:
    """One more file with the columns of `settings`."""
    own = settings.name is None
    return tagged.read_tagged(
        file,
        words=settings.text if own else None,
        tags=settings.label if labelled else None,
        encoding=encoding or settings.encoding,
        tagged=labelled,
    )


def _complete(parts: dict[str, Corpus], settings: TaggingData, seed: int) -> tuple[dict[str, Corpus], list[str]]:
    """Split off the parts that are missing, whole sentences drawn by chance, and limit the training part."""
    steps = []
    for part, fraction in (("test", settings.test_fraction), ("valid", settings.valid_fraction)):
        if part == "valid" and settings.limit is not None and settings.limit < len(parts["train"]):
            parts["train"] = _drawn(parts["train"], settings.limit, seed)[1]
            steps.append(f"Training part limited to {settings.limit:,} sentences, seed {seed}.")
        if part not in parts and not (part == "valid" and settings.join_valid):
            count = max(1, round(fraction * len(parts["train"])))
            if count >= len(parts["train"]):
                raise InputError(
                    f"{len(parts['train'])} sentences are too few to split off {fraction:.0%}: give the parts as files "
                    "of their own (data.valid, data.test) or add sentences"
                )
            parts["train"], parts[part] = _drawn(parts["train"], count, seed)
            purpose = "testing" if part == "test" else "validation"
            steps.append(f"{count:,} sentences split off for {purpose}, seed {seed}.")
    return parts, steps


def _drawn(corpus: Corpus, count: int, seed: int) -> tuple[Corpus, Corpus]:
    """The rest, and `count` sentences drawn by chance; both in their order."""
    order = shuffled(len(corpus), seed)
    return corpus.take(np.sort(order[count:])), corpus.take(np.sort(order[:count]))


def words_of(text: str) -> list[str]:
    """The words and marks of a typed sentence."""
    return re.findall(rf"{WORD}|[^\w\s]", text)


def kinds(tags: Sequence[Sequence[str]]) -> list[str]:
    """All tags that occur, by alphabet."""
    return sorted({tag for sentence in tags for tag in sentence})
