"""Two texts read by one encoder, compared token by token and as a whole, to the scores of what they are to each other.

Letters in shapes: B batch, T and S steps of the first and the second text, C flags of a token, H features, K classes.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from lstmlab.kernels.weights import trim
from lstmlab.nn.attention import Attention
from lstmlab.nn.embedding import Embedding, VectorSettings
from lstmlab.nn.encoder import EncoderSettings, make_encoder
from lstmlab.nn.pooling import Pooling
from lstmlab.recipe import Settings
from lstmlab.types import Padded


class MatcherSettings(Settings):
    """From two texts to the scores of what they are to each other."""

    embedding: VectorSettings = VectorSettings(size=100, deviation=0.3, dropout=0.5)
    encoder: EncoderSettings = EncoderSettings(hidden_size=64)
    attention: Literal["none", "between"] = "between"
    """between: each token looks for its like in the other text, both are compared, and a second encoder of the same
    kind reads what came of it (ESIM: Chen et al. 2017); none: the texts meet only as two vectors."""
    compared_size: int = Field(default=64, ge=1)
    """Attention: numbers that come of comparing a token with what it found in the other text."""
    pooling: tuple[Literal["last", "max", "mean", "attention"], ...] = ("max", "mean")
    """How the outputs of all steps become one vector for each text; several stand side by side."""
    alone: bool = True
    """Look at, and pool, the tokens that the other text does not have once more on their own: what one text says and
    the other does not decides most."""
    head_size: int = Field(default=64, ge=1)
    """Units of the layer between both vectors and the scores."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Training: part of what is compared, of both vectors, and of the head's units set to zero."""

    @model_validator(mode="after")
    def _agrees(self) -> "MatcherSettings":
        if not self.pooling or len(set(self.pooling)) < len(self.pooling):
            raise ValueError(f"pooling needs one or more different names, got {list(self.pooling)}")
        return self

    def idle(self) -> dict[str, str]:
        """What belongs to attention."""
        if self.attention == "none":
            return {"compared_size": "it belongs to attention=between, and attention is none"}
        return {}


class Matcher(nn.Module):
    """Tokens of two texts [B T 1+C] and [B S 1+C] (id, then flags) to logits [B K].

    The same weights read both texts; the order of the texts counts, since one may follow from the other and not the
    other way round. Answers do not depend on batch size, order or padding.
    """

    def __init__(self, settings: MatcherSettings, vocabulary_size: int, flags: int, outputs: int) -> None:
        super().__init__()
        self.settings = settings
        self.embedding = Embedding(settings.embedding, vocabulary_size)
        self.encoder = make_encoder(settings.encoder, self.embedding.output_size + flags)
        size = self.encoder.output_size
        self.attention: Attention | None = None
        if settings.attention == "between":
            self.attention = Attention("dot", size, size)
            looks = 2 if settings.alone else 1
            self.comparison = nn.Linear((1 + 3 * looks) * size + flags, settings.compared_size)
            self.composition = make_encoder(settings.encoder, settings.compared_size)
        self.pooling = Pooling(settings.pooling, size, len(self.encoder.directions))
        self.head = nn.Linear(4 * self.pooling.output_size * (1 + settings.alone), settings.head_size)
        self.output = nn.Linear(settings.head_size, outputs)

    def forward(self, first: Padded, second: Padded) -> Float[Tensor, "B K"]:
        """The scores of each pair."""
        sides = [trim(side) for side in (first, second)]
        flags = [Padded(side.values[..., 1:].to(self.head.weight.dtype), side.lengths) for side in sides]
        one, other = (self._read(side, told) for side, told in zip(sides, flags, strict=True))
        if self.attention is not None:
            one, other = self._compared(one, other, *flags), self._compared(other, one, *flags[::-1])
        u, v = self._pooled(one, flags[0]), self._pooled(other, flags[1])
        # Mou et al. 2016; Conneau et al. 2017: both, how far apart, and how much alike they are.
        hidden = torch.tanh(self.head(self._dropped(torch.cat([u, v, (u - v).abs(), u * v], -1))))
        return self.output(self._dropped(hidden))

    def _read(self, tokens: Padded, flags: Padded) -> Padded:
        ids = Padded(tokens.values[..., 0], tokens.lengths)
        return self.encoder(self.embedding(ids, flags), final_state=False)[0]

    def _compared(self, own: Padded, other: Padded, flags: Padded, others: Padded) -> Padded:
        """One text, each token beside the mean of those of the other text that are like it, and of those that are left
        there when what both texts have is taken away; read once more."""
        assert self.attention is not None
        parts = [own.values, flags.values]
        for memory in [other, alone(other, others)] if self.settings.alone else [other]:
            found, _ = self.attention(own.values, self.attention.remember(memory))
            parts += [found, own.values - found, own.values * found]
        compared = torch.relu(self.comparison(self._dropped(torch.cat(parts, -1))))
        return self.composition(Padded(compared, own.lengths).masked(), final_state=False)[0]

    def _pooled(self, outputs: Padded, flags: Padded) -> Float[Tensor, "B P"]:
        """One vector a text; beside it one of the tokens that the other text does not have."""
        whole = self.pooling(outputs)
        return torch.cat([whole, self.pooling(alone(outputs, flags))], -1) if self.settings.alone else whole

    def _dropped(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.settings.dropout, self.training)


def turned(first: Padded, second: Padded, rows: Bool[Tensor, "B"]) -> tuple[Padded, Padded]:
    """Both texts, those of some rows exchanged."""
    most = max(first.values.shape[1], second.values.shape[1])
    one, other = (functional.pad(side.values, (0, 0, 0, most - side.values.shape[1])) for side in (first, second))
    swapped = rows[:, None, None]
    return (
        Padded(torch.where(swapped, other, one), torch.where(rows, second.lengths, first.lengths)),
        Padded(torch.where(swapped, one, other), torch.where(rows, first.lengths, second.lengths)),
    )


def alone(outputs: Padded, flags: Padded) -> Padded:
    """The steps of each row whose first flag is not set, in their order, and none of the others."""
    kept = (flags.values[..., 0] == 0) & outputs.mask
    order = (~kept).long().argsort(stable=True, dim=1)
    values = outputs.values.gather(1, order[..., None].expand_as(outputs.values))
    return Padded(values, kept.sum(1)).masked()
