"""What forecasts leave over (forecast less truth): how it spreads with the steps ahead, and when it was large."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmlab.analysis import horizons
from lstmlab.metrics import format_score
from lstmlab.report import Figure, Section
from lstmlab.training.run import Run

Values = NDArray[np.float64]

LARGE = 2.0
"""A time whose mean absolute residual is this many times the median one is named."""
SIDED = 0.5
"""A residual whose median is further from zero than this share of half its interquartile range lies to one side."""


@dataclass(frozen=True)
class Residuals:
    """Of the whole test part, in the series' units: quantiles by step ahead [Q S]; means over time [G]."""

    levels: list[float]
    by_step: Values
    times: list[str]
    mean: Values
    mae: Values

    @classmethod
    def of(cls, run: Run) -> "Residuals":
        """What the run wrote down."""
        told = run.metrics["details"]["residuals"]
        by_step, mean, mae = (np.array(told[name], float) for name in ("by_step", "mean", "mae"))
        return cls([float(level) for level in told["quantiles"]], by_step, list(told["times"]), mean, mae)

    def at(self, level: float) -> Values:
        """A quantile by step ahead [S]."""
        return self.by_step[self.levels.index(level)]


def applies(run: Run) -> bool:
    """Whether the run forecast a real series and wrote down what was left over."""
    return horizons.applies(run) and bool(run.metrics["details"].get("residuals"))


def section(run: Run) -> Section:
    """Spread by step ahead, course over time."""
    told = Residuals.of(run)
    return Section("Residuals", claim(told), time_words(told), figures=[_figure(told)])


def claim(told: Residuals) -> str:
    """Where half of them and nine in ten of them lie, at the first and at the last step ahead."""
    words = [_spread(told, 0)]
    if (last := told.by_step.shape[1] - 1) > 0:
        words.append(_spread(told, last))
    return f"Forecast less truth: {'; '.join(words)}."


def _spread(told: Residuals, step: int) -> str:
    low, first, third, high = (
        format_score("mae", float(told.at(level)[step])).replace("-", "−") for level in (0.05, 0.25, 0.75, 0.95)
    )
    ahead = "one step ahead" if step == 0 else f"{step + 1} steps ahead"
    return f"{ahead}, half of it lies between {first} and {third}, nine tenths between {low} and {high}"


def time_words(told: Residuals) -> str:
    """When it was large, and whether it lies to one side."""
    said = []
    median, worst = float(np.nanmedian(told.mae)), int(np.nanargmax(told.mae))
    if len(told.mae) >= 5 and median > 0:
        times = float(told.mae[worst]) / median
        if times > LARGE:
            shown = format_score("mae", float(told.mae[worst]))
            said.append(
                f"The largest errors fall around {told.times[worst]}: {shown} on average, {times:.1f} times the usual."
            )
        else:
            said.append(
                f"No time stands out: the worst, around {told.times[worst]}, has {times:.1f} times the usual error."
            )
    middle, half = told.at(0.5), (told.at(0.75) - told.at(0.25)) / 2
    aside = np.abs(middle) > SIDED * half
    if aside.any() and aside[-1]:
        side = "high" if middle[-1] > 0 else "low"
        first = int(np.flatnonzero(~aside)[-1]) + 2 if not aside.all() else 1
        since = "at every step ahead" if first == 1 else f"from step {first} on"
        said.append(f"Forecasts lie to the {side} side {since}: the middle of the residuals is not near zero.")
    return " ".join(said)


def _figure(told: Residuals) -> Figure:
    several = told.by_step.shape[1] > 1

    def draw(figure: Any) -> None:
        axes = np.ravel(figure.subplots(1, 2 if several else 1, sharey=True))
        if several:
            at = np.arange(1, told.by_step.shape[1] + 1)
            for (low, high), alpha in zip(((0.05, 0.95), (0.25, 0.75)), (0.15, 0.3), strict=True):
                axes[0].fill_between(at, told.at(low), told.at(high), color="#D55E00", alpha=alpha, linewidth=0)
            axes[0].plot(at, told.at(0.5), color="#D55E00", linewidth=1)
            axes[0].set(title="By steps ahead", xlabel="Steps ahead")
        over = np.arange(len(told.mean))
        axes[-1].fill_between(over, -told.mae, told.mae, color="#9aa5b1", alpha=0.4, linewidth=0, label="± mean size")
        axes[-1].plot(over, told.mean, color="#1f2933", linewidth=1, label="mean")
        marks = sorted({0, len(over) // 2, len(over) - 1})
        axes[-1].set_xticks(marks, [told.times[mark].split(" ")[0] for mark in marks], fontsize=8)
        axes[-1].set(title="Over time", xlabel="Time of the first step forecast")
        axes[-1].legend(fontsize=8)
        for one in axes:
            one.axhline(0, color="#1f2933", linewidth=0.5)
        axes[0].set_ylabel("Forecast less truth")

    note = "Shaded on the left: half and nine tenths of the residuals." if several else ""
    return Figure("residuals", "What forecasts leave over.", draw, note=note, width=6.8, height=2.3)
