"""Many texts as one array: token ids end to end, and where each text begins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

PAD = 0  # the id of padding, at every level of text


@dataclass(frozen=True)
class Tokens:
    """Token ids of many texts, end to end: text i is `ids[offsets[i]:offsets[i + 1]]`."""

    ids: Int[np.ndarray, "total"]
    """int32."""
    offsets: Int[np.ndarray, "_"]
    """int64 [N + 1], from 0 to the total."""

    @classmethod
    def of(cls, ids: Int[np.ndarray, "total"], lengths: Int[np.ndarray, "N"]) -> "Tokens":
        """Tokens from flat ids and the number of them in each text."""
        return cls(ids.astype(np.int32, copy=False), np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))

    @classmethod
    def join(cls, parts: Sequence["Tokens"]) -> "Tokens":
        """The texts of all parts, in order."""
        none = np.zeros(0, np.int32)
        return cls.of(
            np.concatenate([none, *(part.ids for part in parts)]),
            np.concatenate([none, *(part.lengths for part in parts)]),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int[np.ndarray, "N"]:
        """The number of tokens in each text, int64."""
        return np.diff(self.offsets)

    def row(self, at: int) -> Int[np.ndarray, "length"]:
        """The ids of one text."""
        at = range(len(self))[at]
        return self.ids[self.offsets[at] : self.offsets[at + 1]]

    def places(self, index: Int[np.ndarray, "M"]) -> Int[np.ndarray, "total"]:
        """Where in `ids` (and in anything else kept token by token) the texts at these positions stand."""
        return places(self.offsets, index)

    def take(self, index: Int[np.ndarray, "M"]) -> "Tokens":
        """The texts at these positions, in that order."""
        return Tokens.of(self.ids[self.places(index)], self.lengths[index])

    def padded(self) -> Int[np.ndarray, "N T"]:
        """One row per text, as wide as the longest, `<pad>` at the end."""
        out = np.full((len(self), self.lengths.max(initial=0)), PAD, np.int32)
        out[np.arange(out.shape[1]) < self.lengths[:, None]] = self.ids
        return out

    def cut(self, first: int | None, last: int | None) -> "Tokens":
        """Each text's first and last tokens, without the middle; everything where both are None."""
        if first is None and last is None:
            return self
        keep = kept(self.lengths, first, last)
        return Tokens.of(self.ids[keep], np.minimum(self.lengths, (first or 0) + (last or 0)))


def places(offsets: Int[np.ndarray, "_"], index: Int[np.ndarray, "M"]) -> Int[np.ndarray, "total"]:
    """Where the rows at these positions stand in an array of all rows end to end, row i from `offsets[i]` on."""
    lengths = np.diff(offsets)[index]
    starts = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(offsets[index] - starts, lengths)


def kept(lengths: Int[np.ndarray, "N"], first: int | None, last: int | None) -> Bool[np.ndarray, "total"]:
    """For texts laid end to end: which tokens are among the first or the last of their text (both None: all)."""
    if first is None and last is None:
        return np.ones(lengths.sum(), bool)
    ends = np.cumsum(lengths, dtype=np.int64)
    place = np.arange(lengths.sum())
    left = np.repeat(ends, lengths) - place
    return (place - np.repeat(ends - lengths, lengths) < (first or 0)) | (left <= (last or 0))
