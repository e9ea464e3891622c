"""Log-count ratios: against the formula by hand, no text sees its own counts, lookups do not depend on padding."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstmlab.nn.ratios import FOLDS, Ratios, _flat_places, bits_for, channels, fit, places


def flat(texts: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Texts as flat ids and offsets."""
    ids = np.array([i for text in texts for i in text], np.int32)
    return ids, np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)


def table_for(texts: list[list[int]], labels: list[int], longest: int) -> Ratios:
    """The filled table of a training part."""
    ids, offsets = flat(texts)
    made = Ratios(longest, max(labels) + 1, bits_for(len(ids)))
    made.table.copy_(torch.from_numpy(fit(ids, offsets, np.array(labels), longest).table))
    return made


def test_ratios_are_the_formula() -> None:
    # Token 5 is in 3 of 20 texts of label 1 (twice in one of them) and in 1 of 20 of label 0.
    texts = [[5, 5], [5], [5], *[[2]] * 17, [5], *[[2]] * 19]
    labels = [1] * 20 + [0] * 20
    got = table_for(texts, labels, 1)(torch.tensor([[5, 9]]))
    expected = math.log(3 / 20 + 2 / 40) - math.log(1 / 20 + 2 / 40)
    assert got[0, 0, 0].item() == pytest.approx(expected, rel=1e-2)
    assert got[0, 1, 0].item() == 0  # never seen: speaks for nobody


def test_an_unbalanced_part_keeps_unseen_words_neutral() -> None:
    made = table_for([[3]] * 90 + [[4]] * 10, [0] * 90 + [1] * 10, 2)
    assert made(torch.tensor([[77, 78]])).abs().max() == 0


def test_more_labels_have_a_ratio_each() -> None:
    made = table_for([[3], [4], [5]] * 10, [0, 1, 2] * 10, 1)
    ratios = made(torch.tensor([[3, 4, 5]]))[0]
    assert made.output_size == channels(1, 3) == 3
    assert (ratios.argmax(1) == torch.arange(3)).all()
    assert (ratios.diagonal() > 0).all()


def test_a_text_does_not_see_its_own_counts() -> None:
    # Each text has a word of its own, which says its label in the table but nothing in its own hints.
    count = 10 * FOLDS
    labels = np.arange(count) % 2
    ids, offsets = flat([[100 + i] for i in range(count)])
    counted = fit(ids, offsets, labels, 1)
    own = np.array(
        [counted.table[0, places(torch.tensor([[100 + i]]), 1, bits_for(count))[0, 0]] for i in range(count)]
    )
    # Words that share a place by chance are few.
    assert (counted.hints == 0).mean() > 0.9
    assert (np.sign(own) == np.where(labels == 1, 1, -1)).mean() > 0.9


@given(
    texts=st.lists(st.lists(st.integers(1, 6), max_size=8), min_size=1, max_size=12).filter(lambda t: any(t)),
    order=st.integers(1, 4),
)
def test_texts_end_to_end_are_read_one_by_one(texts: list[list[int]], order: int) -> None:
    ids, offsets = flat(texts)
    alone = [places(torch.tensor([text]), order, 20)[0] for text in texts if text]
    np.testing.assert_array_equal(_flat_places(ids, offsets, order, 20), torch.cat(alone).numpy())


def test_padding_and_neighbours_change_nothing() -> None:
    made = table_for([[3, 4], [4, 3], [5, 3, 4]] * 10, [0, 1, 0] * 10, 3)
    alone = made(torch.tensor([[3, 4]]))
    batch = made(torch.tensor([[5, 5, 5, 5], [3, 4, 0, 0]]))
    torch.testing.assert_close(batch[1:, :2], alone, rtol=0, atol=0)


def test_places_are_spread_evenly() -> None:
    ids = torch.arange(1, 20001)[None]
    for order in (1, 2, 3):
        found = places(ids, order, 14)[0]
        assert found.min() >= 0
        assert found.max() < 1 << 14
        # 20,000 thrown into 16,384 places at random fill 70.5 % of them.
        assert 0.69 < len(found.unique()) / (1 << 14) < 0.72
