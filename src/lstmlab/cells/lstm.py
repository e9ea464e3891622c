"""Long short-term memory with a forget gate."""

from lstmlab.cells.cell import Cell, Gates, State, sigmoid, tanh


def step(x: Gates, r: Gates, state: State) -> State:
    """c_t = f c_{t-1} + i tanh(…) and h_t = o tanh(c_t): what is forgotten, what is written, what is shown."""
    c = sigmoid(x.forget + r.forget) * state.c + sigmoid(x.input + r.input) * tanh(x.cell + r.cell)
    return State(h=sigmoid(x.output + r.output) * tanh(c), c=c)


LSTM = Cell(
    "lstm",
    states=("h", "c"),
    gates=("input", "forget", "cell", "output"),
    step=step,
    initial_bias={"forget": 1.0},
    source="Hochreiter & Schmidhuber 1997; Gers et al. 2000",
)
