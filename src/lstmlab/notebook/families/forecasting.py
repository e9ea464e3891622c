"""The notebook of a forecaster."""

from typing import Any

import numpy as np

from lstmlab.data.load import Watch
from lstmlab.data.series_settings import SeriesSettings
from lstmlab.notebook.layers import layer_facts, layer_name, refuse, unwritten
from lstmlab.notebook.training import optimizer_facts, training_facts, training_words
from lstmlab.tasks.forecasting import Forecasting, ForecastingRecipe

TEMPLATE = "forecasting.py.jinja"
UNWRITTEN = ("head", "segment", "growth", "highway", "input_noise", "series_size")


def kind(recipe: ForecastingRecipe) -> str:
    """What is built."""
    return f"a forecaster with {layer_name(recipe.model.encoder)}"


def next_steps(recipe: ForecastingRecipe) -> list[str]:
    """What to try with it."""
    told = [
        "Change `WINDOW`: a window shorter than a season cannot show it; a longer one costs time.",
        "Change `HIDDEN`, or add a second layer: does the error fall by more than it changes with another `SEED`?",
        "Train with several seeds and report mean and spread: one run can be lucky.",
    ]
    if recipe.model.strategy == "recursive":
        told.append(
            "Train on several steps ahead (`STEPS`), so that the model learns from what its own errors lead to."
        )
    else:
        told.append("Compare with forecasting one step at a time, each window ending with the forecast before.")
    return told


def small(recipe: ForecastingRecipe) -> dict[str, Any]:
    """Settings for a quick look."""
    settings: Any = recipe
    return {"training.epochs": min(settings.training.epochs or 20, 20)}


def facts(recipe: ForecastingRecipe, quick: bool, watch: Watch = Watch()) -> dict[str, Any]:
    """What the template needs. Raises InputError for settings it has no words for."""
    settings: Any = recipe
    model, data = recipe.model, recipe.data
    if model.strategy not in ("recursive", "direct"):
        raise unwritten(f"model.strategy={model.strategy}", "strategy=direct or strategy=recursive")
    refuse(model, UNWRITTEN, "model")
    encoder = layer_facts(model.encoder)
    dataset = Forecasting.load(recipe, watch)
    train: Any = dataset.train
    valid_rows, test_rows = _rows(data, len(train.panel.lines[0]))
    return {
        "steps": recipe.steps,
        "data": {
            **_series(data),
            **{name: getattr(data, name) for name in ("window", "horizon", "stride", "points", "end", "limit")},
            "scaled": data.scale == "standard",
            "test_stride": data.test_stride or data.horizon,
            "valid_rows": valid_rows,
            "test_rows": test_rows,
        },
        "has_valid": dataset.valid is not None,
        "season": Forecasting.prepare(recipe, dataset, watch).rivals.season,
        "has_copy": data.name != "sine",
        "encoder": encoder,
        "cell": encoder["cell"],
        "model": model,
        "training": training_facts(settings.training),
        "training_words": training_words(settings.training),
        "optimizer": optimizer_facts(settings.training.optimizer),
        "score": {
            "name": "mae",
            "valid": 'row["valid loss"], row["valid mae"] = validate(scored)',
        },
        "best_by": '-row["valid loss"]' if settings.training.best == "loss" else '-row["valid mae"]',
    }


def _rows(data: SeriesSettings, length: int) -> tuple[int, int]:
    """Steps of the validation and of the test part."""
    if data.name == "sine":
        return int(data.points * data.valid_fraction), data.horizon
    return int(np.round(length * data.valid_fraction)), int(np.round(length * data.test_fraction))


def _series(data: SeriesSettings) -> dict[str, Any]:
    """Where the series comes from: a formula, or a column of one's own table."""
    if data.name in ("sine", "waves"):
        return {"kind": data.name, "made": True, "file": None, "unit": "value"}
    raise unwritten(f"the series {data.name or data.path}", "data.name=sine or data.name=waves")
