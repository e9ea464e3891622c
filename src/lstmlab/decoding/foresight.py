"""The likeliest words to come, each with its whole probability, however many tokens it is spelled with.

Letters in shapes: R prefixes, V vocabulary.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

S = TypeVar("S")

WIDTH = 256
"""Beginnings of words that are spelled on side by side; less likely ones are left out."""
LONGEST = 50
"""Tokens of a word at most: in a text without blanks none would end."""


class Foreseen(NamedTuple):
    """A word and how likely it is to come next."""

    tokens: tuple[int, ...]
    probability: float


def likeliest(
    step: Callable[[Int[Tensor, "R"], S], tuple[Float[Tensor, "R V"], S]],
    select: Callable[[S, Int[Tensor, "R"]], S],
    logits: Float[Tensor, "1 V"],
    state: S,
    *,
    opening: Bool[Tensor, "V"],
    inner: Bool[Tensor, "V"],
    never: Sequence[int] = (),
    count: int = 10,
) -> list[Foreseen]:
    """At most `count` words, likeliest first.

    A word begins with any token. One that begins with an `opening` token goes on as long as `inner` ones follow, and
    its probability is that of its tokens times that of something else after them; any other token is a word by itself.
    What is left out is less likely than the last word given, but for beginnings beyond WIDTH at a time and words of
    more than LONGEST tokens.
    """
    first = _shares(logits, never)[0]
    alone = torch.where(opening, 0, first)
    done = [Foreseen((int(at),), float(alone[at])) for at in alone.topk(min(count, len(alone))).indices]
    begun = torch.where(opening, first, 0)
    shares, tokens = begun.topk(min(WIDTH, len(begun)))
    rows, spelled = torch.zeros_like(tokens), [(int(token),) for token in tokens]
    for _ in range(LONGEST):
        done = sorted(done, key=lambda one: -one.probability)[:count]
        least = done[-1].probability if len(done) == count else 0.0
        kept = (shares > max(least, 1e-12)).nonzero()[:, 0]
        if not len(kept):
            break
        rows, tokens, shares = rows[kept], tokens[kept], shares[kept]
        spelled = [spelled[at] for at in kept.tolist()]
        logits, state = step(tokens, select(state, rows))
        following = _shares(logits, never) * shares[:, None]
        ends = following.masked_fill(inner, 0).sum(1)
        done += [Foreseen(word, share) for word, share in zip(spelled, ends.tolist(), strict=True)]
        on = following.masked_fill(~inner, 0).flatten()
        shares, places = on.topk(min(WIDTH, len(on)))
        rows, tokens = places // following.shape[1], places % following.shape[1]
        spelled = [(*spelled[row], token) for row, token in zip(rows.tolist(), tokens.tolist(), strict=True)]
    return [one for one in sorted(done, key=lambda one: -one.probability)[:count] if one.probability > 0]


def _shares(logits: Float[Tensor, "R V"], never: Sequence[int]) -> Float[Tensor, "R V"]:
    """Probabilities of the model, zero for tokens that are never said."""
    found = logits.double().softmax(1)
    found[:, list(never)] = 0
    return found
