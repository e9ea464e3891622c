"""The notebook of a text classifier."""

import math
import re
from collections import Counter
from typing import Any

from lstmlab.baselines import MANY
from lstmlab.data.datasets import named, synthetic
from lstmlab.data.load import DataSettings, Watch
from lstmlab.data.text import TextSettings
from lstmlab.nn import ratios
from lstmlab.notebook import tokens
from lstmlab.notebook.layers import layer_facts, layer_name, unwritten
from lstmlab.notebook.sources import imports, label_parts, named_facts, table_facts
from lstmlab.notebook.training import loop_facts
from lstmlab.notebook.words import features_line, poolings
from lstmlab.tasks.classification import ClassificationRecipe, TextClassification

TEMPLATE = "classification.py.jinja"
KINDS = {"imdb": "imdb", "mr": "mr", "trec-qc": "trec", "trec-qc-fine": "trec"}
TRY: dict[str, tuple[tuple[str, str], ...]] = {
    "imdb": (
        ("A wonderful film, moving from the first minute to the last.", "pos"),
        ("A film that could have been wonderful, and is not.", "neg"),
        ("I can't imagine hating that.", "pos"),
    ),
    "trec": (
        ("Who wrote Hamlet ?", "HUM:ind"),
        ("How many legs does a spider have ?", "NUM:count"),
        ("What does DNA stand for ?", "ABBR:exp"),
    ),
    "parity": (("0 1 1 0 1", "odd"), ("1 1 1 1 1 1", "even")),
}
"""Texts to try, with the answers that we would give."""
REMARK = """
The first one is easy. In the second, *could have been* and *is not* take back what *wonderful* says; in the third, two
negations make a praise. Whoever adds up what words and short runs of words speak for gets such texts wrong, the more so
as a short text gives little else to go by.
""".strip()
MARKS = {
    "a rating (3/10)": (
        r"\b\d+(?:\.\d+)?\s*/\s*(?:10|5|4)\b|\bout of (?:ten|10|five|5)\b",
        1,
        "Whoever gives a number says outright what the label says.",
    ),
    "a negation (not, never)": (
        r"\b(?:not|no|never|nor|neither|none|nothing|without|cannot)\b|n['’]t\b",
        -1,
        "What a negation turns round, single words do not show.",
    ),
    "a contrast (but, although)": (
        r"\b(?:but|although|though|however|despite|yet)\b",
        -1,
        "Praise and blame stand in one text, and the network has to weigh them.",
    ),
}
"""What may make a review easy (1) or hard (-1): its name, its pattern, and why."""
SMALL = 2000
"""Training texts at the small size."""


def kind(recipe: ClassificationRecipe) -> str:
    """What is built."""
    return f"a text classifier with {layer_name(recipe.model.encoder)}"


def next_steps(recipe: ClassificationRecipe) -> list[str]:
    """What to try with it."""
    model = recipe.model
    told = ["Train with several seeds and report mean and spread: differences of a point may be chance."]
    if model.embedding.ratios == 0 and model.dropout == 0:
        told.append("Regularise: dropout before the output layer, word dropout, or stop at the best validation loss.")
    if not model.encoder.bidirectional:
        told.append("Read from both ends (`bidirectional=True`), and take the maximum over all tokens.")
    told += [
        "Begin with word vectors learned from much more text (GloVe, fastText): they know rare words already.",
        "Exchange the LSTM for a GRU or a convolution of equal size: does order count beyond pairs of words?",
        "Read the surest mistakes once more: which would need knowledge of the world, which only more data?",
    ]
    return told


def small(recipe: ClassificationRecipe) -> dict[str, Any]:
    """Settings for a quick look."""
    settings: Any = recipe
    found: dict[str, Any] = {"training.epochs": min(settings.training.epochs or 2, 2)}
    if recipe.data.name in synthetic.SYNTHETIC:
        return found | {"data.count": min(recipe.data.count, 1000)}
    return found | {"data.limit": min(recipe.data.limit or SMALL, SMALL)}


def facts(recipe: ClassificationRecipe, quick: bool, watch: Watch = Watch()) -> dict[str, Any]:
    """What the template needs. Raises InputError for settings it has no words for."""
    settings: Any = recipe
    data, model, text = recipe.data, recipe.model, recipe.text
    _check(recipe)
    encoder = layer_facts(model.encoder)
    dataset = TextClassification.load(recipe, watch)
    tokens.check(text, dataset.train.inputs)
    labels = sorted(set(dataset.train.targets))
    source = _source(data)
    longest, single = model.embedding.ratios, model.single_unit
    assert dataset.test is not None
    assert dataset.valid is not None
    pieces = tokens.pieces(text, dataset.train.inputs)
    token = re.compile(tokens.pattern(text, dataset.train.inputs))
    every = [*dataset.train.inputs, *dataset.valid.inputs, *dataset.test.inputs]
    reviews = source["kind"] in ("imdb", "mr") and text.level == "word"
    examples = TRY.get("imdb" if source["kind"] == "mr" else source["kind"], ())
    if source["kind"] == "trec" and not source["fine"]:
        examples = tuple((one, label.partition(":")[0]) for one, label in examples)
    return {
        "data": {
            **source,
            **label_parts(data, source["parts"], len(dataset.test), SMALL if quick else None, "texts"),
        },
        "imports": _imports(source, text),
        "text": text,
        "text_words": _text_words(text),
        "pieces": pieces,
        "empty": text.level == "word" and not all(token.search(one) for one in every),
        "rare": min(Counter(dataset.train.targets).values()) < 2,
        "linear_pattern": tokens.linear_pattern(every),
        "least": 2 if len(dataset.train) >= MANY else 1,
        "weighed": 'solver="liblinear", dual=True, max_iter=1000, random_state=0',
        "marks": MARKS if reviews else {},
        "remarks": REMARK if reviews else "",
        "cut": _cut(text),
        "encoder": encoder,
        "cell": encoder["cell"],
        "model": model,
        "single_unit": model.single_unit,
        "embedding": model.embedding,
        "ratios": longest,
        "hint_count": ratios.channels(longest, len(labels)) if longest else 0,
        "segment": model.segment_length,
        "pooling_line": f"{' and '.join(model.pooling)} over the tokens",
        "features": features_line(model.pooling, encoder["bidirectional"]),
        "outputs": 1 if single else len(labels),
        "outputs_code": "1" if single else "len(names)",
        "model_words": poolings(model, "text", "tokens"),
        "label_names": labels,
        "blind": math.log(len(labels)),
        "confusion_size": round(min(max(len(labels) * 0.8 + 2.5, 4), 12), 1),
        "examples": examples,
        **loop_facts(settings.training, ["accuracy"], "measure(scored, valid)"),
    }


def _check(recipe: ClassificationRecipe) -> None:
    if recipe.start is not None:
        raise unwritten("start=RUN, which begins with another run's weights", "start=null")
    if recipe.text.level == "subword":
        raise unwritten("text.level=subword for classification", "text.level=word or text.level=character")


def _source(data: DataSettings) -> dict[str, Any]:
    """Where the texts come from, and which parts they bring."""
    if data.name == "parity":
        parts = ("train", "valid", "test")
        return {
            "kind": "parity",
            "named": False,
            "made": True,
            "parts": parts,
            "length": data.length,
            "count": data.count,
        }
    if data.name in KINDS:
        chosen = named.NAMED[str(data.name)]
        return {**named_facts(chosen), "kind": KINDS[str(data.name)], "fine": data.name == "trec-qc-fine"}
    if data.name is not None:
        raise unwritten(f"the data set {data.name}", f"one of {', '.join([*KINDS, 'parity'])}")
    return {**table_facts(data), "text": data.text, "label": data.label}


def _imports(source: dict[str, Any], text: TextSettings) -> list[str]:
    """What the notebook imports of Python's own library."""
    kind = source["kind"]
    names = {"copy", "textwrap"} | ({"re"} if text.level == "word" or kind == "trec" else set())
    names |= {"imdb": {"tarfile"}, "mr": {"tarfile"}, "trec": {"zipfile"}, "parity": {"hashlib"}}.get(kind, set())
    return imports(source, names, ["from collections import Counter", "from dataclasses import dataclass"])


def _text_words(text: TextSettings) -> dict[str, str]:
    small_letters = ", in small letters" if text.lowercase else ""
    if text.level == "character":
        words = {"tokens": f"A token is a character{small_letters}.", "doc": ""}
    else:
        kept = "and each punctuation mark is one too" if text.punctuation else "and punctuation is left out"
        words = {
            "tokens": f"A token is a word{small_letters} (`don't` and `3.5` are kept whole), {kept}.",
            "doc": "The words" + (" and marks" if text.punctuation else "") + f" of a text{small_letters}.",
        }
    cut = ""
    if text.first is not None and text.last is not None:
        cut = f"Of long texts the first {text.first} and the last {text.last} tokens are kept."
    elif text.first is not None or text.last is not None:
        cut = f"Of long texts only the {'first' if text.first else 'last'} {text.first or text.last} tokens are kept."
    return {**words, "cut": cut}


def _cut(text: TextSettings) -> str:
    """How a list of tokens is cut, as Python behind it."""
    if text.first is not None and text.last is not None:
        raise unwritten("text.first together with text.last", "one of them")
    return f"[:{text.first}]" if text.first else f"[-{text.last}:]" if text.last else ""
