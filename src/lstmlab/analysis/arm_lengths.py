"""Score of each arm of a study by the length of the text, and whether one arm's lead grows with it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstmlab.analysis.contenders import Contender
from lstmlab.analysis.contest import Contest
from lstmlab.analysis.outcomes import Outcomes, words_of
from lstmlab.metrics.significance import Estimate, mean_interval

LEAST = 30
"""Fewer examples say nothing about a length."""
SAMPLES = 1000


@dataclass(frozen=True)
class Lengths:
    """Test examples in groups of like length, shortest first."""

    bins: list[str]
    """The lengths of each, in words."""
    things: str
    by_arm: Mapping[str, list[Estimate]]
    """Arm → score in each group with its interval over examples."""
    group: NDArray[np.int64]
    """[N] which group each example is in."""

    @classmethod
    def of(cls, contest: Contest, most: int = 5) -> "Lengths | None":
        """Groups of about equal number. None where neither accuracy nor F1 is scored, texts are no texts, or few."""
        rows = contest.first.predictions
        told = np.array([words_of(row["input"]) for row in rows], np.int64)
        wanted = min(most, len(rows) // LEAST)
        if contest.kind.name not in ("accuracy", "span_f1") or wanted < 2 or not told.any():
            return None
        inner = np.unique(np.quantile(told, np.arange(1, wanted) / wanted, method="nearest"))
        place = np.searchsorted(inner, told, side="left")
        kept = np.unique(place)
        if len(kept) < 2:
            return None
        group = np.searchsorted(kept, place)
        names = [_words(told[group == at]) for at in range(len(kept))]
        sums = {one.name: one.summed(list(one.test)) for one in contest.contenders}
        by_arm = {name: [_share(told, group == at) for at in range(len(kept))] for name, told in sums.items() if told}
        if len(by_arm) < len(sums):
            return None
        things = "pairs" if contest.first.recipe["task"] == "pairs" else "texts"
        return cls(names, things, by_arm, group)


def _words(told: NDArray[np.int64]) -> str:
    least, most = int(told.min()), int(told.max())
    return f"{least:,} to {most:,}" if most > least else f"{least:,}"


def _share(found: Outcomes, here: NDArray[np.bool_]) -> Estimate:
    """A group's score, its interval over which examples were drawn (seeds added up)."""
    low, high = np.quantile(_resampled(found, here), [0.025, 0.975])
    return Estimate(found.at(here).score, float(low), float(high), int(here.sum()))


def _resampled(found: Outcomes, here: NDArray[np.bool_], seed: int = 0) -> NDArray[np.float64]:
    """A group's score on resamples of its examples, the same ones for every arm (bootstrap, Efron 1979)."""
    rows = int(here.sum())
    times = np.random.default_rng(seed).multinomial(rows, np.full(rows, 1 / rows), SAMPLES)
    return (times @ found.top[here]) / np.maximum(times @ found.bottom[here], 1)


def growth(found: Lengths, better: Contender, worse: Contender) -> tuple[Estimate, Estimate] | None:
    """By how much the lead of one arm over another is greater in the longest group than in the shortest: with its
    interval over examples (bootstrap) and over seeds (Student). None without two seeds that both have."""
    seeds = [seed for seed in better.test if seed in worse.test]
    one, other = better.summed(seeds), worse.summed(seeds)
    if len(seeds) < 2 or one is None or other is None:
        return None
    short, long = found.group == 0, found.group == len(found.bins) - 1

    def more(first: Outcomes, second: Outcomes) -> float:
        ends = [first.at(here).score - second.at(here).score for here in (short, long)]
        return ends[1] - ends[0]

    ends = [_resampled(one, here, seed) - _resampled(other, here, seed) for seed, here in enumerate((short, long))]
    low, high = np.quantile(ends[1] - ends[0], [0.025, 0.975])
    pairs = [(better.outcomes[seed], worse.outcomes[seed]) for seed in seeds]
    return (
        Estimate(more(one, other), float(low), float(high), len(found.group)),
        mean_interval([more(mine, theirs) for mine, theirs in pairs if mine and theirs]),
    )
