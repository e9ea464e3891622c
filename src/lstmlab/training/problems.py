"""Small problems drawn without end, for measuring what a recurrence can hold in mind.

Letters in shapes: B batch, T steps, F features, A answers asked of a row, K classes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Num
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lstmlab.data.datasets import synthetic
from lstmlab.errors import InputError

Rng = np.random.Generator
Drawn = tuple[Float[Tensor, "B T F"], Num[Tensor, "B A"]]


@dataclass(frozen=True)
class Problem:
    """Rows of `steps` steps with `inputs` numbers each; the last outputs are asked about, one for each target."""

    name: str
    length: int
    """How long something has to be held in mind (T)."""
    steps: int
    inputs: int
    outputs: int
    draw: Callable[[int, Rng], Drawn]
    """New rows: as many as are wanted, from a stream of random numbers."""
    chance: float
    """The loss of always giving the best answer that looks at nothing."""
    unit: str
    held: Callable[[int, Rng], Drawn] | None = None
    """Rows to be judged by, where they come from somewhere else than those to learn from."""

    def loss(self, outputs: Float[Tensor, "B A K"], targets: Num[Tensor, "B A"]) -> Float[Tensor, ""]:
        """Mean squared error of numbers, mean cross-entropy (nats) of classes."""
        if targets.is_floating_point():
            return functional.mse_loss(outputs[:, :, 0], targets)
        return functional.cross_entropy(outputs.flatten(0, 1), targets.flatten())


def adding(length: int) -> Problem:
    """The sum of two marked numbers of `length`, after the last of them (Hochreiter & Schmidhuber 1997)."""

    def draw(count: int, rng: Rng) -> Drawn:
        steps, sums = synthetic.adding_batch(count, length, rng)
        return torch.from_numpy(steps).float(), torch.from_numpy(sums).float()[:, None]

    draw(1, np.random.default_rng(0))  # a senseless length is refused here
    return Problem("adding", length, length, 2, 1, draw, 1 / 6, "mean squared error")


def copy(length: int) -> Problem:
    """Ten symbols to be given again after `length` steps (Arjovsky et al. 2016); the loss is of those ten alone."""
    symbols = len(synthetic.ALPHABET)

    def draw(count: int, rng: Rng) -> Drawn:
        given, wanted = (torch.from_numpy(one) for one in synthetic.copy_batch(count, length, rng))
        return functional.one_hot(given, symbols + 2).float(), wanted

    draw(1, np.random.default_rng(0))
    steps = length + 2 * synthetic.COPIED
    return Problem("copy", length, steps, symbols + 2, symbols, draw, math.log(symbols), "nats per symbol")


def characters(text: str, length: int) -> Problem:
    """The next character at each of `length` characters of a text, which is learned from its first nine tenths.

    Chance is the cross-entropy of the characters' frequencies. Raises InputError where the text is too short.
    """
    alphabet = sorted(set(text))
    number = {one: at for at, one in enumerate(alphabet)}
    ids = np.array([number[one] for one in text], dtype=np.int64)
    cut = len(ids) * 9 // 10
    if len(ids) - cut <= length + 1 or len(alphabet) < 2:
        raise InputError(f"a text of {len(text):,} characters is too short to learn {length} of them at a time")
    shares = np.bincount(ids[:cut], minlength=len(alphabet)) + 1.0
    chance = float(-np.log(shares / shares.sum())[ids[cut:]].mean())

    def drawer(part: NDArray[np.int64]) -> Callable[[int, Rng], Drawn]:
        def draw(count: int, rng: Rng) -> Drawn:
            begins = rng.integers(0, len(part) - length - 1, count)
            rows = torch.from_numpy(part[begins[:, None] + np.arange(length + 1)])
            return functional.one_hot(rows[:, :-1], len(alphabet)).float(), rows[:, 1:]

        return draw

    size = len(alphabet)
    learned, judged = drawer(ids[:cut]), drawer(ids[cut:])
    return Problem("characters", length, length, size, size, learned, chance, "nats per character", judged)
