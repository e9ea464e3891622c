"""The drawn cell: everything there once, nothing on top of anything else, readable by people and by screen readers."""

import os
import subprocess
import sys
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

from lstmlab.cells import CELLS, Cell
from lstmlab.kernels import drawing, layout
from lstmlab.kernels.diagram import diagram
from lstmlab.kernels.drawing import Places
from lstmlab.kernels.letters import Letter
from odd_cells import ALL, DAMPED, EVERYTHING, TWO_OF_ONE

over_cells = pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
SVG = "{http://www.w3.org/2000/svg}"

Box = tuple[float, float, float, float]
Placed = dict[str, Places]


@pytest.fixture(scope="module")
def everywhere() -> Placed:
    """Where everything stands in each cell's drawing: searching for it takes a second for the largest."""
    made = {cell.name: diagram(cell) for cell in ALL}
    return {name: Places(one, layout.arrange(one)) for name, one in made.items()}


def boxes(placed: Places) -> list[Box]:
    """Left, top, right and bottom of every node."""
    found = []
    for at, node in enumerate(placed.diagram.nodes):
        (x, y), (width, height) = placed.middle(at), drawing.size(node)
        found.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    return found


@pytest.mark.slow
@over_cells
def test_it_is_svg_with_text_and_nothing_from_outside(cell: Cell, everywhere: Placed) -> None:
    source = drawing.write(cell, everywhere[cell.name])
    root = ElementTree.fromstring(source)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "desc", "rect", "path", "circle", "text", "tspan"}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert not attributes & {"href", "style", "onload", "class"}
    assert "url(" not in source
    assert root.findtext(f"{SVG}title") == f"The cell {cell.name}"
    told = root.findtext(f"{SVG}desc") or ""
    assert all(name in told for name in (*cell.gates, *cell.states))
    ids = [element.attrib["id"] for element in root if "id" in element.attrib]
    assert root.attrib["aria-labelledby"].split() == ids


@pytest.mark.slow
@over_cells
def test_every_gate_and_state_is_there(cell: Cell, everywhere: Placed) -> None:
    root = ElementTree.fromstring(drawing.write(cell, everywhere[cell.name]))
    texts = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    for gate in cell.gates:
        assert any(gate.replace("_", " ") in text for text in texts), gate
    for state in cell.states:
        assert f"{state}t" in texts
    # The output leaves twice: to the right, and upwards to the layer above.
    assert texts.count(f"{cell.states[0]}t") == 2


@pytest.mark.slow
@over_cells
def test_nothing_lies_on_anything_else(cell: Cell, everywhere: Placed) -> None:
    placed = everywhere[cell.name]
    every = boxes(placed)
    for (left, top, right, bottom), (left2, top2, right2, bottom2) in combinations(every, 2):
        assert right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top
    for way in drawing.ways(placed):
        for (x, y), (x2, y2) in pairwise(way.points):
            for at, (left, top, right, bottom) in enumerate(every):
                if at not in (way.start, way.end):
                    across = min(x, x2) < right - 1 and max(x, x2) > left + 1
                    along = min(y, y2) < bottom - 1 and max(y, y2) > top + 1
                    assert not (across and along), (cell.name, placed.diagram.nodes[at], way)


@pytest.mark.slow
@over_cells
def test_lines_of_different_values_never_share_a_stretch(cell: Cell, everywhere: Placed) -> None:
    stretches = [
        (way.start, min(one, other), max(one, other))
        for way in drawing.ways(everywhere[cell.name])
        for one, other in pairwise(way.points)
    ]
    for (start, (x, y), (x2, y2)), (start2, (a, b), (a2, b2)) in combinations(stretches, 2):
        if start != start2:
            level = y == y2 == b == b2 and min(x2, a2) - max(x, a) > 1
            upright = x == x2 == a == a2 and min(y2, b2) - max(y, b) > 1
            assert not level
            assert not upright


@pytest.mark.slow
@over_cells
def test_everything_is_on_the_paper(cell: Cell, everywhere: Placed) -> None:
    placed = everywhere[cell.name]
    for left, top, right, bottom in boxes(placed):
        assert left >= 0
        assert top >= 20
        assert right <= placed.width
        assert bottom <= placed.height
    assert placed.width <= (700 if len(placed.diagram.nodes) <= 16 else 1000)


@pytest.mark.slow
@over_cells
def test_time_runs_from_left_to_right(cell: Cell, everywhere: Placed) -> None:
    placed = everywhere[cell.name]
    for line in placed.diagram.lines:
        assert placed.middle(line.start)[0] < placed.middle(line.end)[0]
    for way in drawing.ways(placed):
        assert all(x <= x2 for (x, _), (x2, _) in pairwise(way.points))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "state"), [("lstm", "c"), ("gru", "h"), ("peephole", "c"), ("coupled", "c"), ("mgu", "h"), ("mingru", "h")]
)
def test_memory_is_the_straight_line_at_the_top(name: str, state: str, everywhere: Placed) -> None:
    placed = everywhere[name]
    enters = [node.label for node in placed.diagram.nodes if node.shape == "source" and node.memory]
    assert enters == [Letter(state, time="t-1")]
    passing = [at for at, node in enumerate(placed.diagram.nodes) if node.memory]
    assert len(passing) >= 3
    top = min(placed.middle(at)[1] for at in range(len(placed.diagram.nodes)))
    assert {placed.middle(at)[1] for at in passing} == {top}


def test_the_parts_of_the_lstm() -> None:
    made = diagram(CELLS["lstm"])
    shapes = [node.shape for node in made.nodes]
    assert {shape: shapes.count(shape) for shape in set(shapes)} == {
        "source": 3, "join": 1, "gate": 4, "operator": 4, "function": 1, "sink": 2,
    }  # fmt: skip
    assert [node.label for node in made.nodes if node.shape == "gate"] == ["σ", "σ", "tanh", "σ"]
    assert len(made.lines) == 2 + 4 + 8 + 1 + 2


def test_what_is_special_has_its_mark() -> None:
    assert {line.mark for line in diagram(DAMPED).lines} == {"", "−"}
    labels = [node.label for node in diagram(DAMPED).nodes]
    assert "× σ(d)" in labels
    assert "max(·, −1)" in labels
    odd = diagram(EVERYTHING)
    assert {line.mark for line in odd.lines} == {"", "−", "÷"}
    assert [node.label for node in odd.nodes if node.shape == "source"].count("1") == 1
    assert "(·)²" in [node.label for node in diagram(TWO_OF_ONE).nodes]
    weights = [line.mark for line in diagram(CELLS["peephole"]).lines if line.mark]
    assert [(mark.base, mark.of) for mark in weights] == [("p", "i"), ("p", "f"), ("p", "o")]  # type: ignore[union-attr]


@pytest.mark.slow
def test_the_same_cell_gives_the_same_bytes(everywhere: Placed) -> None:
    for name in ("rnn", "lstm", "gru"):
        assert drawing.draw(CELLS[name]) == drawing.write(CELLS[name], everywhere[name])


@pytest.mark.slow
def test_another_process_draws_the_same_bytes(everywhere: Placed) -> None:
    """Where Python mixes the order of sets anew."""
    code = (
        "from lstmlab.kernels.drawing import draw; from lstmlab.cells import CELLS; print(draw(CELLS['lstm']), end='')"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
        assert told.stdout.decode() == drawing.write(CELLS["lstm"], everywhere["lstm"])
