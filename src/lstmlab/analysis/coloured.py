"""Contributions drawn: a text whose tokens are coloured, bars below a series, a heat map of channels.

Letters in shapes: S steps, F numbers of a step.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from lstmlab.report import Figure

LINE = 88
"""Letters of a drawn line."""
LETTER, HEIGHT = 0.068, 0.21
"""Inches of a letter and of a line."""
MOST = 400
"""Tokens of a text that are drawn, at most."""
BAR = "Contribution: red adds, blue takes away"


def text_figure(
    texts: Sequence[Sequence[str]], values: Float[np.ndarray, "S"], *, title: str, marked: int | None = None
) -> Figure:
    """Tokens in their order, a text below the other, on red where they add and on blue where they take away; `marked`
    is underlined: the step the answer is about."""
    lines = _laid_out(texts)
    rows = 1 + max((row for row, _, _, _ in lines), default=0)
    left_out = sum(map(len, texts)) - len(lines)
    most = float(np.abs(values).max(initial=1e-12))

    def draw(drawing: Any) -> None:
        axes = drawing.subplots()
        colours, scale = _colours(most)
        for row, column, number, token in lines:
            box = (column * LETTER, -(row + 0.85) * HEIGHT)
            width = (len(token) + 0.6) * LETTER
            patch = _rectangle(box, width, 0.86 * HEIGHT, colours(scale(values[number])))
            axes.add_patch(patch)
            centre = (box[0] + width / 2, box[1] + 0.4 * HEIGHT)
            axes.text(*centre, token, fontsize=8, family="monospace", ha="center", va="center")
            if number == marked:
                axes.plot([box[0], box[0] + width], [box[1] - 0.01] * 2, color="#1f2933", linewidth=1.4)
        axes.set_xlim(0, LINE * LETTER)
        axes.set_ylim(-(rows + 0.1) * HEIGHT, 0.05)
        axes.axis("off")
        axes.set_title(title)
        _bar(drawing, axes, colours, scale)

    note = "The stronger the colour, the larger the contribution; tokens as the model reads them."
    note += f" The last {left_out} are left out." if left_out else ""
    note += " Underlined: what the answer is about." if marked is not None else ""
    return Figure("contributions", "Contributions of tokens.", draw, note=note, height=1.15 + rows * HEIGHT)


def bars_figure(
    along: Sequence[int], read: Float[np.ndarray, "S"], values: Float[np.ndarray, "S"], *, title: str
) -> Figure:
    """A series as it was read, and below it what each step adds; `along` are the steps' numbers."""

    def draw(drawing: Any) -> None:
        upper, lower = drawing.subplots(2, 1, sharex=True)
        upper.plot(along, read)
        upper.set(title="What was read", ylabel="Scaled value")
        colours = np.where(values >= 0, "#D55E00", "#0072B2")
        lower.bar(along, values, color=colours, width=0.9)
        lower.axhline(0, color="#7b8794", linewidth=0.8)
        lower.set(title=title, xlabel="Time step", ylabel="Contribution")

    return Figure("contributions", "Contributions of steps.", draw, note="Orange adds, blue takes away.", height=4.0)


def channels_figure(
    along: Sequence[int], values: Float[np.ndarray, "S F"], names: Sequence[str], *, title: str
) -> Figure:
    """What each number of each step adds: channels down, steps along."""
    most = float(np.abs(values).max(initial=1e-12))

    def draw(drawing: Any) -> None:
        axes = drawing.subplots()
        image = axes.imshow(values.T, vmin=-most, vmax=most, cmap="RdBu_r", aspect="auto", interpolation="nearest",
                            extent=(along[0] - 0.5, along[-1] + 0.5, len(names) - 0.5, -0.5))  # fmt: skip
        axes.set_yticks(range(len(names)), names, fontsize=7)
        axes.set(title=title, xlabel="Time step", ylabel="Channel")
        drawing.colorbar(image, ax=axes, label="Contribution", pad=0.01, fraction=0.04)

    height = 1.5 + 0.22 * len(names)
    return Figure("contributions", "Contributions of steps and channels.", draw, note=f"{BAR}.", height=height)


def _laid_out(texts: Sequence[Sequence[str]]) -> list[tuple[int, float, int, str]]:
    """Row, column, number and letters of each token that is drawn; every text begins a line."""
    found: list[tuple[int, float, int, str]] = []
    row, number = 0, 0
    for text in texts:
        column = 0.0
        for token in text:
            width = len(token) + 0.6
            if column and column + width > LINE:
                row, column = row + 1, 0.0
            if number < MOST:
                found.append((row, column, number, token))
            column += width + (0.25 if len(token) > 1 else 0.05)
            number += 1
        row += 1
    return found


def _colours(most: float) -> tuple[Any, Any]:
    """From blue over white to red, none so dark that a letter on it could not be read."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap, Normalize

    middle = colormaps["RdBu_r"](np.linspace(0.18, 0.82, 256))
    return ListedColormap(middle, name="readable"), Normalize(-most, most)


def _rectangle(corner: tuple[float, float], width: float, height: float, colour: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, facecolor=colour, edgecolor="none")


def _bar(drawing: Any, axes: Any, colours: Any, scale: Any) -> None:
    from matplotlib.cm import ScalarMappable

    bar = drawing.colorbar(ScalarMappable(scale, colours), ax=axes, orientation="horizontal", fraction=0.05, pad=0.02,
                           aspect=45, shrink=0.6)  # fmt: skip
    bar.set_label(BAR, fontsize=7.5)
    bar.ax.locator_params(nbins=5)
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set_visible(False)
