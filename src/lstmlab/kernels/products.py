"""Matrix products of single precision on a processor by oneDNN, which uses all that processors of every maker have.

BLAS libraries pick their code by the maker's name; on AMD's processors oneDNN was seen to be twice as quick. What it
does not take (other devices, other kinds of number) goes the usual way. Letters in shapes: M rows, K features in, N
features out.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

GRAIN = 32
"""Rows are worked on in multiples of this many."""


def linear(
    inputs: Float[Tensor, "*B K"], weight: Float[Tensor, "N K"], bias: Float[Tensor, "N"] | None = None
) -> Float[Tensor, "*B N"]:
    """inputs weightᵀ + bias, as torch's own `linear`."""
    if not _fits(inputs, weight):
        return functional.linear(inputs, weight, bias)
    if torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in (inputs, weight, bias)):
        return _Linear.apply(inputs, weight, bias)
    return _product(inputs, weight, bias)


class Repeated:
    """A weight that is used at every step of a loop: its gradient is one product over all steps, taken at the end.

    Made anew for each pass through the loop. Letters as in `linear`.
    """

    def __init__(self, weight: Float[Tensor, "N K"]) -> None:
        self.weight = weight.detach()
        self._learns = torch.is_grad_enabled() and weight.requires_grad
        self._pairs: list[tuple[Tensor, Tensor]] = []
        # A number nobody reads: it leads the gradient to the weight when all steps are through.
        self._thread = _Collected.apply(weight, self._pairs) if self._learns else None

    def __call__(self, inputs: Float[Tensor, "B K"], bias: Float[Tensor, "N"] | None = None) -> Float[Tensor, "B N"]:
        """inputs weightᵀ + bias."""
        if self._thread is None:
            return linear(inputs, self.weight, bias)
        product = _Repetition.apply(inputs, self._thread, self.weight, self._pairs)
        return product if bias is None else product + bias


def _fits(inputs: Tensor, weight: Tensor) -> bool:
    single = inputs.dtype == weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return single and inputs.device.type == weight.device.type == "cpu" and _available() and inputs.numel() > 0


def _available() -> bool:
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _product(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """inputs weightᵀ + bias without a gradient."""
    if not _fits(inputs, weight):
        return functional.linear(inputs, weight, bias)
    rows = inputs.reshape(-1, inputs.shape[-1])
    found = torch.ops.mkldnn._linear_pointwise(_even(rows), weight, bias, "none", [], "")[: len(rows)]
    return found.view(*inputs.shape[:-1], -1)


def across(left: Float[Tensor, "M N"], right: Float[Tensor, "M K"]) -> Float[Tensor, "N K"]:
    """leftᵀ right: what the rows of both come to together, as a weight's gradient does. Without a gradient itself."""
    if not _fits(left, right):
        return left.t() @ right
    return torch.ops.mkldnn._linear_pointwise(_even(left).t(), _even(right).t(), None, "none", [], "")


def _even(rows: Tensor) -> Tensor:
    """With rows of zeros up to a multiple of GRAIN: oneDNN writes and keeps code for each number of rows it meets."""
    missing = -len(rows) % GRAIN if len(rows) > GRAIN else 0
    return functional.pad(rows, (0, 0, 0, missing)) if missing else rows


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        return _product(inputs, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        wanted, rows = ctx.needs_input_grad, gradient.flatten(0, -2)
        return (
            _product(gradient, weight.t()) if wanted[0] else None,
            across(rows, inputs.flatten(0, -2)) if wanted[1] else None,
            rows.sum(0) if wanted[2] else None,
        )


class _Collected(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
        ctx.pairs = pairs
        return weight.new_zeros(())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, thread: Tensor) -> tuple[Tensor | None, None]:
        gradients, inputs = (torch.cat(part) for part in zip(*ctx.pairs, strict=True))
        ctx.pairs.clear()
        return across(gradients, inputs), None


class _Repetition(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, thread: Tensor, weight: Tensor, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        ctx.pairs = pairs
        return _product(inputs, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight = ctx.saved_tensors
        ctx.pairs.append((gradient, inputs))
        back = _product(gradient, weight.t()) if ctx.needs_input_grad[0] else None
        return back, gradient.new_zeros(()), None, None
