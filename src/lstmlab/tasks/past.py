"""What forecasts are measured against: naive ones from each series' own past, and the scale of MASE."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmlab import baselines, metrics
from lstmlab.data.datasets.entry import SeriesHints
from lstmlab.data.datasets.times import DAY, US, Step
from lstmlab.data.panel import Windows
from lstmlab.data.timeline import shown
from lstmlab.errors import InputError
from lstmlab.tasks.task import Scores
from lstmlab.tasks.windows import EncodedWindows

Values = NDArray[np.float64]


LAST = "last value"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of what is left over, by step ahead."""
TIMES = 100
"""The most places in time at which what is left over is told."""


@dataclass(frozen=True)
class Rivals:
    """The season, and by series what a naive forecast misses by inside its training part [C]."""

    season: int | None
    scales: dict[str, list[float]]

    @classmethod
    def fit(cls, train: Windows, typed: int | None, hints: SeriesHints | None) -> "Rivals":
        """From the training part alone. Raises InputError where a season that was asked for is longer than that."""
        season = typed or (hints.season if hints else None) or usual_season(train.panel.step)
        ends = np.zeros(len(train.panel.lines), np.int64)
        np.maximum.at(ends, train.series, train.origins + train.horizon)
        longest = int(ends.max())
        if season is not None and season >= longest:
            if typed:
                raise InputError(
                    f"data.season={typed} is as long as the data to learn from: {longest} steps of the longest series"
                )
            season = None
        scales = {}
        for at in np.flatnonzero(ends):
            line = train.panel.lines[at]
            gap = season if season and season < ends[at] else 1
            values = line.values[: ends[at]]
            scale = np.nanmean(np.abs(values[gap:] - values[:-gap]), 0) if len(values) > gap else np.zeros(1)
            small = scale <= 1e-12 * np.nanmax(np.abs(values), 0)
            scales[line.name] = np.where(small | np.isnan(scale), 0.0, scale).tolist()
        return cls(season, scales)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "Rivals":
        """What `to_json` wrote."""
        return cls(saved["season"], saved["scales"])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"season": self.season, "scales": self.scales}

    def forecasts(self, encoded: EncodedWindows) -> Iterator[tuple[str, Values]]:
        """Naive forecasts of every window [N S C] with their names, one after the other: each can be large."""
        windows = encoded.windows
        methods: dict[str, Any] = {LAST: baselines.last_value}
        season = self.season
        if season and season > 1 and windows.origins.min() >= season:
            methods[f"seasonal naive ({season} steps)"] = partial(baselines.seasonal_naive, season=season)
        methods |= {"drift": baselines.drift, "mean": baselines.mean}
        for name, method in methods.items():
            found = np.empty_like(encoded.truth)
            for number in np.unique(windows.series):
                rows = np.flatnonzero(windows.series == number)
                found[rows] = method(windows.panel.lines[number].values, windows.origins[rows], windows.horizon)
            yield name, found

    def scores(self, encoded: EncodedWindows) -> dict[str, Scores]:
        """Errors of the naive forecasts."""
        return {name: self.errors(encoded, said) for name, said in self.forecasts(encoded)}

    def skill(self, encoded: EncodedWindows, error: float) -> float:
        """Skill score: 1 - `error` / the mean absolute error of the best naive forecast (Hyndman & Athanasopoulos
        2021, section 5.9); NaN where that one is perfect."""
        best = min(float(np.nanmean(np.abs(said - encoded.truth))) for _, said in self.forecasts(encoded))
        return 1 - error / best if best > 0 else math.nan

    def errors(self, encoded: EncodedWindows, said: Values) -> Scores:
        """Errors in the series' units and in scaled ones, over the values that are there."""
        truth = encoded.truth
        there = ~np.isnan(truth)
        true, told = truth[there], said[there]
        scaled = [encoded.scaled(values)[there] for values in (truth, said)]
        return {
            "mae": metrics.mae(true, told),
            "rmse": metrics.rmse(true, told),
            "smape": metrics.smape(true, told),
            "mase": self._mase(encoded, np.abs(truth - said)),
            "mse_scaled": metrics.mse(*scaled),
            "mae_scaled": metrics.mae(*scaled),
        }

    def _mase(self, encoded: EncodedWindows, gaps: Values) -> float:
        """Mean over windows of series whose scale is known and not zero."""
        names = [line.name for line in encoded.windows.panel.lines]
        width = gaps.shape[2]
        table = np.array([self.scales.get(name, [math.nan] * width) for name in names])
        scale = table[encoded.windows.series][:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(scale > 0, gaps / scale, np.nan)
        return float(np.nanmean(share)) if np.isfinite(share).any() else math.nan

    def details(self, encoded: EncodedWindows, said: Values) -> dict[str, Any]:
        """Mean absolute error by step ahead [S], the model's and the naive forecasts'; and the check for a copy."""
        truth = encoded.truth
        by_step, copy = {"model": _by_step(said, truth)}, {}
        for name, naive in self.forecasts(encoded):
            by_step[name] = _by_step(naive, truth)
            if name == LAST:
                copy = copied(truth, said, naive)
        return {"mae_by_step": by_step, "season": self.season, "windows": len(encoded), "copy": copy}


def copied(truth: Values, said: Values, last: Values) -> dict[str, float]:
    """Of forecasts one step ahead [N 1 C]: how far they are from the truth and from the value before it, and how far
    these are apart. A copy of the last value is near it, and as far from the truth as it is.
    """
    first = [part[:, 0] for part in (truth, said, last)]
    there = ~np.isnan(first[0])
    true, told, before = (part[there] for part in first)
    return {
        "from_truth": float(np.abs(told - true).mean()),
        "from_last": float(np.abs(told - before).mean()),
        "naive": float(np.abs(before - true).mean()),
    }


def _by_step(said: Values, truth: Values) -> list[float]:
    return np.nanmean(np.abs(said - truth), (0, 2)).tolist()


def residuals(encoded: EncodedWindows, said: Values) -> dict[str, Any]:
    """What is left over, forecast - truth, in the series' units: quantiles by step ahead [S]; and over time, of all
    steps ahead of windows that begin near each other, the mean and the mean absolute one.
    """
    gaps, windows = said - encoded.truth, encoded.windows
    by_step = [np.nanquantile(gaps[:, step], QUANTILES) for step in range(gaps.shape[1])]
    lines = windows.panel.lines
    times = np.array([lines[number].times[at] for number, at in zip(windows.series, windows.origins, strict=True)])
    order = np.argsort(times, kind="stable")
    groups = np.array_split(order, min(TIMES, len(np.unique(times))))
    return {
        "quantiles": list(QUANTILES),
        "by_step": np.array(by_step).T.tolist(),
        "times": [shown(times[rows[0]]) for rows in groups],
        "mean": [float(np.nanmean(gaps[rows])) for rows in groups],
        "mae": [float(np.nanmean(np.abs(gaps[rows]))) for rows in groups],
    }


def usual_season(step: Step) -> int | None:
    """How many steps usually make up a season; None where nothing suggests one."""
    if step.trading:
        return 5
    if step.months:
        return 12 // step.months if step.months < 12 and 12 % step.months == 0 else None
    if step.numbers or not step.microseconds:
        return None
    if step.microseconds == 7 * DAY:
        return 52
    if step.microseconds == DAY:
        return 7
    return DAY // step.microseconds if 60 * US <= step.microseconds < DAY and DAY % step.microseconds == 0 else None
