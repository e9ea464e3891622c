"""Embedding, dropouts, pooling, segments, settings and the summary."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lstmlab import recipe
from lstmlab.cells import CELLS, Cell, Gates, State, tanh
from lstmlab.errors import InputError
from lstmlab.nn import Classifier, ClassifierSettings, Embedding, EmbeddingSettings, Pooling, Recurrent, summary
from lstmlab.nn.embedding import locked_dropout, word_dropout
from lstmlab.nn.pooling import Attention, join, pool, segment
from lstmlab.nn.recurrent import RecurrentSettings
from lstmlab.types import Padded

OUTPUTS = Padded(
    torch.tensor([[[1.0, -1.0], [3.0, -5.0], [2.0, -3.0]], [[-4.0, 2.0], [0, 0], [0, 0]], [[0, 0], [0, 0], [0, 0]]]),
    torch.tensor([3, 1, 0]),
)


def ids(*rows: list[int]) -> Padded:
    lengths = torch.tensor([len(row) for row in rows])
    return Padded(torch.tensor([row + [0] * (int(lengths.max()) - len(row)) for row in rows]), lengths)


# Embedding


def test_padding_stays_zero() -> None:
    layer = Embedding(EmbeddingSettings(size=3), 5)
    vectors = layer(ids([1, 4, 2], [3]))
    assert vectors.values.shape == (2, 3, 3)
    assert not vectors.values[1, 1:].any()
    vectors.values.sum().backward()
    assert not layer.table.weight.grad[0].any()
    assert layer.table.weight.grad[1:].all()


def test_word_dropout_takes_whole_words_and_scales_nothing() -> None:
    torch.manual_seed(0)
    dropped = word_dropout(Padded(torch.ones(50, 40, 3), torch.full((50,), 40)), 0.3).values
    assert set(dropped.unique().tolist()) == {0, 1}
    assert (dropped.amax(2) == dropped.amin(2)).all()
    assert abs(float(dropped.mean()) - 0.7) < 0.03


def test_locked_dropout_takes_the_same_numbers_at_every_step() -> None:
    torch.manual_seed(0)
    dropped = locked_dropout(Padded(torch.ones(50, 4, 60), torch.full((50,), 4)), 0.25).values
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert (dropped[0] != dropped[1]).any()
    assert dropped.unique().tolist() == [0, pytest.approx(4 / 3)]
    assert abs(float(dropped.mean()) - 1) < 0.05


def test_dropout_is_for_training_only() -> None:
    layer = Embedding(EmbeddingSettings(size=8, word_dropout=0.5, locked_dropout=0.5), 9)
    inputs = ids([1, 2, 3, 4, 5, 6, 7, 8])
    assert (layer(inputs).values == 0).any()
    layer.eval()
    assert torch.equal(layer(inputs).values[0], layer.table.weight[1:9])


# Pooling


def test_pooling_by_hand() -> None:
    assert pool(OUTPUTS, "max").tolist() == [[3, -1], [-4, 2], [0, 0]]
    assert pool(OUTPUTS, "mean").tolist() == [[2, -3], [-4, 2], [0, 0]]
    assert pool(OUTPUTS, "last").tolist() == [[2, -3], [-4, 2], [0, 0]]
    assert pool(OUTPUTS, "last", directions=2).tolist() == [[2, -1], [-4, 2], [0, 0]]
    assert pool(OUTPUTS, "max", "mean").tolist() == [[3, -1, 2, -3], [-4, 2, -4, 2], [0, 0, 0, 0]]


def test_attention_by_hand() -> None:
    attention = Attention(2)
    torch.testing.assert_close(attention(OUTPUTS), pool(OUTPUTS, "mean"))
    with torch.no_grad():
        attention.query.copy_(torch.tensor([math.sqrt(2), 0.0]))
    raw = torch.tensor([1.0, 3.0, 2.0]).exp()
    weights = attention.weights(OUTPUTS)
    torch.testing.assert_close(weights[0], raw / raw.sum())
    assert weights[1].tolist() == [1, 0, 0]
    assert weights[2].tolist() == [0, 0, 0]
    torch.testing.assert_close(attention(OUTPUTS)[0], (raw / raw.sum()) @ OUTPUTS.values[0])


@pytest.mark.parametrize("how", ["last", "max", "mean", "attention"])
def test_empty_rows_give_zeros_and_no_nan(how: str) -> None:
    values = torch.zeros(2, 3, 4, requires_grad=True)
    layer = Pooling([how], 4, 2)
    layer(Padded(values, torch.tensor([0, 2]))).sin().sum().backward()
    assert values.grad.isfinite().all()
    assert not values.grad[0].any()
    assert layer(Padded(torch.zeros(2, 0, 4), torch.tensor([0, 0]))).tolist() == [[0] * 4] * 2


@pytest.mark.parametrize("how", ["last", "max", "mean", "attention"])
def test_more_padding_changes_no_bit_of_a_pooling(how: str) -> None:
    torch.manual_seed(0)
    layer = Pooling([how], 24, 2)
    for query in layer.parameters():
        nn.init.normal_(query)
    for steps in (5, 37, 130):
        rows = Padded(torch.randn(7, steps, 24), torch.tensor([steps, 1, 2, 3, 4, steps, 5])).masked()
        more = Padded(torch.cat([rows.values, torch.full((7, 77, 24), 5.0)], 1), rows.lengths)
        for kind in (layer, layer.kinds[how]):
            assert torch.equal(kind(more), kind(rows))


def test_pooling_names() -> None:
    with pytest.raises(InputError, match='no pooling "maxx". Did you mean max?'):
        Pooling(["maxx"], 4)
    with pytest.raises(ValueError, match="attention has a query to learn"):
        pool(OUTPUTS, "attention")


def test_segments_by_hand() -> None:
    pieces, owner = segment(ids([1, 2, 3, 4, 5], [], [6, 7]), 2)
    assert pieces.values.tolist() == [[1, 2], [3, 4], [5, 0], [6, 7]]
    assert pieces.lengths.tolist() == [2, 2, 1, 2]
    assert owner.tolist() == [0, 0, 0, 2]
    with pytest.raises(ValueError, match="at least one step"):
        segment(pieces, 0)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=5), size=st.integers(1, 12))
def test_joined_segments_are_the_rows_again(lengths: list[int], size: int) -> None:
    rows = Padded(torch.randn(len(lengths), max(lengths), 2), torch.tensor(lengths)).masked()
    pieces, owner = segment(rows, size)
    assert torch.equal(join(pieces, rows.lengths).values, rows.values)
    assert torch.equal(torch.zeros(len(lengths), dtype=torch.long).index_add(0, owner, pieces.lengths), rows.lengths)


def test_a_segment_knows_nothing_of_the_others() -> None:
    settings_ = ClassifierSettings(
        embedding=EmbeddingSettings(size=3),
        encoder=RecurrentSettings(hidden_size=4),
        pooling=("max",),
        segment_length=2,
    )
    model = Classifier(settings_, 9, 2).eval()
    whole = Classifier(settings_.model_copy(update={"segment_length": None}), 9, 2).eval()
    whole.load_state_dict(model.state_dict())
    parts = [whole.pooling(whole.encoder(whole.embedding(ids(row)))[0]) for row in ([1, 2], [3, 4], [5])]
    torch.testing.assert_close(model(ids([1, 2, 3, 4, 5])), model.output(torch.stack(parts).amax(0)))


# Settings


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"segment_length": 50, "pooling": ["max", "last"]}, "pooling=last reads the end of a text"),
        ({"pooling": []}, "one or more different names"),
        ({"pooling": ["max", "max"]}, "one or more different names"),
        ({"pooling": ["first"]}, "pooling.0: expected 'last', 'max', 'mean' or 'attention'"),
        ({"dropout": 1}, "dropout: expected less than 1"),
        ({"encoder": {"hidden_size": 0}}, "encoder.hidden_size: expected greater than or equal to 1"),
        ({"encoder": {"initialisation": "he"}}, "expected 'torch' or 'orthogonal'"),
        ({"encoder": {"hiden_size": 3}}, "Did you mean encoder.hidden_size?"),
    ],
)
def test_settings_are_refused_in_words(tree: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        recipe.validate(ClassifierSettings, tree, "a.yaml")


def test_settings_without_effect_are_told() -> None:
    told = recipe.idle_paths(ClassifierSettings(encoder=RecurrentSettings(cell="gru")))
    assert set(told) == {"encoder.dropout", "encoder.residual", "encoder.forget_bias"}
    assert not RecurrentSettings(num_layers=2).idle()


def test_an_unknown_cell_is_told_when_assembled() -> None:
    with pytest.raises(ValueError, match='no cell "lsmt". Did you mean lstm?'):
        RecurrentSettings(cell="lsmt")


# The recurrent layer


def biases(layer: Recurrent) -> dict[str, torch.Tensor]:
    return {name: layer.weights().gate(layer.cell, name).bias.detach() for name in layer.cell.gates}


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


def test_an_own_cell_in_a_layer() -> None:
    def leaky(x: Gates, r: Gates, state: State) -> State:
        return State(h=tanh(x.new + r.new + x.leak * state.h))

    cell = Cell("leaky", ("h",), ("new",), leaky, parameters=("leak",), recurrent_bias=("new",))
    layer = Recurrent(cell, 3, 4, 2, bidirectional=True)
    outputs, state = layer(Padded(torch.randn(2, 5, 3), torch.tensor([5, 2])).masked())
    assert outputs.values.shape == (2, 5, 8)
    assert state.h.shape == (4, 2, 4)
    assert "layers.1.backwards.vectors.leak" in layer.state_dict()
    layer.initialise("orthogonal")
    assert not layer.weights().parameters["leak"].any()
    with pytest.raises(ValueError, match='torch has no layer for the cell "leaky"'):
        layer.to_torch()


def test_torch_layers_that_do_not_fit() -> None:
    layer = Recurrent("lstm", 3, 4)
    with pytest.raises(ValueError, match="takes its weights from torch's LSTM, got GRU"):
        layer.load_torch(nn.GRU(3, 4))
    with pytest.raises(ValueError, match=r"got \(3, 5, 1, False\), expected \(3, 4, 1, False\)"):
        layer.load_torch(nn.LSTM(3, 5))
    with pytest.raises(ValueError, match="torch's RNN"):
        Recurrent("rnn", 3, 4).load_torch(nn.RNN(3, 4, nonlinearity="relu"))
    with pytest.raises(ValueError, match="proj_size"):
        layer.load_torch(nn.LSTM(3, 4, proj_size=2))
    with pytest.raises(ValueError, match="no residual path"):
        Recurrent("lstm", 3, 4, 2, residual=True).to_torch()
    silent = nn.LSTM(3, 4, bias=False, batch_first=True)
    layer.load_torch(silent)
    inputs = torch.randn(2, 5, 3)
    torch.testing.assert_close(layer(Padded(inputs, torch.tensor([5, 5])))[0].values, silent(inputs)[0])


def test_inputs_and_states_that_do_not_fit() -> None:
    layer = Recurrent("lstm", 3, 4, 2)
    inputs = Padded(torch.randn(2, 5, 3), torch.tensor([5, 5]))
    with pytest.raises(ValueError, match=r"expected inputs \[B T 3\], got \[2, 5, 4\]"):
        layer(Padded(torch.randn(2, 5, 4), inputs.lengths))
    with pytest.raises(ValueError, match=r"expected a state c of \[2, 2, 4\], got \[1, 2, 4\]"):
        layer(inputs, State(h=torch.zeros(2, 2, 4), c=torch.zeros(1, 2, 4)))
    with pytest.raises(KeyError, match='no state \\\\?"c'):
        layer(inputs, State(h=torch.zeros(2, 2, 4)))


def test_dropout_works_between_layers() -> None:
    torch.manual_seed(0)
    inputs = Padded(torch.randn(2, 5, 3), torch.tensor([5, 5]))
    deep, flat = Recurrent("gru", 3, 4, 2, dropout=0.5), Recurrent("gru", 3, 4, dropout=0.5)
    assert not torch.equal(deep(inputs)[0].values, deep(inputs)[0].values)
    assert torch.equal(flat(inputs)[0].values, flat(inputs)[0].values)
    deep.eval()
    assert torch.equal(deep(inputs)[0].values, deep(inputs)[0].values)


def test_residual_adds_a_layers_input() -> None:
    layer = Recurrent("lstm", 3, 4, 2, residual=True)
    inputs = Padded(torch.randn(2, 5, 3), torch.tensor([5, 3])).masked()
    plain = Recurrent("lstm", 3, 4, 2)
    plain.load_state_dict(layer.state_dict())
    first = Recurrent("lstm", 3, 4)
    first.load_state_dict({name: one for name, one in layer.state_dict().items() if name.startswith("layers.0")})
    torch.testing.assert_close(layer(inputs)[0].values, plain(inputs)[0].values + first(inputs)[0].values)


# Classifier and summary


def test_one_sigmoid_unit() -> None:
    inputs = ids([1, 2, 3], [4])
    assert Classifier(ClassifierSettings(single_unit=True), 9, 2)(inputs).shape == (2, 1)
    assert Classifier(ClassifierSettings(), 9, 1)(inputs).shape == (2, 1)
    assert Classifier(ClassifierSettings(), 9, 2)(inputs).shape == (2, 2)
    with pytest.raises(InputError, match="single_unit=true is for two classes; this data has 3"):
        Classifier(ClassifierSettings(single_unit=True), 9, 3)


def test_classifier_dropout_is_for_training() -> None:
    model, inputs = Classifier(ClassifierSettings(), 9, 2), ids([1, 2, 3], [4])
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model(inputs))


def test_summary_counts_every_number() -> None:
    settings_ = ClassifierSettings(
        embedding=EmbeddingSettings(size=6), encoder=RecurrentSettings(hidden_size=5), pooling=("max", "attention")
    )
    model = Classifier(settings_, 30, 3)
    model.encoder.eval()
    state = torch.get_rng_state()
    rows = summary(model, ids([1, 2, 3, 4], [5]))
    assert torch.equal(state, torch.get_rng_state())
    assert [row.shape for row in rows] == ["2×4×6", "2×4×10", "2×20", "2×3"]
    assert [row.parameters for row in rows] == [180, 2 * (20 * 6 + 20 * 5 + 20), 10, 63]
    assert sum(row.parameters for row in rows) == sum(one.numel() for one in model.parameters())
    assert (model.training, model.encoder.training) == (True, False)
    assert rows[1].layer == "encoder: Recurrent (lstm, 6 to 10)"
    assert [row.shape for row in summary(model)] == ["6", "10", "20", "3"]
    assert json.loads(json.dumps(summary(model)))[3][2] == 63
    assert summary(nn.Linear(2, 3))[0].parameters == 9
