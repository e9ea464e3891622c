"""The fused kernel's numbers: its functions alone, far arguments, edges, odd names, denormals."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

import odd_cells
from cell_samples import DOUBLE, REFERENCE, Sample, close, make_inputs, make_weights
from lstmlab import kernels
from lstmlab.cells import CELLS, Cell, Gates, State, exp, log, maximum, minimum, relu, sigmoid, softplus, tanh
from lstmlab.kernels import build, passes
from lstmlab.kernels.source import Variant
from lstmlab.kernels.weights import Weights
from lstmlab.types import Padded

LSTM = CELLS["lstm"]
SINGLE = torch.float32
over_precisions = pytest.mark.parametrize("dtype", [SINGLE, DOUBLE], ids=str)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passes, "WORTH_A_THREAD", 1)
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


# ---- Every function, of every argument ----


def functions(x: Gates, _: Gates, state: State) -> State:
    """Each state is one function of the one gate."""
    u = x.u
    return State(
        u=1 * u,
        sigmoid=sigmoid(u),
        tanh=tanh(u),
        exp=exp(u),
        log=log(u),
        softplus=softplus(u),
        relu=relu(u),
        maximum=maximum(u, 0.5),
        minimum=minimum(-1, u),
        cubed=u**3,
        divided=u / (1 + u * u),
        inverse=1 / u,
        steep=log(softplus(u)),
    )


FUNCTIONS = Cell(
    "functions", ("u", *"sigmoid tanh exp log softplus relu maximum minimum cubed divided inverse steep".split()),
    ("u",), functions, recurrent=False,
)  # fmt: skip
ULPS = {"sigmoid": 4, "tanh": 4, "exp": 3, "log": 3, "softplus": 4, "cubed": 2, "divided": 3, "inverse": 1, "steep": 8}
"""Units in the last place by which values may be wrong; where there is none, they are exact."""


def applied(bias: Tensor, kernel: str) -> dict[str, tuple[Tensor, Tensor]]:
    """Each function of all arguments, and its derivative there. Arguments are biases, since 0 + b is b exactly."""
    bias = bias.clone().requires_grad_()
    weights = Weights(bias.new_zeros(len(bias), 1), bias.new_zeros(0, len(bias)), bias)
    _, end = kernels.run(FUNCTIONS, Padded(bias.new_zeros(1, 1, 1), torch.tensor([1])), weights, kernel=kernel)
    found = {}
    for name, value in end.items():
        (slope,) = torch.autograd.grad(value.sum(), bias, retain_graph=True)
        found[name] = value[0].detach(), slope
    return found


def arguments(dtype: torch.dtype) -> Tensor:
    """Of both signs, from tiny to far past where exp overflows, dense around 0 and 1."""
    top = 7 if dtype == SINGLE else 300
    sizes = torch.logspace(-30 if dtype == SINGLE else -200, top, 3000, dtype=DOUBLE)
    near = torch.linspace(-105 if dtype == SINGLE else -800, 105 if dtype == SINGLE else 800, 20001, dtype=DOUBLE)
    return torch.cat([sizes, -sizes, near, near / 50, 1 + near / 1e4]).to(dtype)


def ulps(found: Tensor, right: Tensor, dtype: torch.dtype) -> Tensor:
    """Distance in units of the last place of the right value, of the smallest normal number at least."""
    _, exponent = torch.frexp(right.abs().clamp(min=torch.finfo(dtype).tiny))
    unit = torch.ldexp(torch.tensor(torch.finfo(dtype).eps, dtype=right.dtype), exponent - 1)
    wrong = (found.to(right.dtype) - right).abs() / unit
    return torch.where((found == right) | (found.isnan() & right.isnan()), 0.0, wrong)


@over_precisions
def test_functions_are_right_to_a_few_units_in_the_last_place(dtype: torch.dtype) -> None:
    """Single precision against double. Double against torch's own double, which is itself right to about 1."""
    u = arguments(dtype)
    ours, right = applied(u, "cpu"), applied(u.to(DOUBLE), REFERENCE)
    largest, tiny = torch.finfo(dtype).max, torch.finfo(dtype).tiny
    for name, (value, _) in ours.items():
        expected = right[name][0]
        # At the very edge of overflow a result may be infinite too early, and denormal results may be zero.
        sure = ~(expected.abs() > largest / 2) | (expected.abs() > largest * 2) | (name not in ("exp", "steep"))
        sure &= (expected.abs() >= tiny) | (expected == 0) | (name in ("relu", "maximum", "minimum"))
        # log(softplus) is as good as softplus, where that is a number that is not denormal.
        sure &= (name != "steep") | (u > torch.log(torch.tensor(tiny, dtype=DOUBLE)) + 1)
        expected = torch.where(expected.abs() > largest, expected.sign() * torch.inf, expected)
        off = ulps(value, expected, dtype)[sure]
        if name == "steep":  # a logarithm near 0 has an absolute error
            off = ((value - expected).abs() / torch.finfo(dtype).eps / expected.abs().clamp(min=1))[sure]
        assert off.max() <= ULPS.get(name, 0), (name, float(off.max()), float(u[sure][off.argmax()]))


@over_precisions
def test_derivatives_of_functions(dtype: torch.dtype) -> None:
    u = arguments(dtype)
    u = u[u.abs() < (80 if dtype == SINGLE else 700)]
    ours, right = applied(u, "cpu"), applied(u.to(DOUBLE), REFERENCE)
    eps = torch.finfo(dtype).eps
    for name, (_, slope) in ours.items():
        expected = right[name][1]
        fine = expected.isfinite() & (expected.abs() < torch.finfo(dtype).max)
        off = (slope - expected).abs() / (eps * expected.abs().clamp(min=1))
        assert off[fine].max() <= 16, (name, float(off[fine].max()), float(u[fine][off[fine].argmax()]))


@over_precisions
def test_edges_are_the_reference_s(dtype: torch.dtype) -> None:
    """Zero, ties, infinities and NaN: values and slopes alike."""
    huge = torch.finfo(dtype).max
    u = torch.tensor([0.0, -0.0, 0.5, -1.0, 1.0, 1e4, -1e4, 1e30, -1e30, huge, -huge, torch.inf, -torch.inf, torch.nan])
    ours, theirs = (applied(u.to(dtype), kernel) for kernel in ("cpu", REFERENCE))
    for name in FUNCTIONS.states:
        for at, (left, right) in enumerate(zip(ours[name], theirs[name], strict=True)):
            if at == 1 and name in ("exp", "steep", "cubed", "divided", "inverse", "log", "softplus"):
                known = u.abs() <= 1  # 0 · ∞ is NaN or not, by the order of factors
                left, right = left[known], right[known]
            torch.testing.assert_close(left, right, rtol=1e-6, atol=1e-37, equal_nan=True, msg=lambda m, n=name: n + m)


# ---- Whole passes ----


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
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot take denormal numbers for zero")
    some = Sample(LSTM, [9, 4, 6, 9, 9, 1], 3, 17).to(SINGLE)
    weights = replace(some.weights, bias=torch.zeros_like(some.weights.bias))
    inputs = Padded(some.inputs.values * 1e-39 / 0.7, some.inputs.lengths)
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
    return State(h=tanh(out), padded=at, columns=tanh(number - 0.5 * state.columns), flow_h=state.h - x.here)


AWKWARD = Cell(
    "awkward",
    ("h", "padded", "columns", "flow_h"),
    ("n", "m", "i", "at", "left", "rows", "number", "step", "sum", "exp", "lambda", "here"),
    awkward,
    parameters=("plan",),
    recurrent_bias=("m", "rows"),
)


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
    cell = mixing(states, gates)
    if kernels.runs("cpu", cell):
        some = Sample(cell, [4, 2], 3, 5)
        ours, theirs = (some.judged(kernel) for kernel in ("cpu", REFERENCE))
        assert all(close(ours[name], right, 1e-9) for name, right in theirs.items())


@pytest.mark.parametrize("name", ['three """ quotes', "c:\\users\\new", "ends in \\", "two\nlines", "é" * 120, "n" * 300])
def test_a_cell_may_have_any_name(name: str) -> None:
    source = build.kernel_source(Variant(replace(LSTM, name=name)), "vectors")
    compile(source, "kernel", "exec")
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


def test_a_constant_that_changes_while_the_cell_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, inputs = make_weights(SCALED, 3, 5), make_inputs([4, 2], 3)
    for factor in (0.5, 0.25):
        monkeypatch.setattr("test_cpu_numbers.FACTOR", factor)
        ours, theirs = (kernels.run(SCALED, inputs, weights, kernel=kernel)[0].values for kernel in ("cpu", REFERENCE))
        assert close(ours, theirs)


def test_the_odd_cells_in_single_precision() -> None:
    for cell in odd_cells.ODD.values():
        some = Sample(cell, [5, 2, 0], 3, 7).to(SINGLE)
        ours, theirs = (some.judged(kernel) for kernel in ("cpu", REFERENCE))
        for name, right in theirs.items():
            torch.testing.assert_close(ours[name].to(right.dtype), right, rtol=1e-4, atol=1e-4, equal_nan=True)
