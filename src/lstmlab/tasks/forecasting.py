"""A window of the past to what comes next."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lstmlab import baselines, metrics
from lstmlab.data.corpus import Corpus, Dataset, Index
from lstmlab.data.load import Watch
from lstmlab.data.series import Scaler, SeriesSettings, load_series
from lstmlab.errors import InputError
from lstmlab.nn.forecaster import Forecaster, ForecasterSettings
from lstmlab.tasks.task import Recipe, Scores
from lstmlab.types import Batch, Example, Loss, Padded


class ForecastingRecipe(Recipe):
    """Settings of a forecaster."""

    data: SeriesSettings = SeriesSettings()
    model: ForecasterSettings = ForecasterSettings()

    def idle(self) -> dict[str, str]:
        """Without a validation part nothing can stall."""
        if self.data.valid_fraction > 0:
            return {}
        reason = "it looks at the validation part, and data.valid_fraction is 0"
        keys = ("patience", "optimizer.plateau_factor", "optimizer.plateau_patience")
        return {f"training.{key}": reason for key in keys}


@dataclass(frozen=True)
class EncodedWindows:
    """N scaled windows [N T] and what followed them [N S] (None where that is not known)."""

    values: NDArray[np.float32]
    targets: NDArray[np.float32] | None

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each window."""
        return np.full(len(self), self.values.shape[1], np.int64)

    def __len__(self) -> int:
        return len(self.values)


class Forecasting:
    """Row D7: the sine now; files and many series to come."""

    name: ClassVar[str] = "forecasting"
    Recipe: ClassVar[type[Recipe]] = ForecastingRecipe
    main_score: ClassVar[str] = "mae"

    def __init__(self, recipe: ForecastingRecipe, scaler: Scaler, differences: Mapping[str, float]) -> None:
        self.recipe = recipe
        self.scaler = scaler
        self.differences = dict(differences)

    @classmethod
    def load(cls, recipe: ForecastingRecipe, watch: Watch) -> Dataset:
        """The parts of the data the recipe names."""
        return load_series(recipe.data)

    @classmethod
    def prepare(cls, recipe: ForecastingRecipe, data: Dataset, watch: Watch = Watch()) -> "Forecasting":
        """Scaler and MASE's scale from the training windows alone."""
        past = _past(data.train)
        scaler = Scaler.fit(past) if recipe.data.scale == "standard" else Scaler()
        return cls(recipe, scaler, {"mase": float(metrics.mase_scale(past, recipe.data.season or 1))})

    @classmethod
    def restore(cls, recipe: ForecastingRecipe, saved: Mapping[str, Any]) -> "Forecasting":
        """The task that `saved` was written from."""
        return cls(recipe, Scaler(**saved["scaler"]), saved["differences"])

    def saved(self) -> dict[str, Any]:
        """The scaler."""
        return {"task": self.name, "scaler": asdict(self.scaler), "differences": self.differences}

    def encode(self, examples: Corpus | Sequence[Example], where: str) -> EncodedWindows:
        """Scaled windows. Refuses windows of another length than the model was trained on, and what is no number."""
        window = self.recipe.data.window
        rows = []
        for example in examples:
            place = f"{where}, window {example.id}"
            try:
                row = np.asarray(example.inputs, np.float64)
            except (TypeError, ValueError) as error:
                got = str(example.inputs)[:60]
                raise InputError(f"{place}: expected {window} numbers, got {got}") from error
            if row.shape != (window,):
                raise InputError(f"{place}: expected {window} numbers, got {row.size}")
            if not np.isfinite(row).all():
                at = int(np.isfinite(row).argmin())
                raise InputError(f"{place}: value {at + 1} is {row[at]}, which is no finite number")
            rows.append(row)
        targets = [example.target for example in examples]
        known = None if any(t is None for t in targets) else self.scaler.scale(np.array(targets)).astype(np.float32)
        return EncodedWindows(self.scaler.scale(np.array(rows)).astype(np.float32), known)

    def collate(self, encoded: EncodedWindows, index: Index) -> Batch:
        """Windows [B T 1] and targets [B S]."""
        values = torch.from_numpy(encoded.values[index])[:, :, None]
        targets = None if encoded.targets is None else torch.from_numpy(encoded.targets[index])
        lengths = torch.full((len(index),), values.shape[1], dtype=torch.long)
        return Batch(Padded(values, lengths), targets, torch.from_numpy(index))

    def build(self) -> nn.Module:
        """Recurrent layer and linear unit."""
        return Forecaster(self.recipe.model)

    def outputs(self, model: nn.Module, batch: Batch, done: float = 1.0) -> Tensor:
        """As many steps ahead as there are targets, or the recipe's horizon where there are none."""
        steps = self.recipe.data.horizon if batch.targets is None else batch.targets.shape[1]
        return model(batch.inputs, steps)

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """Squared error in scaled units."""
        rows = (outputs - batch.wanted).square().sum(1)
        return Loss(rows, outputs.numel())

    def tally(self, outputs: Tensor, batch: Batch) -> dict[str, tuple[float, int]]:
        """Absolute error of one batch, in the series' units."""
        return {"mae": (float((outputs - batch.wanted).abs().sum()) * self.scaler.deviation, outputs.numel())}

    def predict(
        self, model: nn.Module, encoded: EncodedWindows, outputs: NDArray[np.float32], watch: Watch = Watch()
    ) -> list[dict[str, Any]]:
        """Forecasts in the series' units."""
        return [{"prediction": row.tolist()} for row in self.scaler.restore(outputs.astype(np.float64))]

    def glance(self, model: nn.Module, encoded: EncodedWindows) -> list[dict[str, Any]]:
        """Nothing: the outputs say everything."""
        return []

    def score(
        self, outputs: NDArray[np.float32], encoded: EncodedWindows, answers: Sequence[Mapping[str, Any]] = ()
    ) -> Scores:
        """Errors in the series' units."""
        assert encoded.targets is not None
        return self._errors(
            self.scaler.restore(encoded.targets.astype(np.float64)), self.scaler.restore(outputs.astype(np.float64))
        )

    def _errors(self, targets: NDArray[np.float64], forecasts: NDArray[np.float64]) -> Scores:
        return {
            "mae": metrics.mae(targets, forecasts),
            "rmse": metrics.rmse(targets, forecasts),
            "smape": metrics.smape(targets, forecasts),
            "mase": metrics.mase(targets, forecasts, self.differences["mase"]),
        }

    def signatures(self, targets: Sequence[Any]) -> dict[str, str]:
        """None: the names of these scores say how they are computed."""
        return {}

    def baseline(self, train: Corpus, test: Corpus, watch: Watch = Watch()) -> dict[str, Scores]:
        """Naive forecasts of the test part from everything that came before it."""
        past, targets = np.array([example.meta["past"] for example in test]), np.array(test.targets)
        steps, season = targets.shape[1], self.recipe.data.season
        forecasts = {"last value": baselines.last_value(past, steps), "mean": baselines.mean(past, steps)}
        if season is not None:
            forecasts[f"seasonal naive ({season} steps)"] = baselines.seasonal_naive(past, steps, season)
        return {name: self._errors(targets, forecast) for name, forecast in forecasts.items()}

    def journey(self, example: Example) -> list[tuple[str, str]]:
        """Numbers → scaled → tensor."""
        batch = self.collate(self.encode([example], "the example"), np.zeros(1, np.int64))
        scaled = batch.inputs.values[0, :, 0].tolist()
        return [
            ("series", f"{_numbers(example.inputs)} → {_numbers(example.target)}"),
            ("scaled", _numbers(scaled)),
            ("tensor", f"{list(batch.inputs.values.shape)}: windows × steps × features"),
        ]


def _past(train: Corpus) -> NDArray[np.float64]:
    """The training series put together again from its windows: the first whole, then what each one adds."""
    inputs, targets = train.inputs, train.targets
    return np.array([*inputs[0], *(target[0] for target in targets), *targets[-1][1:]])


def _numbers(values: Sequence[float]) -> str:
    shown = ", ".join(f"{value:.4f}" for value in values[:6])
    return f"[{shown}{', …' if len(values) > 6 else ''}] ({len(values)} value{'s' * (len(values) != 1)})"
