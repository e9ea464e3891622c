"""Scores as grades: a few points between the least and the largest score, among which each score is spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float

from lstmlab.errors import InputError

FEWEST, MOST = 3, 21
"""Whole numbers are the grades where there are at least and at most this many between the ends."""
OTHERWISE = 11
"""Grades, evenly spaced, where there are fewer or more."""
FAR = 1000.0
"""Scores may lie this many times as far apart as half of the different ones do."""


@dataclass(frozen=True)
class Grades:
    """The points of a scale, rising."""

    points: tuple[float, ...]

    @classmethod
    def fit(cls, scores: Sequence[Any]) -> "Grades":
        """The scale of training scores: whole numbers (1, 2, 3, 4, 5), or points between the ends.

        Raises InputError for what is no number, where all are equal, and where some are so far off that no grade would
        tell the others apart.
        """
        for row, score in enumerate(scores, 1):
            if not isinstance(score, int | float) or isinstance(score, bool) or not np.isfinite(score):
                raise InputError(f"row {row} of the training part has no score (found {score!r})")
        low, high = float(min(scores)), float(max(scores))
        if low == high:
            raise InputError(f"every training pair has the score {low:g}: there is nothing to learn")
        _refuse_far(scores)
        first, last = np.floor(low), np.ceil(high)
        whole = FEWEST <= last - first + 1 <= MOST
        points = np.arange(first, last + 1) if whole else np.linspace(low, high, OTHERWISE)
        if (np.diff(points) <= 0).any():
            raise InputError(f"the training scores lie too close to each other to be told apart: {low!r} to {high!r}")
        return cls(tuple(float(point) for point in points))

    def __len__(self) -> int:
        return len(self.points)

    def spread(self, scores: Float[np.ndarray, "N"]) -> Float[np.ndarray, "N K"]:
        """Each score as shares of its two neighbouring grades, whose mean it is (Tai, Socher & Manning 2015, section
        4.2): 3.6 is 0.4 of 3 and 0.6 of 4. A score beyond the ends is the end.
        """
        points = np.asarray(self.points)
        inside = np.clip(scores, points[0], points[-1])
        below = np.clip(np.searchsorted(points, inside, side="right") - 1, 0, len(points) - 2)
        share = (inside - points[below]) / (points[below + 1] - points[below])
        out = np.zeros((len(scores), len(points)))
        rows = np.arange(len(scores))
        out[rows, below], out[rows, below + 1] = 1 - share, share
        return out

    def mean(self, shares: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "N"]:
        """The score that shares of grades mean."""
        return shares @ np.asarray(self.points)

    def to_json(self) -> list[float]:
        """What `from_json` reads."""
        return list(self.points)

    @classmethod
    def from_json(cls, saved: Any, where: str = "grades") -> "Grades":
        """The scale that `to_json` wrote. Raises InputError, naming `where`, for anything else."""
        if not isinstance(saved, list) or len(saved) < 2 or not all(isinstance(one, int | float) for one in saved):
            raise InputError(f"{where}: expected a list of two or more rising numbers")
        if any(one >= other for one, other in pairwise(saved)):
            raise InputError(f"{where}: expected rising numbers, got {saved}")
        return cls(tuple(map(float, saved)))


def _refuse_far(scores: Sequence[Any]) -> None:
    """Raises InputError for scores of which a few lie far from all others, as a date or a number of a row would."""
    different = np.unique(np.array(scores, np.float64))
    low, middle, high = float(different[0]), float(np.median(different)), float(different[-1])
    # Divided first: the ends of what a number can be are further apart than any number.
    near = float(np.median(np.abs(different / 4 - middle / 4)))
    if high / 4 - low / 4 > 2 * FAR * near:
        raise InputError(
            f"the training scores go from {low:g} to {high:g}, and half of the different ones lie within {4 * near:g} "
            f"of {middle:g}: no grades between the ends would tell those apart. Is this column a score? Name another "
            "(label=COLUMN), or mend or remove the rows that are far off"
        )
