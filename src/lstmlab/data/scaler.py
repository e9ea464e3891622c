"""Scaling that sees the past alone: it is fitted on what it is given, and it is given the past.

Letters in shapes: T steps, C columns, L series.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Scaler:
    """(x - mean) / deviation of each series and column [L C], both taken from the past alone."""

    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]

    @classmethod
    def fit(cls, pasts: Sequence[NDArray[np.float64]]) -> "Scaler":
        """Of one past [T C] for each series. A constant column, or one without a value, keeps the deviation 1."""
        rows = []
        for past in pasts:
            known = ~np.isnan(past)
            count = np.maximum(known.sum(0), 1)
            mean = np.where(known, past, 0.0).sum(0) / count
            deviation = np.sqrt(np.where(known, (past - mean) ** 2, 0.0).sum(0) / count)
            small = deviation <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
            rows.append((mean, np.where(small, 1.0, deviation)))
        return cls(np.stack([mean for mean, _ in rows]), np.stack([deviation for _, deviation in rows]))

    @classmethod
    def plain(cls, series: int, columns: int) -> "Scaler":
        """Leaves everything as it is."""
        return cls(np.zeros((series, columns)), np.ones((series, columns)))
