"""Laws of the CRF: it is the enumeration of all taggings, whatever the weights, the constraints and the padding."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from torch import Tensor

from lstmlab.data import spans
from lstmlab.nn.crf import CRF, NEVER, Allowed
from lstmlab.types import Padded

LENGTHS = [4, 1, 3, 0, 2]
seeds = st.integers(0, 10_000)
quick = effort(max_examples=15, deadline=None)


def constrained(tags: int, rng: torch.Generator) -> Allowed:
    """Constraints at random that leave at least one tagging of any length: the first tag alone."""
    start, between, end = (torch.rand(*shape, generator=rng) < 0.6 for shape in ((tags,), (tags, tags), (tags,)))
    start[0] = end[0] = between[0, 0] = True
    return Allowed(start, between, end)


def made(seed: int, tags: int = 3, *, free: bool = False, lengths: list[int] | None = None) -> tuple[CRF, Padded]:
    """A CRF with random weights in float64, and random emissions of ragged rows, garbage past their ends."""
    rng = torch.Generator().manual_seed(seed)
    crf = CRF(tags, None if free else constrained(tags, rng)).double()
    with torch.no_grad():
        for weight in crf.parameters():
            weight.copy_(torch.randn(weight.shape, generator=rng, dtype=torch.float64))
    lengths = LENGTHS if lengths is None else lengths
    values = torch.randn(len(lengths), max(*lengths, 1), tags, generator=rng, dtype=torch.float64)
    return crf, Padded(values, torch.tensor(lengths))


def taggings(crf: CRF, values: Tensor) -> tuple[list[tuple[int, ...]], Tensor]:
    """Every tagging of one sentence [T K] that is not forbidden, and its score; in the order in which `best` prefers
    the first of equals.
    """
    found, scores = [], []
    for backwards in itertools.product(range(values.shape[1]), repeat=len(values)):
        tagging = backwards[::-1]
        steps = list(itertools.pairwise(tagging))
        never = sum(float(crf.never_between[one, other]) for one, other in steps)
        score = torch.zeros((), dtype=values.dtype)
        if tagging:
            never += float(crf.never_start[tagging[0]]) + float(crf.never_end[tagging[-1]])
            score = crf.start[tagging[0]] + crf.end[tagging[-1]]
            score = score + sum(values[at, tag] for at, tag in enumerate(tagging))
            score = score + sum(crf.between[one, other] for one, other in steps)
        if never == 0:
            found.append(tagging)
            scores.append(score)
    return found, torch.stack(scores)


def padded(rows: list[tuple[int, ...]], width: int, fill: int = 0) -> Tensor:
    return torch.tensor([[*row, *[fill] * (width - len(row))] for row in rows])


@pytest.mark.parametrize("free", [True, False])
@quick
@given(seed=seeds)
def test_the_crf_is_the_enumeration_of_all_taggings(seed: int, free: bool) -> None:
    crf, emissions = made(seed, free=free)
    width = emissions.values.shape[1]
    best, best_score = crf.best(emissions)
    marginals = crf.marginals(emissions)
    rng = np.random.default_rng(seed)
    chosen, wanted = [], []
    for row, length in enumerate(LENGTHS):
        every, scores = taggings(crf, emissions.values[row, :length])
        top = int(scores.argmax())
        assert tuple(best[row, :length].tolist()) == every[top]
        assert best[row, length:].tolist() == [0] * (width - length)
        torch.testing.assert_close(best_score[row], scores[top].detach())
        shares = scores.softmax(0)
        for step in range(width):
            for tag in range(3):
                share = sum(
                    (one for one, tagging in zip(shares, every, strict=True) if step < length and tagging[step] == tag),
                    torch.zeros(()).double(),
                )
                torch.testing.assert_close(marginals[row, step, tag], share.detach())
        one = int(rng.integers(len(every)))
        chosen.append(every[one])
        wanted.append(scores.logsumexp(0) - scores[one])
    found = crf.loss(emissions, padded(chosen, width, fill=2))
    torch.testing.assert_close(found, torch.stack(wanted))
    assert found[LENGTHS.index(0)] == 0


@quick
@given(seed=seeds)
def test_what_all_taggings_weigh_is_one(seed: int) -> None:
    crf, emissions = made(seed, lengths=[3])
    every, _ = taggings(crf, emissions.values[0])
    rows = Padded(emissions.values.expand(len(every), -1, -1), torch.full((len(every),), 3))
    assert (-crf.loss(rows, padded(every, 3))).exp().sum().item() == pytest.approx(1)


def test_gradients_are_those_of_the_definition() -> None:
    crf, emissions = made(7)
    tags = torch.zeros(len(LENGTHS), 4, dtype=torch.long)

    def loss(values: Tensor, start: Tensor, between: Tensor, end: Tensor) -> Tensor:
        weights = {"start": start, "between": between, "end": end}
        # Weights that are no parameters: functional_call puts them in the place of the module's own.
        return torch.func.functional_call(Loss(crf), {f"crf.{name}": one for name, one in weights.items()},
                                          (Padded(values, emissions.lengths), tags))  # fmt: skip

    inputs = [emissions.values, crf.start.detach(), crf.between.detach(), crf.end.detach()]
    assert torch.autograd.gradcheck(loss, [one.clone().requires_grad_() for one in inputs])


class Loss(torch.nn.Module):
    """The loss as a module's forward."""

    def __init__(self, crf: CRF) -> None:
        super().__init__()
        self.crf = crf

    def forward(self, emissions: Padded, tags: Tensor) -> Tensor:
        return self.crf.loss(emissions, tags)


def learned(crf: CRF, emissions: Padded, tags: Tensor) -> list[Tensor]:
    """Losses, and what each weight and emission learns from their weighted sum."""
    values = emissions.values.clone().requires_grad_()
    losses = crf.loss(Padded(values, emissions.lengths), tags)
    gradients = torch.autograd.grad(losses.sum(), [values, *crf.parameters()])
    real = torch.where(emissions.mask[..., None], gradients[0], 0)[:, :4]
    assert torch.equal(gradients[0], torch.where(emissions.mask[..., None], gradients[0], 0)), "padding learns nothing"
    return [losses.detach(), real, *gradients[1:]]


@pytest.mark.parametrize("garbage", [0.0, 1e4, -1e4])
@quick
@given(seed=seeds)
def test_padding_changes_nothing(seed: int, garbage: float) -> None:
    crf, emissions = made(seed)
    tags = torch.zeros(len(LENGTHS), 4, dtype=torch.long)
    wide = torch.full((len(LENGTHS), 7, 3), garbage, dtype=torch.float64)
    wide[:, :4] = torch.where(emissions.mask[..., None], emissions.values, garbage)
    more = Padded(wide, emissions.lengths)
    for found, wanted in zip(learned(crf, more, torch.nn.functional.pad(tags, (0, 3))), learned(crf, emissions, tags),
                             strict=True):  # fmt: skip
        torch.testing.assert_close(found, wanted)
    assert torch.equal(crf.best(more)[0][:, :4], crf.best(emissions)[0])
    assert not crf.best(more)[0][:, 4:].any()
    torch.testing.assert_close(crf.best(more)[1], crf.best(emissions)[1])
    torch.testing.assert_close(crf.marginals(more)[:, :4], crf.marginals(emissions))
    assert not crf.marginals(more)[:, 4:].any()


@quick
@given(seed=seeds)
def test_order_and_size_of_a_batch_change_nothing(seed: int) -> None:
    crf, emissions = made(seed)
    tags = torch.zeros(len(LENGTHS), 4, dtype=torch.long)
    order = torch.tensor([3, 0, 4, 2, 1])
    other = Padded(emissions.values[order], emissions.lengths[order])
    torch.testing.assert_close(crf.loss(other, tags), crf.loss(emissions, tags)[order])
    torch.testing.assert_close(crf.marginals(other), crf.marginals(emissions)[order])
    assert torch.equal(crf.best(other)[0], crf.best(emissions)[0][order])
    for row in range(len(LENGTHS)):
        alone = Padded(emissions.values[row : row + 1], emissions.lengths[row : row + 1])
        torch.testing.assert_close(crf.loss(alone, tags[:1])[0], crf.loss(emissions, tags)[row])
        assert torch.equal(crf.best(alone)[0][0], crf.best(emissions)[0][row])


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_what_is_forbidden_never_comes_out(scheme: spans.Scheme, scale: float) -> None:
    """Even where the emissions want nothing else."""
    tags = ["O", *(f"{mark}-{kind}" for kind in "XY" for mark in ("BI" if scheme == "bio" else "BIES"))]
    crf = CRF(len(tags), Allowed(*map(torch.from_numpy, spans.allowed(tags, scheme))))
    torch.manual_seed(0)
    lengths = torch.arange(40) % 8
    emissions = Padded(scale * torch.randn(40, 7, len(tags)), lengths)
    raw = emissions.values.argmax(2)
    wrong = 0
    for row, length in enumerate(lengths.tolist()):
        assert spans.spans([tags[at] for at in crf.best(emissions)[0][row, :length].tolist()], scheme)[1] == []
        wrong += bool(spans.spans([tags[at] for at in raw[row, :length].tolist()], scheme)[1])
    assert wrong > 10, "the emissions alone say much that is forbidden"


@pytest.mark.parametrize("scale", [1e4, -1e4, 0.0])
def test_huge_emissions_give_numbers(scale: float) -> None:
    """In float32, which the largest of them would overflow as plain probabilities."""
    torch.manual_seed(0)
    crf = CRF(5, constrained(5, torch.Generator().manual_seed(0)))
    values = (scale * torch.randn(len(LENGTHS), 4, 5).sign()).requires_grad_()
    emissions = Padded(values, torch.tensor(LENGTHS))
    losses = crf.loss(emissions, torch.zeros(len(LENGTHS), 4, dtype=torch.long))
    losses.sum().backward()
    found = [losses, values.grad, *(weight.grad for weight in crf.parameters()), crf.marginals(emissions)]
    assert all(torch.isfinite(one).all() for one in found if one is not None)
    assert (losses >= -1e-2).all()
    shares = crf.marginals(emissions).sum(2)
    torch.testing.assert_close(shares, emissions.mask.float(), rtol=0, atol=2e-2)


def test_constraints_are_no_part_of_what_is_saved() -> None:
    crf = CRF(3, Allowed(torch.tensor([True, True, False]), torch.eye(3).bool(), torch.ones(3).bool()))
    assert sorted(crf.state_dict()) == ["between", "end", "start"]
    assert crf.never_start.tolist() == [0, 0, NEVER]
    assert str(crf) == "CRF(3 tags, 6 transitions forbidden)"


def test_equally_good_taggings_are_chosen_by_their_number() -> None:
    crf = CRF(3)
    best, score = crf.best(Padded(torch.zeros(1, 3, 3), torch.tensor([3])))
    assert (best.tolist(), score.tolist()) == ([[0, 0, 0]], [0.0])
