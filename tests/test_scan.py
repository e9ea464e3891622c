"""The parallel scan: which cells it takes, its values and gradients, and numbers at the edge."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import over
from cell_samples import Case, Sample, close
from lstmlab.cells import CELLS, Cell, Gates, State, maximum, relu, sigmoid, tanh
from lstmlab.kernels import reference, scan
from lstmlab.kernels.noise import Noise
from lstmlab.kernels.weights import Weights

pytestmark = pytest.mark.slow

SMALL, WIDE = (3, 4), (2, scan.WIDE // 2)
"""Rows and units that are scanned in chunks where there are many steps, and such that never are."""


def by_hand(factor: Tensor, added: Tensor, start: Tensor) -> Tensor:
    h, shown = start, []
    for a, b in zip(factor.unbind(1), added.unbind(1), strict=True):
        h = a * h + b
        shown.append(h)
    return torch.stack(shown, 1)


def drawn(rows: int, steps: int, units: int, scale: float = 1.2) -> list[Tensor]:
    """Factors on both sides of zero and of one; some are exactly zero."""
    factor = (torch.rand(rows, steps, units).double() * 2 - 1) * scale
    factor[torch.rand(factor.shape) < 0.1] = 0
    return [factor, torch.randn(rows, steps, units).double(), torch.randn(rows, units).double()]


# Which cells


def leaky(x: Gates, _: Gates, state: State) -> State:
    return State(h=sigmoid(x.leak) * state.h + x.new - state.h / 4)


LEAKY = Cell("leaky", ("h",), ("new",), leaky, parameters=("leak",), recurrent=False)
"""The factor depends on no input: one number for each unit."""


def step_of(name: str) -> Cell:
    steps = {
        "bent": lambda x, _, state: State(h=tanh(state.h) + x.new),
        "square": lambda x, _, state: State(h=state.h * state.h + x.new),
        "shut": lambda x, _, state: State(h=relu(state.h + x.new)),
        "larger": lambda x, _, state: State(h=maximum(state.h, x.new)),
        "untraceable": lambda x, _, state: State(h=torch.sin(x.new) + state.h),
        "constant": lambda x, _, state: State(h=state.h * 0.5 + x.new),
        "forgetful": lambda x, _, state: State(h=tanh(x.new)),
        "integrator": lambda x, _, state: State(h=state.h + relu(x.new)),
    }
    return Cell(name, ("h",), ("new",), steps[name], recurrent=False)


def test_what_fits_is_blind_and_affine() -> None:
    assert [name for name, cell in CELLS.items() if scan.fits(cell)] == ["mingru", "minlstm"]
    assert not any(scan.fits(step_of(name)) for name in ("bent", "square", "shut", "larger", "untraceable"))
    assert all(scan.fits(cell) for cell in (LEAKY, *map(step_of, ("constant", "forgetful", "integrator"))))
    two = Cell("two", ("h", "c"), ("new",), lambda x, _, s: State(h=s.h + s.c, c=x.new), recurrent=False)
    assert not scan.fits(two)
    sample = Sample(CELLS["lstm"], [2], 1, 1)
    with pytest.raises(ValueError, match='the cell "lstm" cannot be scanned'):
        scan.run(sample.cell, sample.inputs, sample.weights, sample.begin)


@pytest.mark.parametrize("cell", [LEAKY, *map(step_of, ("constant", "forgetful", "integrator"))], ids=lambda c: c.name)
@pytest.mark.parametrize("seed", [None, 5])
def test_own_cells_run_as_the_reference_runs_them(cell: Cell, seed: int | None) -> None:
    torch.manual_seed(0)
    for case in (Case(), Case(("input",), Noise(0.5, {"h": 0.3}, seed))):
        sample = Sample(cell, [40, 23, 0], 3, 4, case)
        said = (cell, sample.inputs, sample.weights, sample.begin, case.noise)
        ours, theirs = scan.run(*said), reference.run(*said)
        assert close(ours[0].values, theirs[0].values)
        assert close(ours[1].h, theirs[1].h)


# Values and gradients


@over.quick
@given(steps=st.sampled_from([1, 2, 8, 15, 16, 17, 24, 25, 63, 64, 65, 127, 128, 129, 150, 300]))
def test_a_scan_is_the_loop(steps: int) -> None:
    torch.manual_seed(steps)
    leaves = [one.requires_grad_() for one in drawn(3, steps, 4)]
    weights = torch.randn(3, steps, 4).double()
    found = [function(*leaves) for function in (scan.scan, by_hand)]
    assert close(*found)
    ours, theirs = (torch.autograd.grad((one * weights).sum(), leaves) for one in found)
    assert all(close(left, right) for left, right in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("steps", [1, 3, 20, 35])
def test_the_scans_gradient_is_right(steps: int) -> None:
    torch.manual_seed(0)
    assert torch.autograd.gradcheck(scan.scan, [one.requires_grad_() for one in drawn(2, steps, 2)])


def test_wide_steps_go_one_by_one_to_the_same_end() -> None:
    torch.manual_seed(0)
    leaves = [one.requires_grad_() for one in drawn(*WIDE[:1], 40, *WIDE[1:])]
    found = [function(*leaves) for function in (scan.scan, by_hand)]
    assert close(*found, 1e-14)
    ours, theirs = (torch.autograd.grad(one.square().sum(), leaves) for one in found)
    assert all(close(left, right) for left, right in zip(ours, theirs, strict=True))


def test_gradients_from_anywhere() -> None:
    """One step's output, the last alone, and a gradient that is one number seen everywhere."""
    torch.manual_seed(0)
    leaves = [one.requires_grad_() for one in drawn(2, 50, 3)]
    for chosen in (lambda h: h[:, 7].sum(), lambda h: h[:, -1].sum(), lambda h: h.sum()):
        ours, theirs = (torch.autograd.grad(chosen(function(*leaves)), leaves) for function in (scan.scan, by_hand))
        assert all(close(left, right) for left, right in zip(ours, theirs, strict=True))


# Numbers at the edge


def test_long_and_forgetful_underflows_quietly() -> None:
    """The product of all factors is no float, and the last values are right all the same."""
    torch.manual_seed(0)
    factor, added, start = (one.float() for one in drawn(2, 2000, 3, scale=0.01))
    torch.testing.assert_close(scan.scan(factor, added, start), by_hand(factor, added, start))


@pytest.mark.parametrize("size", [3.0, 1e10, 1e30])
def test_nothing_stays_nothing_however_much_it_would_grow(size: float) -> None:
    """The product of the factors is infinite, but there is nothing to multiply, in either direction."""
    factor = torch.full((2, 200, 3), size)
    added = torch.zeros(2, 200, 3)
    added[0, 199] = 1
    leaves = [one.requires_grad_() for one in (factor, added, torch.zeros(2, 3))]
    values = scan.scan(*leaves)
    assert torch.equal(values, added)
    gradients = torch.autograd.grad(values[:, 0].sum(), leaves)
    assert all(one.isfinite().all() for one in gradients)
    assert torch.equal(gradients[1][:, 0], torch.ones(2, 3))


def test_nothing_but_what_is_not_a_number_is_not_a_number() -> None:
    factor, added, start = drawn(3, 100, 2)
    clean = scan.scan(factor, added, start)
    factor[1, 40, 0] = torch.nan
    added[2, 50, 1] = torch.inf
    values = scan.scan(factor, added, start)
    fine = values.isfinite()
    assert torch.equal(values[fine], clean[fine])
    assert fine[0].all()
    assert fine[1, :40].all()
    assert fine[1, :, 1].all()
    assert fine[2, :50].all()
    assert fine[2, :, 0].all()
    assert not fine[1, 40, 0]
    assert not fine[2, 50, 1]
    assert torch.equal(fine, by_hand(factor, added, start).isfinite())


@pytest.mark.parametrize("name", ["mingru", "minlstm"])
def test_half_precision_keeps_the_states_precision(name: str) -> None:
    """As under autocast: gates in bfloat16, the state in single precision."""
    torch.manual_seed(0)
    sample = Sample(CELLS[name], [60, 60], 3, 4).to(torch.float32)
    leaves = [one.detach().requires_grad_() for one in (sample.weights.input, sample.weights.bias)]
    weights: Weights = replace(sample.weights, input=leaves[0], bias=leaves[1])
    with torch.autocast("cpu", torch.bfloat16):
        outputs, end = scan.run(sample.cell, sample.inputs, weights, sample.begin)
    assert outputs.values.dtype == end.h.dtype == torch.float32
    outputs.values.sum().backward()
    assert all(one.grad.dtype == torch.float32 for one in leaves)
    exact, _ = scan.run(sample.cell, sample.inputs, sample.weights, sample.begin)
    torch.testing.assert_close(outputs.values, exact.values, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("rows_units", [SMALL, WIDE], ids=["chunks", "one by one"])
def test_padding_stands_still_to_the_last_bit(rows_units: tuple[int, int]) -> None:
    rows, units = rows_units
    torch.manual_seed(0)
    sample = Sample(CELLS["mingru"], [90, 37, 0][:rows], 2, units)
    with torch.inference_mode():
        outputs, end = scan.run(sample.cell, sample.inputs, sample.weights, sample.begin)
    assert not outputs.values[~sample.inputs.mask].any()
    if rows > 2:
        assert torch.equal(end.h[2], sample.begin.h[2])
    torch.testing.assert_close(end.h[1], outputs.values[1, 36], rtol=1e-14, atol=1e-14)
