"""From the `data` block of a recipe to windows over series: parts that follow one another in time.

The last part of every series is for testing, what stands before it for validation, the rest to learn from. A window
belongs to the part its targets lie in; what it reads may reach back into the part before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lstmlab.data import cache
from lstmlab.data.corpus import Dataset, Source
from lstmlab.data.datasets import files, named, series_tables, synthetic
from lstmlab.data.datasets.entry import SeriesHints
from lstmlab.data.datasets.numbers import to_numbers
from lstmlab.data.datasets.series_tables import PART, Columns
from lstmlab.data.datasets.times import Step
from lstmlab.data.load import Watch
from lstmlab.data.panel import Line, Panel, Windows
from lstmlab.data.series_settings import MADE, SeriesSettings, columns_of
from lstmlab.data.timeline import Rules
from lstmlab.errors import InputError, unknown

PLACES = {"path": 0.0, "valid": 1.0, "test": 2.0}
"""The files of the parts, in order of time."""


@dataclass(frozen=True)
class Cuts:
    """Where each series' validation and test part begin."""

    valid: NDArray[np.int64]
    test: NDArray[np.int64]


def load_series(settings: SeriesSettings, steps: int, watch: Watch = Watch()) -> Dataset:
    """Windows of the three parts; those to learn from ask for `steps` steps, the others too, the test for `horizon`.

    Raises InputError for every fault of file, row and column, and where no series is long enough for a window.
    """
    panel, cuts, source = read_series(settings, watch)
    window, horizon = settings.window, settings.horizon
    train, valid = windows_before(panel, cuts, settings, steps)
    ends = np.array([len(line) for line in panel.lines])
    test = Windows.over(panel, window, horizon, cuts.test, ends, settings.test_stride or horizon)
    if not len(test):
        raise _too_short(panel, ends - cuts.test, 0, horizon, "test on", "data.test_fraction")
    return Dataset(train, valid, test, source.then(*_told(settings, train, valid, test)))


def windows_before(panel: Panel, cuts: Cuts, settings: SeriesSettings, steps: int) -> tuple[Windows, Windows | None]:
    """What is learned from and what is validated on, before the test part; each asks for `steps` steps."""
    train = Windows.over(panel, settings.window, steps, np.zeros_like(cuts.valid), cuts.valid, settings.stride)
    if not len(train):
        raise _too_short(panel, cuts.valid, settings.window, steps, "learn from")
    if settings.limit is not None:
        train = _latest(train, settings.limit)
    if (cuts.valid >= cuts.test).all():
        return train, None
    valid = Windows.over(panel, settings.window, steps, cuts.valid, cuts.test)
    if not len(valid):
        raise _too_short(panel, cuts.test - cuts.valid, 0, steps, "validate on", "data.valid_fraction")
    return train, valid


def read_series(settings: SeriesSettings, watch: Watch = Watch()) -> tuple[Panel, Cuts, Source]:
    """The series a recipe names, where their parts begin, and where they came from."""
    if settings.name in MADE:
        return _sine(settings) if settings.name == "sine" else _waves(settings)
    if settings.name is not None:
        return _read_named(settings, watch)
    if settings.path is None:
        raise InputError("no data: give data.name=NAME (see `lstmlab data list`) or data.path=FILE")
    return _read_own(settings, watch)


def read_on(
    settings: SeriesSettings, file: Path | None, encoding: str | None, ahead: int, step: Step | None = None
) -> Panel:
    """Series to be continued: those of a new file with the same columns, or the run's own up to their end.

    What is known ahead reaches `ahead` steps beyond. Raises InputError where rows are not a `step` apart.
    """
    if file is None and settings.name == "waves":
        return _waves(settings)[0]
    if file is None and settings.name == "sine":
        panel = _sine(settings.model_copy(update={"horizon": 1}))[0]
        # One point of the continuation comes with it, which has to go.
        line = panel.lines[0].until(len(panel.lines[0]) - 1)
        return replace(panel, lines=(replace(line, future=line.future[:-1]),))
    columns, where = columns_of(settings), str(file or settings.name)
    if file is not None:
        frame = files.read_table(file, encoding=encoding or settings.encoding)
    elif settings.hints is not None:
        frame = named.open_tables(named.NAMED[str(settings.name)])[0]["train"]
    else:
        frame, where = _own_table(settings, columns, Watch())
    return _panel(frame, columns, settings, where, ahead, step)[0]


def _sine(settings: SeriesSettings) -> tuple[Panel, Cuts, Source]:
    """The known points, and as many more as are tested: the continuation is known for ever."""
    known = synthetic.sine(settings.points, settings.end)
    future = synthetic.sine_continuation(settings.horizon, settings.points, settings.end)
    values = np.concatenate([known, future])[:, None]
    nothing = np.zeros((len(values), 0))
    line = Line("", np.arange(len(values)), values, nothing, nothing)
    cut = len(known) - int(len(known) * settings.valid_fraction)
    source = Source(
        "sine",
        f"{settings.points:,} points of sin(x), x evenly spaced on [0, {settings.end:g}]",
        licence="made by this program",
        steps=(f"Test: the next {settings.horizon} points (x > {settings.end:g}), never seen, forecast in one run.",),
    )
    return Panel((line,), ("sine",), (), (), Step(numbers=1)), Cuts(np.array([cut]), np.array([len(known)])), source


def _waves(settings: SeriesSettings) -> tuple[Panel, Cuts, Source]:
    values = synthetic.waves(settings.points)[:, None]
    nothing = np.zeros((len(values), 0))
    panel = Panel((Line("", np.arange(len(values)), values, nothing, nothing),), ("waves",), (), (), Step(numbers=1))
    told = "two waves, a trend, noise and a shift of the level after three fifths"
    source = Source("waves", f"{settings.points:,} points: {told}", licence="made by this program")
    return panel, _cuts(panel, settings, None), source


def _read_named(settings: SeriesSettings, watch: Watch) -> tuple[Panel, Cuts, Source]:
    name = str(settings.name)
    fitting = [*MADE, *(entry.name for entry in named.NAMED.values() if entry.task == "forecasting")]
    if name not in named.NAMED:
        raise unknown("data set", name, fitting)
    chosen = named.NAMED[name]
    if chosen.series is None:
        raise InputError(f"{name} is a data set for {chosen.task}, not for forecasting. For that: {', '.join(fitting)}")
    frames, _, source = named.open_tables(
        chosen, announce=watch.say, progress=lambda done, total: watch.progress(f"fetching {name}", done, total)
    )
    panel, steps = _panel(frames["train"], columns_of(settings), settings, name)
    return panel, _cuts(panel, settings, chosen.series), source.then(*steps)


def _read_own(settings: SeriesSettings, watch: Watch) -> tuple[Panel, Cuts, Source]:
    """A file of one's own, or three that follow one another. Which file a step came from travels as one more column."""
    if not settings.target:
        raise InputError(f"{settings.path}: which column is to be forecast? Give data.target=COLUMN")
    own = columns_of(settings)
    frame, where = _own_table(settings, own, watch)
    panel, steps = _panel(frame, replace(own, past=(*own.past, PART)), settings, where)
    marks = [line.past[:, -1] for line in panel.lines]
    lines = tuple(replace(line, past=line.past[:, :-1]) for line in panel.lines)
    panel = replace(panel, lines=lines, past=own.past)
    path = Path(str(settings.path))
    checksums = {Path(file).name: cache.digest(Path(file)) for file in _files(settings).values()}
    source = Source(path.name, "a file of one's own", address=str(path), checksums=checksums, steps=tuple(steps))
    if settings.test is None:
        return panel, _cuts(panel, settings, None), source
    if any((np.diff(mark) < 0).any() for mark in marks):
        raise InputError(f"{path}: the files of the parts have to follow one another in time: data.path, valid, test")
    test = np.array([np.count_nonzero(mark <= 1) for mark in marks])
    if settings.valid is not None:
        return panel, Cuts(np.array([np.count_nonzero(mark <= 0) for mark in marks]), test), source
    valid = [_share(line.values[:stop], settings.valid_fraction) for line, stop in zip(lines, test, strict=True)]
    return panel, Cuts(np.array(valid), test), source


def _share(values: NDArray[np.float64], fraction: float) -> int:
    """Where the last `fraction` of the values that are there begins: a gap between two files is no part of either."""
    there = np.flatnonzero(~np.isnan(values).all(1))
    kept = round(len(there) * (1 - fraction))
    return int(there[kept]) if kept < len(there) else len(values)


def _files(settings: SeriesSettings) -> dict[str, str]:
    """The files of the parts, in order of time."""
    return {part: file for part in PLACES if (file := getattr(settings, part)) is not None}


def _own_table(settings: SeriesSettings, columns: Columns, watch: Watch) -> tuple[pl.DataFrame, str]:
    """One's own files as one table, in which `PART` tells them apart; and what they are called together."""
    tables: list[pl.DataFrame] = []
    for part, file in _files(settings).items():
        watch.say(f"Reading {file}")
        table = _alike(files.read_table(Path(file), encoding=settings.encoding), tables[:1], file)
        if settings.test is not None:
            # Numbers are read file by file, so that a fault is told where it is.
            found = [pl.Series(one, to_numbers(table[one], file)) for one in columns.numbers if one in table.columns]
            table = table.with_columns(found)
        tables.append(table.with_columns(pl.lit(PLACES[part]).alias(PART)))
    return pl.concat(tables, how="vertical_relaxed"), ", ".join(_files(settings).values())


def _alike(table: pl.DataFrame, first: Sequence[pl.DataFrame], name: str) -> pl.DataFrame:
    """A table with the columns of the first one. Raises InputError where it lacks one."""
    wanted = [column for one in first for column in one.columns if column != PART] or table.columns
    for column in wanted:
        if column not in table.columns:
            raise InputError(f'{name}: no column "{column}", which the file of data.path has')
    return table.select(wanted)


def _panel(
    frame: pl.DataFrame,
    asked: Columns,
    settings: SeriesSettings,
    where: str,
    ahead: int = 0,
    step: Step | None = None,
) -> tuple[Panel, list[str]]:
    hints = settings.hints
    rules = Rules(
        settings.missing or (hints.missing if hints else "refuse"),
        settings.repeated or (hints.repeated if hints else "refuse"),
        settings.sort if settings.sort is not None else bool(hints and hints.sort),
    )
    return series_tables.panel(
        frame,
        asked,
        rules,
        where,
        apart=settings.channels == "apart",
        dated=settings.calendar,
        ahead=ahead,
        step=step,
    )


def _cuts(panel: Panel, settings: SeriesSettings, hints: SeriesHints | None) -> Cuts:
    """Shares of every series' whole length, or a set's official parts."""
    lengths = np.array([len(line) for line in panel.lines])
    rows = [
        np.round(lengths * share).astype(np.int64) if official is None else np.minimum(official, lengths)
        for share, official in (
            (settings.valid_fraction, hints.valid_rows if hints else None),
            (settings.test_fraction, hints.test_rows if hints else None),
        )
    ]
    begin = lengths - rows[1]
    return Cuts(np.maximum(begin - rows[0], 0), begin)


def _latest(train: Windows, limit: int) -> Windows:
    """The windows that end last in time, in their order."""
    ends = np.array([len(line) for line in train.panel.lines])[train.series] - train.origins
    order = np.argsort(ends, kind="stable")[:limit]
    return train.take(np.sort(order))


def _too_short(
    panel: Panel, lengths: NDArray[np.int64], window: int, steps: int, what: str, key: str = ""
) -> InputError:
    longest = int(lengths.argmax())
    name = f' of "{panel.lines[longest].name}"' if panel.lines[longest].name else ""
    read = f"a window of {window} with {steps} to forecast needs {window + steps}" if window else f"{steps} are needed"
    advice = f"a larger {key} or a smaller data.horizon" if key else "a smaller data.window or data.horizon"
    return InputError(
        f"too short: the longest part to {what}{name} has {int(lengths.max()):,} steps, and {read}. Choose {advice}"
    )


def _told(settings: SeriesSettings, train: Windows, valid: Windows | None, test: Windows) -> list[str]:
    """What was cut out of the series, a sentence a part."""
    panel, step = train.panel, train.panel.step.words
    used = len(np.unique(train.series))
    many = f" from {used:,} series" if len(panel.lines) > 1 else ""
    told = [f"{len(train):,} training windows{many} of {train.context} steps, {train.horizon} to forecast after each."]
    if not panel.step.numbers:
        told.insert(0, f"A step is a {step}." if not step[0].isdigit() else f"A step is {step}.")
    if used < len(panel.lines):
        short = len(panel.lines) - used
        told.append(
            f"{short:,} of {len(panel.lines):,} series {'is' if short == 1 else 'are'} too short to learn from."
        )
    if valid is None:
        told.append("No validation part: everything before the test is trained on.")
    else:
        told.append(f"{len(valid):,} validation windows, whose targets come after all of training.")
    if settings.name != "sine":
        stride = settings.test_stride or test.horizon
        told.append(
            f"{len(test):,} test windows, one every {stride} steps, whose targets come after all of validation."
        )
    return told
