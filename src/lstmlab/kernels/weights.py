"""What one direction of one layer has learned, and how long its sequences are: what every kernel is given.

Letters in shapes: B batch, T steps, F features, G gates, H hidden, GH gates times hidden, RH gates with a recurrent
bias times hidden, PH gates with a recurrent product times hidden (GH, or 0 for a cell blind to the past).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lstmlab.cells import Cell
from lstmlab.types import Padded

EPSILON = 1e-5
"""Added to a variance before its root is taken, as torch's layer normalisation does."""


@dataclass(frozen=True)
class Weights:
    """The gates' weights, stacked in the order of `cell.gates` (and of `cell.recurrent_bias`).

    `gains` turn layer normalisation on, by what is normalised: "input" (W x), "recurrent" (R h) or "sum" (W x + R h).
    It takes all gates of a row together; the bias is added after it.
    """

    input: Float[Tensor, "GH F"]
    recurrent: Float[Tensor, "PH H"]
    bias: Float[Tensor, "GH"]
    recurrent_bias: Float[Tensor, "RH"] | None = None
    parameters: Mapping[str, Float[Tensor, "H"]] = field(default_factory=dict)
    gains: Mapping[str, Float[Tensor, "GH"]] = field(default_factory=dict)

    @property
    def hidden_size(self) -> int:
        """Units."""
        return self.recurrent.shape[1]

    def gate(self, cell: Cell, name: str) -> "Weights":
        """One gate's own weights: input [H F], recurrent [H H], bias [H], and its recurrent bias [H] where it has one.

        They are views: writing to them (without gradient) writes to the layer.
        """
        rows = _rows(cell.gates, name, self.hidden_size)
        inner = None
        if self.recurrent_bias is not None and name in cell.recurrent_bias:
            inner = self.recurrent_bias[_rows(cell.recurrent_bias, name, self.hidden_size)]
        return Weights(self.input[rows], self.recurrent[rows], self.bias[rows], inner)

    def to(self, device: str | torch.device, dtype: torch.dtype | None = None) -> "Weights":
        """The same on another device, and in another precision where one is given."""
        return Weights(
            self.input.to(device, dtype),
            self.recurrent.to(device, dtype),
            self.bias.to(device, dtype),
            None if self.recurrent_bias is None else self.recurrent_bias.to(device, dtype),
            {name: vector.to(device, dtype) for name, vector in self.parameters.items()},
            {name: gain.to(device, dtype) for name, gain in self.gains.items()},
        )

    def inner_bias(self, cell: Cell) -> Float[Tensor, "GH"] | None:
        """The recurrent bias with zeros for the gates that have none; None where no gate has one."""
        if self.recurrent_bias is None or not cell.recurrent_bias:
            return None
        if cell.recurrent_bias == cell.gates:
            return self.recurrent_bias
        zero = self.bias.new_zeros(self.hidden_size)
        pieces = dict(zip(cell.recurrent_bias, self.recurrent_bias.split(self.hidden_size), strict=True))
        return torch.cat([pieces.get(name, zero) for name in cell.gates])


def trim(inputs: Padded) -> Padded:
    """Without the steps that are padding in every row, so that more padding cannot change a bit of what follows."""
    longest, steps = int(inputs.lengths.max()) if len(inputs.lengths) else 0, inputs.values.shape[1]
    if longest > steps:
        raise ValueError(f"a row says it has {longest} steps, the tensor has {steps}")
    if longest == steps:
        return inputs
    # A view would do, but BLAS adds up in another order where rows do not lie next to each other.
    return Padded(inputs.values[:, :longest].contiguous(), inputs.lengths)


def untrim(outputs: Padded, steps: int) -> Padded:
    """`outputs` with zeros up to `steps` again."""
    missing = steps - outputs.values.shape[1]
    return Padded(functional.pad(outputs.values, (0, 0, 0, missing)), outputs.lengths) if missing else outputs


def _rows(names: tuple[str, ...], name: str, size: int) -> slice:
    at = names.index(name)
    return slice(at * size, (at + 1) * size)
