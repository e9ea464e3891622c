"""Tokens as vectors, and the two dropouts that belong to them.

Letters in shapes: B batch, T steps, E embedding, V vocabulary.
"""

from dataclasses import replace

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from lstmlab.nn.ratios import MOST_BITS, Ratios
from lstmlab.recipe import Settings
from lstmlab.types import Padded


class VectorSettings(Settings):
    """A vector for each token."""

    size: int = Field(default=128, ge=1)
    """Numbers in a token's vector."""
    deviation: float = Field(default=1.0, gt=0)
    """Standard deviation of the normal numbers the vectors start with."""
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Training: part of the tokens whose whole vector is set to zero, chosen token by token."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Training: part of the vectors' numbers set to zero, drawn anew for every token."""
    locked_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Training: part of the vectors' numbers set to zero, the same ones at every step of a text."""


class EmbeddingSettings(VectorSettings):
    """The same for texts that get a label."""

    ratios: int = Field(default=0, ge=0, le=5)
    """Stand beside a token how strongly it, and n-grams up to this length, speak for each label; 0 leaves them out."""


class Embedding(nn.Module):
    """Token ids [B T] to vectors [B T E].

    Id 0 is padding: its vector starts at zero and learns nothing from being read. So it stays zero unless an output
    layer shares the table (tied language models): as one of the tokens to choose among, it then moves like the others.

    `classes` and `ratio_bits` are the sizes of the table of log-count ratios, where the settings ask for them.
    """

    def __init__(
        self, settings: VectorSettings, vocabulary_size: int, *, classes: int = 2, ratio_bits: int = MOST_BITS
    ) -> None:
        super().__init__()
        self.settings = settings
        longest = settings.ratios if isinstance(settings, EmbeddingSettings) else 0
        self.ratios = Ratios(longest, classes, ratio_bits) if longest else None
        self.table = nn.Embedding(vocabulary_size, settings.size, padding_idx=0)
        with torch.no_grad():
            self.table.weight.mul_(settings.deviation)

    @property
    def output_size(self) -> int:
        """Numbers in a token's vector."""
        return self.settings.size + (self.ratios.output_size if self.ratios is not None else 0)

    def hints(self, inputs: Padded) -> Padded | None:
        """The log-count ratios of each token, where the settings ask for them: what stands beside its vector."""
        return None if self.ratios is None else Padded(self.ratios(inputs.values), inputs.lengths)

    def forward(self, inputs: Padded, hints: Padded | None = None) -> Padded:
        """A vector for each id, its hints beside it. Dropouts leave the hints alone."""
        vectors = Padded(self.table(inputs.values), inputs.lengths)
        if self.training:
            vectors = locked_dropout(word_dropout(vectors, self.settings.word_dropout), self.settings.locked_dropout)
            vectors = replace(vectors, values=functional.dropout(vectors.values, self.settings.dropout))
        if hints is None:
            return vectors
        return replace(vectors, values=torch.cat([vectors.values, hints.values], -1))

    def extra_repr(self) -> str:
        """Sizes."""
        return f"{self.table.num_embeddings} tokens to {self.output_size}"


class Measurements(nn.Module):
    """In an embedding's place where the inputs are numbers already: they pass as they are."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.output_size = features

    def hints(self, inputs: Padded) -> None:
        """None: only texts have any."""
        return None

    def forward(self, inputs: Padded, hints: Padded | None = None) -> Padded:
        """The same."""
        return inputs

    def extra_repr(self) -> str:
        """Numbers of a step."""
        return f"{self.output_size} features"


def word_dropout(vectors: Padded, part: float) -> Padded:
    """Vectors [B T E] with `part` of the tokens gone (Iyyer et al. 2015).

    A token that stays is not scaled up, as it does not stand for the ones that are gone.
    """
    if not part:
        return vectors
    kept = torch.rand_like(vectors.values[:, :, :1]) >= part
    return replace(vectors, values=vectors.values * kept)


def locked_dropout(vectors: Padded, part: float) -> Padded:
    """Dropout on [B T E] with one mask for all steps of a row (Gal & Ghahramani 2016), scaled by 1 / (1 - part)."""
    if not part:
        return vectors
    kept = torch.rand_like(vectors.values[:, :1]) >= part
    return replace(vectors, values=vectors.values * (kept / (1 - part)))
