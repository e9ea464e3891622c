"""Gradients through time: against finite differences, autograd through the whole loop, and what is known by hand."""

import pytest
import torch
from torch import Tensor

from cell_samples import make_inputs, make_weights
from lstmlab.cells import CELLS, Cell, State
from lstmlab.kernels import reference
from lstmlab.kernels.noise import Noise, zone_out
from lstmlab.nn import Options, Recurrent
from lstmlab.nn.jacobians import state_gradients
from lstmlab.types import Padded
from odd_cells import ALL, DAMPED

pytestmark = pytest.mark.slow

HIDDEN, FEATURES = 4, 3


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def awake(cell: Cell, options: Options | None = None, **sizes: int) -> Recurrent:
    """A layer with no zero among its weights."""
    layer = Recurrent(cell, FEATURES, HIDDEN, options=options, **sizes).double()
    for one in layer._all():
        one.assign(make_weights(cell, one.input_weight.shape[1], HIDDEN))
    return layer


def from_there(layer: Recurrent, inputs: Padded, state: State, start: int) -> Tensor:
    """The last output [1 H] when the state after step `start` is this one."""
    stacked, noise = reference.from_inputs(inputs.values, layer.weights()), Noise(zoneout={"h": layer.options.zoneout})
    for t in range(start + 1, inputs.values.shape[1]):
        after = reference.step(layer.cell, layer.weights(), stacked[:, t], state)[2]
        state = zone_out(after, state, noise.kept(state, t))
    return state[layer.cell.states[0]]


def whole(state: State) -> State:
    """A cell may answer with a plain number for a state that is constant."""
    return state.map(lambda value: value if isinstance(value, Tensor) else torch.full((1, HIDDEN), value).double())


def differences(layer: Recurrent, inputs: Padded, of: str, width: float = 1e-5) -> list[float]:
    """‖∂h_T/∂s_t‖ / √H by central differences, for every t of one row."""
    states: list[State] = []
    reference.run(
        layer.cell,
        inputs,
        layer.weights(),
        layer.cell.start(inputs.values.new_empty(1, HIDDEN)),
        Noise(zoneout={"h": layer.options.zoneout}),
        watch=lambda t, x, r, state: states.append(whole(state)),
    )
    norms = []
    for t, state in enumerate(states):
        columns = []
        for unit in range(HIDDEN):
            ends = []
            for sign in (1, -1):
                moved = state[of].clone()
                moved[0, unit] += sign * width
                changed = State(**{**dict(state.items()), of: moved})
                ends.append(from_there(layer, inputs, changed, t))
            columns.append((ends[0] - ends[1]) / (2 * width))
        norms.append(float(torch.stack(columns).square().sum().sqrt()) / HIDDEN**0.5)
    return norms


@torch.no_grad()
def expected(layer: Recurrent, inputs: Padded, of: str) -> Tensor:
    return torch.tensor(differences(layer, inputs, of), dtype=torch.float64)


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
def test_a_gradient_is_what_finite_differences_give(cell: Cell) -> None:
    # The odd cells explode beyond what differences can tell when they are given many steps.
    layer, inputs = awake(cell), make_inputs([9 if cell.name in CELLS else 4], FEATURES)
    for of in cell.states:
        found = state_gradients(layer, inputs, of=of).values[0]
        assert torch.allclose(found, expected(layer, inputs, of), rtol=0.01, atol=1e-9)


def test_zoneout_takes_its_mean() -> None:
    layer, inputs = awake(CELLS["gru"], Options(zoneout=0.4)), make_inputs([7], FEATURES)
    assert torch.allclose(state_gradients(layer, inputs).values[0], expected(layer, inputs, "h"), rtol=0.01)


@pytest.mark.parametrize("cell", [CELLS["lstm"], DAMPED], ids=lambda cell: cell.name)
def test_rows_of_other_lengths_change_nothing(cell: Cell) -> None:
    layer, lengths = awake(cell), [5, 0, 8, 1]
    inputs = make_inputs(lengths, FEATURES, extra=2)
    together = state_gradients(layer, inputs).values
    for row, length in enumerate(lengths):
        assert float(together[row, length:].abs().sum()) == 0
        if length:
            alone = state_gradients(layer, Padded(inputs.values[[row], :length], torch.tensor([length]))).values[0]
            assert torch.allclose(together[row, :length], alone, rtol=1e-10)
            assert float(alone[-1]) == pytest.approx(1.0)


def test_backwards_is_forwards_over_the_row_reversed() -> None:
    layer, inputs = awake(CELLS["lstm"], bidirectional=True), make_inputs([6, 4], FEATURES)
    with torch.no_grad():
        for name in ("input_weight", "recurrent_weight", "bias"):
            getattr(layer.layers[0]["forwards"], name).copy_(getattr(layer.layers[0]["backwards"], name))
    backwards = state_gradients(layer, inputs, direction="backwards")
    forwards = state_gradients(layer, inputs.reversed())
    assert torch.allclose(backwards.values, forwards.reversed().values)
    assert backwards.values[:, 0].tolist() == pytest.approx([1.0, 1.0])


def test_a_deeper_layer_is_asked_with_what_it_reads() -> None:
    layer = awake(CELLS["gru"], num_layers=2)
    inputs = make_inputs([6], HIDDEN)
    found = state_gradients(layer, inputs, depth=1).values
    single = Recurrent("gru", HIDDEN, HIDDEN).double()
    single.layers[0]["forwards"].assign(layer.weights(1))
    assert torch.allclose(found, state_gradients(single, inputs).values)


def test_projections_estimate_the_norm_and_say_the_last_step_exactly() -> None:
    layer, inputs = Recurrent("lstm", FEATURES, 64), make_inputs([30], FEATURES)
    exact = state_gradients(layer, inputs).values
    estimates = [state_gradients(layer, inputs, projections=16, seed=seed).values.square() for seed in range(16)]
    assert float(estimates[0][0, -1]) == pytest.approx(1.0)
    mean = torch.stack(estimates).mean(0).sqrt()
    assert torch.allclose(mean, exact, rtol=0.1)
    assert not torch.allclose(estimates[0].sqrt(), exact, rtol=1e-6)


def test_a_linear_recurrence_has_the_powers_of_its_weight() -> None:
    """h_t = relu(w h_{t-1} + x) with positive numbers: the gradient is w^k, far below what single precision holds."""
    layer = Recurrent("rnn-relu", 1, 2)
    with torch.no_grad():
        layer.layers[0]["forwards"].recurrent_weight.copy_(0.1 * torch.eye(2))
        layer.layers[0]["forwards"].input_weight.fill_(1.0)
        layer.layers[0]["forwards"].bias.fill_(1.0)
    inputs = Padded(torch.ones(1, 201, 1), torch.tensor([201]))
    by_distance = state_gradients(layer, inputs).reversed().values[0]
    wanted = torch.tensor(0.1, dtype=torch.float32).double() ** torch.arange(201)
    assert torch.allclose(by_distance.log(), wanted.log(), rtol=1e-9)


def test_the_layer_and_its_training_are_left_alone() -> None:
    layer, inputs = Recurrent("lstm", FEATURES, HIDDEN).train(), make_inputs([5], FEATURES, dtype=torch.float32)
    state_gradients(layer, inputs)
    assert layer.training
    assert all(one.grad is None and one.dtype == torch.float32 for one in layer.parameters())
