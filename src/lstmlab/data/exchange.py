"""Names exchanged for others of their kind while training: what stands around a name then tells as much as its words
(mention replacement, Dai & Adel 2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int

from lstmlab.data import spans
from lstmlab.data.spans import Scheme
from lstmlab.data.tokens import Tokens


@dataclass(frozen=True)
class Exchange:
    """The spans of N sentences, and for each kind and length all different spans that can stand there."""

    share: float
    """Part of the spans that are exchanged (0 to 1)."""
    pools: tuple[Int[np.ndarray, "_ _"], ...]
    """Of one kind and length each: the ids of the words of each different span."""
    found: Int[np.ndarray, "S 2"]
    """Each span's first word within its sentence, and its pool."""
    offsets: Int[np.ndarray, "_"]
    """[N + 1]: where in `found` each sentence's spans begin."""

    @classmethod
    def of(cls, places: Tokens, targets: Sequence[Sequence[str]], scheme: Scheme, share: float) -> "Exchange":
        """The spans of sentences, their words given by id and their tags by name."""
        pools: dict[tuple[str, int], dict[tuple[int, ...], None]] = {}
        found, counts = [], []
        for row, tags in enumerate(targets):
            ids, here = places.row(row).tolist(), spans.spans(tags, scheme)[0]
            for span in here:
                kind = (span.kind, span.stop - span.start)
                pools.setdefault(kind, {})[tuple(ids[span.start : span.stop])] = None
                found.append((span.start, kind))
            counts.append(len(here))
        at = {kind: number for number, kind in enumerate(pools)}
        return cls(
            share,
            tuple(np.array(list(pool), np.int32) for pool in pools.values()),
            np.array([(start, at[kind]) for start, kind in found], np.int64).reshape(-1, 2),
            np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
        )

    def drawn(self, taken: Tokens, index: Int[np.ndarray, "M"]) -> Tokens:
        """The sentences at `index`, which `taken` holds, some of their spans exchanged, drawn anew at every call.

        Chance is torch's, whose state a checkpoint keeps.
        """
        ids = taken.ids.copy()
        first, last = self.offsets[index], self.offsets[index + 1]
        chance = torch.rand(2, int((last - first).sum())).tolist()
        draws = iter(zip(*chance, strict=True))
        for row, (start, stop) in enumerate(zip(first, last, strict=True)):
            for word, number in self.found[start:stop]:
                whether, which = next(draws)
                if whether < self.share:
                    pool = self.pools[number]
                    begin = taken.offsets[row] + word
                    ids[begin : begin + pool.shape[1]] = pool[int(which * len(pool))]
        return Tokens(ids, taken.offsets)
