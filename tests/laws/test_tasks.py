"""Laws of tasks: a blind guess at the start, eight examples by heart, restore predicts what prepare did, no leaks."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from conftest import PLAIN
from lstmlab import request
from lstmlab.api import run_recipe
from lstmlab.data import spans
from lstmlab.data.corpus import Corpus, Dataset
from lstmlab.data.load import Watch
from lstmlab.data.panel import Windows
from lstmlab.tasks import TASKS
from lstmlab.training.evaluation import evaluate
from lstmlab.training.inference import Predictor

CPU = torch.device("cpu")
PAIRS = {"text.level": "word", "hidden_size": 32, "model.embedding.size": 32, "data.limit": 100, "max_length": 12}
SMALL: dict[str, dict[str, Any]] = {
    "translation": {**PAIRS, "data.name": "phrases", "glance": 5},
    "dialogue": {**PAIRS, "glance": 5},
    "classification": {"hidden_size": 16, "model.embedding.size": 16},
    "pairs": {"hidden_size": 16, "model.embedding.size": 16, "compared_size": 16, "head_size": 16},
    "tagging": {"hidden_size": 16, "model.words.size": 16, "letters.hidden_size": 8},
    "language-model": {"hidden_size": 24, "model.embedding.size": 16, "decoding.length": 20},
    "forecasting": {
        "data.name": "sine",
        "hidden_size": 16,
        "points": 300,
        "end": 30.0,
        "horizon": 20,
        "valid_fraction": 0.2,
    },
}
BLIND = {
    "classification": math.log(2), "pairs": math.log(3), "forecasting": 1.0,
    **dict.fromkeys(("translation", "dialogue", "tagging", "language-model")),
}  # fmt: skip
"""Loss of knowing nothing: ln K for two balanced classes, ln V for a vocabulary; the variance of scaled values; of
taggings the growth of ln of their number with each word."""


RATE = {"translation": 0.03, "dialogue": 0.03, "language-model": 0.03}
"""Vectors that start small need larger steps."""


def blind(task: Any) -> float:
    if task.name == "tagging":
        between = spans.allowed(task.tags, task.inside)[1]
        return math.log(max(abs(np.linalg.eigvals(between.astype(float)))))
    if task.name == "language-model":
        return math.log(task.encoder.size)
    return BLIND[task.name] or math.log(task.languages.target.size)


def least(task: Any, batch: Any) -> float:
    """Loss of knowing by heart: 0, but for what a text goes on with where several begin alike."""
    if task.name != "language-model":
        return 0.0
    texts = [row[:n].tolist() for row, n in zip(batch.wanted, batch.inputs.lengths, strict=True)]
    starts = Counter(tuple(text[:at]) for text in texts for at in range(len(text)))
    ends = Counter(tuple(text[: at + 1]) for text in texts for at in range(len(text)))
    return sum(count * math.log(starts[text[:-1]] / count) for text, count in ends.items()) / sum(ends.values())


QUICK = ("classification", "pairs", "forecasting", "tagging", "language-model")
"""Tasks whose data and models are made in a moment."""


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.slow] * (name not in QUICK)) for name in TASKS])
def recipe(request: pytest.FixtureRequest, reviews: Path) -> Any:
    name = request.param
    own = {"path": str(reviews), "text": "review", "label": "stars"} if name == "classification" else {}
    if name == "dialogue":
        turns = [f"{one}, {other}?" for one in PLAIN for other in PLAIN]
        path = reviews.with_name("talk.txt")
        path.write_text("\n\n".join("\n".join(turns[at : at + 4]) for at in range(0, 160, 4)), encoding="utf-8")
        own = {"path": str(path)}
    if name == "pairs":
        path = reviews.with_name("judged.csv")
        pairs = [(f"the {one} {other}", kind) for one in PLAIN for other in PLAIN[:9] for kind in ("yes", "no", "odd")]
        ends = {"yes": "was", "no": "was not", "odd": "camera"}
        rows = [f"{text} was,{text} {ends[kind]},{kind}" for text, kind in pairs]
        path.write_text("\n".join(["premise,hypothesis,label", *rows]), encoding="utf-8")
        own = {"path": str(path)}
    if name == "tagging":
        path = reviews.with_name("names.conll")
        blocks = [f"{one}\tB-PER\nand\tO\n{other}\tB-LOC\n{one}\tI-LOC\n" for one in PLAIN for other in PLAIN[:12]]
        path.write_text("\n".join(blocks), encoding="utf-8")
        own = {"path": str(path)}
    if name == "language-model":
        path = reviews.with_name("lines.txt")
        path.write_text("".join(f"{one} {other}\n" for one in PLAIN for other in PLAIN), encoding="utf-8")
        own = {"path": str(path)}
    return _assemble(name, {**SMALL[name], **own})


def _assemble(name: str, changes: dict[str, Any]) -> Any:
    return request.assemble(name, changes)


def prepared(recipe: Any) -> tuple[Any, Dataset]:
    kind = TASKS[recipe.task]
    data = kind.load(recipe, Watch())
    return kind.prepare(recipe, data, Watch()), data


def test_every_task_is_in_these_laws() -> None:
    assert TASKS.keys() == SMALL.keys() == BLIND.keys()


def test_the_loss_at_the_start_is_a_blind_guess(recipe: Any) -> None:
    task, data = prepared(recipe)
    torch.manual_seed(0)
    encoded = task.encode(data.train, "train")
    _, losses, count = evaluate(task.build(), task, encoded, CPU)
    assert losses.sum() / count == pytest.approx(blind(task), rel=0.25)


@pytest.mark.slow
def test_eight_examples_are_learned_by_heart(recipe: Any) -> None:
    task, data = prepared(recipe)
    torch.manual_seed(0)
    encoded = task.encode(data.train, "train")
    model = task.build()
    batch = task.collate(encoded, np.arange(0, len(encoded), len(encoded) // 8)[:8])
    optimizer = torch.optim.Adam(model.parameters(), RATE.get(recipe.task, 0.01))
    model.eval()  # by heart means the very examples, without dropout
    for _ in range(400):
        optimizer.zero_grad()
        loss = task.loss(task.outputs(model, batch), batch).mean
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < least(task, batch) + 0.01 * blind(task)


@pytest.mark.usefixtures("unreported")
def test_restore_predicts_what_prepare_did(tmp_path: Path, recipe: Any) -> None:
    run = run_recipe(
        recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 1, "steps": None})}),
        output=tmp_path / "run",
    ).run
    told = [row["prediction"] for row in run.predictions]
    again = Predictor.of(run)
    assert [answer["prediction"] for answer in again.predict([row["input"] for row in run.predictions])] == told or (
        np.allclose(
            [a["prediction"] for a in again.predict([row["input"] for row in run.predictions])], told, atol=1e-6
        )
    )


def test_a_poisoned_test_part_changes_nothing_that_was_fitted(recipe: Any) -> None:
    task, data = prepared(recipe)
    assert data.test is not None
    other = TASKS[recipe.task].prepare(recipe, poisoned(data), Watch())
    assert other.saved() == task.saved()
    assert "poison" not in str(other.saved())


def poisoned(data: Dataset) -> Dataset:
    """The same data with a test part of another world: words nobody knows, or a spike where the future begins."""
    test: Any = data.test
    if not isinstance(test, Windows):
        poison: Any = "zzz poison qqq"
        given = poison.split() if isinstance(test.inputs[0], list) else poison
        frame = test.frame.with_columns(pl.Series("inputs", [given] * len(test)))
        return replace(data, test=Corpus(frame, "poisoned"))
    lines = []
    for number, line in enumerate(test.panel.lines):
        values = line.values.copy()
        values[test.origins[test.series == number].min() :] = 1e9
        lines.append(replace(line, values=values))
    panel = replace(test.panel, lines=tuple(lines))
    parts = {name: replace(part, panel=panel) for name, part in data.parts.items()}  # type: ignore[type-var]
    return replace(data, **parts)  # type: ignore[arg-type]


def test_batches_do_not_change_answers(recipe: Any) -> None:
    task, data = prepared(recipe)
    torch.manual_seed(0)
    model = task.build().eval()
    encoded = task.encode(data.train, "train")
    order = np.random.default_rng(0).permutation(len(encoded))[:32]
    with torch.inference_mode():
        together = task.outputs(model, task.collate(encoded, order))
        alone = torch.cat([task.outputs(model, task.collate(encoded, order[i : i + 1])) for i in range(len(order))])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_past_train_and_test_do_not_overlap(recipe: Any) -> None:
    _, data = prepared(recipe)
    ids = [{example.id for example in part} for part in data.parts.values()]
    assert all(first.isdisjoint(second) for i, first in enumerate(ids) for second in ids[i + 1 :])
