"""What a forecaster says of each value: a point, quantiles, or a normal distribution; and what being wrong costs.

Letters in shapes: B batch, S steps, C values, Q numbers said of each.
"""

import math
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional

from lstmlab.recipe import Settings

Level = Annotated[float, Field(gt=0, lt=1)]

LEAST = 1e-4
"""The least deviation a normal distribution may have, in scaled units: a surer one would divide by nothing."""


class HeadSettings(Settings):
    """The kind of forecast, and its loss. Everything happens in scaled units."""

    head: Literal["point", "quantile", "gaussian"] = "point"
    """What is said of each value: a number; `quantiles`; or mean and deviation of a normal distribution."""
    quantiles: list[Level] = Field(default=[0.05, 0.25, 0.5, 0.75, 0.95], min_length=1)
    """Quantile: the levels, rising; 0.5, the forecast itself, among them."""
    loss: Literal["mse", "mae", "huber"] = "mse"
    """Point: squared error, absolute error, or Huber's, squared up to 1 and then straight (Huber 1964)."""

    @model_validator(mode="after")
    def _levels(self) -> "HeadSettings":
        if sorted(set(self.quantiles)) != self.quantiles or 0.5 not in self.quantiles:
            raise ValueError(f"quantiles have to rise and hold 0.5, the forecast itself; got {self.quantiles}")
        return self

    def idle(self) -> dict[str, str]:
        """What belongs to another kind of forecast."""
        reasons = {}
        if self.head != "quantile":
            reasons["quantiles"] = f"it belongs to head=quantile, and head is {self.head}"
        if self.head != "point":
            reasons["loss"] = f"it belongs to head=point; {self.head} has a loss of its own"
        return reasons

    @property
    def said(self) -> int:
        """Numbers said of each value."""
        return {"point": 1, "quantile": len(self.quantiles), "gaussian": 2}[self.head]

    def middle(self, said: Float[Tensor, "*B C Q"]) -> Float[Tensor, "*B C"]:
        """The forecast itself: the point, the median, the mean."""
        return said[..., self.quantiles.index(0.5) if self.head == "quantile" else 0]

    def restored(self, said: Float[Tensor, "*B C Q"], shift: Tensor | float, scale: Tensor | float) -> Tensor:
        """What was said of values that had been shifted and scaled [B 1 C], said of the values themselves."""
        shift, scale = (one[..., None] if isinstance(one, Tensor) else one for one in (shift, scale))
        if self.head != "gaussian":
            return said * scale + shift
        # A deviation stays what it is until it is read: its logarithm is what the network gives.
        wider = torch.log(scale) if isinstance(scale, Tensor) else math.log(scale)
        mean, deviation = said[..., :1] * scale + shift, said[..., 1:] + wider
        return torch.cat([mean, deviation], -1)

    def levels(self, said: Float[Tensor, "*B C Q"]) -> Float[Tensor, "*B C Q"]:
        """What was said, as people read it: quantiles in rising order, a deviation instead of its logarithm."""
        if self.head == "quantile":
            return said.sort(-1).values
        if self.head == "gaussian":
            return torch.cat([said[..., :1], said[..., 1:].exp().clamp(min=LEAST)], -1)
        return said

    def errors(self, said: Float[Tensor, "B S C Q"], truth: Float[Tensor, "B S C"]) -> Float[Tensor, "B S C"]:
        """What each value costs; nothing where the truth is missing (NaN)."""
        known = ~truth.isnan()
        true = truth.nan_to_num()
        return torch.where(known, self._errors(said, true), 0.0)

    def _errors(self, said: Tensor, true: Tensor) -> Tensor:
        if self.head == "quantile":
            gap = true[..., None] - said
            levels = torch.tensor(self.quantiles, dtype=said.dtype, device=said.device)
            # Koenker & Bassett 1978; the mean over levels, twice, so that the median alone is the absolute error.
            return 2 * torch.maximum(levels * gap, (levels - 1) * gap).mean(-1)
        if self.head == "gaussian":
            log = said[..., 1].clamp(min=math.log(LEAST))
            return 0.5 * ((true - said[..., 0]) / log.exp()).square() + log + 0.5 * math.log(2 * math.pi)
        gap = said[..., 0] - true
        if self.loss == "huber":
            return functional.huber_loss(said[..., 0], true, reduction="none")
        return gap.abs() if self.loss == "mae" else gap.square()
