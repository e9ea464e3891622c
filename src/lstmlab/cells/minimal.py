"""minGRU and minLSTM: gates that read the input alone, so that h_t = a_t h_{t-1} + b_t can be run in parallel."""

from lstmlab.cells.cell import Cell, Gates, State, sigmoid, softplus


def step_gru(x: Gates, _: Gates, state: State) -> State:
    """h_t = (1 - z) h_{t-1} + z n: here the update gate z lets the new in, and n is linear (Feng et al. 2024, 3.1)."""
    update = sigmoid(x.update)
    return State(h=(1 - update) * state.h + update * x.new)


def step_lstm(x: Gates, _: Gates, state: State) -> State:
    """h_t = f / (f + i) h_{t-1} + i / (f + i) n, with f and i sigmoids and n linear (Feng et al. 2024, 3.2).

    f / (f + i) is sigmoid(log f - log i), which holds where f and i are too small for a float.
    """
    odds = softplus(-x.input) - softplus(-x.forget)
    return State(h=sigmoid(odds) * state.h + sigmoid(-odds) * x.new)


MINGRU = Cell(
    "mingru",
    states=("h",),
    gates=("update", "new"),
    step=step_gru,
    recurrent=False,
    source="Feng et al. 2024",
)
MINLSTM = Cell(
    "minlstm",
    states=("h",),
    gates=("input", "forget", "new"),
    step=step_lstm,
    initial_bias={"forget": 1.0},
    recurrent=False,
    source="Feng et al. 2024",
)
