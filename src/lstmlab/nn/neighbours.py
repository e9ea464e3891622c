"""A second lesson for an encoder of few tagged sentences: which words stand beside each word (Rei 2017, Semi-supervised
Multitask Learning for Sequence Labeling, ACL).

Letters in shapes: B sentences, T words, H outputs of the encoder (of both directions together), N pairs of neighbours.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from lstmlab.types import Padded

WORDS = 3000
"""The most frequent words, which are told apart; all others count as the unknown one."""
UNKNOWN = 1
BETWEEN = 64
"""Units between the encoder's outputs and the scores of words."""


class Neighbours(nn.Module):
    """Guesses the next word from what was read forwards, and the one before from what was read backwards.

    That holds of a single layer, or of one direction: the forward half of a second bidirectional layer has read the
    words that come through the backward half below it. Ids of words [B T] go by frequency, as a vocabulary has them.

    The weights learn with the tagger's, are counted among its parameters and saved with them, so that training can go
    on from a checkpoint. Answers never use them.
    """

    def __init__(self, output_size: int, words: int, *, bidirectional: bool) -> None:
        super().__init__()
        self.words = min(words, WORDS)
        self.size = output_size // (2 if bidirectional else 1)
        self.next = self._guess()
        self.before = self._guess() if bidirectional else None

    def _guess(self) -> nn.Module:
        return nn.Sequential(nn.Linear(self.size, BETWEEN), nn.Tanh(), nn.Linear(BETWEEN, self.words))

    def forward(self, outputs: Padded, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B"]:
        """-log p of each sentence's words, guessed each from one side, in nats; summed over both sides."""
        known = torch.where(ids < self.words, ids, UNKNOWN)
        both = outputs.mask[:, 1:]
        forwards, backwards = outputs.values[:, :-1, : self.size], outputs.values[:, 1:, self.size :]
        nats = _nats(self.next, forwards, known[:, 1:], both)
        return nats if self.before is None else nats + _nats(self.before, backwards, known[:, :-1], both)


def _nats(
    guess: nn.Module, outputs: Float[Tensor, "B N H"], wanted: Int[Tensor, "B N"], there: Bool[Tensor, "B N"]
) -> Float[Tensor, "B"]:
    rows = there.nonzero()[:, 0]
    nats = functional.cross_entropy(guess(outputs[there]), wanted[there], reduction="none")
    return nats.new_zeros(len(wanted)).index_add(0, rows, nats)
