"""Forecasts of real series: how far ahead they are worth something, beside naive ones, and whether they copy the past.

Numbers by step ahead are of the whole test part (metrics.json, "details"), pictures of windows that were written down.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmlab.analysis.comparison import EVEN
from lstmlab.metrics import format_score
from lstmlab.report import Figure, Section, Table, excerpt
from lstmlab.training.run import Run

Values = NDArray[np.float64]

COPY = 0.5
"""A forecast one step ahead that is nearer to the last value than this share of what the naive one misses by, and no
better, is called its copy."""
STEPS = (1, 2, 3, 6, 12, 24, 48, 96, 192, 336, 720)
COLOURS = {"model": "#D55E00", "truth": "#1f2933"}
RIVALS = ("#56B4E9", "#009E73", "#7b8794", "#CC79A7")


@dataclass(frozen=True)
class Ahead:
    """Mean absolute error by step ahead [S] of the model and of the naive forecasts; NaN where it is not known."""

    errors: dict[str, Values]
    windows: int
    copy: dict[str, float]
    scores: dict[str, float] = field(default_factory=dict)
    """The same over all values, as scored: where some are missing, no mean of the means by step."""
    scored_skill: float | None = None
    """The skill that was scored over all steps."""

    @classmethod
    def of(cls, run: Run) -> "Ahead":
        """What the run wrote down of its whole test part."""
        told, test = run.metrics["details"], run.metrics["test"]
        errors = {name: np.array(values, float) for name, values in told["mae_by_step"].items()}
        naive = {name: scores.get("mae") for name, scores in run.metrics["baseline"].items()}
        scores = {name: value for name, value in ({"model": test.get("mae")} | naive).items() if value is not None}
        copy = {name: float("nan") if value is None else float(value) for name, value in told["copy"].items()}
        return cls(errors, int(told["windows"]), copy, scores, test.get("skill"))

    @property
    def horizon(self) -> int:
        """Steps ahead."""
        return len(self.errors["model"])

    @property
    def rivals(self) -> dict[str, Values]:
        """The naive forecasts, best of all steps first."""
        means = {name: self.mean(name) for name in self.errors if name != "model"}
        return {name: self.errors[name] for name in sorted(means, key=lambda one: (np.isnan(means[one]), means[one]))}

    def mean(self, name: str, first: int = 0, last: int | None = None) -> float:
        """The error over all values, or over some of the steps, but for those that have no truth at all; NaN where it
        is not known.
        """
        if (first, last) == (0, None) and name in self.scores:
            return self.scores[name]
        untold = np.all([np.isnan(values[first:last]) for values in self.errors.values()], 0)
        return float(self.errors[name][first:last][~untold].mean()) if not untold.all() else float("nan")

    def skill(self, first: int = 0, last: int | None = None) -> float:
        """1 - error / error of the naive forecast that is best over these steps; NaN where that one is perfect, or
        nothing is known.
        """
        if (first, last) == (0, None) and self.scored_skill is not None:
            return self.scored_skill
        best = np.fmin.reduce([self.mean(name, first, last) for name in self.rivals])
        return 1 - self.mean("model", first, last) / float(best) if best > 0 else float("nan")

    @property
    def copies(self) -> bool:
        """Whether the first step is the last value once more."""
        naive, model = self.copy["naive"], self.copy["from_truth"]
        return naive > 0 and self.copy["from_last"] < COPY * naive and model > (1 - EVEN) * naive

    @property
    def comparable(self) -> bool:
        """Whether there is a step at which a naive forecast's error is known."""
        return bool((~np.isnan(list(self.rivals.values()))).any())

    @property
    def last_useful(self) -> int:
        """The last step (from 1) up to which every step beats every naive forecast; 0 where the first does not."""
        best = np.fmin.reduce(list(self.rivals.values()))
        worse = np.flatnonzero(~np.isnan(best) & ~(self.errors["model"] < best))
        if not self.comparable:
            return 0
        return int(worse[0]) if len(worse) else self.horizon


def applies(run: Run) -> bool:
    """Whether the run forecast a series that was not computed, on a test part that is known."""
    known = run.recipe["task"] == "forecasting" and run.finished and run.recipe["data"].get("name") != "sine"
    return known and bool(run.metrics.get("details"))


def section(run: Run) -> Section:
    """Skill by step ahead, the check for a copy, intervals, and the forecasts drawn."""
    told = Ahead.of(run)
    free = run.metrics["details"].get("free_run")
    parts = [copy_words(told), reach_words(told), interval_words(run), bias_words(run)]
    figures = [_drawn(run)]
    if told.horizon > 1:
        figures.append(_by_step(told))
    if free:
        figures.append(_free(free))
        parts.append(free_words(free))
    return Section("Forecasts", claim(told), "\n\n".join(filter(None, parts)), [_table(told)], figures)


def claim(told: Ahead) -> str:
    """The mean error over all steps, and what of the best naive one it saves."""
    name, model = next(iter(told.rivals)), told.mean("model")
    best, skill = told.mean(name), told.skill()
    steps = "one step" if told.horizon == 1 else f"{told.horizon} steps"
    beside = f"{excerpt(name, 60)}, {format_score('mae', best)}"
    said = f"Forecasts of {steps} ahead miss by {format_score('mae', model)} on average"
    if np.isnan(skill) and best == 0:
        return f"{said}; the best naive forecast ({beside}) is perfect here."
    if np.isnan(skill):
        return f"{said}; no naive forecast can be compared with them."
    if skill > EVEN:
        return f"{said}, {100 * skill:.0f} % less than the best naive forecast ({beside})."
    if skill < -EVEN:
        return f"{said}, {-100 * skill:.0f} % more than the best naive forecast ({beside}): not worth its trouble."
    return f"{said}, as good as the best naive forecast ({beside}) and no better."


def copy_words(told: Ahead) -> str:
    """Whether this is yesterday's value, shifted."""
    model, last, naive = (format_score("mae", told.copy[name]) for name in ("from_truth", "from_last", "naive"))
    if np.isnan(list(told.copy.values())).any():
        return "One step ahead not all errors are known, so whether the forecast copies the last value cannot be told."
    if not told.copy["naive"]:
        return f"One step ahead the forecast misses by {model}; repeating the value before is never wrong here."
    if told.copies:
        return (
            f"This forecast is the last value, shifted: one step ahead it stays within {last} of the value before, and "
            f"misses the truth by {model}, where repeating the value before misses by {naive}. A plot in which it "
            "seems to follow the truth shows the truth of a step before."
        )
    return (
        f"One step ahead the forecast misses by {model}; repeating the value before misses by {naive}. The forecast "
        f"lies {last} from that value, so it is no mere copy of it."
    )


def reach_words(told: Ahead) -> str:
    """Up to which step it beats everything naive."""
    if not told.comparable:
        return ""
    if told.horizon == 1:
        return "It beats every naive forecast." if told.skill() > EVEN else ""
    first, half = told.skill(0, 1), told.horizon // 2
    late = told.skill(half)
    reach = told.last_useful
    said = (
        "It beats every naive forecast at every step ahead."
        if reach == told.horizon
        else "At the first step already a naive forecast is as good or better."
        if not reach
        else f"Up to step {reach} of {told.horizon} it beats every naive forecast; from then on one of them is as good."
    )
    if np.isnan([first, late]).any():
        return said
    return (
        f"{said} Error saved against the best naive forecast: {100 * first:.0f} % at the first step, "
        f"{100 * late:.0f} % over steps {half + 1} to {told.horizon}."
    )


def interval_words(run: Run) -> str:
    """Whether intervals hold what they promise."""
    found = run.metrics["test"].get("coverage")
    levels = sorted(float(level) for level in (run.predictions[0].get("quantiles") or {})) if run.predictions else []
    if found is None or len(levels) < 2:
        return ""
    promised = levels[-1] - levels[0]
    gap = found - promised
    verdict = "as promised" if abs(gap) <= 0.05 else "too narrow" if gap < 0 else "wider than they need be"
    share = f"{100 * found:.1f} % of the truth lies in what should hold {100 * promised:.0f} %"
    return f"Intervals: {share}; they are {verdict}."


def free_words(free: dict[str, Any]) -> str:
    """What is left of the series when the model goes on alone: its spread, and where it stays near the truth."""
    truth, said = _first(free["truth"]), _first(free["prediction"])
    known = np.isfinite(truth)
    spread = float(truth[known].std()) if known.any() else 0.0
    begin = f"Left alone for {len(said)} steps from {free['times'][0]} on, reading its own forecasts,"
    if not np.isfinite(said).all():
        return f"{begin} the model ends in what is no number."
    if not spread:
        return ""
    share = float(said.std()) / spread
    error = format_score("mae", float(np.abs(said - truth)[known].mean()))
    kept = (
        "it settles on a nearly constant value"
        if share < 0.15
        else "it swings less than the series does"
        if share < 0.6
        else "it swings as the series does"
        if share < 1.6
        else "it swings more than the series ever does"
    )
    return f"{begin} {kept} (deviation {share:.2f} of the truth's) and misses by {error} on average."


def bias_words(run: Run) -> str:
    """Whether forecasts are too high or too low on the whole."""
    gaps = [
        np.ravel(np.array(row["prediction"], float) - np.array(row["target"], float))
        for row in run.predictions
        if row.get("target") is not None
    ]
    every = np.concatenate([np.zeros(0), *gaps])
    every = every[np.isfinite(every)]
    if not len(every):
        return ""
    size, mean = float(np.abs(every).mean()), float(every.mean())
    if not size or abs(mean) < 0.2 * size:
        return ""
    side = "high" if mean > 0 else "low"
    return (
        f"Bias: the forecasts written down are too {side} by {format_score('mae', abs(mean))} on average, "
        f"{100 * abs(mean) / size:.0f} % of their mean error: a level or a trend that changed after training?"
    )


def weaknesses(told: Ahead) -> list[str]:
    """What speaks against it, a sentence each."""
    found = ["One step ahead it copies the last value."] if told.copies else []
    if told.skill() <= EVEN:
        found.append("A naive forecast does as well.")
    return found


# ---- Tables and figures


def _table(told: Ahead) -> Table:
    steps = [*(step for step in STEPS if step < told.horizon), told.horizon]
    if len(steps) > 8:
        steps = [*steps[:: -(-len(steps) // 7)], told.horizon]
    steps = sorted(set(steps))
    columns = (told.errors["model"], *told.rivals.values())
    rows = [[step, *(None if np.isnan(values[step - 1]) else float(values[step - 1]) for values in columns)]
            for step in steps]  # fmt: skip
    note = f"Mean absolute error at that step, in the unit of the series, over {told.windows:,} test windows."
    return Table("Error by steps ahead.", ["Step", "Model", *map(_short, told.rivals)], rows, note)


def _short(name: str) -> str:
    return name[:1].upper() + name[1:]


def _by_step(told: Ahead) -> Figure:
    def draw(figure: Any) -> None:
        axes, at = figure.subplots(), np.arange(1, told.horizon + 1)
        for (name, values), colour in zip(told.rivals.items(), RIVALS, strict=False):
            axes.plot(at, values, color=colour, linewidth=1, label=name)
        axes.plot(at, told.errors["model"], color=COLOURS["model"], label="this model")
        axes.set(title="Error by steps ahead", xlabel="Steps ahead", ylabel="Mean absolute error")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7, loc="lower right", ncols=3)

    return Figure("error-by-step", "Mean absolute error by steps ahead.", draw, width=5.4, height=2.2)


def _free(free: dict[str, Any]) -> Figure:
    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot(_first(free["truth"]), color=COLOURS["truth"], linewidth=0.9, label="truth")
        axes.plot(_first(free["prediction"]), color=COLOURS["model"], linewidth=0.9, label="the model, left alone")
        axes.set(title=f"Free-running from {free['times'][0]} to {free['times'][1]}", xlabel="Steps", ylabel="Value")
        axes.legend(fontsize=8)

    note = excerpt(free["series"], 60) if free["series"] else ""
    return Figure("free-running", "From the first test window on, reading nothing but its own forecasts.", draw,
                  note=note, width=5.4, height=2.2)  # fmt: skip


def _drawn(run: Run) -> Figure:
    rows = [row for row in run.predictions if row.get("target") is not None]
    chosen = [rows[at] for at in sorted({0, len(rows) // 3, 2 * len(rows) // 3, len(rows) - 1})]

    def draw(figure: Any) -> None:
        for axes, row in zip(np.ravel(figure.subplots(2, 2)), chosen, strict=False):
            _window(axes, row)
        for axes in np.ravel(figure.axes)[len(chosen) :]:
            figure.delaxes(axes)
        figure.axes[0].legend(fontsize=8)

    note = "Windows spread evenly over the test part; grey is what the model read (its end)."
    if chosen and chosen[0].get("quantiles"):
        levels = sorted(map(float, chosen[0]["quantiles"]))
        note += f" Shaded: quantiles {levels[0]:g} to {levels[-1]:g}."
    return Figure("forecasts", "Forecast and truth.", draw, note=note, width=6.8, height=4.0)


def _window(axes: Any, row: dict[str, Any]) -> None:
    """One window: what was read, what came, what was forecast. Of values forecast together the first is drawn."""
    read, truth, said = (_first(row[name]) for name in ("input", "target", "prediction"))
    ahead = np.arange(1, len(truth) + 1)
    shown = min(len(read), max(2 * len(truth), 10))
    axes.plot(np.arange(1 - shown, 1), read[-shown:], color="#9aa5b1", linewidth=1)
    mark = {"marker": "o", "markersize": 3} if len(truth) < 5 else {}
    axes.plot(ahead, truth, color=COLOURS["truth"], label="truth", **mark)
    axes.plot(ahead, said, color=COLOURS["model"], linestyle="--", label="forecast", **mark)
    if quantiles := row.get("quantiles"):
        levels = sorted(quantiles, key=float)
        low, high = (_first(quantiles[level]) for level in (levels[0], levels[-1]))
        axes.fill_between(ahead, low, high, color=COLOURS["model"], alpha=0.15, linewidth=0)
    axes.set_title(excerpt(str(row["id"]), 40), fontsize=8)
    axes.set(xlabel="Steps ahead", ylabel="Value")


def _first(values: Any) -> Values:
    table = np.array(values, float)
    return table if table.ndim == 1 else table[:, 0]
