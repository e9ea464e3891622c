"""handin: a run as one folder that is ready to push."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from lstmlab.cli import app
from lstmlab.cli.asked import Asked
from lstmlab.cli.console import Console, tell
from lstmlab.cli.search import with_search

SIZES = ("auto", "full", "small", "bare", "none")


@app.command()
@with_search(Asked, "asked")
def handin(
    run: Annotated[str | None, typer.Argument(help="A run; the newest where not given.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="The folder to make; handin/NAME-TIME where not given. Refused if it exists.")
    ] = None,
    notebook: Annotated[
        str,
        typer.Option(
            metavar="HOW",
            help="full, small, bare (not run) or none; auto: the run's own, else as training's time allows.",
        ),
    ] = "auto",
    *,
    asked: Asked,
) -> None:
    """Gather a run into one folder ready to push: README, notebook, report, figures, recipe and scores."""
    from lstmlab import api
    from lstmlab.data.load import Watch
    from lstmlab.errors import unknown

    if notebook not in SIZES:
        raise unknown("way to write a notebook", notebook, SIZES)
    result = api.open_run(run)
    with Console(sys.stderr) as console:
        console.activity("Gathering the hand-in")
        watch = Watch(say=console.activity)
        found = result.handin(output, notebook=notebook, watch=watch, **asked.wishes())  # type: ignore[arg-type]
    for name, told in found.files.items():
        tell(f"  {name:<36}{told}")
    for name, reason in found.left.items():
        tell(f"  {name:<36}left out: {reason}")
    tell(f"Ready to push: {found.folder}")
