"""What a person asks for, as a recipe: a built-in name, a recipe file, a task, or data of their own."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstmlab import recipe as settings
from lstmlab.catalogue import recipe_names
from lstmlab.data import contents
from lstmlab.data.datasets import files, folders
from lstmlab.data.guess import Guess, guess
from lstmlab.errors import InputError, nearest
from lstmlab.recipe import Tree
from lstmlab.tasks import TASKS
from lstmlab.tasks.task import Recipe
from lstmlab.training import experiment

# What serves a few thousand texts of any kind well; `lstmlab new FILE` writes it out to be changed.
OWN: dict[str, Tree] = {
    "classification": {
        "model": {"embedding": {"word_dropout": 0.3}},
        "training": {
            "epochs": 30,
            "patience": 4,
            "batch_size": 32,
            # Texts of a thousand tokens still fill a batch; one of a million characters does not fill the memory.
            "tokens": 32_000,
            # The average of the weights settles by itself, so the rate need not fall and stopping early loses nothing.
            "optimizer": {"learning_rate": 0.002, "clip": 1.0, "average": 0.99},
        },
    },
    "forecasting": {"training": {"epochs": 50, "optimizer": {"learning_rate": 0.005, "schedule": "cosine"}}},
}


def is_data(word: str) -> bool:
    """Whether a word given to `train` means a data file or folder rather than a recipe or a task."""
    path = Path(word)
    if word in recipe_names() or word in TASKS or path.suffix in (".yaml", ".yml"):
        return False
    named_like_data = files.known(path) or folders.is_archive(path) or path.suffix == ".txt"
    return path.exists() or len(path.parts) > 1 or named_like_data


def run_name(path: Path) -> str:
    """What runs of a file are called: its name without endings and without what a shell or a terminal would act on."""
    return re.sub(r"[^\w -]+", "-", path.name.split(".")[0]).strip(" -")


def find(word: str) -> tuple[Tree, str]:
    """The recipe a word means (a built-in name, a task, a .yaml file), and where it stands."""
    builtin = recipe_names()
    if word in builtin:
        return {"name": word, **builtin[word]}, f"recipe {word}"
    if word in TASKS:
        return {"task": word, "name": word, **OWN[word]}, f"task {word}"
    path = Path(word)
    if path.suffix in (".yaml", ".yml"):
        return {"name": run_name(path), **settings.read_file(contents.existing_file(path))}, str(path)
    match = nearest(word, [*builtin, *TASKS])
    known = f"Recipes: {', '.join(builtin)}. Tasks: {', '.join(TASKS)}. Or give a file of your own."
    raise InputError(f'no recipe, task or file "{word}". ' + (f"Did you mean {match[0]}?" if match else known))


def guessed(path: Path, changes: Mapping[str, Any]) -> tuple[Tree, Guess]:
    """A recipe for data of one's own, and the guess it stands on. A typed encoding is read with."""
    _keep_task("classification", changes)
    encoding = next((str(value) for key, value in changes.items() if key.split(".")[-1] == "encoding"), "utf-8")
    found = guess(path, encoding=encoding)
    if found.task != "classification":
        raise InputError(
            f"{path} looks like data for {found.task}, which cannot be trained from a file yet: "
            f"{' '.join(found.reasons)} If it holds texts and labels, name the columns: "
            f"lstmlab train classification path={shlex.quote(str(path))} text=COLUMN label=COLUMN"
        )
    return _with(Tree(task=found.task, name=run_name(path), **OWN[found.task]), found.settings), found


def assemble(word: str, changes: Mapping[str, Any]) -> Recipe:
    """The recipe a word and changes stand for, checked whole; columns of one's own file guessed where not given."""
    if is_data(word):
        tree, guess_of = guessed(Path(word), changes)
        _refuse_unsure(guess_of, changes)
        return experiment.assemble(tree, changes, word)
    tree, where = find(word)
    _keep_task(tree.get("task"), changes)
    recipe = experiment.assemble(tree, changes, where)
    data = settings.dump(recipe)["data"]
    missing = [f"data.{key}" for key in ("text", "label") if key in data and data[key] is None]
    if data.get("path") is None or not missing:
        return recipe
    found = guess(Path(data["path"]), encoding=data["encoding"])
    _refuse_unsure(found, changes)
    columns = {key: found.settings[key] for key in missing if key in found.settings}
    return experiment.assemble(_with(tree, columns), changes, where)


def _refuse_unsure(found: Guess, changes: Mapping[str, Any]) -> None:
    """A guess nobody was asked about must be a sure one, unless both columns were typed."""
    typed = {key.split(".")[-1] for key in changes} & {"text", "label"}
    if not found.sure and len(typed) < 2:
        told = "; ".join(found.alternatives or found.reasons)
        raise InputError(f"not sure which columns are meant: {told}. Name them with text=COLUMN label=COLUMN")


def _keep_task(task: object, changes: Mapping[str, Any]) -> None:
    """Refuse a change of the task: the other settings belong to it."""
    wanted = changes.get("task", task)
    if wanted != task:
        raise InputError(f"task={wanted} cannot take the place of {task} here; begin with it: lstmlab train {wanted}")


def _with(tree: Tree, found: Mapping[str, object]) -> Tree:
    """The tree with settings at dotted paths added."""
    return settings.override(tree, found, list(found))[0]
