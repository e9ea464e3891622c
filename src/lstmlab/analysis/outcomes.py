"""What each test example brought a run, as two numbers whose sums make its score: the grain of paired tests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmlab import metrics
from lstmlab.data import spans
from lstmlab.training.run import Run

FEW = 20
"""Fewer examples say nothing about other examples."""


@dataclass(frozen=True)
class Outcomes:
    """N test examples: the score is top.sum() / bottom.sum(), and more of it is better: errors count as negative."""

    top: NDArray[np.float64]
    bottom: NDArray[np.float64]
    instead: str = ""
    """What the ratio is, where it is not the score itself."""

    @property
    def score(self) -> float:
        """All examples together."""
        return float(self.top.sum() / max(self.bottom.sum(), 1.0))

    def at(self, here: NDArray[np.bool_]) -> "Outcomes":
        """Some of the examples."""
        return Outcomes(self.top[here], self.bottom[here], self.instead)

    def __add__(self, other: "Outcomes") -> "Outcomes":
        return Outcomes(self.top + other.top, self.bottom + other.bottom, self.instead)


def outcomes(run: Run, score: str) -> Outcomes | None:
    """What each example of the test part brought a run to its score, or to the nearest thing that is a sum over
    examples. None where the run does not say it, or of too few.
    """
    rows = run.predictions
    if len(rows) < FEW or run.recipe["task"] == "language-model":
        return None
    if score == "accuracy":
        return _right(rows)
    if score == "span_f1":
        return _spans(rows, run.saved_task["scheme"])
    if score == "bleu":
        each = metrics.sentence_chrf([str(row["prediction"]) for row in rows], [str(row["target"]) for row in rows])
        return Outcomes(np.asarray(each, np.float64), np.ones(len(rows)), "chrF of sentences")
    if score in ("mae", "pearson"):
        return _errors(rows, 1 if score == "mae" else 2)
    losses = [row.get("loss") for row in rows]
    if any(loss is None for loss in losses):
        return None
    return Outcomes(-np.array(losses, np.float64), np.ones(len(rows)), "loss")


def _right(rows: Sequence[Mapping[str, Any]]) -> Outcomes:
    """Right labels, or right words of all words."""
    if isinstance(rows[0]["target"], list):
        pairs = [(row["prediction"], row["target"]) for row in rows]
        right = [sum(a == b for a, b in zip(said, true, strict=True)) for said, true in pairs]
        return Outcomes(np.array(right, np.float64), np.array([len(true) for _, true in pairs], np.float64))
    right = [str(row["prediction"]) == str(row["target"]) for row in rows]
    return Outcomes(np.array(right, np.float64), np.ones(len(rows)))


def _spans(rows: Sequence[Mapping[str, Any]], scheme: spans.Scheme) -> Outcomes:
    """Twice the right spans of those found and those there."""
    both = [(set(spans.spans(r["prediction"], scheme)[0]), set(spans.spans(r["target"], scheme)[0])) for r in rows]
    top = np.array([2 * len(said & true) for said, true in both], np.float64)
    return Outcomes(top, np.array([len(said) + len(true) for said, true in both], np.float64))


def _errors(rows: Sequence[Mapping[str, Any]], power: int) -> Outcomes:
    """Absolute or squared errors, of points that are known."""
    top, bottom = [], []
    for row in rows:
        apart = np.atleast_1d(np.array(row["prediction"], np.float64) - np.array(row["target"], np.float64))
        known = apart[np.isfinite(apart)]
        top.append(-float((np.abs(known) ** power).sum()))
        bottom.append(float(known.size))
    return Outcomes(np.array(top), np.array(bottom), "" if power == 1 else "squared errors")


def words_of(given: Any) -> int:
    """Words of a text, of two, or of a sentence that is a list of words."""
    if isinstance(given, str):
        return len(given.split())
    if isinstance(given, list) and given and all(isinstance(part, str) for part in given):
        pair = len(given) == 2 and any(" " in part for part in given)
        return sum(len(part.split()) for part in given) if pair else len(given)
    return 0
