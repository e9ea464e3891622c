"""From a table, wide or long, to a panel of series: which columns, in order of time, with nothing missing unsaid."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lstmlab.data import calendar
from lstmlab.data.datasets import times as clock
from lstmlab.data.datasets.numbers import to_numbers
from lstmlab.data.datasets.times import Step, Times
from lstmlab.data.panel import Line, Panel
from lstmlab.data.timeline import Done, Rows, Rules, filled, gridded, ordered, shown
from lstmlab.errors import InputError, nearest

FEW = 3
"""So many rows or fewer do not tell what their step is."""
PART = " part"
"""A column that no file can have: headers are read without blanks around them. It says which of several files a row is
from."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what."""

    time: tuple[str, ...] = ()
    """One column, or year, month, day, …; none: rows are counted."""
    series: str | None = None
    """Tells several series in one table apart (a long table)."""
    targets: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """All that hold numbers, what is forecast first."""
        return (*self.targets, *self.past, *self.future)


def panel(
    frame: pl.DataFrame,
    columns: Columns,
    rules: Rules,
    where: str,
    *,
    apart: bool = True,
    dated: bool = False,
    ahead: int = 0,
    step: Step | None = None,
) -> tuple[Panel, list[str]]:
    """A table as a panel, and what was done to it, a sentence each.

    `apart`: each of several targets is a series of its own; else they are forecast together. `dated` adds the calendar
    to what is known ahead, of which `ahead` more steps are wanted: from rows without targets, from the calendar. `step`
    is the one the table has to have; guessed where not given. Raises InputError naming file, row and column.
    """
    _refuse_unknown(frame, columns, where)
    if frame.is_empty():
        raise InputError(f"{where}: no rows")
    values = np.stack([to_numbers(frame[name], where) for name in columns.numbers], 1)
    times, told = _times(frame, columns, where)
    numbers = np.arange(1, len(frame) + 1)
    done, parts = Done(), []
    for name, index in _groups(frame, columns.series, where):
        at = f'{where}, series "{name}"' if name else where
        rows, found = ordered(Rows(times[index], values[index], numbers[index]), rules, at)
        done.add(found)
        parts.append((name, at, rows))
    step = _common_step(parts, columns, step, where)
    if dated and not calendar.names(step):
        raise InputError(f"{where}: data.calendar=true needs times, and these steps ({step.words}) have no calendar")
    lines: list[Line] = []
    for name, at, rows in parts:
        whole = gridded(rows, step, at)
        for number, (title, part, own) in enumerate(_shares(name, whole, columns, apart=apart)):
            read, filling, found = filled(part, rules, own.numbers, len(own.targets), at, goes_on=ahead > 0)
            if number:
                found.gaps = 0  # a step without a row lacks all columns: it is one gap
            done.add(found)
            on = _ahead(part, read, own, step, ahead, at)
            lines.append(_line(title, read, filling, on, own, step, dated=dated))
    names = ("value",) if apart and len(columns.targets) > 1 else columns.targets
    known_ahead = (*columns.future, *(calendar.names(step) if dated else ()))
    panel = Panel(tuple(lines), names, columns.past, known_ahead, step, done, rules)
    return panel, [*filter(None, [told]), *done.words(rules).values()]


def _shares(name: str, rows: Rows, columns: Columns, *, apart: bool) -> Iterator[tuple[str, Rows, Columns]]:
    """What makes up one series: all targets together, or each of them with all that stands beside it."""
    count = len(columns.targets)
    if not apart or count == 1:
        yield name, rows, columns
        return
    beside = list(range(count, rows.values.shape[1]))
    for at, target in enumerate(columns.targets):
        own = Rows(rows.times, rows.values[:, [at, *beside]], rows.numbers)
        yield f"{name} {target}".strip(), own, replace(columns, targets=(target,))


def _ahead(whole: Rows, rows: Rows, columns: Columns, step: Step, count: int, where: str) -> Rows:
    """The next `count` steps after the last value, with what is known ahead of them."""
    values = np.full((count, whole.values.shape[1]), np.nan)
    begin = int(np.searchsorted(whole.times, rows.times[-1], side="right"))
    there = whole.take(slice(begin, begin + count))
    values[: len(there.values)] = there.values
    last = np.concatenate([rows.times[-1:], there.times])[-1:]
    times = np.concatenate([there.times, step.after(last, np.arange(1, count - len(there.times) + 1))])
    known = values[:, len(columns.targets) + len(columns.past) :]
    missing = np.argwhere(np.isnan(known))
    if len(missing):
        step_at, column = (int(one) for one in missing[0])
        raise InputError(
            f'{where}: the column "{columns.future[column]}" has to be known ahead, and it is not for '
            f"{shown(times[step_at])}: give a row for each of the next {count} steps, with the target left empty"
        )
    return Rows(times, values, np.zeros(count, np.int64))


def _line(
    name: str,
    rows: Rows,
    filling: NDArray[np.float64] | None,
    on: Rows,
    columns: Columns,
    step: Step,
    *,
    dated: bool,
) -> Line:
    """A series from its rows, what is read in place of missing values, and the rows `on` from its end."""
    targets, past = len(columns.targets), len(columns.past)
    values, known, _ = np.split(rows.values, [targets, targets + past], 1)
    times = np.concatenate([rows.times, on.times])
    ahead = np.concatenate([rows.values, on.values])[:, targets + past :]
    if dated:
        ahead = np.concatenate([ahead, calendar.features(times, step)], 1)
    return Line(name, times, values, known, ahead, filling)


def _times(frame: pl.DataFrame, columns: Columns, where: str) -> tuple[Times, str]:
    if not columns.time:
        if columns.series is None:
            return np.arange(1, len(frame) + 1), ""
        # Without times, each series counts its own rows.
        return frame.select(pl.int_range(1, pl.len() + 1).over(columns.series)).to_series().to_numpy(), ""
    if len(columns.time) == 1:
        return clock.to_times(frame[columns.time[0]], where)
    return clock.from_fields([frame[name] for name in columns.time], where), ""


def _groups(frame: pl.DataFrame, series: str | None, where: str) -> list[tuple[str, NDArray[np.int64]]]:
    """The rows of each series, in the order in which they first appear."""
    if series is None:
        return [("", np.arange(len(frame)))]
    column = frame[series].cast(pl.String).str.strip_chars()
    empty = (column.is_null() | (column == "")).fill_null(True).arg_true()
    if len(empty):
        raise InputError(f'{where}, row {int(empty[0]) + 1}, column "{series}": no name of a series')
    found = pl.DataFrame({"name": column}).with_row_index("at").group_by("name", maintain_order=True).agg("at")
    return [(str(name), np.array(rows, np.int64)) for name, rows in found.iter_rows()]


def _common_step(parts: Sequence[tuple[str, str, Rows]], columns: Columns, wanted: Step | None, where: str) -> Step:
    """The step of all series: that of the longest one, with which the others have to agree; or the one `wanted`, as
    long as the rows do not speak against it."""
    if not columns.time:
        return Step(numbers=1)
    times = max((rows.times for _, _, rows in parts), key=len)
    found = clock.step_of(times)
    if wanted is None or found == wanted:
        return wanted or found
    daily = wanted.trading and not found.months and found.microseconds == clock.DAY
    if len(times) > FEW and not daily:
        raise InputError(
            f"{where}: its rows are {found.words} apart, and the model learned from rows {wanted.words} apart"
        )
    return wanted


def _refuse_unknown(frame: pl.DataFrame, columns: Columns, where: str) -> None:
    roles = {
        "time": columns.time,
        "series": (columns.series,) if columns.series else (),
        "target": columns.targets,
        "past": columns.past,
        "future": columns.future,
    }
    seen: dict[str, str] = {}
    for role, names in roles.items():
        for name in names:
            if name not in frame.columns:
                known = [column for column in frame.columns if column != PART]
                match = nearest(name, known)
                raise InputError(
                    f'{where}: no column "{name}" (data.{role}). Columns: {", ".join(known[:20])}.'
                    + (f" Did you mean {role}={match[0]}?" if match else "")
                )
            if name in seen:
                raise InputError(f'{where}: the column "{name}" is given twice, as data.{seen[name]} and data.{role}')
            seen[name] = role
