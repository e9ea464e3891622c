"""Attention drawn: heatmaps of source against output, one alone or several packed onto a page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lstmlab.analysis.looks import Alignment
from lstmlab.report import Figure, excerpt

MOST = 80
"""Tokens drawn of a side; what follows is left out."""
CELL, LEAST_CELL = 0.1, 0.09
"""Inches of a drawn token beside others, and where its sentence is long."""
PAGE_WIDTH, PAGE_HEIGHT = 7.2, 8.4
"""Inches of a figure of several heatmaps, at most."""
LETTER = 0.62
"""Width of a letter over its size, on average."""


def heatmap(attention: Mapping[str, Any], *, name: str, title: str) -> Figure:
    """One output's attention: the source along x, the output down y, dark where the decoder looked.

    `attention` is what a row of predictions.jsonl tells: {"source", "output", "weights"}. `name` becomes the file's.
    Raises ValueError where tokens and weights do not fit each other.
    """
    panel = Panel(Alignment.of(attention), excerpt(title, 100), 0.2)
    return Figure(
        name,
        "Attention.",
        lambda figure: panel.draw(figure.subplots(), named=True),
        note="Each row is one step: the weights over the source, which add up to one; the darker, the larger.",
        width=max(panel.width + 0.6, 3.6),
        height=max(panel.height + 0.5, 2.6),
    )


@dataclass(frozen=True)
class Panel:
    """One heatmap and the room it takes."""

    alignment: Alignment
    title: str
    largest: float = CELL
    """Inches of a token where there is room for it."""

    @property
    def cell(self) -> float:
        """Inches of a token: less in a long sentence, so that two of them fit beside each other."""
        return min(self.largest, max(LEAST_CELL, 0.5 * (PAGE_WIDTH - 2) / max(len(self.alignment.source), 1)))

    @property
    def size(self) -> float:
        """Points of a label, which has to fit into a cell."""
        return min(8.0, max(5.0, 72 * self.cell * 0.68))

    @property
    def width(self) -> float:
        """Inches, labels included."""
        drawn = self.cell * min(len(self.alignment.source), MOST)
        return max(drawn, 0.065 * len(self.title)) + self._letters(self.alignment.output) + 0.25

    @property
    def height(self) -> float:
        """Inches, labels and title included."""
        return self.cell * min(len(self.alignment.output), MOST) + self._letters(self.alignment.source) + 0.36

    def _letters(self, tokens: Iterable[str]) -> float:
        return LETTER * self.size / 72 * max((len(_label(token)) for token in tokens), default=1)

    def draw(self, axes: Any, *, named: bool = False) -> None:
        """Onto these axes; `named` writes what x and y are, where no page around does."""
        source, output = self.alignment.source[:MOST], self.alignment.output[:MOST]
        weights = self.alignment.weights[:MOST, :MOST]
        axes.imshow(weights, vmin=0, vmax=1, cmap="Blues", aspect="auto", interpolation="nearest")
        axes.set_xticks(range(len(source)), [_label(token) for token in source], rotation=90, fontsize=self.size)
        axes.set_yticks(range(len(output)), [_label(token) for token in output], fontsize=self.size)
        axes.tick_params(length=0, pad=2)
        axes.set_title(self.title, fontsize=10 if named else 7.5, pad=4)
        if named:
            axes.set(xlabel="Source", ylabel="Output")


def _label(token: str) -> str:
    return excerpt(token, 16) or "␣"


def page_figures(panels: Sequence[Panel], note: str) -> list[Figure]:
    """All panels, in order, on as few figures as a page's size allows."""
    return [_figure(page, number, note) for number, page in enumerate(_packed(panels), 1)]


def drawn_height(panels: Sequence[Panel]) -> float:
    """Inches that all of them take, one row below the other."""
    return sum(_height(row) for row in _rows(panels))


def _packed(panels: Sequence[Panel]) -> list[list[list[Panel]]]:
    """Panels in rows, and rows in pages, none wider or higher than there is room for (but for a single panel)."""
    pages: list[list[list[Panel]]] = []
    for row in _rows(panels):
        if pages and sum(_height(one) for one in [*pages[-1], row]) <= PAGE_HEIGHT:
            pages[-1].append(row)
        else:
            pages.append([row])
    return pages


def _rows(panels: Sequence[Panel]) -> list[list[Panel]]:
    rows: list[list[Panel]] = []
    for panel in panels:
        if rows and sum(one.width for one in [*rows[-1], panel]) <= PAGE_WIDTH:
            rows[-1].append(panel)
        else:
            rows.append([panel])
    return rows


def _height(row: Sequence[Panel]) -> float:
    return max(panel.height for panel in row)


def _figure(page: Sequence[Sequence[Panel]], number: int, note: str) -> Figure:
    widest = max(sum(panel.width for panel in row) for row in page)

    def draw(figure: Any) -> None:
        bands = figure.subfigures(len(page), 1, squeeze=False, height_ratios=[_height(row) for row in page])[:, 0]
        for band, row in zip(bands, page, strict=True):
            # What a row leaves free stays free: cells of like size in all rows.
            free = max(widest - sum(panel.width for panel in row), 0.01)
            places = band.add_gridspec(1, len(row) + 1, width_ratios=[*(panel.width for panel in row), free])
            for at, panel in enumerate(row):
                panel.draw(band.add_subplot(places[0, at]))
        figure.supxlabel("Source", fontsize=8)
        figure.supylabel("Output", fontsize=8)

    title = "Where the decoder looked." if number == 1 else "Where the decoder looked, continued."
    width, height = max(widest + 0.2, 3.0), sum(_height(row) for row in page) + 0.2
    return Figure(f"attention-{number}", title, draw, note=note, width=width, height=height)
