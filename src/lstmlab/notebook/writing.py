"""Templates filled with a recipe's settings. What a setting turns off leaves no code behind.

A template is a Python file in percent form with marks of its own: `#: if …` lines decide what stands there, `#= …`
lines are replaced by several lines, `«name»` by a value as a person reads it, and `«name|py»` by the Python for it.
"""

import importlib.resources
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lstmlab.notebook.document import Cell, from_percent


def fill(template: str, values: Mapping[str, Any]) -> list[Cell]:
    """The cells of a template in `templates/`. Every name in it has to have a value."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=False,
        undefined=StrictUndefined,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="«",
        variable_end_string="»",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(py=literal, number=number, markdown=comment, indented=indented, prefixed=prefixed)
    cells = from_percent(environment.get_template(template).render(values))
    return [replace(cell, source=spaced(cell.source)) if cell.kind == "code" else cell for cell in cells]


def _read(name: str) -> str:
    """A template with its own marks as Jinja's. A mark takes its whole line, and leaves no blank one behind."""
    text = (importlib.resources.files("lstmlab.notebook") / "templates" / name).read_text("utf-8")
    text = re.sub(r"^[ \t]*#: (.*)$", r"<% \1 %>", text, flags=re.MULTILINE)
    return re.sub(r"^[ \t]*#= (.*)\n", r"«\1»", text, flags=re.MULTILINE)


def spaced(code: str) -> str:
    """Code with two blank lines around top-level functions and classes, one before a method, never more."""
    found: list[str] = []
    inside = False
    for line in code.split("\n"):
        if not line.strip():
            found.append("")
            continue
        before = next((one for one in reversed(found) if one), "")
        begins = re.match(r"(@|def |class )", line) is not None
        wanted = None
        if not line[0].isspace() and line[0] not in ")]}" and not re.match(r"(else|elif|except|finally)\b", line):
            if before and (begins or inside) and not before.startswith(("@", "#")):
                wanted = 2
            inside = begins or (inside and before.startswith("@"))
        elif re.match(r"    (@|def )", line) and before.strip() and not before.lstrip().startswith(("@", "class ")):
            wanted = 1
        blank = len(found) - len("\n".join(found).rstrip("\n").split("\n")) if found and before else 0
        if wanted is not None:
            found[len(found) - blank :] = [""] * wanted
        elif blank > (1 if line[0].isspace() else 2):
            found[len(found) - blank :] = [""]
        found.append(line)
    return "\n".join(found).strip("\n")


def literal(value: Any) -> str:
    """A plain value as Python, strings in double quotes, long lists a few items a line."""
    if isinstance(value, str):
        told = repr(value)
        return told if '"' in value or "\\" in told else f'"{value}"'
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, (list, tuple)):
        items = [literal(item) for item in value]
        whole = "[" + ", ".join(items) + "]"
        return whole if len(whole) <= 90 else "[\n" + _rows(items) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    return repr(value)


def _rows(items: list[str]) -> str:
    rows, row = [], ""
    for item in items:
        if row and len(row) + len(item) > 94:
            rows.append(row.rstrip())
            row = ""
        row += item + ", "
    return "".join(f"    {one.rstrip()}\n" for one in [*rows, row])


def number(value: int | float) -> str:
    """A number as people write it: 12,345 or 0.0021."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def comment(text: str) -> str:
    """Text of several lines for a Markdown cell of a template: every line behind "# "."""
    return "\n".join(f"# {line}".rstrip() for line in text.strip("\n").split("\n")).removeprefix("# ")


def indented(code: str) -> str:
    """Code of several lines that continues a line four blanks in."""
    return code.replace("\n", "\n    ")


def prefixed(name: str, prefix: str) -> str:
    """A name behind a prefix."""
    return prefix + name
