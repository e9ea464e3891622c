"""Intervals, tests and effect sizes against scipy, simulations and numbers worked by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from lstmlab.metrics import significance as sig

RNG = np.random.default_rng(3)


def test_an_interval_is_students() -> None:
    # Worked by hand: mean 3, s = sqrt(2.5), t(0.975, 4) = 2.776445.
    found = sig.mean_interval([1, 2, 3, 4, 5])
    assert found.mean == 3
    assert found.half == pytest.approx(2.776445 * math.sqrt(2.5) / math.sqrt(5), abs=1e-6)
    assert sig.standard_error([1, 2, 3, 4, 5]) == pytest.approx(math.sqrt(0.5))


def test_one_value_has_no_interval() -> None:
    found = sig.mean_interval([0.8])
    assert found.mean == 0.8
    assert math.isnan(found.low)
    assert math.isnan(sig.standard_error([0.8]))
    with pytest.raises(ValueError, match="at least one"):
        sig.mean_interval([])


def test_the_paired_test_is_scipys() -> None:
    for count in (2, 3, 5, 12):
        first, second = RNG.normal(1, 1, count), RNG.normal(0, 1, count)
        found, known = sig.paired_t(first, second), stats.ttest_rel(first, second)
        assert (found.t, found.p) == pytest.approx((known.statistic, known.pvalue))
        ends = known.confidence_interval(0.95)
        assert (found.difference.low, found.difference.high) == pytest.approx((ends.low, ends.high))


def test_pairs_without_spread_prove_nothing() -> None:
    assert sig.paired_t([1.0, 0.5], [1.0, 0.5]).p == 1.0
    assert math.isnan(sig.paired_t([0.9, 0.8, 0.7], [0.8, 0.7, 0.6]).p)
    assert math.isnan(sig.paired_t([0.9], [0.8]).p)
    assert math.isnan(sig.effect_size([0.9, 0.8, 0.7], [0.8, 0.7, 0.6]).size)
    with pytest.raises(ValueError, match="as many"):
        sig.paired_t([1.0, 2.0], [1.0])


def test_hedges_g_by_hand() -> None:
    # Differences 1, 2, 3: d_z = 2 / 1, J = gamma(1) / (sqrt(2 / 2) gamma(1/2)) = 1 / sqrt(pi).
    found = sig.effect_size([2, 4, 6], [1, 2, 3])
    assert found.size == pytest.approx(2 / math.sqrt(math.pi))
    assert found.low < found.size < found.high


def test_the_effects_interval_puts_t_at_its_ends() -> None:
    first = RNG.normal(0.4, 1, 8)
    found = sig.effect_size(first, np.zeros(8))
    t = stats.ttest_1samp(first, 0).statistic
    scale = found.size / t
    assert scale == pytest.approx((1 - 3 / (4 * 7 - 1)) / math.sqrt(8), rel=0.005)  # Hedges' approximation
    assert stats.nct.sf(t, 7, found.low / scale) == pytest.approx(0.025, abs=1e-6)
    assert stats.nct.cdf(t, 7, found.high / scale) == pytest.approx(0.025, abs=1e-6)


def test_extreme_effects_have_an_interval_or_none() -> None:
    for mean in (1e-6, 3.0, 50.0, 1e6):
        found = sig.effect_size(mean + RNG.normal(0, 1, 4), np.zeros(4))
        assert math.isfinite(found.size)
        assert math.isnan(found.low) or found.low <= found.size <= found.high
    assert math.isnan(sig.effect_size([1.0, 3.0], [0.0, 1.0]).size)  # two pairs


def test_holm_by_hand() -> None:
    assert sig.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert sig.holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    mixed = sig.holm([math.nan, 0.02])
    assert math.isnan(mixed[0])
    assert mixed[1] == pytest.approx(0.02)
    assert sig.holm([]) == []


def test_sign_flips_are_counted_exactly() -> None:
    # Of the 8 ways to sign 1, 2, 3 only +++ and --- reach 6.
    assert sig.sign_flip([1, 2, 3]) == 2 / 8
    assert sig.sign_flip([0, 0]) == 1.0
    assert sig.sign_flip([5]) == 1.0


def test_drawn_signs_come_near_the_exact_binomial() -> None:
    right = np.array([1.0] * 30 + [-1.0] * 12 + [0.0] * 58)  # 30 examples only A gets right, 12 only B
    known = stats.binomtest(30, 42).pvalue  # McNemar's exact test
    assert sig.sign_flip(right) == pytest.approx(known, abs=0.004)


def test_swapping_finds_a_difference_of_f1_and_none_among_equals() -> None:
    truth = RNG.integers(0, 4, 200).astype(float)
    good, bad = np.minimum(truth, RNG.binomial(4, 0.9, 200)), np.minimum(truth, RNG.binomial(4, 0.5, 200))
    of = 2 * truth
    assert sig.swap_test(2 * good, 2 * bad, of, of) < 0.001
    assert sig.swap_test(2 * good, 2 * good, of, of) == 1.0


def test_under_the_null_a_small_p_is_as_rare_as_it_should_be() -> None:
    random = np.random.default_rng(0)
    found = []
    for at in range(200):
        a, b = random.binomial(1, 0.7, 80).astype(float), random.binomial(1, 0.7, 80).astype(float)
        found.append(sig.swap_test(a, b, np.ones(80), np.ones(80), 400, seed=at))
    assert 0.0 <= np.mean(np.array(found) <= 0.05) <= 0.1


def test_the_smallest_within_one_standard_error() -> None:
    scores = [[0.70, 0.72], [0.80, 0.82], [0.805, 0.825], [0.79, 0.85]]
    # The best mean is the last (0.82, standard error 0.03): the second is the smallest that is near enough.
    assert sig.smallest_within(scores, [10, 20, 30, 40]) == (1, 3, pytest.approx(0.03))
    assert sig.smallest_within([[0.7], [0.8]], [1, 2]) is None


def test_shares_of_groups_are_compared_as_by_scipys_chi_squared() -> None:
    right, counts = np.array([4697, 4631, 4578, 4567, 4546]), np.array([5078, 5018, 4957, 4951, 4996])
    known = stats.chi2_contingency([right, counts - right], correction=False).pvalue
    assert sig.equal_shares(right, counts) == pytest.approx(known, abs=0.01)
    assert sig.equal_shares([3, 9], [20, 20]) == pytest.approx(stats.fisher_exact([[3, 9], [17, 11]]).pvalue, abs=0.02)
    assert sig.equal_shares([5, 5], [5, 5]) == 1
    with pytest.raises(ValueError, match="none above"):
        sig.equal_shares([6], [5])


def test_means_of_groups_are_compared_by_their_errors() -> None:
    # Two groups: Q is the square of the usual z.
    assert sig.equal_means([1.0, 3.0], [0.6, 0.8]) == pytest.approx(2 * stats.norm.sf(2.0))
    assert [sig.equal_means([1.0, at], [0.0, 0.0]) for at in (1.0, 2.0)] == [1.0, 0.0]
    drawn = RNG.normal(0, 1, (500, 4))
    assert np.mean([sig.equal_means(row, np.ones(4)) < 0.05 for row in drawn]) == pytest.approx(0.05, abs=0.03)


def test_paired_answers_are_compared_where_one_alone_is_right() -> None:
    assert sig.exact_binomial(2, 8) == pytest.approx(112 / 1024)
    assert sig.exact_binomial(0, 0) == 1
