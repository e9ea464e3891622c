"""Notebooks as files: what stands in them, how their cells are run, and how code is printed."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lstmlab import notebook, request
from lstmlab.cells import CELLS, Gates, State
from lstmlab.data.load import Watch
from lstmlab.errors import InputError
from lstmlab.notebook.document import Cell, from_percent, to_json, to_percent
from lstmlab.notebook.execution import execute
from lstmlab.notebook.steps import step_facts
from lstmlab.notebook.writing import literal, spaced
from lstmlab.training import experiment
from lstmlab.training.run import Run

SMALL = {"hidden_size": 8, "epochs": 3}


@pytest.mark.slow
def test_the_file_is_a_notebook_and_the_same_each_time(tmp_path: Path) -> None:
    recipe = request.assemble("sine", {**SMALL, "points": 120, "horizon": 10, "epochs": 2})
    first, second = tmp_path / "a.ipynb", tmp_path / "b.ipynb"
    for path in (first, second):
        notebook.write(recipe, path)
    assert first.read_bytes() == second.read_bytes()
    whole = json.loads(first.read_text())
    assert (whole["nbformat"], whole["nbformat_minor"]) == (4, 5)
    names = [cell["id"] for cell in whole["cells"]]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in names)
    counts = [cell["execution_count"] for cell in whole["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [out for cell in whole["cells"] for out in cell.get("outputs", [])]
    assert any("image/png" in out.get("data", {}) for out in outputs)
    assert any("Epoch 2/2" in "".join(out.get("text", [])) for out in outputs)
    schema(whole)


def schema(whole: dict[str, Any]) -> None:
    """What nbformat 4.5 asks of a notebook; with nbformat itself where it is installed."""
    keys = {"markdown": {"cell_type", "id", "metadata", "source"}}
    keys["code"] = keys["markdown"] | {"execution_count", "outputs"}
    wanted = {"stream": {"name", "text"}, "display_data": {"data", "metadata"}}
    wanted["execute_result"] = wanted["display_data"] | {"execution_count"}
    for cell in whole["cells"]:
        assert cell.keys() == keys[cell["cell_type"]]
        for out in cell.get("outputs", []):
            assert out.keys() == {"output_type", *wanted[out["output_type"]]}
    try:
        import nbformat
    except ImportError:
        return
    nbformat.validate(nbformat.from_dict(whole))


@pytest.mark.slow
def test_a_failing_cell_is_told_and_nothing_is_written() -> None:
    with pytest.raises(InputError, match="cell 2 of the notebook .*ZeroDivisionError"):
        execute([Cell("code", "a = 1"), Cell("code", "a / 0")], {}, {})
    with pytest.raises(InputError, match="self-contained"):
        execute([Cell("code", "import lstmlab")], {}, {})
    with pytest.raises(InputError, match="status 3"):
        execute([Cell("code", "import os\nos._exit(3)")], {}, {})


@pytest.mark.slow
def test_outputs_stand_beside_their_cells() -> None:
    said: list[str] = []
    counted: list[tuple[object, ...]] = []
    watch = Watch(said.append, lambda *done: counted.append(done))
    code = "print('one')\nimport sys\nprint('two', file=sys.stderr)\n3 + 4"
    cell, silent = execute([Cell("code", code), Cell("code", "5;")], {}, {}, watch)
    assert [(out["output_type"], out.get("name")) for out in cell.outputs] == [
        ("stream", "stdout"),
        ("stream", "stderr"),
        ("execute_result", None),
    ]
    assert cell.outputs[2]["data"] == {"text/plain": "7"}
    assert silent.outputs == ()
    assert said == ["one", "two"]
    assert [done[1:] for done in counted] == [(1, 2), (2, 2)]


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_written_out_is_its_step(name: str) -> None:
    """The lines that are printed for a cell give what its step gives, far from zero too."""
    cell, facts = CELLS[name], step_facts(CELLS[name])
    torch.manual_seed(0)

    def drawn(names: Sequence[str], size: float) -> dict[str, torch.Tensor]:
        return {name: size * torch.randn(50, dtype=torch.float64) for name in names}

    for size in (1.0, 20.0):
        x, r, parameters = (drawn(names, size) for names in (cell.gates, cell.gates, cell.parameters))
        before = {**drawn(cell.states, 1.0), **{one: torch.rand(50, dtype=torch.float64) + 1 for one in ("n",)}}
        state = State(**{one: before[one] for one in cell.states})
        space = {"torch": torch, "nn": torch.nn, "self": SimpleNamespace(**parameters), **dict(state.items())}
        space |= {f"x_{one}": x[one] for one in cell.gates} | {f"r_{one}": r[one] for one in cell.gates}
        exec("\n".join(facts["lines"]), space)
        after = cell.step(Gates({**x, **parameters}), Gates(r if cell.recurrent else {}), state)
        for one in cell.states:
            torch.testing.assert_close(space[f"new_{one}"], after[one])


def test_percent_form_and_back() -> None:
    cells = [Cell("markdown", "# A title\n\ntext"), Cell("code", "a = 1\n\n\ndef f():\n    return a")]
    assert from_percent(to_percent(cells)) == cells
    assert to_json(cells) == to_json(list(cells))


def test_code_is_spaced_as_usual() -> None:
    close = "a = 1\ndef f():\n    return 1\nclass C:\n    x = 1\n    def g(self):\n        return 2\n"
    assert spaced(close + "@deco\ndef h():\n    pass\nb = 2") == (
        "a = 1\n\n\ndef f():\n    return 1\n\n\nclass C:\n    x = 1\n\n    def g(self):\n        return 2\n\n\n"
        "@deco\ndef h():\n    pass\n\n\nb = 2"
    )


def test_literals_read_well() -> None:
    assert literal([1, "a", 'say "x"', None]) == """[1, "a", 'say "x"', None]"""
    assert eval(literal(list(range(100)))) == list(range(100))
    assert max(len(line) for line in literal(list(range(100))).split("\n")) <= 100


@pytest.mark.slow
def test_a_run_has_its_notebook(tmp_path: Path) -> None:
    from lstmlab.api import Result

    run = experiment.train(
        request.assemble("sine", {**SMALL, "points": 120, "horizon": 10}), root=tmp_path, output=tmp_path / "run"
    )
    path = Result(Run(run.folder)).notebook(execute=False)
    text = path.read_text()
    assert path == run.folder / "notebook.ipynb"
    assert f"{run.history[0]['train']['loss']:.7f}"[:9] in text
    assert str(tmp_path) not in text
