"""What gates give: the cells' equations evaluated on numbers, against the step itself and formulas written by hand."""

import pytest
import torch
from torch import Tensor

from lstmlab.cells import CELLS, Cell, Gates, State
from lstmlab.kernels.activations import Activation, _equations, _given, activations, evaluated, values
from odd_cells import ALL, BLIND, EVERYTHING, TWO_OF_ONE

B, H = 5, 4


def arguments(cell: Cell) -> tuple[Gates, Gates, State]:
    """What a step is given, at random."""
    generator = torch.Generator().manual_seed(0)

    def drawn() -> Tensor:
        return torch.randn(B, H, dtype=torch.float64, generator=generator)

    x = Gates({name: drawn() for name in cell.gates + cell.parameters})
    r = Gates({name: drawn() for name in cell.gates} if cell.recurrent else {})
    return x, r, State(**{name: drawn() for name in cell.states})


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
def test_the_equations_give_what_the_step_gives(cell: Cell) -> None:
    x, r, before = arguments(cell)
    known = _given(cell, x, r, before)
    for one in _equations(cell):
        known[one.left] = evaluated(one.right, known)
    after = cell.step(x, r, before)
    told = {symbol.name: value for symbol, value in known.items() if symbol.kind == "after"}
    assert told.keys() == set(cell.states)
    for name, value in after.items():
        assert torch.allclose(torch.as_tensor(told[name]).double().expand(B, H), torch.as_tensor(value).double())


def test_an_lstm_by_hand() -> None:
    cell = CELLS["lstm"]
    x, r, before = arguments(cell)
    found = values(cell, x, r, before)
    assert torch.allclose(found["forget"], torch.sigmoid(x.forget + r.forget))
    assert torch.allclose(found["input"], torch.sigmoid(x.input + r.input))
    assert torch.allclose(found["output"], torch.sigmoid(x.output + r.output))
    assert torch.allclose(found["cell"], torch.tanh(x.cell + r.cell))


def test_a_gru_resets_inside_its_candidate() -> None:
    x, r, before = arguments(CELLS["gru"])
    found = values(CELLS["gru"], x, r, before)
    reset = torch.sigmoid(x.reset + r.reset)
    assert torch.allclose(found["reset"], reset)
    assert torch.allclose(found["new"], torch.tanh(x.new + reset * r.new))


def test_a_peephole_sees_the_memory() -> None:
    x, r, before = arguments(CELLS["peephole"])
    found = values(CELLS["peephole"], x, r, before)
    c = CELLS["peephole"].step(x, r, before).c
    assert torch.allclose(found["output"], torch.sigmoid(x.output + r.output + x.output_peephole * c))


def test_what_each_gate_does() -> None:
    def told(cell: Cell) -> dict[str, tuple[str, str]]:
        return {one.gate: (one.function, one.kind) for one in activations(cell)}

    assert told(CELLS["gru"])["new"] == ("tanh", "candidate")
    assert told(CELLS["slstm"])["input"] == ("exp", "other")
    assert told(CELLS["slstm"])["output"] == ("sigmoid", "gate")
    assert told(CELLS["mingru"]) == {"update": ("sigmoid", "gate"), "new": ("", "other")}
    assert activations(CELLS["rnn"]) == (Activation("new", "tanh", "h"),)
    assert activations(TWO_OF_ONE) == (Activation("input", "sigmoid"),)
    assert set(told(EVERYTHING)) == set(EVERYTHING.gates)


def test_a_stabilised_exponential_gate_is_what_it_multiplies_with() -> None:
    """The sLSTM's forget gate is told as the factor that c is kept by, stabiliser included."""
    cell = CELLS["slstm"]
    x, r, before = arguments(cell)
    found, after = values(cell, x, r, before), cell.step(x, r, before)
    assert torch.allclose(found["forget"] * before.c + found["input"] * found["cell"], after.c)


def test_a_cell_that_cannot_be_written_down_tells_its_sums() -> None:
    cell = Cell("mine", ("h",), ("push",), lambda x, r, state: State(h=torch.erf(x.push + r.push) + state.h))
    x, r, before = arguments(cell)
    assert activations(cell) == (Activation("push", ""),)
    assert torch.equal(values(cell, x, r, before)["push"], x.push + r.push)
    blind = values(BLIND, *arguments(BLIND))
    assert torch.allclose(blind["forget"], torch.sigmoid(arguments(BLIND)[0].forget))
