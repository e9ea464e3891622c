"""The notebook of a forecaster."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from lstmlab.data import fetch
from lstmlab.data.datasets import named
from lstmlab.data.load import Watch
from lstmlab.data.panel import Panel
from lstmlab.data.series_settings import MADE, SeriesSettings
from lstmlab.notebook.layers import layer_facts, layer_name, refuse, unwritten
from lstmlab.notebook.sources import encoding, imports, named_facts
from lstmlab.notebook.training import loop_facts
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
    source = _series(data, train.panel)
    kept = dataset.valid is not None or settings.training.optimizer.average is not None
    valid_rows, test_rows = _rows(data, len(train.panel.lines[0]))
    return {
        "steps": recipe.steps,
        "data": {
            **source,
            **{name: getattr(data, name) for name in ("window", "horizon", "stride", "points", "end", "limit")},
            "scaled": data.scale == "standard",
            "test_stride": data.test_stride or data.horizon,
            "valid_rows": valid_rows,
            "test_rows": test_rows,
        },
        "imports": imports(source, ["copy"] if kept else []),
        "season": Forecasting.prepare(recipe, dataset, watch).rivals.season,
        "has_copy": data.name != "sine",
        "encoder": encoder,
        "cell": encoder["cell"],
        "model": model,
        **loop_facts(settings.training, ["mae"], "validate(scored)", better='-row["valid mae"]'),
        "has_valid": dataset.valid is not None,
    }


def _rows(data: SeriesSettings, length: int) -> tuple[int, int]:
    """Steps of the validation and of the test part."""
    if data.name == "sine":
        return int(data.points * data.valid_fraction), data.horizon
    official = (data.hints.valid_rows, data.hints.test_rows) if data.hints else (None, None)
    shares = (data.valid_fraction, data.test_fraction)
    valid, test = (
        int(np.round(length * share)) if rows is None else rows for rows, share in zip(official, shares, strict=True)
    )
    return valid, test


def _series(data: SeriesSettings, panel: Panel) -> dict[str, Any]:
    """Where the series comes from: a formula, or a column of a table. Raises InputError where a notebook's few lines
    would read something else.
    """
    if data.name in MADE:
        return {"kind": data.name, "made": True, "named": False, "unit": "value"}
    what = f"the series {data.name or data.path}"
    if len(panel.lines) > 1 or len(panel.targets) > 1 or panel.past or panel.future:
        raise unwritten(f"{what} with several columns or series, or a calendar", "a single column to forecast")
    if data.name is not None:
        chosen = named.NAMED[data.name]
        found = {
            **named_facts(chosen),
            "files": [remote.name for remote in chosen.files.layouts[0]],
            "encoding": "utf-8",
        }
        paths = list(fetch.get(chosen.files).values())
    else:
        if data.valid is not None or data.test is not None:
            raise unwritten("parts in files of their own", "a single file")
        paths = [Path(str(data.path))]
        found = {"named": False, "files": [paths[0].name], "encoding": encoding(data)}
    if any(path.suffix.lower() not in (".csv", ".tsv") for path in paths):
        raise unwritten(f"{what} in {paths[0].name}", "a .csv file")
    text = paths[0].read_text(encoding=found["encoding"])
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    column = str(panel.targets[0])
    if not _agrees(paths, found["encoding"], delimiter, column, panel):
        raise unwritten(f"{what}, whose rows are out of order, repeated or incomplete", "a complete table in order")
    told = "" if delimiter == "," else f", delimiter={delimiter!r}".replace("'", '"')
    return {**found, "kind": "table", "made": False, "target": column, "delimiter": told, "unit": column}


def _agrees(paths: list[Path], coding: str, delimiter: str, column: str, panel: Panel) -> bool:
    """Whether the rows as they stand are the series."""
    values: list[float] = []
    try:
        for path in paths:
            with path.open(encoding=coding, newline="") as file:
                values += [float(row[column].replace(",", "")) for row in csv.DictReader(file, delimiter=delimiter)]
    except (ValueError, KeyError, AttributeError, TypeError):
        return False
    return np.array_equal(values, panel.lines[0].values[:, 0])
