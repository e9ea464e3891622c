"""The notebook of a model of pairs of texts: a label, or a score."""

import math
from pathlib import Path
from typing import Any

from lstmlab.baselines.words import TOKEN
from lstmlab.data import matching
from lstmlab.data.datasets import files, judged, named
from lstmlab.data.datasets.judged_sets import HEADER
from lstmlab.data.grades import Grades
from lstmlab.data.load import Watch
from lstmlab.data.text_pairs import TextPairData, read_file
from lstmlab.notebook import tokens
from lstmlab.notebook.layers import layer_facts, layer_name, refuse, unwritten
from lstmlab.notebook.sources import imports, named_facts, part_facts, rows, table_facts
from lstmlab.notebook.training import loop_facts
from lstmlab.notebook.words import poolings
from lstmlab.tasks.pairs import PairsRecipe, SentencePairs

TEMPLATE = "judged.py.jinja"
FROMS = ("from collections import Counter", "from dataclasses import dataclass", "from itertools import pairwise")
COLUMNS = ("first", "second", "label")
TRY = (
    ("A man is playing a guitar", "A man is playing an instrument"),
    ("A man is playing an instrument", "A man is playing a guitar"),
    ("A woman is slicing an onion", "Nobody is slicing an onion"),
)
SMALL = 1500
"""Training pairs at the small size; of the test part a third as many."""


def kind(recipe: PairsRecipe) -> str:
    """What is built."""
    attention = " and attention between the texts" if recipe.model.attention == "between" else ""
    return f"what two texts are to each other, with {layer_name(recipe.model.encoder)}{attention}"


def next_steps(recipe: PairsRecipe) -> list[str]:
    """What to try with it."""
    told = ["Train with several seeds and report mean and spread: differences of a point may be chance."]
    if recipe.model.attention == "between":
        told.append(
            "Leave the attention out, so that the texts meet only as two vectors: how much was it worth, and where?"
        )
    else:
        told.append("Add attention between the texts: each word then looks for its like on the other side.")
    return [
        *told,
        "Begin with word vectors learned from much more text (GloVe, fastText): they know that a guitar is an "
        "instrument before training begins.",
        "Train on a larger set first (SNLI has 570,000 pairs) and go on with this one.",
        "Write thirty pairs of your own in which words are shared but the meaning differs: does it still answer right?",
    ]


def small(recipe: PairsRecipe) -> dict[str, Any]:
    """Settings for a quick look."""
    settings: Any = recipe
    return {
        "training.epochs": min(settings.training.epochs or 2, 2),
        "data.limit": min(recipe.data.limit or SMALL, SMALL),
    }


def facts(recipe: PairsRecipe, quick: bool, watch: Watch = Watch()) -> dict[str, Any]:
    """What the template needs. Raises InputError for settings it has no words for."""
    settings: Any = recipe
    data, model, text = recipe.data, recipe.model, recipe.text
    if text.level == "subword":
        raise unwritten("text.level=subword for pairs of texts", "text.level=word or text.level=character")
    refuse(text, ("first", "last"), "text")
    encoder = layer_facts(model.encoder)
    source = _source(data)
    dataset = SentencePairs.load(recipe, watch)
    both = [side for pair in dataset.train.inputs for side in pair]
    tokens.check(text, both)
    kinds = SentencePairs.prepare(recipe, dataset, watch).kinds
    graded = isinstance(kinds, Grades)
    scores = ("mse", "pearson") if graded else ("accuracy",)
    looks = 0 if model.attention == "none" else 2 if model.alone else 1
    assert dataset.test is not None
    parts = part_facts(data, source["parts"], len(dataset.test), SMALL // 3 if quick else None)
    return {
        "data": {**source, **parts},
        "imports": imports(source, {"copy", "re", "textwrap"} | ({"unicodedata"} if parts["splits"] else set()), FROMS),
        "text": text,
        "pattern": tokens.pattern(text, both),
        "word_pattern": TOKEN,
        "matching": recipe.matching,
        "begins": {name: getattr(matching, name) for name in ("BEGINNING", "ENDING", "LEAST")},
        "graded": graded,
        "grades": list(kinds.points) if isinstance(kinds, Grades) else [],
        "label_names": [] if isinstance(kinds, Grades) else list(kinds.names),
        "blind": math.log(len(kinds)),
        "symmetric": data.symmetric if isinstance(data.symmetric, bool) else list(data.symmetric),
        "encoder": encoder,
        "cell": encoder["cell"],
        "model": model,
        "single_unit": False,
        "embedding": model.embedding,
        "looks": looks,
        "parts_of": 1 + 3 * looks,
        "sides": 2 if model.alone else 1,
        "pooled": len(model.pooling) * (2 if model.alone else 1) * (2 if encoder["bidirectional"] else 1),
        "model_words": poolings(model, "pair", "tokens"),
        "confusion_size": round(min(max(len(kinds) * 0.8 + 2.5, 4), 12), 1),
        "examples": TRY if source["named"] else (),
        **loop_facts(settings.training, scores, "measure(scored, valid)", better=f'row["valid {scores[-1]}"]'),
    }


def _source(data: TextPairData) -> dict[str, Any]:
    """Where the pairs come from. Raises InputError where a notebook's few lines would read something else."""
    if data.name is not None:
        if data.name != "sick":
            raise unwritten(f"the data set {data.name}", "data.name=sick")
        columns = dict(zip(COLUMNS, (HEADER[1], HEADER[2], HEADER[3 if data.graded else 4]), strict=True))
        return {**named_facts(named.NAMED[data.name]), **columns, "kind": "sick"}
    source = table_facts(data)
    train = data.files()["train"]
    frame = files.read_table(train, encoding=data.encoding)
    chosen = judged.columns(frame, str(train), data.columns, graded=data.graded, judged=True)
    columns = {"first": chosen.first, "second": chosen.second, "label": str(chosen.label)}
    for file in data.files().values():
        wanted, _ = read_file(data, file)
        if _read(file, data, columns) != [(*pair, target) for pair, target in wanted.select("inputs", "target").rows()]:
            raise unwritten(f"{file.name}, whose texts or judgments are not plainly written", "a plain table")
    return {**source, **columns}


def _read(file: Path, data: TextPairData, columns: dict[str, str]) -> list[tuple[Any, ...]] | None:
    """Texts and judgments as the notebook reads them; None where it cannot."""
    try:
        found = [tuple(row[columns[name]] for name in COLUMNS) for row in rows(file, data)]
        known = [one for one in found if one[0].strip() and one[1].strip()]
        return [(*pair, float(said) if data.graded else str(said).strip()) for *pair, said in known]
    except (ValueError, KeyError, AttributeError, TypeError):
        return None
