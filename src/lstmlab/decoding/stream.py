"""Writing on, token by token, without an end: what a language model does.

Letters in shapes: R rows, V vocabulary.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from lstmlab.decoding.walk import draw
from lstmlab.recipe import Settings

S = TypeVar("S")

SURE = 1e-6
"""Temperatures below it leave nothing to chance; divided by still smaller ones, numbers are no longer any."""


class StreamSettings(Settings):
    """How a text goes on."""

    length: int = Field(default=200, ge=1)
    """Tokens that are written."""
    temperature: float = Field(default=0.8, ge=0)
    """log p is divided by it; below 1 the likely becomes likelier, and 0 takes the likeliest token every time."""
    top_k: int = Field(default=0, ge=0)
    """Draw from this many of the likeliest tokens; 0 from all (Fan et al. 2018)."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Draw from the fewest tokens that hold this share of the probability (Holtzman et al. 2020)."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Where the random numbers start."""

    def idle(self) -> dict[str, str]:
        """What has no effect where nothing is drawn."""
        if self.temperature < SURE:
            sure = f"temperature is {self.temperature:g}, which takes the likeliest token"
            return dict.fromkeys(("top_k", "top_p", "seed"), sure)
        if self.top_k == 1:
            return dict.fromkeys(("temperature", "top_p", "seed"), "top_k is 1, which leaves no choice")
        return {}


def stream(
    step: Callable[[Int[Tensor, "R"], S], tuple[Float[Tensor, "R V"], S]],
    logits: Float[Tensor, "R V"],
    state: S,
    settings: StreamSettings,
    streams: Sequence[int],
    forbidden: Sequence[int] = (),
) -> Iterator[Int[Tensor, "R"]]:
    """`settings.length` tokens for each row, as they come: first those that `logits` speak of, then what `step` says.

    Each row reads random numbers of its own, one a step (Philox with the key (seed, stream)), so that what is written
    does not hang on who else asks.
    """
    keys = [np.array([settings.seed, stream], np.uint64) for stream in streams]
    numbers = [np.random.Generator(np.random.Philox(key=key)) for key in keys]
    never = torch.tensor(list(forbidden), dtype=torch.long, device=logits.device)
    for left in range(settings.length, 0, -1):
        tokens = _next(logits.index_fill(1, never, -torch.inf), [one.random() for one in numbers], settings)
        yield tokens
        if left > 1:
            logits, state = step(tokens, state)


def _next(logits: Float[Tensor, "R V"], uniform: list[float], settings: StreamSettings) -> Int[Tensor, "R"]:
    if settings.temperature < SURE:
        return logits.argmax(1)
    return draw(logits, torch.tensor(uniform, dtype=torch.float64, device=logits.device), settings)[1][:, 0]
