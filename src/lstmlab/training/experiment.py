"""From a recipe to a finished run: resolve the settings, prepare, train (or go on), score beside the baselines."""

import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import create_model

from lstmlab import recipe as recipes
from lstmlab.data.corpus import Dataset, Part
from lstmlab.data.load import Watch
from lstmlab.errors import InputError, unknown
from lstmlab.nn.summary import summary
from lstmlab.tasks import TASKS
from lstmlab.tasks.task import Recipe, Rivalled, Task
from lstmlab.training import checkpoint
from lstmlab.training.evaluation import evaluate
from lstmlab.training.loop import LoopSettings, Training
from lstmlab.training.machine import choose_device, fitting_threads, tuned
from lstmlab.training.moment import Hooks, Tick
from lstmlab.training.nan_guard import Diverged
from lstmlab.training.run import Run, RunWriter, command_line, environment


@dataclass(frozen=True)
class Monitor(Watch):
    """Who watches a run: besides what a Watch hears, its beginning, each step, each row of history, a wish to stop."""

    begin: Callable[[dict[str, Any]], None] = lambda facts: None
    scored: Callable[[dict[str, float]], None] = lambda scores: None
    tick: Callable[[Tick, LoopSettings], None] = lambda tick, settings: None
    row: Callable[[dict[str, Any], LoopSettings], None] = lambda row, settings: None
    stop: Callable[[], bool] = lambda: False


BUDGET = ("training.epochs", "training.steps", "training.minutes")
"""Of these a recipe has one."""


class Stopped(Exception):
    """Training was asked to stop and kept a checkpoint in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(f"stopped; go on with: lstmlab resume {shlex.quote(str(folder))}")


@cache
def recipe_class(task: str) -> type[Recipe]:
    """The whole settings class of a task: its own block and training's."""
    if task not in TASKS:
        raise unknown("task", task, TASKS)
    base = TASKS[task].Recipe
    return create_model(base.__name__, __base__=base, training=(LoopSettings, ...), __doc__=base.__doc__)


def assemble(tree: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> Recipe:
    """A recipe's tree with somebody's changes, checked whole. Typed keys without effect are refused."""
    recipe, typed = settle(tree, changes, where)
    recipes.refuse_idle(recipe, typed)
    return recipe


def settle(tree: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> tuple[Recipe, list[str]]:
    """A recipe's tree with somebody's changes, checked whole, and the paths they set; some may have no effect.

    A typed data.path takes the place of the recipe's data.name and the other way round; a typed budget (epochs, steps,
    minutes) that of the recipe's.
    """
    if "task" not in tree:
        raise InputError(f"{where}: no task; one of {', '.join(TASKS)}")
    settings = recipe_class(str(tree["task"]))
    merged, typed = recipes.override(tree, changes, recipes.paths(settings))
    for rivals in (("data.name", "data.path"), BUDGET):
        chosen = [path for path in rivals if path in typed]
        if len(chosen) == 1:
            folder = merged[chosen[0].split(".")[0]]
            for rival in set(rivals) - set(chosen):
                folder.pop(rival.split(".")[1], None)
    return recipes.validate(settings, merged, where), typed


def train(
    recipe: Recipe, *, root: Path, output: Path | None = None, blind: bool = False, monitor: Monitor = Monitor()
) -> Run:
    """Train a recipe from the start into a new run directory; scores, predictions and best weights are in it then.

    A `blind` run leaves the test part alone: it is for choosing by the validation part.
    """
    started = time.monotonic()
    device = choose_device(recipe.device)
    kind = TASKS[recipe.task]
    monitor.say("Reading the data")
    data = _read(recipe, blind, monitor)
    task = kind.prepare(recipe, data, monitor)
    training = start_training(recipe, task, data, device, started)
    some = (data.train[at] for at in range(min(20, len(data.train))))
    example = next((one for one in some if str(one.inputs).strip()), data.train[0])
    facts = {
        "data": {**asdict(data.source), "parts": {name: len(part) for name, part in data.parts.items()}},
        "layers": summary(training.model),
        "journey": [list(stage) for stage in task.journey(example)],
    }
    threads = fitting_threads(training.model, typical_steps(training))
    known = environment(device, threads, recipe.seed, data.source, command_line())
    writer = RunWriter.create(root, recipe.name or recipe.task, output)
    writer.start(recipe.located(), known, facts, task.saved())
    monitor.begin(facts)
    monitor.say(f"Run directory: {writer.folder}")
    with writer.locked():
        return _go(writer, training, data, threads, monitor)


def _read(recipe: Recipe, blind: bool, monitor: Monitor) -> Dataset:
    """The data of a recipe; without its test part where nobody may look at it."""
    data = TASKS[recipe.task].load(recipe, monitor)
    return replace(data, test=None) if blind else data


def resume(run: Run, *, blind: bool = False, monitor: Monitor = Monitor()) -> Run:
    """Go on from the run's last checkpoint, on a CPU to the last bit as if it had never stopped."""
    started = time.monotonic()
    recipe = assemble(run.recipe, {}, str(run.folder / "recipe.yaml"))
    writer = RunWriter(run.folder)
    with writer.locked():
        device = choose_device(run.environment["device"])
        tensors, facts = writer.read_checkpoint("last") if run.resumable else ({}, {})
        monitor.say("Reading the data")
        kind = TASKS[recipe.task]
        data = _read(recipe, blind, monitor)
        run.refuse_changed(data.source)
        training = start_training(recipe, kind.prepare(recipe, data, monitor), data, device, started)
        if tensors:
            checkpoint.load_weights(training.model, checkpoint.pick(tensors, "model"), run.folder)
            training.restore(tensors, facts)
        writer.rewind(training.moment.epoch, training.moment.done)
        return _go(writer, training, data, run.environment["threads"], monitor)


def start_training(recipe: Any, task: Task, data: Dataset, device: torch.device, started: float) -> Training:
    """Model with fresh weights and encoded parts. The seed is set here: initial weights and dropout follow from it."""
    train = task.encode(data.train, "the training part")
    valid = task.encode(data.valid, "the validation part") if data.valid is not None else None
    torch.manual_seed(recipe.seed)
    return Training(task.build().to(device), task, recipe.training, train, valid, recipe.seed, device, started)


def typical_steps(training: Training) -> int:
    """Steps in a batch of middling size, padding included."""
    return int(np.median([training.batches.size(batch) for batch in training.batches.epoch(1)]))


def _go(writer: RunWriter, training: Training, data: Dataset, threads: int, monitor: Monitor) -> Run:
    settings = training.settings

    def row(row: dict[str, Any]) -> None:
        writer.row(row)
        monitor.row(row, settings)

    hooks = Hooks(
        keep=writer.keep,
        row=row,
        tick=lambda tick: monitor.tick(tick, settings),
        stop=monitor.stop,
    )
    try:
        with tuned(threads):
            complete = training.run(hooks)
            if complete:
                _score(writer, training, data, monitor)
    except Diverged as error:
        writer.row(_broken(training, error))
        raise error.naming([data.train[i].id for i in error.positions]) from None
    if not complete:
        raise Stopped(writer.folder)
    return Run.open(writer.folder)


def _broken(training: Training, error: Diverged) -> dict[str, Any]:
    """The row of an epoch in which training loss, or without examples to blame validation loss, was no number: the
    last of this history, until a resumed training writes the epoch again."""
    moment = training.moment
    total, count = moment.sums.get("loss", (float("nan"), 1))
    row = {"epoch": error.epoch, "step": error.step, "seconds": round(moment.seconds, 3), "learning_rate": moment.rate,
           "gradient_norm": None}  # fmt: skip
    if error.positions:
        return {**row, "train": {"loss": None}}
    return {**row, "train": {"loss": total / max(count, 1)}, "valid": {"loss": None}}


def _score(writer: RunWriter, training: Training, data: Dataset, monitor: Monitor) -> None:
    """Scores of the best and of the last weights beside the baselines; predictions on the test part."""
    task, model, device = training.task, training.model, training.device
    metrics: dict[str, Any] = {
        "parameters": sum(p.numel() for p in model.parameters()),
        "best_epoch": training.moment.best_epoch,
    }
    test = task.encode(data.test, "the test part") if data.test is not None else None
    last = {name: value.clone() for name, value in training.scored_weights().items()}
    best = {name: value.to(device) for name, value in writer.read_checkpoint("best")[0].items()}
    model.load_state_dict(best)
    predictions: list[dict[str, Any]] = []
    if test is not None and data.test is not None:
        monitor.say(f"Scoring the test part ({len(test):,} {'example' if len(test) == 1 else 'examples'})")
        metrics["test"], predictions, outputs = _answered(training, test, data.test, monitor)
        metrics["signatures"] = task.signatures(predictions)
        if details := task.details(model, outputs, test):
            metrics["details"] = details
        monitor.scored(metrics["test"])
    if training.valid is not None and data.valid is not None:
        metrics["valid"], _, _ = _answered(training, training.valid, data.valid, monitor)
    if test is not None and data.test is not None:
        model.load_state_dict(last)
        same = all(torch.equal(value, best[name]) for name, value in last.items())
        metrics["test_last"] = metrics["test"] if same else _plain_scores(training, test)
        metrics["baseline"] = task.baseline(data.train, data.test, monitor)
        if isinstance(task, Rivalled):
            rival = task.rival_answers(data.train, data.test, monitor)
            predictions = [{**row, "baseline": one} for row, one in zip(predictions, rival, strict=True)]
    metrics |= {
        "train_seconds": round(training.moment.seconds, 3),
        "total_seconds": round(training.total_seconds(), 3),
    }
    writer.finish(best, metrics, predictions)


def _answered(
    training: Training, encoded: Any, part: Part, monitor: Monitor
) -> tuple[dict[str, float], list[dict[str, Any]], np.ndarray]:
    """Scores of a part; a row for each example that is written down: what was asked, what was answered, what it lost;
    and the model's outputs.
    """
    outputs, losses, count = evaluate(training.model, training.task, encoded, training.device)
    told = training.task.predict(training.model, encoded, outputs, monitor)
    kept = np.array([at for at, answer in enumerate(told) if answer is not None])
    shown = part if len(kept) == len(told) else part.take(kept)
    rows = [
        {"id": example.id, "input": example.inputs, "target": example.target, **told[at], "loss": float(losses[at])}
        for at, example in zip(kept, shown, strict=True)
    ]
    return {"loss": float(losses.sum() / count), **training.task.score(outputs, encoded, rows)}, rows, outputs


def _plain_scores(training: Training, encoded: Any) -> dict[str, float]:
    """Loss and the scores that need no answer."""
    outputs, losses, count = evaluate(training.model, training.task, encoded, training.device)
    return {"loss": float(losses.sum() / count), **training.task.score(outputs, encoded)}
