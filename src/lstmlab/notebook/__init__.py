"""A recipe or a run as a notebook of its own: plain PyTorch, explained, with the outputs of its very cells.

A notebook imports nothing of lstmlab. It draws the same initial weights, cuts the same parts and takes the batches in
the same order, so its first epochs have the run's losses (to 1e-3: kernels round differently, and a near tie under a
maximum may then fall the other way).
"""

from pathlib import Path
from typing import Any, cast

from lstmlab.analysis.document import observations
from lstmlab.data import fetch
from lstmlab.data.datasets import named
from lstmlab.data.load import Watch
from lstmlab.disk import save
from lstmlab.errors import InputError
from lstmlab.notebook.document import Cell, to_json
from lstmlab.notebook.execution import execute
from lstmlab.notebook.families import FAMILIES
from lstmlab.notebook.words import drops
from lstmlab.notebook.writing import comment, fill
from lstmlab.recipe import dump
from lstmlab.tasks.task import Recipe
from lstmlab.training import experiment
from lstmlab.training.run import Run

COMPARED = 10
"""Epochs of a run whose losses stand in its notebook."""


def smaller(recipe: Recipe) -> Recipe:
    """A recipe that is quick to run: fewer epochs and, where there is much data, fewer examples."""
    return experiment.assemble(dump(recipe), _family(recipe).small(recipe), recipe.name)


def compose(recipe: Recipe, *, run: Run | None = None, quick: bool = False, watch: Watch = Watch()) -> list[Cell]:
    """The cells of a recipe's notebook, not yet executed. `run` is the run of this very recipe; `quick` says that it is
    a small one. Raises InputError for a task that has no notebook yet, and for settings that none has words for.
    """
    family, settings = _family(recipe), cast(Any, recipe)
    facts = family.facts(recipe, quick, watch)
    values = {
        "title": recipe.about.title or f"{recipe.name or recipe.task}: {family.kind(recipe)}",
        "summary": recipe.summary or f"A notebook for {recipe.task}.",
        "seed": recipe.seed,
        "split_seed": "SEED" if recipe.parts_seed == recipe.seed else recipe.parts_seed,
        "header": _header(recipe, run, quick),
        "closing": _closing(family, recipe, run),
        "run_losses": _losses(run),
        "dropped": drops(settings.model.model_dump()),
    }
    return fill(family.TEMPLATE, {**values, **facts})


def write(
    recipe: Recipe,
    path: Path,
    *,
    run: Run | None = None,
    quick: bool = False,
    executed: bool = True,
    watch: Watch = Watch(),
) -> Path:
    """Write a recipe's notebook to `path`, whole or not at all; executed, the outputs of its cells are in it.

    `run` is the run of this very recipe. `quick` makes the recipe small, so that it is no longer that run's.
    """
    recipe, run = (smaller(recipe), None) if quick else (recipe, run)
    cells = compose(recipe, run=run, quick=quick, watch=watch)
    if executed:
        watch.say("Running the notebook's cells, to show what they say")
        cells = execute(cells, environment(recipe, watch), files(recipe), watch)
    save(path, to_json(cells))
    return path


def environment(recipe: Recipe, watch: Watch = Watch()) -> dict[str, str]:
    """What a named set's cells have to be told to find its files here: the folder that holds its own."""
    data: Any = recipe.data  # type: ignore[attr-defined]
    chosen = named.NAMED.get(str(data.name))
    if chosen is None or not any(chosen.files.layouts):
        return {}
    paths = fetch.get(chosen.files, watch.say)
    return {"LSTMLAB_DATA": str(next(iter(paths.values())).parent.parent)}


def files(recipe: Recipe) -> dict[str, Path]:
    """One's own files by the name that the notebook has for them."""
    data: Any = recipe.data  # type: ignore[attr-defined]
    files = [Path(file) for name in ("path", "valid", "test") if (file := getattr(data, name, None))]
    return {file.name: file.absolute() for file in files}


def family_name(recipe: Recipe) -> str:
    """Which of FAMILIES writes a recipe's notebook, where there is one: its task, and of which data."""
    data: Any = recipe.data  # type: ignore[attr-defined]
    return f"{recipe.task} of measurements" if getattr(data, "numeric", False) else recipe.task


def _family(recipe: Recipe) -> Any:
    name = family_name(recipe)
    if name not in FAMILIES:
        raise InputError(f"no notebook for {name} yet; these have one: {', '.join(FAMILIES)}")
    return FAMILIES[name]


def _header(recipe: Recipe, run: Run | None, quick: bool) -> str:
    """Who hands it in, and where its numbers come from."""
    about = recipe.about
    told = [" · ".join(part for part in (about.author, about.course) if part)]
    if run is not None:
        told.append(
            f"Its settings, seeds and initial weights are those of the run `{run.title}` of lstmlab, so the losses of "
            "its first epochs are that run's too (section 3 compares them)."
        )
    if quick:
        told.append("**Small size**: fewer examples and epochs than the full experiment, for a quick look.")
    return "\n\n".join(part for part in told if part)


def _losses(run: Run | None) -> list[float]:
    if run is None:
        return []
    return [float(row["train"]["loss"]) for row in run.history[:COMPARED]]


def _closing(family: Any, recipe: Recipe, run: Run | None) -> str:
    """What the run showed, and what to try next, as lines of a Markdown cell."""
    told: list[str] = []
    if run is not None and run.finished:
        told.append(
            f"**The run's numbers.** What the run `{run.title}` showed, in sentences that lstmlab made from what it "
            "measured; it added up in another order, so its scores may differ a little from those of this notebook:\n"
        )
        told += [f"- {sentence}" for sentence in observations(run)]
        told.append("")
    told.append("What to try next:\n")
    told += [f"- {sentence}" for sentence in family.next_steps(recipe)]
    return comment("\n".join(told))


__all__ = ["compose", "environment", "family_name", "files", "smaller", "write"]
