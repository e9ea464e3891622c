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
from lstmlab.kernels.passes import run as run_groups
from lstmlab.kernels.variant import Normalised, Variant
from lstmlab.kernels.ways import Way
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

    Raises ValueError where inputs and weights are numbers of different kinds or do not fit together.
    """
    return run_ways(cell, inputs, [Way(weights, state, noise, reversed)])[0]


def run_ways(cell: Cell, inputs: Padded, ways: Sequence[Way]) -> list[tuple[Padded, State]]:
    """Several directions that read the same inputs, side by side: with two threads, one for each of two directions."""
    dtype = ways[0].weights.bias.dtype
    # Under autocast a long sum keeps its digits.
    values = inputs.values.to(dtype) if torch.is_autocast_enabled("cpu") else inputs.values
    lengths = inputs.lengths if inputs.lengths.is_floating_point() else inputs.lengths.to(torch.int64)
    tensors = [_tensors(cell, values, way) for way in ways]
    for some in tensors:
        _check(cell, some, lengths)
    everything = [one for some in tensors for one in some]
    saving = torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in everything)
    passes = tuple(
        Pass(
            kernel(variant(cell, way.weights, way.noise)),
            lengths.numpy(),
            reversed=way.reversed,
            noise=way.noise or Noise(),
            saving=saving,
            # A first step from zero needs no product with the past.
            begins=way.state is not None or bool(cell.initial_state.get(cell.states[0])),
            threads=max(1, torch.get_num_threads() // len(ways)),
        )
        for way in ways
    )
    if len({one.kernel.path for one in passes}) > 1:
        return [one for way in ways for one in run_ways(cell, inputs, [way])]
    if saving:
        results = list(_Recurrence.apply(passes, *everything))
    else:
        with torch.no_grad():
            results = _forward(passes, _whole(everything))
    count = 1 + len(cell.states)
    parts = [results[at : at + count] for at in range(0, len(results), count)]
    return [(Padded(one, inputs.lengths), State(**dict(zip(cell.states, end, strict=True)))) for one, *end in parts]


def _tensors(cell: Cell, values: Tensor, way: Way) -> list[Tensor | None]:
    weights, begin = way.weights, way.state
    if begin is None:
        begin = cell.start(values.new_empty(len(values), weights.hidden_size))
    return [
        values,
        weights.input,
        weights.recurrent,
        weights.bias,
        weights.inner_bias(cell),
        *(weights.parameters[name] for name in cell.parameters),
        *(weights.gains[name] for name in ("input", "recurrent", "sum") if name in weights.gains),
        *(begin[name] for name in cell.states),
    ]


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
    """Passes over the same inputs as one operation of autograd, differentiable once."""

    @staticmethod
    def forward(ctx: Any, passes: tuple[Pass, ...], *tensors: Tensor | None) -> tuple[Tensor, ...]:
        whole = _whole(tensors)
        results = _forward(passes, whole)
        ctx.passes, ctx.count = passes, len(whole)
        # Saving also outputs makes torch notice when somebody writes over what the backward pass still reads.
        ctx.save_for_backward(*whole, *results[:: len(results) // len(passes)])
        ctx.set_materialize_grads(False)
        return tuple(results)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        passes, needed = ctx.passes, ctx.needs_input_grad[1:]
        parts = zip(
            passes,
            _parted(ctx.saved_tensors[: ctx.count], len(passes)),
            _parted(needed, len(passes)),
            _parted(gradients, len(passes)),
            strict=True,
        )
        turned = [one.turned(_given(one, tensors), wanted, slopes) for one, tensors, wanted, slopes in parts]
        run_groups(passes[0].kernel, passes[0].kernel.backward, [group for groups, _ in turned for group in groups])
        return (None, *(gradient for _, gathered in turned for gradient in gathered()))


def _forward(passes: Sequence[Pass], tensors: Sequence[Tensor | None]) -> list[Tensor]:
    given = [_given(one, part) for one, part in zip(passes, _parted(tensors, len(passes)), strict=True)]
    prepared = [one.prepared(part) for one, part in zip(passes, given, strict=True)]
    run_groups(passes[0].kernel, passes[0].kernel.forward, [group for _, groups in prepared for group in groups])
    for one, (_, groups) in zip(passes, prepared, strict=True):
        if one.saving:
            one.keep(groups)
    return [result for results, _ in prepared for result in results]


def _parted(things: Sequence[Any], count: int) -> list[Sequence[Any]]:
    size = len(things) // count
    return [things[at * size : (at + 1) * size] for at in range(count)]


def _whole(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [None if tensor is None else tensor.detach().contiguous() for tensor in tensors]


def _given(one: Pass, tensors: Any) -> Given:
    values, weights, recurrent, bias, inner, *rest = tensors
    parameters, gains = len(one.cell.parameters), one.facts.normals
    return Given(
        values, weights, recurrent, bias, inner,
        tuple(rest[:parameters]), tuple(rest[parameters : parameters + gains]), tuple(rest[parameters + gains :]),
    )  # fmt: skip
