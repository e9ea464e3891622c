"""Batches: everything once, the same from seed and epoch alone, little padding, budgets kept, resumable anywhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmlab.data.batches import Batches, waste
from lstmlab.errors import InputError

LENGTHS = st.lists(st.integers(0, 60), max_size=120).map(lambda rows: np.array(rows, np.int64))
PLANS = st.builds(
    Batches,
    LENGTHS,
    batch_size=st.integers(1, 9),
    tokens=st.none() | st.integers(1, 200),
    seed=st.integers(0, 2**40),
    bucket=st.booleans(),
)


def flat(batches):
    return [int(at) for batch in batches for at in batch]


@given(PLANS, st.integers(0, 1000))
def test_every_example_once_within_the_limits(plan, number):
    for batches in (plan.epoch(number), plan.in_order()):
        assert sorted(flat(batches)) == list(range(len(plan.lengths)))
        for batch in batches:
            assert 1 <= len(batch) <= plan.batch_size
            padded = len(batch) * plan.lengths[batch].max()
            assert plan.tokens is None or padded <= plan.tokens or len(batch) == 1


@given(PLANS, st.integers(0, 1000))
def test_an_epoch_depends_on_seed_and_number_alone(plan, number):
    again = Batches(
        plan.lengths.copy(), batch_size=plan.batch_size, tokens=plan.tokens, seed=plan.seed, bucket=plan.bucket
    )
    plan.epoch(number + 1)
    plan.in_order()
    assert flat(again.epoch(number)) == flat(plan.epoch(number))


def test_epochs_and_seeds_differ():
    lengths = np.arange(1, 201)
    plans = [Batches(lengths, batch_size=8, seed=seed) for seed in (0, 1)]
    orders = {tuple(flat(plan.epoch(number))) for plan in plans for number in range(5)}
    assert len(orders) == 10


def test_company_changes_between_epochs():
    lengths = np.random.default_rng(0).integers(5, 50, 2000)
    plan = Batches(lengths, batch_size=8, seed=0)
    company = [next(frozenset(batch.tolist()) for batch in plan.epoch(number) if 17 in batch) for number in range(5)]
    assert len(set(company)) == 5


def test_short_and_long_batches_are_mixed():
    lengths = np.random.default_rng(0).integers(5, 500, 4000)
    longest = [lengths[batch].max() for batch in Batches(lengths, batch_size=32, seed=0).epoch(0)]
    half = len(longest) // 2
    assert abs(np.mean(longest[:half]) - np.mean(longest[half:])) < 75


def test_buckets_save_most_of_the_padding():
    # The lengths of IMDB's reviews: about log-normal, median 200, a tail to 2,800 words.
    lengths = np.clip(np.random.default_rng(0).lognormal(5.35, 0.65, 25_000), 10, 2800).astype(np.int64)
    bucketed = Batches(lengths, batch_size=64, seed=0)
    shuffled = Batches(lengths, batch_size=64, seed=0, bucket=False)
    assert waste(lengths, bucketed.epoch(0)) < 0.10
    assert waste(lengths, shuffled.epoch(0)) > 0.40
    assert waste(lengths, bucketed.in_order()) < 0.02
    assert len(bucketed.epoch(0)) == len(shuffled.epoch(0)) == -(-25_000 // 64)


def test_padding_counted_by_hand():
    assert waste(np.array([1, 3, 4]), [np.array([0, 1]), np.array([2])]) == pytest.approx(1 - 8 / 10)
    assert waste(np.array([0]), [np.array([0])]) == 0
    assert waste(np.array([1]), []) == 0


def test_a_token_budget_fills_its_batches():
    lengths = np.full(100, 10)
    batches = Batches(lengths, batch_size=64, tokens=200, seed=0).epoch(0)
    assert [len(batch) for batch in batches] == [20] * 5
    alone = Batches(np.array([5, 5, 1000]), batch_size=64, tokens=100, seed=0).epoch(0)
    assert sorted(map(len, alone)) == [1, 2]


def test_evaluation_starts_with_the_longest():
    lengths = np.array([3, 9, 1, 7])
    assert flat(Batches(lengths, batch_size=3, seed=0).in_order()) == [1, 3, 0, 2]


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"tokens": 0}, {"seed": -1}])
def test_impossible_plans_are_refused(wrong):
    with pytest.raises(InputError, match="at least 1"):
        Batches(np.arange(3), **({"batch_size": 2, "seed": 0} | wrong))
