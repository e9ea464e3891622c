"""From a traced step to two straight-line programs: forward, and its exact derivative backward.

What lies between them is stored in columns, one row of numbers per time step and unit. Before the forward step the
columns hold what came from the input and from the past; after it, what the backward step needs; after that, the
gradients. A gate that uses both only as a sum has one column, others have two:

    [ x of gates apart | sums | r of gates apart | more room, where the backward step needs it ]

so that W x fills the columns from the left, R h is added to a stretch of them, and one product takes gradients back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import sympy

from lstmlab.cells import Cell
from lstmlab.kernels.symbolic import (
    Mathematics,
    Trace,
    before,
    from_input,
    from_past,
    kept,
    parameter,
    summed_gates,
)
from lstmlab.kernels.variant import Normalised

Statement = tuple[sympy.Symbol, sympy.Expr]


@dataclass(frozen=True)
class Program:
    """Forward: columns, states before → states after. Backward: gradients of states after → of columns, states before
    and parameters. `saved` names the value that each column holds between the two; None where nothing is needed.
    """

    trace: Trace
    normalised: Normalised
    apart: tuple[str, ...]
    summed: tuple[str, ...]
    columns: tuple[sympy.Symbol, ...]
    """What the forward step reads: x of gates apart, sums, r of gates apart."""
    forward: tuple[Statement, ...]
    saved: tuple[sympy.Symbol | None, ...]
    """What each column holds after the forward step; longer than `columns` where there has to be more room."""
    backward: tuple[Statement, ...]

    @property
    def gates(self) -> tuple[str, ...]:
        """Gates in the order of the columns that W x fills."""
        return self.apart + self.summed

    @property
    def past(self) -> tuple[str, ...]:
        """Gates in the order of the columns that R h fills."""
        return (*self.summed, *self.apart) if self.trace.cell.recurrent else ()

    @property
    def normals(self) -> tuple[int, ...]:
        """Where the normalised stretches of columns begin; each is as long as there are gates."""
        past = len(self.apart)
        return {"": (), "input": (0,), "recurrent": (past,), "both": (0, past), "sum": (0,)}[self.normalised]


def after(state: str) -> sympy.Symbol:
    """A state after the step."""
    return sympy.Symbol(f"{state}_after", real=True)


def incoming(state: str) -> sympy.Symbol:
    """The gradient of a state after the step, as it arrives from the future and from above."""
    return sympy.Symbol(f"d_{state}_in", real=True)


def gradient(symbol: sympy.Symbol) -> sympy.Symbol:
    """The loss's derivative with respect to a value."""
    return sympy.Symbol(f"d_{symbol.name}", real=True)


def derive(trace: Trace, normalised: Normalised = "") -> Program:
    """Both programs of a traced step. `normalised` says which sums have to stand in columns of their own: W x, R h,
    both apart, or W x + R h.
    """
    cell = trace.cell
    summed = _together(trace, normalised)
    apart = tuple(gate for gate in cell.gates if gate not in summed)
    names = {gate: sympy.Symbol(f"s_{gate}", real=True) for gate in summed}
    # Where x and r only count as x + r = s, writing s - r for x makes r vanish.
    replaced = {from_input(g): s if _blind(cell, normalised) else s - from_past(g) for g, s in names.items()}
    replaced |= {from_past(gate): sympy.Integer(0) for gate in summed if normalised == "sum"}
    expressions = {name: expression.xreplace(replaced) for name, expression in trace.after.items()}
    columns = (*map(from_input, apart), *names.values(), *map(from_past, apart if cell.recurrent else ()))
    forward = _forward(expressions)
    backward = _backward(forward, columns, trace)
    program = Program(trace, normalised, apart, summed, columns, forward, (), backward)
    # What was normalised is needed again to take the normalisation's own derivative.
    fixed = [columns[place] for begin in program.normals for place in range(begin, begin + len(cell.gates))]
    saved, again = _kept_between(forward, backward, columns, fixed, trace)
    return replace(program, saved=saved, backward=(*again, *backward))


def _together(trace: Trace, normalised: Normalised) -> tuple[str, ...]:
    if not trace.cell.recurrent or normalised == "sum":
        return trace.cell.gates
    return () if normalised else summed_gates(trace)


def _blind(cell: Cell, normalised: Normalised) -> bool:
    return not cell.recurrent or normalised == "sum"


def _forward(expressions: Mapping[str, sympy.Expr]) -> tuple[Statement, ...]:
    """Each function's value and each shared part by a name, in an order in which every name is known when used."""
    calls: dict[sympy.Expr, sympy.Symbol] = {}

    def flat(expression: sympy.Expr) -> sympy.Expr:
        if not expression.args:
            return expression
        whole = expression.func(*map(flat, expression.args))
        if not isinstance(whole, Mathematics):
            return whole
        return calls.setdefault(whole, sympy.Symbol(f"{type(whole).__name__}_{len(calls)}", real=True))

    states = {after(name): flat(expression) for name, expression in expressions.items()}
    # A state inside another formula, as c in h = o tanh(c), goes by its name there.
    known = {value: name for name, value in reversed(states.items()) if value.args or value in calls.values()}
    values = {name: call for call, name in calls.items()} | states
    named = {
        known.get(name, name): value.xreplace({part: other for part, other in known.items() if other != name})
        for name, value in values.items()
        if known.get(value) != name or value.args
    }
    return _ordered(_shared(_renamed(named), "t"))


def _renamed(values: Mapping[sympy.Symbol, sympy.Expr]) -> dict[sympy.Symbol, sympy.Expr]:
    """Function values named after what they are taken of, where that is one name: input_sigmoid, c_after_tanh."""
    names: dict[sympy.Symbol, sympy.Symbol] = {}
    for name, value in values.items():
        inner = [symbol.name for symbol in value.free_symbols if symbol not in values or symbol.name.endswith("_after")]
        gates = sorted({part[2:] for part in inner if part[:2] in ("x_", "r_", "s_")}) or sorted(inner)
        if isinstance(value, Mathematics) and not name.name.endswith("_after") and len(gates) == 1:
            wanted = sympy.Symbol(f"{gates[0]}_{type(value).__name__}", real=True)
            if wanted not in names.values():
                names[name] = wanted
    return {names.get(name, name): value.xreplace(names) for name, value in values.items()}


def _shared(values: Mapping[sympy.Symbol, sympy.Expr], letter: str) -> dict[sympy.Symbol, sympy.Expr]:
    """Parts that occur more than once get a name of their own."""
    symbols = (sympy.Symbol(f"{letter}{i}", real=True) for i in count())
    parts, rest = sympy.cse(list(values.values()), symbols=symbols)
    return {**dict(parts), **dict(zip(values, rest, strict=True))}


def _ordered(
    values: Mapping[sympy.Symbol, sympy.Expr], wanted: Iterable[sympy.Symbol] | None = None
) -> tuple[Statement, ...]:
    """What `wanted` needs (everything, if not said), each value after those it uses."""
    done: dict[sympy.Symbol, sympy.Expr] = {}

    def visit(name: sympy.Symbol) -> None:
        if name in done or name not in values:
            return
        for other in sorted(values[name].free_symbols, key=str):
            visit(other)
        done[name] = values[name]

    for name in values if wanted is None else wanted:
        visit(name)
    return tuple(done.items())


def _backward(forward: Sequence[Statement], columns: Sequence[sympy.Symbol], trace: Trace) -> tuple[Statement, ...]:
    """Reverse accumulation: every statement hands its gradient on to what it used."""
    sums: dict[sympy.Symbol, sympy.Expr] = {after(name): incoming(name) for name in trace.cell.states}
    statements: dict[sympy.Symbol, sympy.Expr] = {}
    for name, value in reversed(forward):
        if name not in sums:
            continue
        statements[gradient(name)] = sums[name]
        for symbol in sorted(value.free_symbols, key=str):
            slope = value.diff(symbol).xreplace({value: name})
            if slope != 0:
                sums[symbol] = sums.get(symbol, sympy.Integer(0)) + gradient(name) * slope
    ends = [*columns, *map(before, trace.cell.states), *map(parameter, trace.cell.parameters)]
    statements |= {gradient(symbol): sums.get(symbol, sympy.Integer(0)) for symbol in ends}
    return _ordered(_shared(statements, "u"), [gradient(symbol) for symbol in ends])


def _kept_between(
    forward: Sequence[Statement],
    backward: Sequence[Statement],
    columns: Sequence[sympy.Symbol],
    fixed: Sequence[sympy.Symbol],
    trace: Trace,
) -> tuple[tuple[sympy.Symbol | None, ...], tuple[Statement, ...]]:
    """What to store in the columns for the backward step, and what it can work out again from there.

    States and parameters are at hand anyway. A function of gates is stored, since it is dear; plain arithmetic and
    functions of what is at hand are done again. Columns that are `fixed` stay as they are.
    """
    values = dict(forward)
    at_hand = {symbol(name) for symbol in (before, after) for name in trace.cell.states}
    at_hand |= {parameter(name) for name in trace.cell.parameters} | {kept(name) for name in trace.zoneout}
    at_hand |= set(fixed)
    stored: list[sympy.Symbol] = []
    again: dict[sympy.Symbol, sympy.Expr] = {}

    def fetch(symbol: sympy.Symbol) -> None:
        if symbol in at_hand or (symbol not in values and symbol not in columns):
            return
        value = values.get(symbol)
        at_hand.add(symbol)
        if value is None or (isinstance(value, Mathematics) and not value.free_symbols <= at_hand):
            stored.append(symbol)
            return
        for part in sorted(value.free_symbols, key=str):
            fetch(part)
        again[symbol] = value

    needed = {symbol for _, value in backward for symbol in value.free_symbols}
    for symbol in sorted(needed, key=lambda symbol: (symbol not in columns, str(symbol))):
        fetch(symbol)
    return _placed(stored, columns, fixed), _ordered(again)


def _placed(
    stored: Sequence[sympy.Symbol], columns: Sequence[sympy.Symbol], fixed: Sequence[sympy.Symbol]
) -> tuple[sympy.Symbol | None, ...]:
    """A column for each value: where it is already, else its own gate's place, else any free place, else one behind."""
    places: list[sympy.Symbol | None] = [column if column in (*stored, *fixed) else None for column in columns]
    for symbol in (symbol for symbol in stored if symbol not in columns):
        free = [place for place, taken in enumerate(places) if taken is None]
        own = [place for place in free if symbol.name.startswith(columns[place].name[2:] + "_")]
        if free:
            places[(own or free)[0]] = symbol
        else:
            places.append(symbol)
    return tuple(places)
