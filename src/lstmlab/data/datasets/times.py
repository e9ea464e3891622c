"""Columns as points in time: what a date is written like, whether it is a date at all, and how far apart rows lie.

Everything comes back as numpy datetime64[us] without a zone, or as whole numbers where times are numbered steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lstmlab.errors import InputError

Times = np.ndarray
"""One-dimensional: datetime64[us], or int64."""

_DATES = (
    "%m/%d/%y", "%d/%m/%y", "%y/%m/%d", "%d-%b-%y", "%y-%m-%d", "%m-%d-%y", "%d-%m-%y", "%d.%m.%y", "%d %B %y",
    "%B %d, %y", "%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d-%m-%Y", "%b %d %Y",
    "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%Y%m%d",
)  # fmt: skip
_CLOCKS = (
    "", " %H:%M:%S", "T%H:%M:%S", " %H:%M", "T%H:%M", " %H:%M:%S%.f", "T%H:%M:%S%.f", " %I:%M:%S %p", " %I:%M %p",
)  # fmt: skip
_MONTHS = (
    "%y-%m", "%m-%y", "%m/%y", "%B-%y", "%B %y", "%Y-%m", "%Y/%m", "%m/%Y", "%b %Y", "%B %Y", "%b-%Y", "%B-%Y",
)  # fmt: skip
_ZONE = r"(?i)(z|utc|gmt|[+-][0-9]{2}:?[0-9]{2})$"
_YEARS = (1000, 3000)
"""Years that dates lie in. Two digits read as a whole year would be the time of Augustus."""
_NUMBERED = r"^0[0-9]{3}-[0-9]{1,2}$"
"""Months of years that are only counted: 1-01, filled up."""

FIELDS = ("year", "month", "day", "hour", "minute", "second")
"""Columns that make up a time together, the largest first."""

US = 1_000_000
"""Microseconds in a second."""
DAY = 86_400 * US


@dataclass(frozen=True)
class Step:
    """How far one row is from the next: so many months, microseconds or numbers, or one day of trading."""

    months: int = 0
    microseconds: int = 0
    numbers: int = 0
    trading: bool = False
    """Days without weekends: what lies between two rows is one step, whatever the calendar says."""
    # No part of how long a step is: two are equal, and panels keep their fingerprints, whatever it is.
    day: int = field(default=0, compare=False, repr=False)
    """Steps of months: the day meant where some months are too short for it, 31 being the last one; 0: as it comes."""

    @property
    def words(self) -> str:
        """The step as people say it."""
        if self.trading:
            return "trading day"
        if self.numbers:
            return "step" if self.numbers == 1 else f"{self.numbers} numbers"
        if self.months:
            return _counted(self.months // 12, "year") if self.months % 12 == 0 else _counted(self.months, "month")
        sizes = (("week", 7 * DAY), ("day", DAY), ("hour", 3600 * US), ("minute", 60 * US), ("second", US))
        for name, size in sizes:
            if self.microseconds % size == 0:
                return _counted(self.microseconds // size, name)
        return f"{self.microseconds / US:g} seconds"

    def after(self, start: Times, counts: NDArray[np.int64]) -> Times:
        """The times `counts` steps after one time [1] (trading days: Mondays to Fridays)."""
        if self.numbers:
            return start + self.numbers * counts
        if self.trading:
            return np.busday_offset(start.astype("M8[D]"), counts, roll="forward").astype("M8[us]")
        if not self.months:
            return start + (self.microseconds * counts).astype("m8[us]")
        month, day, within = _parts(start)
        # A series of another day, beside those this step was found in, keeps its own.
        meant = np.where(day == np.minimum(self.day, _length(month)), self.day, day)
        months = month + (self.months * counts).astype("m8[M]")
        days = np.minimum(meant, _length(months)) - 1
        return months.astype("M8[us]") + (days * DAY).astype("m8[us]") + within


def _parts(times: Times) -> tuple[Times, NDArray[np.int64], np.ndarray]:
    """Times as their months, the days within those (from 1), and how far into the day they are."""
    months, days = times.astype("M8[M]"), times.astype("M8[D]")
    return months, (days - months.astype("M8[D]")).astype(np.int64) + 1, times - days.astype("M8[us]")


def _length(months: Times) -> NDArray[np.int64]:
    """Days in each month."""
    return ((months + np.timedelta64(1, "M")).astype("M8[D]") - months.astype("M8[D]")).astype(np.int64)


def _counted(count: int, noun: str) -> str:
    return noun if count == 1 else f"{count} {noun}s"


def looks_like_time(column: pl.Series) -> bool:
    """Whether a column holds dates (text or dates proper; not plain numbers)."""
    if column.dtype.is_temporal():
        return True
    if column.dtype != pl.String:
        return False
    some = column.drop_nulls().head(50)
    return bool(len(some)) and not some.str.contains(r"^[0-9]+(\.[0-9]+)?$").any() and bool(_formats(_bare(some)[0]))


def to_times(column: pl.Series, where: str) -> tuple[Times, str]:
    """A column as times, and what was made out about it, in a sentence (may be empty).

    Whole numbers stay numbers. Raises InputError for cells that are empty or no time, and for mixed time zones.
    """
    _refuse_empty(column, where)
    if column.dtype.is_temporal():
        return _dates_proper(column, where)
    column = _plain(column, where)
    if column.dtype.is_numeric():
        return _whole(column, where), ""
    text = column.str.strip_chars()
    if text.str.contains(r"^-?[0-9]+$").all() and not text.str.contains(r"^(19|20)[0-9]{6}$").all():
        return _whole(column, where), ""
    return _parsed(column, where)


def from_fields(columns: Sequence[pl.Series], where: str) -> Times:
    """Times from columns called year, month, day, … in that order, each of whole numbers.

    Raises InputError naming row and column for numbers that make no time: month 13, 30 February, hour 24.
    """
    names = [column.name.strip().lower() for column in columns]
    if names != list(FIELDS[: len(names)]):
        raise InputError(
            f"{where}: several columns make a time together if they are {', '.join(FIELDS)} in this order, "
            f"got {', '.join(names)}"
        )
    for column in columns:
        _refuse_empty(column, where)
    numbers = {name: _whole(_plain(one, where), where) for name, one in zip(names, columns, strict=True)}
    year, month, day, *clock = (numbers.get(name, np.array([int(at < 3)])) for at, name in enumerate(FIELDS))
    for at, (least, most) in enumerate(((1, 9999), (1, 12), (1, 31), (0, 23), (0, 59), (0, 59))[: len(names)]):
        _refuse_beyond(columns[at], numbers[names[at]], least, np.array(most), where)
    months = (year * 12 + month - 12 * 1970 - 1).astype("M8[M]")
    if len(names) > 2:
        _refuse_beyond(columns[2], day, 1, _length(months), where)
    seconds = (day - 1) * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    return months.astype("M8[us]") + (seconds * US).astype("m8[us]")


def _refuse_beyond(
    column: pl.Series, numbers: NDArray[np.int64], least: int, most: NDArray[np.int64], where: str
) -> None:
    odd = np.flatnonzero((numbers < least) | (numbers > most))
    if not len(odd):
        return
    row, most = int(odd[0]), np.broadcast_to(most, numbers.shape)
    from_one = column.name.strip().lower() == "hour" and numbers.min() >= 1 and numbers.max() == 24
    advice = ". Hours counted from 1 to 24 have to be counted from 0: write each less 1" if from_one else ""
    raise InputError(
        f'{where}, row {row + 1}, column "{column.name}": {numbers[row]}, expected {least} to {most[row]}{advice}'
    )


def _plain(column: pl.Series, where: str) -> pl.Series:
    """A column of text or numbers, or InputError."""
    if column.dtype in (pl.Categorical, pl.Enum):
        return column.cast(pl.String)
    if column.dtype == pl.Boolean:
        told = str(column[0]).lower()
        raise InputError(f'{where}, row 1, column "{column.name}": "{told}" is no date or time')
    if column.dtype != pl.String and not column.dtype.is_numeric():
        raise InputError(f'{where}: the column "{column.name}" holds {column.dtype}, expected dates or times')
    return column


def _whole(column: pl.Series, where: str) -> NDArray[np.int64]:
    """A column of numbers, or of their text, as whole numbers whose distances are such, too."""
    plain = column.str.strip_chars() if column.dtype == pl.String else column
    found = plain.cast(pl.Int64, strict=False)
    odd = found.is_null() | (found > 2**62) | (found < -(2**62))
    if plain.dtype.is_float() or plain.dtype.is_decimal():
        odd = odd | (found.cast(pl.Float64) != plain.cast(pl.Float64))
    places = odd.fill_null(True).arg_true()
    if len(places):
        row = int(places[0])
        raise InputError(
            f'{where}, row {row + 1}, column "{column.name}": "{str(column[row])[:40]}", and times that are numbers '
            "must be whole numbers (up to 2^62)"
        )
    return found.to_numpy()


def step_of(times: Times) -> Step:
    """The step of times in order, without repetitions: the most frequent distance, in months where days agree."""
    if len(times) < 2:
        return Step(numbers=1) if times.dtype.kind == "i" else Step(microseconds=DAY)
    gaps, counts = np.unique(np.diff(times), return_counts=True)
    usual = gaps[counts.argmax()]
    if times.dtype.kind == "i":
        return Step(numbers=int(usual))
    microseconds = int(usual.astype("m8[us]").astype(np.int64))
    days = times.astype("M8[D]")
    day = _day_meant(times) if microseconds >= 28 * DAY else None
    if day is not None:
        months = np.diff(times.astype("M8[M]")).astype(np.int64)
        return Step(months=int(np.bincount(months).argmax()), day=day)
    if microseconds == DAY and len(times) > 10 and np.is_busday(days).all():
        return Step(trading=True)
    return Step(microseconds=microseconds)


def _day_meant(times: Times) -> int | None:
    """The day of their month that all times stand for, as `Step.day` has it; None where it is not the same.

    A month that is too short for it gives its last one.
    """
    months, days, within = _parts(times)
    meant, length = int(days.max()), _length(months)
    if meant > 28 and (days == length).all():
        return 31
    if (within != within[0]).any() or (days != np.minimum(meant, length)).any():
        return None
    return meant if meant > 28 else 0


def _dates_proper(column: pl.Series, where: str) -> tuple[Times, str]:
    if not isinstance(column.dtype, (pl.Date, pl.Datetime)):
        raise InputError(f'{where}: the column "{column.name}" holds {column.dtype}, expected dates or times')
    told = ""
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone:
        told = f'The zone {column.dtype.time_zone} of "{column.name}" was read as UTC.'
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.cast(pl.Datetime("us")).to_numpy().astype("M8[us]"), told


def _parsed(column: pl.Series, where: str) -> tuple[Times, str]:
    bare, zones = _bare(column)
    _refuse_mixed(zones, column, where)
    found = [(form, times) for form in _formats(bare.head(50)) if (times := _by(bare, form)) is not None]
    whole = [(form, times) for form, times in found if not times.null_count()]
    if not whole:
        _refuse_odd(column, bare, found, where)
    zone = zones.drop_nulls()
    told = [f'The zone "{zone[0]}" was left out.'] if len(zone) and zone[0].upper() not in ("Z", "UTC") else []
    times, *others = sorted((one for _, one in whole), key=_disorder) if len(whole) > 1 else (whole[0][1],)
    for other in others:
        differ = (times != other).arg_true()
        if len(differ):
            row = int(differ[0])
            told.append(
                f'"{column[row]}" was read as {times[row]:%d %B %Y}, not as {other[row]:%d %B %Y}: that leaves the '
                "rows best in time."
            )
            break
    return times.to_numpy().astype("M8[us]"), " ".join(told)


def _bare(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Cells without their zones, and the zones. Years that are counted from 1 are filled up with zeros."""
    text = column.str.strip_chars().str.replace_all(r"\s+", " ")
    has_clock = text.str.contains(r"[0-9]:[0-9]")
    zones = pl.select(pl.when(has_clock).then(text.str.extract(_ZONE, 1))).to_series()
    bare = pl.select(pl.when(has_clock).then(text.str.replace(rf"\s*{_ZONE}", "")).otherwise(text)).to_series()
    short = bare.str.contains(r"^[0-9]{1,3}-[0-9]{1,2}$")
    if not bare.str.contains(r"^[0-9]-[0-9]{1,2}$").any():
        return bare, zones
    return pl.select(pl.when(short).then(bare.str.zfill(7)).otherwise(bare)).to_series(), zones


def _formats(some: pl.Series) -> list[str]:
    """The ways of writing that fit the first of these cells, and most of the others."""
    every = [*(f"{date}{clock}" for date in _DATES for clock in _CLOCKS), *_MONTHS]
    return [form for form in every if (times := _by(some, form)) is not None and times.null_count() <= len(some) // 2]


def _by(text: pl.Series, form: str) -> pl.Series | None:
    """Times by one way of writing, null where a cell does not fit; None where it fits nowhere."""
    times = _written(text, form)
    if times.null_count() == len(times):
        return None
    inside = times.dt.year().is_between(*_YEARS) | text.str.contains(_NUMBERED)
    times = pl.select(pl.when(inside).then(times)).to_series()
    return None if times.null_count() == len(times) else times


def _written(text: pl.Series, form: str) -> pl.Series:
    """As `_by`, in whatever year it is."""
    dated = form not in _MONTHS
    written, how = (text, form) if dated else (text + " 1", f"{form} %d")
    clock = "%H" in how or "%I" in how
    # A date without a clock is no time to polars, and what stands behind what was asked for must not be overlooked.
    if clock:
        return written.str.to_datetime(how, strict=False, exact=True, time_unit="us")
    return written.str.to_date(how, strict=False, exact=True).cast(pl.Datetime("us"))


def _disorder(times: pl.Series) -> tuple[int, int, int]:
    """How many steps are missing, how often a row comes before the one above it, how many different distances there
    are.
    """
    gaps = times.diff().drop_nulls()
    backwards = int((gaps < pl.Series([0]).cast(pl.Duration("us"))[0]).sum())
    return _missing(np.unique(times.to_numpy().astype("M8[us]"))), backwards, gaps.n_unique()


def _missing(times: Times) -> int:
    """How many steps are missing between times in order; one that is no whole number of steps counts as one."""
    step = step_of(times)
    size = step.months or step.microseconds
    if step.trading:
        days = times.astype("M8[D]")
        gaps, size = np.busday_count(days[:-1], days[1:]), 1
    else:
        gaps = np.diff(times.astype("M8[M]") if step.months else times).astype(np.int64)
    return int(np.where(gaps == size, 0, np.maximum(-(-gaps // size) - 1, 1)).sum())


def _refuse_odd(column: pl.Series, bare: pl.Series, found: Sequence[tuple[str, pl.Series]], where: str) -> None:
    name = column.name
    if not found:
        for form in (*_DATES, *_MONTHS):
            _refuse_year(column, bare, form, 0, where)
        raise InputError(
            f'{where}, row 1, column "{name}": "{str(column[0])[:40]}" is no date or time that is known: write it as '
            "2024-01-31, 2024-01-31 13:45:00 or 1/31/2024"
        )
    form, times = min(found, key=lambda one: one[1].null_count())
    row = int(times.is_null().arg_true()[0])
    _refuse_year(column, bare, form, row, where)
    raise InputError(
        f'{where}, row {row + 1}, column "{name}": "{str(column[row])[:40]}" is not written as the others are, such as '
        f'"{str(column[0])[:40]}"'
    )


def _refuse_year(column: pl.Series, bare: pl.Series, form: str, row: int, where: str) -> None:
    """Refuse a cell that is a date, of a year nobody means."""
    year = _written(bare.slice(row, 1), form).dt.year()[0]
    if year is not None:
        raise InputError(
            f'{where}, row {row + 1}, column "{column.name}": "{str(column[row])[:40]}" is in the year {year}, '
            f"expected {_YEARS[0]} to {_YEARS[1]}: is a time mistyped?"
        )


def _refuse_mixed(zones: pl.Series, column: pl.Series, where: str) -> None:
    kinds = list(_distinct(zones))
    if len(kinds) > 1:
        (one, first), (other, second) = kinds[:2]
        raise InputError(
            f'{where}, column "{column.name}": time zones are mixed: {_zone(one)} in row {first + 1}, {_zone(other)} '
            f"in row {second + 1}. Convert all rows to one zone, best UTC"
        )


def _distinct(zones: pl.Series) -> Iterator[tuple[str | None, int]]:
    seen = set()
    for row, zone in enumerate(zones.to_list()):
        if zone not in seen:
            seen.add(zone)
            yield zone, row


def _zone(zone: str | None) -> str:
    return "none" if zone is None else f'"{zone}"'


def _refuse_empty(column: pl.Series, where: str) -> None:
    empty = column.is_null()
    if column.dtype == pl.String:
        empty = empty | (column.str.strip_chars() == "")
    if column.is_empty():
        raise InputError(f"{where}: no rows")
    if empty.any():
        row = int(empty.arg_true()[0])
        raise InputError(f'{where}, row {row + 1}, column "{column.name}": no time. Every row needs one')
