"""Timing two or more sides in turns, and a table that says what must be reached and what was."""

import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import exp, log

import torch

TURN = 0.02
"""Seconds: a call shorter than this is repeated within its turn. The first of them is not counted, because it may
share the machine with threads of the side before that still spin."""


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    quick: bool = False
    threads: int = 2
    kernel: str | None = None
    hidden: tuple[int, ...] = ()

    @property
    def rounds(self) -> int:
        """Turns of each side."""
        return 3 if self.quick else 7

    def sizes(self, sizes: Iterable[int]) -> list[int]:
        """Those hidden sizes that were asked for; with --quick the smallest of them."""
        wanted = [size for size in sizes if not self.hidden or size in self.hidden]
        return wanted[:1] if self.quick else wanted


@dataclass(frozen=True)
class Side:
    """What is timed; `threads` sets torch's number before each turn."""

    run: Callable[[], object]
    threads: int | None = None


@dataclass(frozen=True)
class Row:
    """One measured value, with what it was computed from in `parts` and what it should be."""

    measure: str
    size: str
    parts: Mapping[str, str]
    value: float
    need: float | None = None
    goal: float | None = None
    at_most: bool = False
    unit: str = "×"

    @property
    def verdict(self) -> str:
        """yes, no, goal; a dash where nothing is asked."""
        if self._meets(self.goal):
            return "goal"
        return "–" if self.need is None else "yes" if self._meets(self.need) else "NO"

    def _meets(self, bound: float | None) -> bool:
        return bound is not None and (self.value <= bound if self.at_most else self.value >= bound)

    def bound(self, bound: float | None) -> str:
        """A bound in words."""
        return "–" if bound is None else f"{'≤' if self.at_most else '≥'} {shown(bound, self.unit)}"


@dataclass
class Table:
    """Rows of one part, and what has to be said beside them."""

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """The table as plain Markdown."""
        names = list(dict.fromkeys(name for row in self.rows for name in row.parts))
        header = ["measure", "size", *names, "result", "must reach", "goal", "reached"]
        lines = [
            [
                row.measure,
                row.size,
                *(row.parts.get(name, "") for name in names),
                shown(row.value, row.unit),
                row.bound(row.need),
                row.bound(row.goal),
                row.verdict,
            ]
            for row in self.rows
        ]
        text = [f"### {self.title}", ""]
        if lines:
            text += ["| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *lines)] + [""]
        return "\n".join([*text, *(f"{note}\n" for note in self.notes)])


def shown(value: float, unit: str) -> str:
    """1.234 × as 1.23×; a share as 87 %; 2.345 s."""
    return f"{value:.0%}" if unit == "%" else f"{value:.2f}×" if unit == "×" else f"{value:.2f} {unit}"


def race(sides: Mapping[str, Side | Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of a call of each side, all warmed up, in turns whose order rotates."""
    runners = {name: side if isinstance(side, Side) else Side(side) for name, side in sides.items()}
    expected = {name: _warm_up(side) for name, side in runners.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    names = list(runners)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            seconds[name] += _turn(runners[name], expected[name])
    return {name: statistics.median(values) for name, values in seconds.items()}


def mean(values: Iterable[float]) -> float:
    """The geometric mean."""
    logs = [log(value) for value in values]
    return exp(sum(logs) / len(logs))


def _warm_up(side: Side) -> float:
    _prepare(side)
    side.run()
    return _timed(side.run)


def _turn(side: Side, expected: float) -> list[float]:
    _prepare(side)
    if side.threads is not None or expected < TURN:
        side.run()
    values = [_timed(side.run)]
    while sum(values) < TURN:
        values.append(_timed(side.run))
    return values


def _prepare(side: Side) -> None:
    if side.threads is not None:
        torch.set_num_threads(side.threads)


def _timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
