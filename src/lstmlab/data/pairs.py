"""From the `data` block of a recipe to pairs of texts: sentences with translations, turns of a dialogue with replies.

Parts that are missing are split off by source: all pairs with one source sentence, or of one dialogue, stand in the
same part, or a test would ask for what training has shown with another wording.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
import polars as pl
from pydantic import BeforeValidator, Field

from lstmlab.data import cache, grouping
from lstmlab.data.corpus import Corpus, Dataset, Source, shuffled
from lstmlab.data.datasets import aligned, dialogues, files, named, pair_tables
from lstmlab.data.datasets.aligned import Sides
from lstmlab.data.load import Watch
from lstmlab.data.parts import PartedData
from lstmlab.errors import InputError, unknown

P = TypeVar("P", bound="PairSettings")

# `source=1` is a number to YAML, and the first column to whoever types it.
Column = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]


class PairSettings(PartedData):
    """Which pairs of texts to learn from, and how they are parted.

    One's own are a table (CSV, TSV, JSONL, Parquet), two aligned files, or a folder of them (train.en, train.fr, …), in
    which a part is called by its source side.
    """

    source: Column | None = None
    """What is read: a column of a table (counted from 1 where it has no header), a file with a sentence a line, an
    ending of aligned files in a folder, or a language of a named set."""
    target: Column | None = None
    """What is written: likewise."""
    drop_repeated: bool = True
    """Leave out training pairs of which source and target both stand in the validation or the test part as well."""

    @property
    def task(self) -> str:
        """What its pairs are for."""
        return "translation"

    def located(self: P) -> P:
        """The same with whole paths, so that what was trained here can be trained, scored and resumed from anywhere."""
        inside = {
            part: file
            for part in ("valid", "test")
            # In a folder of aligned files a part is called by its name in there.
            if (file := getattr(self, part)) and self.path and Path(self.path).is_dir() and not Path(file).exists()
        }
        sides = ("source", "target") if self.name is None and self.path is None else ()
        return self.model_copy(update=self.whole("path", "valid", "test", *sides) | inside)

    def idle(self) -> dict[str, str]:
        """What a named set or files of one's own leave without effect."""
        reasons = super().idle()
        if self.name in named.NAMED and not named.NAMED[self.name].languages:
            reasons |= dict.fromkeys(("source", "target"), f"{self.name} has no languages to choose from")
        for part in _own_parts(self) - {"train"}:
            reasons.setdefault(f"{part}_fraction", f"{self.path} has a {part} part of its own")
        return reasons


class TranslationData(PairSettings):
    """Which sentences to learn to translate, and how they are parted."""


class DialogueData(PairSettings):
    """Which dialogues to learn to reply from, and how they are parted."""

    turns: int = Field(default=2, gt=0)
    """How many turns before a reply the model reads at most; the oldest are dropped."""

    @property
    def task(self) -> str:
        """What its pairs are for."""
        return "dialogue"


def load_pairs(settings: PairSettings, seed: int, watch: Watch = Watch()) -> Dataset:
    """The parts a recipe names, each with the columns id, inputs (the source) and target, all text.

    For dialogue `inputs` are the turns before the reply, oldest first, one a line. Raises InputError for every fault
    of file, column, language or name.
    """
    parts, source = read_pairs(settings, watch)
    return _complete(parts, source, settings, seed)


def read_pairs(settings: PairSettings, watch: Watch = Watch()) -> tuple[dict[str, pl.DataFrame], Source]:
    """The parts as they are, before anything is split off: tables of id, inputs, target and group (what must stay
    together); one of them at least, named train."""
    raw, source = _read_named(settings, watch) if settings.name is not None else _read_own(settings, watch)
    parts: dict[str, pl.DataFrame] = {}
    steps: list[str] = []
    for part, table in raw.items():
        parts[part], told = _pairs(table, settings, f"{source.name}, {part} part" if len(raw) > 1 else source.name)
        steps += [f"{part}: {line}" if len(raw) > 1 else line[0].upper() + line[1:] for line in told]
    return parts, source.then(*steps)


def read_part(file: Path, settings: PairSettings) -> tuple[Corpus, tuple[str, ...]]:
    """One more file of one's own with the columns of `settings`, as a part to score; and what was done to it.

    Of aligned files it is the source side.
    """
    steps: tuple[str, ...] = ()
    folder = settings.path is not None and Path(settings.path).is_dir()
    if folder or (settings.name is None and settings.path is None):
        source, target = (Path(f"a.{end}") for end in _endings(settings)) if folder else _sides(settings)
        other = aligned.other_side(file, source, target)
        table, steps = aligned.read_sides(file, other, encoding=settings.encoding)
    else:
        table, steps = _read_table(file, settings)
    pairs, told = _pairs(table, settings, str(file))
    return Corpus.of(pairs.drop("group")), (*steps, *told)


# ---- Where the pairs are --------------------------------------------------------------------------------------------


def _read_named(settings: PairSettings, watch: Watch) -> tuple[dict[str, pl.DataFrame], Source]:
    name = str(settings.name)
    fitting = [entry.name for entry in named.NAMED.values() if entry.task == settings.task]
    if name not in named.NAMED:
        raise unknown("data set", name, fitting)
    chosen = named.NAMED[name]
    if chosen.task != settings.task:
        raise InputError(
            f"{name} is a data set for {chosen.task}, not for {settings.task}. For that: {', '.join(fitting)}"
        )
    direction = _direction(chosen, settings) if chosen.languages else None
    parts, source = named.open_named(
        name, announce=watch.say, progress=lambda done, total: watch.progress(f"fetching {name}", done, total)
    )
    tables = {part: corpus.frame for part, corpus in parts.items()}
    if direction is None:
        return tables, source
    held = dict(zip(chosen.languages, ("inputs", "target", *chosen.languages[2:]), strict=True))
    read, written = (
        pl.col(held[language]).alias(side) for language, side in zip(direction, ("inputs", "target"), strict=True)
    )
    turned = {part: table.select("id", read, written) for part, table in tables.items()}
    return turned, source.then(f"Translated is from {direction[0]} to {direction[1]}.")


def _direction(chosen: named.NamedSet, settings: PairSettings) -> tuple[str, str]:
    """The languages asked for; by default the set's first two, or what is left of them."""
    known = chosen.languages
    for key, language in (("source", settings.source), ("target", settings.target)):
        if language is not None and language not in known:
            raise InputError(f'{chosen.name} has no language "{language}" (data.{key}). It has: {", ".join(known)}')
    source = settings.source or next(language for language in known if language != settings.target)
    target = settings.target or next(language for language in known if language != source)
    if source == target:
        raise InputError(f"data.source and data.target are both {source}: {chosen.name} has {', '.join(known)}")
    return source, target


def _read_own(settings: PairSettings, watch: Watch) -> tuple[dict[str, pl.DataFrame], Source]:
    """One's own files: two aligned ones, a folder of them, or a table for each part."""
    if settings.path is not None and Path(settings.path).is_dir():
        sides = aligned.folder_parts(Path(settings.path), *_endings(settings), valid=settings.valid, test=settings.test)
        return _read_sides(sides, Path(settings.path), settings, watch)
    if settings.path is None:
        source, target = _sides(settings)
        sides = {"train": (source, target)}
        for part, file in (("valid", settings.valid), ("test", settings.test)):
            if file is not None:
                sides[part] = (Path(file), aligned.other_side(Path(file), source, target))
        return _read_sides(sides, source, settings, watch)
    given = {"train": settings.path, "valid": settings.valid, "test": settings.test}
    tables: dict[str, pl.DataFrame] = {}
    steps: tuple[str, ...] = ()
    checksums: dict[str, str] = {}
    for part, file in given.items():
        if file is not None:
            watch.say(f"Reading {file}")
            tables[part], told = _read_table(Path(file), settings)
            steps, checksums[part] = (*steps, *told), cache.digest(Path(file))
    path = Path(settings.path)
    return tables, Source(path.name, "files of one's own", address=str(path), checksums=checksums, steps=steps)


def _sides(settings: PairSettings) -> Sides:
    """The two aligned files that source and target name where there is no path."""
    if settings.source is None or settings.target is None:
        raise InputError(
            "no data: give data.name=NAME (see `lstmlab data list`), data.path=FILE, "
            "or two aligned files as data.source=FILE data.target=FILE"
        )
    return Path(settings.source), Path(settings.target)


def _endings(settings: PairSettings) -> tuple[str, str]:
    if settings.source is None or settings.target is None:
        known = aligned.endings(Path(str(settings.path)))
        raise InputError(
            f"{settings.path} is a folder: give the endings of its two sides, such as source=en target=fr for train.en "
            f"and train.fr. Endings there: {', '.join(known) or 'none that pair'}"
        )
    return settings.source, settings.target


def _read_sides(
    sides: Mapping[str, Sides], place: Path, settings: PairSettings, watch: Watch
) -> tuple[dict[str, pl.DataFrame], Source]:
    tables: dict[str, pl.DataFrame] = {}
    steps: tuple[str, ...] = ()
    checksums: dict[str, str] = {}
    for part, (source, target) in sides.items():
        watch.say(f"Reading {source} and {target}")
        tables[part], told = aligned.read_sides(source, target, encoding=settings.encoding)
        steps = (*steps, *told)
        checksums |= {path.name: cache.digest(path) for path in (source, target)}
    return tables, Source(place.name, "files of one's own", address=str(place), checksums=checksums, steps=steps)


def _read_table(path: Path, settings: PairSettings) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """A table of pairs, or dialogues (one a row, target null) where the settings are for them."""
    if settings.task == "dialogue":
        read: Callable[[Path, str], list[dialogues.Dialogue] | None] | None = None
        name = path.name.lower().removesuffix(".gz")
        if name.endswith((".txt", ".text")):
            read = dialogues.read_text_dialogues
        elif files.FORMATS.get(Path(name).suffix) == "jsonl":
            read = dialogues.read_json_dialogues
        found = read(path, settings.encoding) if read else None
        if found is not None:
            for key in ("source", "target"):
                if getattr(settings, key) is not None:
                    raise InputError(f"data.{key} names a column, and {path} holds whole dialogues: leave it out")
            return dialogues.table(found), ()
    # The columns of a named set are languages, which say nothing about a file of one's own.
    source, target = (settings.source, settings.target) if settings.name is None else (None, None)
    return pair_tables.read(path, source, target, encoding=settings.encoding), ()


def _own_parts(settings: PairSettings) -> set[str]:
    """The parts a folder of one's own brings; none where it cannot be told."""
    if settings.path is None or not Path(settings.path).is_dir() or not (settings.source and settings.target):
        return set()
    try:
        return set(
            aligned.folder_parts(
                Path(settings.path), settings.source, settings.target, valid=settings.valid, test=settings.test
            )
        )
    except InputError:
        # What is wrong with the folder is told when it is read.
        return set()


# ---- Pairs from tables ----------------------------------------------------------------------------------------------


def _pairs(table: pl.DataFrame, settings: PairSettings, where: str) -> tuple[pl.DataFrame, list[str]]:
    """A part's pairs with the group each belongs to, and what was done, a sentence each (for after "train: ")."""
    steps = []
    if isinstance(settings, DialogueData):
        if not table["target"].null_count():
            table, told = _chained(table, where)
            steps += told
        table, told = _replies(table, settings.turns, where)
        steps += told
    else:
        # As in a typed sentence: what a cell says on several lines is one text, and no turns.
        table = table.with_columns(_on_one_line(name) for name in ("inputs", "target"))
        table = table.with_columns(pl.Series("group", grouping.keys(table["inputs"])))
    empty = (pl.col("inputs").str.strip_chars() == "") | (pl.col("target").str.strip_chars() == "")
    kept = table.filter(~empty)
    if kept.is_empty():
        raise InputError(f"{where}: every pair has an empty side")
    if len(kept) < len(table):
        steps.append(f"{_count(len(table) - len(kept), 'pair')} of {len(table):,} with an empty side left out.")
    same = int((kept["inputs"].str.strip_chars() == kept["target"].str.strip_chars()).sum())
    if same == len(kept) and same > 1:
        raise InputError(f"{where}: all {same:,} targets are the same as their sources: are both sides one language?")
    if same:
        steps.append(f"{_count(same, 'pair')} of {len(kept):,} with a target that is its source.")
    return kept, steps


def _chained(table: pl.DataFrame, where: str) -> tuple[pl.DataFrame, list[str]]:
    """Questions with replies as dialogues, so that what was said before is read, and split, as one."""
    rows = [(name, *map(dialogues.flat, pair)) for name, *pair in table.rows() if all(side.strip() for side in pair)]
    if not rows:
        raise InputError(f"{where}: every pair has an empty side")
    found = dialogues.chained(rows)
    steps = []
    if len(rows) < len(table):
        steps.append(f"{_count(len(table) - len(rows), 'pair')} of {len(table):,} with an empty side left out.")
    if len(found) < len(rows):
        became = f"{len(rows):,} questions and replies became {_count(len(found), 'dialogue')}"
        steps.append(f"{became}; one goes on while a question is the reply before it.")
    return dialogues.table(found), steps


def _replies(table: pl.DataFrame, turns: int, where: str) -> tuple[pl.DataFrame, list[str]]:
    """Dialogues as pairs: every turn but the first is a reply to at most `turns` turns before it."""
    rows = []
    short, longest = 0, 0
    for name, text in table.select("id", "inputs").iter_rows():
        said = text.split("\n")
        longest = max(longest, len(said))
        short += len(said) < 2
        rows += [
            (f"{name}/{at}", "\n".join(said[max(0, at - turns) : at]), said[at], said[0]) for at in range(1, len(said))
        ]
    if not rows:
        raise InputError(f"{where}: no dialogue of two turns or more: there is nothing to reply to")
    pairs = pl.DataFrame(rows, schema=dict.fromkeys(("id", "inputs", "target", "group"), pl.String), orient="row")
    steps = [f"{len(table) - short:,} dialogues gave {len(pairs):,} replies, each to at most {_count(turns, 'turn')}."]
    if short:
        steps.append(f"{_count(short, 'dialogue')} of a single turn left out.")
    if turns > longest - 1:
        steps.append(f"no dialogue has more than {_count(longest, 'turn')}: turns={longest - 1} would read the same.")
    return pairs.with_columns(pl.Series("group", grouping.keys(pairs["group"]))), steps


def _complete(parts: dict[str, pl.DataFrame], source: Source, settings: PairSettings, seed: int) -> Dataset:
    """Split off the parts that are missing and limit the training part, telling each step."""
    train, valid, test = parts["train"], parts.get("valid"), parts.get("test")
    kind = "dialogues with one opening" if settings.task == "dialogue" else "pairs with one source"
    steps = []
    if test is None:
        train, test = grouping.split(train, settings.test_fraction, seed, kind)
        steps.append(f"{_count(len(test), 'pair')} split off for testing, all {kind} together, seed {seed}.")
    if settings.limit is not None and settings.limit < len(train):
        train = train[np.sort(shuffled(len(train), seed)[: settings.limit])]
        steps.append(f"Training part limited to {_count(len(train), 'pair')} chosen at random, seed {seed}.")
    if valid is None:
        train, valid = grouping.split(train, settings.valid_fraction, seed, kind)
        steps.append(
            f"{_count(len(valid), 'training pair')} split off for validation, all {kind} together, seed {seed}."
        )
    if settings.drop_repeated and len(fresh := grouping.without(train, valid, test)) < len(train):
        dropped = _count(len(train) - len(fresh), "training pair")
        steps.append(f"{dropped} left out that stand in the validation or the test part too, source and target.")
        train = fresh
        if not len(train):
            raise InputError("every training pair stands in the validation or the test part too: nothing is left")
    steps += [
        line for part, table in (("test", test), ("valid", valid)) for line in grouping.overlap(train, table, part)
    ]
    train_part, valid_part, test_part = (
        Corpus.of(table.select("id", "inputs", "target")) for table in (train, valid, test)
    )
    return Dataset(train_part, valid_part, test_part, source.then(*steps))


def _on_one_line(column: str) -> pl.Expr:
    text = pl.col(column)
    flat = text.str.strip_chars().str.replace_all(r"[^\S\r\n]*[\r\n]\s*", " ")
    return pl.when(text.str.contains(r"[\r\n]")).then(flat).otherwise(text).alias(column)


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
