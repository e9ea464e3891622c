"""One output's attention over its source: tokens made readable, and how sharp, how orderly it is."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmlab.data.sentences import MARKS

Weights = NDArray[np.float64]

END = MARKS[1]


@dataclass(frozen=True)
class Alignment:
    """One output [T] over its source [S] and the weights [T S] of each step, each row adding up to one."""

    source: list[str]
    output: list[str]
    weights: Weights

    @classmethod
    def of(cls, attention: Mapping[str, Any]) -> "Alignment":
        """What a row of predictions.jsonl tells under "attention", its tokens made readable. Raises ValueError where
        tokens and weights do not fit each other."""
        source, output = ([str(token) for token in attention[side]] for side in ("source", "output"))
        weights = np.array(attention["weights"], np.float64).reshape(len(output), -1)
        if weights.shape != (len(output), len(source)):
            raise ValueError(f"attention of {len(output)} over {len(source)} tokens has weights {weights.shape}")
        columns, rows = list(_whole(source)), list(_whole(output))
        # What falls on the parts of a letter falls on the letter; a letter looks where its parts look on average.
        weights = np.stack([weights[:, at].sum(1) for _, at in columns], 1) if columns else weights
        weights = np.stack([weights[at].mean(0) for _, at in rows]) if rows else weights
        return cls(_readable([name for name, _ in columns]), _readable([name for name, _ in rows]), weights)

    @property
    def rows(self) -> Weights:
        """The weights of each step, rounding taken back: each row adds up to one."""
        return self.weights / np.maximum(self.weights.sum(1, keepdims=True), 1e-12)

    @property
    def bits(self) -> Weights:
        """Entropy of each step's weights [T] in bits: 0 where it looks at one token, log2 S where at all alike."""
        return _bits(self.rows)

    @property
    def entropy(self) -> float:
        """Mean entropy of a step in bits."""
        return float(self.bits.mean())

    @property
    def effective(self) -> float:
        """Mean effective number of tokens looked at: 2 to the entropy of each step."""
        return float((2.0**self.bits).mean())

    @property
    def reached(self) -> float:
        """Effective number of tokens that all steps together look at: 2 to the entropy of their mean weights."""
        return float(2.0 ** _bits(self.rows.mean(0, keepdims=True))[0])

    @property
    def on_end(self) -> float:
        """The share of the weights on the source's end mark while words are written; NaN where it has none."""
        written = [at for at, token in enumerate(self.output) if token != END]
        if not written or not self.source or self.source[-1] != END:
            return float("nan")
        return float(self.rows[written, -1].mean())

    @property
    def order(self) -> float:
        """Rank correlation (Spearman) of a step's number with where it looks on average: 1 in the source's order.

        NaN for fewer than three words, or where it always looks at the same place.
        """
        written = [at for at, token in enumerate(self.output) if token != END]
        places = self.rows[written] @ np.arange(len(self.source), dtype=np.float64)
        if len(places) < 3 or np.ptp(places) < 1e-9:
            return float("nan")
        return float(np.corrcoef(np.arange(len(places)), _ranks(places))[0, 1])


def _bits(rows: Weights) -> Weights:
    return -np.where(rows > 0, rows * np.log2(np.maximum(rows, 1e-300)), 0.0).sum(1)


def _ranks(values: Weights) -> Weights:
    """Ranks from 0 on, equal values sharing their mean rank."""
    kinds, place, times = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(times) - times
    return np.asarray((first + (times - 1) / 2)[place], np.float64).reshape(len(values)) if len(kinds) else values


# ---- Readable tokens

_ESCAPED = re.compile(r"\\x([89a-f][0-9a-f])")


def _whole(tokens: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    r"""Tokens and where they stand; subwords that end inside a letter (\xe0\xa4) are joined until it is whole."""
    held: list[int] = []
    for at, token in enumerate(tokens):
        held.append(at)
        broken = any(_ESCAPED.search(tokens[one]) for one in held)
        text = b"".join(_bytes(tokens[one]) for one in held)
        if broken and at + 1 < len(tokens) and not _complete(text) and len(held) < 6:
            continue
        yield (text.decode(errors="replace") if broken else token), held
        held = []


def _bytes(token: str) -> bytes:
    parts = _ESCAPED.split(token)
    return b"".join(bytes.fromhex(part) if at % 2 else part.encode(errors="replace") for at, part in enumerate(parts))


def _complete(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _readable(tokens: Sequence[str]) -> list[str]:
    """Subwords without their leading blank, those that go on with a word after a dot: "look", "·ing"."""
    subwords = any(len(token) > 1 and token[0] == " " for token in tokens)
    told = []
    for at, token in enumerate(tokens):
        begins = at == 0 or tokens[at - 1] in MARKS or tokens[at - 1] == "\n"
        inside = subwords and not begins and token[:1].isalnum()
        told.append(f"·{token}" if inside else token.strip() or "␣")
    return told
