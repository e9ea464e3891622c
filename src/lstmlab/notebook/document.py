"""A notebook as cells, in the "percent" form of plain Python and as nbformat 4.5 JSON: same cells, same bytes."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

MARK = re.compile(r"# %%(?: \[(markdown)\])?\s*$")
"""Begins a cell in the percent form, which editors and jupytext read as well."""

Output = dict[str, Any]
"""One output of a code cell, as nbformat has it."""


@dataclass(frozen=True)
class Cell:
    """A cell: Markdown or code, and what the code printed, showed and drew."""

    kind: Literal["markdown", "code"]
    source: str
    outputs: tuple[Output, ...] = field(default=())
    count: int | None = None
    """Which code cell it was, from 1, where it was executed."""


def from_percent(text: str) -> list[Cell]:
    """Cells of a Python file in percent form. Markdown stands behind "# ", as comments do."""
    cells: list[Cell] = []
    kind: Literal["markdown", "code"] | None = None
    lines: list[str] = []

    def close() -> None:
        if kind is None:
            return
        plain = [re.sub(r"^# ?", "", line) for line in lines] if kind == "markdown" else lines
        source = "\n".join(line.rstrip() for line in plain).strip("\n")
        if source:
            cells.append(Cell(kind, re.sub(r"\n{4,}", "\n\n\n", source)))

    for line in text.split("\n"):
        if found := MARK.match(line):
            close()
            kind, lines = ("markdown" if found[1] else "code"), []
        else:
            lines.append(line)
    close()
    return cells


def to_percent(cells: Sequence[Cell]) -> str:
    """The cells as a Python file that can be run from top to bottom."""
    told = []
    for cell in cells:
        if cell.kind == "code":
            told.append(f"# %%\n{cell.source}\n")
        else:
            told.append("# %% [markdown]\n" + "".join(f"# {line}".rstrip() + "\n" for line in cell.source.split("\n")))
    return "\n".join(told)


def to_json(cells: Sequence[Cell]) -> bytes:
    """nbformat 4.5. Ids come from the cells' text and place, so equal cells give equal bytes."""
    whole = {
        "cells": [_cell(cell, place) for place, cell in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return (json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n").encode()


def _cell(cell: Cell, place: int) -> dict[str, Any]:
    name = hashlib.sha256(f"{place} {cell.kind} {cell.source}".encode()).hexdigest()[:12]
    told: dict[str, Any] = {"cell_type": cell.kind, "id": name, "metadata": {}, "source": _lines(cell.source)}
    if cell.kind == "code":
        told |= {"execution_count": cell.count, "outputs": [_output(one, cell.count) for one in cell.outputs]}
    return told


def _output(output: Output, count: int | None) -> Output:
    told = dict(output)
    if told["output_type"] == "stream":
        told["text"] = _lines(told["text"])
    if told["output_type"] == "execute_result":
        told["execution_count"] = count
    if "data" in told:
        told["data"] = {kind: _lines(value) if kind == "text/plain" else value for kind, value in told["data"].items()}
    return told


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
