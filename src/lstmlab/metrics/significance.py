"""How sure a comparison is: intervals over seeds, paired tests over seeds and over examples, correction, effect size.

Pure functions of numbers. Where there is too little to say anything (one value, no spread at all) the answer is NaN.
Letters in shapes: S seeds, N test examples.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

Numbers = Sequence[float | int] | NDArray[Any]

LEVEL = 0.95
"""How often an interval covers the truth."""

SURE = 0.05
"""A smaller p, corrected where there are several tests, counts as proof."""

EXACT = 12
"""Up to so many differences all their signs are tried; with more, signs are drawn."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval. Of a single value the ends are NaN."""

    mean: float
    low: float
    high: float
    count: int

    @property
    def half(self) -> float:
        """Half the interval's width."""
        return (self.high - self.low) / 2


def standard_error(values: Numbers) -> float:
    """Standard error of the mean of independent values; NaN for fewer than two."""
    given = np.asarray(values, np.float64)
    return float(given.std(ddof=1) / math.sqrt(len(given))) if len(given) > 1 else math.nan


def mean_interval(values: Numbers, level: float = LEVEL) -> Estimate:
    """The mean and its interval by Student's t (Student 1908): what other seeds would give on average."""
    from scipy import stats

    given = np.asarray(values, np.float64)
    if not len(given):
        raise ValueError("an interval needs at least one value")
    mean, error = float(given.mean()), standard_error(given)
    half = error * float(stats.t.ppf((1 + level) / 2, len(given) - 1)) if len(given) > 1 else math.nan
    return Estimate(mean, mean - half, mean + half, len(given))


@dataclass(frozen=True)
class Paired:
    """What the differences of pairs say: their mean with interval, Student's t and its two-sided p."""

    difference: Estimate
    t: float
    p: float


def paired_t(first: Numbers, second: Numbers) -> Paired:
    """Student's paired t-test of first - second, two-sided.

    p is 1 where all pairs are equal, and NaN where there is one pair only or where all differ by exactly the same:
    without any spread the test says nothing.
    """
    from scipy import stats

    apart = _differences(first, second)
    found, error = mean_interval(apart), standard_error(apart)
    if not apart.any():
        return Paired(found, 0.0, 1.0)
    # Rounding leaves a spread of about 1e-16 where the differences are equal.
    if len(apart) < 2 or error <= 1e-12 * abs(found.mean):
        return Paired(found, math.nan, math.nan)
    t = found.mean / error
    return Paired(found, t, float(2 * stats.t.sf(abs(t), len(apart) - 1)))


@dataclass(frozen=True)
class Effect:
    """A standardised mean difference and its interval."""

    size: float
    low: float
    high: float


def effect_size(first: Numbers, second: Numbers, level: float = LEVEL) -> Effect:
    """Hedges' g of paired values: Cohen's d_z, the mean difference over the differences' standard deviation, times
    Hedges' exact correction J for few pairs (Hedges 1981, equation 6e; Lakens 2013).

    The interval inverts the noncentral t distribution (Cumming & Finch 2001). NaN for fewer than three pairs, for which
    J is not defined, and where there is no spread.
    """
    apart = _differences(first, second)
    degrees, tested = len(apart) - 1, paired_t(first, second)
    if degrees < 2 or math.isnan(tested.t):
        return Effect(math.nan, math.nan, math.nan)
    if not apart.any():
        return Effect(0.0, math.nan, math.nan)
    correction = math.exp(math.lgamma(degrees / 2) - math.lgamma((degrees - 1) / 2)) / math.sqrt(degrees / 2)
    scale = correction / math.sqrt(len(apart))
    ends = (_noncentrality(tested.t, degrees, share) for share in ((1 + level) / 2, (1 - level) / 2))
    return Effect(tested.t * scale, *(end * scale for end in ends))


def _noncentrality(t: float, degrees: int, share: float) -> float:
    """The noncentrality under which t lies at this share of its distribution; NaN where it cannot be computed."""
    from scipy import optimize, stats

    def off(shift: float) -> float:
        return float(stats.nct.cdf(t, degrees, shift)) - share

    # The share falls as the noncentrality grows: step away from t until it has crossed the wanted one.
    step = math.copysign(1.0, off(t))
    near, far = t, t + step
    while off(far) * step > 0 and abs(far - t) < 1e4:
        near, far = far, far + 0.5 * (far - t) + step
    return float(optimize.brentq(off, near, far)) if off(far) * step <= 0 else math.nan


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, so that one false alarm in all stays as rare as it would be in a single
    test (Holm 1979). NaN stays NaN and is not counted."""
    known = sorted((p, at) for at, p in enumerate(values) if not math.isnan(p))
    corrected, so_far = [math.nan] * len(values), 0.0
    for rank, (p, at) in enumerate(known):
        so_far = max(so_far, min(1.0, (len(known) - rank) * p))
        corrected[at] = so_far
    return corrected


def sign_flip(differences: Numbers, samples: int = 10_000, seed: int = 0) -> float:
    """Two-sided p of a mean difference other than zero, were each difference as likely to have the other sign
    (Fisher 1935). Exact for up to `EXACT` differences."""
    apart = np.asarray(differences, np.float64)
    if not apart.any():
        return 1.0
    if len(apart) <= EXACT:
        signs = 1 - 2 * ((np.arange(2 ** len(apart))[:, None] >> np.arange(len(apart))) & 1)
        sums = np.abs(signs @ apart)
        return float((sums >= abs(apart.sum()) * (1 - 1e-12)).mean())
    return swap_test(apart, np.zeros_like(apart), np.ones_like(apart), np.ones_like(apart), samples, seed)


def swap_test(
    first: Float[np.ndarray, "N"],
    second: Float[np.ndarray, "N"],
    first_of: Float[np.ndarray, "N"],
    second_of: Float[np.ndarray, "N"],
    samples: int = 10_000,
    seed: int = 0,
) -> float:
    """Approximate randomisation (Noreen 1989; Yeh 2000): two-sided p of the difference of two systems' scores, were
    each example's two answers exchangeable.

    A score is a sum over examples divided by another: right words of all words, twice the spans found of those said and
    wanted (F1), loss of examples. `first` and `first_of` are the first system's sums by example. The smallest p there
    can be is 1 / (samples + 1).
    """
    change, change_of = second - first, second_of - first_of
    moved = np.flatnonzero((change != 0) | (change_of != 0))
    if not len(moved):
        return 1.0
    at_least = abs(_ratio(first.sum(), first_of.sum()) - _ratio(second.sum(), second_of.sum())) * (1 - 1e-9)
    random = np.random.default_rng(seed)
    count = 0
    for rows in _portions(samples, len(moved)):
        swapped = random.integers(0, 2, (rows, len(moved)), np.int8).astype(np.float64)
        top, bottom = swapped @ change[moved], swapped @ change_of[moved]
        one = _ratio(first.sum() + top, first_of.sum() + bottom)
        other = _ratio(second.sum() - top, second_of.sum() - bottom)
        count += int((np.abs(one - other) >= at_least).sum())
    return (count + 1) / (samples + 1)


def equal_shares(right: Numbers, counts: Numbers, samples: int = 9_999, seed: int = 0) -> float:
    """p of groups being right in shares as unlike as these, were each example as likely to be right in any group.

    Pearson's chi-squared over all groups, its distribution drawn with both margins kept (Patefield 1981), so that small
    groups count too. 1 where nothing differs; the smallest p there can be is 1 / (samples + 1).
    """
    good, asked = np.asarray(right, np.int64), np.asarray(counts, np.int64)
    if good.shape != asked.shape or good.ndim != 1 or (good > asked).any() or (asked < 1).any():
        raise ValueError(f"expected as many right answers as groups, none above its count, got {good} of {asked}")
    if len(good) < 2 or not 0 < good.sum() < asked.sum():
        return 1.0
    drawn = np.random.default_rng(seed).multivariate_hypergeometric(asked, int(good.sum()), samples, method="marginals")
    # With both margins fixed the statistic grows with this sum alone.
    at_least = float((good**2 / asked).sum()) * (1 - 1e-12)
    return float(((drawn**2 / asked).sum(1) >= at_least).sum() + 1) / (samples + 1)


def equal_means(means: Numbers, errors: Numbers) -> float:
    """p of independent groups' means as unlike as these, were they one (Cochran 1954's Q); `errors` are their standard
    errors. A group without any spread has the least error of the others; where none has one, any difference is sure."""
    from scipy import stats

    values, spread = np.asarray(means, np.float64), np.asarray(errors, np.float64)
    if not (spread > 0).any():
        return float(np.ptp(values) == 0)
    weights = np.maximum(spread, spread[spread > 0].min()) ** -2
    apart = float((weights * (values - (weights * values).sum() / weights.sum()) ** 2).sum())
    return float(stats.chi2.sf(apart, len(values) - 1))


def exact_binomial(first_only: int, second_only: int) -> float:
    """Two-sided p of two methods being right equally often, from the examples that one of them alone has right
    (McNemar 1947, by the exact binomial distribution)."""
    from scipy import stats

    both = first_only + second_only
    return float(stats.binomtest(first_only, both).pvalue) if both else 1.0


def p_word(p: float) -> str:
    """A probability as it is written in a sentence: "p = 0.02", "p < 0.001"."""
    if math.isnan(p):
        return "p not known"
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.995 else "p = 1"


def smallest_within(scores: Sequence[Numbers], sizes: Sequence[float | int]) -> tuple[int, int, float] | None:
    """(chosen, best, standard error): the smallest of several whose mean score lies within one standard error of the
    best one's (Breiman et al. 1984, section 3.4.3). Higher scores are better. None where there is one value each."""
    means = [float(np.mean(one)) for one in scores]
    best = int(np.argmax(means))
    error = standard_error(scores[best])
    if math.isnan(error):
        return None
    near = [at for at, mean in enumerate(means) if mean >= means[best] - error]
    return min(near, key=lambda at: (sizes[at], -means[at])), best, error


def _differences(first: Numbers, second: Numbers) -> NDArray[np.float64]:
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != other.shape or one.ndim != 1 or not len(one):
        raise ValueError(f"expected as many values on both sides, got {one.shape} and {other.shape}")
    return one - other


def _ratio(top: NDArray[np.float64] | float, bottom: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """top / bottom, 0 where there is nothing to divide by."""
    below = np.asarray(bottom, np.float64)
    return np.where(below != 0, np.asarray(top, np.float64) / np.where(below != 0, below, 1.0), 0.0)


def _portions(samples: int, width: int, most: int = 4_000_000) -> list[int]:
    """How many samples to draw at a time, so that no more than `most` numbers are held at once."""
    rows = max(1, min(samples, most // max(width, 1)))
    return [min(rows, samples - at) for at in range(0, samples, rows)]
