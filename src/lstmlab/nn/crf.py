"""A linear-chain conditional random field: tags that know their neighbours (Lafferty et al. 2001; Lample et al. 2016).

The score of a tagging is the sum of its emissions, of its transitions, and of how it starts and ends. Everything is
computed in log space, so that no likely tagging is lost to rounding, however unlikely it is beside others.
Letters in shapes: B batch, T steps, K tags.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lstmlab.types import Padded

NEVER = -1e9
"""The score of what is forbidden: far below any other, and still a number."""


@dataclass(frozen=True)
class Allowed:
    """Which tags may begin a sequence, follow each other (from row to column), and end it."""

    start: Bool[Tensor, "K"]
    between: Bool[Tensor, "K K"]
    end: Bool[Tensor, "K"]

    @classmethod
    def everything(cls, tags: int) -> "Allowed":
        """No constraint."""
        every = torch.ones(tags, dtype=torch.bool)
        return cls(every, every.expand(tags, tags).clone(), every)


class CRF(nn.Module):
    """Emissions [B T K] to taggings: their likelihood, the best of them, and the probability of each tag."""

    never_start: Tensor
    never_between: Tensor
    never_end: Tensor

    def __init__(self, tags: int, allowed: Allowed | None = None) -> None:
        super().__init__()
        allowed = allowed or Allowed.everything(tags)
        self.start, self.end = (nn.Parameter(torch.zeros(tags)) for _ in range(2))
        self.between = nn.Parameter(torch.zeros(tags, tags))
        for name in ("start", "between", "end"):
            mask = getattr(allowed, name)
            self.register_buffer(f"never_{name}", torch.zeros(mask.shape).masked_fill_(~mask, NEVER), persistent=False)

    def _scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Start [K], transitions [K K] and end [K], with what is forbidden."""
        return self.start + self.never_start, self.between + self.never_between, self.end + self.never_end

    def loss(self, emissions: Padded, tags: Int[Tensor, "B T"]) -> Float[Tensor, "B"]:
        """-log p(tags | emissions) in nats, row by row; zero for an empty row."""
        scores = self._scores()
        log_sum = _LogSum.apply(emissions.values, *scores, emissions.lengths)
        return log_sum - self._score(emissions, tags, *scores)

    def _score(self, emissions: Padded, tags: Tensor, start: Tensor, between: Tensor, end: Tensor) -> Tensor:
        """The score of a tagging [B]."""
        mask = emissions.mask.to(emissions.values.dtype)
        here = emissions.values.gather(2, tags[..., None])[..., 0]
        steps = between[tags[:, :-1], tags[:, 1:]]
        last = Padded(tags, emissions.lengths).last
        there = (emissions.lengths > 0).to(mask.dtype)
        return (here * mask).sum(1) + (steps * mask[:, 1:]).sum(1) + (start[tags[:, 0]] + end[last]) * there

    @torch.no_grad()
    def best(self, emissions: Padded) -> tuple[Int[Tensor, "B T"], Float[Tensor, "B"]]:
        """The likeliest tagging (Viterbi 1967), zeros past each row's length, and its score.

        Of equally good ones the first by the number of its tags, from the end on.
        """
        start, between, end = self._scores()
        values, lengths = emissions.values, emissions.lengths
        rows, steps, tags = values.shape
        alive = emissions.mask
        score = start + values[:, 0]
        came = torch.arange(tags, device=values.device).expand(rows, tags)
        back = [came]
        for step in range(1, steps):
            best, origin = (score[:, :, None] + between).max(1)
            going = alive[:, step, None]
            score = torch.where(going, best + values[:, step], score)
            back.append(torch.where(going, origin, came))
        total, tag = (score + end).max(1)
        found = [tag]
        for origin in reversed(back[1:]):
            tag = origin.gather(1, tag[:, None])[:, 0]
            found.append(tag)
        empty = lengths == 0
        return torch.stack(found[::-1], 1) * alive, total.masked_fill(empty, 0.0)

    def marginals(self, emissions: Padded) -> Float[Tensor, "B T K"]:
        """The probability of each tag at each step; zeros past each row's length."""
        scores = self._scores()
        alpha, log_sum = _forward(emissions.values, *scores[:2], scores[2], emissions.lengths)
        beta = _backward(emissions.values, scores[1], scores[2], emissions.lengths)
        found = (alpha + beta - log_sum[:, None, None]).exp()
        return found.masked_fill(~emissions.mask[..., None], 0)

    def extra_repr(self) -> str:
        """Size and constraints."""
        return f"{len(self.start)} tags, {int((self.never_between < 0).sum())} transitions forbidden"


def _forward(
    values: Tensor, start: Tensor, between: Tensor, end: Tensor, lengths: Tensor
) -> tuple[Float[Tensor, "B T K"], Float[Tensor, "B"]]:
    """Log-sum of all beginnings that end in each tag at each step; past a row's end it stands still. And log Z [B]."""
    score = start + values[:, 0]
    alphas = [score]
    for step in range(1, values.shape[1]):
        new = torch.logsumexp(score[:, :, None] + between, 1) + values[:, step]
        score = torch.where((step < lengths)[:, None], new, score)
        alphas.append(score)
    total = torch.logsumexp(score + end, 1)
    return torch.stack(alphas, 1), total.masked_fill(lengths == 0, 0.0)


def _backward(values: Tensor, between: Tensor, end: Tensor, lengths: Tensor) -> Float[Tensor, "B T K"]:
    """Log-sum of all endings that follow each tag at each step."""
    score = end.expand(len(values), -1)
    betas = [score]
    for step in range(values.shape[1] - 1, 0, -1):
        new = torch.logsumexp(between + (score + values[:, step])[:, None], 2)
        score = torch.where((step < lengths)[:, None], new, score)
        betas.append(score)
    return torch.stack(betas[::-1], 1)


class _LogSum(torch.autograd.Function):
    """log Z of every row. Its gradient is the probability of what was summed: tags at steps, and pairs of them."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, start: Tensor, between: Tensor, end: Tensor, lengths: Tensor) -> Tensor:
        alpha, total = _forward(values, start, between, end, lengths)
        ctx.save_for_backward(values, between, end, lengths, alpha, total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        values, between, end, lengths, alpha, total = ctx.saved_tensors
        (weight,) = gradients
        beta = _backward(values, between, end, lengths)
        # What lies past a row's end may be anything, so it is put out before it could become infinite.
        beyond = ~Padded(values, lengths).mask[..., None]
        node = (alpha + beta - total[:, None, None]).masked_fill(beyond, NEVER).exp() * weight[:, None, None]
        pairs = torch.zeros_like(between)
        follows = (values + beta - total[:, None, None]).masked_fill(beyond, NEVER)
        for step in range(1, values.shape[1]):
            pair = (alpha[:, step - 1, :, None] + between + follows[:, step, None]).exp()
            pairs += torch.einsum("b,bij->ij", weight, pair)
        last = Padded(node, lengths).last * (lengths > 0)[:, None]
        return node, node[:, 0].sum(0), pairs, last.sum(0), None
