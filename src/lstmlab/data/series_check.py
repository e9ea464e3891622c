"""What is wrong with series: gaps, repeated times, disorder, constants, spikes, a level that moved at the end."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from lstmlab.data.finding import EXAMPLES, LEVELS, Finding, counted
from lstmlab.data.panel import Line, Panel
from lstmlab.data.scaler import Scaler
from lstmlab.data.series import Cuts, read_series
from lstmlab.data.series_settings import SeriesSettings
from lstmlab.data.timeline import Done, Rules, shown

SPIKE = 12.0
"""Values so many times as far from both their neighbours as neighbours usually are count as spikes."""
SHIFT = 2.0
"""Deviations of the training part by which a test part's mean may differ before it is worth a warning."""

PATIENT = Rules(missing="mask", repeated="mean", sort=True)
"""Whatever rows are like, they are read, and what had to be done is told."""
ADVICE = {
    "sorted": ("Rows out of order", "set data.sort=true"),
    "repeated": ("Repeated times", "choose data.repeated=first, last or mean"),
    "gaps": ("Gaps", "choose data.missing=interpolate, forward or mask"),
    "cells": ("Empty cells", "choose data.missing=interpolate, forward or mask"),
    "beside": ("Empty cells beside the target", "choose data.missing=interpolate, forward or mask"),
    "trimmed": ("Nothing at the ends", "choose data.missing=interpolate, forward or mask"),
}


def check_series(settings: SeriesSettings) -> tuple[Panel, tuple[Finding, ...]]:
    """The series a recipe names, read whatever their order and gaps, and all findings about them, problems first."""
    panel, cuts, _ = read_series(settings.model_copy(update=vars(PATIENT)))
    found = [*_rows(panel.done), _lengths(panel), *_values(panel), *_shifts(panel, cuts)]
    return panel, tuple(sorted(found, key=lambda finding: LEVELS.index(finding.level)))


def _rows(done: Done) -> Iterator[Finding]:
    """What reading had to mend."""
    for name, sentence in done.words(PATIENT).items():
        if name in ADVICE:
            title, told = ADVICE[name]
            yield Finding("warning", title, f"{sentence.rstrip('.')}. For training, {told}.", getattr(done, name))


def _lengths(panel: Panel) -> Finding:
    lengths = [len(line) for line in panel.lines]
    first, last = min(line.times[0] for line in panel.lines), max(line.times[-1] for line in panel.lines)
    reach = f"{min(lengths):,}" if min(lengths) == max(lengths) else f"{min(lengths):,} to {max(lengths):,}"
    words = panel.step.words
    text = (
        f"{counted(len(lengths), 'series', 'series')} of {reach} steps, a step being "
        f"{words if words[0].isdigit() else 'a ' + words}, from {shown(first)} to {shown(last)}."
    )
    return Finding("note", "Lengths", text, len(lengths))


def _values(panel: Panel) -> Iterator[Finding]:
    flat = [line for line in panel.lines if _still(line.values).any()]
    if flat:
        text = f"{counted(len(flat), 'series never changes', 'series never change')}: there is nothing to forecast."
        yield Finding("warning", "Constant series", text, len(flat), tuple(_name(line) for line in flat[:EXAMPLES]))
    spikes = [(line, place) for line in panel.lines for place in _spikes(line)]
    if spikes:
        places = tuple(f"{_name(line)} {shown(line.times[place])}".strip() for line, place in spikes[:EXAMPLES])
        text = (
            f"{counted(len(spikes), 'value lies', 'values lie')} more than {SPIKE:.0f} times as far from both "
            "neighbours as neighbours usually do: faults of a sensor, or what matters most?"
        )
        yield Finding("warning", "Spikes", text, len(spikes), places)


def _still(values: Float[np.ndarray, "T C"]) -> Bool[np.ndarray, "C"]:
    """Which columns never change, as the scaler sees it: all others it brings to deviation 1."""
    scaler = Scaler.fit([values])
    return np.nanstd((values - scaler.mean[0]) / scaler.deviation[0], 0) < 0.5


def _spikes(line: Line) -> list[int]:
    found: set[int] = set()
    for values in line.values.T:
        gaps = np.diff(values)
        known = np.abs(gaps[np.isfinite(gaps) & (gaps != 0)])
        if len(known) < 20:
            continue
        far = SPIKE * float(np.median(known))
        before, after = gaps[:-1], gaps[1:]
        alone = (np.abs(before) > far) & (np.abs(after) > far) & (before * after < 0)
        found |= set((np.flatnonzero(alone) + 1).tolist())
    return sorted(found)


def _shifts(panel: Panel, cuts: Cuts) -> Iterator[Finding]:
    moved = []
    for number, line in enumerate(panel.lines):
        past, future = line.values[: cuts.valid[number]], line.values[cuts.test[number] :]
        if not len(past) or not len(future) or np.isnan(past).all() or np.isnan(future).all():
            continue
        gap = np.abs(np.nanmean(future, 0) - np.nanmean(past, 0))
        if ((gap > SHIFT * np.nanstd(past, 0)) & ~_still(past)).any():
            moved.append(line)
    if moved:
        text = (
            f"{counted(len(moved), 'series has', 'series have')} another level in the test part than in training, by "
            f"more than {SHIFT:.0f} deviations: model.normalise=last lets a model follow it."
        )
        names = tuple(_name(line) for line in moved[:EXAMPLES])
        yield Finding("warning", "A level that moved", text, len(moved), names)


def _name(line: Line) -> str:
    return line.name or "the series"
