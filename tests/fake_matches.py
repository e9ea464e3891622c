"""Run directories of models of pairs of texts, made up for tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fake_runs import ENCODER, HOSTILE, TRAINING, curve, write_run
from lstmlab.training.run import Run

LABELS = ("contradiction", "entailment", "neutral")
WORDS = "a man woman dog is not playing running guitar field the in with red ball".split()


def judged(
    first: str, second: str, truth: Any, said: Any = None, *, labels: Sequence[str] = LABELS, name: str = "1"
) -> dict[str, Any]:
    """One line of predictions.jsonl: of a label, or of a score where `truth` is a number."""
    said = truth if said is None else said
    row = {"id": name, "input": [first, second], "target": truth, "prediction": said, "loss": 0.4}
    if isinstance(truth, str):
        row["probabilities"] = {one: 0.8 if one == said else 0.2 / (len(labels) - 1) for one in labels}
    return row


def pairs(count: int = 150, *, graded: bool = False, seed: int = 0) -> list[dict[str, Any]]:
    """Pairs that share few words or many; most answers are right, those about few shared words more often."""
    rng, rows = np.random.default_rng(seed), []
    for at in range(count):
        words = rng.choice(WORDS, size=8).tolist()
        share = at % 8
        other = [*words[:share], *rng.choice(["cat", "sea", "boat", "not"], size=8 - share).tolist()]
        right = rng.random() < 0.95 - 0.06 * share
        truth, said = LABELS[at % 3], LABELS[at % 3 if right else (at + 1) % 3]
        one, two = " ".join(words), " ".join(other)
        score = 1 + 4 * share / 8
        rows.append(judged(one, two, score, score + float(rng.normal(0, 0.1 + share / 10)), name=str(at)) if graded
                    else judged(one, two, truth, said, name=str(at)))  # fmt: skip
    return rows


def pairs_run(
    folder: Path,
    *,
    predictions: Sequence[Mapping[str, Any]] | None = None,
    graded: bool = False,
    history: Sequence[Mapping[str, Any]] | None = None,
    attention: str = "between",
    **changed: Any,
) -> Run:
    """A run over pairs of texts; `changed` replaces entries of its metrics."""
    rows = pairs(graded=graded) if predictions is None else predictions
    scores = {"loss": 0.5, "accuracy": 0.8, "macro_f1": 0.78, "calibration_error": 0.03}
    rivals = {"majority class": {"accuracy": 0.56, "macro_f1": 0.24}, "word overlap": {"accuracy": 0.66}}
    if graded:
        scores = {"loss": 0.6, "pearson": 0.8, "spearman": 0.75, "mse": 0.4}
        rivals = {"mean": {"pearson": None, "mse": 1.0}, "word overlap": {"pearson": 0.6, "mse": 0.6}}
    metrics = {
        "parameters": 300_000, "best_epoch": 3, "test": scores, "test_last": scores, "valid": scores,
        "baseline": rivals, "train_seconds": 5.0, "total_seconds": 6.0, **changed,
    }  # fmt: skip
    recipe = {
        "name": "made-up-pairs", "summary": "Made-up pairs.", "group": "own", "task": "pairs", "seed": 0,
        "device": "cpu", "about": {"title": "", "author": "", "course": ""},
        "data": {"name": None, "path": "made-up.csv", "first": None, "second": None, "label": None, "graded": graded,
                 "symmetric": False,
                 "valid": None, "test": None, "encoding": "utf-8", "limit": None, "valid_fraction": 0.1,
                 "test_fraction": 0.1},
        "text": {"level": "word", "lowercase": True, "first": None, "last": None},
        "matching": {"same": True, "alike": True},
        "model": {
            "embedding": {"size": 100, "deviation": 0.3, "word_dropout": 0.0, "dropout": 0.2, "locked_dropout": 0.0},
            "encoder": dict(ENCODER, bidirectional=True), "attention": attention, "compared_size": 64,
            "pooling": ["max", "mean"], "alone": True, "head_size": 64, "dropout": 0.3,
        },
        "training": TRAINING,
    }  # fmt: skip
    summary = {
        "data": {
            "name": "made-up.csv", "description": "files of one's own", "address": "made-up.csv", "licence": "",
            "checksums": {}, "steps": [], "parts": {"train": 500, "valid": 50, "test": len(rows)},
        },
        "layers": [["embedding: Embedding", "100", 10_000], ["encoder: Recurrent", "128", 20_000]],
        "journey": [["first", "a* | man*"], ["second", "a* | man* | sings"]],
    }  # fmt: skip
    return write_run(folder, recipe, curve() if history is None else history, metrics, rows, summary)


HOSTILE_PAIRS = [
    judged(text, other, label, said, labels=HOSTILE[:4], name=str(at))
    for at, (text, other) in enumerate(zip(HOSTILE * 6, [*HOSTILE[1:], HOSTILE[0]] * 6, strict=True))
    for label, said in [(HOSTILE[at % 4], HOSTILE[(at + at // 5) % 4])]
]
"""Texts and labels that would break a report that trusted them."""
