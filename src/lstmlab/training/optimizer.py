"""What moves the weights: method, schedule, clipping, averaging. All of it can be saved and put back to the bit."""

import math
from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from lstmlab.recipe import Settings


class OptimizerSettings(Settings):
    """How weights follow the gradient."""

    method: Literal["adam", "adamw", "sgd"] = "adam"
    """Adam (Kingma & Ba 2015), AdamW (Loshchilov & Hutter 2019) or stochastic gradient descent."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """The largest step size, reached after warm-up."""
    schedule: Literal["constant", "linear", "cosine", "plateau"] = "constant"
    """How the learning rate falls: not at all, in a line or half cosine over the budget, or when validation stalls."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of the budget over which the learning rate rises from zero in a line (0 to 1)."""
    final_rate: float = Field(default=0.0, ge=0, le=1)
    """Linear and cosine: the last learning rate as a share of the largest (0 to 1)."""
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    """Plateau: what the learning rate is multiplied by when validation loss stalls."""
    plateau_patience: int = Field(default=2, ge=0)
    """Plateau: evaluations without a better validation loss before the rate falls."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Adam and AdamW: memory of the gradient."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Adam and AdamW: memory of the squared gradient."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """SGD: memory of the gradient."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Pull towards zero: decoupled for AdamW, in the gradient otherwise."""
    clip: float | None = Field(default=None, gt=0)
    """Largest norm of the whole gradient; null does not clip (Pascanu et al. 2013)."""
    average: float | None = Field(default=None, gt=0, lt=1)
    """Decay of a running average of the weights, which is what gets scored and kept; null keeps the weights."""

    def idle(self) -> dict[str, str]:
        """Settings of another method or schedule."""
        reasons: dict[str, str] = {}
        if self.method == "sgd":
            reasons |= dict.fromkeys(("beta1", "beta2"), "it belongs to Adam, and optimizer.method is sgd")
        else:
            reasons["momentum"] = f"it belongs to sgd, and optimizer.method is {self.method}"
        if self.schedule not in ("linear", "cosine"):
            reasons["final_rate"] = f"it belongs to linear and cosine schedules, and this one is {self.schedule}"
        if self.schedule != "plateau":
            reasons |= dict.fromkeys(
                ("plateau_factor", "plateau_patience"),
                f"it belongs to the plateau schedule, and this one is {self.schedule}",
            )
        return reasons


def build(settings: OptimizerSettings, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimiser over all parameters that learn."""
    rate, decay = settings.learning_rate, settings.weight_decay
    learning = [p for p in parameters if p.requires_grad]
    if settings.method == "sgd":
        return torch.optim.SGD(learning, rate, momentum=settings.momentum, weight_decay=decay)
    method = torch.optim.AdamW if settings.method == "adamw" else torch.optim.Adam
    return method(learning, rate, betas=(settings.beta1, settings.beta2), weight_decay=decay, fused=True)


def scheduled_rate(settings: OptimizerSettings, done: float, plateau_scale: float) -> float:
    """The learning rate when the share `done` (0 to 1) of the budget is spent."""
    if settings.warmup and done < settings.warmup:
        return settings.learning_rate * done / settings.warmup
    left = 1 - min((done - settings.warmup) / (1 - settings.warmup), 1.0)
    shape = {
        "constant": 1.0,
        "linear": settings.final_rate + (1 - settings.final_rate) * left,
        "cosine": settings.final_rate + (1 - settings.final_rate) * (1 - math.cos(math.pi * left)) / 2,
        "plateau": plateau_scale,
    }[settings.schedule]
    return settings.learning_rate * shape


class Average:
    """A running average of the weights, warmed up so that early steps do not linger.

    After step t the average moves by 1 - min(decay, (1 + t) / (10 + t)) towards the weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Follow the weights after optimiser step number `step` (1, 2, …)."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        current = dict(model.named_parameters())
        torch._foreach_lerp_(list(self.weights.values()), [current[name] for name in self.weights], weight)


def pack_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state as named tensors; its settings are the recipe's."""
    state = optimizer.state_dict()
    return {
        f"{index}.{name}": value
        for index, values in state["state"].items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def unpack_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `pack_optimizer` took out; rates and other settings come from the recipe."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
