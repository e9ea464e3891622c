"""The sLSTM of the xLSTM: an exponential input gate, a normaliser, and a stabiliser that keeps both in range."""

from lstmlab.cells.cell import Cell, Gates, State, exp, maximum, sigmoid, softplus, tanh

LEAST = 1e-30
START = -1e4


def step(x: Gates, r: Gates, state: State) -> State:
    """c_t = f c_{t-1} + i tanh(…), n_t = f n_{t-1} + i and h_t = o c_t / n_t, with i = exp(…) and f = sigmoid(…).

    c and n are kept divided by e^m, where m_t = max(log f + m_{t-1}, log i); h does not depend on m. (Beck et al. 2024,
    equations 8 to 17; with sigmoid as the forget gate.)
    """
    write = x.input + r.input
    keep = state.m - softplus(-(x.forget + r.forget))
    m = maximum(keep, write)
    c = exp(keep - m) * state.c + exp(write - m) * tanh(x.cell + r.cell)
    n = exp(keep - m) * state.n + exp(write - m)
    # One of the two factors is 1, so n stays at 1 or more from the first thing written. LEAST is for what was written
    # so faintly, compared to the first m, that nothing is left of it: h is then 0, as c is, and not 0 / 0.
    return State(h=sigmoid(x.output + r.output) * c / maximum(n, LEAST), c=c, n=n, m=m)


# While c and n are zero any m means the same, but the first write has to outweigh it: with m = 0 an input gate of
# e^-200 would vanish beside e^m, though h is o tanh(…) whatever the gate. Minus infinity would say so exactly; its
# gradients, and zoneout's products with it, would be NaN. No sum of weights and inputs comes near -10,000, which half
# precision can hold as well. (For the same reason the input gate's bias does nothing until a state is handed over: it
# multiplies all that is ever written alike.)
SLSTM = Cell(
    "slstm",
    states=("h", "c", "n", "m"),
    gates=("input", "forget", "cell", "output"),
    step=step,
    initial_bias={"forget": 1.0},
    initial_state={"m": START},
    source="Beck et al. 2024",
)
