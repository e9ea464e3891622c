"""Which kernel of a cell is meant, for which machine: what one has to know to find it, without working it out."""

from dataclasses import dataclass
from typing import Literal

from lstmlab.cells import Cell

Real = Literal["float32", "float64"]
Normalised = Literal["", "input", "recurrent", "both", "sum"]
"""What a layer normalisation works on: W x, R h, each of them, or their sum."""


@dataclass(frozen=True)
class Machine:
    """How wide this machine's vectors are: bytes of one, and how many there are."""

    vector_bytes: int
    registers: int
    yields: bool = True
    """Whether a thread can tell the system to let others go first."""
    x86: bool = True

    @property
    def panel(self) -> int:
        """Vectors side by side in a panel of packed weights: with four rows, as many sums as registers can hold."""
        return 4 if self.registers >= 32 else 2

    def lanes(self, real: Real) -> int:
        """Numbers in a vector."""
        return self.vector_bytes // (4 if real == "float32" else 8)


@dataclass(frozen=True)
class Variant:
    """One kernel of a cell: its equations with what is normalised, masked and zoned out, for one kind of number."""

    cell: Cell
    real: Real = "float32"
    normalised: Normalised = ""
    masked: bool = False
    zoneout: tuple[str, ...] = ()
    counted: bool = False
    """Whether zoneout counts masks; otherwise it takes their mean."""


@dataclass(frozen=True)
class Facts:
    """What the code around a kernel has to know of it."""

    index: dict[str, int]
    gates: tuple[str, ...]
    apart: tuple[str, ...]
    past: tuple[str, ...]
    columns: int
    width: int
    normals: int
