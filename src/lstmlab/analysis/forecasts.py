"""A forecast beside the truth: how fast it goes wrong when fed with itself, and what this run's numbers explain."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmlab import baselines
from lstmlab.metrics import format_score
from lstmlab.report import Figure, Section, Table, number
from lstmlab.training.run import Run

Values = NDArray[np.float64]

CHECKPOINTS = (1, 10, 50, 100, 500)
NEAR, FAR = 0.05, 0.5
"""Shares of the series' amplitude at which a forecast counts as near the truth and as lost."""


@dataclass(frozen=True)
class Forecasts:
    """N test windows [N C], what followed them and what was forecast [N S], in the series' own units."""

    inputs: Values
    targets: Values
    forecasts: Values
    season: int | None

    @classmethod
    def of(cls, run: Run) -> "Forecasts":
        """The run's predictions. A forecast that is not a number is NaN."""
        inputs, targets, forecasts = (
            [row[name] for row in run.predictions] for name in ("input", "target", "prediction")
        )
        return cls(
            np.array(inputs, float),
            np.array(targets, float),
            np.array(forecasts, float),
            run.recipe["data"].get("season"),
        )

    @property
    def horizon(self) -> int:
        """Steps ahead."""
        return self.targets.shape[1]

    @cached_property
    def errors(self) -> Values:
        """Mean absolute error at each step [S]."""
        return np.abs(self.forecasts - self.targets).mean(0)

    @cached_property
    def shown(self) -> Values:
        """Windows and what truly followed them [N C+S]."""
        return np.concatenate([self.inputs, self.targets], 1)

    @cached_property
    def amplitude(self) -> float:
        """Half of what the series spans in its windows, to two digits: it sets marks and is no measurement."""
        return float(f"{np.ptp(self.inputs, 1).mean() / 2:.2g}")

    @cached_property
    def step(self) -> float:
        """What neighbouring points differ by on average."""
        return float(np.abs(np.diff(self.shown, axis=1)).mean())

    @cached_property
    def naive(self) -> dict[str, Values]:
        """Forecasts [N S] that need nothing but the window, by name."""
        origin = np.array([self.inputs.shape[1]])
        found = {"last value": [baselines.last_value(row[:, None], origin, self.horizon) for row in self.inputs]}
        if self.season and self.season <= self.inputs.shape[1]:
            found[f"seasonal naive ({self.season} steps)"] = [
                baselines.seasonal_naive(row[:, None], origin, self.horizon, self.season) for row in self.inputs
            ]
        return {name: np.stack(values)[:, 0, :, 0] for name, values in found.items()}

    def first_beyond(self, limit: float) -> int | None:
        """The first step (from 1) whose error is above `limit` or not a number."""
        beyond = np.flatnonzero(~(self.errors <= limit))
        return int(beyond[0]) + 1 if len(beyond) else None

    def tail(self, values: Values) -> Values:
        """The last season of `values` [N S], or as many steps as a window has."""
        return values[:, -min(self.season or self.inputs.shape[1], self.horizon) :]


def applies(run: Run) -> bool:
    """Whether the run forecast a computed series, whose continuation is known for ever."""
    if run.recipe["task"] != "forecasting" or not run.finished or run.recipe["data"].get("name") != "sine":
        return False
    return any(row.get("target") is not None for row in run.predictions)


def section(run: Run) -> Section:
    """The forecast drawn, its error by step, and why it goes wrong as far as the run's numbers say."""
    told = Forecasts.of(run)
    paragraphs = [_asked(told), _one_step(told, run), growth_words(told), end_words(told), _remark(told, run)]
    return Section(
        "Forecast",
        claim(told, run.metrics.get("baseline", {})),
        "\n\n".join(filter(None, paragraphs)),
        [_table(told)],
        [_figure(told)],
    )


def claim(told: Forecasts, baseline: Mapping[str, Mapping[str, float]]) -> str:
    """How long the forecast holds, and its mean error beside the baselines'."""
    held = held_words(told)
    if not np.isfinite(told.errors).all():
        return held
    mean = format_score("mae", float(told.errors.mean()))
    others = ", ".join(f"{name} {format_score('mae', scores.get('mae'))}" for name, scores in baseline.items())
    return f"{held.removesuffix('.')}; its mean absolute error is {mean}{f' ({others})' if others else ''}."


def held_words(told: Forecasts) -> str:
    """How long the forecast stays near the truth."""
    first, limit = told.first_beyond(NEAR * told.amplitude), f"{NEAR * told.amplitude:g}"
    model = "Fed with its own forecasts, the model" if told.horizon > 1 else "The model"
    if not np.isfinite(told.errors).all():
        broken = int(np.flatnonzero(~np.isfinite(told.errors))[0]) + 1
        return f"{model} forecasts what is not a number from step {broken} of {told.horizon} on."
    if first == 1:
        return f"{model} is off by more than {limit} from the first step."
    held = f"all {told.horizon}" if first is None else f"only the first {(first or 0) - 1} of {told.horizon}"
    return f"{model} stays within {limit} of the truth for {held} step{'s' * (told.horizon != 1)}."


def _asked(told: Forecasts) -> str:
    count = "One window" if len(told.targets) == 1 else f"{len(told.targets):,} windows"
    return (
        f"{count} of {told.inputs.shape[1]} known values, {told.horizon} to forecast: after the first of them the "
        "model "
        "reads its own forecasts in place of what it cannot know."
        if told.horizon > 1
        else ""
    )


def _one_step(told: Forecasts, run: Run) -> str:
    """The error of a single step, before anything is fed back, against what a step is worth."""
    first = float(told.errors[0])
    if not np.isfinite(first) or told.step == 0:
        return ""
    said = (
        f"A single step: the first forecast misses by {number(first)}, which is {_share(first / told.step)} of the "
        f"{number(told.step)} that neighbouring points of this series differ by on average."
    )
    losses = [row["train"]["loss"] for row in run.history[-1:]]
    if not losses or losses[0] is None or run.recipe["data"].get("steps", 1) != 1:
        return said
    missed = losses[0] ** 0.5 * run.saved_task.get("scaler", {}).get("deviation", 1.0)
    small = (
        "looks small, but its root, the typical miss of one step," if missed >= 0.05 * told.step else "has a root that"
    )
    typical = "" if missed >= 0.05 * told.step else ", the typical miss of one step"
    return (
        f"{said} The last training loss of {number(losses[0])} {small} is {number(missed)}{typical}: "
        f"{_share(missed / told.step)} of that difference."
    )


def _share(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1g} %"


def growth_words(told: Forecasts) -> str:
    """Where the error passes its two marks."""
    if told.horizon == 1:
        return ""
    if not np.isfinite(told.errors).all():
        return f"From step {int(np.flatnonzero(~np.isfinite(told.errors))[0]) + 1} on the forecast is not a number."
    marks: list[str] = []
    for share in (NEAR, FAR):
        at = told.first_beyond(share * told.amplitude)
        limit = f"{share * told.amplitude:g} ({share:.0%} of the amplitude of the series)".replace("%", " %")
        marks.append(f"never passes {limit}" if at is None else f"passes {limit} at step {at}")
        if at is None:
            break
    worst = int(told.errors.argmax())
    largest = f"it is largest, {number(told.errors[worst])}, at step {worst + 1}"
    return f"Growth: the error {' and '.join(marks)}; {largest}."


def end_words(told: Forecasts) -> str:
    """What the forecast has become: its amplitude and its period beside the truth's."""
    ends = {name: told.tail(values) for name, values in (("truth", told.targets), ("forecast", told.forecasts))}
    if told.horizon < 20 or not np.isfinite(told.forecasts).all():
        return ""
    spans = {name: float(np.ptp(values, 1).mean() / 2) for name, values in ends.items()}
    said = (
        f"At the end, over the last {ends['truth'].shape[1]} steps, the forecast's amplitude is "
        f"{number(spans['forecast'])} "
        f"and the truth's {number(spans['truth'])}"
    )
    if spans["forecast"] < 0.02 * spans["truth"]:
        return f"{said}: the forecast has settled on a constant, {number(float(ends['forecast'].mean()))}."
    true, made = period(told.shown[0]), period(told.forecasts[0])
    if true is None or made is None:
        return f"{said}."
    return f"{said}; one period of the forecast takes {made:.1f} steps, one of the truth {true:.1f}."


def period(values: Values) -> float | None:
    """Steps of one period of a series [S] that swings regularly about its middle; None for any other."""
    centred = values - (values.max() + values.min()) / 2
    before, after = centred[:-1], centred[1:]
    crossed = np.flatnonzero((before < 0) != (after < 0))
    if len(crossed) < 3:
        return None
    places = crossed + before[crossed] / (before[crossed] - after[crossed])
    # From a crossing to the second next one is a period, also where the swing is not the same both ways.
    periods = places[2:] - places[:-2]
    return float(periods.mean()) if periods.min() >= 4 and np.ptp(periods) <= 0.3 * periods.mean() else None


STAYED = (
    "General remark, from experiments over ten seeds and not from this run alone: the textbook settings of the same "
    "model (recipe sine-classic: full batches, a constant learning rate, 50 steps in all) end with a training loss of "
    "about 0.0003 and yet drift away within a hundred steps, to a mean absolute error of 0.4 to 0.9. The root of that "
    "loss is 12 to 30 % of the step between neighbouring points, most of it an error of offset, amplitude and phase "
    "that is the same at every step, so that feeding forecasts back adds it up. Many small batches, a rate that falls "
    "to zero and forecasting the change instead of the value took it away in all ten."
)


def _remark(told: Forecasts, run: Run) -> str:
    """What is known of such models on the sine, marked as not taken from this run."""
    if run.recipe["data"].get("name") != "sine" or told.horizon == 1:
        return ""
    if told.first_beyond(NEAR * told.amplitude) is None:
        return STAYED
    training, optimizer = run.recipe["training"], run.recipe["training"]["optimizer"]
    parts = run.summary["data"].get("parts", {})
    full = training["batch_size"] >= parts.get("train", np.inf)
    habits = [
        word
        for word, true in (
            ("full batches", full),
            ("a constant learning rate", optimizer["schedule"] == "constant"),
            ("forecasts of the value and not of its change", not run.recipe["model"].get("change")),
        )
        if true
    ]
    here = f" This run has {_listed(habits)}." if habits else ""
    return (
        "General remark, from experiments with the sine over ten seeds and not from this run alone: most of the "
        "one-step "
        "error is systematic (an offset, an amplitude some 2 % off, a phase up to 15 % of a step off at every step). "
        "Fed "
        "back, it does not average out but adds up to an error of phase, and the forecast settles on another orbit "
        "(periods "
        "of 4.2 to 7.7 were seen, in x, instead of 6.28) or on a constant. Many mini-batch steps, a learning rate "
        "that decays to zero and "
        f"forecasting the change cured it: a mean absolute error of at most 0.0002 over 500 steps for every seed.{here}"
    )


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _table(told: Forecasts) -> Table:
    steps = [at for at in CHECKPOINTS if at < told.horizon] + [told.horizon]
    naive = {name: np.abs(values - told.targets).mean(0) for name, values in told.naive.items()}
    rows = [
        [
            at,
            float(told.errors[:at].mean()),
            float(told.errors[at - 1]),
            *(float(errors[:at].mean()) for errors in naive.values()),
        ]
        for at in steps
    ]
    return Table(
        "Error by steps ahead.",
        ["Steps", "MAE up to there", "Error at that step", *(f"MAE, {name}" for name in naive)],
        rows,
        "In the unit of the series.",
    )


def _figure(told: Forecasts) -> Figure:
    def draw(figure: Any) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        ahead = np.arange(1, told.horizon + 1)
        upper.plot(np.arange(1 - told.inputs.shape[1], 1), told.inputs[0], color="#7b8794", label="known")
        upper.plot(ahead, told.targets[0], color="#1f2933", label="truth", **_mark(told))
        upper.plot(ahead, told.forecasts[0], color="#D55E00", linestyle="--", label="forecast", **_mark(told))
        for (name, values), colour in zip(told.naive.items(), ("#56B4E9", "#009E73"), strict=False):
            upper.plot(ahead, values[0], color=colour, linewidth=1, label=name)
        upper.set(title="The forecast fed with itself" if told.horizon > 1 else "The forecast", ylabel="Value")
        upper.legend(ncols=5, loc="lower center", bbox_to_anchor=(0.5, -0.22))
        _draw_errors(lower, told, ahead)

    note = (
        f"Above: the forecast of the {'' if len(told.targets) == 1 else 'first '}test window. Below: the absolute "
        "error "
        f"at each step{'' if len(told.targets) == 1 else ', mean of all windows'}."
    )
    return Figure("forecast", "Forecast and truth.", draw, width=6.6, height=4.0, note=note)


def _mark(told: Forecasts) -> dict[str, Any]:
    return {"marker": "o"} if told.horizon < 5 else {}


def _draw_errors(axes: Any, told: Forecasts, ahead: NDArray[np.int64]) -> None:
    axes.plot(ahead, told.errors, color="#D55E00", **_mark(told))
    positive = told.errors[np.isfinite(told.errors) & (told.errors > 0)]
    if len(positive) and positive.max() > 30 * positive.min():
        axes.set_yscale("log")
        # A forecast that crosses the truth has moments of no error: they must not stretch the axis.
        axes.set_ylim(bottom=max(positive.min(), positive.max() / 1e5) / 2)
    drawn = [share for share in (NEAR, FAR) if 0 < share * told.amplitude < 2 * max(positive, default=0.0)]
    for share in drawn:
        axes.axhline(share * told.amplitude, color="#7b8794", linestyle=":", linewidth=1)
    marks = " and ".join(f"{100 * share:.0f} %" for share in drawn)
    title = f"Absolute error{f' (dotted: {marks} of the amplitude)' if drawn else ''}"
    axes.set(title=title, xlabel="Steps ahead", ylabel="Error")
