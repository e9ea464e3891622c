"""Laws of cells: every cell on the shelf, by every kernel that runs it."""

import re
from dataclasses import replace

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor

import over
from cell_samples import (
    DOUBLE,
    REFERENCE,
    Case,
    Sample,
    close,
    make_inputs,
    make_state,
    make_weights,
    run,
    same_state,
    tensors,
    with_tensors,
)
from lstmlab import cells
from lstmlab.cells import CELLS, Cell, Gates, State
from lstmlab.kernels import native, symbolic
from lstmlab.types import Padded


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@over.pairs
@over.sizes(cut=st.integers(0, 6))
def test_split_anywhere_is_unsplit(
    cell: Cell, kernel: str, lengths: list[int], features: int, hidden: int, cut: int
) -> None:
    sample = Sample(cell, lengths, features, hidden)
    whole, end = sample.run(kernel)
    values, cut = sample.inputs.values, min(cut, max(lengths))
    first = Padded(values[:, :cut], sample.inputs.lengths.clamp(max=cut))
    second = Padded(values[:, cut:], (sample.inputs.lengths - cut).clamp(min=0))
    left, middle = run(cell, first, sample.weights, sample.begin, kernel)
    right, last = run(cell, second, sample.weights, middle, kernel)
    assert close(torch.cat([left.values, right.values], 1), whole.values)
    assert same_state(last, end)


@over.pairs
@over.sizes()
def test_step_by_step_is_the_whole_sequence(
    cell: Cell, kernel: str, lengths: list[int], features: int, hidden: int
) -> None:
    weights, inputs = make_weights(cell, features, hidden), make_inputs(lengths, features)
    whole, end = run(cell, inputs, weights, None, kernel)
    state, outputs = None, []
    for t in range(max(lengths)):
        step = Padded(inputs.values[:, t : t + 1], (inputs.lengths > t).long())
        output, state = run(cell, step, weights, state, kernel)
        outputs.append(output.values)
    assert close(torch.cat(outputs, 1), whole.values)
    assert same_state(state, end)
    for row, length in enumerate(lengths):
        assert not whole.values[row, length:].any()
        if length:
            assert close(end[cell.states[0]][row], whole.values[row, length - 1])


@over.pairs
def test_no_state_is_the_initial_state(cell: Cell, kernel: str) -> None:
    weights, inputs = make_weights(cell, 3, 4), make_inputs([5, 2, 0], 3)
    start = cell.start(torch.empty(3, 4, dtype=DOUBLE))
    left, right = (run(cell, inputs, weights, state, kernel) for state in (None, start))
    assert torch.equal(left[0].values, right[0].values)
    assert all(torch.equal(left[1][name], right[1][name]) for name in cell.states)


@over.pairs
def test_reversed_is_reversing_by_hand(cell: Cell, kernel: str) -> None:
    check_reversal(Sample(cell, [5, 3, 1, 0], 3, 4), kernel)


def check_reversal(sample: Sample, kernel: str) -> None:
    there, back = (run_as(sample, replace(sample.case, reversed=one), kernel) for one in (True, False))
    assert torch.equal(there[0].values, back[0].reversed().values)
    assert all(torch.equal(there[1][name], back[1][name]) for name in sample.cell.states)


def run_as(sample: Sample, case: Case, kernel: str) -> tuple[Padded, State]:
    inputs = sample.inputs if case.reversed else sample.inputs.reversed()
    return run(sample.cell, inputs, sample.weights, sample.begin, kernel, case)


@over.pairs
@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(DOUBLE, marks=pytest.mark.slow)], ids=str)
@over.sizes(extra=st.integers(1, 40))
def test_more_padding_changes_no_bit(
    cell: Cell, kernel: str, dtype: torch.dtype, lengths: list[int], features: int, hidden: int, extra: int
) -> None:
    check_padding(Sample(cell, lengths, features, hidden).to(dtype), kernel, extra)


def check_padding(sample: Sample, kernel: str, extra: int) -> None:
    inputs, longest = sample.inputs, max(sample.lengths)
    # What lies past a row's length means nothing, whatever it is.
    noise = torch.cat([inputs.values, inputs.values.new_zeros(len(sample.lengths), extra, sample.features)], 1)
    noise = torch.where(Padded(noise, inputs.lengths).mask[:, :, None], noise, torch.randn_like(noise) * 9)
    outputs, end = sample.run(kernel)
    filled = Padded(noise, inputs.lengths)
    padded, last = run(sample.cell, filled, sample.weights, sample.begin, kernel, sample.case)
    assert torch.equal(padded.values[:, :longest], outputs.values)
    assert not padded.values[:, longest:].any()
    assert all(torch.equal(last[name], end[name]) for name in sample.cell.states)


@over.pairs
@over.sizes(seed=st.integers(0, 99))
def test_order_and_batch_size_change_nothing(
    cell: Cell, kernel: str, lengths: list[int], features: int, hidden: int, seed: int
) -> None:
    sample = Sample(cell, lengths, features, hidden)
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed))
    for rows in (order, order[:1]):
        check_rows(sample, kernel, rows)


def check_rows(sample: Sample, kernel: str, rows: Tensor) -> None:
    outputs, end = sample.run(kernel)
    some, last = run(
        sample.cell,
        Padded(sample.inputs.values[rows], sample.inputs.lengths[rows]),
        sample.weights,
        sample.begin.map(lambda value: value[rows]),
        kernel,
        sample.case,
    )
    assert close(some.values, outputs.values[rows])
    assert same_state(last, end.map(lambda value: value[rows]))


@over.some(pair for pair in over.every_pair() if native.layout(pair[0]))
@over.sizes()
def test_equals_torch_row_by_row(cell: Cell, kernel: str, lengths: list[int], features: int, hidden: int) -> None:
    """torch's own module, each row alone at its own length, is the independent witness."""
    known = native.layout(cell)
    bend = {"nonlinearity": known.function.removeprefix("rnn_")} if known.module is torch.nn.RNN else {}
    module = known.module(features, hidden, batch_first=True, dtype=DOUBLE, **bend)
    weights = native.from_torch(cell, [one.detach() for one in module.parameters()])
    inputs = make_inputs(lengths, features)
    outputs, end = run(cell, inputs, weights, None, kernel)
    for row, length in enumerate(lengths):
        if length:
            theirs, last = module(inputs.values[row : row + 1, :length])
            assert close(outputs.values[row, :length], theirs[0])
            last = last if isinstance(last, tuple) else (last,)
            assert all(close(end[name][row], one[0, 0]) for name, one in zip(cell.states, last, strict=True))


@over.others
def test_gradients_are_right(cell: Cell, kernel: str) -> None:
    check_gradients(cell, kernel)


@pytest.mark.slow
@over.cells
def test_gradients_of_the_reference_are_right(cell: Cell) -> None:
    check_gradients(cell, REFERENCE)


def check_gradients(cell: Cell, kernel: str) -> None:
    torch.manual_seed(3)
    sample = Sample(cell, [3, 1, 0], 3, 2)
    named = tensors(sample.weights)

    def function(values: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        states = State(**dict(zip(cell.states, rest[len(named) :], strict=True)))
        changed = with_tensors(sample.weights, dict(zip(named, rest, strict=False)))
        outputs, end = run(cell, Padded(values, sample.inputs.lengths), changed, states, kernel)
        return outputs.values, *(value for _, value in end.items())

    begin = [value for _, value in sample.begin.items()]
    leaves = [one.detach().requires_grad_() for one in (sample.inputs.values, *named.values(), *begin)]
    assert torch.autograd.gradcheck(function, leaves)


@over.pairs
def test_every_weight_matters(cell: Cell, kernel: str) -> None:
    check_weights(Sample(cell, [6] * 64, 3, 4), kernel)


def check_weights(sample: Sample, kernel: str) -> None:
    """From a state that remembers something: an sLSTM that remembers nothing does not heed its input gate's bias."""
    leaves = {name: one.requires_grad_() for name, one in tensors(sample.weights).items()}
    weights = with_tensors(sample.weights, leaves)
    outputs, _ = run(sample.cell, sample.inputs, weights, sample.begin, kernel, sample.case)
    (outputs.values * torch.randn_like(outputs.values)).sum().backward()
    for name, one in leaves.items():
        assert (one.grad.abs() > 1e-9).all(), name


@pytest.mark.slow
@over.cases()
def test_laws_hold_under_normalisation_and_noise(cell: Cell, kernel: str, case: Case) -> None:
    sample = Sample(cell, [3, 6, 0, 5, 6], 3, 4, case)
    check_reversal(sample, kernel)
    check_padding(sample, kernel, 7)
    # A mask depends on the row's index: the first rows of a batch are what they are without the rest.
    for count in (1, 2, 4):
        check_rows(sample, kernel, torch.arange(count))
    check_weights(Sample(cell, [6] * 64, 3, 4, case), kernel)


@over.pairs
def test_a_bad_row_stays_alone(cell: Cell, kernel: str) -> None:
    sample = Sample(cell, [6, 6, 3, 0], 3, 17)
    fine = sample.judged(kernel)
    sample.inputs.values[1, 2] = torch.nan
    spoilt = sample.judged(kernel)
    assert spoilt["outputs"][1, 2:].isnan().all()
    assert torch.equal(spoilt["outputs"][1, :2], fine["outputs"][1, :2])
    rows = torch.tensor([0, 2, 3])
    for name in ("outputs", *cell.states, "gradient of inputs", *(f"gradient of first {s}" for s in cell.states)):
        assert fine[name].isfinite().all(), name
        assert torch.equal(spoilt[name][rows], fine[name][rows]), name


# What a cell says of itself


@over.cells
def test_a_cell_names_its_source(cell: Cell) -> None:
    assert re.search(r"\b(19|20)\d\d\b", cell.source)
    assert re.search(r"h_t\b", cell.step.__doc__ or "")


@pytest.mark.parametrize("cell", [cell for cell in CELLS.values() if cell.initial_bias], ids=lambda cell: cell.name)
def test_the_initial_bias_lengthens_memory(cell: Cell) -> None:
    """What the first input still does to the last output, with the bias the cell starts from and without."""
    weights = make_weights(cell, 4, 64)
    biased = {name: replace(weights, bias=torch.zeros_like(weights.bias)) for name in ("without", "with")}
    for name, value in cell.initial_bias.items():
        biased["with"].gate(cell, name).bias.fill_(value)
    found = {}
    for name, one in biased.items():
        torch.manual_seed(0)
        inputs = make_inputs([12] * 16, 4)
        values = inputs.values.requires_grad_()
        run(cell, inputs, one, None, REFERENCE)[0].values[:, -1].sum().backward()
        found[name] = values.grad[:, 0].abs().mean()
    assert found["with"] > 1.2 * found["without"]


@over.cells
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, DOUBLE], ids=str)
def test_the_initial_state_is_a_number_in_every_precision(cell: Cell, dtype: torch.dtype) -> None:
    start = cell.start(torch.empty(2, 3, dtype=dtype))
    assert all(value.isfinite().all() and value.dtype == dtype for _, value in start.items())
    assert not start[cell.states[0]].any()


@over.cells
def test_symbols_say_what_tensors_do(cell: Cell) -> None:
    import sympy

    begin = make_state(cell, 5, 4)
    x, r = (
        {name: torch.randn(5, 4, dtype=DOUBLE) for name in names}
        for names in (cell.gates + cell.parameters, cell.gates if cell.recurrent else ())
    )
    after = cell.step(Gates(x), Gates(r), begin)
    known = {symbolic.from_input(name): x[name] for name in cell.gates}
    known |= {symbolic.parameter(name): x[name] for name in cell.parameters}
    known |= {symbolic.from_past(name): value for name, value in r.items()}
    known |= {symbolic.before(name): value for name, value in begin.items()}
    mathematics = {name: getattr(cells, name) for name in symbolic.FUNCTIONS if hasattr(cells, name)}
    traced = symbolic.trace(cell).after
    assert tuple(traced) == cell.states
    for name, expression in traced.items():
        assert close(sympy.lambdify(list(known), expression, modules=[mathematics])(*known.values()), after[name])
