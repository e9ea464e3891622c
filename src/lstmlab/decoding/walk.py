"""One hypothesis at a time for each row: greedy search, and drawing at random."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lstmlab.decoding import choices
from lstmlab.decoding.hypothesis import Hypothesis, Query, State, Step, Watched, alignments


@runtime_checkable
class Drawing(Protocol):
    """What `draw` asks of settings."""

    @property
    def temperature(self) -> float:
        """log p is divided by it."""
        ...

    @property
    def top_k(self) -> int:
        """So many of the likeliest tokens; 0 for all."""
        ...

    @property
    def top_p(self) -> float:
        """The fewest that hold this share."""
        ...


PickAt = Callable[[int, Int[Tensor, "N"]], choices.Pick]
"""(step, numbers of the rows that are still there) → how to pick one token for each."""

LEAVE = 8
"""Rows that are done leave once they are this part of the batch: moving a state costs about as much as a row's step."""


def greedy(step: Step, state: State, query: Query) -> list[list[Hypothesis]]:
    """The likeliest token, step by step."""

    def pick_at(_: int, __: Tensor) -> choices.Pick:
        return lambda log_p, _: choices.top(log_p, 1)

    return [[found] for found in _Walk(query, query.limits).run(step, state, pick_at)]


def sample(step: Step, state: State, query: Query) -> list[list[Hypothesis]]:
    """Draws from the model's distribution, the likeliest draw first. One uniform number makes one token.

    Sample i of a source reads Philox (Salmon et al. 2011) with the key (seed, its stream) from counter i 2^192 on.
    """
    settings, copies = query.settings, query.settings.n_best
    if copies > 1:
        state = state.select(torch.arange(len(query.limits), device=query.device).repeat_interleave(copies))
    limits = query.limits.repeat_interleave(copies)
    numbers = torch.from_numpy(uniforms(query)).to(query.device)

    def pick_at(at: int, rows: Tensor) -> choices.Pick:
        return lambda log_p, part: draw(log_p, numbers[rows[part], at], settings)

    found = _Walk(query, limits).run(step, state, pick_at)
    sources = [found[at : at + copies] for at in range(0, len(found), copies)]
    return [sorted(samples, key=lambda one: -one.score) for samples in sources]


def uniforms(query: Query) -> np.ndarray:
    """Random numbers [R T] from 0 up to, not including, 1: for every sample of every source one for each step."""
    settings, steps = query.settings, query.longest + 1
    keys = [np.array([settings.seed, stream], dtype=np.uint64) for stream in query.streams]
    starts = [np.array([0, 0, 0, number], dtype=np.uint64) for number in range(settings.n_best)]
    streams = [np.random.Philox(key=key, counter=start) for key in keys for start in starts]
    return np.stack([np.random.Generator(stream).random(steps) for stream in streams])


def draw(
    log_p: Float[Tensor, "N V"], uniform: Float[Tensor, "N"], settings: Drawing
) -> tuple[Float[Tensor, "N 1"], Int[Tensor, "N 1"]]:
    """One token for each row by inverting the distribution function; temperature, then top_k, then top_p."""
    values, tokens = log_p, None
    if 0 < settings.top_k < log_p.shape[1]:
        values, tokens = choices.top(log_p, settings.top_k)
    # In a row without a choice all are -inf: their differences are NaN, its first token is as good as any.
    weights = ((values - values.amax(-1, keepdim=True)) / settings.temperature).exp_().nan_to_num_(nan=0.0)
    if settings.top_p < 1:
        kept, places = _nucleus(weights, settings.top_p)
        weights, tokens = kept, places if tokens is None else tokens.gather(1, places)
    below = weights.cumsum(-1, dtype=torch.float64)
    total = below[:, -1:]
    wanted = torch.minimum(uniform[:, None] * total, total.nextafter(torch.zeros_like(total)))
    place = torch.searchsorted(below, wanted, right=True).clamp(max=below.shape[1] - 1)
    token = place if tokens is None else tokens.gather(1, place)
    return log_p.gather(1, token), token


def _nucleus(weights: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """The fewest largest weights that hold this share of a row's sum (zero past them), and their places."""
    wanted = weights.sum(-1, dtype=torch.float64, keepdim=True) * share
    largest, places = choices.top(weights, 64)
    far = (largest.sum(-1, dtype=torch.float64, keepdim=True) < wanted)[:, 0]
    if bool(far.any()):
        # A row that needs more of them than a sure model's is sorted whole.
        few, first = largest, places
        largest, places = torch.zeros_like(weights), torch.zeros(weights.shape, dtype=torch.long, device=weights.device)
        largest[:, : few.shape[1]], places[:, : few.shape[1]] = few, first
        largest[far], places[far] = weights[far].sort(dim=-1, descending=True, stable=True)
    before = largest.cumsum(-1, dtype=torch.float64) - largest
    return torch.where(before < wanted, largest, 0), places


@dataclass
class _Walk:
    """What is known of all rows while they walk."""

    query: Query
    limits: Int[Tensor, "N"]
    watched: list[Watched] = field(default_factory=list)

    def run(self, step: Step, state: State, pick_at: PickAt) -> list[Hypothesis]:
        """One hypothesis for each row."""
        query, count, device = self.query, len(self.limits), self.query.device
        tokens = torch.zeros(count, query.longest + 1, dtype=torch.long, device=device)
        lengths, finished = torch.zeros_like(self.limits), torch.zeros_like(self.limits, dtype=torch.bool)
        log_p = torch.zeros(count, dtype=torch.float64, device=device)
        rows, live = torch.arange(count, device=device), torch.ones_like(finished)
        last, at = torch.full_like(rows, query.marks.begin), 0
        while True:
            logits, state, weights = step(last, state)
            choices.check_shapes(logits, last, query)
            if query.keep_alignment and weights is not None:
                self.watched.append(Watched(at, rows.cpu(), weights.cpu()))
            history = tokens[rows, :at] if query.settings.no_repeat_ngram else None
            block = choices.blocked(query, at, self.limits[rows], history)
            picked, chosen = choices.choose(logits, block, pick_at(at, rows))
            value, last = picked[:, 0], chosen[:, 0]
            choices.check(value, live, rows // (count // len(query.limits)), at)
            ends = live & (last == query.marks.end) & (value > -torch.inf)
            live = live & (last != query.marks.end) & (value > -torch.inf) & (self.limits[rows] > at)
            tokens[rows, at] = last
            finished[rows], lengths[rows] = finished[rows] | ends, lengths[rows] + live
            log_p[rows] += torch.where(live | ends, value.double(), 0)
            at, left = at + 1, int(live.sum())
            if left == 0:
                return self._told(tokens, lengths, log_p, finished)
            if (len(rows) - left) * LEAVE >= len(rows):
                stay = live.nonzero()[:, 0]
                rows, last, live, state = rows[stay], last[stay], live[stay], state.select(stay)

    def _told(self, tokens: Tensor, lengths: Tensor, log_p: Tensor, finished: Tensor) -> list[Hypothesis]:
        table = alignments(len(tokens), self.watched)
        told = zip(tokens.tolist(), lengths.tolist(), log_p.tolist(), finished.tolist(), strict=True)
        return [
            Hypothesis(tuple(row[:n]), value, value, done, None if table is None else table[at, : n + done])
            for at, (row, n, value, done) in enumerate(told)
        ]
