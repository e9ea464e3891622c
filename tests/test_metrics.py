"""Every score against scikit-learn or numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from lstmlab import metrics
from lstmlab.errors import InputError
from lstmlab.metrics.checks import check_shapes

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60).map(np.array)


@given(PAIRS)
def test_classification_scores_are_scikit_learns(pairs):
    targets, predictions = pairs[:, 0], pairs[:, 1]
    assert metrics.accuracy(targets, predictions) == pytest.approx(sk.accuracy_score(targets, predictions))
    assert metrics.macro_f1(targets, predictions) == pytest.approx(
        sk.f1_score(targets, predictions, average="macro", zero_division=0)
    )
    table = metrics.confusion(targets, predictions, 6)
    assert table.tolist() == sk.confusion_matrix(targets, predictions, labels=range(6)).tolist()
    expected = sk.precision_recall_fscore_support(targets, predictions, labels=range(6), zero_division=0)
    found = metrics.per_class(targets, predictions, list("abcdef"))
    assert [row.name for row in found] == list("abcdef")
    for column, name in zip(expected, ("precision", "recall", "f1", "count"), strict=True):
        assert [getattr(row, name) for row in found] == pytest.approx(column.tolist())


def test_confusion_refuses_unknown_classes():
    with pytest.raises(ValueError, match=r"0\.\.1, got 0\.\.2"):
        metrics.confusion(np.array([0, 2]), np.array([0, 1]), 2)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        metrics.confusion(np.array([-1]), np.array([0]), 2)


def test_loss_is_scikit_learns():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([1, 1, 1], 50)
    targets = random.integers(0, 3, 50)
    assert metrics.loss(probabilities, targets) == pytest.approx(sk.log_loss(targets, probabilities, labels=[0, 1, 2]))
    assert metrics.loss(np.full((4, 5), 0.2), np.array([0, 1, 2, 4])) == pytest.approx(math.log(5))
    assert math.isfinite(metrics.loss(np.array([[1.0, 0.0]]), np.array([1])))


def test_calibration_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.88, 0.12], [0.3, 0.7], [0.52, 0.48]])
    targets = np.array([0, 1, 1, 1])
    bins = metrics.calibration(probabilities, targets, bins=10)
    assert [(round(one.low, 1), one.count) for one in bins if one.count] == [(0.5, 1), (0.6, 1), (0.8, 2)]
    assert bins[8].confidence == pytest.approx(0.89)
    assert bins[8].accuracy == 0.5
    assert math.isnan(bins[0].accuracy)
    expected = (2 * abs(0.5 - 0.89) + abs(1 - 0.7) + abs(0 - 0.52)) / 4
    assert metrics.calibration_error(probabilities, targets, bins=10) == pytest.approx(expected)


@given(st.integers(2, 6), st.integers(1, 40), st.integers(0, 2**31))
def test_calibration_covers_every_example(classes, count, seed):
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet([0.3] * classes, count)
    bins = metrics.calibration(probabilities, random.integers(0, classes, count))
    assert len(bins) == 15
    assert sum(one.count for one in bins) == count
    assert all(one.low - 1e-9 < one.confidence <= one.high + 1e-9 for one in bins if one.count)


def test_a_sure_and_right_classifier_is_calibrated():
    assert metrics.calibration_error(np.eye(3), np.array([0, 1, 2])) == 0
    assert metrics.calibration_error(np.eye(3), np.array([1, 2, 0])) == 1


def test_wilson_interval_by_hand():
    # Newcombe 1998, table I: 81 of 263, method 3 (score without continuity correction): 0.2553 to 0.3662.
    assert metrics.interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert metrics.interval(0.0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert metrics.interval(1.0, 10)[1] == 1.0
    with pytest.raises(InputError, match="at least one"):
        metrics.interval(0.5, 0)


def test_forecast_errors():
    targets, predictions = np.array([[1.0, 2], [3, 4]]), np.array([[1.0, 4], [0, 4]])
    assert metrics.mae(targets, predictions) == pytest.approx(sk.mean_absolute_error(targets, predictions))
    assert metrics.rmse(targets, predictions) == pytest.approx(math.sqrt(13 / 4))
    assert metrics.smape(targets, predictions) == pytest.approx((0 + 4 / 6 + 2 + 0) / 4)
    assert metrics.smape(np.zeros(2), np.zeros(2)) == 0
    assert metrics.mae(np.array([2], np.uint8), np.array([5], np.uint8)) == 3


def test_mase_by_hand():
    train = np.array([1.0, 3, 2, 6, 5])
    assert metrics.mase_scale(train) == pytest.approx((2 + 1 + 4 + 1) / 4)
    assert metrics.mase_scale(train, 2) == pytest.approx((1 + 3 + 3) / 3)
    assert metrics.mase(np.array([6.0, 7]), np.array([5.0, 5]), 2.0) == pytest.approx(1.5 / 2)


def test_mase_of_the_naive_forecast_inside_training_is_one():
    train = np.random.default_rng(0).normal(size=(200, 3)) * [1, 10, 100]
    scale = metrics.mase_scale(train, 7)
    assert scale.shape == (3,)
    assert metrics.mase(train[7:], train[:-7], scale) == pytest.approx(1)


def test_mase_is_undefined_where_naive_is_perfect():
    sine = np.sin(np.arange(100) * 2 * np.pi / 25)
    assert metrics.mase_scale(sine, 25) == 0
    assert math.isnan(metrics.mase(sine, sine, 0.0))
    with pytest.raises(InputError, match=r"season of 100 steps .* of 100 steps: expected 1 to 99"):
        metrics.mase_scale(sine, 100)


@pytest.mark.parametrize("score", [metrics.accuracy, metrics.macro_f1, metrics.rmse, metrics.mae, metrics.smape])
def test_nothing_to_score(score):
    with pytest.raises(InputError, match="nothing to score"):
        score(np.zeros(0, int), np.zeros(0, int))


def test_shapes_must_fit():
    # Outside the test run, where jaxtyping's check is off, broadcasting would make this a number without meaning.
    with pytest.raises(ValueError, match=r"targets are \[3, 1\], predictions \[3\]"):
        check_shapes(np.zeros((3, 1)), np.zeros(3))


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("accuracy", 0.8125, "81.25 %"),
        ("loss", 0.4405, "0.4405"),
        ("rmse", 47.314159, "47.3142"),
        ("mae", 1234.5678, "1234.57"),
        ("smape", 0.1, "10.00 %"),
        ("loss", 3e-7, "3.00e-07"),
        ("loss", 0.0, "0.0000"),
        ("mase", math.nan, "–"),
        ("mase", None, "–"),
        ("loss", math.inf, "inf"),
    ],
)
def test_scores_as_people_read_them(name, value, shown):
    assert metrics.format_score(name, value) == shown


def test_every_score_says_unit_and_direction():
    assert {name: score.name for name, score in metrics.SCORES.items()} == {name: name for name in metrics.SCORES}
    assert metrics.SCORES["accuracy"].heading == "Accuracy (%) ↑"
    assert metrics.SCORES["rmse"].heading == "RMSE (unit of the series) ↓"
    assert metrics.SCORES["mase"].heading == "MASE ↓"
    with pytest.raises(InputError, match="Did you mean accuracy"):
        metrics.format_score("acuracy", 1.0)
