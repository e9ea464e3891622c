"""Searches one by one: their edges, their settings, their random numbers, what they refuse."""

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from lstmlab.decoding import Marks, SearchSettings, choices, length_divisor, search, walk
from lstmlab.errors import InputError
from lstmlab.recipe import validate
from toy_search import BEGIN, END, MARKS, Toy, everything, run, step, toy


def always(row: list[float]) -> Any:
    """A step that gives the same logits [V] for ever."""
    return lambda tokens, state: (torch.tensor(row).expand(len(tokens), -1), state, None)


@dataclass
class Nothing:
    """A state that remembers only how many rows it has."""

    rows: int

    def select(self, rows: Tensor) -> "Nothing":
        assert bool((rows < self.rows).all())
        return Nothing(len(rows))


METHODS = ["greedy", "beam", "sample"]
over_methods = pytest.mark.parametrize("method", METHODS)


# ---- Edges ----------------------------------------------------------------------------------------------------------


@over_methods
def test_a_decoder_that_never_ends_is_stopped(method: str) -> None:
    asked = SearchSettings(method=method, max_length=6)
    (found,) = search(always([0.0, -torch.inf, 1.0, 2.0]), Nothing(1), 1, asked, MARKS)
    assert (len(found[0].tokens), found[0].finished) == (6, False)


@over_methods
def test_a_decoder_that_ends_at_once_answers_nothing(method: str) -> None:
    (found,) = search(always([0.0, 50.0, 1.0, 2.0]), Nothing(1), 1, SearchSettings(method=method), MARKS)
    assert (found[0].tokens, found[0].finished, found[0].log_probability) == ((), True, 0.0)


@over_methods
def test_no_sources_no_answers(method: str) -> None:
    assert search(always([0.0, 1.0]), Nothing(0), 0, SearchSettings(method=method), MARKS) == []


@over_methods
def test_the_end_mark_may_follow_the_last_token(method: str) -> None:
    """The largest length counts tokens: an answer of just that length can be finished."""

    def two_then_end(tokens: Tensor, at: Any) -> tuple[Tensor, Any, None]:
        return torch.eye(4)[[END if at.at == 2 else 3]].expand(len(tokens), -1) * 50, replace(at, at=at.at + 1), None

    asked = SearchSettings(method=method, max_length=2, beam_size=1)
    (found,) = search(two_then_end, toy(1, 4, 0), 1, asked, MARKS)
    assert (found[0].tokens, found[0].finished) == ((3, 3), True)
    (found,) = search(two_then_end, toy(1, 4, 0), 1, asked, MARKS, most=1)
    assert (found[0].tokens, found[0].finished) == ((3,), False)


@over_methods
def test_where_everything_is_forbidden_the_end_mark_is_not(method: str) -> None:
    asked = SearchSettings(method=method, no_repeat_ngram=1, min_length=50)
    (found,) = search(always([0.0, -3.0, 1.0, 2.0]), Nothing(1), 1, asked, MARKS)
    assert (set(found[0].tokens), found[0].finished) == ({2, 3}, True)


@over_methods
def test_where_not_even_the_end_mark_can_be_a_search_stops(method: str) -> None:
    asked = SearchSettings(method=method, no_repeat_ngram=1)
    (found,) = search(always([0.0, -torch.inf, 1.0, 2.0]), Nothing(1), 1, asked, MARKS)
    assert (set(found[0].tokens), found[0].finished) == ({2, 3}, False)
    assert found[0].log_probability > -10


def test_a_beam_wider_than_the_vocabulary() -> None:
    model = toy(2, 3, 0)
    for found in run(model, SearchSettings(beam_size=50, n_best=50, max_length=2)):
        assert len({one.tokens for one in found}) == len(found) == 3


def test_a_source_that_is_done_leaves_the_batch() -> None:
    sizes: list[int] = []

    def watched(tokens: Tensor, state: Toy) -> tuple[Tensor, Toy, None]:
        sizes.append(len(tokens))
        logits, state, _ = step(tokens, state)
        logits[:, END] = torch.where(state.keys < state.at, 100.0, -100.0)
        return logits, state, None

    for method, each in (("greedy", 1), ("beam", 3)):
        sizes.clear()
        model = toy(10, 6, 0)
        found = search(watched, model, 10, SearchSettings(method=method, beam_size=3), MARKS)
        assert [len(one[0].tokens) for one in found] == list(range(10))
        # It stops with the last source, and one in eight that is done may stay a while.
        assert len(sizes) == 10
        assert sizes[-1] == each
        assert sizes[5] <= 6 * each


def test_a_state_that_keeps_what_its_rows_share_once() -> None:
    """`regroup` is told which sources are left; with it and with `select` alone the answers are the same."""

    @dataclass(frozen=True)
    class Grouped:
        rows: Toy
        sources: Tensor

        def regroup(self, rows: Tensor, sources: Tensor | None) -> "Grouped":
            kept = self.sources if sources is None else self.sources[sources]
            return Grouped(self.rows.select(rows), kept)

    def grouped(tokens: Tensor, state: Grouped) -> tuple[Tensor, Grouped, None]:
        width, rest = divmod(len(tokens), len(state.sources))
        assert rest == 0
        assert torch.equal(state.sources.repeat_interleave(width), state.rows.keys)
        logits, rows, _ = step(tokens, state.rows)
        return logits, replace(state, rows=rows), None

    model, asked = toy(9, 7, 3), SearchSettings(beam_size=3)
    assert search(grouped, Grouped(model, model.keys), 9, asked, MARKS) == run(model, asked)


@over_methods
def test_alignments_belong_to_their_tokens(method: str) -> None:
    """The toy's alignment holds the token before, the source and the step."""
    asked = SearchSettings(method=method, n_best=3, beam_size=4, max_length=8)
    model = Toy(toy(9, 9, 2).numbers, torch.arange(9).flip(0))
    for key, found in zip(model.keys.tolist(), run(model, asked, keep_alignment=True), strict=True):
        for one in found:
            before = ((BEGIN, *one.tokens) if one.finished else (BEGIN, *one.tokens)[:-1]) if one.tokens else (BEGIN,)
            assert one.alignment is not None
            assert one.alignment.tolist() == [[token, key, at] for at, token in enumerate(before)]
    assert run(model, asked)[0][0].alignment is None


def test_alignments_of_a_memory_that_shrinks_are_padded() -> None:
    def shrinking(tokens: Tensor, at: Any) -> tuple[Tensor, Any, Tensor]:
        logits, state, _ = step(tokens, at)
        return logits, state, torch.ones(len(tokens), 5 - at.at)

    (found,) = search(
        shrinking, toy(1, 9, 0), 1, SearchSettings(min_length=3, max_length=3), MARKS, keep_alignment=True
    )
    assert found[0].alignment is not None
    assert found[0].alignment.sum(1).tolist() == [5, 4, 3, 2][: 3 + found[0].finished]


def test_a_beam_waits_for_a_leader_that_is_better_than_all_that_has_ended() -> None:
    """The end mark comes second at every step, so two have ended at once; the leader is far ahead of both."""

    def late(tokens: Tensor, state: Toy) -> tuple[Tensor, Toy, None]:
        logits = torch.tensor([-20.0, 10.0 if state.at == 4 else -10.0, 0.0, -20.0])
        return logits.expand(len(tokens), -1), replace(state, at=state.at + 1), None

    for stopping in ("first", "exact"):
        asked = SearchSettings(beam_size=2, stopping=stopping, length_penalty=0.0)
        (found,) = search(late, toy(1, 4, 0), 1, asked, MARKS)
        assert found[0].tokens == (2, 2, 2, 2)


# ---- Ranking --------------------------------------------------------------------------------------------------------


def test_the_length_penalty_by_hand() -> None:
    """Wu et al. 2016, equation 14: ((5 + |Y|) / 6)^alpha."""
    assert length_divisor(1.0, 0.7) == 1.0
    assert length_divisor(7.0, 1.0) == 2.0
    assert length_divisor(19.0, 0.5) == 2.0
    (found,) = run(toy(1, 5, 4), SearchSettings(min_length=6, max_length=6, length_penalty=1.0))
    assert found[0].score == pytest.approx(found[0].log_probability / 2)


def test_a_larger_penalty_makes_longer_answers() -> None:
    model = toy(40, 6, 5)

    def mean(alpha: float) -> float:
        asked = SearchSettings(length_penalty=alpha, beam_size=10, stopping="exact", max_length=15)
        return sum(len(found[0].tokens) for found in run(model, asked)) / 40

    assert mean(0.0) < mean(1.0) < mean(2.0)


def test_of_equals_the_lower_token_wins() -> None:
    flat = always([0.0] * 6)
    (found,) = search(flat, Nothing(1), 1, SearchSettings(method="greedy", min_length=2, max_length=2), MARKS)
    assert found[0].tokens == (2, 2)
    (found,) = search(flat, Nothing(1), 1, SearchSettings(min_length=1, max_length=1, n_best=3), MARKS)
    assert [one.tokens for one in found] == [(2,), (3,), (4,)]


@pytest.mark.parametrize("size", [7, 100, 4096, 6500, 10_001])
@pytest.mark.parametrize("count", [1, 6, 40])
@pytest.mark.parametrize("kinds", [2, 50, 100_000])
def test_top_is_a_stable_sort(size: int, count: int, kinds: int) -> None:
    generator = torch.Generator().manual_seed(size)
    values = torch.randint(0, kinds, (9, size), generator=generator).float()
    values[0] = -torch.inf
    values[1, 3:] = -torch.inf
    found, columns = choices.top(values, count)
    wanted, order = values.sort(dim=1, descending=True, stable=True)
    assert torch.equal(found, wanted[:, :count])
    possible = found > -torch.inf
    assert torch.equal(columns[possible], order[:, :count][possible])


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_repeats_are_those_found_one_by_one(size: int) -> None:
    history = torch.randint(0, 3, (20, 9), generator=torch.Generator().manual_seed(0))
    for length in range(10):
        pairs = choices.repeats(history[:, :length], size)
        found = set() if pairs is None else {(int(row), int(token)) for row, token in zip(*pairs, strict=True)}
        wanted = set()
        for row, tokens in enumerate(history[:, :length].tolist()):
            grams = {tuple(tokens[i : i + size]) for i in range(length - size + 1)}
            wanted |= {(row, token) for token in range(3) if tuple([*tokens, token][length + 1 - size :]) in grams}
        assert found == (wanted if length >= size else set())


@over_methods
def test_pieces_of_a_batch_are_the_batch(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = SearchSettings(method=method, no_repeat_ngram=2, min_length=3, max_length=9, top_p=0.9)
    whole = run(toy(11, 8, 0), asked)
    monkeypatch.setattr(choices, "CHUNK", 24)
    assert run(toy(11, 8, 0), asked) == whole


def test_half_precision_is_added_up_in_full() -> None:
    def half(tokens: Tensor, state: Toy) -> tuple[Tensor, Toy, None]:
        logits, state, _ = step(tokens, state)
        return logits.bfloat16(), state, None

    def full(tokens: Tensor, state: Toy) -> tuple[Tensor, Toy, None]:
        logits, state, _ = half(tokens, state)
        return logits.float(), state, None

    model, asked = toy(3, 40, 0), SearchSettings(max_length=9)
    assert search(half, model, 3, asked, MARKS) == search(full, model, 3, asked, MARKS)


# ---- Samples --------------------------------------------------------------------------------------------------------


def chi_square(counts: Counter[Any], shares: dict[Any, float]) -> float:
    total = sum(counts.values())
    assert set(counts) <= set(shares)
    return sum((counts[key] - total * share) ** 2 / (total * share) for key, share in shares.items())


def test_samples_are_distributed_as_the_model_says() -> None:
    """Whole answers, so that the tokens of one are seen to be drawn independently of each other."""
    model = toy(1, 4, 1, 1.0)
    asked = SearchSettings(method="sample", max_length=2, n_best=4000)
    marks = Marks(BEGIN, END)
    (found,) = run(model, asked, marks)
    counts = Counter((one.tokens, one.finished) for one in found)
    shares = {(one.tokens, True): torch.tensor(one.log_p).exp().item() for one in everything(model, 0, 2, asked, marks)}
    for tokens in itertools.product((0, 2, 3), repeat=2):
        first, second = (model.logits(0, tokens[:at]).softmax(0)[tokens[at]].item() for at in (0, 1))
        shares[tokens, False] = first * second - shares[tokens, True]
    assert sum(shares.values()) == pytest.approx(1)
    assert len(shares) == 22
    # 21 degrees of freedom: above 46.8 in one of a thousand.
    assert chi_square(counts, shares) < 46.8
    assert [one.score for one in found] == sorted((one.log_probability for one in found), reverse=True)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({}, [0.5, 0.25, 0.15, 0.1]),
        ({"temperature": 0.5}, [0.25, 0.0625, 0.0225, 0.01]),
        ({"temperature": 2.0}, [0.5**0.5, 0.5, 0.15**0.5, 0.1**0.5]),
        ({"top_k": 2}, [0.5, 0.25, 0, 0]),
        ({"top_k": 9}, [0.5, 0.25, 0.15, 0.1]),
        ({"top_p": 0.49}, [1, 0, 0, 0]),
        ({"top_p": 0.74}, [0.5, 0.25, 0, 0]),
        ({"top_p": 0.76}, [0.5, 0.25, 0.15, 0]),
        ({"top_p": 0.76, "top_k": 3}, [0.5, 0.25, 0, 0]),
        ({"top_p": 0.76, "temperature": 0.5}, [0.25, 0.0625, 0, 0]),
    ],
)
def test_what_is_drawn_from(asked: dict[str, Any], kept: list[float]) -> None:
    """Temperature, then top_k, then the fewest tokens that hold top_p of what is left; log p stays the model's."""
    shares = torch.tensor([0.15, 0.5, 0.1, 0.25])
    order = [1, 3, 0, 2]
    count = 20_000
    uniform = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    values, tokens = walk.draw(shares.log().expand(count, -1), uniform, SearchSettings(method="sample", **asked))
    found = tokens[:, 0].bincount(minlength=4)[order] / count
    assert found.tolist() == pytest.approx([share / sum(kept) for share in kept], abs=2 / count)
    assert torch.equal(values, shares.log()[tokens])


def test_top_p_looks_as_far_as_it_has_to() -> None:
    """A flat row of 3,000 tokens needs more than the first few."""
    uniform = torch.tensor([0.0, 0.5, 1 - 2**-53], dtype=torch.float64)
    _, tokens = walk.draw(torch.zeros(3, 3000), uniform, SearchSettings(method="sample", top_p=0.5))
    assert tokens[:, 0].tolist() == [0, 750, 1499]


def test_no_number_draws_what_cannot_be() -> None:
    log_p = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0, -torch.inf]])
    for number, wanted in ((0.0, 1), (0.49, 1), (0.5, 3), (1 - 2**-53, 3)):
        for filters in ({}, {"top_k": 4}, {"top_p": 0.99}):
            uniform = torch.tensor([number], dtype=torch.float64)
            assert walk.draw(log_p, uniform, SearchSettings(method="sample", **filters))[1].item() == wanted


def test_seeds_streams_and_samples_differ() -> None:
    model = Toy(toy(1, 30, 0, 0.1).numbers, torch.zeros(5, dtype=torch.long))
    asked = SearchSettings(method="sample", max_length=20, min_length=20, n_best=3)
    found = run(model, asked)
    assert len({one.tokens for source in found for one in source}) == 15
    assert run(model, asked) == found
    assert run(model, asked, streams=range(5)) == found
    assert run(model, asked.model_copy(update={"seed": 1})) != found
    assert run(model, asked, streams=[9, 8, 7, 6, 0])[4] == found[0]


def test_a_longer_limit_only_goes_on() -> None:
    """The random numbers of a step are the same whatever comes after it."""
    model, asked = toy(4, 30, 0, 0.1), SearchSettings(method="sample", min_length=9, max_length=9)
    long, short = run(model, asked), run(model, asked, most=4)
    assert [one[0].tokens[:4] for one in long] == [one[0].tokens for one in short]


# ---- What is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"beam_size": 0}, "beam_size: expected greater than or equal to 1, got 0"),
        ({"beam_size": -3}, "beam_size"),
        ({"beam_size": 2.5}, "beam_size"),
        ({"length_penalty": -1.0}, "length_penalty"),
        ({"length_penalty": float("nan")}, "length_penalty"),
        ({"max_length": 0}, "max_length"),
        ({"min_length": -1}, "min_length"),
        ({"min_length": 9, "max_length": 8}, r"min_length \(9\) is more than max_length \(8\)"),
        ({"n_best": 0}, "n_best"),
        ({"n_best": 6}, r"n_best \(6\) is more than a beam of 5 keeps; take beam_size=6"),
        ({"temperature": 0.0}, "temperature"),
        ({"top_p": 0.0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**64}, "seed"),
        ({"method": "beams"}, "method"),
        ({"beam_width": 5}, 'no setting "beam_width"'),
    ],
)
def test_impossible_settings_are_refused(tree: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        validate(SearchSettings, tree, "here")


def test_settings_of_another_method_are_idle() -> None:
    beams, draws = {"beam_size", "length_penalty", "stopping"}, {"temperature", "top_k", "top_p", "seed"}
    assert set(SearchSettings().idle()) == draws
    assert set(SearchSettings(beam_size=1).idle()) == draws | {"length_penalty", "stopping"}
    assert set(SearchSettings(method="greedy").idle()) == beams | draws | {"n_best"}
    assert set(SearchSettings(method="sample").idle()) == beams
    assert set(SearchSettings(method="sample", top_k=1).idle()) == beams | {"temperature", "top_p", "seed", "n_best"}


@over_methods
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("column", [0, 3, 7])
def test_logits_that_are_no_numbers_are_refused_by_name(method: str, bad: float, column: int) -> None:
    def broken(tokens: Tensor, state: Toy) -> tuple[Tensor, Toy, None]:
        logits, after, _ = step(tokens, state)
        logits[:, END] = torch.where(state.keys < 5, 100.0, -100.0)
        if state.at == 3:
            logits[state.keys == 7, column] = bad
        return logits, after, None

    with pytest.raises(ValueError, match=r"source 7 \(counted from 0\) at step 3"):
        search(broken, toy(9, 8, 0), 9, SearchSettings(method=method), MARKS)


@over_methods
def test_a_row_that_is_all_impossible_is_refused(method: str) -> None:
    with pytest.raises(ValueError, match="source 0"):
        search(always([-torch.inf] * 4), Nothing(2), 2, SearchSettings(method=method), MARKS)


@over_methods
def test_logits_of_another_shape_are_refused(method: str) -> None:
    asked = SearchSettings(method=method)
    with pytest.raises(ValueError, match=r"\[2 V\]; the step gave \[1, 4\]"):
        search(lambda tokens, state: (torch.zeros(1, 4), state, None), Nothing(2), 2, asked, MARKS)
    with pytest.raises(ValueError, match="logits of 3 tokens, and there is a mark number 9"):
        search(always([0.0, 1.0, 2.0]), Nothing(2), 2, asked, Marks(0, 1, (9,)))


def test_marks_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="end mark 1 is forbidden"):
        Marks(0, 1, (0, 1))
    with pytest.raises(ValueError, match="from 0 up"):
        Marks(0, 1, (-1,))


@pytest.mark.parametrize("most", [-1, [3], [3, -1], []])
def test_limits_that_do_not_fit_are_refused(most: Any) -> None:
    with pytest.raises(ValueError, match="most needs one number from 0 up for each of 2 sources"):
        search(always([0.0, 1.0]), Nothing(2), 2, SearchSettings(), MARKS, most=most)


@pytest.mark.parametrize("streams", [[], [1], [1, -2]])
def test_streams_that_do_not_fit_are_refused(streams: list[int]) -> None:
    with pytest.raises(ValueError, match="streams needs one number from 0 up for each of 2 sources"):
        search(always([0.0, 1.0]), Nothing(2), 2, SearchSettings(method="sample"), MARKS, streams=streams)
