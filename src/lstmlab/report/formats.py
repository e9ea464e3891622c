"""A document as HTML, Markdown and PDF: three templates over one view of it."""

import importlib.resources
import json
import os
import re
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lstmlab.disk import save
from lstmlab.errors import InputError
from lstmlab.report.figures import render
from lstmlab.report.sections import Document, Figure, Table
from lstmlab.report.text import blocks, breakable, column, excerpt, fenced, is_numeric, line, markdown

_View = dict[str, Any]  # strings, whole numbers, lists and dicts of them: what JSON can hold


def write(document: Document, folder: Path | str) -> dict[str, Path]:
    """Write report.html, report.pdf, report.md and figures/ into `folder`; equal documents give equal bytes.

    Returns the three files as "html", "pdf" and "md". Each of them appears whole or not at all.
    """
    folder = Path(folder)
    paths = {kind: folder / f"report.{kind}" for kind in ("html", "md", "pdf")}
    try:
        drawings = {figure.name: render(figure, folder / "figures")["svg"].read_bytes() for figure in document.figures}
        view = _view(document)
        save(paths["html"], _html(view, drawings).encode())
        save(paths["md"], _markdown(view).encode())
        save(paths["pdf"], _pdf(view, drawings))
    except OSError as error:
        raise InputError(f"{folder}: the report cannot be written there ({error.strerror or error})") from error
    return paths


# The view: numbered, cleaned, every value on its line


def _view(document: Document) -> _View:
    tables, figures = iter(range(1, 10_000)), iter(range(1, 10_000))
    people = (document.author, document.course, document.date)
    return {
        "title": excerpt(document.title, 160),
        "subtitle": line(document.subtitle),
        "author": line(document.author),
        "byline": [line(part) for part in people if part.strip()],
        "language": document.language,
        "facts": [[excerpt(name, 40), line(value)] for name, value in document.facts],
        "sections": [
            {
                "title": line(section.title),
                "claim": line(section.claim),
                "blocks": [asdict(block) for block in blocks(section.evidence)],
                "tables": [_table(table, next(tables)) for table in section.tables],
                "figures": [_figure(figure, next(figures)) for figure in section.figures],
            }
            for section in document.sections
        ],
    }


def _table(table: Table, count: int) -> _View:
    columns = [[row[index] for row in table.rows] for index in range(len(table.columns))]
    heads = [
        {"name": line(name), "numeric": is_numeric(values)} for name, values in zip(table.columns, columns, strict=True)
    ]
    rows = [list(row) for row in zip(*map(column, columns), strict=True)]
    return {"number": count, "title": line(table.title), "columns": heads, "rows": rows, "note": line(table.note)}


def _figure(figure: Figure, count: int) -> _View:
    title, note = line(figure.title), line(figure.note)
    alt = f"{title} {note}".strip()
    return {"number": count, "file": figure.name, "title": title, "note": note, "alt": alt, "width": figure.width}


# The three formats


def _template(name: str) -> str:
    return (importlib.resources.files("lstmlab.report") / "templates" / name).read_text("utf-8")


def _html(view: _View, drawings: dict[str, bytes]) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup, escape

    alts = {figure["file"]: figure["alt"] for section in view["sections"] for figure in section["figures"]}
    inline = {name: Markup(_inline(svg, name, alts[name])) for name, svg in drawings.items()}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    # In running text a browser may break any word; in a table that would break short ones in narrow columns too.
    environment.filters["wrapped"] = lambda text: escape(breakable(text)).replace("\u200b", Markup("<wbr>"))
    template = environment.from_string(_template("report.html"))
    return template.render(view, css=Markup(_template("report.css")), drawings=inline) + "\n"


def _inline(svg: bytes, name: str, alt: str) -> str:
    """An SVG file as an element of a page: no namespaces or metadata, and ids that no other drawing there has."""
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):  # matplotlib's rule for joins stands in our own sheet
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        for key, value in attributes.items():
            if key == "id":
                attributes[key] = f"{name}-{value}"
            elif key == "href" and value.startswith("#"):
                attributes[key] = f"#{name}-{value[1:]}"
            else:
                attributes[key] = value.replace("url(#", f"url(#{name}-")
        element.attrib.clear()
        element.attrib.update(attributes)
    # Without a height it keeps its shape at whatever width the page gives it.
    del root.attrib["height"]
    root.attrib.update({"role": "img", "aria-label": alt, "style": f"max-width: {root.attrib.pop('width')}"})
    return ElementTree.tostring(root, encoding="unicode")


def _markdown(view: _View) -> str:
    from jinja2 import Environment, StrictUndefined

    # Escaping is the filter's work here, and the template puts every value through it.
    environment = Environment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(plain=markdown, fenced=fenced)
    text = environment.from_string(_template("report.md")).render(view)
    return text.strip() + "\n"


def _pdf(view: _View, drawings: dict[str, bytes]) -> bytes:
    import matplotlib
    import typst

    text = json.dumps(_breakable(view), ensure_ascii=False, indent=1)
    words = text + b"".join(drawings.values()).decode()
    # Typst brings letters for Latin, Greek and Cyrillic, matplotlib for Arabic. The computer's own fonts
    # are asked only for yet other scripts, so that an ordinary report has the same bytes on every machine.
    foreign = re.search("[\u0530-\u05ff\u0700-\u1fff\u2e80-\ud7ff\uf900-\ufaff\U00010000-\U0010ffff]", words)
    with tempfile.TemporaryDirectory() as place:
        for name, svg in drawings.items():
            Path(place, f"{name}.svg").write_bytes(svg)
        Path(place, "report.json").write_text(text, "utf-8")
        main = os.path.join(place, "report.typ")
        Path(main).write_text(_template("report.typ"), "utf-8")
        return typst.compile(
            main,
            root=place,
            font_paths=[os.path.join(matplotlib.get_data_path(), "fonts", "ttf")],
            ignore_system_fonts=foreign is None,
            format="pdf",
            timestamp=0,
        )


def _breakable(value: Any) -> Any:
    """The view with every text breakable, but for the names of files."""
    if isinstance(value, dict):
        return {key: item if key == "file" else _breakable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_breakable(item) for item in value]
    return breakable(value) if isinstance(value, str) else value
