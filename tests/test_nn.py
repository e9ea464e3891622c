"""Embedding, dropouts, pooling, segments, settings and the summary."""

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from lstmlab import recipe
from lstmlab.errors import InputError
from lstmlab.nn import Classifier, ClassifierSettings, Embedding, EmbeddingSettings, Pooling, summary
from lstmlab.nn.embedding import locked_dropout, word_dropout
from lstmlab.nn.encoder import EncoderSettings
from lstmlab.nn.language_model import LanguageModel, LanguageModelSettings, TokenVectorSettings
from lstmlab.nn.pooling import Attention, join, pool, segment
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


@pytest.mark.parametrize("tied", [False, True])
def test_padding_moves_where_an_output_layer_shares_the_table(tied: bool) -> None:
    encoder = EncoderSettings(hidden_size=3, bidirectional=False)
    chosen = LanguageModelSettings(embedding=TokenVectorSettings(size=3), encoder=encoder, tied=tied)
    model = LanguageModel(chosen, torch.ones(5))
    assert not model.embedding.table.weight[0].any()
    told, _ = model(ids([1, 4, 2]), torch.tensor([[4, 2, 3]]))
    told.smoothed.sum().backward()
    assert bool(model.embedding.table.weight.grad[0].any()) == tied


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
        encoder=EncoderSettings(hidden_size=4),
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
        ({"encoder": {"initialisation": "he"}}, "expected 'torch', 'orthogonal' or 'chrono'"),
        ({"encoder": {"hiden_size": 3}}, "Did you mean encoder.hidden_size?"),
    ],
)
def test_settings_are_refused_in_words(tree: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        recipe.validate(ClassifierSettings, tree, "a.yaml")


def test_settings_without_effect_are_told() -> None:
    told = recipe.idle_paths(ClassifierSettings(encoder=EncoderSettings(cell="gru")))
    assert {"encoder.dropout", "encoder.residual", "encoder.forget_bias"} <= set(told)
    assert not [path for path in told if not path.startswith("encoder.")]


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
        embedding=EmbeddingSettings(size=6), encoder=EncoderSettings(hidden_size=5), pooling=("max", "attention")
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
