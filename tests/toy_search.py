"""Toy models for searches, and searches written plainly: what the fast ones are held against."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from lstmlab.decoding import Hypothesis, Marks, SearchSettings, search

BEGIN, END = 0, 1
MARKS = Marks(BEGIN, END, (BEGIN,))


@dataclass(frozen=True)
class Toy:
    """A model and its state in one: logits hang on the source, the step and the last token, and on no batch."""

    numbers: Tensor
    """[sources, V] random numbers; a step reads them turned by its number and the last token."""
    keys: Tensor
    """Which source each row is."""
    at: int = 0
    grouped: bool = False

    def select(self, rows: Tensor) -> "Toy":
        return replace(self, keys=self.keys[rows])

    def logits(self, key: int, prefix: tuple[int, ...]) -> Tensor:
        """[V], the slow way: for one hypothesis."""
        last = prefix[-1] if prefix else BEGIN
        turned = self.numbers[key].roll(-(31 * len(prefix) + 17 * last * (key + 1)), 0)
        return turned * factor(len(prefix), torch.tensor(last)).to(turned.dtype)


def factor(at: int, last: Tensor) -> Tensor:
    """Keeps two ways to the same numbers from being as likely as each other."""
    return 1 + 0.07 * at + 0.013 * last.double()


def toy(sources: int, size: int, seed: int, spread: float = 2.0) -> Toy:
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.randn(sources, size, generator=generator, dtype=torch.float64) * spread
    return Toy(numbers, torch.arange(sources))


def step(tokens: Tensor, state: Toy) -> tuple[Tensor, Toy, Tensor]:
    size = state.numbers.shape[1]
    turned = torch.arange(size) + (31 * state.at + 17 * tokens * (state.keys + 1))[:, None]
    # The alignment tells the last token and the source, so that a test can see whose it is.
    alignment = torch.stack([tokens, state.keys, torch.full_like(tokens, state.at)], 1).double()
    logits = state.numbers[state.keys].gather(1, turned % size)
    logits = logits * factor(state.at, tokens)[:, None].to(logits.dtype)
    return logits, replace(state, at=state.at + 1), alignment


def run(model: Toy, settings: SearchSettings, marks: Marks = MARKS, **more: object) -> list[list[Hypothesis]]:
    return search(step, model, len(model.keys), settings, marks, **more)  # type: ignore[arg-type]


def divisor(length: int, alpha: float) -> float:
    return math.pow((5 + length) / 6, alpha)


def allowed(prefix: tuple[int, ...], size: int, limit: int, settings: SearchSettings, marks: Marks) -> list[int]:
    """The tokens that may follow."""
    n = settings.no_repeat_ngram
    held = {prefix[i : i + n] for i in range(len(prefix) - n + 1)} if n else set()
    found = []
    for token in range(size):
        again = n > 0 and token != END and len(prefix) >= n - 1 and (*prefix, token)[len(prefix) + 1 - n :] in held
        early = token == END and len(prefix) < min(settings.min_length, limit)
        if token not in marks.forbidden and not again and not early:
            found.append(token)
    return found or [END]


class Plain(NamedTuple):
    """A hypothesis without its alignment."""

    tokens: tuple[int, ...]
    log_p: float
    score: float
    finished: bool


def plain(found: list[Hypothesis]) -> list[Plain]:
    return [Plain(one.tokens, one.log_probability, one.score, one.finished) for one in found]


def everything(model: Toy, key: int, limit: int, settings: SearchSettings, marks: Marks = MARKS) -> list[Plain]:
    """All finished answers there are, best first."""

    def follow(prefix: tuple[int, ...], log_p: float) -> Iterator[Plain]:
        values = model.logits(key, prefix).log_softmax(0)
        for token in allowed(prefix, len(values), limit, settings, marks):
            total = log_p + values[token].item()
            if token == END:
                yield Plain(prefix, total, total / divisor(len(prefix) + 1, settings.length_penalty), True)
            elif len(prefix) < limit:
                yield from follow((*prefix, token), total)

    return sorted(follow((), 0.0), key=lambda one: -one.score)


def slow_beam(model: Toy, key: int, limit: int, settings: SearchSettings, marks: Marks = MARKS) -> list[Plain]:
    """Beam search of one source, hypothesis by hypothesis."""
    size, alpha, best = settings.beam_size, settings.length_penalty, settings.n_best
    live: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    ended: list[Plain] = []
    for length in itertools.count():
        candidates = []
        for prefix, log_p in live:
            values = model.logits(key, prefix).log_softmax(0)
            tokens = allowed(prefix, len(values), limit, settings, marks)
            candidates += [(prefix, token, log_p + values[token].item()) for token in tokens]
        candidates.sort(key=lambda one: -one[2])
        now = [one for one in candidates[:size] if one[1] == END]
        ended += [Plain(prefix, value, value / divisor(length + 1, alpha), True) for prefix, _, value in now]
        ended.sort(key=lambda one: -one.score)
        before, live = live, [((*one[0], one[1]), one[2]) for one in candidates if one[1] != END][:size]
        worst = ended[best - 1].score if len(ended) >= best else -math.inf
        exact = settings.stopping == "exact" and size > 1
        hope = live[0][1] / divisor(limit + 1 if exact else length + 1, alpha) if live else -math.inf
        full = not exact and len(ended) >= size and hope <= ended[0].score
        if length == limit or not live or hope <= worst or full:
            rest = [one for one in before if one[0] not in [prefix for prefix, _, _ in now]]
            cut = [Plain(prefix, value, value / divisor(length, alpha), False) for prefix, value in rest]
            return (ended + cut)[:best]
    raise AssertionError
