"""Series side by side, and windows over them.

A window is two numbers: which series, and where its first target stands. Nothing is cut out before a batch needs it, so
a thousand series of a thousand points take the memory of their points, however many windows lie over them.
Letters in shapes: T steps of a series, C values forecast together, P past covariates, F future covariates, N windows.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import overload

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from lstmlab.data.corpus import Index, Part
from lstmlab.data.datasets.times import Step, Times
from lstmlab.data.timeline import Done, shown
from lstmlab.types import Example


@dataclass(frozen=True)
class Line:
    """One series: a row a step."""

    name: str
    times: Times
    values: Float[np.ndarray, "T C"]
    """What is forecast; NaN where it is missing."""
    past: Float[np.ndarray, "T P"]
    """What is known up to now."""
    future: Float[np.ndarray, "_ F"]
    """What is known ahead as well: calendar, plans, prices; of a series to be continued it reaches further than T."""

    def __len__(self) -> int:
        return len(self.values)


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

    @cached_property
    def fingerprint(self) -> str:
        """Names the content: equal fingerprints mean equal panels."""
        digest = hashlib.sha256(repr((self.targets, self.past, self.future, self.step)).encode())
        for line in self.lines:
            digest.update(line.name.encode())
            for part in (line.times, line.values, line.past, line.future):
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
        """Every window whose targets lie in its series' steps from start to stop, but for those without any value."""
        series, origins = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for number, line in enumerate(panel.lines):
            found = np.arange(max(starts[number], context), stops[number] - horizon + 1, stride)
            known = np.concatenate([[0], np.cumsum(~np.isnan(line.values).all(1))])
            found = found[known[found + horizon] > known[found]]
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
            plain(line.values[origin - self.context : origin]),
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

    def read(self, index: Index, name: str) -> Float[np.ndarray, "N {self.context} _"]:
        """The steps read, of "values", "past" or "future"."""
        return self._cut(index, name, -self.context, self.context)

    def asked(self, index: Index, name: str = "values") -> Float[np.ndarray, "N {self.horizon} _"]:
        """The steps asked. Raises ValueError where a series ends before."""
        return self._cut(index, name, 0, self.horizon)

    def _cut(self, index: Index, name: str, start: int, steps: int) -> NDArray[np.float64]:
        """Steps of every window, series by series so that each series is looked up once."""
        series, origins = self.series[index], self.origins[index]
        width = getattr(self.panel.lines[0], name).shape[1]
        found = np.empty((len(index), steps, width))
        for number in np.unique(series):
            rows, values = np.flatnonzero(series == number), getattr(self.panel.lines[number], name)
            starts = origins[rows] + start
            if len(starts) and (starts.min() < 0 or starts.max() + steps > len(values)):
                raise ValueError(f"a window of {self.panel.lines[number].name} reaches beyond its series")
            found[rows] = values[starts[:, None] + np.arange(steps)]
        return found


def plain(values: Float[np.ndarray, "S C"]) -> list:
    """Numbers for JSON: a list of steps, each a number or, of several values, a list; None where one is missing."""
    told = values[:, 0] if values.shape[1] == 1 else values
    found = told.astype(object)
    found[np.isnan(told)] = None
    return found.tolist()
