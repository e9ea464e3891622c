"""What tests of cells and kernels run over: decorators that read `@over.cells`, `@over.pairs`, `@over.sizes()`."""

import os
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cell_samples import CASES, PLAIN, REFERENCE, Case, make_weights
from lstmlab import kernels
from lstmlab.cells import CELLS, Cell

COMPILED = "cpu"
"""The kernel that takes seconds to be made, for each cell and precision."""
Decorator = Callable[[Callable[..., None]], Callable[..., None]]
quick = settings(deadline=None, max_examples=12, derandomize=True)

cells = pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))


def every_pair(case: Case = PLAIN) -> list[tuple[Cell, str]]:
    """Every cell on the shelf that suits, with every kernel that runs it."""
    return [
        (cell, kernel)
        for cell in CELLS.values()
        if case.suits(cell)
        for kernel in kernels.KERNELS
        if kernels.runs(kernel, cell, make_weights(cell, 1, 1, gains=case.gains), case.noise)
    ]


def some(chosen: Iterable[tuple[Cell, str]]) -> pytest.MarkDecorator:
    """A test of these pairs of `cell` and `kernel`; slow but for the LSTM and, where nothing is compiled, the sLSTM."""
    return pytest.mark.parametrize(
        ("cell", "kernel"),
        [
            pytest.param(cell, kernel, id=f"{cell.name}-{kernel}", marks=[pytest.mark.slow] * _slow(cell, kernel))
            for cell, kernel in chosen
        ],
    )


def _slow(cell: Cell, kernel: str) -> bool:
    return cell.name != "lstm" and (kernel == COMPILED or cell.name != "slstm")


pairs = some(every_pair())
others = some(pair for pair in every_pair() if pair[1] != REFERENCE)


def cases(*, reference: bool = True) -> pytest.MarkDecorator:
    """A test of `cell` by `kernel` in each `case`: of every third cell in one case, of the next ones in the next.

    All together would compile for many minutes. Whoever writes a kernel lets them run once, with LSTMLAB_ALL_CASES=1.
    """

    def chosen() -> Iterator[tuple[Cell, str, str]]:
        every = bool(os.environ.get("LSTMLAB_ALL_CASES"))
        for at, name in enumerate(CASES):
            for cell, kernel in every_pair(CASES[name]):
                turn = (list(CELLS).index(cell.name) + at) % 3 == 0
                if (every or turn) and (reference or kernel != REFERENCE):
                    yield cell, kernel, name

    return pytest.mark.parametrize(
        ("cell", "kernel", "case"),
        [pytest.param(cell, kernel, CASES[name], id=f"{cell.name}-{kernel}-{name}") for cell, kernel, name in chosen()],
    )


def sizes(**more: st.SearchStrategy) -> Decorator:
    """A test of a dozen batches, the same ones every time: `lengths` of rows, numbers of `features` and `hidden` units.

    `more` are strategies of further arguments.
    """
    lengths, count = st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any), st.integers(1, 5)
    return lambda test: quick(given(lengths=lengths, features=count, hidden=count, **more)(test))
