"""Run directories of translators and partners in conversation, made up for tests."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fake_runs import ENCODER, HOSTILE, TRAINING, write_run
from lstmlab.training.run import Run

WORDS = {
    "the": "le", "cat": "chat", "dog": "chien", "sees": "voit", "a": "un", "small": "petit", "garden": "jardin",
    "never": "jamais", "and": "et", "Anna": "Anna", "3": "3", "reads": "lit", "book": "livre", "in": "dans",
}  # fmt: skip


def attention(source: Sequence[str], output: Sequence[str], *, sharp: float = 3.0) -> dict[str, Any]:
    """Weights along the diagonal: with `sharp` 0 they are uniform."""
    source, output = [*source, "</s>"], [*output, "</s>"]
    at = np.arange(len(output))[:, None] / max(len(output) - 1, 1)
    scores = -sharp * np.abs(at - np.arange(len(source)) / max(len(source) - 1, 1)) * len(source)
    weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return {"source": source, "output": output, "weights": weights.round(4).tolist()}


def row(
    source: str, said: str, target: str, *, shown: bool = False, finished: bool = True, **more: Any
) -> dict[str, Any]:
    """One line of predictions.jsonl."""
    told: dict[str, Any] = {
        "id": source, "input": source, "target": target, "prediction": said, "score": -1.0, "log_probability": -2.0,
        "tokens": len(said.split()), "finished": finished, "loss": 3.0, **more,
    }  # fmt: skip
    if shown:
        look = attention(source.split(), said.split())
        told |= {"shown": True, "attention": look, "greedy": {"prediction": said + " !", "attention": look}}
    return told


def sentences(count: int = 100, *, wrong: float = 0.3, seed: int = 0) -> list[dict[str, Any]]:
    """Word for word translations of 3 to 14 words, some with one word taken for another; five are shown."""
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        source = [str(word) for word in rng.choice(list(WORDS), int(rng.integers(3, 15)))]
        wanted = [WORDS[word] for word in source]
        said = list(wanted)
        if rng.random() < wrong:
            said[int(rng.integers(len(said)))] = "chat" if rng.random() < 0.5 else "maison"
        made.append((" ".join(source), " ".join(said), " ".join(wanted)))
    order = sorted(range(count), key=lambda at: len(made[at][0].split()))
    shown = {order[int(share * count)] for share in (0.1, 0.3, 0.5, 0.7, 0.9)}
    return [row(*one, shown=at in shown) for at, one in enumerate(made)]


def replies(count: int = 60, *, dull: bool = False) -> list[dict[str, Any]]:
    """Replies to two turns each, all of them the same where dull."""
    made = sentences(count, wrong=0.0, seed=1)
    said = [("I do not know." if dull else f"{one['prediction']} {at}") for at, one in enumerate(made)]
    return [
        row(f"hello {at}\n{one['input']}", text, f"{one['target']} yes {at}", shown=bool(one.get("shown")))
        for at, (one, text) in enumerate(zip(made, said, strict=True))
    ]


def curve(count: int = 12) -> list[dict[str, Any]]:
    """A history with samples after every epoch."""
    made = []
    for epoch in range(1, count + 1):
        loss = 0.5 + 4 * float(np.exp(-0.3 * epoch))
        scores = {"loss": loss, "token_accuracy": 1 - loss / 6}
        valid = {"bleu": 40.0 - 8 * loss, "chrf": 60.0, "perplexity": float(np.exp(loss)), "distinct_2": 0.3}
        samples = [
            {"input": f"source {at}", "target": f"target {at}", "prediction": f"try {epoch} of {at}"} for at in range(5)
        ]
        made.append({
            "epoch": epoch, "step": 10 * epoch, "seconds": 1.0 * epoch, "learning_rate": 0.001, "gradient_norm": 0.5,
            "train": scores, "valid": {**scores, **valid}, "samples": samples,
        })  # fmt: skip
    return made


def _vocabulary(words: Sequence[str], level: str) -> dict[str, Any]:
    settings = {
        "level": level, "lowercase": False, "words": "unicode", "punctuation": True, "vocabulary_size": 2000,
        "min_count": 1, "first": None, "last": None,
    }  # fmt: skip
    return {"settings": settings, "vocabulary": ["<pad>", "<unk>", *words], "merges": [], "glued": {}}


def _run(folder: Path, task: str, predictions: Sequence[Mapping[str, Any]], metrics: Mapping[str, Any], *,
         history: Sequence[Mapping[str, Any]] | None, changes: Mapping[str, Any], train: int) -> Run:  # fmt: skip
    model = {
        "embedding": {"size": 32, "word_dropout": 0.0, "dropout": 0.0, "locked_dropout": 0.0},
        "encoder": dict(ENCODER, bidirectional=True),
        "decoder": {"cell": None, "hidden_size": None, "num_layers": None, "dropout": 0.2},
        "context": "attention", "attention": {"kind": "general", "size": None, "input_feeding": True},
        "bridge": "auto", "tied": "none", "memory_dropout": 0.0, "label_smoothing": 0.0,
        **changes.get("model", {}),
    }  # fmt: skip
    decoding = {
        "method": "beam", "beam_size": 5, "length_penalty": 1.0, "stopping": "first", "no_repeat_ngram": 0,
        "min_length": 0, "max_length": 100, "n_best": 1, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 0,
        **changes.get("decoding", {}),
    }  # fmt: skip
    text = {
        **_vocabulary([], "word")["settings"], "joint": False, "copy_unknown": True, **changes.get("text", {}),
    }  # fmt: skip
    data = {"name": "made-up", "path": None, "source": "en", "target": "fr", "valid": None, "test": None,
            "encoding": "utf-8", "limit": None, "valid_fraction": 0.1, "test_fraction": 0.1}  # fmt: skip
    recipe = {
        "name": f"made-up-{task}", "summary": "Made-up sentences.", "group": "own", "task": task, "seed": 0,
        "device": "cpu", "about": {"title": "", "author": "", "course": ""},
        "data": data | ({"turns": 2} if task == "dialogue" else {}), "text": text, "model": model,
        "teacher_forcing": {"ratio": 1.0, "final_ratio": 1.0, "schedule": "linear"}, "decoding": decoding,
        "glance": 500, "training": dict(TRAINING, best="loss"),
    }  # fmt: skip
    summary = {
        "data": {
            "name": "made-up", "description": "Made-up pairs.", "address": "", "licence": "none needed",
            "checksums": {}, "steps": ["Made up."], "parts": {"train": train, "valid": 50, "test": len(predictions)},
        },
        "layers": [["embedding: Embedding", "32", 1000], ["encoder: Recurrent", "128", 2000], ["decoder: D", "", 9]],
        "journey": [["source", "the cat"], ["tokens", "the | cat | </s>"], ["target", "le chat"], ["tensor", "[1, 3]"]],
    }  # fmt: skip
    run = write_run(folder, recipe, curve() if history is None else history, metrics, predictions, summary)
    languages = {side: _vocabulary(words, "word") for side, words in (
        ("source", sorted(WORDS)), ("target", sorted(set(WORDS.values()))))}  # fmt: skip
    (folder / "task.json").write_text(json.dumps({"task": task, "languages": languages}), encoding="utf-8")
    return run


def _metrics(test: Mapping[str, float], baseline: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "parameters": 3009, "best_epoch": 12, "test": test, "valid": test, "test_last": test,
        "signatures": {"bleu": "BLEU|nrefs:1|made-up"}, "baseline": baseline, "train_seconds": 5.0,
        "total_seconds": 6.0, **changed,
    }  # fmt: skip


def translation_run(
    folder: Path,
    *,
    predictions: Sequence[Mapping[str, Any]] | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
    changes: Mapping[str, Any] | None = None,
    train: int = 700,
    **changed: Any,
) -> Run:
    """A translator's run; `changes` replaces parts of its recipe, `changed` entries of its metrics."""
    from lstmlab.tasks import rivals

    rows = sentences() if predictions is None else predictions
    scored = rivals.text_scores([one["prediction"] for one in rows], [one["target"] for one in rows], lowercase=False)
    test = {"loss": 0.6, **scored, "perplexity": 1.8, "token_accuracy": 0.9}
    baseline = {"source copied": {"bleu": 1.0, "chrf": 10.0, "ter": 100.0, "exact_match": 0.0},
                "word for word": {"bleu": 20.0, "chrf": 50.0, "ter": 60.0, "exact_match": 0.1}}  # fmt: skip
    return _run(folder, "translation", rows, _metrics(test, baseline, changed), history=history,
                changes=changes or {}, train=train)  # fmt: skip


def dialogue_run(
    folder: Path,
    *,
    predictions: Sequence[Mapping[str, Any]] | None = None,
    dull: bool = False,
    history: Sequence[Mapping[str, Any]] | None = None,
    changes: Mapping[str, Any] | None = None,
    **changed: Any,
) -> Run:
    """A run of a partner in conversation."""
    from lstmlab.tasks import rivals

    rows = replies(dull=dull) if predictions is None else predictions
    said, wanted, asked = ([str(one[name]) for one in rows] for name in ("prediction", "target", "input"))
    test = {"loss": 3.0, **rivals.text_scores(said, wanted, lowercase=False), "perplexity": 12.0,
            "token_accuracy": 0.4, **rivals.variety(said, asked)}  # fmt: skip
    found = rivals.variety(wanted, asked)
    baseline = {"TF-IDF retrieval": {"bleu": 2.0, "chrf": 14.0, **found}, "the references": found}
    return _run(folder, "dialogue", rows, _metrics(test, baseline, changed), history=history,
                changes=changes or {}, train=20_000)  # fmt: skip


HOSTILE_ROWS = [row(one, two, three, shown=True) for one, two, three in zip(
    HOSTILE * 4, [*HOSTILE[1:], HOSTILE[0]] * 4, [*HOSTILE[2:], *HOSTILE[:2]] * 4, strict=True)]  # fmt: skip
"""Texts that would break a report that trusted them, as sources, outputs and references."""
