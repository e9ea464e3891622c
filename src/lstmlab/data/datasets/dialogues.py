"""Dialogues of one's own: turns in JSON lines, `__eou__` between turns, a turn a line, or questions with their replies.

A dialogue is a list of turns, oldest first; a turn is text without newlines (those within it became spaces).
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from lstmlab.data.contents import read_text
from lstmlab.errors import InputError

END = "__eou__"
"""What ends an utterance in DailyDialog and sets written like it: a dialogue a line."""

TURN_KEYS = ("turns", "dialogue", "dialog", "conversation", "messages", "utterances")
"""JSON lines: the key that holds a dialogue's turns."""
TEXT_KEYS = ("text", "content", "utterance", "message", "value")
"""The key that holds a turn's text where a turn is an object."""

Dialogue = tuple[str, list[str]]
"""A dialogue's id within its file, and its turns."""


def table(dialogues: Iterable[Dialogue]) -> pl.DataFrame:
    """Dialogues as a table: id, inputs (the turns, one a line), target (null)."""
    rows = [(name, "\n".join(turns), None) for name, turns in dialogues]
    return pl.DataFrame(rows, schema={"id": pl.String, "inputs": pl.String, "target": pl.String}, orient="row")


def parted(line: str) -> list[str]:
    """The turns of a line that parts them with `__eou__`. Blank ones are left out."""
    return [turn for part in line.split(END) if (turn := part.strip())]


def chained(pairs: Sequence[tuple[str, str, str]]) -> list[Dialogue]:
    """Rows of id, question and reply as dialogues: a question that is the reply before it goes on with its dialogue."""
    found: list[Dialogue] = []
    for name, question, reply in pairs:
        if found and found[-1][1][-1] == question:
            found[-1][1].append(reply)
        else:
            found.append((name, [question, reply]))
    return found


def flat(text: str) -> str:
    """A turn on one line."""
    return " ".join(line.strip() for line in text.splitlines()).strip() if "\n" in text or "\r" in text else text


def read_text_dialogues(path: Path, encoding: str = "utf-8") -> list[Dialogue] | None:
    """Dialogues of a text file: `__eou__` parts the turns of a line, or blank lines part dialogues of a turn a line.

    None where every line holds a tab: then it is a table of questions and replies. Ids are line numbers from 1.
    """
    text = read_text(path, encoding=encoding).replace("\r\n", "\n")
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1)]
    written = [line for _, line in lines if line.strip()]
    if not written:
        raise InputError(f"{path}: nothing but blank lines")
    if END in text:
        return [(str(number), turns) for number, line in lines if (turns := parted(line))]
    if all("\t" in line for line in written):
        return None
    blocks: list[Dialogue] = []
    going = False
    for number, line in lines:
        if not line.strip():
            going = False
        elif going:
            blocks[-1][1].append(line)
        else:
            blocks.append((str(number), [line]))
            going = True
    if all(len(turns) < 2 for _, turns in blocks):
        raise InputError(
            f"{path}: no dialogue of two turns or more. Expected a turn a line with a blank line between dialogues, "
            f"a dialogue a line with {END} after every turn, or question TAB reply on every line"
        )
    return blocks


def read_json_dialogues(path: Path, encoding: str = "utf-8") -> list[Dialogue] | None:
    """Dialogues of JSON lines such as {"turns": ["Hi", "Hello"]}; turns may be objects with a text or content.

    None where the first object has no list of turns: then it is a table. Ids are line numbers from 1.
    """
    found: list[Dialogue] = []
    for number, line in enumerate(read_text(path, encoding=encoding).split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{where}: not JSON: {error}. Expected one object on every line") from error
        key = turn_key(value)
        if key is None:
            if not found:
                return None
            raise InputError(f'{where}: expected {{"turns": ["…", "…"]}} as in the lines before, found {line[:60]}')
        turns = [_turn(turn, f'{where}, turn {at} of "{key}"') for at, turn in enumerate(value[key], 1)]
        found.append((str(number), [turn for turn in turns if turn.strip()]))
    if not found:
        raise InputError(f"{path}: nothing but blank lines")
    return found


def turn_key(value: Any) -> str | None:
    """The key of a JSON object that holds a list of turns."""
    if not isinstance(value, dict):
        return None
    return next((key for key in TURN_KEYS if isinstance(value.get(key), list)), None)


def _turn(value: Any, where: str) -> str:
    if isinstance(value, dict):
        value = next((value[key] for key in TEXT_KEYS if isinstance(value.get(key), str)), value)
    if not isinstance(value, str):
        raise InputError(f'{where}: expected text, or an object with "text" or "content", found {str(value)[:60]}')
    if not value.isprintable():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"{where}: half a character (a lone surrogate)") from error
    return flat(value)
