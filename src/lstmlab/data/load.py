"""From the `data` block of a recipe to the parts of a data set.

A named set or one's own files; a limit; and, where a part is missing, a stratified, seeded split. The test part is
split off first, so that neither the limit nor another validation share ever moves an example into or out of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, model_validator

from lstmlab.data import cache
from lstmlab.data.corpus import Corpus, Dataset, Source, limited, stratified_fold, stratified_split
from lstmlab.data.datasets import files, folders, named, sequences, synthetic
from lstmlab.data.parts import PartedData
from lstmlab.errors import InputError, unknown


class DataSettings(PartedData):
    """Which texts to learn from, and how they are parted.

    One's own file is a CSV, TSV, JSONL or Parquet table; a folder has class folders (also as .tar.gz or .zip).
    """

    text: str | None = None
    """The column that holds the text; guessed where not given."""
    label: str | None = None
    """The column that holds the label; guessed where not given."""
    sequence: str | None = None
    """A table of measurements instead of texts, a row a step: the column that tells the sequences apart. All other
    columns of numbers are read, and each sequence has one label."""
    folds: int | None = Field(default=None, ge=2)
    """Cross-validation: cut the data into this many parts, labels in proportion, of which one is the test part."""
    fold: int = Field(default=1, ge=1)
    """Which of the `folds` is the test part, counted from 1."""
    length: int = Field(default=20, gt=0)
    """Synthetic sets: the longest sequence, in steps."""
    count: int = Field(default=2000, gt=9)
    """Synthetic sets: how many training examples."""

    @model_validator(mode="after")
    def _fold_there(self) -> "DataSettings":
        if self.folds is not None and self.fold > self.folds:
            raise ValueError(f"data.fold is {self.fold}, and there are {self.folds} folds")
        return self

    @property
    def numeric(self) -> bool:
        """Whether its examples are sequences of numbers."""
        chosen = named.NAMED.get(str(self.name))
        return self.sequence is not None or (chosen is not None and chosen.numeric)

    def idle(self) -> dict[str, str]:
        """What a named set, a file of its own or a synthetic set leaves without effect."""
        reasons = super().idle()
        if self.name is not None:
            told = f"it names a column of one's own file; data.name is {self.name}"
            reasons |= dict.fromkeys(("text", "label", "sequence"), told)
        if self.path is not None and self.valid is None and self.test is None:
            # Files of the other parts may be tables, whose columns these settings name.
            path = Path(self.path)
            if folders.is_archive(path) or path.is_dir():
                told = f"it names a column, and {path} is a folder or archive of texts"
                reasons |= dict.fromkeys(("text", "label"), told)
        if self.sequence is not None:
            reasons["text"] = "data.sequence is given: numbers are read, no text"
        if self.folds is None:
            reasons["fold"] = "it is about data.folds"
        elif "test_fraction" in reasons:
            reasons["folds"] = "there is a test part already"
        else:
            reasons["test_fraction"] = "the test part is one of the folds"
        if self.name in synthetic.SYNTHETIC:
            reasons |= dict.fromkeys(("valid_fraction", "test_fraction"), f"{self.name} comes in parts of its own")
        else:
            reasons |= dict.fromkeys(("length", "count"), "it belongs to synthetic sets")
        return reasons


@dataclass(frozen=True)
class Watch:
    """How work that lasts tells where it is: a line to say, and things done out of a total (0 where unknown)."""

    say: Callable[[str], None] = lambda line: None
    progress: Callable[[str, int, int], None] = lambda what, done, total: None


def load(settings: DataSettings, seed: int, watch: Watch = Watch()) -> Dataset:
    """The parts of the data a recipe names. Raises InputError for every fault of file, column, label or name."""
    chosen = named.NAMED.get(str(settings.name))
    if chosen is not None and chosen.task != "classification":
        raise InputError(
            f"{chosen.name} is a data set for {chosen.task}, not for classification: "
            f"lstmlab train {chosen.task} name={chosen.name}"
        )
    parts, source = read(settings, seed, watch)
    return complete(parts, source, settings, seed)


def read(
    settings: DataSettings, seed: int, watch: Watch = Watch(), *, least_classes: int = 2
) -> tuple[dict[str, Corpus], Source]:
    """The parts as they are, before anything is split off: one of them at least, named `train`.

    A file of one's own with fewer than `least_classes` labels in its training part is refused.
    """
    if settings.name is not None:
        return _read_named(settings, seed, watch)
    if settings.path is None:
        raise InputError("no data: give data.name=NAME (see `lstmlab data list`) or data.path=FILE")
    return _read_own(settings, watch, least_classes)


def complete(parts: dict[str, Corpus], source: Source, settings: DataSettings, seed: int) -> Dataset:
    """Limit the training part and split off the parts that are missing, telling each step."""
    train, valid, test = parts["train"], parts.get("valid"), parts.get("test")
    steps = []
    if test is None and settings.folds is not None:
        train, test = stratified_fold(train, settings.folds, settings.fold, seed)
        told = f"fold {settings.fold} of {settings.folds}, labels in proportion, seed {seed}"
        steps.append(f"{len(test):,} examples are the test part: {told}.")
    if test is None:
        train, test = stratified_split(train, settings.test_fraction, seed)
        steps.append(f"{len(test):,} examples split off for testing, labels in proportion, seed {seed}.")
    if settings.limit is not None:
        train = limited(train, settings.limit, seed)
        steps.append(f"Training part limited to {len(train):,} examples, labels in proportion, seed {seed}.")
    if valid is None:
        train, valid = stratified_split(train, settings.valid_fraction, seed)
        steps.append(f"{len(valid):,} training examples split off for validation, labels in proportion, seed {seed}.")
    return Dataset(train, valid, test, source.then(*steps))


def _read_named(settings: DataSettings, seed: int, watch: Watch) -> tuple[dict[str, Corpus], Source]:
    name = str(settings.name)
    if name in synthetic.SYNTHETIC:
        maker = synthetic.SYNTHETIC[name]
        return maker.parts(settings.count, settings.length, seed), maker.source
    if name not in named.NAMED:
        raise unknown("data set", name, [*named.NAMED, *synthetic.SYNTHETIC])
    return named.open_named(
        name, announce=watch.say, progress=lambda done, total: watch.progress(f"fetching {name}", done, total)
    )


def _read_own(settings: DataSettings, watch: Watch, least_classes: int) -> tuple[dict[str, Corpus], Source]:
    """One's own files: the parts a folder or archive brings, or one table for each part."""
    path = Path(str(settings.path))
    given = {
        "train": path,
        **{part: Path(file) for part, file in (("valid", settings.valid), ("test", settings.test)) if file is not None},
    }
    parts: dict[str, Corpus] = {}
    steps: tuple[str, ...] = ()
    for part, file in given.items():
        found, told = _read_file(file, settings, watch, least_classes if part == "train" else 1)
        if part != "train":
            found = {part: found["train"]}
        if parts.keys() & found.keys():
            raise InputError(f"{path} has a {part} part of its own, and data.{part}={file} names another")
        parts, steps = {**parts, **found}, (*steps, *told)
    checksums = {part: cache.digest(file) for part, file in given.items() if file.is_file()}
    checksums |= {part: corpus.fingerprint for part, corpus in parts.items() if part not in checksums}
    return parts, Source(path.name, "files of one's own", address=str(path), checksums=checksums, steps=steps)


def _read_file(
    path: Path, settings: DataSettings, watch: Watch, least_classes: int = 2
) -> tuple[dict[str, Corpus], tuple[str, ...]]:
    """One file or folder of one's own: its parts, and what was done to them."""
    if path.is_dir() or folders.is_archive(path):
        frames = folders.read_folders(
            path, encoding=settings.encoding, progress=lambda done: watch.progress(f"reading {path}", done, 0)
        )
        return {part: Corpus.of(frame) for part, frame in frames.items()}, ()
    frame = files.read_table(path, encoding=settings.encoding)
    if settings.sequence is not None:
        return {"train": sequences.corpus(frame, settings.sequence, settings.label, str(path))}, ()
    if settings.text is None or settings.label is None:
        raise InputError(
            f"{path}: which columns? Give data.text=COLUMN and data.label=COLUMN. Columns: {', '.join(frame.columns)}"
        )
    corpus, steps = files.corpus(
        frame, text=settings.text, label=settings.label, where=str(path), least_classes=least_classes
    )
    return {"train": corpus}, steps
