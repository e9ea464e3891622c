"""The recurrent layer: how weights start, normalisation, dropouts, zoneout, settings."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lstmlab import recipe
from lstmlab.cells import CELLS, Cell, Gates, State, sigmoid, tanh
from lstmlab.errors import InputError
from lstmlab.kernels.symbolic import summed_gates, trace
from lstmlab.nn import Options, Recurrent
from lstmlab.nn.initialisation import chrono_signs
from lstmlab.nn.recurrent import RecurrentSettings
from lstmlab.nn.regularisation import drop_weights, lock_dropout
from lstmlab.types import Padded

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def leaky(x: Gates, r: Gates, state: State) -> State:
    return State(h=tanh(x.new + r.new + x.leak * state.h))


def blind(x: Gates, r: Gates, state: State) -> State:
    update = sigmoid(x.update)
    return State(h=update * state.h + (1 - update) * x.new)


def minimal(x: Gates, r: Gates, state: State) -> State:
    """As published: the forget gate lets the new in."""
    forget = sigmoid(x.forget + r.forget)
    return State(h=(1 - forget) * state.h + forget * tanh(x.new + forget * r.new))


LEAKY = Cell("leaky", ("h",), ("new",), leaky, parameters=("leak",), recurrent_bias=("new",))
BLIND = Cell("blind", ("h",), ("update", "new"), blind, recurrent=False)
MINIMAL = Cell("minimal", ("h",), ("forget", "new"), minimal)
ROWS = torch.tensor([5, 2, 4])


def rows(features: int = 3) -> Padded:
    return Padded(torch.randn(3, 5, features), ROWS).masked()


def biases(layer: Recurrent) -> dict[str, Tensor]:
    return {name: layer.weights().gate(layer.cell, name).bias.detach() for name in layer.cell.gates}


# How weights start


def test_initial_weights() -> None:
    as_torch = Recurrent("lstm", 6, 25)
    assert as_torch.weights().input.abs().max() <= 0.2
    assert 0.2 < as_torch.weights().bias.abs().max() <= 0.4
    drawn = Recurrent.from_settings(RecurrentSettings(hidden_size=5, initialisation="orthogonal"), 6)
    assert all((bias == (name == "forget")).all() for name, bias in biases(drawn).items())
    matrix = drawn.weights(0, "backwards").gate(CELLS["lstm"], "output").recurrent
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(5))
    opened = Recurrent.from_settings(RecurrentSettings(hidden_size=5, forget_bias=2.0), 6)
    assert (biases(opened)["forget"] == 2).all()
    assert (biases(opened)["input"] != 0).any()


@pytest.mark.parametrize("cell", ["lstm", "gru", MINIMAL], ids=["lstm", "gru", "minimal"])
def test_chrono_spreads_memory(cell: str | Cell) -> None:
    layer = Recurrent(cell, 3, 600)
    layer.initialise("chrono", chrono_steps=50)
    drawn = biases(layer)
    keeper = next(name for name in ("forget", "update") if name in drawn)
    # The published minimal unit's forget gate lets the new in, so that its sign is the other one.
    spans = (drawn[keeper] * (-1 if cell is MINIMAL else 1)).exp()
    assert 1 <= spans.min() < 1.5
    assert 48.5 < spans.max() <= 49.001
    assert abs(float(spans.mean()) - 25) < 2
    if "input" in drawn:
        assert torch.equal(drawn["input"], -drawn["forget"])
    assert not any(bias.any() for name, bias in drawn.items() if name not in (keeper, "input"))


def test_chrono_asks_the_step() -> None:
    assert chrono_signs(CELLS["lstm"]) == {"forget": 1, "input": -1}
    assert chrono_signs(CELLS["gru"]) == chrono_signs(BLIND) == {"update": 1}
    assert chrono_signs(CELLS["minlstm"]) == chrono_signs(CELLS["slstm"]) == {"forget": 1, "input": -1}
    assert chrono_signs(CELLS["mingru"]) == {"update": -1}
    assert chrono_signs(MINIMAL) == {"forget": -1}
    assert not chrono_signs(LEAKY)
    with pytest.raises(InputError, match='the cell "rnn" has only new: take initialisation=orthogonal'):
        Recurrent("rnn", 3, 4).initialise("chrono")
    with pytest.raises(InputError, match="set forget_bias=null"):
        Recurrent("lstm", 3, 4).initialise("chrono", forget_bias=1.0)
    with pytest.raises(InputError, match="expected 3 steps or more, got 2"):
        Recurrent("lstm", 3, 4).initialise("chrono", chrono_steps=2)


# Cells, inputs, states


@pytest.mark.slow
def test_an_own_cell_in_a_layer() -> None:
    layer = Recurrent(LEAKY, 3, 4, 2, bidirectional=True)
    outputs, state = layer(Padded(torch.randn(2, 5, 3), torch.tensor([5, 2])).masked())
    assert outputs.values.shape == (2, 5, 8)
    assert state.h.shape == (4, 2, 4)
    assert "layers.1.backwards.vectors.leak" in layer.state_dict()
    layer.initialise("orthogonal")
    assert not layer.weights().parameters["leak"].any()
    with pytest.raises(ValueError, match='torch has no layer for the cell "leaky"'):
        layer.to_torch()


@pytest.mark.slow
def test_a_blind_cell_has_no_recurrent_weight() -> None:
    layer = Recurrent(BLIND, 3, 4, 2, bidirectional=True, options=Options(second_bias=True, layer_norm="input"))
    assert not [name for name in (*layer.state_dict(), *dict(layer.named_parameters())) if "recurrent" in name]
    assert sum(one.numel() for one in layer.parameters()) == sum(2 * (8 * size + 3 * 8) for size in (3, 8))
    for how in ("torch", "orthogonal", "chrono"):
        layer.initialise(how)
        outputs, state = layer.double()(Padded(torch.randn(3, 5, 3).double(), ROWS).masked())
        assert outputs.values.isfinite().all()
        assert state.h.shape == (4, 3, 4)
    outputs.values.sin().sum().backward()
    assert all(one.grad.any() for one in layer.parameters())
    other = Recurrent(BLIND, 3, 4, 2, bidirectional=True, options=layer.options).double()
    other.load_state_dict(layer.state_dict())
    inputs = Padded(torch.randn(3, 5, 3).double(), ROWS).masked()
    assert torch.equal(other(inputs)[0].values, layer(inputs)[0].values)


def test_inputs_and_states_that_do_not_fit() -> None:
    layer = Recurrent("lstm", 3, 4, 2)
    inputs = Padded(torch.randn(2, 5, 3), torch.tensor([5, 5]))
    with pytest.raises(ValueError, match=r"expected inputs \[B T 3\], got \[2, 5, 4\]"):
        layer(Padded(torch.randn(2, 5, 4), inputs.lengths))
    with pytest.raises(ValueError, match=r"expected a state c of \[2, 2, 4\], got \[1, 2, 4\]"):
        layer(inputs, State(h=torch.zeros(2, 2, 4), c=torch.zeros(1, 2, 4)))
    with pytest.raises(KeyError, match='no state \\\\?"c'):
        layer(inputs, State(h=torch.zeros(2, 2, 4)))


def test_residual_adds_a_layers_input() -> None:
    layer = Recurrent("lstm", 3, 4, 2, residual=True)
    inputs = Padded(torch.randn(2, 5, 3), torch.tensor([5, 3])).masked()
    plain = Recurrent("lstm", 3, 4, 2)
    plain.load_state_dict(layer.state_dict())
    first = Recurrent("lstm", 3, 4)
    first.load_state_dict({name: one for name, one in layer.state_dict().items() if name.startswith("layers.0")})
    torch.testing.assert_close(layer(inputs)[0].values, plain(inputs)[0].values + first(inputs)[0].values)


# Layer normalisation


def test_which_gates_count_as_sums() -> None:
    def twice(x: Gates, r: Gates, state: State) -> State:
        return State(h=tanh(2 * (x.new + r.new)) * sigmoid(3 * x.gate - x.gate + 2 * r.gate) + x.odd + 2 * r.odd)

    assert summed_gates(trace(CELLS["lstm"])) == CELLS["lstm"].gates
    assert summed_gates(trace(CELLS["gru"])) == ("reset", "update")
    assert summed_gates(trace(CELLS["rnn"])) == ("new",)
    assert summed_gates(trace(Cell("twice", ("h",), ("new", "gate", "odd"), twice))) == ("new", "gate")
    assert summed_gates(trace(BLIND)) == ()


@pytest.mark.slow
@pytest.mark.parametrize("layer_norm", ["none", "input", "recurrent", "both", "sum"])
def test_normalisation_forgets_the_scale_of_what_it_normalises(layer_norm: str) -> None:
    layer = Recurrent("lstm", 3, 40, 2, options=Options(layer_norm=layer_norm)).double()
    named = dict(layer.named_parameters())
    gains = {"none": [], "both": ["input", "recurrent"]}.get(layer_norm, [layer_norm])
    assert [name for name in named if "0.forwards.gains" in name] == [f"layers.0.forwards.gains.{one}" for one in gains]
    assert all((one == 1).all() for name, one in named.items() if "gains" in name)
    inputs = Padded(torch.randn(3, 5, 3).double() * 100, ROWS).masked()
    before = layer(inputs)[0].values.detach()
    unmoved = {"none": [], "both": ["input", "recurrent"], "sum": ["input and recurrent"]}.get(layer_norm, [layer_norm])
    for scaled in ("input", "recurrent", "input and recurrent"):
        changed = {
            name: one * 3 if any(f"0.forwards.{kind}_weight" in name for kind in scaled.split(" and ")) else one
            for name, one in named.items()
        }
        after = torch.func.functional_call(layer, changed, (inputs,))[0].values.detach()
        moved = float((after - before).abs().max())
        assert (moved < 1e-2) == (scaled in unmoved or unmoved == ["input", "recurrent"]), (scaled, moved)


def test_a_normalisation_without_a_place_is_refused() -> None:
    with pytest.raises(InputError, match='the cell "gru" uses the two parts of new apart: take layer_norm=both'):
        Recurrent("gru", 3, 4, options=Options(layer_norm="sum"))
    for layer_norm in ("recurrent", "both", "sum"):
        with pytest.raises(InputError, match='"blind" read the input alone: take layer_norm=input'):
            Recurrent(BLIND, 3, 4, options=Options(layer_norm=layer_norm))
    # A bias inside the past's part would have nothing to do where the sum is normalised.
    assert Recurrent(LEAKY, 3, 4, options=Options(layer_norm="sum")).weights().recurrent_bias is None


# Dropouts and zoneout

EVERY = Options(locked=True, recurrent_dropout=0.4, zoneout=0.2, zoneout_memory=0.3, weight_drop=0.5)


def test_dropout_works_between_layers() -> None:
    inputs = Padded(torch.randn(2, 5, 3), torch.tensor([5, 5]))
    deep, flat = Recurrent("gru", 3, 4, 2, dropout=0.5), Recurrent("gru", 3, 4, dropout=0.5)
    assert not torch.equal(deep(inputs)[0].values, deep(inputs)[0].values)
    assert torch.equal(flat(inputs)[0].values, flat(inputs)[0].values)
    deep.eval()
    assert torch.equal(deep(inputs)[0].values, deep(inputs)[0].values)


def test_training_repeats_under_one_seed_and_evaluation_draws_nothing() -> None:
    layer = Recurrent("lstm", 3, 4, 2, True, dropout=0.5, options=EVERY)
    inputs, passes = rows(), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        passes.append(layer(inputs)[0].values)
    assert torch.equal(passes[0], passes[1])
    assert not torch.equal(passes[0], passes[2])
    layer.eval()
    before = torch.get_rng_state()
    assert torch.equal(layer(inputs)[0].values, layer(inputs)[0].values)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", BLIND], ids=["lstm", "blind"])
def test_a_seed_for_each_layer_and_direction_and_none_in_vain(cell: str | Cell) -> None:
    """What is not random draws nothing, so that runs with and without these settings in mind stay the same."""

    def drawn(layer: Recurrent) -> Tensor:
        torch.manual_seed(7)
        layer(inputs)
        return torch.get_rng_state()

    def after(draws: int) -> Tensor:
        torch.manual_seed(7)
        for _ in range(draws):
            torch.randint(1 << 62, ())
        return torch.get_rng_state()

    inputs = rows()
    assert torch.equal(drawn(Recurrent(cell, 3, 4, 2, True, options=Options(locked=True))), after(0))
    assert torch.equal(drawn(Recurrent(cell, 3, 4, 2, True, options=Options(zoneout=0.1))), after(4))
    assert torch.equal(drawn(Recurrent(cell, 3, 4, 2, True, dropout=0.5, options=EVERY)), after(5))
    silent = Options(zoneout_memory=0.1) if cell != "lstm" else Options()
    assert torch.equal(drawn(Recurrent(cell, 3, 4, 2, True, options=silent)), after(0))
    hidden = Recurrent(cell, 3, 4, 2, True, options=Options(recurrent_dropout=0.5, weight_drop=0.5))
    assert torch.equal(drawn(hidden), after(4 if cell == "lstm" else 0))


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [Options(recurrent_dropout=0.5), Options(zoneout=0.3), Options(zoneout_memory=0.3), Options(weight_drop=0.5)],
    ids=["recurrent dropout", "zoneout", "zoneout of memory", "weight drop"],
)
def test_each_option_works_in_training(options: Options) -> None:
    layer = Recurrent("lstm", 3, 4, options=options)
    plain = Recurrent("lstm", 3, 4)
    plain.load_state_dict(layer.state_dict())
    inputs = rows()
    seen, calm = layer(inputs)[0].values, plain(inputs)[0].values
    assert not torch.allclose(seen, calm)
    assert not torch.equal(layer(inputs)[0].values, seen)
    zoned = options.zoneout or options.zoneout_memory
    assert torch.equal(layer.eval()(inputs)[0].values, calm) == (not zoned)


def test_weight_drop_is_unbiased_and_one_mask_for_all() -> None:
    weight, h = torch.randn(12, 4, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    some = torch.stack([drop_weights(weight, 0.3, seed) for seed in range(4000)])
    assert set((some[0] / weight).round(decimals=9).unique().tolist()) == {0, round(1 / 0.7, 9)}
    assert abs(float((some == 0).double().mean()) - 0.3) < 0.005
    # Four standard errors of the mean product.
    spread = (weight**2 @ h**2 * 0.3 / 0.7 / 4000).sqrt()
    assert ((some.mean(0) @ h - weight @ h).abs() < 4 * spread).all()
    layer = Recurrent("rnn", 3, 4, options=Options(weight_drop=0.5))
    inputs = Padded(torch.randn(1, 5, 3).expand(3, 5, 3).contiguous(), torch.tensor([5, 5, 5]))
    outputs = layer(inputs)[0].values
    assert torch.equal(outputs[0], outputs[1])
    outputs.sum().backward()
    assert ((layer.layers[0]["forwards"].recurrent_weight.grad == 0).float().mean() - 0.5).abs() < 0.4


def test_locked_dropout_is_unbiased_and_one_mask_for_all_steps() -> None:
    ones = Padded(torch.ones(200, 4, 60), torch.full((200,), 4))
    dropped = lock_dropout(ones, 0.25, 3).values
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert (dropped[0] != dropped[1]).any()
    assert dropped.unique().tolist() == [0, pytest.approx(4 / 3)]
    assert abs(float(dropped.mean()) - 1) < 0.02
    layer = Recurrent("rnn", 3, 4, 2, dropout=0.5, options=Options(locked=True))
    with torch.no_grad():
        for one in layer.layers[1].parameters():
            one.zero_()
        layer.layers[1]["forwards"].input_weight.copy_(torch.eye(4))
    alive = (layer(rows())[0].values[0] != 0).float()
    assert torch.equal(alive, alive[:1].expand_as(alive))


@pytest.mark.slow
def test_zoneout_keeps_its_share_and_takes_its_mean() -> None:
    layer = Recurrent("rnn", 3, 400, options=Options(zoneout=0.3))
    inputs = Padded(torch.randn(4, 20, 3), torch.full((4,), 20))
    outputs = layer(inputs)[0].values
    still = (outputs[:, 1:] == outputs[:, :-1]).float().mean()
    assert abs(float(still) - 0.3) < 0.02
    outputs, weights, h = layer.eval()(inputs)[0].values, layer.weights(), torch.zeros(4, 400)
    for t in range(20):
        new = torch.tanh(inputs.values[:, t] @ weights.input.T + weights.bias + h @ weights.recurrent.T)
        h = 0.3 * h + 0.7 * new
        torch.testing.assert_close(outputs[:, t], h)


@pytest.mark.slow
def test_zoneout_of_memory_leaves_the_output_alone() -> None:
    """Over a single step c is kept at a share of units; there the LSTM shows o tanh(c) of the new c, as without."""
    options = Options(zoneout_memory=0.5)
    layer, plain = Recurrent("lstm", 3, 50, options=options), Recurrent("lstm", 3, 50)
    plain.load_state_dict(layer.state_dict())
    step = Padded(torch.randn(4, 1, 3), torch.ones(4, dtype=torch.long))
    (outputs, state), (calm, whole) = layer(step), plain(step)
    torch.testing.assert_close(outputs.values, calm.values)
    kept = state.c == 0
    assert abs(float(kept.float().mean()) - 0.5) < 0.1
    torch.testing.assert_close(state.c[~kept], whole.c[~kept])


def test_zoneout_of_memories_that_belong_together_is_refused() -> None:
    """The sLSTM's c and n are kept divided by e^m: an old one beside a new m would be another number."""
    with pytest.raises(InputError, match="would keep some of c, n, m and renew others.* take zoneout"):
        Recurrent("slstm", 3, 4, options=Options(zoneout_memory=0.1))
    Recurrent("slstm", 3, 4, options=Options(zoneout=0.1))


@pytest.mark.parametrize("name", ["recurrent_dropout", "zoneout", "zoneout_memory", "weight_drop"])
def test_a_share_is_less_than_one(name: str) -> None:
    for share in (-0.1, 1.0, float("nan")):
        with pytest.raises(InputError, match=f"{name}: expected a share"):
            Options(**{name: share})


# Settings


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"cell": "gru", "layer_norm": "sum"}, 'the cell "gru" uses the two parts of new apart'),
        (
            {"layer_norm": "output"},
            "layer_norm: expected 'none', 'input', 'recurrent', 'both' or 'sum', got \"output\"",
        ),
        ({"cell": "rnn", "initialisation": "chrono"}, 'the cell "rnn" has only new'),
        ({"initialisation": "chrono", "forget_bias": 1.0}, "set forget_bias=null"),
        ({"chrono_steps": 2}, "chrono_steps: expected greater than or equal to 3"),
        ({"cell": "mingru", "layer_norm": "both"}, 'the gates of the cell "mingru" read the input alone'),
        ({"cell": "slstm", "zoneout_memory": 0.1}, "take zoneout, which is for h"),
        ({"zoneout": 1.0}, "zoneout: expected less than 1"),
        ({"zonout": 0.1}, "Did you mean zoneout?"),
        ({"cell": "lsmt"}, 'no cell "lsmt". Did you mean lstm?'),
    ],
)
def test_settings_are_refused_in_words(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        recipe.validate(RecurrentSettings, tree, "a.yaml")


def test_settings_without_effect_are_told() -> None:
    between = {"dropout", "locked", "residual"}
    assert RecurrentSettings().idle().keys() == between | {"chrono_steps"}
    assert RecurrentSettings(num_layers=2).idle().keys() == {"locked", "chrono_steps"}
    deep = RecurrentSettings(num_layers=2, dropout=0.1, initialisation="chrono")
    assert not deep.idle()
    assert RecurrentSettings(cell="gru").idle().keys() == between | {"chrono_steps", "forget_bias", "zoneout_memory"}
    unseen = {"recurrent_dropout", "weight_drop"}
    assert RecurrentSettings(cell="minlstm").idle().keys() == between | {"chrono_steps", "zoneout_memory"} | unseen


def test_settings_reach_the_layer() -> None:
    given = dict(second_bias=True, layer_norm="both", locked=True, recurrent_dropout=0.1)
    given |= dict(zoneout=0.2, zoneout_memory=0.3, weight_drop=0.4)
    layer = Recurrent.from_settings(RecurrentSettings(num_layers=2, dropout=0.5, **given), 3)
    assert layer.options == Options(**given)
    assert layer.dropout == 0.5
    started = Recurrent.from_settings(RecurrentSettings(initialisation="chrono", chrono_steps=3), 3)
    assert 0 <= biases(started)["forget"].min() <= biases(started)["forget"].max() < 0.694
