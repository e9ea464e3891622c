"""What each crossed setting does, averaged over the others; and the smallest arm that is about as good as the best."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstmlab.analysis.contenders import Contender, values
from lstmlab.analysis.contest import Contest
from lstmlab.analysis.duels import interval, p_cell, points, shown_mean
from lstmlab.metrics import format_score
from lstmlab.metrics.significance import SURE, Estimate, holm, mean_interval, paired_t, smallest_within
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
    p: float = math.nan
    """Of the gain, over seeds (paired t-test), corrected after Holm for all gains together."""


def levels(contest: Contest) -> list[Level]:
    """Every value of every crossed setting; none where fewer than two were crossed or no seed is complete."""
    crossed = [one for one in contest.contenders if one.arm.factors]
    factors = list(dict.fromkeys(key for one in crossed for key in one.arm.factors))
    if len(factors) < 2 or not contest.seeds:
        return []
    found = [level for factor in factors for level in _levels(contest, crossed, factor)]
    return [replace(one, p=p) for one, p in zip(found, holm([one.p for one in found]), strict=True)]


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
        level = Level(factor, value, len(here), mean_interval(scores), None)
        if gains and value != known[0]:
            gain = np.stack(gains).mean(0)
            tested = paired_t(gain, np.zeros_like(gain))
            level = replace(level, gain=tested.difference, p=tested.p)
        found.append(level)
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
            p_cell(one.p),
        ]
        for one in found
    ]
    note = (
        "Each row averages over the arms trained with that value; the gain compares arms that are equal in everything "
        "else with the setting's first value, positive where it is better. Intervals are over seeds; how settings act "
        "together is not in this table."
    )
    heads = ["Setting", "Value", "Arms", contest.kind.heading, "Gain", "95 % interval", "p after Holm"]
    table = Table("Effect of each setting.", heads, rows, note)
    return [Section("Effect of each setting", _claim(contest, found), "", [table])]


def _claim(contest: Contest, found: list[Level]) -> str:
    """Which setting makes a difference, of each its largest."""
    if len(contest.seeds) < 2:
        return "With one seed, effects are numbers without an interval: no significance is claimed."
    proven = [(one, one.gain) for one in found if one.gain is not None and one.p < SURE]
    told: dict[str, str] = {}
    for one, gain in sorted(proven, key=lambda pair: -abs(pair[1].mean)):
        size = f"{_signed(contest, gain.mean)}{interval(contest.kind, gain)}"
        told.setdefault(one.factor, f"{one.factor}={json_word(one.value)} {size}")
    if not told:
        return "No setting has an effect that stands out from the luck of the seeds, averaged over the others."
    return (
        f"Effects that stand out from the luck of the seeds (p < {SURE:g} after Holm), largest first: "
        f"{'; '.join(told.values())}."
    )


def _signed(contest: Contest, gain: float) -> str:
    return f"{'+' if gain >= 0 else '−'}{points(contest.kind, abs(gain))}"


def smallest_words(contest: Contest) -> str:
    """The smallest arm within one standard error of the best on validation, and what it scores on the test part."""
    known = [one for one in contest.contenders if len(one.valid) > 1]
    rule = "The one-standard-error rule (Breiman et al. 1984)"
    scores = [[contest.sign * value for value in one.valid.values()] for one in known]
    found = smallest_within(scores, [one.parameters for one in known]) if len(known) > 1 else None
    if found is None:
        return f"{rule} needs several seeds and validation scores: it cannot be applied here."
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
