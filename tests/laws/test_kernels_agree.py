"""Laws of kernels: each gives the reference's values and gradients, for every cell, however it is run."""

from collections.abc import Callable
from dataclasses import replace
from statistics import median

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import over
from cell_samples import EVERYTHING, PLAIN, REFERENCE, ZONES, Case, Sample, close, make_inputs, make_weights, run, weigh
from lstmlab.cells import Cell
from lstmlab.kernels.noise import Noise
from lstmlab.types import Padded

pytestmark = pytest.mark.slow

# Around the widths of vectors and tiles, where a kernel has its seams.
seams = st.sampled_from([1, 2, 7, 8, 15, 16, 17, 33, 64, 65])
batches = st.lists(st.sampled_from([0, 1, 2, 9, 19]), min_size=1, max_size=9).filter(any)
few = settings(over.quick, max_examples=8)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def agree(sample: Sample, kernel: str) -> None:
    ours, theirs = (sample.judged(one) for one in (kernel, REFERENCE))
    for name, right in theirs.items():
        assert close(ours[name], right, 1e-9), name


@over.others
@over.sizes()
def test_values_and_gradients(cell: Cell, kernel: str, lengths: list[int], features: int, hidden: int) -> None:
    agree(Sample(cell, lengths, features, hidden), kernel)


@over.others
@few
@given(lengths=batches, features=st.sampled_from([1, 3, 16, 33]), hidden=seams)
def test_values_and_gradients_at_the_seams(
    cell: Cell, kernel: str, lengths: list[int], features: int, hidden: int
) -> None:
    agree(Sample(cell, lengths, features, hidden), kernel)


@over.others
@pytest.mark.parametrize("lengths", [[1], [0, 1], [1, 0, 0], [1] * 9, [0, 0, 3], [40, 0, 1]], ids=str)
def test_the_shortest(cell: Cell, kernel: str, lengths: list[int]) -> None:
    agree(Sample(cell, lengths, 1, 1), kernel)
    agree(Sample(cell, lengths, 2, 5), kernel)


@over.cases(reference=False)
def test_values_and_gradients_under_normalisation_and_noise(cell: Cell, kernel: str, case: Case) -> None:
    for lengths, features, hidden in (([4, 0, 6, 1], 3, 5), ([1], 1, 2), ([9, 19, 3] * 3, 5, 17), ([7, 8], 2, 33)):
        agree(Sample(cell, lengths, features, hidden, case), kernel)
    if case == EVERYTHING:
        check_single_precision([ragged(cell, (5, 20, 7, 17), case) for _ in range(5)], kernel)


@over.others
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 20, 5, 7), (16, 50, 33, 40)], ids=str)
def test_single_precision_is_as_close_as_the_reference(cell: Cell, kernel: str, shape: tuple[int, ...]) -> None:
    check_single_precision([ragged(cell, shape)], kernel)


def check_single_precision(samples: list[Sample], kernel: str) -> None:
    """By the median of the samples: where one is ill-conditioned, luck makes either side ten times as good."""
    found: dict[str, list[tuple[float, float]]] = {}
    for sample in samples:
        exact = sample.judged(REFERENCE)
        both = [sample.to(torch.float32).judged(one) for one in (kernel, REFERENCE)]
        for name, right in exact.items():
            scale = float(right.abs().max()) or 1.0
            error, least = (float((one[name] - right).abs().max()) / scale for one in both)
            found.setdefault(name, []).append((error, least))
    for name, errors in found.items():
        error, least = (median(side) for side in zip(*errors, strict=True))
        assert error <= 4 * least + 4 * torch.finfo(torch.float32).eps, name


def ragged(cell: Cell, shape: tuple[int, ...], case: Case = PLAIN) -> Sample:
    batch, steps, features, hidden = shape
    lengths = [steps, *torch.randint(1, steps + 1, (batch - 1,)).tolist()]
    sample = Sample(cell, lengths, features, hidden, case)
    if cell.name == "rnn-relu":  # without a bound on h, only a contraction keeps numbers comparable
        sample.weights = replace(sample.weights, recurrent=sample.weights.recurrent / 3)
    return sample


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "transposed": lambda base: base.transpose(0, 1),
    "every other step": lambda base: base.transpose(0, 1)[:, ::2],
    "every other feature": lambda base: base.transpose(0, 1)[..., ::2],
    "one row for all": lambda base: base[:, :1].transpose(0, 1).expand(4, -1, -1),
    "one step for all": lambda base: base[:1].transpose(0, 1).expand(-1, 6, -1),
}


@over.pairs
@pytest.mark.parametrize("layout", LAYOUTS)
def test_where_numbers_lie_in_memory_means_nothing(cell: Cell, kernel: str, layout: str) -> None:
    base = torch.randn(6, 4, 6, dtype=torch.float64)
    features = LAYOUTS[layout](base).shape[2]
    weights, start = make_weights(cell, features, 5), Sample(cell, [1] * 4, 1, 10).begin
    scattered = replace(weights, input=weights.input.T.contiguous().T, recurrent=weights.recurrent.T.contiguous().T)
    found = []
    for strided in (True, False):
        leaf = base.clone().requires_grad_()
        values = LAYOUTS[layout](leaf)
        state = start.map(lambda value: value[:, ::2])
        if not strided:
            values, state = values.contiguous(), state.map(Tensor.contiguous)
        inputs = Padded(values, torch.tensor([values.shape[1], 3, 1, 0]))
        outputs, end = run(cell, inputs, scattered if strided else weights, state, kernel)
        weigh({"outputs": outputs.values, **dict(end.items())}).backward()
        found.append([outputs.values, *(value for _, value in end.items()), leaf.grad])
    assert all(close(left, right) for left, right in zip(*found, strict=True))


# What noise does, by the reference: the others do the same.


@over.cells
def test_zoneout_keeps_its_share(cell: Cell) -> None:
    sample = Sample(cell, [40] * 20, 3, 25, Case((), Noise(0.0, ZONES, seed=11)))
    outputs, _ = sample.run(REFERENCE)
    shown = torch.cat([sample.begin[cell.states[0]][:, None], outputs.values], 1)
    # A rectifier shows nothing new where it stays shut.
    moving = shown[:, 1:] != 0
    kept = (shown[:, 1:] == shown[:, :-1]) & moving
    share, count = ZONES["h"], int(moving.sum())
    assert abs(int(kept.sum()) / count - share) < 4 * (share * (1 - share) / count) ** 0.5


@over.cells
def test_without_a_seed_zoneout_takes_its_mean_and_dropout_rests(cell: Cell) -> None:
    """One step: with a seed each unit keeps its state or not, without one it goes part of the way."""
    sample, name = Sample(cell, [1], 3, 4), cell.states[0]

    def shown(noise: Noise | None) -> Tensor:
        case = Case((), noise)
        return run(cell, sample.inputs, sample.weights, sample.begin, REFERENCE, case)[0].values[0, 0]

    still, begin = shown(None), sample.begin[name][0]
    assert close(shown(Noise(0.3, {name: 0.25})), 0.25 * begin + 0.75 * still)
    assert close(shown(Noise(0.3, {})), still)
    for seed in range(20):
        drawn = shown(Noise(0.0, {name: 0.25}, seed=seed))
        assert ((drawn == begin) | (drawn == still)).all()


@over.cells
def test_another_seed_is_another_mask(cell: Cell) -> None:
    inputs, weights = make_inputs([8, 8], 3), make_weights(cell, 3, 16)
    inputs.values[1] = inputs.values[0]
    shown = [
        run(cell, inputs, weights, None, REFERENCE, Case((), Noise(0.3, ZONES, seed=seed)))[0].values
        for seed in (1, 1, 1 << 33, 2)
    ]
    assert torch.equal(shown[0], shown[1])
    assert not torch.equal(shown[0], shown[2])
    assert not torch.equal(shown[0], shown[3])
    assert not torch.equal(shown[0][0], shown[0][1])


@over.cells
def test_states_of_samples_are_states_of_cells(cell: Cell) -> None:
    """A normaliser below its memory, say, is nothing a kernel has to bear."""
    begin = Sample(cell, [1] * 3, 1, 4).begin
    assert begin.names == cell.states
    if "n" in begin.names:
        assert (begin.n >= begin.c.abs()).all()
