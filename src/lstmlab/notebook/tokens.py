"""How a notebook cuts texts into tokens: with Python's own regular expressions, which Colab has."""

from collections.abc import Sequence

from lstmlab.data.text import SIMPLE_MARK, SIMPLE_WORD, TextEncoder, TextSettings
from lstmlab.notebook.layers import unwritten

NUMBER = r"\d+(?:[.,:]\d+)+"
WORD = r"\w+(?:['’]\w+)*"
MARK = r"[^\w\s\x00-\x1f\x7f-\x9f\xad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
"""Any other visible character: no control characters, which texts from the web hold now and then."""
LOOKED_AT = 3000
"""Texts of the training part on which both ways of cutting are compared."""
MOST_OTHER = 0.002
"""The share of texts that may be cut in another way: those with characters such as lone combining marks."""


def pattern(settings: TextSettings) -> str:
    """A pattern of Python's `re` whose matches are the tokens."""
    if settings.words == "simple":
        parts = [SIMPLE_WORD, *([SIMPLE_MARK] if settings.punctuation else [])]
    elif settings.words == "blanks":
        parts = [r"[^\s]+"]
    else:
        parts = [NUMBER, WORD, *([MARK] if settings.punctuation else [])]
    return "|".join([*parts, *([r"\n"] if settings.line_ends else [])])


def check(settings: TextSettings, texts: Sequence[str]) -> None:
    """Refuse texts that Python's `re` cuts into other tokens than ours: scripts it has no word characters for."""
    import re

    if settings.level != "word":
        return
    some = list(texts[:: max(len(texts) // LOOKED_AT, 1)])
    encoder = TextEncoder(settings.model_copy(update={"first": None, "last": None}), ("<pad>", "<unk>"))
    token = re.compile(pattern(settings))
    ours = encoder.pieces_of(some)
    other = [
        text
        for text, wanted in zip(some, ours, strict=True)
        if token.findall(text.lower() if settings.lowercase else text) != wanted
    ]
    if len(other) > MOST_OTHER * len(some) + 1:
        raise unwritten(
            f'texts in this script ("{other[0][:40]}"), which Python\'s regular expressions cut elsewhere',
            "text.level=character, or text.words=blanks",
        )
