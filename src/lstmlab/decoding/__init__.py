"""Greedy, beam and sampled search over any step(tokens, state) → (logits, state, alignment). It knows no model.

What a source is answered does not depend on the batch it stands in: its scores, its ties (the lower token id wins) and
its random numbers are its own. Greedy search is a beam of 1; a beam as wide as everything there is is an exhaustive
search (both are laws in the tests).
"""

from collections.abc import Sequence

import torch

from lstmlab.decoding import beam, walk
from lstmlab.decoding.foresight import Foreseen, likeliest
from lstmlab.decoding.hypothesis import Hypothesis, Marks, Query, State, Step
from lstmlab.decoding.settings import SearchSettings, length_divisor
from lstmlab.decoding.stream import StreamSettings, stream

__all__ = [
    "search", "SearchSettings", "Marks", "Hypothesis", "Step", "State", "length_divisor",
    "stream", "StreamSettings", "likeliest", "Foreseen",
]  # fmt: skip


def search(
    step: Step,
    state: State,
    rows: int,
    settings: SearchSettings,
    marks: Marks,
    *,
    most: int | Sequence[int] | None = None,
    keep_alignment: bool = False,
    streams: Sequence[int] | None = None,
) -> list[list[Hypothesis]]:
    """For each of `rows` sources its n best hypotheses, best first; fewer where the search found fewer, never none.

    `state` comes with one row per source. Row r of a step's answer belongs to row r of its tokens and of its state.
    `most` is the largest number of tokens, for all or by source (never above settings.max_length). `streams` are the
    numbers of the sources' random streams (their places in the batch if not given): whoever cuts a data set into
    batches gives each source its place in the data set, and no answer depends on the cut. Alignments are kept where
    asked for and where the step gives some. Tokens travel on `state.device`, if there is such a thing.

    Call it inside torch.inference_mode(). Raises ValueError where the step gives NaN, infinity or another shape.
    """
    if rows == 0:
        return []
    limits = [settings.max_length] * rows
    if most is not None:
        given = [most] * rows if isinstance(most, int) else list(most)
        if len(given) != rows or min(given) < 0:
            raise ValueError(f"most needs one number from 0 up for each of {rows} sources, got {given}")
        limits = [min(one, settings.max_length) for one in given]
    if streams is not None and (len(streams) != rows or min(streams) < 0):
        raise ValueError(f"streams needs one number from 0 up for each of {rows} sources, got {list(streams)}")
    own = torch.tensor(limits, device=getattr(state, "device", "cpu"))
    query = Query(settings, marks, own, keep_alignment, range(rows) if streams is None else streams)
    if settings.method == "beam":
        return beam.search(step, state, query)
    if settings.method == "greedy":
        return walk.greedy(step, state, query)
    return walk.sample(step, state, query)
