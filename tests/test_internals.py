"""Looking inside finished runs: every task's smallest run, and what is said when there is nothing to look into."""

import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import test_pairs_task as pairs
import writers
from conftest import review
from lstmlab.analysis import ANALYSES
from lstmlab.analysis.cases import Ask, Case
from lstmlab.analysis.distances import Spread
from lstmlab.analysis.gradients import Followed
from lstmlab.analysis.internals import Subject
from lstmlab.analysis.opened import Opened, Panel
from lstmlab.analysis.saturation import Usage, Use
from lstmlab.api import Result
from lstmlab.errors import InputError
from lstmlab.kernels.activations import Activation
from lstmlab.report import as_text, unlabelled
from lstmlab.training.run import Run
from lstmlab.types import Batch, Example, Padded
from test_cli import Shell

INSIDE = ("gates", "gradients", "contributions")
TINY: dict[str, Any] = {"hidden_size": 6, "device": "cpu"}


def texts(folder: Path) -> Result:
    rng = random.Random(0)
    rows = [f"{review(rng, at % 2 == 0)},{'good' if at % 2 == 0 else 'bad'}" for at in range(80)]
    (folder / "reviews.csv").write_text("review,stars\n" + "\n".join(rows) + "\n", encoding="utf-8")
    changes = {"path": str(folder / "reviews.csv"), "text": "review", "label": "stars", "steps": 30,
               "segment_length": 9, "embedding.size": 6, "model.encoder.cell": "gru"}  # fmt: skip
    return writers.trained(folder / "made" / "run", "classification", {**TINY, **changes})


def tagger(folder: Path) -> Result:
    rng = random.Random(0)
    words = {"the": "DET", "a": "DET", "dog": "NOUN", "cat": "NOUN", "sees": "VERB", "likes": "VERB"}
    sentences = [rng.choices(list(words), k=rng.randint(2, 8)) for _ in range(60)]
    rows = ["\n".join(f"{word}\t{words[word]}" for word in sentence) for sentence in sentences]
    (folder / "tags.conll").write_text("\n\n".join(rows) + "\n", encoding="utf-8")
    changes = {"path": str(folder / "tags.conll"), "steps": 20, "model.encoder.hidden_size": 6, "device": "cpu"}
    return writers.trained(folder / "made" / "run", "tagging", changes)


def prose(folder: Path) -> Result:
    rng = random.Random(0)
    (folder / "talk.txt").write_text("".join(review(rng, True).capitalize() + ".\n" for _ in range(60)), "utf-8")
    changes = {"path": str(folder / "talk.txt"), "steps": 20, "embedding.size": 6, "batch_size": 4, "bptt": 20}
    return writers.trained(folder / "made" / "run", "language-model", {**TINY, **changes})


def judge(folder: Path) -> Result:
    path = pairs.write(folder / "pairs.csv", 80)
    return writers.trained(folder / "made" / "run", "pairs", {**pairs.SMALL, "path": path, "steps": 10})


def series(folder: Path) -> Result:
    return writers.trained(folder / "made" / "run", "sine", {**TINY, "epochs": 2, "horizon": 20, "window": 12})


def columns(folder: Path) -> Result:
    """Two columns, one of them known ahead, read three steps at a time and forecast at once."""
    rows = [f"2020-01-{1 + at // 24:02} {at % 24:02}:00,{np.sin(at / 4):.4f},{at % 24}" for at in range(24 * 12)]
    (folder / "table.csv").write_text("time,value,hour\n" + "\n".join(rows) + "\n", encoding="utf-8")
    changes = {"path": str(folder / "table.csv"), "time": "time", "target": "value", "past": ["hour"], "window": 13,
               "horizon": 3, "strategy": "direct", "segment": 3, "epochs": 1}  # fmt: skip
    return writers.trained(folder / "made" / "run", "forecasting", {**TINY, **changes})


MADE = {"texts": texts, "tags": tagger, "prose": prose, "pairs": judge, "sine": series, "columns": columns}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """A tiny run of each kind, trained when it is asked for."""

    class Made(dict[str, Result]):
        def __missing__(self, kind: str) -> Result:
            self[kind] = MADE[kind](tmp_path_factory.mktemp(kind))
            return self[kind]

    return Made()


@pytest.fixture
def result(request: pytest.FixtureRequest, made: dict[str, Result], kind: str) -> Result:
    """The run of this kind."""
    return made[kind] if kind in MADE else request.getfixturevalue(kind)


ALL = [*MADE, "translator", "partner", "classifier"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL)
def test_every_task_can_be_looked_into(result: Result, kind: str) -> None:
    wanted = INSIDE[:2] if kind in ("translator", "partner") else INSIDE
    for name in wanted:
        found = result.explain(name)
        assert found.claim.endswith(".")
        assert "nan" not in f" {found.claim} {found.evidence} ".lower().split()
        assert [problem for figure in found.figures for problem in unlabelled(figure)] == []
        assert as_text(found)
        assert found.tables[0].rows or name == "gradients"
    assert [name for name in INSIDE if result.has(name)] == list(wanted)
    briefly = ANALYSES["gates"].brief(result.run)
    assert [problem for figure in briefly.figures for problem in unlabelled(figure)] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["texts", "tags", "prose", "pairs", "sine", "columns", "classifier"])
def test_contributions_are_complete(result: Result, kind: str) -> None:
    from lstmlab.analysis.contributions import Contributions

    found = Contributions.of(Subject.of(result.run))
    assert abs(found.found.residual) <= 0.02 * max(abs(found.found.difference), 0.01)
    assert len(found.names) == len(found.steps)
    assert "complete" in found.evidence


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["texts", "classifier"])
def test_contributions_explain_the_probability_that_is_predicted(result: Result, kind: str) -> None:
    from lstmlab.analysis.contributions import Contributions

    given = "funny and wonderful but dull" if kind == "texts" else "1 0 1 1"
    found = Contributions.of(Subject.of(result.run), Ask(texts=(given,)))
    (told,) = result.predict([given])
    assert found.found.to == pytest.approx(max(told["probabilities"].values()), rel=1e-4)
    assert told["prediction"] in found.answer.name


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["tags"])
def test_a_tag_is_explained_by_its_marginal_probability(result: Result, kind: str) -> None:
    from lstmlab.analysis.contributions import Contributions

    found = Contributions.of(Subject.of(result.run), Ask(texts=("the dog sees a cat",), at=2))
    (told,) = result.predict([["the", "dog", "sees", "a", "cat"]])
    assert found.found.to == pytest.approx(told["certainty"][1], abs=1e-4)
    assert found.answer.place == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sine"])
def test_a_forecast_is_explained_in_the_units_of_the_series(result: Result, kind: str) -> None:
    from lstmlab.analysis.contributions import Contributions

    found = Contributions.of(Subject.of(result.run))
    assert found.found.to == pytest.approx(result.run.predictions[0]["prediction"][0], rel=1e-4)
    assert found.names[-1] == "-1"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["prose"])
def test_a_language_model_is_asked_for_what_comes_next(result: Result, kind: str) -> None:
    from lstmlab.analysis.contributions import Contributions

    found = Contributions.of(Subject.of(result.run), Ask(texts=("The film",)))
    assert found.names == ["(start)", *"The", "␣", *"film"]
    subject = Subject.of(result.run)
    model: Any = subject.model
    with torch.no_grad():
        logits = model.logits(model.read(found.case.batch.inputs)[0][:, -1])
    assert found.found.to == pytest.approx(float(logits.softmax(1).max()), rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classifier"])
def test_the_loss_gradient_is_that_of_finite_differences(result: Result, kind: str) -> None:
    """‖∂L/∂h_t‖ of one text, h_t moved unit by unit, within 1 %."""
    from lstmlab.analysis.losses import losses
    from lstmlab.cells import State
    from lstmlab.kernels import reference
    from lstmlab.nn.watching import watching

    subject = Subject.of(result.run)
    model: Any = subject.model
    batch = subject.batch(subject.window(np.array([subject.typical()])))
    with torch.enable_grad(), watching(subject.stack, gates=False) as watch:
        total = losses(subject.task, model, batch).sum()
    reading = watch.readings()[0]
    found = torch.autograd.grad(total, [one.h for one in reading.states])
    weights = subject.stack.weights().to("cpu", torch.float64)
    stacked = reference.from_inputs(reading.reads.values.double(), weights)

    def loss(h: torch.Tensor, state: State, after: int) -> float:
        for t in range(after + 1, stacked.shape[1]):
            state = reference.step(subject.stack.cell, weights, stacked[:, t], state)[2]
            h = state.h
        logits = torch.nn.functional.linear(h, model.output.weight.double(), model.output.bias.double())
        return float(torch.nn.functional.cross_entropy(logits, batch.wanted))

    assert subject.run.recipe["model"]["pooling"] == ["last"]
    with torch.no_grad():
        for t in range(len(found)):
            state = reading.states[t].map(lambda value: value.detach().double())
            moved = []
            for unit in range(state.h.shape[1]):
                ends = []
                for sign in (1e-4, -1e-4):
                    h = state.h.clone()
                    h[0, unit] += sign
                    ends.append(loss(h, State(**{**dict(state.items()), "h": h}), t))
                moved.append((ends[0] - ends[1]) / 2e-4)
            assert float(found[t].norm()) == pytest.approx(float(np.linalg.norm(moved)), rel=0.01, abs=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classifier"])
def test_the_gates_shown_are_those_of_the_example(result: Result, kind: str) -> None:
    subject = Subject.of(result.run)
    opened = Opened.of(subject, Ask(texts=("1 0 1",)))
    assert [panel.name for panel in opened.panels] == ["input", "forget", "cell", "output", "c"]
    weights, cell = subject.stack.weights(), subject.stack.cell
    with torch.no_grad():
        ids = opened.case.batch.inputs
        first = subject.model.embedding(ids).values[0, 0]  # type: ignore[operator,union-attr]
        wanted = torch.sigmoid(weights.gate(cell, "input").input @ first + weights.gate(cell, "input").bias)
    assert opened.panels[0].values[0] == pytest.approx(wanted.numpy(), rel=1e-5)
    assert opened.names == ["1", "0", "1"]


# ---- Bad input


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "what", "ask", "told"),
    [
        ("texts", "gates", {"example": "nine"}, 'no example "nine" among the'),
        ("texts", "gates", {"texts": ["a"], "example": "1"}, "take one of them"),
        ("texts", "gates", {"texts": [""]}, "which is empty"),
        ("texts", "gates", {"texts": ["a", "b"]}, "one text at a time, got 2"),
        ("texts", "gates", {"at": 1}, "--at 1 would have no effect"),
        ("texts", "contributions", {"at": 1}, "--at 1 would have no effect"),
        ("texts", "curves", {"texts": ["a"]}, "an example is for: gates, contributions"),
        ("texts", "attention", {}, "has no attention to show: it is of classification"),
        ("tags", "contributions", {"texts": ["the dog"], "at": 3}, "--at 3: the example has 2 words"),
        ("pairs", "gates", {"texts": ["one text"]}, "expected two"),
        ("sine", "contributions", {"texts": ["1 2 3"]}, "this one reads numbers: take --example ID"),
        ("translator", "contributions", {}, "answers with many tokens"),
    ],
)
def test_what_cannot_be_shown_is_told(result: Result, kind: str, what: str, ask: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as error:
        result.explain(what, **ask)
    assert told in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classifier"])
def test_a_run_without_its_weights_still_has_a_report(result: Result, kind: str, tmp_path: Path) -> None:
    shutil.copytree(result.folder, tmp_path / "run")
    bare = Result(Run(tmp_path / "run"))
    assert bare.has("gates")
    (tmp_path / "run" / "model.safetensors").unlink()
    assert not any(bare.has(name) for name in INSIDE)
    with pytest.raises(InputError, match=r"has no model\.safetensors, and the weights are what would be looked at"):
        bare.explain("gates")
    assert bare.report()["md"].is_file()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classifier"])
def test_an_encoder_of_another_kind_has_no_gates(result: Result, kind: str, tmp_path: Path) -> None:
    shutil.copytree(result.folder, tmp_path / "run")
    path = tmp_path / "run" / "recipe.yaml"
    text = path.read_text("utf-8")
    assert "kind: recurrent" in text
    path.write_text(text.replace("kind: recurrent", "kind: convolution"), "utf-8")
    with pytest.raises(InputError, match=r"its encoder is a convolution \(model\.encoder\.kind=convolution\)"):
        Result(Run(tmp_path / "run")).explain("gates")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classifier"])
def test_on_the_command_line(result: Result, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shell = Shell(tmp_path)
    shutil.copytree(result.folder, tmp_path / "run")
    told = shell.done("explain", "run", "gates", "--text", "1 0 1 1")
    assert "Read: “1 0 1 1”" in told
    assert "figures/gates.svg" in told
    name = result.run.predictions[3]["id"]
    assert "What adds to P(" in shell.done("explain", "run", "contributions", "--example", name)
    assert "say what to explain of the example" in shell.refuses("explain", "run", "--text", "1")


# ---- Said of numbers made up


def use(gate: str, low: float, high: float, quantiles: tuple[float, float, float] = (0.1, 0.5, 0.9)) -> Use:
    return Use(Activation(gate, "sigmoid"), low, high, quantiles)


@pytest.mark.parametrize(
    ("uses", "told"),
    [
        ([use("input", 0.95, 0.0), use("forget", 0.1, 0.3)], "The input gate is closed (below 0.1) in 95 %"),
        ([use("input", 0.0, 0.1), use("forget", 0.0, 0.9)], "The forget gate is open (above 0.9) in 90 %"),
        ([use("update", 0.5, 0.4)], "The update gate works as a switch: open or closed in 90 %"),
        ([use("reset", 0.0, 0.0, (0.5, 0.52, 0.55))], "The reset gate is idle, always about 0.52."),
        ([use("input", 0.0, 0.0, (0.3, 0.5, 0.7))], "hardly ever fully open or closed (mostly 0.30 to 0.70)"),
        ([use("input", 0.1, 0.2), use("forget", 0.0, 0.4)],
         "The input gate is open in 20 % and closed in 10 % of all cases, the forget gate is open in 40 % and closed"),
    ],
)  # fmt: skip
def test_the_use_of_gates_in_words(uses: list[Use], told: str) -> None:
    assert told in Usage(uses, "c", None, 10, "some examples", "tokens").claim


@pytest.mark.parametrize(
    ("mean", "told"), [(0.72, "has hardly moved it"), (0.9, "has opened it"), (0.5, "has closed it")]
)
def test_the_forget_gate_is_told_beside_its_start(mean: float, told: str) -> None:
    found = replace(use("forget", 0.0, 0.0, (0.3, 0.5, 0.9)), mean=mean)
    usage = Usage([found], "c", None, 10, "some examples", "tokens", 1 / (1 + np.exp(-1)))
    assert (
        "began at about 0.73 (its bias alone), with which half of the memory is gone after 2.2 tokens"
        in usage.start_words
    )
    assert usage.start_words.endswith(f"training {told}.")
    assert replace(usage, start=None).start_words == ""


def test_a_cell_without_gates_is_told_as_that() -> None:
    usage = Usage([Use(Activation("new", "tanh", "h"), 0.2, 0.2, (-1.0, 0.0, 1.0))], "h", None, 10, "some", "tokens")
    assert usage.claim == "This cell has no gates: at every step it writes its state anew."


def test_units_remember_as_long_as_their_gates_say() -> None:
    """A gate at 0.5 halves the memory at every step, one at 0.5 ** 0.1 in ten."""
    from lstmlab.analysis.saturation import _half_lives

    lives = _half_lives(np.tile([0.5, 0.5**0.1], (7, 1)))
    assert lives is not None
    assert lives.tolist() == pytest.approx([1.0, 10.0])
    assert _half_lives(np.zeros((3, 2))) is None
    assert _half_lives(np.full((3, 2), 1.2)) is None


def followed(state: np.ndarray, loss: np.ndarray | None = None) -> Followed:
    other = np.ones_like(state) if loss is None else loss
    return Followed(Spread(np.tile(state, (6, 1))), Spread(np.tile(other, (6, 1))), "steps", None)


def test_how_far_gradients_reach_in_words() -> None:
    fading = followed(0.5 ** np.arange(40.0))
    assert fading.claim == (
        "The gradient through the state is below 1 % from a distance of 7 steps on (median), and below a millionth "
        "from 20 on."
    )
    assert "reaches all 9 steps back that can be measured, where 59 % of it are left" in followed(
        0.9434 ** np.arange(10.0)).claim  # fmt: skip
    growing = followed(2.0 ** np.arange(11.0)).claim
    assert growing.startswith("The gradient through the state grows: 1e+03 times as large 10 steps back")
    assert "no distance" in followed(np.ones(1)).claim
    assert [row[0] for row in fading.table().rows] == [1, 2, 5, 10, 20, 39]
    assert unlabelled(fading.figure()) == []


def test_a_distance_that_few_sequences_reach_is_left_out() -> None:
    values = np.ones((8, 5))
    values[:5, 3:] = np.nan
    assert Spread(values).reach == 3
    assert Spread(values[:2]).reach == 3


def test_a_loss_without_any_gradient_is_told() -> None:
    """As that of dead units, which leaves no sequence to take a median over."""
    nothing = Spread(np.zeros((0, 4)))
    assert nothing.reach == 0
    found = Followed(Spread(np.ones((6, 4))), nothing, "steps", None)
    assert found.loss_words("the loss", "").startswith("No gradient of the loss arrives at any step")
    assert found.table().rows == []
    assert unlabelled(found.figure()) == []


def test_where_reading_begins_nothing_stands_out() -> None:
    """Two texts, each beginning with a jump; the unit that opens later is the one that is told."""
    values = np.full((12, 2), 0.5)
    values[[0, 6], 0] = 1.0
    values[4, 1] = 0.8
    panel = Panel("input", "Input gate", values, (0.0, 1.0))
    memory = Panel("c", "Memory c", np.zeros((12, 2)), None)
    read = Padded(torch.zeros(1, 12).long(), torch.tensor([12]))
    case = Case(Example("1", "a text"), Batch(read, None, torch.zeros(1).long()), [list("abcdef"), list("ghijkl")])
    opened = Opened(case, [panel, memory], ("token", "tokens"), (6,))
    assert opened.standing_out(panel) == (4, 1)
    told = opened.told(panel, opened.names, 1)
    assert told == "The input gate of unit 1 rises at “e” (token 5): 0.80, else about 0.50."
