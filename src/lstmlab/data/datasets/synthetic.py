"""Endless data with known answers: what a recurrent network can hold in mind, measured against plain chance.

Everything depends on the seed alone. Train, valid and test are drawn from streams of their own, and a text belongs to
one part only, which its own checksum decides: no part can hold what another was trained on.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lstmlab.data.corpus import Corpus, Source
from lstmlab.errors import InputError

PARTS = ("train", "valid", "test")

COPIED = 10
"""How many symbols the copying task has to hold in mind."""

ALPHABET = "abcdefgh"
"""What they are taken from."""

BLANK = "_"


@dataclass(frozen=True)
class Synthetic:
    """A made-up set. `parts(count, length, seed)`: `count` training examples, a fifth as many in each other part."""

    name: str
    about: str
    task: str
    chance: str
    """What a model scores that has learnt nothing."""
    parts: Callable[[int, int, int], dict[str, Corpus]]

    @property
    def source(self) -> Source:
        """Where it came from: a formula."""
        return Source(self.name, f"{self.about} {self.chance}", licence="none needed: computed from a seed")


def sine(points: int = 1000, end: float = 100.0) -> NDArray[np.float64]:
    """sin(x) at `points` places from 0 to `end` (radians), both included: [points]."""
    if points < 2:
        raise InputError(f"a sine needs at least 2 points, got {points}")
    return np.sin(np.linspace(0.0, end, points))


def sine_continuation(count: int, points: int = 1000, end: float = 100.0) -> NDArray[np.float64]:
    """The `count` values that truly follow `sine(points, end)`: [count]."""
    if points < 2 or count < 0:
        raise InputError(f"a sine needs at least 2 points and a continuation no fewer than 0, got {points} and {count}")
    return np.sin(end / (points - 1) * np.arange(points, points + count))


def waves(points: int = 1000) -> NDArray[np.float64]:
    """A day of 24 steps and a week of 168, a trend, noise, and a level that shifts after three fifths: [points]."""
    if points < 2:
        raise InputError(f"waves need at least 2 points, got {points}")
    at = np.arange(points)
    swing = 3 * np.sin(2 * np.pi * at / 24) + 2 * np.sin(2 * np.pi * at / 168)
    noise = 0.3 * np.random.default_rng(0).standard_normal(points)
    return 20 + 0.005 * at + swing + noise + 4 * (at >= 0.6 * points)


def parity(count: int, length: int, seed: int) -> Corpus:
    """Bits such as "0 1 1 0", half of `length` to `length` of them; whether the ones are "odd" or "even" in number.

    One bit of state solves it, and no bit may be missed. Chance: accuracy 0.5.
    """
    _check(count, length, 1)
    return _texts(count, np.random.default_rng(seed), lambda rng: _parity_row(rng, length))


def copy(count: int, length: int, seed: int) -> Corpus:
    """Ten letters of a to h, then `length` blanks; the target is the letters again.

    The copying task of Hochreiter & Schmidhuber 1997 in the form of Arjovsky et al. 2016, as source and target text.
    Chance: ln 8 = 2.08 nats per symbol, accuracy per symbol 0.125.
    """
    _check(count, length, 1)
    return _texts(count, np.random.default_rng(seed), lambda rng: _copy_row(rng, length))


def adding(count: int, length: int, seed: int) -> Corpus:
    """Steps [value, marker], `length` of them; the target is the sum of the two values whose marker is 1.

    Values are uniform in [0, 1), one marker stands in each half. The adding problem (Hochreiter & Schmidhuber 1997,
    section 5.4) in the form of Le et al. 2015. Chance: always answering 1 has a mean squared error of 1/6 = 0.1667.
    """
    _check(count, length, 2)
    return _adding(count, length, np.random.default_rng(seed))


def adding_batch(count: int, length: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`adding` as arrays, for data without end: steps [count length 2] and sums [count]."""
    _check(count, length, 2)
    values = rng.random((count, length))
    half = length // 2
    marked = np.stack([rng.integers(0, half, count), rng.integers(half, length, count)], axis=1)
    markers = np.zeros_like(values)
    np.put_along_axis(markers, marked, 1.0, axis=1)
    return np.stack([values, markers], axis=2), np.take_along_axis(values, marked, axis=1).sum(axis=1)


def copy_batch(count: int, length: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Copying as Arjovsky et al. 2016 put it to a network that answers step by step: symbols [count length+20] and what
    the last ten answers should be [count 10].

    Ten symbols 0 to 7, then `length` steps of which the last says "now" (9) and the others nothing (8), then ten steps
    of nothing in which the symbols have to be given again.
    """
    _check(count, length, 1)
    symbols = rng.integers(0, len(ALPHABET), (count, COPIED))
    waiting = np.full((count, length + COPIED), len(ALPHABET))
    waiting[:, length - 1] = len(ALPHABET) + 1
    return np.concatenate([symbols, waiting], axis=1), symbols


def brackets(characters: int, seed: int) -> str:
    """A text of words such as ([]{}) and spaces, every bracket closed by its own kind, at most eight of them open.

    Which bracket closes depends on one that may lie far back; which one opens cannot be known.
    """
    rng = np.random.default_rng(seed)
    pairs = ("()", "[]", "{}")
    written, waiting = [" "], list[str]()
    for draw, kind in zip(rng.random(characters), rng.integers(0, len(pairs), characters), strict=True):
        if not waiting and draw < 0.2 and written[-1] != " ":
            written.append(" ")
        elif not waiting or (draw < 0.5 and len(waiting) < 8):
            written.append(pairs[kind][0])
            waiting.append(pairs[kind][1])
        else:
            written.append(waiting.pop())
    return "".join(written)


def _check(count: int, length: int, least: int) -> None:
    if count < 1 or length < least:
        raise InputError(f"count={count}, length={length}: expected at least 1 example and {least} steps")


def _parity_row(rng: np.random.Generator, length: int) -> tuple[str, str]:
    bits = rng.integers(0, 2, rng.integers(max(length // 2, 1), length, endpoint=True))
    return " ".join(map(str, bits)), "odd" if bits.sum() % 2 else "even"


def _copy_row(rng: np.random.Generator, length: int) -> tuple[str, str]:
    symbols = " ".join(ALPHABET[at] for at in rng.integers(0, len(ALPHABET), COPIED))
    return f"{symbols} {' '.join([BLANK] * length)}", symbols


def _adding(count: int, length: int, rng: np.random.Generator) -> Corpus:
    steps, sums = adding_batch(count, length, rng)
    return Corpus.of(
        pl.DataFrame(
            {
                "id": [str(at) for at in range(count)],
                "inputs": pl.Series(steps.tolist(), dtype=pl.List(pl.List(pl.Float64))),
                "target": sums,
            }
        )
    )


Row = Callable[[np.random.Generator], tuple[str, str]]


def _texts(count: int, rng: np.random.Generator, row: Row, part: str | None = None) -> Corpus:
    """`count` texts and their answers; of one part alone if `part` is given."""
    rows: list[tuple[str, str]] = []
    # A part holds a tenth of all texts or more: this many draws fail only where it holds none.
    for _ in range(100 * count + 1000):
        text, answer = row(rng)
        if part is None or _part_of(text) == part:
            rows.append((text, answer))
        if len(rows) == count:
            break
    else:
        raise InputError(f"the texts of this length are too few for a {part} part of their own: choose a larger length")
    inputs, targets = zip(*rows, strict=True)
    return Corpus.of(pl.DataFrame({"id": [str(at) for at in range(count)], "inputs": inputs, "target": targets}))


def _part_of(text: str) -> str:
    """Which part a text belongs to: eight in ten train, one valid, one test."""
    return {0: "valid", 1: "test"}.get(hashlib.sha256(text.encode()).digest()[0] % 10, "train")


def _streams(seed: int) -> dict[str, np.random.Generator]:
    if seed < 0:
        raise InputError(f"seed={seed}: expected 0 or more")
    spawned = np.random.SeedSequence(seed).spawn(len(PARTS))
    return {part: np.random.default_rng(stream) for part, stream in zip(PARTS, spawned, strict=True)}


def _sizes(count: int) -> dict[str, int]:
    rest = max(count // 5, 1)
    return {"train": count, "valid": rest, "test": rest}


def parity_parts(count: int, length: int, seed: int) -> dict[str, Corpus]:
    """Parity in three parts without a text in common."""
    _check(count, length, 1)
    streams = _streams(seed)
    return {
        part: _texts(size, streams[part], lambda rng: _parity_row(rng, length), part)
        for part, size in _sizes(count).items()
    }


def copy_parts(count: int, length: int, seed: int) -> dict[str, Corpus]:
    """Copying in three parts without a text in common."""
    _check(count, length, 1)
    streams = _streams(seed)
    return {
        part: _texts(size, streams[part], lambda rng: _copy_row(rng, length), part)
        for part, size in _sizes(count).items()
    }


def adding_parts(count: int, length: int, seed: int) -> dict[str, Corpus]:
    """Adding in three parts."""
    _check(count, length, 2)
    streams = _streams(seed)
    return {part: _adding(size, length, streams[part]) for part, size in _sizes(count).items()}


SYNTHETIC = {
    entry.name: entry
    for entry in (
        Synthetic(
            "parity",
            "Whether a text of 0 and 1 holds an odd or an even number of ones.",
            "classification",
            "Chance: accuracy 0.5.",
            parity_parts,
        ),
        Synthetic(
            "copy",
            "Ten letters to be written again after a stretch of blanks.",
            "translation",
            "Chance: 2.08 nats and accuracy 0.125 per symbol.",
            copy_parts,
        ),
        Synthetic(
            "adding",
            "The sum of the two marked values of a sequence.",
            "regression",
            "Chance: mean squared error 0.1667.",
            adding_parts,
        ),
    )
}
