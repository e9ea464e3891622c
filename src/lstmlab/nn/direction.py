"""The weights of one layer in one direction: where they live, how they start, and how torch would store them."""

from collections.abc import Callable
from dataclasses import replace
from math import sqrt
from typing import Literal

import torch
from torch import Tensor, nn

from lstmlab.cells import Cell
from lstmlab.kernels import native
from lstmlab.kernels.weights import Weights

Initialisation = Literal["torch", "orthogonal"]


class Direction(nn.Module):
    """Parameters by torch's shapes, gates stacked in the cell's order: input_weight [GH F], recurrent_weight [GH H],
    bias [GH], and recurrent_bias and vectors [H] where the cell has them.

    With `second_bias`, gates without a recurrent bias have another bias that is added to the first and starts at zero.
    The function is the same; but Adam moves both alike, so that their sum learns twice as fast, as in torch's layers.
    """

    recurrent_bias: nn.Parameter | None
    second_bias: nn.Parameter | None

    def __init__(self, cell: Cell, input_size: int, hidden_size: int, *, second_bias: bool = False) -> None:
        super().__init__()
        rows = len(cell.gates) * hidden_size
        self.cell = cell
        self.input_weight = nn.Parameter(torch.empty(rows, input_size))
        self.recurrent_weight = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias = nn.Parameter(torch.empty(rows))
        inner = nn.Parameter(torch.empty(len(cell.recurrent_bias) * hidden_size)) if cell.recurrent_bias else None
        self.register_parameter("recurrent_bias", inner)
        single = [name for name in cell.gates if name not in cell.recurrent_bias]
        second = nn.Parameter(torch.zeros(len(single) * hidden_size)) if second_bias and single else None
        self.register_parameter("second_bias", second)
        self.vectors = nn.ParameterDict({name: torch.empty(hidden_size) for name in cell.parameters})

    @property
    def weights(self) -> Weights:
        """What a kernel is given."""
        return replace(self.stored, bias=self._whole_bias())

    @property
    def stored(self) -> Weights:
        """The parameters themselves, the second bias left out: what one writes to."""
        return Weights(self.input_weight, self.recurrent_weight, self.bias, self.recurrent_bias, dict(self.vectors))

    def _whole_bias(self) -> Tensor:
        if self.second_bias is None:
            return self.bias
        if not self.cell.recurrent_bias:
            return self.bias + self.second_bias
        zero = self.bias.new_zeros(self.recurrent_weight.shape[1])
        pieces = iter(self.second_bias.split(len(zero)))
        return self.bias + torch.cat(
            [zero if name in self.cell.recurrent_bias else next(pieces) for name in self.cell.gates]
        )

    @torch.no_grad()
    def initialise(self, how: Initialisation, forget_bias: float | None = None) -> None:
        """Draw all weights anew. `forget_bias` sets the forget gate's bias, whatever `how` would make of it."""
        draw = {"torch": self._draw_as_torch, "orthogonal": self._draw_orthogonal}[how]
        draw()
        if self.second_bias is not None:
            self.second_bias.zero_()
        if forget_bias is not None and "forget" in self.cell.gates:
            self.stored.gate(self.cell, "forget").bias.fill_(forget_bias)

    @torch.no_grad()
    def assign(self, weights: Weights) -> None:
        """Take over other weights of the same shape."""
        self.input_weight.copy_(weights.input)
        self.recurrent_weight.copy_(weights.recurrent)
        self.bias.copy_(weights.bias)
        if self.second_bias is not None:
            self.second_bias.zero_()
        if self.recurrent_bias is not None and weights.recurrent_bias is not None:
            self.recurrent_bias.copy_(weights.recurrent_bias)
        for name, vector in weights.parameters.items():
            self.vectors[name].copy_(vector)

    def _draw_as_torch(self) -> None:
        """U(-1/sqrt H, 1/sqrt H) for every number, a bias being the sum of two draws because torch adds two biases.

        Drawn in torch's order: under one seed this is the same function as torch's own layer.
        """
        scale = 1 / sqrt(self.recurrent_weight.shape[1])

        def draw(like: Tensor) -> Tensor:
            return torch.empty_like(like).uniform_(-scale, scale)

        four = [draw(one) for one in (self.input_weight, self.recurrent_weight, self.bias, self.bias)]
        vectors = {name: draw(vector) for name, vector in self.vectors.items()}
        if native.layout(self.cell) is not None:
            self.assign(native.from_torch(self.cell, four))
            return
        kept = draw(self.recurrent_bias) if self.recurrent_bias is not None else None
        self.assign(Weights(four[0], four[1], four[2] + four[3], kept, vectors))

    def _draw_orthogonal(self) -> None:
        """Glorot-uniform input weights and orthogonal recurrent ones, gate by gate; biases from the cell; vectors 0."""
        for name in self.cell.gates:
            gate = self.stored.gate(self.cell, name)
            nn.init.xavier_uniform_(gate.input)
            nn.init.orthogonal_(gate.recurrent)
            gate.bias.fill_(self.cell.initial_bias.get(name, 0.0))
        for vector in (self.recurrent_bias, *self.vectors.values()):
            if vector is not None:
                vector.zero_()


def copy_from_torch(module: nn.RNNBase, cell: Cell, place: Callable[[int, int], Direction]) -> None:
    """Weights of torch's layer by gate name; `place(layer, direction)` says where they go."""
    known = native.layout(cell)
    wanted = "none" if known is None else known.module.__name__
    if known is None or type(module) is not known.module or getattr(module, "nonlinearity", None) != _bend(cell):
        raise ValueError(f'the cell "{cell.name}" takes its weights from torch\'s {wanted}, got {module}')
    if module.proj_size:
        raise ValueError("torch's proj_size has no counterpart here")
    for layer in range(module.num_layers):
        for direction in range(2 if module.bidirectional else 1):
            place(layer, direction).assign(native.from_torch(cell, _four(module, layer, direction)))


@torch.no_grad()
def copy_to_torch(module: nn.RNNBase, cell: Cell, place: Callable[[int, int], Direction]) -> None:
    """The way back: the second bias is zero except where the cell has one."""
    for layer in range(module.num_layers):
        for direction in range(2 if module.bidirectional else 1):
            for theirs, ours in zip(
                _four(module, layer, direction), native.to_torch(cell, place(layer, direction).weights), strict=True
            ):
                theirs.copy_(ours)


def torch_module(cell: Cell, **sizes: int | float | bool) -> nn.RNNBase:
    """torch's layer for the cell, with nothing drawn yet. Raises ValueError where torch has none."""
    known = native.layout(cell)
    if known is None:
        raise ValueError(f'torch has no layer for the cell "{cell.name}"')
    bend = {} if _bend(cell) is None else {"nonlinearity": _bend(cell)}
    module = known.module(batch_first=True, device="meta", **sizes, **bend)  # type: ignore[arg-type]
    return module.to_empty(device="cpu")


def _bend(cell: Cell) -> str | None:
    known = native.layout(cell)
    return known.function.removeprefix("rnn_") if known is not None and known.module is nn.RNN else None


def _four(module: nn.RNNBase, layer: int, direction: int) -> list[Tensor]:
    tail = f"l{layer}" + ("_reverse" if direction else "")
    four = [getattr(module, f"{name}_{tail}") for name in ("weight_ih", "weight_hh")]
    if not module.bias:
        return [*four, *[four[0].new_zeros(len(four[0]))] * 2]
    return four + [getattr(module, f"{name}_{tail}") for name in ("bias_ih", "bias_hh")]
