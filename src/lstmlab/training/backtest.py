"""Rolling origins: what forecasts would have been worth, had they been made at several times one after the other.

Without refitting the trained model forecasts from every origin; with it a model is trained anew before each, on what
was known by then (Tashman 2000; Hyndman & Athanasopoulos 2021, section 5.10).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lstmlab.data.corpus import Dataset, Source
from lstmlab.data.load import Watch
from lstmlab.data.panel import Windows
from lstmlab.data.series import Cuts, read_series, windows_before
from lstmlab.data.timeline import shown
from lstmlab.errors import InputError
from lstmlab.tasks.forecasting import Forecasting
from lstmlab.training.evaluation import evaluate
from lstmlab.training.experiment import start_training
from lstmlab.training.inference import Predictor
from lstmlab.training.moment import Hooks


@dataclass(frozen=True)
class Origin:
    """The forecasts made at one time, of all series."""

    time: str
    """Of the first target (in the first series)."""
    windows: int
    mae: float
    naive: float
    """What the naive forecast misses by that is best over all origins."""
    rival: str
    """Its name."""

    @property
    def skill(self) -> float:
        """Share of the naive error that is saved; NaN where there is none to save."""
        return 1 - self.mae / self.naive if self.naive > 0 else float("nan")


def backtest(
    predictor: Predictor,
    origins: int = 10,
    *,
    refit: bool = False,
    allow: Callable[[Source], None] = lambda source: None,
    watch: Watch = Watch(),
) -> list[Origin]:
    """Errors at `origins` times spread evenly over the test part, in the series' units.

    `allow` may refuse data that is not what the run was trained on. Raises InputError for runs of another task, and
    where the test part has not so many origins.
    """
    task: Any = predictor.task
    if not isinstance(task, Forecasting):
        raise InputError(f"--backtest is for forecasts, and this run is of {task.name}")
    recipe = task.recipe
    panel, cuts, source = read_series(recipe.data, watch)
    allow(source)
    ends = np.array([len(line) for line in panel.lines])
    every = Windows.over(panel, recipe.data.window, recipe.data.horizon, cuts.test, ends)
    rounds = list(_rounds(every, cuts, origins))
    told = []
    for number, windows in enumerate(rounds):
        watch.progress("backtest", number, len(rounds))
        own, model = (task, predictor.model) if not refit else _refitted(task, windows, cuts, source, predictor.device)
        encoded = own.encode(windows, "the backtest")
        outputs = evaluate(model, own, encoded, predictor.device)[0]
        naive = {name: scores["mae"] for name, scores in task.rivals.scores(encoded).items()}
        first = panel.lines[windows.series[0]]
        told.append((shown(first.times[windows.origins[0]]), len(windows), own.score(outputs, encoded)["mae"], naive))
    names = [name for name in told[0][3] if all(name in naive for *_, naive in told)]
    rival = min(names, key=lambda name: float(np.mean([naive[name] for *_, naive in told])))
    return [Origin(when, count, mae, naive[rival], rival) for when, count, mae, naive in told]


def _rounds(every: Windows, cuts: Cuts, count: int) -> Iterator[Windows]:
    """For each origin one window of every series that is long enough: as far into its test part as the others'."""
    offsets = every.origins - cuts.test[every.series]
    last = int(offsets.max()) if len(every) else -1
    if last + 1 < count:
        raise InputError(
            f"the test part has {last + 1} origins, and {count} were asked for: --origins {max(last + 1, 1)} at most"
        )
    for offset in np.unique(np.linspace(0, last, count).round().astype(np.int64)):
        yield every.take(np.flatnonzero(offsets == offset))


def _refitted(
    task: Forecasting, windows: Windows, cuts: Cuts, source: Source, device: torch.device
) -> tuple[Forecasting, torch.nn.Module]:
    """A model that learned from everything before these windows' targets, its own validation part at the end."""
    recipe, panel = task.recipe, windows.panel
    stops = np.zeros(len(panel.lines), np.int64)
    stops[windows.series] = windows.origins
    held = cuts.test - cuts.valid
    # A series without a window here has not begun yet, or has ended: it is left out.
    train, valid = windows_before(panel, Cuts(np.maximum(stops - held, 0), stops), recipe.data, recipe.steps)
    data = Dataset(train, valid, windows, source)
    own = Forecasting.prepare(recipe, data)
    training = start_training(recipe, own, data, device, time.monotonic())
    best: dict[str, Tensor] = {}

    def keep(tensors: dict[str, Tensor], facts: dict[str, Any], chosen: bool) -> None:
        if chosen:
            best.update({name: value.detach().clone() for name, value in tensors.items()})

    training.run(Hooks(keep, lambda row: None))
    training.model.load_state_dict(best)
    return own, training.model


def mean(origins: list[Origin]) -> Origin:
    """All origins together, each counted once."""
    errors = [float(np.mean([getattr(one, name) for one in origins])) for name in ("mae", "naive")]
    return replace(origins[0], time="mean", windows=sum(one.windows for one in origins), mae=errors[0], naive=errors[1])
