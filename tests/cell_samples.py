"""Weights, inputs and states for the laws of cells and kernels, and what a kernel makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import torch
from torch import Tensor

from lstmlab import kernels
from lstmlab.cells import Cell, State
from lstmlab.kernels.noise import Noise
from lstmlab.kernels.symbolic import summed_gates, trace
from lstmlab.kernels.weights import Weights
from lstmlab.types import Padded

DOUBLE = torch.float64
REFERENCE = "reference"
"""The kernel that the others are measured by."""


@dataclass(frozen=True)
class Case:
    """One way to run a cell: what is normalised, which noise, which direction."""

    gains: tuple[str, ...] = ()
    noise: Noise | None = None
    reversed: bool = False

    def suits(self, cell: Cell) -> bool:
        """Whether the cell has what is normalised."""
        if "sum" in self.gains:
            return cell.recurrent and summed_gates(trace(cell)) == cell.gates
        return cell.recurrent or "recurrent" not in self.gains


# Zoneout of what a cell shows and of its memory c; a normaliser and a stabiliser only make sense beside their own c.
ZONES = {"h": 0.3, "c": 0.2}
PLAIN = Case()
EVERYTHING = Case(("input", "recurrent"), Noise(0.4, ZONES, seed=1 << 40), reversed=True)
CASES = {
    "normalised input, mean zoneout": Case(("input",), Noise(0.4, ZONES)),
    "normalised past, dropout": Case(("recurrent",), Noise(0.4, {}, seed=2)),
    "normalised sum, zoneout": Case(("sum",), Noise(0.0, ZONES, seed=3)),
    "dropout and zoneout, backwards": Case((), Noise(0.4, ZONES, seed=4), reversed=True),
    "everything": EVERYTHING,
}


def make_weights(
    cell: Cell, features: int, hidden: int, dtype: torch.dtype = DOUBLE, gains: Sequence[str] = ()
) -> Weights:
    """Weights with no zero among them."""
    rows = len(cell.gates) * hidden
    inner = torch.randn(len(cell.recurrent_bias) * hidden, dtype=dtype) / 2 if cell.recurrent_bias else None
    return Weights(
        torch.randn(rows, features, dtype=dtype) / features**0.5,
        torch.randn(rows if cell.recurrent else 0, hidden, dtype=dtype) / hidden**0.5,
        torch.randn(rows, dtype=dtype) / 2,
        inner,
        {name: torch.randn(hidden, dtype=dtype) for name in cell.parameters},
        {name: 1 + torch.randn(rows, dtype=dtype) / 4 for name in gains},
    )


def make_inputs(lengths: list[int], features: int, extra: int = 0, dtype: torch.dtype = DOUBLE) -> Padded:
    values = torch.randn(len(lengths), max(lengths) + extra, features, dtype=dtype)
    return Padded(values, torch.tensor(lengths)).masked()


def make_state(cell: Cell, batch: int, hidden: int) -> State:
    """A state the cell can be in: the one after two random steps."""
    return kernels.run(cell, make_inputs([2] * batch, 2), make_weights(cell, 2, hidden), kernel=REFERENCE)[1]


def tensors(weights: Weights) -> dict[str, Tensor]:
    """All tensors of the weights by name, the empty ones left out."""
    named = {f.name: getattr(weights, f.name) for f in fields(weights) if f.name not in ("parameters", "gains")}
    named |= {f"parameter {name}": one for name, one in weights.parameters.items()}
    named |= {f"gain {name}": one for name, one in weights.gains.items()}
    return {name: one for name, one in named.items() if one is not None and one.numel()}


def with_tensors(weights: Weights, changed: dict[str, Tensor]) -> Weights:
    """The same weights with the tensors of these names changed."""
    plain = {name: one for name, one in changed.items() if " " not in name}
    parameters = {name: changed.get(f"parameter {name}", one) for name, one in weights.parameters.items()}
    gains = {name: changed.get(f"gain {name}", one) for name, one in weights.gains.items()}
    return replace(weights, parameters=parameters, gains=gains, **plain)


@dataclass
class Sample:
    """All a kernel is given, drawn at random under torch's seed."""

    cell: Cell
    lengths: list[int]
    features: int
    hidden: int
    case: Case = PLAIN
    inputs: Padded = field(init=False)
    weights: Weights = field(init=False)
    begin: State = field(init=False)

    def __post_init__(self) -> None:
        self.inputs = make_inputs(self.lengths, self.features)
        self.weights = make_weights(self.cell, self.features, self.hidden, gains=self.case.gains)
        self.begin = make_state(self.cell, len(self.lengths), self.hidden)

    def to(self, dtype: torch.dtype) -> "Sample":
        """The same in another precision."""
        other = replace(self)
        other.inputs = Padded(self.inputs.values.to(dtype), self.inputs.lengths)
        other.weights = self.weights.to("cpu", dtype)
        other.begin = self.begin.map(lambda value: value.to(dtype))
        return other

    def run(self, kernel: str) -> tuple[Padded, State]:
        """Outputs and final state."""
        return run(self.cell, self.inputs, self.weights, self.begin, kernel, self.case)

    def judged(self, kernel: str) -> dict[str, Tensor]:
        """Outputs, final states and the gradients of everything, under fixed random weights on the results."""
        leaves = {name: one.detach().clone().requires_grad_() for name, one in tensors(self.weights).items()}
        values = self.inputs.values.detach().clone().requires_grad_()
        state = self.begin.map(lambda value: value.detach().clone().requires_grad_())
        changed = with_tensors(self.weights, leaves)
        outputs, end = run(self.cell, Padded(values, self.inputs.lengths), changed, state, kernel, self.case)
        results = {"outputs": outputs.values, **dict(end.items())}
        weigh(results).backward()
        gradients = {f"gradient of {name}": one.grad for name, one in leaves.items()}
        gradients |= {f"gradient of first {name}": value.grad for name, value in state.items()}
        found = {**results, **gradients, "gradient of inputs": values.grad}
        # A kernel may leave out the gradient of what has no effect.
        return {name: torch.zeros(()) if one is None else one.detach() for name, one in found.items()}


def run(
    cell: Cell, inputs: Padded, weights: Weights, begin: State | None, kernel: str, case: Case = PLAIN
) -> tuple[Padded, State]:
    """`kernels.run` as the case says."""
    return kernels.run(cell, inputs, weights, begin, reversed=case.reversed, noise=case.noise, kernel=kernel)


def weigh(results: dict[str, Tensor]) -> Tensor:
    """One number of which all results have a part. Padding has one too: no gradient may come from there."""
    generator = torch.Generator().manual_seed(1)
    return sum((one * torch.randn(one.shape, generator=generator)).sum() for one in results.values())


def close(left: Tensor, right: Tensor, tolerance: float = 1e-11) -> bool:
    return left.shape == right.shape and bool(((left - right).abs() <= tolerance * (1 + right.abs())).all())


def same_state(left: State, right: State) -> bool:
    return left.names == right.names and all(close(left[name], right[name]) for name in right.names)
