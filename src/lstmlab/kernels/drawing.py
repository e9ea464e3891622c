"""The drawn cell, as textbooks draw the LSTM, for any cell: SVG with real text, nothing from outside.

Boxes are gates with weights, ovals functions, circles what is done to two values. A state that passes through is the
thick line. The same cell always gives the same bytes.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import pairwise

from lstmlab.cells import Cell
from lstmlab.kernels import notation
from lstmlab.kernels.diagram import Diagram, Node, diagram
from lstmlab.kernels.layout import Grid, arrange
from lstmlab.kernels.letters import Letter

INK, SOFT, FRAME, PAPER = "#1f2933", "#52606d", "#d5dae0", "#f7f9fb"
FILLS = {"gate": ("#dcebf5", "#0072B2"), "function": ("#fdf0d9", "#B77900"), "operator": ("#fbe3d6", "#D55E00")}
"""Fill and edge of each shape: the colours of all figures, paled."""
TEXT, SMALL, RADIUS, BOX, ROUND = 13.0, 9.5, 12.0, 30.0, 6.0
"""Sizes in pixels: letters, subscripts and captions; circles; the height of boxes; the bend of a line."""
FONT = "DejaVu Sans, Verdana, Segoe UI, Helvetica, Arial, sans-serif"
MATH = "STIX Two Math, Cambria Math, DejaVu Serif, Georgia, Times New Roman, serif"

Point = tuple[float, float]


@lru_cache(maxsize=16)  # The search for places takes a third of a second, and a report with several runs asks again.
def draw(cell: Cell) -> str:
    """The cell as an SVG document."""
    made = diagram(cell)
    return write(cell, Places(made, arrange(made)))


def write(cell: Cell, placed: "Places") -> str:
    """The SVG of a cell of which everything has its place."""
    name, size_ = re.sub(r"[^A-Za-z0-9-]", "-", cell.name), f"{placed.width} {placed.height}"
    nodes = [_node(placed, at) for at in range(len(placed.diagram.nodes))]
    body = [*_frame(placed), *_lines(placed), *nodes, *_labels(placed)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{placed.width}" height="{placed.height}" '
        f'viewBox="0 0 {size_}" role="img" aria-labelledby="{name}-title {name}-desc" '
        f'font-family="{FONT}" font-size="{TEXT:g}" fill="{INK}" text-anchor="middle">\n'
        f'<title id="{name}-title">The cell {escape(cell.name)}</title>\n'
        f'<desc id="{name}-desc">{escape(_described(cell))}</desc>\n' + "\n".join(body) + "\n</svg>\n"
    )


def _described(cell: Cell) -> str:
    states = ", ".join(cell.states)
    return (
        f"One step from left to right. States that enter on the left and leave on the right: {states}. "
        f"Gates: {', '.join(cell.gates)}. What the drawing shows as equations: {notation.spoken(cell)}."
    )


# ---- Places ---------------------------------------------------------------------------------------------------------


class Places:
    """Pixels for every column, row, gap and lane."""

    def __init__(self, made: Diagram, grid: Grid) -> None:
        self.diagram, self.grid = made, grid
        self.left, self.lane, right = self._across()
        self.y, bottom = self._down()
        self.width, self.height = round(right), round(bottom)
        self.output = next(at for at, node in enumerate(made.nodes) if node.shape == "sink")

    def _across(self) -> tuple[list[float], dict[tuple[int, int], float], float]:
        """The middle of each column, x of each lane by (column, start), and where it all ends."""
        columns, lanes, x = [], {}, 8.0
        for column in range(max(self.grid.columns) + 1):
            here = [at for at, one in enumerate(self.grid.columns) if one == column]
            before = [at for at, one in enumerate(self.grid.columns) if one < column]
            if column:
                # Room for what stands beside a gate's line, then the lanes, then the arrow.
                named = any(self.diagram.nodes[at].out for at in before if self.grid.columns[at] == column - 1)
                marked = any(
                    line.mark for at in here if self.diagram.nodes[at].shape == "gate" for line in self.diagram.into(at)
                )
                x += 24 if named else 12
                for start in self.grid.lanes.get(column, ()):
                    lanes[column, start] = x
                    x += 11
                # Before the results the output has a lane of its own, upwards.
                x += 18 if column == max(self.grid.columns) else 0
                x += 8 if all(self.diagram.nodes[at].shape == "join" for at in here) else 28 if marked else 14
            width = max(size(self.diagram.nodes[at])[0] for at in here)
            columns.append(x + width / 2)
            x += width
        return columns, lanes, x + 8

    def _down(self) -> tuple[list[float], float]:
        """The middle of each row, and where it all ends. A row with lines alone is narrow."""
        rows, y = [], 34.0
        for row in range(max(self.grid.rows) + 1):
            here = [self.diagram.nodes[at] for at, one in enumerate(self.grid.rows) if one == row]
            above = max(size(node)[1] / 2 + (13 if node.caption else 0) for node in here) + 4
            below = max(size(node)[1] / 2 for node in here) + 5
            y += max(above, 11)
            rows.append(y)
            y += max(below, 9)
        return rows, y + 14

    def edges(self) -> tuple[float, float]:
        """Where the frame begins and ends: right of all that enters, left of all that leaves."""
        first, last = (
            max(size(node)[0] for at, node in enumerate(self.diagram.nodes) if self.grid.columns[at] == column) / 2
            for column in (0, max(self.grid.columns))
        )
        return self.left[0] + first + 5, self.left[-1] - last - 14

    def middle(self, at: int) -> Point:
        """The middle of a node."""
        return self.left[self.grid.columns[at]], self.y[self.grid.rows[at]]


def size(node: Node) -> tuple[float, float]:
    """Width and height of a node."""
    told = node.label
    text = 0.62 * TEXT * len(told) if isinstance(told, str) else _width(told)
    if node.shape == "join":
        return 10.0, 10.0
    if node.shape == "operator":
        return (2 * RADIUS if told in ("+", "−", "×", "÷") else text + 12), 2 * RADIUS
    if node.shape == "gate":
        return max(text + 14, 44.0, 0.56 * SMALL * len(node.caption)), BOX
    if node.shape == "function":
        return max(text + 14, 30.0), 2 * RADIUS
    return text + 4, 20.0


def _width(letter: Letter) -> float:
    below = len(letter.of) + letter.past + len(letter.time)
    return (0.6 if len(letter.base) == 1 else 0.68) * TEXT * len(letter.base) + 0.6 * SMALL * below


# ---- Lines ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """A line's corners, and how it ends."""

    start: int
    end: int
    points: tuple[Point, ...]
    mark: str | Letter


def ways(placed: Places) -> list[Way]:
    """Every line with its corners, and the output's way upwards."""
    made, ports = placed.diagram, _ports(placed)
    marks = {(line.start, line.end): line.mark for line in made.lines}
    found = []
    for entry in placed.grid.entries:
        (x, y), (end_x, end_y) = placed.middle(entry.start), placed.middle(entry.end)
        start, node = (x + size(made.nodes[entry.start])[0] / 2, y), made.nodes[entry.end]
        width, height = size(node)
        port = ports[entry.start, entry.end]
        inset = RADIUS - (RADIUS**2 - port**2) ** 0.5 if node.shape == "operator" else 0.0
        edge = (end_x - width / 2 + inset, end_y + port)
        points: tuple[Point, ...] = (start, edge)
        if entry.how == "column":
            points = (start, (end_x, y), (end_x, end_y + (height / 2 if y > end_y else -height / 2)))
        elif entry.how == "gap":
            lane = placed.lane[placed.grid.columns[entry.end], entry.start]
            points = (start, (lane, y), (lane, edge[1]), edge)
        found.append(Way(entry.start, entry.end, points, marks[entry.start, entry.end]))
    return [*found, _upwards(placed)]


def _upwards(placed: Places) -> Way:
    """The output on its way to the layer above."""
    start = next(line.start for line in placed.diagram.lines if line.end == placed.output)
    x, y = placed.middle(start)
    lane = placed.edges()[1] - 10
    points = (x + size(placed.diagram.nodes[start])[0] / 2, y), (lane, y), (lane, 21.0)
    return Way(start, placed.output, points, "")


def _ports(placed: Places) -> dict[tuple[int, int], float]:
    """How far from the middle of its end each line arrives: those from above above, those from below below."""
    found: dict[tuple[int, int], float] = {}
    for end, node in enumerate(placed.diagram.nodes):
        entries = [one for one in placed.grid.entries if one.end == end]
        sides = sorted((one for one in entries if one.how != "column"), key=lambda one: placed.grid.rows[one.start])
        straight = next((count for count, one in enumerate(sides) if one.how == "row"), (len(sides) - 1) / 2)
        step = min(9.0, (size(node)[1] / 2 - 4) / max(1.0, straight, len(sides) - 1 - straight))
        found |= {(one.start, end): (count - straight) * step for count, one in enumerate(sides)}
        found |= {(one.start, end): 0.0 for one in entries if one.how == "column"}
    return found


def _lines(placed: Places) -> Iterable[str]:
    """All lines, those of one start together, each with paper beneath it so that what it crosses seems to go under."""
    every = ways(placed)
    for start in sorted({way.start for way in every}):
        net = [way for way in every if way.start == start]
        dots = _branches(net)
        shapes = [_path(way.points, dots, arrow=placed.diagram.nodes[way.end].shape != "join") for way in net]
        if placed.diagram.nodes[start].shape != "join":
            yield from (f'<path d="{path}" fill="none" stroke="{PAPER}" stroke-width="5"/>' for path in shapes)
        for way, path in zip(net, shapes, strict=True):
            colour, width = _colour(placed, way)
            yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'
        for way in net:
            if placed.diagram.nodes[way.end].shape != "join":
                yield _arrow(way.points[-2], way.points[-1], _colour(placed, way)[0])
        yield from (f'<circle cx="{x:g}" cy="{y:g}" r="2.6" fill="{SOFT}"/>' for x, y in sorted(dots))


def _colour(placed: Places, way: Way) -> tuple[str, float]:
    """A line's colour and width: a state that passes through stands out."""
    nodes = placed.diagram.nodes
    upwards = nodes[way.end].shape == "sink" and way.points[-1][1] < 22
    kept = not upwards and nodes[way.start].memory and (nodes[way.end].memory or nodes[way.end].shape == "sink")
    return (INK, 2.6) if kept else (SOFT, 1.4)


def _branches(net: Sequence[Way]) -> set[Point]:
    """Where a line parts."""
    steps: dict[Point, set[Point]] = {}
    corners = {point for way in net for point in way.points}
    for way in net:
        for one, other in pairwise(way.points):
            between = sorted({p for p in corners if _between(p, one, other)}, reverse=one > other)
            for first, second in pairwise(between):
                steps.setdefault(first, set()).add(second)
                steps.setdefault(second, set()).add(first)
    return {point for point, near in steps.items() if len(near) > 2}


def _between(point: Point, one: Point, other: Point) -> bool:
    return all(min(a, b) <= p <= max(a, b) for p, a, b in zip(point, one, other, strict=True))


def _path(points: Sequence[Point], sharp: set[Point], *, arrow: bool) -> str:
    """An SVG path with round corners, but for the sharp ones; shorter by the arrow's head."""
    *points, last = points
    if arrow:
        last = _towards(last, points[-1], 5.0)
    told = "M{:g} {:g}".format(*points[0])
    for corner, after, before in zip(points[1:], [*points[2:], last], points, strict=False):
        if corner in sharp:
            told += "L{:g} {:g}".format(*corner)
        else:
            told += "L{:g} {:g}".format(*_towards(corner, before, ROUND))
            told += "Q{:g} {:g} {:g} {:g}".format(*corner, *_towards(corner, after, ROUND))
    return told + "L{:g} {:g}".format(*last)


def _towards(point: Point, other: Point, most: float) -> Point:
    """A point that much nearer to the other, at most half the way."""
    away = abs(other[0] - point[0]) + abs(other[1] - point[1])
    share = min(most, away / 2) / away if away else 0.0
    return point[0] + (other[0] - point[0]) * share, point[1] + (other[1] - point[1]) * share


def _arrow(before: Point, tip: Point, colour: str) -> str:
    x, y = tip
    length = abs(x - before[0]) + abs(y - before[1]) or 1.0
    dx, dy = (x - before[0]) / length, (y - before[1]) / length
    corners = ((x, y), (x - 7 * dx + 3.2 * dy, y - 7 * dy + 3.2 * dx), (x - 7 * dx - 3.2 * dy, y - 7 * dy - 3.2 * dx))
    return f'<path d="M{"L".join(f"{a:g} {b:g}" for a, b in corners)}Z" fill="{colour}"/>'


# ---- Shapes and letters ---------------------------------------------------------------------------------------------


def _frame(placed: Places) -> Iterable[str]:
    """Paper, and the outline of the cell: states and input enter on its left and leave on its right."""
    left, right = placed.edges()
    yield f'<rect width="{placed.width:g}" height="{placed.height:g}" fill="#ffffff"/>'
    yield (
        f'<rect x="{left:g}" y="24" width="{right - left:g}" height="{placed.height - 32:g}" rx="10" '
        f'fill="{PAPER}" stroke="{FRAME}"/>'
    )


def _node(placed: Places, at: int) -> str:
    node, (x, y) = placed.diagram.nodes[at], placed.middle(at)
    width, height = size(node)
    told = _text(x, y, node.label)
    if node.shape in ("source", "sink"):
        return told
    if node.shape == "join":
        return f'<circle cx="{x:g}" cy="{y:g}" r="4" fill="{SOFT}"/>'
    fill, stroke = FILLS[node.shape]
    round_ = 4 if node.shape == "gate" else height / 2
    box = (
        f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width:g}" height="{height:g}" rx="{round_:g}" '
        f'fill="{fill}" stroke="{stroke}" stroke-width="1.3"/>'
    )
    if not node.caption:
        return box + told
    place = f'x="{x:g}" y="{y - height / 2 - 4:g}"'
    return f'{box}{told}<text {place} font-size="{SMALL}" fill="{SOFT}">{escape(node.caption)}</text>'


def _labels(placed: Places) -> Iterable[str]:
    """What comes out of gates, what happens on the way, and the output once more, upwards."""
    for at, node in enumerate(placed.diagram.nodes):
        if node.out is not None:
            x, y = placed.middle(at)
            yield _text(x + size(node)[0] / 2 + 4, y - 9, node.out, anchor="start", scale=0.88)
    yield _text(placed.edges()[1] - 10, 12.0, placed.diagram.nodes[placed.output].label)
    every = ways(placed)
    for way in every:
        (x0, y0), (x, y) = way.points[-2:]
        others = [
            one.points[-1][1] for one in every if one.end == way.end and one is not way and one.points[-1][0] <= x
        ]
        if way.mark and x0 == x:
            yield _text(x + 7, y + (-11 if y > y0 else 11), way.mark, anchor="start", scale=0.88)
        elif way.mark:
            # Above its arrow, unless another arrow is there.
            yield _text(x - 9, y + (9 if others and max(others) < y else -10), way.mark, anchor="end", scale=0.88)


def _text(x: float, y: float, told: str | Letter, *, anchor: str = "", scale: float = 1.0) -> str:
    """Text with its middle at a height: a word as it is, a letter in italics with what hangs below it."""
    attributes = f' text-anchor="{anchor}"' if anchor else ""
    size_ = f' font-size="{TEXT * scale:g}"' if scale != 1 else ""
    place = f'x="{x:g}" y="{y + 0.36 * TEXT * scale:g}"{attributes}{size_}'
    if isinstance(told, str):
        return f"<text {place}>{escape(told)}</text>" if told else ""
    style = f' font-family="{MATH}" font-style="italic"' if len(told.base) == 1 else ""
    base = told.base + "\u0303" * told.tilde + "′" * told.primes
    below = ("R" if told.past else "") + told.of + (told.time.replace("-", "−"))
    under = f'<tspan dy="{0.3 * TEXT:g}" font-size="{SMALL}">{escape(below)}</tspan>' if below else ""
    return f"<text {place}{style}>{escape(base)}{under}</text>"
