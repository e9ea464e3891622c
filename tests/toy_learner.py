"""A learner small enough to make histories by the hundred: one hidden layer in NumPy, trained as lstmlab trains.

Its faults are real ones (too large a step, nothing to learn, a symmetric start …), so its curves are not drawn by hand.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Toy:
    """Two classes of points, told apart by a hyperplane (or by nothing), and how they are learned."""

    seed: int = 0
    features: int = 20
    train: int = 1000
    valid: int = 500
    hidden: int = 16
    epochs: int = 12
    batch: int = 32
    rate: float = 0.003
    method: str = "adam"
    label_noise: float = 0.1
    """Share of labels drawn by a coin."""
    product: bool = False
    """The label is the sign of a product of two features, which no straight line finds."""
    share: float = 0.5
    """Of examples in the first class, about."""
    start: float = 1.0
    """Size of the initial weights, as a multiple of 1/sqrt(inputs)."""
    cosine: bool = False

    def history(self) -> list[dict[str, Any]]:
        """A row per epoch."""
        rng = np.random.default_rng(self.seed)
        x, y = self._data(rng, self.train + self.valid)
        parts = (x[: self.train], y[: self.train]), (x[self.train :], y[self.train :])
        weights = [
            rng.uniform(-1, 1, shape) * self.start / np.sqrt(shape[0] if len(shape) > 1 else self.hidden)
            for shape in ((self.features, self.hidden), (self.hidden,), (self.hidden, 1), (1,))
        ]
        return self._learn(rng, weights, *parts)

    def majority(self) -> float:
        """The accuracy of always answering the more frequent class, on all examples."""
        share = float(self._data(np.random.default_rng(self.seed), self.train + self.valid)[1].mean())
        return max(share, 1 - share)

    def _data(self, rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        x = rng.standard_normal((count, self.features))
        told = x[:, 0] * x[:, 1] if self.product else x @ rng.standard_normal(self.features)
        y = (told > np.quantile(told, self.share)).astype(float) if 0 < self.share < 1 else np.full(count, self.share)
        coins = rng.random(count) < self.label_noise
        y[coins] = rng.permutation(y[coins])
        return x, y

    def _learn(
        self, rng: np.random.Generator, weights: list[Array], train: tuple[Array, Array], valid: tuple[Array, Array]
    ) -> list[dict[str, Any]]:
        steps = [np.zeros_like(one) for one in weights]
        squares = [np.zeros_like(one) for one in weights]
        rows, step = [], 0
        for epoch in range(1, self.epochs + 1):
            order, told, norms, rate = rng.permutation(self.train), [], [], self.rate
            for at in range(0, self.train, self.batch):
                here = order[at : at + self.batch]
                loss, right, gradients = _pass(weights, train[0][here], train[1][here])
                told.append((loss * len(here), right, len(here)))
                norms.append(np.sqrt(sum(float((one**2).sum()) for one in gradients)))
                step += 1
                if self.cosine:
                    done = step / (self.epochs * np.ceil(self.train / self.batch))
                    rate = self.rate * (1 + np.cos(np.pi * min(done, 1.0))) / 2
                for weight, gradient, mean, square in zip(weights, gradients, steps, squares, strict=True):
                    if self.method == "sgd":
                        weight -= rate * gradient
                        continue
                    mean += 0.1 * (gradient - mean)
                    square += 0.001 * (gradient**2 - square)
                    weight -= rate * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
            losses, rights, counts = map(sum, zip(*told, strict=True))
            loss, right, _ = _pass(weights, *valid)
            rows.append(
                {
                    "epoch": epoch,
                    "step": step,
                    "seconds": float(epoch),
                    "learning_rate": float(rate),
                    "gradient_norm": float(np.mean(norms)),
                    "train": {"loss": float(losses / counts), "accuracy": float(rights / counts)},
                    "valid": {"loss": float(loss), "accuracy": float(right / len(valid[1]))},
                }
            )
        return rows


def _pass(weights: list[Array], x: Array, y: Array) -> tuple[float, float, list[Array]]:
    """Mean loss, right answers, gradients."""
    w1, b1, w2, b2 = weights
    hidden = np.tanh(x @ w1 + b1)
    logits = (hidden @ w2 + b2)[:, 0]
    loss = np.logaddexp(0, logits) - y * logits
    with np.errstate(over="ignore"):
        slope = ((1 / (1 + np.exp(-logits))) - y)[:, None] / len(y)
    back = slope @ w2.T * (1 - hidden**2)
    gradients = [x.T @ back, back.sum(0), hidden.T @ slope, slope.sum(0)]
    return float(loss.mean()), float(((logits > 0) == (y > 0.5)).sum()), gradients
