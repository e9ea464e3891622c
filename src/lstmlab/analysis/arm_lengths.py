"""Accuracy of each arm of a study by the length of the text, and whether one arm's lead grows with it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstmlab.analysis.contenders import Contender, Contest
from lstmlab.analysis.duels import summed
from lstmlab.analysis.outcomes import Outcomes, words_of
from lstmlab.metrics.significance import Estimate

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
    """Arm → accuracy in each group with its interval over examples."""
    group: NDArray[np.int64]
    """[N] which group each example is in."""

    @classmethod
    def of(cls, contest: Contest, most: int = 5) -> "Lengths | None":
        """Groups of about equal number. None where accuracy is not what is scored, texts are no texts, or few."""
        rows = contest.first.predictions
        told = np.array([words_of(row["input"]) for row in rows], np.int64)
        wanted = min(most, len(rows) // LEAST)
        if contest.kind.name not in ("accuracy", "span_f1") or wanted < 2 or not told.any() or not contest.seeds:
            return None
        inner = np.unique(np.quantile(told, np.arange(1, wanted) / wanted, method="nearest"))
        place = np.searchsorted(inner, told, side="left")
        kept = np.unique(place)
        if len(kept) < 2:
            return None
        group = np.searchsorted(kept, place)
        names = [_words(told[group == at]) for at in range(len(kept))]
        sums = {one.name: summed(one, contest) for one in contest.contenders}
        if any(found is None for found in sums.values()):
            return None
        by_arm = {name: [_accuracy(found, group == at) for at in range(len(kept))] for name, found in sums.items() if
                  found is not None}  # fmt: skip
        things = "pairs" if contest.first.recipe["task"] == "pairs" else "texts"
        return cls(names, things, by_arm, group)


def _words(told: NDArray[np.int64]) -> str:
    least, most = int(told.min()), int(told.max())
    return f"{least:,} to {most:,}" if most > least else f"{least:,}"


def _accuracy(found: Outcomes, here: NDArray[np.bool_]) -> Estimate:
    """A group's score, its interval over which examples were drawn (seeds added up)."""
    top, bottom = found.top[here], found.bottom[here]
    times = np.random.default_rng(0).multinomial(len(top), np.full(len(top), 1 / len(top)), SAMPLES)
    drawn = (times @ top) / np.maximum(times @ bottom, 1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(float(top.sum() / max(bottom.sum(), 1)), float(low), float(high), len(top))


def growth(contest: Contest, found: Lengths, better: Contender, worse: Contender) -> Estimate | None:
    """By how much the lead of one arm over another is greater in the longest group than in the shortest; its interval
    over examples (bootstrap)."""
    one, other = summed(better, contest), summed(worse, contest)
    if one is None or other is None:
        return None
    random = np.random.default_rng(0)
    drawn, whole = [np.zeros(SAMPLES), np.zeros(SAMPLES)], [0.0, 0.0]
    for end, at in enumerate((0, len(found.bins) - 1)):
        here = found.group == at
        rows = int(here.sum())
        times = random.multinomial(rows, np.full(rows, 1 / rows), SAMPLES)
        for sign, arm in ((1, one), (-1, other)):
            drawn[end] += sign * (times @ arm.top[here]) / np.maximum(times @ arm.bottom[here], 1)
            whole[end] += sign * float(arm.top[here].sum() / max(arm.bottom[here].sum(), 1))
    low, high = np.quantile(drawn[1] - drawn[0], [0.025, 0.975])
    return Estimate(whole[1] - whole[0], float(low), float(high), len(found.group))
