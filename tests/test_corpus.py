"""Examples in columns, and splits: stratified, seeded, disjoint, whole."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmlab.data.corpus import Corpus, limited, stratified_split
from lstmlab.errors import InputError


def corpus(targets: list[str]) -> Corpus:
    """A corpus with these targets; each text is its own."""
    ids = [str(i) for i in range(len(targets))]
    frame = pl.DataFrame({"id": ids, "inputs": [f"text {i}" for i in ids], "target": targets})
    return Corpus.of(frame)


def test_examples_are_made_when_asked_for() -> None:
    found = Corpus.of(pl.DataFrame({"id": ["a", "b"], "inputs": ["x", "y"], "target": ["p", "n"], "length": [1, 2]}))
    assert (found[1].id, found[1].inputs, found[1].target, found[1].meta) == ("b", "y", "n", {"length": 2})
    assert [example.id for example in found] == [example.id for example in found[0:2]] == ["a", "b"]
    assert found[-1] == found[1]
    with pytest.raises(IndexError):
        found[2]
    with pytest.raises(ValueError, match="target"):
        Corpus.of(pl.DataFrame({"id": ["a"], "inputs": ["x"]}))


def test_fingerprints_tell_contents_apart() -> None:
    first = corpus(["p", "n", "p"])
    assert first.fingerprint == corpus(["p", "n", "p"]).fingerprint
    assert first.fingerprint != corpus(["p", "n", "n"]).fingerprint
    assert first.take(np.array([0, 1])).fingerprint != first.take(np.array([1, 0])).fingerprint


@given(
    targets=st.lists(st.sampled_from("abcd"), min_size=10, max_size=80),
    fraction=st.floats(0.1, 0.9),
    seed=st.integers(0, 5),
)
def test_a_split_is_whole_disjoint_and_in_proportion(targets: list[str], fraction: float, seed: int) -> None:
    whole = corpus(targets)
    rest, chosen = stratified_split(whole, fraction, seed)
    ids = [example.id for part in (rest, chosen) for example in part]
    assert sorted(ids) == sorted(example.id for example in whole)
    assert [e.id for e in rest] == sorted((e.id for e in rest), key=int)
    assert set(rest.targets) == set(targets)
    counts = Counter(targets)
    # Each label is within one of its share, unless somewhere the last example of a label had to stay behind.
    if all(fraction * count + 1 <= count - 1 for count in counts.values()):
        taken = Counter(chosen.targets)
        assert all(abs(taken[target] - fraction * count) <= 1 for target, count in counts.items())
    again = stratified_split(whole, fraction, seed)
    assert [e.id for e in again[1]] == [e.id for e in chosen]


def test_another_seed_splits_otherwise() -> None:
    whole = corpus(["a", "b"] * 50)
    assert stratified_split(whole, 0.2, 0)[1].fingerprint != stratified_split(whole, 0.2, 1)[1].fingerprint


@given(
    targets=st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=60),
    share=st.floats(0.01, 0.99),
    seed=st.integers(0, 3),
)
def test_a_limit_is_kept_to_exactly(targets: list[str], share: float, seed: int) -> None:
    count = max(int(len(targets) * share), 1)
    assert len(limited(corpus(targets), count, seed)) == count
    assert limited(corpus(targets), len(targets) + 1, seed).targets == targets


def test_too_few_to_split_is_told() -> None:
    with pytest.raises(InputError, match="too few to split off 10%"):
        stratified_split(corpus(["a", "b"]), 0.1, 0)
