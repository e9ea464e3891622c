"""Synthetic sets: right answers, equal seeds, parts with nothing in common, and the stated chance levels."""

import numpy as np
import pytest

from lstmlab.data.datasets import synthetic
from lstmlab.data.datasets.synthetic import SYNTHETIC
from lstmlab.errors import InputError


def test_the_sine_and_what_follows_it() -> None:
    np.testing.assert_array_equal(synthetic.sine(), np.sin(np.linspace(0, 100, 1000)))
    whole = synthetic.sine(2000, 100.0 * 1999 / 999)
    np.testing.assert_allclose(np.concatenate([synthetic.sine(), synthetic.sine_continuation(1000)]), whole, atol=1e-12)
    assert len(synthetic.sine_continuation(0)) == 0
    with pytest.raises(InputError, match="at least 2 points"):
        synthetic.sine(1)


def test_parity_answers_and_lengths() -> None:
    corpus = synthetic.parity(400, 12, seed=1)
    bits = [text.split(" ") for text in corpus.inputs]
    assert {len(row) for row in bits} == set(range(6, 13))
    assert corpus.targets == ["odd" if row.count("1") % 2 else "even" for row in bits]
    assert 0.4 < corpus.targets.count("odd") / 400 < 0.6


def test_copy_answers() -> None:
    for example in synthetic.copy(50, 7, seed=1):
        symbols = example.inputs.split(" ")
        assert symbols[10:] == ["_"] * 7
        assert example.target == " ".join(symbols[:10])
        assert set(symbols[:10]) <= set("abcdefgh")


def test_adding_answers_and_chance() -> None:
    corpus = synthetic.adding(4000, 11, seed=1)
    steps = np.array(corpus.inputs)
    targets = np.array(corpus.targets)
    assert steps.shape == (4000, 11, 2)
    np.testing.assert_allclose((steps[:, :, 0] * steps[:, :, 1]).sum(1), targets)
    np.testing.assert_array_equal(steps[:, :5, 1].sum(1), 1)
    np.testing.assert_array_equal(steps[:, 5:, 1].sum(1), 1)
    # Every place is marked somewhere, and the error of always answering 1 is a sixth (standard error 0.003 here).
    assert (steps[:, :, 1].sum(0) > 0).all()
    assert abs(np.mean((targets - 1) ** 2) - 1 / 6) < 0.012


@pytest.mark.parametrize("name", SYNTHETIC)
def test_every_set(name: str) -> None:
    entry = SYNTHETIC[name]
    parts = entry.parts(200, 20, 3)
    assert {part: len(corpus) for part, corpus in parts.items()} == {"train": 200, "valid": 40, "test": 40}
    assert {part: corpus.fingerprint for part, corpus in entry.parts(200, 20, 3).items()} == {
        part: corpus.fingerprint for part, corpus in parts.items()
    }
    assert parts["train"].frame.equals(entry.parts(200, 20, 3)["train"].frame)
    assert entry.parts(200, 20, 4)["train"].fingerprint != parts["train"].fingerprint
    inputs = {part: set(map(str, corpus.inputs)) for part, corpus in parts.items()}
    assert not inputs["train"] & inputs["test"]
    assert not inputs["train"] & inputs["valid"]
    assert not inputs["valid"] & inputs["test"]
    assert entry.source.name == entry.name == name
    assert entry.chance in entry.source.description


def test_short_parities_stay_apart() -> None:
    parts = synthetic.parity_parts(1000, 8, 0)
    assert not set(parts["train"].inputs) & set(parts["test"].inputs)
    with pytest.raises(InputError, match=r"too few for a .* part of their own"):
        synthetic.parity_parts(10, 1, 0)


@pytest.mark.parametrize(
    "make", [synthetic.parity, synthetic.copy, synthetic.adding, *(entry.parts for entry in SYNTHETIC.values())]
)
def test_senseless_sizes(make: object) -> None:
    with pytest.raises(InputError, match="count=0, length=20"):
        make(0, 20, 0)
    with pytest.raises(InputError, match="count=5, length=0"):
        make(5, 0, 0)
