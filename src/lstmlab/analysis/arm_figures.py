"""A study in pictures: scores by arm, quality against cost, learning curves over one another, scores by length."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmlab.analysis.arm_lengths import Lengths
from lstmlab.analysis.contenders import Contender
from lstmlab.analysis.contest import Contest
from lstmlab.report import Figure, excerpt

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")
DASHES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D")
"""Where the colours begin again, lines and points look otherwise."""
COST = "the number of parameters and, by size of the point, the seconds of training"
MOST_NAMED = 4
"""With more arms, names beside their points would lie over one another."""
MOST_CURVES = 7
"""With more arms, the curves of the best are drawn alone."""


def _title(contest: Contest) -> str:
    return f"{contest.kind.title}{' (%)' if contest.kind.unit == '%' else ''}"


def _label(one: Contender) -> str:
    """An arm's name in lines of few enough letters to stand beside an axis or in a legend."""
    return "\n".join(wrap(excerpt(one.name, 120), 40))


def _style(contest: Contest, one: Contender) -> dict[str, Any]:
    again, at = divmod([other.name for other in contest.contenders].index(one.name), len(COLOURS))
    kind = again % len(DASHES)
    return {"color": COLOURS[at], "linestyle": DASHES[kind], "marker": MARKERS[kind]}


def scores(contest: Contest, name: str) -> Figure:
    """Every run as a point, every arm's mean with its interval, the best baseline as a line; beside it the cost."""
    count = len(contest.contenders)

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _by_arm(left, contest)
        _by_cost(right, contest)

    note = "Left: small points are runs (one a seed), the large one their mean"
    note += " with its 95 % interval over seeds" if contest.repeated else ""
    note += "; the dashed line is the best baseline" if contest.baseline.rival else ""
    how = "the seconds of training, since all arms are about equally large"
    note += f". Right: the same means against {how if _even(contest) else COST}"
    if count > MOST_NAMED:
        note += "; colours and shapes as on the left, the grey line joins the arms that no cheaper one beats"
    note += "."
    lines = sum(1 + _label(one).count("\n") for one in contest.contenders)
    return Figure(name, "Scores on the test part, and what they cost.", draw, note=note, width=7.4,
                  height=max(2.5, 1.1 + 0.27 * max(count, 0.6 * lines)))  # fmt: skip


def _by_arm(axes: Any, contest: Contest) -> None:
    scale = contest.kind.scale
    for at, one in enumerate(contest.contenders):
        style = _style(contest, one)
        runs = [scale * value for value in one.test.values()]
        dots = {"color": style["color"], "marker": style["marker"], "linestyle": "none"}
        axes.plot(runs, [at] * len(runs), **dots, alpha=0.4, markersize=3.5, markeredgewidth=0)
        half = scale * one.mean.half if one.mean.count > 1 else 0.0
        axes.errorbar(scale * one.mean.mean, at, xerr=half or None, **dots, capsize=3)
    if contest.baseline.rival:
        axes.axvline(scale * contest.baseline.rival_value, color="#7b8794", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(contest.contenders)), [_label(one) for one in contest.contenders])
    axes.invert_yaxis()
    axes.margins(y=0.5 / len(contest.contenders))
    axes.set(title="Score by arm", xlabel=_title(contest), ylabel="Arm")


def _even(contest: Contest) -> bool:
    """Whether all arms are about equally large, so that only time is left as cost."""
    sizes = [one.parameters for one in contest.contenders]
    return max(sizes) < 1.1 * min(sizes)


def _cost(contest: Contest, one: Contender) -> float:
    """What stands on the axis of cost."""
    return one.seconds if _even(contest) else one.parameters


def _by_cost(axes: Any, contest: Contest) -> None:
    scale, even = contest.kind.scale, _even(contest)
    longest = max(one.seconds for one in contest.contenders) or 1.0
    for one in contest.contenders:
        size = 60 if even else 20 + 130 * one.seconds / longest
        place = (_cost(contest, one), scale * one.mean.mean)
        style = _style(contest, one)
        axes.scatter(*place, s=size, color=style["color"], marker=style["marker"], alpha=0.8, linewidths=0)
        if len(contest.contenders) <= MOST_NAMED:
            axes.annotate(excerpt(one.name, 24), place, xytext=(0, 8), textcoords="offset points", ha="center",
                          fontsize=7)  # fmt: skip
    costs = [_cost(contest, one) for one in contest.contenders]
    if max(costs) > 3 * min(costs) > 0:
        axes.set_xscale("log")
    else:
        axes.ticklabel_format(axis="x", useOffset=False)
    axes.margins(0.15)
    if len(contest.contenders) > MOST_NAMED:
        _mark_front(axes, contest)
    label = "Seconds of training" if even else "Parameters"
    axes.set(title="Quality against cost", xlabel=label, ylabel=_title(contest))
    axes.tick_params(axis="x", labelrotation=20)


def _mark_front(axes: Any, contest: Contest) -> None:
    """Join the arms that no cheaper one beats."""
    front: list[Contender] = []
    for one in sorted(contest.contenders, key=lambda arm: (_cost(contest, arm), -contest.sign * arm.mean.mean)):
        if not front or contest.sign * one.mean.mean > contest.sign * front[-1].mean.mean:
            front.append(one)
    shown = [(_cost(contest, one), contest.kind.scale * one.mean.mean) for one in front]
    axes.plot(*zip(*shown, strict=True), color="#7b8794", linewidth=1, zorder=0)


def curves(contest: Contest, name: str) -> Figure | None:
    """Loss and main score on validation (on training where there is none) by epoch: mean line, band from the least to
    the greatest seed."""
    part = "valid" if any("valid" in row for row in contest.first.history) else "train"
    named = [contest.kind.name] if part == "valid" else []
    panels = ["loss", *(score for score in named if score != "loss")]
    shown = contest.ranked[:MOST_CURVES] if len(contest.contenders) > MOST_CURVES else contest.contenders
    drawn = [(score, [(one, *_band(one, part, score)) for one in shown]) for score in panels]
    drawn = [(score, [one for one in lines if len(one[1])]) for score, lines in drawn]
    drawn = [(score, lines) for score, lines in drawn if lines]
    if not drawn or all(len(line[1]) < 2 for _, lines in drawn for line in lines):
        return None

    def draw(figure: Any) -> None:
        panels = figure.subplots(1, len(drawn), squeeze=False)[0]
        for axes, (score, lines) in zip(panels, drawn, strict=True):
            _draw_lines(axes, contest, score, lines)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=_columns(shown))

    where = "validation" if part == "valid" else "training"
    note = f"On the {where} part, mean over seeds" + ("; bands from the least to the greatest seed." if
           contest.repeated else ".")  # fmt: skip
    if len(shown) < len(contest.contenders):
        note += f" The {len(shown)} arms with the best test scores of {len(contest.contenders)}."
    rows = -(-len(shown) // _columns(shown)) * max(1 + _label(one).count("\n") for one in shown)
    return Figure(name, "Learning curves of the arms.", draw, note=note, width=3.5 * len(drawn) + 0.4,
                  height=2.5 + 0.17 * rows)  # fmt: skip


def _columns(arms: Sequence[Contender]) -> int:
    """Names of a legend that fit beside each other."""
    longest = max(len(line) for one in arms for line in _label(one).split("\n"))
    return max(1, min(len(arms), 90 // (longest + 8)))


Bands = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _band(one: Contender, part: str, score: str) -> Bands:
    """Epochs, mean, least and greatest over the seeds that got so far."""
    rows: dict[int, list[float]] = {}
    for run in one.runs.values():
        for row in run.history:
            value = row.get(part, {}).get(score)
            if value is not None and np.isfinite(value):
                rows.setdefault(int(row["epoch"]), []).append(float(value))
    epochs = sorted(rows)
    found = [np.array([fold(rows[epoch]) for epoch in epochs], np.float64) for fold in (np.mean, np.min, np.max)]
    return np.array(epochs, np.float64), found[0], found[1], found[2]


def _draw_lines(axes: Any, contest: Contest, score: str, lines: Sequence[tuple[Any, ...]]) -> None:
    from lstmlab.metrics import SCORES

    kind = SCORES[score]
    for one, epochs, mean, low, high in lines:
        style = _style(contest, one)
        size = 3 if len(epochs) < 15 else 0
        axes.plot(epochs, kind.scale * mean, label=_label(one), markersize=size, **style)
        axes.fill_between(epochs, kind.scale * low, kind.scale * high, color=style["color"], alpha=0.15, linewidth=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(title=kind.title, xlabel="Epoch", ylabel=f"{kind.title}{' (%)' if kind.unit == '%' else ''}")


def lengths(contest: Contest, found: Lengths, name: str) -> Figure:
    """Score of each arm by the length of the text."""
    shown = contest.ranked[:MOST_CURVES] if len(contest.contenders) > MOST_CURVES else contest.contenders

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        at = np.arange(len(found.bins))
        for offset, one in enumerate(shown):
            shift = 0.05 * (offset - (len(shown) - 1) / 2)
            means = 100 * np.array([here.mean for here in found.by_arm[one.name]])
            ends = 100 * np.array([[here.mean - here.low, here.high - here.mean] for here in found.by_arm[one.name]]).T
            axes.errorbar(at + shift, means, yerr=np.maximum(ends, 0), capsize=2, markersize=3.5,
                          linewidth=1.2, label=_label(one), **_style(contest, one))  # fmt: skip
        axes.set_xticks(at, [one.replace(" to ", "–") for one in found.bins])
        axes.set(title=f"{contest.kind.title} by length", xlabel="Words", ylabel=_title(contest))
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")

    note = f"Test {found.things} in {len(found.bins)} groups of about equal number; all seeds together. Bars: 95 % "
    note += "bootstrap intervals over examples."
    return Figure(name, f"{contest.kind.title} by length of the text.", draw, note=note, width=6.4, height=2.6)
