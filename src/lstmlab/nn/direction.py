"""The weights of one layer in one direction: where they live."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from lstmlab.cells import Cell
from lstmlab.kernels.weights import Weights
from lstmlab.nn.initialisation import Initialisation, draw


class Direction(nn.Module):
    """Parameters by torch's shapes, gates stacked in the cell's order: input_weight [GH F], recurrent_weight [GH H],
    bias [GH], and recurrent_bias, vectors [H] and gains [GH] of a normalisation where there are any.

    A cell blind to the past has an empty recurrent_weight [0 H] that is no parameter and is not saved.
    With `second_bias`, gates without a recurrent bias have another bias that is added to the first and starts at zero.
    The function is the same; but Adam moves both alike, so that their sum learns twice as fast, as in torch's layers.
    """

    recurrent_weight: Tensor
    recurrent_bias: nn.Parameter | None
    second_bias: nn.Parameter | None

    def __init__(
        self, cell: Cell, input_size: int, hidden_size: int, *, second_bias: bool = False, gains: Sequence[str] = ()
    ) -> None:
        super().__init__()
        rows = len(cell.gates) * hidden_size
        self.cell = cell
        # Where the sum is normalised, nothing is left that a bias inside the past's part could do.
        self.inner = () if "sum" in gains else cell.recurrent_bias
        self.input_weight = nn.Parameter(torch.empty(rows, input_size))
        if cell.recurrent:
            self.recurrent_weight = nn.Parameter(torch.empty(rows, hidden_size))
        else:
            self.register_buffer("recurrent_weight", torch.empty(0, hidden_size), persistent=False)
        self.bias = nn.Parameter(torch.empty(rows))
        inner = nn.Parameter(torch.empty(len(self.inner) * hidden_size)) if self.inner else None
        self.register_parameter("recurrent_bias", inner)
        single = [name for name in cell.gates if name not in self.inner]
        second = nn.Parameter(torch.zeros(len(single) * hidden_size)) if second_bias and single else None
        self.register_parameter("second_bias", second)
        self.vectors = nn.ParameterDict({name: torch.empty(hidden_size) for name in cell.parameters})
        self.gains = nn.ParameterDict({name: torch.ones(rows) for name in gains})

    @property
    def weights(self) -> Weights:
        """What a kernel is given."""
        return replace(self.stored, bias=self._whole_bias())

    @property
    def stored(self) -> Weights:
        """The parameters themselves, the second bias left out: what one writes to."""
        return Weights(
            self.input_weight,
            self.recurrent_weight,
            self.bias,
            self.recurrent_bias,
            dict(self.vectors),
            dict(self.gains),
        )

    def _whole_bias(self) -> Tensor:
        if self.second_bias is None:
            return self.bias
        if not self.inner:
            return self.bias + self.second_bias
        zero = self.bias.new_zeros(self.recurrent_weight.shape[1])
        pieces = iter(self.second_bias.split(len(zero)))
        return self.bias + torch.cat([zero if name in self.inner else next(pieces) for name in self.cell.gates])

    @torch.no_grad()
    def initialise(self, start: Initialisation) -> None:
        """Draw all weights anew; gains start at one."""
        self.assign(draw(self.cell, self.stored, start))
        for gain in self.gains.values():
            gain.fill_(1.0)

    @torch.no_grad()
    def assign(self, weights: Weights) -> None:
        """Take over other weights of the same shape. Gains stay as they are."""
        self.input_weight.copy_(weights.input)
        self.recurrent_weight.copy_(weights.recurrent)
        self.bias.copy_(weights.bias)
        if self.second_bias is not None:
            self.second_bias.zero_()
        if self.recurrent_bias is not None and weights.recurrent_bias is not None:
            self.recurrent_bias.copy_(weights.recurrent_bias)
        for name, vector in weights.parameters.items():
            self.vectors[name].copy_(vector)
