"""Series side by side, and windows over them.

A window is two numbers: which series, and where its first target stands. Nothing is cut out before a batch needs it, so
a thousand series of a thousand points take the memory of their points, however many windows lie over them.
Letters in shapes: T steps of a series, C values forecast together, P past covariates, F future covariates, N windows.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import overload

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from lstmlab.data.corpus import Index, Part
from lstmlab.data.datasets.times import Step, Times
from lstmlab.data.timeline import Done, Rules, shown
from lstmlab.types import Example


@dataclass(frozen=True)
class Line:
    """One series: a row a step."""

    name: str
    times: Times
    """Of every step; of a series to be continued also of those ahead."""
    values: Float[np.ndarray, "T C"]
    """What is forecast; NaN where it is missing. Nothing that was filled in is ever learned from or scored."""
    past: Float[np.ndarray, "T P"]
    """What is known up to now."""
    future: Float[np.ndarray, "_ F"]
    """What is known ahead as well: calendar, plans, prices; of a series to be continued it reaches further than T."""
    filled: Float[np.ndarray, "T C"] | None = None
    """What is read in place of `values`, where anything is: missing ones filled, or forecasts at the end."""

    def __len__(self) -> int:
        return len(self.values)

    @property
    def read(self) -> Float[np.ndarray, "T C"]:
        """What a model reads of the values."""
        return self.values if self.filled is None else self.filled

    def until(self, stop: int) -> "Line":
        """The series as it was known before step `stop`."""
        filled = None if self.filled is None else self.filled[:stop]
        return replace(self, values=self.values[:stop], past=self.past[:stop], filled=filled)

    def followed(self, more: Float[np.ndarray, "S C"]) -> "Line":
        """The series with forecasts at its end, to be read on from."""
        unknown = np.full_like(more, np.nan)
        return replace(
            self,
            values=np.concatenate([self.values, unknown]),
            past=np.concatenate([self.past, np.full((len(more), self.past.shape[1]), np.nan)]),
            filled=np.concatenate([self.read, more]),
        )


@dataclass(frozen=True)
class Panel:
    """Series with the same columns and the same step."""

    lines: tuple[Line, ...]
    targets: tuple[str, ...]
    past: tuple[str, ...]
    future: tuple[str, ...]
    step: Step
    done: Done = field(default_factory=Done)
    """What was done to the rows they were read from."""
    rules: Rules = field(default_factory=Rules)
    """By which rules."""

    @cached_property
    def fingerprint(self) -> str:
        """Names the content: equal fingerprints mean equal panels."""
        digest = hashlib.sha256(repr((self.targets, self.past, self.future, self.step)).encode())
        for line in self.lines:
            digest.update(line.name.encode())
            for part in (line.times, line.values, line.past, line.future, line.read):
                digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Windows(Part):
    """Windows over a panel, as examples: `context` steps read, `horizon` steps asked."""

    panel: Panel
    series: Int[np.ndarray, "N"]
    origins: Int[np.ndarray, "N"]
    """Where each window's first target stands in its series."""
    context: int
    horizon: int

    @classmethod
    def over(
        cls,
        panel: Panel,
        context: int,
        horizon: int,
        starts: NDArray[np.int64],
        stops: NDArray[np.int64],
        stride: int = 1,
    ) -> "Windows":
        """Every window whose targets lie in its series' steps from start to stop, the last one at their end; but none
        without any value to forecast, and none that ends on a value drawn on a line to what comes after it.
        """
        series, origins = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for number, line in enumerate(panel.lines):
            found = np.arange(stops[number] - horizon, max(starts[number], context) - 1, -stride)[::-1]
            known = np.concatenate([[0], np.cumsum(~np.isnan(line.values).all(1))])
            found = found[known[found + horizon] > known[found]]
            if panel.rules.missing == "interpolate":
                found = found[~np.isnan(line.values[found - 1]).any(1)]
            series.append(np.full(len(found), number))
            origins.append(found)
        return cls(panel, np.concatenate(series), np.concatenate(origins), context, horizon)

    @cached_property
    def fingerprint(self) -> str:  # type: ignore[override]
        """Names the content."""
        digest = hashlib.sha256(f"{self.panel.fingerprint} {self.context} {self.horizon}".encode())
        for part in (self.series, self.origins):
            digest.update(np.ascontiguousarray(part, np.int64).tobytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.origins)

    @overload
    def __getitem__(self, at: int) -> Example: ...
    @overload
    def __getitem__(self, at: slice) -> "Windows": ...
    def __getitem__(self, at: int | slice) -> "Example | Windows":
        if isinstance(at, slice):
            return self.take(np.arange(len(self))[at])
        line, origin = self.panel.lines[self.series[at]], int(self.origins[at])
        asked = line.values[origin : origin + self.horizon]
        return Example(
            f"{line.name} {shown(line.times[origin])}".strip() if origin < len(line) else f"{line.name} +1".strip(),
            plain(line.read[origin - self.context : origin]),
            plain(asked) if len(asked) == self.horizon else None,
            {"series": line.name, "origin": origin},
        )

    def __iter__(self) -> Iterator[Example]:
        return (self[at] for at in range(len(self)))

    def take(self, index: Index) -> "Windows":
        """The windows at these positions, in that order."""
        return Windows(self.panel, self.series[index], self.origins[index], self.context, self.horizon)

    @property
    def inputs(self) -> list[list]:
        """What each window reads, as plain numbers."""
        return [example.inputs for example in self]

    @property
    def targets(self) -> list[list | None]:
        """What each is asked, as plain numbers; None where it is not known."""
        return [example.target for example in self]

    def asked(self, index: Index) -> Float[np.ndarray, "N {self.horizon} _"]:
        """The steps asked. Raises ValueError where a series ends before."""
        series, origins = self.series[index], self.origins[index]
        found = np.empty((len(index), self.horizon, self.panel.lines[0].values.shape[1]))
        for number in np.unique(series):  # each series is looked up once
            rows, values = np.flatnonzero(series == number), self.panel.lines[number].values
            starts = origins[rows]
            if starts.max() + self.horizon > len(values):
                raise ValueError(f"a window of {self.panel.lines[number].name} reaches beyond its series")
            found[rows] = values[starts[:, None] + np.arange(self.horizon)]
        return found


def plain(values: Float[np.ndarray, "S C"]) -> list:
    """Numbers for JSON: a list of steps, each a number or, of several values, a list; None where one is missing."""
    told = values[:, 0] if values.shape[1] == 1 else values
    found = told.astype(object)
    found[np.isnan(told)] = None
    return found.tolist()
