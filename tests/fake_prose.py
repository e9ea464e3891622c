"""Run directories of language models, made up for tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fake_runs import ENCODER, HOSTILE, TRAINING, write_run
from lstmlab.training.run import Run

PLAY = "ROMEO:\nWhat light through yonder window breaks?\nIt is the east, and Juliet is the sun.\n"


def details(tokens: Sequence[str], **changed: Any) -> dict[str, Any]:
    """What a model says of these tokens of a test text."""
    nats = np.random.default_rng(0).exponential(1.5, len(tokens)).round(3)
    kinds = sorted(set(tokens))
    sums = {kind: float(sum(one for one, token in zip(nats, tokens, strict=True) if token == kind)) for kind in kinds}
    costly = sorted(kinds, key=lambda kind: -sums[kind])[:40]
    return {
        "tokens": 5000, "characters": 5000, "unknown": 0.0, "looked_at": len(tokens),
        "costly": [
            {"token": kind, "count": list(tokens).count(kind), "nats": sums[kind] / list(tokens).count(kind),
             "share": sums[kind] / max(sum(sums.values()), 1e-9)} for kind in costly
        ],
        "passage": {"tokens": list(tokens), "nats": nats.tolist()}, **changed,
    }  # fmt: skip


def curve(count: int = 8) -> list[dict[str, Any]]:
    """A history with a text written after every epoch."""
    made = []
    for epoch in range(1, count + 1):
        loss = 1.3 + 2 * float(np.exp(-0.4 * epoch))
        scores = {"loss": loss, "token_accuracy": 1 / loss}
        made.append({
            "epoch": epoch, "step": 30 * epoch, "seconds": 1.0 * epoch, "learning_rate": 0.002, "gradient_norm": 0.5,
            "train": scores,
            "valid": {**scores, "nats_per_character": loss, "bits_per_character": loss / np.log(2),
                      "perplexity": float(np.exp(loss))},
            "samples": [{"input": PLAY, "target": "JULIET:\n", "prediction": f"the {'e' * epoch}\nand so on"}],
        })  # fmt: skip
    return made


def prose_run(
    folder: Path,
    *,
    tokens: Sequence[str] = tuple(PLAY * 4),
    level: str = "character",
    history: Sequence[Mapping[str, Any]] | None = None,
    predictions: Sequence[Mapping[str, Any]] | None = None,
    test: Mapping[str, Any] | None = None,
    **changed: Any,
) -> Run:
    """A language model's run; `changed` replaces entries of its metrics."""
    scores = {"loss": 1.4, "perplexity": float(np.exp(1.4)), "token_accuracy": 0.55}
    if level != "word":
        scores |= {"nats_per_character": 1.4, "bits_per_character": 1.4 / float(np.log(2))}
    scores |= test or {}
    weaker = {name: value and 1.3 * value for name, value in scores.items() if name not in ("loss", "token_accuracy")}
    if predictions is None:
        predictions = [
            {"id": f"test/{at}", "input": line + "\n", "target": None, "prediction": "And so\nit goes", "loss": 50.0}
            for at, line in enumerate(PLAY.split("\n"), 1)
        ]
    metrics = {
        "parameters": 30_000, "best_epoch": 6, "test": scores, "test_last": scores, "valid": scores,
        "baseline": {"token frequencies": weaker, "7-grams (Kneser-Ney)": weaker}, "details": details(tokens),
        "signatures": {"perplexity": "of each character"}, "train_seconds": 5.0, "total_seconds": 6.0, **changed,
    }  # fmt: skip
    recipe = {
        "name": "made-up-prose", "summary": "A made-up play.", "group": "own", "task": "language-model", "seed": 0,
        "device": "cpu", "about": {"title": "", "author": "", "course": ""},
        "data": {"name": None, "path": "made-up.txt", "valid": None, "test": None, "encoding": "utf-8", "limit": None,
                 "valid_fraction": 0.1, "test_fraction": 0.1},
        "text": {"level": level, "lowercase": False, "words": "unicode", "punctuation": True, "line_ends": True,
                 "vocabulary_size": 20000, "min_count": 1, "first": None, "last": None},
        "model": {
            "embedding": {"size": 64, "deviation": 0.1, "word_dropout": 0.0, "dropout": 0.0, "locked_dropout": 0.0,
                          "vocabulary_dropout": 0.0},
            "encoder": ENCODER, "dropout": 0.2, "locked": True, "tied": False, "output": "full", "samples": 4096,
        },
        "bptt": 100, "dynamic_rate": 0.0,
        "decoding": {"length": 200, "temperature": 0.8, "top_k": 0, "top_p": 1.0, "seed": 0},
        "training": TRAINING,
    }  # fmt: skip
    summary = {
        "data": {
            "name": "made-up.txt", "description": "files of one's own", "address": "made-up.txt", "licence": "",
            "checksums": {}, "steps": ["Cut by length, in order."], "parts": {"train": 500, "valid": 50, "test": 60},
        },
        "layers": [["embedding: Embedding", "64", 10_000], ["layers: Recurrent", "512", 20_000]],
        "journey": [["line", "ROMEO:\\n"], ["tensor", "[16, 100]"]],
    }  # fmt: skip
    return write_run(folder, recipe, curve() if history is None else history, metrics, predictions, summary)


HOSTILE_PROSE = [
    {"id": str(at), "input": text, "target": None, "prediction": other, "loss": 3.0}
    for at, (text, other) in enumerate(zip(HOSTILE, [*HOSTILE[1:], HOSTILE[0]], strict=True))
]
HOSTILE_TOKENS = [*HOSTILE, *"$x^2$ \\frac{1}{2} %\t\u202e\u200d\x07\n🙂中é\u0301", "\n\n", "", " "]
"""Texts and tokens that would break a report that trusted them."""
