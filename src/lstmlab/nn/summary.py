"""A model at a glance: its layers, the shape each gives, and its numbers to learn."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from lstmlab.types import Padded


class Layer(NamedTuple):
    """One part of a model. `shape` is empty where it is not known without running the model."""

    layer: str
    shape: str
    parameters: int


def summary(module: nn.Module, example: Any = None) -> list[Layer]:
    """The parts of `module`, one level deep, in order; what the module owns itself comes last.

    With an example (whatever the module is called with) shapes are those seen when it runs, without dropout and without
    a gradient; without one, only the number of features is told.
    """
    parts = dict(module.named_children())
    shapes = {name: _declared(part) for name, part in parts.items()}
    if example is not None:
        shapes |= _seen(module, parts, example)
    rows = [Layer(_title(name, part), shapes[name], count_parameters(part)) for name, part in parts.items()]
    own = sum(one.numel() for one in module.parameters(recurse=False))
    return [*rows, Layer(_title("itself", module), "", own)] if own or not rows else rows


def _seen(module: nn.Module, parts: dict[str, nn.Module], example: Any) -> dict[str, str]:
    shapes: dict[str, str] = {}

    def record(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _inputs: Any, outputs: Any) -> None:
            shapes[name] = _shape(outputs)

        return hook

    hooks = [part.register_forward_hook(record(name)) for name, part in parts.items()]
    training = {one: one.training for one in module.modules()}
    try:
        with torch.no_grad():
            module.eval()(example)
    finally:
        for one, before in training.items():
            one.training = before
        for hook in hooks:
            hook.remove()
    return shapes


def _shape(outputs: Any) -> str:
    if isinstance(outputs, tuple):
        outputs = outputs[0]
    if isinstance(outputs, Padded):
        outputs = outputs.values
    return "×".join(map(str, outputs.shape)) if isinstance(outputs, Tensor) else ""


def _declared(part: nn.Module) -> str:
    for name in ("output_size", "out_features", "embedding_dim"):
        if isinstance(getattr(part, name, None), int):
            return str(getattr(part, name))
    return ""


def _title(name: str, part: nn.Module) -> str:
    told = part.extra_repr()
    return f"{name}: {type(part).__name__}" + (f" ({told})" if told else "")


def count_parameters(module: nn.Module) -> int:
    """Numbers to learn in `module`. Made under `with torch.device("meta"):` it is counted without being filled."""
    return sum(one.numel() for one in module.parameters())
