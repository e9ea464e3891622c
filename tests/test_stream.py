"""Writing on without an end: what is drawn, from how much, and that nobody's text hangs on anybody else."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lstmlab import recipe
from lstmlab.decoding import StreamSettings, stream
from lstmlab.errors import InputError

SIZE = 12
TABLE = torch.from_numpy(np.random.default_rng(0).normal(0, 2, (SIZE, SIZE)).astype(np.float32))
"""Logits of what follows each token."""


def step(tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """A model that looks at the last token alone; its state counts the steps."""
    return TABLE[tokens], state + 1


def written(streams: Sequence[int] = (7,), forbidden: Sequence[int] = (0, 1), **settings: Any) -> list[list[int]]:
    """What each row writes after token 2."""
    chosen = StreamSettings(**{"length": 60, "temperature": 1.0, **settings})
    first = TABLE[[2] * len(streams)]
    told = list(stream(step, first, torch.zeros(len(streams)), chosen, list(streams), list(forbidden)))
    assert len(told) == chosen.length
    return torch.stack(told, 1).tolist()


def test_at_temperature_zero_the_likeliest_is_taken() -> None:
    last = 2
    allowed = TABLE.clone()
    allowed[:, :2] = -torch.inf
    for token in written(temperature=0)[0]:
        last, expected = token, int(allowed[last].argmax())
        assert token == expected


@pytest.mark.parametrize("temperature", [1e-300, 1e-50, 1e-9, 1e-4])
def test_a_tiny_temperature_is_as_good_as_none(temperature: float) -> None:
    assert written(temperature=temperature) == written(temperature=0)


def test_one_of_the_likeliest_is_the_likeliest() -> None:
    assert written(top_k=1) == written(temperature=0)
    assert written(top_p=1e-9) == written(temperature=0)


@pytest.mark.parametrize("count", [2, 4])
def test_top_k_draws_from_so_many(count: int) -> None:
    last, seen = 2, set()
    allowed = TABLE.clone()
    allowed[:, :2] = -torch.inf
    for token in written(top_k=count, length=400, temperature=3.0)[0]:
        rank = int((allowed[last] > allowed[last, token]).sum())
        seen.add(rank)
        last = token
    assert seen == set(range(count))


def test_top_p_draws_from_the_fewest_that_hold_the_share() -> None:
    last, most = 2, 0
    allowed = TABLE.clone()
    allowed[:, :2] = -torch.inf
    shares = allowed.softmax(1)
    for token in written(top_p=0.8, length=400)[0]:
        before = float(shares[last][shares[last] > shares[last, token]].sum())
        assert before < 0.8
        most = max(most, int((shares[last] > shares[last, token]).sum()))
        last = token
    assert most > 0


def test_what_is_drawn_is_as_likely_as_the_model_says() -> None:
    """Of 3,000 rows that all begin alike, as many begin with a token as its probability says, within four errors."""
    count = 3000
    first = Counter(row[0] for row in written(range(count), length=1))
    allowed = TABLE[2].clone()
    allowed[:2] = -torch.inf
    for token, share in enumerate(allowed.softmax(0).tolist()):
        assert first[token] / count == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / count) + 1e-9)


def test_temperature_sharpens() -> None:
    def sure(temperature: float) -> int:
        return Counter(row[0] for row in written(range(500), length=1, temperature=temperature)).most_common(1)[0][1]

    assert sure(0.3) > sure(1.0) > sure(4.0)


def test_the_same_seed_writes_the_same_and_another_does_not() -> None:
    assert written(seed=3) == written(seed=3)
    assert written(seed=3) != written(seed=4)
    assert written((5,)) != written((6,))
    assert written(seed=2**63 - 1, streams=(2**32 - 1,)) == written(seed=2**63 - 1, streams=(2**32 - 1,))


def test_nobody_hangs_on_company() -> None:
    together = written((5, 6, 7))
    assert together == [written((one,))[0] for one in (5, 6, 7)]
    assert written((6, 5))[1] == together[0]


def test_a_shorter_text_is_the_beginning_of_a_longer_one() -> None:
    assert written(length=20)[0] == written(length=60)[0][:20]


@pytest.mark.parametrize("settings", [{}, {"temperature": 0}, {"top_k": 11}, {"top_p": 0.99}, {"temperature": 50.0}])
def test_what_is_forbidden_is_never_written(settings: dict[str, Any]) -> None:
    favourites = [int(token) for token in TABLE.sum(0).topk(5).indices]
    found = written(range(20), forbidden=favourites, **settings)
    assert not {token for row in found for token in row} & set(favourites)


def test_one_token_that_is_left_is_written() -> None:
    assert written(forbidden=[at for at in range(SIZE) if at != 4]) == [[4] * 60]


def test_the_model_is_asked_once_less_than_tokens_are_written() -> None:
    asked = []

    def counted(tokens: Tensor, state: int) -> tuple[Tensor, int]:
        asked.append(state)
        return TABLE[tokens], state + 1

    assert len(list(stream(counted, TABLE[[2]], 0, StreamSettings(length=5), [1]))) == 5
    assert asked == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("settings", "idle"),
    [
        ({"temperature": 0, "seed": 3}, "seed"),
        ({"temperature": 1e-50, "top_p": 0.5}, "top_p"),
        ({"top_k": 1, "temperature": 2.0}, "temperature"),
    ],
)
def test_what_has_no_effect_is_refused(settings: dict[str, Any], idle: str) -> None:
    with pytest.raises(InputError, match=f"{idle} would have no effect"):
        recipe.refuse_idle(StreamSettings(**settings), [idle])
