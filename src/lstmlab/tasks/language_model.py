"""Language models: what comes next in a running text, of characters, pieces of words or words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from lstmlab import baselines, metrics
from lstmlab.cells import State
from lstmlab.data import cache
from lstmlab.data.corpus import Corpus, Dataset, Index, Part
from lstmlab.data.load import Watch
from lstmlab.data.prose import ProseData, load_prose
from lstmlab.data.streams import LEAST, Streams, Stretch
from lstmlab.data.text import UNKNOWN, TextEncoder, TextSettings, plain
from lstmlab.data.tokens import PAD, Tokens
from lstmlab.decoding import StreamSettings
from lstmlab.errors import InputError
from lstmlab.nn.language_model import LanguageModel, LanguageModelSettings
from lstmlab.tasks import reading, speaking
from lstmlab.tasks.task import Recipe, Scores
from lstmlab.types import Batch, Example, Loss, Padded

NATS, RIGHT, TOKENS, MINIMISED = range(4)
"""Columns of a model's outputs: a line's sums of nats, of tokens rightly foreseen, of tokens; in training of what is
minimised too, something else where the softmax is sampled."""
CHARACTERS = 0x110000 - 0x800
"""Characters that a text can hold: Unicode's code points without the halves of surrogate pairs."""
ORDERS = {"character": 7, "subword": 5, "word": 5}
"""Tokens of the n-grams a model is compared with."""


class ProseText(TextSettings):
    """How running text becomes tokens."""

    level: Literal["word", "character", "subword"] = "character"
    """What a token is: a word or punctuation mark, a character, or a piece of a word (byte-level BPE)."""
    lowercase: bool = False
    """Whether capitals are made small first; what is written then has none."""
    line_ends: bool = True
    """Words: whether the end of a line is a token too."""


class LanguageModelRecipe(Recipe):
    """Settings of a language model."""

    data: ProseData = ProseData()
    text: ProseText = ProseText()
    model: LanguageModelSettings = LanguageModelSettings()
    bptt: int = Field(default=100, ge=1)
    """Tokens after which back-propagation is cut; the state goes on (truncated back-propagation through time)."""
    passage: int | None = Field(default=None, ge=LEAST)
    """Tokens that are read in their order before reading goes on at another place of the text, in an order drawn for
    every epoch; the state goes on all the same. null reads every row's part of the text from its beginning to its end:
    a model of much capacity then learns by heart what stands where."""
    dynamic_rate: float = Field(default=0.0, ge=0)
    """Learning rate with which a copy of the model goes on learning from the test text, each stretch once it has been
    scored (dynamic evaluation, Krause et al. 2018): reported apart from the scores. 0 leaves it out."""
    decoding: StreamSettings = StreamSettings()

    def idle(self) -> dict[str, str]:
        """What is for texts one by one."""
        one = "there is one long text, which is read in its order"
        cut = "it cuts texts, and here there is one long text"
        return (
            {"text.first": cut, "text.last": cut}
            | dict.fromkeys(("training.bucket", "training.tokens"), one)
            | {"split_seed": "a text is parted where it stands, and nothing is drawn"}
            | {"training.best": "a language model's scores rise and fall with its loss"}
        )


@dataclass(frozen=True)
class EncodedProse:
    """The lines of a text as tokens, end to end."""

    tokens: Tokens
    texts: list[str]
    asked: bool = False
    """Whether they are texts that somebody gave, each to be answered, rather than the lines of a part."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens in each line."""
        return self.tokens.lengths

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def stream(self) -> NDArray[np.int64]:
        """All tokens, and before them the mark of a beginning: the token at place i is foreseen from those before."""
        return np.concatenate([[PAD], self.tokens.ids]).astype(np.int64)

    @property
    def characters(self) -> int:
        """Characters of the text."""
        return sum(map(len, self.texts))


class LanguageModelling:
    """Row D4: text generation and next-word prediction."""

    name: ClassVar[str] = "language-model"
    Recipe: ClassVar[type[Recipe]] = LanguageModelRecipe
    main_scores: ClassVar[tuple[str, ...]] = ("nats_per_character", "perplexity")

    def __init__(
        self, recipe: LanguageModelRecipe, encoder: TextEncoder, counts: NDArray[np.int64] | None = None
    ) -> None:
        self.recipe = recipe
        self.encoder = encoder
        self.counts = counts
        """How often training has each token, where the task was fitted and not restored."""

    @classmethod
    def load(cls, recipe: LanguageModelRecipe, watch: Watch) -> Dataset:
        """The parts of the text the recipe names."""
        return load_prose(recipe.data, watch)

    @classmethod
    def prepare(cls, recipe: LanguageModelRecipe, data: Dataset, watch: Watch = Watch()) -> "LanguageModelling":
        """Vocabulary from the training part alone, cached by content and settings."""
        settings = plain(recipe.text)
        key = cache.key("encoder", data.train.fingerprint, settings.model_dump(mode="json"))

        def fit() -> Any:
            watch.say(f"Counting the tokens of {len(data.train):,} lines of training text")
            return TextEncoder.fit(settings, data.train.inputs).to_json()

        encoder = TextEncoder.from_json(cache.value("vocabulary", key, fit, watch.say))
        bare = cls(recipe, encoder)
        tokens = bare.encode(data.train, "the training part").tokens
        for name, part in data.parts.items():  # told now, not after hours
            bare.encode(part, f"the {name} part")
        return cls(recipe, encoder, np.bincount(tokens.ids, minlength=encoder.size))

    @classmethod
    def restore(cls, recipe: LanguageModelRecipe, saved: Mapping[str, Any]) -> "LanguageModelling":
        """The task that `saved` was written from."""
        return cls(recipe, TextEncoder.from_json(saved["encoder"]))

    def saved(self) -> dict[str, Any]:
        """Vocabulary."""
        return {"task": self.name, "encoder": self.encoder.to_json()}

    def encode(self, examples: Part | Sequence[Example], where: str) -> EncodedProse:
        """Token ids of every line."""
        texts = [example.inputs for example in examples]
        if not isinstance(examples, Corpus):
            return EncodedProse(self.encoder.encode(texts), texts, asked=True)
        key = cache.key("tokens", self.encoder.to_json(), examples.fingerprint)
        tokens = Tokens(**cache.arrays("tokens", key, lambda: vars(self.encoder.encode(texts))))
        if not len(tokens.ids):
            raise InputError(f"{where}: no {self.encoder.settings.level} in {len(texts):,} lines: nothing to foresee")
        return EncodedProse(tokens, texts)

    def drawing(self, settings: StreamSettings) -> "LanguageModelling":
        """The same task that writes on in another way."""
        recipe = self.recipe.model_copy(update={"decoding": settings})
        return LanguageModelling(recipe, self.encoder, self.counts)

    def plan(self, encoded: EncodedProse, rows: int, seed: int) -> Streams:
        """The whole text, read at `rows` places side by side."""
        return Streams(len(encoded.stream), rows, self.recipe.bptt, seed, self.recipe.passage)

    def collate(self, encoded: EncodedProse, index: Index | Stretch) -> Batch:
        """Tokens [B T] and the ones that follow them [B T]: of a stretch of the text, or of lines by themselves."""
        if isinstance(index, Stretch):
            places = index.places
            lines = np.searchsorted(encoded.tokens.offsets, index.starts, side="right") - 1
            lengths = torch.full((len(places),), index.steps)
            inputs = Padded(torch.from_numpy(encoded.stream[places]), lengths)
            return Batch(inputs, torch.from_numpy(encoded.stream[places + 1]), torch.from_numpy(lines))
        chosen = encoded.tokens.take(index)
        targets = torch.from_numpy(chosen.padded().astype(np.int64))
        if not targets.shape[1]:
            targets = targets.new_zeros(len(index), 1)
        before = torch.cat([torch.full_like(targets[:, :1], PAD), targets[:, :-1]], 1)
        padded = Padded(before, torch.from_numpy(chosen.lengths)).masked()
        return Batch(padded, targets, torch.from_numpy(index))

    def build(self) -> nn.Module:
        """Vectors, recurrent stack, output layer."""
        counts = np.zeros(self.encoder.size) if self.counts is None else self.counts
        return LanguageModel(self.recipe.model, torch.from_numpy(counts.astype(np.float32)))

    def outputs(self, model: nn.Module, batch: Batch, done: float = 1.0) -> Tensor:
        """For each row [B 4], read from the beginning of a text: nats, tokens foreseen, tokens, what is minimised."""
        return self.follow(model, batch, None)[0]

    def follow(self, model: nn.Module, batch: Batch, state: State | None) -> tuple[Tensor, State]:
        """The same from where the batch before stopped, and where this one stops."""
        told, after = model(batch.inputs, batch.wanted, state)
        mask = batch.inputs.mask
        rows = mask.nonzero()[:, 0]
        nothing = told.smoothed.new_zeros(len(batch.index))
        nats, right, minimised = (
            nothing.index_add(0, rows, one.to(nothing)) for one in (told.nats, told.right, told.smoothed)
        )
        return torch.stack([nats, right, batch.inputs.lengths.to(nothing), minimised], 1), after

    def read(self, model: nn.Module, encoded: EncodedProse) -> reading.Read:
        """The whole text from its first to its last token, each foreseen from what is before it."""
        assert isinstance(model, LanguageModel)
        return reading.read(model, encoded.stream, encoded.tokens.offsets)

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Nats a token; what is told are those of the choice among all tokens."""
        return Loss(outputs[:, MINIMISED], int(outputs[:, TOKENS].sum()), told=outputs[:, NATS])

    def tally(self, outputs: Tensor, batch: Batch) -> dict[str, tuple[float, int]]:
        """Tokens foreseen rightly; not of a sampled softmax, which chooses among a few."""
        if self.recipe.model.output == "sampled":
            return {}
        return {"token_accuracy": (float(outputs[:, RIGHT].sum()), int(outputs[:, TOKENS].sum()))}

    def predict(
        self, model: nn.Module, encoded: EncodedProse, outputs: NDArray[np.float32], watch: Watch = Watch()
    ) -> list[Any]:
        """How each text goes on, by the recipe's way to draw. Of the lines of a part a few are answered."""
        assert isinstance(model, LanguageModel)
        few = len(encoded) if encoded.asked else speaking.FEW
        return speaking.answers(model, self.encoder, encoded.texts, self.recipe.decoding, few)

    def glance(self, model: nn.Module, encoded: EncodedProse) -> list[dict[str, Any]]:
        """How a place in the middle of the text goes on, and how it might."""
        assert isinstance(model, LanguageModel)
        return speaking.glance(model, self.encoder, encoded.texts, self.recipe.decoding)

    def score(
        self, outputs: NDArray[np.float32], encoded: EncodedProse, answers: Sequence[Mapping[str, Any]] = ()
    ) -> Scores:
        """Nats and bits a character (not of words, which leave blanks and rare spellings out), perplexity, accuracy.

        A character that training never saw costs, beside the unknown one, a blind guess among all other characters.
        """
        sums = np.asarray(outputs, np.float64).sum(0)
        return {**self._likelihood(float(sums[NATS]), encoded), "token_accuracy": float(sums[RIGHT] / sums[TOKENS])}

    def _likelihood(self, nats: float, encoded: EncodedProse) -> Scores:
        found = {"perplexity": metrics.perplexity(nats, len(encoded.tokens.ids))}
        if self.encoder.settings.level == "word" or self.encoder.settings.lowercase:
            return found
        unknown = int((encoded.tokens.ids == UNKNOWN).sum())
        each = (nats + unknown * log(CHARACTERS - self.encoder.size)) / encoded.characters
        return {"nats_per_character": each, "bits_per_character": each / log(2), **found}

    def details(self, model: nn.Module, outputs: NDArray[np.float32], encoded: EncodedProse) -> dict[str, Any]:
        """Which tokens cost most, a passage token by token, and what the context is worth."""
        assert isinstance(model, LanguageModel)
        unknown = float((encoded.tokens.ids == UNKNOWN).mean())
        told = reading.details(model, self.encoder, encoded.stream)
        rate = self.recipe.dynamic_rate
        if rate:
            nats = reading.dynamic(model, encoded.stream, rate, self.recipe.bptt)
            told["dynamic"] = {"rate": rate, **self._likelihood(nats, encoded)}
        return {"tokens": len(encoded.tokens.ids), "characters": encoded.characters, "unknown": unknown, **told}

    def signatures(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Over what perplexity is taken."""
        level = self.encoder.settings.level
        ends = " and the end of each line" if level == "word" and self.encoder.settings.line_ends else ""
        run_up = f"a long one at {reading.ROWS} places side by side, each after a run-up of {reading.RUN_UP} tokens"
        return {"perplexity": f"of each {level}{ends}; the text is read as one, its state carried on; {run_up}"}

    def baseline(self, train: Part, test: Part, watch: Watch = Watch()) -> dict[str, Scores]:
        """How often each token occurs, and an n-gram model with Kneser-Ney smoothing, of the same tokens."""
        order = ORDERS[self.encoder.settings.level]
        known, asked = self.encode(train, "train").tokens.ids, self.encode(test, "test")
        key = cache.key("n-grams", self.encoder.to_json(), train.fingerprint, test.fingerprint, order)

        def fit() -> dict[str, float]:
            watch.say(f"Counting n-grams of up to {order} {self.encoder.settings.level}s")
            ids, size = asked.tokens.ids, self.encoder.size
            return {
                "token frequencies": float(baselines.unigram(known, ids, size).sum()),
                f"{order}-grams (Kneser-Ney)": float(baselines.kneser_ney(known, ids, size, order).sum()),
            }

        told = cache.value("baseline", key, fit, watch.say)
        return {name: self._likelihood(nats, asked) for name, nats in told.items()}

    def journey(self, example: Example) -> list[tuple[str, str]]:
        """Line → tokens → ids → what is foreseen from what."""
        ids = self.encoder.encode([example.inputs]).ids
        names = self.encoder.tokens(ids[:24])
        return [
            ("line", _plain(example.inputs[:160])),
            ("tokens", " | ".join(map(_plain, names)) + f"   ({len(ids)} in all)"),
            ("ids", " ".join(map(str, ids[:24].tolist()))),
            ("targets", " ".join(map(str, ids[1:25].tolist())) + "   (each the token after)"),
            ("tensor", f"[batch_size, {self.recipe.bptt}]: places of the text × tokens"),
        ]


def _plain(text: str) -> str:
    """A text on one line."""
    return text.replace("\n", "\\n").replace("\t", "\\t")
