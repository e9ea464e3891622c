"""What a person asks for, as a recipe: a built-in name, a recipe file, a task, or data of their own."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstmlab import recipe as settings
from lstmlab.catalogue import read_recipe, recipe_names, study_names
from lstmlab.data import contents
from lstmlab.data.datasets import files, folders, pair_tables
from lstmlab.data.guess import Guess, guess
from lstmlab.data.pairs import PairSettings
from lstmlab.data.series_settings import SeriesSettings
from lstmlab.data.tagging import TaggingData
from lstmlab.data.text_pairs import TextPairData
from lstmlab.errors import InputError, nearest
from lstmlab.recipe import Tree
from lstmlab.tasks import TASKS
from lstmlab.tasks.task import Recipe
from lstmlab.training import experiment

# A few thousand to a hundred thousand pairs on a laptop: pieces of words know every name and ending there is.
_PAIRS: Tree = {
    "text": {"level": "subword", "joint": True},
    "model": {
        "embedding": {"size": 128, "dropout": 0.2},
        "encoder": {"cell": "lstm", "hidden_size": 256, "bidirectional": True},
        "decoder": {"dropout": 0.3},
        "context": "attention",
        "attention": {"kind": "general", "input_feeding": True},
        "label_smoothing": 0.1,
    },
    "training": {
        "epochs": 30,
        "patience": 3,
        "batch_size": 32,
        "tokens": 8_000,
        "optimizer": {"method": "adam", "learning_rate": 0.002, "clip": 1.0},
    },
}

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
    "tagging": {
        "model": {"encoder": {"cell": "lstm", "hidden_size": 128, "bidirectional": True}},
        "training": {
            "epochs": 30,
            "patience": 5,
            "best": "score",
            "batch_size": 32,
            "optimizer": {"learning_rate": 0.002, "clip": 5.0, "average": 0.99},
        },
    },
    # A few thousand pairs are learned in a dozen epochs, and by heart in some more.
    "pairs": {
        "training": {
            "epochs": 20,
            "patience": 5,
            "best": "score",
            "batch_size": 32,
            "tokens": 8_000,
            "optimizer": {"learning_rate": 0.001, "clip": 5.0, "average": 0.99},
        },
    },
    # The budget is of steps: a short text is read until it is known by heart and patience ends it, a long one once.
    "language-model": {
        "model": {"embedding": {"size": 64}, "encoder": {"cell": "lstm", "hidden_size": 256}, "dropout": 0.3},
        "training": {
            "steps": 5000,
            "patience": 5,
            "batch_size": 16,
            "optimizer": {"learning_rate": 0.003, "clip": 1.0, "average": 0.99},
        },
    },
    "translation": _PAIRS,
    "dialogue": _PAIRS,
    # A few hundred to a hundred thousand steps: all steps ahead at once; each window less its last value, so that a
    # level that moves is no trouble.
    "forecasting": {
        "model": {
            "encoder": {"cell": "lstm", "hidden_size": 64, "bidirectional": False},
            "strategy": "direct",
            "normalise": "last",
        },
        "training": {
            "epochs": 40,
            "patience": 6,
            "batch_size": 32,
            "bucket": False,
            "optimizer": {"learning_rate": 0.002, "schedule": "cosine", "clip": 1.0},
        },
    },
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
        return {"name": word, **read_recipe(word)}, f"recipe {word}"
    if word in TASKS:
        return {"task": word, "name": word, **OWN[word]}, f"task {word}"
    path = Path(word)
    if path.suffix in (".yaml", ".yml"):
        return {"name": run_name(path), **settings.read_file(contents.existing_file(path))}, str(path)
    if word in study_names():
        raise InputError(f"{word} is a study of several runs: lstmlab compare {word}")
    match = nearest(word, [*builtin, *TASKS, *study_names()])
    known = f"Recipes: {', '.join(builtin)}. Tasks: {', '.join(TASKS)}. Or give a file of your own."
    raise InputError(f'no recipe, task or file "{word}". ' + (f"Did you mean {match[0]}?" if match else known))


def guessed(path: Path, changes: Mapping[str, Any]) -> tuple[Tree, Guess]:
    """A recipe for data of one's own, and the guess it stands on. A typed encoding is read with."""
    encoding = next((str(value) for key, value in changes.items() if _tail(key) == "encoding"), "utf-8")
    _refuse_side(path)
    found = guess(path, encoding=encoding)
    _keep_task(found.task, changes)
    tree = _with(Tree(task=found.task, name=run_name(path), **OWN[found.task]), found.settings)
    return _sized(tree, changes), found


def _refuse_side(path: Path) -> None:
    """Refuse one of two aligned files: train.en is nothing without its train.fr."""
    languages = pair_tables.LANGUAGES | {"src", "tgt", "trg"}
    if path.suffix[1:].lower() not in languages or not path.is_file():
        return
    sides = sorted(one for one in path.parent.iterdir() if one.stem == path.stem and one.suffix != path.suffix)
    if other := next((one for one in sides if one.suffix[1:].lower() in languages), None):
        words = shlex.join([f"source={path}", f"target={other}"])
        raise InputError(f"{path} looks like one side of aligned files: lstmlab train translation {words}")


def assemble(word: str, changes: Mapping[str, Any]) -> Recipe:
    """The recipe a word and changes stand for, checked whole; columns of one's own file guessed where not given."""
    if is_data(word):
        tree, guess_of = guessed(Path(word), changes)
        _refuse_unsure(guess_of, changes)
        return experiment.assemble(tree, changes, word)
    tree, where = find(word)
    _keep_task(tree.get("task"), changes)
    recipe = experiment.assemble(tree, changes, where)
    found = _missing_columns(recipe, changes)
    if found:
        tree = _with(tree, found)
        recipe = experiment.assemble(tree, changes, where)
    sized = _sized(tree, changes, recipe) if word in TASKS else tree
    return recipe if sized == tree else experiment.assemble(sized, changes, where)


def _missing_columns(recipe: Recipe, changes: Mapping[str, Any]) -> dict[str, object]:
    """The columns of one's own file that nobody named, guessed."""
    data: Any = getattr(recipe, "data", None)
    if isinstance(data, SeriesSettings):
        return _missing_series(data, changes)
    if isinstance(data, TaggingData | TextPairData):
        return {}  # the reader knows
    pairs = isinstance(data, PairSettings)
    keys = [key for key in (("source", "target") if pairs else ("text", "label")) if hasattr(data, key)]
    if getattr(data, "sequence", None) is not None:
        return {}  # no text is read, and a missing label is told by the reader
    missing = [f"data.{key}" for key in keys if getattr(data, key) is None]
    if not missing or getattr(data, "path", None) is None:
        return {}
    if pairs and (len(missing) < 2 or Path(data.path).is_dir() or not files.known(Path(data.path))):
        return {}  # the reader knows, or says what it needs
    found = guess(Path(data.path), encoding=data.encoding)
    if not pairs:
        _refuse_unsure(found, changes)
    elif not pair_tables.tabbed(Path(data.path)) and isinstance(found.settings.get("data.source"), int):
        _refuse_unsure(found, changes)  # no line of names: what the two columns are for was said, not where they are
    return {key: found.settings[key] for key in missing if key in found.settings}


def _missing_series(data: SeriesSettings, changes: Mapping[str, Any]) -> dict[str, object]:
    """What nobody said of a table of series: its time, what is forecast, how far back and ahead."""
    if data.path is None or data.target is not None:
        return {}
    found = guess(Path(data.path), encoding=data.encoding)
    if found.task != "forecasting":
        raise InputError(f"{data.path}: no column of numbers found that could be forecast: {' '.join(found.reasons)}")
    _refuse_unsure(found, changes)
    typed = {_tail(key) for key in changes}
    return {key: value for key, value in found.settings.items() if _tail(key) not in typed | {"path"}}


def columns_typed(changes: Mapping[str, Any]) -> bool:
    """Whether somebody named both columns, so that nothing about them is guessed."""
    typed = {_tail(key) for key in changes}
    whole = ({"text", "label"}, {"first", "second", "label"}, {"source", "target"}, {"target", "time"})
    return any(columns <= typed for columns in whole)


def _refuse_unsure(found: Guess, changes: Mapping[str, Any]) -> None:
    """A guess nobody was asked about must be a sure one, unless both columns were typed."""
    if found.sure or columns_typed(changes):
        return
    told = "; ".join(found.alternatives or found.reasons)
    if found.task in ("translation", "dialogue"):
        raise InputError(f"not sure what this is. {' '.join(found.reasons)} Say which: {told}")
    if found.task == "language-model":
        where = next(iter(found.settings.values()))
        raise InputError(
            f"not sure what {where} is: {' '.join(found.reasons)} If it is a table: {told}. If it is running text: "
            f"lstmlab train language-model path={shlex.quote(str(where))}"
        )
    if found.task == "pairs":
        raise InputError(f"not sure which judgment of the pairs is to be learned. Say which: {told}")
    if found.task == "forecasting":
        raise InputError(f"not sure which column is to be forecast: {told}. Say which: target=COLUMN")
    raise InputError(f"not sure which columns are meant: {told}. Name them with text=COLUMN label=COLUMN")


def _sized(tree: Tree, changes: Mapping[str, Any], recipe: Recipe | None = None) -> Tree:
    """The tree with as many subwords as pairs of one's own files can teach: a piece seen a few times is noise.

    The square root of the bytes: about 600 for five hundred short pairs, 2,000 for five thousand, 8,000 (no more) for
    eighty thousand.
    """
    typed = {_tail(key): value for key, value in changes.items()}
    if tree["task"] not in ("translation", "dialogue") or "vocabulary_size" in typed:
        return tree
    if typed.get("level", tree["text"].get("level")) != "subword":
        return tree
    data: Mapping[str, Any] = tree.get("data", {}) if recipe is None else settings.dump(recipe)["data"]
    size = _bytes(data)
    if not size:
        return tree
    pieces = min(max(round(3.6 * size**0.5, -2), 400), 8000)
    return _with(tree, {"text.vocabulary_size": int(pieces)})


def _bytes(data: Mapping[str, Any]) -> int:
    """Bytes in the files of pairs that `data` names; 0 where it names none."""
    path = Path(data["path"]) if data.get("path") else None
    if path is not None and path.is_dir():
        ends = tuple(f".{data.get(side)}{zipped}" for side in ("source", "target") for zipped in ("", ".gz"))
        found = [entry for entry in path.iterdir() if entry.name.endswith(ends)]
    elif path is not None:
        found = [path]
    else:
        found = [Path(file) for side in ("source", "target") if not data.get("name") and (file := data.get(side))]
    return sum(file.stat().st_size for file in found if file.is_file())


def _tail(key: str) -> str:
    return key.split(".")[-1]


def _keep_task(task: object, changes: Mapping[str, Any]) -> None:
    """Refuse a change of the task: the other settings belong to it."""
    wanted = changes.get("task", task)
    if wanted != task:
        raise InputError(f"task={wanted} cannot take the place of {task} here; begin with it: lstmlab train {wanted}")


def _with(tree: Tree, found: Mapping[str, object]) -> Tree:
    """The tree with settings at dotted paths added."""
    return settings.override(tree, found, list(found))[0]
