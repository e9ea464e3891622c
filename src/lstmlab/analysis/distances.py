"""Norms of sequences of different lengths, by distance from their end.

Letters in shapes: N sequences, D distances, B batch, T steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from lstmlab.types import Padded

LEAST = 5
"""Fewer sequences of a length say nothing of a distance, where there are more of shorter ones."""


@dataclass(frozen=True)
class Spread:
    """A norm by distance: of each sequence [N D], NaN where it is shorter."""

    values: Float[np.ndarray, "N D"]

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """Sequences that reach each distance."""
        return np.isfinite(self.values).sum(0)

    @cached_property
    def reach(self) -> int:
        """Distances that enough sequences reach."""
        return int((self.counts >= min(LEAST, self.counts.max(initial=1))).sum())

    @cached_property
    def quartiles(self) -> Float[np.ndarray, "3 _"]:
        """First quartile, median and third quartile over the sequences at each distance that enough of them reach."""
        if not self.reach:
            return np.zeros((3, 0))
        return np.nanquantile(self.values[:, : self.reach], [0.25, 0.5, 0.75], axis=0)

    @property
    def median(self) -> Float[np.ndarray, "_"]:
        """The median at each distance."""
        return self.quartiles[1]

    def below(self, bound: float) -> int | None:
        """The first distance from which the median stays below a bound; None where it does not."""
        under = self.median < bound
        if not len(under) or not under[-1]:
            return None
        return int(len(under) - under[::-1].argmin()) if not under.all() else 0


def by_distance(norms: Sequence[Padded]) -> Float[np.ndarray, "N D"]:
    """Norms [B T] of several readings as one table by distance from each row's end; NaN where a row is shorter."""
    longest = max(one.values.shape[1] for one in norms)
    rows = []
    for one in norms:
        values = one.reversed().values.double().numpy(force=True)
        values = np.where(one.mask.numpy(), values, np.nan)
        rows.append(np.pad(values, ((0, 0), (0, longest - values.shape[1])), constant_values=np.nan))
    table = np.concatenate(rows)
    return table[np.isfinite(table[:, 0])] if longest else table


def shares(table: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N D"]:
    """Each row over its largest value; rows without any gradient are left out."""
    largest = np.nanmax(table, 1, initial=0.0, keepdims=True)
    return (table / np.maximum(largest, 1e-300))[largest[:, 0] > 0]
