"""How good generated text is: against references, in the model's own probabilities, and in its variety.

BLEU, chrF and TER are sacreBLEU's, with its signatures, so that they compare with published ones (Post 2018). A
reference is a text, or a list of texts where several are right.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int

from lstmlab.errors import InputError, unknown
from lstmlab.metrics.checks import check_lengths, check_shapes, check_some

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

Texts = Sequence[str]
References = Sequence[str | Sequence[str]]

TOKENIZERS = {
    "13a": "the usual one for languages written with blanks and western punctuation",
    "intl": "splits at punctuation and symbols of every script: for Devanagari, Arabic and others",
    "char": "every character: for languages written without blanks",
    "zh": "Chinese characters one by one, all else as 13a",
    "none": "at blanks only: for text that is tokenized already",
}
"""How BLEU cuts a text into words: those of sacreBLEU's tokenizers that need no download."""


# ---- Against references


@dataclass(frozen=True)
class TextScores:
    """Scores of a whole part, with what makes them comparable: intervals, signatures, counts."""

    bleu: float
    """0 to 100 (Papineni et al. 2002)."""
    chrf: float
    """0 to 100: chrF2 on characters up to six (Popović 2015)."""
    ter: float | None
    """Edits per 100 reference words, above 100 where the text is far too long (Snover et al. 2006); None if not asked.
    Case never counts, as in sacreBLEU."""
    intervals: dict[str, tuple[float, float]]
    """The 95 % interval of each score over which sentences happened to be drawn; not over seeds."""
    signatures: dict[str, str]
    """What sacreBLEU wants printed beside each score."""
    count: int
    """Sentences scored."""
    samples: int
    """Resamples behind each interval."""

    @property
    def scores(self) -> dict[str, float]:
        """Values by their names in SCORES."""
        return {"bleu": self.bleu, "chrf": self.chrf} | ({} if self.ter is None else {"ter": self.ter})


def corpus_scores(
    hypotheses: Texts,
    references: References,
    *,
    lowercase: bool = False,
    tokenize: str = "13a",
    ter: bool = True,
    samples: int = 1000,
    seed: int = 0,
) -> TextScores:
    """BLEU, chrF and TER of all texts together. `tokenize` names BLEU's tokenizer (see TOKENIZERS).

    Intervals are the middle 95 % of `samples` bootstrap resamples of sentences (Koehn 2004); equal seeds and counts
    draw the same sentences. TER takes most of the time where texts and references have little in common: about a
    millisecond a sentence.
    """
    from sacrebleu.metrics import BLEU, CHRF, TER

    if tokenize not in TOKENIZERS:
        raise unknown("tokenizer for BLEU", tokenize, TOKENIZERS)
    columns = _columns(hypotheses, references)
    metrics: dict[str, Metric] = {
        # `force` only keeps sacreBLEU from logging a guess that the text was tokenized before.
        "bleu": BLEU(lowercase=lowercase, tokenize=tokenize, force=True),
        "chrf": CHRF(lowercase=lowercase),
    }
    if ter:
        metrics["ter"] = TER()
    statistics = {name: _statistics(metric, hypotheses, columns) for name, metric in metrics.items()}
    found = {name: metrics[name]._compute_score_from_stats(rows.sum(0).tolist()) for name, rows in statistics.items()}
    return TextScores(
        bleu=found["bleu"].score,
        chrf=found["chrf"].score,
        ter=found["ter"].score if ter else None,
        intervals=_intervals(metrics, statistics, samples, seed),
        signatures={name: f"{found[name].name}|{metric.get_signature()}" for name, metric in metrics.items()},
        count=len(hypotheses),
        samples=samples,
    )


def sentence_chrf(hypotheses: Texts, references: References, *, lowercase: bool = False) -> Float[np.ndarray, "N"]:
    """chrF2 of each text on its own, 0 to 100: for tables of the best and the worst."""
    from sacrebleu.metrics import CHRF

    return _sentences(CHRF(lowercase=lowercase), hypotheses, references)


def sentence_bleu(
    hypotheses: Texts, references: References, *, lowercase: bool = False, tokenize: str = "13a"
) -> Float[np.ndarray, "N"]:
    """BLEU of each text on its own, 0 to 100. Orders of n-grams that a short text does not have are left out."""
    from sacrebleu.metrics import BLEU

    if tokenize not in TOKENIZERS:
        raise unknown("tokenizer for BLEU", tokenize, TOKENIZERS)
    metric = BLEU(lowercase=lowercase, tokenize=tokenize, effective_order=True, force=True)
    return _sentences(metric, hypotheses, references)


def exact_match(hypotheses: Texts, references: References) -> float:
    """The share of texts equal to (one of) their references, 0 to 1. How much white space there is does not count."""
    columns = _columns(hypotheses, references)
    rows = zip(hypotheses, zip(*columns, strict=True), strict=True)
    right = [_plain(text) in {_plain(one) for one in wanted if one is not None} for text, wanted in rows]
    return float(np.mean(right))


def _columns(hypotheses: Texts, references: References) -> list[list[str | None]]:
    """References as sacreBLEU takes them: the first of every text, the second of every text, …; None where missing."""
    check_lengths(hypotheses=hypotheses, references=references)
    rows = [[one] if isinstance(one, str) else list(one) for one in references]
    for at, row in enumerate(rows):
        if not row:
            raise InputError(f"text {at + 1} has no reference to be scored against")
    return [list(column) for column in zip_longest(*rows)]


def _statistics(
    metric: "Metric", hypotheses: Texts, columns: Sequence[Sequence[str | None]]
) -> Float[np.ndarray, "N _"]:
    """Counts of each sentence, whose sums give the score. sacreBLEU has them behind an underscore only; asking for them
    once serves score and intervals."""
    wanted: Any = columns  # None is allowed there, whatever the annotation says
    return np.asarray(metric._extract_corpus_statistics(hypotheses, wanted), np.float64)


def _intervals(
    metrics: "dict[str, Metric]", statistics: dict[str, Float[np.ndarray, "N _"]], samples: int, seed: int
) -> dict[str, tuple[float, float]]:
    if samples < 1:
        raise ValueError(f"samples: expected 1 or more, got {samples}")
    random, count = np.random.default_rng(seed), len(next(iter(statistics.values())))
    drawn: dict[str, list[float]] = {name: [] for name in metrics}
    for _ in range(samples):
        times = np.bincount(random.integers(count, size=count), minlength=count)
        for name, rows in statistics.items():
            drawn[name].append(metrics[name]._compute_score_from_stats((times @ rows).tolist()).score)
    ends = {name: np.quantile(scores, (0.025, 0.975)) for name, scores in drawn.items()}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def _sentences(metric: Any, hypotheses: Texts, references: References) -> Float[np.ndarray, "N"]:
    rows = zip(*_columns(hypotheses, references), strict=True)
    wanted = ([one for one in row if one is not None] for row in rows)
    return np.array([metric.sentence_score(*pair).score for pair in zip(hypotheses, wanted, strict=True)], np.float64)


# ---- In the model's own probabilities


def perplexity(nats: float, tokens: int) -> float:
    """exp of the mean loss over `tokens` predicted tokens whose losses sum to `nats`; infinite where that overflows."""
    check_some(tokens)
    try:
        return math.exp(nats / tokens)
    except OverflowError:
        return math.inf


def token_accuracy(
    targets: Int[np.ndarray, "*shape"],
    predictions: Int[np.ndarray, "*shape"],
    counted: Bool[np.ndarray, "*shape"] | None = None,
) -> float:
    """The share of tokens predicted rightly, 0 to 1; `counted` is False at padding."""
    check_shapes(targets, predictions)
    right = targets == predictions
    if counted is None:
        return float(right.mean())
    check_some(int(counted.sum()))
    return float(right[counted].mean())


# ---- In its variety


def distinct(texts: Sequence[Sequence[str]], n: int) -> float:
    """Different n-grams over all n-grams of the tokenized texts, 0 to 1; 0 if there are none (Li et al. 2016, sec. 5).

    It falls as more texts are scored, so only parts of the same size compare.
    """
    if n < 1:
        raise ValueError(f"n: expected 1 or more, got {n}")
    check_some(len(texts))
    grams = [gram for tokens in texts for gram in zip(*(tokens[at:] for at in range(n)), strict=False)]
    return len(set(grams)) / len(grams) if grams else 0.0


def repeated_share(replies: Texts) -> float:
    """The share of replies that some other reply of the part equals, but for case and white space; 0 to 1."""
    check_lengths(replies=replies)
    times = Counter(_folded(replies))
    return sum(count for count in times.values() if count > 1) / len(replies)


def generic_share(inputs: Texts, replies: Texts, *, least: int = 3) -> float:
    """The share of replies given, word for word, to `least` or more different inputs of the part; 0 to 1.

    Case and white space do not count. People repeat themselves too: the share among the references is the one to
    compare with.
    """
    check_lengths(inputs=inputs, replies=replies)
    known = _folded(replies)
    different = set(zip(_folded(inputs), known, strict=True))
    served = Counter(reply for _, reply in different)
    return sum(served[reply] >= least for reply in known) / len(replies)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _folded(texts: Iterable[str]) -> list[str]:
    return [_plain(text).casefold() for text in texts]
