"""Two arms at a time: by how much one is better, how sure that is over seeds and over test examples, in a sentence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from lstmlab.analysis.contenders import Contender, Contest, values
from lstmlab.analysis.outcomes import Outcomes, outcomes
from lstmlab.metrics import Score, format_score
from lstmlab.metrics.significance import Effect, Estimate, effect_size, holm, paired_t, swap_test
from lstmlab.report import excerpt

SURE = 0.05
"""A smaller p, corrected for the number of tests, counts as proof."""
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
            return f"{one} {shown[0]}, {other} {shown[1]}, with one seed each: no significance is claimed."
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


def duels(contest: Contest) -> list[Duel]:
    """Every pair of arms, or each beside the one validation prefers where there are many; tests corrected together."""
    arms = contest.contenders
    pairs = list(combinations(arms, 2))
    if len(arms) > MOST_ARMS:
        best = contest.chosen
        pairs = [(best, one) for one in arms if one is not best]
    sums = {one.name: summed(one, contest) for one in arms} if contest.repeated else {}
    found = [_duel(contest, *pair, sums) for pair in pairs]
    over_seeds, over_examples = holm([one.raw for one in found]), holm([one.examples for one in found])
    return [
        replace(one, p=p, examples=of_examples)
        for one, p, of_examples in zip(found, over_seeds, over_examples, strict=True)
    ]


def _duel(contest: Contest, first: Contender, second: Contender, sums: dict[str, Outcomes | None]) -> Duel:
    seeds = [seed for seed in contest.study.plan.seeds if seed in first.test and seed in second.test]
    if not seeds:  # nothing to pair: the means alone
        better, worse = _ordered(contest, first, second)
        apart = contest.sign * (better.mean.mean - worse.mean.mean)
        nothing = Effect(math.nan, math.nan, math.nan)
        return Duel(better, worse, contest.kind, 0, Estimate(apart, math.nan, math.nan, 0), math.nan, math.nan,
                    nothing, math.nan)  # fmt: skip
    one, other = (contest.sign * values(arm, seeds) for arm in (first, second))
    better, worse = (first, second) if one.mean() >= other.mean() else (second, first)
    if better is second:
        one, other = other, one
    tested, mine, theirs = paired_t(one, other), sums.get(better.name), sums.get(worse.name)
    examples = math.nan
    if mine is not None and theirs is not None and len(seeds) > 1:
        examples = swap_test(mine.top, theirs.top, mine.bottom, theirs.bottom)
    return Duel(
        better, worse, contest.kind, len(seeds), tested.difference, tested.p, tested.p,
        effect_size(one, other), examples,
    )  # fmt: skip


def _ordered(contest: Contest, first: Contender, second: Contender) -> tuple[Contender, Contender]:
    ahead = contest.sign * (first.mean.mean - second.mean.mean) >= 0
    return (first, second) if ahead else (second, first)


def summed(one: Contender, contest: Contest) -> Outcomes | None:
    """An arm's outcomes of each test example, its seeds added up."""
    found = [outcomes(one.runs[seed], contest.kind.name) for seed in contest.seeds]
    known = [told for told in found if told is not None]
    if len(known) < len(found) or not known:
        return None
    whole = known[0]
    for told in known[1:]:
        whole = whole + told
    return whole


# ---- Numbers in words


def points(kind: Score, lead: float) -> str:
    """A difference of scores: "3.1 points" of per cents, else the number."""
    if kind.unit == "%":
        return f"{100 * lead:.1f} points"
    return f"{kind.scale * lead:.{2 if kind.decimals == 2 else 4}f}"


def interval(kind: Score, found: Estimate) -> str:
    """[1.9, 4.3]; nothing where there is none."""
    if math.isnan(found.low):
        return ""
    digits = 1 if kind.unit == "%" else 2 if kind.decimals == 2 else 4
    return f" [{kind.scale * found.low:.{digits}f}, {kind.scale * found.high:.{digits}f}]"


def p_word(p: float) -> str:
    """A probability as it is written in a sentence: "p = 0.02", "p < 0.001"."""
    if math.isnan(p):
        return "p not known"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.995 else "p = 1"


def p_cell(p: float) -> str | None:
    """The same in a table."""
    return None if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def shown_mean(kind: Score, found: Estimate) -> str:
    """A mean with half its interval: "78.3 ± 0.6"; of a single run the number."""
    digits = 1 if kind.unit == "%" else 2 if kind.decimals == 2 else 4
    half = "" if math.isnan(found.low) else f" ± {kind.scale * found.half:.{digits}f}"
    return f"{kind.scale * found.mean:.{digits}f}{half}"


def spread(scores: Sequence[float]) -> float:
    """Standard deviation of several values."""
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else math.nan
