"""Laws of tasks: a blind guess at the start, eight examples by heart, restore predicts what prepare did, no leaks."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from lstmlab import request
from lstmlab.api import run_recipe
from lstmlab.data.corpus import Dataset
from lstmlab.data.load import Watch
from lstmlab.tasks import TASKS
from lstmlab.training.inference import Predictor
from lstmlab.training.loop import evaluate

CPU = torch.device("cpu")
SMALL: dict[str, dict[str, Any]] = {
    "classification": {"hidden_size": 16, "model.embedding.size": 16},
    "forecasting": {"hidden_size": 16, "points": 300, "end": 30.0, "horizon": 20, "valid_fraction": 0.2},
}
BLIND = {"classification": math.log(2), "forecasting": 1.0}
"""Loss of knowing nothing: ln K for two balanced classes; the variance of scaled values."""


@pytest.fixture(params=TASKS)
def recipe(request: pytest.FixtureRequest, reviews: Path) -> Any:
    name = request.param
    own = {"path": str(reviews), "text": "review", "label": "stars"} if name == "classification" else {}
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
    assert losses.sum() / count == pytest.approx(BLIND[recipe.task], rel=0.25)


def test_eight_examples_are_learned_by_heart(recipe: Any) -> None:
    task, data = prepared(recipe)
    torch.manual_seed(0)
    encoded = task.encode(data.train, "train")
    model = task.build()
    batch = task.collate(encoded, np.arange(0, len(encoded), len(encoded) // 8)[:8])
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    model.eval()  # by heart means the very examples, without dropout
    for _ in range(300):
        optimizer.zero_grad()
        loss = task.loss(task.outputs(model, batch), batch).mean
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.01 * BLIND[recipe.task]


def test_restore_predicts_what_prepare_did(tmp_path: Path, recipe: Any) -> None:
    run = run_recipe(
        recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 1})}),
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
    poison = (
        pl.Series("inputs", ["zzz poison qqq"] * len(data.test))
        if recipe.task == "classification"
        else pl.Series("inputs", [[1e9] * recipe.data.window] * len(data.test))
    )
    poisoned = type(data.test)(data.test.frame.with_columns(poison), "poisoned")
    other = TASKS[recipe.task].prepare(recipe, Dataset(data.train, data.valid, poisoned, data.source), Watch())
    assert other.saved() == task.saved()
    assert "poison" not in str(other.saved())


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
    ids = [set(part.frame["id"]) for part in data.parts.values()]
    assert all(first.isdisjoint(second) for i, first in enumerate(ids) for second in ids[i + 1 :])
