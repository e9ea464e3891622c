"""Weights in the layouts of torch and Keras, by gate name.

`place(layer, direction)` says whose weights are meant. Keras stores what torch stores, transposed and in an order of
its own: LSTM input, forget, cell, output; GRU update, reset, new. Its update gate keeps the old state, as ours does.
Letters in shapes: F features, G gates, H hidden, GH gates times hidden.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lstmlab.cells import Cell
from lstmlab.errors import InputError
from lstmlab.kernels import native
from lstmlab.nn.direction import Direction

Place = Callable[[int, int], Direction]
KERAS: dict[type[nn.RNNBase], tuple[str, tuple[str, ...]]] = {
    nn.LSTM: ("LSTM", ("input", "forget", "cell", "output")),
    nn.GRU: ("GRU", ("update", "reset", "new")),
    nn.RNN: ("SimpleRNN", ("new",)),
}
"""torch's layer → Keras's, and the order of its gates there."""
ARRAYS = ("kernel", "recurrent kernel", "bias")


@torch.no_grad()
def copy_from_torch(module: nn.RNNBase, cell: Cell, place: Place) -> None:
    """Weights of torch's layer. Raises ValueError for a layer of another kind."""
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
def copy_to_torch(module: nn.RNNBase, cell: Cell, place: Place) -> None:
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


@torch.no_grad()
def copy_from_keras(layers: Sequence[Any], cell: Cell, place: Place, directions: int) -> None:
    """One list of arrays for each layer, as Keras's `get_weights()` gives it; all are checked before one is copied.

    Raises InputError for arrays of another number or shape, and for a GRU with reset_after=False.
    """
    known = _known(cell)
    found = []
    for number, arrays in enumerate(layers):
        read = [_array(one, f"layer {number}, array {at}") for at, one in enumerate(_listed(arrays, number))]
        per, rest = divmod(len(read), directions)
        if rest or per not in (2, 3):
            raise InputError(
                f"layer {number}: expected {3 * directions} arrays "
                f"({', '.join(ARRAYS)}{', of each direction in turn' if directions > 1 else ''}), got {len(read)}"
            )
        for direction in range(directions):
            target = place(number, direction)
            some = read[direction * per : (direction + 1) * per]
            where = f"layer {number}" + (f", {('forward', 'backward')[direction]} layer" if directions > 1 else "")
            found.append((target, native.from_torch(cell, _from_keras(known, target, some, where))))
    for target, weights in found:
        target.assign(weights)


@torch.no_grad()
def arrays_for_keras(cell: Cell, ours: Direction) -> list[NDArray[np.floating[Any]]]:
    """Kernel [F GH], recurrent kernel [H GH] and bias ([2 GH] for the GRU, [GH] otherwise) of one direction."""
    known = _known(cell)
    order = KERAS[known.module][1]
    kernel, recurrent, bias, inner = (
        _reordered(one, known.gates, order) for one in native.to_torch(cell, ours.weights)
    )
    whole = torch.stack([bias, inner]) if known.module is nn.GRU else bias + inner
    return [one.detach().cpu().numpy().copy() for one in (kernel.T, recurrent.T, whole)]


def _from_keras(known: native.Layout, target: Direction, arrays: list[Tensor], where: str) -> list[Tensor]:
    """One direction's arrays as torch's four tensors."""
    features, (rows, hidden) = target.input_weight.shape[1], target.recurrent_weight.shape
    two = known.module is nn.GRU
    wanted: list[tuple[int, ...]] = [(features, rows), (hidden, rows), (2, rows) if two else (rows,)]
    for name, array, shape in zip(ARRAYS, arrays, wanted, strict=False):
        if two and name == "bias" and array.shape == (rows,):
            raise InputError(
                f"{where}: a bias of [{rows}] belongs to a GRU with reset_after=False, which resets the state before "
                f"the recurrent product; ours, as torch's, resets after it and needs reset_after=True, whose bias is "
                f"[2, {rows}]"
            )
        if array.shape != shape:
            raise InputError(f"{where}: expected a {name} of {list(shape)}, got {list(array.shape)}")
    zero = torch.zeros(rows, dtype=arrays[0].dtype)
    biases = [zero, zero] if len(arrays) == 2 else list(arrays[2]) if two else [arrays[2], zero]
    order = KERAS[known.module][1]
    return [_reordered(one, order, known.gates) for one in (arrays[0].T, arrays[1].T, *biases)]


def _listed(arrays: Any, number: int) -> list[Any]:
    if not isinstance(arrays, Iterable) or isinstance(arrays, (np.ndarray, Tensor, str)):
        raise InputError(
            f"layer {number}: expected the list that Keras's layer.get_weights() gives, got {type(arrays).__name__}; "
            "write load_keras(layer.get_weights()), one such list for each layer"
        )
    return list(arrays)


def _array(value: Any, where: str) -> Tensor:
    try:
        return torch.from_numpy(np.array(value, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: expected an array of numbers, got {type(value).__name__}") from error


def _known(cell: Cell) -> native.Layout:
    known = native.layout(cell)
    if known is None:
        raise InputError(f'Keras has no layer for the cell "{cell.name}"; it has them for lstm, gru, rnn and rnn-relu')
    return known


def _reordered(stacked: Tensor, names: Sequence[str], wanted: Sequence[str]) -> Tensor:
    """Gates in another order; they lie along the first dimension."""
    pieces = dict(zip(names, stacked.chunk(len(names)), strict=True))
    return torch.cat([pieces[name] for name in wanted])


def _bend(cell: Cell) -> str | None:
    known = native.layout(cell)
    return known.function.removeprefix("rnn_") if known is not None and known.module is nn.RNN else None


def _four(module: nn.RNNBase, layer: int, direction: int) -> list[Tensor]:
    tail = f"l{layer}" + ("_reverse" if direction else "")
    four = [getattr(module, f"{name}_{tail}") for name in ("weight_ih", "weight_hh")]
    if not module.bias:
        return [*four, *[four[0].new_zeros(len(four[0]))] * 2]
    return four + [getattr(module, f"{name}_{tail}") for name in ("bias_ih", "bias_hh")]
