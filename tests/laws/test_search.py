"""Laws of search: full-width beam = exhaustive, width 1 = greedy, returned score = model's score, each source alone."""

import itertools
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from lstmlab.decoding import Hypothesis, Marks, SearchSettings
from toy_search import END, MARKS, Toy, allowed, everything, plain, run, slow_beam, toy

pytestmark = pytest.mark.slow

seeds = st.integers(0, 10_000)
quick = effort(max_examples=15, deadline=None)

METHODS: dict[str, dict[str, Any]] = {
    "greedy": {"method": "greedy"},
    "beam": {"beam_size": 4, "n_best": 3},
    "exact beam": {"beam_size": 4, "stopping": "exact"},
    "sample": {"method": "sample", "n_best": 3},
    "filtered sample": {"method": "sample", "top_k": 5, "top_p": 0.8, "temperature": 0.7},
}
over_methods = pytest.mark.parametrize("method", METHODS)

rules = st.fixed_dictionaries(
    {
        "no_repeat_ngram": st.integers(0, 3),
        "min_length": st.integers(0, 3),
        "length_penalty": st.sampled_from([0.0, 0.6, 1.0, 2.0]),
    }
)


def close(found: list[Any], wanted: list[Any]) -> bool:
    """The same hypotheses, with log p and score equal up to the rounding of sums."""
    return len(found) == len(wanted) and all(
        (one.tokens, one.finished) == (two.tokens, two.finished)
        and math.isclose(one.log_p, two.log_p, rel_tol=1e-9)
        and math.isclose(one.score, two.score, rel_tol=1e-9, abs_tol=1e-12)
        for one, two in zip(found, wanted, strict=True)
    )


def same(one: list[Hypothesis], two: list[Hypothesis]) -> bool:
    """The same to the bit."""
    return plain(one) == plain(two) and all(
        (a.alignment is None) == (b.alignment is None)
        and (a.alignment is None or (a.alignment.tobytes() == b.alignment.tobytes()))  # type: ignore[union-attr]
        for a, b in zip(one, two, strict=True)
    )


@quick
@given(seed=seeds, size=st.integers(2, 5), limit=st.integers(1, 3), best=st.integers(1, 6), rule=rules)
def test_a_full_width_beam_is_an_exhaustive_search(
    seed: int, size: int, limit: int, best: int, rule: dict[str, Any]
) -> None:
    model = toy(3, size, seed)
    rule = rule | {"min_length": min(rule["min_length"], limit)}
    width = size ** (limit + 1)
    asked = SearchSettings(beam_size=width, max_length=limit, stopping="exact", n_best=min(best, width), **rule)
    for key, found in enumerate(run(model, asked)):
        finished = [one for one in plain(found) if one.finished]
        assert close(finished, everything(model, key, limit, asked)[: asked.n_best])


@quick
@given(
    seed=seeds, size=st.integers(2, 9), limit=st.integers(1, 8), beam=st.integers(1, 6), best=st.integers(1, 6),
    exact=st.booleans(), rule=rules, spread=st.sampled_from([0.3, 2.0, 6.0]),
)  # fmt: skip
def test_a_beam_is_the_beam_written_plainly(
    seed: int, size: int, limit: int, beam: int, best: int, exact: bool, rule: dict[str, Any], spread: float
) -> None:
    model = toy(4, size, seed, spread)
    rule = rule | {"min_length": min(rule["min_length"], limit), "stopping": "exact" if exact else "first"}
    asked = SearchSettings(beam_size=beam, n_best=min(best, beam), max_length=limit, **rule)
    limits = [limit, max(limit - 1, 0), limit, 0]
    for key, found in enumerate(run(model, asked, most=limits)):
        assert close(plain(found), slow_beam(model, key, limits[key], asked))


@quick
@given(seed=seeds, size=st.integers(2, 9), rule=rules, stopping=st.sampled_from(["first", "exact"]))
def test_a_beam_of_one_is_greedy_search(seed: int, size: int, rule: dict[str, Any], stopping: str) -> None:
    model = toy(5, size, seed)
    common = {**rule, "max_length": 12}
    wide = run(model, SearchSettings(beam_size=1, stopping=stopping, **common), keep_alignment=True)
    for one, two in zip(wide, run(model, SearchSettings(method="greedy", **common), keep_alignment=True), strict=True):
        assert one[0].score == pytest.approx(
            one[0].log_probability / ((5 + len(one[0].tokens) + one[0].finished) / 6) ** rule["length_penalty"]
        )
        assert same([replace(one[0], score=0.0)], [replace(two[0], score=0.0)])


@over_methods
@quick
@given(seed=seeds, size=st.integers(3, 9), rule=rules)
def test_the_returned_log_probability_is_the_models_own(
    method: str, seed: int, size: int, rule: dict[str, Any]
) -> None:
    """And every token was allowed, no answer is longer than its limit, and what is finished says so."""
    model, limits = toy(4, size, seed), [7, 4, 9, 3]
    asked = SearchSettings(**METHODS[method], **rule, max_length=9)
    for key, found in enumerate(run(model, asked, most=limits)):
        assert found
        for one in found:
            total, whole = 0.0, one.tokens + (END,) * one.finished
            for at, token in enumerate(whole):
                assert token in allowed(one.tokens[:at], size, limits[key], asked, MARKS)
                total += model.logits(key, one.tokens[:at]).log_softmax(0)[token].item()
            assert one.log_probability == pytest.approx(total, rel=1e-9)
            assert END not in one.tokens
            assert one.finished or len(one.tokens) == limits[key]
            assert len(one.tokens) <= limits[key]


@over_methods
@quick
@given(seed=seeds, order=st.permutations(range(7)), cut=st.integers(1, 6))
def test_no_answer_depends_on_the_batch(method: str, seed: int, order: list[int], cut: int) -> None:
    """Not on its size, not on its order: to the bit."""
    model = toy(7, 50, seed, 4.0)
    asked = SearchSettings(**METHODS[method], max_length=20)
    limits = [20, 3, 9, 20, 1, 14, 20]
    whole = run(model, asked, most=limits, keep_alignment=True)
    for part in (order[:cut], order[cut:]):
        mine = Toy(model.numbers, torch.tensor(part))
        told = run(mine, asked, most=[limits[key] for key in part], streams=part, keep_alignment=True)
        for key, found in zip(part, told, strict=True):
            assert same(found, whole[key])


@pytest.mark.slow
@over_methods
@pytest.mark.parametrize("spread", [0.0, 2.0], ids=["flat", "uneven"])
@pytest.mark.parametrize("size", [6_500, 30_000])
def test_no_answer_depends_on_the_batch_with_many_tokens(method: str, size: int, spread: float) -> None:
    """In long rows the best are found in blocks, batches are cut into pieces, and flat logits are all ties."""
    model = toy(40, size, 1, spread)
    model = replace(model, numbers=model.numbers.float())
    asked = SearchSettings(**METHODS[method], max_length=2)
    whole = run(model, asked)
    for key in (0, 17, 39):
        alone = run(Toy(model.numbers, torch.tensor([key])), asked, streams=[key])[0]
        assert same(alone, whole[key])
    if spread == 0 and "sample" not in method:
        # The lowest token that is not forbidden is the end mark.
        assert all(found[0].tokens == () for found in whole)


@quick
@given(seed=seeds, beam=st.integers(1, 6), best=st.integers(1, 6))
def test_answers_are_sorted_and_distinct(seed: int, beam: int, best: int) -> None:
    asked = SearchSettings(beam_size=beam, n_best=min(beam, best), max_length=6)
    for found in run(toy(4, 5, seed), asked):
        assert len({one.tokens for one in found}) == len(found) <= asked.n_best
        for one, two in itertools.pairwise(found):
            assert (one.finished, one.score) >= (two.finished, two.score)


@quick
@given(seed=seeds)
def test_a_wide_beam_finds_nothing_worse_than_greedy_search(seed: int) -> None:
    model = toy(6, 4, seed)
    wide = run(model, SearchSettings(beam_size=4**4, stopping="exact", length_penalty=0.0, max_length=3))
    for one, two in zip(wide, run(model, SearchSettings(method="greedy", max_length=3)), strict=True):
        assert not two[0].finished or one[0].log_probability >= two[0].log_probability


@quick
@given(seed=seeds, rule=rules)
def test_a_sample_from_one_token_or_at_no_temperature_is_greedy(seed: int, rule: dict[str, Any]) -> None:
    model, common = toy(6, 8, seed), {**rule, "max_length": 9}
    wanted = run(model, SearchSettings(method="greedy", **common))
    for only in ({"top_k": 1}, {"temperature": 1e-6}, {"temperature": 1e-300}, {"top_p": 1e-9}):
        found = run(model, SearchSettings(method="sample", seed=seed, **only, **common))
        assert all(same(one, two) for one, two in zip(found, wanted, strict=True))


@quick
@given(seed=seeds, mark=st.integers(2, 5))
def test_a_forbidden_token_is_in_no_answer(seed: int, mark: int) -> None:
    marks = Marks(0, END, (0, mark))
    for method in METHODS.values():
        for found in run(toy(4, 6, seed), SearchSettings(**method, max_length=8), marks):
            assert not any({0, mark} & set(one.tokens) for one in found)
