"""How a recurrence runs: the quickest kernel that gives what the reference gives, and the reason for the choice."""

from dataclasses import dataclass

from lstmlab.cells import Cell, State
from lstmlab.kernels import native, reference
from lstmlab.kernels.weights import Weights, trim, untrim
from lstmlab.types import Padded

KERNELS = ("reference", "native")


@dataclass(frozen=True)
class Choice:
    """A kernel's name and, in words, why it is the one."""

    kernel: str
    reason: str


def choose(cell: Cell, *, watched: bool = False) -> Choice:
    """Which kernel runs a cell."""
    if watched:
        return Choice("reference", "somebody watches the gates, and only the reference shows them")
    if native.layout(cell) is None:
        return Choice("reference", f'torch has no kernel of its own for the cell "{cell.name}"')
    return Choice("native", f"torch's own {cell.name} computes the same in compiled code")


def run(
    cell: Cell,
    inputs: Padded,
    weights: Weights,
    state: State | None = None,
    *,
    final_state: bool = True,
    kernel: str | None = None,
    watch: reference.Watch | None = None,
) -> tuple[Padded, State | None]:
    """One direction of one layer, left to right: outputs [B T H], and the state [B H] after each row's last step.

    Past a row's length the state stands still and the output is zero. Without `state` the cell's own beginning is
    taken. `final_state=False` allows a kernel to leave it out (None). `kernel` overrules `choose`.
    """
    if state is None:
        state = cell.start(weights.bias.new_empty(len(inputs.lengths), weights.hidden_size))
    kernel = kernel or choose(cell, watched=watch is not None).kernel
    trimmed = trim(inputs)
    if trimmed.values.shape[0] == 0 or trimmed.values.shape[1] == 0:
        nothing = weights.bias.new_zeros(*inputs.values.shape[:2], weights.hidden_size)
        return Padded(nothing, inputs.lengths), state if final_state else None
    last: State | None
    if kernel == "reference":
        outputs, last = reference.run(cell, trimmed, weights, state, watch)
    elif kernel == "native":
        outputs, last = native.run(cell, trimmed, weights, state, final_state=final_state)
    else:
        raise ValueError(f'no kernel "{kernel}"; there are {", ".join(KERNELS)}')
    return untrim(outputs, inputs.values.shape[1]), last if final_state else None
