"""A document's view as PDF, set as closely as its number of pages asks for."""

import importlib.resources
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lstmlab.report.text import breakable

_LOOKS: tuple[dict[str, float], ...] = (
    {"text": 10, "figures": 0.82, "finished": 0.84, "margin": 20, "minor": True},
    {"text": 9.6, "figures": 0.76, "finished": 0.84, "margin": 18, "minor": True},
    {"text": 9.6, "figures": 0.76, "finished": 0.84, "margin": 18, "minor": False},
    {"text": 9.2, "figures": 0.7, "finished": 0.78, "margin": 17, "minor": False},
    {"text": 8.8, "figures": 0.64, "finished": 0.72, "margin": 16, "minor": False},
    {"text": 8.4, "figures": 0.58, "finished": 0.68, "margin": 15, "minor": False},
    {"text": 8, "figures": 0.54, "finished": 0.64, "margin": 15, "minor": False},
)
"""From airy to close: points of the text, the shares of their size in which figures and finished drawings stand,
millimetres of margin, and whether what is minor is there."""
_LEAVE = ("file", "typst", "latex", "mathml", "plain")


def template(name: str) -> str:
    """A template of a report, as text."""
    return (importlib.resources.files("lstmlab.report") / "templates" / name).read_text("utf-8")


def fitted(view: Mapping[str, Any], drawings: Mapping[str, bytes], most_pages: int | None) -> bytes:
    """The PDF, in the airiest look that has no more pages than that; in the closest one where none has."""
    made = b""
    for look in _LOOKS:
        made = _pdf({**view, "look": look}, drawings)
        if most_pages is None or pages(made) <= most_pages:
            break
    return made


def pages(pdf: bytes) -> int:
    """How many pages a PDF made here has."""
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def _pdf(view: Mapping[str, Any], drawings: Mapping[str, bytes]) -> bytes:
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
        Path(main).write_text(template("report.typ"), "utf-8")
        return typst.compile(
            main,
            root=place,
            font_paths=[os.path.join(matplotlib.get_data_path(), "fonts", "ttf")],
            ignore_system_fonts=foreign is None,
            format="pdf",
            timestamp=0,
        )


def _breakable(value: Any) -> Any:
    """The view with every text breakable, but for names of files and mathematics."""
    if isinstance(value, dict):
        return {key: item if key in _LEAVE else _breakable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_breakable(item) for item in value]
    return breakable(value) if isinstance(value, str) else value
