"""What a kernel is given for one direction of a layer, beside the inputs."""

from dataclasses import dataclass

from lstmlab.cells import State
from lstmlab.kernels.noise import Noise
from lstmlab.kernels.weights import Weights


@dataclass(frozen=True)
class Way:
    """One direction of a layer. `state` None is the cell's own beginning."""

    weights: Weights
    state: State | None
    noise: Noise | None = None
    reversed: bool = False
