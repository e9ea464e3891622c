"""What clipping does to a gradient that explodes: its size before and after, and trainings with and without."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstmlab.analysis.untrained import Told, power, silent
from lstmlab.nn.initialisation import Initialisation
from lstmlab.report import Figure, Section, Table
from lstmlab.training.memory import Effort, Trace, first_gradient, learn
from lstmlab.training.optimizer import OptimizerSettings
from lstmlab.training.problems import adding

LENGTHS = (25, 50, 100, 200)
LARGE = 2.0
"""The norm of the recurrent matrices whose first gradient is measured."""
TRAINED, SCALE, STEPS, UPDATES = "rnn-relu", 1.3, 40, 1500
"""What is trained with and without: chosen because it can learn the problem and its gradient can explode."""
CLIP, HIDDEN, ROWS = 1.0, 32, 20
START = Initialisation("orthogonal")


@dataclass(frozen=True)
class Clipped:
    """What was measured."""

    first: dict[str, list[float]]
    """Cell → the first gradient's norm for each of LENGTHS, geometric means over seeds."""
    without: list[Trace]
    """One training for each seed."""
    clipped: list[Trace]


def clipping_section(seeds: int = 4, updates: int = UPDATES, told: Told = silent) -> Section:
    """First gradients of an RNN with large recurrent weights beside an LSTM's, and trainings of a rectified RNN by
    plain descent with momentum, with and without clipping."""
    return section(measure(seeds, updates, told))


def measure(seeds: int, updates: int, told: Told = silent) -> Clipped:
    """First gradients, then both kinds of training from the same beginnings on the same batches."""
    first = {}
    for cell in ("rnn", "lstm"):
        told(f"first gradients of {cell}")
        first[cell] = [_mean([_first(cell, length, seed) for seed in range(seeds)]) for length in LENGTHS]
    traces: dict[float | None, list[Trace]] = {None: [], CLIP: []}
    for clip, found in traces.items():
        for seed in range(seeds):
            told(f"{TRAINED} trained {'without clipping' if clip is None else 'with clipping'}, seed {seed}")
            found.append(learn(TRAINED, adding(STEPS), _effort(clip, updates), seed=seed))
    return Clipped(first, traces[None], traces[CLIP])


def _first(cell: str, length: int, seed: int) -> float:
    effort = Effort(HIDDEN, ROWS, start=START, recurrent_scale=LARGE, steps=1)
    return first_gradient(cell, adding(length), effort, seed=seed)


def _effort(clip: float | None, updates: int) -> Effort:
    moves = OptimizerSettings(method="sgd", learning_rate=0.01, momentum=0.9, clip=clip)
    return Effort(HIDDEN, ROWS, moves, START, recurrent_scale=SCALE, steps=updates, every=50)


def _mean(values: Sequence[float]) -> float:
    return math.exp(sum(math.log(one) for one in values) / len(values))


def section(found: Clipped) -> Section:
    """Claim, tables and curves."""
    moves = _effort(CLIP, 1).optimizer
    evidence = f"""Clipping scales a gradient longer than {CLIP:g} back to that length and leaves its direction alone
(Pascanu et al. 2013): an update then has a length the learning rate was meant for. It brings back nothing that has
vanished.

The first table is the gradient of the adding problem's loss by all weights on the first batch, with recurrent
matrices of norm {LARGE:g}. The trainings are of a rectified RNN ({HIDDEN} units, recurrent matrices of norm {SCALE:g})
on the adding problem of {STEPS} steps, by gradient descent with momentum {moves.momentum:g} and a learning rate of
{moves.learning_rate:g}: both kinds from the same weights on the same batches, so that clipping alone tells them apart.
Losses are of rows drawn afresh; always answering 1 has {1 / 6:.3f}."""
    return Section("What clipping does", _claim(found), evidence,
                   tables=[_first_table(found), _training_table(found)], figures=[_figure(found)])  # fmt: skip


def _claim(found: Clipped) -> str:
    lost, kept = (sum(_fails(one) for one in traces) for traces in (found.without, found.clipped))
    all_of = len(found.without)
    pairs = list(zip(found.without, found.clipped, strict=True))
    better = sum(not _fails(after) and (_fails(before) or after.score < before.score) for before, after in pairs)
    size = found.first["rnn"][-1]
    return (
        f"On {LENGTHS[-1]} steps the first gradient of an RNN with large recurrent weights has norm {power(size)}, "
        f"which clipping makes {min(size, CLIP):g}. Trained on the adding problem, {lost} of {all_of} networks without "
        f"clipping and {kept} of {all_of} with it end no better than chance or as no number at all; clipped, "
        f"{better} of {all_of} end better than unclipped."
    )


def _fails(one: Trace) -> bool:
    """Not a number, or not a tenth better than chance."""
    return not one.score <= 0.9 * one.problem.chance


def _first_table(found: Clipped) -> Table:
    def row(at: int) -> list[Any]:
        norms = [norms[at] for norms in found.first.values()]
        return [LENGTHS[at], *(power(one) for norm in norms for one in (norm, min(norm, CLIP)))]

    heads = [f"{cell.upper()}, {when}" for cell in found.first for when in ("before", "clipped")]
    rows = [row(at) for at in range(len(LENGTHS))]
    return Table(f"Norm of the first gradient, recurrent matrices of norm {LARGE:g}.", ["steps T", *heads], rows)


def _training_table(found: Clipped) -> Table:
    def row(seed: int, one: Trace) -> list[Any]:
        ended = f"no number from update {one.steps}" if one.stopped == "not a number" else f"{one.steps} updates"
        return [seed, "no" if one in found.without else "yes", one.score if math.isfinite(one.score) else None, ended]

    pairs = zip(found.without, found.clipped, strict=True)
    rows = [row(seed, one) for seed, pair in enumerate(pairs) for one in pair]
    return Table("The same trainings without and with clipping.", ["seed", "clipped", "mean squared error", "ended"],
                 rows, note="A dash: the weights hold something that is no number.")  # fmt: skip


def _figure(found: Clipped) -> Figure:
    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        for cell, colour in zip(found.first, ("#D55E00", "#0072B2"), strict=True):
            left.plot(LENGTHS, found.first[cell], "o-", color=colour, label=cell.upper())
        left.axhline(CLIP, color="#7b8794", linestyle="--", linewidth=1)
        left.set(title="First gradient, before clipping", xlabel="Steps T", ylabel="Norm", yscale="log",
                 xticks=LENGTHS)  # fmt: skip
        left.legend()
        for traces, colour, label in ((found.without, "#D55E00", "without"), (found.clipped, "#0072B2", "clipped")):
            for at, one in enumerate(traces):
                _course(right, one, colour, label if not at else None)
        right.axhline(1 / 6, color="#7b8794", linestyle=":", linewidth=1)
        right.set(title="Adding problem", xlabel="Updates", ylabel="Held-out loss", yscale="log")
        right.legend()

    return Figure(
        "clipping", "An exploding gradient, and trainings with and without clipping it.", draw,
        note="Left: the dashed line is the norm clipped to. Right: dotted is chance, a cross is where a loss stopped "
        f"being a number; recurrent matrices of norm {SCALE:g}.", width=7.2, height=2.7,
    )  # fmt: skip


def _course(panel: Any, one: Trace, colour: str, label: str | None) -> None:
    """A training's held-out loss, and a cross where it ended in no number."""
    points = [point for point in one.points if math.isfinite(point.held_out)]
    panel.plot([p.step for p in points], np.clip([p.held_out for p in points], 1e-3, 10), color=colour, label=label,
               alpha=0.85, linewidth=1.2)  # fmt: skip
    if one.stopped == "not a number":
        last = min(points[-1].held_out, 10) if points else one.problem.chance
        panel.plot([one.steps], [last], "x", color=colour, markersize=7)
