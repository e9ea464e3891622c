"""Rows of one series brought into order: one row for each step, what is missing filled or marked as the settings say.

Letters in shapes: T rows or steps, K columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from lstmlab.baselines.forecasts import carried
from lstmlab.data.datasets.times import Step, Times
from lstmlab.errors import InputError

Missing = Literal["refuse", "interpolate", "forward", "mask"]
Repeated = Literal["refuse", "first", "last", "mean"]

SPARSE, MANY = 20, 1_000_000
"""A grid of more than MANY steps with so many times fewer rows is refused: a mistyped year would fill the memory."""


@dataclass(frozen=True)
class Rules:
    """What to do with rows that are not as they should be."""

    missing: Missing = "refuse"
    repeated: Repeated = "refuse"
    sort: bool = False


@dataclass(frozen=True)
class Rows:
    """Rows of one series: times, values (NaN where there is none), and the row of the file each came from (from 1)."""

    times: Times
    values: Float[np.ndarray, "T K"]
    numbers: Int[np.ndarray, "T"]

    def take(self, index: NDArray[np.int64] | slice) -> "Rows":
        """Some of the rows."""
        return Rows(self.times[index], self.values[index], self.numbers[index])

    def at(self, place: int) -> str:
        """A row as people find it."""
        return f"row {self.numbers[place]} ({shown(self.times[place])})"


@dataclass
class Done:
    """What was done to the rows of all series, counted."""

    turned: int = 0
    sorted: int = 0
    repeated: int = 0
    gaps: int = 0
    cells: int = 0
    beside: int = 0
    trimmed: int = 0

    def add(self, other: "Done") -> None:
        """Count what was done to another series too."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    def words(self, rules: Rules) -> dict[str, str]:
        """Field → a sentence, for each thing that was done."""
        how = {
            "interpolate": "read as on a straight line between their neighbours, and no window ends on one",
            "forward": "read as the value before them",
            "mask": "marked as missing, and the model is told so",
        }.get(rules.missing, "")
        uncounted = "; they count in no loss and no score"
        told = {
            "turned": "Rows came latest first and were turned round.",
            "sorted": f"Rows out of order were sorted by time ({self.sorted:,} steps back).",
            "repeated": f"{self.repeated:,} rows repeat the time of another: the {rules.repeated} was kept.",
            "gaps": f"{self.gaps:,} steps without a row were added and {how}{uncounted}.",
            "cells": f"{self.cells:,} empty cells were {how}{uncounted}.",
            "beside": f"{self.beside:,} empty cells of columns that help were read as the value before them.",
            "trimmed": f"{self.trimmed:,} rows before the first or after the last value were left out.",
        }
        return {name: sentence for name, sentence in told.items() if getattr(self, name)}


def shown(time: np.datetime64 | np.int64) -> str:
    """A time as people write it."""
    if not isinstance(time, np.datetime64):
        return str(time)
    text = str(time.astype("M8[s]")).replace("T", " ")
    return text.removesuffix(" 00:00:00")


def ordered(rows: Rows, rules: Rules, where: str) -> tuple[Rows, Done]:
    """Rows in order of time, each time once. Raises InputError where the rules refuse what is found."""
    done = Done()
    later = np.diff(rows.times) < np.zeros(1, np.diff(rows.times).dtype)
    if later.all() and len(later):
        rows, done.turned = rows.take(slice(None, None, -1)), 1
    elif later.any():
        place = int(np.flatnonzero(later)[0])
        if not rules.sort:
            raise InputError(
                f"{where}: rows are not in order of time: {rows.at(place + 1)} comes after {rows.at(place)}"
                f"{_more(int(later.sum()))}. If the order means nothing: data.sort=true"
            )
        rows, done.sorted = rows.take(np.argsort(rows.times, kind="stable")), int(later.sum())
    same = np.flatnonzero(np.diff(rows.times) == np.zeros(1, np.diff(rows.times).dtype))
    if not len(same):
        return rows, done
    if rules.repeated == "refuse":
        raise InputError(
            f"{where}: {rows.at(int(same[0]) + 1)} has the time of {rows.at(int(same[0]))}{_more(len(same))}. Choose "
            "data.repeated=first, last or mean, or name the column that tells several series apart: data.series=COLUMN"
        )
    done.repeated = len(same)
    return _once(rows, rules.repeated), done


def _more(count: int) -> str:
    return f" ({count - 1:,} more like it)" if count > 1 else ""


def _once(rows: Rows, repeated: Repeated) -> Rows:
    _, first, group = np.unique(rows.times, return_index=True, return_inverse=True)
    if repeated == "first":
        return rows.take(first)
    if repeated == "last":
        return rows.take(np.append(first[1:], len(rows.times)) - 1)
    known = ~np.isnan(rows.values)
    sums, counts = np.zeros((len(first), rows.values.shape[1])), np.zeros((len(first), rows.values.shape[1]))
    np.add.at(sums, group, np.where(known, rows.values, 0.0))
    np.add.at(counts, group, known)
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return Rows(rows.times[first], means, rows.numbers[first])


def gridded(rows: Rows, step: Step, where: str) -> Rows:
    """Rows with one for every step from the first time to the last: NaN, and row 0, where there was none.

    Trading days have no grid: exchanges close when they like.
    """
    if step.trading or len(rows.times) < 2:
        return rows
    places = _places(rows, step, where)
    length = int(places[-1]) + 1
    if length == len(places):
        return rows
    if length > MANY and length > SPARSE * len(places):
        raise InputError(
            f"{where}: from {shown(rows.times[0])} to {shown(rows.times[-1])} there are {length:,} steps of a "
            f"{step.words}, and only {len(places):,} rows: is a time mistyped?"
        )
    values = np.full((length, rows.values.shape[1]), np.nan)
    numbers = np.zeros(length, np.int64)
    values[places], numbers[places] = rows.values, rows.numbers
    return Rows(step.after(rows.times[:1], np.arange(length)), values, numbers)


def _places(rows: Rows, step: Step, where: str) -> NDArray[np.int64]:
    """How many steps each row is from the first."""
    if step.months:
        months = rows.times.astype("M8[M]").astype(np.int64)
        places, rest = np.divmod(months - months[0], step.months)
    else:
        size = step.numbers or step.microseconds
        places, rest = np.divmod((rows.times - rows.times[0]).astype(np.int64), size)
    odd = np.flatnonzero(rest)
    if not len(odd):
        odd = np.flatnonzero(np.diff(places) == 0) + 1
    if len(odd):
        at = int(odd[0])
        raise InputError(
            f"{where}: rows are a {step.words} apart as a rule, and {rows.at(at)} is no whole number of steps from "
            f"{rows.at(at - 1)} ({len(odd):,} rows in all). Give regular times, or leave data.time out to count rows"
        )
    return places


def filled(
    rows: Rows, rules: Rules, names: Sequence[str], targets: int, where: str, *, goes_on: bool = False
) -> tuple[Rows, NDArray[np.float64] | None, Done]:
    """Rows from the first to the last value of the first `targets` columns, which are forecast; what is read in their
    place [T targets] (None where nothing is missing, or only marked); and what was done.

    Missing values of other columns become the value before them; those before the first stay missing. Where the table
    `goes_on`, with what is known ahead, rows after the last value are as they should be.
    """
    known = ~np.isnan(rows.values)
    whole = np.flatnonzero(known[:, :targets].all(1))
    if not len(whole):
        empty = [name for name, one in zip(names, known[:, :targets].T, strict=False) if not one.any()]
        if empty or targets == 1:
            raise InputError(f'{where}: no value at all in column "{(empty or names)[0]}"')
        raise InputError(f"{where}: no row has a value in every column to forecast ({', '.join(names[:targets])})")
    done = Done(trimmed=int(whole[0] + len(known) - 1 - whole[-1]))
    if goes_on:
        done.trimmed = int(whole[0])
    if rules.missing == "refuse" and done.trimmed:
        _refuse(rows, known, names, where)
    rows, known = rows.take(slice(whole[0], whole[-1] + 1)), known[whole[0] : whole[-1] + 1]
    if known.all():
        return rows, None, done
    if rules.missing == "refuse":
        _refuse(rows, known, names, where)
    there = rows.numbers > 0
    done.gaps = int((~there).sum())
    done.cells, done.beside = (int((~part[there]).sum()) for part in np.split(known, [targets], 1))
    for name, one in zip(names, known.T, strict=True):
        if not one.any():
            raise InputError(f'{where}: no value at all in column "{name}"')
    values = np.concatenate([rows.values[:, :targets], carried(rows.values[:, targets:])], 1)
    rows = Rows(rows.times, values, rows.numbers)
    if rules.missing == "mask" or known[:, :targets].all():
        return rows, None, done
    if rules.missing == "forward":
        return rows, carried(rows.values[:, :targets]), done
    at = np.arange(len(known))
    lines = [np.interp(at, at[one], values[one, column]) for column, one in enumerate(known[:, :targets].T)]
    return rows, np.stack(lines, 1), done


def _refuse(rows: Rows, known: NDArray[np.bool_], names: Sequence[str], where: str) -> None:
    there = rows.numbers > 0
    choices = "Choose data.missing=interpolate, forward or mask"
    empty = np.argwhere(~known & there[:, None])
    if len(empty):
        row, column = (int(one) for one in empty[0])
        raise InputError(
            f'{where}, {rows.at(row)}, column "{names[column]}": no value; {len(empty):,} in all. {choices}'
        )
    gap = int(np.flatnonzero(~there)[0])
    count = int((np.diff(there.astype(int)) == -1).sum())
    raise InputError(
        f"{where}: {int((~there).sum()):,} steps are missing in {count:,} gap{'s' * (count != 1)}, the first after "
        f"{rows.at(gap - 1)}. {choices}"
    )
