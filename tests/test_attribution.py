"""Integrated gradients: exact where that is known, complete everywhere, and through a module's inputs as well."""

import pytest
import torch
from torch import Tensor, nn

from cell_samples import make_inputs
from lstmlab.nn import Recurrent
from lstmlab.nn.attribution import MOST, feeding, integrated_gradients, spread, vectors_read
from lstmlab.types import Padded


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_a_linear_score_is_shared_out_exactly() -> None:
    weights, read = torch.randn(4, 3).double(), torch.randn(4, 3).double()
    found = integrated_gradients(lambda given: (given * weights).sum((1, 2)) + 5, read)
    assert torch.allclose(found.values, weights * read)
    assert found.from_ == pytest.approx(5)
    assert abs(found.residual) < 1e-12


def test_a_product_is_shared_by_both_factors_alike() -> None:
    found = integrated_gradients(lambda given: given[:, 0, 0] * given[:, 1, 0], torch.tensor([[2.0], [3.0]]))
    assert found.values[:, 0].tolist() == pytest.approx([3.0, 3.0], rel=1e-5)


def test_what_does_not_matter_adds_nothing() -> None:
    found = integrated_gradients(lambda given: given[:, 0].sum(1).tanh(), torch.randn(3, 2).double())
    assert float(found.values[1:].abs().sum()) == 0


@pytest.mark.parametrize("kink", [torch.relu, torch.abs, lambda value: value.clamp(max=0.3)])
def test_contributions_add_up_to_the_difference(kink: object) -> None:
    layer, head = nn.Linear(6, 16).double(), nn.Linear(16, 1).double()

    def score(given: Tensor) -> Tensor:
        return head(kink(layer(given.flatten(1))))[:, 0].sigmoid()  # type: ignore[operator]

    found = integrated_gradients(score, 3 * torch.randn(2, 3).double())
    assert abs(found.residual) <= 0.01 * max(abs(found.difference), 0.01)


def test_a_jump_is_told_as_a_residual() -> None:
    """A step has no gradient anywhere: nothing can be shared out, and that is said."""
    found = integrated_gradients(
        lambda given: (given[:, 0, 0] > 0.5).double() + 0 * given.sum((1, 2)), torch.ones(1, 1)
    )
    assert found.points == MOST
    assert found.residual == pytest.approx(-1)


def test_a_module_reads_what_it_is_fed() -> None:
    """Two passes of different lengths, scaled together, as a pair of texts is."""
    stack = Recurrent("lstm", 3, 4).double().eval()
    first, second = make_inputs([5], 3), make_inputs([2], 3)

    def forward(copies: int = 1) -> Tensor:
        one, two = (
            stack(Padded(side.values.repeat(copies, 1, 1), side.lengths.repeat(copies)))[0] for side in (first, second)
        )
        return one.last.sum(1) * two.last.sum(1)

    passes = vectors_read(stack, forward)
    assert [tuple(one.values.shape) for one in passes] == [(1, 5, 3), (1, 2, 3)]
    read = torch.cat([one.values[one.mask] for one in passes])

    def score(given: Tensor) -> Tensor:
        with feeding(stack, spread(given, passes)):
            return forward(len(given))

    assert torch.allclose(score(read[None])[0], forward()[0])
    found = integrated_gradients(score, read)
    assert found.to == pytest.approx(float(forward().detach()))
    assert abs(found.residual) <= 0.01 * max(abs(found.difference), 0.01)
    assert not stack._forward_pre_hooks
