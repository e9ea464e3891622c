"""notebook: a run or a recipe as a self-contained notebook."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstmlab.cli import Words, app
from lstmlab.cli.console import Console, tell
from lstmlab.errors import InputError

if TYPE_CHECKING:
    from lstmlab.training.run import Run


@app.command()
def notebook(
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN|RECIPE]", help="A run or a recipe; the newest run where not given.")
    ] = None,
    changes: Words = None,
    output: Annotated[
        Path | None, typer.Option(help="The file to write; RUN/notebook.ipynb or RECIPE.ipynb where not given.")
    ] = None,
    small: Annotated[bool, typer.Option("--small", help="Fewer examples and epochs, for a quick look.")] = False,
    no_run: Annotated[
        bool, typer.Option("--no-run", help="Do not run the cells: the notebook has no outputs.")
    ] = False,
) -> None:
    """Write a run or a recipe as a notebook of plain PyTorch, explained, that runs without lstmlab (in Colab, say)."""
    from lstmlab import notebook as notebooks
    from lstmlab import request
    from lstmlab.data.load import Watch
    from lstmlab.recipe import parse_overrides
    from lstmlab.training import experiment

    found = None if changes else _meant(run)
    if found is not None:
        recipe = experiment.assemble(found.recipe, {}, str(found.folder / "recipe.yaml"))
        place = found.folder / f"notebook{'-small' * small}.ipynb"
    else:
        recipe = request.assemble(str(run), parse_overrides(changes or []))
        place = Path(f"{recipe.name or recipe.task}{'-small' * small}.ipynb")
    if output is None and found is None and place.exists():
        raise InputError(f"{place} exists already; choose another name with --output")
    if output is not None and output.exists():
        raise InputError(f"--output {output} exists already: choose another name")
    with Console(sys.stderr) as console:
        console.activity("Reading the data")
        path = notebooks.write(
            recipe,
            output or place,
            run=found,
            quick=small,
            executed=not no_run,
            watch=Watch(say=console.line, progress=console.progress),
        )
    tell(f"Written: {path}")
    if no_run:
        tell(f"Its cells were not run. Run them: jupyter lab {shlex.quote(str(path))}, or upload it to Colab.")


def _meant(word: str | None) -> "Run | None":
    """The run a word means; None where it means a recipe that has no run yet."""
    from lstmlab import api

    try:
        return api.find(word)
    except InputError:
        if word is None or (Path(word).is_dir() and not Path(word).suffix):
            raise
        return None
