"""doctor: what runs on this machine, whether it is right, and how quick it is."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from lstmlab.cli import app
from lstmlab.cli.console import Console, counted, plain, program, table, tell

if TYPE_CHECKING:
    from lstmlab.kernels.checkup import Finding, Machine

Key = tuple[str, str, str]
"""Cell, device, kernel."""


@app.command()
def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Leave out how quick each kernel is.")] = False,
) -> None:
    """Show this machine, which kernel runs each cell and why, and check every kernel against the reference."""
    console = Console(sys.stderr)
    with console:
        console.activity("Loading")
        from lstmlab.cells import CELLS
        from lstmlab.disk import cache_folder
        from lstmlab.kernels import checkup

        found, folder = checkup.machine(), cache_folder()
        choices = {(name, str(d)): checkup.choice(cell, d) for name, cell in CELLS.items() for d in found.devices}
        findings: list[Finding] = []
        seconds: dict[Key, float] = {}
        for cell in CELLS.values():
            for device in found.devices:
                console.activity(f"Checking the cell {cell.name} on {device}")
                examined = list(checkup.examine(cell, checkup.able(cell, device), device))
                findings += examined
                if not quick:
                    console.activity(f"Timing the cell {cell.name} on {device}")
                    right = [one.kernel for one in examined if one.passed]
                    timed = checkup.race(cell, right, device)
                    seconds |= {(cell.name, str(device), kernel): value for kernel, value in timed.items()}
    _tell_machine(found, folder, writable=checkup.writable(folder))
    single = len(found.devices) == 1
    _tell_table(
        "Which kernel runs a cell, and why:",
        ["cell", "device", "kernel", "because"],
        [[cell, device, one.kernel, one.reason] for (cell, device), one in choices.items()],
        left=4,
        without="device" if single else None,
    )
    timing = f"; B {checkup.BATCH}, T {checkup.STEPS}, H {checkup.HIDDEN}, forward and backward" if not quick else ""
    chosen = {(cell, device, one.kernel) for (cell, device), one in choices.items()}
    _tell_table(
        f"Every kernel in float32 against the reference in float64 (* is the one that is chosen{timing}):",
        ["cell", "device", "kernel", "", "result", "error", "reference's", "ms", "of the best"],
        _rows(findings, chosen, seconds),
        left=5,
        without="device" if single else None,
    )
    _conclude(findings, folder)


def _tell_machine(found: "Machine", folder: Path, *, writable: bool) -> None:
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    names = []
    for device in found.devices:
        name = ""
        if device.type == "cuda":
            import torch

            name = f" ({torch.cuda.get_device_name(device)})"
        names.append(f"{device}{name}")
    state = "can be written" if writable else "cannot be written: set LSTMLAB_CACHE to a folder that can"
    busy = " (other programs are at work: times say little)" if (found.load or 0) > found.cores / 2 else ""
    lines = {
        "processor": f"{found.processor}, {counted(found.cores, 'core')}",
        "threads": f"torch uses {found.threads}",
        "load": "unknown" if found.load is None else f"{found.load:.1f}{busy}",
        "vectors": " ".join(found.features) or "none known",
        "versions": versions,
        "devices": ", ".join(names),
        "cache": f"{folder} ({state})",
    }
    for name, text in lines.items():
        tell("\n".join(wrap(text, 100, initial_indent=f"{name:<11}", subsequent_indent=" " * 11)))


def _rows(findings: "list[Finding]", chosen: set[Key], seconds: Mapping[Key, float]) -> list[list[str]]:
    rows = []
    for one in findings:
        key = (one.cell, one.device, one.kernel)
        best = min((value for other, value in seconds.items() if other[:2] == key[:2]), default=0.0)
        speed = [f"{seconds[key] * 1e3:.2f}", f"{seconds[key] / best:.1f} ×"] if key in seconds else ["–", "–"]
        errors = ["–", "–"] if one.problem else [f"{one.error:.1e}", f"{one.reference:.1e}"]
        mark, result = "*" if key in chosen else "", "right" if one.passed else "WRONG"
        rows.append([one.cell, one.device, one.kernel, mark, result, *errors, *speed])
    return rows


def _tell_table(title: str, header: list[str], rows: list[list[str]], *, left: int, without: str | None) -> None:
    """A table that rich draws on a terminal; plain lines elsewhere. Columns that say nothing are left out."""
    empty = {at for at, name in enumerate(header) if name == without or all(row[at] in ("", "–") for row in rows)}
    left -= sum(at < left for at in empty)
    header, *rows = [[value for at, value in enumerate(row) if at not in empty] for row in [header, *rows]]
    tell(f"\n{title}")
    if not sys.stdout.isatty():
        tell("\n".join(table(rows, header, left=left)))
        return
    from rich import box
    from rich.console import Console as Screen
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for at, name in enumerate(header):
        drawn.add_column(name, justify="left" if at < left else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(plain(value), style="bold red" if value == "WRONG" else "") for value in row))
    Screen(file=sys.stdout).print(drawn)


def _conclude(findings: "list[Finding]", folder: Path) -> None:
    """What is wrong and what to do. Ends with status 1 if anything is."""
    wrong = [one for one in findings if not one.passed]
    if not wrong:
        tell(f"\nAll is well: {counted(len(findings), 'check')} passed.")
        return
    for one in wrong:
        place = f"The kernel {one.kernel} is wrong for the cell {one.cell} on {one.device}"
        told = one.problem or (
            f"{one.quantity}: off by {one.error:.1e} of the largest value, where {one.allowed:.1e} is allowed "
            f"(the reference: {one.reference:.1e})"
        )
        tell(f"\n{place}. {told}")
    again = f"LSTMLAB_CACHE={shlex.quote(str(folder.with_name(folder.name + '-fresh')))} {program()} doctor --quick"
    tell(
        "\nDo not trust what was computed with the above. Compiled code may be damaged: try with a new cache,\n"
        f"  {again}\nIf that is well, remove {folder}. If not, please report all of this output."
    )
    raise typer.Exit(1)
