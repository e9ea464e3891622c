"""What a recurrence is: equations only. A new cell is one file with a step, and one name on this shelf."""

from lstmlab.cells import own
from lstmlab.cells.cell import Cell, Gates, State, exp, log, maximum, minimum, relu, sigmoid, softplus, tanh
from lstmlab.cells.gru import GRU
from lstmlab.cells.lstm import LSTM
from lstmlab.cells.minimal import MINGRU, MINLSTM
from lstmlab.cells.rnn import RNN, RNN_RELU
from lstmlab.cells.variants import COUPLED, MGU, PEEPHOLE
from lstmlab.cells.xlstm import SLSTM
from lstmlab.errors import unknown

CELLS: dict[str, Cell] = {
    cell.name: cell for cell in (RNN, RNN_RELU, LSTM, GRU, PEEPHOLE, COUPLED, MGU, MINGRU, MINLSTM, SLSTM)
}


def find_cell(cell: str | Cell) -> Cell:
    """A cell by its name on the shelf, or by `FILE.py:NAME` from a file of one's own; a Cell is returned as it is.

    Raises InputError for an unknown name and for a file that gives no such cell.
    """
    if isinstance(cell, Cell):
        return cell
    if cell in CELLS:
        return CELLS[cell]
    if own.is_own(cell):
        return own.load(cell)
    raise unknown("cell", cell, CELLS, hint="A cell of your own: FILE.py:NAME.")


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
