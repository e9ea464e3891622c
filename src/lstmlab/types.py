"""The values everything else speaks in: Example, Padded, Batch, Loss.

Letters in shapes: B batch, T steps, F features, H hidden, K classes, N examples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor


@dataclass(frozen=True)
class Example:
    """One thing to learn from or to predict: raw text or numbers, never tensors."""

    id: str
    inputs: Any
    target: Any = None
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Padded:
    """Sequences of different lengths in one tensor. What lies past a row's length is zero and means nothing."""

    values: Shaped[Tensor, "B T *F"]
    lengths: Int[Tensor, "B"]

    @property
    def mask(self) -> Bool[Tensor, "B T"]:
        """True where a row is real."""
        steps = torch.arange(self.values.shape[1], device=self.values.device)
        return steps < self.lengths[:, None]

    @property
    def last(self) -> Shaped[Tensor, "B *F"]:
        """The value at each row's last real step (the first step for an empty row)."""
        rows = torch.arange(len(self.lengths), device=self.values.device)
        return self.values[rows, (self.lengths - 1).clamp(min=0)]

    @property
    def ragged(self) -> bool:
        """Whether any row is shorter than the tensor."""
        return bool((self.lengths < self.values.shape[1]).any())

    def reversal(self) -> Int[Tensor, "B T"]:
        """The index that reverses each row within its own length and leaves padding where it is."""
        steps = torch.arange(self.values.shape[1], device=self.values.device)
        return torch.where(self.mask, self.lengths[:, None] - 1 - steps, steps)

    def reversed(self) -> "Padded":
        """Each row read from its last real step to its first. Reversing twice gives the original."""
        index = self.reversal()
        rows = torch.arange(len(self.lengths), device=self.values.device)[:, None]
        return replace(self, values=self.values[rows, index])

    def masked(self) -> "Padded":
        """The same with zeros past each row's length."""
        mask = self.mask.reshape(*self.mask.shape, *[1] * (self.values.dim() - 2))
        return replace(self, values=self.values.masked_fill(~mask, 0))

    def to(self, device: torch.device) -> "Padded":
        """The same on another device."""
        return Padded(self.values.to(device), self.lengths.to(device))


@dataclass(frozen=True)
class Batch:
    """What one step learns from. `index` [B] leads every prediction back to its Example.

    `series` [B] says which of the series seen in training each example is of (-1: none of them).
    `hints` [B T C] are numbers that stand beside each step of a training batch where the task has counted some.
    """

    inputs: Padded
    targets: Tensor | None
    index: Int[Tensor, "B"]
    second: Padded | None = None
    series: Int[Tensor, "B"] | None = None
    hints: Padded | None = None

    @property
    def wanted(self) -> Tensor:
        """The targets. Raises ValueError for a batch that has none."""
        if self.targets is None:
            raise ValueError("this batch has no targets")
        return self.targets

    def to(self, device: torch.device) -> "Batch":
        """The same on another device."""
        return Batch(
            self.inputs.to(device),
            None if self.targets is None else self.targets.to(device),
            self.index.to(device),
            None if self.second is None else self.second.to(device),
            None if self.series is None else self.series.to(device),
            None if self.hints is None else self.hints.to(device),
        )


@dataclass(frozen=True)
class Loss:
    """A sum and what it was summed over, kept apart so that the loop divides exactly once.

    `rows` [B] holds each example's own sum (nats or squared units); `count` is how many things all rows sum over:
    examples, tokens or points. `told` [B] is what people are told instead of what is minimised, where that is something
    else (a smoothed truth).
    """

    rows: Float[Tensor, "B"]
    count: int
    told: Float[Tensor, "B"] | None = None

    @property
    def total(self) -> Float[Tensor, ""]:
        """The sum over the batch."""
        return self.rows.sum()

    @property
    def mean(self) -> Float[Tensor, ""]:
        """The loss per counted thing: what the gradient is taken of."""
        return self.total / max(self.count, 1)


def pad(rows: Sequence[Tensor]) -> Padded:
    """Stack rows [T F] of different lengths into one Padded, zeros at the end."""
    lengths = torch.tensor([len(row) for row in rows], dtype=torch.long)
    return Padded(torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True), lengths)
