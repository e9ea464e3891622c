"""Without these, no other test would notice that shapes are not checked at all."""

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError

from lstmlab import metrics
from lstmlab.types import Padded
from shapes import checked


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(TypeCheckError, match="accuracy"):
        metrics.accuracy(np.zeros((3, 1), int), np.zeros(3, int))


def test_a_wrong_field_is_refused() -> None:
    with pytest.raises(TypeCheckError, match="Padded"):
        Padded(torch.zeros(2, 3, 4), torch.zeros(5, dtype=torch.long))


def test_what_names_no_array_stays_itself() -> None:
    def plain(count: int) -> int:
        return count

    assert checked(plain) is plain
