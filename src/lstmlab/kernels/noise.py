"""What regularises a time loop: recurrent dropout and zoneout, with masks that are counted and not drawn.

A mask is a pure function of seed, stream, step, row and unit, so it is the same in every kernel, for every number of
threads, in every order of the rows, and after a resumption. Letters in shapes: B batch, H hidden.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lstmlab.cells import State

BITS = 0xFFFFFFFF
# One odd number near 2^32 / golden ratio spreads counters over all bits.
SPREAD = 0x9E3779B9
# The two multipliers and three shifts of "lowbias32" (Wellons 2018): each output bit depends on each input bit.
MULTIPLIERS, SHIFTS = (0x7FEB352D, 0x846CA68B), (16, 15, 16)
DROPOUT = 0
"""The stream of recurrent dropout; zoneout of the n-th state has stream n + 1."""


@dataclass(frozen=True)
class Noise:
    """`dropout`: share of units hidden from the recurrent product, the same at every step (Gal & Ghahramani 2016).
    `zoneout`: state → share of units that keep their old value at a step (Krueger et al. 2017).

    `seed` is drawn anew for every pass in training; None means no mask: dropout does nothing, zoneout takes its mean.
    """

    dropout: float = 0.0
    zoneout: Mapping[str, float] = field(default_factory=dict)
    seed: int | None = None

    @property
    def silent(self) -> bool:
        """Whether nothing is changed at all."""
        return not any(self.zoneout.values()) and (self.seed is None or not self.dropout)

    def hidden(self, batch: int, like: Float[Tensor, "*B H"]) -> Float[Tensor, "B H"] | None:
        """What multiplies h before the recurrent product: 0 or 1 / (1 - dropout); None where it is 1 everywhere."""
        if self.seed is None or not self.dropout:
            return None
        rows = torch.arange(batch, device=like.device)
        kept = bits(keys(self.seed, DROPOUT, rows), like.shape[-1]) >= threshold(self.dropout)
        return kept.to(like.dtype) / (1 - self.dropout)

    def kept(self, state: State, step: int) -> dict[str, Float[Tensor, "B H"]]:
        """State → 1 where a unit keeps its old value at this step, else 0; without a seed the share itself."""
        parts = {}
        for at, (name, value) in enumerate(state.items()):
            share = self.zoneout.get(name, 0.0)
            if share and self.seed is None:
                parts[name] = torch.full_like(value, share)
            elif share:
                key = keys(self.seed or 0, at + 1, torch.arange(len(value), device=value.device), step)
                parts[name] = (bits(key, value.shape[-1]) < threshold(share)).to(value.dtype)
        return parts


def zone_out(after: State, before: State, kept: Mapping[str, Any]) -> State:
    """States after a step of which a part kept their old value: 1, 0 or a share for each state that `kept` names."""
    return State(
        **{
            name: kept[name] * before[name] + (1 - kept[name]) * value if name in kept else value
            for name, value in after.items()
        }
    )


def keys(seed: int, stream: int, rows: Int[Tensor, "*B"], steps: Int[Tensor, "*B"] | int = 0) -> Int[Tensor, "*B"]:
    """A 32-bit key for each row at each step."""
    start = mix(torch.tensor(seed & BITS) ^ mix(torch.tensor((seed >> 32) & BITS)))
    stepped = mix((mix((start + stream * SPREAD) & BITS).to(rows.device) + steps * SPREAD) & BITS)
    return mix((stepped + rows * SPREAD) & BITS)


def bits(keys: Int[Tensor, "*B"], units: int) -> Int[Tensor, "*B H"]:
    """32 random bits for each unit under each key."""
    counters = torch.arange(units, device=keys.device) * SPREAD
    return mix((keys[..., None] + counters) & BITS)


def threshold(share: float) -> int:
    """Bits below this come with probability `share`."""
    return round(share * (BITS + 1))


def mix(value: Int[Tensor, "*B"]) -> Int[Tensor, "*B"]:
    """A bijection of 32 bits that leaves no pattern. Products wrap at 64 bits, of which the lower 32 are right."""
    for multiplier, shift in zip(MULTIPLIERS, SHIFTS, strict=False):
        value = ((value ^ (value >> shift)) * multiplier) & BITS
    return value ^ (value >> SHIFTS[-1])
