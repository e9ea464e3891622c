"""Encoder and decoder: a source read whole, a target written token by token (Sutskever et al. 2014; Cho et al. 2014).

Letters in shapes: B batch, S source steps, T target steps, M the memory's features, H the decoder's units, V tokens.
"""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from lstmlab.cells import State, find_cell
from lstmlab.errors import InputError
from lstmlab.kernels.weights import trim
from lstmlab.nn.attention import AttentionSettings
from lstmlab.nn.cross_entropy import cross_entropy
from lstmlab.nn.decoder import Context, Decoder, DecoderSettings, DecoderState
from lstmlab.nn.embedding import Embedding, VectorSettings
from lstmlab.nn.encoder import EncoderSettings, make_encoder
from lstmlab.nn.recurrent import RecurrentSettings
from lstmlab.nn.stepping import States
from lstmlab.recipe import Settings
from lstmlab.types import Padded

Bridge = Literal["auto", "linear", "zero"]


class EncoderDecoderSettings(Settings):
    """From source tokens to target tokens."""

    embedding: VectorSettings = VectorSettings(size=256, deviation=0.1)
    encoder: EncoderSettings = EncoderSettings(hidden_size=256)
    decoder: DecoderSettings = DecoderSettings()
    context: Context = "attention"
    """How the source reaches the decoder, besides the bridge: not at all (state), as one vector beside every input
    (every-step), or by attention to all of the encoder's outputs."""
    attention: AttentionSettings = AttentionSettings()
    bridge: Bridge = "auto"
    """How the encoder's final state becomes the decoder's first one: auto hands it over where sizes agree and takes
    linear where not; linear: a layer of its own for each state (tanh for h); zero: not at all. Of an encoder that is
    not recurrent it is the mean of the outputs, which is never handed over as it is."""
    tied: Literal["none", "two-way", "three-way"] = "none"
    """Which tables are one: two-way the target's vectors and the output layer (Press & Wolf 2017); three-way the
    source's vectors too, which needs one vocabulary for both sides (text.joint)."""
    memory_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Training: part of the encoder's outputs set to zero before the decoder sees them."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Training: share of the truth spread over the whole vocabulary (Szegedy et al. 2016)."""

    @model_validator(mode="after")
    def _agrees(self) -> "EncoderDecoderSettings":
        if self.context == "state" and self.bridge == "zero":
            raise ValueError("with context=state the first state is all the decoder knows: bridge=zero leaves nothing")
        self.decoder.stack(self.encoder)
        return self

    def idle(self) -> dict[str, str]:
        """What only attention needs."""
        reasons: dict[str, str] = {}
        if self.context != "attention":
            without = f"it belongs to attention, and context is {self.context}"
            reasons |= dict.fromkeys(("attention.kind", "attention.size", "attention.input_feeding"), without)
            reasons["memory_dropout"] = f"context={self.context} shows the decoder none of the encoder's outputs"
        elif self.attention.kind in ("dot", "general"):
            reasons["attention.size"] = (
                f"it belongs to additive and concat, and attention.kind is {self.attention.kind}"
            )
        return reasons

    def lent(self) -> frozenset[str]:
        """What the encoder has no use for, but the decoder, which follows it: dropout between layers it alone has, and
        all that is recurrent where the encoder is something else.
        """
        own, theirs = self.encoder.idle(), self.decoder.stack(self.encoder).idle()
        lent = own.keys() & RecurrentSettings.model_fields.keys() - theirs.keys()
        return frozenset(f"encoder.{name}" for name in lent if name != "cell" or self.decoder.cell is None)


class EncoderDecoder(nn.Module):
    """Source and target token ids to what the output layer says of every target token; or, step by step, to new ones.

    Raises InputError where three-way tying meets two vocabularies of different sizes.
    """

    def __init__(self, settings: EncoderDecoderSettings, source_size: int, target_size: int) -> None:
        super().__init__()
        if settings.tied == "three-way" and source_size != target_size:
            raise InputError(
                f"tied=three-way needs one vocabulary for both sides, got {source_size} and {target_size} tokens: "
                "set text.joint=true"
            )
        self.settings = settings
        stack = settings.decoder.stack(settings.encoder)
        own = settings.tied != "three-way"
        self.embedding = Embedding(settings.embedding, source_size) if own else None
        self.encoder = make_encoder(settings.encoder, settings.embedding.size)
        self.bridges = self._bridges(stack)
        self.decoder = Decoder(
            target_size,
            self.encoder.output_size,
            settings.decoder,
            stack,
            settings.embedding,
            context=settings.context,
            attention=settings.attention,
            tied=settings.tied != "none",
        )

    def _bridges(self, stack: RecurrentSettings) -> nn.ModuleDict | None:
        """A linear layer for each state, where the encoder's cannot be handed over; None where it can."""
        settings = self.settings
        cells = find_cell(settings.encoder.cell), find_cell(str(stack.cell))
        fits = cells[0] == cells[1] and self.encoder.output_size == stack.hidden_size
        fits = fits and settings.encoder.kind == "recurrent"
        if settings.bridge == "zero" or (settings.bridge == "auto" and fits):
            return None
        # What a stabiliser counts (sLSTM's n and m) means nothing after a linear map: only h and c cross.
        names = [name for name in cells[1].states if name in ("h", "c") or name == cells[1].states[0]]
        return nn.ModuleDict({name: nn.Linear(self.encoder.output_size, stack.hidden_size) for name in names})

    def encode(self, source: Padded) -> DecoderState:
        """The source read, and the decoder ready to write."""
        source = trim(source)
        vectors = (self.embedding or self.decoder.embedding)(source)
        outputs, end = self.encoder(vectors)
        assert end is not None
        memory = replace(
            outputs, values=functional.dropout(outputs.values, self.settings.memory_dropout, self.training)
        )
        ends = self._by_layer(end)
        return self.decoder.begin(memory, ends[-1][end.names[0]], self._first(ends))

    def forward(
        self, source: Padded, target: Padded, truth: float = 1.0
    ) -> tuple[Float[Tensor, "B"], Float[Tensor, "B"], Float[Tensor, "B"]]:
        """For each example the sums over its target tokens: what is minimised, nats, and tokens rightly foreseen.

        `target` [B T+1] holds begin mark, tokens and end mark. `truth` is the share of true tokens fed (see Decoder).
        """
        target = trim(target)
        given = Padded(target.values[:, :-1], target.lengths - 1)
        features = self.decoder.read(given, self.encode(source), truth)
        mask = given.mask
        smoothing = self.settings.label_smoothing if self.training else 0.0
        told = cross_entropy(features[mask], *self.decoder.scoring, target.values[:, 1:][mask], smoothing)
        rows = mask.nonzero()[:, 0]
        empty = told.nats.new_zeros(len(mask))
        return tuple(empty.index_add(0, rows, one.to(empty.dtype)) for one in told)  # type: ignore[return-value]

    def _by_layer(self, end: State) -> States:
        """The final states [LD B H], both directions of a layer side by side: [B DH] for each layer."""
        both = len(self.encoder.directions)

        def layer(value: Tensor, at: int) -> Tensor:
            return torch.cat([value[at * both + one] for one in range(both)], -1)

        layers = len(end[end.names[0]]) // both
        return tuple(State(**{name: layer(value, at) for name, value in end.items()}) for at in range(layers))

    def _first(self, ends: States) -> States | None:
        """The decoder's first states: its top layer takes over from the encoder's top layer, and so on downwards."""
        if self.settings.bridge == "zero":
            return None
        layers = self.decoder.layers.num_layers
        taken = [ends[max(0, len(ends) - layers + at)] for at in range(layers)]
        if self.bridges is None:
            return tuple(taken)
        cell = self.decoder.layers.cell
        output = ends[0].names[0]
        first = []
        for end in taken:
            like = end[output].new_empty(len(end[output]), self.decoder.layers.hidden_size)
            values = dict(cell.start(like).items())
            for name, bridge in self.bridges.items():
                value = bridge(end[name] if name in end.names else end[output])
                values[name] = torch.tanh(value) if name == cell.states[0] else value
            first.append(State(**values))
        return tuple(first)
