"""How often the verdict is right on histories with known answers (`histories.py`); sound ones are never accused."""

import pytest

from histories import Case, cases

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
