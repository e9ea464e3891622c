"""A document as HTML, Markdown and PDF: three templates over one view of it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from lstmlab.disk import save
from lstmlab.errors import InputError
from lstmlab.report.figures import render
from lstmlab.report.pages import fitted, template
from lstmlab.report.sections import Document, Figure, Table
from lstmlab.report.text import blocks, breakable, column, excerpt, fenced, is_numeric, line, markdown

MARK = "†"
GENERATED = f"{MARK} Sentences with this mark were generated from the numbers by fixed rules; no person wrote them."

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
        save(paths["pdf"], fitted(view, drawings, document.most_pages))
    except OSError as error:
        raise InputError(f"{folder}: the report cannot be written there ({error.strerror or error})") from error
    return paths


# The view: numbered, cleaned, every value on its line


def _view(document: Document) -> _View:
    tables, figures = iter(range(1, 10_000)), iter(range(1, 10_000))
    counts = iter(_counted([section.level for section in document.sections]))
    people = (document.author, document.course, document.date)
    return {
        "title": excerpt(document.title, 160),
        "subtitle": line(document.subtitle),
        "author": line(document.author),
        "byline": [line(part) for part in people if part.strip()],
        "language": document.language,
        "facts": [[excerpt(name, 40), line(value)] for name, value in document.facts],
        "generated": GENERATED if any(one.claim and one.generated for one in document.sections) else "",
        "sections": [
            {
                "title": line(section.title),
                "level": section.level,
                "count": next(counts),
                "claim": line(section.claim),
                "mark": MARK if section.claim and section.generated else "",
                "blocks": [asdict(block) for block in blocks(section.evidence)],
                "questions": [line(question) for question in section.questions],
                "answer": [asdict(block) for block in blocks(section.answer)],
                "tables": [_table(table, next(tables)) for table in section.tables],
                "figures": [_figure(figure, next(figures)) for figure in section.figures],
            }
            for section in document.sections
        ],
    }


def _counted(levels: list[int]) -> list[str]:
    """1, 2, 2.1, 2.2, 3 for sections of these levels."""
    found, chapter, part = [], 0, 0
    for level in levels:
        chapter, part = (chapter + 1, 0) if level == 1 else (chapter, part + 1)
        found.append(f"{chapter}.{part}" if part else str(chapter))
    return found


def _table(table: Table, count: int) -> _View:
    columns = [[row[index] for row in table.rows] for index in range(len(table.columns))]
    heads = [
        {"name": line(name), "numeric": is_numeric(values)} for name, values in zip(table.columns, columns, strict=True)
    ]
    rows = [list(row) for row in zip(*map(column, columns), strict=True)]
    told = {"title": line(table.title), "note": line(table.note), "minor": table.minor}
    return {"number": count, "columns": heads, "rows": rows, **told}


def _figure(figure: Figure, count: int) -> _View:
    title, note = line(figure.title), line(figure.note)
    alt = f"{title} {note}".strip()
    told = {"number": count, "file": figure.name, "title": title, "note": note, "alt": alt, "width": figure.width}
    told["finished"] = isinstance(figure.draw, str)  # its letters are as small as they may be
    mathematics = asdict(figure.equations) if figure.equations is not None else dict.fromkeys(_LANGUAGES, "")
    return {**told, **mathematics, "minor": figure.minor}


_LANGUAGES = ("latex", "mathml", "typst", "plain")


# The three formats


def _html(view: _View, drawings: dict[str, bytes]) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup, escape

    alts = {figure["file"]: figure["alt"] for section in view["sections"] for figure in section["figures"]}
    inline = {name: Markup(_inline(svg, name, alts[name])) for name, svg in drawings.items()}
    # Of all that stands in a report only drawings and equations are markup, and no foreign text is in either.
    equations = {figure["file"]: Markup(figure["mathml"]) for part in view["sections"] for figure in part["figures"]}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    # In running text a browser may break any word; in a table that would break short ones in narrow columns too.
    environment.filters["wrapped"] = lambda text: escape(breakable(text)).replace("\u200b", Markup("<wbr>"))
    page = environment.from_string(template("report.html"))
    style = Markup(template("report.css"))
    return page.render(view, css=style, drawings=inline, equations=equations) + "\n"


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
    root.attrib.pop("aria-labelledby", None)  # its own title, under an id that is another one now
    width = root.attrib.pop("width")
    width += "px" if width[-1].isdigit() else ""
    root.attrib.update({"role": "img", "aria-label": alt, "style": f"max-width: {width}"})
    return ElementTree.tostring(root, encoding="unicode")


def as_markdown(document: Document) -> str:
    """A document as Markdown alone; its figures are looked for in figures/ beside it."""
    return _markdown(_view(document))


def _markdown(view: _View) -> str:
    from jinja2 import Environment, StrictUndefined

    # Escaping is the filter's work here, and the template puts every value through it.
    environment = Environment(autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(plain=markdown, fenced=fenced)
    text = environment.from_string(template("report.md")).render(view)
    return text.strip() + "\n"
