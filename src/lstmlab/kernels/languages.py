"""The languages equations are written in, piece by piece: LaTeX, MathML, Typst, plain text, and words."""

from abc import ABC, abstractmethod
from html import escape

from lstmlab.kernels.letters import GREEK, Letter

TILDE = "\u0303"
"""Drawn over the letter before it."""


class Language(ABC):
    """How one language writes the pieces that equations are made of."""

    fractions = True
    """Whether a fraction stands one above the other, and so needs no brackets."""
    plus, minus, times, cross = "+", "-", "⊙", "×"
    quotient, raised = "{} / {}", "{}^{}"
    """A fraction and a power, with gaps for their two parts."""

    @abstractmethod
    def letter(self, letter: Letter) -> str:
        """A symbol with its subscripts."""

    def number(self, text: str) -> str:
        """A number that is not negative."""
        return text

    def beside(self, left: str, right: str) -> str:
        """A matrix before a vector, a number before a factor."""
        return f"{left} {right}"

    @abstractmethod
    def function(self, name: str, argument: str) -> str:
        """A function before its argument, which has its brackets."""

    def brackets(self, *inner: str) -> str:
        """In round brackets, separated by commas."""
        return f"({', '.join(inner)})"

    def fraction(self, top: str, bottom: str) -> str:
        """One divided by the other."""
        return self.quotient.format(top, bottom)

    def power(self, base: str, exponent: str) -> str:
        """One raised to the other."""
        return self.raised.format(base, exponent)

    def operator(self, sign: str) -> str:
        """A sign between two terms."""
        return f" {sign} "

    def negative(self, term: str) -> str:
        """A term with a minus in front."""
        return f"{self.minus}{term}"


class Latex(Language):
    """LaTeX with amsmath."""

    times, cross = r"\odot", r"\times"
    # Braces around the base keep a letter's own subscript and primes apart.
    quotient, raised = r"\frac{{{}}}{{{}}}", "{{{}}}^{{{}}}"
    _functions = {"σ": r"\sigma", "tanh": r"\tanh", "exp": r"\exp", "log": r"\log", "max": r"\max", "min": r"\min"}

    def letter(self, letter: Letter) -> str:
        base = self._name(letter.base)
        base = rf"\tilde{{{base}}}" if letter.tilde else base
        of = ("R" if letter.past else "") + self._name(letter.of)
        below = of + (", " if of and letter.time else "") + letter.time
        return base + "'" * letter.primes + (f"_{below}" if len(below) == 1 else f"_{{{below}}}" if below else "")

    def _name(self, name: str) -> str:
        if len(name) == 1:
            return next((f"\\{greek}" for greek, one in GREEK.items() if one == name), name)
        return rf"\mathrm{{{name}}}".replace("_", r"\_") if name else ""

    def function(self, name: str, argument: str) -> str:
        known = self._functions.get(name, rf"\operatorname{{{name}}}")
        return known + ("" if argument[0] in "(\\" else " ") + argument

    def brackets(self, *inner: str) -> str:
        told = ", ".join(inner)
        return rf"\left({told}\right)" if r"\frac" in told else f"({told})"


class Typst(Language):
    """Typst's mathematics. Signs and Greek letters stand for themselves."""

    quotient, raised = "frac({}, {})", "{}^({})"
    _functions = ("tanh", "exp", "log", "max", "min", "σ")

    def letter(self, letter: Letter) -> str:
        base = self._name(letter.base)
        base = f"tilde({base})" if letter.tilde else base
        of = ("R " if letter.past else "") + self._name(letter.of)
        below = of + (", " if of and letter.time else "") + letter.time
        return base + "'" * letter.primes + (f"_{below}" if len(below) == 1 else f"_({below})" if below else "")

    def _name(self, name: str) -> str:
        return name if len(name) < 2 else f'upright("{name}")'

    def function(self, name: str, argument: str) -> str:
        known = name if name in self._functions else f'op("{name}")'
        return known + ("" if argument[0] in "(\\" else " ") + argument

    def brackets(self, *inner: str) -> str:
        told = ", ".join(inner)
        # Escaped brackets do not grow with a subscript that hangs low; but commas inside them would part a fraction.
        return f"({told})" if "frac(" in told or len(inner) > 1 else rf"\({told}\)"


class MathML(Language):
    """Presentation MathML."""

    minus = "\u2212"
    quotient = "<mfrac><mrow>{}</mrow><mrow>{}</mrow></mfrac>"
    raised = "<msup><mrow>{}</mrow><mrow>{}</mrow></msup>"

    def letter(self, letter: Letter) -> str:
        base = self._name(letter.base)
        base = f'<mover accent="true">{base}<mo stretchy="false">~</mo></mover>' if letter.tilde else base
        below = ("<mi>R</mi>" if letter.past else "") + (self._name(letter.of) if letter.of else "")
        below += ("<mo>,</mo>" if below and letter.time else "") + ("<mi>t</mi>" if letter.time else "")
        below += f"<mo>{self.minus}</mo><mn>1</mn>" if letter.time == "t-1" else ""
        below = f"<mrow>{below}</mrow>" if below.count("<m") > 1 else below
        if letter.primes:
            return f"<msubsup>{base}{below or '<mrow/>'}<mo>{'′' * letter.primes}</mo></msubsup>"
        return f"<msub>{base}{below}</msub>" if below else base

    def _name(self, name: str) -> str:
        return f"<mi>{escape(name)}</mi>"

    def number(self, text: str) -> str:
        return f"<mn>{text}</mn>"

    def beside(self, left: str, right: str) -> str:
        return f"{left}<mo>&#x2062;</mo>{right}"

    def function(self, name: str, argument: str) -> str:
        return f"<mrow>{self._name(name)}<mo>&#x2061;</mo>{argument}</mrow>"

    def brackets(self, *inner: str) -> str:
        return f"<mrow><mo>(</mo>{'<mo>,</mo>'.join(inner)}<mo>)</mo></mrow>"

    def operator(self, sign: str) -> str:
        return f"<mo>{sign}</mo>"

    def negative(self, term: str) -> str:
        return f'<mo form="prefix">{self.minus}</mo>{term}'


class Plain(Language):
    """Text for the terminal: fₜ = σ(W_f xₜ + R_f hₜ₋₁ + b_f)."""

    fractions = False
    minus = "−"
    _times = {"": "", "t": "ₜ", "t-1": "ₜ₋₁"}
    _raised = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

    def letter(self, letter: Letter) -> str:
        base = letter.base + TILDE * letter.tilde + "′" * letter.primes
        below = "R" * letter.past + letter.of
        return base + (f"_{below}" if below else "") + self._times[letter.time]

    def function(self, name: str, argument: str) -> str:
        return name + ("" if argument.startswith("(") else " ") + argument

    def power(self, base: str, exponent: str) -> str:
        return base + exponent.translate(self._raised)


class Spoken(Language):
    """Words for screen readers."""

    fractions = False
    plus, minus, times, cross = "plus", "minus", "times", "times"
    quotient, raised = "{} divided by {}", "{} to the power {}"
    _functions = {"σ": "sigmoid", "max": "the larger", "min": "the smaller"}

    def letter(self, letter: Letter) -> str:
        base = letter.base + " tilde" * letter.tilde + " prime" * letter.primes
        below = " ".join(filter(None, ("R" * letter.past, letter.of, letter.time.replace("-", " minus "))))
        return f"{base} {below}".strip()

    def function(self, name: str, argument: str) -> str:
        return f"{self._functions.get(name, name)} of {argument}"

    def negative(self, term: str) -> str:
        return f"minus {term}"
