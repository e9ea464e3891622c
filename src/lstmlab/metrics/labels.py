"""How well labels were told: accuracy, F1, confusion, loss, calibration.

Letters in shapes: N examples, K classes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lstmlab.errors import InputError
from lstmlab.metrics.checks import check_shapes


def accuracy(targets: Int[np.ndarray, "N"], predictions: Int[np.ndarray, "N"]) -> float:
    """The share of right answers, 0 to 1."""
    check_shapes(targets, predictions)
    return float((targets == predictions).mean())


def interval(accuracy: float, count: int) -> tuple[float, float]:
    """The 95 % interval of an accuracy measured on `count` examples, 0 to 1 (Wilson 1927, score interval)."""
    if count < 1:
        raise InputError("an interval needs at least one example")
    z = 1.959963984540054
    centre = (accuracy + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(accuracy * (1 - accuracy) / count + z * z / (4 * count * count))
    # At the ends the formula gives exactly 0 or 1; rounding must not say otherwise.
    return 0.0 if accuracy == 0 else centre - half, 1.0 if accuracy == 1 else centre + half


def confusion(
    targets: Int[np.ndarray, "N"], predictions: Int[np.ndarray, "N"], classes: int
) -> Int[np.ndarray, "{classes} {classes}"]:
    """How often each class (row) was taken for each class (column)."""
    check_shapes(targets, predictions)
    both = np.concatenate([targets, predictions])
    if both.min() < 0 or both.max() >= classes:
        raise ValueError(f"class ids must lie in 0..{classes - 1}, got {both.min()}..{both.max()}")
    pairs = targets.astype(np.int64) * classes + predictions
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class ClassScore:
    """One class: how many examples it has, and how well it is told from the others. A share of nothing is 0."""

    name: str
    count: int
    precision: float
    recall: float
    f1: float


def per_class(
    targets: Int[np.ndarray, "N"], predictions: Int[np.ndarray, "N"], names: Sequence[str]
) -> list[ClassScore]:
    """Precision, recall and F1 of each class, in the order of `names`."""
    table = confusion(targets, predictions, len(names))
    right, asked, said = table.diagonal(), table.sum(1), table.sum(0)
    shares = (right / np.maximum(said, 1), right / np.maximum(asked, 1), 2 * right / np.maximum(asked + said, 1))
    return [
        ClassScore(name, int(count), float(p), float(r), float(f))
        for name, count, p, r, f in zip(names, asked, *shares, strict=True)
    ]


def macro_f1(targets: Int[np.ndarray, "N"], predictions: Int[np.ndarray, "N"]) -> float:
    """The plain mean of F1 over the classes that occur among targets or predictions, 0 to 1."""
    check_shapes(targets, predictions)
    classes = int(max(targets.max(), predictions.max())) + 1
    rows = per_class(targets, predictions, [""] * classes)
    occurring = np.union1d(targets, predictions)
    return float(np.mean([rows[at].f1 for at in occurring]))


def loss(probabilities: Float[np.ndarray, "N K"], targets: Int[np.ndarray, "N"]) -> float:
    """Mean negative log-probability of the right class, in nats. A probability of zero counts as the smallest step."""
    check_shapes(targets, probabilities[:, 0])
    given = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(given, np.finfo(given.dtype).eps)).mean())


@dataclass(frozen=True)
class Bin:
    """The examples whose highest probability lies in (low, high]; means are NaN where there are none."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


def calibration(probabilities: Float[np.ndarray, "N K"], targets: Int[np.ndarray, "N"], bins: int = 15) -> list[Bin]:
    """Confidence against accuracy in bins of equal width from 0 to 1 (Guo et al. 2017, section 2)."""
    check_shapes(targets, probabilities[:, 0])
    confidence = probabilities.max(1).astype(np.float64)
    right = probabilities.argmax(1) == targets
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums = [np.bincount(place, weights, bins) for weights in (confidence, right.astype(np.float64))]
    return [
        Bin(at / bins, (at + 1) / bins, int(n), *(float(total[at] / n) if n else math.nan for total in sums))
        for at, n in enumerate(counts)
    ]


def calibration_error(probabilities: Float[np.ndarray, "N K"], targets: Int[np.ndarray, "N"], bins: int = 15) -> float:
    """Expected calibration error, 0 to 1: mean |accuracy - confidence| over `calibration`'s bins, weighted by count."""
    found = calibration(probabilities, targets, bins)
    return sum(one.count * abs(one.accuracy - one.confidence) for one in found if one.count) / len(targets)
