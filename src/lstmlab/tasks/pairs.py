"""Two texts to what they are to each other: a label (does one follow from the other), or a score (how related)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lstmlab import baselines, metrics
from lstmlab.data import cache, matching
from lstmlab.data.corpus import Dataset, Index, Part
from lstmlab.data.grades import Grades
from lstmlab.data.labels import LabelSet
from lstmlab.data.load import Watch
from lstmlab.data.matching import FLAGS, MatchSettings, TextPairs
from lstmlab.data.text import TextEncoder, TextSettings
from lstmlab.data.text_pairs import TextPairData, load_text_pairs
from lstmlab.data.tokens import Tokens
from lstmlab.errors import InputError, unknown
from lstmlab.nn.matcher import Matcher, MatcherSettings, turned
from lstmlab.tasks.task import Recipe, Scores, known_targets
from lstmlab.types import Batch, Example, Loss, Padded


class PairsRecipe(Recipe):
    """Settings of a model of pairs of texts."""

    data: TextPairData = TextPairData()
    text: TextSettings = TextSettings()
    matching: MatchSettings = MatchSettings()
    model: MatcherSettings = MatcherSettings()

    def idle(self) -> dict[str, str]:
        """Without marks every token stands alone."""
        if not self.matching.same:
            alone = "matching.same is false, so no token is known to stand in both texts"
            return super().idle() | {"model.alone": alone}
        return super().idle()


@dataclass(frozen=True)
class EncodedPairs:
    """N pairs as numbers, and what is said of them: ids of labels, or scores; None where it is not known."""

    texts: TextPairs
    targets: NDArray[np.int64] | NDArray[np.float64] | None

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of the longer text of each pair."""
        return self.texts.lengths

    @property
    def known(self) -> NDArray[Any]:
        """The targets. Raises ValueError where there are none."""
        if self.targets is None:
            raise ValueError("these pairs have no targets")
        return self.targets

    def __len__(self) -> int:
        return len(self.texts)


class SentencePairs:
    """Row D3: entailment, paraphrase, relatedness."""

    name: ClassVar[str] = "pairs"
    Recipe: ClassVar[type[Recipe]] = PairsRecipe
    main_scores: ClassVar[tuple[str, ...]] = ("accuracy", "pearson")

    def __init__(self, recipe: PairsRecipe, encoder: TextEncoder, kinds: LabelSet | Grades) -> None:
        self.recipe = recipe
        self.encoder = encoder
        self.kinds = kinds
        """The labels; of scores the grades they are spread over."""

    @classmethod
    def load(cls, recipe: PairsRecipe, watch: Watch) -> Dataset:
        """The parts of the data the recipe names."""
        return load_text_pairs(recipe.data, recipe.parts_seed, watch)

    @classmethod
    def prepare(cls, recipe: PairsRecipe, data: Dataset, watch: Watch = Watch()) -> "SentencePairs":
        """Vocabulary, and labels or grades, from the training part alone."""
        if recipe.data.graded and not isinstance(recipe.data.symmetric, bool):
            raise InputError("data.symmetric names labels, and with data.graded there are scores: give true or false")
        kinds: LabelSet | Grades = (Grades if recipe.data.graded else LabelSet).fit(data.train.targets)
        if isinstance(kinds, LabelSet):
            for label in () if isinstance(recipe.data.symmetric, bool) else recipe.data.symmetric:
                if label not in kinds.names:
                    raise unknown("label", label, kinds.names, hint="It stands in data.symmetric.")
            for name, part in data.parts.items():
                kinds.encode(part.targets, name)  # a label that training never saw is told now, not after hours
        elif recipe.training.best == "score":  # type: ignore[attr-defined]
            _refuse_constant(data.valid)
        watch.say(f"Counting the words of {len(data.train):,} training pairs")
        return cls(recipe, TextEncoder.fit(recipe.text, [side for pair in data.train.inputs for side in pair]), kinds)

    @classmethod
    def restore(cls, recipe: PairsRecipe, saved: Mapping[str, Any]) -> "SentencePairs":
        """The task that `saved` was written from."""
        kinds = Grades.from_json(saved["grades"]) if "grades" in saved else LabelSet.from_json(saved["labels"])
        return cls(recipe, TextEncoder.from_json(saved["encoder"]), kinds)

    def saved(self) -> dict[str, Any]:
        """Vocabulary, and labels or grades."""
        kind = "grades" if isinstance(self.kinds, Grades) else "labels"
        return {"task": self.name, "encoder": self.encoder.to_json(), kind: self.kinds.to_json()}

    def encode(self, examples: Part | Sequence[Example], where: str) -> EncodedPairs:
        """Tokens, flags and targets. Raises InputError for a pair with an empty side."""
        texts = matching.encode(self.encoder, self.recipe.matching, [example.inputs for example in examples], where)
        known = known_targets(examples, where)
        if known is None:
            return EncodedPairs(texts, None)
        if isinstance(self.kinds, Grades):
            return EncodedPairs(texts, np.array(known, np.float64))
        return EncodedPairs(texts, self.kinds.encode(known, where))

    def collate(self, encoded: EncodedPairs, index: Index) -> Batch:
        """Ids and flags of both texts, [B T 1+C] and [B S 1+C]; ids of labels [B], or shares of grades [B K]."""
        texts = encoded.texts
        first, second = (
            _padded(tokens, flags, index)
            for tokens, flags in zip((texts.first, texts.second), texts.flags, strict=True)
        )
        targets = None
        if encoded.targets is not None:
            chosen: NDArray[Any] = encoded.targets[index]
            if isinstance(self.kinds, Grades):
                chosen = self.kinds.spread(chosen).astype(np.float32)
            targets = torch.from_numpy(chosen)
        return Batch(first, targets, torch.from_numpy(index), second=second)

    def build(self) -> nn.Module:
        """One encoder for both texts, attention between them, and the scores of the labels or grades."""
        return Matcher(self.recipe.model, self.encoder.size, FLAGS, len(self.kinds))

    def outputs(self, model: nn.Module, batch: Batch, done: float = 1.0) -> Tensor:
        """Logits [B K]. In training pairs whose target holds the other way round are read so, every other time."""
        assert batch.second is not None
        if not model.training or not self.recipe.data.symmetric:
            return model(batch.inputs, batch.second)
        drawn = torch.rand(len(batch.index)) < 0.5
        return model(*turned(batch.inputs, batch.second, drawn.to(batch.index.device) & self._either_way(batch.wanted)))

    def _either_way(self, wanted: Tensor) -> Tensor:
        """Which targets hold the other way round as well [B]."""
        symmetric = self.recipe.data.symmetric
        if isinstance(symmetric, bool) or isinstance(self.kinds, Grades):
            return torch.ones(len(wanted), dtype=torch.bool, device=wanted.device)
        ids = torch.tensor(self.kinds.encode(symmetric, "setting data.symmetric"), device=wanted.device)
        return torch.isin(wanted, ids)

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Nats: cross-entropy of the label; of a score, the divergence from its shares of grades (Tai et al. 2015)."""
        wanted = batch.wanted
        if isinstance(self.kinds, Grades):
            rows = (torch.xlogy(wanted, wanted) - wanted * outputs.log_softmax(1)).sum(1)
        else:
            rows = functional.cross_entropy(outputs, wanted, reduction="none")
        return Loss(rows, len(rows))

    def tally(self, outputs: Tensor, batch: Batch) -> dict[str, tuple[float, int]]:
        """Right answers of one batch; squared errors of scores."""
        wanted = batch.wanted
        if isinstance(self.kinds, Grades):
            points = torch.tensor(self.kinds.points, device=outputs.device)
            gaps = (outputs.softmax(1) - wanted) @ points
            return {"mse": (float(gaps.square().sum()), len(gaps))}
        return {"accuracy": (float((outputs.argmax(1) == wanted).sum()), len(wanted))}

    def probabilities(self, outputs: NDArray[np.float32]) -> NDArray[np.float64]:
        """Outputs [N K] as probabilities, in double precision so that they sum to one."""
        return torch.from_numpy(np.asarray(outputs)).double().softmax(1).numpy()

    def predict(
        self, model: nn.Module, encoded: EncodedPairs, outputs: NDArray[np.float32], watch: Watch = Watch()
    ) -> list[dict[str, Any]]:
        """The likeliest label and all probabilities; or the mean of the grades by their probabilities."""
        probabilities = self.probabilities(outputs)
        if isinstance(self.kinds, Grades):
            return [{"prediction": float(score)} for score in self.kinds.mean(probabilities)]
        names = self.kinds.names
        return [
            {"prediction": names[int(row.argmax())], "probabilities": dict(zip(names, map(float, row), strict=True))}
            for row in probabilities
        ]

    def glance(self, model: nn.Module, encoded: EncodedPairs) -> list[dict[str, Any]]:
        """Nothing: the outputs say everything."""
        return []

    def score(
        self, outputs: NDArray[np.float32], encoded: EncodedPairs, answers: Sequence[Mapping[str, Any]] = ()
    ) -> Scores:
        """Accuracy, macro-F1 and calibration error; of scores both correlations and the squared error."""
        probabilities = self.probabilities(outputs)
        if isinstance(self.kinds, Grades):
            return _graded(encoded.known, self.kinds.mean(probabilities))
        error = metrics.calibration_error(probabilities, encoded.known)
        return {**_labelled(encoded.known, probabilities.argmax(1)), "calibration_error": error}

    def details(self, model: nn.Module, outputs: NDArray[np.float32], encoded: EncodedPairs) -> dict[str, Any]:
        """Nothing: the answers say it all."""
        return {}

    def signatures(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """None: the names of these scores say how they are computed."""
        return {}

    def baseline(self, train: Part, test: Part, watch: Watch = Watch()) -> dict[str, Scores]:
        """The commonest answer, shared words alone, a linear model of both texts, and one of the second alone."""
        key = cache.key("pair baselines", train.fingerprint, test.fingerprint)

        def fit() -> dict[str, Scores]:
            watch.say(f"Fitting the linear baselines on {len(train):,} pairs")
            return self._of_scores(train, test) if isinstance(self.kinds, Grades) else self._of_labels(train, test)

        return cache.value("scores", key, fit, watch.say)

    def _of_labels(self, train: Part, test: Part) -> dict[str, Scores]:
        assert isinstance(self.kinds, LabelSet)
        known, wanted = self.kinds.encode(train.targets, "train"), self.kinds.encode(test.targets, "test")
        pairs, asked = train.inputs, test.inputs
        second = [[pair[1] for pair in some] for some in (pairs, asked)]
        guesses = {
            "majority class": baselines.majority(known, len(asked)),
            "word overlap": baselines.overlap_labels(pairs, known, asked),
            "TF-IDF of both texts + logistic regression": baselines.linear_labels(pairs, known, asked),
            "second text alone": baselines.linear_text(second[0], known, second[1])[0],
        }
        return {name: _labelled(wanted, guess) for name, guess in guesses.items()}

    def _of_scores(self, train: Part, test: Part) -> dict[str, Scores]:
        known, wanted = np.array(train.targets, np.float64), np.array(test.targets, np.float64)
        guesses = {
            "mean": np.full(len(wanted), known.mean()),
            "word overlap": baselines.overlap_scores(train.inputs, known, test.inputs),
            "TF-IDF of both texts + ridge regression": baselines.linear_scores(train.inputs, known, test.inputs),
        }
        rated = {name: _graded(wanted, guess) for name, guess in guesses.items()}
        # What always says the same has no correlation.
        return {
            name: {one: value for one, value in told.items() if not np.isnan(value)} for name, told in rated.items()
        }

    def journey(self, example: Example) -> list[tuple[str, str]]:
        """Two texts → tokens, those with their like in the other text marked → ids → tensors."""
        texts = matching.encode(self.encoder, self.recipe.matching, [example.inputs], "the example")
        pieces = self.encoder.pieces_of(list(example.inputs))
        marked = [
            " | ".join(piece + "*" * bool(flag.any()) for piece, flag in zip(own, flags, strict=True))
            for own, flags in zip(pieces, texts.flags, strict=True)
        ]
        shapes = [f"[1×{len(own)}×{1 + FLAGS}]" for own in pieces]
        label = f" → {self.kinds.names.index(example.target)}" if isinstance(self.kinds, LabelSet) else ""
        return [
            ("first", _shorten(marked[0])),
            ("second", _shorten(marked[1])),
            ("marks", "* the other text has this word, or one that begins alike"),
            ("ids", _shorten(" ".join(map(str, texts.first.row(0).tolist())))),
            ("tensors", f"{' and '.join(shapes)}, padded with 0 to the longest text of the batch"),
            ("label", f"{example.target}{label}"),
        ]


def _padded(tokens: Tokens, flags: Int[np.ndarray, "total C"], index: Index) -> Padded:
    """Ids with their flags [B T 1+C]; at least one step, so that a text without tokens is still a row."""
    chosen = tokens.take(index)
    values = torch.zeros(len(chosen), max(int(chosen.lengths.max(initial=0)), 1), 1 + FLAGS, dtype=torch.long)
    padded = Padded(values, torch.from_numpy(chosen.lengths))
    told = np.concatenate([chosen.ids[:, None], flags[tokens.places(index)]], 1).astype(np.int64)
    values[padded.mask] = torch.from_numpy(told)
    return padded


def _refuse_constant(valid: Part | None) -> None:
    """Raises InputError for validation scores that nothing can correlate with."""
    known = [] if valid is None else valid.targets
    if len(set(known)) < 2:
        found = f"{len(known):,} pairs with the score {known[0]:g}" if len(known) > 1 else f"{len(known)} pair"
        raise InputError(
            "training.best=score goes by Pearson's correlation on the validation part, which needs two different "
            f"scores there; it has {found}. Take training.best=loss, or give more validation pairs (data.valid, "
            "data.valid_fraction)"
        )


def _labelled(wanted: NDArray[np.int64], said: NDArray[np.int64]) -> Scores:
    return {"accuracy": metrics.accuracy(wanted, said), "macro_f1": metrics.macro_f1(wanted, said)}


def _graded(wanted: NDArray[np.float64], said: NDArray[np.float64]) -> Scores:
    return {
        "pearson": metrics.pearson(wanted, said),
        "spearman": metrics.spearman(wanted, said),
        "mse": metrics.mse(wanted, said),
    }


def _shorten(text: str, most: int = 160) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
