"""Sentences to a tag for each word: parts of speech, names of people, places and things."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lstmlab import baselines, metrics
from lstmlab.data import cache, spans
from lstmlab.data.corpus import Dataset, Index, Part
from lstmlab.data.exchange import Exchange
from lstmlab.data.load import Watch
from lstmlab.data.spans import Scheme
from lstmlab.data.tagging import TaggingData, kinds, load_tagged
from lstmlab.data.words import WordEncoder, Words, WordSettings
from lstmlab.errors import InputError
from lstmlab.nn.crf import Allowed
from lstmlab.nn.tagger import Tagger, TaggerSettings
from lstmlab.tasks.task import Recipe, Scores, known_targets
from lstmlab.types import Batch, Example, Loss, Padded

LEARNED, NATS, RIGHT, TOKENS, COUNTED = range(5)
"""What a sentence's outputs tell: what is learned from, the nats of its tags, words rightly tagged, words, and words
that the loss is of."""
AT_ONCE = 512
"""Sentences tagged side by side."""


class TaggingRecipe(Recipe):
    """Settings of a tagger."""

    data: TaggingData = TaggingData()
    words: WordSettings = WordSettings()
    model: TaggerSettings = TaggerSettings()

    @property
    def unmeasured(self) -> str | None:
        """The validation part may be learned from."""
        return "data.join_valid=true" if self.data.join_valid else None

    def idle(self) -> dict[str, str]:
        """What has no effect beside other settings."""
        chosen = "data.join_valid=true leaves no validation part to choose by"
        average = {"training.average_epochs": chosen} if self.data.join_valid else {}
        return super().idle() | self._idle_words() | average

    def _idle_words(self) -> dict[str, str]:
        """Endings that are not looked up have no vectors."""
        if not self.words.suffixes:
            return {"model.words.suffix_size": "words.suffixes is empty"}
        if not self.model.words.suffix_size:
            return {"words.suffixes": "model.words.suffix_size is 0"}
        return {}


@dataclass(frozen=True)
class EncodedSentences:
    """N sentences as numbers, and the ids of their tags end to end where they are known."""

    words: Words
    tags: NDArray[np.int64] | None
    inputs: list[list[str]]
    targets: list[list[str]] | None
    """In the scheme of the data."""
    exchange: Exchange | None = None
    """How names are exchanged; of what is learned from alone."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Words of each sentence."""
        return self.words.lengths

    def __len__(self) -> int:
        return len(self.words)


class Tagging:
    """Rows D2: parts of speech and named entities."""

    name: ClassVar[str] = "tagging"
    Recipe: ClassVar[type[Recipe]] = TaggingRecipe
    main_scores: ClassVar[tuple[str, ...]] = ("span_f1", "accuracy")

    def __init__(self, recipe: TaggingRecipe, encoder: WordEncoder, tags: tuple[str, ...], scheme: Scheme) -> None:
        self.recipe = recipe
        self.encoder = encoder
        self.tags = tags
        """As the model has them: BIOES where they mark spans."""
        self.scheme: Scheme = scheme
        """Of the data, and of what is answered."""
        self.learned: Part | None = None
        """The part that is learned from, while it is: names are exchanged in no other."""

    @property
    def inside(self) -> Scheme:
        """The scheme in which the model tags."""
        return "plain" if self.scheme == "plain" else "bioes"

    @classmethod
    def load(cls, recipe: TaggingRecipe, watch: Watch) -> Dataset:
        """The parts of the data the recipe names."""
        return load_tagged(recipe.data, recipe.parts_seed, watch)

    @classmethod
    def prepare(cls, recipe: TaggingRecipe, data: Dataset, watch: Watch = Watch()) -> "Tagging":
        """Vocabulary and tags from the training part alone."""
        watch.say(f"Counting the words of {len(data.train):,} training sentences")
        targets = data.train.targets
        scheme = recipe.data.scheme or spans.scheme_of(targets)
        tags = kinds(targets)
        if scheme != "plain":
            marked = sorted({spans.split(tag)[1] for tag in tags} - {""})
            tags = [spans.OUTSIDE, *(f"{mark}-{kind}" for kind in marked for mark in "BIES")]
        if len(tags) < 2:
            raise InputError(f"the training part has one tag only ({', '.join(tags)}): there is nothing to learn")
        asked = {"words.exchange": recipe.words.exchange, "model.outside_bias": recipe.model.outside_bias}
        for key, value in asked.items():
            if value and scheme == "plain":
                raise InputError(f"{key} would have no effect: it is about spans, and these tags mark none")
        task = cls(recipe, WordEncoder.fit(recipe.words, data.train.inputs), tuple(tags), scheme)
        task.learned = data.train
        return task

    @classmethod
    def restore(cls, recipe: TaggingRecipe, saved: Mapping[str, Any]) -> "Tagging":
        """The task that `saved` was written from."""
        return cls(recipe, WordEncoder.from_json(saved["encoder"]), tuple(saved["tags"]), saved["scheme"])

    def saved(self) -> dict[str, Any]:
        """Vocabulary, tags and scheme."""
        return {"task": self.name, "encoder": self.encoder.to_json(), "tags": list(self.tags), "scheme": self.scheme}

    def encode(self, examples: Part | Sequence[Example], where: str) -> EncodedSentences:
        """Words and tags as numbers. A tag that training never saw is -1: it counts as missed in every score."""
        inputs = [example.inputs for example in examples]
        known = known_targets(examples, where)
        words = self.encoder.encode(inputs, where)
        if known is None:
            return EncodedSentences(words, None, list(map(list, inputs)), None)
        ids = {tag: at for at, tag in enumerate(self.tags)}
        for sentence, tags in zip(inputs, known, strict=True):
            if len(sentence) != len(tags):
                raise InputError(f"{where}: {len(sentence)} words and {len(tags)} tags: {' '.join(sentence)[:60]}")
        flat = [ids.get(tag, -1) for tags in known for tag in spans.converted(tags, self.scheme, self.inside)]
        exchange = None
        if self.recipe.words.exchange and examples is self.learned:
            exchange = Exchange.of(words.places, known, self.scheme, self.recipe.words.exchange)
        told = list(map(list, inputs)), list(map(list, known))
        return EncodedSentences(words, np.array(flat, np.int64), *told, exchange)

    def collate(self, encoded: EncodedSentences, index: Index) -> Batch:
        """Features of words [B T F]; the spelling of the batch's different words [U C]; ids of tags [B T]."""
        places = encoded.words.places.take(index)
        if encoded.exchange is not None:
            places = encoded.exchange.drawn(places, index)
        different, here = np.unique(places.ids, return_inverse=True)
        features = encoded.words.features[places.ids]
        flat = np.concatenate([features[:, :1], here.reshape(-1, 1), features[:, 1:]], 1)
        lengths = torch.from_numpy(places.lengths)
        mask = torch.arange(int(lengths.max().clamp(min=1))) < lengths[:, None]
        values = torch.zeros(*mask.shape, flat.shape[1], dtype=torch.long)
        values[mask] = torch.from_numpy(flat.astype(np.int64))
        letters = encoded.words.letters.take(different.astype(np.int64))
        spelled = torch.from_numpy(letters.padded()).long()
        if not spelled.numel():
            spelled = torch.zeros(1, 1, dtype=torch.long)
        second = Padded(spelled, torch.from_numpy(letters.lengths) if len(letters) else torch.ones(1, dtype=torch.long))
        targets = None
        if encoded.tags is not None:
            targets = torch.zeros(mask.shape, dtype=torch.long)
            targets[mask] = torch.from_numpy(encoded.tags[encoded.words.places.places(index)])
        return Batch(Padded(values, lengths), targets, torch.from_numpy(index), second=second)

    def build(self) -> nn.Module:
        """Word vectors, letters, encoder, and the scores of the tags."""
        allowed = Allowed(*map(torch.from_numpy, spans.allowed(self.tags, self.inside)))
        return Tagger(
            self.recipe.model,
            self.encoder.sizes,
            len(self.encoder.alphabet),
            len(self.tags),
            frequencies=torch.from_numpy(self.encoder.frequencies),
            allowed=allowed,
        )

    def outputs(self, model: nn.Module, batch: Batch, done: float = 1.0) -> Tensor:
        """For each sentence [B 5]: what is learned from, nats, words rightly tagged, words, words the loss is of (none
        where the sentence has a tag that training never saw)."""
        assert batch.second is not None
        assert isinstance(model, Tagger)
        if batch.targets is None:
            return torch.full((len(batch.index), 5), np.nan)
        read = model.read(batch.inputs, batch.second)
        scores = model.score(read)
        with torch.no_grad():
            right = ((model.best(scores) == batch.targets) & scores.mask).sum(1)
        sound = (batch.targets >= 0).all(1)
        nats = torch.where(sound, model.loss(scores, batch.targets.clamp(min=0)), 0.0)
        learned = nats + model.aside(read, batch.inputs) if model.training else nats
        lengths = batch.inputs.lengths
        return torch.stack([learned, nats, right.to(nats), lengths.to(nats), (lengths * sound).to(nats)], 1)

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Nats a word."""
        return Loss(outputs[:, LEARNED], int(outputs[:, COUNTED].sum()), told=outputs[:, NATS])

    def tally(self, outputs: Tensor, batch: Batch) -> dict[str, tuple[float, int]]:
        """Words rightly tagged."""
        return {"accuracy": (float(outputs[:, RIGHT].sum()), int(outputs[:, TOKENS].sum()))}

    @torch.inference_mode()
    def predict(
        self, model: nn.Module, encoded: EncodedSentences, outputs: NDArray[np.float32], watch: Watch = Watch()
    ) -> list[dict[str, Any]]:
        """A tag for each word, in the scheme of the data, and how sure it is (0 to 1)."""
        assert isinstance(model, Tagger)
        model.eval()
        device = next(model.parameters()).device
        told: list[dict[str, Any]] = [{"prediction": [], "certainty": []} for _ in range(len(encoded))]
        order = np.argsort(encoded.lengths, kind="stable")
        for start in range(0, len(order), AT_ONCE):
            index = order[start : start + AT_ONCE]
            batch = self.collate(encoded, index).to(device)
            assert batch.second is not None
            scores = model(batch.inputs, batch.second)
            best = model.best(scores)
            sure = model.probabilities(scores).gather(2, best[..., None])[..., 0]
            for row, place in enumerate(index):
                length = int(encoded.lengths[place])
                inside = [self.tags[tag] for tag in best[row, :length].tolist()]
                told[place] = {
                    "prediction": self._outside(inside),
                    "certainty": [round(one, 4) for one in sure[row, :length].tolist()],
                }
            watch.progress("tagging", start + len(index), len(order))
        return told

    def _outside(self, tags: list[str]) -> list[str]:
        """The model's tags in the scheme of the data; without a CRF some cannot stand where they do and are dropped."""
        return spans.converted(tags, self.inside, self.scheme)

    def glance(self, model: nn.Module, encoded: EncodedSentences) -> list[dict[str, Any]]:
        """The tags of every validation sentence where spans are scored; else the outputs say everything."""
        if self.scheme == "plain" or encoded.targets is None:
            return []
        told = self.predict(model, encoded, np.zeros((0, 5), np.float32))
        rows = zip(encoded.inputs, encoded.targets, told, strict=True)
        return [{"input": words, "target": tags, **one} for words, tags, one in rows]

    def score(
        self, outputs: NDArray[np.float32], encoded: EncodedSentences, answers: Sequence[Mapping[str, Any]] = ()
    ) -> Scores:
        """Accuracy by word; of the answers that are there strict spans, and accuracy on words training never saw."""
        sums = np.asarray(outputs, np.float64).sum(0)
        found = {"accuracy": float(sums[RIGHT] / max(sums[TOKENS], 1))}
        told = [one for one in answers if one.get("target") is not None]
        if not told:
            return found
        return self._spans([one["prediction"] for one in told], [one["target"] for one in told]) | found | {
            "accuracy_unseen": self._unseen(told)
        }  # fmt: skip

    def _spans(self, said: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]) -> Scores:
        if self.scheme == "plain":
            return {}
        every, each = self.span_scores(said, wanted)
        loose, _ = metrics.span_scores([_pairs(spans.lenient(one)) for one in said],
                                       [_pairs(spans.lenient(one)) for one in wanted])  # fmt: skip
        return {
            "span_f1": every.f1,
            "span_precision": every.precision,
            "span_recall": every.recall,
            "span_f1_macro": metrics.macro_span_f1(each),
            "span_f1_lenient": loose.f1,
        }

    def span_scores(
        self, said: Sequence[Sequence[str]], wanted: Sequence[Sequence[str]]
    ) -> tuple[metrics.SpanScore, dict[str, metrics.SpanScore]]:
        """Strict scores of spans: of all, and by kind. What cannot stand where it does is no span."""
        found, there = ([_pairs(spans.spans(one, self.scheme)[0]) for one in some] for some in (said, wanted))
        return metrics.span_scores(found, there)

    def _unseen(self, answers: Sequence[Mapping[str, Any]]) -> float:
        """Accuracy on words that training never saw; NaN where there is none."""
        hits = [
            said == truth
            for one in answers
            for word, said, truth in zip(one["input"], one["prediction"], one["target"], strict=True)
            if not self.encoder.seen(word)
        ]
        return float(np.mean(hits)) if hits else float("nan")

    def details(self, model: nn.Module, outputs: NDArray[np.float32], encoded: EncodedSentences) -> dict[str, Any]:
        """The number of words."""
        return {"words": int(encoded.lengths.sum()), "scheme": self.scheme}

    def signatures(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """How spans are counted."""
        if self.scheme == "plain":
            return {}
        return {
            "span_f1": f"strict, micro, scheme {self.scheme.upper()}: a span counts where words and kind are right",
            "span_f1_lenient": "as conlleval counts: what follows something else begins a span",
        }

    def baseline(self, train: Part, test: Part, watch: Watch = Watch()) -> dict[str, Scores]:
        """Each word's most frequent tag; a linear classifier over words, endings and neighbours."""
        key = cache.key("tag baselines", train.fingerprint, test.fingerprint, self.scheme)

        def fit() -> dict[str, Scores]:
            watch.say(f"Fitting the linear baseline on {sum(map(len, train.inputs)):,} words")
            methods = {"most frequent tag": baselines.most_frequent_tags, "linear classifier": baselines.linear_tags}
            return {
                name: self._rated(method(train.inputs, train.targets, test.inputs), test)
                for name, method in methods.items()
            }

        return cache.value("baseline", key, fit, watch.say)

    def _rated(self, said: Sequence[Sequence[str]], test: Part) -> Scores:
        """Scores of taggings; what cannot stand where it does is mended, as a CRF would never say it."""
        mended = said if self.scheme == "plain" else [spans.repaired(one, self.scheme) for one in said]
        rows = [
            {"input": words, "target": truth, "prediction": own}
            for words, truth, own in zip(test.inputs, test.targets, mended, strict=True)
        ]
        right = [one == truth for row in rows for one, truth in zip(row["prediction"], row["target"], strict=True)]
        found = {"accuracy": float(np.mean(right)), "accuracy_unseen": self._unseen(rows)}
        return {**self._spans(mended, test.targets), **found}

    def journey(self, example: Example) -> list[tuple[str, str]]:
        """Words → what is known of them → tensor."""
        encoded = self.encode([example], "the example")
        words = encoded.words
        word = encoded.inputs[0][0] if encoded.inputs[0] else ""
        ids = words.features[words.places.row(0)]
        tagged = " ".join(f"{one}/{tag}" for one, tag in zip(example.inputs, example.target or [], strict=False))
        known = f"word, shape and endings {ids[0].tolist()}, letters {words.letters.row(0).tolist()}"
        return [
            ("words", _shorten(tagged)),
            ("ids", _shorten(" ".join(map(str, ids[:, 0].tolist())))),
            ("first word", f"{word}: {known}"),
            ("tensor", f"[1, {len(ids)}, {ids.shape[1] + 1}]: sentences × words × numbers of a word"),
        ]


def _pairs(found: Sequence[spans.Span]) -> list[tuple[tuple[int, int], str]]:
    return [((one.start, one.stop), one.kind) for one in found]


def _shorten(text: str, most: int = 160) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
