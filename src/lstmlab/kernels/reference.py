"""The time loop in plain PyTorch: the definition every other kernel has to match. Any cell, any device, any dtype."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from lstmlab.cells import Cell, Gates, State
from lstmlab.kernels.weights import Weights
from lstmlab.types import Padded

Watch = Callable[[int, Gates, Gates, State], None]
"""Shown every step: its number, what came from the input, what came from the past, and the state after it."""


def run(cell: Cell, inputs: Padded, weights: Weights, state: State, watch: Watch | None = None) -> tuple[Padded, State]:
    """Outputs [B T H] of inputs [B T F], and the state [B H] after each row's last step.

    Past a row's length its state stands still and its output is zero.
    """
    gates = functional.linear(inputs.values, weights.input, weights.bias).unflatten(-1, (len(cell.gates), -1))
    inner = weights.inner_bias(cell)
    alive = inputs.mask[:, :, None]
    whole = int(inputs.lengths.min())
    outputs = []
    for t, stacked in enumerate(gates.unbind(1)):
        product = functional.linear(state[cell.states[0]], weights.recurrent, inner)
        x = Gates.split(stacked, cell.gates, weights.parameters)
        r = Gates.split(product.unflatten(-1, (len(cell.gates), -1)), cell.gates)
        after = cell.step(x, r, state)
        if set(after.names) != set(cell.states):
            raise ValueError(f'cell "{cell.name}": its step returns {after.names}, its states are {cell.states}')
        state = after if t < whole else _stand_still(alive[:, t], after, state)
        if watch is not None:
            watch(t, x, r, state)
        output = state[cell.states[0]]
        outputs.append(output if t < whole else output.masked_fill(~alive[:, t], 0))
    return Padded(torch.stack(outputs, 1), inputs.lengths), state


def _stand_still(alive: Tensor, after: State, before: State) -> State:
    return State(**{name: torch.where(alive, value, before[name]) for name, value in after.items()})
