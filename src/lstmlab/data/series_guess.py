"""What a table of series is: which column is the time, which tells series apart, which one is worth forecasting."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from lstmlab.data.datasets import times as clock
from lstmlab.data.datasets.numbers import numeric_share
from lstmlab.data.datasets.times import DAY, FIELDS, Step
from lstmlab.errors import InputError
from lstmlab.recipe import scalar

TARGETS = (
    "y", "target", "value", "values", "close", "adj close", "adjclose", "price", "sales", "demand", "load", "count",
    "passengers", "pm2.5", "temp_max", "temp", "temperature", "consumption", "revenue", "quantity", "open",
)  # fmt: skip
"""Names that say "forecast me", the most telling first."""
SERIES = ("unique_id", "series", "series_id", "id", "symbol", "ticker", "store", "item", "sensor", "station")
SHARE = 0.95
"""Share of the cells that have to be numbers for a column to be one of numbers."""


@dataclass(frozen=True)
class SeriesGuess:
    """Columns, and how far to look back and ahead."""

    settings: dict[str, object]
    reasons: tuple[str, ...]
    sure: bool
    alternatives: tuple[str, ...] = ()


def series_guess(frame: pl.DataFrame, where: str) -> SeriesGuess | None:
    """What a table is, if it is one of series at all: a column of numbers with times, or numbers alone."""
    time = _time(frame)
    apart = _apart(frame, time)
    numbers = [
        name for name in frame.columns
        if name not in (*time, apart) and numeric_share(frame[name]) >= SHARE and not _counts(frame[name])
    ]  # fmt: skip
    if not numbers:
        return None
    lowered = {name.lower(): name for name in reversed(numbers)}
    telling = [lowered[name] for name in TARGETS if name in lowered]
    target = telling[0] if telling else numbers[0]
    rows = len(frame) if apart is None else int(frame[apart].value_counts()["count"].median() or 0)  # type: ignore[arg-type]
    step, said = _step(frame, time, apart, where)
    horizon = _horizon(step, rows)
    settings: dict[str, object] = {"data.target": _one(target)}
    if time:
        settings["data.time"] = _one(time[0]) if len(time) == 1 else ",".join(time)
    if apart is not None:
        settings["data.series"] = apart
    settings |= {"data.window": max(1, min(4 * horizon, rows // 4)), "data.horizon": horizon}
    others = [name for name in numbers if name != target]
    ahead = "a step ahead" if horizon == 1 else f"{horizon} steps ahead"
    each = f', each of "{apart}" for itself.' if apart else "."
    reasons = [said, f'"{target}" is forecast, {ahead}{each}']
    if others:
        reasons.append(
            f"Left out: {_list(others)}; {_typed('past', others[0])} would let the model read a column as well."
        )
    choices = tuple(_typed("target", name) for name in numbers[:8])
    return SeriesGuess(settings, tuple(filter(None, reasons)), bool(telling) or len(numbers) == 1, choices)


def _one(name: str) -> str | list[str]:
    """One column as settings that may name several have it: words are parted at commas, lists are not."""
    return [name] if "," in name or name != name.strip() else name


def _typed(key: str, name: str) -> str:
    """`key=COLUMN` as it is typed in a shell. A list keeps what a word would lose: commas, and that 1 is a name."""
    plain = _one(name) == name == scalar(name)
    return shlex.quote(f"{key}={name if plain else json.dumps([name], ensure_ascii=False)}")


def _time(frame: pl.DataFrame) -> tuple[str, ...]:
    """The column with the time; or year, month, … that make one; nothing where rows have to be counted."""
    dated = [name for name in frame.columns if clock.looks_like_time(frame[name].head(200))]
    if dated:
        return (dated[0],)
    lowered = {name.lower(): name for name in frame.columns}
    fields = []
    for field in FIELDS:
        if field not in lowered:
            break
        fields.append(lowered[field])
    return tuple(fields) if len(fields) >= 2 else tuple(fields[:1] if fields and _counts_up(frame[fields[0]]) else ())


def _apart(frame: pl.DataFrame, time: Sequence[str]) -> str | None:
    """The column that tells several series apart: names that come back at other times."""
    if not time or not frame.select(time).is_duplicated().any():
        return None
    found = [
        name for name in frame.columns
        if name not in time and 1 < frame[name].n_unique() <= max(len(frame) // 3, 2)
        and not frame.select([*time, name]).is_duplicated().any()
    ]  # fmt: skip
    known = [name for word in SERIES for name in found if name.lower() == word]
    words = [name for name in found if numeric_share(frame[name]) < SHARE]
    return next(iter([*known, *words]), None)


def _counts(column: pl.Series) -> bool:
    """Whether a column is nothing but the number of its row."""
    number = column.cast(pl.Float64, strict=False)
    counts = len(number) > 2 and not number.null_count() and bool((number.diff().drop_nulls() == 1).all())
    return counts and number[0] in (0, 1) and column.name.lower() not in TARGETS


def _counts_up(column: pl.Series) -> bool:
    number = column.cast(pl.Float64, strict=False)
    return not number.null_count() and bool((number.diff().drop_nulls() > 0).all())


def _step(frame: pl.DataFrame, time: Sequence[str], apart: str | None, where: str) -> tuple[Step | None, str]:
    if not time:
        return None, "It has numbers and no dates: a row is a step."
    one = frame.filter(pl.col(apart) == frame[apart][0]) if apart is not None else frame
    try:
        columns = [one[name] for name in time]
        times = clock.to_times(columns[0], where)[0] if len(time) == 1 else clock.from_fields(columns, where)
    except InputError:
        # What is wrong with the times is told when they are read.
        return None, f"It has times ({', '.join(time)}) and numbers."
    step = clock.step_of(pl.Series(times).unique().sort().to_numpy())
    article = step.words if step.words[0].isdigit() else f"{'an' if step.words == 'hour' else 'a'} {step.words}"
    return step, f"It has times ({', '.join(time)}), {article} apart, and numbers."


def _horizon(step: Step | None, rows: int) -> int:
    """As many steps as people usually ask for, and no more than a fifteenth of what there is."""
    usual = 10
    if step is not None and step.months:
        usual = 12 // step.months if step.months < 12 else 3
    elif step is not None and step.trading:
        usual = 5
    elif step is not None and step.microseconds:
        usual = 7 if step.microseconds == DAY else 24 if step.microseconds < DAY else 8
    return max(1, min(usual, rows // 15))


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
