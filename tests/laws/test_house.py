"""Laws of the house: recipes run, every setting has an effect or is refused, commands start at once."""

import ast
import hashlib
import json
import os
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import BAD, GOOD, PLAIN
from lstmlab import catalogue, request
from lstmlab.data.datasets import named
from lstmlab.errors import InputError
from lstmlab.recipe import dump, fields, override, write_yaml
from lstmlab.tasks import TASKS
from lstmlab.training import experiment
from lstmlab.training.run import Run

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src" / "lstmlab").rglob("*.py"))
RECIPES = {name: catalogue.read_recipe(name) for name in catalogue.recipe_names()}

# ---- Recipes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_assembles(name: str) -> None:
    recipe = request.assemble(name, {})
    assert (recipe.name, recipe.group == "own") == (name, False)
    assert recipe.summary.endswith(".")


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A cache for the whole file: a named set is parsed once for all its recipes."""
    return str(tmp_path_factory.mktemp("cache"))


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_trains_two_steps(name: str, tmp_path: Path, parsed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if RECIPES[name]["data"].get("name") in named.NAMED and not os.environ.get("LSTMLAB_DATA"):
        pytest.skip("LSTMLAB_DATA is not set: no data for this recipe")
    monkeypatch.setenv("LSTMLAB_CACHE", parsed)
    small: dict[str, Any] = {"training.steps": 2, "data.limit": 300, "hidden_size": 8, "batch_size": 16}
    small |= {
        "classification": {"vocabulary_size": 300, "embedding.size": 8, "text.last": 20},
        "forecasting": {"horizon": 20},
        "pairs": {"vocabulary_size": 300, "embedding.size": 8, "compared_size": 8, "head_size": 8},
        "tagging": {"model.words.size": 8, "letters.size": 4, "letters.hidden_size": 4},
        "language-model": {"vocabulary_size": 300, "embedding.size": 8, "decoding.length": 5},
    }.get(RECIPES[name]["task"], {"vocabulary_size": 300, "embedding.size": 8, "glance": 5, "max_length": 5})
    if name == "indoor-movement":  # measurements, no words
        small = {key: small[key] for key in ("training.steps", "data.limit", "hidden_size", "batch_size")}
    if RECIPES[name]["model"].get("series_size"):
        small["series_size"] = 4
    run = experiment.train(request.assemble(name, small), root=tmp_path, output=tmp_path / "run")
    assert run.history[-1]["step"] == 2
    assert run.finished
    assert {"test", "baseline"} <= run.metrics.keys()
    # What a run wrote down is a recipe again.
    again = request.find(str(run.folder / "recipe.yaml"))[0]
    assert dump(experiment.assemble(again, {}, "it")) == run.recipe


# ---- Every setting has an effect or is refused ----------------------------------------------------------------------

WATCHES = {"name", "summary", "group", "device", "training.checkpoint_seconds"}
"""Settings that only name or watch; so do those of the blocks `about` and `report`."""

PAIRS: dict[str, Any] = {
    "training.steps": 5, "training.batch_size": 16, "training.optimizer.learning_rate": 0.05, "text.level": "word",
    "text.vocabulary_size": 60, "model.encoder.hidden_size": 4, "model.embedding.size": 4, "glance": 5,
    "decoding.max_length": 8, "decoding.min_length": 2, "decoding.beam_size": 2,
}  # fmt: skip

BASE: dict[str, dict[str, Any]] = {
    "classification": {
        "data.path": "reviews.csv", "data.text": "review", "data.label": "stars", "training.steps": 5,
        "training.batch_size": 16, "model.encoder.hidden_size": 4, "model.embedding.size": 4,
        "training.optimizer.learning_rate": 0.01,
    },
    "forecasting": {
        "data.name": "sine", "data.points": 120, "data.window": 10, "data.horizon": 5, "data.valid_fraction": 0.2,
        "training.steps": 5,
        "training.batch_size": 16, "model.encoder.hidden_size": 4, "training.optimizer.learning_rate": 0.01,
    },
    "tagging": {
        "data.path": "tagged.conll", "training.steps": 5, "training.batch_size": 16, "model.encoder.hidden_size": 4,
        "model.words.size": 4, "model.letters.size": 4, "model.letters.hidden_size": 3,
        "training.optimizer.learning_rate": 0.05,
    },
    "pairs": {
        "data.path": "judged.csv", "training.steps": 5, "training.batch_size": 16, "model.encoder.hidden_size": 4,
        "model.embedding.size": 4, "model.compared_size": 4, "model.head_size": 4,
        "training.optimizer.learning_rate": 0.05,
    },
    "translation": {"data.path": "pairs.tsv", "data.source": "english", "data.target": "french", **PAIRS},
    "dialogue": {"data.path": "talk.txt", **PAIRS},
    "language-model": {
        "data.path": "prose.txt", "training.steps": 5, "training.batch_size": 4, "model.encoder.hidden_size": 4,
        "model.embedding.size": 4, "training.optimizer.learning_rate": 0.05, "bptt": 10, "decoding.length": 20,
    },
}  # fmt: skip

EPOCHS = {"training.steps": None, "training.epochs": 5}
# So large a rate makes validation worse, which is what plateau and patience wait for.
WORSE = {**EPOCHS, "training.optimizer.learning_rate": 5.0, "training.optimizer.schedule": "plateau"}
LONG_WORSE = {**WORSE, "training.epochs": 12}
SGD = {"training.optimizer.method": "sgd"}
LINEAR = {"training.optimizer.schedule": "linear"}
DEEP = {"model.encoder.num_layers": 2}
CONVOLUTION = {"model.encoder.kind": "convolution"}
PARITY = {"data.path": None, "data.text": None, "data.label": None, "data.name": "parity", "data.count": 60}

Change = tuple[Any, dict[str, Any]]
"""Another value for a setting, and what the base needs besides, so that the setting is active."""

ENCODER: dict[str, Change] = {
    "cell": ("gru", {}),
    "hidden_size": (5, {}),
    "num_layers": (2, {}),
    "bidirectional": (True, {}),
    "dropout": (0.5, DEEP),
    "locked": (True, {**DEEP, "model.encoder.dropout": 0.5}),
    "residual": (True, DEEP),
    "recurrent_dropout": (0.5, {}),
    "zoneout": (0.3, {}),
    "zoneout_memory": (0.3, {}),
    "weight_drop": (0.5, {}),
    "layer_norm": ("both", {}),
    "initialisation": ("orthogonal", {}),
    "forget_bias": (2.0, {}),
    "chrono_steps": (20, {"model.encoder.initialisation": "chrono"}),
    "second_bias": (True, {}),
    "kind": ("convolution", {}),
    "width": (4, CONVOLUTION),
    "dilated": (True, {**CONVOLUTION, **DEEP}),
    "heads": (2, {"model.encoder.kind": "transformer"}),
}

OPTIMIZER: dict[str, Change] = {
    "method": ("adamw", {"training.optimizer.weight_decay": 0.1}),
    "learning_rate": (0.02, {}),
    "schedule": ("cosine", {}),
    "warmup": (0.5, {}),
    "final_rate": (0.5, LINEAR),
    "plateau_factor": (0.1, {**WORSE, "training.optimizer.plateau_patience": 0}),
    "plateau_patience": (0, WORSE),
    "beta1": (0.5, {}),
    "beta2": (0.9, {}),
    "momentum": (0.1, SGD),
    "weight_decay": (0.1, {}),
    "clip": (0.001, SGD),
    "average": (0.5, {}),
}

TRAINING: dict[str, Change] = {
    "epochs": (2, {}),
    "steps": (6, {}),
    "minutes": (1e-9, {}),
    "batch_size": (8, {}),
    "tokens": (40, {}),
    "bucket": (False, {}),
    "accumulate": (2, {}),
    "best": ("score", {**EPOCHS, "training.optimizer.learning_rate": 0.05, "training.epochs": 12, "seed": 3}),
    "average_epochs": (3, EPOCHS),
    "patience": (1, WORSE),
    **{f"optimizer.{name}": change for name, change in OPTIMIZER.items()},
}

# A table of one's own instead of the sine, and what forecasts more than one step of it at once.
TABLE = {
    "data.name": None, "data.points": None, "data.path": "series.csv", "data.time": "time", "data.target": "y",
    "model.strategy": "direct",
}  # fmt: skip
PLACES = {**TABLE, "data.path": "places.csv", "data.repeated": "first"}
DECODER = {"model.strategy": "decoder"}

SAMPLE = {"decoding.method": "sample", "decoding.beam_size": None}
PHRASES = {"data.path": None, "data.source": None, "data.target": None, "data.name": "phrases", "data.limit": 60}
LONG = {"decoding.length_penalty": 3.0, "decoding.max_length": 30, "decoding.beam_size": 3, "decoding.min_length": 0}

TEXTS: dict[str, Change] = {
    "data.encoding": ("cp1252", {}),
    "data.limit": (40, {}),
    "data.valid_fraction": (0.3, {}),
    "data.test_fraction": (0.3, {}),
    "text.level": ("character", {}),
    "text.words": ("simple", {}),
    "text.punctuation": (False, {}),
    "text.line_ends": (True, {}),
    "text.vocabulary_size": (20, {}),
    "text.min_count": (20, {}),
    "text.first": (3, {}),
    "text.last": (3, {}),
    "model.embedding.size": (5, {}),
    "model.embedding.deviation": (0.5, {}),
    "model.embedding.word_dropout": (0.5, {}),
    "model.embedding.dropout": (0.5, {}),
    "model.embedding.locked_dropout": (0.5, {}),
    "model.encoder.bidirectional": (False, {}),
}

SEQ2SEQ: dict[str, Change] = TEXTS | {
    "data.valid": ("others.tsv", {}),
    "data.test": ("others.tsv", {}),
    "data.drop_repeated": (False, {"data.test": "others.tsv"}),
    "text.lowercase": (True, {}),
    "text.joint": (True, {}),
    "text.line_ends": (True, {}),
    "text.copy_unknown": (False, {"text.vocabulary_size": 4}),
    "model.decoder.cell": ("gru", {}),
    "model.decoder.hidden_size": (5, {}),
    "model.decoder.num_layers": (2, {}),
    "model.decoder.dropout": (0.5, {}),
    "model.context": ("every-step", {}),
    "model.attention.kind": ("additive", {}),
    "model.attention.size": (5, {"model.attention.kind": "concat"}),
    "model.attention.input_feeding": (False, {}),
    "model.bridge": ("zero", {}),
    "model.tied": ("two-way", {}),
    "model.memory_dropout": (0.5, {}),
    "model.label_smoothing": (0.2, {}),
    "teacher_forcing.ratio": (0.5, {}),
    "teacher_forcing.final_ratio": (0.0, {}),
    "teacher_forcing.schedule": ("exponential", {"teacher_forcing.final_ratio": 0.0}),
    "decoding.method": ("greedy", {"decoding.beam_size": None}),
    "decoding.beam_size": (4, {"training.steps": 30, "decoding.min_length": 3}),
    "decoding.length_penalty": (0.0, {}),
    "decoding.stopping": ("exact", LONG),
    "decoding.no_repeat_ngram": (1, {}),
    "decoding.min_length": (4, {}),
    "decoding.max_length": (3, SAMPLE),
    "decoding.n_best": (2, {}),
    "decoding.temperature": (0.1, SAMPLE),
    "decoding.top_k": (2, SAMPLE),
    "decoding.top_p": (0.1, SAMPLE),
    "decoding.seed": (1, SAMPLE),
    "glance": (8, {}),
}

COMMON: dict[str, Change] = {
    "seed": (1, {}),
    "split_seed": (1, {}),
    **{f"training.{name}": change for name, change in TRAINING.items()},
    **{f"model.encoder.{name}": change for name, change in ENCODER.items()},
}

WORDS = {"text.level": "word"}

CHANGES: dict[str, dict[str, Change]] = {
    "language-model": COMMON | TEXTS | {
        "task": ("classification", {}),
        "data.name": ("tinyshakespeare", {"data.limit": 60}),
        "data.path": ("more-prose.txt", {}),
        "data.valid": ("more-prose.txt", {}),
        "data.test": ("more-prose.txt", {}),
        "data.limit": (20, {}),
        "text.level": ("word", {}),
        "text.lowercase": (True, {}),
        "text.words": ("simple", WORDS),
        "text.punctuation": (False, WORDS),
        "text.line_ends": (False, WORDS),
        "model.embedding.vocabulary_dropout": (0.3, {}),
        "model.encoder.bidirectional": (True, {}),
        **{f"model.encoder.{name}": (ENCODER[name][0], {}) for name in ("width", "dilated", "heads")},
        "model.dropout": (0.5, {}),
        "model.locked": (False, {"model.dropout": 0.5}),
        "model.label_smoothing": (0.2, {}),
        "model.tied": (True, {}),
        "model.output": ("sampled", {}),
        "model.samples": (5, {"model.output": "sampled"}),
        "bptt": (7, {}),
        "passage": (40, {}),
        "dynamic_rate": (0.1, {}),
        "decoding.length": (30, {}),
        "decoding.temperature": (0.1, {}),
        "decoding.top_k": (2, {}),
        "decoding.top_p": (0.1, {}),
        "decoding.seed": (1, {}),
    },
    "classification": COMMON | TEXTS | {
        "task": ("forecasting", {}),
        "data.name": ("parity", {}),
        "data.path": ("others.csv", {}),
        "data.valid": ("others.csv", {}),
        "data.test": ("others.csv", {}),
        "data.text": ("other", {}),
        "data.label": ("flag", {}),
        "data.sequence": ("walk", {"data.path": "walks.csv"}),
        "data.folds": (4, {}),
        "data.fold": (2, {"data.folds": 4}),
        "data.length": (12, PARITY),
        "data.count": (70, PARITY),
        "text.lowercase": (False, {}),
        "text.line_ends": (True, {"data.path": "lines.csv", "data.text": "english", "data.label": "kind"}),
        "model.embedding.ratios": (2, {}),
        "model.pooling": (["attention"], {}),
        "model.segment_length": (4, {}),
        "model.dropout": (0.1, {}),
        "model.single_unit": (True, {}),
        "start": ("nowhere", {}),
    },
    "tagging": COMMON | {
        "task": ("classification", {}),
        "data.name": ("wnut17", {"data.limit": 60}),
        "data.path": ("more-tagged.conll", {}),
        "data.valid": ("more-tagged.conll", {}),
        "data.test": ("more-tagged.conll", {}),
        "data.text": (2, {}),
        "data.label": (2, {}),
        "data.scheme": ("plain", {}),
        "data.repair": (True, {"data.path": "broken.conll"}),
        "data.join_valid": (True, {}),
        "data.encoding": ("cp1252", {}),
        "data.limit": (40, {}),
        "data.valid_fraction": (0.3, {}),
        "data.test_fraction": (0.3, {}),
        "words.lowercase": (False, {}),
        "words.digits": (False, {}),
        "words.min_count": (15, {}),
        "words.suffixes": ([3], {}),
        "words.addresses": (True, {}),
        "words.exchange": (0.8, {}),
        "model.words.size": (5, {}),
        "model.words.deviation": (0.5, {}),
        "model.words.unknown": (3.0, {}),
        "model.words.shape_size": (4, {}),
        "model.words.suffix_size": (4, {}),
        "model.words.locked_dropout": (0.5, {}),
        "model.letters.kind": ("cnn", {}),
        "model.letters.size": (5, {}),
        "model.letters.hidden_size": (4, {}),
        "model.letters.width": (4, {"model.letters.kind": "cnn"}),
        "model.encoder.bidirectional": (False, {}),
        "model.dropout": (0.5, {}),
        "model.output": ("softmax", {}),
        "model.outside_bias": (5.0, {}),
        "model.neighbours": (0.5, {}),
    },
    "pairs": COMMON | TEXTS | {
        "task": ("classification", {}),
        "training.patience": (1, LONG_WORSE),
        "data.name": ("sick", {"data.limit": 60}),
        "data.path": ("more-judged.csv", {}),
        "data.valid": ("more-judged.csv", {}),
        "data.test": ("more-judged.csv", {}),
        "data.first": ("other", {}),
        "data.second": ("other", {}),
        "data.label": ("flag", {}),
        "data.graded": (True, {}),
        "data.symmetric": (["yes"], {}),
        "text.lowercase": (False, {}),
        "matching.same": (False, {}),
        "matching.alike": (False, {}),
        "model.embedding.dropout": (0.2, {}),
        "model.attention": ("none", {}),
        "model.compared_size": (5, {}),
        "model.pooling": (["attention"], {}),
        "model.alone": (False, {}),
        "model.head_size": (5, {}),
        "model.dropout": (0.1, {}),
    },
    "translation": COMMON | SEQ2SEQ | {
        "task": ("classification", {}),
        "data.name": ("tatoeba-en-hi", PHRASES),
        "data.path": ("others.tsv", {}),
        "data.source": ("german", {}),
        "data.target": ("german", {}),
    },
    "dialogue": COMMON | SEQ2SEQ | {
        "task": ("classification", {}),
        "data.name": ("simple-dialogs", {}),
        "data.path": ("more-talk.txt", {}),
        "data.source": ("english", {}),
        "data.target": ("english", {}),
        "data.valid": ("more-talk.txt", {}),
        "data.test": ("more-talk.txt", {}),
        "data.turns": (1, {}),
        "data.drop_repeated": (False, {"data.test": "more-talk.txt"}),
    },
    "forecasting": COMMON | {
        "task": ("classification", {}),
        "data.name": ("airline-passengers", {"data.points": None}),
        "data.path": ("places.csv", {**TABLE, "data.repeated": "mean"}),
        "data.valid": ("later.csv", {**TABLE, "data.test": "latest.csv", "data.missing": "interpolate"}),
        "data.test": ("later.csv", TABLE),
        "data.encoding": ("cp1252", {**PLACES, "data.series": "place"}),
        "data.time": ("day", TABLE),
        "data.target": ("z", TABLE),
        "data.series": ("place", PLACES),
        "data.past": ("z", TABLE),
        "data.future": ("z", TABLE),
        "data.calendar": (True, TABLE),
        "data.channels": ("together", {**TABLE, "data.target": "y,z"}),
        "data.missing": ("forward", {**TABLE, "data.path": "gaps.csv", "data.missing": "interpolate"}),
        "data.repeated": ("mean", PLACES),
        "data.sort": (True, {**TABLE, "data.path": "disorder.csv"}),
        "data.test_fraction": (0.3, TABLE),
        "data.points": (130, {}),
        "data.end": (50.0, {}),
        "data.window": (11, {}),
        "data.steps": (2, {}),
        "data.horizon": (6, {}),
        "data.stride": (2, {}),
        "data.test_stride": (1, TABLE),
        "data.valid_fraction": (0.3, {}),
        "data.limit": (50, {}),
        "data.season": (7, {}),
        "data.scale": ("none", {}),
        "model.encoder.bidirectional": (True, {}),
        "model.strategy": ("direct", {}),
        "model.segment": (2, TABLE),
        "model.normalise": ("last", {}),
        "model.head": ("gaussian", {}),
        "model.quantiles": ([0.2, 0.5, 0.8], {"model.head": "quantile"}),
        "model.loss": ("mae", {}),
        "model.change": (True, {}),
        "model.growth": (0.5, {**TABLE, "model.normalise": "last"}),
        "model.highway": (2, TABLE),
        "model.input_noise": (0.1, {}),
        "model.dropout": (0.5, {}),
        "model.series_size": (2, TABLE),
        "teacher_forcing.ratio": (0.5, {**DECODER, "teacher_forcing.final_ratio": 0.5}),
        "teacher_forcing.final_ratio": (0.0, DECODER),
        "teacher_forcing.schedule": ("exponential", {**DECODER, "teacher_forcing.final_ratio": 0.0}),
    },
}  # fmt: skip

REFUSED = {
    ("classification", "start"),  # here is no language model to begin with; tests/test_borrowing.py has one
    *((task, "task") for task in CHANGES),
    ("dialogue", "data.source"),
    ("dialogue", "data.target"),
    ("dialogue", "text.line_ends"),
    ("translation", "text.line_ends"),
    ("language-model", "model.encoder.bidirectional"),
    *(("language-model", f"model.encoder.{name}") for name in ("kind", "width", "dilated", "heads")),
    *(("language-model", path) for path in ("text.first", "text.last", "training.bucket", "training.tokens")),
    ("language-model", "training.best"),
    *((task, "split_seed") for task in ("language-model", "forecasting")),
}
"""What has one value only, once the recipe is chosen; a text file of dialogues has no columns, nor are turns parted by
tokens; a language model reads one long text forwards from the state it ended with, and its score is its loss."""
SHARED = {("dialogue", path) for path in SEQ2SEQ.keys() | COMMON.keys() if not path.startswith("data.")} | {
    (task, f"training.optimizer.{name}") for task in CHANGES for name in OPTIMIZER if task != "classification"
}
"""What is the very same code for another task, where its effect is seen: one optimizer serves them all."""
MENDS = {("forecasting", "data.sort"), ("tagging", "data.repair")}
"""What makes something of data that is refused otherwise."""
NAMED = {(task, "data.name") for task in BASE if task != "classification"}
"""What only real data can show."""

PATHS = [
    (task, path)
    for task in TASKS
    for path, _ in fields(experiment.recipe_class(task))
    if path not in WATCHES and not path.startswith(("about.", "report."))
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tables of reviews with capitals, commas, accents, a second text and a second label."""
    folder = tmp_path_factory.mktemp("data")
    rng = random.Random(0)
    for name in ("reviews", "others"):
        lines = ["review\tother\tstars\tflag"]
        for row in range(80):
            good = row % 2 == 0
            words = rng.choices([*PLAIN, "Café", "A", ",", "don't"], k=rng.randint(4, 14))
            words.append(rng.choice(GOOD if good else BAD))
            lines.append(f"{' '.join(words)}\t{' '.join(reversed(words[1:]))}\t{good}\t{row % 3 == 0}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    common: list[str] = []
    for name in ("pairs", "others"):
        lines = ["english\tfrench\tgerman", *common]
        for _ in range(80):
            words = rng.choices([*PLAIN, "Café", "A", ",", "don't"], k=rng.randint(3, 9))
            lines.append("\t".join((" ".join(words), " ".join(reversed(words)) + ".", " ".join(words[1:]) + "!")))
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        common = common or lines[1:9]
    write_series(folder, rng)
    write_tagged(folder, rng)
    write_judged(folder, rng)
    write_prose(folder)
    write_lines(folder)
    rows = [
        f"w{at // 4}\t{rng.random():.3f}\t{' '.join(rng.choices([*PLAIN, GOOD[0]], k=5))}\t{at // 4 % 2 == 0}"
        for at in range(200)
    ]
    (folder / "walks.csv").write_text("\n".join(["walk\tx\treview\tstars", *rows]) + "\n", encoding="utf-8")
    first: list[str] = []
    for name in ("talk", "more-talk"):
        turns = [" ".join(rng.choices([*PLAIN, "Café", "A"], k=rng.randint(2, 6))) for _ in range(120)]
        blocks = ["\n".join(turns[at : at + 4]) for at in range(0, 120, 4)]
        # The other file repeats some of the first one's dialogues.
        first = first or blocks[:4]
        (folder / f"{name}.txt").write_text("\n\n".join([*blocks, *first]) + "\n", encoding="utf-8")
    return folder


def write_tagged(folder: Path, rng: random.Random) -> None:
    """Sentences with names of two kinds, capitals, accents and numbers: word, part of speech, BIO; and broken ones."""
    tags = {name: tag for name, tag in zip(GOOD, ["B-PER", "B-LOC"] * 4, strict=True)}
    for name in ("tagged", "more-tagged", "broken"):
        blocks = []
        for _ in range(80):
            known = [*PLAIN, *GOOD, "Café", "A", "1999", "2024", "3.5", "@anna", "@ben"]
            words = rng.choices(known, k=rng.randint(3, 9))
            own = [tags.get(word, "O") for word in words]
            own = ["I" + tag[1:] if at and tag[0] == "B" and own[at - 1] == tag else tag for at, tag in enumerate(own)]
            if name == "broken":
                words, own = [*words, "it", "is"], [*own, "O", "I-PER"]
            rows = [
                f"{word}\t{'NUM' if word[0].isdigit() else 'X'}\t{tag}" for word, tag in zip(words, own, strict=True)
            ]
            blocks.append("\n".join(rows) + "\n")
        (folder / f"{name}.conll").write_text("\n".join(blocks), encoding="utf-8")


def write_prose(folder: Path) -> None:
    """Two texts of lines with capitals, accents, brackets and apostrophes."""
    rng = random.Random(0)
    for name in ("prose", "more-prose"):
        marks = ["Café", "A", ",", "don't", "(so)", "l'homme", "."]
        lines = [" ".join(rng.choices([*PLAIN, *marks], k=rng.randint(3, 9))) for _ in range(120)]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_lines(folder: Path) -> None:
    """A table whose texts have several lines."""
    rng = random.Random(0)
    lines = ["english,french,kind"]
    for row in range(80):
        words = rng.choices([*PLAIN, "\n"], k=rng.randint(4, 14))
        text = " ".join(["so", *words, GOOD[0]])
        lines.append(f'"{text}","{text.upper()}",{row % 2 == 0}')
    (folder / "lines.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_judged(folder: Path, rng: random.Random) -> None:
    """Pairs of texts, a third text, two kinds of labels and a score: capitals, accents, words that begin alike."""
    for name in ("judged", "more-judged"):
        lines = ["premise,hypothesis,other,label,flag,score"]
        for row in range(90):
            words = rng.choices([*PLAIN, "Café", "A", ".", "\n", "don't", "plays", "playing"], k=rng.randint(3, 9))
            kind = row % 3
            second = ([*words[1:], "was"], [*words, rng.choice(BAD)], rng.choices(PLAIN, k=5))[kind]
            texts = [f'"x {" ".join(text)}"' for text in (words, second, words[::-1])]
            lines.append(",".join([*texts, "yes no maybe".split()[kind], str(row % 4 == 0), f"{5 - kind - row / 200}"]))
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_series(folder: Path, rng: random.Random) -> None:
    """Two series by the hour: as they are, with gaps, in disorder, of two places; and what comes later."""
    values = [(rng.random(), rng.random()) for _ in range(200)]
    rows = [f"2024-01-{1 + at // 24:02} {at % 24:02}:00,{2024 + at}-01-01" for at in range(200)]
    lines = [f"{row},{y:.3f},{z:.3f}" for row, (y, z) in zip(rows, values, strict=True)]
    parts = {
        "series": lines[:120], "later": lines[120:160], "latest": lines[160:], "gaps": lines[:40] + lines[43:120],
        "disorder": [lines[1], lines[0], *lines[2:120]],
    }  # fmt: skip
    for name, part in parts.items():
        (folder / f"{name}.csv").write_text("\n".join(["time,day,y,z", *part]) + "\n", encoding="utf-8")
    places = [f"{line},{place}" for line in lines[:120] for place in ("Orléans", "Nice")]
    places = [line.replace(",0.", ",1.", 1) if line.endswith("Nice") else line for line in places]
    (folder / "places.csv").write_text("\n".join(["time,day,y,z,place", *places]) + "\n", encoding="utf-8")


Outcome = tuple[str, str]
"""Digests of what a run tells and of its weights."""
Train = Callable[[str, dict[str, Any], dict[str, Any]], Outcome]


@pytest.fixture(scope="module")
def outcome(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Train]:
    """Trains a base with changes typed on top; gives history, scores and predictions without times, and the weights."""
    known: dict[str, Outcome] = {}

    def trained(task: str, base: dict[str, Any], typed: dict[str, Any]) -> Outcome:
        key = json.dumps([task, base, typed], sort_keys=True)
        if key not in known:
            tree: dict[str, Any] = {"task": task, "name": task}
            paths = [path for path, _ in fields(experiment.recipe_class(task))]
            set_ = {path: value for path, value in base.items() if value is not None}
            Path("base.yaml").write_text(write_yaml(override(tree, set_, paths)[0]), encoding="utf-8")
            recipe = request.assemble("base.yaml", typed)
            known[key] = told(experiment.train(recipe, root=tmp_path_factory.mktemp("runs")))
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSTMLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.chdir(data)
        yield trained


def told(run: Run) -> Outcome:
    history = [{key: value for key, value in row.items() if key != "seconds"} for row in run.history]
    metrics = {key: value for key, value in run.metrics.items() if not key.endswith("_seconds")}
    text = json.dumps([history, metrics, run.predictions])
    contents = text.encode(), (run.folder / "model.safetensors").read_bytes()
    return tuple(hashlib.sha256(content).hexdigest() for content in contents)  # type: ignore[return-value]


def test_the_law_knows_every_setting() -> None:
    listed = {(task, path) for task in CHANGES for path in CHANGES[task]}
    new, gone = sorted(set(PATHS) - listed), sorted(listed - set(PATHS))
    assert not new, f"give these settings another value in CHANGES, so that their effect is tested: {new}"
    assert not gone, f"these settings are no more: take them out of CHANGES: {gone}"


@pytest.mark.slow
@pytest.mark.parametrize(("task", "path"), [one for one in PATHS if one not in SHARED])
def test_every_setting_has_an_effect_or_is_refused(task: str, path: str, data: Path, outcome: Train) -> None:
    if (task, path) in NAMED and not os.environ.get("LSTMLAB_DATA"):
        pytest.skip("LSTMLAB_DATA is not set: no named data")
    value, needs = CHANGES[task][path]
    base = {**BASE[task], **needs}
    if (task, path) in REFUSED:
        with pytest.raises(InputError, match=path.rsplit(".", 1)[-1]):
            outcome(task, base, {path: value})
    elif (task, path) in MENDS:
        with pytest.raises(InputError, match=path):
            outcome(task, base, {})
        assert outcome(task, base, {path: value})
    else:
        assert outcome(task, base, {}) != outcome(task, base, {path: value}), f"{path}={value} changed nothing"


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_the_same_settings_give_the_same_outcome(task: str, data: Path, outcome: Train) -> None:
    """Without this the law above would prove nothing. What only names and watches changes nothing."""
    typed = {"about.author": "A", "training.checkpoint_seconds": 0.0, "name": "it", "summary": "A run."}
    assert outcome(task, BASE[task], {}) == outcome(task, BASE[task], typed)


# ---- Commands -------------------------------------------------------------------------------------------------------


def modules(code: str) -> set[str]:
    """What a fresh Python has imported after `code`."""
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint('\\n'.join(sys.modules))"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(told.stdout.splitlines())


HEAVY = {"torch", "numpy", "polars", "sklearn", "matplotlib", "tokenizers", "pydantic", "ruamel.yaml", "typst"}


def test_help_imports_neither_torch_nor_types() -> None:
    found = modules("sys.argv = ['lstmlab', '--help']; from lstmlab.cli import main; main()")
    assert "lstmlab.cli.learn" in found
    assert not found & {"torch", "lstmlab.types", "numpy", "polars", "sklearn", "matplotlib"}


def test_importing_lstmlab_does_nothing() -> None:
    found = modules("import lstmlab; dir(lstmlab)")
    assert "lstmlab" in found
    assert not found & HEAVY
    assert [name for name in found if name.startswith("lstmlab.")] == []


def commands() -> dict[str, Any]:
    """Every command by the words that call it."""
    import typer

    # Each adds its commands.
    from lstmlab.cli import app, cells, chat, compare, data, doctor, explore, handin, learn, notebooks, use  # noqa: F401

    found: dict[str, Any] = {}

    def collect(command: Any, words: str) -> None:
        found[words] = command
        for name, inner in getattr(command, "commands", {}).items():
            collect(inner, f"{words} {name}")

    collect(typer.main.get_command(app), "lstmlab")
    return found


@pytest.mark.parametrize("words", commands())
def test_a_command_and_its_arguments_have_help(words: str) -> None:
    command = commands()[words]
    assert command.help, f"{words} has no help"
    for parameter in command.params:
        assert getattr(parameter, "help", ""), f"{words}: {parameter.name} has no help"


def readme_commands() -> list[str]:
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("lstmlab ")]


def test_the_readme_shows_commands() -> None:
    if not (ROOT / "README.md").is_file():
        pytest.skip("there is no README.md yet")
    assert readme_commands()


@pytest.mark.parametrize("line", readme_commands())
def test_a_command_of_the_readme_parses(line: str) -> None:
    """Command and options exist; recipes and their settings, where it names one, assemble."""
    words = shlex.split(line, comments=True)[1:]
    command, called = commands()["lstmlab"], "lstmlab"
    while getattr(command, "commands", None) and words:
        called = f"{called} {words[0]}"
        assert words[0] in command.commands, f"there is no command {called}"
        command, words = command.commands[words[0]], words[1:]
    with command.make_context(called, list(words)) as context:
        if called == "lstmlab train" and not request.is_data(context.params["what"]):
            from lstmlab.recipe import parse_overrides

            request.assemble(context.params["what"], parse_overrides(context.params["changes"] or []))
        if called == "lstmlab recipes" and context.params["name"]:
            request.find(context.params["name"])


# ---- Files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src" / "lstmlab")))
def test_a_source_file_is_small_and_silent(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400, "split it: a file holds one concept"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            told = node.args
            every = (*told.posonlyargs, *told.args, *told.kwonlyargs)
            names = [arg.arg for arg in every if arg.arg not in ("self", "cls")]
            assert len(names) <= 8, f"line {node.lineno}: {len(names)} parameters"
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name) and called.id == "print":
            assert path.parent.name == "cli", f"line {called.lineno}: the library prints nothing"
