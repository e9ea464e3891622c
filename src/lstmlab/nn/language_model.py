"""A language model: vectors of tokens, a recurrent stack, and the likelihood of every token that could come next.

Letters in shapes: B rows, T steps, N tokens, F features that the output layer reads, V vocabulary, C candidates.
"""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from lstmlab.cells import State
from lstmlab.kernels.products import linear
from lstmlab.nn.cross_entropy import Told, cross_entropy
from lstmlab.nn.embedding import Embedding, VectorSettings, locked_dropout
from lstmlab.nn.encoder import EncoderSettings, refuse_stateless
from lstmlab.nn.recurrent import Recurrent
from lstmlab.nn.stepping import States, Stepping
from lstmlab.recipe import Settings
from lstmlab.types import Padded


class TokenVectorSettings(VectorSettings):
    """Vectors of a language model's tokens."""

    deviation: float = Field(default=0.1, gt=0)
    """Standard deviation of the normal numbers the vectors start with."""
    vocabulary_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Training: part of the vocabulary whose vectors are zero wherever they stand in a batch (Merity et al. 2018)."""


class LanguageModelSettings(Settings):
    """From the tokens so far to the next one."""

    embedding: TokenVectorSettings = TokenVectorSettings()
    encoder: EncoderSettings = EncoderSettings(hidden_size=512, bidirectional=False)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Training: part of the features set to zero before the output layer."""
    locked: bool = True
    """Let that dropout hit the same features at every step of a row (Gal & Ghahramani 2016)."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Training: share of the truth that is spread evenly over all tokens (Szegedy et al. 2016). Likelihoods come out
    less sure of themselves, which pays where a text has names and words that training never saw."""
    tied: bool = False
    """Read tokens out with the table of their vectors (Press & Wolf 2017); hidden_size is brought to their size."""
    output: Literal["full", "sampled"] = "full"
    """full: every token is scored for every place; sampled: in training only some are, for large vocabularies (Bengio &
    Senécal 2008; Jean et al. 2015). Scores are always taken over the whole vocabulary."""
    samples: int = Field(default=4096, ge=1)
    """Sampled: tokens drawn for each batch, by how often training saw them; those of the batch are scored as well."""

    @model_validator(mode="after")
    def _forwards(self) -> "LanguageModelSettings":
        if self.encoder.bidirectional:
            raise ValueError("a language model reads forwards: bidirectional=true would show it what it has to foresee")
        refuse_stateless(self.encoder, "a language model goes on, batch after batch and letter by letter,")
        return self

    def idle(self) -> dict[str, str]:
        """Settings of what is not used."""
        reasons = {} if self.output == "sampled" else {"samples": "it belongs to output=sampled"}
        if not self.dropout:
            reasons["locked"] = "it is about model.dropout, which is 0"
        if self.output == "sampled":
            reasons["label_smoothing"] = "it spreads over all tokens, and output=sampled scores a few"
        return reasons


class LanguageModel(nn.Module):
    """Tokens [B T] to the likelihood of the ones that follow.

    `counts` [V] is how often training saw each token; only sampled training asks for it.
    """

    counts: Tensor

    def __init__(self, settings: LanguageModelSettings, counts: Float[Tensor, "V"]) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("counts", counts, persistent=False)
        self.embedding = Embedding(settings.embedding, len(counts))
        self.layers = Recurrent.from_settings(settings.encoder, settings.embedding.size)
        hidden, size = settings.encoder.hidden_size, settings.embedding.size
        self.readout = nn.Linear(hidden, size, bias=False) if settings.tied and hidden != size else None
        self.output = None if settings.tied else nn.Linear(hidden, len(counts), bias=False)
        self.bias = nn.Parameter(torch.zeros(len(counts)))

    @property
    def scoring(self) -> Float[Tensor, "V F"]:
        """Matrix of the output layer."""
        return self.embedding.table.weight if self.output is None else self.output.weight

    def forward(self, tokens: Padded, targets: Int[Tensor, "B T"], state: State | None = None) -> tuple[Told, State]:
        """What is said of each real target, row after row [N], and the state after the last token."""
        features, state = self.read(tokens, state)
        mask = tokens.mask
        flat, truth = features[mask], targets[mask]
        if self.training and self.settings.output == "sampled":
            return self._sampled(flat, truth), state
        smoothing = self.settings.label_smoothing if self.training else 0.0
        return cross_entropy(flat, self.scoring, self.bias, truth, smoothing), state

    def read(self, tokens: Padded, state: State | None = None) -> tuple[Float[Tensor, "B T F"], State]:
        """Features after each token."""
        vectors = self.embedding(tokens)
        share = self.settings.embedding.vocabulary_dropout
        if self.training and share:
            kept = (torch.rand(len(self.counts), device=tokens.values.device) >= share) / (1 - share)
            vectors = replace(vectors, values=vectors.values * kept[tokens.values][:, :, None])
        outputs, after = self.layers(vectors, state)
        assert after is not None
        if self.training:
            part = self.settings.dropout
            if self.settings.locked:
                outputs = locked_dropout(outputs, part)
            else:
                outputs = replace(outputs, values=functional.dropout(outputs.values, part))
        return self._features(outputs.values), after

    def _features(self, outputs: Float[Tensor, "*B H"]) -> Float[Tensor, "*B F"]:
        return outputs if self.readout is None else linear(outputs, self.readout.weight)

    def _sampled(self, features: Float[Tensor, "N F"], truth: Int[Tensor, "N"]) -> Told:
        """Cross-entropy over the batch's own tokens and as many others as were drawn.

        A token's score is lessened by the logarithm of how likely it is to be among them, so that the sum over them
        stands for the sum over all (Jean et al. 2015, equation 11). What is minimised is a choice among few; the nats
        that are told are those of the choice among all, as the few estimate it, in which the true token counts once.
        """
        shares = self.counts.clamp(min=0.5) / self.counts.clamp(min=0.5).sum()
        spread = shares.pow(0.75)
        spread = spread / spread.sum()
        drawn = torch.multinomial(spread, self.settings.samples, replacement=True)
        chosen = torch.cat([truth, drawn]).unique()
        expected = len(truth) * shares[chosen] + self.settings.samples * spread[chosen]
        there = torch.log(-torch.expm1(-expected))
        places = torch.searchsorted(chosen, truth)
        told = cross_entropy(features, self.scoring[chosen], self.bias[chosen] - there, places)
        share, chance = torch.exp(-told.nats), torch.exp(there[places])
        return told._replace(nats=told.nats - there[places] + torch.log(share * chance - torch.expm1(-told.nats)))

    def stepping(self, rows: int) -> Stepping:
        """The recurrent stack made ready to go token by token."""
        return Stepping(self.layers, rows)

    def step(self, steps: Stepping, tokens: Int[Tensor, "B"], states: States) -> tuple[Float[Tensor, "B V"], States]:
        """Logits of what follows `tokens`, and the states then."""
        outputs, states = steps(self.embedding.table(tokens), states)
        return self.logits(self._features(outputs)), states

    def logits(self, features: Float[Tensor, "B F"]) -> Float[Tensor, "B V"]:
        """The scores of all tokens."""
        return linear(features, self.scoring, self.bias)
