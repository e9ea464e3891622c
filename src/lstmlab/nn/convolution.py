"""Convolutions over time: what a recurrent encoder is compared with first (Kim 2014; Yin et al. 2017).

Letters in shapes: B batch, T steps, F features of an input, H filters.
"""

from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from lstmlab.cells import State
from lstmlab.kernels.weights import trim, untrim
from lstmlab.nn.pooling import pool
from lstmlab.types import Padded


class Convolution(nn.Module):
    """`Convolution(input_size, hidden_size, width=3)` maps inputs [B T F] to outputs [B T H], one a step.

    Each layer has `hidden_size` filters over `width` steps and a ReLU. With `bidirectional` they look both ways around
    a step, else at it and what is before it. With `dilated` the steps a filter sees lie twice as far apart in each
    layer as in the one below, so that L layers see 1 + (width - 1) (2^L - 1) steps (Bai, Kolter & Koltun 2018).

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
        width: int = 5,
        dilated: bool = False,
        dropout: float = 0.0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bidirectional, self.width, self.dilated = bidirectional, width, dilated
        self.dropout, self.residual = dropout, residual
        self.layers = nn.ModuleList(
            nn.Conv1d(hidden_size if layer else input_size, hidden_size, width, dilation=2**layer if dilated else 1)
            for layer in range(num_layers)
        )
        self.initialise()

    @property
    def output_size(self) -> int:
        """Features of an output: the filters, whichever way they look."""
        return self.hidden_size

    @property
    def causal(self) -> bool:
        """Whether an output depends on the past alone."""
        return not self.bidirectional

    @property
    def reach(self) -> int:
        """Steps that an output of the top layer sees."""
        return 1 + sum((self.width - 1) * layer.dilation[0] for layer in self._filters())

    def initialise(self) -> None:
        """Draw all weights anew, so that ReLUs keep the variance of what passes them (He et al. 2015)."""
        for layer in self._filters():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(
        self, inputs: Padded, state: State | None = None, *, final_state: bool = True
    ) -> tuple[Padded, State | None]:
        """Outputs, zero past each row's length, and their mean (None with `final_state=False`)."""
        shape = tuple(inputs.values.shape)
        if len(shape) != 3 or shape[2] != self.input_size:
            raise ValueError(f"expected inputs [B T {self.input_size}], got {list(shape)}")
        if state is not None:
            raise ValueError("a convolution carries no state: it reads every sequence from its beginning")
        whole, inputs = inputs, trim(inputs).masked()
        for at, layer in enumerate(self._filters()):
            outputs = self._layer(layer, self._dropped(inputs) if at else inputs)
            inputs = replace(outputs, values=inputs.values + outputs.values) if self.residual and at else outputs
        return untrim(inputs, whole.values.shape[1]), State(h=pool(inputs, "mean")[None]) if final_state else None

    def _filters(self) -> list[nn.Conv1d]:
        return list(self.layers)  # type: ignore[arg-type]

    def _layer(self, layer: nn.Conv1d, inputs: Padded) -> Padded:
        """One layer. Past a row's length it is given zeros, as before its beginning, however long other rows are."""
        rows, steps, _ = inputs.values.shape
        if not steps:
            return Padded(inputs.values.new_zeros(rows, 0, self.hidden_size), inputs.lengths)
        seen = (self.width - 1) * layer.dilation[0]
        before = seen // 2 if self.bidirectional else seen
        around = functional.pad(inputs.values.transpose(1, 2), (before, seen - before))
        return Padded(torch.relu(layer(around)).transpose(1, 2), inputs.lengths).masked()

    def _dropped(self, inputs: Padded) -> Padded:
        """What a layer passes on to the next."""
        return replace(inputs, values=functional.dropout(inputs.values, self.dropout, self.training))

    def extra_repr(self) -> str:
        """What a filter sees, and sizes."""
        return f"{self.width} steps wide, {self.input_size} to {self.output_size}"
