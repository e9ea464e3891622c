"""How far back a gradient reaches in a trained model: through the state alone, and from the loss on all ways there are.

Letters in shapes: T steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from lstmlab.analysis.architecture import setting
from lstmlab.analysis.distances import Spread, by_distance, shares
from lstmlab.analysis.gates import part_words
from lstmlab.analysis.internals import Subject
from lstmlab.analysis.losses import losses, of_what, short_cut
from lstmlab.analysis.steps import words
from lstmlab.nn.jacobians import state_gradients
from lstmlab.nn.watching import watching
from lstmlab.report import Figure, Section, Table
from lstmlab.report.text import Value
from lstmlab.training.run import Run
from lstmlab.types import Padded

SEQUENCES, STEPS, BUDGET = 32, 400, 4e6
"""Test examples, and steps of each, that are followed at most."""
WORK, PROJECTIONS = 2e10, 32
"""Multiplications from which on the norm is not taken exactly but estimated, and from how many random directions."""
DISTANCES = (1, 2, 5, 10, 20, 50, 100, 200)
SMALL, TINY = 0.01, 1e-6


@dataclass(frozen=True)
class Followed:
    """Gradients of a run's test sequences by distance in steps."""

    state: Spread
    """‖∂h_T/∂h_t‖ over its value at distance 0."""
    loss: Spread
    """‖∂L/∂h_t‖ over its largest value in the sequence."""
    step: str
    """What steps are called."""
    projections: int | None
    """From how many random directions the norm was estimated; None where it is exact."""

    @classmethod
    def of(cls, subject: Subject) -> "Followed":
        """Followed over examples evenly spread over the test part."""
        examples = subject.lasting() or subject.window(subject.some(SEQUENCES, BUDGET))
        batch = subject.batch(examples)
        stack, output = subject.stack, subject.stack.cell.states[0]
        with torch.enable_grad(), watching(stack, gates=False) as watch:
            total = losses(subject.task, subject.model, batch).sum()
        readings = watch.readings()[: 2 if subject.task.name == "pairs" else 1]
        states = [one[output] for reading in readings for one in reading.states]
        found = torch.autograd.grad(total, states, allow_unused=True)
        each = iter([torch.zeros_like(state) if one is None else one for state, one in zip(states, found, strict=True)])
        arriving = [reading.placed([next(each) for _ in reading.states]) for reading in readings]
        reads = [_cut(reading.reads) for reading in readings]
        count = _projections(reads, stack.hidden_size)
        norms = [state_gradients(stack, one, projections=count) for one in reads]
        return cls(
            Spread(by_distance(norms)),
            Spread(shares(by_distance([Padded(one.values.norm(dim=2), one.lengths) for one in arriving]))),
            words(subject.task)[1],
            count,
        )

    @property
    def claim(self) -> str:
        """How far back the state's gradient reaches."""
        middle, step = self.state.median, self.step
        farthest = len(middle) - 1
        if farthest < 1:
            return f"All sequences are of one of the {step}: there is no distance for a gradient to cross."
        largest = int(middle.argmax())
        if middle[largest] > 10:
            return (
                f"The gradient through the state grows: {_plain(middle[largest])} times as large {largest} {step} back "
                "as where it began."
            )
        small, tiny = self.state.below(SMALL), self.state.below(TINY)
        if small is None:
            return (
                f"The gradient through the state reaches all {farthest} {step} back that can be measured, where "
                f"{_percent(middle[-1])} of it are left (median)."
            )
        more = "" if tiny is None else f", and below a millionth from {tiny} on"
        return f"The gradient through the state is below 1 % from a distance of {small} {step} on (median){more}."

    def loss_words(self, what: str, way: str) -> str:
        """How far the loss itself reaches, by whatever way."""
        middle = self.loss.median
        if not len(middle):
            return f"No gradient of {what} arrives at any step: nothing leads from what was read to it."
        if len(middle) < 2:
            return ""
        at = max((one for one in DISTANCES if one < len(middle)), default=len(middle) - 1)
        told = f"At {at} {self.step} before the end, the gradient of {what} is {_percent(middle[at])} of its largest"
        if way:
            return f"{told}; besides the state, {way} leads from every step to the loss."
        return f"{told}: only states lead that far back."

    def table(self) -> Table:
        """Medians and quartiles at a few distances."""
        rows: list[list[Value]] = []
        reach = min(self.state.reach, self.loss.reach)
        for at in sorted({one for one in (*DISTANCES, reach - 1) if 0 < one < reach}):
            cells = [_cell(spread, at) for spread in (self.state, self.loss)]
            rows.append([at, *cells[0], *cells[1], int(self.state.counts[at])])
        heads = ["Distance", "State", "(quartiles)", "Loss", "(quartiles)", "Sequences"]
        note = (
            "State: norm of ∂h_T/∂h_t, 1 at distance 0. Loss: norm of ∂L/∂h_t as a share of the largest of its "
            "sequence. Medians."
        )
        if self.projections is not None:
            note += f" The state's norm is estimated from {self.projections} random directions, without bias."
        return Table(f"Gradients by distance in {self.step}.", heads, rows, note)

    def figure(self) -> Figure:
        """Both gradients against distance, on a logarithmic scale."""
        return Figure(
            "gradients",
            "How far back gradients reach.",
            lambda drawing: self._draw(drawing.subplots()),
            note="Lines: medians over test sequences; bands: from the first to the third quartile.",
        )

    def _draw(self, axes: Any) -> None:
        least = 1.0
        for spread, name in ((self.state, "through the state: ∂h_T/∂h_t"), (self.loss, "from the loss: ∂L/∂h_t")):
            low, middle, high = map(_positive, spread.quartiles)
            along = np.arange(len(middle))
            (line,) = axes.plot(along, middle, label=name, marker="o" if len(along) < 12 else None)
            axes.fill_between(along, low, high, color=line.get_color(), alpha=0.18, linewidth=0)
            least = min(least, float(np.nanmin(middle, initial=1.0)))
        axes.set_yscale("log")
        bottom = max(least / 5, 1e-30)
        axes.set_ylim(bottom=bottom)
        for bound, name in ((SMALL, "1 %"), (TINY, "a millionth")):
            if bottom < bound:
                axes.axhline(bound, color="#7b8794", linewidth=0.8, linestyle="--")
                axes.annotate(name, (1, bound), xycoords=("axes fraction", "data"), fontsize=7, ha="right", va="bottom")
        axes.set(
            title="How far back gradients reach",
            xlabel=f"Distance back in time ({self.step})",
            ylabel="Norm, relative",
        )
        axes.legend(loc="best")


def section(run: Run) -> Section:
    """The norm of the state's and of the loss's gradient against distance in time."""
    subject = Subject.of(run)
    found = Followed.of(subject)
    what, way = of_what(subject.task, subject.model), short_cut(subject.task, subject.model)
    length = setting(run, "model.segment_length")
    cut = f"Texts are read in segments of {length} tokens, and distances are counted within them." if length else ""
    evidence = " ".join(filter(None, [found.loss_words(what, way), _meaning(found), cut, part_words(subject)]))
    return Section("Inside: gradients through time", found.claim, evidence, [found.table()], [found.figure()])


def _meaning(found: Followed) -> str:
    if found.state.below(SMALL) is None:
        return "Steps this far apart can be linked in training."
    return (
        "Where this norm is small, moving h_t hardly moves h_T any more: the past has faded, or gates that have become "
        "switches hold it fast. Training links steps across which some of the gradient is left."
    )


def _cut(reads: Padded) -> Padded:
    return Padded(reads.values[:SEQUENCES, :STEPS].detach(), reads.lengths[:SEQUENCES].clamp(max=STEPS))


def _projections(reads: Sequence[Padded], units: int) -> int | None:
    work = sum(one.values.shape[0] * one.values.shape[1] for one in reads) * 8.0 * units**3
    return None if work <= WORK or units <= PROJECTIONS else PROJECTIONS


def _positive(values: Float[np.ndarray, "_"]) -> Float[np.ndarray, "_"]:
    """With gaps where a logarithm has nothing to show."""
    return np.where(values > 0, values, np.nan)


def _cell(spread: Spread, at: int) -> list[Value]:
    low, middle, high = map(float, spread.quartiles[:, at])
    return [_plain(middle), f"{_plain(low)} to {_plain(high)}" if spread.counts[at] > 1 else None]


def _plain(value: float) -> str:
    return f"{value:.2g}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share >= 1e-4 else f"{share:.1e}"
