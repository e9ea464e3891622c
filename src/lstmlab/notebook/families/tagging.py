"""The notebook of a tagger of words."""

import math
from pathlib import Path
from typing import Any

from lstmlab.data.contents import read_text
from lstmlab.data.datasets import named
from lstmlab.data.datasets.tagged import CONLLU
from lstmlab.data.load import Watch
from lstmlab.data.tagging import TaggingData
from lstmlab.notebook.layers import layer_facts, layer_name, refuse, unwritten
from lstmlab.notebook.sources import named_facts
from lstmlab.notebook.training import optimizer_facts, training_facts, training_words
from lstmlab.tasks.tagging import Tagging, TaggingRecipe

TEMPLATE = "tagging.py.jinja"
SMALL = 800
"""Sentences at the small size."""


def kind(recipe: TaggingRecipe) -> str:
    """What is built."""
    crf = " and a CRF" if recipe.model.output == "crf" else ""
    return f"a tagger of words with {layer_name(recipe.model.encoder)}{crf}"


def next_steps(recipe: TaggingRecipe) -> list[str]:
    """What to try with it."""
    told = [
        "Leave out the letters, then the endings, then the shape: what does each of them give, and on which words?",
        "Begin with word vectors learned from much more text (GloVe, fastText): they know rare words already.",
        "Train with several seeds and report mean and spread: a tenth of a point may be chance.",
    ]
    if recipe.model.output == "softmax":
        told.insert(1, "Add a CRF: it pays most where tags depend on each other (names of several words).")
    return told


def small(recipe: TaggingRecipe) -> dict[str, Any]:
    """Settings for a quick look."""
    settings: Any = recipe
    return {
        "training.epochs": min(settings.training.epochs or 2, 2),
        "data.limit": min(recipe.data.limit or SMALL, SMALL),
    }


def facts(recipe: TaggingRecipe, quick: bool, watch: Watch = Watch()) -> dict[str, Any]:
    """What the template needs. Raises InputError for settings it has no words for."""
    settings: Any = recipe
    model, words = recipe.model, recipe.words
    refuse(model, ("neighbours",), "model")
    refuse(words, ("addresses",), "words")
    refuse(recipe.data, ("repair", "join_valid"), "data")
    letters = None if model.letters.kind == "none" else model.letters
    if model.letters.kind == "cnn":
        raise unwritten("model.letters.kind=cnn", "letters.kind=lstm")
    encoder = layer_facts(model.encoder)
    starts = (model.encoder.initialisation, model.encoder.forget_bias, model.encoder.second_bias)
    if letters is not None and (starts != ("torch", None, False) or encoder["cell"]["inner"] is not None):
        raise unwritten("letters beside an encoder that starts in another way than they do", "letters.kind=none")
    dataset = Tagging.load(recipe, watch)
    task = Tagging.prepare(recipe, dataset, watch)
    if task.scheme != "plain":
        raise unwritten("tags that mark spans (names)", "tags of single words, such as parts of speech")
    source = _source(recipe.data)
    suffixes = words.suffixes if model.words.suffix_size else ()
    beside = [model.words.shape_size] * bool(model.words.shape_size) + [model.words.suffix_size] * len(suffixes)
    sizes = [model.words.size, *beside]
    assert dataset.test is not None
    parts = source["parts"]
    draws = "test" not in parts or "valid" not in parts or recipe.data.limit is not None
    return {
        "data": {
            **source,
            **{name: getattr(recipe.data, name) for name in ("test_fraction", "valid_fraction", "limit")},
            "draws": draws,
            "splits_test": "test" not in parts,
            "splits_valid": "valid" not in parts,
            "test_step": max(len(dataset.test) // 500, 1) if quick else 1,
        },
        "imports": _imports(source),
        "words": words,
        "suffixes": suffixes,
        "vectors": model.words,
        "letters": letters,
        "beside": beside,
        "property_sizes": " + ".join(map(str, sizes)),
        "width": sum(sizes) + (2 * letters.hidden_size if letters else 0),
        "encoder": encoder,
        "cell": encoder["cell"],
        "cell_line": ("bidirectional " if encoder["bidirectional"] else "") + encoder["cell"]["title"],
        "units": "2 H" if encoder["bidirectional"] else "H",
        "model": model,
        "crf": model.output == "crf",
        "tag_count": len(task.tags),
        "blind": math.log(len(task.tags)),
        "figure": min(max(len(task.tags) * 0.4 + 2, 4), 10),
        "example": "Marie reads a strange letter in Lyon today .",
        "has_valid": True,
        "training": training_facts(settings.training),
        "training_words": training_words(settings.training),
        "optimizer": optimizer_facts(settings.training.optimizer),
        "score": {
            "name": "accuracy",
            "valid": 'row["valid loss"], row["valid accuracy"] = measure(scored, valid_part)',
        },
        "best_by": '-row["valid loss"]' if settings.training.best == "loss" else 'row["valid accuracy"]',
    }


def _source(data: TaggingData) -> dict[str, Any]:
    """Where the sentences come from."""
    if data.name is not None:
        chosen = named.find(data.name)
        if data.name != "ud-english-ewt":
            raise unwritten(f"the data set {data.name}", "data.name=ud-english-ewt")
        tag = CONLLU.index(data.label or "upos")
        return {**named_facts(chosen), "universal": True, "word_at": 1, "tag_at": tag, "encoding": "utf-8"}
    files = data.files()
    path = files["train"]
    if path.suffix.lower() not in (".conll", ".tsv", ".txt", ".conllu"):
        raise unwritten(f"data in {path.name}", "a file of columns (.conll, .tsv, .conllu)")
    encoding = "utf-8-sig" if data.encoding.lower() in ("utf-8", "utf8") else data.encoding
    first = next(
        line for line in read_text(path, encoding=data.encoding).split("\n") if line.strip() and line[0] != "#"
    )
    universal = path.suffix.lower() == ".conllu"
    if universal:
        places = (CONLLU.index(data.text or "form"), CONLLU.index(data.label or "upos"))
    else:
        width = len(first.split("\t") if "\t" in first else first.split())
        places = (int(data.text or 1) - 1, int(data.label or width) - 1)
    return {
        "named": False,
        "file": Path(path).name,
        "others": [(part, file.name) for part, file in files.items() if part != "train"],
        "parts": tuple(files),
        "encoding": encoding,
        "universal": universal,
        "tabs": "\t" in first,
        "word_at": places[0],
        "tag_at": places[1],
    }


def _imports(source: dict[str, Any]) -> list[str]:
    names = {"copy", "math", "re"} | ({"hashlib", "os", "urllib.request"} if source["named"] else set())
    return [
        *(f"import {name}" for name in sorted(names)),
        "from collections import Counter, defaultdict",
        "from dataclasses import dataclass",
        "from pathlib import Path",
    ]
