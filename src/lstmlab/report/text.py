"""Foreign text and numbers, made fit for a report.

Reviews, tokens and file names hold markup of every kind, and none of it may be read as a command. HTML has its escaping
in the template and the PDF gets its text as data; this module has what both need before, and all that Markdown needs.
"""

import math
import numbers
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import SupportsFloat

Value = str | SupportsFloat | None

# Controls, halves of surrogate pairs and non-characters, which XML or UTF-8 cannot hold; and the marks that turn the
# direction of whatever follows them, our own words included.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\u202a-\u202e\u2066-\u2069\ufeff]"
)


def tidy(text: str) -> str:
    """Text that every format can hold: one kind of line end, no tabs, and � for what cannot be shown."""
    text = re.sub("\r\n|[\r\v\f\x85\u2028\u2029]", "\n", text).replace("\t", "    ")
    return _UNPRINTABLE.sub("\ufffd", text)


def excerpt(text: str, limit: int = 200) -> str:
    """Foreign text on one line of at most `limit` characters, fit to stand inside a sentence of the evidence."""
    line = " ".join(tidy(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


# Numbers


def number(value: SupportsFloat | None) -> str:
    """A number as all reports show it: 20,000 · 0.8517 · 12.35 · 1.90e-05 · yes; a missing one is a dash."""
    return _digits(value, None, 10_000)  # from there on with commas: a year keeps its look


def _digits(value: SupportsFloat | None, decimals: int | None, commas_from: int) -> str:
    """Without `decimals` the size of the value decides; whole numbers have none."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    comma = "," if abs(float(value)) >= commas_from else ""
    if isinstance(value, numbers.Integral):
        return f"{int(value):{comma}}"
    value = float(value)
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    size = abs(value)
    if size >= 1e9 or 0 < size < 0.0005:
        return f"{value:.2e}"
    return f"{value:{comma}.{_decimals_for(size) if decimals is None else decimals}f}"


def _decimals_for(size: float) -> int:
    return 4 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0


def column(values: Sequence[Value]) -> list[str]:
    """A table's column as texts on one line each; values of like size share their number of decimals.

    Values of very unlike size do not: that would hide the digits of the small or invent some of the large.
    """
    present = [value for value in values if value is not None and not isinstance(value, str)]
    commas_from = 1_000 if any(abs(float(value)) >= 10_000 for value in present) else 10_000
    sizes = [abs(float(value)) for value in present if not isinstance(value, numbers.Integral)]
    sizes = [size for size in sizes if math.isfinite(size) and size > 0]
    decimals = _decimals_for(max(sizes)) if sizes and max(sizes) <= 100 * min(sizes) else None
    return [line(value) if isinstance(value, str) else _digits(value, decimals, commas_from) for value in values]


def is_numeric(values: Sequence[Value]) -> bool:
    """Whether a column is of numbers, or of texts that are one with its error, factor or per cent."""
    present = [value for value in values if value is not None and value != ""]
    like_number = re.compile(r"[-−+±]?\d[\d.,]*(e[-+]?\d+)?(\s*[±×%].{0,30})?|[-–—]")
    return bool(present) and all(not isinstance(v, str) or like_number.fullmatch(v.strip()) for v in present)


# Structure


def line(value: Value) -> str:
    """Any value on one line, whole."""
    return " ".join(tidy(value).split()) if isinstance(value, str) else number(value)


@dataclass(frozen=True)
class Block:
    """A piece of evidence: a paragraph (one line), a list (a line per item) or code (its lines)."""

    kind: str
    lines: tuple[str, ...]


def blocks(evidence: str) -> list[Block]:
    """Evidence as paragraphs, lists and code. A fence never closed is a paragraph: it must not swallow the rest."""
    found: list[Block] = []
    lines = tidy(evidence).split("\n")
    fences = [index for index, text in enumerate(lines) if text.startswith("```")]
    index, fresh = 0, True  # fresh: the next line begins a new block
    while index < len(lines):
        text, index = lines[index], index + 1
        last = None if fresh else found[-1]
        fresh = not text.strip()
        if text.startswith("```") and fences and fences[-1] >= index:
            close = next(fence for fence in fences if fence >= index)
            found.append(Block("code", tuple(lines[index:close])))
            index, fresh = close + 1, True
        elif text.startswith("- "):
            if last and last.kind == "list":
                found[-1] = replace(last, lines=(*last.lines, line(text[2:])))
            else:
                found.append(Block("list", (line(text[2:]),)))
        elif last and not fresh and (last.kind == "paragraph" or text.startswith("  ")):
            # The line goes on with the paragraph or, when indented, with the list's item above it.
            found[-1] = replace(last, lines=(*last.lines[:-1], f"{last.lines[-1]} {line(text)}"))
        elif not fresh:
            found.append(Block("paragraph", (line(text),)))
    return found


# Markdown and the PDF


def markdown(text: str) -> str:
    """One line as Markdown that shows it unchanged (CommonMark, GitHub, Pandoc); words_like_this stay readable."""
    text = re.sub(r"[\\`*\[\]<>{}$|~^@]|&(?=[#\w])|(?<![^\W_])_|_(?![^\W_])|(?<!\S)#", r"\\\g<0>", text)
    text = re.sub(r":(?=//|[\w+-]+:)", r"\\:", text)  # bare addresses become links, :words: become pictures
    text = re.sub(r"\b(www)\.", r"\1\\.", text, flags=re.IGNORECASE)
    # What would begin a list, a heading's underline or a definition, were it at the beginning of a line.
    return re.sub(r"^(?:(\d+)(?=[.)](?:\s|$))|(?=[-+:](?:\s|$)|--|=))", r"\1\\", text)


def fenced(lines: Sequence[str]) -> str:
    """Code between fences longer than any inside it."""
    text = "\n".join(lines)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def breakable(text: str) -> str:
    """Text with invisible places to break in words too long for a line of the PDF (browsers find their own)."""
    # Not before a vowel sign or an accent, nor beside a joiner: those belong to the letter before them.
    place = re.compile(r"\S{12,}?(?<=[\w!-~])(?=[\w!-~])")
    return re.sub(r"\S{40,}", lambda word: place.sub("\\g<0>\u200b", word[0]), text)
