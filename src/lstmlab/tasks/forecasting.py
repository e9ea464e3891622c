"""Windows of the past to what comes next."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import model_validator
from torch import Tensor, nn

from lstmlab import metrics
from lstmlab.data.corpus import Dataset, Index
from lstmlab.data.datasets.times import Step
from lstmlab.data.load import Watch
from lstmlab.data.panel import Line, Panel, Windows, plain
from lstmlab.data.scaler import Scaler
from lstmlab.data.series import load_series
from lstmlab.data.series_settings import SeriesSettings
from lstmlab.data.timeline import shown
from lstmlab.errors import InputError
from lstmlab.nn.forecaster import Forecaster, ForecasterSettings, Sizes
from lstmlab.tasks import past
from lstmlab.tasks.forcing import TeacherForcing
from lstmlab.tasks.rolling import roll
from lstmlab.tasks.task import Recipe, Scores
from lstmlab.tasks.windows import EncodedWindows, Scalers
from lstmlab.types import Batch, Example, Loss

KEPT = 200
"""Windows of a test part whose forecasts are written down, evenly spread; scores are of all."""
FREE, FREE_LEAST, FREE_MOST = 6, 100, 1000
"""How far the model is followed on its own forecasts: this many horizons, at least and at most this many steps."""
INTERVAL = 0.9
"""The interval that is told of a normal distribution: the middle 90 %."""


class ForecastingRecipe(Recipe):
    """Settings of a forecaster."""

    data: SeriesSettings = SeriesSettings()
    model: ForecasterSettings = ForecasterSettings()
    teacher_forcing: TeacherForcing = TeacherForcing()

    @property
    def unmeasured(self) -> str | None:
        """All that comes before the test part may be trained on."""
        return "data.valid_fraction is 0" if self.data.valid_fraction == 0 and self.data.valid is None else None

    def idle(self) -> dict[str, str]:
        """Without a validation part nothing can stall; what only a decoder has; steps that are all forecast at once."""
        reasons = super().idle() | {"split_seed": "series are parted by time, and nothing is drawn"}
        strategy = self.model.strategy
        if strategy != "decoder":
            told = f"it is for a decoder, and model.strategy is {strategy}"
            reasons |= {f"teacher_forcing.{key}": told for key in ("ratio", "final_ratio", "schedule")}
        if strategy in ("direct", "parallel"):
            reasons["data.steps"] = f"strategy={strategy} forecasts all of data.horizon at once"
        return reasons

    @model_validator(mode="after")
    def _segments_fit(self) -> "ForecastingRecipe":
        if self.model.segment > self.data.window:
            raise ValueError(f"model.segment ({self.model.segment}) is more than data.window ({self.data.window})")
        if self.model.highway > self.data.window:
            raise ValueError(f"model.highway ({self.model.highway}) is more than data.window ({self.data.window})")
        return self

    @property
    def steps(self) -> int:
        """Steps ahead in a training window."""
        own = 1 if self.model.strategy == "recursive" else self.data.horizon
        return own if self.model.strategy in ("direct", "parallel") else self.data.steps or own


class Forecasting:
    """Row D7: the sine, prices, weather, sensors, and any series of one's own."""

    name: ClassVar[str] = "forecasting"
    Recipe: ClassVar[type[Recipe]] = ForecastingRecipe
    main_scores: ClassVar[tuple[str, ...]] = ("mae",)

    def __init__(
        self,
        recipe: ForecastingRecipe,
        scalers: Scalers,
        rivals: past.Rivals,
        sizes: Sizes,
        *,
        step: Step,
        masked: bool = False,
    ) -> None:
        self.recipe = recipe
        self.step = step
        self.scalers = scalers
        self.rivals = rivals
        self.sizes = sizes
        self.masked = masked

    @classmethod
    def load(cls, recipe: ForecastingRecipe, watch: Watch) -> Dataset:
        """The parts of the data the recipe names."""
        return load_series(recipe.data, recipe.steps, watch)

    @classmethod
    def prepare(cls, recipe: ForecastingRecipe, data: Dataset, watch: Watch = Watch()) -> "Forecasting":
        """Scalers and MASE's scales from the training windows alone."""
        train: Any = data.train
        panel = train.panel
        masked = any(np.isnan(line.read).any() for line in panel.lines)
        _refuse_unknowable(recipe, panel)
        scalers = Scalers.fit(train, scaled=recipe.data.scale == "standard")
        rivals = past.Rivals.fit(train, recipe.data.season, recipe.data.hints)
        channels = len(panel.targets)
        sizes = Sizes(
            channels,
            channels * masked + len(panel.past),
            len(panel.future),
            recipe.data.horizon,
            len(scalers.names),
        )
        return cls(recipe, scalers, rivals, sizes, step=panel.step, masked=masked)

    @classmethod
    def restore(cls, recipe: ForecastingRecipe, saved: Mapping[str, Any]) -> "Forecasting":
        """The task that `saved` was written from."""
        scaled = {
            name: Scaler(np.array(one["mean"], ndmin=2), np.array(one["deviation"], ndmin=2))
            for name, one in saved["scalers"].items()
        }
        scalers = Scalers(tuple(saved["series"]), **scaled)
        rivals, sizes = past.Rivals.from_json(saved["rivals"]), Sizes(**saved["sizes"])
        return cls(recipe, scalers, rivals, sizes, step=Step(**saved["step"]), masked=saved["masked"])

    def saved(self) -> dict[str, Any]:
        """Scalers, and what scores are measured against."""
        scalers = {name: getattr(self.scalers, name) for name in ("values", "past", "future")}
        return {
            "task": self.name,
            "series": list(self.scalers.names),
            "scalers": {
                name: {"mean": one.mean.tolist(), "deviation": one.deviation.tolist()} for name, one in scalers.items()
            },
            "rivals": self.rivals.to_json(),
            "sizes": vars(self.sizes),
            "step": vars(self.step),
            "masked": self.masked,
        }

    def encode(self, examples: Windows | Sequence[Example], where: str) -> EncodedWindows:
        """Scaled windows. Refuses too few numbers, and what is no number."""
        windows = examples if isinstance(examples, Windows) else self._windows(examples, where)
        scaled = self.recipe.data.scale == "standard"
        return EncodedWindows.of(windows, self.scalers, masked=self.masked, scaled=scaled)

    def _windows(self, examples: Sequence[Example], where: str) -> Windows:
        """Plain numbers as series of their own, each with a window at its end."""
        context, horizon = self.recipe.data.window, self.recipe.data.horizon
        if self.sizes.channels > 1 or self.sizes.beside > self.masked or self.sizes.ahead:
            raise InputError(f"{where}: this run reads more than one column: give a table with --input FILE")
        lines = []
        for example in examples:
            place = f"{where}, window {example.id}"
            row = _numbers_in(example.inputs, context, place)
            asked = [] if example.target is None else _numbers_in(example.target, 1, place)
            values = np.array([*row[-context:], *asked])[:, None]
            nothing = np.zeros((len(values), 0))
            lines.append(Line(str(example.meta.get("series", "")), np.arange(len(values)), values, nothing, nothing))
        steps = {len(line) - context for line in lines}
        if len(steps) > 1:
            raise ValueError(f"{where}: targets of different lengths: {sorted(steps)}")
        ahead = steps.pop() or horizon
        panel = Panel(tuple(lines), ("value",), (), (), Step(numbers=1))
        return Windows(panel, np.arange(len(lines)), np.full(len(lines), context), context, ahead)

    def reaching(self, horizon: int) -> "Forecasting":
        """The same task asked for another number of steps; itself where `most` fixes their number."""
        if self.most:
            return self
        data = self.recipe.data.model_copy(update={"horizon": horizon})
        recipe = self.recipe.model_copy(update={"data": data})
        return Forecasting(recipe, self.scalers, self.rivals, self.sizes, step=self.step, masked=self.masked)

    @property
    def most(self) -> int | None:
        """The most steps ahead it can forecast at once; None for any number."""
        return self.sizes.horizon if self.recipe.model.strategy in ("direct", "parallel") else None

    def collate(self, encoded: EncodedWindows, index: Index) -> Batch:
        """Steps read [B T X], what is known ahead [B S F], targets [B S C]."""
        return encoded.batch(index)

    def build(self) -> nn.Module:
        """Encoder, and what its strategy needs to forecast."""
        return Forecaster(self.recipe.model, self.sizes)

    def outputs(self, model: nn.Module, batch: Batch, done: float = 1.0) -> Tensor:
        """As many steps ahead as there are targets, or the recipe's horizon where there are none: [B S C Q]."""
        steps = self.recipe.data.horizon if batch.targets is None else batch.targets.shape[1]
        return model(
            batch.inputs,
            steps,
            ahead=None if batch.second is None else batch.second.values,
            series=batch.series,
            truth=batch.targets if model.training else None,
            forced=self.recipe.teacher_forcing.at(done) if model.training else 0.0,
        )

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """What the head costs, in scaled units, summed over values that are there."""
        wanted = batch.wanted
        rows = self.recipe.model.errors(outputs, wanted).sum((1, 2))
        return Loss(rows, int((~wanted.isnan()).sum()))

    def tally(self, outputs: Tensor, batch: Batch) -> dict[str, tuple[float, int]]:
        """Absolute error of one batch, in the series' units."""
        wanted = batch.wanted
        gap = (self.recipe.model.middle(outputs) - wanted).abs().nan_to_num()
        assert batch.series is not None
        deviation = torch.from_numpy(self.scalers.values.deviation).to(gap)[batch.series]
        return {"mae": (float((gap * deviation[:, None]).sum()), int((~wanted.isnan()).sum()))}

    def predict(
        self, model: nn.Module, encoded: EncodedWindows, outputs: NDArray[np.float32], watch: Watch = Watch()
    ) -> list[Any]:
        """Forecasts in the series' units, with their intervals where the head has some. Of many windows with known
        answers, which are for scores, only some are told; the others are None.
        """
        said = self._said(outputs, encoded)
        middle, levels = said["middle"], said["levels"]
        kept = np.arange(len(encoded))
        if encoded.answered and len(encoded) > KEPT:
            kept = np.unique(np.linspace(0, len(encoded) - 1, KEPT).round().astype(np.int64))
        told: list[Any] = [None] * len(encoded)
        for at in kept:
            told[at] = {"prediction": plain(middle[at])}
            if levels:
                told[at]["quantiles"] = {str(level): plain(values[at]) for level, values in levels.items()}
        return told

    def _said(self, outputs: NDArray[np.float32], encoded: EncodedWindows) -> dict[str, Any]:
        """Forecasts and quantiles in the series' units [N S C]."""
        head = self.recipe.model
        read = head.levels(torch.from_numpy(np.asarray(outputs)))
        values = read.double().numpy()
        middle = encoded.restored(head.middle(read).double().numpy())
        if head.head == "quantile":
            whole = encoded.restored(values)
            return {"middle": middle, "levels": {q: whole[..., at] for at, q in enumerate(head.quantiles)}}
        if head.head == "gaussian":
            deviation = encoded.restored(values[..., 1], spread=True)
            edge = 1.6448536269514722 * deviation
            low, high = (round(0.5 - sign * INTERVAL / 2, 4) for sign in (1, -1))
            return {"middle": middle, "levels": {low: middle - edge, 0.5: middle, high: middle + edge}}
        return {"middle": middle, "levels": {}}

    def glance(self, model: nn.Module, encoded: EncodedWindows) -> list[dict[str, Any]]:
        """Nothing: the outputs say everything."""
        return []

    def score(
        self, outputs: NDArray[np.float32], encoded: EncodedWindows, answers: Sequence[Mapping[str, Any]] = ()
    ) -> Scores:
        """Errors in the series' units, and in scaled ones, in which several series can be told together."""
        said, truth = self._said(outputs, encoded), encoded.truth
        found = self.rivals.errors(encoded, said["middle"])
        found["skill"] = self.rivals.skill(encoded, found["mae"])
        there = ~np.isnan(truth)
        levels: dict[float, NDArray[np.float64]] = said["levels"]
        if levels:
            every = np.stack([values[there] for values in levels.values()], -1)
            found["quantile_loss"] = metrics.quantile_loss(truth[there], every, list(levels))
            if len(levels) > 1:
                found["coverage"] = metrics.coverage(truth[there], every[:, 0], every[:, -1])
        return found

    def signatures(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """None: the names of these scores say how they are computed."""
        return {}

    def details(self, model: nn.Module, outputs: NDArray[np.float32], encoded: EncodedWindows) -> dict[str, Any]:
        """Errors by step ahead beside the naive forecasts', whether the forecast is the last value, shifted, what is
        left over by time and step, and how the model goes on from its own forecasts.
        """
        said = self._said(outputs, encoded)["middle"]
        found = self.rivals.details(encoded, said) | {"residuals": past.residuals(encoded, said)}
        return found | ({"free_run": run} if (run := self._free_run(model, encoded)) else {})

    def _free_run(self, model: nn.Module, encoded: EncodedWindows) -> dict[str, Any]:
        """From the first test window on with nothing but its own forecasts, beside the truth; {} where columns of the
        past would be needed. Of the first series, and of values forecast together the first.
        """
        windows = encoded.windows
        line, origin = windows.panel.lines[windows.series[0]], int(windows.origins[0])
        steps = min(len(line) - origin, max(FREE * windows.horizon, FREE_LEAST), FREE_MOST)
        if windows.panel.past or steps <= windows.horizon:
            return {}

        def ask(asked: Windows) -> list[dict[str, Any]]:
            task = self.reaching(asked.horizon)
            own = task.encode(asked, "the test part")
            batch = task.collate(own, np.zeros(1, np.int64)).to(next(model.parameters()).device)
            with torch.inference_mode():
                return task.predict(model, own, task.outputs(model, batch).float().cpu().numpy())

        one = replace(windows.panel, lines=(line.until(origin),))
        told = roll(one, windows.context, steps, min(steps, self.most or steps), ask)[0]
        return {
            "series": line.name,
            "times": [shown(line.times[origin]), shown(line.times[origin + steps - 1])],
            "at_once": self.most,
            "truth": plain(line.values[origin : origin + steps, :1]),
            "prediction": plain(np.array(told.values)[:, :1]),
        }

    def baseline(self, train: Any, test: Any, watch: Watch = Watch()) -> dict[str, Scores]:
        """Naive forecasts of the test part from everything that came before each window."""
        encoded = self.encode(test, "the test part")
        return self.rivals.scores(encoded)

    def journey(self, example: Example) -> list[tuple[str, str]]:
        """Numbers → what a window is."""
        sizes, context = self.sizes, self.recipe.data.window
        width = sizes.channels + sizes.beside + sizes.ahead
        read = np.array(example.inputs, float).reshape(context, -1)
        row = self.scalers.values
        scaled = ((read - row.mean[0]) / row.deviation[0]).ravel()
        return [
            ("series", f"{_numbers(read.ravel())} → {_numbers(np.ravel(np.array(example.target, float)))}"),
            ("scaled", _numbers(scaled)),
            ("tensor", f"[1, {context}, {width}]: windows × steps × numbers of a step"),
        ]


def _refuse_unknowable(recipe: ForecastingRecipe, panel: Panel) -> None:
    """Fed with its own forecasts, a model would need to forecast what is known of the past only, too."""
    if recipe.model.strategy == "recursive" and panel.past:
        names = ", ".join(panel.past)
        raise InputError(
            f"strategy=recursive feeds forecasts back, and {names} will not be known then: take strategy=direct, "
            "decoder or parallel, or leave them out with past=[]"
        )


def _numbers_in(given: Any, least: int, where: str) -> list[float]:
    try:
        row = np.asarray(given, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: expected {least} numbers, got {str(given)[:60]}") from error
    if row.ndim != 1 or len(row) < least:
        raise InputError(f"{where}: expected {least} numbers, got {row.size}")
    if not np.isfinite(row).all():
        at = int(np.isfinite(row).argmin())
        raise InputError(f"{where}: value {at + 1} is {row[at]}, which is no finite number")
    return row.tolist()


def _numbers(values: NDArray[np.float64]) -> str:
    shown = ", ".join("–" if np.isnan(value) else f"{value:.4f}" for value in values[:6])
    return f"[{shown}{', …' if len(values) > 6 else ''}] ({len(values)} value{'s' * (len(values) != 1)})"
