"""What a cell can hold in mind: problems drawn without end, and learning them against the clock."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lstmlab.analysis import memory
from lstmlab.cells import CELLS, find_cell
from lstmlab.data.datasets import synthetic
from lstmlab.errors import InputError
from lstmlab.nn.initialisation import Initialisation
from lstmlab.report import unlabelled
from lstmlab.training.memory import (
    Effort,
    Reader,
    beginning,
    first_gradient,
    learn,
    matched,
    matched_size,
    speeds,
)
from lstmlab.training.optimizer import OptimizerSettings
from lstmlab.training.problems import Problem, adding, characters, copy

BRIEF = Effort(hidden_size=6, batch_size=8, steps=4, rows=50, every=2)


def test_adding_draws_what_the_data_set_holds() -> None:
    values, sums = adding(9).draw(500, np.random.default_rng(0))
    assert values.shape == (500, 9, 2)
    torch.testing.assert_close((values[:, :, 0] * values[:, :, 1]).sum(1), sums[:, 0])
    corpus = synthetic.adding(3, 9, seed=4)
    steps, _ = synthetic.adding_batch(3, 9, np.random.default_rng(4))
    np.testing.assert_array_equal(np.array(corpus.inputs), steps)


def test_copying_asks_for_the_symbols_at_the_end() -> None:
    problem = copy(7)
    values, wanted = problem.draw(20, np.random.default_rng(0))
    assert values.shape == (20, problem.steps, 10)
    symbols = values.argmax(2)
    assert torch.equal(symbols[:, :10], wanted)
    assert (symbols[:, 10:16] == 8).all()
    assert (symbols[:, 16] == 9).all()  # "now", and ten more steps to answer in
    assert (symbols[:, 17:] == 8).all()
    assert problem.steps - 17 == 10


def test_characters_are_shown_and_judged_apart() -> None:
    text = "ab" * 500 + "cd" * 60
    problem = characters(text, 5)
    assert problem.held is not None
    rng = np.random.default_rng(0)
    values, wanted = problem.draw(50, rng)
    letters = values.argmax(2)
    assert torch.equal(letters[:, 1:], wanted[:, :-1])
    assert set(problem.held(200, rng)[1].unique().tolist()) == {2, 3}  # the last tenth: c and d alone
    assert problem.chance > math.log(4)  # frequencies of a text about a and b
    with pytest.raises(InputError, match="too short"):
        characters("abc", 5)


def test_losses() -> None:
    sums, classes = torch.tensor([[1.0], [0.5]]), torch.tensor([[0, 1]])
    assert adding(4).loss(torch.tensor([[[0.0]], [[0.0]]]), sums).item() == pytest.approx((1 + 0.25) / 2)
    even = copy(4).loss(torch.zeros(1, 2, 8), classes).item()
    assert even == pytest.approx(math.log(8)) == copy(4).chance


@pytest.mark.parametrize("problem", [adding(5), copy(2), characters("abcd" * 60, 6)], ids=lambda one: one.name)
def test_chance_is_what_looking_at_nothing_scores(problem: Problem) -> None:
    values, wanted = (problem.held or problem.draw)(4000, np.random.default_rng(0))
    if wanted.is_floating_point():
        blind = torch.ones(*wanted.shape, 1)
    else:
        shares = torch.bincount(wanted.flatten(), minlength=problem.outputs).float() + 1
        blind = shares.log().expand(*wanted.shape, -1)
    assert problem.loss(blind, wanted).item() == pytest.approx(problem.chance, rel=0.05)
    assert values.shape[1:] == (problem.steps, problem.inputs)


def test_a_trace_and_its_seed() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    heard: list[tuple[str, int]] = []
    one = learn("gru", adding(6), BRIEF, seed=1, told=lambda name, step, _, __: heard.append((name, step)))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert (one.stopped, one.steps, [point.step for point in one.points]) == ("steps", 4, [2, 4])
    assert heard == [("adding", 2), ("adding", 4)]
    again, other = learn("gru", adding(6), BRIEF, seed=1), learn("gru", adding(6), BRIEF, seed=2)
    assert again.score == one.score != other.score
    assert one.parameters == sum(p.numel() for p in Reader(CELLS["gru"], adding(6), 6, Initialisation()).parameters())


def test_why_it_stops() -> None:
    assert learn("rnn", adding(4), replace(BRIEF, goal=100.0)).stopped == "goal"
    assert learn("rnn", adding(4), replace(BRIEF, steps=None, minutes=1e-9)).stopped == "minutes"
    wild = OptimizerSettings(method="sgd", learning_rate=1e30)
    lost = learn("rnn-relu", adding(4), replace(BRIEF, steps=50, optimizer=wild))
    assert lost.stopped == "not a number"
    assert lost.steps < 50
    assert not lost.solved
    with pytest.raises(InputError, match="Give steps, minutes or both"):
        Effort()


def test_the_held_out_rows_are_never_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[torch.Tensor] = []
    problem = adding(4)

    def draw(count: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        values, sums = problem.draw(count, rng)
        drawn.append(values[:, :, 0].flatten())
        return values, sums

    learn("rnn", replace(problem, draw=draw), BRIEF)
    assert [len(one) // 4 for one in drawn] == [50, 8, 8, 8, 8, 100]
    assert torch.cat(drawn).unique().numel() == sum(map(len, drawn))


def test_beginnings() -> None:
    assert beginning(CELLS["lstm"], 400) == Initialisation("chrono", chrono_steps=400)
    assert beginning(CELLS["rnn"], 400) == Initialisation("orthogonal")


def test_equal_numbers_to_learn() -> None:
    problem, cells = copy(3), [find_cell(name) for name in ("rnn", "gru", "lstm", "mingru")]
    efforts = matched(Effort(hidden_size=40, steps=1), cells, CELLS["lstm"], problem)
    assert efforts["lstm"].hidden_size == 40
    sizes = {cell.name: learn(cell, problem, replace(efforts[cell.name], rows=5)).parameters for cell in cells}
    assert max(sizes.values()) < 1.05 * min(sizes.values())
    assert matched_size(CELLS["lstm"], 1, 2, 1) == 1


def test_recurrent_weights_are_scaled_and_clipped() -> None:
    effort = replace(BRIEF, hidden_size=32, start=Initialisation("orthogonal"))
    plain, large = (first_gradient("rnn", adding(40), replace(effort, recurrent_scale=one)) for one in (1.0, 2.0))
    assert large > 10 * plain


def test_speeds_are_of_all_cells() -> None:
    cells = {name: CELLS[name] for name in ("rnn", "gru")}
    found = speeds(cells, adding(20), dict.fromkeys(cells, BRIEF), rounds=2)
    assert set(found) == set(cells)
    assert all(one.learning > 0 and one.reading > one.learning / 10 for one in found.values())


def test_the_horizon_ends_at_the_first_length_not_learned() -> None:
    lengths = {"adding": (4, 6), "copy": (1, 2)}
    sections = memory.memory_study(("rnn", "lstm"), lengths=lengths, effort=BRIEF)
    assert [one.title for one in sections] == ["Memory horizon: adding", "Memory horizon: copy"]
    for one in sections:
        assert one.claim == "The longest learned within 4 updates, in steps: RNN none, LSTM none."
        assert [row[2::2] == [None, None] for row in one.tables[0].rows] == [False, True]
        assert unlabelled(one.figures[0]) == []


def test_how_far_a_cell_got() -> None:
    trace = learn("rnn", adding(4), BRIEF)
    good, bad, lost = (replace(trace, score=score) for score in (0.001, 0.1, math.nan))
    assert good.solved
    assert not bad.solved
    assert not lost.solved
    assert memory.horizon({4: good, 8: good, 16: bad}, (4, 8, 16, 32)).words == "8"
    assert memory.horizon({4: good, 8: good}, (4, 8)).words == "8 or more"
    assert memory.horizon({4: lost}, (4, 8)).words == "none"


@pytest.mark.slow
def test_an_lstm_learns_to_add() -> None:
    effort = Effort(hidden_size=32, steps=3000, goal=2e-3, rows=300)
    found = learn("lstm", adding(30), effort)
    assert found.stopped == "goal"
    assert found.solved
    assert found.score < 4e-3
    reached = found.reached(0.1)
    assert reached is not None
    assert reached.step <= found.steps


def test_brackets_close_by_their_kind() -> None:
    text = synthetic.brackets(4000, 1)
    assert len(text) >= 4000
    assert text == synthetic.brackets(4000, 1) != synthetic.brackets(4000, 2)
    pairs, waiting, deepest = {"(": ")", "[": "]", "{": "}"}, list[str](), 0
    for letter in text:
        if letter in pairs:
            waiting.append(pairs[letter])
            deepest = max(deepest, len(waiting))
        elif letter == " ":
            assert not waiting
        else:
            assert waiting.pop() == letter
    assert deepest == 8
