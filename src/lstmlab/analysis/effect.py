"""The effect of the architecture on a run's task: what a study measured, or the words "not measured"."""

import math
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lstmlab.analysis.architecture import encoder_kind
from lstmlab.analysis.closing import duration
from lstmlab.analysis.compare import Findings
from lstmlab.errors import InputError
from lstmlab.report import Section, excerpt
from lstmlab.training.run import Run
from lstmlab.training.study import STUDIES, Study, all_studies

TITLE = "The effect of the architecture"
ALONE = ("name", "summary", "group", "seed", "split_seed", "device", "about", "report")
"""Settings in which a study's base may differ from a run and still be the same experiment."""
MOST = 5
"""Sentences of a study that a report of one run repeats."""
SEEDS = 5
"""How many a study is advised to have."""


def effect(run: Run, root: Path = STUDIES, recipe: str | None = None) -> Section:
    """What the newest finished study that this run is an arm of, or whose base it is, found; else how to measure."""
    study = next(_studies(run, root), None)
    if study is None:
        return _not_measured(run, recipe)
    mark = f"{run.recipe.get('name')}: "
    every = Findings(study).verdicts()
    # A study of several recipes names each before what it found on it.
    told = [one.removeprefix(mark) for one in every if one.startswith(mark)] or every
    count = len(study.plan.seeds)
    seeds = f"{count} seed{'s' * (count != 1)} an arm"
    where = f"From the study {excerpt(study.title, 80)}, {seeds}; its report has the tables."
    lines = [f"- {sentence}" for sentence in told[1 : 1 + MOST]]
    return Section(TITLE, told[0] if told else "", "\n".join([where, *lines]))


def _studies(run: Run, root: Path) -> Iterator[Study]:
    """Finished studies with this run's recipe, newest first: that which the run is a part of before all others."""
    own = run.folder.absolute().parents
    inside = [Study(folder) for folder in own[:4] if (folder / "study.yaml").is_file()]
    for study in [*inside, *reversed(all_studies(root))]:
        try:
            if study.finished and (study in inside or _same(run, study)):
                yield study
        except InputError:
            continue  # a damaged study says nothing of this run, and its own report says what is wrong


def _same(run: Run, study: Study) -> bool:
    told = _compared(run.recipe)
    return any(_compared(base) == told for base in study.plan.bases.values())


def _compared(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in recipe.items() if name not in ALONE}


def _not_measured(run: Run, recipe: str | None) -> Section:
    """How to measure it, by the run's own recipe: the one of its name may lack what was typed behind it."""
    encoder, kind = run.recipe["model"]["encoder"], encoder_kind(run)
    units = int(encoder["hidden_size"])
    over = {
        **({"cell": ["rnn", "lstm", "gru", encoder["cell"]]} if kind == "recurrent" else {"kind": ["recurrent", kind]}),
        "hidden_size": sorted([max(units // 2, 1), units]),
    }
    arms = {key: list(dict.fromkeys(values)) for key, values in over.items()}
    crossed = [shlex.quote(f"encoder.{key}={','.join(map(str, values))}") for key, values in arms.items()]
    where = shlex.quote(recipe or str(run.folder / "recipe.yaml"))
    command = f"lstmlab compare {where} {' '.join(f'--over {one}' for one in crossed)} --seeds {SEEDS}"
    count = SEEDS * math.prod(map(len, arms.values()))
    took = f" of about {duration(run.metrics['train_seconds'])} each" if run.finished else ""
    told = (
        "One run cannot tell what another cell, size or direction would have changed: that takes several seeds of "
        f"each, and a paired test. This command measures it, in {count} trainings{took}:"
    )
    return Section(TITLE, "Not measured.", "\n".join([told, "", "```", excerpt(command, 400), "```"]), generated=False)
