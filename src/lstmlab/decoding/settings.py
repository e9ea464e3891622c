"""How to search: the method and what belongs to it."""

from typing import Any, Literal, TypeVar

from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from lstmlab.recipe import Settings

L = TypeVar("L", float, Tensor, NDArray[Any])


class SearchSettings(Settings):
    """How an answer is searched for, token by token."""

    method: Literal["greedy", "beam", "sample"] = "beam"
    """Take the likeliest token each time, keep several hypotheses side by side, or draw at random."""
    beam_size: int = Field(default=5, ge=1)
    """Beam: hypotheses kept side by side (the beam width)."""
    length_penalty: float = Field(default=1.0, ge=0)
    """Beam: alpha of log p / ((5 + length) / 6)^alpha (Wu et al. 2016, equation 14); 0 ranks by log p alone."""
    stopping: Literal["first", "exact"] = "first"
    """Beam: stop once the best that have ended beat the others as they stand, or once nothing can beat them."""
    no_repeat_ngram: int = Field(default=0, ge=0)
    """Runs of this many tokens never occur twice in an answer; 0 allows all (Paulus et al. 2018)."""
    min_length: int = Field(default=0, ge=0)
    """Fewest tokens of an answer, its end mark not counted."""
    max_length: int = Field(default=100, ge=1)
    """Most tokens of an answer, its end mark not counted."""
    n_best: int = Field(default=1, ge=1)
    """Answers for each source: the best of the beam, or so many samples."""
    temperature: float = Field(default=1.0, gt=0)
    """Sample: log p is divided by it; below 1 the likely becomes likelier."""
    top_k: int = Field(default=0, ge=0)
    """Sample: draw from this many of the likeliest tokens; 0 from all (Fan et al. 2018)."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample: draw from the fewest tokens that hold this share of the probability (Holtzman et al. 2020)."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Sample: where the random numbers start."""

    @model_validator(mode="after")
    def _possible(self) -> "SearchSettings":
        if self.min_length > self.max_length:
            raise ValueError(f"min_length ({self.min_length}) is more than max_length ({self.max_length})")
        if self.method == "beam" and self.n_best > self.beam_size:
            raise ValueError(
                f"n_best ({self.n_best}) is more than a beam of {self.beam_size} keeps; take beam_size={self.n_best}"
            )
        return self

    def idle(self) -> dict[str, str]:
        """Settings of another method."""
        reasons: dict[str, str] = {}
        if self.method != "beam":
            reasons |= dict.fromkeys(
                ("beam_size", "length_penalty", "stopping"), f"it belongs to beam search, and method is {self.method}"
            )
        elif self.beam_size == 1:
            reasons |= dict.fromkeys(("length_penalty", "stopping"), "a beam of 1 has nothing to choose between")
        if self.method != "sample":
            reasons |= dict.fromkeys(
                ("temperature", "top_k", "top_p", "seed"), f"it belongs to sampling, and method is {self.method}"
            )
        elif self.top_k == 1:
            reasons |= dict.fromkeys(("temperature", "top_p", "seed", "n_best"), "top_k is 1, which leaves no choice")
        if self.method == "greedy":
            reasons["n_best"] = "greedy search finds one answer"
        return reasons


def length_divisor(length: L, alpha: float) -> L:
    """What log p is divided by (Wu et al. 2016, eq. 14). `length` counts what log p sums over: tokens, end mark."""
    return ((5 + length) / 6) ** alpha
