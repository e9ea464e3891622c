"""What a forecast has to beat: last value, seasonal naive, mean.

Letters in shapes: N examples, C context steps, F features.
"""

import numpy as np
from jaxtyping import Float, Num

from lstmlab.errors import InputError


def last_value(context: Num[np.ndarray, "N C *F"], horizon: int) -> Num[np.ndarray, "N {horizon} *F"]:
    """Tomorrow is like today: the last step, repeated."""
    return seasonal_naive(context, horizon, 1)


def seasonal_naive(context: Num[np.ndarray, "N C *F"], horizon: int, season: int) -> Num[np.ndarray, "N {horizon} *F"]:
    """The last `season` steps, repeated as often as the horizon asks."""
    _check(context, horizon)
    if not 1 <= season <= context.shape[1]:
        raise InputError(
            f"a season of {season} steps does not fit a context of {context.shape[1]}: expected 1 to {context.shape[1]}"
        )
    return context[:, context.shape[1] - season + np.arange(horizon) % season]


def mean(context: Num[np.ndarray, "N C *F"], horizon: int) -> Float[np.ndarray, "N {horizon} *F"]:
    """The mean of the context, repeated."""
    _check(context, horizon)
    return np.repeat(context.mean(1, keepdims=True, dtype=np.float64), horizon, 1)


def _check(context: np.ndarray, horizon: int) -> None:
    if horizon < 1 or context.shape[1] < 1:
        raise InputError(
            f"a forecast needs a horizon and a context of at least one step, got {horizon} and {context.shape[1]}"
        )
