"""N-gram baselines: against a dictionary written from the paper, as distributions, and at the edges."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmlab import baselines
from lstmlab.errors import InputError

Gram = tuple[int, ...]
SIZE = 5
TEXTS = st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=60)


class Slow:
    """Interpolated modified Kneser-Ney (Chen & Goodman 1999, section 3), gram by gram."""

    def __init__(self, train: list[int], size: int, order: int) -> None:
        self.size = size
        occurring = [
            Counter(tuple(train[at : at + n]) for at in range(len(train) - n + 1)) for n in range(1, order + 1)
        ]
        occurring = [one for one in occurring if one]
        self.counts: list[dict[Gram, int]] = []
        for n, grams in enumerate(occurring):
            if n + 1 == len(occurring):
                self.counts.append(dict(grams))
                continue
            before: dict[Gram, set[int]] = defaultdict(set)
            for longer in occurring[n + 1]:
                before[longer[1:]].add(longer[0])
            # The n-gram at the very beginning has nothing before it, and counts once.
            self.counts.append({gram: max(len(before[gram]), 1) for gram in grams})

    def discount(self, n: int, count: int) -> float:
        if not count:
            return 0.0
        of = [max(sum(one == times for one in self.counts[n].values()), 1) for times in (1, 2, 3, 4)]
        kept = min(count, 3)
        wanted = kept - (kept + 1) * of[0] / (of[0] + 2 * of[1]) * of[kept] / of[kept - 1]
        return min(max(wanted, 0.05), kept - 0.05)

    def p(self, token: int, context: Gram) -> float:
        """Of a token after a context."""
        if len(context) >= len(self.counts):
            context = context[len(context) - len(self.counts) + 1 :]
        shorter = self.p(token, context[1:]) if context else 1 / self.size
        counts, n = self.counts[len(context)], len(context)
        followed = {gram[-1]: count for gram, count in counts.items() if gram[:-1] == context}
        if not followed:
            return shorter
        total = sum(followed.values())
        count = followed.get(token, 0)
        spared = sum(self.discount(n, one) for one in followed.values()) / total
        return (count - self.discount(n, count)) / total + spared * shorter

    def nats(self, asked: list[int], order: int) -> list[float]:
        return [-math.log(self.p(token, tuple(asked[max(0, at - order + 1) : at]))) for at, token in enumerate(asked)]


def nats(train: list[int], asked: list[int], order: int, size: int = SIZE) -> np.ndarray:
    return baselines.kneser_ney(np.array(train, np.int32), np.array(asked, np.int32), size, order)


@settings(max_examples=150)
@given(TEXTS, st.lists(st.integers(0, SIZE - 1), max_size=25), st.integers(1, 6))
def test_kneser_ney_is_what_the_paper_says(train: list[int], asked: list[int], order: int) -> None:
    assert nats(train, asked, order) == pytest.approx(Slow(train, SIZE, order).nats(asked, order), rel=1e-9)


@settings(max_examples=60)
@given(TEXTS, st.lists(st.integers(0, SIZE - 1), max_size=8), st.integers(1, 6))
def test_probabilities_sum_to_one_after_any_context(train: list[int], context: list[int], order: int) -> None:
    told = [nats(train, [*context, token], order)[-1] for token in range(SIZE)]
    assert np.exp(-np.array(told)).sum() == pytest.approx(1)


@given(TEXTS)
def test_token_frequencies_sum_to_one(train: list[int]) -> None:
    told = baselines.unigram(np.array(train), np.arange(SIZE), SIZE)
    assert np.exp(-told).sum() == pytest.approx(1)
    assert told[0] == pytest.approx(-math.log((train.count(0) + 1) / (len(train) + SIZE)))


def test_what_training_never_had_is_possible_and_dear() -> None:
    told = nats([0, 1, 0, 1, 0, 1, 2, 0, 1], [0, 1, 4, 4, 0], 3)
    assert np.isfinite(told).all()
    assert told[2] > told[1]


def test_a_longer_context_helps_where_the_text_repeats() -> None:
    train = [0, 1, 2, 0, 2, 1] * 50
    costs = [nats(train, train[:60], order).sum() for order in (1, 2, 3)]
    assert costs[0] > costs[1] > costs[2]


def test_an_order_beyond_the_text_is_that_of_the_text() -> None:
    assert nats([0, 1, 2], [2, 1, 0, 1, 2], 9) == pytest.approx(nats([0, 1, 2], [2, 1, 0, 1, 2], 3))


def test_the_first_tokens_have_no_context() -> None:
    """Nothing before the text is made up: its first token is foreseen by the shortest n-grams alone."""
    train = [0, 0, 1, 0, 2, 0, 0, 1]
    assert nats(train, [1], 5) == pytest.approx([-math.log(Slow(train, SIZE, 5).p(1, ()))])


def test_one_token_is_a_text() -> None:
    assert np.exp(-nats([3], [3, 3, 0], 4)).max() <= 1
    assert len(nats([3, 3], [], 4)) == 0


def test_ids_too_large_for_32_bits_together_are_kept_apart() -> None:
    """An n-gram's key is a product of two numbers that fit into 32 bits alone."""
    rng = np.random.default_rng(0)
    train = rng.integers(0, 60_000, 90_000).astype(np.int32)
    found = baselines.kneser_ney(train, train[:50], 60_000, 3)
    assert np.exp(-found[2:]).min() > 1 / 100  # known contexts, each followed by one token


def test_nothing_to_count_is_refused() -> None:
    with pytest.raises(InputError, match="at least one token"):
        nats([], [1], 3)
    with pytest.raises(InputError, match="order=0"):
        nats([1], [1], 0)
