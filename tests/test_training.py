"""Schedules, averaging, accumulation, early stopping, the NaN guard."""

import math
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lstmlab import request
from lstmlab.analysis.curves import judge
from lstmlab.api import run_recipe
from lstmlab.data.load import Watch
from lstmlab.errors import InputError
from lstmlab.tasks import TASKS
from lstmlab.training import loop
from lstmlab.training.best import Best
from lstmlab.training.experiment import Monitor, assemble, start_training
from lstmlab.training.machine import choose_device, fitting_threads, tuned
from lstmlab.training.moment import Hooks, Tick
from lstmlab.training.nan_guard import Diverged, blame
from lstmlab.training.optimizer import Average, OptimizerSettings, scheduled_rate
from lstmlab.training.run import Run
from lstmlab.types import Batch, Loss, Padded

pytestmark = pytest.mark.usefixtures("unreported")

TINY = {"text": "review", "label": "stars", "hidden_size": 8, "model.embedding.size": 8, "batch_size": 16}


def optimizer(**settings: object) -> OptimizerSettings:
    return OptimizerSettings(learning_rate=0.1, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "rates"),
    [
        ({}, {0.0: 0.1, 0.5: 0.1, 1.0: 0.1}),
        ({"schedule": "linear"}, {0.0: 0.1, 0.25: 0.075, 1.0: 0.0}),
        ({"schedule": "linear", "final_rate": 0.5}, {0.0: 0.1, 0.5: 0.075, 1.0: 0.05}),
        ({"schedule": "cosine"}, {0.0: 0.1, 0.5: 0.05, 1.0: 0.0}),
        ({"schedule": "linear", "warmup": 0.2}, {0.0: 0.0, 0.1: 0.05, 0.2: 0.1, 0.6: 0.05, 1.0: 0.0}),
        ({"schedule": "plateau"}, {0.3: 0.025}),
    ],
)
def test_schedules(settings: dict, rates: dict) -> None:
    for done, rate in rates.items():
        assert scheduled_rate(optimizer(**settings), done, 0.25) == pytest.approx(rate)


def test_the_average_follows_its_formula() -> None:
    model = nn.Linear(1, 1)
    average = Average(model, 0.9)
    expected = model.weight.item()
    for step in range(1, 200):
        with torch.no_grad():
            model.weight.fill_(float(step))
        average.update(model, step)
        keep = min(0.9, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * step
    assert average.weights["weight"].item() == pytest.approx(expected, rel=1e-5)
    assert model.weight.item() == 199


@pytest.mark.slow
def test_the_average_is_what_is_scored_and_kept(tmp_path: Path, reviews: Path) -> None:
    runs = [
        run_recipe(
            request.assemble("classification", {**TINY, "path": str(reviews), "epochs": 2, "average": average}),
            output=tmp_path / str(average),
        ).run
        for average in (None, 0.99)
    ]
    # The steps themselves do not depend on the average, so the training loss is the same to the bit.
    assert [row["train"] for row in runs[0].history] == [row["train"] for row in runs[1].history]
    assert [row["valid"] for row in runs[0].history] != [row["valid"] for row in runs[1].history]
    # Beside every answer stands that of the best baseline.
    right = [row["baseline"] == row["target"] for row in runs[0].predictions]
    assert sum(right) / len(right) == max(told["accuracy"] for told in runs[0].metrics["baseline"].values())


@pytest.mark.slow
def test_accumulated_batches_are_one_larger_batch(tmp_path: Path, reviews: Path) -> None:
    common = {
        **TINY,
        "path": str(reviews),
        "epochs": 1,
        "model.dropout": 0.0,
        "word_dropout": 0.0,
        "bucket": False,
        "average": None,
        "valid_fraction": 0.2,
        "test_fraction": 0.2,
    }
    small = request.assemble("classification", {**common, "batch_size": 8, "accumulate": 4})
    large = request.assemble("classification", {**common, "batch_size": 32})
    first, second = (run_recipe(recipe, output=tmp_path / name).run for name, recipe in (("a", small), ("b", large)))
    assert first.history[-1]["step"] == second.history[-1]["step"]
    assert first.history[-1]["train"]["loss"] == pytest.approx(second.history[-1]["train"]["loss"], rel=1e-4)
    for name, weight in first.weights().items():
        torch.testing.assert_close(weight, second.weights()[name], rtol=1e-3, atol=1e-5)


def test_early_stopping_returns_the_best_weights_and_scores_the_last_too(tmp_path: Path, reviews: Path) -> None:
    # Labels without a rule can only be learned by heart, which validation soon shows.
    rows = reviews.read_text(encoding="utf-8").splitlines()
    rng = random.Random(0)
    noise = [f"{row.split(',')[0]},{rng.choice(['good', 'bad'])}" for row in rows[1:]]
    reviews.write_text("\n".join([rows[0], *noise]) + "\n", encoding="utf-8")
    recipe = request.assemble(
        "classification",
        {
            **TINY,
            "path": str(reviews),
            "epochs": 60,
            "patience": 2,
            "learning_rate": 0.05,
            "model.dropout": 0.0,
            "word_dropout": 0.0,
        },
    )
    run = run_recipe(recipe, output=tmp_path / "run").run
    losses = [row["valid"]["loss"] for row in run.history]
    best = losses.index(min(losses)) + 1
    assert run.metrics["best_epoch"] == best
    assert len(losses) == best + 2 < 60
    assert run.metrics["valid"]["loss"] == pytest.approx(min(losses), rel=1e-5)
    assert run.metrics["test_last"] != run.metrics["test"]


def test_a_budget_in_minutes_ends(tmp_path: Path, reviews: Path) -> None:
    recipe = request.assemble("classification", {**TINY, "path": str(reviews), "minutes": 0.003, "patience": None})
    run = run_recipe(recipe, output=tmp_path / "run").run
    assert run.metrics["train_seconds"] < 5
    assert run.history[-1]["seconds"] >= 0.18


@pytest.mark.parametrize("budget", [{"epochs": 3, "steps": 3}, {"epochs": None}])
def test_the_budget_is_exactly_one(reviews: Path, budget: dict) -> None:
    with pytest.raises(InputError, match="the budget is exactly one of epochs, steps and minutes"):
        request.assemble("classification", {**TINY, "path": str(reviews), **budget})


def test_a_typed_budget_takes_the_recipes_place(reviews: Path) -> None:
    recipe = request.assemble("classification", {**TINY, "path": str(reviews), "steps": 7})
    assert (recipe.training.epochs, recipe.training.steps) == (None, 7)


def test_a_diverging_run_names_step_examples_and_tensor(tmp_path: Path, reviews: Path) -> None:
    # Vectors of such a size overflow inside the recurrent layer at the first step.
    recipe = request.assemble("classification", {**TINY, "path": str(reviews), "epochs": 1, "deviation": 1e38})
    with pytest.raises(Diverged) as error:
        run_recipe(recipe, output=tmp_path / "run")
    told = str(error.value)
    assert error.value.step >= 1
    assert f"diverged at step {error.value.step} (epoch 1)" in told
    assert 'the weight "embedding.table.weight" holds infinity' in told
    assert "The batch holds the examples" in told
    assert not Run(tmp_path / "run").finished
    assert judge(Run(tmp_path / "run")).sentence == "Unstable: training loss was not a number in epoch 1."


class Broken(nn.Module):
    """Gives what it is told to at one place of a chain."""

    def __init__(self, output: float, gradient: float) -> None:
        super().__init__()
        self.first = nn.Linear(1, 1)
        self.second = nn.Linear(1, 1)
        self.first.register_forward_hook(lambda module, inputs, value: value * output)
        self.second.register_full_backward_hook(lambda module, inputs, outputs: (inputs[0] * gradient,))

    def forward(self, batch: Batch) -> Loss:
        return Loss(self.second(self.first(batch.inputs.values[:, :1].float()))[:, 0], 1)


@pytest.mark.parametrize(
    ("output", "gradient", "told"),
    [
        (float("nan"), 1.0, 'the output of layer "first" (Linear) holds NaN (1 of 1 values)'),
        (float("inf"), 1.0, 'the output of layer "first" (Linear) holds infinity'),
        (1.0, float("nan"), 'the gradient of "first.weight" holds NaN'),
    ],
)
def test_the_first_tensor_that_went_wrong_is_named(output: float, gradient: float, told: str) -> None:
    torch.manual_seed(0)
    one = torch.ones(1, dtype=torch.long)
    model = Broken(output, gradient)
    assert blame(model, model, [Batch(Padded(one[None], one), None, one)]).startswith(told)


@pytest.mark.parametrize(
    ("wanted", "message"), [("mps", "device=mps is not there"), ("cuda", "device=cuda is not there")]
)
def test_a_device_that_is_not_there(wanted: str, message: str) -> None:
    if choose_device("auto").type == wanted:
        pytest.skip(f"this machine has {wanted}")
    with pytest.raises(InputError, match=message):
        choose_device(wanted)


def test_a_typed_path_takes_the_place_of_the_recipes_data_set() -> None:
    tree = {"task": "classification", "data": {"name": "imdb"}, "training": {"epochs": 1}}
    recipe = assemble(tree, {"path": "mine.csv"}, "it")
    assert (recipe.data.name, recipe.data.path) == (None, "mine.csv")  # type: ignore[attr-defined]


def test_monitors_hear_every_row_and_step(tmp_path: Path, reviews: Path) -> None:
    ticks, rows = [], []
    recipe = request.assemble("classification", {**TINY, "path": str(reviews), "steps": 12})
    run_recipe(
        recipe,
        output=tmp_path / "run",
        monitor=Monitor(tick=lambda tick, settings: ticks.append(tick), row=lambda row, settings: rows.append(row)),
    )
    assert len(ticks) == 12
    assert ticks[-1].share == 1
    assert rows[-1]["step"] == 12


def test_small_work_gets_one_thread_and_everything_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    assert fitting_threads(nn.Linear(10, 10), 100) == 1
    assert fitting_threads(nn.Linear(1000, 1000), 1000) == before
    # A table of embeddings is looked up, not multiplied with.
    assert fitting_threads(nn.Sequential(nn.Embedding(10**6, 10), nn.Linear(10, 10)), 100) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert fitting_threads(nn.Linear(10, 10), 100) == before
    with tuned(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


# ---- The mean of several best epochs


def test_the_best_epochs_are_kept_and_averaged() -> None:
    best = Best(2)
    weights = {at: {"w": torch.full((2,), float(at)), "n": torch.tensor(at)} for at in range(1, 6)}
    first = best.offer(1, 5.0, weights[1])
    assert first is not None
    assert first["w"].tolist() == [1.0, 1.0]
    second = best.offer(2, 4.0, weights[2])
    assert second is not None
    assert second["w"].tolist() == [1.5, 1.5]
    assert best.offer(3, 6.0, weights[3]) is None
    fourth = best.offer(4, 4.5, weights[4])  # drives out the first
    assert fourth is not None
    assert (fourth["w"].tolist(), int(fourth["n"])) == ([3.0, 3.0], 4)
    again = Best(2)
    again.unpack(best.pack(), {str(epoch): value for epoch, value in best.badness.items()})
    fifth = again.offer(5, 1.0, weights[5])
    assert fifth is not None
    assert fifth["w"].tolist() == best.offer(5, 1.0, weights[5])["w"].tolist() == [3.5, 3.5]  # type: ignore[index]


def test_one_best_epoch_is_just_that_one() -> None:
    best = Best(1)
    assert best.offer(1, 2.0, {"w": torch.ones(1)}) is not None
    assert best.offer(2, 2.0, {"w": torch.zeros(1)}) is None
    third = best.offer(3, 1.0, {"w": torch.zeros(1)})
    assert third is not None
    assert third["w"].tolist() == [0.0]


def test_the_line_of_an_epoch_tells_the_main_score_of_validation_too() -> None:
    train = {"loss": 1.0, "accuracy": 0.5}
    valid = {"loss": 0.9, "span_f1": 0.28, "span_recall": 0.2, "accuracy": 0.6, "accuracy_unseen": 0.4}
    row = {"epoch": 1, "seconds": 65.0, "train": train, "valid": valid}
    told = loop.epoch_line(row, loop.LoopSettings(epochs=3))
    assert told == (
        "Epoch 1/3  loss 1.0000  accuracy 50.00 %  valid loss 0.9000  accuracy 60.00 %  span_f1 28.00 %  1:05"
    )


def test_an_undefined_score_is_worse_than_any(reviews: Path) -> None:
    recipe: Any = request.assemble(
        "classification", {**TINY, "path": str(reviews), "training.best": "score", "epochs": 1}
    )
    kind = TASKS["classification"]
    data = kind.load(recipe, Watch())
    training = start_training(recipe, kind.prepare(recipe, data, Watch()), data, torch.device("cpu"), 0.0)
    assert training._badness({"accuracy": 0.25, "loss": 1.0}) == -0.25
    assert training._badness({"accuracy": math.nan, "loss": 1.0}) == math.inf
    best = Best(1)
    assert best.offer(1, -0.25, {}) is not None
    assert best.offer(2, math.inf, {}) is None


def test_a_carried_state_that_is_not_finite_is_blamed(tmp_path: Path) -> None:
    (tmp_path / "talk.txt").write_text("abc cab bac\n" * 60, encoding="utf-8")
    recipe: Any = request.assemble("language-model", {"path": str(tmp_path / "talk.txt"), "hidden_size": 4, "bptt": 5})
    kind = TASKS["language-model"]
    data = kind.load(recipe, Watch())
    training = start_training(recipe, kind.prepare(recipe, data, Watch()), data, torch.device("cpu"), 0.0)
    steps: list[int] = []

    def tick(tick: Tick) -> None:
        steps.append(tick.batch)
        if len(steps) == 2:
            assert training.carried is not None
            training.carried = training.carried.map(lambda value: value * math.nan)

    with pytest.raises(Diverged, match='the state "h" that was carried on from the batch before is not finite'):
        training.run(Hooks(keep=lambda *kept: None, row=lambda row: None, tick=tick))
    assert len(steps) == 2
