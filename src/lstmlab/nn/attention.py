"""Attention: where a query finds what it needs in a memory of steps. Nothing is stored on the module.

Letters in shapes: B batch, Q queries, S memory steps, H the query's features, M the memory's features, A the features
in which both are compared.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lstmlab.kernels.products import linear
from lstmlab.recipe import FOLLOWS, Settings
from lstmlab.types import Padded

Kind = Literal["additive", "dot", "general", "concat"]

PORTION = 1 << 24
"""Numbers in the comparisons of additive and concat attention worked on at a time at most: 64 MB."""


class AttentionSettings(Settings):
    """How a decoder looks back at the source."""

    kind: Kind = Field(default="general", json_schema_extra=FOLLOWS)
    """additive: vᵀ tanh(W q + U k + b) (Bahdanau, Cho & Bengio 2015); dot, general and concat: Luong et al. 2015.

    dot: qᵀk, with a projection of k only where sizes differ; general: qᵀ W k; concat: vᵀ tanh(W [q; k]).
    """
    size: int | None = Field(default=None, ge=1)
    """Units in which additive and concat compare; null takes the decoder's hidden size."""
    input_feeding: bool = True
    """Give the attended features of a step to the next step's input as well, so that it knows what was looked at."""


@dataclass(frozen=True)
class Memory:
    """What a query can look at: keys to compare with, values to take, and which of the steps are real."""

    keys: Float[Tensor, "B S A"]
    values: Float[Tensor, "B S M"]
    mask: Bool[Tensor, "B S"]

    def select(self, rows: Tensor) -> "Memory":
        """The memories of these rows."""
        return Memory(self.keys[rows], self.values[rows], self.mask[rows])


class Attention(nn.Module):
    """`remember` a memory once, then ask it any number of queries. Weights are zero past a memory's length."""

    def __init__(self, kind: Kind, query_size: int, memory_size: int, size: int | None = None) -> None:
        super().__init__()
        self.kind, compared = kind, query_size
        self.key: nn.Linear | None = None
        self.query: nn.Linear | None = None
        self.energy: nn.Linear | None = None
        if kind in ("additive", "concat"):
            compared = size or query_size
            self.query = nn.Linear(query_size, compared, bias=False)
            self.energy = nn.Linear(compared, 1, bias=False)
        if kind != "dot" or query_size != memory_size:
            self.key = nn.Linear(memory_size, compared, bias=kind == "additive")
        self.output_size = memory_size

    def remember(self, memory: Padded) -> Memory:
        """Keys are worked out once for all queries. An empty row is remembered as one step of zeros."""
        keys = memory.values if self.key is None else linear(memory.values, self.key.weight, self.key.bias)
        return Memory(keys, memory.values, Padded(memory.values, memory.lengths.clamp(min=1)).mask)

    def forward(
        self, queries: Float[Tensor, "B Q H"], memory: Memory
    ) -> tuple[Float[Tensor, "B Q M"], Float[Tensor, "B Q S"]]:
        """For each query the weighted mean of the values, and the weights, which add up to one."""
        scores = self._scores(queries, memory.keys).masked_fill(~memory.mask[:, None], -math.inf)
        weights = torch.softmax(scores, -1)
        return weights @ memory.values, weights

    def _scores(self, queries: Tensor, keys: Tensor) -> Float[Tensor, "B Q S"]:
        if self.query is None or self.energy is None:
            return queries @ keys.transpose(1, 2)
        asked = linear(queries, self.query.weight)
        # A text of thousands of tokens against another is compared in portions, of which none is kept: where a gradient
        # is wanted each is worked out once more.
        size = max(1, PORTION // max(keys.numel(), 1))
        if size >= asked.shape[1]:
            return self._energies(asked, keys)
        again = torch.is_grad_enabled()
        return torch.cat(
            [
                checkpoint(self._energies, part, keys, use_reentrant=False) if again else self._energies(part, keys)
                for part in asked.split(size, 1)
            ],
            1,
        )

    def _energies(self, asked: Tensor, keys: Tensor) -> Float[Tensor, "B Q S"]:
        """vᵀ tanh(q + k) for every query and key."""
        assert self.energy is not None
        return self.energy(torch.tanh(asked[:, :, None] + keys[:, None]))[..., 0]

    def extra_repr(self) -> str:
        """The kind."""
        return self.kind
