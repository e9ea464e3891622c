"""A section in plain letters, for the terminal."""

import textwrap

from lstmlab.report.sections import Section, Table
from lstmlab.report.text import blocks, column, excerpt, is_numeric, line

_WIDTH = 100


def as_text(section: Section) -> str:
    """Title, claim, evidence and tables at 100 columns; what would command a terminal has become �."""
    parts = [line(section.title), _wrapped(line(section.claim))]
    for block in blocks(section.evidence):
        if block.kind == "code":
            parts.append(textwrap.indent("\n".join(block.lines), "    "))
        elif block.kind == "list":
            parts.append("\n".join(_wrapped(item, "- ", "  ") for item in block.lines))
        else:
            parts.append(_wrapped(" ".join(block.lines)))
    parts += [_table(table) for table in section.tables]
    return "\n\n".join(part for part in parts if part) + "\n"


def _wrapped(text: str, first: str = "", later: str = "") -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=first, subsequent_indent=later, break_on_hyphens=False)


def _table(table: Table) -> str:
    columns = []
    for index, name in enumerate(table.columns):
        values = [row[index] for row in table.rows]
        cells = [excerpt(cell, 60) for cell in (name, *column(values))]
        width = max(map(len, cells))
        columns.append([cell.rjust(width) if is_numeric(values) else cell.ljust(width) for cell in cells])
    head, *rows = ["  ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
    lines = [line(table.title), head, "─" * max(map(len, [head, *rows])), *rows, _wrapped(line(table.note))]
    return "\n".join(text for text in lines if text)
