"""What a recurrence is: equations only. A new cell is one file with a step, and one name on this shelf."""

from lstmlab.cells.cell import (
    Cell,
    Gates,
    State,
    exp,
    log,
    maximum,
    minimum,
    relu,
    sigmoid,
    softplus,
    tanh,
)
from lstmlab.cells.gru import GRU
from lstmlab.cells.lstm import LSTM
from lstmlab.cells.rnn import RNN, RNN_RELU
from lstmlab.errors import unknown

CELLS: dict[str, Cell] = {cell.name: cell for cell in (RNN, RNN_RELU, LSTM, GRU)}


def find_cell(cell: str | Cell) -> Cell:
    """A cell by its name on the shelf; a Cell is returned as it is. Raises InputError for an unknown name."""
    if isinstance(cell, Cell):
        return cell
    if cell not in CELLS:
        raise unknown("cell", cell, CELLS)
    return CELLS[cell]


__all__ = [
    "CELLS",
    "Cell",
    "Gates",
    "State",
    "exp",
    "find_cell",
    "log",
    "maximum",
    "minimum",
    "relu",
    "sigmoid",
    "softplus",
    "tanh",
]
