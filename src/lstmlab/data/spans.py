"""Tags that mark spans: BIO, IOB1 and BIOES, from one to the other, and what is wrong with them.

IOB1   I-X I-X O B-X   a span begins with I, or with B where it follows another of its kind (Ramshaw & Marcus 1995)
BIO    B-X I-X O B-X   every span begins with B
BIOES  B-X E-X O S-X   the last tag of a span is E, a single one S (also written BILOU: L for E, U for S)
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool

Scheme = Literal["bio", "iob1", "bioes", "plain"]
"""plain: tags that mark no spans, such as parts of speech."""

OUTSIDE = "O"
_MARKED = re.compile(r"([BIESLU])-(.+)")
_OTHER = {"L": "E", "U": "S"}


@dataclass(frozen=True, order=True)
class Span:
    """Words from `start` to before `stop` that together are a `kind`."""

    start: int
    stop: int
    kind: str


def split(tag: str) -> tuple[str, str]:
    """A tag's mark (B, I, E, S or O) and kind; "" and the tag itself where it marks no span."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    found = _MARKED.fullmatch(tag)
    return (_OTHER.get(found[1], found[1]), found[2]) if found else ("", tag)


def scheme_of(sentences: Iterable[Sequence[str]]) -> Scheme:
    """The scheme in which these sentences are tagged. Where both would do, BIO rather than IOB1."""
    marks, begun = set(), False
    for tags in sentences:
        before = (OUTSIDE, "")
        for tag in tags:
            mark, kind = split(tag)
            if not mark:
                return "plain"
            marks.add(mark)
            if mark == "B" and (before[0] == OUTSIDE or before[1] != kind):
                begun = True  # IOB1 begins a span with B only right behind another of its kind
            before = mark, kind
    if marks <= {OUTSIDE}:
        return "plain"
    if marks & {"E", "S"}:
        return "bioes"
    return "bio" if begun else "iob1"


def spans(tags: Sequence[str], scheme: Scheme) -> tuple[list[Span], list[int]]:
    """The spans that are well formed in a scheme, and where tags stand that cannot stand there."""
    found, wrong = [], []
    start, kind = -1, ""
    for at, tag in enumerate([*tags, OUTSIDE]):
        mark, own = split(tag)
        goes_on = start >= 0 and mark in ("I", "E") and own == kind
        if start >= 0 and not goes_on:
            if scheme == "bioes":
                wrong.append(at - 1)  # begun and never ended
            else:
                found.append(Span(start, at, kind))
            start = -1
        if mark == OUTSIDE or (goes_on and mark == "I"):
            continue
        if goes_on:
            found.append(Span(start, at + 1, kind))
            start = -1
        elif mark == "S":
            found.append(Span(at, at + 1, own))
        elif mark == "B" or (mark == "I" and scheme == "iob1"):
            start, kind = at, own
        else:
            wrong.append(at)
    return found, wrong


def lenient(tags: Sequence[str]) -> list[Span]:
    """Spans as conlleval counts them: whatever follows something else begins one (Tjong Kim Sang & Buchholz 2000)."""
    found: list[Span] = []
    start, kind, before = -1, "", OUTSIDE
    for at, tag in enumerate([*tags, OUTSIDE]):
        mark, own = split(tag)
        inside = mark not in ("", OUTSIDE)
        begins = inside and (start < 0 or own != kind or mark in ("B", "S") or before in ("E", "S"))
        if start >= 0 and (begins or not inside):
            found.append(Span(start, at, kind))
            start = -1
        if begins:
            start, kind = at, own
        before = mark
    return found


def tags_of(found: Iterable[Span], length: int, scheme: Scheme) -> list[str]:
    """The tags of spans that do not overlap."""
    tags = [OUTSIDE] * length
    before = Span(-1, -1, "")
    for span in sorted(found):
        tags[span.start : span.stop] = [f"I-{span.kind}"] * (span.stop - span.start)
        if scheme != "iob1" or (before.stop == span.start and before.kind == span.kind):
            tags[span.start] = f"B-{span.kind}"
        if scheme == "bioes":
            tags[span.stop - 1] = f"{'S' if span.stop - span.start == 1 else 'E'}-{span.kind}"
        before = span
    return tags


def converted(tags: Sequence[str], old: Scheme, new: Scheme) -> list[str]:
    """Well-formed spans in another scheme."""
    if "plain" in (old, new):
        return list(tags)
    return tags_of(spans(tags, old)[0], len(tags), new)


def repaired(tags: Sequence[str], scheme: Scheme) -> list[str]:
    """What was meant by tags some of which cannot stand where they do: spans as conlleval counts them."""
    return tags_of(lenient(tags), len(tags), scheme)


def allowed(
    tags: Sequence[str], scheme: Scheme
) -> tuple[Bool[np.ndarray, "K"], Bool[np.ndarray, "K K"], Bool[np.ndarray, "K"]]:
    """Which tags may begin a sentence, follow one another (from row to column), and end it."""
    if scheme == "plain":
        every = np.ones((len(tags), len(tags)), bool)
        return every[0], every, every[0]
    outside = (OUTSIDE, "")
    known = [split(tag) for tag in tags]
    between = np.array([[_follows(one, other, scheme) for other in known] for one in known], bool)
    start = np.array([_follows(outside, one, scheme) for one in known], bool)
    end = np.array([_follows(one, outside, scheme) for one in known], bool)
    return start, between.reshape(len(tags), len(tags)), end


def _follows(first: tuple[str, str], second: tuple[str, str], scheme: Scheme) -> bool:
    inside = first[0] in ("B", "I")
    goes_on = inside and second[0] in ("I", "E") and first[1] == second[1]
    if scheme == "bioes":
        return goes_on if inside else second[0] in (OUTSIDE, "B", "S")
    return goes_on or second[0] != "I" or scheme == "iob1"
