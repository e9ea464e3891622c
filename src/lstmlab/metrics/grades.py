"""How well scores follow those people gave.

Letters in shapes: N examples.
"""

import math

import numpy as np
from jaxtyping import Float

from lstmlab.metrics.checks import check_shapes


def pearson(targets: Float[np.ndarray, "N"], predictions: Float[np.ndarray, "N"]) -> float:
    """Pearson's correlation, -1 to 1; NaN where one side is constant, as of a single example."""
    check_shapes(targets, predictions)
    if np.ptp(targets) == 0 or np.ptp(predictions) == 0:
        return math.nan
    return float(np.corrcoef(targets.astype(np.float64), predictions.astype(np.float64))[0, 1])


def pearson_interval(correlation: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a correlation measured on `count` examples (Fisher 1921); -1 to 1 for fewer than four."""
    if count < 4:
        return -1.0, 1.0
    if abs(correlation) == 1:
        return correlation, correlation
    half = 1.959963984540054 / math.sqrt(count - 3)
    return math.tanh(math.atanh(correlation) - half), math.tanh(math.atanh(correlation) + half)


def spearman(targets: Float[np.ndarray, "N"], predictions: Float[np.ndarray, "N"]) -> float:
    """Spearman's: the correlation of ranks, equal values sharing the mean of theirs."""
    from scipy.stats import rankdata

    check_shapes(targets, predictions)
    return pearson(rankdata(targets), rankdata(predictions))
