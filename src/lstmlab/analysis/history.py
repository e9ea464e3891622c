"""A history as curves: losses and scores by epoch, what is known of the run beside them, and what is said of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

History = Sequence[Mapping[str, Any]]
Curve = NDArray[np.float64]


class Observation(NamedTuple):
    """One thing a run shows: its kind, a sentence with its numbers, and the epoch where the figure marks it."""

    kind: str
    sentence: str
    epoch: int | None = None


@dataclass(frozen=True)
class Known:
    """What is known of a run beside its history; None is unknown, and a rule that needs it stays silent."""

    baseline: float | None = None
    """Accuracy of a guess that looks at no input: of the most frequent class, and at least of any of the classes."""
    blind_loss: float | None = None
    """Loss of a guess that looks at no input: of classes their entropy, of tokens ln V, of a series its variance."""
    start_loss: float | None = None
    """Loss of a model before it is trained, which answers all alike (ln K of K classes); None is `blind_loss`."""
    classes: int | None = None
    train_examples: int | None = None
    valid_examples: int | None = None
    """Examples that were drawn independently, or nearly so; None for the windows of a series or a running text."""
    method: str | None = None
    """The optimiser: adam, adamw or sgd."""
    momentum: float = 0.0
    """Of sgd."""
    clip: float | None = None
    """Largest norm of a gradient; None does not clip."""
    rate: float | None = None
    """The largest learning rate, as it was set; a schedule's epochs end below it."""
    per_token: bool = False
    """Whether loss is in nats a token, so that what counts is its exponential, the perplexity."""
    hidden_size: int | None = None
    """Units of the recurrent layer, whose weights start at up to 1/sqrt(hidden_size)."""

    @property
    def start(self) -> float | None:
        """Where training loss begins."""
        return self.blind_loss if self.start_loss is None else self.start_loss


@dataclass(frozen=True)
class Curves:
    """Losses by evaluation, NaN where one was not a number; `valid` is empty without a validation part."""

    epochs: list[int]
    train: Curve
    valid: Curve
    train_accuracy: Curve
    valid_accuracy: Curve
    rates: Curve
    norms: Curve
    """Gradient norms before clipping, a mean over each epoch."""
    steps: Curve
    """Optimiser steps of each epoch."""

    @classmethod
    def of(cls, history: History) -> "Curves":
        """The curves of a history."""
        has_valid = any("valid" in row for row in history)
        done = np.array([float(row.get("step", np.nan)) for row in history])
        return cls(
            [int(row["epoch"]) for row in history],
            series(history, "train", "loss"),
            series(history, "valid", "loss") if has_valid else np.empty(0),
            series(history, "train", "accuracy"),
            series(history, "valid", "accuracy"),
            _numbers(history, "learning_rate"),
            _numbers(history, "gradient_norm"),
            np.diff(done, prepend=0.0),
        )

    @property
    def judged(self) -> Curve:
        """The loss that decides: validation's where there is one."""
        return self.valid if len(self.valid) else self.train

    @property
    def name(self) -> str:
        """What the deciding loss is called."""
        return "validation loss" if len(self.valid) else "training loss"

    @property
    def accuracy(self) -> float | None:
        """The better of training and validation accuracy at the end."""
        last = [float(one[-1]) for one in (self.train_accuracy, self.valid_accuracy) if len(one)]
        return max((one for one in last if np.isfinite(one)), default=None)

    @property
    def finite(self) -> bool:
        """Whether every loss is a number."""
        return bool(np.isfinite(self.train).all() and np.isfinite(self.valid).all())


def series(history: History, part: str, score: str) -> Curve:
    """One score of one part, an entry a row, NaN where it is missing."""
    told = [row.get(part, {}).get(score) for row in history]
    return np.array([np.nan if value is None else float(value) for value in told])


def _numbers(history: History, name: str) -> Curve:
    told = [row.get(name) for row in history]
    return np.array([np.nan if value is None else float(value) for value in told])


def late(curve: Curve) -> Curve:
    """The last third, three entries at least: where a training has come to."""
    return curve[-max(3, len(curve) // 3) :]
