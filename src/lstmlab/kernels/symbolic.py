"""A cell's step on symbols: what it computes, as expressions that can be differentiated, printed and drawn.

A step is plain Python over gates and states. Run once on symbols, it gives one expression for each state after the
step. Names of symbols: `x_forget` and `r_forget` for a gate's part from the input and from the past, `c_before` for
a state, `p_NAME` for a parameter, `kept_c` for the part of a state that zoneout keeps.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sympy

from lstmlab.cells import Cell, Gates, State
from lstmlab.errors import InputError
from lstmlab.kernels.noise import zone_out


class Mathematics(sympy.Function):
    """A function a step may call. `fdiff` gives derivatives in terms of its own value where it can: that is stored."""

    @classmethod
    def eval(cls, *_: Any) -> None:
        """Left as it is: no rewriting behind the reader's back."""


class sigmoid(Mathematics):
    """1 / (1 + e^-u)."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return self * (1 - self)


class tanh(Mathematics):
    """Hyperbolic tangent."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return 1 - self**2


class exp(Mathematics):
    """e^u."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return self


class log(Mathematics):
    """Natural logarithm."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return 1 / self.args[0]


class softplus(Mathematics):
    """log(1 + e^u)."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return -less_one(-self)


class less_one(Mathematics):
    """e^u - 1."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return self + 1


class relu(Mathematics):
    """u where positive, else 0."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        return above(self, sympy.Integer(0), sympy.Integer(0))


class maximum(Mathematics):
    """The larger of two."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        left, right = self.args if argindex == 1 else self.args[::-1]
        return above(left, right, sympy.Rational(1, 2))


class minimum(Mathematics):
    """The smaller of two."""

    def fdiff(self, argindex: int = 1) -> sympy.Expr:
        left, right = self.args if argindex == 1 else self.args[::-1]
        return above(right, left, sympy.Rational(1, 2))


class above(Mathematics):
    """1 where the first is larger than the second, 0 where smaller; where they are equal, the third."""


FUNCTIONS: dict[str, type[Mathematics]] = {
    function.__name__: function for function in (sigmoid, tanh, exp, log, softplus, relu, maximum, minimum, above)
}


class Traced:
    """A symbol in a step's hands: arithmetic and the mathematics of `lstmlab.cells`, nothing else."""

    __slots__ = ("expression",)

    def __init__(self, expression: sympy.Expr) -> None:
        self.expression = expression

    def applied(self, name: str, *values: Any) -> "Traced":
        """A function of the mathematics, called on symbols."""
        return Traced(FUNCTIONS[name](*(_expression(value) for value in values)))

    def __add__(self, other: Any) -> "Traced":
        return Traced(self.expression + _expression(other))

    def __sub__(self, other: Any) -> "Traced":
        return Traced(self.expression - _expression(other))

    def __rsub__(self, other: Any) -> "Traced":
        return Traced(_expression(other) - self.expression)

    def __mul__(self, other: Any) -> "Traced":
        return Traced(self.expression * _expression(other))

    def __truediv__(self, other: Any) -> "Traced":
        return Traced(self.expression / _expression(other))

    def __rtruediv__(self, other: Any) -> "Traced":
        return Traced(_expression(other) / self.expression)

    def __pow__(self, power: Any) -> "Traced":
        if not isinstance(power, int):
            raise TypeError(f"only whole powers can be traced, got {power!r}")
        return Traced(self.expression**power)

    def __neg__(self) -> "Traced":
        return Traced(-self.expression)

    def __pos__(self) -> "Traced":
        return self

    def __bool__(self) -> bool:
        raise TypeError(
            "a step is one formula for all units and cannot branch on a value; use maximum, minimum or relu"
        )

    __radd__, __rmul__ = __add__, __mul__


@dataclass(frozen=True)
class Trace:
    """What a cell's step computes: state → expression after the step."""

    cell: Cell
    after: dict[str, sympy.Expr]
    zoneout: tuple[str, ...] = ()


class NotTraceable(InputError):
    """A step that does not run on symbols; the reference runs it all the same."""


def trace(cell: Cell, zoneout: Iterable[str] = ()) -> Trace:
    """Run the cell's step once on symbols. Raises NotTraceable where it does more than the mathematics of a cell."""
    _refuse_equal_names(cell)
    x = Gates({g: Traced(from_input(g)) for g in cell.gates} | {p: Traced(parameter(p)) for p in cell.parameters})
    r = Gates({g: Traced(from_past(g)) for g in cell.gates} if cell.recurrent else {})
    begin = State(**{name: Traced(before(name)) for name in cell.states})
    after = _called(cell, lambda: cell.step(x, r, begin))
    if set(after.names) != set(cell.states):
        raise NotTraceable(f'cell "{cell.name}": its step returns {after.names}, its states are {cell.states}')
    zoned = tuple(name for name in cell.states if name in set(zoneout))
    ordered = State(**{name: after[name] for name in cell.states})
    result = zone_out(ordered, begin, {name: Traced(kept(name)) for name in zoned})
    return Trace(cell, {name: _expression(value) for name, value in result.items()}, zoned)


def from_input(gate: str) -> sympy.Symbol:
    """A gate's part of W x + b."""
    return sympy.Symbol(f"x_{gate}", real=True)


def from_past(gate: str) -> sympy.Symbol:
    """A gate's part of R h."""
    return sympy.Symbol(f"r_{gate}", real=True)


def before(state: str) -> sympy.Symbol:
    """A state before the step."""
    return sympy.Symbol(f"{state}_before", real=True)


def parameter(name: str) -> sympy.Symbol:
    """A number each unit has learned for itself."""
    return sympy.Symbol(f"p_{name}", real=True)


def kept(state: str) -> sympy.Symbol:
    """The part of a state that zoneout keeps."""
    return sympy.Symbol(f"kept_{state}", real=True)


def _refuse_equal_names(cell: Cell) -> None:
    """Gate `before` of x and state `x` before the step would both be x_before."""
    given = {f"{letter}_{gate}" for gate in cell.gates for letter in "xrs"} | {f"p_{name}" for name in cell.parameters}
    given |= {f"{state}_{when}" for state in cell.states for when in ("before", "after", "in")}
    given |= {f"kept_{state}" for state in cell.states}
    slopes = {f"d_{name}" for name in given}
    count = 3 * len(cell.gates) + len(cell.parameters) + 4 * len(cell.states)
    if len(given) < count or given & slopes:
        raise NotTraceable(f'cell "{cell.name}": names such as {cell.states} and {cell.gates} run into each other')


def _called(cell: Cell, step: Callable[[], State]) -> State:
    try:
        return step()
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise NotTraceable(
            f'cell "{cell.name}": its step does not run on symbols ({error}); it may use arithmetic and the functions '
            f"of lstmlab.cells: {', '.join(name for name in FUNCTIONS if name != 'above')}"
        ) from error


def _expression(value: Any) -> sympy.Expr:
    if isinstance(value, Traced):
        return value.expression
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number or a symbol, got {type(value).__name__}")
    # A half is a half: only numbers that are no short fraction stay decimal.
    exact = sympy.nsimplify(value, rational=True)
    return exact if exact.q <= 1024 else sympy.Float(repr(value), 17)


def summed_gates(trace: Trace) -> tuple[str, ...]:
    """Gates whose parts from the input and from the past only count as their sum x + r, in the cell's order.

    With x = s - r written for x, such a gate's r vanishes. None of a cell that is blind to the past.
    """
    return tuple(gate for gate in trace.cell.gates if trace.cell.recurrent and _only_summed(trace, gate))


def _only_summed(trace: Trace, gate: str) -> bool:
    past = from_past(gate)
    whole = {from_input(gate): sympy.Symbol(f"s_{gate}", real=True) - past}
    replaced = (expression.xreplace(whole) for expression in trace.after.values())
    return not any(past in one.free_symbols and past in sympy.expand(one).free_symbols for one in replaced)
