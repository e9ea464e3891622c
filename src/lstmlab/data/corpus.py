"""Examples in columns, the parts of a data set, and where it all came from.

A corpus of 50,000 reviews is one table; an `Example` is made when somebody asks for it. Nothing here is text-specific
except the name of the column `inputs` is read from.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lstmlab.errors import InputError
from lstmlab.types import Example

Index = NDArray[np.int64]


@dataclass(frozen=True)
class Source:
    """Where a data set came from and everything done to it on the way: goes into the report as it stands."""

    name: str
    description: str = ""
    address: str = ""
    licence: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict)
    """File name → sha256."""
    steps: tuple[str, ...] = ()
    """What was done to the data so far, one sentence each, in order."""

    def then(self, *steps: str) -> "Source":
        """The same source with more steps told."""
        return replace(self, steps=(*self.steps, *steps))


class Part(Sequence[Example]):
    """One part of a data set: texts in a table (Corpus), or windows over series."""

    fingerprint: str
    """Names the content."""

    @property
    @abstractmethod
    def inputs(self) -> list:
        """All inputs, in order."""

    @property
    @abstractmethod
    def targets(self) -> list:
        """All targets, in order."""

    @abstractmethod
    def take(self, index: Index) -> "Part":
        """The examples at these positions, in that order."""


@dataclass(frozen=True)
class Corpus(Part):
    """Examples as a table. Columns: `id` (str, unique within the part), `inputs`, `target` (null where unknown);
    any further column becomes an example's `meta`.

    `fingerprint` names the content: equal fingerprints mean equal tables.
    """

    frame: pl.DataFrame
    fingerprint: str

    def __post_init__(self) -> None:
        missing = {"id", "inputs", "target"} - set(self.frame.columns)
        if missing:
            raise ValueError(f"a corpus needs the columns id, inputs and target; missing: {sorted(missing)}")

    @classmethod
    def of(cls, frame: pl.DataFrame) -> "Corpus":
        """A corpus whose fingerprint is taken from its content."""
        digest = hashlib.sha256()
        for column in sorted(frame.columns):
            digest.update(column.encode())
            digest.update(frame[column].hash(seed=0).to_numpy().tobytes())
        return cls(frame, digest.hexdigest())

    def __len__(self) -> int:
        return len(self.frame)

    @overload
    def __getitem__(self, at: int) -> Example: ...
    @overload
    def __getitem__(self, at: slice) -> "Corpus": ...
    def __getitem__(self, at: int | slice) -> "Example | Corpus":
        if isinstance(at, slice):
            return self.take(np.arange(len(self))[at])
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        return self._example(self.frame.row(at, named=True))

    def __iter__(self) -> Iterator[Example]:
        return (self._example(row) for row in self.frame.iter_rows(named=True))

    @staticmethod
    def _example(row: dict[str, object]) -> Example:
        return Example(str(row.pop("id")), row.pop("inputs"), row.pop("target"), row)

    def take(self, index: Index) -> "Corpus":
        """The examples at these positions, in that order."""
        digest = hashlib.sha256(self.fingerprint.encode() + np.ascontiguousarray(index, np.int64).tobytes())
        return Corpus(self.frame[index], digest.hexdigest())

    @property
    def inputs(self) -> list:
        """All inputs, in order."""
        return self.frame["inputs"].to_list()

    @property
    def targets(self) -> list:
        """All targets, in order."""
        return self.frame["target"].to_list()


@dataclass(frozen=True)
class Dataset:
    """The parts of a data set. What is fitted is fitted on `train` alone."""

    train: Part
    valid: Part | None
    test: Part | None
    source: Source

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that exist, by name, in the order train, valid, test."""
        named = {"train": self.train, "valid": self.valid, "test": self.test}
        return {name: part for name, part in named.items() if part is not None}


def shuffled(count: int, seed: int) -> Index:
    """A permutation of `count` that depends on the seed alone."""
    return np.random.default_rng(seed).permutation(count)


def stratified_split(corpus: Corpus, fraction: float, seed: int, *, spare: int = 1) -> tuple[Corpus, Corpus]:
    """Split off `fraction` of a corpus (0 to 1), each target in proportion. Returns (rest, split off).

    Both keep the corpus's order. The rest keeps at least `spare` examples of every target.
    Raises InputError where either side would be empty.
    """
    order = shuffled(len(corpus), seed)
    keys = corpus.frame["target"].cast(pl.String).fill_null("").to_numpy()
    chosen = np.zeros(len(corpus), bool)
    # Rounding each class on its own would drift; the running share keeps the total within one example.
    owed = 0.0
    for key in sorted(set(keys.tolist())):
        rows = order[keys[order] == key]
        owed += fraction * len(rows)
        count = min(int(owed + 0.5), max(len(rows) - spare, 0))
        owed -= count
        chosen[rows[:count]] = True
    if not chosen.any() or chosen.all():
        raise InputError(
            f"{len(corpus)} examples are too few to split off {fraction:.0%}: "
            "give the parts as files of their own (data.valid, data.test) or add examples"
        )
    return corpus.take(np.flatnonzero(~chosen)), corpus.take(np.flatnonzero(chosen))


def stratified_fold(corpus: Corpus, folds: int, fold: int, seed: int) -> tuple[Corpus, Corpus]:
    """One of `folds` parts (`fold` from 1) that share out the examples of every target evenly. Returns (rest, fold)."""
    order = shuffled(len(corpus), seed)
    keys = corpus.frame["target"].cast(pl.String).fill_null("").to_numpy()
    # Dealt out label by label without a break, so that all folds are of one size, give or take one.
    dealt = order[np.argsort(keys[order], kind="stable")]
    place = np.empty(len(corpus), np.int64)
    place[dealt] = np.arange(len(corpus)) % folds
    if len(corpus) < folds:
        raise InputError(f"{len(corpus)} examples cannot be cut into {folds} folds")
    return corpus.take(np.flatnonzero(place != fold - 1)), corpus.take(np.flatnonzero(place == fold - 1))


def limited(corpus: Corpus, count: int, seed: int) -> Corpus:
    """`count` examples of a corpus, each target in proportion, in the corpus's order (all of them if it is smaller)."""
    if count >= len(corpus):
        return corpus
    return stratified_split(corpus, count / len(corpus), seed, spare=0)[1]
