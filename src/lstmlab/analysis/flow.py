"""Boxes in columns and rows with lines between them, drawn as SVG whose text is text: how data pass through a model.

Sizes are pixels. The same parts give the same bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Literal

from lstmlab.kernels.drawing import FONT, INK, SOFT

Kind = Literal["data", "layer", "recurrent", "loss"]
Side = Literal["l", "r", "t", "b"]
Point = tuple[float, float]

FILLS: Mapping[Kind, tuple[str, str]] = {
    "data": ("#f4f6f8", "#9aa5b1"),
    "layer": ("#fdf0d9", "#B77900"),
    "recurrent": ("#dcebf5", "#0072B2"),
    "loss": ("#fbe3d6", "#D55E00"),
}
"""Fill and edge: the colours of all figures, paled."""
TITLE, SMALL, LEADING = 12.5, 10.5, 13.5
"""Letters of titles, of everything else, and from line to line."""
PAD, GAP, ROW_GAP, EDGE = 9.0, 26.0, 30.0, 8.0
"""Around the text of a box; between columns and rows at least; around the drawing."""
CELL, BETWEEN, STRIP = 19.0, 15.0, 27.0
"""A step in a strip, the way to the next one, and a strip's height."""
WIDEST = 780.0
"""Pixels that fill the width of a page's text with letters of eight points."""


@dataclass(frozen=True)
class Strip:
    """A layer unrolled in time, inside its box: which way it reads, and how its steps see each other."""

    way: Literal["forwards", "backwards", "neighbours", "all"] = "forwards"


@dataclass(frozen=True)
class Box:
    """A part of the model, or what passes through it. `at` is its column and row, from the left and from the top."""

    name: str
    title: str
    at: tuple[int, int]
    lines: tuple[str, ...] = ()
    kind: Kind = "layer"
    strips: tuple[Strip, ...] = ()
    last: str = "T"
    """The letter of the last step drawn."""
    shift: float = 0.0
    """How far below the middle of its row."""

    @property
    def size(self) -> Point:
        """Width and height."""
        width = max(_long(self.title, TITLE, 0.62), *(_long(line, SMALL) for line in (*self.lines, "")))
        if self.strips:
            width = max(width, 4 * CELL + 3 * BETWEEN + 2 * BETWEEN)
        height = 1.5 * TITLE + LEADING * len(self.lines) + STRIP * len(self.strips) + (16 if self.strips else 0)
        return width + 2 * PAD, height + PAD + 2


@dataclass(frozen=True)
class Line:
    """From a side of one box to a side of another, with the shape or name of what goes along it.

    Dashed is what happens only sometimes. `leave` and `arrive` move its ends along their sides. A line between two tops
    or two bottoms goes around at a distance of `lane`.
    """

    start: str
    end: str
    label: str = ""
    sides: tuple[Side, Side] = ("r", "l")
    dashed: bool = False
    leave: float = 0.0
    arrive: float = 0.0
    lane: float = 20.0


@dataclass(frozen=True)
class Flow:
    """A whole drawing, with what it shows in words."""

    title: str
    described: str
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def draw(flow: Flow) -> tuple[str, float]:
    """The SVG document, and its width in inches as figures count them."""
    places = _Places(flow)
    width, height = places.size
    body = [*(_path(places, line) for line in flow.lines), *(_box(places, box) for box in flow.boxes)]
    body += [text for line in flow.lines for text in _label(places, line)]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-labelledby="flow-title flow-desc" '
        f'font-family="{FONT}" font-size="{SMALL}" fill="{INK}" text-anchor="middle">\n'
        f'<title id="flow-title">{escape(flow.title)}</title>\n<desc id="flow-desc">{escape(flow.described)}</desc>\n'
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>\n' + "\n".join(body) + "\n</svg>\n"
    )
    return svg, round(min(width, WIDEST) / 96, 2)


def _long(text: str, size: float, wide: float = 0.58) -> float:
    """About how wide a text is."""
    return wide * size * len(text)


class _Places:
    """Where everything is."""

    def __init__(self, flow: Flow) -> None:
        self.boxes = {box.name: box for box in flow.boxes}
        columns, rows = (sorted({box.at[axis] for box in flow.boxes}) for axis in (0, 1))
        above = max((line.lane for line in flow.lines if line.sides == ("t", "t")), default=0.0)
        below = max((line.lane for line in flow.lines if line.sides == ("b", "b")), default=0.0)
        self.x: dict[int, float] = {}
        left = EDGE
        for column in columns:
            wide = max(box.size[0] for box in flow.boxes if box.at[0] == column)
            left += self._before(flow, column) if self.x else 0.0
            self.x[column] = left + wide / 2
            left += wide
        self.y: dict[int, float] = {}
        top = EDGE + above + (LEADING if above else 0)
        for row in rows:
            high = max(box.size[1] + 2 * abs(box.shift) for box in flow.boxes if box.at[1] == row)
            top += self._above(flow, row) if self.y else 0.0
            self.y[row] = top + high / 2
            top += high
        self.size = (left + EDGE, top + EDGE + below + (LEADING if below else 0))

    def _before(self, flow: Flow, column: int) -> float:
        """Room for the labels of lines that end in this column."""
        known = {box.name: box.at for box in flow.boxes}
        said = [
            _long(line.label, SMALL) + 14
            for line in flow.lines
            if line.sides == ("r", "l") and known[line.end][0] == column and known[line.start][0] < column
        ]
        return max(GAP, *said, 0.0)

    def _above(self, flow: Flow, row: int) -> float:
        known = {box.name: box.at for box in flow.boxes}
        said = [line for line in flow.lines if known[line.end][1] == row and line.sides[1] == "t" and line.label]
        return ROW_GAP + (4 if said else 0)

    def middle(self, name: str) -> Point:
        column, row = self.boxes[name].at
        return self.x[column], self.y[row] + self.boxes[name].shift

    def port(self, name: str, side: Side, shift: float) -> Point:
        """A point on a side of a box."""
        x, y = self.middle(name)
        width, height = self.boxes[name].size
        if side in "lr":
            return x + (width / 2 if side == "r" else -width / 2), y + shift
        return x + shift, y + (height / 2 if side == "b" else -height / 2)

    def corners(self, line: Line) -> list[Point]:
        """The way a line takes, in straight pieces."""
        start, end = self.port(line.start, line.sides[0], line.leave), self.port(line.end, line.sides[1], line.arrive)
        (x, y), (to_x, to_y) = start, end
        if line.sides in (("t", "t"), ("b", "b")):
            out = self._around(line, x, to_x)
            return [start, (x, out), (to_x, out), end]
        first, last = (side in "lr" for side in line.sides)
        if first and last:
            middle = self._left(line.end) - 13
            return [start, end] if abs(y - to_y) < 1 else [start, (middle, y), (middle, to_y), end]
        if not first and not last:
            middle = to_y - ROW_GAP / 2 if to_y > y else to_y + ROW_GAP / 2
            return [start, end] if abs(x - to_x) < 1 else [start, (x, middle), (to_x, middle), end]
        return [start, (to_x, y) if first else (x, to_y), end]

    def _around(self, line: Line, x: float, to_x: float) -> float:
        """How high or low a line runs that goes around all boxes between its ends."""
        rows = {self.boxes[name].at[1] for name in (line.start, line.end)}
        near = [box.name for box in self.boxes.values() if box.at[1] in rows and self._over(box.name, x, to_x)]
        side: Side = line.sides[0]
        edges = [self.port(name, side, 0.0)[1] for name in near]
        return min(edges) - line.lane if side == "t" else max(edges) + line.lane

    def _over(self, name: str, x: float, to_x: float) -> bool:
        left, right = self.port(name, "l", 0.0)[0], self.port(name, "r", 0.0)[0]
        return left <= max(x, to_x) and right >= min(x, to_x)

    def _left(self, name: str) -> float:
        """Where the column of a box begins."""
        column = self.boxes[name].at[0]
        return min(self.port(box.name, "l", 0.0)[0] for box in self.boxes.values() if box.at[0] == column)


def _path(places: _Places, line: Line) -> str:
    points = places.corners(line)
    (x0, y0), (x, y) = points[-2:]
    length = abs(x - x0) + abs(y - y0) or 1.0
    dx, dy = (x - x0) / length, (y - y0) / length
    points[-1] = (x - 5 * dx, y - 5 * dy)
    told = "M" + "L".join(f"{a:g} {b:g}" for a, b in points)
    dashes = ' stroke-dasharray="4 3"' if line.dashed else ""
    head = f"M{x:g} {y:g}L{x - 7 * dx + 3.2 * dy:g} {y - 7 * dy + 3.2 * dx:g}"
    head += f"L{x - 7 * dx - 3.2 * dy:g} {y - 7 * dy - 3.2 * dx:g}Z"
    return (
        f'<path d="{told}" fill="none" stroke="{SOFT}" stroke-width="1.4" stroke-linejoin="round"{dashes}/>'
        f'<path d="{head}" fill="{SOFT}"/>'
    )


def _label(places: _Places, line: Line) -> Iterator[str]:
    """Above the longest level piece of a line, or right of its longest upright one; on paper, so that lines end."""
    if not line.label:
        return
    points = places.corners(line)
    pieces = list(pairwise(points))
    (x, y), (to_x, to_y) = max(pieces, key=lambda piece: abs(piece[0][0] - piece[1][0]))
    wide = _long(line.label, SMALL)
    if abs(x - to_x) >= wide - 4 or line.sides in (("t", "t"), ("b", "b")):
        yield _text((x + to_x) / 2, y + (LEADING - 1 if line.sides == ("b", "b") else -5), line.label, SOFT)
        return
    (x, y), (_, to_y) = max(pieces, key=lambda piece: abs(piece[0][1] - piece[1][1]))
    yield _text(x + 6, (y + to_y) / 2 + 0.35 * SMALL, line.label, SOFT, anchor="start")


def _text(x: float, y: float, told: str, fill: str = "", *, size: float = SMALL, anchor: str = "") -> str:
    extra = (f' fill="{fill}"' if fill else "") + (f' text-anchor="{anchor}"' if anchor else "")
    extra += f' font-size="{size}" font-weight="bold"' if size != SMALL else ""
    return f'<text x="{x:g}" y="{y:g}"{extra}>{escape(told)}</text>'


def _box(places: _Places, box: Box) -> str:
    (x, y), (width, height) = places.middle(box.name), box.size
    fill, edge = FILLS[box.kind]
    left, top = x - width / 2, y - height / 2
    found = [
        f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="5" fill="{fill}" stroke="{edge}" '
        f'stroke-width="1.2"/>',
        _text(x, top + PAD / 2 + TITLE, box.title, size=TITLE),
    ]
    under = top + PAD / 2 + 1.5 * TITLE
    for strip in box.strips:
        found += _strip(strip, x, under + STRIP / 2)
        under += STRIP
    if box.strips:
        found += [_text(_step(x, at), under + 9, told, SOFT) for at, told in enumerate(("t = 1", "2", "…", box.last))]
        under += 16
    found += [_text(x, under + LEADING * (at + 0.75), line) for at, line in enumerate(box.lines)]
    return "".join(found)


def _step(x: float, at: int) -> float:
    """The middle of a step of a strip."""
    return x + (at - 1.5) * (CELL + BETWEEN)


def _strip(strip: Strip, x: float, y: float) -> Iterator[str]:
    """Four steps in time, and what each gets from others."""
    edge = FILLS["recurrent"][1]
    if strip.way in ("neighbours", "all"):
        yield from _seen(strip, x, y, edge)
        return
    shift = (CELL / 2 + 2) * (1 if strip.way == "forwards" else -1)
    steps: Sequence[int] = range(4) if strip.way == "forwards" else range(3, -1, -1)
    for one, other in pairwise(steps):
        a, b = _step(x, one) + shift, _step(x, other) - shift
        sign = 1 if b > a else -1
        yield (
            f'<path d="M{a:g} {y:g}L{b - 3 * sign:g} {y:g}" stroke="{edge}" stroke-width="1.4"/>'
            f'<path d="M{b:g} {y:g}L{b - 6 * sign:g} {y - 3:g}L{b - 6 * sign:g} {y + 3:g}Z" fill="{edge}"/>'
        )
    yield from (_square(_step(x, at), y, edge) for at in range(4))


def _square(x: float, y: float, edge: str) -> str:
    half = CELL / 2
    return (
        f'<rect x="{x - half:g}" y="{y - half:g}" width="{CELL:g}" height="{CELL:g}" rx="3" fill="#ffffff" '
        f'stroke="{edge}" stroke-width="1.2"/>'
    )


def _seen(strip: Strip, x: float, y: float, edge: str) -> Iterator[str]:
    """Steps above that look at steps below: at their neighbours, or at all."""
    up, down = y - CELL / 2 + 2, y + CELL / 2 - 2
    for at in range(4):
        for other in range(4):
            if strip.way == "all" or abs(at - other) <= 1:
                yield (
                    f'<path d="M{_step(x, other):g} {down:g}L{_step(x, at):g} {up:g}" stroke="{edge}" '
                    f'stroke-width="0.8"/>'
                )
    for at in range(4):
        yield from (f'<circle cx="{_step(x, at):g}" cy="{row:g}" r="3" fill="{edge}"/>' for row in (up, down))
