"""A cell's equations in print: LaTeX, MathML, Typst, and plain text for the terminal. All derived from the step.

⊙ multiplies unit by unit; σ is the sigmoid; W, R and b are a gate's weights for the input, for the past, and its bias.
"""

from collections.abc import Iterator
from decimal import Decimal
from html import escape

from lstmlab.cells import Cell
from lstmlab.kernels.equations import Expression, Number, Operation, Symbol, equations
from lstmlab.kernels.languages import Language, Latex, MathML, Plain, Spoken, Typst
from lstmlab.kernels.letters import Letter, Letters

FUNCTIONS = {"sigmoid": "σ", "relu": "ReLU", "maximum": "max", "minimum": "min"}
"""Functions with another name in print than in Python."""


def latex(cell: Cell) -> str:
    """The equations as an `aligned` block, to be set in display mathematics. Needs amsmath."""
    lines = [f"{left} &= {right}" for left, right in _lines(cell, Latex())]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}\n"


def typst(cell: Cell) -> str:
    """The equations as a block of Typst mathematics."""
    lines = [f"  {left} &= {right}" for left, right in _lines(cell, Typst())]
    return "$\n" + " \\\n".join(lines) + "\n$\n"


def mathml(cell: Cell) -> str:
    """The equations as one `math` element with presentation markup, and in words for who cannot see it."""
    rows = "".join(
        f'<mtr><mtd style="text-align: right">{left}</mtd><mtd style="text-align: left"><mo>=</mo>{right}</mtd></mtr>\n'
        for left, right in _lines(cell, MathML())
    )
    return (
        f'<math xmlns="http://www.w3.org/1998/Math/MathML" display="block" alttext="{escape(spoken(cell))}">\n'
        f'<mtable columnalign="right left" rowspacing="0.6ex" displaystyle="true">\n{rows}</mtable>\n</math>\n'
    )


def plain(cell: Cell) -> str:
    """The equations as lines of text, their equals signs below each other."""
    lines = _lines(cell, Plain())
    # A tilde is drawn over the letter before it and takes no room of its own.
    width = max(_width(left) for left, _ in lines)
    return "".join(f"{' ' * (width - _width(left))}{left} = {right}\n" for left, right in lines)


def spoken(cell: Cell) -> str:
    """The equations in words, for screen readers."""
    return "; ".join(f"{left} equals {right}" for left, right in _lines(cell, Spoken()))


def term(cell: Cell, expression: Expression) -> str:
    """One expression as plain text."""
    return _Composer(cell, Plain()).whole(expression)


def letter(cell: Cell, symbol: Symbol) -> str:
    """One symbol as plain text."""
    return Plain().letter(Letters(cell).of(symbol))


def _lines(cell: Cell, language: Language) -> list[tuple[str, str]]:
    composer = _Composer(cell, language)
    return [(composer.whole(one.left), composer.whole(one.right)) for one in equations(cell)]


def _width(text: str) -> int:
    return len(text) - text.count(_TILDE)


_TILDE = "\u0303"


# ---- From expressions to pieces -------------------------------------------------------------------------------------


class _Composer:
    """Puts the pieces together: brackets where they are needed, biases at the end of their sum."""

    def __init__(self, cell: Cell, language: Language) -> None:
        self.cell, self.language, self.letters = cell, language, Letters(cell)

    def whole(self, expression: Expression) -> str:
        """An expression that needs no brackets around it."""
        terms = sorted(self._terms(expression, False), key=lambda term: term[2])
        language, (negative, text, _) = self.language, terms[0]
        told = language.negative(text) if negative else text
        for negative, text, _ in terms[1:]:
            told += language.operator(language.minus if negative else language.plus) + text
        return told

    def _terms(self, one: Expression, negative: bool) -> Iterator[tuple[bool, str, bool]]:
        """Terms of a sum: whether to subtract it, its text, whether it is a bias."""
        if isinstance(one, Operation) and one.name in ("+", "-", "negative"):
            *first, last = one.operands
            for operand in first:
                yield from self._terms(operand, negative)
            yield from self._terms(last, negative != (one.name != "+"))
        elif isinstance(one, Symbol) and one.kind in ("input", "past"):
            past = one.kind == "past"
            vector = Letter(self.letters.states[self.cell.states[0]], time="t-1") if past else Letter("x", time="t")
            matrix = self.letters.weight("R" if past else "W", one.name)
            yield negative, self.language.beside(self.language.letter(matrix), self.language.letter(vector)), False
            if not past or one.name in self.cell.recurrent_bias:
                yield negative, self.language.letter(self.letters.weight("bR" if past else "b", one.name)), True
        elif isinstance(one, Number) and one.value < 0:
            yield not negative, self._factor(Number(-one.value)), False
        else:
            yield negative, self._product(one), False

    def _product(self, one: Expression) -> str:
        if isinstance(one, Operation) and one.name == "*":
            factors = list(_factors(one))
            numbers = [self._factor(factor) for factor in factors if isinstance(factor, Number)]
            others = [self._factor(factor) for factor in factors if not isinstance(factor, Number)]
            told = self.language.operator(self.language.times).join(others)
            for number in reversed(numbers):
                told = self.language.beside(number, told) if told else number
            return told
        if isinstance(one, Operation) and one.name == "/":
            inner = self.whole if self.language.fractions else self._factor
            return self.language.fraction(inner(one.operands[0]), inner(one.operands[1]))
        return self._factor(one)

    def _factor(self, one: Expression) -> str:
        """Something that binds as closely as a single letter."""
        language = self.language
        if isinstance(one, Number):
            return self._number(one.value) if one.value >= 0 else language.brackets(self.whole(one))
        if isinstance(one, Symbol) and one.kind not in ("input", "past"):
            return language.letter(self.letters.of(one))
        if isinstance(one, Operation) and one.name == "^":
            base, exponent = one.operands
            return language.power(self._factor(base), self.whole(exponent))
        if isinstance(one, Operation) and one.name == "/" and language.fractions:
            return self._product(one)
        if isinstance(one, Operation) and one.call:
            name, inner = FUNCTIONS.get(one.name, one.name), one.operands
            # log σ(u) is how it is read, and needs no brackets around the inner function.
            nested = one.name == "log" and isinstance(inner[0], Operation) and inner[0].call
            argument = self._factor(inner[0]) if nested else language.brackets(*map(self.whole, inner))
            return language.function(name, argument)
        return language.brackets(self.whole(one))

    def _number(self, value: int | float) -> str:
        """1 for 1.0; powers of ten for what would have many digits."""
        language, exact = self.language, Decimal(repr(value))
        whole = format(exact.normalize(), "f")
        if len(whole) <= 9:
            return language.number(whole)
        exponent = exact.adjusted()
        ten = language.power(language.number("10"), self.whole(Number(exponent)))
        mantissa = format(exact.scaleb(-exponent).normalize(), "f")
        return ten if mantissa == "1" else language.number(mantissa) + language.operator(language.cross) + ten


def _factors(one: Expression) -> Iterator[Expression]:
    if isinstance(one, Operation) and one.name == "*":
        for operand in one.operands:
            yield from _factors(operand)
    else:
        yield one
