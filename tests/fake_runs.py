"""Run directories made up for tests: what training would have written, at will."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstmlab import recipe as recipes
from lstmlab.training.run import Run

HOSTILE = [
    "</script><script>alert(1)</script> <img src=x onerror=alert(1)> &amp; <br />",
    "$x^2_{i}$ \\textbf{bold} #heading *star* _under_ `code` | pipe | [link](javascript:alert(1))",
    "```\nfence\n```\n- list\n\n\n# heading",
    "a\x00b\x07c \u202eright to left\u202c \ud83d\ude00 \U0001f600 हिन्दी 中文 العربية",
    "x" * 3000,
    "",
    "   \n\t ",
    '#set page(width: 1pt) #import "x"',
]
"""Texts that would break a report that trusted them."""

OPTIMIZER = {
    "method": "adam",
    "learning_rate": 0.001,
    "schedule": "constant",
    "warmup": 0.0,
    "final_rate": 0.0,
    "plateau_factor": 0.5,
    "plateau_patience": 2,
    "beta1": 0.9,
    "beta2": 0.999,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "clip": None,
    "average": None,
}
TRAINING = {
    "epochs": 10,
    "steps": None,
    "minutes": None,
    "batch_size": 64,
    "tokens": None,
    "bucket": True,
    "accumulate": 1,
    "patience": None,
    "optimizer": OPTIMIZER,
    "checkpoint_seconds": 30.0,
}
ENCODER = {
    "cell": "lstm",
    "hidden_size": 64,
    "num_layers": 1,
    "bidirectional": False,
    "dropout": 0.0,
    "residual": False,
    "initialisation": "torch",
    "forget_bias": None,
}
VERSIONS = {"lstmlab": "0.1.0", "torch": "2.13.0", "numpy": "2.4.0"}


def write_run(
    folder: Path,
    recipe: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    metrics: Mapping[str, Any],
    predictions: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any],
) -> Run:
    """A run directory with these contents."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        "versions": VERSIONS,
        "python": "3.11.9",
        "platform": "Linux",
        "device": "cpu",
        "threads": 2,
        "seed": recipe["seed"],
        "data": summary["data"],
        "git_commit": None,
        "command": "lstmlab train made-up",
        "started": "2026-02-03T04:05:06+0000",
    }
    (folder / "recipe.yaml").write_text(recipes.write_yaml(recipe), encoding="utf-8")
    for name, value in (("environment", environment), ("metrics", metrics), ("summary", summary), ("task", {})):
        (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
    for name, rows in (("history", history), ("predictions", predictions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Run(folder)


def curve(count: int = 10, *, overfit: bool = True) -> list[dict[str, Any]]:
    """A history of a text classifier."""
    made = []
    for epoch in range(1, count + 1):
        train = 0.7 * float(np.exp(-0.25 * epoch))
        valid = 0.35 + 0.25 * float(np.exp(-0.8 * epoch)) + (0.015 * epoch if overfit else 0)
        made.append(
            {
                "epoch": epoch,
                "step": 40 * epoch,
                "seconds": 1.5 * epoch,
                "learning_rate": 0.001,
                "gradient_norm": 0.5,
                "train": {"loss": train, "accuracy": 1 - 0.6 * train},
                "valid": {
                    "loss": valid,
                    "accuracy": 0.86 - 0.1 * valid,
                    "macro_f1": 0.85 - 0.1 * valid,
                    "calibration_error": 0.03,
                },
            }
        )
    return made


def answers(texts: Sequence[str], labels: Sequence[str], *, right: float = 0.85, seed: int = 0) -> list[dict[str, Any]]:
    """Predictions for these texts, about `right` of them right, labels drawn at random."""
    rng = np.random.default_rng(seed)
    made = []
    for at, text in enumerate(texts):
        target = int(rng.integers(len(labels)))
        logits = rng.normal(0, 1, len(labels))
        favoured = target if rng.random() < right else int(rng.integers(len(labels)))
        logits[favoured] += 3
        shares = np.exp(logits) / np.exp(logits).sum()
        made.append(
            {
                "id": f"test-{at}",
                "input": text,
                "target": labels[target],
                "prediction": labels[int(shares.argmax())],
                "probabilities": dict(zip(labels, map(float, shares), strict=True)),
                "loss": float(-np.log(shares[target])),
            }
        )
    return made


def texts(count: int, seed: int = 0) -> list[str]:
    """Sentences of 3 to 300 words."""
    rng = np.random.default_rng(seed)
    words = "the film was a very good bad slow moving picture with actors who never seem to know why".split()
    return [" ".join(rng.choice(words, int(np.exp(rng.uniform(1.1, 5.7))))) for _ in range(count)]


def classification_run(
    folder: Path,
    *,
    history: Sequence[Mapping[str, Any]] | None = None,
    predictions: Sequence[Mapping[str, Any]] | None = None,
    dropout: float = 0.5,
    about: Mapping[str, str] | None = None,
    **changed: Any,
) -> Run:
    """A text classifier's run; `changed` replaces entries of its metrics."""
    history = curve() if history is None else history
    predictions = answers([*texts(400), *HOSTILE], ["negative", "positive"]) if predictions is None else predictions
    right = float(np.mean([row["prediction"] == row["target"] for row in predictions])) if predictions else 0.0
    test = {"loss": 0.42, "accuracy": right, "macro_f1": right, "calibration_error": 0.031}
    metrics = {
        "parameters": 1_330_241,
        "best_epoch": 3,
        "test_last": {**test, "loss": 0.6, "accuracy": right - 0.01},
        "valid": test,
        "test": test,
        "train_seconds": 61.5,
        "total_seconds": 75.0,
        "baseline": {
            "majority class": {"accuracy": 0.5, "macro_f1": 0.333},
            "TF-IDF + logistic regression": {"accuracy": 0.8, "macro_f1": 0.8},
        },
        **changed,
    }
    recipe = {
        "name": "made-up",
        "summary": "Sentiment of made-up film reviews.",
        "group": "own",
        "task": "classification",
        "seed": 7,
        "device": "auto",
        "about": {"title": "", "author": "", "course": "", **(about or {})},
        "data": {"name": "imdb", "path": None, "limit": None, "valid_fraction": 0.1, "test_fraction": 0.1},
        "text": {
            "level": "word",
            "lowercase": True,
            "vocabulary_size": 20000,
            "min_count": 1,
            "first": None,
            "last": 200,
        },
        "model": {
            "embedding": {"size": 64, "word_dropout": dropout / 5},
            "encoder": dict(ENCODER, bidirectional=True),
            "pooling": ["max", "mean"],
            "segment_length": None,
            "dropout": dropout,
            "single_unit": False,
        },
        "training": TRAINING,
    }
    summary = {
        "data": {
            "name": "imdb",
            "description": "50,000 film reviews, half of them negative.",
            "address": "https://ai.stanford.edu/~amaas/data/sentiment/",
            "licence": "research use",
            "checksums": {"aclImdb_v1.tar.gz": "c40f74a18d3b61f90feba1e17730e0d3"},
            "steps": ["Read aclImdb/train and aclImdb/test.", "2,500 training texts split off for validation."],
            "parts": {"train": 22500, "valid": 2500, "test": len(predictions)},
        },
        "layers": [
            ["embedding", "20000 × 64", 1_280_000],
            ["encoder", "64 → 2 × 64", 49_985],
            ["output", "128 → 2", 256],
        ],
        "journey": [
            ["text", "A film | that <b>nobody</b> ``` needs"],
            ["tokens", "a | film | that"],
            ["ids", "4 5 6"],
            ["tensor", "[1×3], padded with 0"],
            ["label", "negative → 0"],
        ],
    }
    return write_run(folder, recipe, history, metrics, predictions, summary)


def forecasting_run(
    folder: Path,
    *,
    forecast: np.ndarray | None = None,
    horizon: int = 100,
    change: bool = False,
    history: Sequence[Mapping[str, Any]] | None = None,
    **changed: Any,
) -> Run:
    """The sine forecaster's run: full batches without a validation part, unless told otherwise."""
    step = 100 / 999
    known = np.sin(step * np.arange(1000))[-50:]
    truth = np.sin(step * np.arange(1000, 1000 + horizon))
    if forecast is None:  # the phase runs ahead and the amplitude goes
        at = np.arange(1, horizon + 1)
        forecast = (0.6 + 0.4 * np.exp(-at / 60)) * np.sin(step * (999 + at * 1.15)) + 0.01
    losses = np.exp(
        np.interp(np.arange(1, 51), [1, 10, 20, 30, 40, 50], np.log([0.52, 0.0386, 0.0055, 8e-4, 3.2e-4, 3e-4]))
    )
    if history is None:
        history = [
            {
                "epoch": e,
                "step": e,
                "seconds": 0.1 * e,
                "learning_rate": 0.01,
                "gradient_norm": 0.1,
                "train": {"loss": float(loss), "mae": float(loss**0.5 * 0.8)},
            }
            for e, loss in enumerate(losses, 1)
        ]
    mae = float(np.abs(forecast - truth).mean())
    scores = {"loss": 0.4, "mae": mae, "rmse": 1.2 * mae, "smape": 0.9, "mase": mae / 0.0637}
    metrics = {
        "parameters": 10651,
        "best_epoch": 50,
        "test_last": scores,
        "test": scores,
        "train_seconds": 5.0,
        "total_seconds": 6.1,
        "baseline": {
            "last value": {"mae": 0.75, "rmse": 0.9, "smape": 1.2, "mase": 11.7},
            "seasonal naive (63 steps)": {"mae": 0.02, "rmse": 0.03, "smape": 0.05, "mase": 0.3},
        },
        **changed,
    }
    recipe = {
        "name": "sine-classic",
        "summary": "The textbook sine forecaster.",
        "group": "labs",
        "task": "forecasting",
        "seed": 0,
        "device": "cpu",
        "about": {"title": "", "author": "", "course": ""},
        "data": {
            "name": "sine",
            "points": 1000,
            "end": 100.0,
            "window": 50,
            "steps": 1,
            "horizon": horizon,
            "valid_fraction": 0.0,
            "limit": None,
            "season": 63,
            "scale": "none",
        },
        "model": {"encoder": dict(ENCODER, hidden_size=50), "change": change, "input_noise": 0.0},
        "training": dict(TRAINING, epochs=50, batch_size=1000, optimizer=dict(OPTIMIZER, learning_rate=0.01)),
    }
    summary = {
        "data": {
            "name": "sine",
            "description": "1,000 points of sin(x), x evenly spaced on [0, 100]",
            "address": "",
            "licence": "made by this program",
            "checksums": {},
            "steps": [
                "950 training windows of 50 values, each followed by 1 to forecast.",
                "No validation part: every known point is trained on.",
            ],
            "parts": {"train": 950, "test": 1},
        },
        "layers": [["encoder", "1 → 50", 10600], ["output", "50 → 1", 51]],
        "journey": [["series", "[0.0000, 0.0999, …] (50 values) → [-0.9589] (1 value)"], ["tensor", "[1, 50, 1]"]],
    }
    prediction = {
        "id": "1000",
        "input": known.tolist(),
        "target": truth.tolist(),
        "prediction": forecast.tolist(),
        "loss": 0.4 * horizon,
    }
    return write_run(folder, recipe, history, metrics, [prediction], summary)
