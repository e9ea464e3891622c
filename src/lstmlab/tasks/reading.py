"""A language model reading a text from beginning to end: what each token costs, and which cost most.

Letters in shapes: N tokens, M lines, R rows read side by side, T steps.
"""

import copy
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from lstmlab.cells import State
from lstmlab.data.text import TextEncoder
from lstmlab.nn.language_model import LanguageModel
from lstmlab.types import Padded

ROWS = 32
"""Places of a text read side by side at most."""
STRETCH = 1000
"""Fewest tokens for each of them."""
RUN_UP = 256
"""Tokens read, and not scored, before each place but the first: what is before a token is known to it."""
STEPS = 256
"""Tokens of each row read at once."""


class Read(NamedTuple):
    """What a text cost, line by line."""

    outputs: Float[np.ndarray, "M 3"]
    """Nats, tokens rightly foreseen, tokens."""
    nats: Float[np.ndarray, "M"]
    tokens: int
    """In all."""


def read(model: LanguageModel, stream: Int[np.ndarray, "_"], offsets: Int[np.ndarray, "_"]) -> Read:
    """Every line of a text (tokens `offsets[i]` to `offsets[i + 1]` of those after the stream's first mark)."""
    nats, right = tokens(model, stream)
    sums = [np.concatenate([[0], np.cumsum(one, dtype=np.float64)]) for one in (nats, right)]
    found = [one[offsets[1:]] - one[offsets[:-1]] for one in sums]
    outputs = np.stack([*found, np.diff(offsets)], 1).astype(np.float32)
    return Read(outputs, found[0], len(nats))


@torch.inference_mode()
def tokens(model: LanguageModel, stream: Int[np.ndarray, "_"]) -> tuple[Float[np.ndarray, "N"], Bool[np.ndarray, "N"]]:
    """-log p of every token after the stream's first, and whether it was the likeliest.

    Long texts are read at several places side by side, each place but the first after a run-up.
    """
    model.eval()
    device = next(model.parameters()).device
    total = len(stream) - 1
    rows = max(1, min(ROWS, total // STRETCH))
    length = -(-total // rows)
    starts = length * np.arange(rows)
    state = _run_up(model, stream, starts, device)
    nats, right = np.zeros(total), np.zeros(total, bool)
    for at in range(0, length, STEPS):
        steps = min(STEPS, length - at)
        places = starts[:, None] + at + np.arange(steps)
        there = np.minimum(places, total - 1)
        left = np.clip(total - starts - at, 0, steps)
        inputs = Padded(torch.from_numpy(stream[there]), torch.from_numpy(left)).masked().to(device)
        told, state = model(inputs, torch.from_numpy(stream[there + 1]).to(device), state)
        mask = places < total
        nats[places[mask]] = told.nats.double().cpu().numpy()
        right[places[mask]] = told.right.cpu().numpy()
    return nats, right


def _run_up(
    model: LanguageModel, stream: Int[np.ndarray, "_"], starts: Int[np.ndarray, "R"], device: torch.device
) -> State | None:
    """The states in which the rows begin: the first as at the beginning of a text."""
    if len(starts) == 1:
        return None
    before = np.minimum(starts, RUN_UP)
    places = (starts - before)[:, None] + np.arange(RUN_UP)
    inputs = Padded(torch.from_numpy(stream[np.minimum(places, len(stream) - 1)]), torch.from_numpy(before))
    return model.read(inputs.masked().to(device))[1]


MOST = 50_000
"""Tokens of the test part that are looked at one by one."""
LISTED = 40
PASSAGE = {"character": 600, "subword": 200, "word": 120}
"""Tokens of the passage that is shown token by token."""


def details(model: LanguageModel, encoder: TextEncoder, stream: Int[np.ndarray, "_"]) -> dict[str, Any]:
    """The tokens that cost most in all, with how often they come and what each costs; and a passage token by token."""
    some = stream[: MOST + 1]
    nats, _ = tokens(model, some)
    truth = some[1:]
    counts = np.bincount(truth, minlength=encoder.size)
    sums = np.bincount(truth, nats, minlength=encoder.size)
    costly = np.argsort(-sums, kind="stable")[:LISTED]
    costly = costly[counts[costly] > 0]
    count = PASSAGE[encoder.settings.level]
    first = max(0, (len(truth) - count) // 2)
    shown = slice(first, first + count)
    return {
        "looked_at": len(truth),
        "costly": [
            {
                "token": name,
                "count": int(counts[at]),
                "nats": float(sums[at] / counts[at]),
                "share": float(sums[at] / sums.sum()),
            }
            for at, name in zip(costly, encoder.tokens(costly), strict=True)
        ],
        "passage": {"tokens": encoder.tokens(truth[shown]), "nats": nats[shown].round(3).tolist()},
    }


def dynamic(model: LanguageModel, stream: Int[np.ndarray, "_"], rate: float, steps: int) -> float:
    """Nats of a text in all when the model goes on learning from each stretch of `steps` tokens it has been scored on.

    Dynamic evaluation (Mikolov et al. 2010; Krause et al. 2018) by plain gradient descent, the gradient's norm held to
    1 at most; after each stretch RETURN of the way back to the trained weights. The given model stays as it is.
    """
    learner = copy.deepcopy(model).eval()
    device = next(learner.parameters()).device
    trained = [weight.detach().clone() for weight in learner.parameters()]
    optimizer = torch.optim.SGD(learner.parameters(), lr=rate)
    total, state = 0.0, None
    for at in range(0, len(stream) - 1, steps):
        part = torch.from_numpy(stream[at : at + steps + 1]).to(device)[None]
        inputs = Padded(part[:, :-1], torch.tensor([part.shape[1] - 1], device=device))
        told, after = learner(inputs, part[:, 1:], state)
        total += float(told.nats.double().sum())
        optimizer.zero_grad()
        told.smoothed.mean().backward()
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(learner.parameters()), trained, RETURN)
        state = after.map(torch.Tensor.detach)
    return total


RETURN = 1e-3
"""Dynamic evaluation: how far the weights go back to the trained ones after each stretch."""
