"""The notebook of a language model."""

import math
from pathlib import Path
from typing import Any

from lstmlab.data.datasets import named
from lstmlab.data.load import Watch
from lstmlab.data.prose import ProseData
from lstmlab.notebook import tokens
from lstmlab.notebook.layers import layer_facts, layer_name, refuse, unwritten
from lstmlab.notebook.sources import encoding, imports, named_facts
from lstmlab.notebook.training import loop_facts
from lstmlab.tasks.language_model import LanguageModelling, LanguageModelRecipe

TEMPLATE = "language_model.py.jinja"
FROMS = ("from collections import Counter, defaultdict",)
SMALL = {"data.limit": 4000, "model.encoder.hidden_size": 128}


def kind(recipe: LanguageModelRecipe) -> str:
    """What is built."""
    return f"a language model with {layer_name(recipe.model.encoder)}"


def next_steps(recipe: LanguageModelRecipe) -> list[str]:
    """What to try with it."""
    return [
        "More units (`HIDDEN`) with more dropout, then a second layer: where does the validation loss stop falling?",
        "A longer `STEPS`: the gradient then reaches further back. Does the context become worth more?",
        "A GRU or a plain RNN at equal numbers to learn: the plain one forgets within a few dozen tokens.",
        "Pieces of words instead of characters: fewer steps, longer memory, and a larger softmax.",
        "Train with several seeds and report mean and spread.",
    ]


def small(recipe: LanguageModelRecipe) -> dict[str, Any]:
    """Settings for a quick look."""
    settings: Any = recipe
    limit = min(recipe.data.limit or SMALL["data.limit"], SMALL["data.limit"])
    units = min(recipe.model.encoder.hidden_size, SMALL["model.encoder.hidden_size"])
    epochs = min(settings.training.epochs or 2, 2)
    return {"training.epochs": epochs, "data.limit": limit, "model.encoder.hidden_size": units}


def facts(recipe: LanguageModelRecipe, quick: bool, watch: Watch = Watch()) -> dict[str, Any]:
    """What the template needs. Raises InputError for settings it has no words for."""
    settings: Any = recipe
    model, text = recipe.model, recipe.text
    if text.level == "subword":
        raise unwritten("text.level=subword for a language model", "text.level=character or text.level=word")
    refuse(model, ("output",), "model")
    if model.encoder.num_layers > 1 and model.encoder.dropout:
        raise unwritten("model.encoder.dropout between layers of a language model", "encoder.dropout=0")
    encoder = layer_facts(model.encoder, handed_over=True)
    source = _source(recipe.data)
    dataset = LanguageModelling.load(recipe, watch)
    tokens.check(text, dataset.train.inputs)
    size = LanguageModelling.prepare(recipe, dataset, watch).encoder.size
    characters = text.level == "character"
    return {
        "data": {
            **source,
            **{name: getattr(recipe.data, name) for name in ("test_fraction", "valid_fraction", "limit")},
        },
        "imports": imports(source, ["copy"] if characters else ["copy", "re"], FROMS),
        "text": text,
        "pattern": tokens.pattern(text, dataset.train.inputs),
        "unit": "character" if characters else "word",
        "encoder": encoder,
        "cell": encoder["cell"],
        "cell_line": encoder["cell"]["title"] + (f", {encoder['num_layers']} layers" * (encoder["num_layers"] > 1)),
        "lstm": encoder["cell"]["states"] == ("h", "c"),
        "model": model,
        "embedding": model.embedding,
        "readout": model.tied and encoder["hidden_size"] != model.embedding.size,
        "bptt": recipe.bptt,
        "passage": recipe.passage,
        "blind": math.log(size),
        "order": 5 if characters else 3,
        "prime": 60,
        "shown": 90 if characters else 20,
        "length": 400 if characters else 80,
        "passage_shown": 90 if characters else 50,
        "cold": 128 if characters else 64,
        "cold_length": 300 if characters else 100,
        **loop_facts(settings.training, ["token accuracy"], "measure(scored, valid_ids)", better='-row["valid loss"]'),
    }


def _source(data: ProseData) -> dict[str, Any]:
    """Where the text comes from."""
    if data.name is not None:
        chosen = named.find(data.name)
        if data.name != "tinyshakespeare":
            raise unwritten(f"the data set {data.name} for a language model", "data.name=tinyshakespeare")
        return {**named_facts(chosen), "encoding": "utf-8"}
    files = data.files()
    path = files["train"]
    if len(files) > 1 or path.is_dir():
        raise unwritten("a text in several files", "a single text file")
    if path.suffix.lower() == ".gz":
        raise unwritten(f"data in {path.name}", "a plain text file")
    return {"named": False, "file": Path(path).name, "encoding": encoding(data)}
