"""Tags that mark spans: schemes, conversions, what cannot stand where it does, and how conlleval reads it."""

import itertools
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmlab.data.spans import (
    Scheme,
    Span,
    allowed,
    converted,
    lenient,
    repaired,
    scheme_of,
    spans,
    split,
    tags_of,
)

MARKED = ("bio", "iob1", "bioes")
over_schemes = pytest.mark.parametrize("scheme", MARKED)


@st.composite
def drawn(draw: st.DrawFn) -> tuple[list[Span], int]:
    """Spans that do not overlap, some side by side, and the length of their sentence."""
    found, at = [], 0
    for _ in range(draw(st.integers(0, 6))):
        start = at + draw(st.integers(0, 2))
        at = start + draw(st.integers(1, 4))
        found.append(Span(start, at, draw(st.sampled_from(["PER", "LOC", "B-side"]))))
    return found, at + draw(st.integers(0, 2))


# ---- Tags -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("O", ("O", "")), ("B-PER", ("B", "PER")), ("I-a-b", ("I", "a-b")), ("L-PER", ("E", "PER")),
        ("U-PER", ("S", "PER")), ("NOUN", ("", "NOUN")), ("B-", ("", "B-")), ("X-PER", ("", "X-PER")), ("", ("", "")),
    ],
)  # fmt: skip
def test_a_tag_is_a_mark_and_a_kind(tag: str, found: tuple[str, str]) -> None:
    assert split(tag) == found


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("iob1", "I-X I-X O I-X B-X I-X I-Y B-Y"),
        ("bio", "B-X I-X O B-X B-X I-X B-Y B-Y"),
        ("bioes", "B-X E-X O S-X B-X E-X S-Y S-Y"),
    ],
)
def test_spans_by_hand(scheme: Scheme, tags: str) -> None:
    there = [Span(0, 2, "X"), Span(3, 4, "X"), Span(4, 6, "X"), Span(6, 7, "Y"), Span(7, 8, "Y")]
    assert spans(tags.split(), scheme) == (there, [])
    assert lenient(tags.split()) == there
    assert tags_of(reversed(there), 8, scheme) == tags.split()
    assert scheme_of([tags.split()]) == scheme


@over_schemes
@given(drawn())
def test_spans_become_tags_and_tags_spans(scheme: Scheme, one: tuple[list[Span], int]) -> None:
    found, length = one
    tags = tags_of(found, length, scheme)
    assert len(tags) == length
    assert spans(tags, scheme) == (found, [])
    assert lenient(tags) == found
    assert repaired(tags, scheme) == tags
    for other in get_args(Scheme):
        there = converted(tags, scheme, other)
        assert converted(there, other, scheme) == tags
        assert other == "plain" or spans(there, other) == (found, [])


def test_letters_of_bilou_are_those_of_bioes() -> None:
    assert spans("B-X I-X L-X U-Y".split(), "bioes") == ([Span(0, 3, "X"), Span(3, 4, "Y")], [])
    assert converted("B-X L-X U-Y".split(), "bioes", "bioes") == "B-X E-X S-Y".split()
    assert scheme_of(["B-X L-X U-Y".split()]) == "bioes"


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["NOUN VERB"], "plain"),
        (["O O", "O"], "plain"),
        ([], "plain"),
        (["", "B-X O"], "bio"),
        (["B-X I-X O"], "bio"),
        (["I-X O", "I-Y I-X B-X"], "iob1"),
        (["I-X I-X", "B-X"], "bio"),  # a B that follows nothing of its kind: not IOB1
        (["I-X B-Y"], "bio"),
        (["O S-X"], "bioes"),
        (["B-X E-X", "NOUN"], "plain"),
        (["O", "I-X"], "iob1"),
    ],
)
def test_the_scheme_of_sentences(tags: list[str], scheme: Scheme) -> None:
    assert scheme_of([one.split() for one in tags]) == scheme


# ---- What cannot stand where it does --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "tags", "found", "wrong"),
    [
        ("bio", "O I-X I-X O", [], [1, 2]),
        ("bio", "B-X I-Y O", [(0, 1, "X")], [1]),
        ("bio", "I-X B-X I-X", [(1, 3, "X")], [0]),
        ("bio", "B-X NOUN", [(0, 1, "X")], [1]),
        ("iob1", "O I-X I-X O", [(1, 3, "X")], []),
        ("iob1", "I-X I-Y B-Y", [(0, 1, "X"), (1, 2, "Y"), (2, 3, "Y")], []),
        ("bioes", "B-X I-X O", [], [1]),
        ("bioes", "B-X E-Y", [], [0, 1]),
        ("bioes", "B-X", [], [0]),
        ("bioes", "I-X E-X S-X", [(2, 3, "X")], [0, 1]),
        ("bioes", "B-X S-X B-X E-X", [(1, 2, "X"), (2, 4, "X")], [0]),
    ],
)
def test_strict_spans_and_where_tags_are_wrong(
    scheme: Scheme, tags: str, found: list[tuple[int, int, str]], wrong: list[int]
) -> None:
    assert spans(tags.split(), scheme) == ([Span(*one) for one in found], wrong)


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("O I-X I-X O", [(1, 3, "X")]),
        ("B-X I-Y O", [(0, 1, "X"), (1, 2, "Y")]),
        ("I-X B-X I-X", [(0, 1, "X"), (1, 3, "X")]),
        ("B-X I-X", [(0, 2, "X")]),
        ("E-X I-X", [(0, 1, "X"), (1, 2, "X")]),
        ("S-X E-X", [(0, 1, "X"), (1, 2, "X")]),
        ("B-X S-X", [(0, 1, "X"), (1, 2, "X")]),
        ("I-X NOUN I-X", [(0, 1, "X"), (2, 3, "X")]),
        ("", []),
    ],
)
def test_spans_as_conlleval_counts_them(tags: str, found: list[tuple[int, int, str]]) -> None:
    assert lenient(tags.split()) == [Span(*one) for one in found]


@pytest.mark.parametrize(
    ("tags", "bio", "bioes", "iob1"),
    [
        ("O I-X I-X", "O B-X I-X", "O B-X E-X", "O I-X I-X"),
        ("B-X I-Y", "B-X B-Y", "S-X S-Y", "I-X I-Y"),
        ("I-X B-X I-X O", "B-X B-X I-X O", "S-X B-X E-X O", "I-X B-X I-X O"),
        ("B-X NOUN E-X", "B-X O B-X", "S-X O S-X", "I-X O I-X"),
    ],
)
def test_tags_are_mended_as_they_were_meant(tags: str, bio: str, bioes: str, iob1: str) -> None:
    for scheme, wanted in (("bio", bio), ("bioes", bioes), ("iob1", iob1)):
        mended = repaired(tags.split(), scheme)
        assert " ".join(mended) == wanted
        assert spans(mended, scheme)[1] == []


@pytest.mark.parametrize(("scheme", "marks"), [("bio", "BI"), ("bioes", "BIES"), ("iob1", "BI")])
def test_what_is_allowed_is_what_has_no_wrong_tag(scheme: Scheme, marks: str) -> None:
    """All taggings of four words over two kinds."""
    tags = ["O", *(f"{mark}-{kind}" for kind in "XY" for mark in marks)]
    start, between, end = allowed(tags, scheme)
    count = 0
    for tagging in itertools.product(range(len(tags)), repeat=4):
        possible = start[tagging[0]] and end[tagging[-1]]
        possible &= all(between[one, other] for one, other in itertools.pairwise(tagging))
        wrong = spans([tags[at] for at in tagging], scheme)[1]
        assert bool(possible) == (not wrong), [tags[at] for at in tagging]
        count += bool(possible)
    assert 1 < count <= len(tags) ** 4
    assert scheme == "iob1" or count < len(tags) ** 4


def test_plain_tags_may_follow_one_another() -> None:
    start, between, end = allowed(["B", "A", "I-X"], "plain")
    assert start.all() and between.all() and end.all()  # noqa: PT018  (three views of one array)
    assert between.shape == (3, 3)
    assert all(one.dtype == np.bool_ for one in allowed([], "bio"))
    assert allowed([], "bio")[1].shape == (0, 0)
