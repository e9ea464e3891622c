"""How a recurrence runs: the quickest kernel that gives what the reference gives, and the reason for the choice."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from lstmlab.cells import CELLS, Cell, State
from lstmlab.kernels import native, reference
from lstmlab.kernels.noise import Noise
from lstmlab.kernels.reversal import reverse
from lstmlab.kernels.ways import Way
from lstmlab.kernels.weights import Weights, trim, untrim
from lstmlab.types import Padded

KERNELS = ("reference", "native", "cpu", "scan")

FEW_STEPS = 4
"""Up to so many steps of all rows together, calling compiled code costs more than it saves."""
WORTH_COMPILING = 2e9
"""Multiplications of one pass without a gradient from which on it pays to compile a kernel first."""


@dataclass(frozen=True)
class Choice:
    """A kernel's name and, in words, why it is the one."""

    kernel: str
    reason: str


def choose(
    cell: Cell, weights: Weights | None = None, noise: Noise | None = None, inputs: Padded | None = None
) -> Choice:
    """Which kernel runs a cell; without weights, on a processor in single precision; without inputs, on many steps."""
    plain = runs("native", cell, weights, noise)
    instead = Choice("native", "torch's own kernel") if plain else Choice("reference", "the time loop in PyTorch")
    if runs("cpu", cell, weights, noise):
        brief = _brief(cell, weights, noise, inputs)
        if brief:
            return Choice(instead.kernel, f"{instead.reason} serves at once what is {brief}")
        return Choice("cpu", "compiled from the cell's equations for this processor; padding costs nothing")
    if runs("scan", cell, weights, noise):
        return Choice("scan", "no step has to wait for the one before, so all are worked out together")
    if plain:
        return Choice("native", f"torch's own {cell.name} computes the same in compiled code")
    return Choice("reference", _why_not(cell, weights))


def runs(kernel: str, cell: Cell, weights: Weights | None = None, noise: Noise | None = None) -> bool:
    """Whether a kernel can run a cell, with these weights' normalisation, kind of number and place, and this noise."""
    if kernel == "native":
        plain = (weights is None or not weights.gains) and (noise is None or noise.silent)
        return native.layout(cell) is not None and plain
    if kernel == "cpu":
        return _fits_cpu(weights) and _traceable(cell)
    if kernel == "scan":
        from lstmlab.kernels import scan

        return not cell.recurrent and scan.fits(cell)
    return kernel == "reference"


def _brief(cell: Cell, weights: Weights | None, noise: Noise | None, inputs: Padded | None) -> str:
    """Why compiled code would not pay for these inputs; empty where it does."""
    if weights is None or inputs is None or torch.is_grad_enabled():
        return ""
    from lstmlab.kernels import build, cpu

    steps = int(inputs.lengths.sum())
    if steps <= FEW_STEPS:
        return "so short"
    if steps * (weights.input.numel() + weights.recurrent.numel()) >= WORTH_COMPILING:
        return ""
    return "" if build.ready(cpu.variant(cell, weights, noise)) else "short while the compiled kernel is not there yet"


def _fits_cpu(weights: Weights | None) -> bool:
    fits = weights is None or (
        weights.bias.device.type == "cpu" and weights.bias.dtype in (torch.float32, torch.float64)
    )
    if not fits:
        return False
    from lstmlab.kernels import build

    return build.usable()


@lru_cache(maxsize=256)
def _traceable(cell: Cell) -> bool:
    # SymPy takes a third of a second to import, and every cell of the shelf is traceable.
    if CELLS.get(cell.name) == cell:
        return True
    from lstmlab.kernels.symbolic import NotTraceable, trace

    try:
        trace(cell)
    except NotTraceable:
        return False
    return True


def _why_not(cell: Cell, weights: Weights | None) -> str:
    if not _traceable(cell):
        return f'the step of the cell "{cell.name}" does not run on symbols, so it cannot be compiled'
    if native.layout(cell) is not None:
        return "torch's own layers know no normalisation, recurrent dropout or zoneout"
    return f'torch has no kernel of its own for the cell "{cell.name}"'


def run(
    cell: Cell,
    inputs: Padded,
    weights: Weights,
    state: State | None = None,
    *,
    final_state: bool = True,
    reversed: bool = False,
    noise: Noise | None = None,
    kernel: str | None = None,
) -> tuple[Padded, State | None]:
    """One direction of one layer: outputs [B T H], and the state [B H] after each row's last step.

    Past a row's length the state stands still and the output is zero. Without `state` the cell's own beginning is
    taken. `reversed` reads each row from its last real step to its first; outputs stay where their inputs are, and the
    final state is the one after the first step. `final_state=False` allows a kernel to leave it out (None).
    `kernel` overrules `choose`.
    """
    trimmed = trim(inputs)
    kernel = kernel or choose(cell, weights, noise, trimmed).kernel
    if trimmed.values.shape[0] == 0 or trimmed.values.shape[1] == 0:
        nothing = weights.bias.new_zeros(*inputs.values.shape[:2], weights.hidden_size)
        return Padded(nothing, inputs.lengths), _begin(cell, inputs, weights, state) if final_state else None
    last: State | None
    if kernel == "cpu":
        from lstmlab.kernels import cpu

        outputs, last = cpu.run(cell, trimmed, weights, state, noise, reversed=reversed)
        return untrim(outputs, inputs.values.shape[1]), last if final_state else None
    begin = _begin(cell, inputs, weights, state)
    fed = reverse(trimmed) if reversed else trimmed
    if kernel == "reference":
        outputs, last = reference.run(cell, fed, weights, begin, noise)
    elif kernel == "native":
        outputs, last = native.run(cell, fed, weights, begin, final_state=final_state)
    elif kernel == "scan":
        from lstmlab.kernels import scan

        outputs, last = scan.run(cell, fed, weights, begin, noise)
    else:
        raise ValueError(f'no kernel "{kernel}"; there are {", ".join(KERNELS)}')
    outputs = reverse(outputs) if reversed else outputs
    return untrim(outputs, inputs.values.shape[1]), last if final_state else None


def run_ways(
    cell: Cell, inputs: Padded, ways: Sequence[Way], *, final_state: bool = True
) -> list[tuple[Padded, State | None]]:
    """`run` for each direction of a layer, side by side where a kernel can: two directions on two threads."""
    trimmed = trim(inputs)
    chosen = {choose(cell, way.weights, way.noise, trimmed).kernel for way in ways}
    if len(ways) == 1 or chosen != {"cpu"} or not trimmed.values.numel():
        return [
            run(cell, inputs, way.weights, way.state, final_state=final_state, reversed=way.reversed, noise=way.noise)
            for way in ways
        ]
    from lstmlab.kernels import cpu

    read = cpu.run_ways(cell, trimmed, ways)
    return [(untrim(one, inputs.values.shape[1]), last if final_state else None) for one, last in read]


def watch(
    cell: Cell, inputs: Padded, weights: Weights, watcher: reference.Watch, state: State | None = None
) -> tuple[Padded, State]:
    """The same, left to right, by the one kernel that shows every step to `watcher`: the reference."""
    return reference.run(cell, trim(inputs), weights, _begin(cell, inputs, weights, state), watch=watcher)


def _begin(cell: Cell, inputs: Padded, weights: Weights, state: State | None) -> State:
    if state is not None:
        return State(**{name: state[name] for name in cell.states})
    return cell.start(weights.bias.new_empty(len(inputs.lengths), weights.hidden_size))
