"""One step's choice: log p of every token, less what is forbidden, and the best of them.

No row knows of another, to the bit. torch.topk leaves open which of several equal values it takes; here the first
column wins, always.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lstmlab.decoding.hypothesis import Query

Pick = Callable[[Tensor, slice], tuple[Tensor, Tensor]]
"""(log p [N V] of some rows, which rows these are) → chosen log p [N M] and tokens [N M]. It may not keep the first."""

CHUNK = 1 << 22
"""Numbers worked on at once. Much more than the caches hold costs page faults: twice the time and more (measured)."""
BLOCK = 64


@dataclass(frozen=True)
class Blocked:
    """What no hypothesis may choose at a step."""

    end: int
    tokens: Int[Tensor, "M"]
    """Forbidden to all rows."""
    early: Bool[Tensor, "N"] | None = None
    """Rows that are too short to end."""
    repeated: tuple[Int[Tensor, "C"], Int[Tensor, "C"]] | None = None
    """Pairs of a row and a token that would repeat an n-gram there."""

    def rows(self, part: slice) -> "Blocked":
        """The same for some of the rows."""
        early = None if self.early is None else self.early[part]
        if self.repeated is None:
            return Blocked(self.end, self.tokens, early)
        rows, tokens = self.repeated
        inside = (rows >= part.start) & (rows < part.stop)
        return Blocked(self.end, self.tokens, early, (rows[inside] - part.start, tokens[inside]))

    def strike(self, scores: Float[Tensor, "N V"]) -> None:
        """Set what is forbidden to -inf, in place."""
        scores[:, self.tokens] = -torch.inf
        if self.early is not None:
            scores[self.early, self.end] = -torch.inf
        if self.repeated is not None:
            scores[self.repeated] = -torch.inf


def blocked(query: Query, step: int, limits: Int[Tensor, "N"], history: Int[Tensor, "N T"] | None) -> Blocked:
    """What is forbidden at this step to rows with these limits and, for n-grams, these tokens so far."""
    forbidden = torch.tensor(query.marks.forbidden, dtype=torch.long, device=limits.device)
    early = limits > step if step < query.settings.min_length else None
    repeated = None if history is None else repeats(history, query.settings.no_repeat_ngram)
    return Blocked(query.marks.end, forbidden, early, repeated)


def repeats(history: Int[Tensor, "N T"], size: int) -> tuple[Int[Tensor, "C"], Int[Tensor, "C"]] | None:
    """Pairs of a row and a token that would complete an n-gram of this size which the row already holds."""
    length = history.shape[1]
    if length < size:
        return None
    following = history[:, size - 1 :]
    if size == 1:
        seen = torch.ones_like(following, dtype=torch.bool)
    else:
        windows = history[:, : length - 1].unfold(1, size - 1, 1)
        seen = (windows == history[:, None, length - size + 1 :]).all(-1)
    rows, places = seen.nonzero(as_tuple=True)
    return rows, following[rows, places]


def choose(logits: Float[Tensor, "N V"], block: Blocked, pick: Pick) -> tuple[Float[Tensor, "N M"], Int[Tensor, "N M"]]:
    """The model's log p of the picked tokens, and the tokens. NaN marks a row whose logits are no distribution; -inf a
    token that cannot be. Where all else is forbidden the end mark is not, however short the row.
    """
    rows, size = logits.shape
    dtype = torch.promote_types(logits.dtype, torch.float32)
    height = rows if logits.is_cuda else min(rows, max(1, CHUNK // size))
    space = torch.empty(height, size, dtype=dtype, device=logits.device)
    found = []
    for start in range(0, rows, height):
        part = slice(start, min(start + height, rows))
        log_p = space[: part.stop - start]
        torch.log_softmax(logits[part].to(dtype), -1, out=log_p)
        found.append(_choose(log_p, part, block if height == rows else block.rows(part), pick))
    if len(found) == 1:
        return found[0]
    return torch.cat([values for values, _ in found]), torch.cat([tokens for _, tokens in found])


def _choose(log_p: Tensor, part: slice, block: Blocked, pick: Pick) -> tuple[Tensor, Tensor]:
    end = log_p[:, block.end].clone()
    broken = log_p[:, 0].isnan()
    block.strike(log_p)
    values, tokens = pick(log_p, part)
    stuck = values[:, 0] == -torch.inf
    values[:, 0] = torch.where(stuck, end, values[:, 0]).masked_fill(broken, torch.nan)
    tokens[:, 0] = torch.where(stuck, block.end, tokens[:, 0])
    return values, tokens


def top(values: Float[Tensor, "N V"], count: int) -> tuple[Float[Tensor, "N M"], Int[Tensor, "N M"]]:
    """The `count` largest of each row (all, if there are fewer), largest first, of equal ones the first column."""
    count = min(count, values.shape[1])
    more = min(count + 1, values.shape[1])
    found, columns = _topk(values, more)
    # One more than wanted shows whether an equal value was left out as well.
    tied = ((found[:, 1:] == found[:, :-1]) & (found[:, 1:] > -torch.inf)).any(1)
    if bool(tied.any()):
        ordered, places = values[tied].sort(dim=-1, descending=True, stable=True)
        found[tied], columns[tied] = ordered[:, :more], places[:, :more]
    return found[:, :count], columns[:, :count]


def _topk(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """torch.topk; in long rows only among the blocks with the largest maxima, which hold the largest values."""
    rows, size = values.shape
    blocks = size // BLOCK
    if values.is_cuda or size < 4096 or blocks < 4 * count:
        found, columns = values.topk(count, -1)
        return found, columns
    whole = blocks * BLOCK
    body = values[:, :whole].unflatten(1, (blocks, BLOCK))
    best = body.amax(-1).topk(count, -1).indices
    taken = body[torch.arange(rows)[:, None], best].flatten(1)
    found, places = torch.cat([taken, values[:, whole:]], 1).topk(count, -1)
    inside = best.gather(1, (places // BLOCK).clamp(max=count - 1)) * BLOCK + places % BLOCK
    return found, torch.where(places < count * BLOCK, inside, places - count * BLOCK + whole)


def check(values: Float[Tensor, "N"], live: Bool[Tensor, "N"], sources: Int[Tensor, "N"], step: int) -> None:
    """Refuse logits that are no distribution, by the name of the source they belong to."""
    broken = values.isnan() & live
    if bool(broken.any()):
        row = int(sources[broken][0])
        raise ValueError(
            f"the model gave NaN or infinite logits for source {row} (counted from 0) at step {step} of the search"
        )


def check_shapes(logits: Tensor, tokens: Tensor, query: Query) -> None:
    """Refuse logits that are not [R V] with a column for every mark."""
    if logits.dim() != 2 or len(logits) != len(tokens):
        raise ValueError(f"logits are one row per token, [{len(tokens)} V]; the step gave {list(logits.shape)}")
    largest = max(query.marks.end, *query.marks.forbidden, 0)
    if largest >= logits.shape[1]:
        raise ValueError(f"the step gave logits of {logits.shape[1]} tokens, and there is a mark number {largest}")
