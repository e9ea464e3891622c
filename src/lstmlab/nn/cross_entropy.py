"""Cross-entropy over a whole vocabulary without keeping the scores of all words for all tokens at once.

Tokens go through the output layer in portions; a portion's gradient is taken at once, while its scores are at hand.
Letters in shapes: N tokens, F features, V vocabulary.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from lstmlab.kernels.products import across, linear

PORTION = 2_000_000
"""Scores worked on at a time at most: 8 MB in single precision."""


class Told(NamedTuple):
    """What the output layer says of each token."""

    smoothed: Float[Tensor, "N"]
    """What is minimised, in nats: the cross-entropy against the smoothed truth. The only one with a gradient."""
    nats: Float[Tensor, "N"]
    """-log p of the true token."""
    right: Bool[Tensor, "N"]
    """Whether the likeliest token is the true one."""


def cross_entropy(
    features: Float[Tensor, "N F"],
    weight: Float[Tensor, "V F"],
    bias: Float[Tensor, "V"] | None,
    truth: Int[Tensor, "N"],
    smoothing: float = 0.0,
) -> Told:
    """Linear layer and softmax of each token against the truth.

    `smoothing` spreads that share of the truth evenly over the vocabulary (Szegedy et al. 2016, section 7).
    """
    return Told(*_CrossEntropy.apply(features, weight, bias, truth, smoothing))


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None, truth: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        learning = any(ctx.needs_input_grad[:3])
        told, gradients = _pass(features, weight, bias, truth, smoothing, learning)
        if learning:
            ctx.smoothing, ctx.biased = smoothing, bias is not None
            ctx.save_for_backward(features, weight, bias, truth, *gradients)
        ctx.mark_non_differentiable(told[1], told[2])
        return told

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, bias, truth, *gradients = ctx.saved_tensors
        scale = upstream[:1]
        if len(upstream) and not bool((upstream == scale).all()):
            # Tokens that count differently: once more, each with its own factor.
            gradients = _pass(features, weight, bias, truth, ctx.smoothing, True, upstream)[1]
            scale = torch.ones_like(scale)
        by_features, by_weight, by_bias = (one * scale if len(scale) else one for one in gradients)
        return by_features, by_weight, by_bias if ctx.biased else None, None, None


def _pass(
    features: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    truth: Tensor,
    smoothing: float,
    learning: bool,
    factors: Tensor | None = None,
) -> tuple[tuple[Tensor, Tensor, Tensor], list[Tensor]]:
    """(smoothed, nats, right) and, where wanted, the gradients by features, weight and bias of their sum.

    What smoothing adds is the same for every token of the vocabulary, so it needs no pass over all scores.
    """
    nats = features.new_empty(len(features))
    right = torch.empty(len(features), dtype=torch.bool, device=features.device)
    by_features = torch.empty_like(features) if learning else features
    by_weight, by_bias = torch.zeros_like(weight), weight.new_zeros(len(weight))
    size = max(1, PORTION // len(weight))
    for start in range(0, len(features), size):
        part = slice(start, start + size)
        logs, true = torch.log_softmax(linear(features[part], weight, bias), 1), truth[part, None]
        said = logs.gather(1, true)
        nats[part], right[part] = -said[:, 0], (said >= logs.amax(1, keepdim=True))[:, 0]
        if not learning:
            continue
        slope = logs.exp_().scatter_add_(1, true, said.new_full(said.shape, smoothing - 1.0))
        if factors is not None:
            slope *= factors[part, None]
        by_features[part] = linear(slope, weight.t())
        by_weight += across(slope, features[part])
        by_bias += slope.sum(0)
    if not smoothing:
        return (nats.clone(), nats, right), [by_features, by_weight, by_bias]
    middle = weight.mean(0)
    # Of all scores only the true one and their mean matter: smoothing moves its share from the one to the other.
    gap = ((weight[truth] - middle) * features).sum(1) + (0 if bias is None else bias[truth] - bias.mean())
    if learning:
        each = torch.ones_like(nats) if factors is None else factors
        by_features -= smoothing * each[:, None] * middle
        by_weight -= smoothing / len(weight) * (each @ features)
        by_bias -= smoothing / len(weight) * each.sum()
    return (nats + smoothing * gap, nats, right), [by_features, by_weight, by_bias]
