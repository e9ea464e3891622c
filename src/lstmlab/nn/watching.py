"""Watching a recurrent stack at work: every state and every gate at every step, for as long as somebody looks.

Letters in shapes: B batch, T steps, F features, H hidden.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lstmlab.cells import Cell, Gates, State
from lstmlab.kernels import activations, reference
from lstmlab.kernels.reversal import reverse
from lstmlab.kernels.weights import trim, untrim
from lstmlab.nn import regularisation
from lstmlab.nn.recurrent import Recurrent
from lstmlab.types import Padded


@dataclass(frozen=True)
class Reading:
    """What one direction of one layer did in one pass. Lists go by step, each value [B H], in the order of reading.

    `reads` [B T F] is what the layer read, left to right; `backwards` says that it was read from each row's end.
    States are those the pass went through, so that a loss has a gradient for each of them.
    """

    cell: Cell
    depth: int
    backwards: bool
    reads: Padded
    states: list[State] = field(default_factory=list)
    gates: list[dict[str, Tensor]] = field(default_factory=list)
    shares: list[Tensor] = field(default_factory=list)
    """The part of the memory's old value that each step handed on."""

    @property
    def memory(self) -> str:
        """The state that remembers: c where the cell has one, else what it shows."""
        return "c" if "c" in self.cell.states else self.cell.states[0]

    def state(self, name: str) -> Padded:
        """One state at all steps [B T H], step t standing where its input stands."""
        return self.placed([one[name] for one in self.states])

    def gate(self, name: str) -> Padded:
        """One gate at all steps [B T H]."""
        return self.placed([one[name] for one in self.gates])

    def placed(self, values: list[Tensor]) -> Padded:
        """Values [B H] of each step of reading, where the steps' inputs stand [B T H]; zero past a row's length."""
        told = Padded(torch.stack(values, 1), self.reads.lengths).masked()
        return told.reversed() if self.backwards else told


@dataclass
class Watch:
    """The passes of a stack that were watched, in their order; of each all layers' readings, the lowest first."""

    passes: list[list[Reading]] = field(default_factory=list)

    def readings(self, depth: int = 0, *, backwards: bool = False) -> list[Reading]:
        """One layer and direction in every pass."""
        return [
            one for readings in self.passes for one in readings if one.depth == depth and one.backwards == backwards
        ]


@contextmanager
def watching(stack: Recurrent, *, gates: bool = True) -> Iterator[Watch]:
    """Within, every pass of `stack` is gone through once more step by step, and its answer is that of the second time.

    The answer is the same function of the same weights, so a gradient taken of it reaches the states that were seen.
    The stack has to be in evaluation mode (ValueError else): what dropout draws would not be the same twice.
    """
    if stack.training:
        raise ValueError("a stack is watched in evaluation: call .eval() before")
    watch = Watch()

    def again(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], said: Any) -> Any:
        state = given[1] if len(given) > 1 else named.get("state")
        outputs, final, readings = _read(stack, given[0], state, gates)
        watch.passes.append(readings)
        return outputs, final

    handle = stack.register_forward_hook(again, with_kwargs=True)
    try:
        yield watch
    finally:
        handle.remove()


def _read(stack: Recurrent, inputs: Padded, state: State | None, gates: bool) -> tuple[Padded, State, list[Reading]]:
    """The stack's outputs [B T DH] and final state as its layers give them, and what each layer and direction did."""
    whole, inputs = inputs, trim(inputs)
    readings: list[Reading] = []
    finals: list[State] = []
    for depth in range(stack.num_layers):
        sides = []
        for at, direction in enumerate(stack.directions):
            place = depth * len(stack.directions) + at
            begin = None if state is None else State(**{name: value[place] for name, value in state.items()})
            reading = Reading(stack.cell, depth, direction == "backwards", inputs)
            outputs, final = _direction(stack, reading, begin, gates)
            sides.append(outputs)
            finals.append(final)
            readings.append(reading)
        values = torch.cat(sides, -1)
        inputs = Padded(inputs.values + values if stack.residual and depth else values, inputs.lengths)
    final = State(**{name: torch.stack([one[name] for one in finals]) for name in stack.cell.states})
    return untrim(inputs, whole.values.shape[1]), final, readings


def _direction(
    stack: Recurrent, reading: Reading, begin: State | None, gates: bool
) -> tuple[Float[Tensor, "B T H"], State]:
    """One direction of one layer, by the reference; its steps are written into `reading`."""
    cell, inputs = stack.cell, reading.reads
    weights = stack.weights(reading.depth, "backwards" if reading.backwards else "forwards")
    weights, noise = regularisation.regularised(cell, weights, stack.options, False)
    begin = begin or cell.start(weights.bias.new_empty(len(inputs.lengths), weights.hidden_size))
    before = [begin]

    def watch(_: int, x: Gates, r: Gates, after: State) -> None:
        reading.states.append(after)
        if gates:
            reading.gates.append(activations.values(cell, x, r, before[-1]))
            reading.shares.append(activations.kept(cell, x, r, before[-1], reading.memory))
        before.append(after)

    fed = reverse(inputs) if reading.backwards else inputs
    outputs, final = reference.run(cell, fed, weights, begin, noise, watch)
    return (reverse(outputs) if reading.backwards else outputs).values, final
