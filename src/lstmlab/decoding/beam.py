"""Beam search: of each source the k likeliest beginnings are carried on side by side.

At every step the candidates of a source are ranked by log p. Those among the first k that end are put aside with their
score; the first k that do not end are carried on. Beams grow from one hypothesis, so no two are ever the same. What was
chosen where is kept as tables of parents and tokens, read backwards once at the end.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lstmlab.decoding import choices
from lstmlab.decoding.hypothesis import Hypothesis, Query, State, Step, Watched, alignments
from lstmlab.decoding.settings import length_divisor

LEAVE = 8
"""Sources that are done leave once they are this part of the batch: moving a state has its price too."""


@dataclass(frozen=True)
class Move:
    """Candidates of one step for N sources, the likeliest first. Unused places have log p -inf."""

    parents: Int[Tensor, "N K"]
    """Which hypothesis each carries on."""
    tokens: Int[Tensor, "N K"]
    log_p: Float[Tensor, "N K"]


@dataclass(frozen=True)
class Kept:
    """Hypotheses put aside at one step: the places they held in the beam before it. Unused ones have log p -inf."""

    length: int
    """Tokens, which is the step's number too."""
    finished: bool
    sources: Int[Tensor, "N"]
    places: Int[Tensor, "N K"]
    log_p: Float[Tensor, "N K"]


@dataclass
class Beams:
    """What is known of a batch. The first axis of its tensors are the sources still there, the second their beams."""

    query: Query
    sources: Int[Tensor, "N"]
    log_p: Float[Tensor, "N W"]
    tokens: Int[Tensor, "N W"]
    history: Int[Tensor, "N W T"]
    """Tokens so far; kept up only where n-grams are blocked."""
    best: Float[Tensor, "N M"]
    """The n best finished scores."""
    count: Int[Tensor, "N"]
    """How many have finished."""
    present: list[Tensor] = field(default_factory=list)
    """By step: the sources that were there."""
    watched: list[Tensor | None] = field(default_factory=list)
    """By step: the alignment of all rows, where wanted."""
    moves: list[Move] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    @property
    def at(self) -> int:
        """The step: how many tokens each hypothesis has."""
        return len(self.moves)

    @property
    def limits(self) -> Int[Tensor, "N"]:
        """The largest number of tokens of each source."""
        return self.query.limits[self.sources]


def search(step: Step, state: State, query: Query) -> list[list[Hypothesis]]:
    """The n best of each source, finished ones first."""
    beams = _start(query)
    while True:
        tokens = beams.tokens.flatten()
        logits, state, weights = step(tokens, state)
        choices.check_shapes(logits, tokens, query)
        beams.present.append(beams.sources)
        beams.watched.append(weights if query.keep_alignment else None)
        move, ended = _extend(beams, logits)
        done = _settle(beams, move, ended)
        left = len(done) - int(done.sum())
        if left < len(done):
            _cut(beams, ended, done)
        if left == 0:
            return _told(beams)
        leave = (len(done) - left) * LEAVE >= len(done)
        stay = (~done).nonzero()[:, 0] if leave else None
        rows = _advance(beams, move, done, stay)
        regroup = getattr(state, "regroup", None)
        state = state.select(rows) if regroup is None else regroup(rows, stay)


def _start(query: Query) -> Beams:
    """One hypothesis for each source: the begin mark."""
    count, device = len(query.limits), query.device
    one = torch.zeros(count, 1, dtype=torch.long, device=device)
    return Beams(
        query,
        sources=torch.arange(count, device=device),
        log_p=one.double(),
        tokens=one + query.marks.begin,
        history=one[:, :, None][:, :, :0],
        best=torch.full((count, query.settings.n_best), -torch.inf, dtype=torch.float64, device=device),
        count=one[:, 0],
    )


def _extend(beams: Beams, logits: Tensor) -> tuple[Move, Move]:
    """The step's best candidates: those that are carried on, and those that end."""
    query, (sources, width) = beams.query, beams.log_p.shape
    size = query.settings.beam_size
    history = beams.history.flatten(0, 1) if query.settings.no_repeat_ngram else None
    block = choices.blocked(query, beams.at, beams.limits.repeat_interleave(width), history)
    # One choice of each hypothesis may be the end mark: k others are left even so.
    values, tokens = choices.choose(logits, block, lambda log_p, _: choices.top(log_p, size + 1))
    live = beams.log_p > -torch.inf
    choices.check(values[:, 0], live.flatten(), beams.sources.repeat_interleave(width), beams.at)
    each = values.shape[1]
    totals = beams.log_p[:, :, None] + values.double().view(sources, width, each)
    totals = totals.masked_fill(~live[:, :, None], -torch.inf).flatten(1)
    log_p, places = choices.top(totals, 2 * size)
    tokens, parents = tokens.reshape(sources, -1).gather(1, places), places // each
    ends = tokens == query.marks.end
    ended = Move(parents[:, :size], tokens[:, :size], log_p.masked_fill(~ends, -torch.inf)[:, :size])
    # A stable sort by "ends or not" brings the others to the front, in their order.
    order = ends.byte().sort(dim=-1, stable=True).indices[:, :size]
    log_p = log_p.masked_fill(ends, -torch.inf).gather(1, order)
    return Move(parents.gather(1, order), tokens.gather(1, order), log_p), ended


def _settle(beams: Beams, move: Move, ended: Move) -> Bool[Tensor, "N"]:
    """Put aside what has ended. Which sources are done?"""
    settings, limits, length = beams.query.settings, beams.limits, beams.at
    divisor = length_divisor(float(length + 1), settings.length_penalty)
    beams.kept.append(Kept(length, True, beams.sources, ended.parents, ended.log_p))
    beams.best = torch.cat([beams.best, ended.log_p / divisor], 1).topk(settings.n_best, -1).values
    beams.count = beams.count + (ended.log_p > -torch.inf).sum(1)
    leader, worst = move.log_p[:, 0], beams.best[:, -1]
    if settings.stopping == "exact" and settings.beam_size > 1:
        # log p only falls, and no divisor is larger than that of the longest answer.
        hopeless = leader / length_divisor(limits.double() + 1, settings.length_penalty) <= worst
    else:
        now = leader / divisor
        hopeless = (now <= worst) | ((beams.count >= settings.beam_size) & (now <= beams.best[:, 0]))
    return (leader == -torch.inf) | (limits <= length) | (hopeless & (worst > -torch.inf))


def _cut(beams: Beams, ended: Move, done: Tensor) -> None:
    """Where a source is done and too few have ended, what the beam held is an answer, except what has just ended."""
    short = done & (beams.count < beams.query.settings.n_best)
    (sources, width), true = beams.log_p.shape, ended.log_p > -torch.inf
    gone = torch.zeros(sources, width + 1, dtype=torch.bool, device=done.device)
    gone.scatter_(1, ended.parents.masked_fill(~true, width), True)
    log_p = beams.log_p.masked_fill(gone[:, :width] | ~short[:, None], -torch.inf)
    places = torch.arange(width, device=done.device).expand(sources, width)
    beams.kept.append(Kept(beams.at, False, beams.sources, places, log_p))


def _advance(beams: Beams, move: Move, done: Tensor, stay: Tensor | None) -> Tensor:
    """Carry on. Gives the rows [R] that the state's next rows come from; `stay`: the sources that do, None for all."""
    sources, width = beams.log_p.shape
    rows = torch.arange(sources, device=done.device)[:, None] * width + move.parents
    if beams.query.settings.no_repeat_ngram:
        past = beams.history.gather(1, move.parents[:, :, None].expand(-1, -1, beams.at))
        beams.history = torch.cat([past, move.tokens[:, :, None]], 2)
    beams.moves.append(move)
    beams.tokens, beams.log_p = move.tokens, move.log_p.masked_fill(done[:, None], -torch.inf)
    if stay is not None:
        rows, beams.sources, beams.tokens, beams.log_p = (
            rows[stay],
            beams.sources[stay],
            beams.tokens[stay],
            beams.log_p[stay],
        )
        beams.best, beams.count = beams.best[stay], beams.count[stay]
        beams.history = beams.history[stay] if beams.query.settings.no_repeat_ngram else beams.history
    return rows.flatten()


@dataclass(frozen=True)
class Answers:
    """The hypotheses that are told, source by source, best first; all arrays [A]."""

    source: np.ndarray
    length: np.ndarray
    place: np.ndarray
    """In the beam before the step that ended it."""
    log_p: np.ndarray
    finished: np.ndarray
    score: np.ndarray

    def take(self, which: np.ndarray) -> "Answers":
        """Some of them, in this order."""
        return Answers(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def _answers(beams: Beams) -> Answers:
    """The n best of each source from all that was put aside; of equals what came first."""
    settings, parts = beams.query.settings, []
    for kept in beams.kept:
        log_p = kept.log_p.cpu().numpy()
        rows, columns = np.nonzero(log_p > -np.inf)
        same = np.ones(len(rows), dtype=np.int64)
        sources, places = kept.sources.cpu().numpy()[rows], kept.places.cpu().numpy()[rows, columns]
        parts.append((sources, same * kept.length, places, log_p[rows, columns], same.astype(bool) & kept.finished))
    source, length, place, value, finished = (np.concatenate(column) for column in zip(*parts, strict=True))
    score = value / length_divisor(length + finished, settings.length_penalty)
    found = Answers(source, length, place, value, finished, score)
    found = found.take(np.lexsort((-found.score, ~found.finished, found.source)))
    rank = np.arange(len(source)) - np.searchsorted(found.source, found.source)
    return found.take(rank < settings.n_best)


def _told(beams: Beams) -> list[list[Hypothesis]]:
    """Every answer read backwards through the beam's tables."""
    answers = _answers(beams)
    count, longest = len(answers.source), int(answers.length.max())
    tokens, place = np.zeros((count, longest), dtype=np.int64), answers.place.copy()
    watched, position = [], np.zeros(len(beams.query.limits), dtype=np.int64)
    for at in range(longest, -1, -1):
        present = beams.present[at].cpu().numpy()
        position[present] = np.arange(len(present))
        longer = answers.length > at
        if at < longest:
            move, where = beams.moves[at], (position[answers.source[longer]], place[longer])
            tokens[longer, at] = move.tokens.cpu().numpy()[where]
            place[longer] = move.parents.cpu().numpy()[where]
        weights = beams.watched[at]
        if weights is not None:
            seen = np.nonzero(longer | (answers.finished & (answers.length == at)))[0]
            rows = position[answers.source[seen]] * (len(weights) // len(present)) + place[seen]
            watched.append(Watched(at, torch.from_numpy(seen), weights.cpu()[torch.from_numpy(rows)]))
    table = alignments(count, watched)
    told: list[list[Hypothesis]] = [[] for _ in position]
    for i, (source, length, finished) in enumerate(zip(answers.source, answers.length, answers.finished, strict=True)):
        alignment = None if table is None else table[i, : length + finished]
        found = tuple(tokens[i, :length].tolist())
        told[source].append(
            Hypothesis(found, float(answers.log_p[i]), float(answers.score[i]), bool(finished), alignment)
        )
    return told
