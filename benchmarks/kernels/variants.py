"""Other cells, normalisation and noise against the plain LSTM; both directions on two threads; the parallel scan."""

from collections.abc import Callable

import torch

from lstmlab.cells import CELLS
from lstmlab.kernels.noise import Noise
from lstmlab.nn import Recurrent
from lstmlab.types import Padded

from .layers import HIDDEN, Run, Shape, forced, ours, shapes
from .measure import Options, Row, Side, Table, mean, race

VARIANTS = ("peephole", "coupled", "mgu")
WITHIN, NORMALISED_WITHIN = 1.25, 1.5
REFERENCE, REFERENCE_GOAL, REFERENCE_ROUNDS = 5, 20, 3
BOTH_CORES, BOTH_CORES_GOAL = 1.7, 1.95
SCAN, SCAN_GOAL = 2, 4
NOISES = {
    "recurrent dropout 0.2": Noise(dropout=0.2, seed=0),
    "zoneout h 0.1, c 0.1": Noise(zoneout={"h": 0.1, "c": 0.1}, seed=0),
    "both": Noise(dropout=0.2, zoneout={"h": 0.1, "c": 0.1}, seed=0),
}

Make = Callable[[Shape, Padded, str | None], Run]
"""What runs a variant on inputs by a kernel (None: the one that is chosen)."""


def variants(options: Options) -> Table:
    """Variants of the LSTM against it, and against the time loop in plain PyTorch."""
    table = Table("Variants, ragged (time over the plain LSTM's; our milliseconds in brackets)")
    made: dict[str, Make] = {name: _cell(name) for name in VARIANTS if name in CELLS}
    absent = [name for name in VARIANTS if name not in CELLS]
    if absent:
        table.notes.append(f"Not on the shelf of cells, so left out: {', '.join(absent)}.")
    made["lstm, layer-normalised"] = _normalised
    for hidden in options.sizes(HIDDEN):
        seconds = {shape: _against_plain(shape, made, options) for shape in shapes(options, hidden)}
        for name in made:
            need = NORMALISED_WITHIN if name.endswith("normalised") else WITHIN
            table.rows.append(_row(f"{name} / plain lstm", seconds, name, "plain", need=need))
            slow = {shape: _reference(shape, made[name], one[name]) for shape, one in seconds.items()}
            table.rows.append(
                _row(f"{name}: reference loop / ours", slow, "reference", "ours", REFERENCE, REFERENCE_GOAL)
            )
    return table


def regularised(options: Options) -> Table:
    """Recurrent dropout and zoneout against the plain LSTM. No bound is given for them: they should cost little."""
    table = Table("Regularised LSTM, ragged (time over the plain LSTM's; our milliseconds in brackets)")
    made: dict[str, Make] = {name: _noisy(noise) for name, noise in NOISES.items()}
    for hidden in options.sizes(HIDDEN):
        seconds = {shape: _against_plain(shape, made, options) for shape in shapes(options, hidden)}
        table.rows += [_row(f"{name} / plain", seconds, name, "plain", at_most=True) for name in made]
    return table


def bidirectional(options: Options) -> Table:
    """Both directions on two threads against one thread."""
    table = Table("Bidirectional LSTM, ragged (time on one thread over time on two; milliseconds on two in brackets)")
    for hidden in options.sizes(HIDDEN):
        seconds = {}
        for shape in shapes(options, hidden):
            inputs = shape.inputs(ragged=True)
            run = ours("lstm", shape, inputs, kernel=options.kernel, bidirectional=True)
            seconds[shape] = race({"two": Side(run, 2), "one": Side(run, 1)}, options.rounds)
        table.rows.append(_row("one thread / two", seconds, "one", "two", BOTH_CORES, BOTH_CORES_GOAL))
    torch.set_num_threads(options.threads)
    return table


def scan(options: Options) -> Table:
    """Tokens a second of minGRU against the LSTM, with as many parameters and inputs as wide as its states."""
    table = Table("minGRU's parallel scan, T 200, equal lengths (its tokens a second over the LSTM's)")
    if "mingru" not in CELLS:
        table.notes.append("Left out: there is no cell mingru on the shelf yet.")
        return table
    for hidden in options.sizes(HIDDEN):
        wide = equal_size(hidden)
        parts, ratios = {}, []
        for shape in shapes(options, hidden, steps=(200,)):
            other = Shape(shape.batch, shape.steps, wide)
            sides = {
                name: ours(name, one, one.inputs(ragged=False), kernel=options.kernel if name == "lstm" else None)
                for name, one in (("lstm", shape), ("mingru", other))
            }
            seconds = race(sides, options.rounds)
            tokens = shape.batch * shape.steps
            ratios.append(seconds["lstm"] / seconds["mingru"])
            speeds = " / ".join(f"{tokens / seconds[name]:,.0f}" for name in ("mingru", "lstm"))
            parts[str(shape)] = f"{ratios[-1]:.2f} ({speeds})"
        sizes = f"H {wide} / {hidden}, {parameters('mingru', wide):,} / {parameters('lstm', hidden):,} parameters"
        table.rows.append(Row("mingru / lstm", sizes, parts, mean(ratios), SCAN, SCAN_GOAL))
    return table


def equal_size(hidden: int) -> int:
    """The hidden size at which minGRU has as many parameters as the LSTM, both with inputs as wide as their states."""
    wanted = parameters("lstm", hidden)
    return min(range(hidden, 4 * hidden), key=lambda size: abs(parameters("mingru", size) - wanted))


def parameters(cell: str, hidden: int) -> int:
    """Numbers that a layer learns."""
    with torch.device("meta"):
        return sum(one.numel() for one in Recurrent(cell, hidden, hidden).parameters())


def _cell(name: str) -> Make:
    return lambda shape, inputs, kernel: ours(name, shape, inputs, kernel=kernel)


def _normalised(shape: Shape, inputs: Padded, kernel: str | None) -> Run:
    return forced("lstm", shape, inputs, kernel=kernel, normalised=True)


def _noisy(noise: Noise) -> Make:
    return lambda shape, inputs, kernel: forced("lstm", shape, inputs, kernel=kernel, noise=noise)


def _against_plain(shape: Shape, made: dict[str, Make], options: Options) -> dict[str, float]:
    inputs = shape.inputs(ragged=True)
    sides = {name: make(shape, inputs, _able(options.kernel)) for name, make in made.items()}
    return race({"plain": ours("lstm", shape, inputs, kernel=options.kernel), **sides}, options.rounds)


def _able(kernel: str | None) -> str | None:
    """torch's own layers run no variant: then the chosen kernel does."""
    return None if kernel == "native" else kernel


def _reference(shape: Shape, make: Make, ours: float) -> dict[str, float]:
    run = make(shape, shape.inputs(ragged=True), "reference")
    return {"ours": ours, "reference": race({"reference": run}, REFERENCE_ROUNDS)["reference"]}


def _row(
    measure: str,
    seconds: dict[Shape, dict[str, float]],
    upper: str,
    lower: str,
    need: float | None = None,
    goal: float | None = None,
    *,
    at_most: bool = False,
) -> Row:
    ratios = {shape: one[upper] / one[lower] for shape, one in seconds.items()}
    mine = upper if lower == "plain" else lower
    parts = {str(shape): f"{ratio:.2f} ({seconds[shape][mine] * 1e3:.1f})" for shape, ratio in ratios.items()}
    hidden = next(iter(seconds)).hidden
    return Row(measure, f"H {hidden}", parts, mean(ratios.values()), need, goal, at_most or lower == "plain")
