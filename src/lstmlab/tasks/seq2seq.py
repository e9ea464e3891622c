"""Sequence to sequence: translation, and dialogue as the translation of what was said into what is answered."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn

from lstmlab import metrics
from lstmlab.data import cache
from lstmlab.data.corpus import Corpus, Dataset, Index, Part
from lstmlab.data.load import Watch
from lstmlab.data.pairs import DialogueData, PairSettings, TranslationData, load_pairs
from lstmlab.data.sentences import EncodedPairs, Languages, SentenceSettings
from lstmlab.data.tokens import Tokens
from lstmlab.decoding import SearchSettings
from lstmlab.nn.encoder_decoder import EncoderDecoder, EncoderDecoderSettings
from lstmlab.tasks import rivals, writing
from lstmlab.tasks.forcing import TeacherForcing
from lstmlab.tasks.task import Recipe, Scores, known_targets
from lstmlab.types import Batch, Example, Loss, Padded

R = TypeVar("R", bound="PairRecipe")

NATS, RIGHT, TOKENS = 1, 2, 3
"""Columns of a model's outputs, after what is minimised."""


class PairRecipe(Recipe):
    """What translation and dialogue share."""

    data: PairSettings = PairSettings()
    text: SentenceSettings = SentenceSettings(level="subword", vocabulary_size=8000)
    model: EncoderDecoderSettings = EncoderDecoderSettings()
    teacher_forcing: TeacherForcing = TeacherForcing()
    decoding: SearchSettings = SearchSettings()
    glance: int = Field(default=500, ge=5)
    """Validation sources that are answered (greedily) after every epoch, for scores; five of them are shown."""

    @model_validator(mode="after")
    def _one_table_for_one_vocabulary(self: R) -> R:
        if self.model.tied == "three-way" and not self.text.joint:
            raise ValueError("model.tied=three-way needs one vocabulary for both sides: set text.joint=true")
        return self

    def idle(self) -> dict[str, str]:
        """Nobody to copy from without attention."""
        reasons = super().idle()
        if self.model.context != "attention":
            reasons["text.copy_unknown"] = f"it needs attention, and model.context is {self.model.context}"
        return reasons


class TranslationRecipe(PairRecipe):
    """Settings of a translator."""

    data: TranslationData = TranslationData()


class DialogueRecipe(PairRecipe):
    """Settings of a partner in conversation."""

    data: DialogueData = DialogueData()


class Translation:
    """Row D5: one text into another."""

    name: ClassVar[str] = "translation"
    Recipe: ClassVar[type[Recipe]] = TranslationRecipe
    main_scores: ClassVar[tuple[str, ...]] = ("bleu",)
    bounded: ClassVar[bool] = True
    """Whether the length of an answer is bounded by that of its source."""

    def __init__(
        self,
        recipe: Any,
        languages: Languages,
        key: str | None = None,
        *,
        look: bool = False,
        first: int = 0,
    ) -> None:
        self.recipe = recipe
        self.languages = languages
        # Names the vocabularies in the cache, where the task was fitted and not restored.
        self.key = key
        self.look = look
        self.first = first

    @classmethod
    def load(cls, recipe: Any, watch: Watch) -> Dataset:
        """The parts of the data the recipe names."""
        return load_pairs(recipe.data, recipe.parts_seed, watch)

    @classmethod
    def prepare(cls, recipe: Any, data: Dataset, watch: Watch = Watch()) -> "Translation":
        """Vocabularies from the training part alone, cached by content and settings."""
        key = cache.key("languages", data.train.fingerprint, recipe.text.model_dump(mode="json"))

        def fit() -> Any:
            watch.say(f"Counting the words of {len(data.train):,} training pairs")
            return Languages.fit(recipe.text, data.train.inputs, data.train.targets).to_json()

        return cls(recipe, Languages.from_json(cache.value("vocabulary", key, fit, watch.say)), key)

    @classmethod
    def restore(cls, recipe: Any, saved: Mapping[str, Any]) -> "Translation":
        """The task that `saved` was written from."""
        return cls(recipe, Languages.from_json(saved["languages"]))

    def saved(self) -> dict[str, Any]:
        """Both vocabularies."""
        return {"task": self.name, "languages": self.languages.to_json()}

    def searching(self, settings: SearchSettings, *, look: bool = False, first: int = 0) -> "Translation":
        """The same task that searches in another way. With `look` its answers tell where they looked ("attention");
        `first` is the first source's place among all that are asked, which its random numbers hang on.
        """
        recipe = self.recipe.model_copy(update={"decoding": settings})
        return type(self)(recipe, self.languages, self.key, look=look, first=first)

    def encode(self, examples: Part | Sequence[Example], where: str) -> EncodedPairs:
        """Tokens of both sides (from the cache where these very texts were encoded before)."""
        inputs = [example.inputs for example in examples]
        known = known_targets(examples, where)
        fingerprint = examples.fingerprint if isinstance(examples, Corpus) else None
        source = self._tokens("source", self.languages.source.sources, inputs, fingerprint)
        target = self._tokens("target", self.languages.target.targets, known, fingerprint) if known else None
        return EncodedPairs(inputs, known, source, target)

    def _tokens(
        self, side: str, encode: Callable[[list[str]], Tokens], texts: list[str], fingerprint: str | None
    ) -> Tokens:
        if self.key is None or fingerprint is None:
            return encode(texts)
        key = cache.key("tokens", self.key, side, fingerprint)
        return Tokens(**cache.arrays("tokens", key, lambda: vars(encode(texts))))

    def collate(self, encoded: EncodedPairs, index: Index) -> Batch:
        """Source ids [B S]; beside them, where known, target ids with both marks [B T+1]."""
        target = None if encoded.target is None else _padded(encoded.target.take(index))
        return Batch(
            _padded(encoded.source.take(index)),
            None if target is None else target.values,
            torch.from_numpy(index),
            second=target,
        )

    def build(self) -> nn.Module:
        """Encoder and decoder."""
        return EncoderDecoder(self.recipe.model, self.languages.source.size, self.languages.target.size)

    def outputs(self, model: nn.Module, batch: Batch, done: float = 1.0) -> Tensor:
        """For each pair [B 4] the sums over its target: what is minimised, nats, tokens rightly foreseen, tokens."""
        if batch.second is None:
            return torch.full((len(batch.index), 4), np.nan)
        truth = self.recipe.teacher_forcing.at(done) if model.training else 1.0
        told = model(batch.inputs, batch.second, truth)
        return torch.stack([*told, (batch.second.lengths - 1).to(told[0])], 1)

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Cross-entropy in nats a target token; what is told is that against the truth, unsmoothed."""
        return Loss(outputs[:, 0], int(outputs[:, TOKENS].sum()), told=outputs[:, NATS])

    def tally(self, outputs: Tensor, batch: Batch) -> dict[str, tuple[float, int]]:
        """Tokens foreseen rightly under teacher forcing."""
        return {"token_accuracy": (float(outputs[:, RIGHT].sum()), int(outputs[:, TOKENS].sum()))}

    def predict(
        self, model: nn.Module, encoded: EncodedPairs, outputs: NDArray[np.float32], watch: Watch = Watch()
    ) -> list[dict[str, Any]]:
        """Answers found by the recipe's search."""
        return writing.answers(model, self.languages, encoded, self._writing(), watch)

    def glance(self, model: nn.Module, encoded: EncodedPairs) -> list[dict[str, Any]]:
        """Greedy answers to a fixed, even choice of the sources; the five that are shown are marked."""
        return writing.glance(model, self.languages, encoded, self.recipe.glance, self._writing())

    def _writing(self) -> writing.Writing:
        copy = self.recipe.text.copy_unknown and self.recipe.text.level == "word"
        looks = self.recipe.model.context == "attention"
        return writing.Writing(
            self.recipe.decoding, copy and looks, bounded=self.bounded, look=self.look and looks, first=self.first
        )

    def score(
        self, outputs: NDArray[np.float32], encoded: EncodedPairs, answers: Sequence[Mapping[str, Any]] = ()
    ) -> Scores:
        """Perplexity and token accuracy; of the answers that are there BLEU, chrF, TER and exact matches."""
        sums = np.asarray(outputs, np.float64).sum(0)
        found = {
            "perplexity": metrics.perplexity(sums[NATS], int(sums[TOKENS])),
            "token_accuracy": float(sums[RIGHT] / max(sums[TOKENS], 1)),
        }
        told = [one for one in answers if one.get("target") is not None]
        return {**self._text_scores(told), **found} if told else found

    def _text_scores(self, answers: Sequence[Mapping[str, Any]]) -> Scores:
        said, wanted = [one["prediction"] for one in answers], [one["target"] for one in answers]
        return rivals.text_scores(said, wanted, lowercase=self.recipe.text.lowercase)

    def details(self, model: nn.Module, outputs: NDArray[np.float32], encoded: EncodedPairs) -> dict[str, Any]:
        """Nothing: the answers say it all."""
        return {}

    def signatures(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """How BLEU, chrF and TER are computed, in sacreBLEU's words."""
        return rivals.signatures([str(one["target"]) for one in answers], lowercase=self.recipe.text.lowercase)

    def baseline(self, train: Part, test: Part, watch: Watch = Watch()) -> dict[str, Scores]:
        """The source copied, and translated word for word with a dictionary learned from the training part."""
        return rivals.cached(rivals.translation, train, test, watch, lowercase=self.recipe.text.lowercase)

    def journey(self, example: Example) -> list[tuple[str, str]]:
        """Both sentences → tokens → ids → padded tensors."""
        return writing.journey(self.languages, example)


class Dialogue(Translation):
    """Row D6: a reply to the turns before it."""

    name: ClassVar[str] = "dialogue"
    Recipe: ClassVar[type[Recipe]] = DialogueRecipe
    main_scores: ClassVar[tuple[str, ...]] = ("perplexity",)
    bounded: ClassVar[bool] = False

    def _text_scores(self, answers: Sequence[Mapping[str, Any]]) -> Scores:
        found = super()._text_scores(answers)
        said, asked = [one["prediction"] for one in answers], [one["input"] for one in answers]
        return {**found, **rivals.variety(said, asked)}

    def baseline(self, train: Part, test: Part, watch: Watch = Watch()) -> dict[str, Scores]:
        """The reply to the most similar training source (TF-IDF), the references' own variety, and what how often each
        token occurs says alone."""
        found = rivals.cached(rivals.dialogue, train, test, watch, lowercase=self.recipe.text.lowercase)
        target = self.languages.target
        nats, tokens = rivals.frequencies(target.targets(train.targets), target.targets(test.targets), target.size)
        return {**found, "token frequencies": {"perplexity": metrics.perplexity(nats, tokens)}}


def _padded(tokens: Tokens) -> Padded:
    return Padded(torch.from_numpy(tokens.padded().astype(np.int64)), torch.from_numpy(tokens.lengths))
