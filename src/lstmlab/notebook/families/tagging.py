"""The notebook of a tagger of words."""

import math
from typing import Any

from lstmlab.data.contents import read_text
from lstmlab.data.datasets import named
from lstmlab.data.datasets.tagged import CONLLU
from lstmlab.data.load import Watch
from lstmlab.data.tagging import TaggingData
from lstmlab.notebook.layers import layer_facts, layer_name, refuse, unwritten
from lstmlab.notebook.sources import imports, named_facts, own_files, part_facts
from lstmlab.notebook.training import loop_facts
from lstmlab.tasks.tagging import Tagging, TaggingRecipe

TEMPLATE = "tagging.py.jinja"
FROMS = ("from collections import Counter, defaultdict", "from dataclasses import dataclass")
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
    return {
        "data": {
            **source,
            **part_facts(recipe.data, source["parts"], len(dataset.test), 500 if quick else None),
        },
        "imports": imports(source, ("copy", "re"), FROMS),
        "words": words,
        "suffixes": suffixes,
        "vectors": model.words,
        "letters": letters,
        "beside": beside,
        "property_sizes": " + ".join(map(str, sizes)),
        "width": sum(sizes) + (2 * letters.hidden_size if letters else 0),
        "encoder": encoder,
        "cell": encoder["cell"],
        "model": model,
        "crf": model.output == "crf",
        "tag_count": len(task.tags),
        "blind": math.log(len(task.tags)),
        "figure": min(max(len(task.tags) * 0.4 + 2, 4), 10),
        "example": "Marie reads a strange letter in Lyon today .",
        **loop_facts(settings.training, ["accuracy"], "measure(scored, valid_part)"),
    }


def _source(data: TaggingData) -> dict[str, Any]:
    """Where the sentences come from."""
    if data.name is not None:
        chosen = named.find(data.name)
        if data.name != "ud-english-ewt":
            raise unwritten(f"the data set {data.name}", "data.name=ud-english-ewt")
        tag = CONLLU.index(data.label or "upos")
        return {**named_facts(chosen), "universal": True, "word_at": 1, "tag_at": tag, "encoding": "utf-8"}
    told, path = own_files(data), data.files()["train"]
    if path.suffix.lower() not in (".conll", ".tsv", ".txt", ".conllu"):
        raise unwritten(f"data in {path.name}", "a file of columns (.conll, .tsv, .conllu)")
    first = next(
        line for line in read_text(path, encoding=data.encoding).split("\n") if line.strip() and line[0] != "#"
    )
    universal = path.suffix.lower() == ".conllu"
    if universal:
        places = (CONLLU.index(data.text or "form"), CONLLU.index(data.label or "upos"))
    else:
        width = len(first.split("\t") if "\t" in first else first.split())
        places = (int(data.text or 1) - 1, int(data.label or width) - 1)
    return {**told, "universal": universal, "tabs": "\t" in first, "word_at": places[0], "tag_at": places[1]}
