"""What every score asks of its arguments."""

from collections.abc import Sequence

import numpy as np

from lstmlab.errors import InputError


def check_shapes(targets: np.ndarray, predictions: np.ndarray) -> None:
    """Refuses arrays of different shapes, and empty ones."""
    if targets.shape != predictions.shape:
        raise ValueError(f"targets are {list(targets.shape)}, predictions {list(predictions.shape)}")
    check_some(targets.size)


def check_lengths(**lists: Sequence[object]) -> None:
    """Refuses lists of different lengths, a single text where a list is meant, and empty lists."""
    for name, found in lists.items():
        if isinstance(found, str):
            raise ValueError(f"{name}: expected a list of texts, got one text")
    if len({len(found) for found in lists.values()}) > 1:
        raise ValueError(", ".join(f"{len(found)} {name}" for name, found in lists.items()))
    check_some(len(next(iter(lists.values()))))


def check_some(count: int) -> None:
    """Refuses to score nothing."""
    if not count:
        raise InputError("there is nothing to score: no examples")
