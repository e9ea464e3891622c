"""data list, fetch, check."""

import sys
from typing import Annotated

import typer

from lstmlab.cli import Words, app
from lstmlab.cli.console import Console, table, tell

data = typer.Typer(help="Named data sets, and what is wrong with one's data.", no_args_is_help=True)
app.add_typer(data, name="data")


@data.command("list")
def list_() -> None:
    """The named data sets: task, size, licence, and whether they are here."""
    from lstmlab.data.datasets import named

    rows = [[s.name, s.task, f"{s.size / 1e6:.1f} MB" if s.size else "?", s.place, s.licence] for s in named.listed()]
    tell("\n".join(table(rows, ["name", "task", "size", "where", "licence"], left=5)))


@data.command()
def fetch(name: Annotated[str, typer.Argument(help="A named data set.")]) -> None:
    """Get a named data set now, so that training needs no network."""
    from lstmlab.data.datasets import named

    with Console() as console:
        console.activity(f"Looking for {name}")
        parts, _, source = named.open_tables(
            named.find(name),
            announce=console.say,
            progress=lambda done, total: console.progress(f"fetching {name}", done, total),
        )
    counts = ", ".join(f"{len(part):,} {name}" for name, part in parts.items())
    tell(f"{name} is here: {counts}. {source.licence}")


@data.command()
def check(
    what: Annotated[str, typer.Argument(metavar="FILE|NAME|RECIPE", help="A file, a named data set or a recipe.")],
    changes: Words = None,
) -> None:
    """Report leaks between parts, duplicates, imbalance, empty rows and the like."""
    from lstmlab import api
    from lstmlab.data.load import Watch
    from lstmlab.recipe import parse_overrides

    with Console(sys.stderr) as console:
        console.activity(f"Reading {what}")
        parts, findings = api.check_data(
            what, parse_overrides(changes or []), Watch(console.activity, console.progress)
        )
    tell(f"{what}: " + ", ".join(f"{len(part):,} {name}" for name, part in parts.items()))
    for finding in findings:
        tell(f"\n{finding.level}: {finding.title}\n  {finding.text}")
        if finding.examples:
            tell("  for example: " + ", ".join(finding.examples))
    if not findings:
        tell("Nothing wrong found.")
