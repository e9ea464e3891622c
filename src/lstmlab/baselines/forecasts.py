"""What a forecast has to beat, from nothing but the series' own past: last value, seasonal naive, drift, mean.

Letters in shapes: T steps known, N origins, S steps ahead, C values.
"""

import numpy as np
from jaxtyping import Float, Int, Num

from lstmlab.errors import InputError

Origins = Int[np.ndarray, "N"]


def last_value(series: Num[np.ndarray, "T C"], origins: Origins, horizon: int) -> Float[np.ndarray, "N S C"]:
    """Tomorrow is like today: the last step before each origin, repeated."""
    return seasonal_naive(series, origins, horizon, 1)


def seasonal_naive(
    series: Num[np.ndarray, "T C"], origins: Origins, horizon: int, season: int
) -> Float[np.ndarray, "N S C"]:
    """The last `season` steps before each origin, repeated as often as the horizon asks."""
    known = _known(series, origins, horizon, season)
    return known[origins[:, None] - season + np.arange(horizon) % season]


def drift(series: Num[np.ndarray, "T C"], origins: Origins, horizon: int) -> Float[np.ndarray, "N S C"]:
    """On from the last value along the line through it and the first (Hyndman & Athanasopoulos 2021, section 5.2)."""
    known = _known(series, origins, horizon, 1)
    last = known[origins - 1]
    slope = (last - known[0]) / np.maximum(origins - 1, 1)[:, None]
    return last[:, None] + slope[:, None] * np.arange(1, horizon + 1)[:, None]


def mean(series: Num[np.ndarray, "T C"], origins: Origins, horizon: int) -> Float[np.ndarray, "N S C"]:
    """The mean of everything before each origin, repeated."""
    known = _known(series, origins, horizon, 1)
    means = known.cumsum(0)[origins - 1] / origins[:, None]
    return np.repeat(means[:, None], horizon, 1)


def _known(series: np.ndarray, origins: np.ndarray, horizon: int, season: int) -> Float[np.ndarray, "T C"]:
    """The series with the value before it wherever one is missing (at the start, the first there is)."""
    if horizon < 1 or not len(series):
        raise InputError(f"a forecast needs a horizon and a past of at least one step, got {horizon} and {len(series)}")
    if season < 1 or (len(origins) and origins.min() < season):
        least = int(origins.min()) if len(origins) else 0
        raise InputError(f"a season of {season} steps does not fit a past of {least}: expected 1 to {least}")
    values = carried(series.astype(np.float64))
    return np.where(np.isnan(values), values[(~np.isnan(values)).argmax(0), np.arange(values.shape[1])], values)


def carried(series: Float[np.ndarray, "T C"]) -> Float[np.ndarray, "T C"]:
    """The value before it wherever one is missing; those before the first stay missing."""
    there = ~np.isnan(series)
    if there.all():
        return series
    places = np.maximum.accumulate(np.where(there, np.arange(len(series))[:, None], 0), 0)
    return np.take_along_axis(series, places, 0)
