"""A cell's program printed as the source of a Numba kernel: plain text, the same for the same equations."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import sympy

from lstmlab.cells import Cell
from lstmlab.kernels.program import Program, after, derive, gradient, incoming
from lstmlab.kernels.symbolic import Mathematics, before, kept, parameter, trace
from lstmlab.kernels.variant import Facts, Variant
from lstmlab.kernels.vectors import template
from lstmlab.kernels.weights import EPSILON

SIZES = (
    "rows steps whole_steps size units padded padded_size direction saving block begins flush team member arrived "
    "alive offset length row place addresses values outputs columns bias parameters zeros "
    "input_panels summed_panels apart_panels past_panels gate_panels panels room "
    "visible hidden gain spread d_line d_gain d_values d_outputs d_input d_recurrent d_bias d_parameters"
).split()
"""What every plan holds; addresses and sizes of each state follow."""


@dataclass
class Lines:
    """The lines of one pass, by where they stand."""

    before_rows: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    saves: list[str] = field(default_factory=list)
    stores: list[str] = field(default_factory=list)
    after_rows: list[str] = field(default_factory=list)
    uses_past_output: bool = False


def layout(program: Program) -> dict[str, int]:
    """Where each size and address stands in a plan."""
    states = program.trace.cell.states
    more = [f"{what}_{name}" for name in states for what in ("state", "begin", "final", "flow", "d_final", "d_begin")]
    more += [f"{what}_{name}" for name in program.trace.zoneout for what in ("keys", "threshold", "share")]
    return {name: place for place, name in enumerate([*SIZES, *more])}


def kernel_source(variant: Variant, vectors: str) -> str:
    """The kernel's module; `vectors` is the name of the module of vectors."""
    program = _program(variant)
    cell = variant.cell
    printer = Printer()
    index = layout(program)
    passes = {
        "forward": _forward(variant, program, printer, index),
        "backward": _backward(variant, program, printer, index),
    }
    facts = Facts(
        index,
        program.gates,
        program.apart if cell.recurrent else (),
        program.past,
        len(program.columns),
        len(program.saved),
        len(program.normals),
    )
    inputs, apart = len(program.gates), len(program.apart) if cell.recurrent else 0
    return template("kernel.py.jinja").render(
        name=json.dumps(cell.name),
        real=variant.real,
        note=_note(variant),
        vectors=vectors,
        index=index,
        output=cell.states[0],
        states=cell.states,
        memory=cell.states[1:],
        parameters=cell.parameters,
        recurrent=cell.recurrent,
        normalised=variant.normalised,
        masked=variant.masked,
        epsilon=EPSILON,
        width=len(program.saved),
        columns_given=len(program.columns),
        inputs=inputs,
        apart=apart,
        summed=len(program.summed) if cell.recurrent else 0,
        past=len(program.past),
        past_begin=apart,
        normals=program.normals,
        numbers=printer.numbers(),
        facts=asdict(facts),
        **passes,
    )


class Printer:
    """Expressions as Python over vectors; numbers become names that are set once."""

    def __init__(self) -> None:
        self._numbers: dict[sympy.Number, str] = {}

    def numbers(self) -> list[dict[str, str]]:
        """Name and value of each number that was printed."""
        return [{"name": name, "value": repr(float(value))} for value, name in self._numbers.items()]

    def text(self, expression: sympy.Expr) -> str:
        """One expression; everything is bracketed where the order of operations could be mistaken."""
        if expression.is_Symbol:
            return expression.name
        if expression.is_Number:
            return self._number(expression)
        if isinstance(expression, Mathematics):
            name = {"log": "logarithm"}.get(type(expression).__name__, type(expression).__name__)
            return f"{name}({', '.join(map(self.text, expression.args))})"
        if expression.is_Add:
            return self._sum(expression)
        if expression.is_Mul:
            return self._product(expression)
        if expression.is_Pow and expression.exp.is_Integer:
            factors = " * ".join([self._part(expression.base)] * abs(int(expression.exp)))
            return factors if expression.exp > 0 else f"{self._number(sympy.Integer(1))} / ({factors})"
        raise TypeError(f"cannot print {expression}")

    def _sum(self, expression: sympy.Expr) -> str:
        terms = sorted(expression.args, key=lambda term: (term.could_extract_minus_sign(), not term.is_Number))
        text = self.text(terms[0])
        for term in terms[1:]:
            minus = term.could_extract_minus_sign()
            text += f" - {self._part(-term)}" if minus else f" + {self.text(term)}"
        return text

    def _product(self, expression: sympy.Expr) -> str:
        above, below = sympy.fraction(expression, exact=True)
        if below != 1:
            return f"{self._part(above)} / {self._part(below)}"
        if expression.args[0] == -1:
            return f"-({self.text(-expression)})"
        return " * ".join(self._part(factor) for factor in expression.args)

    def _part(self, expression: sympy.Expr) -> str:
        text = self.text(expression)
        simple = expression.is_Symbol or expression.is_Number or isinstance(expression, Mathematics)
        return text if simple else f"({text})"

    def _number(self, value: sympy.Number) -> str:
        return self._numbers.setdefault(value, f"number_{len(self._numbers)}")


def _forward(variant: Variant, program: Program, printer: Printer, index: dict[str, int]) -> Lines:
    cell, output = variant.cell, variant.cell.states[0]
    lines = Lines(before_rows=_constants(variant, program))
    used = {symbol for _, value in program.forward for symbol in value.free_symbols}
    lines.uses_past_output = before(output) in used
    lines.loads = [
        *_columns_read(program, [column if column in used else None for column in program.columns]),
        *_states_before(cell, used),
        *_kept(variant, used, index),
    ]
    lines.statements = [f"{name} = {printer.text(value)}" for name, value in program.forward]
    for place, symbol in enumerate(program.saved):
        moved = place >= len(program.columns) or symbol != program.columns[place]
        if symbol is not None and moved:
            lines.saves.append(f"store(columns, at + {place} * padded, {symbol})")
    for name in cell.states[1:]:
        lines.stores.append(f"store(state_{name}, (after + i) * padded + j, {after(name)})")
    lines.stores.append(
        f"store_part(outputs, (whole(place_of, i) + direction * step) * units + j, {after(output)}, left)"
    )
    if variant.masked:
        seen = "load_part(hidden, whole(row_of, i) * units + j, left)"
        lines.stores.append(f"store(visible, i * padded + j, {after(output)} * {seen})")
    return lines


def _backward(variant: Variant, program: Program, printer: Printer, index: dict[str, int]) -> Lines:
    cell, output, normal = variant.cell, variant.cell.states[0], _normal(program)
    used = {symbol for _, value in program.backward for symbol in value.free_symbols}
    lines = Lines(before_rows=_constants(variant, program), uses_past_output=before(output) in used)
    saved = [symbol if symbol in used else None for symbol in program.saved]
    lines.loads = [*_columns_read(program, saved), *_states_before(cell, used), *_kept(variant, used, index)]
    for name in cell.states[1:]:
        if after(name) in used:
            lines.loads.append(f"{after(name)} = load(state_{name}, (after + i) * padded + j)")
    if after(output) in used:
        lines.loads.append(f"{after(output)} = load_part(outputs, here, left)")
    lines.loads += [f"{incoming(name)} = load(flow_{name}, i * padded + j)" for name in cell.states]
    lines.statements = [f"{name} = {printer.text(value)}" for name, value in program.backward]
    for place, column in enumerate(program.columns):
        slope = gradient(column)
        lines.before_rows.append(f"sum_{place} = nothing")
        lines.stores += [f"{slope} = first({slope}, left)", f"sum_{place} = sum_{place} + {slope}"]
        if place in normal:
            lines.stores.append(f"store(d_line, (i * {len(normal)} + {normal[place]}) * padded + j, {slope})")
        else:
            lines.stores.append(f"store(columns, at + {place} * padded, {slope})")
        total = f"{place} * padded + j"
        lines.after_rows.append(f"store(d_bias, {total}, load(d_bias, {total}) + sum_{place})")
    for place, name in enumerate(cell.parameters):
        slope, total = gradient(parameter(name)), f"{place} * padded + j"
        lines.before_rows.append(f"sum_of_{name} = nothing")
        lines.stores.append(f"sum_of_{name} = sum_of_{name} + first({slope}, left)")
        lines.after_rows.append(f"store(d_parameters, {total}, load(d_parameters, {total}) + sum_of_{name})")
    for name in cell.states:
        lines.stores.append(f"store(flow_{name}, i * padded + j, first({gradient(before(name))}, left))")
    return lines


def _constants(variant: Variant, program: Program) -> list[str]:
    lines = [
        f"{parameter(name)} = load(parameters, {place} * padded + j)"
        for place, name in enumerate(variant.cell.parameters)
    ]
    for place, normal in _normal(program).items():
        lines.append(f"gain_{place} = load(gain, {normal} * padded + j)")
        lines.append(f"bias_{place} = load(bias, {place} * padded + j)")
    return lines


def _columns_read(program: Program, wanted: Sequence[sympy.Symbol | None]) -> Iterable[str]:
    for place, symbol in enumerate(wanted):
        if symbol is None:
            continue
        read = f"load(columns, at + {place} * padded)"
        normal = place in _normal(program)
        yield f"{symbol} = {read} * gain_{place} + bias_{place}" if normal else f"{symbol} = {read}"


def _states_before(cell: Cell, used: set[sympy.Symbol]) -> Iterable[str]:
    if before(cell.states[0]) in used:
        yield f"{before(cell.states[0])} = load_part(reals_at(whole(rows_of_a, i)), j, left)"
    for name in cell.states[1:]:
        if before(name) in used:
            yield f"{before(name)} = load(state_{name}, (before + i) * padded + j)"


def _kept(variant: Variant, used: set[sympy.Symbol], index: dict[str, int]) -> Iterable[str]:
    for name in variant.zoneout:
        if kept(name) in used and variant.counted:
            place = "whole(offset_of, step) + i"
            keys, limit = f"whole(plan, {index[f'keys_{name}']})", f"whole(plan, {index[f'threshold_{name}']})"
            yield f"{kept(name)} = chosen({keys}, {place}, j, {limit})"
        elif kept(name) in used:
            yield f"{kept(name)} = splat(number(reals_at(whole(plan, {index[f'share_{name}']})), 0))"


def _normal(program: Program) -> dict[int, int]:
    """Columns that are normalised → their place among all such columns."""
    gates = len(program.gates)
    return {
        begin + gate: stretch * gates + gate for stretch, begin in enumerate(program.normals) for gate in range(gates)
    }


def _note(variant: Variant) -> str:
    parts = [f"normalised: {variant.normalised}"] if variant.normalised else []
    parts += ["recurrent dropout"] if variant.masked else []
    parts += [f"zoneout of {', '.join(variant.zoneout)}"] if variant.zoneout else []
    return f" ({'; '.join(parts)})" if parts else ""


def _program(variant: Variant) -> Program:
    return derive(trace(variant.cell, variant.zoneout), variant.normalised)
