"""From the `data` block of a recipe to windows over series: parts that follow one another in time.

The last part of every series is for testing, what stands before it for validation, the rest to learn from. A window
belongs to the part its targets lie in; what it reads may reach back into the part before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from lstmlab.data import cache
from lstmlab.data.corpus import Dataset, Source
from lstmlab.data.datasets import files, named, series_tables, synthetic
from lstmlab.data.datasets.entry import SeriesHints
from lstmlab.data.datasets.series_tables import PART, Columns
from lstmlab.data.datasets.times import Step
from lstmlab.data.load import Watch
from lstmlab.data.panel import Line, Panel, Windows
from lstmlab.data.parts import PartedData
from lstmlab.data.timeline import Missing, Repeated, Rules
from lstmlab.errors import InputError, unknown

# One column may be written as a word, several as a list or with commas.
Several = Annotated[
    list[str],
    BeforeValidator(lambda value: [one.strip() for one in value.split(",")] if isinstance(value, str) else value),
]
MADE = ("sine", "waves")
"""Series that are computed."""


class SeriesSettings(PartedData):
    """Which series to learn, how they are cut into windows, and how far ahead they are tested.

    One's own are a wide table (a row a time, a column a series) or a long one (a column names the series). A file with
    the test part goes on where the first one ends.
    """

    time: Several | None = None
    """The column with the time, or year,month,day,hour; without one, rows are counted."""
    target: Several | None = None
    """The column to forecast, or several."""
    series: str | None = None
    """The column that tells several series in one table apart."""
    past: Several | None = None
    """Columns that help and are known up to now only."""
    future: Several = []
    """Columns that are known ahead as well: prices, plans, holidays."""
    calendar: bool = False
    """Let the model see hour, weekday and season of every step, read or forecast, as far as the step has them."""
    channels: Literal["apart", "together"] = "apart"
    """Several targets: each a series of its own for one model, or all forecast together."""
    missing: Missing | None = None
    """Steps and cells without a value: refuse; interpolate between neighbours; forward, the value before; or mask: the
    model is told what is missing. null: as the named set needs, else refuse."""
    repeated: Repeated | None = None
    """Rows with the same time: refuse, or keep the first, the last or the mean. null: as the named set needs."""
    sort: bool | None = None
    """Sort rows that are out of order. null: as the named set needs, else refuse them."""
    window: int = Field(default=50, gt=0)
    """Steps the model reads."""
    steps: int | None = Field(default=None, gt=0)
    """Steps ahead in each training window; null: 1 where further steps are forecast from forecasts, else `horizon`."""
    horizon: int = Field(default=100, gt=0)
    """Steps ahead that are tested."""
    stride: int = Field(default=1, gt=0)
    """Steps from one training window to the next."""
    test_stride: int | None = Field(default=None, gt=0)
    """Steps from one test window to the next; null: `horizon`, so that every step is forecast once."""
    season: int | None = Field(default=None, gt=0)
    """Steps in a season, for the seasonal naive baseline and MASE; null: what the step suggests (24 hours)."""
    scale: Literal["none", "standard"] = "standard"
    """Scaling before the model sees the numbers: none, or to mean 0 and deviation 1 of each series' training part."""
    points: int = Field(default=1000, gt=10)
    """Computed series: how many points; those of the sine are evenly spaced on [0, `end`], both ends included."""
    end: float = Field(default=100.0, gt=0)
    """Sine: last x of the known series."""
    valid_fraction: float = Field(default=0.1, ge=0, lt=1)
    """Share of each series kept for validation, the last in time before the test part (0 to 1); 0 keeps none."""

    @model_validator(mode="after")
    def _steps_within(self) -> "SeriesSettings":
        if self.steps is not None and self.steps > self.horizon:
            raise ValueError(f"data.steps ({self.steps}) is more than data.horizon ({self.horizon})")
        if self.valid is not None and self.test is None:
            raise ValueError("series are parted in time: a file with the validation part needs one with the test part")
        return self

    @property
    def hints(self) -> SeriesHints | None:
        """What is known of a named set beforehand."""
        chosen = named.NAMED.get(str(self.name))
        return None if chosen is None else chosen.series

    def idle(self) -> dict[str, str]:
        """What a computed series or a named set leaves without effect."""
        reasons = super().idle()
        if self.name in MADE:
            columns = (
                "time",
                "target",
                "series",
                "past",
                "future",
                "calendar",
                "channels",
                "missing",
                "repeated",
                "sort",
            )
            reasons |= dict.fromkeys(columns, f"{self.name} is computed")
        else:
            reasons["points"] = "it belongs to computed series"
        if self.name == "sine":
            told = "the test of the sine is what follows its last point"
            reasons |= dict.fromkeys(("test_fraction", "test_stride"), told)
        else:
            reasons["end"] = "it belongs to name=sine"
        return reasons


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
    nothing = np.zeros_like(cuts.valid)
    train = Windows.over(panel, window, steps, nothing, cuts.valid, settings.stride)
    if not len(train):
        raise _too_short(panel, cuts.valid, window, steps, "learn from")
    if settings.limit is not None:
        train = _latest(train, settings.limit)
    valid = Windows.over(panel, window, steps, cuts.valid, cuts.test, 1) if (cuts.valid < cuts.test).any() else None
    if valid is not None and not len(valid):
        raise _too_short(panel, cuts.test - cuts.valid, 0, steps, "validate on", "data.valid_fraction")
    ends = np.array([len(line) for line in panel.lines])
    test = Windows.over(panel, window, horizon, cuts.test, ends, settings.test_stride or horizon)
    if not len(test):
        raise _too_short(panel, ends - cuts.test, 0, horizon, "test on", "data.test_fraction")
    return Dataset(train, valid, test, source.then(*_told(settings, train, valid, test)))


def read_series(settings: SeriesSettings, watch: Watch = Watch()) -> tuple[Panel, Cuts, Source]:
    """The series a recipe names, where their parts begin, and where they came from."""
    if settings.name in MADE:
        return _sine(settings) if settings.name == "sine" else _waves(settings)
    if settings.name is not None:
        return _read_named(settings, watch)
    if settings.path is None:
        raise InputError("no data: give data.name=NAME (see `lstmlab data list`) or data.path=FILE")
    return _read_own(settings, watch)


def read_on(settings: SeriesSettings, file: Path | None, encoding: str | None, ahead: int) -> Panel:
    """Series to be continued: those of a new file with the same columns, or the run's own up to their end.

    What is known ahead reaches `ahead` steps beyond.
    """
    if file is None and settings.name == "waves":
        return _waves(settings)[0]
    if file is None and settings.name == "sine":
        panel = _sine(settings.model_copy(update={"horizon": 1}))[0]
        # One point of the continuation comes with it, which has to go.
        cut = {name: getattr(panel.lines[0], name)[:-1] for name in ("times", "values", "past", "future")}
        return replace(panel, lines=(replace(panel.lines[0], **cut),))
    hints = settings.hints
    where = str(file or settings.path or settings.name)
    if file is not None:
        frame = files.read_table(file, encoding=encoding or settings.encoding)
    elif hints is not None:
        frame = named.open_tables(named.NAMED[str(settings.name)])[0]["train"]
    else:
        last = settings.test or settings.path
        frame = files.read_table(Path(str(last)), encoding=settings.encoding)
    return _panel(frame, _columns(settings), settings, where, ahead)[0]


def _columns(settings: SeriesSettings) -> Columns:
    """What is what, by the recipe and, where it says nothing, by what is known of the named set."""
    hints = settings.hints or SeriesHints((), ())
    past = settings.past
    if past is None:
        past = [] if settings.target is not None else list(hints.past)
    return Columns(
        tuple(settings.time or hints.time),
        settings.series or hints.of,
        tuple(settings.target or hints.targets),
        tuple(past),
        tuple(settings.future),
    )


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
    panel, steps = _panel(frames["train"], _columns(settings), settings, name)
    return panel, _cuts(panel, settings, chosen.series), source.then(*steps)


def _read_own(settings: SeriesSettings, watch: Watch) -> tuple[Panel, Cuts, Source]:
    """A file of one's own, or three that follow one another. Which file a step came from travels as one more column."""
    if not settings.target:
        raise InputError(f"{settings.path}: which column is to be forecast? Give data.target=COLUMN")
    own = _columns(settings)
    asked = replace(own, past=(*own.past, PART))
    tables: list[pl.DataFrame] = []
    checksums = {}
    for place, part in enumerate(("path", "valid", "test")):
        file = getattr(settings, part)
        if file is not None:
            watch.say(f"Reading {file}")
            table = files.read_table(Path(file), encoding=settings.encoding)
            tables.append(_alike(table, tables[:1], file).with_columns(pl.lit(float(place)).alias(PART)))
            checksums[Path(file).name] = cache.digest(Path(file))
    path = Path(str(settings.path))
    panel, steps = _panel(pl.concat(tables, how="vertical_relaxed"), asked, settings, str(path))
    marks = [line.past[:, -1] for line in panel.lines]
    lines = tuple(replace(line, past=line.past[:, :-1]) for line in panel.lines)
    panel = replace(panel, lines=lines, past=own.past)
    source = Source(path.name, "a file of one's own", address=str(path), checksums=checksums, steps=tuple(steps))
    if settings.test is None:
        return panel, _cuts(panel, settings, None), source
    if any((np.diff(mark) < 0).any() for mark in marks):
        raise InputError(f"{path}: the files of the parts have to follow one another in time: data.path, valid, test")
    test = np.array([np.count_nonzero(mark <= 1) for mark in marks])
    share = np.round(test * (1 - settings.valid_fraction)).astype(np.int64)
    valid = share if settings.valid is None else np.array([np.count_nonzero(mark <= 0) for mark in marks])
    return panel, Cuts(valid, test), source


def _alike(table: pl.DataFrame, first: Sequence[pl.DataFrame], name: str) -> pl.DataFrame:
    """A table with the columns of the first one. Raises InputError where it lacks one."""
    wanted = [column for one in first for column in one.columns if column != PART] or table.columns
    for column in wanted:
        if column not in table.columns:
            raise InputError(f'{name}: no column "{column}", which the file of data.path has')
    return table.select(wanted)


def _panel(
    frame: pl.DataFrame, asked: Columns, settings: SeriesSettings, where: str, ahead: int = 0
) -> tuple[Panel, list[str]]:
    hints = settings.hints
    rules = Rules(
        settings.missing or (hints.missing if hints else "refuse"),
        settings.repeated or (hints.repeated if hints else "refuse"),
        settings.sort if settings.sort is not None else bool(hints and hints.sort),
    )
    return series_tables.panel(
        frame, asked, rules, where, apart=settings.channels == "apart", dated=settings.calendar, ahead=ahead
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
