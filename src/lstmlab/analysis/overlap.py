"""Pairs of texts by how many words they share: where a model that goes by common words alone goes wrong."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmlab import metrics
from lstmlab.analysis.answers import LEAST_PER_BIN, written
from lstmlab.baselines import WORD
from lstmlab.metrics.significance import SURE, equal_means, equal_shares, p_word
from lstmlab.report import Figure, Section, Table, excerpt
from lstmlab.report.text import Value
from lstmlab.training.run import Run

MOST_BINS = 5
SHOWN = 5
"""Pairs shown as the worst."""
NEGATIONS = frozenset("no not nobody nothing never none nowhere neither nor without cannot".split())
"""English words that turn a sentence round; so do those that end in n't."""


@dataclass(frozen=True)
class Group:
    """Pairs of one kind, and how good the answers to them are: the share of right ones, or the mean error."""

    name: str
    count: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Judged:
    """The test pairs with known judgment, and what the model said of them."""

    rows: Sequence[dict[str, Any]]
    graded: bool

    @classmethod
    def of(cls, run: Run) -> "Judged":
        """The run's answers."""
        rows = [row for row in run.predictions if row.get("target") is not None]
        return cls(rows, bool(run.recipe["data"].get("graded")))

    @cached_property
    def words(self) -> list[tuple[set[str], set[str]]]:
        """The words of both texts."""
        return [(_words(first), _words(second)) for first, second in (row["input"] for row in self.rows)]

    @cached_property
    def shared(self) -> NDArray[np.float64]:
        """Words both texts have among those either has [N], 0 to 1."""
        return np.array([len(one & other) / max(len(one | other), 1) for one, other in self.words])

    @cached_property
    def negated(self) -> NDArray[np.bool_]:
        """Where one text has a negation (in English) and the other has none [N]."""
        return np.array([_negated(one) != _negated(other) for one, other in self.words], bool)

    @cached_property
    def quality(self) -> NDArray[np.float64]:
        """1 where the answer is right, else 0; how far a score is off where graded [N]."""
        if self.graded:
            return np.abs(self.predictions - self.targets)
        return np.array([float(row["prediction"] == row["target"]) for row in self.rows])

    @cached_property
    def predictions(self) -> NDArray[np.float64]:
        """Scores given [N]; of graded pairs only."""
        return np.array([float(row["prediction"]) for row in self.rows])

    @cached_property
    def targets(self) -> NDArray[np.float64]:
        """True scores [N]; of graded pairs only."""
        return np.array([float(row["target"]) for row in self.rows])

    @cached_property
    def bins(self) -> list[Group]:
        """Pairs by shared words, in groups of about equal size; none where there are too few to compare."""
        wanted = min(MOST_BINS, len(self.rows) // LEAST_PER_BIN)
        if wanted < 2:
            return []
        inner = np.unique(np.quantile(self.shared, np.arange(1, wanted) / wanted, method="nearest"))
        found = _merged(np.searchsorted(inner, self.shared, side="left"))
        return [self._group(_range(self.shared[here]), here) for here in found] if len(found) > 1 else []

    @cached_property
    def kinds(self) -> list[Group]:
        """Pairs of which one text is negated, and the others; none where there are too few of either."""
        named = (("one text negated", self.negated), ("neither or both", ~self.negated))
        if min(int(here.sum()) for _, here in named) < LEAST_PER_BIN:
            return []
        return [self._group(name, np.flatnonzero(here)) for name, here in named]

    def _group(self, name: str, here: NDArray[np.int64]) -> Group:
        values = self.quality[here]
        mean, count = float(values.mean()), len(here)
        if self.graded:
            half = 1.96 * float(values.std(ddof=1)) / count**0.5
            return Group(name, count, mean, mean - half, mean + half)
        return Group(name, count, mean, *metrics.interval(mean, count))

    def shown(self, value: float) -> str:
        """A share of right answers in per cent, or an error."""
        return f"{value:.2f}" if self.graded else f"{100 * value:.1f}"


def applies(run: Run) -> bool:
    """Whether the run judged pairs of texts whose judgment is known."""
    known = any(row.get("target") is not None for row in run.predictions) if run.finished else False
    return run.recipe["task"] == "pairs" and known


def section(run: Run) -> Section:
    """Quality by shared words and by negation; of scores also truth against answer, and the worst."""
    told = Judged.of(run)
    words = " ".join(filter(None, [negation_words(told), _score_words(told)]))
    tables = [_groups(told)] if told.bins or told.kinds else []
    return Section("Shared words", claim(told), words, tables + _worst(told), _figures(told))


def claim(told: Judged) -> str:
    """Whether it matters how many words both texts share."""
    if not told.bins:
        count = len(told.rows)
        if count >= 2 * LEAST_PER_BIN:
            return f"The {count:,} test pairs differ too little in shared words to tell what these do."
        return f"{count:,} test pair{' is' if count == 1 else 's are'} too few to tell what shared words do."
    best, worst = sorted(told.bins, key=lambda group: group.mean, reverse=not told.graded)[:: len(told.bins) - 1]
    p = _by_chance(told)
    if not p < SURE:
        return f"How many words two texts share makes no clear difference ({p_word(p)} over {len(told.bins)} bins)."
    if told.graded:
        return (
            f"Scores are off by {told.shown(best.mean)} on average where {best.name} of the words are shared, by "
            f"{told.shown(worst.mean)} where {worst.name} are."
        )
    return (
        f"{told.shown(best.mean)} % of the pairs are right where {best.name} of the words are shared, "
        f"{told.shown(worst.mean)} % where {worst.name} are."
    )


def _by_chance(told: Judged) -> float:
    """p of bins as unlike as these, did shared words make no difference."""
    if told.graded:
        return equal_means([one.mean for one in told.bins], [(one.high - one.low) / 3.92 for one in told.bins])
    return equal_shares([round(one.mean * one.count) for one in told.bins], [one.count for one in told.bins])


def negation_words(told: Judged) -> str:
    """What it does that one text is negated and the other is not."""
    if not told.kinds:
        return ""
    one, other = told.kinds
    unit = "off by {} on average" if told.graded else "{} % right"
    return (
        f"The {one.count:,} pairs of which one text alone has a negation (no, not, nobody, …) are "
        f"{unit.format(told.shown(one.mean))}, the others {told.shown(other.mean)}{'' if told.graded else ' %'}."
    )


def _score_words(told: Judged) -> str:
    if not told.graded or len(told.rows) < 2:
        return ""
    spread = [float(side.std()) for side in (told.predictions, told.targets)]
    return (
        f"Scores given have mean {told.predictions.mean():.2f} and deviation {spread[0]:.2f}, true ones "
        f"{told.targets.mean():.2f} and {spread[1]:.2f}."
    )


def _groups(told: Judged) -> Table:
    named = [(f"{group.name} of the words shared", group) for group in told.bins]
    rows: list[list[Value]] = [
        [name, group.count, told.shown(group.mean), f"{told.shown(group.low)} to {told.shown(group.high)}"]
        for name, group in [*named, *((group.name, group) for group in told.kinds)]
    ]
    quality = "Mean error" if told.graded else "Accuracy (%)"
    note = "Shared: words that both texts have, among all that either has."
    title, heads = f"{quality.split(' (')[0]} by shared words.", ["Pairs", "Count", quality, "95 % interval"]
    return Table(title, heads, rows, note, minor=True)


def _worst(told: Judged) -> list[Table]:
    """The scores that are furthest off; the worst labels stand among the errors."""
    if not told.graded:
        return []
    order = np.argsort(-told.quality, kind="stable")[:SHOWN].tolist()
    rows: list[list[Value]] = [
        [excerpt(written(told.rows[at]["input"]), 200), f"{told.targets[at]:.2f}", f"{told.predictions[at]:.2f}"]
        for at in order
    ]
    return [Table("Scores furthest off.", ["Pair", "Truth", "Answer"], rows)]


def _figures(told: Judged) -> list[Figure]:
    panels: list[Callable[[Any], None]] = []
    if told.graded:
        panels.append(lambda axes: _draw_scores(axes, told))
    if told.bins:
        panels.append(lambda axes: _draw_bins(axes, told))
    if not panels:
        return []

    def draw(figure: Any) -> None:
        for panel, axes in zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True):
            panel(axes)

    note = "Left: each test pair, on the line where the score is right. " * told.graded
    note += "Quality by shared words, with 95 % intervals." * bool(told.bins)
    return [
        Figure("overlap", "Answers and shared words.", draw, note=note.strip(), width=3.4 * len(panels), height=2.4)
    ]


def _draw_scores(axes: Any, told: Judged) -> None:
    ends = [float(told.targets.min()), float(told.targets.max())]
    axes.plot(ends, ends, color="#7b8794", linestyle="--", linewidth=1)
    axes.plot(told.targets, told.predictions, ".", markersize=2, alpha=0.3)
    axes.set(title="Truth and answer", xlabel="True score", ylabel="Score given")


def _draw_bins(axes: Any, told: Judged) -> None:
    scale = 1.0 if told.graded else 100.0
    means = scale * np.array([group.mean for group in told.bins])
    spread = [means - [scale * group.low for group in told.bins], [scale * group.high for group in told.bins] - means]
    axes.errorbar(np.arange(len(means)), means, yerr=np.maximum(spread, 0), fmt="o", capsize=3)
    axes.set_xticks(np.arange(len(means)), [group.name.replace(" to ", "–") for group in told.bins])
    quality = "Mean error" if told.graded else "Accuracy (%)"
    axes.set(title=f"{quality.split(' (')[0]} by shared words", xlabel="Words shared", ylabel=quality)


def _words(text: Any) -> set[str]:
    return set(re.findall(WORD, str(text).lower()))


def _negated(words: set[str]) -> bool:
    return any(word in NEGATIONS or word.endswith(("n't", "n’t")) for word in words)


def _merged(place: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rows at each place; those at a place with too few of them stand with the ones at the next, or at the last."""
    found: list[NDArray[np.int64]] = []
    for at in np.unique(place):
        here = np.flatnonzero(place == at)
        if found and len(found[-1]) < LEAST_PER_BIN:
            found[-1] = np.concatenate([found[-1], here])
        else:
            found.append(here)
    if len(found) > 1 and len(found[-1]) < LEAST_PER_BIN:
        found[-2:] = [np.concatenate(found[-2:])]
    return found


def _range(shares: NDArray[np.float64]) -> str:
    low, high = round(100 * shares.min()), round(100 * shares.max())
    return f"{low} %" if low == high else f"{low} to {high} %"
