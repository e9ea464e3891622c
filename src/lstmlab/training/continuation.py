"""Series carried on beyond their end: the forecasts somebody asks a finished run for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lstmlab.data.datasets.times import Times
from lstmlab.data.panel import Line, Panel, Windows
from lstmlab.data.series import read_on
from lstmlab.data.timeline import shown
from lstmlab.errors import InputError
from lstmlab.tasks.forecasting import Forecasting
from lstmlab.training.evaluation import evaluate
from lstmlab.training.inference import Predictor


@dataclass(frozen=True)
class Continuation:
    """What comes after the last value of a series, step by step."""

    series: str
    targets: tuple[str, ...]
    times: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]
    """[S C]"""
    quantiles: dict[str, tuple[tuple[float, ...], ...]]
    """By level; empty where the model gives points alone."""


def carry_on(
    predictor: Predictor, file: Path | None = None, horizon: int | None = None, encoding: str | None = None
) -> list[Continuation]:
    """Forecasts of `horizon` steps (the recipe's own where not given) after the end of every series of a file, or of
    the data the run was trained on.

    Where the model gives fewer steps at once, it goes on from its own forecasts. Raises InputError where it cannot:
    columns of the past are not known ahead.
    """
    task: Any = predictor.task
    if not isinstance(task, Forecasting):
        raise InputError(f"only forecasts go on beyond the data, and this run is of {task.name}")
    steps = horizon or task.recipe.data.horizon
    panel = read_on(task.recipe.data, file, encoding, steps)
    _refuse_short(panel, task.recipe.data.window, str(file or task.recipe.data.name or task.recipe.data.path))
    at_once = min(steps, task.most or steps)
    if at_once < steps and panel.past:
        raise InputError(
            f"this model forecasts {at_once} steps at once, and to go on it would need {', '.join(panel.past)} ahead: "
            f"ask for --horizon {at_once} at most"
        )
    found = [_Told([], {}) for _ in panel.lines]
    done = 0
    while done < steps:
        part = min(at_once, steps - done)
        lines = tuple(_longer(line, told.values) for line, told in zip(panel.lines, found, strict=True))
        answers = _ask(predictor, task, replace(panel, lines=lines), part)
        for told, answer in zip(found, answers, strict=True):
            told.add(answer, part)
        done += part
    ends = [panel.step.after(line.times[-1:], np.arange(1, steps + 1)) for line in panel.lines]
    return [told.whole(line.name, panel.targets, end) for told, line, end in zip(found, panel.lines, ends, strict=True)]


@dataclass
class _Told:
    """The forecasts of one series so far."""

    values: list[list[float]]
    quantiles: dict[str, list[list[float]]]

    def add(self, answer: dict[str, Any], count: int) -> None:
        self.values += _rows(answer["prediction"])[:count]
        for level, values in answer.get("quantiles", {}).items():
            self.quantiles.setdefault(level, []).extend(_rows(values)[:count])

    def whole(self, name: str, targets: tuple[str, ...], times: Times) -> Continuation:
        values = tuple(map(tuple, self.values))
        quantiles = {level: tuple(map(tuple, rows)) for level, rows in self.quantiles.items()}
        return Continuation(name, targets, tuple(map(shown, times)), values, quantiles)


def _ask(predictor: Predictor, task: Forecasting, panel: Panel, steps: int) -> list[dict[str, Any]]:
    """A window at the end of every series."""
    asked = task if task.most else task.reaching(steps)
    ends = np.array([len(line) for line in panel.lines])
    windows = Windows(panel, np.arange(len(ends)), ends, task.recipe.data.window, steps)
    encoded = asked.encode(windows, "the data")
    return asked.predict(predictor.model, encoded, evaluate(predictor.model, asked, encoded, predictor.device)[0])


def _longer(line: Line, more: Sequence[Sequence[float]]) -> Line:
    """The series with forecasts at its end."""
    if not more:
        return line
    values = np.concatenate([line.values, np.array(more, float)])
    past = np.zeros((len(values), line.past.shape[1]))
    return replace(line, values=values, past=past)


def _rows(values: Sequence[Any]) -> list[list[float]]:
    """Steps as lists of values, also where each is a single one."""
    return [list(one) if isinstance(one, list) else [one] for one in values]


def _refuse_short(panel: Panel, window: int, where: str) -> None:
    for line in panel.lines:
        if len(line) < window:
            name = f' of "{line.name}"' if line.name else ""
            raise InputError(f"{where}: {len(line)} steps{name}, and the model reads {window} before it forecasts")
