"""What a language model has to beat: how often each token occurs, and what followed the last few tokens in training.

Letters in shapes: N tokens of training, M tokens that are asked.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lstmlab.errors import InputError


def unigram(train: Int[np.ndarray, "N"], asked: Int[np.ndarray, "M"], size: int) -> Float[np.ndarray, "M"]:
    """-log p of each token by how often training has it, one added to every count (Laplace)."""
    counts = np.bincount(train, minlength=size) + 1.0
    return np.asarray(-np.log(counts / counts.sum())[asked])


@dataclass(frozen=True)
class _Order:
    """The n-grams of one length: which there are, and what follows them."""

    keys: Int[np.ndarray, "K"]
    """Each n-gram as (number of its first n-1 tokens) times the vocabulary plus its last token, ascending."""
    discounted: Float[np.ndarray, "K"]
    """What is left of its count, over the count of its first n-1 tokens."""
    spared: Float[np.ndarray, "C"]
    """By the number of the first n-1 tokens: the share of probability taken from what followed them."""


def kneser_ney(
    train: Int[np.ndarray, "N"], asked: Int[np.ndarray, "M"], size: int, order: int
) -> Float[np.ndarray, "M"]:
    """-log p of each token given the `order` - 1 before it: interpolated modified Kneser-Ney (Chen & Goodman 1999).

    Shorter contexts count in how many different ones a token occurs, and the shortest falls back on all `size` tokens
    alike. Of the first tokens asked the context is as long as there are tokens before them.
    """
    if not len(train):
        raise InputError("an n-gram model needs at least one token of training text")
    if order < 1:
        raise InputError(f"an n-gram has at least one token, got order={order}")
    grams, firsts = _count(train, size, order)
    p = np.full(len(asked), 1.0 / size)
    # Number of the (n-1)-gram that ends before each asked token, -1 where training has none.
    before = np.zeros(len(asked), np.int64)
    for n, (keys, counts, contexts) in enumerate(_discountable(grams, firsts, size), 1):
        level = _discount(keys, counts, contexts, size)
        key = before * size + asked
        place = np.minimum(np.searchsorted(level.keys, key), len(level.keys) - 1)
        known = (before >= 0) & (level.keys[place] == key)
        seen = (before >= 0) & (np.arange(len(asked)) >= n - 1)
        spared = np.where(seen, level.spared[np.where(before >= 0, before, 0)], 1.0)
        p = np.where(known & seen, level.discounted[place], 0.0) + spared * p
        before = np.concatenate([[-1], np.where(known & seen, place, -1)[:-1]])
    return -np.log(p)


def _count(
    train: Int[np.ndarray, "N"], size: int, order: int
) -> tuple[list[tuple[np.ndarray, np.ndarray, np.ndarray]], list[np.ndarray]]:
    """For each length n: the n-grams' keys, their counts, and the place in the text where each stands first; and for
    each place of the text the number of the n-gram that ends there."""
    found, ends = [], []
    before = np.zeros(len(train), np.int64)
    for n in range(1, order + 1):
        if len(train) < n:
            break
        whole = np.arange(len(train)) >= n - 1
        key = np.where(whole, before * size + train, -1)
        keys, first, number, counts = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
        if keys[0] < 0:  # places with too few tokens before them
            keys, first, number, counts = keys[1:], first[1:], number - 1, counts[1:]
        found.append((keys, counts, first))
        ends.append(number)
        before = np.concatenate([[0], number[:-1]])
    return found, ends


def _discountable(
    grams: list[tuple[np.ndarray, np.ndarray, np.ndarray]], ends: list[np.ndarray], size: int
) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Keys, counts to be discounted, and the number of contexts of each length: for the longest n-grams how often they
    occur, for the others how many different tokens stand before them."""
    made = []
    for n, (keys, counts, _) in enumerate(grams):
        if n + 1 < len(grams):
            longer = grams[n + 1][2]
            # An n-gram at the very beginning of the text has nothing before it, and counts once.
            counts = np.maximum(np.bincount(ends[n][longer], minlength=len(keys)), 1)
        made.append((keys, counts, 1 if n == 0 else len(grams[n - 1][0])))
    return made


def _discount(keys: np.ndarray, counts: np.ndarray, contexts: int, size: int) -> _Order:
    """Take a little from every count, by how large it is, for what was not seen."""
    of = [max(int((counts == n).sum()), 1) for n in (1, 2, 3, 4)]
    share = of[0] / (of[0] + 2 * of[1])
    taken = np.array([0.0, *(np.clip(n - (n + 1) * share * of[n] / of[n - 1], 0.05, n - 0.05) for n in (1, 2, 3))])
    discounts = taken[np.minimum(counts, 3)]
    context = keys // size
    total = np.bincount(context, counts, minlength=contexts)
    spared = np.bincount(context, discounts, minlength=contexts)
    safe = np.maximum(total, 1e-300)
    return _Order(keys, (counts - discounts) / safe[context], np.where(total > 0, spared / safe, 1.0))
