"""One example opened: what each gate and the memory do at each of its steps, and which unit stands out where.

Letters in shapes: T steps, H units.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int

from lstmlab.analysis.cases import ANY, Ask, Case
from lstmlab.analysis.internals import Subject, joined
from lstmlab.analysis.steps import words
from lstmlab.kernels.activations import Activation, activations
from lstmlab.nn.initialisation import chrono_signs

STEPS = 60
"""Steps that are drawn, at most."""
SETTLING = 2
"""Steps after the beginning of which nothing is told, since there all units move."""
MEANT = {"output": "1 shows the memory, 0 hides it", "reset": "0 forgets the past in what is newly written"}
KEEPS = {1: "1 keeps the old memory, 0 drops it", -1: "1 lets the new in, 0 keeps it out"}


@dataclass(frozen=True)
class Panel:
    """One gate, or the memory, over the steps of an example."""

    name: str
    title: str
    values: Float[np.ndarray, "T H"]
    bounds: tuple[float, float] | None
    """The least and largest value there can be; None for a memory, which has none."""

    @property
    def gate(self) -> bool:
        """Whether it opens and closes."""
        return self.bounds == (0.0, 1.0)


@dataclass(frozen=True)
class Opened:
    """The inside of one example."""

    case: Case
    panels: list[Panel]
    """The gates in the cell's order, the memory last."""
    step: tuple[str, str]
    """What a step is called: one, several."""
    borders: tuple[int, ...] = ()
    """Steps at which another text, or another segment of one, begins."""

    @classmethod
    def of(cls, subject: Subject, ask: Ask = ANY) -> "Opened":
        """An example read once more and watched."""
        case = subject.case(ask)
        readings = subject.watched(case.batch)
        cell, memory = subject.stack.cell, readings[0].memory
        signs = chrono_signs(cell)
        panels = [
            Panel(one.gate, _title(one, signs), joined([reading.gate(one.gate) for reading in readings]), _bounds(one))
            for one in activations(cell)
            if one.state != memory
        ]
        seen = joined([reading.state(memory) for reading in readings])
        title = f"Memory {memory}" if memory != cell.states[0] else f"State {memory}, memory and output in one"
        rows = torch.cat([reading.reads.lengths for reading in readings]).cumsum(0)
        whole = [*panels, Panel(memory, title, seen, None)]
        return cls(case, whole, words(subject.task), tuple(rows[:-1].tolist()))

    @property
    def memory(self) -> Panel:
        """What is remembered."""
        return self.panels[-1]

    @cached_property
    def window(self) -> slice:
        """The steps that are drawn: all, or of a long example the stretch in which the memory moves most."""
        total = len(self.memory.values)
        if total <= STEPS:
            return slice(0, total)
        moved = np.concatenate([[0.0], np.abs(np.diff(self.memory.values, axis=0)).sum(1).cumsum()])
        start = int((moved[STEPS - 1 :] - moved[: total - STEPS + 1]).argmax())
        return slice(start, start + STEPS)

    @cached_property
    def shown(self) -> "Opened":
        """The same with the steps that are drawn, and no others."""
        panels = [Panel(one.name, one.title, one.values[self.window], one.bounds) for one in self.panels]
        start, stop = self.window.start, self.window.stop
        return Opened(self.case, panels, self.step, tuple(at - start for at in self.borders if start < at < stop))

    @property
    def names(self) -> list[str]:
        """The names of the steps that are drawn."""
        return self.case.flat[self.window]

    @property
    def runs(self) -> list[slice]:
        """Steps that are read in one go."""
        ends = [*self.borders, len(self.memory.values)]
        return [slice(start, stop) for start, stop in zip([0, *self.borders], ends, strict=True)]

    def usual(self, panel: Panel) -> Float[np.ndarray, "T H"]:
        """Each unit's median over the steps that are read in one go."""
        parts = [panel.values[run] for run in self.runs]
        return np.concatenate([np.broadcast_to(np.median(part, 0), part.shape) for part in parts])

    def standing_out(self, panel: Panel) -> tuple[int, int]:
        """Step and unit whose value is farthest from what is usual for the unit.

        Where reading begins all units move, since they start from nothing: such steps count only where there are no
        others.
        """
        gaps = np.abs(panel.values - self.usual(panel))
        settled = gaps.copy()
        for run in self.runs:
            settled[run.start : run.start + SETTLING] = 0
        found = settled if settled.any() else gaps
        step, unit = np.unravel_index(found.argmax(), found.shape)
        return int(step), int(unit)

    def units(self, panels: list[Panel], count: int) -> Int[np.ndarray, "_"]:
        """So many units: those that stand out in these panels, then those whose memory varies most; ordered by where
        their memory moves most, so that the picture can be read from the top left to the bottom right."""
        memory = self.memory.values
        striking = [self.standing_out(panel)[1] for panel in panels]
        varied = np.argsort(-memory.std(0), kind="stable")
        chosen = np.array(list(dict.fromkeys([*striking, *map(int, varied)]))[:count])
        moved = np.abs(np.diff(memory, axis=0, prepend=0.0))[:, chosen].argmax(0)
        return chosen[np.argsort(moved, kind="stable")]

    def told(self, panel: Panel, names: list[str], first: int) -> str:
        """The unit and step that stand out, as a sentence; `first` is the number of the first step that is drawn."""
        step, unit = self.standing_out(panel)
        value, usual = float(panel.values[step, unit]), float(self.usual(panel)[step, unit])
        place = f"at “{names[step]}” ({self.step[0]} {first + step})"
        if self.step[0] in ("time step", "segment"):
            place = f"at {self.step[0]} {names[step]}"
        if panel.gate:
            moves = "rises" if value > usual else "falls"
            return f"The {panel.name} gate of unit {unit} {moves} {place}: {value:.2f}, else about {usual:.2f}."
        candidate = panel.bounds == (-1.0, 1.0)
        what = f"The candidate ({panel.name}) of unit {unit}" if candidate else f"{panel.name} of unit {unit}"
        if panel is not self.memory:  # a state's name stays as it is
            what = what[0].upper() + what[1:]
        return f"{what} stands out {place}: {value:.2f}, else about {usual:.2f}."


def _title(one: Activation, signs: dict[str, int]) -> str:
    meant = KEEPS.get(signs.get(one.gate, 0)) or MEANT.get(one.gate, "")
    if one.kind == "candidate":
        return f"{one.gate.capitalize()}: what would be newly written"
    if one.kind == "gate":
        return f"{one.gate.capitalize()} gate{f': {meant}' if meant else ''}"
    return (
        f"{one.gate.capitalize()} ({one.function})" if one.function else f"{one.gate.capitalize()}, without a function"
    )


def _bounds(one: Activation) -> tuple[float, float] | None:
    return {"gate": (0.0, 1.0), "candidate": (-1.0, 1.0)}.get(one.kind)
