"""Two arms at a time: by how much one is better, how sure that is over seeds and over test examples, in a sentence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from lstmlab.analysis.contenders import Contender, values
from lstmlab.metrics import Score, format_score
from lstmlab.metrics.significance import SURE, Effect, Estimate, effect_size, holm, p_word, paired_t, swap_test
from lstmlab.report import excerpt

MOST_ARMS = 5
"""With more arms each is compared with the one validation prefers only: the correction for all pairs hides everything.
"""


@dataclass(frozen=True)
class Duel:
    """An arm and another; the first is the one with the better mean."""

    better: Contender
    worse: Contender
    kind: Score
    seeds: int
    lead: Estimate
    """By how much the first is better, in the score's own unit, with its interval over seeds."""
    p: float
    """Over seeds, corrected after Holm. NaN where it cannot be told."""
    raw: float
    """The same, not corrected."""
    effect: Effect
    examples: float
    """p over test examples, corrected likewise; NaN where runs do not tell."""

    @property
    def proven(self) -> bool:
        """Whether the lead holds over seeds and, where that can be asked, over examples."""
        return self.p < SURE and (math.isnan(self.examples) or self.examples < SURE)

    @property
    def words(self) -> str:
        """The verdict in a sentence."""
        one, other = excerpt(self.better.name, 60), excerpt(self.worse.name, 60)
        if self.seeds < 2:
            shown = [format_score(self.kind.name, arm.mean.mean) for arm in (self.better, self.worse)]
            few = "one seed" if self.seeds else "no seed"
            return f"{one} {shown[0]}, {other} {shown[1]}, with {few} in common: no significance is claimed."
        lead = f"{points(self.kind, self.lead.mean)}{interval(self.kind, self.lead)}"
        if self.lead.mean == 0 and self.raw == 1.0:
            return f"{one} and {other} scored the same with every seed."
        if math.isnan(self.p):
            told = "the same with every seed, so that no test over seeds can be made"
            return f"{one} is ahead of {other} by {points(self.kind, self.lead.mean)}, {told}."
        chance = f"{p_word(self.p)}{_corrected(self)} over {self.seeds} seeds"
        if self.proven:
            also = "" if math.isnan(self.examples) else f", {p_word(self.examples)} over the test examples"
            return f"{one} beats {other} by {lead}, {chance}{also}."
        if self.p < SURE:
            few = f"{p_word(self.examples)} over the test examples: another test part might say otherwise"
            return f"{one} is ahead of {other} by {lead} with these seeds ({chance}), but {few}."
        return f"{one} and {other} cannot be told apart: {lead} in favour of {one}, {chance}."


def _corrected(duel: Duel) -> str:
    return " after Holm" if duel.p != duel.raw else ""


def duels(arms: Sequence[Contender], chosen: Contender, seeds: Sequence[int], kind: Score) -> list[Duel]:
    """Every pair of arms, or each beside the one validation prefers where there are many; tests corrected together."""
    pairs = list(combinations(arms, 2))
    if len(arms) > MOST_ARMS:
        pairs = [(chosen, one) for one in arms if one is not chosen]
    found = [_duel(*pair, seeds, kind) for pair in pairs]
    over_seeds, over_examples = holm([one.raw for one in found]), holm([one.examples for one in found])
    return [
        replace(one, p=p, examples=of_examples)
        for one, p, of_examples in zip(found, over_seeds, over_examples, strict=True)
    ]


def _duel(first: Contender, second: Contender, every: Sequence[int], kind: Score) -> Duel:
    seeds = [seed for seed in every if seed in first.test and seed in second.test]
    sign = 1 if kind.higher_is_better else -1
    if not seeds:  # nothing to pair: the means alone
        apart = sign * (first.mean.mean - second.mean.mean)
        better, worse = (first, second) if apart >= 0 else (second, first)
        nothing = Effect(math.nan, math.nan, math.nan)
        return Duel(better, worse, kind, 0, Estimate(abs(apart), math.nan, math.nan, 0), math.nan, math.nan,
                    nothing, math.nan)  # fmt: skip
    one, other = (sign * values(arm, seeds) for arm in (first, second))
    better, worse = (first, second) if one.mean() >= other.mean() else (second, first)
    if better is second:
        one, other = other, one
    tested = paired_t(one, other)
    return Duel(
        better, worse, kind, len(seeds), tested.difference, tested.p, tested.p,
        effect_size(one, other), _over_examples(better, worse, seeds),
    )  # fmt: skip


def _over_examples(better: Contender, worse: Contender, seeds: Sequence[int]) -> float:
    """p of the lead over test examples. Where they are judged by something else than the score and that is in favour of
    the other arm, nothing speaks for the lead: 1."""
    if len(seeds) < 2:
        return math.nan
    mine, theirs = better.summed(seeds), worse.summed(seeds)
    if mine is None or theirs is None:
        return math.nan
    return swap_test(mine.top, theirs.top, mine.bottom, theirs.bottom) if mine.score >= theirs.score else 1.0


# ---- Numbers in words


def digits(kind: Score) -> int:
    """Digits behind the point with which scores are compared."""
    return 1 if kind.unit == "%" else kind.decimals


def points(kind: Score, lead: float) -> str:
    """A difference of scores: "3.1 points" of per cents, else the number."""
    return f"{kind.scale * lead:.{digits(kind)}f}{' points' * (kind.unit == '%')}"


def interval(kind: Score, found: Estimate) -> str:
    """[1.9, 4.3]; nothing where there is none."""
    if math.isnan(found.low):
        return ""
    low, high = (f"{kind.scale * end:.{digits(kind)}f}" for end in (found.low, found.high))
    return f" [{low}, {high}]"


def p_cell(p: float) -> str | None:
    """A probability as it stands in a table."""
    return None if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def shown_mean(kind: Score, found: Estimate) -> str:
    """A mean with half its interval: "78.3 ± 0.6"; of a single run the number."""
    half = "" if math.isnan(found.low) else f" ± {kind.scale * found.half:.{digits(kind)}f}"
    return f"{kind.scale * found.mean:.{digits(kind)}f}{half}"
