"""Kernels: the choice, the edges, and cells nobody has on a shelf."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lstmlab import cells, kernels
from lstmlab.cells import CELLS, Cell, Gates, State, find_cell, sigmoid, tanh
from lstmlab.errors import InputError
from lstmlab.kernels import build, native
from lstmlab.kernels.noise import Noise
from lstmlab.kernels.weights import Weights, trim
from lstmlab.types import Padded

LSTM, GRU = CELLS["lstm"], CELLS["gru"]


def damped(x: Gates, r: Gates, state: State) -> State:
    """A cell with everything a Cell can declare."""
    c = sigmoid(x.keep + r.keep + x.peep * state.c) * state.c + tanh(x.new + r.new)
    return State(h=tanh(c), c=c)


DAMPED = Cell(
    "damped",
    ("h", "c"),
    ("keep", "new"),
    damped,
    parameters=("peep",),
    initial_bias={"keep": 2.0},
    initial_state={"c": 0.5},
    recurrent_bias=("new",),
)


def some_weights(cell: Cell, features: int = 3, hidden: int = 2) -> Weights:
    rows = len(cell.gates) * hidden
    return Weights(
        torch.randn(rows, features),
        torch.randn(rows, hidden),
        torch.randn(rows),
        torch.randn(len(cell.recurrent_bias) * hidden) if cell.recurrent_bias else None,
        {name: torch.randn(hidden) for name in cell.parameters},
    )


def fitting(cell: Cell) -> list[str]:
    return [kernel for kernel in kernels.KERNELS if kernels.runs(kernel, cell)]


def opaque(x: Gates, r: Gates, state: State) -> State:
    """A step that only runs on tensors."""
    return State(h=torch.sin(x.new + r.new))


OPAQUE = Cell("opaque", ("h",), ("new",), opaque)


def test_choice_is_told_in_words() -> None:
    assert kernels.choose(LSTM).kernel == kernels.choose(DAMPED).kernel == "cpu"
    assert "equations" in kernels.choose(LSTM).reason
    choice = kernels.choose(OPAQUE)
    assert choice.kernel == "reference"
    assert '"opaque" does not run on symbols' in choice.reason


def test_on_another_device_torch_s_own_kernels_and_scans_serve() -> None:
    weights = {cell: some_weights(cell).to("meta") for cell in (LSTM, DAMPED, CELLS["mingru"])}
    assert kernels.choose(LSTM, weights[LSTM]).kernel == "native"
    assert kernels.choose(DAMPED, weights[DAMPED]).kernel == "reference"
    assert kernels.choose(CELLS["mingru"], weights[CELLS["mingru"]]).kernel == "scan"
    noisy = kernels.choose(LSTM, weights[LSTM], Noise(zoneout={"c": 0.1}))
    assert noisy.kernel == "reference"
    assert "zoneout" in noisy.reason


def test_a_short_prediction_never_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = replace(DAMPED, name="never-compiled", initial_bias={"keep": 3.0})
    weights, inputs = some_weights(own), Padded(torch.randn(1, 9, 3), torch.tensor([9]))
    monkeypatch.setattr(build, "_folder", lambda: tmp_path)
    with torch.no_grad():
        assert kernels.choose(own, weights, inputs=inputs).kernel == "reference"
        assert kernels.choose(LSTM, some_weights(LSTM), inputs=inputs).kernel == "native"
    assert kernels.choose(own, weights, inputs=inputs).kernel == "cpu"


def test_what_counts_is_the_step_not_the_name() -> None:
    impostor = Cell("lstm", ("h", "c"), LSTM.gates, lambda x, r, state: State(h=x.input, c=r.cell))
    assert not kernels.runs("native", impostor)
    assert kernels.runs("native", replace(LSTM, name="mine", initial_bias={}))


def test_an_own_cell_by_hand() -> None:
    """Two steps of one unit, worked out with the formula itself."""
    torch.manual_seed(0)
    weights = some_weights(DAMPED, features=1, hidden=1)
    inputs = Padded(torch.tensor([[[0.3], [-0.7]]]), torch.tensor([2]))
    outputs, end = kernels.run(DAMPED, inputs, weights)
    h, c = torch.zeros(1), torch.full((1,), 0.5)
    for t in range(2):
        x = weights.input @ inputs.values[0, t] + weights.bias
        r = weights.recurrent @ h
        c = torch.sigmoid(x[0] + r[0] + weights.parameters["peep"] * c) * c + torch.tanh(
            x[1] + r[1] + weights.recurrent_bias
        )
        h = torch.tanh(c)
        torch.testing.assert_close(outputs.values[0, t], h)
    torch.testing.assert_close(end.c[0], c)


@pytest.mark.slow
@pytest.mark.parametrize("cell", [LSTM, GRU], ids=["lstm", "gru"])
def test_gates_in_another_order_are_the_same_function(cell: Cell) -> None:
    other = replace(cell, gates=cell.gates[::-1])
    weights = some_weights(cell)
    turned = Weights(
        *(torch.cat(one.chunk(len(cell.gates))[::-1]) for one in (weights.input, weights.recurrent, weights.bias)),
        weights.recurrent_bias,
    )
    inputs = Padded(torch.randn(2, 4, 3), torch.tensor([4, 2])).masked()
    expected, end = kernels.run(cell, inputs, weights, kernel="reference")
    for kernel in fitting(other):
        outputs, last = kernels.run(other, inputs, turned, kernel=kernel)
        torch.testing.assert_close(outputs.values, expected.values)
        torch.testing.assert_close(last.h, end.h)


def test_torch_layout_there_and_back() -> None:
    for cell in (LSTM, GRU, replace(GRU, gates=("new", "update", "reset")), replace(GRU, recurrent_bias=())):
        weights = some_weights(cell)
        again = native.from_torch(cell, native.to_torch(cell, weights))
        assert torch.equal(again.input, weights.input)
        assert torch.equal(again.bias, weights.bias)
        if weights.recurrent_bias is not None:
            assert torch.equal(again.recurrent_bias, weights.recurrent_bias)


def test_one_gate_is_a_view() -> None:
    weights = some_weights(GRU)
    gate = weights.gate(GRU, "new")
    gate.recurrent_bias.fill_(7)
    gate.bias.fill_(5)
    assert weights.recurrent_bias.tolist() == [7, 7]
    assert weights.bias[-2:].tolist() == [5, 5]
    assert weights.gate(GRU, "reset").recurrent_bias is None


@pytest.mark.parametrize("kernel", ["reference", "native", "cpu"])
def test_nothing_to_read(kernel: str) -> None:
    weights, begin = some_weights(LSTM), State(h=torch.ones(2, 2), c=torch.full((2, 2), 3.0))
    for steps in (0, 4):
        outputs, end = kernels.run(
            LSTM, Padded(torch.zeros(2, steps, 3), torch.tensor([0, 0])), weights, begin, kernel=kernel
        )
        assert outputs.values.shape == (2, steps, 2)
        assert not outputs.values.any()
        assert torch.equal(end.c, begin.c)
    nobody = Padded(torch.zeros(0, 4, 3), torch.zeros(0, dtype=torch.long))
    assert kernels.run(LSTM, nobody, weights, kernel=kernel)[0].values.shape == (0, 4, 2)


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_the_held_cell_state_is_exact(scale: float) -> None:
    """What stands still does so to the last bit, even where gates are far into saturation."""
    weights = some_weights(LSTM)
    weights = replace(weights, input=weights.input * scale, recurrent=weights.recurrent * scale)
    inputs = Padded(torch.randn(3, 9, 3), torch.tensor([9, 4, 0])).masked()
    begin = State(h=torch.randn(3, 2), c=torch.randn(3, 2))
    _, end = kernels.run(LSTM, inputs, weights, begin, kernel="native")
    _, short = kernels.run(
        LSTM,
        Padded(inputs.values[1:2, :4], torch.tensor([4])),
        weights,
        begin.map(lambda value: value[1:2]),
        kernel="native",
    )
    torch.testing.assert_close(end.c[1], short.c[0], rtol=1e-6, atol=1e-6)
    assert torch.equal(end.c[2], begin.c[2])
    assert torch.equal(end.h[2], begin.h[2])


def test_without_final_state_none_comes_back() -> None:
    weights, inputs = some_weights(LSTM), Padded(torch.randn(2, 4, 3), torch.tensor([4, 2])).masked()
    for kernel in fitting(LSTM):
        assert kernels.run(LSTM, inputs, weights, final_state=False, kernel=kernel)[1] is None


def test_watching_shows_every_step() -> None:
    weights, inputs = some_weights(LSTM), Padded(torch.randn(2, 4, 3), torch.tensor([4, 2])).masked()
    seen = []
    outputs, _ = kernels.watch(
        LSTM, inputs, weights, lambda t, x, r, state: seen.append((t, (x.forget + r.forget).shape, state.h))
    )
    assert [(t, shape) for t, shape, _ in seen] == [(t, (2, 2)) for t in range(4)]
    assert torch.equal(seen[3][2][0], outputs.values[0, 3])


def test_mistakes_are_told() -> None:
    weights, inputs = some_weights(LSTM), Padded(torch.randn(1, 2, 3), torch.tensor([2]))
    with pytest.raises(ValueError, match='no kernel "cuda"'):
        kernels.run(LSTM, inputs, weights, kernel="cuda")
    with pytest.raises(ValueError, match='torch has no cell "damped"'):
        native.run(DAMPED, inputs, some_weights(DAMPED), DAMPED.start(torch.zeros(1, 2)))
    with pytest.raises(ValueError, match="a row says it has 3 steps, the tensor has 2"):
        trim(Padded(inputs.values, torch.tensor([3])))
    wrong = Cell("wrong", ("h", "c"), ("new",), lambda x, r, state: State(h=x.new))
    with pytest.raises(ValueError, match="its step returns"):
        kernels.run(wrong, inputs, some_weights(wrong))
    misspelt = Cell("misspelt", ("h",), ("forget",), lambda x, r, state: State(h=x.forgot))
    with pytest.raises(AttributeError, match='no gate or parameter "forgot". Did you mean forget?'):
        kernels.run(misspelt, inputs, some_weights(misspelt))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"states": ()}, "at least one state"),
        ({"gates": ("new", "new")}, '"new" is named twice'),
        ({"gates": ("2nd",)}, 'needs a plain name such as forget, got "2nd"'),
        ({"states": ("items",)}, "plain name"),
        ({"initial_bias": {"forgt": 1.0}}, 'no gate "forgt". Did you mean forget?'),
        ({"initial_state": {"n": 1.0}}, 'no state "n". Known: h, c'),
        ({"recurrent_bias": ("cel",)}, "Did you mean cell?"),
    ],
)
def test_a_cell_is_checked_when_made(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(LSTM, **changes)


def test_unknown_cell() -> None:
    with pytest.raises(InputError, match='no cell "lsmt". Did you mean lstm?'):
        find_cell("lsmt")
    assert find_cell(DAMPED) is DAMPED
    assert {LSTM: 1}[LSTM] == 1


def test_a_state_is_a_value() -> None:
    state = State(h=torch.ones(1), c=torch.zeros(1))
    with pytest.raises(AttributeError, match="not changed"):
        state.h = torch.zeros(1)
    with pytest.raises(AttributeError, match='no state "n"'):
        _ = state.n
    with pytest.raises(KeyError, match="no state"):
        _ = state["n"]
    assert state.names == ("h", "c")
    assert state.map(lambda value: value + 1).h.item() == 2
    assert repr(state) == "State(h=[1], c=[1])"


def test_mathematics_on_tensors() -> None:
    value = torch.tensor([-30.0, -1.0, 0.5, 30.0], dtype=torch.float64)
    torch.testing.assert_close(sigmoid(value), 1 / (1 + torch.exp(-value)))
    torch.testing.assert_close(cells.softplus(value), torch.log1p(torch.exp(value)))
    torch.testing.assert_close(cells.log(cells.exp(value)), value)
    assert cells.relu(value).tolist() == cells.maximum(value, 0.0).tolist() == [0, 0, 0.5, 30]
    assert cells.minimum(0.0, value).tolist() == [-30, -1, 0, 0]
    with pytest.raises(TypeError, match=r"tanh\(\) works on tensors, got str"):
        tanh("x")
