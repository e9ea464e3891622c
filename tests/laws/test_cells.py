"""Laws of cells and kernels: every cell on the shelf, by every kernel that runs it."""

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lstmlab import kernels
from lstmlab.cells import CELLS, Cell, State
from lstmlab.kernels import native
from lstmlab.kernels.weights import Weights
from lstmlab.types import Padded

PAIRS = [
    pytest.param(cell, kernel, id=f"{cell.name}-{kernel}")
    for cell in CELLS.values()
    for kernel in kernels.KERNELS
    if kernel != "native" or native.layout(cell) is not None
]
over_kernels = pytest.mark.parametrize(("cell", "kernel"), PAIRS)
quick = settings(deadline=None, max_examples=15, derandomize=True)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def make_weights(cell: Cell, features: int, hidden: int, dtype: torch.dtype = torch.float64) -> Weights:
    """Weights with no zero among them."""
    rows = len(cell.gates) * hidden
    inner = torch.randn(len(cell.recurrent_bias) * hidden, dtype=dtype) / 2 if cell.recurrent_bias else None
    return Weights(
        torch.randn(rows, features, dtype=dtype) / features**0.5,
        torch.randn(rows, hidden, dtype=dtype) / hidden**0.5,
        torch.randn(rows, dtype=dtype) / 2,
        inner,
        {name: torch.randn(hidden, dtype=dtype) for name in cell.parameters},
    )


def make_inputs(lengths: list[int], features: int, extra: int = 0, dtype: torch.dtype = torch.float64) -> Padded:
    values = torch.randn(len(lengths), max(lengths) + extra, features, dtype=dtype)
    return Padded(values, torch.tensor(lengths)).masked()


def make_state(cell: Cell, batch: int, hidden: int) -> State:
    return State(**{name: torch.randn(batch, hidden, dtype=torch.float64) / 2 for name in cell.states})


def tensors(weights: Weights) -> dict[str, Tensor]:
    """All tensors of the weights by name."""
    named = {f.name: getattr(weights, f.name) for f in fields(weights) if f.name not in ("parameters", "gains")}
    return {name: one for name, one in (named | dict(weights.parameters)).items() if one is not None}


def with_tensors(weights: Weights, changed: dict[str, Tensor]) -> Weights:
    parameters = {name: changed.get(name, one) for name, one in weights.parameters.items()}
    return replace(weights, parameters=parameters, **{n: v for n, v in changed.items() if n not in parameters})


def close(left: Tensor, right: Tensor, tolerance: float = 1e-11) -> bool:
    return left.shape == right.shape and bool(((left - right).abs() <= tolerance * (1 + right.abs())).all())


def same_state(left: State, right: State) -> bool:
    return left.names == right.names and all(close(left[name], right[name]) for name in right.names)


lengths_of_rows = st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any)
sizes = st.integers(1, 5)


@over_kernels
@quick
@given(lengths=lengths_of_rows, features=sizes, hidden=sizes, cut=st.integers(0, 6))
def test_split_anywhere_is_unsplit(
    cell: Cell, kernel: str, lengths: list[int], features: int, hidden: int, cut: int
) -> None:
    weights, inputs, begin = (
        make_weights(cell, features, hidden),
        make_inputs(lengths, features),
        make_state(cell, len(lengths), hidden),
    )
    whole, end = kernels.run(cell, inputs, weights, begin, kernel=kernel)
    cut = min(cut, max(lengths))
    first = Padded(inputs.values[:, :cut], inputs.lengths.clamp(max=cut))
    second = Padded(inputs.values[:, cut:], (inputs.lengths - cut).clamp(min=0))
    left, middle = kernels.run(cell, first, weights, begin, kernel=kernel)
    right, last = kernels.run(cell, second, weights, middle, kernel=kernel)
    assert close(torch.cat([left.values, right.values], 1), whole.values)
    assert same_state(last, end)


@over_kernels
@quick
@given(lengths=lengths_of_rows, features=sizes, hidden=sizes)
def test_step_by_step_is_the_whole_sequence(
    cell: Cell, kernel: str, lengths: list[int], features: int, hidden: int
) -> None:
    weights, inputs = make_weights(cell, features, hidden), make_inputs(lengths, features)
    whole, end = kernels.run(cell, inputs, weights, kernel=kernel)
    state, outputs = None, []
    for t in range(max(lengths)):
        step = Padded(inputs.values[:, t : t + 1], (inputs.lengths > t).long())
        output, state = kernels.run(cell, step, weights, state, kernel=kernel)
        outputs.append(output.values)
    assert close(torch.cat(outputs, 1), whole.values)
    assert same_state(state, end)
    for row, length in enumerate(lengths):
        assert not whole.values[row, length:].any()
        if length:
            assert close(end[cell.states[0]][row], whole.values[row, length - 1])


@over_kernels
def test_no_state_is_the_initial_state(cell: Cell, kernel: str) -> None:
    weights, inputs = make_weights(cell, 3, 4), make_inputs([5, 2, 0], 3)
    start = cell.start(torch.empty(3, 4, dtype=torch.float64))
    left, right = (kernels.run(cell, inputs, weights, state, kernel=kernel) for state in (None, start))
    assert torch.equal(left[0].values, right[0].values)
    assert all(torch.equal(left[1][name], right[1][name]) for name in cell.states)


@over_kernels
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@quick
@given(lengths=lengths_of_rows, features=sizes, hidden=sizes, extra=st.integers(1, 40))
def test_more_padding_changes_no_bit(
    cell: Cell, kernel: str, dtype: torch.dtype, lengths: list[int], features: int, hidden: int, extra: int
) -> None:
    weights, inputs = make_weights(cell, features, hidden, dtype), make_inputs(lengths, features, dtype=dtype)
    # What lies past a row's length means nothing, whatever it is.
    noise = torch.cat([inputs.values, torch.zeros(len(lengths), extra, features, dtype=dtype)], 1)
    noise = torch.where(Padded(noise, inputs.lengths).mask[:, :, None], noise, torch.randn_like(noise) * 9)
    outputs, end = kernels.run(cell, inputs, weights, kernel=kernel)
    padded, last = kernels.run(cell, Padded(noise, inputs.lengths), weights, kernel=kernel)
    assert torch.equal(padded.values[:, : max(lengths)], outputs.values)
    assert not padded.values[:, max(lengths) :].any()
    assert all(torch.equal(last[name], end[name]) for name in cell.states)


@over_kernels
@quick
@given(lengths=lengths_of_rows, features=sizes, hidden=sizes, seed=st.integers(0, 99))
def test_order_and_batch_size_change_nothing(
    cell: Cell, kernel: str, lengths: list[int], features: int, hidden: int, seed: int
) -> None:
    weights, inputs, begin = (
        make_weights(cell, features, hidden),
        make_inputs(lengths, features),
        make_state(cell, len(lengths), hidden),
    )
    outputs, end = kernels.run(cell, inputs, weights, begin, kernel=kernel)
    order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed))
    for rows in (order, order[:1]):
        some, last = kernels.run(
            cell,
            Padded(inputs.values[rows], inputs.lengths[rows]),
            weights,
            begin.map(lambda value, rows=rows: value[rows]),
            kernel=kernel,
        )
        assert close(some.values, outputs.values[rows])
        assert same_state(last, end.map(lambda value, rows=rows: value[rows]))


def judged(cell: Cell, inputs: Padded, weights: Weights, begin: State, kernel: str) -> dict[str, Tensor]:
    """Outputs, final states and the gradients of everything, under fixed random weights on the results."""
    leaves = {name: one.detach().clone().requires_grad_() for name, one in tensors(weights).items()}
    values = inputs.values.detach().clone().requires_grad_()
    state = begin.map(lambda value: value.detach().clone().requires_grad_())
    changed = with_tensors(weights, leaves)
    outputs, end = kernels.run(cell, Padded(values, inputs.lengths), changed, state, kernel=kernel)
    results = {"outputs": outputs.values, **dict(end.items())}
    generator = torch.Generator().manual_seed(1)
    # Padding is weighted too: its outputs are zero, so no gradient may come from there.
    total = sum((one * torch.randn(one.shape, generator=generator)).sum() for one in results.values())
    total.backward()
    gradients = {f"gradient of {name}": one.grad for name, one in leaves.items()}
    gradients |= {f"gradient of first {name}": value.grad for name, value in state.items()}
    return {**results, **gradients, "gradient of inputs": values.grad}


@over_kernels
@quick
@given(lengths=lengths_of_rows, features=sizes, hidden=sizes)
def test_kernels_agree_in_values_and_gradients(
    cell: Cell, kernel: str, lengths: list[int], features: int, hidden: int
) -> None:
    inputs, weights, begin = (
        make_inputs(lengths, features),
        make_weights(cell, features, hidden),
        make_state(cell, len(lengths), hidden),
    )
    ours, theirs = (judged(cell, inputs, weights, begin, one) for one in (kernel, "reference"))
    for name, right in theirs.items():
        assert close(ours[name], right, 1e-9), name


@over_kernels
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 20, 5, 7), (16, 50, 33, 40)], ids=str)
def test_single_precision_is_as_close_as_the_reference(cell: Cell, kernel: str, shape: tuple[int, ...]) -> None:
    batch, steps, features, hidden = shape
    torch.manual_seed(0)
    lengths = [steps, *torch.randint(1, steps + 1, (batch - 1,)).tolist()]
    inputs, weights, begin = (
        make_inputs(lengths, features),
        make_weights(cell, features, hidden),
        make_state(cell, batch, hidden),
    )
    if cell.name == "rnn-relu":  # without a bound on h, only a contraction keeps numbers comparable
        weights = replace(weights, recurrent=weights.recurrent / 3)
    exact = judged(cell, inputs, weights, begin, "reference")
    single = (
        Padded(inputs.values.float(), inputs.lengths),
        with_tensors(weights, {name: one.float() for name, one in tensors(weights).items()}),
        begin.map(Tensor.float),
    )
    ours, reference = judged(cell, *single, kernel), judged(cell, *single, "reference")
    for name, right in exact.items():
        error, least = ((one[name] - right).abs().max() for one in (ours, reference))
        assert error <= 4 * least + 4 * torch.finfo(torch.float32).eps * right.abs().max(), name


@pytest.mark.parametrize("cell", [cell for cell in CELLS.values() if native.layout(cell)], ids=lambda cell: cell.name)
@quick
@given(lengths=lengths_of_rows, features=sizes, hidden=sizes)
def test_equals_torch_row_by_row(cell: Cell, lengths: list[int], features: int, hidden: int) -> None:
    """torch's own module, each row alone at its own length, is the independent witness."""
    known = native.layout(cell)
    bend = {"nonlinearity": known.function.removeprefix("rnn_")} if known.module is torch.nn.RNN else {}
    module = known.module(features, hidden, batch_first=True, dtype=torch.float64, **bend)
    weights = native.from_torch(cell, [one.detach() for one in module.parameters()])
    inputs = make_inputs(lengths, features)
    for kernel in kernels.KERNELS:
        outputs, end = kernels.run(cell, inputs, weights, kernel=kernel)
        for row, length in enumerate(lengths):
            if length:
                theirs, last = module(inputs.values[row : row + 1, :length])
                assert close(outputs.values[row, :length], theirs[0])
                last = last if isinstance(last, tuple) else (last,)
                assert all(close(end[name][row], one[0, 0]) for name, one in zip(cell.states, last, strict=True))


@over_kernels
def test_gradients_are_right(cell: Cell, kernel: str) -> None:
    torch.manual_seed(3)
    inputs, weights, begin = make_inputs([4, 2, 0], 2), make_weights(cell, 2, 3), make_state(cell, 3, 3)
    named = tensors(weights)

    def function(values: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        states = State(**dict(zip(cell.states, rest[len(named) :], strict=True)))
        changed = with_tensors(weights, dict(zip(named, rest, strict=False)))
        outputs, end = kernels.run(cell, Padded(values, inputs.lengths), changed, states, kernel=kernel)
        return outputs.values, *(value for _, value in end.items())

    leaves = [one.requires_grad_() for one in (inputs.values, *named.values(), *(value for _, value in begin.items()))]
    assert torch.autograd.gradcheck(function, leaves)


@over_kernels
def test_every_weight_matters(cell: Cell, kernel: str) -> None:
    torch.manual_seed(5)
    inputs, weights = make_inputs([6] * 16, 3), make_weights(cell, 3, 4)
    leaves = {name: one.requires_grad_() for name, one in tensors(weights).items()}
    outputs, _ = kernels.run(cell, inputs, with_tensors(weights, leaves), kernel=kernel)
    (outputs.values * torch.randn_like(outputs.values)).sum().backward()
    for name, one in leaves.items():
        assert (one.grad != 0).all(), name
