"""What a recipe says of series: which columns are what, how they are cut into windows, how far ahead they reach."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from lstmlab.data.datasets import named
from lstmlab.data.datasets.entry import SeriesHints
from lstmlab.data.datasets.series_tables import Columns
from lstmlab.data.parts import PartedData
from lstmlab.data.timeline import Missing, Repeated

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
    """Steps from one test window to the next, the last at the end; null: `horizon`, so that none is forecast twice."""
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


def columns_of(settings: SeriesSettings) -> Columns:
    """What is what, by the recipe and, where it says nothing, by what is known of the named set."""
    hints = settings.hints or SeriesHints((), ())
    past = settings.past
    if past is None:
        past = [] if settings.target not in (None, list(hints.targets)) else list(hints.past)
    return Columns(
        tuple(settings.time or hints.time),
        settings.series or hints.of,
        tuple(settings.target or hints.targets),
        tuple(past),
        tuple(settings.future),
    )
