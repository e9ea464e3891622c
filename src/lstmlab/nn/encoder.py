"""What reads a sequence: a recurrent stack, or one of the two it is compared with.

Every encoder maps (Padded, state) to (Padded, state): inputs [B T F] to an output for each step, zero past a row's
length. Letters in shapes: B batch, T steps, F features, H units.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol, runtime_checkable

from pydantic import Field

from lstmlab.cells import State
from lstmlab.nn.convolution import Convolution
from lstmlab.nn.recurrent import Recurrent, RecurrentSettings
from lstmlab.nn.transformer import Transformer
from lstmlab.types import Padded

Kind = Literal["recurrent", "convolution", "transformer"]
OWN: dict[str, tuple[str, ...]] = {"convolution": ("width", "dilated"), "transformer": ("heads",)}
"""Settings that only this kind has."""
SHARED: dict[str, tuple[str, ...]] = {
    "convolution": ("hidden_size", "num_layers", "bidirectional", "dropout", "residual"),
    "transformer": ("hidden_size", "num_layers", "bidirectional", "dropout"),
}
"""Settings of a recurrent stack that this kind has too."""


class EncoderSettings(RecurrentSettings):
    """What reads the inputs: a recurrent stack or, of the same sizes, a convolution or a small Transformer.

    An output has hidden_size numbers for each direction of a recurrent stack, and of the others hidden_size in all.
    There bidirectional=true looks both ways, and false at the past alone.
    """

    kind: Kind = "recurrent"
    """recurrent: a stack of cells; convolution: filters over neighbouring steps; transformer: attention to all steps.

    Convolution: Kim 2014; Transformer: Vaswani et al. 2017, normalised as Xiong et al. 2020. A Transformer wants a
    smaller learning rate than an LSTM's recipe has: 0.001 or less, with warmup=0.1. Where 0.01 is right for an LSTM, it
    hardly learns at that.
    """
    width: int = Field(default=5, ge=1)
    """Convolution: steps that a filter sees."""
    dilated: bool = False
    """Convolution: from layer to layer, let the steps a filter sees lie twice as far apart (Bai, Kolter & Koltun 2018).

    L layers then see 1 + (width - 1) (2^L - 1) steps, without it 1 + (width - 1) L.
    """
    heads: int = Field(default=4, ge=1)
    """Transformer: attentions side by side, each of hidden_size / heads numbers, rounded up."""

    def idle(self) -> dict[str, str]:
        """What belongs to another kind, and what has nothing to work on in this one."""
        whose = {name: kind for kind, names in OWN.items() for name in names}
        if self.kind == "recurrent":
            return super().idle() | {name: self._other(kind) for name, kind in whose.items()}
        whose = dict.fromkeys(RecurrentSettings.model_fields, "recurrent") | whose
        kept = {*SHARED[self.kind], *OWN[self.kind]}
        reasons = {name: self._other(kind) for name, kind in whose.items() if name not in kept}
        if self.kind == "transformer":
            reasons["residual"] = "a Transformer's layers always add what they read to what they give"
        elif self.num_layers == 1:
            between = "it works between layers, and num_layers is 1"
            reasons |= dict.fromkeys(("dropout", "residual", "dilated"), between)
        return reasons

    def _other(self, kind: str) -> str:
        return f"it belongs to kind={kind}, and kind is {self.kind}"


@runtime_checkable
class Encoder(Protocol):
    """What every encoder says of itself."""

    input_size: int
    hidden_size: int
    num_layers: int
    bidirectional: bool

    @property
    def output_size(self) -> int:
        """Features of an output."""
        ...

    @property
    def directions(self) -> tuple[str, ...]:
        """Readings whose outputs stand side by side."""
        ...

    @property
    def causal(self) -> bool:
        """Whether an output depends on the past alone."""
        ...

    def __call__(
        self, inputs: Padded, state: State | None = None, *, final_state: bool = True
    ) -> tuple[Padded, State | None]:
        """Outputs of all steps, and what is left in the end: [L B H] for each state, the first of them the output."""
        ...


def _stateless(kind: Callable[..., Encoder], settings: EncoderSettings, input_size: int) -> Encoder:
    """One that is made from the settings it is said to have, and from nothing else."""
    names = (*SHARED[settings.kind], *OWN[settings.kind])
    return kind(input_size, **{name: getattr(settings, name) for name in names})


ENCODERS: dict[str, Callable[[EncoderSettings, int], Encoder]] = {
    "recurrent": Recurrent.from_settings,
    "convolution": partial(_stateless, Convolution),
    "transformer": partial(_stateless, Transformer),
}
"""Kind → what makes it from its settings and the inputs' size."""


def make_encoder(settings: EncoderSettings, input_size: int) -> Encoder:
    """The encoder the settings describe."""
    return ENCODERS[settings.kind](settings, input_size)


def refuse_stateless(settings: EncoderSettings, what: str, instead: str = "") -> None:
    """Refuse (ValueError) an encoder without a state where `what` goes on from one; `instead` needs none."""
    if settings.kind != "recurrent":
        raise ValueError(
            f"{what} from the state an encoder ends with, and kind={settings.kind} carries none: take "
            f"encoder.kind=recurrent{f', or {instead}' if instead else ''}"
        )
