"""The memory horizon: how long a cell can learn to hold something in mind, on the adding problem and on copying."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lstmlab.analysis.untrained import COLOURS, Told, power, silent
from lstmlab.cells import CELLS, find_cell
from lstmlab.report import Figure, Section, Table
from lstmlab.report.text import Value
from lstmlab.training.memory import SOLVED, Effort, Trace, learn, matched
from lstmlab.training.optimizer import OptimizerSettings
from lstmlab.training.problems import adding, copy

KINDS = {"adding": adding, "copy": copy}
LENGTHS: Mapping[str, Sequence[int]] = {"adding": (50, 100, 200, 400), "copy": (5, 10, 20, 40)}
EFFORT = Effort(
    optimizer=OptimizerSettings(learning_rate=3e-3, clip=1.0, schedule="cosine", final_rate=0.05), minutes=2.0
)
"""As many numbers to learn as an LSTM of 64 units has; gates start for as many steps as the problem has (chrono)."""

Found = dict[str, dict[str, dict[int, Trace]]]
"""Problem → cell → length → how it went."""


@dataclass(frozen=True)
class Horizon:
    """The longest length a cell learned, having learned all shorter ones; None where it did not learn the first."""

    steps: int | None
    all_solved: bool

    @property
    def words(self) -> str:
        """400 or more, or 100, or none."""
        if self.steps is None:
            return "none"
        return f"{self.steps} or more" if self.all_solved else str(self.steps)


def memory_study(
    cells: Sequence[str] = ("rnn", "lstm", "gru"),
    *,
    lengths: Mapping[str, Sequence[int]] = LENGTHS,
    effort: Effort = EFFORT,
    seed: int = 0,
    told: Told = silent,
) -> list[Section]:
    """A section for each problem. A cell that does not learn a length within the effort is not asked for a longer one.

    Takes at most the effort's minutes for each cell and length: with two minutes, twelve where nothing is learned and
    48 where everything is, at the last moment. Writes nothing.
    """
    found = measure(cells, lengths, effort, seed, told)
    return [section(kind, found[kind], lengths[kind], effort) for kind in lengths]


def measure(
    cells: Sequence[str], lengths: Mapping[str, Sequence[int]], effort: Effort, seed: int = 0, told: Told = silent
) -> Found:
    """Every cell on every length, shortest first, as far as it gets."""
    found: Found = {}
    known = [find_cell(one) for one in cells]
    for kind, asked in lengths.items():
        found[kind] = {cell.name: {} for cell in known}
        for cell in known:
            for length in asked:
                told(f"{kind}, {cell.name}, {length} steps")
                problem = KINDS[kind](length)
                own = matched(effort, [cell], CELLS["lstm"], problem)[cell.name]
                trace = learn(cell, problem, replace(own, goal=SOLVED[kind] / 2), seed=seed)
                found[kind][cell.name][length] = trace
                if not trace.solved:
                    break
    return found


def horizon(traces: Mapping[int, Trace], asked: Sequence[int]) -> Horizon:
    """How far a cell got."""
    solved = [length for length, trace in traces.items() if trace.solved]
    return Horizon(max(solved, default=None), len(solved) == len(asked))


def section(kind: str, found: Mapping[str, Mapping[int, Trace]], asked: Sequence[int], effort: Effort) -> Section:
    """Claim, table and picture for one problem."""
    told = [f"{name.upper()} {horizon(traces, asked).words}" for name, traces in found.items()]
    first = KINDS[kind](asked[0])
    minutes = f"{effort.minutes:g} minute{'s' * (effort.minutes != 1)}" if effort.minutes else ""
    budget = " or ".join(filter(None, [minutes, f"{effort.steps:,} updates" if effort.steps else ""]))
    what = {
        "adding": "Two of a row's numbers are marked, one in each half; their sum is asked for at the end",
        "copy": "Ten symbols are shown, then nothing for the length told, then they have to be given again",
    }[kind]
    evidence = f"""{what}. Solved is a loss of at most {SOLVED[kind]:g} ({first.unit}) on rows drawn afresh, where
looking at nothing has {first.chance:.3g}. Each cell has as many numbers to learn as an LSTM of {effort.hidden_size}
units, the same optimiser (Adam, largest rate {effort.optimizer.learning_rate:g}, clipped), new rows in every update,
one seed and at most {budget} for each length. Gates that decide how long to remember start for the length asked
(chrono), an RNN with an orthogonal matrix. A cell that fails a length is not asked for a longer one. More time moves a
horizon outwards."""
    heads = [f"{name.upper()}, {one}" for name in found for one in ("loss", "seconds")]
    rows: list[list[Value]] = [[length, *_outcomes(found, length)] for length in asked]
    title = f"{kind.capitalize()}: loss on fresh rows and the seconds spent, by length."
    return Section(
        f"Memory horizon: {kind}", f"The longest learned within {budget}, in steps: {', '.join(told)}.", evidence,
        tables=[Table(title, ["steps", *heads], rows, note="A dash: not asked, a shorter one was not learned.")],
        figures=[_figure(kind, found, asked)],
    )  # fmt: skip


def _outcomes(found: Mapping[str, Mapping[int, Trace]], length: int) -> list[Value]:
    values: list[Value] = []
    for traces in found.values():
        trace = traces.get(length)
        values += [None, None] if trace is None else [power(trace.score), round(trace.seconds)]
    return values


def _figure(kind: str, found: Mapping[str, Mapping[int, Trace]], asked: Sequence[int]) -> Figure:
    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        for (name, traces), colour in zip(found.items(), COLOURS * 3, strict=False):
            known = {length: trace for length, trace in traces.items() if math.isfinite(trace.score)}
            left.plot(list(known), [trace.score for trace in known.values()], "o-", color=colour, label=name.upper())
            if known:
                longest = max([length for length, one in known.items() if one.solved], default=max(known))
                last = known[longest]
                points = [point for point in last.points if math.isfinite(point.held_out)]
                label = f"{name.upper()}, {longest} steps"
                right.plot([p.seconds for p in points], [p.held_out for p in points], color=colour, label=label)
        problem = KINDS[kind](asked[0])
        for panel in (left, right):
            panel.axhline(problem.chance, color="#7b8794", linestyle=":", linewidth=1)
            panel.axhline(SOLVED[kind], color="#7b8794", linestyle="--", linewidth=1)
            panel.set(yscale="log", ylabel=problem.unit.capitalize())
            panel.legend()
        left.set(title="After learning", xlabel="Steps to hold it in mind", xscale="log", xticks=asked)
        left.set_xticks(asked, [str(one) for one in asked])
        left.minorticks_off()
        right.set(title="The longest learned, else tried", xlabel="Seconds")

    return Figure(f"memory-{kind}", f"{kind.capitalize()}: loss by length, and while learning the longest.",
                  draw, note="Dotted: chance. Dashed: solved.", width=7.2, height=2.9)  # fmt: skip
