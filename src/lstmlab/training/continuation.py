"""Series carried on beyond their end: the forecasts somebody asks a finished run for."""

from collections.abc import Callable
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
from lstmlab.tasks.rolling import roll
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
    predictor: Predictor,
    file: Path | None = None,
    horizon: int | None = None,
    encoding: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[Continuation]:
    """Forecasts of `horizon` steps (the recipe's own where not given) after the end of every series of a file, or of
    the data the run was trained on.

    Where the model gives fewer steps at once, it goes on from its own forecasts. Series shorter than its window are
    left out, which is told to `say`. Raises InputError where none is left, and where columns of the past would have to
    be known ahead.
    """
    task: Any = predictor.task
    if not isinstance(task, Forecasting):
        raise InputError(f"only forecasts go on beyond the data, and this run is of {task.name}")
    steps = horizon or task.recipe.data.horizon
    panel = read_on(task.recipe.data, file, encoding, steps, task.step)
    panel = _long(panel, task.recipe.data.window, str(file or task.recipe.data.name or task.recipe.data.path), say)
    at_once = min(steps, task.most or steps)
    if at_once < steps and panel.past:
        raise InputError(
            f"this model forecasts {at_once} steps at once, and to go on it would need {', '.join(panel.past)} ahead: "
            f"ask for --horizon {at_once} at most"
        )

    def ask(windows: Windows) -> list[dict[str, Any]]:
        asked = task.reaching(windows.horizon)
        encoded = asked.encode(windows, "the data")
        return asked.predict(predictor.model, encoded, evaluate(predictor.model, asked, encoded, predictor.device)[0])

    found = roll(panel, task.recipe.data.window, steps, at_once, ask)
    return [
        Continuation(
            line.name,
            panel.targets,
            tuple(map(shown, line.times[len(line) :] if len(line.times) > len(line) else _on(panel, line, steps))),
            tuple(map(tuple, told.values)),
            {level: tuple(map(tuple, rows)) for level, rows in told.quantiles.items()},
        )
        for told, line in zip(found, panel.lines, strict=True)
    ]


def _on(panel: Panel, line: Line, steps: int) -> Times:
    """The times after a computed series, which knows none."""
    return panel.step.after(line.times[-1:], np.arange(1, steps + 1))


def _long(panel: Panel, window: int, where: str, say: Callable[[str], None]) -> Panel:
    """The series that fill a window."""
    short = [line for line in panel.lines if len(line) < window]
    if not short:
        return panel
    first = max(short, key=len)
    name = f' of "{first.name}"' if first.name else ""
    told = f"{where}: {len(first)} steps{name}, and the model reads {window} before it forecasts"
    if len(short) == len(panel.lines):
        raise InputError(told)
    say(f"{told} ({len(short)} of {len(panel.lines)} series are left out)")
    return replace(panel, lines=tuple(line for line in panel.lines if len(line) >= window))
