"""When a number stops being one: say where, in words, at once."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lstmlab.errors import InputError
from lstmlab.types import Batch, Loss


class Diverged(InputError):
    """Loss or gradient is NaN or infinite. `positions` are the batch's examples in the training part."""

    def __init__(self, step: int, epoch: int, positions: Sequence[int], where: str) -> None:
        self.step, self.epoch, self.positions, self.where = step, epoch, tuple(positions), where
        super().__init__(
            f"training diverged at step {step} (epoch {epoch}): {where}. Try a smaller learning_rate or clip=1"
        )

    def naming(self, ids: Sequence[str]) -> "Diverged":
        """The same with the batch's examples named."""
        if not ids:
            return self
        shown = ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
        told = Diverged(self.step, self.epoch, self.positions, self.where)
        told.args = (f"{self.args[0]}. The batch holds the examples {shown}",)
        return told


def blame(model: nn.Module, loss_of: Callable[[Batch], Loss], batches: Sequence[Batch]) -> str:
    """The first tensor that went wrong: a weight, an input, a layer's output, the loss or a gradient.

    Runs the step again with every layer watched; the caller has put the random state back, so it is the same step.
    """
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            return f'the weight "{name}" holds {_what(weight)} before the step'
    found: list[str] = []
    watches = [module.register_forward_hook(_watch(name or "model", found)) for name, module in model.named_modules()]
    try:
        model.zero_grad(set_to_none=True)
        for batch in batches:
            if batch.inputs.values.is_floating_point() and not torch.isfinite(batch.inputs.values).all():
                return f"the inputs hold {_what(batch.inputs.values)}"
            loss = loss_of(batch)
            if found:
                return found[0]
            if not torch.isfinite(loss.rows).all():
                return f"the loss is {_what(loss.rows)}"
            loss.total.backward()
    finally:
        for watch in watches:
            watch.remove()
    for name, weight in model.named_parameters():
        if weight.grad is not None and not torch.isfinite(weight.grad).all():
            return f'the gradient of "{name}" holds {_what(weight.grad)}'
    return "the sum of the gradients is too large for a 32-bit number"


def _watch(name: str, found: list[str]) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        for tensor in _tensors(output):
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                found.append(f'the output of layer "{name}" ({type(module).__name__}) holds {_what(tensor)}')

    return hook


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (tuple, list)):
        return [tensor for part in value for tensor in _tensors(part)]
    return _tensors(vars(value).get("values")) if hasattr(value, "__dict__") else []


def _what(tensor: Tensor) -> str:
    kind = "NaN" if torch.isnan(tensor).any() else "infinity"
    return f"{kind} ({int((~torch.isfinite(tensor)).sum())} of {tensor.numel()} values)"
