"""What keeps a recurrent layer from learning by heart, and its numbers in bounds: dropouts, zoneout, normalisation.

Every mask is a pure function of a seed and of row and unit (see kernels/noise.py), so padding, the kernel and the
device change nothing. The seed comes from torch's generator once for each pass, layer and direction; nothing is drawn
where nothing is random. Letters in shapes: B batch, T steps, H hidden, GH gates times hidden.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from lstmlab.cells import Cell
from lstmlab.errors import InputError, unknown
from lstmlab.kernels.noise import Noise, bits, keys, threshold
from lstmlab.kernels.weights import Weights
from lstmlab.types import Padded

LayerNorm = Literal["none", "input", "recurrent", "both", "sum"]
LOCKED, WEIGHTS = 1000, 1001
"""Streams of random bits beside those a time loop uses (recurrent dropout, and zoneout of each state)."""


@dataclass(frozen=True)
class Options:
    """What a recurrent layer can do besides its cell; RecurrentSettings has the same names and says what each means.

    `Recurrent("lstm", 32, 64, options=Options(layer_norm="both", zoneout=0.1))`. Raises InputError for a share that is
    not in [0, 1).
    """

    second_bias: bool = False
    layer_norm: LayerNorm = "none"
    locked: bool = False
    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    zoneout_memory: float = 0.0
    weight_drop: float = 0.0

    def __post_init__(self) -> None:
        if self.layer_norm not in get_args(LayerNorm):
            raise unknown("layer_norm", self.layer_norm, get_args(LayerNorm))
        for name in ("recurrent_dropout", "zoneout", "zoneout_memory", "weight_drop"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name}: expected a share of at least 0 and less than 1, got {getattr(self, name)}")

    @property
    def gains(self) -> tuple[str, ...]:
        """What is normalised, as Weights.gains names it."""
        names = {"none": (), "both": ("input", "recurrent")}
        return names.get(self.layer_norm, (self.layer_norm,))


def check(cell: Cell, options: Options) -> None:
    """Refuse (InputError) what the cell has no place for."""
    if options.zoneout_memory and len(cell.states) > 2:
        raise InputError(
            f"zoneout_memory would keep some of {', '.join(cell.states[1:])} and renew others, and in the cell "
            f'"{cell.name}" they mean something only together: take zoneout, which is for {cell.states[0]}'
        )
    layer_norm = options.layer_norm
    if layer_norm in ("none", "input"):
        return
    if not cell.recurrent:
        raise InputError(
            f"layer_norm={layer_norm} normalises what comes from the past, and the gates of the cell "
            f'"{cell.name}" read the input alone: take layer_norm=input'
        )
    if layer_norm == "sum":
        # SymPy takes a third of a second to import, and nothing else here needs it.
        from lstmlab.kernels.symbolic import summed_gates, trace

        summed = summed_gates(trace(cell))
        apart = [gate for gate in cell.gates if gate not in summed]
        if apart:
            raise InputError(
                f'layer_norm=sum normalises W x + R h as one, and the cell "{cell.name}" uses the two parts of '
                f"{' and '.join(apart)} apart: take layer_norm=both"
            )


def regularised(cell: Cell, weights: Weights, options: Options, training: bool) -> tuple[Weights, Noise | None]:
    """The weights and the noise of one pass of one direction.

    In training a seed is drawn where anything is random. In evaluation zoneout takes its mean and the rest is off.
    """
    shares = {name: options.zoneout_memory if at else options.zoneout for at, name in enumerate(cell.states)}
    zoneout = {name: share for name, share in shares.items() if share}
    hidden, dropped = (options.recurrent_dropout, options.weight_drop) if cell.recurrent else (0.0, 0.0)
    if not training:
        return weights, Noise(zoneout=zoneout) if zoneout else None
    if not (zoneout or hidden or dropped):
        return weights, None
    seed = draw_seed()
    if dropped:
        weights = replace(weights, recurrent=drop_weights(weights.recurrent, dropped, seed))
    return weights, Noise(hidden, zoneout, seed) if zoneout or hidden else None


def draw_seed() -> int:
    """62 random bits from torch's generator of the CPU, whose state every checkpoint holds."""
    return int(torch.randint(1 << 62, (), device="cpu"))


def drop_weights(recurrent: Float[Tensor, "GH H"], share: float, seed: int) -> Float[Tensor, "GH H"]:
    """The recurrent matrix with `share` of its numbers at zero and the others scaled by 1 / (1 - share).

    One mask for all rows and steps of a pass: DropConnect on what is read from the past (Merity, Keskar & Socher 2018).
    """
    return recurrent * mask(len(recurrent), recurrent, share, seed, WEIGHTS)


def lock_dropout(inputs: Padded, share: float, seed: int) -> Padded:
    """Dropout on [B T H] with one mask for all steps of a row (Gal & Ghahramani 2016), scaled by 1 / (1 - share)."""
    return replace(inputs, values=inputs.values * mask(len(inputs.lengths), inputs.values, share, seed)[:, None])


def mask(rows: int, like: Tensor, share: float, seed: int, stream: int = LOCKED) -> Float[Tensor, "rows H"]:
    """0 with probability `share`, else 1 / (1 - share): `rows` of as many numbers as `like` has columns."""
    key = keys(seed, stream, torch.arange(rows, device=like.device))
    return (bits(key, like.shape[-1]) >= threshold(share)).to(like.dtype) / (1 - share)
