"""Relatives of the LSTM and the GRU: gates that see the memory, one gate for two, one gate for all."""

from lstmlab.cells.cell import Cell, Gates, State, sigmoid, tanh


def step_peephole(x: Gates, r: Gates, state: State) -> State:
    """c_t = f c_{t-1} + i tanh(…) and h_t = o tanh(c_t), where i and f see p c_{t-1}, and o sees p c_t.

    p is one number per unit and gate (Gers & Schmidhuber 2000, equations 5 to 9).
    """
    write = sigmoid(x.input + r.input + x.input_peephole * state.c)
    keep = sigmoid(x.forget + r.forget + x.forget_peephole * state.c)
    c = keep * state.c + write * tanh(x.cell + r.cell)
    return State(h=sigmoid(x.output + r.output + x.output_peephole * c) * tanh(c), c=c)


def step_coupled(x: Gates, r: Gates, state: State) -> State:
    """c_t = f c_{t-1} + (1 - f) tanh(…) and h_t = o tanh(c_t): as much is written as was forgotten.

    Greff et al. 2017, variant CIFG.
    """
    keep = sigmoid(x.forget + r.forget)
    c = keep * state.c + (1 - keep) * tanh(x.cell + r.cell)
    return State(h=sigmoid(x.output + r.output) * tanh(c), c=c)


def step_mgu(x: Gates, r: Gates, state: State) -> State:
    """h_t = (1 - f) h_{t-1} + f n, with n = tanh(x_n + f r_n): an open forget gate lets the new in.

    Zhou et al. 2016, equations 8 to 10, but f multiplies R h and not h, as the reset of our GRU does.
    """
    forget = sigmoid(x.forget + r.forget)
    return State(h=(1 - forget) * state.h + forget * tanh(x.new + forget * r.new))


PEEPHOLE = Cell(
    "peephole",
    states=("h", "c"),
    gates=("input", "forget", "cell", "output"),
    step=step_peephole,
    parameters=("input_peephole", "forget_peephole", "output_peephole"),
    initial_bias={"forget": 1.0},
    source="Gers & Schmidhuber 2000",
)
COUPLED = Cell(
    "coupled",
    states=("h", "c"),
    gates=("forget", "cell", "output"),
    step=step_coupled,
    initial_bias={"forget": 1.0},
    source="Greff et al. 2017",
)
# No bias of 1 here: this forget gate drops the past where it is open, so it would start by forgetting more.
MGU = Cell(
    "mgu",
    states=("h",),
    gates=("forget", "new"),
    step=step_mgu,
    recurrent_bias=("new",),
    source="Zhou et al. 2016; forgetting after the product",
)
