"""The main score of a run beside the best of its baselines, with the noise of the test part."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lstmlab import metrics
from lstmlab.analysis.outputs import Outputs, target_tokens
from lstmlab.metrics import SCORES, format_score
from lstmlab.metrics.significance import SURE, exact_binomial, p_word
from lstmlab.report import excerpt
from lstmlab.training.run import Run, main_score

THINGS = {
    "forecasting": ("window", "windows"),
    "tagging": ("sentence", "sentences"),
    "pairs": ("pair", "pairs"),
    "language-model": ("token", "tokens"),
    "translation": ("sentence", "sentences"),
    "dialogue": ("reply", "replies"),
}
"""What a test example is called: one, and several."""


EVEN = 0.02
"""Share of a forecast's error within which two methods count as equal."""


@dataclass(frozen=True)
class Comparison:
    """The main score on the test part beside the best baseline's."""

    score: str
    value: float
    count: int
    """Test examples."""
    rival: str | None
    rival_value: float
    """NaN without a baseline."""
    thing: tuple[str, str] = ("example", "examples")
    """What a test example is called: one, and several."""
    interval: tuple[float, float] | None = None
    """The 95 % interval over which examples were drawn, of an accuracy (Wilson), of Pearson's r (Fisher) and of BLEU
    (bootstrap)."""
    alone: tuple[int, int] | None = None
    """How many test examples the model alone has right, and how many the best baseline alone; None where the run does
    not say what that baseline answered."""

    @classmethod
    def of(cls, run: Run) -> "Comparison":
        """The run's main score and the best of its baselines."""
        score = main_score(run)
        value = run.metrics["test"].get(score)
        known = {name: float(one) for name, told in baselines(run).items() if (one := told.get(score)) is not None}
        up = SCORES[score].higher_is_better
        rival = (max if up else min)(known, key=lambda name: known[name]) if known else None
        return cls(
            score,
            np.nan if value is None else float(value),
            _count(run),
            rival,
            known[rival] if rival else np.nan,
            THINGS.get(run.recipe["task"], ("example", "examples")),
            _interval(run, score, value),
            _alone(run, score),
        )

    @property
    def gain(self) -> float:
        """By how much the model is better than its best baseline; negative where it is worse."""
        return (self.value - self.rival_value) * (1 if SCORES[self.score].higher_is_better else -1)

    @property
    def noise(self) -> bool:
        """Whether chance explains the gap: by the exact test of the answers in pairs where the run has both methods';
        else whether the baseline's score lies in the interval of the model's; of an error, which has none, whether it
        is within two parts in a hundred."""
        if self.alone is not None:
            return exact_binomial(*self.alone) >= SURE
        if self.score == "mae":
            return abs(self.gain) <= EVEN * self.rival_value
        return self.interval is not None and self.interval[0] <= self.rival_value <= self.interval[1]

    @property
    def beaten(self) -> bool:
        """Whether the model beats every baseline by more than noise."""
        return self.rival is not None and self.gain > 0 and not self.noise

    @property
    def words(self) -> str:
        """The comparison in a sentence."""
        told = f"{SCORES[self.score].title} {format_score(self.score, self.value)} on {self.where}"
        if self.interval is not None:
            low, high = (SCORES[self.score].scale * end for end in self.interval)
            digits, unit = 3 if self.score == "pearson" else 1, " %" if SCORES[self.score].unit == "%" else ""
            told += f" (95 % interval {low:.{digits}f} to {high:.{digits}f}{unit})"
        if self.rival is None or np.isnan(self.value):
            return f"{told}."
        shown = f"the best baseline ({excerpt(self.rival, 60)}, {format_score(self.score, self.rival_value)})"
        small = (
            "too small a gap to count" if self.score == "mae" else f"and the gap is within the noise of {self.where}"
        )
        within = f", {small}" if self.noise else ""
        if self.gain > 0:
            return f"{told}: {self._size} better than {shown}{within}."
        if self.gain == 0:
            return f"{told}: no better than {shown}."
        return f"{told}: it does not beat {shown} but is {self._size} worse{within}."

    @property
    def paired_words(self) -> str:
        """Model and best baseline answer by answer; empty where the run does not tell both."""
        if self.alone is None or self.rival is None:
            return ""
        mine, theirs = self.alone
        return (
            f"Answer by answer: of {self.where} the model alone has {mine:,} right and the best baseline alone "
            f"{theirs:,} (McNemar's test, exact: {p_word(exact_binomial(mine, theirs))})."
        )

    @property
    def where(self) -> str:
        """The examples scored: "400 test examples"."""
        return f"{self.count:,} test {self.thing[self.count != 1]}"

    @property
    def _size(self) -> str:
        if SCORES[self.score].unit == "%" or self.score == "bleu":
            return f"{SCORES[self.score].scale * abs(self.gain):.1f} points"
        large, small = max(self.value, self.rival_value), min(self.value, self.rival_value)
        times = large / small if small > 0 else np.inf
        return (
            f"{times:.{int(times < 100)}f} times"
            if 1.5 <= times < 1e6
            else f"{format_score(self.score, abs(self.gain))}"
        )


def _count(run: Run) -> int:
    """Test examples; of series windows, of running text tokens."""
    details = run.metrics.get("details", {})
    return int(next((details[name] for name in ("windows", "tokens") if name in details), len(run.predictions)))


def score_name(score: str) -> str:
    """A score's title in a sentence: BLEU, chrF and sMAPE keep their case."""
    title = SCORES[score].title
    return title if any(letter.isupper() for letter in title[1:]) else title.lower()


def baselines(run: Run) -> Mapping[str, Mapping[str, float | None]]:
    """Scores of the baselines. Where the main score is a perplexity and none of them gives probabilities, the blind
    guess stands in, which holds all tokens for equally likely."""
    known = run.metrics.get("baseline", {})
    score = main_score(run)
    tokens = target_tokens(run)
    if score != "perplexity" or not tokens or any(told.get(score) is not None for told in known.values()):
        return known
    return {**known, f"a blind guess among {tokens:,} tokens": {score: float(tokens)}}


def _alone(run: Run, score: str) -> tuple[int, int] | None:
    """What each of model and best baseline alone has right."""
    rows = run.predictions
    if score != "accuracy" or not rows or any(row.get("baseline") is None for row in rows):
        return None
    right = [(row["prediction"] == row["target"], row["baseline"] == row["target"]) for row in rows]
    return right.count((True, False)), right.count((False, True))


def _interval(run: Run, score: str, value: float | None) -> tuple[float, float] | None:
    if value is None or np.isnan(value) or not run.predictions:
        return None
    if score == "accuracy":
        # A tagger's is of words.
        count = run.metrics.get("details", {}).get("words", len(run.predictions))
        return metrics.interval(float(value), int(count))
    if score == "pearson":
        return metrics.pearson_interval(float(value), len(run.predictions))
    return Outputs.of(run).scores.intervals["bleu"] if score == "bleu" else None
