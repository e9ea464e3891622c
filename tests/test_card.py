"""The card of a cell: laws that hold and laws that are broken, told and not raised; one page, whole or not at all."""

import math
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from lstmlab.analysis import card as cards
from lstmlab.analysis import trial
from lstmlab.analysis.card import Card, _standing
from lstmlab.analysis.trial import Plan
from lstmlab.cells import CELLS, Cell, Gates, State, tanh
from lstmlab.cli import app, cells  # noqa: F401  (adds its command)
from lstmlab.cli import card as command
from lstmlab.errors import InputError
from lstmlab.kernels import laws
from lstmlab.report import unlabelled, write
from lstmlab.report.pages import pages
from lstmlab.training.memory import Trace
from lstmlab.training.problems import adding
from odd_cells import ALL

pytestmark = pytest.mark.slow

TINY = Plan(0.01, 4, 4, adding=6, copy=2, characters=8, reach=6, seeds=1, rows=20, quick=True)


def cell_of(step: object, gates: tuple[str, ...] = ("new",), states: tuple[str, ...] = ("h",)) -> Cell:
    return Cell("mine", states, gates, step)  # type: ignore[arg-type]


def neighbours(x: Gates, r: Gates, state: State) -> State:
    """Rows see each other, the past hides from the gradient, and a gate is for nothing."""
    return State(h=tanh(x.new + r.new) + 0.1 * state.h.mean(0, keepdim=True).detach())


def failing(x: Gates, r: Gates, state: State) -> State:
    return State(h=tanh(x.new + r.old))


def growing(x: Gates, r: Gates, state: State) -> State:
    return State(h=state.h * 1e30 + x.new + r.new)


def counting(x: Gates, r: Gates, state: State) -> State:
    """Remembers outside of its state how often it was called."""
    counting.calls += 1.0  # type: ignore[attr-defined]
    return State(h=tanh(x.new + r.new + 1e-3 * counting.calls))  # type: ignore[attr-defined]


counting.calls = 0.0  # type: ignore[attr-defined]


@pytest.mark.parametrize("cell", ALL, ids=lambda cell: cell.name)
def test_sound_cells_keep_the_laws(cell: Cell) -> None:
    broken = [one for one in laws.examine(cell, ["reference"]) if not one.held]
    # Of these odd cells one leaves a gate, one a state without effect, and one grows beyond what float32 can follow.
    known = {"every weight matters", "kernels agree"} if cell.name not in CELLS else set()
    assert {one.law for one in broken} <= known


def broken_by(cell: Cell) -> dict[str, laws.Finding]:
    return {one.law: one for one in laws.examine(cell, ["reference"]) if not one.held}


@pytest.mark.slow
def test_a_state_that_is_no_number_breaks_the_laws() -> None:
    """Though the output beside it is sound."""

    def blank(x: Gates, r: Gates, state: State) -> State:
        return State(h=tanh(x.new + r.new), c=(state.c - state.c) / (state.c - state.c))

    broken = broken_by(cell_of(blank, states=("h", "c")))
    named = ("step by step as the whole", "split anywhere as unsplit", "padding changes nothing")
    assert {*named, "order changes nothing"} <= broken.keys()


def test_compiled_kernels_keep_the_laws() -> None:
    assert all(one.held for one in laws.examine(CELLS["lstm"]))


def test_each_fault_breaks_its_laws() -> None:
    found = broken_by(cell_of(neighbours, ("new", "idle")))
    assert {"order changes nothing", "gradient as differences", "every weight matters", "a bad row stays alone"} <= set(
        found
    )
    assert found["every weight matters"].worst == 5 * (3 + 5 + 1)  # all the numbers of the idle gate
    assert math.isnan(found["a bad row stays alone"].worst)
    assert "padding changes nothing" not in found
    assert {"step by step as the whole", "split anywhere as unsplit"} <= set(broken_by(cell_of(counting)))


def test_a_failing_step_is_told_law_by_law() -> None:
    found = list(laws.examine(cell_of(failing)))
    assert len(found) == 8
    assert all(not one.held and 'no gate or parameter "old"' in one.problem for one in found)


@pytest.mark.slow
def test_the_page(tmp_path: Path) -> None:
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    heard: list[str] = []
    found = cards.examine(CELLS["peephole"], TINY, heard.append)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert heard[:2] == ["laws", "gradient reach: peephole"]
    assert not found.broken
    document = found.document("1 January 2026")
    assert [one.title for one in document.sections] == ["Equations", "Laws", "Beside LSTM and GRU"]
    assert document.sections[1].claim == "All 8 laws hold."
    table = document.sections[2].tables[0]
    assert [row[0] for row in table.rows] == ["peephole", "lstm", "gru"]
    sizes = [row[2] for row in table.rows]
    assert max(sizes) < 1.2 * min(sizes)
    assert all(cell is not None for row in table.rows for cell in row)
    assert [unlabelled(one) for one in document.figures] == [[], []]
    paths = write(document, tmp_path)
    assert pages(paths["pdf"].read_bytes()) == 1
    assert "brackets" in paths["md"].read_text()


def test_who_has_learned_a_problem_is_not_ranked() -> None:
    """Training ends at the goal, so that their losses are those of the moment they were looked at."""
    made = {name: Trace(name, adding(4), 8, 9, (), score, 5.0, stopped) for name, score, stopped in
            (("mine", 9e-4, "goal"), ("lstm", 1e-4, "goal"), ("gru", 0.1, "minutes"))}  # fmt: skip
    assert _standing("mine", adding(4), made) == "adding learned in 5 s, as by 2 of 3"
    assert _standing("gru", adding(4), made) == "3rd of 3 in adding (0.100 mean squared error)"
    assert _standing("gone", adding(4), made) == "adding could not be measured"


def test_a_rival_is_not_measured_twice() -> None:
    found = trial.hold(CELLS["gru"], TINY)
    assert list(found.cells) == ["gru", "lstm"]
    own = Cell("lstm", ("h",), ("new",), neighbours)  # a cell of one's own may have a name that is taken
    assert list(trial.hold(own, TINY).cells) == ["lstm", "gru"]


def test_a_failing_cell_has_its_card(tmp_path: Path) -> None:
    found = cards.examine(cell_of(failing), TINY)
    document = found.document()
    assert document.sections[1].claim.startswith("8 of 8 laws are broken")
    assert document.sections[1].evidence.count("no gate or parameter") == 1
    assert "No equations and no drawing" in document.sections[0].evidence
    own, *rivals = document.sections[2].tables[0].rows
    assert own[1:] == [None] * 8
    assert all(cell is not None for row in rivals for cell in row)
    assert 'mine: AttributeError: no gate or parameter "old"' in document.sections[2].evidence
    write(document, tmp_path)


@pytest.mark.slow
def test_a_cell_that_leaves_all_numbers(tmp_path: Path) -> None:
    found = cards.examine(cell_of(growing), TINY)
    document = found.document()
    own = document.sections[2].tables[0].rows[0]
    assert own[-3:] == [None] * 3
    assert "the loss stopped being a number" in document.sections[2].evidence
    assert "could not be measured" in document.sections[2].claim
    write(document, tmp_path)


def test_a_text_that_is_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    monkeypatch.delenv("LSTMLAB_DATA", raising=False)
    assert trial._text(replace(TINY, quick=False))[0] == "brackets"  # nothing is downloaded
    assert trial._text(TINY)[0] == "brackets"
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare" / "input.txt").write_text("not that text")
    monkeypatch.setenv("LSTMLAB_DATA", str(tmp_path))
    with pytest.raises(InputError, match="is not the file expected"):
        trial._text(replace(TINY, quick=False))


# ---- The command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """A card of nothing but laws, measured at once; the plans that were asked for."""
    asked: list[Plan] = []

    def examine(cell: Cell, plan: Plan, told: object) -> Card:
        asked.append(plan)
        return cards.Card(cell, list(laws.examine(cell, ["reference"])), trial.hold(cell, TINY))

    monkeypatch.setattr(cards, "examine", examine)
    return asked


def run(*words: str) -> str:
    return CliRunner().invoke(app, ["cells", *words], catch_exceptions=False).output


@pytest.mark.slow
def test_the_command_writes_a_folder(tmp_path: Path, measured: list[Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = run("card", "gru", "--quick", "--output", "here")
    assert "gru: all laws hold." in told
    assert {one.name for one in (tmp_path / "here").iterdir()} == {"report.html", "report.md", "report.pdf", "figures"}
    run("card", "gru", "--minutes", "3")
    (made,) = (tmp_path / "cards" / "gru").iterdir()
    assert (made / "report.pdf").exists()
    assert [one.minutes for one in measured] == [Plan.brief().minutes, 3]
    with pytest.raises(InputError, match="is not an empty folder"):
        run("card", "gru", "--output", "here")
    assert len(measured) == 2  # refused before anything was measured


@pytest.mark.slow
def test_a_broken_law_is_told_at_once(tmp_path: Path, measured: list[Plan]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from lstmlab.cells import Cell, State, tanh\n"
        "def step(x, r, state):\n    return State(h=tanh(x.new + r.new))\n"
        'MINE = Cell("my: cell", ("h",), ("new", "idle"), step)\n'
    )
    told = run("card", f"{path}:MINE", "--output", str(tmp_path / "out"))
    assert "my: cell: 1 of 8 laws are broken:" in told
    assert "every weight matters: 4.5e+01, allowed 0.0e+00" in told


def test_an_interrupt_leaves_nothing(tmp_path: Path, measured: list[Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> dict[str, Path]:
        raise KeyboardInterrupt

    monkeypatch.setattr("lstmlab.report.formats.save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.make("gru", tmp_path / "out", None, True)
    assert not any(tmp_path.iterdir())


def test_what_is_refused(tmp_path: Path) -> None:
    for words, told in {
        ("card",): "cells card NAME",
        ("card", "lstn"): "Did you mean lstm",
        ("card", "lstm", "--minutes", "20"): "at most 15",
        ("card", "lstm", "--minutes", "2", "--quick"): "--minutes would have no effect",
        ("card", "lstm", "--hidden-size", "3"): "belongs to lstmlab cells show",
        ("show", "lstm", "--quick"): "belongs to lstmlab cells card",
        ("--minutes", "2"): "belongs to lstmlab cells card",
    }.items():
        with pytest.raises(InputError, match=told):
            run(*words)
