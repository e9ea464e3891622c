"""The laws every cell has to keep, put to one cell by every kernel that runs it: what a cell's card begins with.

A law that is broken is a finding with its numbers, never an error. Drawn in float64, where what is left to rounding is
known. Letters in shapes: B batch, T steps, F features, H hidden.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from lstmlab import kernels
from lstmlab.cells import Cell, State
from lstmlab.kernels import checkup
from lstmlab.kernels.checkup import Size
from lstmlab.kernels.weights import Weights
from lstmlab.types import Padded

ROUNDING = 1e-11
"""Relative to one and to the value: what float64 may differ by where sums are added in another order."""
DIRECTIONS, NUDGE, SLOPE = 8, 1e-6, 1e-5
"""Random directions a gradient is checked along, the step of the central difference, and what may be between them."""
EFFECT = 1e-9
"""The least gradient by which a weight has an effect."""
SIZE = Size((7, 4, 6, 1, 0), 3, 5)
"""Rows of different lengths, one of them empty."""


@dataclass(frozen=True)
class Finding:
    """Whether a law holds: the worst that was seen by any kernel, what is allowed, and by which kernel it was.

    `problem` is what the cell or a kernel failed with. `told` says what the law is.
    """

    law: str
    told: str
    worst: float
    allowed: float
    kernel: str
    problem: str = ""

    @property
    def held(self) -> bool:
        """Whether it holds. Not a number does not."""
        return not self.problem and self.worst <= self.allowed


@dataclass(frozen=True)
class _Case:
    cell: Cell
    kernel: str
    inputs: Padded
    weights: Weights
    begin: State

    def run(self, inputs: Padded | None = None, begin: State | None = None) -> tuple[Tensor, State]:
        """Outputs and last state of other inputs and another first state."""
        read, start = inputs or self.inputs, begin or self.begin
        outputs, end = kernels.run(self.cell, read, self.weights, start, kernel=self.kernel)
        assert end is not None
        # A cell may answer with a plain number for a state that is constant.
        like = start[self.cell.states[0]]
        return outputs.values, end.map(lambda one: one if isinstance(one, Tensor) else torch.full_like(like, one))


def examine(cell: Cell, names: Sequence[str] | None = None) -> Iterator[Finding]:
    """One finding for each law, each by all kernels of these names (None: all that can run the cell)."""
    names = list(names or _able(cell))
    for law, (told, allowed, measure) in _LAWS.items():
        yield max((_tried(cell, kernel, law, told, allowed, measure) for kernel in names), key=_badness)
    yield _agreement(cell, names)


def _agreement(cell: Cell, names: list[str]) -> Finding:
    law, told = "kernels agree", "every kernel gives the equations' values and gradients as closely as float32 can"
    try:
        found = list(checkup.examine(cell, names))
    except Exception as error:  # what the reference itself fails with
        return Finding(law, told, math.nan, math.nan, "reference", _words(error))
    worst = max(found, key=lambda one: math.inf if one.problem or math.isnan(one.error) else one.error / one.allowed)
    return Finding(law, told, worst.error, worst.allowed, worst.kernel, worst.problem)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no reason given'}"


def _able(cell: Cell) -> list[str]:
    try:
        return checkup.able(cell)
    except Exception:  # a step that fails on symbols fails on numbers too, and is told law by law
        return ["reference"]


def _tried(cell: Cell, kernel: str, law: str, told: str, allowed: float, measure: Callable[[_Case], float]) -> Finding:
    try:
        worst = measure(_Case(cell, kernel, *checkup.drawn(cell, SIZE)))
    except Exception as error:  # whatever a cell of somebody's own fails with is what this is to find
        return Finding(law, told, math.nan, allowed, kernel, _words(error))
    return Finding(law, told, worst, allowed, kernel)


def _badness(one: Finding) -> float:
    return math.inf if one.problem or math.isnan(one.worst) else one.worst


# ---- The laws -------------------------------------------------------------------------------------------------------


def _step_by_step(case: _Case) -> float:
    whole, end = case.run()
    state, outputs = case.begin, []
    for t in range(whole.shape[1]):
        lengths = (case.inputs.lengths > t).long()
        output, state = case.run(Padded(case.inputs.values[:, t : t + 1], lengths), state)
        outputs.append(output)
    return _worst(_apart(torch.cat(outputs, 1), whole), _states_apart(state, end))


def _split_anywhere(case: _Case) -> float:
    whole, end = case.run()
    worst, values, lengths = 0.0, case.inputs.values, case.inputs.lengths
    for cut in range(1, whole.shape[1]):
        left, middle = case.run(Padded(values[:, :cut], lengths.clamp(max=cut)))
        right, last = case.run(Padded(values[:, cut:], (lengths - cut).clamp(min=0)), middle)
        worst = _worst(worst, _apart(torch.cat([left, right], 1), whole), _states_apart(last, end))
    return worst


def _padding(case: _Case) -> float:
    whole, end = case.run()
    values = torch.cat([case.inputs.values, torch.zeros_like(case.inputs.values)], 1)
    noise = torch.where(Padded(values, case.inputs.lengths).mask[:, :, None], values, 9.0)
    padded, last = case.run(Padded(noise, case.inputs.lengths))
    longest = whole.shape[1]
    past = float(padded[:, longest:].abs().max())
    return _worst(_apart(padded[:, :longest], whole), past, _states_apart(last, end))


def _order(case: _Case) -> float:
    whole, end = case.run()
    worst = 0.0
    for rows in (torch.arange(len(whole)).flip(0), torch.tensor([1])):
        inputs = Padded(case.inputs.values[rows], case.inputs.lengths[rows])
        some, last = case.run(inputs, _rows(case.begin, rows))
        worst = _worst(worst, _apart(some, whole[rows]), _states_apart(last, _rows(end, rows)))
    return worst


def _gradients(case: _Case) -> float:
    """Along random directions in all that the result depends on, relative to the steepest seen."""
    leaves = _leaves(case)
    _total(case, leaves).backward()
    slopes = {name: torch.zeros_like(one) if one.grad is None else one.grad for name, one in leaves.items()}
    generator = torch.Generator().manual_seed(2)
    pairs = []
    for _ in range(DIRECTIONS):
        way = {n: torch.randn(one.shape, generator=generator, dtype=one.dtype) for n, one in leaves.items()}
        ahead, behind = (
            float(_total(case, {n: one.detach() + sign * NUDGE * way[n] for n, one in leaves.items()}).detach())
            for sign in (1, -1)
        )
        exact = sum(float((slopes[name] * way[name]).sum()) for name in leaves)
        pairs.append((exact, (ahead - behind) / (2 * NUDGE)))
    steepest = _worst(*(abs(there) for _, there in pairs)) or 1.0
    return _worst(*(abs(exact - there) / steepest for exact, there in pairs))


def _without_effect(case: _Case) -> float:
    """How many numbers to learn change nothing."""
    many = Size((6,) * 64, SIZE.features, SIZE.hidden)
    case = _Case(case.cell, case.kernel, *checkup.drawn(case.cell, many))
    leaves = {name: one for name, one in _leaves(case).items() if not name.startswith(("inputs", "first "))}
    whole = _leaves(case) | leaves
    _total(case, whole).backward()
    return float(
        sum(one.numel() if one.grad is None else int((~(one.grad.abs() >= EFFECT)).sum()) for one in leaves.values())
    )


def _bad_row(case: _Case) -> float:
    fine, _ = case.run()
    spoilt = case.inputs.values.clone()
    spoilt[0, 2] = torch.nan
    found, _ = case.run(Padded(spoilt, case.inputs.lengths))
    return _worst(_apart(found[1:], fine[1:]), _apart(found[0, :2], fine[0, :2]))


_LAWS: dict[str, tuple[str, float, Callable[[_Case], float]]] = {
    "step by step as the whole": ("fed step by step, it answers as for the whole sequence", ROUNDING, _step_by_step),
    "split anywhere as unsplit": (
        "a sequence split in two, the state handed on, gives the same",
        ROUNDING,
        _split_anywhere,
    ),
    "padding changes nothing": ("more padding, whatever it holds, changes no bit", 0.0, _padding),
    "order changes nothing": ("another order or size of the batch changes nothing", ROUNDING, _order),
    "gradient as differences": ("the gradient of everything is that of central differences", SLOPE, _gradients),
    "every weight matters": ("every number that is learned has an effect", 0.0, _without_effect),
    "a bad row stays alone": ("a row that holds no number spoils no other row and no earlier step", 0.0, _bad_row),
}


# ---- Helpers --------------------------------------------------------------------------------------------------------


def _leaves(case: _Case) -> dict[str, Tensor]:
    """Copies of all that the result depends on, by name, which collect gradients."""
    names = [one.name for one in fields(case.weights) if one.name not in ("parameters", "gains")]
    found = {name: getattr(case.weights, name) for name in names}
    found |= {f"parameter {name}": one for name, one in case.weights.parameters.items()}
    found |= {f"first {name}": one for name, one in case.begin.items()} | {"inputs": case.inputs.values}
    return {name: one.detach().clone().requires_grad_() for name, one in found.items() if one is not None}


def _total(case: _Case, leaves: dict[str, Tensor]) -> Tensor:
    """One number of which every output and every last state has a part."""
    plain: dict[str, Any] = {n: leaves[n] for n in ("input", "recurrent", "bias", "recurrent_bias") if n in leaves}
    vectors = {name: leaves[f"parameter {name}"] for name in case.weights.parameters}
    begin = State(**{name: leaves[f"first {name}"] for name in case.cell.states})
    changed = replace(case, weights=replace(case.weights, parameters=vectors, **plain))
    outputs, end = changed.run(Padded(leaves["inputs"], case.inputs.lengths), begin)
    generator = torch.Generator().manual_seed(1)
    total = outputs.new_zeros(())
    for one in (outputs, *(value for _, value in end.items())):
        total = total + (one * torch.randn(one.shape, generator=generator, dtype=one.dtype)).sum()
    return total


def _apart(left: Tensor, right: Tensor) -> float:
    """The largest difference, relative to one and to the value; NaN where a number stands against none."""
    if not right.numel():
        return 0.0
    gap = (left - right).abs() / (1 + right.abs())
    return float(gap.max())


def _rows(state: State, rows: Tensor) -> State:
    return state.map(lambda value: value[rows])


def _states_apart(left: State, right: State) -> float:
    return _worst(*(_apart(left[name], right[name]) for name in right.names))


def _worst(*seen: float) -> float:
    """The largest; NaN where one of them is, which `max` forgets when it does not come first."""
    return math.nan if any(map(math.isnan, seen)) else max(seen)
