"""LSTM and GRU against torch's own, on ragged and on equal lengths, and against the bare matrix products."""

from .layers import HIDDEN, Shape, ours, products, shapes, theirs
from .measure import Options, Row, Table, mean, race

PACKED = {
    "lstm": dict(zip(HIDDEN, (5, 4, 2, 1.3), strict=True)),
    "gru": dict(zip(HIDDEN, (4.5, 3.5, 1.8, 1.3), strict=True)),
}
PADDED = {
    "lstm": dict(zip(HIDDEN, (1.5, 1.4, 1.1, 0.95), strict=True)),
    "gru": dict(zip(HIDDEN, (2.5, 2, 1.5, 1.3), strict=True)),
}
EQUAL = {"lstm": dict(zip(HIDDEN, (1.2, 0.9, 0.9, 0.9), strict=True)), "gru": {}}
EQUAL_GOAL = {"lstm": {64: 1.6, 128: 1.6}, "gru": {}}
NEVER_BELOW, GRU_OVERALL, OF_PRODUCTS = 0.9, 1.4, 0.85

Seconds = dict[Shape, dict[str, float]]


def lstm(options: Options) -> Table:
    """The LSTM."""
    return compare("lstm", options)


def gru(options: Options) -> Table:
    """The GRU."""
    return compare("gru", options)


def compare(cell: str, options: Options) -> Table:
    """A cell of torch's: four measures, at each size."""
    name = f"nn.{cell.upper()}"
    table = Table(f"{cell.upper()} against {name} (speed of torch's time over ours; our milliseconds in brackets)")
    equal_ratios: list[float] = []
    for hidden in options.sizes(HIDDEN):
        ragged, equal = timed(cell, hidden, options, ragged=True), timed(cell, hidden, options, ragged=False)
        goal = EQUAL_GOAL[cell].get(hidden)
        table.rows += [
            row(f"ragged, against {name} packed", ragged, "packed", PACKED[cell].get(hidden)),
            row(f"ragged, against {name} padded", ragged, "padded", PADDED[cell].get(hidden)),
            row("ragged, share of the bare products' speed", ragged, "products", goal=OF_PRODUCTS, unit="%"),
            row(f"equal lengths, against {name}", equal, "padded", EQUAL[cell].get(hidden), goal),
            row("equal lengths, share of the bare products' speed", equal, "products", goal=OF_PRODUCTS, unit="%"),
        ]
        equal_ratios += [one["padded"] / one["ours"] for one in equal.values()]
    if cell == "lstm" and equal_ratios:
        table.rows.append(Row("equal lengths, the lowest of all shapes", "all", {}, min(equal_ratios), NEVER_BELOW))
    elif equal_ratios:
        table.rows.append(Row("equal lengths, mean over all shapes", "all", {}, mean(equal_ratios), GRU_OVERALL))
    return table


def timed(cell: str, hidden: int, options: Options, *, ragged: bool) -> Seconds:
    """Seconds of every side, shape by shape."""
    found = {}
    for shape in shapes(options, hidden):
        inputs = shape.inputs(ragged=ragged)
        sides = {
            "ours": ours(cell, shape, inputs, kernel=options.kernel),
            "padded": theirs(cell, shape, inputs, packed=False),
            "products": products(cell, shape, inputs),
        }
        if ragged:
            sides["packed"] = theirs(cell, shape, inputs, packed=True)
        found[shape] = race(sides, options.rounds)
    return found


def row(
    measure: str, seconds: Seconds, side: str, need: float | None = None, goal: float | None = None, unit: str = "×"
) -> Row:
    """How many times as fast as a side we are, at one hidden size."""
    hidden = next(iter(seconds)).hidden
    ratios = {shape: one[side] / one["ours"] for shape, one in seconds.items()}
    parts = {str(shape): f"{ratio:.2f} ({seconds[shape]['ours'] * 1e3:.1f})" for shape, ratio in ratios.items()}
    return Row(measure, f"H {hidden}", parts, mean(ratios.values()), need, goal, unit=unit)
