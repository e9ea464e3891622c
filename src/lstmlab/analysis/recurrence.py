"""The cell of a run: drawn, with its equations beside it."""

from collections.abc import Mapping
from typing import Any

from lstmlab.analysis.architecture import CELLS
from lstmlab.cells import Cell, find_cell
from lstmlab.kernels import drawing, notation
from lstmlab.report import Figure, Mathematics, excerpt
from lstmlab.training.run import Run

NAMES = {**CELLS, "rnn": "plain RNN (tanh)", "rnn-relu": "plain RNN (ReLU)"}
_SHARE, _SMALLEST, _WIDEST = 120, 1.9, 5.2
"""Pixels of a drawing that are an inch here, and its width in inches at least and at most."""


def figure(run: Run) -> Figure | None:
    """The encoder's cell, None where it has none. Raises InputError for a cell of one's own whose file has gone."""
    encoder: Mapping[str, Any] = run.recipe["model"]["encoder"]
    if encoder.get("kind", "recurrent") != "recurrent":
        return None
    return of_cell(find_cell(str(encoder["cell"])))


def of_cell(cell: Cell) -> Figure:
    """Any cell, drawn, its equations beside it. Raises InputError where its step does not run on symbols."""
    drawn = drawing.draw(cell)
    pixels = int(drawn.split('width="', 1)[1].split('"', 1)[0])
    equations = Mathematics(
        latex=notation.latex(cell), mathml=notation.mathml(cell), typst=notation.typst(cell), plain=notation.plain(cell)
    )
    name = NAMES.get(cell.name, excerpt(cell.name, 40))
    source = f" ({cell.source})" if cell.source else ""
    note = (
        f"{excerpt(source, 120).strip()} W, R and b are learned; σ is the sigmoid, ⊙ multiplies number by number. "
        "Boxes are gates and candidates, ovals functions, circles operations; the thick line is the state that "
        "passes through."
    )
    width = round(min(max(pixels / _SHARE, _SMALLEST), _WIDEST), 2)
    return Figure("cell", f"The {name} cell and its equations.", drawn, note.strip(), width=width, equations=equations)
