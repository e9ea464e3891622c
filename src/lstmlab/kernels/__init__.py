"""How a recurrence runs: the quickest kernel that gives what the reference gives, and the reason for the choice."""

from dataclasses import dataclass

from lstmlab.cells import Cell, State
from lstmlab.kernels import native, reference
from lstmlab.kernels.noise import Noise
from lstmlab.kernels.reversal import reverse
from lstmlab.kernels.weights import Weights, trim, untrim
from lstmlab.types import Padded

KERNELS = ("reference", "native")


@dataclass(frozen=True)
class Choice:
    """A kernel's name and, in words, why it is the one."""

    kernel: str
    reason: str


def choose(cell: Cell, weights: Weights | None = None, noise: Noise | None = None) -> Choice:
    """Which kernel runs a cell."""
    if native.layout(cell) is None:
        return Choice("reference", f'torch has no kernel of its own for the cell "{cell.name}"')
    if not runs("native", cell, weights, noise):
        return Choice("reference", "torch's own layers know no normalisation, recurrent dropout or zoneout")
    return Choice("native", f"torch's own {cell.name} computes the same in compiled code")


def runs(kernel: str, cell: Cell, weights: Weights | None = None, noise: Noise | None = None) -> bool:
    """Whether a kernel can run a cell, with these weights' normalisation and this noise."""
    if kernel == "native":
        plain = (weights is None or not weights.gains) and (noise is None or noise.silent)
        return native.layout(cell) is not None and plain
    return kernel == "reference"


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
    begin = _begin(cell, inputs, weights, state)
    kernel = kernel or choose(cell, weights, noise).kernel
    trimmed = trim(inputs)
    if trimmed.values.shape[0] == 0 or trimmed.values.shape[1] == 0:
        nothing = weights.bias.new_zeros(*inputs.values.shape[:2], weights.hidden_size)
        return Padded(nothing, inputs.lengths), begin if final_state else None
    fed = reverse(trimmed) if reversed else trimmed
    last: State | None
    if kernel == "reference":
        outputs, last = reference.run(cell, fed, weights, begin, noise)
    elif kernel == "native":
        outputs, last = native.run(cell, fed, weights, begin, final_state=final_state)
    else:
        raise ValueError(f'no kernel "{kernel}"; there are {", ".join(KERNELS)}')
    outputs = reverse(outputs) if reversed else outputs
    return untrim(outputs, inputs.values.shape[1]), last if final_state else None


def watch(
    cell: Cell, inputs: Padded, weights: Weights, watcher: reference.Watch, state: State | None = None
) -> tuple[Padded, State]:
    """The same, left to right, by the one kernel that shows every step to `watcher`: the reference."""
    return reference.run(cell, trim(inputs), weights, _begin(cell, inputs, weights, state), watch=watcher)


def _begin(cell: Cell, inputs: Padded, weights: Weights, state: State | None) -> State:
    if state is not None:
        return State(**{name: state[name] for name in cell.states})
    return cell.start(weights.bias.new_empty(len(inputs.lengths), weights.hidden_size))
