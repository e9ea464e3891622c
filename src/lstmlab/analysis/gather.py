"""Finished runs as a study: what differs between them names the arms, their seeds apart."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lstmlab.analysis.contest import refuse_other_tests
from lstmlab.errors import InputError
from lstmlab.recipe import Tree
from lstmlab.training.arms import Arm, Plan, arm_name
from lstmlab.training.run import Run

BESIDE = ("name", "summary", "group", "about", "seed", "split_seed", "device")
"""Settings that make no other arm."""


def gather(runs: Sequence[Run]) -> Plan:
    """Runs with the same settings and other seeds are one arm. Raises InputError where a run is unfinished, was tested
    on other examples, or stands twice."""
    for run in runs:
        if not run.finished:
            raise InputError(f"{run.title} is unfinished: finish it with lstmlab resume {run.folder}")
    if len(runs) < 2:
        raise InputError("one run leaves nothing to compare: give two or more")
    refuse_other_tests(runs)
    flat = [_flat(run.recipe) for run in runs]
    keys = [key for key in dict.fromkeys(key for one in flat for key in one) if not key.startswith(tuple(BESIDE))]
    keys = [key for key in keys if len({json.dumps(one.get(key)) for one in flat}) > 1]
    arms: dict[str, dict[str, Any]] = {}
    for run, settings in zip(runs, flat, strict=True):
        factors = {key: settings.get(key) for key in keys}
        arm = arms.setdefault(json.dumps(factors), {"factors": factors, "runs": {}})
        seed = str(run.recipe["seed"])
        if seed in arm["runs"]:
            raise InputError(f"{run.title} and {Path(arm['runs'][seed]).name} have the same settings and the same seed")
        arm["runs"][seed] = str(run.folder.absolute())
    first = runs[0]
    base = str(first.recipe.get("name") or first.recipe["task"])
    names = _named([arm["factors"] for arm in arms.values()])
    if len(arms) < 2:
        raise InputError(f"these runs differ in nothing but their seeds ({', '.join(run.title for run in runs)})")
    return Plan(
        name=base,
        bases={base: dict(first.recipe)},
        arms=tuple(
            Arm(name=name, base=base, changes=arm["factors"], runs=arm["runs"])
            for name, arm in zip(names, arms.values(), strict=True)
        ),
        seeds=tuple(sorted({int(seed) for arm in arms.values() for seed in arm["runs"]})),
    )


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Tree:
    """Every leaf of a recipe by its dotted path."""
    found: Tree = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _named(arms: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names that tell arms apart, by their first settings where they differ in many."""
    for count in range(1, 4):
        names = [arm_name(dict(list(arm.items())[:count])) for arm in arms]
        if len(set(names)) == len(names):
            return names
    return [f"{chr(ord('A') + at % 26)}{at // 26 or ''}" for at in range(len(arms))]
