"""The fused kernel's numbers: its functions alone, far arguments, edges, odd names, denormals."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from cell_samples import DOUBLE, REFERENCE, Sample, close, make_inputs, make_weights
from lstmlab import kernels
from lstmlab.cells import CELLS, Cell, Gates, State, exp, log, maximum, minimum, relu, sigmoid, softplus, tanh
from lstmlab.kernels import build, source
from lstmlab.kernels.symbolic import NotTraceable, trace
from lstmlab.kernels.variant import Variant
from lstmlab.kernels.weights import Weights
from lstmlab.types import Padded

pytestmark = pytest.mark.usefixtures("many_threads")

LSTM = CELLS["lstm"]
SINGLE = torch.float32
over_precisions = pytest.mark.parametrize("dtype", [SINGLE, DOUBLE], ids=str)


# ---- Every function, of every argument ----


NAMES = tuple("same sigmoid tanh exp log softplus relu maximum minimum cubed divided inverse steep".split())


def functions(x: Gates, _: Gates, state: State) -> State:
    """Each state is one function of the gate of its name."""
    return State(
        same=1 * x.same,
        sigmoid=sigmoid(x.sigmoid),
        tanh=tanh(x.tanh),
        exp=exp(x.exp),
        log=log(x.log),
        softplus=softplus(x.softplus),
        relu=relu(x.relu),
        maximum=maximum(x.maximum, 0.5),
        minimum=minimum(-1, x.minimum),
        cubed=x.cubed**3,
        divided=x.divided / (1 + x.divided * x.divided),
        inverse=1 / x.inverse,
        steep=log(softplus(x.steep)),
    )


FUNCTIONS = Cell("functions", NAMES, NAMES, functions, recurrent=False)
ULPS = {"sigmoid": 2, "tanh": 3, "exp": 2, "log": 4, "softplus": 4, "cubed": 2, "divided": 3, "inverse": 1, "steep": 4}
"""Units in the last place by which values may be wrong; where there is none, they are exact."""
RANGE = {SINGLE: (-87.2, 88.3), DOUBLE: (-707.9, 709.3)}
"""Where e^u is neither denormal nor near the largest number: outside, it may be zero or infinite a little early."""


def applied(arguments: Tensor, kernel: str) -> dict[str, tuple[Tensor, Tensor]]:
    """Each function of all arguments, and its derivative there. Arguments are biases, since 0 + b is b exactly."""
    bias = arguments.repeat(len(NAMES)).requires_grad_()
    weights = Weights(bias.new_zeros(len(bias), 1), bias.new_zeros(0, len(arguments)), bias)
    _, end = kernels.run(FUNCTIONS, Padded(bias.new_zeros(1, 1, 1), torch.tensor([1])), weights, kernel=kernel)
    sum(value.sum() for _, value in end.items()).backward()
    slopes = bias.grad.view(len(NAMES), -1)
    return {name: (end[name][0].detach(), slope) for name, slope in zip(NAMES, slopes, strict=True)}


def spread_out(dtype: torch.dtype) -> Tensor:
    """Arguments of both signs, from tiny to far past where exp overflows, dense around 0 and 1."""
    single = dtype == SINGLE
    sizes = torch.logspace(-18 if single else -150, 12 if single else 100, 3000, dtype=DOUBLE)
    near = torch.linspace(-105, 105, 20001, dtype=DOUBLE) * (1 if single else 7.5)
    return torch.cat([sizes, -sizes, near, near / 50, 1 + near / 1e4]).to(dtype)


def unit(right: Tensor, dtype: torch.dtype) -> Tensor:
    """The last place of a number."""
    _, exponent = torch.frexp(right.abs().clamp(min=torch.finfo(dtype).tiny))
    return torch.ldexp(torch.full_like(right, torch.finfo(dtype).eps), exponent - 1)


@pytest.mark.slow
@over_precisions
def test_functions_are_right_to_a_few_units_in_the_last_place(dtype: torch.dtype) -> None:
    """Single precision against double; double against torch's own, which is itself right to about one unit."""
    u, (low, high) = spread_out(dtype), RANGE[dtype]
    ours, right = applied(u, "cpu"), applied(u.to(DOUBLE), REFERENCE)
    for name, (value, _) in ours.items():
        expected, off = right[name][0], (value - right[name][0]).abs()
        last = unit(expected, dtype)
        if name == "steep":  # the logarithm of what may be near 1
            last = last.clamp(min=torch.finfo(dtype).eps)
        sure = torch.ones_like(off, dtype=torch.bool)
        if name == "exp":
            sure = (u >= low) & (u <= high)
            assert not value[u < low - 1].any()  # denormal results are zero
            assert value[u > high + 1].isposinf().all()
        elif name in ("sigmoid", "softplus", "steep"):
            sure = u >= low
            assert name == "steep" or (value[~sure] <= 2 * torch.finfo(dtype).tiny).all()
        same = (value == expected) | (value.isnan() & expected.isnan())
        wrong = torch.where(same | ~sure, 0.0, off / last)
        assert wrong.max() <= ULPS.get(name, 0), (name, float(wrong.max()), float(u[wrong.argmax()]))


@pytest.mark.slow
@over_precisions
def test_derivatives_of_functions(dtype: torch.dtype) -> None:
    """To a few units in the last place of the derivative, or of 1 where it is smaller."""
    u, (low, high) = spread_out(dtype), RANGE[dtype]
    u = u[(u > low) & (u < high)]
    ours, right = applied(u, "cpu"), applied(u.to(DOUBLE), REFERENCE)
    for name, (_, slope) in ours.items():
        expected = right[name][1]
        same = (slope == expected) | (slope.isnan() & expected.isnan()) | (expected.abs() > torch.finfo(dtype).max)
        wrong = (slope - expected).abs() / torch.finfo(dtype).eps / expected.abs().clamp(min=1)
        wrong = torch.where(same, 0.0, wrong).nan_to_num(nan=torch.inf)
        assert wrong.max() <= 8, (name, float(wrong.max()), float(u[wrong.argmax()]))


@pytest.mark.slow
@over_precisions
@pytest.mark.parametrize("name", NAMES)
def test_edges_are_the_reference_s(name: str, dtype: torch.dtype) -> None:
    """Zero, ties, infinities and NaN: values everywhere; slopes where no factor is 0 times infinity."""
    huge = torch.finfo(dtype).max
    u = torch.tensor(
        [0.0, -0.0, 0.5, -1.0, 1.0, 1e4, -1e4, 1e9, -1e9, 1e30, -1e30, huge, -huge, torch.inf, -torch.inf, torch.nan],
        dtype=DOUBLE,
    ).to(dtype)
    ours, theirs = applied(u, "cpu")[name], applied(u, REFERENCE)[name]
    # log(softplus(u)) has no number to hold softplus(u) in.
    known = torch.ones_like(u, dtype=torch.bool) if name != "steep" else u.isnan() | (u > -1e4)
    torch.testing.assert_close(ours[0][known], theirs[0][known], rtol=1e-6, atol=1e-37, equal_nan=True)
    known &= (u.abs() <= 1e9) & ((u > -100) | (name not in ("steep",)))
    torch.testing.assert_close(ours[1][known], theirs[1][known], rtol=1e-6, atol=1e-37, equal_nan=True)


# ---- Whole passes ----


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lstm", "gru"])
@over_precisions
@pytest.mark.parametrize("size", [1e4, 1e30, torch.inf, -torch.inf, torch.nan])
def test_a_row_of_extremes(name: str, dtype: torch.dtype, size: float) -> None:
    """It is what the reference makes of it, and stays alone."""
    some = Sample(CELLS[name], [6, 7, 2, 0, 5], 3, 17).to(dtype)
    fine, _ = some.run("cpu")
    some.inputs.values[1, 2:] *= size
    (ours, end), (theirs, last) = some.run("cpu"), some.run(REFERENCE)
    torch.testing.assert_close(ours.values, theirs.values, rtol=1e-5, atol=1e-5, equal_nan=True)
    torch.testing.assert_close(end.h, last.h, rtol=1e-5, atol=1e-5, equal_nan=True)
    others = torch.tensor([0, 2, 3, 4])
    assert torch.equal(ours.values[others], fine.values[others])


def test_denormal_numbers_count_or_not_as_the_caller_says() -> None:
    """Whichever thread does the work."""
    some = Sample(LSTM, [9, 4, 6, 9, 9, 1], 3, 17).to(SINGLE)
    weights = replace(some.weights, bias=torch.zeros_like(some.weights.bias))
    inputs = Padded(some.inputs.values * 1e-39, some.inputs.lengths)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot take denormal numbers for zero")
    found = {}
    for flush in (True, False, True, False):
        torch.set_flush_denormal(flush)
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            bits = kernels.run(LSTM, inputs, weights, kernel="cpu")[0].values.view(torch.int32)
            assert torch.equal(found.setdefault(flush, bits), bits)
    assert not found[True].any()
    assert found[False].any()


# ---- Cells as people write them ----


def awkward(x: Gates, r: Gates, state: State) -> State:
    at = sigmoid(x.at + r.at) * state.padded - tanh(x.n) * r.m
    number = relu(x.number + r.number) + maximum(x.left, r.rows) - minimum(x.step, x.sum) * x.i
    out = tanh(at + number / 7) * sigmoid(x.exp + r.exp) + getattr(x, "lambda") * x.plan / 9
    return State(
        h=tanh(out), padded=at, columns=tanh(number - 0.5 * state.columns), flow_h=state.h - x.here + state.flow_h / 2
    )


AWKWARD = Cell(
    "awkward",
    ("h", "padded", "columns", "flow_h"),
    ("n", "m", "i", "at", "left", "rows", "number", "step", "sum", "exp", "lambda", "here"),
    awkward,
    parameters=("plan",),
    recurrent_bias=("m", "rows"),
)


@pytest.mark.slow
def test_awkward_names() -> None:
    for lengths in ([4, 0, 6, 1], [3]):
        some = Sample(AWKWARD, lengths, 3, 5)
        ours, theirs = (some.judged(kernel) for kernel in ("cpu", REFERENCE))
        assert all(close(ours[name], right, 1e-9) for name, right in theirs.items())


def mixing(states: tuple[str, ...], gates: tuple[str, ...]) -> Cell:
    def step(x: Gates, r: Gates, state: State) -> State:
        one, two = (getattr(x, gate) + getattr(r, gate) for gate in gates)
        return State(**{name: tanh(one) * state[name] + sigmoid(two) for name in states})

    return Cell("mixing", states, gates, step)


@pytest.mark.parametrize(
    ("states", "gates"),
    [(("h", "x"), ("before", "after")), (("r", "h"), ("before", "after")), (("h", "s"), ("before", "x")),
     (("h", "d_h"), ("a", "b"))],
    ids=str,
)  # fmt: skip
def test_names_that_could_be_taken_for_each_other(states: tuple[str, ...], gates: tuple[str, ...]) -> None:
    """Such a cell is not compiled, and runs all the same."""
    cell = mixing(states, gates)
    with pytest.raises(NotTraceable, match="run into each other"):
        trace(cell)
    assert not kernels.runs("cpu", cell)
    some = Sample(cell, [4, 2], 3, 5)
    outputs, _ = kernels.run(cell, some.inputs, some.weights, some.begin)
    assert torch.equal(outputs.values, some.run(REFERENCE)[0].values)


@pytest.mark.parametrize(
    "name", ['three """ quotes', "c:\\users\\new", "ends in \\", "two\nlines", "é" * 120, "n" * 300]
)
def test_a_cell_may_have_any_name(name: str) -> None:
    text = source.kernel_source(Variant(replace(LSTM, name=name)), "vectors")
    compile(text, "kernel", "exec")
    assert len(f"{build._name(Variant(replace(LSTM, name=name)))}.backward-100.py311.nbi".encode()) < 200


FACTOR = 0.5


def scaled(x: Gates, r: Gates, state: State) -> State:
    return State(h=tanh(FACTOR * (x.new + r.new)))


SCALED = Cell("scaled", ("h",), ("new",), scaled)


def test_a_constant_of_a_step_is_part_of_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a cell in a notebook changes: by a new cell with the same name and words, or under the same function."""
    names = {build._name(Variant(SCALED))}
    monkeypatch.setattr("test_cpu_numbers.FACTOR", 0.25)
    names.add(build._name(Variant(Cell("scaled", ("h",), ("new",), lambda x, r, state: scaled(x, r, state)))))
    assert len(names) == 2


@pytest.mark.slow
def test_a_constant_that_changes_while_the_cell_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, inputs = make_weights(SCALED, 3, 5), make_inputs([4, 2], 3)
    for factor in (0.5, 0.25):
        monkeypatch.setattr("test_cpu_numbers.FACTOR", factor)
        ours, theirs = (kernels.run(SCALED, inputs, weights, kernel=kernel)[0].values for kernel in ("cpu", REFERENCE))
        assert close(ours, theirs)
