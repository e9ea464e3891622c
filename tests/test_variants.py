"""Cells of the shelf against their papers' equations, written once more in NumPy and in another form."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import over
from cell_samples import Sample, run
from lstmlab.cells import CELLS, Cell, Gates, State
from lstmlab.kernels.weights import Weights
from lstmlab.types import Padded

Array = NDArray[np.float64]
STEPS = 9


def sigma(u: Array) -> Array:
    return (1 + np.tanh(u / 2)) / 2


class Row:
    """One row of a sample: W x_t + b of a gate by name, R of a gate, p of a parameter, and where the states begin."""

    def __init__(self, sample: Sample, row: int) -> None:
        self.cell, self.weights, self.hidden = sample.cell, sample.weights, sample.hidden
        self.inputs = sample.inputs.values[row].numpy()
        self.begin = {name: value[row].numpy() for name, value in sample.begin.items()}
        self.steps = range(sample.lengths[row])

    def x(self, gate: str, t: int) -> Array:
        own = self.weights.gate(self.cell, gate)
        return own.input.numpy() @ self.inputs[t] + own.bias.numpy()

    def matrix(self, gate: str) -> Array:
        return self.weights.gate(self.cell, gate).recurrent.numpy()

    def peephole(self, gate: str) -> Array:
        return np.diag(self.weights.parameters[f"{gate}_peephole"].numpy())


def peephole(row: Row) -> list[Array]:
    """Gers & Schmidhuber: a gate is one matrix [R diag(p)] on the past and the memory it sees, stacked."""
    h, c, shown = row.begin["h"], row.begin["c"], []

    def gate(name: str, memory: Array, t: int) -> Array:
        return sigma(np.hstack([row.matrix(name), row.peephole(name)]) @ np.concatenate([h, memory]) + row.x(name, t))

    for t in row.steps:
        fresh = np.tanh(row.matrix("cell") @ h + row.x("cell", t))
        new = np.array([gate("forget", c, t), gate("input", c, t)])
        c = (new * np.array([c, fresh])).sum(0)
        h = gate("output", c, t) * np.tanh(c)
        shown.append(h)
    return shown


def coupled(row: Row) -> list[Array]:
    """Greff et al.: an input gate of its own, with the forget gate's sum negated; c is stepped by a difference."""
    h, c, shown = row.begin["h"], row.begin["c"], []
    for t in row.steps:
        write = sigma(-(row.matrix("forget") @ h + row.x("forget", t)))
        c = c + write * (np.tanh(row.matrix("cell") @ h + row.x("cell", t)) - c)
        h = np.tanh(c) * sigma(row.matrix("output") @ h + row.x("output", t))
        shown.append(h)
    return shown


def mgu(row: Row) -> list[Array]:
    """Zhou et al., with the gate as a matrix after the recurrent product and its bias."""
    h, shown = row.begin["h"], []
    inner = row.weights.recurrent_bias.numpy()
    for t in row.steps:
        forget = np.diag(sigma(row.x("forget", t) + row.matrix("forget") @ h))
        fresh = np.tanh(row.x("new", t) + forget @ (row.matrix("new") @ h + inner))
        h = h + forget @ (fresh - h)
        shown.append(h)
    return shown


def mingru(row: Row) -> list[Array]:
    """Feng et al.: not stepped but summed, h_t = Σ_s z_s n_s Π_{s<u≤t} (1 - z_u), the beginning being a term too."""
    z = np.array([sigma(row.x("update", t)) for t in row.steps])
    written = [row.begin["h"], *(z[t] * row.x("new", t) for t in row.steps)]
    return [sum(written[s] * np.prod(1 - z[s : t + 1], axis=0) for s in range(t + 2)) for t in row.steps]


def minlstm(row: Row) -> list[Array]:
    """Feng et al.: both gates divided by their sum, as it stands in the paper."""
    h, shown = row.begin["h"], []
    for t in row.steps:
        forget, write = sigma(row.x("forget", t)), sigma(row.x("input", t))
        h = (forget * h + write * row.x("new", t)) / (forget + write)
        shown.append(h)
    return shown


def slstm(row: Row) -> list[Array]:
    """Beck et al. without a stabiliser: h is o times a mean of all that was ever written, weighted by
    i_s Π_{s<u≤t} f_u, whose logarithms are summed and compared with the largest. The beginning is one thing written.
    """
    h, shown = row.begin["h"], []
    value = [row.begin["c"] / row.begin["n"]]
    weight = [row.begin["m"] + np.log(row.begin["n"])]
    for t in row.steps:
        gate = {name: row.x(name, t) + row.matrix(name) @ h for name in row.cell.gates}
        weight = [one + np.log(sigma(gate["forget"])) for one in weight] + [gate["input"]]
        value.append(np.tanh(gate["cell"]))
        parts = np.exp(np.array(weight) - np.max(weight, axis=0))
        h = sigma(gate["output"]) * (parts * np.array(value)).sum(0) / parts.sum(0)
        shown.append(h)
    return shown


PAPERS = {paper.__name__: paper for paper in (peephole, coupled, mgu, mingru, minlstm, slstm)}


@over.some(pair for pair in over.every_pair() if pair[0].name in PAPERS)
def test_the_papers_equations(cell: Cell, kernel: str) -> None:
    torch.manual_seed(0)
    sample = Sample(cell, [STEPS, 4, 1], 3, 5)
    outputs, _ = sample.run(kernel)
    for row, length in enumerate(sample.lengths):
        expected = np.array(PAPERS[cell.name](Row(sample, row)))
        np.testing.assert_allclose(outputs.values[row, :length], expected, rtol=1e-11, atol=1e-12)


# What only one cell has to fear


def test_minlstm_gates_too_small_for_a_float() -> None:
    """At -800 a sigmoid is zero in double precision, and the paper's form 0 / 0."""
    for write, forget, share in ((-800.0, -800.0, 0.5), (-900.0, -800.0, 1.0), (-800.0, -900.0, 0.0), (800, 800, 0.5)):
        x = {
            name: torch.tensor([value]).double().requires_grad_()
            for name, value in {"input": write, "forget": forget, "new": 3.0}.items()
        }
        h = CELLS["minlstm"].step(Gates(x), Gates({}), State(h=torch.tensor([1.0]).double())).h
        torch.testing.assert_close(h.detach(), torch.tensor([share + (1 - share) * 3.0]).double())
        assert all(torch.isfinite(one) for one in torch.autograd.grad(h, list(x.values())))


SLSTM = CELLS["slstm"]


def slstm_sample(dtype: torch.dtype = torch.float64, input_bias: float = 0.0) -> tuple[Weights, Padded, State]:
    torch.manual_seed(0)
    sample = Sample(SLSTM, [12, 5], 3, 6).to(dtype)
    sample.weights.gate(SLSTM, "input").bias.add_(input_bias)
    return sample.weights, sample.inputs, SLSTM.start(torch.empty(2, 6, dtype=dtype))


@pytest.mark.parametrize("m", [-1e9, -1e4, -300.0, -20.0, 0.0, 12.0])
def test_slstm_from_any_first_m_is_the_same(m: float) -> None:
    """While nothing is remembered, its scale means nothing."""
    weights, inputs, begin = slstm_sample()
    expected = run(SLSTM, inputs, weights, begin, "reference")[0].values
    other = State(h=begin.h, c=begin.c, n=begin.n, m=torch.full_like(begin.m, m))
    torch.testing.assert_close(run(SLSTM, inputs, weights, other, "reference")[0].values, expected)


def test_slstm_remembers_the_same_on_another_scale() -> None:
    """c, n and e^-m may be multiplied alike: h stays what it is."""
    torch.manual_seed(0)
    sample = Sample(SLSTM, [7, 3], 3, 6)
    expected, _ = sample.run("reference")
    begin = sample.begin
    for shift in (-5.0, 3.0, 100.0):
        scale = torch.tensor(shift).double().exp()
        sample.begin = State(h=begin.h, c=begin.c * scale, n=begin.n * scale, m=begin.m - shift)
        torch.testing.assert_close(sample.run("reference")[0].values, expected.values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("input_bias", [-5000.0, -300.0, 0.0, 300.0, 1e6])
def test_slstm_does_not_heed_the_input_gates_bias_from_its_beginning(dtype: torch.dtype, input_bias: float) -> None:
    """It multiplies all that is written alike: e^-300 and e^300 are no floats of single precision, h is the same."""
    weights, inputs, begin = slstm_sample(dtype)
    expected, end = run(SLSTM, inputs, weights, begin, "reference")
    biased = slstm_sample(dtype, input_bias)[0]
    outputs, last = run(SLSTM, inputs, biased, begin, "reference")
    # A sum near 300 or a million leaves that many digits less for what is added to it.
    tolerance = 50 * torch.finfo(dtype).eps * max(1.0, abs(input_bias))
    torch.testing.assert_close(outputs.values, expected.values, rtol=tolerance, atol=tolerance)
    assert (last.n >= 1 - 1e-3).all()
    assert (end.n >= 1 - 1e-3).all()


def test_slstm_shows_its_first_write_whole() -> None:
    """h_1 = o tanh(…), since a mean over one thing is that thing."""
    weights, inputs, begin = slstm_sample()
    x = {
        name: inputs.values[:, 0] @ weights.gate(SLSTM, name).input.T + weights.gate(SLSTM, name).bias
        for name in SLSTM.gates
    }
    outputs, _ = run(SLSTM, inputs, weights, begin, "reference")
    torch.testing.assert_close(outputs.values[:, 0], torch.sigmoid(x["output"]) * torch.tanh(x["cell"]))


@pytest.mark.parametrize("size", [1e2, 1e4, 1e6, 1e15, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_slstm_never_divides_by_zero(size: float, dtype: torch.dtype) -> None:
    """Whatever is fed, also from zeros for all states, values and gradients are numbers and |h| is at most 1."""
    torch.manual_seed(0)
    zeros = State(**{name: torch.zeros(500, 4, dtype=dtype) for name in SLSTM.states})
    for begin in (SLSTM.start(zeros.h), zeros):
        state, fed, total = begin, [], torch.zeros((), dtype=dtype)
        for _ in range(8):
            x, r = ({g: (torch.randn(500, 4, dtype=dtype) * size).requires_grad_() for g in SLSTM.gates} for _ in "xr")
            fed += [*x.values(), *r.values()]
            state = SLSTM.step(Gates(x), Gates(r), state)
            assert (state.h.abs() <= 1 + 1e-5).all()
            total = total + state.h.sum()
        assert all(value.isfinite().all() for _, value in state.items())
        assert all(one.isfinite().all() for one in torch.autograd.grad(total, fed))
