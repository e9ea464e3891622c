"""Numbers over time: parts that follow one another, windows, and a scaler fitted on the past alone."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from lstmlab.data.corpus import Corpus, Dataset, Source
from lstmlab.data.datasets import synthetic
from lstmlab.errors import InputError
from lstmlab.recipe import Settings

Series = NDArray[np.float64]


class SeriesSettings(Settings):
    """Which series to learn, how it is cut into windows, and how far ahead it is tested."""

    name: Literal["sine"] = "sine"
    """The series: sine, a thousand points of sin(x) whose continuation is known for ever."""
    points: int = Field(default=1000, gt=10)
    """Points of the known series, evenly spaced on [0, `end`], both ends included."""
    end: float = Field(default=100.0, gt=0)
    """Last x of the known series."""
    window: int = Field(default=50, gt=0)
    """Steps the model sees."""
    steps: int = Field(default=1, gt=0)
    """Steps ahead in each training window; beyond the first the model is fed its own forecasts."""
    horizon: int = Field(default=100, gt=0)
    """Test: steps ahead of the end of the known series, the model fed with its own forecasts."""
    valid_fraction: float = Field(default=0.0, ge=0, lt=1)
    """Share of the known series kept for validation, the last in time (0 to 1); 0 keeps none."""
    limit: int | None = Field(default=None, gt=0)
    """Use only this many training windows, the latest ones."""
    season: int | None = Field(default=None, gt=0)
    """Steps in a season, for the seasonal naive baseline; null leaves that baseline out."""
    scale: Literal["none", "standard"] = "standard"
    """Scaling before the model sees the numbers: none, or to mean 0 and deviation 1 of the training part."""


@dataclass(frozen=True)
class Scaler:
    """(x - mean) / deviation, both taken from the training part."""

    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def fit(cls, past: Series) -> "Scaler":
        """Mean and deviation of the past. A constant series keeps the deviation 1."""
        deviation = float(past.std())
        return cls(float(past.mean()), deviation if deviation > 0 else 1.0)

    def scale(self, values: Series) -> Series:
        """Into the model's units."""
        return (values - self.mean) / self.deviation

    def restore(self, values: Series) -> Series:
        """Back into the series' own units."""
        return values * self.deviation + self.mean


def windows(series: Series, window: int, steps: int, *, first: int = 0, start: int = 0) -> Corpus:
    """Every window of `window` values whose `steps` targets begin at position `first` or later.

    `id` is the position of the first target, counting the first value of `series` as `start`. Raises InputError where
    the series is too short for one.
    """
    starts = np.arange(max(first - window, 0), len(series) - window - steps + 1)
    if not len(starts):
        raise InputError(
            f"{len(series) - max(first - window, 0)} points are too few for a window of {window} and "
            f"{steps} to forecast: choose a smaller data.window or data.steps"
        )
    views = np.lib.stride_tricks.sliding_window_view(series, window + steps)[starts]
    return Corpus.of(
        pl.DataFrame(
            {
                "id": (start + starts + window).astype(str),
                "inputs": pl.Series(views[:, :window].tolist(), dtype=pl.List(pl.Float64)),
                "target": pl.Series(views[:, window:].tolist(), dtype=pl.List(pl.Float64)),
            }
        )
    )


def load_series(settings: SeriesSettings) -> Dataset:
    """Training windows, validation windows that come after them, and one test: the continuation of the whole series."""
    known = synthetic.sine(settings.points, settings.end)
    future = synthetic.sine_continuation(settings.horizon, settings.points, settings.end)
    cut = len(known) - int(len(known) * settings.valid_fraction)
    train = windows(known[:cut], settings.window, settings.steps)
    if settings.limit is not None:
        train = train[-settings.limit :]
    valid = windows(known, settings.window, settings.steps, first=cut) if cut < len(known) else None
    recent = known[-settings.window :]
    test = windows(
        np.concatenate([recent, future]), settings.window, settings.horizon, start=len(known) - settings.window
    )
    # The test's whole past stands beside its window: naive forecasts may look further back than the model does.
    test = Corpus.of(test.frame.with_columns(past=pl.Series([known.tolist()] * len(test), dtype=pl.List(pl.Float64))))
    source = Source(
        settings.name,
        f"{settings.points:,} points of sin(x), x evenly spaced on [0, {settings.end:g}]",
        licence="made by this program",
        steps=(
            f"{len(train):,} training windows of {settings.window} values, {settings.steps} to forecast after each.",
            f"{len(valid):,} validation windows whose targets are the last {len(known) - cut} known points."
            if valid is not None
            else "No validation part: every known point is trained on.",
            f"Test: the next {settings.horizon} points (x > {settings.end:g}), never seen, forecast in one run.",
        ),
    )
    return Dataset(train, valid, test, source)
