"""Padded, Batch and Loss."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstmlab.types import Batch, Loss, Padded, pad


@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_reversing_twice_is_nothing_and_once_is_each_row_backwards(lengths: list[int]) -> None:
    rows = [torch.arange(1, n + 1, dtype=torch.float32)[:, None] + 10 * i for i, n in enumerate(lengths)]
    padded = pad(rows)
    assert padded.lengths.tolist() == lengths
    assert torch.equal(padded.reversed().reversed().values, padded.values)
    for row, back, length in zip(rows, padded.reversed().values, lengths, strict=True):
        assert torch.equal(back[:length], row.flip(0))
        assert not back[length:].any()


def test_last_mask_and_raggedness() -> None:
    padded = pad([torch.tensor([1.0, 2.0]), torch.tensor([3.0])])
    assert padded.last.tolist() == [2.0, 3.0]
    assert padded.mask.tolist() == [[True, True], [True, False]]
    assert padded.ragged
    assert not pad([torch.tensor([1.0])]).ragged
    dirty = Padded(torch.ones(2, 3, 2), torch.tensor([3, 1]))
    assert dirty.masked().values.sum() == 8


def test_a_loss_is_divided_once() -> None:
    loss = Loss(torch.tensor([1.0, 2.0, 3.0]), 4)
    assert float(loss.total) == 6
    assert float(loss.mean) == 1.5
    assert float(Loss(torch.zeros(1), 0).mean) == 0


def test_a_batch_without_targets_says_so() -> None:
    one = torch.ones(1, dtype=torch.long)
    with pytest.raises(ValueError, match="no targets"):
        _ = Batch(Padded(one[None], one), None, one).wanted
