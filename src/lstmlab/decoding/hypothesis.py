"""What a search is asked and what it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from lstmlab.decoding.settings import SearchSettings

State = Any
"""What the step remembers, by row. It has `select(rows: Int[Tensor, "R"]) -> State`: these rows, in this order, some
perhaps several times.

It may have `regroup(rows: Int[Tensor, "R"], sources: Int[Tensor, "N"] | None) -> State` as well, which a beam then
calls in place of `select`: the same rows, and besides the promise that they stand source by source, equally many for
each; `sources` are the places of these sources among those of the state so far, None for all of them unmoved. So what
all hypotheses of a source share (its encoding) can be kept once for each source and need not follow its rows about.
It may have a `device`, where tokens then travel (the CPU otherwise).
"""

Step = Callable[[Tensor, State], tuple[Tensor, State, Tensor | None]]
"""(tokens [R], state) → logits [R V], the next state, alignment [R S] or None. -inf as a logit forbids a token."""


@dataclass(frozen=True)
class Marks:
    """The tokens with a meaning of their own."""

    begin: int
    end: int
    forbidden: tuple[int, ...] = ()
    """What no answer holds: padding, the begin mark."""

    def __post_init__(self) -> None:
        if self.end in self.forbidden:
            raise ValueError(f"the end mark {self.end} is forbidden: nothing could end")
        if min(self.begin, self.end, *self.forbidden) < 0:
            raise ValueError(f"a token is a number from 0 up, got {self}")


@dataclass(frozen=True)
class Hypothesis:
    """One answer."""

    tokens: tuple[int, ...]
    """Without begin and end marks."""
    log_probability: float
    """The model's log p of the tokens and of the end mark where there is one, in nats: temperature and what was
    forbidden are not counted."""
    score: float
    """What the search ranks by: log p with the length penalty (beam), log p (greedy, sample)."""
    finished: bool
    """Whether it has an end mark. If not, it was cut off at its largest length, or everything else was forbidden."""
    alignment: NDArray[np.floating] | None
    """[T S]: where each token, and the end mark, looked in the source."""


@dataclass(frozen=True)
class Query:
    """What a search is asked; `limits` [N] is the largest number of tokens of each source."""

    settings: SearchSettings
    marks: Marks
    limits: Int[Tensor, "N"]
    keep_alignment: bool
    streams: Sequence[int]

    @property
    def device(self) -> torch.device:
        """Where tokens travel."""
        return self.limits.device

    @property
    def longest(self) -> int:
        """The largest number of tokens of any source."""
        return int(self.limits.max())


@dataclass(frozen=True)
class Watched:
    """The alignment of one step: row r of `weights` belongs to place `rows[r]` of the table it is read into."""

    step: int
    rows: Int[Tensor, "N"]
    weights: Float[Tensor, "N S"]


def alignments(count: int, watched: Sequence[Watched]) -> NDArray[np.floating] | None:
    """A table [count T S] of all steps, zero where nothing was seen; None if nothing was kept."""
    if not watched:
        return None
    longest, widest = max(part.step for part in watched) + 1, max(part.weights.shape[1] for part in watched)
    table = torch.zeros(count, longest, widest, dtype=watched[0].weights.dtype)
    for part in watched:
        table[part.rows, part.step, : part.weights.shape[1]] = part.weights
    found: NDArray[np.floating] = table.numpy()
    return found
