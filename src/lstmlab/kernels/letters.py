"""Which letter stands for which gate, state and parameter of a cell."""

from collections import Counter
from dataclasses import dataclass

from lstmlab.cells import Cell
from lstmlab.kernels.equations import Symbol

USUAL = {"input": "i", "forget": "f", "output": "o", "cell": "g", "reset": "r", "update": "z", "new": "n"}
"""What textbooks call the gates of the classical cells."""

GREEK = dict(
    zip(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa mu nu xi pi rho tau phi chi psi omega".split(),
        "αβγδεζηθικμνξπρτφχψω",
        strict=True,
    )
)

RESERVED = frozenset("txWRb")
"""Time, input, weights and biases."""

FREE = "uvsqwyakdejlm"
"""For what has a line of its own and no name, in this order."""


@dataclass(frozen=True)
class Letter:
    """A symbol as it is written: a base, perhaps a subscript that tells whose it is, and a time."""

    base: str
    of: str = ""
    past: bool = False
    """Marks a gate's second bias, inside the recurrent product, with an R before `of`."""
    time: str = ""
    """"t", "t-1", or nothing for what does not change with time."""
    tilde: bool = False
    primes: int = 0


class Letters:
    """The letters of one cell. A base of several letters is a name, written upright."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.states = {name: GREEK.get(name, name) for name in cell.states}
        taken = set(self.states.values()) | RESERVED
        self.gates = _gates(cell, taken)
        taken |= set(self.gates.values())
        self.parameters = self._parameters(taken)
        taken |= {letter.base for letter in self.parameters.values()}
        self._free = [letter for letter in FREE if letter not in taken]
        self._shared: dict[str, str] = {}

    def of(self, symbol: Symbol) -> Letter:
        """How a symbol of the equations is written (`input` and `past`, which are sums, are not)."""
        if symbol.kind in ("before", "after"):
            return Letter(self.states[symbol.name], time="t" if symbol.kind == "after" else "t-1")
        if symbol.kind == "parameter":
            return self.parameters[symbol.name]
        if symbol.kind == "shared":
            if symbol.name not in self._shared:
                count = len(self._shared)
                self._shared[symbol.name] = self._free[count] if count < len(self._free) else f"part{count + 1}"
            return Letter(self._shared[symbol.name], time="t")
        return Letter(self.gates[symbol.name], time="t", tilde=symbol.kind == "sum", primes=symbol.primes)

    def weight(self, kind: str, gate: str) -> Letter:
        """W, R or b of a gate, or bR, its bias inside the recurrent product. A single gate needs no subscript."""
        return Letter(kind[0], self.gates[gate] if len(self.gates) > 1 else "", past=kind == "bR")

    def _parameters(self, taken: set[str]) -> dict[str, Letter]:
        """p_i for input_peephole; for those of no gate a letter that is free; else the whole name."""
        found = {}
        for name in self.cell.parameters:
            words = name.split("_")
            gate = next((word for word in words if word in self.gates), None)
            if gate is not None and len(words) > 1:
                words.remove(gate)
                found[name] = Letter(words[0][0].lower(), self.gates[gate])
            else:
                found[name] = Letter(GREEK.get(name, name[0].lower()))
        for name, letter in list(found.items()):
            if list(found.values()).count(letter) > 1 or (not letter.of and letter.base in taken):
                found[name] = Letter(name)
        return found


def _gates(cell: Cell, taken: set[str]) -> dict[str, str]:
    """The usual letter, a Greek one, or the first of the name; where that is taken, the whole name."""
    wanted = {name: USUAL.get(name) or GREEK.get(name) or name[0].lower() for name in cell.gates}
    # Who has a letter by custom keeps it; of the others nobody gets one that two would want.
    custom = {wanted[name] for name in cell.gates if name in USUAL or name in GREEK or len(name) == 1}
    count = Counter(wanted.values())
    return {
        name: name
        if letter in taken or (count[letter] > 1 and not (letter in custom and (name in USUAL or len(name) == 1)))
        else letter
        for name, letter in wanted.items()
    }
