"""The simple recurrence, with tanh or with a rectifier."""

from lstmlab.cells.cell import Cell, Gates, State, relu, tanh


def step(x: Gates, r: Gates, state: State) -> State:
    """h_t = tanh(W x_t + b + R h_{t-1})."""
    return State(h=tanh(x.new + r.new))


def step_relu(x: Gates, r: Gates, state: State) -> State:
    """h_t = relu(W x_t + b + R h_{t-1})."""
    return State(h=relu(x.new + r.new))


RNN = Cell("rnn", states=("h",), gates=("new",), step=step, source="Elman 1990")
RNN_RELU = Cell("rnn-relu", states=("h",), gates=("new",), step=step_relu, source="Le, Jaitly & Hinton 2015")
