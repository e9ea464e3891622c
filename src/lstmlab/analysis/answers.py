"""A classifier's answers on the test part: labels, probabilities, losses, lengths; and its accuracy by length."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmlab import metrics
from lstmlab.training.run import Run

LEAST_PER_BIN = 20
"""Fewer texts say nothing about a length."""
BAD_CALIBRATION = 0.05
"""From this calibration error on, certainty misleads."""


@dataclass(frozen=True)
class Answers:
    """The labelled test texts and what the model said of them; label ids point into `names` [K]."""

    rows: Sequence[dict[str, Any]]
    names: list[str]

    @classmethod
    def of(cls, run: Run) -> "Answers":
        """The run's predictions, where they have labels."""
        rows = [row for row in run.predictions if row.get("target") is not None and "probabilities" in row]
        # Labels come in the model's order; one that it never learned can still stand in a test file.
        names = list(rows[0]["probabilities"]) if rows else []
        return cls(rows, names + sorted({str(row["target"]) for row in rows} - set(names)))

    @cached_property
    def targets(self) -> NDArray[np.int64]:
        """True labels [N]."""
        place = {name: at for at, name in enumerate(self.names)}
        return np.array([place[str(row["target"])] for row in self.rows], np.int64)

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """What the model gave each label [N K]."""
        return np.array([[row["probabilities"].get(name) or 0.0 for name in self.names] for row in self.rows])

    @cached_property
    def predictions(self) -> NDArray[np.int64]:
        """Labels given [N]."""
        place = {name: at for at, name in enumerate(self.names)}
        return np.array([place[str(row["prediction"])] for row in self.rows], np.int64)

    @cached_property
    def rival_right(self) -> NDArray[np.bool_] | None:
        """Where the best baseline is right [N]; None where the run does not say what it answered."""
        if not self.rows or any(row.get("baseline") is None for row in self.rows):
            return None
        return np.array([row["baseline"] == row["target"] for row in self.rows])

    @cached_property
    def losses(self) -> NDArray[np.float64]:
        """Loss of each text [N] in nats; infinite where none is written, because the truth was given no probability."""
        return np.array([np.inf if row.get("loss") is None else float(row["loss"]) for row in self.rows])

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """Words of each text [N], parted by blanks; steps of a sequence."""
        return np.array([_length(row["input"]) for row in self.rows], np.int64)

    @property
    def things(self) -> tuple[str, str]:
        """What was labelled: one, and several."""
        first = self.rows[0]["input"] if self.rows else ""
        if _paired(first):
            return "pair", "pairs"
        return ("sequence", "sequences") if isinstance(first, list) else ("text", "texts")

    @property
    def unit(self) -> str:
        """What their length is counted in."""
        return "steps" if self.things[0] == "sequence" else "words"

    def text(self, at: int) -> str:
        """What was read; of two texts one after the other, of measurements, which nobody reads, the name."""
        row = self.rows[at]
        return (
            f"sequence {row['id']}"
            if isinstance(row["input"], list) and not _paired(row["input"])
            else written(row["input"])
        )

    @property
    def wrong(self) -> NDArray[np.int64]:
        """Where the mistakes are."""
        return np.flatnonzero(self.targets != self.predictions)

    @cached_property
    def calibration_error(self) -> float:
        """Expected calibration error, 0 to 1."""
        return metrics.calibration_error(self.probabilities, self.targets)

    @cached_property
    def calibration_chance(self) -> float:
        """About the calibration error that a perfectly calibrated model would show on so few texts: a bin's accuracy
        strays from its confidence c by sqrt(2/pi c(1-c)/n) on average."""
        found = [one for one in metrics.calibration(self.probabilities, self.targets) if one.count]
        strays = [one.count * np.sqrt(2 / np.pi * one.confidence * (1 - one.confidence) / one.count) for one in found]
        return float(sum(strays)) / len(self.rows)

    @property
    def ill_calibrated(self) -> bool:
        """Whether certainty misleads, by more than so few texts would show by chance."""
        return len(self.rows) >= 100 and self.calibration_error >= max(BAD_CALIBRATION, 2 * self.calibration_chance)

    @cached_property
    def confusions(self) -> list[tuple[int, int, int]]:
        """(true, taken for, times) of every mistake made, most frequent first."""
        table = metrics.confusion(self.targets, self.predictions, len(self.names))
        pairs = [(int(table[t, p]), int(t), int(p)) for t, p in np.argwhere(table) if t != p]
        return [(t, p, count) for count, t, p in sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))]


@dataclass(frozen=True)
class LengthBin:
    """Texts of like length, both ends included, and the 95 % interval of their accuracy."""

    shortest: int
    longest: int
    count: int
    right: int
    low: float
    high: float

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return self.right / self.count

    @property
    def words(self) -> str:
        """The lengths in it."""
        return f"{self.shortest:,} to {self.longest:,}" if self.longest > self.shortest else f"{self.shortest:,}"


def by_length(answers: Answers, most: int = 5) -> list[LengthBin]:
    """Accuracy by length in bins of about equal size: fewer where there are few texts or few different lengths."""
    count = len(answers.rows)
    wanted = min(most, count // LEAST_PER_BIN)
    if wanted < 2:
        return []
    lengths, right = answers.lengths, answers.targets == answers.predictions
    inner = np.unique(np.quantile(lengths, np.arange(1, wanted) / wanted, method="nearest"))
    place = np.searchsorted(inner, lengths, side="left")
    bins = []
    for at in np.unique(place):
        here = place == at
        size, good = int(here.sum()), int(right[here].sum())
        bins.append(
            LengthBin(
                int(lengths[here].min()), int(lengths[here].max()), size, good, *metrics.interval(good / size, size)
            )
        )
    return bins if len(bins) > 1 else []


def _length(given: Any) -> int:
    """Words of a text or of two, steps of a sequence."""
    if _paired(given):
        return sum(len(side.split()) for side in given)
    return len(given) if isinstance(given, list) else len(str(given).split())


def written(given: Any) -> str:
    """A text as it is; the two of a pair one after the other."""
    return " → ".join(given) if _paired(given) else str(given)


def _paired(given: Any) -> bool:
    return isinstance(given, list) and len(given) == 2 and all(isinstance(side, str) for side in given)
