"""cells: what there is to recur with, as equations, drawing and code."""

import shlex
import textwrap
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstmlab.cli import app
from lstmlab.cli.console import plain, table, tell
from lstmlab.errors import InputError

if TYPE_CHECKING:
    from lstmlab.cells import Cell

SIZE = 128
"""Inputs and units where no sizes are given."""

SIGNS = (
    "⊙ multiplies unit by unit; σ(u) = 1 / (1 + e⁻ᵘ); W, R and b are a gate's weights for input and past, and its bias."
)


@app.command()
def cells(
    action: Annotated[
        str | None, typer.Argument(metavar="[show|card]", help="show NAME prints one whole; card NAME examines it.")
    ] = None,
    name: Annotated[str | None, typer.Argument(help="A cell, or FILE.py:NAME for one of your own.")] = None,
    input_size: Annotated[int | None, typer.Option(min=1, help="Inputs, for the number of parameters.")] = None,
    hidden_size: Annotated[int | None, typer.Option(min=1, help="Units, for the number of parameters.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write instead: .svg drawing, .tex .typ .mml equations, .html all, .py kernel. Of a card: its folder."
        ),
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="card: how long it may take, 15 at most (12).")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="card: a look within seconds, in which nothing learns.")
    ] = False,
) -> None:
    """List the cells, show one (equations, states, parameters, drawing, Python), or examine one on a card of one page:
    its laws, speed, gradient reach, memory and a small language model beside LSTM and GRU."""
    if action is not None and (action not in ("show", "card") or name is None):
        meant = action if action not in ("show", "card") else "NAME"
        verb = "card" if action == "card" else "show"
        raise InputError(f"usage: lstmlab cells, or lstmlab cells {verb} {shlex.quote(meant)}")
    given = {"--input-size": input_size, "--hidden-size": hidden_size, "--output": output}
    of_card = {"--minutes": minutes, "--quick": quick or None}
    typed = [key for key, value in (given | of_card).items() if value is not None]
    _refuse_idle(typed, action, output)
    if name is None:
        _list()
    elif action == "card":
        from lstmlab.cli import card

        card.make(name, output, minutes, quick)
    elif output is not None:
        _write(name, output)
    else:
        _show(name, input_size or SIZE, hidden_size or SIZE)


def _refuse_idle(typed: list[str], action: str | None, output: Path | None) -> None:
    belongs = {"--input-size": "show", "--hidden-size": "show", "--minutes": "card", "--quick": "card"}
    for key in typed:
        home = belongs.get(key, "show")
        if action is None or (key in belongs and action != home):
            raise InputError(f"{key} would have no effect: it belongs to lstmlab cells {home} NAME")
    if action == "show" and output is not None and len(typed) > 1:
        raise InputError(f"{typed[0]} would have no effect: a file holds the cell for all sizes")


def _list() -> None:
    from lstmlab.cells import CELLS
    from lstmlab.kernels import choose

    rows = [
        [c.name, ", ".join(c.states), ", ".join(c.gates), choose(c).kernel, c.source, per_unit(c), f"{count(c):,}"]
        for c in CELLS.values()
    ]
    header = ["cell", "states", "gates", "kernel", "source", "numbers per unit", f"{SIZE} to {SIZE}"]
    tell("\n".join(table(rows, header, left=5)))
    tell("\nF inputs, H units.  See one whole: lstmlab cells show NAME  or your own: lstmlab cells show ./mine.py:NAME")


def _write(name: str, output: Path) -> None:
    from lstmlab.cells import find_cell
    from lstmlab.disk import save

    write, cell = _writer(output), find_cell(name)
    save(output, write(cell).encode())
    tell(f"{cell.name}: {output}")


def _show(name: str, input_size: int, hidden_size: int) -> None:
    from lstmlab.cells import find_cell
    from lstmlab.kernels import choose, notation

    cell = find_cell(name)
    choice = choose(cell)
    parameters = f"{count(cell, input_size, hidden_size):,}, from {input_size:,} inputs to {hidden_size:,} units"
    told = {
        "states": states(cell),
        "biases": biases(cell),
        "parameters": f"{parameters}; {per_unit(cell)} for each unit",
        "kernel": f"{choice.kernel}: {choice.reason}",
    }
    tell(f"{cell.name}{f': {cell.source}' if cell.source else ''}\n")
    try:
        tell(f"{textwrap.indent(notation.plain(cell), '  ')}\n{SIGNS}")
    except InputError as error:  # it runs all the same
        tell(f"No equations: {error}")
    tell("\n" + "\n".join(f"{key:<12}{text}" for key, text in told.items()))
    tell(f"\n{code(cell)}", end="")


def count(cell: "Cell", input_size: int = SIZE, hidden_size: int = SIZE) -> int:
    """Numbers that one direction of one layer learns."""
    import torch

    from lstmlab.nn.direction import Direction

    with torch.device("meta"):  # shapes without memory
        return sum(one.numel() for one in Direction(cell, input_size, hidden_size).parameters())


def per_unit(cell: "Cell") -> str:
    """How many numbers a unit learns, by F inputs and H units."""
    each = f"F + {'H + ' if cell.recurrent else ''}1"
    single = len(cell.parameters) + len(cell.recurrent_bias)
    gates = f"{len(cell.gates)} ({each})" if len(cell.gates) > 1 else each
    return f"{gates} + {single}" if single else gates


def states(cell: "Cell") -> str:
    """The states and where they start."""
    started = [f"{name} starts at {value:g}" for name, value in cell.initial_state.items() if value]
    named = ", ".join(cell.states)
    rest = "they start at zero" if len(cell.states) > 1 else "it starts at zero"
    if started:
        rest = ", ".join(started) + (", the others at zero" if len(started) < len(cell.states) else "")
    return f"{named}; {cell.states[0]} is the output; {rest}"


def biases(cell: "Cell") -> str:
    """Where the cell wants its biases to start."""
    wanted = [f"{name} {value:g}" for name, value in cell.initial_bias.items() if value]
    told = f"{', '.join(wanted)}, the others 0" if wanted else "start at 0"
    inner = f"; {', '.join(cell.recurrent_bias)} has a second one, inside the recurrent product"
    return f"{told} (with initialisation=orthogonal){inner if cell.recurrent_bias else ''}"


def code(cell: "Cell") -> str:
    """The Python of the step."""
    import inspect

    try:
        return textwrap.dedent(inspect.getsource(cell.step))
    except (OSError, TypeError):
        return "(The step's Python was not read from a file.)\n"


def page(cell: "Cell") -> str:
    """The whole cell as one HTML page that needs nothing from outside."""
    from lstmlab.kernels import drawing, notation

    facts = {"States": states(cell), "Biases": biases(cell), "Numbers per unit": per_unit(cell)}
    rows = "".join(f"<dt>{key}</dt><dd>{escape(text)}</dd>\n" for key, text in facts.items())
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The cell {escape(cell.name)}</title>
<style>
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #1f2933; background: #fff;
  font: 1.05rem/1.6 system-ui, sans-serif; }}
svg {{ display: block; max-width: 100%; height: auto; margin: 1.5rem auto; }}
math {{ font-size: 1.1em; margin: 1.5rem 0; overflow-x: auto; }}
dt {{ color: #52606d; float: left; width: 10rem; }} dd {{ margin-left: 10rem; }}
pre {{ background: #f4f6f8; border: 1px solid #d5dae0; border-radius: 6px; padding: .75rem; overflow-x: auto; }}
</style>
<h1>{escape(cell.name)}</h1>
<p>{escape(cell.source)}</p>
{drawing.draw(cell)}{notation.mathml(cell)}<p>{SIGNS}</p>
<dl>
{rows}</dl>
<pre>{escape(plain(code(cell)))}</pre>
</html>
"""


def _writer(path: Path) -> "Callable[[Cell], str]":
    """What makes the content of a file of this kind. Refuses other kinds, and a file that is there."""
    from lstmlab.kernels import cpu, drawing, notation

    kinds: dict[str, Callable[[Cell], str]] = {
        ".svg": drawing.draw,
        ".tex": lambda cell: f"% {_note(cell)}; needs amsmath\n\\[\n{notation.latex(cell)}\\]\n",
        ".typ": lambda cell: f"// {_note(cell)}\n{notation.typst(cell)}",
        ".mml": notation.mathml,
        ".html": page,
        ".py": cpu.source,
    }
    if path.suffix.lower() not in kinds:
        got = f'"{path.suffix}"' if path.suffix else "a name without an ending"
        raise InputError(f"--output {path}: cannot write {got}; expected one of {', '.join(kinds)}")
    if path.exists():
        raise InputError(f"--output {path} exists already; choose another name")
    return kinds[path.suffix.lower()]


def _note(cell: "Cell") -> str:
    return " ".join(f"{cell.name}: {cell.source}".split()).rstrip(": ")
