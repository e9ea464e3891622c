"""Words cut where letters, digits and marks meet, for learning from texts that were parted into words another way than
those that are to be tagged.
"""

import re
from collections.abc import Sequence

from lstmlab.data import spans
from lstmlab.data.spans import Scheme, Span

# A web address stays whole, and so do letters that hyphens join.
_PIECE = re.compile(r"(?:https?://|www\.)\S+|[^\W\d_]+(?:-[^\W\d_]+)*|\d+|[^\w\s]|_+|\S", re.IGNORECASE)


def pieces(word: str) -> list[str]:
    """The pieces of a word: "I'm" I ' m, "#2nd" # 2 nd; a word of none is its own."""
    return _PIECE.findall(word) or [word]


def recut(words: Sequence[str], tags: Sequence[str], scheme: Scheme) -> tuple[list[str], list[str]]:
    """A sentence whose words are cut, and the tags of the pieces: the same spans, or each word's own tag."""
    parts = [pieces(word) for word in words]
    flat = [piece for part in parts for piece in part]
    if scheme == "plain":
        return flat, [tag for tag, part in zip(tags, parts, strict=True) for _ in part]
    begins = [0]
    for part in parts:
        begins.append(begins[-1] + len(part))
    found = [Span(begins[one.start], begins[one.stop], one.kind) for one in spans.spans(tags, scheme)[0]]
    return flat, spans.tags_of(found, len(flat), scheme)
