"""A tagger: words, their letters and endings, an encoder, and a tag for each word.

Letters in shapes: B sentences, T words, F features of a word, H outputs of the encoder, U different words of a batch,
C letters, K tags.
"""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from lstmlab.nn.crf import CRF, Allowed
from lstmlab.nn.embedding import locked_dropout
from lstmlab.nn.encoder import EncoderSettings, make_encoder
from lstmlab.nn.neighbours import Neighbours
from lstmlab.nn.pooling import Last, Max
from lstmlab.nn.recurrent import Recurrent
from lstmlab.recipe import FOLLOWS, Settings
from lstmlab.types import Padded


class WordVectorSettings(Settings):
    """Vectors for words, and for what stands beside them."""

    size: int = Field(default=100, ge=1)
    """Numbers in a word's vector."""
    deviation: float = Field(default=0.1, gt=0)
    """Standard deviation of the normal numbers the vectors start with."""
    unknown: float = Field(default=0.25, ge=0)
    """Training: a word seen n times is read as an unknown one with probability unknown / (unknown + n), so that the
    unknown word's vector is trained too (Kiperwasser & Goldberg 2016)."""
    shape_size: int = Field(default=8, ge=0)
    """Numbers in the vector of a word's shape (Xx for "Lyon"); 0 leaves it out."""
    suffix_size: int = Field(default=16, ge=0)
    """Numbers in the vector of each ending; 0 leaves them out."""
    locked_dropout: float = Field(default=0.3, ge=0, lt=1)
    """Training: part of the numbers of a word set to zero, the same ones at every word of a sentence."""


class LetterSettings(Settings):
    """Vectors of words read letter by letter."""

    kind: Literal["none", "lstm", "cnn"] = Field(default="lstm", json_schema_extra=FOLLOWS)
    """none; lstm: a bidirectional LSTM (Lample et al. 2016); cnn: a convolution (Ma & Hovy 2016)."""
    size: int = Field(default=32, ge=1)
    """Numbers in a letter's vector."""
    hidden_size: int = Field(default=32, ge=1, json_schema_extra=FOLLOWS)
    """Units of each direction of the LSTM; twice as many filters of the convolution."""
    width: int = Field(default=3, ge=1, json_schema_extra=FOLLOWS)
    """Convolution: letters that a filter sees."""

    def idle(self) -> dict[str, str]:
        """What belongs to another kind."""
        reasons = {}
        if self.kind != "cnn":
            reasons["width"] = f"it belongs to kind=cnn, and kind is {self.kind}"
        if self.kind == "none":
            reasons |= dict.fromkeys(("size", "hidden_size"), "kind=none reads no letters")
        return reasons


class TaggerSettings(Settings):
    """From words to tags."""

    words: WordVectorSettings = WordVectorSettings()
    letters: LetterSettings = LetterSettings()
    encoder: EncoderSettings = EncoderSettings(hidden_size=128)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Training: part of the encoder's outputs set to zero before the tags are scored."""
    output: Literal["softmax", "crf"] = "crf"
    """softmax: each tag for itself; crf: the likeliest tags of a sentence together, impossible ones left out."""
    neighbours: float = Field(default=0.0, ge=0)
    """Training: weight of a second loss, of guessing the words beside each word, which teaches an encoder more of the
    language than few tags do (Rei 2017); 0 leaves it out. For a recurrent encoder of one layer, or any encoder of one
    direction. Its weights count among the parameters, though answers do not use them."""
    outside_bias: float = 0.0
    """Answering: taken from the score of O at every word. Above 0 more spans are found, and less of what is found is
    right: to be chosen on validation where names are rare and many are missed."""

    @model_validator(mode="after")
    def _unseen(self) -> "TaggerSettings":
        if self.neighbours and self.encoder.bidirectional and self.encoder.kind != "recurrent":
            raise ValueError(
                f"neighbours={self.neighbours:g} has an encoder guess the words beside each word, and kind="
                f"{self.encoder.kind} has read both of them: take encoder.bidirectional=false, or neighbours=0"
            )
        if self.neighbours and self.encoder.bidirectional and self.encoder.num_layers > 1:
            raise ValueError(
                f"neighbours={self.neighbours:g} needs encoder.num_layers=1 or encoder.bidirectional=false, got "
                f"{self.encoder.num_layers} bidirectional layers: the upper ones have read the words to be guessed, "
                "through the other direction below. Or take neighbours=0"
            )
        return self


class Letters(nn.Module):
    """Words spelled [U C] to vectors [U F]."""

    def __init__(self, settings: LetterSettings, alphabet: int) -> None:
        super().__init__()
        self.table = nn.Embedding(alphabet, settings.size, padding_idx=0)
        self.output_size = 2 * settings.hidden_size
        self.encoder: Recurrent | None = None
        self.filters: nn.Conv1d | None = None
        self.pooling: nn.Module
        if settings.kind == "lstm":
            self.encoder = Recurrent("lstm", settings.size, settings.hidden_size, bidirectional=True)
            self.pooling = Last(2)
        else:
            self.filters = nn.Conv1d(settings.size, self.output_size, settings.width)
            self.pooling = Max()

    def forward(self, spelled: Padded) -> Float[Tensor, "U F"]:
        """Zeros for a word without letters."""
        vectors = Padded(self.table(spelled.values), spelled.lengths)
        if self.encoder is not None:
            return self.pooling(self.encoder(vectors, final_state=False)[0])
        assert self.filters is not None
        # Padding is zero, so what a filter sees past a word's end is the same however long the others are.
        width = self.filters.kernel_size[0]
        around = functional.pad(vectors.values.transpose(1, 2), ((width - 1) // 2, width // 2))
        seen = torch.relu(self.filters(around)).transpose(1, 2)
        return self.pooling(Padded(seen, spelled.lengths))


class Tagger(nn.Module):
    """Features of words [B T F] (the word's id, its place among the batch's different words, its shape and endings) and
    the spelling of the different words [U C] to the scores of the tags [B T K].

    Where tags mark spans, O is the first of them. `sizes` are the numbers of words, shapes and endings of each length;
    `frequencies` [V] how often training saw each word. Answers do not depend on batch size, order or padding.
    """

    frequencies: Tensor

    def __init__(
        self,
        settings: TaggerSettings,
        sizes: tuple[int, ...],
        alphabet: int,
        tags: int,
        *,
        frequencies: Int[Tensor, "V"] | None = None,
        allowed: Allowed | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        words, shapes, *endings = sizes
        self.table = _table(words, settings.words.size, settings.words.deviation)
        self.letters = Letters(settings.letters, alphabet) if settings.letters.kind != "none" else None
        beside = [(shapes, settings.words.shape_size), *((count, settings.words.suffix_size) for count in endings)]
        self.beside = nn.ModuleDict(
            {str(at): _table(count, size, settings.words.deviation) for at, (count, size) in enumerate(beside) if size}
        )
        features = settings.words.size + sum(size for _, size in beside)
        features += self.letters.output_size if self.letters is not None else 0
        self.encoder = make_encoder(settings.encoder, features)
        self.output = nn.Linear(self.encoder.output_size, tags)
        self.crf = CRF(tags, allowed) if settings.output == "crf" else None
        self.neighbours: Neighbours | None = None
        if settings.neighbours:
            two = settings.encoder.bidirectional
            self.neighbours = Neighbours(self.encoder.output_size, words, bidirectional=two)
        counts = torch.zeros(words) if frequencies is None else frequencies.float()
        self.register_buffer("frequencies", counts, persistent=False)

    def forward(self, words: Padded, spelled: Padded) -> Padded:
        """The scores of the tags [B T K]."""
        return self.score(self.read(words, spelled))

    def read(self, words: Padded, spelled: Padded) -> Padded:
        """What the encoder makes of each word [B T H]."""
        ids = words.values[..., 0]
        if self.training and self.settings.words.unknown:
            ids = self._forgetting(ids)
        parts = [self.table(ids)]
        if self.letters is not None:
            parts.append(self.letters(spelled)[words.values[..., 1]])
        parts += [table(words.values[..., 2 + int(at)]) for at, table in self.beside.items()]
        vectors = Padded(torch.cat(parts, -1), words.lengths).masked()
        if self.training:
            vectors = locked_dropout(vectors, self.settings.words.locked_dropout)
        outputs, _ = self.encoder(vectors, final_state=False)
        return replace(outputs, values=functional.dropout(outputs.values, self.settings.dropout, self.training))

    def score(self, read: Padded) -> Padded:
        """The scores of the tags [B T K] from what `read` returned."""
        return replace(read, values=self.output(read.values))

    def aside(self, read: Padded, words: Padded) -> Float[Tensor, "B"]:
        """The second loss of training, weighted; zeros where there is none."""
        if self.neighbours is None:
            return read.values.new_zeros(len(read.lengths))
        return self.settings.neighbours * self.neighbours(read, words.values[..., 0])

    def _forgetting(self, ids: Tensor) -> Tensor:
        """Rare words now and then as unknown ones."""
        alpha = self.settings.words.unknown
        chance = alpha / (alpha + self.frequencies[ids])
        return torch.where((torch.rand_like(chance) < chance) & (ids > 1), 1, ids)

    def loss(self, scores: Padded, tags: Int[Tensor, "B T"]) -> Float[Tensor, "B"]:
        """-log p of each sentence's tags, in nats."""
        if self.crf is not None:
            return self.crf.loss(scores, tags)
        rows = functional.cross_entropy(scores.values.transpose(1, 2), tags, reduction="none")
        return (rows * scores.mask).sum(1)

    def _leaning(self, scores: Padded) -> Padded:
        """Scores as they are answered from."""
        if not self.settings.outside_bias:
            return scores
        outside, others = scores.values.split([1, scores.values.shape[2] - 1], 2)
        return replace(scores, values=torch.cat([outside - self.settings.outside_bias, others], 2))

    def best(self, scores: Padded) -> Int[Tensor, "B T"]:
        """The likeliest tags; zeros past each sentence's end."""
        scores = self._leaning(scores)
        return self.crf.best(scores)[0] if self.crf is not None else scores.values.argmax(2) * scores.mask

    def probabilities(self, scores: Padded) -> Float[Tensor, "B T K"]:
        """The probability of each tag of each word."""
        scores = self._leaning(scores)
        return self.crf.marginals(scores) if self.crf is not None else scores.values.softmax(2) * scores.mask[..., None]


def _table(count: int, size: int, deviation: float) -> nn.Embedding:
    table = nn.Embedding(count, size, padding_idx=0)
    with torch.no_grad():
        table.weight.mul_(deviation)
    return table
