"""How weights start, gate by gate.

Letters in shapes: G gates, H hidden, GH gates times hidden.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from lstmlab.cells import Cell, Gates, State
from lstmlab.errors import InputError, unknown
from lstmlab.kernels import native
from lstmlab.kernels.weights import Weights

How = Literal["torch", "orthogonal", "chrono"]
KEEPERS = ("forget", "update")
"""Gates by which a cell keeps or drops what it remembers."""
CHRONO_STEPS = 100
STEP = 1e-4
"""How far a state is moved to see how much of it a step hands on."""


@dataclass(frozen=True)
class Initialisation:
    """What RecurrentSettings says about the start. Raises InputError for settings that contradict each other."""

    how: How = "torch"
    forget_bias: float | None = None
    chrono_steps: int = CHRONO_STEPS

    def __post_init__(self) -> None:
        if self.how not in get_args(How):
            raise unknown("initialisation", self.how, get_args(How))
        if self.how == "chrono" and self.forget_bias is not None:
            raise InputError(
                "initialisation=chrono draws the forget gate's bias itself: "
                "set forget_bias=null, or take initialisation=orthogonal"
            )
        if self.chrono_steps < 3:
            raise InputError(f"chrono_steps: expected 3 steps or more, got {self.chrono_steps}")


def check(cell: Cell, how: How) -> None:
    """Refuse (InputError) chrono for a cell without a gate that decides how long it remembers."""
    if how == "chrono" and not chrono_signs(cell):
        raise InputError(
            f"initialisation=chrono is for gates that decide how long to remember (forget, update, input), and "
            f'the cell "{cell.name}" has only {", ".join(cell.gates)}: take initialisation=orthogonal or torch'
        )


@torch.no_grad()
def draw(cell: Cell, like: Weights, start: Initialisation) -> Weights:
    """New weights of the shapes, dtype and place of `like`."""
    check(cell, start.how)
    drawn = _as_torch(cell, like) if start.how == "torch" else _orthogonal(cell, like)
    if start.how == "chrono":
        _set_chrono(cell, drawn, start.chrono_steps)
    if start.forget_bias is not None and "forget" in cell.gates:
        drawn.gate(cell, "forget").bias.fill_(start.forget_bias)
    return drawn


def chrono_signs(cell: Cell) -> dict[str, int]:
    """Gate → 1 where a positive bias makes the cell remember for longer, -1 where a negative one does.

    The LSTM and its relatives: forget 1, input -1. GRU: update 1, since our update gate keeps the old. minGRU: update
    -1 and MGU: forget -1, since as published these gates let the new in. So it is the step itself that is asked.
    """
    signs = {name: _sign(cell, name) for name in cell.gates if name in KEEPERS}
    return signs | {name: -1 for name in cell.gates if name == "input"}


def _as_torch(cell: Cell, like: Weights) -> Weights:
    """U(-1/sqrt H, 1/sqrt H) for every number, a bias being the sum of two draws because torch adds two biases.

    Drawn in torch's order: under one seed this is the same function as torch's own layer.
    """
    scale = 1 / sqrt(like.hidden_size)

    def drawn(one: Tensor) -> Tensor:
        return torch.empty_like(one).uniform_(-scale, scale)

    four = [drawn(one) for one in (like.input, like.recurrent, like.bias, like.bias)]
    vectors = {name: drawn(vector) for name, vector in like.parameters.items()}
    if native.layout(cell) is not None:
        return native.from_torch(cell, four)
    inner = None if like.recurrent_bias is None else drawn(like.recurrent_bias)
    return Weights(four[0], four[1], four[2] + four[3], inner, vectors)


def _orthogonal(cell: Cell, like: Weights) -> Weights:
    """Glorot-uniform input weights and orthogonal recurrent ones, gate by gate; biases from the cell; vectors 0."""
    inner = None if like.recurrent_bias is None else torch.zeros_like(like.recurrent_bias)
    vectors = {name: torch.zeros_like(vector) for name, vector in like.parameters.items()}
    made = Weights(
        torch.empty_like(like.input), torch.empty_like(like.recurrent), torch.empty_like(like.bias), inner, vectors
    )
    for name in cell.gates:
        gate = made.gate(cell, name)
        nn.init.xavier_uniform_(gate.input)
        if cell.recurrent:
            nn.init.orthogonal_(gate.recurrent)
        gate.bias.fill_(cell.initial_bias.get(name, 0.0))
    return made


def _set_chrono(cell: Cell, weights: Weights, steps: int) -> None:
    """Biases ±log u with u from U(1, steps - 1), one u for each unit (Tallec & Ollivier 2018, equation 16).

    A gate open to σ(log u) keeps a memory for about u steps, so the units remember for 1 to `steps` steps.
    """
    bias = torch.empty_like(weights.bias[: weights.hidden_size]).uniform_(1, steps - 1).log_()
    for name, sign in chrono_signs(cell).items():
        weights.gate(cell, name).bias.copy_(sign * bias)


def _sign(cell: Cell, gate: str) -> int:
    """1 where the step hands on more of its old state with this gate's sum at 3 than at -3, else -1."""
    less, more = (_kept(cell, gate, value) for value in (-3.0, 3.0))
    return -1 if more < less else 1


def _kept(cell: Cell, gate: str, value: float) -> float:
    """Σ over the states of Δafter / Δbefore for one unit, everything but this gate and the states at zero."""

    def number(one: float) -> Tensor:
        return torch.full((1,), one, dtype=torch.float64)

    x = Gates({name: number(value if name == gate else 0.0) for name in cell.gates + cell.parameters})
    r = Gates({name: number(0.0) for name in cell.gates} if cell.recurrent else {})

    def after(name: str, at: float) -> float:
        before = State(**{other: number(at if other == name else 1.0) for other in cell.states})
        return float(cell.step(x, r, before)[name])

    return sum((after(name, 1 + STEP) - after(name, 1 - STEP)) / (2 * STEP) for name in cell.states)
