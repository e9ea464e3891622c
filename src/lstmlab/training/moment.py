"""Where training stands, and who is told: all that a loop says to the world."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass
class Moment:
    """Where training stands."""

    epoch: int = 1
    batch: int = 0
    """Batches of this epoch already done."""
    step: int = 0
    """Optimiser steps done in all."""
    seconds: float = 0.0
    """Training time so far, evaluations not counted."""
    sums: dict[str, list[float | int]] = field(default_factory=dict)
    """This epoch's loss and scores so far, each as [sum, count]."""
    best_epoch: int = 0
    best_loss: float = float("inf")
    stale: int = 0
    """Evaluations since the best one."""
    rate: float = 0.0
    """Learning rate of the last step."""
    total_seconds: float = 0.0
    """Since training began, evaluations and earlier sessions counted, up to the last snapshot."""
    plateau_scale: float = 1.0
    plateau_stale: int = 0
    norm_sum: float = 0.0
    """Gradient norms of this epoch's steps, added up."""
    norm_count: int = 0
    done: bool = False


@dataclass(frozen=True)
class Tick:
    """One step of training, for whoever watches."""

    epoch: int
    batch: int
    batches: int
    share: float
    """Of the whole budget (0 to 1)."""
    loss: float
    speed: float
    """Things learned from in a second: tokens of a continuous text, examples otherwise."""
    things: str
    seconds: float


@dataclass(frozen=True)
class Hooks:
    """What the loop calls. None of them may change what it trains."""

    keep: Callable[[dict[str, Tensor], dict[str, Any], bool], None]
    """(tensors, facts, best?): store a snapshot to go on from, or the weights that are best so far."""
    row: Callable[[dict[str, Any]], None]
    """A row of history."""
    tick: Callable[[Tick], None] = lambda tick: None
    stop: Callable[[], bool] = lambda: False
    """Whether somebody asked to stop; the loop then keeps a snapshot and returns."""
