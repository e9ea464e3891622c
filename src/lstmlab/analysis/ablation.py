"""What each crossed setting does, averaged over the others; and the smallest arm that is about as good as the best."""

import math
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from lstmlab.analysis.contenders import Contender, Contest, values
from lstmlab.analysis.duels import interval, points, shown_mean
from lstmlab.metrics import format_score
from lstmlab.metrics.significance import Estimate, mean_interval, smallest_within
from lstmlab.report import Section, Table, excerpt
from lstmlab.report.text import Value
from lstmlab.training.study import json_word


@dataclass(frozen=True)
class Level:
    """One value of a setting, over all arms that have it."""

    factor: str
    value: Any
    arms: int
    mean: Estimate
    """Of the score, over seeds."""
    gain: Estimate | None
    """Against the setting's first value, arms paired that are equal in all else; None for the first value itself."""


def levels(contest: Contest) -> list[Level]:
    """Every value of every crossed setting; none where fewer than two were crossed or no seed is complete."""
    crossed = [one for one in contest.contenders if one.arm.factors]
    factors = list(dict.fromkeys(key for one in crossed for key in one.arm.factors))
    if len(factors) < 2 or not contest.seeds:
        return []
    return [level for factor in factors for level in _levels(contest, crossed, factor)]


def _levels(contest: Contest, arms: list[Contender], factor: str) -> list[Level]:
    known = list({json_word(one.arm.factors[factor]): one.arm.factors[factor] for one in arms}.values())
    if len(known) < 2:
        return []
    found = []
    for value in known:
        here = [one for one in arms if one.arm.factors[factor] == value]
        scores = np.stack([values(one, contest.seeds) for one in here]).mean(0)
        gains = [
            contest.sign * (values(one, contest.seeds) - values(other, contest.seeds))
            for one in here
            for other in arms
            if other.arm.factors[factor] == known[0] and _alike(one, other, factor)
        ]
        gain = mean_interval(np.stack(gains).mean(0)) if gains and value != known[0] else None
        found.append(Level(factor, value, len(here), mean_interval(scores), gain))
    return found


def _alike(one: Contender, other: Contender, factor: str) -> bool:
    """Whether two arms differ in this setting at most."""
    return all(one.arm.factors.get(key) == value for key, value in other.arm.factors.items() if key != factor)


def section(contest: Contest) -> list[Section]:
    """The ablation table, where several settings were crossed."""
    found = levels(contest)
    if not found:
        return []
    rows: list[list[Value]] = [
        [
            excerpt(one.factor, 40),
            excerpt(json_word(one.value), 30),
            one.arms,
            shown_mean(contest.kind, one.mean),
            None if one.gain is None else points(contest.kind, one.gain.mean),
            None if one.gain is None else interval(contest.kind, one.gain).strip() or None,
        ]
        for one in found
    ]
    note = (
        "Each row averages over all arms with that value; the gain compares arms that are equal in everything else "
        "with the setting's first value, positive where it is better. Intervals are over seeds; how settings act "
        "together is not in this table."
    )
    head = contest.kind.heading
    table = Table("Effect of each setting.", ["Setting", "Value", "Arms", head, "Gain", "95 % interval"], rows, note)
    return [Section("Effect of each setting", _claim(contest, found), "", [table])]


def _claim(contest: Contest, found: list[Level]) -> str:
    """Which setting makes a difference."""
    told = []
    for factor, group in groupby(found, key=lambda one: one.factor):
        gains = [one for one in group if one.gain is not None]
        best = max(gains, key=lambda one: abs(one.gain.mean) if one.gain else 0.0)
        assert best.gain is not None
        if math.isnan(best.gain.low):
            told.append((abs(best.gain.mean), f"{factor} {_signed(contest, best.gain.mean)}"))
        elif best.gain.certain:
            told.append((abs(best.gain.mean), f"{factor}={json_word(best.value)} {_signed(contest, best.gain.mean)}"
                         f"{interval(contest.kind, best.gain)}"))  # fmt: skip
    if not contest.repeated:
        return "With one seed, effects are numbers without an interval: no significance is claimed."
    if not told:
        return "No setting has an effect that stands out from the luck of the seeds, averaged over the others."
    ranked = [text for _, text in sorted(told, reverse=True)]
    return f"Effects that stand out from the luck of the seeds, largest first: {'; '.join(ranked)}."


def _signed(contest: Contest, gain: float) -> str:
    return f"{'+' if gain >= 0 else '−'}{points(contest.kind, abs(gain))}"


def smallest_words(contest: Contest) -> str:
    """The smallest arm within one standard error of the best on validation, and what it scores on the test part."""
    known = [one for one in contest.contenders if len(one.valid) > 1]
    rule = "The one-standard-error rule (Breiman et al. 1984)"
    if not contest.repeated or len(known) < 2:
        return f"{rule} needs several seeds and validation scores: it cannot be applied here."
    scores = [[contest.sign * value for value in one.valid.values()] for one in known]
    found = smallest_within(scores, [one.parameters for one in known])
    if found is None:
        return f"{rule} needs several seeds: it cannot be applied here."
    at, best_at, error = found
    small, best = known[at], known[best_at]
    shown = format_score(contest.kind.name, small.mean.mean)
    if small is best:
        return (
            f"The smallest model within one standard error of the best on validation is the best itself: "
            f"{excerpt(small.name, 80)} with {small.parameters:,} parameters; on the test part it scores {shown}."
        )
    best_valid = format_score(contest.kind.name, float(np.mean(list(best.valid.values()))))
    return (
        f"The smallest model within one standard error of the best on validation ({excerpt(best.name, 80)}, "
        f"{best_valid} ± {points(contest.kind, error)}) is {excerpt(small.name, 80)} with {small.parameters:,} instead "
        f"of {best.parameters:,} parameters; on the test part it scores {shown}, the best one "
        f"{format_score(contest.kind.name, best.mean.mean)}."
    )
