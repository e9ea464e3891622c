"""The decoder: (token, state) → (logits, state, weights), one step at a time or, where nothing hangs on the step
before, over all steps at once.

Letters in shapes: B batch, T target steps, S source steps, R rows (hypotheses) of N sources, M the memory's features,
F features that the output layer reads, V vocabulary.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from lstmlab.kernels.products import linear
from lstmlab.nn.attention import Attention, AttentionSettings, Memory
from lstmlab.nn.embedding import Embedding, VectorSettings
from lstmlab.nn.recurrent import Recurrent, RecurrentSettings
from lstmlab.nn.stepping import States, Stepping, join
from lstmlab.recipe import FOLLOWS, Settings
from lstmlab.types import Padded

Context = Literal["state", "every-step", "attention"]


class DecoderSettings(Settings):
    """The recurrent stack that writes the target. What is null is as in the encoder."""

    cell: str | None = Field(default=None, json_schema_extra=FOLLOWS)
    """Which recurrence; null takes the encoder's."""
    hidden_size: int | None = Field(default=None, ge=1, json_schema_extra=FOLLOWS)
    """Units of each layer; null takes the encoder's."""
    num_layers: int | None = Field(default=None, ge=1, json_schema_extra=FOLLOWS)
    """Layers; null takes the encoder's."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Training: part of the features set to zero before the layer that reads them out."""

    def stack(self, encoder: RecurrentSettings) -> RecurrentSettings:
        """The decoder's recurrent stack: the encoder's in every setting that is not said otherwise, read forwards.

        Where the encoder is no recurrent stack, what is set of one is set for the decoder.
        """
        said = {name: getattr(self, name) for name in ("cell", "hidden_size", "num_layers") if getattr(self, name)}
        own = encoder.model_dump(include=set(RecurrentSettings.model_fields))
        return RecurrentSettings.model_validate({**own, **said, "bidirectional": False})


@dataclass(frozen=True)
class DecoderState:
    """Where decoding stands: R rows for N sources, source by source, equally many for each. What all rows of a source
    share is kept once. Searches reorder it (see decoding.State).
    """

    steps: Stepping
    states: States
    feed: Float[Tensor, "R F"] | None
    memory: Memory | None
    summary: Float[Tensor, "N M"] | None
    number: int = 0
    """Steps done."""

    @property
    def device(self) -> torch.device:
        """Where tokens have to be."""
        return next(iter(self.states[0].items()))[1].device

    def select(self, rows: Int[Tensor, "R"]) -> "DecoderState":
        """These rows, each a source of its own from now on: for states with one row a source."""
        return self.regroup(rows, rows)

    def regroup(self, rows: Int[Tensor, "R"], sources: Int[Tensor, "N"] | None) -> "DecoderState":
        """These rows, which stand source by source; `sources` are those that are left, None where all are."""
        chosen = replace(
            self,
            states=tuple(state.map(lambda value: value[rows]) for state in self.states),
            feed=None if self.feed is None else self.feed[rows],
        )
        if sources is None:
            return chosen
        return replace(
            chosen,
            memory=None if self.memory is None else self.memory.select(sources),
            summary=None if self.summary is None else self.summary[sources],
        )


class Bias(nn.Module):
    """What is left of an output layer whose matrix is somebody else's."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(size))


class Decoder(nn.Module):
    """Embedding, recurrent stack, attention where there is one, readout and output layer.

    `context` is how it knows the source: by its first state alone ("state"), by a summary beside every input
    ("every-step"; Cho et al. 2014), or by asking the memory at every step ("attention").
    """

    def __init__(
        self,
        vocabulary_size: int,
        memory_size: int,
        settings: DecoderSettings,
        stack: RecurrentSettings,
        vectors: VectorSettings,
        *,
        context: Context = "attention",
        attention: AttentionSettings | None = None,
        tied: bool = False,
    ) -> None:
        super().__init__()
        asked = attention or AttentionSettings()
        self.context, self.settings = context, settings
        self.feeding = context == "attention" and asked.input_feeding
        self.embedding = Embedding(vectors, vocabulary_size)
        self.feature_size = vectors.size if tied else stack.hidden_size
        beside = self.feature_size if self.feeding else memory_size if context == "every-step" else 0
        self.layers = Recurrent.from_settings(stack, vectors.size + beside)
        self.attention = (
            Attention(asked.kind, stack.hidden_size, memory_size, asked.size) if context == "attention" else None
        )
        read = self.layers.output_size + (0 if context == "state" else memory_size)
        plain = context == "state" and read == self.feature_size
        self.readout = None if plain else nn.Linear(read, self.feature_size)
        # Tied, the matrix of the output layer is the table of vectors, which has its one place in the embedding.
        self.output = nn.Linear(self.feature_size, vocabulary_size) if not tied else Bias(vocabulary_size)

    @property
    def scoring(self) -> tuple[Float[Tensor, "V F"], Float[Tensor, "V"]]:
        """Matrix and bias of the output layer."""
        weight = self.embedding.table.weight if isinstance(self.output, Bias) else self.output.weight
        return weight, self.output.bias

    def begin(self, memory: Padded, summary: Float[Tensor, "B M"], states: States | None) -> DecoderState:
        """Ready to write: the memory, what it comes to in one vector, and the first states (None: the cell's own)."""
        rows = len(memory.lengths)
        steps = Stepping(self.layers, rows)
        feed = summary.new_zeros(rows, self.feature_size) if self.feeding else None
        return DecoderState(
            steps,
            states or steps.start(summary),
            feed,
            None if self.attention is None else self.attention.remember(memory),
            summary if self.context == "every-step" else None,
        )

    def step(
        self, tokens: Int[Tensor, "R"], state: DecoderState
    ) -> tuple[Float[Tensor, "R V"], DecoderState, Float[Tensor, "R S"] | None]:
        """Logits of the next token after `tokens`, the state then, and the weights of attention."""
        vectors = self.embedding(Padded(tokens[:, None], torch.ones_like(tokens))).values[:, 0]
        features, state, weights = self._step(vectors, state)
        return linear(features, *self.scoring), state, weights

    def read(self, tokens: Padded, state: DecoderState, truth: float = 1.0) -> Float[Tensor, "B T F"]:
        """Features after each of the true tokens [B T]: teacher forcing (Williams & Zipser 1989).

        With `truth` below 1 each token but the first is replaced by the model's own likeliest one with probability
        1 - truth (scheduled sampling, Bengio et al. 2015), which takes the steps one by one.
        """
        vectors = self.embedding(tokens)
        if not self.feeding and truth >= 1:
            return self._at_once(vectors, state)
        features: list[Tensor] = []
        for given in vectors.values.unbind(1):
            if truth < 1 and features:
                given = self._mixed(given, features[-1], truth)
            read, state, _ = self._step(given, state)
            features.append(read)
        return torch.stack(features, 1)

    def _at_once(self, vectors: Padded, state: DecoderState) -> Tensor:
        values = vectors.values
        if state.summary is not None:
            values = torch.cat([values, state.summary[:, None].expand(-1, values.shape[1], -1)], -1)
        outputs, _ = self.layers(replace(vectors, values=values), join(state.states), final_state=False)
        contexts = None if state.summary is None else state.summary[:, None].expand(-1, values.shape[1], -1)
        if self.attention is not None and state.memory is not None:
            contexts, _ = self.attention(outputs.values, state.memory)
        return self._features(outputs.values, contexts)

    def _step(self, vectors: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState, Tensor | None]:
        beside = state.feed
        if state.summary is not None:
            beside = state.summary.repeat_interleave(len(vectors) // len(state.summary), 0)
        inputs = vectors if beside is None else torch.cat([vectors, beside], -1)
        outputs, states = state.steps(inputs, state.states, state.number)
        context, weights = beside if state.summary is not None else None, None
        if self.attention is not None and state.memory is not None:
            context, weights = self._look(outputs, state)
        features = self._features(outputs, context)
        feed = features if self.feeding else None
        return features, replace(state, states=states, feed=feed, number=state.number + 1), weights

    def _look(self, outputs: Tensor, state: DecoderState) -> tuple[Tensor, Tensor]:
        """Each row asks its own source's memory."""
        assert self.attention is not None
        assert state.memory is not None
        found = self.attention(outputs.unflatten(0, (len(state.memory.mask), -1)), state.memory)
        return found[0].flatten(0, 1), found[1].flatten(0, 1)

    def _features(self, outputs: Tensor, contexts: Tensor | None) -> Tensor:
        """What the output layer reads: tanh(W [h; c]) (Luong et al. 2015, equation 5)."""
        found = outputs if contexts is None else torch.cat([outputs, contexts], -1)
        found = functional.dropout(found, self.settings.dropout, self.training)
        if self.readout is None:
            return found
        return torch.tanh(linear(found, self.readout.weight, self.readout.bias))

    def _mixed(self, given: Tensor, features: Tensor, truth: float) -> Tensor:
        own = linear(features.detach(), *self.scoring).argmax(1)
        vectors = self.embedding(Padded(own[:, None], torch.ones_like(own))).values[:, 0]
        keep = torch.rand(len(given), 1, device=given.device) < truth
        return torch.where(keep, given, vectors)
