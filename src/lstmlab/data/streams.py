"""One long text side by side: rows that each go on, batch after batch, where they stopped.

Row r reads the r-th of B equal stretches of the text, so a batch holds B places of the text and the next one the places
right after them: the state of a recurrent model can be carried from batch to batch (truncated back-propagation through
time, Williams & Peng 1990). An epoch's plan depends on (length, settings, seed, number of the epoch) alone.

With `passage` a stretch is not read to its end: each row goes on at another place of the text after about so many
tokens, in an order drawn anew for every epoch. The same B places are then not read side by side in every epoch, and a
state does not tell which part of the text it is in, which a model would otherwise learn by heart.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

LEAST = 40
"""Fewest tokens of a row: what is left over behind the last one is less than a token a row."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """A batch: from each of these places on, so many tokens, each with the one after it as its target."""

    starts: Int[np.ndarray, "B"]
    steps: int

    def __len__(self) -> int:
        """Tokens."""
        return len(self.starts) * self.steps

    @property
    def places(self) -> Int[np.ndarray, "B T"]:
        """Where the tokens stand in the text; their targets stand one further."""
        return self.starts[:, None] + np.arange(self.steps)


@dataclass(frozen=True, eq=False)
class Streams:
    """The plan of batches over a text of `total` tokens."""

    total: int
    rows: int
    """Places read side by side; fewer in a text with fewer than `steps` tokens, or LEAST, for each."""
    steps: int
    """Most tokens of each row in a batch; a row's batches are of equal length, but for one token."""
    seed: int
    passage: int | None = None
    """Fewest tokens that are read in their order before a row goes on elsewhere, LEAST or more, and less than twice as
    many; None reads on to the row's end."""

    def epoch(self, number: int) -> list[Stretch]:
        """The batches of one epoch, in order. Epochs begin some tokens apart, so that cuts fall elsewhere each time;
        less than one in twenty tokens, at the text's ends, is left out."""
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence([self.seed, number])))
        usable = self.total - 1
        rows = max(1, min(self.rows, usable // max(self.steps, LEAST)))
        apart = min(self.steps, usable // (40 * rows)) if self.passage is None else min(self.passage, usable // 40)
        first = int(random.integers(apart + 1))
        rounds = 1 if self.passage is None else max(1, (usable - first) // (rows * self.passage))
        length = (usable - first) // (rows * rounds)
        order = np.arange(rows) if self.passage is None else random.permutation(rows * rounds)
        cuts = np.linspace(0, length, -(-length // self.steps) + 1).astype(np.int64).tolist()
        return [
            Stretch(first + length * chosen + begin, end - begin)
            for chosen in order.reshape(rounds, rows)
            for begin, end in itertools.pairwise(cuts)
        ]

    def size(self, batch: Stretch) -> int:
        """Steps in a batch."""
        return len(batch)
