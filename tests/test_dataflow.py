"""The drawn data flow: of every recipe and every variant, with the sizes a run knows, the same bytes twice."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from safetensors.numpy import save_file

from fake_runs import classification_run, forecasting_run
from lstmlab import catalogue, request
from lstmlab.analysis import overview, recurrence
from lstmlab.analysis.dataflow import FLOWS, figure, flow
from lstmlab.analysis.flow import Box, Flow, Line, draw
from lstmlab.recipe import dump
from lstmlab.report import Document, write
from lstmlab.tasks import TASKS

VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("mr", {"kind": "transformer", "num_layers": 2}),
    ("mr", {"kind": "convolution", "dilated": True, "num_layers": 2}),
    ("mr", {"num_layers": 5, "cell": "gru"}),
    ("translate-demo", {"context": "state"}),
    ("translate-demo", {"context": "every-step"}),
    ("translate-demo", {"context": "attention", "bridge": "zero"}),
    ("translate-demo", {"encoder.bidirectional": False}),
    ("translate-demo", {"encoder.kind": "transformer"}),
    ("ner-wnut17", {"letters.kind": "none"}),
    ("ner-wnut17", {"letters.kind": "cnn", "model.output": "softmax"}),
    ("entailment-sick", {"model.attention": "none"}),
    ("sine", {"horizon": 1}),
]


def drawn(recipe: str, changes: dict[str, Any]) -> tuple[Flow, str, float]:
    """A recipe's flow and its drawing."""
    made = flow(dump(request.assemble(recipe, changes)))
    return (made, *draw(made))


def texts(svg: str) -> str:
    """All text of a drawing."""
    root = ElementTree.fromstring(svg)
    return " | ".join(element.text or "" for element in root.iter() if element.tag.endswith("}text"))


def test_every_task_has_its_flow() -> None:
    assert set(FLOWS) == set(TASKS)


@pytest.mark.parametrize("name", catalogue.recipe_names())
def test_every_recipe_is_drawn(name: str) -> None:
    made, svg, width = drawn(name, {})
    told = texts(svg)
    recipe = dump(request.assemble(name, {}))
    cell = {"lstm": "LSTM", "gru": "GRU"}.get(recipe["model"]["encoder"]["cell"], "RNN")
    assert cell in told
    assert f"{recipe['model']['encoder']['hidden_size']} units" in told
    assert "Loss" in told or "loss" in told
    assert "[B" in told
    assert 3 < width <= 8.2
    assert made.described.endswith(".")


@pytest.mark.parametrize(("name", "changes"), VARIANTS)
def test_variants_are_drawn(name: str, changes: dict[str, Any]) -> None:
    made, svg, _ = drawn(name, changes)
    names = {box.name for box in made.boxes}
    assert {line.start for line in made.lines} | {line.end for line in made.lines} == names
    assert not re.search("nan|inf|None", svg.split("<desc")[0] + texts(svg))


def test_boxes_lie_within_the_drawing_and_on_no_other() -> None:
    for name, changes in [*VARIANTS, *((recipe, {}) for recipe in catalogue.recipe_names())]:
        _, svg, _ = drawn(name, changes)
        root = ElementTree.fromstring(svg)
        wide, high = float(root.attrib["width"]), float(root.attrib["height"])
        boxes = [
            tuple(float(element.attrib[key]) for key in ("x", "y", "width", "height"))
            for element in root
            if element.tag.endswith("}rect") and element.attrib.get("rx") == "5"
        ]
        for x, y, width, height in boxes:
            assert x >= 0, (name, changes)
            assert y >= 0, (name, changes)
            assert x + width <= wide, (name, changes)
            assert y + height <= high, (name, changes)
        for at, (x, y, width, height) in enumerate(boxes):
            for other_x, other_y, other_width, other_height in boxes[:at]:
                apart = x >= other_x + other_width or other_x >= x + width
                assert apart or y >= other_y + other_height or other_y >= y + height, (name, changes)


def test_how_the_context_is_passed_is_drawn() -> None:
    told = {context: texts(drawn("translate-demo", {"context": context})[1]) for context in
            ("state", "every-step", "attention")}  # fmt: skip
    assert "Attention" in told["attention"]
    assert "Attention" not in told["state"] + told["every-step"]
    assert "at every step" in told["every-step"]
    assert all("Bridge" in one for one in told.values())
    same = texts(drawn("translate-demo", {"encoder.bidirectional": False})[1])
    assert "Bridge" not in same
    assert "final state, as it is" in same


def test_directions_and_layers_are_drawn() -> None:
    one, two = (drawn("mr", {"bidirectional": both})[0] for both in (False, True))
    strips = [next(box.strips for box in made.boxes if box.name == "encoder") for made in (one, two)]
    assert [[strip.way for strip in found] for found in strips] == [["forwards"], ["forwards", "backwards"]]


def test_a_run_tells_the_sizes(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    before = texts(str(figure(run).draw))
    assert "V × 64" in before
    assert "1,280,000 parameters" in before
    shapes = {"embedding.table.weight": (20000, 64), "encoder.layers.0.forwards.input_weight": (256, 64),
              "output.weight": (2, 256)}  # fmt: skip
    save_file({name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, run.folder / "model.safetensors")
    after = texts(str(figure(run).draw))
    assert "20,000 × 64" in after
    assert "[B 2]" in after
    (run.folder / "model.safetensors").write_bytes(b"no tensors")
    assert texts(str(figure(run).draw)) == before


def test_hostile_names_stay_text() -> None:
    box = Box("a", "<script>alert(1)</script>", (0, 0), ("&amp; </svg>",))
    svg, _ = draw(Flow("<title>", "]]>", (box, Box("b", "b", (1, 0))), (Line("a", "b", "<x>"),)))
    assert "<script>alert(1)</script>" in texts(svg)
    assert "<script" not in svg


def test_the_report_has_drawing_cell_and_equations(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    section = overview.model(run)
    assert [one.name for one in section.figures] == ["dataflow", "cell"]
    made = [write(Document("Model", sections=[section]), tmp_path / name) for name in ("one", "two")]
    assert [file.read_bytes() for file in made[0].values()] == [file.read_bytes() for file in made[1].values()]
    assert "\\odot" in made[0]["md"].read_text("utf-8")
    assert "<mtable" in made[0]["html"].read_text("utf-8")


def test_a_cell_whose_file_has_gone_is_left_out_with_the_reason(tmp_path: Path) -> None:
    run = forecasting_run(tmp_path / "runs/made/up")
    run.recipe["model"]["encoder"]["cell"] = str(tmp_path / "gone.py:MINE")
    section = overview.model(run)
    assert [one.name for one in section.figures] == ["dataflow"]
    assert "The cell is not drawn here" in section.evidence
    assert "gone.py" in section.evidence


def test_what_is_no_recurrence_has_no_cell(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    run.recipe["model"]["encoder"] |= {"kind": "convolution", "width": 5, "dilated": False}
    assert recurrence.figure(run) is None
