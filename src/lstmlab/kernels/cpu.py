"""The fused kernel: a cell's own compiled code runs all time steps of all rows, forward and backward.

Rows are sorted by length and dealt out to threads; each thread takes its rows through all steps without waiting for
another. Steps past a row's end are never computed. The equations come from the cell's step (symbolic.py, program.py,
source.py); passes.py gives the compiled code its memory; this file joins it to autograd.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lstmlab.cells import Cell, State
from lstmlab.kernels.build import kernel
from lstmlab.kernels.noise import Noise
from lstmlab.kernels.passes import Given, Pass
from lstmlab.kernels.variant import Normalised, Variant
from lstmlab.kernels.weights import Weights
from lstmlab.types import Padded

_NORMALISED: dict[frozenset[str], Normalised] = {
    frozenset(): "",
    frozenset({"input"}): "input",
    frozenset({"recurrent"}): "recurrent",
    frozenset({"input", "recurrent"}): "both",
    frozenset({"sum"}): "sum",
}


def variant(cell: Cell, weights: Weights, noise: Noise | None = None) -> Variant:
    """Which of a cell's kernels these weights and this noise need."""
    noise = noise or Noise()
    zoneout = tuple(name for name in cell.states if noise.zoneout.get(name))
    return Variant(
        cell,
        "float64" if weights.bias.dtype == torch.float64 else "float32",
        _NORMALISED[frozenset(weights.gains)],
        masked=cell.recurrent and bool(noise.dropout) and noise.seed is not None,
        zoneout=zoneout,
        counted=bool(zoneout) and noise.seed is not None,
    )


def source(cell: Cell) -> str:
    """The plain kernel of a cell, in single precision, as Python source. Raises NotTraceable."""
    return kernel(Variant(cell)).path.read_text(encoding="utf-8")


def run(
    cell: Cell,
    inputs: Padded,
    weights: Weights,
    state: State | None,
    noise: Noise | None = None,
    *,
    reversed: bool = False,
) -> tuple[Padded, State]:
    """Outputs [B T H] and final state [B H], as the reference gives them. `state` None is the cell's own beginning.

    Raises ValueError where inputs and weights are numbers of different kinds.
    """
    values = inputs.values
    if torch.is_autocast_enabled("cpu"):
        values = values.to(weights.bias.dtype)  # a long sum keeps its digits
    lengths = inputs.lengths if inputs.lengths.is_floating_point() else inputs.lengths.to(torch.int64)
    begin = cell.start(values.new_empty(len(values), weights.hidden_size)) if state is None else state
    tensors = [
        values,
        weights.input,
        weights.recurrent,
        weights.bias,
        weights.inner_bias(cell),
        *(weights.parameters[name] for name in cell.parameters),
        *(weights.gains[name] for name in ("input", "recurrent", "sum") if name in weights.gains),
        *(begin[name] for name in cell.states),
    ]
    _check(cell, tensors, lengths)
    saving = torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in tensors)
    one = Pass(
        kernel(variant(cell, weights, noise)),
        lengths.numpy(),
        reversed=reversed,
        noise=noise or Noise(),
        saving=saving,
        # A first step from zero needs no product with the past.
        begins=state is not None or bool(cell.initial_state.get(cell.states[0])),
    )
    if saving:
        outputs, *finals = _Recurrence.apply(one, *tensors)
    else:
        with torch.no_grad():
            outputs, *finals = one.forward(_given(one, _whole(tensors)))
    return Padded(outputs, inputs.lengths), State(**dict(zip(cell.states, finals, strict=True)))


def _check(cell: Cell, tensors: Sequence[Tensor | None], lengths: Tensor) -> None:
    """Compiled code believes what it is told, so everything is looked at here. Raises ValueError."""
    values, recurrent, bias = (tensors[place] for place in (0, 2, 3))
    if values is None or recurrent is None or bias is None or values.dim() != 3:
        raise ValueError("expected inputs [B T F] and weights")
    (batch, steps, size), units = values.shape, recurrent.shape[-1]
    rows = len(cell.gates) * units
    shapes = [(batch, steps, size), (rows, size), (rows if cell.recurrent else 0, units), (rows,), (rows,)]
    shapes += [(units,)] * len(cell.parameters)
    shapes += [(rows,)] * (len(tensors) - len(shapes) - len(cell.states)) + [(batch, units)] * len(cell.states)
    for tensor, shape in zip(tensors, shapes, strict=True):
        if tensor is None:
            continue
        if tensor.shape != shape:
            raise ValueError(f"a tensor of {list(tensor.shape)} came where {list(shape)} was expected")
        if tensor.dtype != bias.dtype or tensor.device.type != "cpu":
            place = f"{tensor.dtype} on {tensor.device}"
            raise ValueError(f"inputs, weights and states have to be alike: {bias.dtype} on cpu, got {place}")
    if (
        lengths.shape != (batch,)
        or lengths.is_floating_point()
        or (batch and not 0 <= int(lengths.min()) <= int(lengths.max()) <= steps)
    ):
        raise ValueError(f"expected {batch} whole lengths from 0 to {steps}, got {lengths.tolist()[:9]}")


class _Recurrence(torch.autograd.Function):
    """A pass as one operation of autograd, differentiable once."""

    @staticmethod
    def forward(ctx: Any, one: Pass, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        whole = _whole(tensors)
        outputs, *finals = one.forward(_given(one, whole))
        ctx.one, ctx.count = one, len(whole)
        # Saving also outputs makes torch notice when somebody writes over what the backward pass still reads.
        ctx.save_for_backward(*whole, outputs)
        ctx.set_materialize_grads(False)
        return (outputs, *finals)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        given = _given(ctx.one, ctx.saved_tensors[: ctx.count])
        return (None, *ctx.one.backward(given, ctx.needs_input_grad[1:], gradients))


def _whole(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [None if tensor is None else tensor.detach().contiguous() for tensor in tensors]


def _given(one: Pass, tensors: Any) -> Given:
    values, weights, recurrent, bias, inner, *rest = tensors
    parameters, gains = len(one.cell.parameters), one.facts.normals
    return Given(
        values, weights, recurrent, bias, inner,
        tuple(rest[:parameters]), tuple(rest[parameters : parameters + gains]), tuple(rest[parameters + gains :]),
    )  # fmt: skip
