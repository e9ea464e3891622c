"""Two texts side by side: the ids of their tokens, and what each token finds of itself in the other text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from lstmlab.data.text import TextEncoder
from lstmlab.data.tokens import Tokens
from lstmlab.errors import InputError
from lstmlab.recipe import Settings

FLAGS = 2
"""What is told of a token: that the other text has it, that the other text has one that begins alike."""
BEGINNING = 4
"""Two words begin alike where they share this many letters …"""
ENDING = 2
"""… or where one is the other with at most this many letters more, and …"""
LEAST = 3
"""… at least this many before them."""


class MatchSettings(Settings):
    """What the model is told of a token besides which it is, so that words seen once need not be learned twice."""

    same: bool = True
    """Whether the other text has the same token, known or not."""
    alike: bool = True
    """Whether the other text has a word that begins alike: dog and dogs, plays and playing."""


@dataclass(frozen=True)
class TextPairs:
    """N pairs of texts as numbers."""

    first: Tokens
    second: Tokens
    flags: tuple[Int[np.ndarray, "_ C"], Int[np.ndarray, "_ C"]]
    """0 or 1, int8, of each token of the first and of the second texts."""

    @property
    def lengths(self) -> Int[np.ndarray, "N"]:
        """Tokens of the longer text of each pair."""
        return np.maximum(self.first.lengths, self.second.lengths)

    def __len__(self) -> int:
        return len(self.first)


def encode(encoder: TextEncoder, settings: MatchSettings, pairs: Sequence[Any], where: str) -> TextPairs:
    """Numbers for pairs. Raises InputError, with the pair's number, for what is no pair of texts with something in it.

    A flag that the settings leave out is zero.
    """
    pairs = [sound(pair, f"{where}, pair {number}") for number, pair in enumerate(pairs, 1)]
    texts = [[pair[side] for pair in pairs] for side in (0, 1)]
    pieces = [encoder.pieces_of(side) for side in texts]
    flags = _flags(pieces[0], pieces[1], settings), _flags(pieces[1], pieces[0], settings)
    return TextPairs(encoder.encode(texts[0]), encoder.encode(texts[1]), flags)


def sound(pair: Any, where: str) -> tuple[str, str]:
    """Two texts that hold something. Raises InputError for anything else."""
    listed = isinstance(pair, Sequence) and not isinstance(pair, str)
    if not listed or len(pair) != 2 or not all(isinstance(side, str) for side in pair):
        shown = '["A man sings", "Someone sings"]'
        raise InputError(f"{where}: expected two texts, such as {shown}, got {str(pair)[:60]!r}")
    for side, name in zip(pair, ("first", "second"), strict=True):
        if not side.strip():
            raise InputError(f"{where}: the {name} text is empty, and nothing can be said of one text alone")
    return pair[0], pair[1]


def _flags(
    own: Sequence[Sequence[str]], others: Sequence[Sequence[str]], settings: MatchSettings
) -> Int[np.ndarray, "total C"]:
    rows = [row for pair in zip(own, others, strict=True) for row in _told(*pair)]
    found = np.array(rows, np.int8).reshape(len(rows), FLAGS)
    return found * np.array([settings.same, settings.alike], np.int8)


def _told(own: Sequence[str], other: Sequence[str]) -> Iterator[tuple[bool, bool]]:
    """What each token of one text finds in the other."""
    own, other = (list(map(_bare, pieces)) for pieces in (own, other))
    forms = set(other)
    stems = {stem for word in forms for stem in _stems(word)}
    beginnings = {word[:BEGINNING] for word in forms if len(word) >= BEGINNING}
    for word in own:
        alike = word in forms or word[:BEGINNING] in beginnings or word in stems
        yield word in forms, alike or any(stem in forms for stem in _stems(word))


def _bare(piece: str) -> str:
    """A token without the blank before it, which subwords have inside a text and not at its beginning."""
    return piece.removeprefix(" ") or piece


def _stems(word: str) -> Iterator[str]:
    return (word[:-cut] for cut in range(1, ENDING + 1) if len(word) - cut >= LEAST)
