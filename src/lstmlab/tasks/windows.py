"""Windows as numbers a network reads: scaled, flat, and gathered batch by batch.

Letters in shapes: A all steps of all series end to end, X numbers of a step read, F numbers known ahead, C values
forecast together, N windows, L series, T steps read, S steps ahead.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float32, Int
from numpy.typing import NDArray
from torch import Tensor

from lstmlab.baselines.forecasts import carried
from lstmlab.data.corpus import Index
from lstmlab.data.panel import Line, Panel, Windows
from lstmlab.data.scaler import Scaler
from lstmlab.errors import InputError
from lstmlab.types import Batch, Padded

HUGE = 1e15
"""Scaled values beyond are refused: their squares would not fit into single precision."""


@dataclass(frozen=True)
class Scalers:
    """Of what is forecast, series by series; of what stands beside it, column by column."""

    names: tuple[str, ...]
    """The series seen in training, in the order of the rows of `values`."""
    values: Scaler
    past: Scaler
    future: Scaler

    @classmethod
    def fit(cls, train: Windows, *, scaled: bool) -> "Scalers":
        """On every series' steps up to its last training target. Of series that training leaves out, on their own past
        up to there; what stands beside is scaled as one for all series.
        """
        lines = train.panel.lines
        ends = np.zeros(len(lines), np.int64)
        np.maximum.at(ends, train.series, train.origins + train.horizon)
        used = np.flatnonzero(ends)
        pasts = [lines[at].values[: ends[at]] for at in used]
        names = tuple(lines[at].name for at in used)
        beside = [
            Scaler.fit([np.concatenate([getattr(lines[at], part)[: ends[at]] for at in used])])
            for part in ("past", "future")
        ]
        values = Scaler.fit(pasts) if scaled else Scaler.plain(len(used), pasts[0].shape[1])
        return cls(names, values, *beside)


@dataclass(frozen=True)
class EncodedWindows:
    """Windows over flat, scaled arrays, which take the memory of the series however many windows there are."""

    windows: Windows
    steps: Float32[np.ndarray, "A X"]
    """What is read at each step: values (of a missing one, the value before), whether they were there where some are
    missing, what is known of the past, what is known ahead."""
    ahead: Float32[np.ndarray, "_ F"]
    targets: Float32[np.ndarray, "A C"]
    starts: Int[np.ndarray, "N"]
    """Where each window's first target stands in `steps`."""
    starts_ahead: Int[np.ndarray, "N"]
    """The same in `ahead`, whose series may reach further."""
    who: Int[np.ndarray, "N"]
    """Which of the series seen in training each window is of; -1 for another one."""
    scaler: Scaler
    """Row by row for the panel's series."""
    answered: bool
    """Whether what follows each window is known."""

    @classmethod
    def of(cls, windows: Windows, scalers: Scalers, *, masked: bool, scaled: bool) -> "EncodedWindows":
        """Scaled as in training; a series that training never saw, by its own steps before its first window."""
        panel = windows.panel
        known = {name: at for at, name in enumerate(scalers.names)}
        rows = [known.get(line.name, -1) for line in panel.lines]
        scaler = _scaler(windows, scalers, rows, scaled=scaled)
        targets, read = (
            [(part - scaler.mean[at]) / scaler.deviation[at] for at, part in enumerate(parts)]
            for parts in ([line.values for line in panel.lines], [line.read for line in panel.lines])
        )
        for line, scaled_line in zip(panel.lines, read, strict=True):
            _refuse_huge(line, scaled_line)
        there = ~np.isnan(np.concatenate(read))
        beside = [_beside(panel, part, getattr(scalers, part)) for part in ("past", "future")]
        lengths = [len(line) for line in panel.lines]
        now = np.concatenate([line.future[: len(line)] for line in panel.lines])
        # Of a missing value the one before it is read; before the first, zero, which is the mean.
        values = np.nan_to_num(np.concatenate([carried(one) for one in read]))
        columns = [values, *([there] if masked else []), beside[0], _scale(now, scalers.future)]
        begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        ahead_begins = np.concatenate([[0], np.cumsum([len(line.future) for line in panel.lines])[:-1]])
        ends = np.array(lengths)[windows.series]
        return cls(
            windows,
            np.concatenate(columns, 1).astype(np.float32),
            beside[1].astype(np.float32),
            np.concatenate(targets).astype(np.float32),
            begins[windows.series] + windows.origins,
            ahead_begins[windows.series] + windows.origins,
            np.array(rows, np.int64)[windows.series],
            scaler,
            answered=bool((windows.origins + windows.horizon <= ends).all()),
        )

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each window."""
        return np.full(len(self), self.windows.context, np.int64)

    def __len__(self) -> int:
        return len(self.windows)

    def batch(self, index: Index) -> Batch:
        """Steps read [B T X], known ahead [B S F] where something is, targets [B S C] where they are known."""
        windows = self.windows
        back = self.starts[index][:, None] + np.arange(-windows.context, 0)
        on = np.arange(windows.horizon)
        values = torch.from_numpy(self.steps[back])
        second = None
        if self.ahead.shape[1]:
            known = torch.from_numpy(self.ahead[self.starts_ahead[index][:, None] + on])
            second = Padded(known, _full(len(index), windows.horizon))
        targets = torch.from_numpy(self.targets[self.starts[index][:, None] + on]) if self.answered else None
        return Batch(
            Padded(values, _full(len(index), windows.context)),
            targets,
            torch.from_numpy(index),
            second=second,
            series=torch.from_numpy(self.who[index]),
        )

    @cached_property
    def truth(self) -> NDArray[np.float64]:
        """What follows each window, in the series' units [N S C]; NaN where it is missing."""
        return self.windows.asked(np.arange(len(self)))

    def scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values in the series' units [N S C], scaled."""
        series = self.windows.series
        return (values - self.scaler.mean[series][:, None]) / self.scaler.deviation[series][:, None]

    def restored(self, values: NDArray[np.float64], *, spread: bool = False) -> NDArray[np.float64]:
        """Scaled values [N S C …] in the series' units; with `spread` they are deviations, which have no place."""
        shape = (len(self), 1, self.scaler.mean.shape[1], *[1] * (values.ndim - 3))
        mean, deviation = (
            part[self.windows.series].reshape(shape) for part in (self.scaler.mean, self.scaler.deviation)
        )
        return values * deviation if spread else values * deviation + mean


def _scaler(windows: Windows, scalers: Scalers, rows: list[int], *, scaled: bool) -> Scaler:
    lines = windows.panel.lines
    mean, deviation = (np.zeros((len(lines), scalers.values.mean.shape[1])) for _ in range(2))
    first = np.array([len(line) for line in lines])
    np.minimum.at(first, windows.series, windows.origins)
    for at, (line, row) in enumerate(zip(lines, rows, strict=True)):
        if row >= 0:
            mean[at], deviation[at] = scalers.values.mean[row], scalers.values.deviation[row]
        else:
            own = Scaler.fit([line.values[: first[at]]]) if scaled else Scaler.plain(1, mean.shape[1])
            mean[at], deviation[at] = own.mean[0], own.deviation[0]
    return Scaler(mean, deviation)


def _beside(panel: Panel, part: str, scaler: Scaler) -> NDArray[np.float64]:
    return _scale(np.concatenate([getattr(line, part) for line in panel.lines]), scaler)


def _scale(values: NDArray[np.float64], scaler: Scaler) -> NDArray[np.float64]:
    """Scaled; what is missing is zero, the mean."""
    return np.nan_to_num((values - scaler.mean[0]) / scaler.deviation[0])


def _refuse_huge(line: Line, values: NDArray[np.float64]) -> None:
    """What single precision cannot hold once it is scaled by what training saw."""
    huge = np.argwhere(np.abs(values) > HUGE)
    if len(huge):
        step, column = (int(one) for one in huge[0])
        name = f' of "{line.name}"' if line.name else ""
        raise InputError(
            f"value {step + 1}{name} is {line.read[step, column]:g}, {abs(values[step, column]):.1g} times the usual "
            "deviation: is it mistyped?"
        )


def _full(count: int, value: int) -> Tensor:
    return torch.full((count,), value, dtype=torch.long)
