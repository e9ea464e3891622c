"""A cell's equations as a textbook has them: gates by name first, then states. Derived from the step, never written.

SymPy sorts and rearranges what it is given, which suits derivatives and not readers. So the step is run once more, on
values that only write down what happens to them; terms stay in the order in which the cell's author put them. What
counts stays `symbolic.trace`: a test holds both to the same numbers.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeGuard

from lstmlab.cells import Cell, Gates, State
from lstmlab.errors import InputError

Kind = Literal["input", "past", "before", "parameter", "gate", "sum", "shared", "after"]
ARITHMETIC = ("+", "-", "*", "/", "^", "negative")
MOST = 300
"""The most symbols and operations, all written out, of a step that is still printed or drawn."""
DEEPEST = 50
"""How many operations may stand inside each other there."""


@dataclass(frozen=True)
class Symbol:
    """A name in an equation. `input` and `past` are a gate's W x_t + b and R h_{t-1}; `before` and `after` a state;
    `gate` is what a gate's activation gives, `sum` what goes into it, `shared` whatever else has its own line."""

    kind: Kind
    name: str
    primes: int = 0
    """Tells a gate's second and third activation from its first."""

    size, depth = 1, 0

    @property
    def gates(self) -> frozenset[str]:
        """The gate it is a part of, if any."""
        return frozenset((self.name,) if self.kind in ("input", "past") else ())


@dataclass(frozen=True)
class Number:
    """A plain number."""

    value: int | float

    size, depth = 1, 0
    gates: ClassVar[frozenset[str]] = frozenset()


@dataclass(frozen=True)
class Operation:
    """An operator of ARITHMETIC or a function of `lstmlab.cells`, on one operand or two."""

    name: str
    operands: tuple["Expression", ...]
    # Kept: what is shared inside a step would otherwise be gone through again wherever it stands.
    hashed: int = field(init=False, repr=False, compare=False)
    size: int = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)
    gates: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hashed", hash((self.name, self.operands)))
        object.__setattr__(self, "size", 1 + sum(one.size for one in self.operands))
        object.__setattr__(self, "depth", 1 + max(one.depth for one in self.operands))
        object.__setattr__(self, "gates", frozenset().union(*(one.gates for one in self.operands)))

    def __hash__(self) -> int:
        return self.hashed

    @property
    def call(self) -> bool:
        """Whether this is a function rather than arithmetic."""
        return self.name not in ARITHMETIC


Expression = Symbol | Number | Operation


@dataclass(frozen=True)
class Equation:
    """A symbol and what it is."""

    left: Symbol
    right: Expression


def equations(cell: Cell) -> tuple[Equation, ...]:
    """The step as equations, each using only what stands above it. Raises InputError where it is too long for that."""
    told = _written(cell)
    if max(one.depth for one in told.values()) > DEEPEST:
        raise InputError(f'cell "{cell.name}": more than {DEEPEST} operations inside each other are too many to print')
    states = _reuse(told)
    length = sum(one.size for one in states.values())
    if length > MOST:
        raise InputError(f'cell "{cell.name}": {length} symbols and operations are too many to print; {MOST} would do')
    found = _activations(cell, states)
    found |= _sums(cell, [*(_replaced(one, found) for one in states.values()), *_definitions(found).values()], found)
    found |= _shared([*(_replaced(one, found) for one in states.values()), *_definitions(found).values()])
    right = _definitions(found) | {Symbol("after", name): _replaced(one, found) for name, one in states.items()}
    return tuple(Equation(left, right[left]) for left in _ordered(cell, right))


def symbols(expression: Expression) -> Iterator[Symbol]:
    """Every symbol of an expression, in order, each as often as it occurs."""
    if isinstance(expression, Symbol):
        yield expression
    elif isinstance(expression, Operation):
        for operand in expression.operands:
            yield from symbols(operand)


# ---- Writing down ---------------------------------------------------------------------------------------------------


_Operator = Callable[["_Writer", Any], "_Writer"]


def _operator(sign: str) -> tuple[_Operator, _Operator]:
    """What Python calls for a sign behind a _Writer, and for one before it."""
    return lambda this, other: this.applied(sign, this, other), lambda this, other: this.applied(sign, other, this)


class _Writer:
    """A value in a step's hands that writes down what is done to it."""

    __slots__ = ("expression",)

    def __init__(self, expression: Expression) -> None:
        self.expression = expression

    def applied(self, name: str, *values: Any) -> "_Writer":
        return _Writer(_readable(name, *map(_plain, values)))

    def __add__(self, other: Any) -> "_Writer":
        # The sum() of Python begins with a zero.
        return self if other == 0 and isinstance(other, int) else self.applied("+", self, other)

    def __radd__(self, other: Any) -> "_Writer":
        return self if other == 0 and isinstance(other, int) else self.applied("+", other, self)

    __sub__, __rsub__ = _operator("-")
    __mul__, __rmul__ = _operator("*")
    __truediv__, __rtruediv__ = _operator("/")

    def __pow__(self, power: Any) -> "_Writer":
        return self.applied("^", self, power)

    def __neg__(self) -> "_Writer":
        return self.applied("negative", self)

    def __pos__(self) -> "_Writer":
        return self


def _plain(value: Any) -> Expression:
    return value.expression if isinstance(value, _Writer) else Number(value)


def _readable(name: str, *operands: Expression) -> Expression:
    """An operation as one would write it on paper, where a careful program has another form of the same.

    -softplus(-u) is log σ(u), σ(log a - log b) is a / (a + b), and no minus stands before another sign.
    """
    first, last = operands[0], operands[-1]
    if name == "softplus" and _is(first, "negative"):
        return _readable("negative", Operation("log", (Operation("sigmoid", first.operands),)))
    if name == "sigmoid" and _is(first, "-") and all(_is(one, "log") for one in first.operands):
        parts = [one.operands[0] for one in first.operands if isinstance(one, Operation)]
        # In one order, so that σ(log b - log a) is seen to have the same divisor.
        return Operation("/", (parts[0], Operation("+", tuple(sorted(parts, key=repr)))))
    if name == "negative" and _is(first, "negative"):
        return first.operands[0]
    if name == "negative" and _is(first, "-"):
        return Operation("-", first.operands[::-1])
    if name in ("+", "-") and _is(last, "negative"):
        return _readable("-" if name == "+" else "+", first, last.operands[0])
    if name == "+" and _is(first, "negative"):
        return Operation("-", (last, first.operands[0]))
    return Operation(name, operands)


def _is(one: Expression, name: str) -> TypeGuard[Operation]:
    return isinstance(one, Operation) and one.name == name


def _written(cell: Cell) -> dict[str, Expression]:
    """State → what the step makes of it. What does not run on symbols is refused as `symbolic.trace` refuses it."""
    from lstmlab.kernels.symbolic import trace

    trace(cell)
    x = Gates({name: _Writer(Symbol("input", name)) for name in cell.gates} | _parameters(cell))
    r = Gates({name: _Writer(Symbol("past", name)) for name in cell.gates} if cell.recurrent else {})
    after = cell.step(x, r, State(**{name: _Writer(Symbol("before", name)) for name in cell.states}))
    return {name: _plain(after[name]) for name in cell.states}


def _parameters(cell: Cell) -> dict[str, _Writer]:
    return {name: _Writer(Symbol("parameter", name)) for name in cell.parameters}


# ---- Giving names ---------------------------------------------------------------------------------------------------

Names = dict[Expression, Symbol]


def _reuse(states: Mapping[str, Expression]) -> dict[str, Expression]:
    """The same, where a state that occurs in another's expression is called by its name: tanh(c_t)."""
    names: Names = {one: Symbol("after", name) for name, one in states.items() if isinstance(one, Operation)}
    return {name: _replaced(one, names, Symbol("after", name)) for name, one in states.items()}


def _activations(cell: Cell, states: Mapping[str, Expression]) -> Names:
    """Functions of a single gate, named by it; functions of several gates get a name of their own."""
    found: dict[str, list[Expression]] = {name: [] for name in (*cell.gates, "")}

    def look(one: Expression, inside: str | None, root: bool) -> None:
        if not isinstance(one, Operation):
            return
        # A gate is what the logarithm is taken of.
        if one.call and inside is None and one.name != "log":
            own = one.gates if len(one.gates) == 1 else _own_gates(one)
            gate = next(iter(own)) if len(own) == 1 else ""
            if own and not root and one not in found[gate]:
                found[gate].append(one)
            inside = gate if len(one.gates) == 1 else None
        for operand in one.operands:
            look(operand, inside, False)

    for one in states.values():
        look(one, None, True)
    named: Names = {}
    for gate, calls in found.items():
        outer = [one for one in calls if not any(one in set(_inside([other])) for other in calls if other is not one)]
        for count, one in enumerate(outer if gate else calls):
            named[one] = Symbol("gate", gate, count) if gate else Symbol("shared", str(count))
    return named


def _own_gates(expression: Expression) -> frozenset[str]:
    """Gates an expression reads, without those that a function of a single gate keeps to itself."""
    if not isinstance(expression, Operation):
        return expression.gates
    shown = (
        one for one in expression.operands if not (isinstance(one, Operation) and one.call and len(one.gates) == 1)
    )
    return frozenset[str]().union(*map(_own_gates, shown))


def _sums(cell: Cell, rights: list[Expression], named: Names) -> Names:
    """W x_t + R h_{t-1} + b of gates that use it more than once, or use it without a function around it."""
    found: Names = {}
    for gate in cell.gates:
        parts: tuple[Expression, ...] = (Symbol("input", gate), Symbol("past", gate))
        whole = [Operation("+", parts), Operation("+", parts[::-1])] if cell.recurrent else list(parts[:1])
        active = any(symbol.kind == "gate" and symbol.name == gate for symbol in named.values())
        for one in whole:
            places = [place for right in rights for place in _places(right, one, "sum")]
            if len(places) > 1 or "bare" in places:
                found[one] = Symbol("sum" if active else "gate", gate)
    return found


def _places(expression: Expression, wanted: Expression, where: str) -> Iterator[str]:
    """For each occurrence of `wanted`: `sum` where only sums are around it, `call` inside a function, else `bare`."""
    if expression == wanted:
        yield where
    elif isinstance(expression, Operation):
        inner = "call" if expression.call or where == "call" else where if expression.name in ("+", "-") else "bare"
        for operand in expression.operands:
            yield from _places(operand, wanted, inner)


def _shared(rights: list[Expression]) -> Names:
    """Whatever is long and used more than once."""
    counts: dict[Expression, int] = {}
    for one in _inside(rights):
        counts[one] = counts.get(one, 0) + 1
    long = [one for one, count in counts.items() if count > 1 and len(list(_inside([one]))) > 4]
    outer = [one for one in long if not any(one in set(_inside([other])) for other in long if other is not one)]
    return {one: Symbol("shared", f"{count}+") for count, one in enumerate(outer)}


def _inside(expressions: Iterable[Expression]) -> Iterator[Operation]:
    """Every operation, each once for each different operation that uses it (and for each expression)."""
    seen: set[Operation] = set()
    waiting = [one for one in expressions if isinstance(one, Operation)]
    while waiting:
        one = waiting.pop(0)
        yield one
        if one not in seen:
            seen.add(one)
            waiting += [operand for operand in one.operands if isinstance(operand, Operation)]


def _definitions(named: Names) -> dict[Symbol, Expression]:
    """Symbol → what it is, with the other names in it."""
    return {symbol: _replaced(one, named, symbol) for one, symbol in named.items()}


def _replaced(expression: Expression, names: Names, own: Symbol | None = None) -> Expression:
    """The expression with names for what has one; `own` is what the whole is called itself."""
    known: dict[Expression, Expression] = {}

    def replace(one: Expression) -> Expression:
        if one in names and names[one] != own:
            return names[one]
        if not isinstance(one, Operation):
            return one
        if one not in known:
            known[one] = Operation(one.name, tuple(map(replace, one.operands)))
        return known[one]

    return replace(expression)


def _ordered(cell: Cell, right: Mapping[Symbol, Expression]) -> list[Symbol]:
    """Gates in the cell's order as soon as what they need is there, then states, the output last."""

    def rank(symbol: Symbol) -> tuple[int, int, int]:
        if symbol.kind == "after":
            return (2, symbol.name == cell.states[0], cell.states.index(symbol.name))
        if symbol.kind == "shared":
            return (1, 0, int(symbol.name.rstrip("+")))
        # What goes into a gate's activation stands before all activations.
        return (0, symbol.kind == "gate", cell.gates.index(symbol.name))

    waiting, told = sorted(right, key=rank), list[Symbol]()
    while waiting:
        free = (one for one in waiting if not any(s in right and s not in told for s in symbols(right[one])))
        told.append(next(free))
        waiting.remove(told[-1])
    return told
