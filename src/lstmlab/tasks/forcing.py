"""Teacher forcing: how much of the truth a decoder is fed while it learns."""

from typing import Literal

import numpy as np
from pydantic import Field

from lstmlab.recipe import Settings


class TeacherForcing(Settings):
    """How much of what a decoder is fed in training is the truth (scheduled sampling, Bengio et al. 2015).

    The rest is what the model itself said of the step before, which costs time: the decoder then goes step by step.
    """

    ratio: float = Field(default=1.0, ge=0, le=1)
    """Share of the truth at the start of training; 1 is plain teacher forcing."""
    final_ratio: float = Field(default=1.0, ge=0, le=1)
    """Share of the truth at the end of the budget."""
    schedule: Literal["linear", "exponential", "sigmoid"] = "linear"
    """How the share goes from one to the other over the budget: in a line, fast at first, or fast in the middle."""

    def idle(self) -> dict[str, str]:
        """Without a way to go there is no shape of it."""
        return {"schedule": "ratio and final_ratio are the same"} if self.ratio == self.final_ratio else {}

    def at(self, done: float) -> float:
        """The share when `done` (0 to 1) of the budget is spent."""
        fall = {
            "linear": lambda at: -at,
            "exponential": lambda at: np.exp(-5 * at),
            "sigmoid": lambda at: -np.tanh(5 * (at - 0.5)),
        }[self.schedule]
        left = float((fall(min(max(done, 0.0), 1.0)) - fall(1.0)) / (fall(0.0) - fall(1.0)))
        return self.final_ratio + (self.ratio - self.final_ratio) * left
