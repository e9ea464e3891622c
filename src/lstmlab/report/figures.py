"""Figures drawn in one calm style: as SVG whose text stays text, as PNG, and checked for their labels."""

import contextlib
import importlib.resources
import os
import re
import tempfile
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from lstmlab.disk import save
from lstmlab.report.sections import Figure
from lstmlab.report.text import tidy

# None leaves out the hour and the version, which would make every file new.
_METADATA: dict[str, dict[str, None]] = {
    "svg": dict.fromkeys(("Creator", "Date", "Format", "Type")),
    "png": {"Software": None},
}


def render(figure: Figure, folder: Path | str) -> dict[str, Path]:
    """Draw `figure` into `folder`: NAME.svg and NAME.png, returned as "svg" and "png". Equal drawings, equal bytes."""
    paths = {}
    if isinstance(figure.draw, str):
        for kind, content in (("svg", figure.draw.encode()), ("png", _png(figure.draw, figure.width))):
            paths[kind] = Path(folder, f"{figure.name}.{kind}")
            save(paths[kind], content)
        return paths
    with _style(), warnings.catch_warnings():
        # A browser finds the letters that matplotlib lacks; in the PNG they are boxes, which no warning would mend.
        warnings.filterwarnings("ignore", message=r"Glyph \d+")
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        drawn = _drawn(figure)
        for kind, metadata in _METADATA.items():
            data = BytesIO()
            drawn.savefig(data, format=kind, metadata=metadata)
            paths[kind] = Path(folder, f"{figure.name}.{kind}")
            save(paths[kind], data.getvalue())
    return paths


def unlabelled(figure: Figure) -> list[str]:
    """What a reader misses on a figure: axes without a title, an x or a y label. Empty when all is well.

    Axes may leave a label to a panel they share that axis with, or to the whole figure (`supxlabel`). A colour bar
    needs a label but no title; axes that are switched off need only a title. A finished drawing has no axes.
    """
    if isinstance(figure.draw, str):
        return []
    with _style():
        drawn = _drawn(figure)
        if not drawn.axes:
            return [f"{figure.name}: nothing is drawn"]
        return [
            f"{figure.name}: axes {count} without {what}"
            for count, axes in enumerate(drawn.axes, start=1)
            for what in _missing(axes, drawn)
        ]


def _missing(axes: Any, drawn: Any) -> list[str]:
    if axes.get_label() == "<colorbar>":
        return [] if axes.get_xlabel() or axes.get_ylabel() or axes.get_title() else ["a label on its colour bar"]
    # A second scale, drawn over other axes, has their title.
    here = [other for other in drawn.axes if other.get_position().bounds == axes.get_position().bounds]
    titled = any(other.get_title(side) for other in here for side in ("left", "center", "right"))
    x_shared = any(other.get_xlabel() for other in axes.get_shared_x_axes().get_siblings(axes))
    y_shared = any(other.get_ylabel() for other in axes.get_shared_y_axes().get_siblings(axes))
    x_needed = axes.axison and axes.xaxis.get_visible()
    y_needed = axes.axison and axes.yaxis.get_visible()
    there = {
        "a title": titled,
        "an x label": x_shared or drawn.get_supxlabel() or not x_needed,
        "a y label": y_shared or drawn.get_supylabel() or not y_needed,
    }
    return [what for what, found in there.items() if not found]


def _png(svg: str, width: float) -> bytes:
    """A finished drawing, `width` inches wide, by the same hand that sets the PDF."""
    import matplotlib
    import typst

    text = f'#set page(width: auto, height: auto, margin: 6pt)\n#image("drawing.svg", width: {width:g}in)\n'
    with tempfile.TemporaryDirectory() as place:
        Path(place, "drawing.svg").write_text(svg, "utf-8")
        Path(place, "main.typ").write_text(text, "utf-8")
        made = typst.compile(
            os.path.join(place, "main.typ"),
            root=place,
            font_paths=[os.path.join(matplotlib.get_data_path(), "fonts", "ttf")],
            ignore_system_fonts=True,
            format="png",
            ppi=160,
        )
    assert isinstance(made, bytes)  # one page
    return made


@contextlib.contextmanager
def _style() -> Iterator[None]:
    """The house's look and nothing of the user's: rc_file begins with matplotlib's own defaults."""
    import matplotlib

    style = importlib.resources.files("lstmlab.report") / "templates" / "report.mplstyle"
    with matplotlib.rc_context(), importlib.resources.as_file(style) as path:
        matplotlib.rc_file(path)
        yield


def _drawn(figure: Figure) -> Any:
    """The filled matplotlib Figure, its texts made harmless."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure as Drawing
    from matplotlib.text import Text

    drawn: Any = Drawing(figsize=(figure.width, figure.height))
    FigureCanvasAgg(drawn)
    assert not isinstance(figure.draw, str)  # finished drawings never come here
    try:
        figure.draw(drawn)
    except Exception as error:
        error.add_note(f"while drawing the figure {figure.name}")
        raise
    for axes in drawn.axes:
        if axes.images or any(isinstance(part, QuadMesh) for part in axes.collections):
            axes.grid(False)  # lines would lie over the cells
        for axis in (axes.xaxis, axes.yaxis):
            _tidy_ticks(axis.get_major_formatter())
            _tidy_ticks(axis.get_minor_formatter())
    for text in drawn.findobj(Text):
        text.set_text(_label(text.get_text(), 160))
    return drawn


def _tidy_ticks(formatter: Any) -> None:
    """Tick labels are made while the figure is saved, so they are tidied where they are made."""
    made = formatter.format_ticks
    formatter.format_ticks = lambda values: [_label(text, 40) for text in made(values)]


_RAISED = str.maketrans("0123456789-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")


def _label(text: str, limit: int) -> str:
    """A label, each line cut at `limit`. Matplotlib writes powers as mathematics; here they become raised digits."""
    power = re.fullmatch(r"\$\\mathdefault\{(.*)\}\$", text)
    if power:
        text = re.sub(r"\^\{(.*?)\}", lambda match: match[1].translate(_RAISED), power[1]).replace(r"\times", "×")
    return "\n".join(line if len(line) <= limit else line[: limit - 1] + "…" for line in tidy(text).split("\n"))
