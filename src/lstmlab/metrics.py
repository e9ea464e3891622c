"""Scores as pure functions on numpy, each with its unit and its direction.

Letters in shapes: N examples, K classes. Every function raises InputError where there is nothing to score and
ValueError where targets and predictions do not fit each other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num

from lstmlab.errors import InputError, unknown


@dataclass(frozen=True)
class Score:
    """What a score is called, measured in and wanted to be."""

    name: str
    title: str
    unit: str
    """As shown; empty for a plain ratio, "series" for the unit of the series itself."""
    higher_is_better: bool
    scale: float = 1.0
    """The stored value times this is the one shown."""

    @property
    def heading(self) -> str:
        """Title, unit and direction, for a table's column or an axis."""
        unit = {"": "", "series": " (unit of the series)"}.get(self.unit, f" ({self.unit})")
        return f"{self.title}{unit} {'↑' if self.higher_is_better else '↓'}"


SCORES = {
    score.name: score
    for score in (
        Score("accuracy", "Accuracy", "%", True, 100.0),
        Score("macro_f1", "Macro F1", "%", True, 100.0),
        Score("loss", "Loss", "nats", False),
        Score("calibration_error", "Calibration error", "%", False, 100.0),
        Score("rmse", "RMSE", "series", False),
        Score("mae", "MAE", "series", False),
        Score("smape", "sMAPE", "%", False, 100.0),
        Score("mase", "MASE", "", False),
    )
}


def format_score(name: str, value: float | None) -> str:
    """A score as people read it: "81.25 %", "0.4405"; "–" where it is undefined (None or not a number)."""
    if name not in SCORES:
        raise unknown("score", name, SCORES)
    if value is None or math.isnan(value):
        return "–"
    shown = value * SCORES[name].scale
    if SCORES[name].unit == "%":
        return f"{shown:.2f} %"
    if shown != 0 and abs(shown) < 1e-3:
        return f"{shown:.2e}"
    return f"{shown:.4f}" if abs(shown) < 100 else f"{shown:.2f}"


# ---- Classification


def accuracy(targets: Int[np.ndarray, "N"], predictions: Int[np.ndarray, "N"]) -> float:
    """The share of right answers, 0 to 1."""
    _check(targets, predictions)
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
    _check(targets, predictions)
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
    _check(targets, predictions)
    classes = int(max(targets.max(), predictions.max())) + 1
    rows = per_class(targets, predictions, [""] * classes)
    occurring = np.union1d(targets, predictions)
    return float(np.mean([rows[at].f1 for at in occurring]))


def loss(probabilities: Float[np.ndarray, "N K"], targets: Int[np.ndarray, "N"]) -> float:
    """Mean negative log-probability of the right class, in nats. A probability of zero counts as the smallest step."""
    _check(targets, probabilities[:, 0])
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
    _check(targets, probabilities[:, 0])
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


# ---- Forecasting


def rmse(targets: Num[np.ndarray, "*shape"], predictions: Num[np.ndarray, "*shape"]) -> float:
    """Root of the mean squared error, in the series' unit."""
    _check(targets, predictions)
    return float(np.sqrt(np.mean(np.square(_gap(targets, predictions)))))


def mae(targets: Num[np.ndarray, "*shape"], predictions: Num[np.ndarray, "*shape"]) -> float:
    """Mean absolute error, in the series' unit."""
    _check(targets, predictions)
    return float(np.mean(np.abs(_gap(targets, predictions))))


def smape(targets: Num[np.ndarray, "*shape"], predictions: Num[np.ndarray, "*shape"]) -> float:
    """Mean of 2 |y - f| / (|y| + |f|), 0 to 2 (shown as 0 to 200 %); 0 where both are zero (Makridakis 1993)."""
    _check(targets, predictions)
    gap, size = np.abs(_gap(targets, predictions)), np.abs(targets) + np.abs(predictions)
    return float(np.mean(np.divide(2 * gap, size, out=np.zeros_like(gap), where=size != 0)))


def mase_scale(train: Num[np.ndarray, "T *F"], season: int = 1) -> Float[np.ndarray, "*F"] | float:
    """What the seasonal naive forecast is off by inside the training series: mean |y_t - y_(t-season)| per feature.

    Hyndman & Koehler 2006, section 3. Zero for a series that repeats itself exactly (up to rounding).
    """
    if not 1 <= season < len(train):
        raise InputError(
            f"a season of {season} steps does not fit a training series of {len(train)} steps: "
            f"expected 1 to {len(train) - 1}"
        )
    scale = np.abs(_gap(train[season:], train[:-season])).mean(0)
    scale = np.where(scale > 1e-12 * np.abs(train).max(0), scale, 0.0)
    return scale if scale.ndim else float(scale)


def mase(
    targets: Num[np.ndarray, "*shape"],
    predictions: Num[np.ndarray, "*shape"],
    scale: Float[np.ndarray, "*F"] | float,
) -> float:
    """Mean absolute error over `mase_scale`: below 1 beats the naive forecast one step ahead inside training.

    NaN where the scale is zero, since nothing can be measured against a forecast without error.
    """
    _check(targets, predictions)
    if np.any(np.asarray(scale) == 0):
        return math.nan
    return float(np.mean(np.abs(_gap(targets, predictions)) / scale))


def _gap(left: np.ndarray, right: np.ndarray) -> Float[np.ndarray, "..."]:
    return left.astype(np.float64) - right.astype(np.float64)


def _check(targets: np.ndarray, predictions: np.ndarray) -> None:
    if targets.shape != predictions.shape:
        raise ValueError(f"targets are {list(targets.shape)}, predictions {list(predictions.shape)}")
    if targets.size == 0:
        raise InputError("there is nothing to score: no examples")
