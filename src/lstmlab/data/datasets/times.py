"""Columns as points in time: what a date is written like, whether it is a date at all, and how far apart rows lie.

Everything comes back as numpy datetime64[us] without a zone, or as whole numbers where times are numbered steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lstmlab.errors import InputError

Times = np.ndarray
"""One-dimensional: datetime64[us], or int64."""

_DATES = (
    # Two digits of a year come first: as four they would be read as the time of Augustus.
    "%m/%d/%y", "%d/%m/%y", "%d-%b-%y", "%y-%m-%d", "%Y-%m-%d", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y",
    "%m-%d-%Y", "%d-%m-%Y", "%b %d %Y", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%Y%m%d",
)  # fmt: skip
_CLOCKS = (
    "", " %H:%M:%S", "T%H:%M:%S", " %H:%M", "T%H:%M", " %H:%M:%S%.f", "T%H:%M:%S%.f", " %I:%M:%S %p", " %I:%M %p",
)  # fmt: skip
_MONTHS = ("%Y-%m", "%Y/%m", "%m/%Y", "%b-%y", "%b %Y", "%B %Y", "%b-%Y")
_ZONE = r"(?i)(z|utc|gmt|[+-]\d{2}:?\d{2})$"

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
        first = start.astype("M8[M]")
        within = start - first.astype("M8[us]")
        months = first + (self.months * counts).astype("m8[M]")
        last = (months + np.timedelta64(1, "M")).astype("M8[us]") - np.timedelta64(DAY, "us")
        return np.minimum(months.astype("M8[us]") + within, last + within % np.timedelta64(DAY, "us"))


def _counted(count: int, noun: str) -> str:
    return noun if count == 1 else f"{count} {noun}s"


def looks_like_time(column: pl.Series) -> bool:
    """Whether a column holds dates (text or dates proper; not plain numbers)."""
    if column.dtype.is_temporal():
        return True
    if column.dtype != pl.String:
        return False
    some = column.drop_nulls().head(50)
    return bool(len(some)) and not some.str.contains(r"^\d+(\.\d+)?$").any() and bool(_formats(_bare(some)[0]))


def to_times(column: pl.Series, where: str) -> tuple[Times, str]:
    """A column as times, and what was made out about it, in a sentence (may be empty).

    Whole numbers stay numbers. Raises InputError for cells that are empty or no time, and for mixed time zones.
    """
    _refuse_empty(column, where)
    if column.dtype.is_temporal():
        return _dates_proper(column, where)
    if column.dtype.is_numeric() or column.str.contains(r"^\s*-?\d+\s*$").all():
        numbers = column.cast(pl.Float64) if column.dtype.is_numeric() else column.str.strip_chars().cast(pl.Float64)
        found = numbers.to_numpy()
        if not (np.mod(found, 1) == 0).all():
            raise InputError(f'{where}, column "{column.name}": times that are numbers must be whole numbers')
        if column.dtype == pl.String and column.str.strip_chars().str.contains(r"^(19|20)\d{6}$").all():
            return _parsed(column, where)
        return found.astype(np.int64), ""
    return _parsed(column, where)


def from_fields(columns: Sequence[pl.Series], where: str) -> Times:
    """Times from columns called year, month, day, … in that order, each of whole numbers."""
    names = [column.name.strip().lower() for column in columns]
    if names != list(FIELDS[: len(names)]):
        raise InputError(
            f"{where}: several columns make a time together if they are {', '.join(FIELDS)} in this order, "
            f"got {', '.join(names)}"
        )
    frame = pl.DataFrame(columns).rename(dict(zip((one.name for one in columns), names, strict=True)))
    try:
        whole = frame.select(pl.all().cast(pl.String).str.strip_chars().cast(pl.Int32))
        parts = {name: pl.col(name) if name in names else pl.lit(1) for name in FIELDS[:3]}
        parts |= {name: pl.col(name) if name in names else pl.lit(0) for name in FIELDS[3:]}
        found = whole.select(pl.datetime(*parts.values(), time_unit="us").alias("time"))["time"]
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{where}, columns {', '.join(names)}: not all of them are whole numbers") from error
    _refuse_empty(found, where, told=", ".join(names))
    return found.to_numpy().astype("M8[us]")


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
    if microseconds >= 28 * DAY and _same_day(times):
        months = np.diff(times.astype("M8[M]")).astype(np.int64)
        return Step(months=int(np.bincount(months).argmax()))
    if microseconds == DAY and len(times) > 10 and np.is_busday(days).all():
        return Step(trading=True)
    return Step(microseconds=microseconds)


def _same_day(times: Times) -> bool:
    """Whether all times are the same day of their month, or all its last day."""
    months = times.astype("M8[M]")
    place = times - months.astype("M8[us]")
    last = (months + np.timedelta64(1, "M")).astype("M8[us]") - np.timedelta64(DAY, "us")
    return bool((place == place[0]).all() or (times.astype("M8[D]") == last.astype("M8[D]")).all())


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
        _refuse_odd(column, found, where)
    times = min((one for _, one in whole), key=_disorder)
    zone = zones.drop_nulls()
    told = [f'The zone "{zone[0]}" was left out.'] if len(zone) and zone[0].upper() not in ("Z", "UTC") else []
    if len({tuple(one[1].head(1000).to_list()) for one in whole}) > 1:
        told.append(f'"{column[0]}" was read as {times[0]:%d %B %Y}, the order that leaves the rows best in time.')
    return times.to_numpy().astype("M8[us]"), " ".join(told)


def _bare(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Cells without their zones, and the zones. A year of one to three digits is filled up with zeros."""
    text = column.str.strip_chars().str.replace_all(r"\s+", " ")
    has_clock = text.str.contains(r"\d:\d")
    zones = pl.select(pl.when(has_clock).then(text.str.extract(_ZONE, 1))).to_series()
    bare = pl.select(pl.when(has_clock).then(text.str.replace(rf"\s*{_ZONE}", "")).otherwise(text)).to_series()
    short = bare.str.contains(r"^\d{1,3}-\d{1,2}$")
    return pl.select(pl.when(short).then(bare.str.zfill(7)).otherwise(bare)).to_series(), zones


def _formats(some: pl.Series) -> list[str]:
    """The ways of writing that fit the first of these cells, and most of the others."""
    every = [*(f"{date}{clock}" for date in _DATES for clock in _CLOCKS), *_MONTHS]
    return [form for form in every if (times := _by(some, form)) is not None and times.null_count() <= len(some) // 2]


def _by(text: pl.Series, form: str) -> pl.Series | None:
    """Times by one way of writing, null where a cell does not fit; None where it fits nowhere."""
    dated = form not in _MONTHS
    written, how = (text, form) if dated else (text + " 1", f"{form} %d")
    clock = "%H" in how or "%I" in how
    # A date without a clock is no time to polars, and what stands behind what was asked for must not be overlooked.
    times = (
        written.str.to_datetime(how, strict=False, exact=True, time_unit="us")
        if clock
        else written.str.to_date(how, strict=False, exact=True).cast(pl.Datetime("us"))
    )
    return None if times.null_count() == len(times) else times


def _disorder(times: pl.Series) -> tuple[int, int]:
    """How often a row comes before the one above it, and how many different distances there are."""
    gaps = times.diff().drop_nulls()
    return int((gaps < pl.Series([0]).cast(pl.Duration("us"))[0]).sum()), gaps.n_unique()


def _refuse_odd(column: pl.Series, found: Sequence[tuple[str, pl.Series]], where: str) -> None:
    name = column.name
    if not found:
        raise InputError(
            f'{where}, row 1, column "{name}": "{str(column[0])[:40]}" is no date or time that is known: write it as '
            "2024-01-31, 2024-01-31 13:45:00 or 1/31/2024"
        )
    _, times = min(found, key=lambda one: one[1].null_count())
    row = int(times.is_null().arg_true()[0])
    raise InputError(
        f'{where}, row {row + 1}, column "{name}": "{str(column[row])[:40]}" is not written as the others are, such as '
        f'"{str(column[0])[:40]}"'
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


def _refuse_empty(column: pl.Series, where: str, told: str = "") -> None:
    empty = column.is_null()
    if column.dtype == pl.String:
        empty = empty | (column.str.strip_chars() == "")
    if column.is_empty():
        raise InputError(f"{where}: no rows")
    if empty.any():
        row = int(empty.arg_true()[0])
        raise InputError(f'{where}, row {row + 1}, column "{told or column.name}": no time. Every row needs one')
