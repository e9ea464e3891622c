"""Tagged sentences: what `predict` of a tagger shows and writes."""

from collections.abc import Sequence
from typing import Any

import typer

COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red", "bright_cyan", "bright_magenta")


def tagged_line(words: Sequence[str], tags: Sequence[str], *, coloured: bool = False) -> str:
    """A sentence on a line: spans in brackets behind their kind ("[PER Marie] lives"), other tags behind their words
    ("Marie/PROPN lives/VERB"). Coloured by kind on a terminal.
    """
    from lstmlab.data import spans

    if all(spans.split(tag)[0] for tag in tags):
        return _bracketed(words, tags, coloured=coloured)
    return " ".join(_painted(f"{word}/{tag}", tag, coloured=coloured) for word, tag in zip(words, tags, strict=True))


def columns(rows: Sequence[tuple[Any, dict[str, Any]]]) -> str:
    """Sentences in CoNLL's columns: word, tab, tag, a line each; a blank line after each sentence."""
    return "".join(
        "".join(f"{word}\t{tag}\n" for word, tag in zip(words, answer["prediction"], strict=True)) + "\n"
        for words, answer in rows
    )


def _bracketed(words: Sequence[str], tags: Sequence[str], *, coloured: bool) -> str:
    from lstmlab.data import spans

    parts: list[str] = []
    at = 0
    for span in spans.lenient(tags):
        parts += words[at : span.start]
        inside = " ".join(words[span.start : span.stop])
        parts.append(_painted(f"[{span.kind} {inside}]", span.kind, coloured=coloured))
        at = span.stop
    return " ".join([*parts, *words[at:]])


def _painted(text: str, kind: str, *, coloured: bool) -> str:
    """In the colour of its kind, the same in every sentence."""
    return typer.style(text, fg=COLOURS[sum(kind.encode()) % len(COLOURS)]) if coloured else text
