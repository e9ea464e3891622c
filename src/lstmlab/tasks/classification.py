"""Texts to one of K labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lstmlab import baselines, metrics
from lstmlab.data import cache, signals
from lstmlab.data.corpus import Corpus, Dataset, Index, Part
from lstmlab.data.labels import LabelSet
from lstmlab.data.load import DataSettings, Watch, load
from lstmlab.data.signals import SignalEncoder, Signals, numeric
from lstmlab.data.text import TextEncoder, TextSettings, Tokens
from lstmlab.nn import ratios
from lstmlab.nn.classifier import Classifier, ClassifierSettings
from lstmlab.nn.embedding import Embedding
from lstmlab.nn.ratios import MOST_BITS
from lstmlab.recipe import Settings
from lstmlab.tasks import borrowing
from lstmlab.tasks.task import Recipe, Scores
from lstmlab.types import Batch, Example, Loss, Padded

NAIVE_BAYES = "naive Bayes n-grams + logistic regression"
"""The baseline that is given what a model with log-count ratios is."""


class ClassificationRecipe(Recipe):
    """Settings of a text classifier."""

    data: DataSettings = DataSettings()
    text: TextSettings = TextSettings()
    model: ClassifierSettings = ClassifierSettings()
    start: str | None = None
    """The folder of a language model's run to begin with: its vocabulary, its vectors and its encoder."""

    def located(self) -> Settings:
        """The same with whole paths."""
        start = None if self.start is None else str(Path(self.start).absolute())
        return super().located().model_copy(update={"start": start})

    def idle(self) -> dict[str, str]:
        """What is for texts, where sequences of numbers are learned from; what a run to begin with decides."""
        if not self.data.numeric:
            told = f"the vocabulary is that of start={self.start}"
            names = [key for key, _ in self.text if key not in ("first", "last")]
            return super().idle() | {f"text.{key}": told for key in names if self.start is not None}
        told = "it is for texts, and these are sequences of numbers"
        blocks: dict[str, Settings] = {"text": self.text, "model.embedding": self.model.embedding}
        idle = {f"{block}.{key}": told for block, settings in blocks.items() for key, _ in settings}
        return super().idle() | {"start": told} | idle


@dataclass(frozen=True)
class EncodedTexts:
    """Token ids of N texts and their labels [N] (-1 where a text has none).

    `hints` [tokens C] are a training part's log-count ratios, each text's counted without it.
    """

    tokens: Tokens | Signals
    labels: NDArray[np.int64]
    hints: NDArray[np.float16] | None = None

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens in each text."""
        return self.tokens.lengths

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class TrainingFacts:
    """What a task knows only where its training part is at hand, to find things in the cache and to train."""

    encoder_key: str
    corpus: str
    """Fingerprint of the training part."""
    counted: ratios.Fitted | None = None


class TextClassification:
    """Row D1: sentiment, topic, any text with one label."""

    name: ClassVar[str] = "classification"
    Recipe: ClassVar[type[Recipe]] = ClassificationRecipe
    main_scores: ClassVar[tuple[str, ...]] = ("accuracy",)

    def __init__(
        self,
        recipe: ClassificationRecipe,
        encoder: TextEncoder | SignalEncoder,
        labels: LabelSet,
        *,
        ratio_bits: int = MOST_BITS,
        train: TrainingFacts | None = None,
    ) -> None:
        self.recipe = recipe
        self.encoder = encoder
        self.labels = labels
        self.ratio_bits = ratio_bits
        self.train = train

    @classmethod
    def load(cls, recipe: ClassificationRecipe, watch: Watch) -> Dataset:
        """The parts of the data the recipe names."""
        return load(recipe.data, recipe.parts_seed, watch)

    @classmethod
    def prepare(cls, recipe: ClassificationRecipe, data: Dataset, watch: Watch = Watch()) -> "TextClassification":
        """Vocabulary and labels from the training part alone; the vocabulary is cached by content and settings."""
        labels = LabelSet.fit(data.train.targets)
        for name, part in data.parts.items():
            labels.encode(part.targets, name)  # a label that training never saw is told now, not after hours
        if numeric(data.train.inputs[:1]):
            return cls(recipe, SignalEncoder.fit(data.train.inputs, "the training part"), labels)
        key, encoder = cls._vocabulary(recipe, data.train, watch)
        facts = TrainingFacts(key, data.train.fingerprint)
        bare = cls(recipe, encoder, labels, train=facts)
        return bare._with_ratios(data.train, facts, watch) if recipe.model.embedding.ratios else bare

    @staticmethod
    def _vocabulary(recipe: ClassificationRecipe, train: Part, watch: Watch) -> tuple[str, TextEncoder]:
        """The tokens and what names them in the cache: counted on the training part, or those of a run."""
        if recipe.start is not None:
            encoder = borrowing.vocabulary(Path(recipe.start), recipe.text)
            return cache.key("encoder", encoder.to_json()), encoder
        key = cache.key("encoder", train.fingerprint, recipe.text.model_dump(mode="json"))

        def fit() -> Any:
            watch.say(f"Counting the words of {len(train):,} training texts")
            return TextEncoder.fit(recipe.text, train.inputs).to_json()

        return key, TextEncoder.from_json(cache.value("vocabulary", key, fit, watch.say))

    def _with_ratios(self, train: Part, facts: TrainingFacts, watch: Watch) -> "TextClassification":
        """The same task with log-count ratios counted on the training part (from the cache where they are there)."""
        encoded, longest = self.encode(train, "train"), self.recipe.model.embedding.ratios
        assert isinstance(encoded.tokens, Tokens)
        tokens = encoded.tokens

        def count() -> dict[str, NDArray[Any]]:
            watch.say(f"Counting n-grams up to {longest} words by label")
            counted = ratios.fit(tokens.ids, tokens.offsets, encoded.labels, longest)
            return {"table": counted.table, "hints": counted.hints}

        key = cache.key("ratios", facts.encoder_key, facts.corpus, longest)
        counted = ratios.Fitted(**cache.arrays("ratios", key, count))
        bits = ratios.bits_for(len(tokens.ids))
        return TextClassification(
            self.recipe, self.encoder, self.labels, ratio_bits=bits, train=replace(facts, counted=counted)
        )

    @classmethod
    def restore(cls, recipe: ClassificationRecipe, saved: Mapping[str, Any]) -> "TextClassification":
        """The task that `saved` was written from."""
        kind = SignalEncoder if saved["encoder"].get("signals") else TextEncoder
        encoder, labels = kind.from_json(saved["encoder"]), LabelSet.from_json(saved["labels"])
        return cls(recipe, encoder, labels, ratio_bits=saved["ratio_bits"])

    def saved(self) -> dict[str, Any]:
        """Vocabulary and labels."""
        return {
            "task": self.name,
            "encoder": self.encoder.to_json(),
            "labels": self.labels.to_json(),
            "ratio_bits": self.ratio_bits,
        }

    def encode(self, examples: Part | Sequence[Example], where: str) -> EncodedTexts:
        """Token ids (from the cache where these very texts were encoded before) and labels."""
        targets = [example.target for example in examples]
        tokens = self._tokens(examples, where)
        known = [target for target in targets if target is not None]
        if known and len(known) < len(targets):
            raise ValueError(f"{where}: some examples have a label and some have none")
        labels = self.labels.encode(known, where) if known else np.full(len(targets), -1, np.int64)
        counted = self.train.counted if self.train is not None and self._is_train(examples) else None
        return EncodedTexts(tokens, labels, None if counted is None else counted.hints)

    def _is_train(self, examples: Part | Sequence[Example]) -> bool:
        """Whether these are the very texts the ratios were counted on, whose hints leave out their own counts."""
        return isinstance(examples, Corpus) and self.train is not None and examples.fingerprint == self.train.corpus

    def _tokens(self, examples: Part | Sequence[Example], where: str) -> Tokens | Signals:
        encoder, inputs = self.encoder, [example.inputs for example in examples]
        if isinstance(encoder, SignalEncoder):
            return encoder.encode(inputs, where)
        if self.train is None or not isinstance(examples, Corpus):
            return encoder.encode(inputs)
        key = cache.key("tokens", self.train.encoder_key, examples.fingerprint)
        return Tokens(**cache.arrays("tokens", key, lambda: vars(encoder.encode(inputs))))

    def collate(self, encoded: EncodedTexts, index: Index) -> Batch:
        """Padded token ids [B T] and labels [B]."""
        chosen = encoded.tokens.take(index)
        values = torch.from_numpy(chosen.padded())
        if isinstance(chosen, Tokens):
            values = values.long()
        inputs = Padded(
            values if values.shape[1] else values.new_zeros(len(index), 1), torch.from_numpy(chosen.lengths)
        )
        labels = encoded.labels[index]
        targets = None if (labels < 0).any() else torch.from_numpy(labels)
        return Batch(inputs, targets, torch.from_numpy(index), hints=self._hints(encoded, index, inputs))

    def _hints(self, encoded: EncodedTexts, index: Index, inputs: Padded) -> Padded | None:
        if encoded.hints is None or not isinstance(encoded.tokens, Tokens):
            return None
        values = torch.zeros(*inputs.values.shape, encoded.hints.shape[1])
        values[inputs.mask] = torch.from_numpy(encoded.hints[encoded.tokens.places(index)]).float()
        return Padded(values, inputs.lengths)

    def build(self) -> nn.Module:
        """Embedding, encoder, pooling, output layer; the table of ratios filled from the training part. What is begun
        with a run has its weights, where it is to be trained.
        """
        names, encoder = len(self.labels.names), self.encoder
        if isinstance(encoder, SignalEncoder):
            return Classifier(self.recipe.model, 0, names, features=encoder.features)
        model = Classifier(self.recipe.model, encoder.size, names, ratio_bits=self.ratio_bits)
        if self.train is not None and self.recipe.start is not None:
            borrowing.lend(Path(self.recipe.start), model, self.recipe.model.encoder)
        counted = self.train.counted if self.train is not None else None
        if counted is not None and isinstance(model.embedding, Embedding) and model.embedding.ratios is not None:
            model.embedding.ratios.table.copy_(torch.from_numpy(counted.table))
        return model

    def outputs(self, model: nn.Module, batch: Batch, done: float = 1.0) -> Tensor:
        """Logits [B K]. In training each text's ratios are those counted without it."""
        return model(batch.inputs, batch.hints if model.training else None)

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Cross-entropy in nats; for a single sigmoid unit the binary one, which is the same number."""
        if outputs.shape[1] == 1:
            targets = batch.wanted.to(outputs.dtype)
            rows = functional.binary_cross_entropy_with_logits(outputs[:, 0], targets, reduction="none")
        else:
            rows = functional.cross_entropy(outputs, batch.wanted, reduction="none")
        return Loss(rows, len(rows))

    def tally(self, outputs: Tensor, batch: Batch) -> dict[str, tuple[float, int]]:
        """Right answers of one batch."""
        guesses = (outputs[:, 0] > 0).long() if outputs.shape[1] == 1 else outputs.argmax(1)
        return {"accuracy": (float((guesses == batch.wanted).sum()), len(guesses))}

    def probabilities(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Outputs [N K] or [N 1] as probabilities [N K], in double precision so that they sum to one."""
        logits = torch.from_numpy(np.asarray(outputs)).double()
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], 1)
        return logits.softmax(1).numpy()

    def predict(
        self, model: nn.Module, encoded: EncodedTexts, outputs: NDArray[np.float32], watch: Watch = Watch()
    ) -> list[dict[str, Any]]:
        """The likeliest label and all probabilities."""
        names = self.labels.names
        return [
            {"prediction": names[int(row.argmax())], "probabilities": dict(zip(names, map(float, row), strict=True))}
            for row in self.probabilities(outputs)
        ]

    def glance(self, model: nn.Module, encoded: EncodedTexts) -> list[dict[str, Any]]:
        """Nothing: the outputs say everything."""
        return []

    def score(
        self, outputs: NDArray[np.float32], encoded: EncodedTexts, answers: Sequence[Mapping[str, Any]] = ()
    ) -> Scores:
        """Accuracy, macro-F1 and calibration error."""
        probabilities = self.probabilities(outputs)
        guesses = probabilities.argmax(1)
        return {
            "accuracy": metrics.accuracy(encoded.labels, guesses),
            "macro_f1": metrics.macro_f1(encoded.labels, guesses),
            "calibration_error": metrics.calibration_error(probabilities, encoded.labels),
        }

    def details(self, model: nn.Module, outputs: NDArray[np.float32], encoded: EncodedTexts) -> dict[str, Any]:
        """Nothing: the answers say it all."""
        return {}

    def signatures(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """None: the names of these scores say how they are computed."""
        return {}

    def baseline(self, train: Part, test: Part, watch: Watch = Watch()) -> dict[str, Scores]:
        """Majority class, and logistic regression on TF-IDF and on the n-grams that the model is given ratios of:
        fitted on the training part, scored on the test part."""
        wanted = self.labels.encode(test.targets, "test")
        return {
            name: {"accuracy": metrics.accuracy(wanted, guess), "macro_f1": metrics.macro_f1(wanted, guess)}
            for name, guess in self._guesses(train, test, watch).items()
        }

    def rival_answers(self, train: Part, test: Part, watch: Watch = Watch()) -> list[str]:
        """What the most accurate of the baselines answered."""
        wanted, guesses = self.labels.encode(test.targets, "test"), self._guesses(train, test, watch)
        best = max(guesses, key=lambda name: metrics.accuracy(wanted, guesses[name]))
        return [self.labels.names[at] for at in guesses[best]]

    def _guesses(self, train: Part, test: Part, watch: Watch) -> dict[str, NDArray[np.int64]]:
        """Each baseline's labels [N] of the test part."""
        ratios_of = (self.recipe.model.embedding.ratios, self.train and self.train.encoder_key, self.ratio_bits)
        key = cache.key("guesses", train.fingerprint, test.fingerprint, ratios_of)
        what = ("features", "sequences") if isinstance(self.encoder, SignalEncoder) else ("TF-IDF", "texts")

        def fit() -> dict[str, list[int]]:
            watch.say(f"Fitting the linear baseline ({what[0]} + logistic regression) on {len(train):,} {what[1]}")
            return {name: guess.tolist() for name, guess in self._fitted(train, test).items()}

        return {name: np.array(told, np.int64) for name, told in cache.value("guesses", key, fit, watch.say).items()}

    def _fitted(self, train: Part, test: Part) -> dict[str, NDArray[np.int64]]:
        known = self.labels.encode(train.targets, "train")
        guesses = {"majority class": baselines.majority(known, len(test))}
        if isinstance(self.encoder, SignalEncoder):
            parts = (signals.tables(part.inputs, "the data") for part in (train, test))
            guesses["features + logistic regression"] = baselines.linear_signals(next(parts), known, next(parts))
        else:
            guesses["TF-IDF + logistic regression"] = baselines.linear_text(train.inputs, known, test.inputs)[0]
            if longest := self.recipe.model.embedding.ratios:
                grams = [self._ngrams(part, longest) for part in (train, test)]
                name = f"{NAIVE_BAYES} (1 to {longest} tokens)" if longest > 1 else f"{NAIVE_BAYES} (single tokens)"
                guesses[name] = baselines.linear_ngrams(grams[0], known, grams[1], len(test))
        return guesses

    def _ngrams(self, part: Part, longest: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        tokens = self._tokens(part, "the data")
        assert isinstance(tokens, Tokens)
        return ratios.ngrams(tokens.ids, tokens.offsets, longest, self.ratio_bits)

    def journey(self, example: Example) -> list[tuple[str, str]]:
        """Sentence → tokens → ids → padded tensor; or measurements → scaled → padded tensor."""
        if isinstance(self.encoder, SignalEncoder):
            return self._signal_journey(example, self.encoder)
        tokens = self.encoder.encode([example.inputs])
        batch = self.collate(EncodedTexts(tokens, np.full(1, -1)), np.zeros(1, np.int64))
        pieces = self.encoder.tokens(tokens.ids)
        shape = "×".join(map(str, batch.inputs.values.shape))
        return [
            ("text", _shorten(" ".join(example.inputs.split()), 160)),
            ("tokens", _shorten(" | ".join(pieces[:24]), 160) + f"   ({len(pieces)} in all)"),
            ("ids", _shorten(" ".join(map(str, tokens.ids[:24].tolist())), 160)),
            ("tensor", f"[{shape}], padded with 0 to the longest text of its batch"),
            ("label", f"{example.target} → {self.labels.names.index(example.target)}"),
        ]

    def _signal_journey(self, example: Example, encoder: SignalEncoder) -> list[tuple[str, str]]:
        scaled = encoder.encode([example.inputs], "the example")
        steps = ["[" + ", ".join(f"{value:.3g}" for value in row) + "]" for row in scaled.values[:3].tolist()]
        return [
            ("measurements", _shorten(str(example.inputs[:3]), 120) + f"   ({len(scaled.values)} steps)"),
            ("scaled", _shorten(" ".join(steps), 120)),
            ("tensor", f"[1×{'×'.join(map(str, scaled.values.shape))}], padded to the longest sequence of its batch"),
            ("label", f"{example.target} → {self.labels.names.index(example.target)}"),
        ]


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
