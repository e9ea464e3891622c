"""A small Transformer encoder: every step looks at all others (Vaswani et al. 2017), normalised before each part
(Xiong et al. 2020).

Letters in shapes: B batch, T steps, F features of an input, H hidden, N heads, E numbers of a head.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from lstmlab.cells import State
from lstmlab.kernels.weights import trim, untrim
from lstmlab.nn.pooling import pool
from lstmlab.types import Padded

LONGEST = 10_000
"""Positions are told apart up to waves of about six times as many steps (Vaswani et al. 2017, section 3.5)."""
FIRST_GAIN = 0.1
"""What positions are multiplied by at first; it is learned (Li et al. 2019). Word vectors begin small, and beside waves
of full height a small Transformer took two epochs longer on `mr` to see them."""
WIDER = 4
"""How many times as many units stand between the two products of a layer's second half (Vaswani et al. 2017)."""


class Layer(nn.Module):
    """Attention of several heads, then two products with a ReLU between them, each added to what it has read.

    A head has H / N numbers, rounded up, so that any number of heads goes with any size. `dropout` works on what either
    half adds, and between the two products.
    """

    def __init__(self, size: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        inner = heads * -(-size // heads)
        self.attention_norm, self.norm = nn.LayerNorm(size), nn.LayerNorm(size)
        # No biases: one of the keys would add the same to all that a step compares, which changes nothing.
        self.asked = nn.Linear(size, 3 * inner, bias=False)
        self.answered = nn.Linear(inner, size)
        self.wide, self.narrow = nn.Linear(size, WIDER * size), nn.Linear(WIDER * size, size)
        nn.init.xavier_uniform_(self.asked.weight)

    def forward(
        self, values: Float[Tensor, "B T H"], keys: Bool[Tensor, "B 1 1 T"] | None, *, causal: bool
    ) -> Float[Tensor, "B T H"]:
        """Steps that have read the others: those `keys` has as true (None: all), with `causal` those before them."""
        asked = self.asked(self.attention_norm(values)).unflatten(2, (3, self.heads, -1))
        query, key, value = asked.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=keys, is_causal=causal)
        values = values + self._dropped(self.answered(found.transpose(1, 2).flatten(2)))
        return values + self._dropped(self.narrow(self._dropped(torch.relu(self.wide(self.norm(values))))))

    def _dropped(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.dropout, self.training)


class Transformer(nn.Module):
    """`Transformer(input_size, hidden_size, heads=4)` maps inputs [B T F] to outputs [B T H], one a step.

    Inputs are brought to H numbers, to which waves of different lengths are added that tell the steps' places. With
    `bidirectional` a step looks at all others, else at those before it.

    It carries no state; what it gives in the place of one is the mean of its outputs, h [1 B H].
    """

    directions = ("forwards",)
    """One vector of outputs at each step, whichever way it looked."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        *,
        heads: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bidirectional, self.heads = bidirectional, heads
        self.enter = nn.Linear(input_size, hidden_size)
        self.gain = nn.Parameter(torch.tensor(FIRST_GAIN))
        self.layers = nn.ModuleList(Layer(hidden_size, heads, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(hidden_size)

    @property
    def output_size(self) -> int:
        """Features of an output, whichever way it looked."""
        return self.hidden_size

    @property
    def causal(self) -> bool:
        """Whether an output depends on the past alone."""
        return not self.bidirectional

    def forward(
        self, inputs: Padded, state: State | None = None, *, final_state: bool = True
    ) -> tuple[Padded, State | None]:
        """Outputs, zero past each row's length, and their mean (None with `final_state=False`)."""
        shape = tuple(inputs.values.shape)
        if len(shape) != 3 or shape[2] != self.input_size:
            raise ValueError(f"expected inputs [B T {self.input_size}], got {list(shape)}")
        if state is not None:
            raise ValueError("a Transformer encoder carries no state: it reads every sequence from its beginning")
        whole, inputs = inputs, trim(inputs).masked()
        outputs = Padded(self._read(inputs), inputs.lengths).masked()
        return untrim(outputs, whole.values.shape[1]), State(h=pool(outputs, "mean")[None]) if final_state else None

    def _read(self, inputs: Padded) -> Float[Tensor, "B T H"]:
        values = self.enter(inputs.values)
        if not values.shape[1]:
            return values
        values = values + self.gain * positions(values.shape[1], values)
        keys: Tensor | None = None
        if self.bidirectional and inputs.ragged:
            # An empty row looks at its first step, which is zero: at nothing at all it would be NaN.
            keys = Padded(inputs.values, inputs.lengths.clamp(min=1)).mask[:, None, None]
        for layer in self.layers:
            values = layer(values, keys, causal=self.causal)
        return self.norm(values)

    def extra_repr(self) -> str:
        """Heads and sizes."""
        return f"{self.heads} heads, {self.input_size} to {self.output_size}"


def positions(steps: int, like: Float[Tensor, "B T H"]) -> Float[Tensor, "T H"]:
    """Sines, then cosines, of each step's place, in waves of 2π to 2π · LONGEST steps."""
    half = -(-like.shape[2] // 2)
    speeds = torch.exp(torch.arange(half, dtype=torch.float64) * (-math.log(LONGEST) / max(half - 1, 1)))
    angles = torch.arange(steps, dtype=torch.float64)[:, None] * speeds
    return torch.cat([angles.sin(), angles.cos()], 1)[:, : like.shape[2]].to(like)
