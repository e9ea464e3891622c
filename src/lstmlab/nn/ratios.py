"""How strongly a token, and the n-grams that end in it, speak for each label: naive Bayes log-count ratios.

Wang & Manning 2012 ("Baselines and Bigrams"), eq. 1, as features of each token instead of each text. With c_k the
number of texts of label k (of n_k) that hold an n-gram, c_r and n_r the same for all other labels, and n texts in all:

    ratio_k = log((c_k / n_k + 2 / n) / (c_r / n_r + 2 / n))

which is 0 for an n-gram never seen. Two labels have one ratio, K labels have K. An n-gram's place in the table is a
hash of its tokens, so a few n-grams share places.

A text that was counted itself would look too easy while training. Training texts therefore get ratios counted without
their own fold; folds are stretches of neighbouring texts, since neighbours in a file often speak of the same thing.

Letters in shapes: B texts, T steps, N texts in all, M tokens in all, C ratios of a token (n-gram lengths times labels).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

FOLDS = 10
MOST_BITS = 22
"""A table of 2**22 places holds the n-grams of some 25,000 reviews; in half precision it takes 8 MB for each length."""
_MULTIPLIER = -7046029254386353131  # the golden ratio times 2**64, as a signed number


def bits_for(tokens: int) -> int:
    """Bits of a table for a training part of so many tokens: about a place for each n-gram."""
    return int(np.clip(np.ceil(np.log2(max(tokens, 1))), 10, MOST_BITS))


def channels(longest: int, classes: int) -> int:
    """Ratios of a token: one for each n-gram length and label, two labels counting as one."""
    return longest * (1 if classes == 2 else classes)


def places(ids: Int[Tensor, "B T"], order: int, bits: int) -> Int[Tensor, "B T"]:
    """Where the n-gram of `order` tokens that ends at each step stands in a table of 2**bits places.

    Before a text's first token stands the padding id 0. Integer overflow is part of the hash.
    """
    mixed = ids + 7
    shifted = ids
    for distance in range(1, order):
        shifted = nn.functional.pad(shifted, (1, 0))[:, :-1]
        mixed = (mixed * _MULTIPLIER) ^ (shifted + 1_000_003 * distance)
    mixed = mixed * _MULTIPLIER
    mixed = (mixed ^ ((mixed >> 29) & ((1 << 35) - 1))) * _MULTIPLIER
    return (mixed >> (64 - bits)) & ((1 << bits) - 1)


class Ratios(nn.Module):
    """Token ids [B T] to ratios [B T C], looked up in a table that is filled once and never trained."""

    table: Float[Tensor, "C places"]

    def __init__(self, longest: int, classes: int, bits: int) -> None:
        super().__init__()
        self.longest, self.bits = longest, bits
        self.register_buffer("table", torch.zeros(channels(longest, classes), 1 << bits, dtype=torch.float16))

    @property
    def output_size(self) -> int:
        """Ratios of a token."""
        return len(self.table)

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T C"]:
        """Ratios of every token."""
        each = len(self.table) // self.longest
        found = [
            self.table[order * each : (order + 1) * each, places(ids, order + 1, self.bits)]
            for order in range(self.longest)
        ]
        return torch.cat(found).permute(1, 2, 0).float()

    def extra_repr(self) -> str:
        """Sizes."""
        return f"n-grams up to {self.longest}, 2**{self.bits} places"


@dataclass(frozen=True)
class Fitted:
    """What a training part says: the table for new texts, and each training token's own ratios, counted elsewhere."""

    table: NDArray[np.float16]
    """[C, 2**bits]"""
    hints: NDArray[np.float16]
    """[M, C], in the order of the training tokens."""


def fit(ids: NDArray[np.int32], offsets: NDArray[np.int64], labels: NDArray[np.int64], longest: int) -> Fitted:
    """Count a training part: flat token ids [M], where each text begins and ends [N+1], and labels [N]."""
    bits, folds = bits_for(len(ids)), _folds(labels)
    classes = int(labels.max()) + 1
    tables, hints = [], []
    owner = np.repeat(np.arange(len(labels)), np.diff(offsets))
    for order in range(1, longest + 1):
        place = _flat_places(ids, offsets, order, bits)
        pairs = np.sort((owner << bits) | place)
        pairs = pairs[np.diff(pairs, prepend=-1) != 0]  # each text counts an n-gram once
        text, spot = pairs >> bits, pairs & ((1 << bits) - 1)
        counted = _Counts(spot, labels[text], folds[text], classes, 1 << bits)
        tables.append(counted.ratios(labels, None))
        hints.append(counted.held_out(place, folds[owner], labels, folds))
    return Fitted(np.concatenate(tables).astype(np.float16), np.concatenate(hints, 1))


def ngrams(
    ids: NDArray[np.int32], offsets: NDArray[np.int64], longest: int, bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Every n-gram of a flat corpus as (its text, its number), each [M longest]: what `Ratios` has a ratio for."""
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    numbers = [_flat_places(ids, offsets, order, bits) + ((order - 1) << bits) for order in range(1, longest + 1)]
    return np.tile(owner, longest), np.concatenate(numbers)


@dataclass(frozen=True)
class _Counts:
    """Every (n-gram's place, text) of one n-gram length, with the text's label and fold."""

    place: NDArray[np.int64]
    label: NDArray[np.int64]
    fold: NDArray[np.int64]
    classes: int
    size: int

    def ratios(self, labels: NDArray[np.int64], kept: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        """Ratios [C size] from the texts that are kept (None: all); `labels` [N'] are the labels of those texts."""
        place, label = (self.place, self.label) if kept is None else (self.place[kept], self.label[kept])
        counts = np.bincount(label * self.size + place, minlength=self.classes * self.size)
        counts = counts.reshape(self.classes, self.size).astype(np.float32)
        texts = np.bincount(labels, minlength=self.classes).astype(np.float32)
        whole, smooth = counts.sum(0), 2 / max(len(labels), 1)
        wanted = [1] if self.classes == 2 else range(self.classes)
        return np.stack(
            [
                np.log(counts[k] / max(texts[k], 1) + smooth)
                - np.log((whole - counts[k]) / max(texts.sum() - texts[k], 1) + smooth)
                for k in wanted
            ]
        )

    def held_out(
        self,
        place: NDArray[np.int64],
        fold: NDArray[np.int64],
        labels: NDArray[np.int64],
        folds: NDArray[np.int64],
    ) -> NDArray[np.float16]:
        """Ratios [M C'] of each training token, counted without its own fold."""
        hints = np.zeros((len(place), 1 if self.classes == 2 else self.classes), np.float16)
        for held in range(FOLDS):
            rows = fold == held
            hints[rows] = self.ratios(labels[folds != held], self.fold != held)[:, place[rows]].T
        return hints


def _folds(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fold [N] of each text: stretches of neighbours, each label cut evenly."""
    folds = np.zeros(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        folds[rows] = np.arange(len(rows)) * FOLDS // len(rows)
    return folds


def _flat_places(ids: NDArray[np.int32], offsets: NDArray[np.int64], order: int, bits: int) -> NDArray[np.int64]:
    """`places` of every token of a flat corpus [M], through the same function, some texts at a time."""
    found = [
        places(torch.from_numpy(ids[begin:end].astype(np.int64))[None], order, bits)[0].numpy()
        for begin, end in _stretches(offsets)
    ]
    flat = np.concatenate(found)
    # A stretch was read as one text; only the first tokens of each text in it saw a neighbour's end instead of padding.
    for distance in range(order - 1):
        rows = offsets[:-1][np.diff(offsets) > distance] + distance
        ends = np.stack([np.where(distance >= back, ids[np.maximum(rows - back, 0)], 0) for back in range(order)], 1)
        flat[rows] = places(torch.from_numpy(ends[:, ::-1].astype(np.int64)), order, bits)[:, -1].numpy()
    return flat


def _stretches(offsets: NDArray[np.int64], tokens: int = 1 << 20) -> Iterator[tuple[int, int]]:
    """Beginnings and ends of stretches of whole texts of about so many tokens."""
    begin = 0
    for end in offsets[1:]:
        if end - begin >= tokens or end == offsets[-1]:
            yield int(begin), int(end)
            begin = end
