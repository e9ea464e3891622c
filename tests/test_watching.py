"""A stack that is watched answers as before, and what is seen is what its cells compute."""

import pytest
import torch
from torch import Tensor

from cell_samples import make_inputs, make_weights
from lstmlab.cells import CELLS, Cell
from lstmlab.nn import Options, Recurrent
from lstmlab.nn.watching import watching
from odd_cells import DAMPED

F, H = 3, 4


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def stack(cell: str | Cell = "lstm", **options: object) -> Recurrent:
    made = Recurrent(cell, F, H, **options).double().eval()  # type: ignore[arg-type]
    for one in made._all():
        one.assign(make_weights(made.cell, one.input_weight.shape[1], H))
    return made


@pytest.mark.parametrize("cell", [*CELLS.values(), DAMPED], ids=lambda cell: cell.name)
def test_a_watched_stack_answers_as_before(cell: Cell) -> None:
    layer = stack(cell, num_layers=2, bidirectional=True, residual=True, options=Options(zoneout=0.2))
    inputs = make_inputs([4, 0, 3], F, extra=1)
    before, state = layer(inputs)
    with watching(layer) as watch:
        told, same = layer(inputs)
    assert torch.allclose(told.values, before.values, rtol=1e-9, atol=1e-12)
    assert torch.equal(told.lengths, before.lengths)
    assert all(torch.allclose(same[name], state[name], rtol=1e-9, atol=1e-12) for name in layer.cell.states)
    assert [(one.depth, one.backwards) for one in watch.passes[0]] == [(0, False), (0, True), (1, False), (1, True)]
    again, _ = layer(inputs)
    assert torch.equal(again.values, before.values)
    assert len(watch.passes) == 1


def test_the_gates_are_those_of_an_lstm_written_by_hand() -> None:
    layer, inputs = stack(bidirectional=True), make_inputs([5, 3], F)
    with watching(layer) as watch:
        outputs, _ = layer(inputs)
    for backwards in (False, True):
        (reading,) = watch.readings(backwards=backwards)
        weights = layer.weights(0, "backwards" if backwards else "forwards")
        for row, length in enumerate(inputs.lengths.tolist()):
            h = c = torch.zeros(H).double()
            steps = range(length - 1, -1, -1) if backwards else range(length)
            for t in steps:
                summed = weights.input @ inputs.values[row, t] + weights.recurrent @ h + weights.bias
                i, f, g, o = summed.split(H)
                i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
                c = f * c + i * g
                h = o * c.tanh()
                for name, wanted in zip(("input", "forget", "cell", "output"), (i, f, g, o), strict=True):
                    assert torch.allclose(reading.gate(name).values[row, t], wanted)
                assert torch.allclose(reading.state("c").values[row, t], c)
                assert torch.allclose(outputs.values[row, t].split(H)[int(backwards)], h)
    assert float(watch.readings()[0].gate("input").values[1, 3:].detach().abs().sum()) == 0


def test_a_loss_reaches_the_states_that_were_seen() -> None:
    """∂L/∂h_t by finite differences: h_t is moved and everything after it goes on from there."""
    layer, inputs = stack("gru"), make_inputs([6], F)

    def loss(outputs: Tensor) -> Tensor:
        return (outputs[:, -1] ** 2).sum() + outputs[:, 2].sum()

    with watching(layer, gates=False) as watch:
        total = loss(layer(inputs)[0].values)
    (reading,) = watch.readings()
    assert reading.gates == []
    states = [one.h for one in reading.states]
    found = torch.autograd.grad(total, states, allow_unused=True)
    for t in (0, 2, 4, 5):
        rest = inputs.values[:, t + 1 :]
        for unit in range(H):
            values = []
            for sign in (1e-5, -1e-5):
                moved = states[t].detach().clone()
                moved[0, unit] += sign
                outputs = torch.stack([one.detach() for one in states], 1).clone()
                outputs[:, t] = moved
                if rest.shape[1]:
                    begin = type(reading.states[0])(h=moved[None])
                    outputs[:, t + 1 :] = layer(type(inputs)(rest, inputs.lengths - t - 1), begin)[0].values
                values.append(float(loss(outputs).detach()))
            assert (values[0] - values[1]) / 2e-5 == pytest.approx(float(found[t][0, unit]), rel=1e-4, abs=1e-8)


def test_a_loss_of_the_final_state_reaches_the_states_too() -> None:
    """As a decoder's does that starts from it: the last h counts as itself, an earlier one by what follows it."""
    layer, inputs = stack("gru", bidirectional=True), make_inputs([5], F)
    with watching(layer, gates=False) as watch:
        total = layer(inputs)[1].h[0].sum()
    (reading,) = watch.readings()
    first, last = torch.autograd.grad(total, [reading.states[0].h, reading.states[-1].h])
    assert torch.equal(last, torch.ones_like(last))
    assert float(first.abs().sum()) > 0


def test_a_pass_from_a_state_is_watched_from_there() -> None:
    layer, inputs = stack(), make_inputs([4], F)
    _, state = layer(inputs)
    with watching(layer) as watch:
        layer(inputs)
        layer(inputs, state)
        layer(inputs, state=state)
    first, second, third = watch.readings()
    assert not torch.allclose(first.states[0].c, second.states[0].c)
    assert torch.equal(second.states[0].c, third.states[0].c)


def test_a_stack_in_training_is_not_watched() -> None:
    with pytest.raises(ValueError, match="eval"), watching(Recurrent("lstm", F, H)):
        pass


def test_an_error_leaves_nothing_behind() -> None:
    layer = stack()
    with pytest.raises(ValueError, match="expected inputs"), watching(layer):
        layer(make_inputs([3], F + 1))
    assert not layer._forward_hooks
