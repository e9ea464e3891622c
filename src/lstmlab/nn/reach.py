"""How far back in time a gradient reaches through a cell that has learned nothing yet.

Two numbers for every distance k, both relative to the last step's. The output's own: ‖∂h_T/∂h_{T-k}‖, the other states
of that step held still. And the whole state's: ‖∂h_T/∂(h, c, …)_{T-k}‖, which is what a loss at step T tells step T-k.
For an RNN and a GRU they are the same; an LSTM remembers in c, and h alone would hide that.
Letters in shapes: N seeds, T steps, F features, H hidden.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lstmlab import kernels
from lstmlab.cells import Cell, State, find_cell
from lstmlab.nn.initialisation import Initialisation
from lstmlab.nn.jacobians import state_gradients
from lstmlab.nn.recurrent import Recurrent
from lstmlab.types import Padded

FEATURES, HIDDEN = 8, 32
VANISHED = 1e-6
"""Relative to the last step's, from which on a gradient counts as gone."""
NUDGE = 1e-5
"""How far a unit of the state is moved for a finite difference."""


@dataclass(frozen=True)
class Beginning:
    """How the weights start. Recurrent matrices are orthogonal, gate by gate, times `norm`, so that each has exactly
    this norm; None takes torch's own beginning, uniform in ±1/√H. `forget` is the forget gate's bias."""

    norm: float | None = 1.0
    forget: float | None = None
    chrono: int | None = None
    """Spread the units' memory over so many steps (Tallec & Ollivier 2018) instead of one bias for all."""

    def layer(self, cell: Cell, features: int, hidden: int, seed: int) -> Recurrent:
        """A layer that begins so, in float64; torch's own generator is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layer = Recurrent(cell, features, hidden).double()
            start = self._initialisation
            layer.initialise(start.how, start.forget_bias, start.chrono_steps)
        if self.norm is not None and cell.recurrent:
            with torch.no_grad():
                layer.weights().recurrent.mul_(self.norm)
        return layer

    @property
    def _initialisation(self) -> Initialisation:
        if self.chrono is not None:
            return Initialisation("chrono", chrono_steps=max(self.chrono, 3))
        return Initialisation("torch" if self.norm is None else "orthogonal", self.forget)


@dataclass(frozen=True)
class Reach:
    """Both norms by seed and distance, [N T+1]; distance 0 is the last step, where they are 1."""

    cell: str
    beginning: Beginning
    output: NDArray[np.float64]
    whole: NDArray[np.float64]

    @property
    def typical(self) -> NDArray[np.float64]:
        """The whole state's, over the seeds by their geometric mean: [T+1]."""
        return _geometric(self.whole)

    @property
    def typical_output(self) -> NDArray[np.float64]:
        """The output's own, likewise: [T+1]."""
        return _geometric(self.output)

    @property
    def vanishes(self) -> int | None:
        """The distance from which on every seed's whole gradient stays below a millionth; None where it does not."""
        above = np.flatnonzero(~(self.whole < VANISHED).all(0))  # what has grown beyond all numbers is not gone
        first = int(above[-1]) + 1
        return first if first < self.whole.shape[1] else None


def reach(
    cell: str | Cell, beginning: Beginning, *, steps: int = 200, seeds: int = 3, size: float = 1.0, hidden: int = HIDDEN
) -> Reach:
    """Measured for each seed's own weights and own inputs: `steps` + 1 steps of independent normal numbers of standard
    deviation `size`."""
    cell = find_cell(cell)
    outputs, wholes = [], []
    for seed in range(seeds):
        layer, inputs = beginning.layer(cell, FEATURES, hidden, seed), normal_inputs(steps + 1, size, seed)
        norms = {name: state_gradients(layer, inputs, of=name).values[0].flip(0) for name in cell.states}
        outputs.append(norms[cell.states[0]].numpy())
        wholes.append(torch.stack(list(norms.values())).norm(dim=0).numpy())
    return Reach(cell.name, beginning, np.stack(outputs), np.stack(wholes))


def normal_inputs(steps: int, size: float, seed: int) -> Padded:
    """One row of independent normal numbers [1 T F]."""
    generator = torch.Generator().manual_seed(1000 + seed)
    values = size * torch.randn(1, steps, FEATURES, dtype=torch.float64, generator=generator)
    return Padded(values, torch.tensor([steps]))


def by_differences(layer: Recurrent, inputs: Padded, distance: int, of: str | None = None) -> float:
    """‖∂h_T/∂s_{T-distance}‖ / √H by central differences, for one row: every unit of the state s is moved a little to
    either side and the sequence run on from there. `of` names the state; None means all states together."""
    cell, hidden = layer.cell, layer.hidden_size
    with torch.no_grad():
        weights = layer.weights()
        cut = inputs.values.shape[1] - distance
        _, there = kernels.run(cell, Padded(inputs.values[:, :cut], torch.tensor([cut])), weights, kernel="reference")
        assert there is not None
        rest = Padded(inputs.values[:, cut:].expand(2 * hidden, -1, -1), torch.full((2 * hidden,), distance))
        moves = NUDGE * torch.cat([torch.eye(hidden), -torch.eye(hidden)]).double()
        total = 0.0
        for name in [of] if of else cell.states:
            nudged = _moved(there, name, moves)
            _, end = kernels.run(cell, rest, weights, nudged, kernel="reference")
            assert end is not None
            after = end[cell.states[0]]
            total += float(((after[:hidden] - after[hidden:]) / (2 * NUDGE)).square().sum())
    return (total / hidden) ** 0.5


def checked(found: Reach, *, size: float = 1.0, hidden: int = HIDDEN, most: int = 20) -> float:
    """The largest relative difference between `found` and finite differences, over the first seed's distances up to
    `most` at which the gradient is neither so small nor so large that a difference could not be exact."""
    layer = found.beginning.layer(find_cell(found.cell), FEATURES, hidden, 0)
    inputs = normal_inputs(found.whole.shape[1], size, 0)
    worst = 0.0
    for distance in (one for one in (1, 2, 5, 10, 20) if one <= most and 1e-8 < found.whole[0, one] < 1e3):
        worst = max(worst, abs(by_differences(layer, inputs, distance) / found.whole[0, distance] - 1))
    return worst


def _moved(state: State, name: str, moves: Tensor) -> State:
    """A row of the state for each of the moves, which change the one of this name."""

    def rows(value: Tensor | float) -> Tensor:  # a cell may answer with a plain number for a state that is constant
        return value.expand_as(moves) if isinstance(value, Tensor) else torch.full_like(moves, value)

    return State(**{other: rows(value) + (moves if other == name else 0) for other, value in state.items()})


def _geometric(values: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.exp(np.log(values).mean(0))
