"""The gated recurrent unit, resetting after the recurrent product (as torch, cuDNN and Keras do)."""

from lstmlab.cells.cell import Cell, Gates, State, sigmoid, tanh


def step(x: Gates, r: Gates, state: State) -> State:
    """h_t = (1 - z) n + z h_{t-1}, with n = tanh(x_n + reset r_n); the update gate z keeps the old."""
    update = sigmoid(x.update + r.update)
    new = tanh(x.new + sigmoid(x.reset + r.reset) * r.new)
    return State(h=(1 - update) * new + update * state.h)


GRU = Cell(
    "gru",
    states=("h",),
    gates=("reset", "update", "new"),
    step=step,
    recurrent_bias=("new",),
    source="Cho et al. 2014; reset after the product: Appleyard et al. 2016",
)
