"""The card of a cell on one page: its equations and drawing, the laws it keeps, and how it does beside LSTM and GRU."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstmlab.analysis import recurrence
from lstmlab.analysis.trial import NOT_RUN, SMALL, Plan, Trial, attempt, hold
from lstmlab.analysis.untrained import Told, frame, power, silent
from lstmlab.cells import Cell
from lstmlab.kernels import choose, laws
from lstmlab.nn.reach import Reach
from lstmlab.report import Document, Figure, Section, Table, excerpt
from lstmlab.training.memory import Trace
from lstmlab.training.problems import Problem

COLOURS = ("#D55E00", "#0072B2", "#009E73")
SIGNS = (
    "⊙ multiplies unit by unit, σ(u) = 1 / (1 + e⁻ᵘ); W, R and b are a gate's weights for input and past, and its bias."
)


@dataclass(frozen=True)
class Card:
    """All that was found out about a cell."""

    cell: Cell
    findings: Sequence[laws.Finding]
    trial: Trial

    @property
    def broken(self) -> list[laws.Finding]:
        """The laws it does not keep."""
        return [one for one in self.findings if not one.held]

    def document(self, date: str = "") -> Document:
        """The page."""
        return Document(
            title=f"The cell {excerpt(self.cell.name, 60)}", subtitle=excerpt(self.cell.source, 200), date=date,
            facts=_facts(self.cell), sections=[_cell_section(self.cell), _laws_section(self), _trial_section(self)],
            most_pages=1,
        )  # fmt: skip


def examine(cell: Cell, plan: Plan, told: Told = silent) -> Card:
    """Put a cell through everything. A law that is broken, or a cell that fails, is told on the card and not raised."""
    told("laws")
    begun = time.monotonic()
    findings = list(laws.examine(cell, ["reference"] if plan.quick else None))
    return Card(cell, findings, hold(cell, plan, told, begun=begun))


# ---- What it is -----------------------------------------------------------------------------------------------------


def _facts(cell: Cell) -> list[tuple[str, Any]]:
    vectors = f"; per-unit vectors {', '.join(cell.parameters)}" if cell.parameters else ""
    started = [f"{name} {value:g}" for name, value in cell.initial_bias.items() if value]
    biases = f"; biases start at {', '.join(started)}, else 0" if started else ""
    return [
        ("States", f"{', '.join(cell.states)}; {cell.states[0]} is the output"),
        ("Gates", f"{', '.join(cell.gates)}{'' if cell.recurrent else '; blind to the past'}{vectors}{biases}"),
        ("Kernel", attempt(lambda: _kernel(cell))),
    ]


def _kernel(cell: Cell) -> str:
    choice = choose(cell)
    return f"{choice.kernel}: {choice.reason}"


def _cell_section(cell: Cell) -> Section:
    drawn = attempt(lambda: recurrence.of_cell(cell))
    if isinstance(drawn, str):  # a step that runs on tensors alone, or not at all
        return Section("Equations", "", f"No equations and no drawing: {excerpt(drawn, 300)}")
    return Section("Equations", "", "", figures=[replace(drawn, title="One step, from left to right.", note=SIGNS)])


# ---- The laws -------------------------------------------------------------------------------------------------------


def _laws_section(card: Card) -> Section:
    count, names = len(card.findings), ", ".join(one.law for one in card.broken)
    claim = f"{len(card.broken)} of {count} laws are broken: {names}." if names else f"All {count} laws hold."
    kept = [f"{one.law} {_shown(one.worst)}" for one in card.findings if one.held]
    evidence = f"How far off the worst kernel is, in float64 but for the last: {'; '.join(kept)}." if kept else ""
    # One mistake in a step breaks every law in the same words.
    problems = dict.fromkeys(f"{excerpt(one.problem, 200)} ({one.kernel})" for one in card.broken if one.problem)
    evidence += "".join(f"\n\n- {one}" for one in problems)
    rows = [[one.law, one.told, _shown(one.worst), _shown(one.allowed), one.kernel] for one in card.broken]
    table = Table("Laws that are broken.", ["law", "that is", "worst", "allowed", "kernel"], rows)
    return Section("Laws", claim, evidence, tables=[table] if rows else [])


def _shown(value: float) -> str:
    return "–" if math.isnan(value) else power(value)


# ---- Beside LSTM and GRU --------------------------------------------------------------------------------------------


def _trial_section(card: Card) -> Section:
    trial, plan = card.trial, card.trial.plan
    problems = trial.problems
    lengths = f"adding two of {problems['adding'].length} numbers, copying over {problems['copy'].length} steps"
    evidence = f"""One layer and a linear map with as many numbers to learn as an LSTM of {plan.hidden_size} units has.
Adam, clipped at 1, one seed, equal time for each cell: {lengths}, the next character of {trial.text}. Losses are of
rows that were not learned from; chance is {_chances(trial)}. The gradient is the whole state's, untrained, recurrent
matrices of norm {SMALL.norm:g}, {_distance(plan)} steps from the last one."""
    evidence += " In so brief a look nothing was learned." if plan.quick else ""
    failed = _failures(trial)
    evidence += "".join(f"\n\n- {one}" for one in failed)
    others = [name.upper() for name in trial.cells if name != card.cell.name]
    return Section(f"Beside {' and '.join(others)}", _trial_claim(card), evidence,
                   tables=[_trial_table(trial)], figures=[_trial_figure(trial)])  # fmt: skip


def _chances(trial: Trial) -> str:
    return ", ".join(f"{one.chance:.3g} ({one.name})" for one in trial.problems.values())


def _distance(plan: Plan) -> int:
    return min(60, plan.reach)


def _failures(trial: Trial) -> list[str]:
    """What went wrong, each thing once."""
    found: dict[str, str] = {}
    for what, results in (("gradient", trial.reaches), ("speed", trial.speeds), *trial.traces.items()):
        for name, result in results.items():
            if isinstance(result, str) and result != NOT_RUN:
                found.setdefault(f"{name}: {excerpt(result, 200)}", what)
            elif isinstance(result, Trace) and result.stopped == "not a number":
                found.setdefault(f"{name}: the loss stopped being a number after {result.steps} updates", what)
    return [f"{told} ({what})" for told, what in found.items()]


def _trial_claim(card: Card) -> str:
    parts = [
        _standing(card.cell.name, problem, card.trial.traces[name]) for name, problem in card.trial.problems.items()
    ]
    return f"At equal numbers to learn, with one seed: {'; '.join(parts)}."


def _standing(cell: str, problem: Problem, traces: Mapping[str, Trace | str]) -> str:
    """Its place among all by loss; of what it learned, where training ends, how many did: their losses say no more."""
    found = {name: one for name, one in traces.items() if isinstance(one, Trace) and one.score == one.score}
    if cell not in found:
        return f"{problem.name} could not be measured"
    learned = sum(one.stopped == "goal" for one in found.values())
    if found[cell].stopped == "goal":
        return f"{problem.name} learned in {found[cell].seconds:.0f} s, as by {learned} of {len(found)}"
    place = sorted(found, key=lambda name: found[name].score).index(cell) + 1
    return f"{place}{_ending(place)} of {len(found)} in {problem.name} ({_loss(found[cell].score)} {problem.unit})"


def _ending(place: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(place, "th")


def _trial_table(trial: Trial) -> Table:
    heads = ["cell", "units", "numbers", "learning, k/s", "reading, k/s", f"gradient at {_distance(trial.plan)}"]
    rows = [[name, *_sizes(trial, name), *_speed(trial, name), _gradient(trial, name),
             *(_outcome(trial.traces[kind][name]) for kind in trial.problems)] for name in trial.cells]  # fmt: skip
    return Table("The same tasks for all. Speeds in thousands of steps a second; after a loss, the seconds spent.",
                 [*heads, *trial.problems], rows)  # fmt: skip


def _sizes(trial: Trial, name: str) -> list[int | None]:
    """Of its language model."""
    found = trial.traces["characters"][name]
    return [found.hidden_size, found.parameters] if isinstance(found, Trace) else [None, None]


def _speed(trial: Trial, name: str) -> list[int | None]:
    found = trial.speeds[name]
    return [None, None] if isinstance(found, str) else [round(one / 1000) for one in (found.learning, found.reading)]


def _gradient(trial: Trial, name: str) -> str | None:
    found = trial.reaches[name]
    return power(found.typical[_distance(trial.plan)]) if isinstance(found, Reach) else None


def _outcome(found: Trace | str) -> str | None:
    if isinstance(found, str) or not math.isfinite(found.score):
        return None
    return f"{_loss(found.score)} ({found.seconds:.0f} s)"


def _loss(value: float) -> str:
    """Three digits: one seed says no more."""
    return f"{value:#.3g}" if value >= 0.01 else f"{value:.1e}"


def _trial_figure(trial: Trial) -> Figure:
    def draw(figure: Any) -> None:
        panels = figure.subplots(1, 1 + len(trial.problems))
        colours = dict(zip(trial.cells, COLOURS, strict=False))
        for name, found in trial.reaches.items():
            if isinstance(found, Reach):
                panels[0].plot(np.maximum(found.typical, 1e-13), color=colours[name], label=name)
        frame(panels[0], "Gradient")
        panels[0].set(xlabel="Steps back", ylabel="Share of the last step's", ylim=(1e-12, 1e2))
        for panel, (kind, problem) in zip(panels[1:], trial.problems.items(), strict=True):
            _courses(panel, trial.traces[kind], colours)
            panel.axhline(problem.chance, color="#7b8794", linestyle=":", linewidth=1)
            panel.set(title=kind.capitalize(), xlabel="Seconds", ylabel=problem.unit.capitalize())
            if any(one.reached(problem.chance / 10) for one in trial.traces[kind].values() if isinstance(one, Trace)):
                panel.set_yscale("log")
        handles, labels = panels[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside lower center", ncols=len(handles))

    return Figure("trial", "Gradient reach untrained, and held-out losses while learning.", draw,
                  note="Dotted: a millionth; chance.", width=8.2, height=2.05)  # fmt: skip


def _courses(panel: Any, traces: Mapping[str, Trace | str], colours: Mapping[str, str]) -> None:
    for name, found in traces.items():
        if isinstance(found, Trace):
            points = [point for point in found.points if math.isfinite(point.held_out)]
            panel.plot([p.seconds for p in points], [p.held_out for p in points], color=colours[name], linewidth=1.3)
