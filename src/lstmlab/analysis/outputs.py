"""What a translator or a partner in conversation wrote for the test part: texts, scores with intervals, by length."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmlab import metrics
from lstmlab.baselines import PIECE
from lstmlab.data.sentences import MARKS
from lstmlab.tasks.rivals import tokenizer
from lstmlab.training.run import Run

LEAST_PER_BIN = 20
"""Fewer sentences say nothing about a length."""


@dataclass(frozen=True)
class Outputs:
    """N test sources, what was written for each, and the references."""

    rows: Sequence[Mapping[str, Any]]
    lowercase: bool = False
    """Whether case was left out of account in training, and so in the scores."""

    @classmethod
    def of(cls, run: Run) -> "Outputs":
        """The run's predictions, where they are texts with a reference. A Run object holds them, as all that it reads,
        so that they are worked out once for the whole report."""
        held = vars(run)
        if "_outputs" not in held:
            held["_outputs"] = cls._read(run)
        return held["_outputs"]

    @classmethod
    def _read(cls, run: Run) -> "Outputs":
        rows = [row for row in run.predictions if isinstance(row.get("target"), str)]
        return cls([row for row in rows if isinstance(row.get("prediction"), str)],
                   bool(run.recipe.get("text", {}).get("lowercase")))  # fmt: skip

    @cached_property
    def sources(self) -> list[str]:
        """What was read."""
        return [str(row["input"]) for row in self.rows]

    @cached_property
    def said(self) -> list[str]:
        """What was written."""
        return [row["prediction"] for row in self.rows]

    @cached_property
    def wanted(self) -> list[str]:
        """The references."""
        return [row["target"] for row in self.rows]

    @property
    def shown(self) -> list[Mapping[str, Any]]:
        """The rows chosen for showing, shortest source first."""
        return sorted((row for row in self.rows if row.get("shown")), key=self._tokens)

    def _tokens(self, row: Mapping[str, Any]) -> int:
        """Tokens of a row's source; words where the run does not tell."""
        told = (row.get("attention") or {}).get("source")
        return len(told) if told else len(self.words(str(row["input"])))

    @cached_property
    def tokenize(self) -> str:
        """How BLEU cuts these texts."""
        return tokenizer(self.wanted)

    @cached_property
    def scores(self) -> metrics.TextScores:
        """BLEU and chrF with bootstrap intervals."""
        return metrics.corpus_scores(
            self.said, self.wanted, lowercase=self.lowercase, tokenize=self.tokenize, ter=False
        )

    @cached_property
    def bins(self) -> list["LengthBin"]:
        """Scores by the source's length."""
        return by_length(self)

    @cached_property
    def each(self) -> NDArray[np.float64]:
        """chrF of each sentence [N]."""
        return metrics.sentence_chrf(self.said, self.wanted, lowercase=self.lowercase)

    @property
    def equal(self) -> int:
        """How many are equal to their reference."""
        return sum(plain(said) == plain(wanted) for said, wanted in zip(self.said, self.wanted, strict=True))

    def words(self, text: str) -> list[str]:
        """A text as words and marks in small letters; as characters where its script has no blanks."""
        return [one for one in text.lower() if not one.isspace()] if self.tokenize == "char" else pieces(text)


def pieces(text: str) -> list[str]:
    """Words and marks in small letters."""
    return re.findall(PIECE, text.lower())


def plain(text: str) -> str:
    """A text as it is compared: case and white space do not count."""
    return " ".join(text.split()).casefold()


def target_tokens(run: Run) -> int | None:
    """Kinds of tokens a decoder chooses from; None where the run does not say."""
    languages = run.saved_task.get("languages") or {}
    told = languages.get("target") or languages.get("source") or {}
    return len(told["vocabulary"]) + len(MARKS) if told.get("vocabulary") else None


# ---- By length


@dataclass(frozen=True)
class LengthBin:
    """Sentences of like length, and how well they were written."""

    shortest: int
    """Words and marks of the source, both ends included."""
    longest: int
    count: int
    bleu: float
    chrf: float
    interval: tuple[float, float]
    """The 95 % interval of chrF."""

    @property
    def words(self) -> str:
        """The lengths in it."""
        return f"{self.shortest:,} to {self.longest:,}" if self.longest > self.shortest else f"{self.shortest:,}"


def by_length(outputs: Outputs, most: int = 5) -> list[LengthBin]:
    """Scores by the source's length in bins of about equal size; none where there are too few to compare."""
    wanted = min(most, len(outputs.rows) // LEAST_PER_BIN)
    if wanted < 2:
        return []
    lengths = np.array([len(outputs.words(text)) for text in outputs.sources])
    inner = np.unique(np.quantile(lengths, np.arange(1, wanted) / wanted, method="nearest"))
    place = np.searchsorted(inner, lengths, side="left")
    groups = [np.flatnonzero(place == at) for at in np.unique(place)]
    return [_bin(outputs, lengths, group) for group in groups] if len(groups) > 1 else []


def _bin(outputs: Outputs, lengths: NDArray[np.int64], here: NDArray[np.int64]) -> LengthBin:
    found = metrics.corpus_scores(
        [outputs.said[at] for at in here],
        [outputs.wanted[at] for at in here],
        lowercase=outputs.lowercase,
        tokenize=outputs.tokenize,
        ter=False,
        samples=400,
    )
    ends = int(lengths[here].min()), int(lengths[here].max())
    return LengthBin(*ends, len(here), found.bleu, found.chrf, found.intervals["chrf"])
