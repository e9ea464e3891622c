"""A cell of one's own from a file: found, shown, drawn, trained; and every file that gives none is refused in words."""

import io
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

import lstmlab
from lstmlab import cli
from lstmlab.cells import CELLS, find_cell, own
from lstmlab.cli import cells as command
from lstmlab.errors import InputError
from lstmlab.kernels import drawing, notation
from lstmlab.nn import Recurrent
from lstmlab.types import Padded
from odd_cells import ALL

pytestmark = pytest.mark.slow

MINE = '''"""A damped oscillator."""
from lstmlab.cells import Cell, State, sigmoid, tanh


def step(x, r, state):
    """v is a velocity that fades, h where it leads to."""
    v = sigmoid(x.fade) * state.v + tanh(x.push + r.push) - 0.25 * state.h
    return State(h=state.h + sigmoid(x.pace + r.pace) * v, v=v)


DAMPED = Cell("damped", ("h", "v"), ("push", "pace"), step, parameters=("fade",), initial_state={"v": 0.5})
OTHER = 3
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine.py").write_text(MINE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Stream(io.StringIO):
    """A standard stream in memory."""

    mode = "w"
    name = "<stream>"


def run(*words: str) -> tuple[int, str, str]:
    """Status, output and errors of a command."""
    streams = Stream(), Stream()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        patch.setattr(sys, "argv", ["lstmlab", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return int(str(ended.value.code)), streams[0].getvalue(), streams[1].getvalue()


# ---- Finding --------------------------------------------------------------------------------------------------------


def test_a_file_is_run_once_for_each_content(folder: Path) -> None:
    first = find_cell("./mine.py:DAMPED")
    assert first.name == "damped"
    assert find_cell(str(folder / "mine.py") + ":DAMPED") is first
    (folder / "mine.py").write_text(MINE.replace("0.25", "0.5"), encoding="utf-8")
    changed = find_cell("mine.py:DAMPED")
    assert changed.step is not first.step
    assert "0.5 hₜ₋₁" in notation.plain(changed)
    assert "0.25 hₜ₋₁" in notation.plain(first)


def test_finding_leaves_no_trace(folder: Path) -> None:
    before = list(sys.path)
    find_cell("mine.py:DAMPED")
    assert sys.path == before
    assert "mine" not in sys.modules
    assert [path.name for path in folder.iterdir()] == ["mine.py"]


def test_the_whole_path_is_what_is_kept(folder: Path) -> None:
    assert own.absolute("./mine.py:DAMPED") == f"{folder}/mine.py:DAMPED"
    assert own.absolute(f"{folder}/mine.py:DAMPED") == f"{folder}/mine.py:DAMPED"
    assert [own.absolute(name) for name in CELLS] == list(CELLS)
    assert not any(own.is_own(name) for name in CELLS)


def refusal(name: str) -> str:
    with pytest.raises(InputError) as refused:
        find_cell(name)
    return str(refused.value)


REFUSED = {
    "mine.py:DAMPD": 'mine.py: no cell "DAMPD". Did you mean mine.py:DAMPED?',
    "mine.py:zzz": 'mine.py: no cell "zzz". Cells in it: DAMPED.',
    "mine.py:OTHER": "mine.py: OTHER is a int, not a Cell. Cells in it: DAMPED.",
    "mine.py:Cell": "mine.py: Cell is a type, not a Cell.",
    "mine.py": 'cell "mine.py": name the Cell in mine.py after a colon. Cells in it: DAMPED. Write for example '
    "mine.py:DAMPED",
    "mine.py:": 'cell "mine.py:": name the Cell in mine.py after a colon.',
    "./mine:DAMPED": 'cell "./mine:DAMPED": expected a name on the shelf, or FILE.py:NAME for a cell of your own',
    "gone.py:DAMPED": 'cell "gone.py:DAMPED": there is no file gone.py in ',
    "lsmt": 'no cell "lsmt". Did you mean lstm? A cell of your own: FILE.py:NAME.',
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_cell_is_refused(name: str, folder: Path) -> None:
    assert refusal(name).startswith(REFUSED[name])


BROKEN = {
    "1 / 0\n": "bad.py, line 1: ZeroDivisionError: division by zero",
    "\ndef step(:\n": "bad.py, line 2: not Python: ",
    "import beside\n": "bad.py, line 1: ModuleNotFoundError: No module named 'beside' (a cell's file stands alone",
    "import sys\nsys.exit(3)\n": "bad.py, line 2: SystemExit: 3",
    "\x00": "bad.py",
    "def inner():\n    return [][1]\n\ninner()\n": "bad.py, line 2: IndexError: list index out of range",
    "from lstmlab.cells import Cell\n\nX = Cell('x', ('h',), (), print)\n": 'bad.py, line 3: cell "x": needs at least',
    "# coding: nonsense\n": "bad.py",
    "X = 1\n": "bad.py: X is a int, not a Cell. There is no Cell in it.",
}


@pytest.mark.parametrize("content", BROKEN)
def test_a_file_that_fails_is_told_with_its_line(content: str, folder: Path) -> None:
    (folder / "bad.py").write_text(content, encoding="utf-8")
    for _ in range(2):  # the second time as well
        assert refusal("bad.py:X").startswith(BROKEN[content])


def test_what_cannot_be_read_is_refused(folder: Path) -> None:
    (folder / "folder.py").mkdir()
    with pytest.raises(InputError, match=r"folder\.py: a cell's file cannot be read: Is a directory"):
        find_cell("folder.py:X")
    (folder / "latin.py").write_bytes(b"X = '\xe9'\n")
    with pytest.raises(InputError, match=r"latin\.py"):
        find_cell("latin.py:X")


# ---- Using ----------------------------------------------------------------------------------------------------------


def test_it_is_printed_and_drawn(folder: Path) -> None:
    cell = find_cell("mine.py:DAMPED")
    assert "vₜ = σ(f) ⊙ vₜ₋₁ + pushₜ − 0.25 hₜ₋₁" in notation.plain(cell)
    root = ElementTree.fromstring(drawing.draw(cell))
    texts = {"".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"push", "pace", "× σ(f)", "vt", "ht"} <= texts


def test_it_learns(folder: Path) -> None:
    torch.manual_seed(0)
    layer = Recurrent("./mine.py:DAMPED", 3, 4)
    inputs = Padded(torch.randn(5, 6, 3), torch.tensor([6, 5, 4, 3, 2]))
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    losses = []
    for _ in range(3):
        loss = layer(inputs)[0].values.square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[2] < losses[1] < losses[0]


@pytest.mark.slow
def test_it_is_trained_like_any_other(folder: Path) -> None:
    """From Python; opened again; and when its file is gone, the run says what is missing."""
    small = {"hidden_size": 4, "count": 40, "length": 5, "steps": 2}
    result = lstmlab.train("parity", cell=f"{folder}/mine.py:DAMPED", output=folder / "run", **small)
    assert result.run.history[-1]["step"] == 2
    assert len(result.predict(["1 0 1"])) == 1
    assert result.run.recipe["model"]["encoder"]["cell"] == f"{folder}/mine.py:DAMPED"
    shutil.move("mine.py", "elsewhere.py")
    with pytest.raises(InputError) as refused:
        lstmlab.open_run(folder / "run").predict(["1 0 1"])
    told = str(refused.value)
    assert told.startswith(f"{folder}/run/recipe.yaml: model.encoder: ")
    assert f"there is no file {folder}/mine.py. Put it back, or change the setting cell" in told


# ---- The commands ---------------------------------------------------------------------------------------------------


def test_cells_lists_the_shelf() -> None:
    status, out, _ = run("cells")
    assert status == 0
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    for cell in CELLS.values():
        assert all(part in rows[cell.name] for part in (*cell.states, *cell.gates, cell.source))
    assert re.search(r"4 \(F \+ H \+ 1\) +131,584$", rows["lstm"])
    assert re.search(r"3 \(F \+ H \+ 1\) \+ 1 +98,816$", rows["gru"])


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
def test_the_formula_gives_the_count(cell: object) -> None:
    formula = re.sub(r"(\d) \(", r"\1 * (", command.per_unit(cell))  # type: ignore[arg-type]
    per_unit = eval(formula, {"F": 7, "H": 5})
    assert command.count(cell, 7, 5) == 5 * per_unit  # type: ignore[arg-type]


def test_show_tells_everything(folder: Path) -> None:
    status, out, _ = run("cells", "show", "./mine.py:DAMPED", "--input-size", "10", "--hidden-size", "20")
    assert status == 0
    for part in (
        "hₜ = hₜ₋₁ + paceₜ ⊙ vₜ\n",
        "h, v; h is the output; v starts at 0.5, the others at zero",
        "1,260, from 10 inputs to 20 units; 2 (F + H + 1) + 1 for each unit",
        "return State(h=state.h + sigmoid(x.pace + r.pace) * v, v=v)\n",
    ):
        assert part in out
    out = run("cells", "show", "lstm")[1]
    assert CELLS["lstm"].source in out
    assert "forget 1, the others 0" in out
    assert "new has a second one" in run("cells", "show", "gru")[1]


def test_show_writes_files(folder: Path) -> None:
    for kind, part in {
        "svg": "<svg ", "tex": "\\begin{aligned}", "typ": "v_t &=", "mml": "<math ", "html": "<svg ",
        "py": "def forward(",
    }.items():  # fmt: skip
        assert run("cells", "show", "mine.py:DAMPED", "--output", f"deep/damped.{kind}")[0] == 0
        assert part in (folder / "deep" / f"damped.{kind}").read_text(encoding="utf-8")
    page = (folder / "deep" / "damped.html").read_text(encoding="utf-8")
    assert all(part in page for part in ("<math ", "def step(x, r, state):", "v starts at 0.5"))
    assert not re.search(r"(src|href)=", page)


def test_show_refuses(folder: Path) -> None:
    (folder / "there.svg").write_text("mine", encoding="utf-8")
    for words, told in (
        (["lsmt"], 'no cell "lsmt". Did you mean lstm?'),
        (["mine.py:DAMPD"], "Did you mean mine.py:DAMPED?"),
        (["lstm", "--output", "lstm.svg", "--input-size", "3"], "--input-size would have no effect: a file holds"),
        (["lstm", "--output", "lstm.pdf"], 'cannot write ".pdf"; expected one of .svg, .tex, .typ, .mml, .html, .py'),
        (["lstm", "--output", "lstm"], "a name without an ending; expected one of .svg"),
        (["lstm", "--output", "there.svg"], "there.svg exists already; choose another name"),
    ):
        status, out, err = run("cells", "show", *words)
        assert (status, out) == (2, "")
        assert err.startswith("lstmlab: ")
        assert told in err
    for words, told in (
        (["lstm"], "usage: lstmlab cells, or lstmlab cells show lstm"),
        (["show"], "usage: lstmlab cells, or lstmlab cells show NAME"),
        (["--output", "lstm.svg"], "--output would have no effect: it belongs to lstmlab cells show NAME"),
    ):
        status, out, err = run("cells", *words)
        assert (status, out, err) == (2, "", f"lstmlab: {told}\n")
    assert (folder / "there.svg").read_text(encoding="utf-8") == "mine"
    assert run("cells", "show", "lstm", "--hidden-size", "0")[0] == 2
