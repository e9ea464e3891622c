"""Equations in print: right by their numbers, in a textbook's form, and accepted by what reads them."""

import os
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from torch import Tensor

from lstmlab import cells
from lstmlab.cells import CELLS, Cell, Gates, State, sigmoid, tanh
from lstmlab.errors import InputError
from lstmlab.kernels import drawing, notation
from lstmlab.kernels.equations import Expression, Number, Operation, Symbol, equations, symbols
from lstmlab.kernels.letters import Letters
from odd_cells import ALL, BLIND, DAMPED, EVERYTHING, TWO_OF_ONE

pytestmark = pytest.mark.slow

over_cells = pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)

ARITHMETIC = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "^": lambda a, b: a ** int(b),
    "negative": lambda a: -a,
}


def value(one: Expression, known: Mapping[Symbol, Tensor]) -> Tensor:
    if isinstance(one, Symbol):
        return known[one]
    if isinstance(one, Number):
        return torch.full((5,), float(one.value), dtype=torch.float64)
    operands = [value(operand, known) for operand in one.operands]
    if one.name == "^":
        return operands[0] ** int(one.operands[1].value)  # type: ignore[union-attr]
    return (ARITHMETIC.get(one.name) or getattr(cells, one.name))(*operands)


@over_cells
def test_the_equations_give_what_the_step_gives(cell: Cell) -> None:
    generator = torch.Generator().manual_seed(1)

    def draw(names: tuple[str, ...]) -> dict[str, Tensor]:
        return {name: torch.randn(5, dtype=torch.float64, generator=generator) for name in names}

    x, r, before, parameters = map(draw, (cell.gates, cell.gates, cell.states, cell.parameters))
    after = cell.step(Gates(x | parameters), Gates(r if cell.recurrent else {}), State(**before))
    known = {
        Symbol(kind, name): one
        for kind, values in (("input", x), ("past", r), ("before", before), ("parameter", parameters))
        for name, one in values.items()
    }
    for equation in equations(cell):
        known[equation.left] = value(equation.right, known)
    for name in cell.states:
        wanted = torch.as_tensor(after[name], dtype=torch.float64).expand(5)
        assert torch.allclose(known[Symbol("after", name)], wanted, rtol=1e-12, atol=1e-14), name


@over_cells
def test_each_equation_uses_only_what_stands_above_it(cell: Cell) -> None:
    told = equations(cell)
    lefts = [equation.left for equation in told]
    assert len(set(lefts)) == len(lefts)
    assert {left.name for left in lefts if left.kind == "after"} == set(cell.states)
    for count, equation in enumerate(told):
        for symbol in symbols(equation.right):
            assert symbol.kind in ("input", "past", "before", "parameter") or symbol in lefts[:count]


@over_cells
def test_no_two_things_have_the_same_letter(cell: Cell) -> None:
    letters = Letters(cell)
    left = [equation.left for equation in equations(cell)]
    told = [letters.of(symbol) for symbol in left]
    told += [letters.of(Symbol("parameter", name)) for name in cell.parameters]
    told += [letters.weight(kind, gate) for kind in ("W", "R", "b", "bR") for gate in cell.gates]
    assert len(set(told)) == len(told)


TEXTBOOK = {
    "rnn": "hₜ = tanh(W xₜ + R hₜ₋₁ + b)",
    "lstm": """
iₜ = σ(W_i xₜ + R_i hₜ₋₁ + b_i)
fₜ = σ(W_f xₜ + R_f hₜ₋₁ + b_f)
gₜ = tanh(W_g xₜ + R_g hₜ₋₁ + b_g)
oₜ = σ(W_o xₜ + R_o hₜ₋₁ + b_o)
cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
hₜ = oₜ ⊙ tanh(cₜ)""",
    "gru": """
rₜ = σ(W_r xₜ + R_r hₜ₋₁ + b_r)
zₜ = σ(W_z xₜ + R_z hₜ₋₁ + b_z)
nₜ = tanh(W_n xₜ + rₜ ⊙ (R_n hₜ₋₁ + b_Rn) + b_n)
hₜ = (1 − zₜ) ⊙ nₜ + zₜ ⊙ hₜ₋₁""",
    "peephole": """
iₜ = σ(W_i xₜ + R_i hₜ₋₁ + p_i ⊙ cₜ₋₁ + b_i)
fₜ = σ(W_f xₜ + R_f hₜ₋₁ + p_f ⊙ cₜ₋₁ + b_f)
gₜ = tanh(W_g xₜ + R_g hₜ₋₁ + b_g)
cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
oₜ = σ(W_o xₜ + R_o hₜ₋₁ + p_o ⊙ cₜ + b_o)
hₜ = oₜ ⊙ tanh(cₜ)""",
    "minlstm": """
iₜ = σ(W_i xₜ + b_i)
fₜ = σ(W_f xₜ + b_f)
nₜ = W_n xₜ + b_n
hₜ = (fₜ / (fₜ + iₜ)) ⊙ hₜ₋₁ + (iₜ / (fₜ + iₜ)) ⊙ nₜ""",
    "slstm": """
ĩₜ = W_i xₜ + R_i hₜ₋₁ + b_i
f̃ₜ = W_f xₜ + R_f hₜ₋₁ + b_f
gₜ = tanh(W_g xₜ + R_g hₜ₋₁ + b_g)
oₜ = σ(W_o xₜ + R_o hₜ₋₁ + b_o)
mₜ = max(mₜ₋₁ + log σ(f̃ₜ), ĩₜ)
iₜ = exp(ĩₜ − mₜ)
fₜ = exp(mₜ₋₁ + log σ(f̃ₜ) − mₜ)
cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
nₜ = fₜ ⊙ nₜ₋₁ + iₜ
hₜ = (oₜ ⊙ cₜ) / max(nₜ, 10⁻³⁰)""",
}


@pytest.mark.parametrize("name", [name for name in TEXTBOOK if name in CELLS])
def test_the_classical_cells_are_as_in_a_textbook(name: str) -> None:
    # ĩ is one character in one place and two in another.
    texts = (notation.plain(CELLS[name]), TEXTBOOK[name])
    told, wanted = (unicodedata.normalize("NFC", text).strip() for text in texts)
    assert told == wanted


def test_cells_of_ones_own_are_printed_too() -> None:
    assert notation.plain(DAMPED) == (
        "pₜ = ReLU(W xₜ + R hₜ₋₁ + b)\nvₜ = σ(d) ⊙ vₜ₋₁ − 0.25 hₜ₋₁ + pₜ\nhₜ = max(hₜ₋₁ + 0.5 vₜ, −1)²\n"
    )
    assert "wₜ = exp(−W_w xₜ − b_w)" in notation.plain(EVERYTHING)
    two = notation.plain(TWO_OF_ONE)
    assert "i′ₜ = σ(W xₜ − R hₜ₋₁ + b − b_R)" in two
    assert "10⁻⁹ mₜ₋₁" in two
    assert "hₜ = mₜ" in two
    assert "hₜ = σ(−log(fₜ)" not in notation.plain(BLIND)


@over_cells
def test_latex_is_balanced(cell: Cell) -> None:
    told = notation.latex(cell)
    for left, right in ("{}", "()"):
        depth = 0
        for sign in told:
            depth += (sign == left) - (sign == right)
            assert depth >= 0
        assert depth == 0
    assert told.count(r"\left(") == told.count(r"\right)")
    assert told.count("&=") == len(equations(cell)) == told.count("\\\\\n") + 1
    # Names with an underscore would otherwise become subscripts.
    assert not re.search(r"\\mathrm\{[^}]*(?<!\\)_", told)


@over_cells
def test_mathml_is_well_formed_and_told_in_words(cell: Cell) -> None:
    root = ElementTree.fromstring(notation.mathml(cell))
    namespace = "{http://www.w3.org/1998/Math/MathML}"
    assert root.tag == f"{namespace}math"
    assert all(element.tag.startswith(f"{namespace}m") for element in root.iter())
    assert len(root.findall(f".//{namespace}mtr")) == len(equations(cell))
    fixed = {"mfrac": 2, "msub": 2, "msup": 2, "mover": 2, "msubsup": 3}
    for element in root.iter():
        if (name := element.tag.removeprefix(namespace)) in fixed:
            assert len(element) == fixed[name]
    words = root.attrib["alttext"]
    assert words.count(" equals ") == len(equations(cell))
    assert not re.search("[σ⊙&<>]", words)


def test_typst_compiles() -> None:
    import typst

    source = "".join(f"== {cell.name.encode('ascii').hex()}\n{notation.typst(cell)}" for cell in ALL)
    assert typst.compile(source.encode(), format="pdf", timestamp=0).startswith(b"%PDF")


def test_what_cannot_be_traced_is_refused() -> None:
    def branching(x: Gates, r: Gates, state: State) -> State:
        return State(h=tanh(x.new) if x.new else r.new)

    with pytest.raises(InputError, match="cannot branch on a value"):
        notation.plain(Cell("branching", ("h",), ("new",), branching))


def repeated(count: int, change: Callable[[Any, State], Any]) -> Cell:
    """A cell that does the same `count` times."""

    def step(x: Gates, r: Gates, state: State) -> State:
        h = x.new + r.new
        for _ in range(count):
            h = change(h, state)
        return State(h=h)

    return Cell("repeated", ("h",), ("new",), step)


DEEP = "more than 50 operations inside each other"
TOO_MUCH = {
    "doubled": (repeated(20, lambda h, _: sigmoid(h) * h), "operations are too many to print; 300 would do"),
    "deep": (repeated(100, lambda h, _: tanh(h)), DEEP),
    "deeper": (repeated(2000, lambda h, state: 1 + state.h * tanh(h)), DEEP),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_is_too_long_is_refused_at_once(name: str) -> None:
    cell, told = TOO_MUCH[name]
    with pytest.raises(InputError, match=told):
        notation.plain(cell)


def test_what_is_long_is_printed() -> None:
    assert notation.plain(repeated(40, lambda h, _: tanh(h))).count("tanh") == 40
    with pytest.raises(InputError, match="52 parts are too many to draw; 50 would do"):
        drawing.draw(repeated(24, lambda h, state: state.h * tanh(h)))


def test_the_equations_of_a_name_in_any_script() -> None:
    def step(x: Gates, r: Gates, state: State) -> State:
        return State(größe=sigmoid(x.門 + r.門) * state.größe + x.lambda_)

    cell = Cell("größe", ("größe",), ("門", "lambda_"), step)
    assert "größeₜ = 門ₜ ⊙ größeₜ₋₁ + " in notation.plain(cell)
    import typst

    assert typst.compile(notation.typst(cell).encode(), format="pdf").startswith(b"%PDF")


@pytest.mark.slow
def test_another_process_writes_the_same_text() -> None:
    """Where Python mixes the order of sets anew."""
    code = (
        "from lstmlab.kernels import notation; from odd_cells import ALL\n"
        "for write in (notation.plain, notation.latex, notation.typst, notation.mathml, notation.spoken):\n"
        "    print(*map(write, ALL), sep='', end='')"
    )
    told = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        process = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
        told.append(process.stdout.decode())
    assert told[0] == told[1]
    assert told[0].startswith(notation.plain(ALL[0]))


def test_a_symbol_is_found_wherever_it_stands() -> None:
    x, y = Symbol("before", "h"), Symbol("before", "c")
    assert list(symbols(Operation("+", (x, Operation("*", (Number(2), Operation("tanh", (y,)))))))) == [x, y]
