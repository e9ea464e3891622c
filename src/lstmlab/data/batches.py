"""Which examples stand together in a batch, epoch after epoch: length buckets, token budgets, and no hidden state.

An epoch's plan depends on (lengths, settings, seed, epoch number) and on nothing else. To stop and go on it is enough
to know the epoch and how many of its batches were done.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

import numpy as np
from jaxtyping import Int

from lstmlab.errors import InputError

WINDOW = 50  # batches sorted by length together: little padding, and still another company every epoch


@dataclass(frozen=True, eq=False)
class Batches:
    """The plan of batches over examples of known lengths."""

    lengths: Int[np.ndarray, "N"]
    """Steps of each example."""
    _: KW_ONLY
    batch_size: int
    """Examples in a batch at most."""
    tokens: int | None = None
    """Padded steps in a batch at most (rows times the longest row); a longer example stands alone."""
    seed: int
    """Decides the order, together with the epoch's number."""
    bucket: bool = True
    """Whether examples of like length stand together."""

    def __post_init__(self) -> None:
        if self.batch_size < 1 or (self.tokens is not None and self.tokens < 1) or self.seed < 0:
            raise InputError(
                "batches need a batch_size and tokens of at least 1 and a seed of at least 0, got "
                f"batch_size={self.batch_size}, tokens={self.tokens}, seed={self.seed}"
            )

    def epoch(self, number: int) -> list[Int[np.ndarray, "_"]]:
        """The batches of one epoch as index arrays: every example exactly once, in an order of its own."""
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, number])))
        order = random.permutation(len(self.lengths))
        if not self.bucket:
            return self._cut(order)
        size = WINDOW * self.batch_size
        windows = [order[start : start + size] for start in range(0, len(order), size)]
        # The sort is stable, so equally long examples keep the shuffled order.
        found = [
            batch for window in windows for batch in self._cut(window[np.argsort(self.lengths[window], kind="stable")])
        ]
        return [found[at] for at in random.permutation(len(found))]

    def in_order(self) -> list[Int[np.ndarray, "_"]]:
        """For evaluation: every example once, longest first, so that memory fails at once or not at all."""
        return self._cut(np.argsort(-self.lengths.astype(np.int64), kind="stable"))

    def size(self, batch: Int[np.ndarray, "_"]) -> int:
        """Steps in a batch, padding included."""
        return len(batch) * int(self.lengths[batch].max())

    def _cut(self, order: Int[np.ndarray, "M"]) -> list[Int[np.ndarray, "_"]]:
        """`order` in consecutive batches, each as large as allowed."""
        if self.tokens is None:
            return [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        batches, start = [], 0
        while start < len(order):
            longest = np.maximum.accumulate(self.lengths[order[start : start + self.batch_size]].astype(np.int64))
            fitting = int((longest * np.arange(1, len(longest) + 1) <= self.tokens).sum())
            batches.append(order[start : start + max(fitting, 1)])
            start += max(fitting, 1)
        return batches


def waste(lengths: Int[np.ndarray, "N"], batches: Sequence[Int[np.ndarray, "_"]]) -> float:
    """The share of steps in these batches that is padding (0 to 1)."""
    steps = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    real = sum(int(lengths[batch].sum()) for batch in batches)
    return 1 - real / steps if steps else 0.0
