"""Gates at work: what each gate and the memory do over the tokens of an example, and which unit opens when."""

from typing import Any

import numpy as np
from jaxtyping import Int

from lstmlab.analysis.cases import ANY, Ask, Case
from lstmlab.analysis.internals import Subject
from lstmlab.analysis.opened import KEEPS, STEPS, Opened, Panel
from lstmlab.analysis.saturation import Usage
from lstmlab.errors import InputError
from lstmlab.report import Figure, Section
from lstmlab.training.run import Run

UNITS, BRIEF_UNITS = 12, 8
"""Units that are drawn, at most: by themselves, and in the standard report."""
REPORTED = ("classification", "pairs", "tagging")


def section(run: Run, ask: Ask = ANY, *, brief: bool = False) -> Section:
    """Heat maps of gates and memory over one example, and how the gates are used over many."""
    if ask.at is not None:
        raise InputError(f"--at {ask.at} would have no effect: gates are shown at every step")
    subject = Subject.of(run)
    usage, opened = Usage.of(subject), Opened.of(subject, ask)
    shown = opened.shown
    panels = _brief(shown.panels) if brief else shown.panels
    head = f"Read: {opened.case.title}{_answered(opened.case)}."
    told = " ".join([head, *(shown.told(panel, opened.names, opened.window.start + 1) for panel in panels)])
    evidence = "\n\n".join(
        [
            told,
            " ".join(filter(None, [usage.memory_words, usage.start_words, usage.measured_words, part_words(subject)])),
        ]
    )
    tables = [] if brief else [usage.table]
    drawn = figure(opened, panels, BRIEF_UNITS if brief else UNITS)
    return Section("Inside: gates and memory", usage.claim, evidence, tables, [drawn])


def _brief(panels: list[Panel]) -> list[Panel]:
    """The gate that decides about the memory, and the memory."""
    keeping = [panel for panel in panels if panel.title.endswith(tuple(KEEPS.values()))]
    return [*(keeping or panels[:-1])[-1:], panels[-1]]


def brief(run: Run) -> Section:
    """The same in half a page: the gate that keeps the memory, and the memory."""
    return section(run, brief=True)


def reported(run: Run) -> bool:
    """Whether the standard report shows them: where nothing else of a run shows what it does with what it reads.

    Translators and partners in conversation have attention, forecasters forecasts, language models a passage.
    """
    return run.recipe["task"] in REPORTED


def part_words(subject: Subject) -> str:
    """Which part of the stack is looked at, where there are several."""
    stack = subject.stack
    layer = f"the first of {stack.num_layers} layers" if stack.num_layers > 1 else "the layer"
    if stack.bidirectional:
        return f"Looked at: {layer}, in its forward direction."
    return f"Looked at: {layer}." if stack.num_layers > 1 else ""


def _answered(case: Case) -> str:
    if not case.said:
        return ""
    right = "" if case.example.target is None else ", rightly" if case.said == case.example.target else ", wrongly"
    return f", to which the model answers “{case.said}”{right}"


# ---- Drawn


def figure(opened: Opened, panels: list[Panel], count: int) -> Figure:
    """A heat map for each panel, units down, steps along."""
    shown, window, names = opened.shown, opened.window, opened.names
    units, total = shown.units(panels, count), len(opened.memory.values)
    longest = max(map(len, names), default=1)

    def draw(drawing: Any) -> None:
        axes = drawing.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for panel, one in zip(panels, axes, strict=True):
            _heat(drawing, one, panel, units)
            for border in shown.borders:
                one.axvline(border - 0.5, color="#1f2933", linewidth=0.9)
        size = 6.5 if len(names) <= 40 else 5.5
        axes[-1].set_xticks(range(len(names)), names, rotation=90, fontsize=size)
        axes[-1].set_xlabel(f"{opened.step[1].capitalize()}, in the order of reading")
        drawing.supylabel("Unit", fontsize=8)

    part = "" if total <= STEPS else f" at {opened.step[1]} {window.start + 1} to {window.stop} of {total:,}"
    note = (
        f"{len(units)} of {opened.memory.values.shape[1]} units{part}: those that stand out or vary most, from top to "
        "bottom by where their memory moves most."
    )
    if shown.borders:
        note += " A line parts what is read separately."
    height = len(panels) * (0.085 * len(units) + 0.36) + 0.06 * longest + 0.45
    return Figure("gates", f"Gates and memory while reading {opened.case.title}.", draw, note=note, height=height)


def _heat(drawing: Any, axes: Any, panel: Panel, units: Int[np.ndarray, "_"]) -> None:
    values = panel.values[:, units].T
    most = float(np.abs(values).max(initial=1e-9))
    positive = bool((panel.values >= 0).all())
    low, high = panel.bounds or (0.0 if positive else -most, most)
    colours = "Blues" if low == 0 else "RdBu_r"
    image = axes.imshow(values, vmin=low, vmax=high, cmap=colours, aspect="auto", interpolation="nearest")
    axes.set_title(panel.title, fontsize=8.5, pad=3)
    axes.set_yticks(range(len(units)), [str(unit) for unit in units], fontsize=5)
    axes.tick_params(length=0, pad=2)
    bar = drawing.colorbar(image, ax=axes, pad=0.01, fraction=0.03, aspect=9)
    bar.set_label("open" if panel.gate else "value", fontsize=6.5)
    bar.ax.tick_params(labelsize=6, length=2)
    bar.outline.set_visible(False)
