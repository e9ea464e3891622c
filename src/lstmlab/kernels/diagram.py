"""A cell's equations as boxes, circles and the lines between them: what is drawn, before anybody knows where."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeGuard

from lstmlab.cells import Cell
from lstmlab.errors import InputError
from lstmlab.kernels import notation
from lstmlab.kernels.equations import Expression, Number, Operation, Symbol, equations
from lstmlab.kernels.languages import Plain
from lstmlab.kernels.letters import Letter, Letters

Shape = Literal["source", "join", "gate", "function", "operator", "sink"]
SIGNS = {"+": "+", "-": "−", "*": "×", "/": "÷", "maximum": "max", "minimum": "min"}
MARKS = {"-": "−", "/": "÷"}
"""What stands beside the arrow of an operator's second operand, where the order of the two counts."""


@dataclass
class Node:
    """Something drawn. `gate` is a box with weights, `function` an oval, `operator` a circle for two values."""

    shape: Shape
    label: str | Letter
    caption: str = ""
    """The gate's whole name, above its box."""
    out: Letter | None = None
    """What comes out of it, written beside it."""
    memory: bool = False
    """Whether a state passes through on its way from one step to the next."""


@dataclass(frozen=True)
class Line:
    """From one node to another. `mark` says what happens on the way: − where it is subtracted, p_i where multiplied."""

    start: int
    end: int
    mark: str | Letter = ""


@dataclass
class Diagram:
    """Nodes by number, and lines between them."""

    nodes: list[Node] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def into(self, node: int) -> list[Line]:
        """Lines that end at a node, in the order of its operands."""
        return [line for line in self.lines if line.end == node]

    def out_of(self, node: int) -> list[Line]:
        """Lines that start at a node."""
        return [line for line in self.lines if line.start == node]


MOST = 50
"""The most parts of a drawing that anybody could still read."""


def diagram(cell: Cell) -> Diagram:
    """What there is to draw of a cell. Raises InputError where that is too much."""
    made = _Builder(cell).built()
    if len(made.nodes) > MOST:
        raise InputError(f'cell "{cell.name}": {len(made.nodes)} parts are too many to draw; {MOST} would do')
    return made


class _Builder:
    """Goes through the equations once; whatever is used twice is one node with two lines."""

    def __init__(self, cell: Cell) -> None:
        self.cell, self.letters = cell, Letters(cell)
        self.diagram = Diagram()
        self.known: dict[object, int] = {}

    def built(self) -> Diagram:
        told = equations(self.cell)
        for equation in told:
            at = self._value(equation.right)
            node = self.diagram.nodes[at]
            if equation.left.kind != "after" and node.shape != "source" and node.out is None:
                node.out = self.letters.of(equation.left)
            self.known[equation.left] = at
        for name in self.cell.states:
            letter = self.letters.of(Symbol("after", name))
            self._add("sink", letter, (self.known[Symbol("after", name)], ""))
        for name in self.cell.states:
            self._mark_memory(name)
        return self.diagram

    def _add(self, shape: Shape, label: str | Letter, *starts: tuple[int, str | Letter], caption: str = "") -> int:
        """A new node fed by others, which are there already: a line always leads to a higher number."""
        at = len(self.diagram.nodes)
        self.diagram.nodes.append(Node(shape, label, caption))
        self.diagram.lines += [Line(start, at, mark) for start, mark in starts]
        return at

    def _source(self, key: object, label: str | Letter) -> int:
        if key not in self.known:
            self.known[key] = self._add("source", label)
        return self.known[key]

    def _input(self) -> int:
        return self._source("x", Letter("x", time="t"))

    def _output_before(self) -> int:
        return self._value(Symbol("before", self.cell.states[0]))

    def _both(self) -> int:
        """x_t and h_{t-1} side by side, as most gates read them."""
        if "both" not in self.known:
            self.known["both"] = self._add("join", "", (self._output_before(), ""), (self._input(), ""))
        return self.known["both"]

    def _value(self, one: Expression) -> int:
        """The node that gives an expression's value."""
        if one not in self.known:
            self.known[one] = self._made(one)
        return self.known[one]

    def _made(self, one: Expression) -> int:
        if isinstance(one, Symbol) and one.kind == "before":
            return self._add("source", self.letters.of(one))
        if _fixed(one):
            return self._add("source", notation.term(self.cell, one))
        label, inner = _function(one, self.known)
        if any(_linear(term) for _, term in _terms(inner, False)):
            return self._gate(label, inner)
        if label:
            return self._add("function", label, (self._value(inner), ""))
        assert isinstance(one, Operation)
        return self._operator(one)

    def _gate(self, function: str, inner: Expression) -> int:
        """A box: a function of W x_t, of R h_{t-1} or of both, and of whatever is added to them."""
        terms = list(_terms(inner, False))
        linear = [(negative, term) for negative, term in terms if isinstance(term, Symbol) and _linear(term)]
        kinds = {term.kind for _, term in linear}
        gates = list(dict.fromkeys(term.name for _, term in linear))
        label: str | Letter = function or "linear"
        if not function and kinds == {"past"} and len(linear) == 1:
            label = self.letters.weight("R", gates[0])
        whole = self._both if kinds == {"input", "past"} else self._input if kinds == {"input"} else self._output_before
        starts: list[tuple[int, str | Letter]] = [(whole(), "−" * all(negative for negative, _ in linear))]
        starts += [self._added(negative, term) for negative, term in terms if not _linear(term)]
        return self._add("gate", label, *starts, caption=", ".join(gates).replace("_", " "))

    def _added(self, negative: bool, term: Expression) -> tuple[int, str | Letter]:
        """What is added inside a box, and its mark: a minus, the number or parameter that it is multiplied by."""
        if isinstance(term, Operation) and term.name == "*":
            for weight, rest in (term.operands, term.operands[::-1]):
                if _fixed(weight) and not _fixed(rest):
                    if isinstance(weight, Symbol) and not negative:
                        return self._value(rest), self.letters.of(weight)
                    return self._value(rest), "−" * negative + notation.term(self.cell, weight)
        return self._value(term), "−" * negative

    def _operator(self, one: Operation) -> int:
        first, last = one.operands[0], one.operands[-1]
        if one.name == "negative":
            label, rest = "−(·)", first
        elif one.name == "^":
            label, rest = Plain().power("(·)", notation.term(self.cell, last)), first
        elif first == last and one.name in "+*":
            label, rest = "× 2" if one.name == "+" else "(·)²", first
        elif _fixed(first) or _fixed(last):
            label, rest = self._with_fixed(one)
        else:
            starts = (self._value(first), ""), (self._value(last), MARKS.get(one.name, ""))
            return self._add("operator", SIGNS[one.name], *starts)
        return self._add("function", label, (self._value(rest), ""))

    def _with_fixed(self, one: Operation) -> tuple[str, Expression]:
        """The label of an operation with a number or parameter, such as `1 −`, and its other operand."""
        first, last = one.operands
        fixed, rest = (last, first) if _fixed(last) else (first, last)
        told, sign = notation.term(self.cell, fixed), SIGNS[one.name]
        if one.call:
            return f"{sign}(·, {told})", rest
        told = f"({told})" if isinstance(fixed, Operation) and not fixed.call else told
        return f"{told} {sign}" if fixed is first and one.name in "-/" else f"{sign} {told}", rest

    def _mark_memory(self, state: str) -> None:
        """Mark the shortest way from a state to itself a step later, where it leads through arithmetic alone."""
        start, end = self.known.get(Symbol("before", state)), self.known[Symbol("after", state)]
        ways = [] if start is None else [[start]]
        seen: set[int] = set()
        while ways:
            way = ways.pop(0)
            if way[-1] == end:
                for at in way:
                    self.diagram.nodes[at].memory = True
                return
            for line in self.diagram.out_of(way[-1]):
                if line.end not in seen and self.diagram.nodes[line.end].shape in ("operator", "function"):
                    seen.add(line.end)
                    ways.append([*way, line.end])


def _function(one: Expression, known: dict[object, int]) -> tuple[str, Expression]:
    """The label of a function of one argument, and the argument: log σ of u. No label where there is none."""
    if not _is_function(one):
        return "", one
    label, inner = notation.FUNCTIONS.get(one.name, one.name), one.operands[0]
    if label == "log" and _is_function(inner) and inner not in known:
        return f"log {notation.FUNCTIONS.get(inner.name, inner.name)}", inner.operands[0]
    return label, inner


def _is_function(one: Expression) -> TypeGuard[Operation]:
    return isinstance(one, Operation) and one.call and len(one.operands) == 1


def _terms(one: Expression, negative: bool) -> Iterator[tuple[bool, Expression]]:
    if isinstance(one, Operation) and one.name in ("+", "-", "negative"):
        *first, last = one.operands
        for operand in first:
            yield from _terms(operand, negative)
        yield from _terms(last, negative != (one.name != "+"))
    else:
        yield negative, one


def _linear(one: Expression) -> bool:
    return isinstance(one, Symbol) and one.kind in ("input", "past")


def _fixed(one: Expression) -> bool:
    """Whether an expression is the same at every step: numbers and parameters."""
    if isinstance(one, Operation):
        return all(map(_fixed, one.operands))
    return isinstance(one, Number) or one.kind == "parameter"
