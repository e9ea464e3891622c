"""How far back gradients reach in cells that have learned nothing, in a picture, a table and words.

Nothing here is known beforehand: every claim is put together from what was measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstmlab.cells import find_cell
from lstmlab.nn.reach import HIDDEN, VANISHED, Beginning, Reach, checked, reach
from lstmlab.report import Figure, Section, Table

NORMS = (0.5, None, 1.0, 2.0)
"""Norms of the recurrent matrices, small to large; None is torch's own beginning."""
FLOOR, CEILING = 1e-12, 1e10
"""What is drawn; the numbers are in the tables."""
COLOURS = ("#0072B2", "#009E73", "#E69F00", "#D55E00")

Told = Callable[[str], None]
"""Told what is being measured."""


def silent(_: str) -> None:
    """For whoever need not be told."""


@dataclass(frozen=True)
class Measured:
    """All that the sections are written from."""

    by_norm: dict[str, list[Reach]]
    """Cell → one for each of NORMS."""
    by_bias: dict[str, Reach]
    """Label → the LSTM (and a GRU) with small recurrent weights and another bias."""
    steps: int
    seeds: int
    size: float
    worst: float
    """The largest relative difference from finite differences."""


def measure(
    seeds: int, steps: int, *, cells: Sequence[str] = ("rnn", "lstm", "gru"), size: float = 1.0, told: Told = silent
) -> Measured:
    """Every arm of the study. An LSTM starts with a forget bias of 1 unless the arm is about that."""

    def measured(cell: str, beginning: Beginning) -> Reach:
        told(f"{cell}, {norm_words(beginning.norm)}")
        return reach(cell, beginning, steps=steps, seeds=seeds, size=size)

    by_norm = {cell: [measured(cell, Beginning(norm)) for norm in NORMS] for cell in cells}
    small = NORMS[0]
    by_bias = {f"LSTM, forget bias {bias:g}": measured("lstm", Beginning(small, bias)) for bias in (0.0, 1.0, 3.0)}
    by_bias["LSTM, chrono"] = measured("lstm", Beginning(small, chrono=steps))
    by_bias["GRU, update bias 0"] = measured("gru", Beginning(small))
    by_bias["GRU, chrono"] = measured("gru", Beginning(small, chrono=steps))
    told("finite differences")
    looked = [*(one for arms in by_norm.values() for one in arms), *by_bias.values()]
    worst = max(checked(one, size=size, most=steps) for one in looked)
    return Measured(by_norm, by_bias, steps, seeds, size, worst)


def norm_words(norm: float | None) -> str:
    """How the recurrent weights begin, for a legend."""
    return "torch's own beginning" if norm is None else f"‖R‖ = {norm:g}"


# ---- RNN, LSTM and GRU by the norm of their recurrent weights -------------------------------------------------------


def norms_section(found: Measured) -> Section:
    """One picture, one table."""
    evidence = f"""An untrained cell of {HIDDEN} units reads {found.steps + 1} steps of independent normal numbers
(standard deviation {found.size:g}). Its recurrent matrices are orthogonal, gate by gate, times a factor, so that
each has exactly that norm; torch's own beginning is uniform in ±1/√{HIDDEN}. Measured is by what factor a gradient
that arrives at the last output h_T has changed on its way back to step T - k: the Frobenius norm of the Jacobian, as a
share of its value at the last step. An LSTM keeps its memory in c, so two paths are told: ∂h_T/∂h holds c still, and
∂h_T/∂(h, c) is all that the last step can tell an earlier one. Where a cell has h alone they are the same.

{_factor_words(found)}

Means are geometric, over {found.seeds} seeds with weights and inputs of their own; bands reach from the least to the
largest. Central finite differences of the same networks differ from these values by at most {found.worst:.1e} of them
(at distances up to 20, where a difference can still be told from rounding)."""
    return Section("The gradient's way back through time", _norms_claim(found), evidence,
                   tables=[_norms_table(found)], figures=[_norms_figure(found)])  # fmt: skip


def _norms_claim(found: Measured) -> str:
    rnn, lstm = found.by_norm["rnn"], found.by_norm["lstm"]
    small, large = rnn[0], rnn[-1]
    fate = (
        f"falls below a millionth of the last step's after {small.vanishes} steps"
        if small.vanishes
        else f"is {power(small.typical[-1])} of the last step's after {found.steps} steps"
    )
    end = large.typical[-1]
    grown = "explodes" if end > 1e3 else "grows" if end > 1 else "does not grow"
    more = lstm[0].typical[small.vanishes or -1] / small.typical[small.vanishes or -1]
    kept = f"; an LSTM of equal norm still has {power(more)} times as much there" if more > 1 else ""
    return (
        f"With small recurrent weights (norm {NORMS[0]:g}) the plain RNN's gradient {fate}{kept}; with large ones "
        f"(norm {NORMS[-1]:g}) it {grown}: {power(end)} of the last step's after {found.steps} steps."
    )


def _factor_words(found: Measured) -> str:
    """What a step multiplies the RNN's gradient by, beside the norm that bounds it."""
    parts = []
    for one in found.by_norm["rnn"]:
        if one.beginning.norm is not None:
            parts.append(f"{one.typical[-1] ** (1 / found.steps):.2f} where the norm is {one.beginning.norm:g}")
    return (
        f"A step multiplies the RNN's gradient by {', '.join(parts)}, on the mean of all {found.steps}. It is the norm "
        "times the slope of tanh, which is 1 at zero and less elsewhere: so a norm below 1 must lose the gradient, and "
        "a norm above 1 may let it grow, if the units are not driven into the flat ends of tanh (Pascanu et al. 2013)."
    )


def _norms_table(found: Measured) -> Table:
    rows = [[cell.upper(), norm_words(one.beginning.norm), *_numbers(one)]
            for cell, arms in found.by_norm.items() for one in arms]  # fmt: skip
    return Table(
        f"The gradient k steps before the last one, by cell and recurrent weights. h: ‖∂h_T/∂h‖ alone; all: the whole "
        f"state. The last column is the distance from which on every seed is below {VANISHED:g}.",
        ["cell", "recurrent weights", *_headings(found.steps)], rows,
        note="An LSTM starts with a forget bias of 1 here, but for torch's own beginning, where biases are near 0.",
    )  # fmt: skip


def _looks(steps: int) -> list[int]:
    return sorted({min(at, steps) for at in (10, 60, steps)})


def _headings(steps: int) -> list[str]:
    looks = _looks(steps)
    return [*(f"h, k = {at}" for at in looks), *(f"all, k = {at}" for at in looks), "gone after"]


def _numbers(one: Reach) -> list[Any]:
    looks = _looks(len(one.typical) - 1)
    own, whole = ([power(values[at]) for at in looks] for values in (one.typical_output, one.typical))
    return [*own, *whole, one.vanishes]


def _norms_figure(found: Measured) -> Figure:
    def draw(figure: Any) -> None:
        panels = figure.subplots(1, len(found.by_norm), sharey=True, squeeze=False)[0]
        for panel, (cell, arms) in zip(panels, found.by_norm.items(), strict=True):
            for one, colour in zip(arms, COLOURS, strict=True):
                curve(panel, one, norm_words(one.beginning.norm), colour)
            frame(panel, cell.upper())
        panels[0].set_ylabel("Share of the last step's gradient")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)

    return Figure(
        "gradient-reach", "The gradient of the whole state against the distance from the last step.", draw,
        note=f"Logarithmic; the dotted line is a millionth. Curves leave the picture below {FLOOR:g}.",
        width=7.2, height=3.1,
    )  # fmt: skip


def curve(panel: Any, one: Reach, label: str, colour: str) -> None:
    """A reach with the band of its seeds."""
    at = np.arange(one.whole.shape[1])
    panel.plot(at, np.maximum(one.typical, FLOOR / 10), color=colour, label=label)
    low, high = (np.clip(edge(one.whole, axis=0), FLOOR / 10, None) for edge in (np.min, np.max))
    panel.fill_between(at, low, high, color=colour, alpha=0.18, linewidth=0)


def frame(panel: Any, title: str) -> None:
    """Scales, labels and the line of a millionth."""
    panel.axhline(VANISHED, color="#7b8794", linestyle=":", linewidth=1)
    panel.axhline(1.0, color="#7b8794", linewidth=0.6)
    panel.set(title=title, xlabel="Steps back from the last", yscale="log", ylim=(FLOOR, CEILING))


# ---- The bias of what keeps the memory ------------------------------------------------------------------------------


def biases_section(found: Measured) -> Section:
    """What a forget bias of 0, 1, 3 and chrono do at small recurrent weights."""
    rnn = found.by_norm["rnn"][0]
    rows = [["RNN", *_numbers(rnn)], *([label, *_numbers(one)] for label, one in found.by_bias.items())]
    evidence = f"""The LSTM's memory is multiplied by its forget gate at every step, and the gate is the sigmoid of its
bias when nothing else is known: σ(0) = 0.5, σ(1) = 0.73, σ(3) = 0.95. Chrono draws a bias for each unit so that the
units' times spread over 1 to {found.steps} steps (Tallec & Ollivier 2018); in a GRU the update gate has that part.
All recurrent matrices have norm {NORMS[0]:g} here, the one at which the RNN loses most."""
    table = Table(
        f"Small recurrent weights (norm {NORMS[0]:g}): the gradient k steps before the last one, by the bias of the "
        "gate that keeps the memory.", ["cell", *_headings(found.steps)], rows,
    )  # fmt: skip
    return Section("What a forget bias is for", _biases_claim(found), evidence, tables=[table],
                   figures=[_biases_figure(found, rnn)])  # fmt: skip


def _biases_claim(found: Measured) -> str:
    at, rnn = min(60, found.steps), found.by_norm["rnn"][0]
    arms = list(found.by_bias.values())
    zero, one, three = (arm.typical[at] for arm in arms[:3])
    rising = "more the higher its forget bias starts" if zero < one < three else "not always more with a higher bias"
    return (
        f"The LSTM keeps {rising}: after {at} steps {power(zero)} of the last step's gradient with bias 0, "
        f"{power(one)} with 1, {power(three)} with 3 and {power(arms[3].typical[at])} with chrono, where the RNN has "
        f"{power(rnn.typical[at])}."
    )


def _biases_figure(found: Measured, rnn: Reach) -> Figure:
    def draw(figure: Any) -> None:
        panel = figure.subplots()
        curve(panel, rnn, "RNN", "#4D4D4D")
        for (label, one), colour in zip(found.by_bias.items(), (*COLOURS, "#CC79A7", "#56B4E9"), strict=True):
            curve(panel, one, label, colour)
        frame(panel, "Small recurrent weights, by the bias of the memory's gate")
        panel.set(ylabel="Share of the last step's gradient", ylim=(FLOOR, 1e2))
        panel.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))

    return Figure(
        "gradient-biases", "The gradient of the whole state by the bias with which the memory's gate starts.", draw,
        note="Logarithmic; the dotted line is a millionth.", width=7.0, height=2.9,
    )  # fmt: skip


def power(value: float) -> str:
    """0.026, 3.1e-12, 4.2e+06: three letters' worth of a number that may have any size."""
    if not np.isfinite(value):
        return "beyond all numbers" if value > 0 else "not a number"
    return f"{value:.2g}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.1e}"


def single(cell: str, seeds: int, steps: int) -> list[Reach]:
    """What a card shows of one cell: small, torch's own and large recurrent weights, the cell's own biases."""
    known = find_cell(cell)
    return [reach(known, Beginning(norm), steps=steps, seeds=seeds) for norm in (NORMS[0], None, NORMS[-1])]
