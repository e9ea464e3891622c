"""torch's own LSTM, GRU and RNN, run on our weights: oneDNN and cuDNN where torch has them.

Sequences are never packed. Outputs past a row's length are set to zero; the final h is read at each row's last step;
the final c is held still by one more input feature, 1 on padding, that opens the forget gate and shuts the input gate.
"""

import warnings
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from lstmlab.cells import CELLS, Cell, State
from lstmlab.kernels.weights import Weights
from lstmlab.types import Padded

# Large enough that a sigmoid of it is exactly 1 beside any other term, small enough for half precision.
_SHUT = 1e4


@dataclass(frozen=True)
class Layout:
    """How torch stores a cell: its function, its module, and the order of its gates."""

    cell: Cell
    function: str
    module: type[torch.nn.RNNBase]
    gates: tuple[str, ...]


LAYOUTS: tuple[Layout, ...] = (
    Layout(CELLS["lstm"], "lstm", torch.nn.LSTM, ("input", "forget", "cell", "output")),
    Layout(CELLS["gru"], "gru", torch.nn.GRU, ("reset", "update", "new")),
    Layout(CELLS["rnn"], "rnn_tanh", torch.nn.RNN, ("new",)),
    Layout(CELLS["rnn-relu"], "rnn_relu", torch.nn.RNN, ("new",)),
)


def layout(cell: Cell) -> Layout | None:
    """torch's layout of a cell, or None where torch has no such cell. What counts is the step, not the name."""
    for known in LAYOUTS:
        if cell.step is known.cell.step and cell.states == known.cell.states and set(cell.gates) == set(known.gates):
            return known
    return None


def run(
    cell: Cell, inputs: Padded, weights: Weights, state: State, *, final_state: bool = True
) -> tuple[Padded, State | None]:
    """Outputs [B T H] and final state [B H] as the reference gives them, or None for a state nobody asked for."""
    known = layout(cell)
    if known is None:
        raise ValueError(f'torch has no cell "{cell.name}"')
    tensors = to_torch(cell, weights)
    ragged = inputs.ragged
    values = inputs.values
    hold = ragged and final_state and "c" in cell.states
    if hold:
        values, tensors[0] = _with_padding_feature(known, inputs, tensors[0])
    outputs, last = _call(known, values, tensors, [state[name][None].contiguous() for name in cell.states])
    padded = Padded(outputs, inputs.lengths)
    if ragged:
        padded = padded.masked()
        last["h"] = padded.last
    if not final_state:
        return padded, None
    return padded, _stand_still(State(**last), inputs, state) if ragged else State(**last)


def to_torch(cell: Cell, weights: Weights) -> list[Tensor]:
    """Our weights as torch's four, by gate name: weight_ih, weight_hh, bias_ih, bias_hh.

    Nothing is copied where the cell's order is torch's, which it is for every cell on the shelf.
    """
    known = layout(cell)
    if known is None:
        raise ValueError(f'torch has no cell "{cell.name}"')
    inner = weights.inner_bias(cell)
    second = torch.zeros_like(weights.bias) if inner is None else inner
    tensors = [weights.input, weights.recurrent, weights.bias, second]
    return tensors if cell.gates == known.gates else [_reorder(one, cell.gates, known.gates) for one in tensors]


def from_torch(cell: Cell, tensors: Iterable[Tensor]) -> Weights:
    """torch's four tensors as our weights, by gate name. Its two biases are added up, except where `r` has its own."""
    known = layout(cell)
    if known is None:
        raise ValueError(f'torch has no cell "{cell.name}"')
    input_weight, recurrent, bias, inner = (_reorder(one, known.gates, cell.gates) for one in tensors)
    pieces = dict(zip(cell.gates, inner.chunk(len(cell.gates)), strict=True))
    added = torch.cat(
        [torch.zeros_like(piece) if name in cell.recurrent_bias else piece for name, piece in pieces.items()]
    )
    kept = torch.cat([pieces[name] for name in cell.recurrent_bias]) if cell.recurrent_bias else None
    return Weights(input_weight, recurrent, bias + added, kept)


def _call(
    known: Layout, values: Tensor, tensors: list[Tensor], first: list[Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """torch's function for one layer in one direction, batch first. State tensors are [1 B H] on the way in."""
    # torch keeps what the backward pass needs only in training mode; dropout is zero, so nothing else depends on it.
    training = torch.is_grad_enabled()
    begin = tuple(first) if len(first) > 1 else first[0]
    with warnings.catch_warnings() if values.is_cuda else nullcontext():
        if values.is_cuda:
            # cuDNN compacts the four tensors of this one layer at each call, which costs next to nothing.
            warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
        outputs, *last = getattr(torch._VF, known.function)(values, begin, tensors, True, 1, 0.0, training, False, True)
    return outputs, {name: value[0] for name, value in zip(known.cell.states, last, strict=True)}


def _with_padding_feature(known: Layout, inputs: Padded, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs and torch's weight_ih with the feature that holds c still on padding, exactly, in the gradient too."""
    effect = {"forget": _SHUT, "input": -_SHUT}
    column = torch.cat(
        [weight.new_full((len(weight) // len(known.gates), 1), effect.get(name, 0.0)) for name in known.gates]
    )
    flag = (~inputs.mask)[:, :, None].to(inputs.values.dtype)
    return torch.cat([inputs.values, flag], -1), torch.cat([weight, column], -1)


def _stand_still(last: State, inputs: Padded, state: State) -> State:
    """An empty row ends where it began."""
    started = (inputs.lengths > 0)[:, None]
    return State(**{name: torch.where(started, value, state[name]) for name, value in last.items()})


def _reorder(stacked: Tensor, names: tuple[str, ...], wanted: tuple[str, ...]) -> Tensor:
    pieces = dict(zip(names, stacked.chunk(len(names)), strict=True))
    return torch.cat([pieces[name] for name in wanted])
