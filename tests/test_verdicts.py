"""How often the verdict is right on histories with known answers (`histories.py`); sound ones are never accused."""

import numpy as np
import pytest

from histories import TWO, Case, cases, rows
from lstmlab.analysis.verdict import verdict

CASES = cases()


def right(chosen: dict[str, Case]) -> float:
    """Share of the cases judged right."""
    return sum(not case.wrong() for case in chosen.values()) / len(chosen)


def test_there_are_enough_of_each_sort() -> None:
    real = [name for name in CASES if name.startswith("recorded")]
    assert len(CASES) >= 80
    assert len(real) >= 15
    assert sum(case.fine for case in CASES.values()) >= len(CASES) / 3


@pytest.mark.parametrize("held_out", [False, True])
def test_at_least_95_in_100_are_right(held_out: bool) -> None:
    assert right({name: case for name, case in CASES.items() if case.held_out is held_out}) >= 0.95


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.fine])
def test_a_sound_training_is_not_accused(name: str) -> None:
    assert not CASES[name].wrong()


@pytest.mark.parametrize("losses", [[None], [0.5, None], [None, None, None], [0.0], [0.0] * 5, [1e30, 1e-30, 1e30]])
def test_odd_histories_get_a_sentence(losses: list[float | None]) -> None:
    for valid in (None, losses):
        found = verdict(rows([np.nan if loss is None else loss for loss in losses], valid), TWO)
        assert found.sentence.endswith(".")
        assert ("unstable" in found.kinds) == (None in losses or losses[0] == 1e30)


def test_a_history_with_nothing_but_losses_is_judged() -> None:
    bare = [{"epoch": at + 1, "train": {"loss": 0.7 - 0.1 * at}} for at in range(5)]
    assert verdict(bare, TWO).kind == "still improving"
    assert verdict([], TWO).kind == "too short to tell"
