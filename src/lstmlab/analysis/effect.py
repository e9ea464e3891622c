"""The effect of the architecture on a run's task: what a study measured, or the words "not measured"."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lstmlab import catalogue
from lstmlab.analysis import compare
from lstmlab.errors import InputError
from lstmlab.report import Section, excerpt
from lstmlab.training.run import Run
from lstmlab.training.study import STUDIES, Study, all_studies

TITLE = "The effect of the architecture"
ALONE = ("name", "summary", "group", "seed", "split_seed", "device", "about", "report")
"""Settings in which a study's base may differ from a run and still be the same experiment."""
MOST = 5
"""Sentences of a study that a report of one run repeats."""


def effect(run: Run, root: Path = STUDIES, recipe: str | None = None) -> Section:
    """What the newest finished study that has this run's recipe among its arms or bases found; else how to measure."""
    study = next(_studies(run, root), None)
    if study is None:
        return _not_measured(run, recipe)
    mark = f"{run.recipe.get('name')}: "
    every = compare.verdicts(study)
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
    name = str(run.recipe.get("name") or "")
    word = name if name in catalogue.recipe_names() else recipe or str(run.folder / "recipe.yaml")
    encoder = run.recipe["model"]["encoder"]
    units = int(encoder["hidden_size"])
    over = ["cell=rnn,lstm,gru", f"hidden_size={max(units // 2, 1)},{units}"]
    command = " ".join(["lstmlab compare", shlex.quote(word), *(f"--over {one}" for one in over), "--seeds 5"])
    told = (
        "One run cannot tell what another cell, size or direction would have changed: that takes several seeds of "
        "each, and a paired test. This command measures it:"
    )
    return Section(TITLE, "Not measured.", "\n".join([told, "", "```", excerpt(command, 300), "```"]), generated=False)
