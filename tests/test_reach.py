"""How far back a gradient reaches: against finite differences and what is known by hand; the study in words."""

from typing import Any

import numpy as np
import pytest
import torch

from lstmlab.analysis import clipping, reach, untrained
from lstmlab.cells import CELLS, Cell, Gates, State, find_cell
from lstmlab.nn.reach import VANISHED, Beginning, Reach, by_differences, checked, normal_inputs
from lstmlab.nn.reach import reach as measure
from lstmlab.report import unlabelled
from lstmlab.training.memory import Trace
from odd_cells import ALL

pytestmark = pytest.mark.slow

SMALL, LARGE = Beginning(0.5), Beginning(2.0)


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
def test_values_are_those_of_finite_differences(cell: Cell) -> None:
    found = measure(cell, Beginning(0.8), steps=12, seeds=1, hidden=5)
    layer, inputs = found.beginning.layer(cell, 8, 5, 0), normal_inputs(13, 1.0, 0)
    for distance in (1, 4, 12):
        for of, values in ((cell.states[0], found.output), (None, found.whole)):
            if values[0, distance] > 1e3:  # one of the odd cells is chaotic: a small move goes a long way there
                continue
            value = by_differences(layer, inputs, distance, of)
            assert value == pytest.approx(values[0, distance], rel=0.01, abs=1e-9)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_the_check_of_the_study(name: str) -> None:
    found = measure(name, LARGE, steps=25, seeds=1)
    assert checked(found) < 0.01
    wrong = Reach(name, LARGE, found.output, found.whole * 1.05)
    assert checked(wrong) > 0.01


def test_a_linear_recurrence_is_known_by_hand() -> None:
    """h_t = R h_{t-1} + W x_t: the Jacobian is a power of R, whose norm is 0.5 times an orthogonal matrix."""

    def step(x: Gates, r: Gates, state: State) -> State:
        return State(h=x.new + r.new)

    line = Cell("line", ("h",), ("new",), step)
    for norm in (0.5, 1.0, 1.5):
        found = measure(line, Beginning(norm), steps=20, seeds=2)
        np.testing.assert_allclose(found.whole, np.tile(norm ** np.arange(21.0), (2, 1)), rtol=1e-9)


def test_a_memory_beside_the_output_is_counted() -> None:
    """An accumulator c_t = c_{t-1} + x, h_t = c_t: h alone hands on nothing, the whole state everything."""

    def step(x: Gates, r: Gates, state: State) -> State:
        c = state.c + x.new + 0.0 * r.new
        return State(h=c, c=c)

    found = measure(Cell("sum", ("h", "c"), ("new",), step), SMALL, steps=5, seeds=1, hidden=3)
    np.testing.assert_allclose(found.whole, 1.0, atol=1e-12)
    np.testing.assert_allclose(found.output[0], [1, 0, 0, 0, 0, 0], atol=1e-12)
    assert found.vanishes is None


def test_where_it_vanishes() -> None:
    values = np.array([[1, 1e-3, 1e-7, 1e-5, 1e-8], [1, 1e-7, 1e-7, 1e-7, 1e-8]])
    assert Reach("x", SMALL, values, values).vanishes == 4  # it came back at 3
    assert Reach("x", SMALL, values[:, :2], values[:, :2]).vanishes is None
    grown = np.array([[1, 1e200, np.inf, np.nan, np.nan]])
    assert Reach("x", SMALL, grown, grown).vanishes is None
    assert Reach("x", SMALL, values, values).typical[1] == pytest.approx(1e-5)
    assert VANISHED == 1e-6


def test_measuring_leaves_the_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, other = (measure("lstm", SMALL, steps=3, seeds=2) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(one.whole, other.whole)
    assert not np.array_equal(one.whole[0], one.whole[1])


def test_beginnings() -> None:
    matrix = SMALL.layer(find_cell("gru"), 8, 6, 0).weights().recurrent
    for gate in matrix.split(6):
        np.testing.assert_allclose((gate @ gate.T).detach(), 0.25 * torch.eye(6, dtype=torch.float64), atol=1e-12)
    lstm = Beginning(0.5, 3.0).layer(CELLS["lstm"], 8, 6, 0)
    assert (lstm.weights().gate(CELLS["lstm"], "forget").bias == 3).all()
    chrono = Beginning(0.5, chrono=50).layer(CELLS["lstm"], 8, 6, 0)
    assert chrono.weights().gate(CELLS["lstm"], "forget").bias.unique().numel() == 6
    blind = SMALL.layer(CELLS["mingru"], 8, 6, 0)  # no recurrent weights to scale
    assert blind.weights().recurrent.numel() == 0


@pytest.mark.slow
def test_the_figures_of_the_study() -> None:
    """The plain RNN forgets within 60 steps when R is small, explodes when it is large; an LSTM keeps far more."""
    rnn, lstm = (measure(name, SMALL, seeds=3) for name in ("rnn", "lstm"))
    assert rnn.vanishes is not None
    assert rnn.vanishes <= 60
    assert measure("rnn", LARGE).typical[-1] > 1e3
    assert lstm.typical[60] > 1e6 * rnn.typical[60]
    assert measure("lstm", Beginning(0.5, 3.0)).typical[60] > 0.01


@pytest.fixture(scope="module")
def sections() -> list[Any]:
    found = untrained.measure(1, 20)
    return [untrained.norms_section(found), untrained.biases_section(found)]


@pytest.mark.slow
def test_the_sections_say_what_was_measured(sections: list[Any]) -> None:
    norms, biases = sections
    assert "falls below a millionth of the last step's after 1" in norms.claim
    assert "grows" in norms.claim or "explodes" in norms.claim
    rows = {(row[0], row[1]): row for row in norms.tables[0].rows}
    assert len(rows) == 12
    assert rows["RNN", "‖R‖ = 0.5"][-1] <= 20
    assert rows["RNN", "‖R‖ = 2"][-1] is None
    # Where there is h alone, both paths are one.
    assert rows["GRU", "‖R‖ = 1"][2:4] == rows["GRU", "‖R‖ = 1"][4:6]
    assert rows["LSTM", "‖R‖ = 1"][2:4] != rows["LSTM", "‖R‖ = 1"][4:6]
    assert "more the higher its forget bias starts" in biases.claim
    for one in sections:
        for figure in one.figures:
            assert unlabelled(figure) == []


def test_a_claim_follows_its_numbers() -> None:
    """Nothing is known beforehand: where the RNN keeps its gradient and the large one shrinks, that is said."""
    steps = np.arange(31.0)

    def made(rate: float) -> Reach:
        values = np.tile(rate**steps, (2, 1))
        return Reach("rnn", SMALL, values, values)

    arms = {"rnn": [made(0.9), made(0.9), made(0.95), made(0.97)], "lstm": [made(0.5)] * 4}
    biases = {name: made(rate) for name, rate in (("a", 0.9), ("b", 0.8), ("c", 0.7), ("d", 0.6))}
    found = untrained.Measured(arms, biases, 30, 2, 1.0, 0.0)
    claim = untrained.norms_section(found).claim
    assert "falls below" not in claim
    assert "does not grow" in claim
    assert "an LSTM" not in claim
    assert "not always more with a higher bias" in untrained.biases_section(found).claim


def test_numbers_of_any_size() -> None:
    assert [untrained.power(one) for one in (0.0256, 3.14e-12, 4.2e6, 0.0, float("inf"), float("nan"))] == [
        "0.026", "3.1e-12", "4.2e+06", "0", "beyond all numbers", "not a number",
    ]  # fmt: skip


def test_clipping_told_from_small_trainings() -> None:
    found = clipping.measure(1, 3)
    section = clipping.section(found)
    assert found.first["rnn"][-1] > 1e3 * found.first["rnn"][0]
    assert found.first["lstm"][-1] < 1e3
    assert [row[0] for row in section.tables[0].rows] == [25, 50, 100, 200]
    assert all(row[2] == "1" for row in section.tables[0].rows)
    assert unlabelled(section.figures[0]) == []


def test_a_training_without_numbers_is_told() -> None:
    from dataclasses import replace

    found = clipping.measure(1, 2)
    lost = replace(found.without[0], score=float("nan"), stopped="not a number", points=())
    good: Trace = replace(found.clipped[0], score=0.01)
    section = clipping.section(clipping.Clipped(found.first, [lost], [good]))
    assert "1 of 1 networks without clipping and 0 of 1 with it end no better than chance" in section.claim
    assert "clipped, 1 of 1 end better" in section.claim
    assert section.tables[1].rows[0][2:] == [None, "no number from update 0"]
    assert unlabelled(section.figures[0]) == []


@pytest.mark.slow
def test_the_whole_study() -> None:
    heard: list[str] = []
    titles = [one.title for one in reach.gradient_study(1, 20, updates=2, told=heard.append)]
    assert titles == ["The gradient's way back through time", "What a forget bias is for", "What clipping does"]
    assert any("rnn" in one for one in heard)
