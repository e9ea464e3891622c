"""Streams over one long text: what is read when, that nothing is read twice, and that rows go on where they stopped."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lstmlab.data.streams import LEAST, Streams, Stretch

SIZES = st.tuples(st.integers(1, 5000), st.integers(1, 70), st.integers(1, 150), st.integers(0, 5), st.integers(1, 5))


def targets(plan: list[Stretch]) -> np.ndarray:
    """Places of all targets of an epoch."""
    return np.concatenate([np.zeros(0, int), *((stretch.places + 1).ravel() for stretch in plan)])


@given(SIZES)
@example((100, 64, 1, 0, 1))
@example((1, 64, 100, 0, 1))
@example((2, 1, 1, 0, 1))
def test_every_token_but_the_ends_is_foreseen_once_an_epoch(sizes: tuple[int, int, int, int, int]) -> None:
    tokens, rows, steps, seed, number = sizes
    found = np.sort(targets(Streams(tokens + 1, rows, steps, seed).epoch(number)))
    assert np.array_equal(found, np.arange(found[0], found[-1] + 1))
    assert found[0] >= 1
    assert found[-1] <= tokens
    assert tokens - len(found) <= tokens / 20


@given(SIZES)
def test_every_row_goes_on_where_it_stopped(sizes: tuple[int, int, int, int, int]) -> None:
    tokens, rows, steps, seed, number = sizes
    plan = Streams(tokens + 1, rows, steps, seed).epoch(number)
    assert 1 <= len(plan[0].starts) <= rows
    for before, after in itertools.pairwise(plan):
        assert np.array_equal(before.starts + before.steps, after.starts)
    assert max(stretch.steps for stretch in plan) <= steps
    assert max(stretch.steps for stretch in plan) - min(stretch.steps for stretch in plan) <= 1
    if len(plan[0].starts) > 1:  # a row ends where the next one began
        assert np.array_equal((plan[-1].starts + plan[-1].steps)[:-1], plan[0].starts[1:])


def test_a_plan_hangs_on_seed_and_epoch_alone() -> None:
    def starts(seed: int, number: int) -> list[list[int]]:
        return [stretch.starts.tolist() for stretch in Streams(20_001, 4, 100, seed).epoch(number)]

    streams = Streams(20_001, 4, 100, 3)
    streams.epoch(1)
    assert [one.starts.tolist() for one in streams.epoch(2)] == starts(3, 2)
    assert starts(3, 2) == starts(3, 2)
    assert len({starts(seed, number)[0][0] for seed in range(4) for number in range(1, 5)}) > 8


def test_cuts_fall_elsewhere_in_another_epoch() -> None:
    streams = Streams(50_001, 8, 100, 0)
    cuts = [{int(place) for one in streams.epoch(number) for place in one.starts} for number in range(1, 9)]
    assert all(len(ours & theirs) < len(ours) / 4 for ours, theirs in itertools.combinations(cuts, 2))


def test_a_text_shorter_than_a_stretch_is_one_batch() -> None:
    (only,) = Streams(31, 64, 100, 0).epoch(1)
    assert (len(only.starts), only.steps, len(only)) == (1, 30, 30)
    assert np.array_equal(only.places[0] + 1, np.arange(1, 31))


def test_a_short_text_is_read_at_fewer_places() -> None:
    streams = Streams(1001, 64, 100, 0)
    plan = streams.epoch(1)
    assert len(plan[0].starts) == 10
    assert streams.size(plan[0]) == len(plan[0]) == plan[0].places.size


@pytest.mark.parametrize("rows", [1, 7, 32])
def test_as_many_rows_as_were_asked_for_where_the_text_is_long(rows: int) -> None:
    assert len(Streams(100_001, rows, 100, 0).epoch(1)[0].starts) == rows


@given(SIZES, st.integers(LEAST, 3000))
def test_passages_are_read_in_a_new_order_and_whole(sizes: tuple[int, int, int, int, int], passage: int) -> None:
    tokens, rows, steps, seed, number = sizes
    plan = Streams(tokens + 1, rows, steps, seed, passage).epoch(number)
    found = np.sort(targets(plan))
    assert np.array_equal(found, np.arange(found[0], found[-1] + 1))
    assert tokens - len(found) <= tokens / 20
    assert max(stretch.steps for stretch in plan) <= steps
    begins = [at for at in range(1, len(plan)) if (plan[at - 1].starts + plan[at - 1].steps != plan[at].starts).any()]
    for begin, end in itertools.pairwise([0, *begins, len(plan)]):
        read = sum(stretch.steps for stretch in plan[begin:end])
        assert read >= min(passage, len(found) // len(plan[0].starts))


def test_passages_come_in_another_order_in_every_epoch_and_stand_beside_others() -> None:
    streams = Streams(50_001, 4, 100, 0, 500)
    first, second = streams.epoch(1), streams.epoch(2)
    assert {tuple(one.starts // 500) for one in first}.isdisjoint({tuple(one.starts // 500) for one in second})
    assert [one.starts.tolist() for one in streams.epoch(1)] == [one.starts.tolist() for one in first]
    assert len({min(one.starts.min() for one in streams.epoch(number)) // 100 for number in range(1, 9)}) > 2
