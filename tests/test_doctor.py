"""lstmlab doctor: it finds a kernel that is wrong, says so in words, and covers whatever is on the shelves."""

import io
import math
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lstmlab import cells, cli, kernels
from lstmlab.cells import CELLS, Cell, State
from lstmlab.kernels import checkup, native
from lstmlab.types import Padded

pytestmark = pytest.mark.slow

LSTM = CELLS["lstm"]


class Stream(io.StringIO):
    """A standard stream in memory, which may pretend to be a terminal's."""

    mode = "w"
    name = "<stream>"
    terminal = False

    def isatty(self) -> bool:
        return self.terminal


Doctor = Callable[..., tuple[int, str]]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Runs the command: its status and what it printed."""

    def run(*words: str, terminal: bool = False) -> tuple[int, str]:
        out = Stream()
        out.terminal = terminal
        monkeypatch.setattr(sys, "argv", ["lstmlab", "doctor", *words])
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", Stream())
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(str(ended.value.code)), out.getvalue()

    return run


@pytest.fixture
def only_lstm(monkeypatch: pytest.MonkeyPatch) -> None:
    """One cell, on sizes that take no time."""
    monkeypatch.setattr(cells, "CELLS", {"lstm": LSTM})
    monkeypatch.setattr(checkup, "COMMON", checkup.Size(tuple(range(1, 13)), 8, 8))


Change = Callable[[Padded, State | None], tuple[Padded, State | None]]


def spoil(monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    """torch's own layers from now on give something else."""
    run = native.run

    def wrong(*given: Any, **named: Any) -> tuple[Padded, State | None]:
        return change(*run(*given, **named))

    monkeypatch.setattr(native, "run", wrong)


def examined(kernel: str) -> checkup.Finding:
    (finding,) = checkup.examine(LSTM, [kernel])
    return finding


def values(outputs: Padded, end: State | None) -> tuple[Padded, State | None]:
    return replace(outputs, values=outputs.values * 1.0001), end


def gradients(outputs: Padded, end: State | None) -> tuple[Padded, State | None]:
    """The right outputs, of which every gradient is a little too large."""
    leaning = outputs.values * 1.0001
    return replace(outputs, values=outputs.values.detach() + leaning - leaning.detach()), end


def last_states(outputs: Padded, end: State | None) -> tuple[Padded, State | None]:
    return outputs, None if end is None else State(**{**dict(end.items()), "c": end.c + 1e-4})


def not_a_number(outputs: Padded, end: State | None) -> tuple[Padded, State | None]:
    return replace(outputs, values=outputs.values * math.nan), end


def large_batches(outputs: Padded, end: State | None) -> tuple[Padded, State | None]:
    """Right on small batches alone."""
    return values(outputs, end) if len(outputs.lengths) > 8 else (outputs, end)


@pytest.mark.slow
def test_every_cell_is_listed(doctor: Doctor) -> None:
    status, out = doctor("--quick")
    assert status == 0, out
    choices, checks = out.split("Which kernel runs a cell")[1].split("Every kernel in float32")
    for name, cell in CELLS.items():
        chosen = kernels.choose(cell)
        assert re.search(rf"^  {name} +{chosen.kernel} +{re.escape(chosen.reason)}$", choices, re.MULTILINE), choices
        for kernel in kernels.KERNELS:
            found = re.search(rf"^  {name} +{kernel} +(\* +)?right ", checks, re.MULTILINE)
            assert bool(found) == kernels.runs(kernel, cell), checks
            assert found is None or bool(found[1]) == (chosen.kernel == kernel)
    assert f"torch {torch.__version__}" in out
    assert " ms" not in out


@pytest.mark.usefixtures("only_lstm")
def test_timing_compares_with_the_best(doctor: Doctor) -> None:
    status, out = doctor()
    assert status == 0, out
    shares = [float(share) for share in re.findall(r"^  lstm .* (\d+\.\d) ×$", out, re.MULTILINE)]
    assert len(shares) == len(checkup.able(LSTM))
    assert min(shares) == 1.0


@pytest.mark.slow
@pytest.mark.usefixtures("only_lstm")
@pytest.mark.parametrize(
    ("change", "quantity"),
    [
        (values, "outputs|gradient"),
        (gradients, "gradient of"),
        (last_states, "last c"),
        (not_a_number, "outputs"),
        (large_batches, "outputs|gradient"),
    ],
)
def test_a_wrong_kernel_is_caught(
    change: Change, quantity: str, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, change)
    finding = examined("native")
    assert not finding.passed
    assert re.match(quantity, finding.quantity), finding
    status, out = doctor("--quick")
    assert status == 1
    assert re.search(r"^  lstm +native .*WRONG", out, re.MULTILINE)
    assert "The kernel native is wrong for the cell lstm on cpu. " + finding.quantity in out
    assert re.search(r"^  LSTMLAB_CACHE=\S+ \S+.* doctor --quick$", out, re.MULTILINE)
    assert re.search(r"^  lstm +reference .*right", out, re.MULTILINE)


@pytest.mark.usefixtures("only_lstm")
def test_a_kernel_that_fails_is_told_and_not_timed(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such\ninstruction")

    monkeypatch.setattr(native, "run", broken)
    status, out = doctor()
    assert status == 1
    assert "native is wrong for the cell lstm on cpu. RuntimeError: no such instruction" in out
    assert re.search(r"^  lstm +native +WRONG +– +– +– +–$", out, re.MULTILINE), out


@pytest.mark.usefixtures("only_lstm")
def test_a_kernel_that_joins_is_examined(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    run, runs = kernels.run, kernels.runs

    def with_mine(cell: Cell, *given: Any, kernel: str | None = None, **named: Any) -> Any:
        return run(cell, *given, kernel="native" if kernel == "mine" else kernel, **named)

    monkeypatch.setattr(kernels, "KERNELS", (*kernels.KERNELS, "mine"))
    monkeypatch.setattr(kernels, "runs", lambda kernel, *given: kernel == "mine" or runs(kernel, *given))
    monkeypatch.setattr(kernels, "run", with_mine)
    status, out = doctor("--quick")
    assert status == 0, out
    assert re.search(r"^  lstm +mine +right", out, re.MULTILINE)


@pytest.mark.usefixtures("only_lstm")
def test_a_terminal_gets_a_drawn_table_and_a_pipe_plain_lines(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    spoil(monkeypatch, values)
    assert "\x1b" not in doctor("--quick")[1]
    assert "\x1b[1;31mWRONG" in doctor("--quick", terminal=True)[1]


@pytest.mark.slow
def test_where_the_cache_is(doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cells, "CELLS", {"rnn": CELLS["rnn"]})
    monkeypatch.setenv("LSTMLAB_CACHE", str(tmp_path / "new"))
    assert f"{tmp_path / 'new'} (can be written)" in " ".join(doctor("--quick")[1].split())
    (tmp_path / "file").touch()
    monkeypatch.setenv("LSTMLAB_CACHE", str(tmp_path / "file" / "below"))
    assert "below (cannot be written: set LSTMLAB_CACHE" in " ".join(doctor("--quick")[1].split())


def test_examining_draws_nothing_from_torch() -> None:
    before = torch.get_rng_state()
    examined("native")
    checkup.race(LSTM, ["native"])
    assert torch.equal(torch.get_rng_state(), before)
