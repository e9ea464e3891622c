"""How a notebook cuts texts into tokens: with Python's own regular expressions, which Colab has."""

import re
import unicodedata
from collections.abc import Sequence

from lstmlab.baselines.words import TOKEN
from lstmlab.data.text import SIMPLE_MARK, SIMPLE_WORD, SPECIALS, SUBWORD, TextEncoder, TextSettings, plain
from lstmlab.notebook.layers import unwritten

HIDDEN = r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
"""What is not seen, less the white space among it."""
RANGES = r"\u0300-\u036f\u0900-\u0963\u0966-\u0d7f\u200c\u200d"
DANDAS = "।॥"
PLAIN = TOKEN.replace(rf"[\w{RANGES}]", r"\w").replace(DANDAS, "")
"""`TOKEN` for texts that hold no combining marks and none of the Indic scripts."""
LOOKED_AT = 3000
"""Texts of the training part on which both ways of cutting are compared."""
MOST_OTHER = 0.002
"""The share of texts that may be cut in another way."""


def pattern(settings: TextSettings, texts: Sequence[str]) -> str:
    """A pattern of Python's `re` whose matches are the tokens of texts like these."""
    return "|".join(piece for piece, _ in pieces(settings, texts))


def pieces(settings: TextSettings, texts: Sequence[str]) -> list[tuple[str, str]]:
    """The parts of that pattern, each with what it finds, in words."""
    marks = _marks(texts)
    word, letter = (rf"[\w{marks}]", rf"(?:[^\W\d_]|[{marks}])") if marks else (r"\w", r"[^\W\d_]")
    if settings.level == "subword":
        other = rf"(?:[^\w\s{marks}]|_)"
        return [(rf" ?{letter}+| ?\d+| ?{other}+|\s", "letters, digits or marks, with the blank before them")]
    mark = "any other mark"
    if settings.words == "simple":
        parts = [(SIMPLE_WORD, "a word"), *([(SIMPLE_MARK, mark)] if settings.punctuation else [])]
    elif settings.words == "blanks":
        parts = [(r"[^\s]+", "whatever stands between blanks")]
    else:
        # Any other visible character is a token. Texts from the web now and then hold control characters: no tokens.
        hidden = HIDDEN if any(re.search(f"[{HIDDEN}]", text) for text in texts) else ""
        sign = rf"[^\w\s{marks}{hidden}]"
        mark += "; the ranges are invisible control characters, which some of these texts hold" if hidden else ""
        parts = [(r"\d+(?:[.,:]\d+)+", "a number with marks in it: 3.5")]
        parts += [(rf"{word}+(?:['’]{word}+)*", "a word: don't")]
        parts += [(sign, mark)] if settings.punctuation else []
    return [*parts, *([(r"\n", "the end of a line")] if settings.line_ends else [])]


def linear_pattern(texts: Sequence[str]) -> str:
    """The words of the linear baseline, without the scripts that none of these texts is in."""
    return TOKEN if any(re.search(f"[{RANGES}{DANDAS}]", text) for text in texts) else PLAIN


def check(settings: TextSettings, texts: Sequence[str]) -> None:
    """Refuse texts that Python's `re` cuts into other tokens than ours: scripts it has no word characters for."""
    if settings.level == "character":
        return
    some = list(texts[:: max(len(texts) // LOOKED_AT, 1)])
    token = re.compile(pattern(settings, texts))
    found = [token.findall(text.lower() if settings.lowercase else text) for text in some]
    other = [text for text, one, ours in zip(some, found, _ours(settings, some), strict=True) if one != ours]
    if len(other) > MOST_OTHER * len(some) + 1:
        raise unwritten(
            f'texts in this script ("{other[0][:40]}"), which Python\'s regular expressions cut elsewhere',
            "text.level=character, or text.words=blanks",
        )


def _ours(settings: TextSettings, texts: Sequence[str]) -> list[list[str]]:
    own = {"level": "word", "first": None, "last": None}
    if settings.level == "subword":
        import polars as pl

        column = pl.Series("text", list(texts), pl.String)
        column = column.str.to_lowercase() if settings.lowercase else column
        found: list[list[str]] = column.str.extract_all(SUBWORD).to_list()
        return found
    return TextEncoder(plain(settings).model_copy(update=own), SPECIALS).pieces_of(texts)


def _marks(texts: Sequence[str]) -> str:
    """The combining marks of these texts (vowel signs of Indic scripts, say), which \\w leaves out, as ranges."""
    known = sorted(ord(one) for one in set("".join(texts)) if unicodedata.category(one)[0] == "M")
    ranges: list[list[int]] = []
    for code in known:
        if (
            ranges
            and code <= ranges[-1][1] + 4
            and all(unicodedata.category(chr(between))[0] == "M" for between in range(ranges[-1][1], code))
        ):
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(_escaped(low) if low == high else f"{_escaped(low)}-{_escaped(high)}" for low, high in ranges)


def _escaped(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
