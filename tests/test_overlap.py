"""Pairs of texts by shared words: groups of enough pairs, and no number that is none."""

from typing import Any

import numpy as np
import pytest

from fake_matches import judged
from lstmlab.analysis import overlap
from lstmlab.analysis.answers import LEAST_PER_BIN

SHARES = ["a b c d", "a b c y", "a b x y", "a x y z", "w x y z"]
"""Texts that share four, three, two, one and none of their words with the first."""


def told(counts: list[int], *, graded: bool) -> overlap.Judged:
    """So many pairs of each share."""
    texts = [text for text, count in zip(SHARES, counts, strict=True) for _ in range(count)]
    rows: list[dict[str, Any]] = [
        judged(SHARES[0], text, float(at % 5), float(at * 7 % 5), name=str(at))
        if graded
        else judged(SHARES[0], text, "entailment", "neutral" if at % 3 else "entailment", name=str(at))
        for at, text in enumerate(texts)
    ]
    return overlap.Judged(rows, graded)


@pytest.mark.parametrize("graded", [True, False])
@pytest.mark.parametrize(
    ("counts", "sizes"),
    [
        ([1, 0, 199, 0, 0], []),
        ([1, 0, 98, 0, 101], [101, 99]),
        ([50, 1, 50, 1, 98], [98, 51, 51]),
        ([0, 0, 0, 0, 200], []),
        ([40, 40, 40, 40, 40], [80, 40, 40, 40]),
        ([19, 150, 0, 0, 19], [188]),
    ],
)
def test_groups_have_enough_pairs(counts: list[int], sizes: list[int], graded: bool) -> None:
    made = told(counts, graded=graded)
    bins = made.bins
    assert [group.count for group in bins] == (sizes if len(sizes) > 1 else [])
    assert all(group.count >= LEAST_PER_BIN for group in bins)
    assert np.isfinite([value for group in bins for value in (group.mean, group.low, group.high)]).all()
    if not bins:
        assert "differ too little" in overlap.claim(made)


def test_few_pairs_tell_nothing() -> None:
    made = told([10, 0, 20, 0, 0], graded=True)
    assert (made.bins, made.kinds) == ([], [])
    assert overlap.claim(made) == "30 test pairs are too few to tell what shared words do."
