"""The notebook of a classifier of sequences of numbers."""

import math
from pathlib import Path
from typing import Any

from lstmlab.data import load
from lstmlab.data.datasets import files, named
from lstmlab.data.datasets.numbers import numeric_share
from lstmlab.data.load import DataSettings, Watch
from lstmlab.notebook.layers import layer_facts, layer_name, refuse, unwritten
from lstmlab.notebook.sources import imports, label_parts, named_facts, rows, table_facts
from lstmlab.notebook.training import loop_facts
from lstmlab.notebook.words import features_line, poolings
from lstmlab.tasks.classification import ClassificationRecipe, TextClassification

TEMPLATE = "signals.py.jinja"
FROMS = ("from collections import Counter", "from dataclasses import dataclass")
INDOOR = ("anchor 1", "anchor 2", "anchor 3", "anchor 4")
"""What the four numbers of indoor-movement are: signal strengths of four radio anchors."""
SMALL = 20
"""Epochs at the small size."""


def kind(recipe: ClassificationRecipe) -> str:
    """What is built."""
    return f"a classifier of sequences with {layer_name(recipe.model.encoder)}"


def next_steps(recipe: ClassificationRecipe) -> list[str]:
    """What to try with it."""
    return [
        "Train with several seeds, and with every fold as the test part in turn: on so few sequences one score says "
        "little.",
        "Exchange the LSTM for a GRU, or for a convolution of equal size: does it take a memory, or do shapes do?",
        "Add noise to the measurements in training, or shift them a little: sensors never read the same twice.",
        "Leave out one of the measurements at a time and train anew: which of them are needed?",
        "Tell the classifier more about change: differences between steps beside the values.",
    ]


def small(recipe: ClassificationRecipe) -> dict[str, Any]:
    """Settings for a quick look."""
    settings: Any = recipe
    return {"training.epochs": min(settings.training.epochs or SMALL, SMALL)}


def facts(recipe: ClassificationRecipe, quick: bool, watch: Watch = Watch()) -> dict[str, Any]:
    """What the template needs. Raises InputError for settings it has no words for."""
    settings: Any = recipe
    model, data = recipe.model, recipe.data
    refuse(model, ("segment_length",), "model")
    encoder = layer_facts(model.encoder)
    source = _source(data, recipe.parts_seed, watch)
    dataset = TextClassification.load(recipe, watch)
    labels = sorted(set(dataset.train.targets))
    count = len(source["features"])
    assert dataset.test is not None
    assert dataset.valid is not None
    return {
        "data": {**source, **label_parts(data, source["parts"], len(dataset.test), None, "sequences")},
        "imports": imports(source, ["copy", *(["io", "zipfile"] if source["named"] else [])], FROMS),
        "count": count,
        "valid_count": len(dataset.valid),
        "encoder": encoder,
        "cell": encoder["cell"],
        "model": model,
        "single_unit": model.single_unit,
        "pooling_line": f"{' and '.join(model.pooling)} over the steps",
        "features": features_line(model.pooling, encoder["bidirectional"]),
        "outputs": 1 if model.single_unit else len(labels),
        "outputs_code": "1" if model.single_unit else "len(names)",
        "model_words": poolings(model, "sequence"),
        "label_names": labels,
        "blind": math.log(len(labels)),
        "confusion_size": round(min(max(len(labels) * 0.8 + 2.5, 4), 12), 1),
        **loop_facts(settings.training, ["accuracy"], "measure(scored, valid)"),
    }


def _source(data: DataSettings, seed: int, watch: Watch) -> dict[str, Any]:
    """Where the sequences come from. Raises InputError where a notebook's few lines would read something else."""
    if data.name is not None:
        if data.name != "indoor-movement":
            raise unwritten(f"the data set {data.name}", "data.name=indoor-movement")
        return {**named_facts(named.NAMED[data.name]), "kind": "indoor", "features": INDOOR}
    source = table_facts(data)
    frame = files.read_table(data.files()["train"], encoding=data.encoding)
    names = [one for one in frame.columns if one not in (data.sequence, data.label) and numeric_share(frame[one]) > 0.5]
    parts, _ = load.read(data, seed, watch)
    for part, file in data.files().items():
        if _read(file, data, names) != (parts[part].inputs, parts[part].targets):
            raise unwritten(f"{file.name}, whose numbers or labels are not plainly written", "plain numbers: 0.5, -3")
    return {**source, "features": names, "sequence": data.sequence, "label": data.label}


def _read(file: Path, data: DataSettings, names: list[str]) -> tuple[list[Any], list[str]] | None:
    """Inputs and targets as the notebook reads them; None where it cannot."""
    found: dict[str, tuple[list[list[float]], str]] = {}
    try:
        for row in rows(file, data):
            steps, _ = found.setdefault(str(row[str(data.sequence)]).strip(), ([], str(row[str(data.label)]).strip()))
            steps.append([float(row[name]) for name in names])
    except (ValueError, KeyError, TypeError):
        return None
    return [steps for steps, _ in found.values()], [label for _, label in found.values()]
