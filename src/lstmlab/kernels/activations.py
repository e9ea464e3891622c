"""What each gate gives at a step, read off the cell's own equations: any cell, without a word about gates in its code.

Letters in shapes: B batch, H hidden.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lstmlab.cells import Cell, Gates, State
from lstmlab.cells import cell as mathematics
from lstmlab.errors import InputError
from lstmlab.kernels.equations import Equation, Expression, Number, Operation, Symbol, equations

Kind = Literal["gate", "candidate", "other"]
SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
}


@dataclass(frozen=True)
class Activation:
    """What a gate does to its sum W x + R h + b: the function's name; empty where the sum itself is what is used."""

    gate: str
    function: str
    state: str = ""
    """The state that is just this, and nothing else (the plain RNN's h)."""

    @property
    def kind(self) -> Kind:
        """gate: open at 1 and closed at 0 (sigmoid); candidate: from -1 to 1 (tanh); other: without such bounds."""
        kinds: dict[str, Kind] = {"sigmoid": "gate", "tanh": "candidate"}
        return kinds.get(self.function, "other")


@lru_cache(maxsize=64)
def activations(cell: Cell) -> tuple[Activation, ...]:
    """A cell's gates and their functions, in the cell's order.

    A gate used in several ways counts as what is used first. Of a cell whose equations cannot be written down, every
    gate is told as its sum.
    """
    told = _lines(cell)
    return tuple(
        Activation(name, _function(told[name].right), told[name].left.name if told[name].left.kind == "after" else "")
        if name in told
        else Activation(name, "")
        for name in cell.gates
    )


def values(cell: Cell, x: Gates, r: Gates, before: State) -> dict[str, Tensor]:
    """Gate → what it gives [B H], where `x` and `r` are the step's arguments and `before` is the state before it."""
    past = dict(r.items())
    told = {name: value + past.get(name, 0.0) for name, value in x.items() if name in cell.gates}
    known = _given(cell, x, r, before)
    for one in _equations(cell):
        known[one.left] = evaluated(one.right, known)
    return told | {name: known[line.left] for name, line in _lines(cell).items()}


def kept(cell: Cell, x: Gates, r: Gates, before: State, name: str) -> Float[Tensor, "B H"]:
    """∂s_t / ∂s_{t-1} of one state, unit by unit, at these gates: the share of its old value that a step hands on.

    The LSTM's forget gate for c, the GRU's update gate for h, nothing for a plain RNN, which writes h anew.
    """
    with torch.enable_grad():
        old = before[name].detach().requires_grad_()
        after = cell.step(x, r, State(**{**dict(before.items()), name: old}))[name]
        if not isinstance(after, Tensor) or not after.requires_grad:
            return torch.zeros_like(old)
        # A step is pointwise: the sum's gradient is each unit's own.
        (share,) = torch.autograd.grad(after.sum(), old, allow_unused=True)
    return torch.zeros_like(old) if share is None else share


def _lines(cell: Cell) -> dict[str, Equation]:
    """Gate → the equation that says what it gives: its own, or that of a state which is a function of it alone."""
    found: dict[str, Equation] = {}
    for one in _equations(cell):
        if one.left.kind == "gate":
            found.setdefault(one.left.name, one)
    for one in _equations(cell):
        right = one.right
        if one.left.kind == "after" and isinstance(right, Operation) and right.call and len(right.gates) == 1:
            (name,) = right.gates
            found.setdefault(name, one)
    return found


def evaluated(expression: Expression, known: Mapping[Symbol, Any]) -> Any:
    """The value of an expression under values of its symbols."""
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Symbol):
        return known[expression]
    operands = [evaluated(one, known) for one in expression.operands]
    if expression.name == "negative":
        return -operands[0]
    if expression.name in SIGNS:
        return SIGNS[expression.name](*operands)
    return getattr(mathematics, expression.name)(*operands)


def _given(cell: Cell, x: Gates, r: Gates, before: State) -> dict[Symbol, Any]:
    parts = {"input": cell.gates, "parameter": cell.parameters}
    told = dict(x.items())
    known: dict[Symbol, Any] = {Symbol(kind, name): told[name] for kind, names in parts.items() for name in names}  # type: ignore[arg-type]
    known |= {Symbol("past", name): value for name, value in r.items() if name in cell.gates}
    return known | {Symbol("before", name): before[name] for name in cell.states}


@lru_cache(maxsize=64)
def _equations(cell: Cell) -> tuple[Equation, ...]:
    try:
        return equations(cell)
    except InputError:  # too long to print, or no formula at all
        return ()


def _function(right: Expression) -> str:
    """The outermost function of a gate's equation."""
    return right.name if isinstance(right, Operation) and right.call else ""
