"""Run directories of taggers, made up for tests."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fake_runs import ENCODER, HOSTILE, TRAINING, write_run
from lstmlab.data.spans import Scheme
from lstmlab.data.words import WordEncoder, WordSettings
from lstmlab.training.run import Run

NAMES = "Anna Ben Clara".split()
TOWNS = "Lyon Rome New_York".split()
TAGS: dict[Scheme, tuple[str, ...]] = {
    "bio": ("O", "B-PER", "B-LOC", "I-LOC"), "plain": ("VERB", "PROPN", "NOUN", "ADP"),
}  # fmt: skip


def tagged(
    words: Sequence[str], truth: Sequence[str], said: Sequence[str] | None = None, name: str = "1"
) -> dict[str, Any]:
    """One line of predictions.jsonl."""
    said = truth if said is None else said
    return {"id": name, "input": list(words), "target": list(truth), "prediction": list(said),
            "certainty": [0.9] * len(words), "loss": 0.4 * len(words)}  # fmt: skip


def sentences(scheme: Scheme, count: int = 60, *, wrong: float = 0.1, seed: int = 0) -> list[dict[str, Any]]:
    """Somebody lives in a town; some tags taken for others, and every fifth name is a new one."""
    rng, rows = np.random.default_rng(seed), []
    who, where, more, verb = (
        ("B-PER", "B-LOC", "I-LOC", "O") if scheme == "bio" else ("PROPN", "PROPN", "PROPN", "VERB")
    )
    adverb = "O" if scheme == "bio" else "ADP"
    for at in range(count):
        name = f"Zed{at}" if at % 5 == 0 else str(rng.choice(NAMES))
        town = str(rng.choice(TOWNS)).split("_")
        words = [name, "lives", "in", *town]
        truth = [who, verb, adverb, where, *[more] * (len(town) - 1)]
        said = [str(rng.choice(TAGS[scheme])) if rng.random() < wrong else tag for tag in truth]
        rows.append(tagged(words, truth, said, str(at)))
    return rows


def tagging_run(
    folder: Path,
    *,
    predictions: Sequence[Mapping[str, Any]] | None = None,
    scheme: Scheme = "bio",
    history: Sequence[Mapping[str, Any]] | None = None,
    known: Sequence[str] = ("Anna", "Ben", "lives", "in", "in", "Lyon", "New", "York"),
    **changed: Any,
) -> Run:
    """A tagger's run; `known` are the words of its training part, `changed` replaces entries of its metrics."""
    rows = sentences(scheme) if predictions is None else predictions
    pairs = [pair for row in rows for pair in zip(row["target"], row["prediction"], strict=True)]
    right = float(np.mean([one == other for one, other in pairs])) if pairs else 0.0
    scores = {"loss": 0.3, "accuracy": right, "accuracy_unseen": 0.7}
    if scheme != "plain":
        scores |= dict.fromkeys(("span_f1", "span_precision", "span_recall", "span_f1_macro", "span_f1_lenient"), 0.6)
    metrics = {
        "parameters": 30_000, "best_epoch": 6, "test": scores, "test_last": scores, "valid": scores,
        "baseline": {"most frequent tag": scores | {"accuracy": 0.5}, "linear classifier": scores},
        "details": {"words": len(pairs), "scheme": scheme}, "train_seconds": 5.0, "total_seconds": 6.0, **changed,
    }  # fmt: skip
    recipe = {
        "name": "made-up-tags", "summary": "Made-up sentences.", "group": "own", "task": "tagging", "seed": 0,
        "device": "cpu", "about": {"title": "", "author": "", "course": ""},
        "data": {"name": None, "path": "made-up.conll", "text": None, "label": None, "scheme": None, "repair": False,
                 "valid": None, "test": None, "encoding": "utf-8", "limit": None, "valid_fraction": 0.1,
                 "test_fraction": 0.1},
        "words": {"lowercase": True, "digits": True, "min_count": 1, "suffixes": [2, 3]},
        "model": {
            "words": {"size": 100, "deviation": 0.1, "unknown": 0.25, "shape_size": 8, "suffix_size": 16,
                      "locked_dropout": 0.3},
            "letters": {"kind": "lstm", "size": 32, "hidden_size": 32, "width": 3},
            "encoder": dict(ENCODER, bidirectional=True), "dropout": 0.3, "output": "crf",
        },
        "training": dict(TRAINING, best="score"),
    }  # fmt: skip
    summary = {
        "data": {
            "name": "made-up.conll", "description": "files of one's own", "address": "made-up.conll", "licence": "",
            "checksums": {}, "steps": [], "parts": {"train": 500, "valid": 50, "test": len(rows)},
        },
        "layers": [["words: Embedding", "100", 10_000], ["encoder: Recurrent", "128", 20_000]],
        "journey": [["words", "Anna/B-PER lives/O"], ["tensor", "[1, 2, 5]"]],
    }  # fmt: skip
    run = write_run(folder, recipe, curve() if history is None else history, metrics, rows, summary)
    encoder = WordEncoder.fit(WordSettings(), [list(known)])
    tags = sorted(Counter(tag for row in rows for tag in row["target"]))
    task = {"task": "tagging", "encoder": encoder.to_json(), "tags": tags, "scheme": scheme}
    (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
    return run


def curve(count: int = 8) -> list[dict[str, Any]]:
    """A history with strict spans after every epoch."""
    made = []
    for epoch in range(1, count + 1):
        loss = 0.2 + float(np.exp(-0.4 * epoch))
        scores = {"loss": loss, "accuracy": 1 - loss / 3}
        made.append({
            "epoch": epoch, "step": 30 * epoch, "seconds": 1.0 * epoch, "learning_rate": 0.002, "gradient_norm": 0.5,
            "train": scores, "valid": {**scores, "span_f1": 0.9 - loss / 2},
        })  # fmt: skip
    return made


HOSTILE_TAGGED = [
    tagged([text or "x", "plain"], [f"B-{text or 'x'}", "O"], ["O", f"B-{other or 'x'}"], str(at))
    for at, (text, other) in enumerate(zip(HOSTILE * 3, [*HOSTILE[1:], HOSTILE[0]] * 3, strict=True))
]
"""Words and kinds that would break a report that trusted them."""
