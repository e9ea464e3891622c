"""Integrated gradients: what each number that was read adds to an answer (Sundararajan, Taly & Yan 2017, equation 3).

Letters in shapes: P points on the way, S steps read in all, F numbers of a step, B batch, T steps.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lstmlab.types import Padded

Score = Callable[[Float[Tensor, "P S F"]], Float[Tensor, "_"]]
"""From several versions of what is read to the answer's score for each."""
FEWEST, MOST = 32, 512
"""Points on the way from nothing to what was read: doubled from the first number on until the sum is near enough."""
NEAR = 0.01


@dataclass(frozen=True)
class Attribution:
    """What each number adds to the score on the way from the baseline, `from_`, to what was read, `to`."""

    values: Float[Tensor, "S F"]
    from_: float
    to: float
    points: int

    @property
    def difference(self) -> float:
        """What there is to be explained."""
        return self.to - self.from_

    @property
    def residual(self) -> float:
        """By how much all contributions together miss the difference, which they equal in theory (completeness)."""
        return float(self.values.sum()) - self.difference


def integrated_gradients(score: Score, read: Float[Tensor, "S F"], *, near: float = NEAR) -> Attribution:
    """Contributions of each number of `read` against a baseline of zeros.

    The gradient is taken at midpoints of a straight way; points are doubled until the sum of all contributions is
    within `near` of the difference it should be (or of `near` itself, where there is hardly any), up to MOST points.
    """
    with torch.no_grad():
        ends = score(torch.stack([torch.zeros_like(read), read])).double()
    first, last = (float(one) for one in ends)
    points = FEWEST
    while True:
        found = Attribution(_integrated(score, read, points), first, last, points)
        if abs(found.residual) <= near * max(abs(found.difference), near) or points >= MOST:
            return found
        points *= 2


def _integrated(score: Score, read: Float[Tensor, "S F"], points: int) -> Float[Tensor, "S F"]:
    """In pieces of a few points, so that long inputs do not fill the memory."""
    along = (torch.arange(points, dtype=read.dtype, device=read.device) + 0.5) / points
    total = torch.zeros_like(read, dtype=torch.float64)
    for part in along.split(FEWEST):
        given = (part[:, None, None] * read).requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(score(given).sum(), given)
        total += gradient.double().sum(0)
    return read.double() * total / points


def vectors_read(module: nn.Module, forward: Callable[[], object]) -> list[Padded]:
    """What a module is given, pass by pass, while `forward` runs."""
    found: list[Padded] = []

    def look(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        found.append(given[0])

    handle = module.register_forward_pre_hook(look, with_kwargs=True)
    try:
        with torch.no_grad():
            forward()
    finally:
        handle.remove()
    return found


@contextmanager
def feeding(module: nn.Module, given: Sequence[Padded]) -> Iterator[None]:
    """Within, the module's first passes read these inputs instead of what they are called with."""
    waiting = list(given)

    def replaced(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return ((waiting.pop(0), *args[1:]), named) if waiting else None

    handle = module.register_forward_pre_hook(replaced, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def spread(steps: Float[Tensor, "P S F"], like: Sequence[Padded]) -> list[Padded]:
    """Steps end to end, put where the steps of the passes in `like` [B T F] stand: a pass of [P B T F] rows for each.

    Copies stand one behind the other, each with all rows of its pass.
    """
    found, start = [], 0
    for one in like:
        mask, count = one.mask, int(one.lengths.sum())
        values = steps.new_zeros(len(steps), *one.values.shape)
        values[:, mask] = steps[:, start : start + count]
        found.append(Padded(values.flatten(0, 1), one.lengths.repeat(len(steps))))
        start += count
    return found
