"""How far forecasts are off.

Letters in shapes: T steps of the training series, F features.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Num

from lstmlab.errors import InputError
from lstmlab.metrics.checks import check_shapes


def rmse(targets: Num[np.ndarray, "*shape"], predictions: Num[np.ndarray, "*shape"]) -> float:
    """Root of the mean squared error, in the series' unit."""
    check_shapes(targets, predictions)
    return float(np.sqrt(np.mean(np.square(_gap(targets, predictions)))))


def mse(targets: Num[np.ndarray, "*shape"], predictions: Num[np.ndarray, "*shape"]) -> float:
    """Mean squared error, in the square of the series' unit."""
    check_shapes(targets, predictions)
    return float(np.mean(np.square(_gap(targets, predictions))))


def quantile_loss(
    targets: Num[np.ndarray, "*shape"], predictions: Num[np.ndarray, "*shape Q"], levels: Sequence[float]
) -> float:
    """Mean over levels of 2 max(q (y - f), (q - 1) (y - f)), in the series' unit (Koenker & Bassett 1978).

    Twice the plain loss, as is usual, so that of the median alone it is the absolute error.
    """
    gap = targets.astype(np.float64)[..., None] - predictions
    each = np.asarray(levels, np.float64)
    return float(2 * np.maximum(each * gap, (each - 1) * gap).mean())


def coverage(
    targets: Num[np.ndarray, "*shape"], lower: Num[np.ndarray, "*shape"], upper: Num[np.ndarray, "*shape"]
) -> float:
    """Share of the targets that lie between two forecasts, both included, 0 to 1."""
    check_shapes(targets, lower)
    check_shapes(targets, upper)
    return float(((targets >= lower) & (targets <= upper)).mean())


def mae(targets: Num[np.ndarray, "*shape"], predictions: Num[np.ndarray, "*shape"]) -> float:
    """Mean absolute error, in the series' unit."""
    check_shapes(targets, predictions)
    return float(np.mean(np.abs(_gap(targets, predictions))))


def smape(targets: Num[np.ndarray, "*shape"], predictions: Num[np.ndarray, "*shape"]) -> float:
    """Mean of 2 |y - f| / (|y| + |f|), 0 to 2 (shown as 0 to 200 %); 0 where both are zero (Makridakis 1993)."""
    check_shapes(targets, predictions)
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
    check_shapes(targets, predictions)
    if np.any(np.asarray(scale) == 0):
        return math.nan
    return float(np.mean(np.abs(_gap(targets, predictions)) / scale))


def _gap(left: np.ndarray, right: np.ndarray) -> Float[np.ndarray, "..."]:
    return left.astype(np.float64) - right.astype(np.float64)
