"""runs, recipes, report, explain: looking at what is there."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lstmlab.cli import Words, app
from lstmlab.cli.asked import Asked
from lstmlab.cli.console import Console, clock, counted, table, tell
from lstmlab.cli.search import with_search

GROUPS = ("labs", "demos", "data sets", "studies", "own")


@app.command()
def recipes(
    action: Annotated[str | None, typer.Argument(metavar="[show]", help="show NAME prints every setting.")] = None,
    name: Annotated[str | None, typer.Argument(help="A recipe.")] = None,
    changes: Words = None,
) -> None:
    """List the built-in recipes, or show one with every default."""
    from lstmlab import catalogue
    from lstmlab.errors import InputError

    if action is None:
        builtin = {name: catalogue.read_recipe(name) for name in catalogue.recipe_names()}
        builtin |= {name: catalogue.read_study(name) for name in catalogue.study_names()}
        for group in GROUPS:
            rows = [[key, tree["summary"]] for key, tree in builtin.items() if tree.get("group") == group]
            if rows:
                tell(f"\n{group}")
                tell("\n".join(f"  {key:<18}{summary}" for key, summary in rows))
        tell("\nSee one whole: lstmlab recipes show NAME     Train one: lstmlab train NAME [key=value …]")
        tell("Studies: lstmlab compare NAME")
        return
    if action != "show" or name is None:
        raise InputError("usage: lstmlab recipes, or lstmlab recipes show NAME")
    from lstmlab import request
    from lstmlab.recipe import describe, parse_overrides

    if name in catalogue.study_names():
        from lstmlab.studies import show_study

        tell(show_study(name), end="")
        return
    tell(describe(request.assemble(name, parse_overrides(changes or []))), end="")


@app.command()
def runs() -> None:
    """List the runs, newest last."""
    from lstmlab import api
    from lstmlab.metrics import format_score

    found = api.list_runs()
    if not found:
        tell("No runs yet. Train one, for example: lstmlab train sine")
        return
    rows = []
    for run in found:
        if run.finished:
            score = "  ".join(
                f"{k} {format_score(k, v)}" for k, v in run.metrics.get("test", {}).items() if k != "loss"
            )
            rows.append([run.title, "finished", score, clock(run.metrics["total_seconds"])])
        else:
            epochs = counted(len(run.history), "epoch")
            rows.append(
                [run.title, "unfinished", f"{epochs}; lstmlab resume {run.title}" if run.resumable else epochs, ""]
            )
    tell("\n".join(table(rows, ["run", "state", "test", "time"], left=3)))


@app.command()
@with_search(Asked, "asked")
def report(
    run: Annotated[str | None, typer.Argument(help="A run or a study; the newest run where not given.")] = None,
    *,
    asked: Asked,
) -> None:
    """Write the report of a run or a study again: HTML, PDF and Markdown, as the recipe has it or as asked for here."""
    from lstmlab import api
    from lstmlab.studies import open_study
    from lstmlab.training.study import is_study

    result: Any = open_study(run) if run is not None and is_study(run) else api.open_run(run)
    with Console(sys.stderr) as console:
        console.activity("Writing the report")
        files = result.report(**asked.wishes())
    for path in files.values():
        tell(str(path))


@app.command()
def explain(
    run: Annotated[str | None, typer.Argument(help="A run, or what to explain of the newest.")] = None,
    what: Annotated[str | None, typer.Argument(help="curves, errors, gates, …; everything where not given.")] = None,
    example: Annotated[str, typer.Option(help="gates, contributions: the id of a test example.")] = "",
    text: Annotated[list[str] | None, typer.Option(help="The same: a text of your own (pairs: twice).")] = None,
    at: Annotated[int | None, typer.Option(help="Taggers, language models: which word or token, from 1.")] = None,
) -> None:
    """One analysis of a run in words, with its tables; figures go into the run's folder."""
    from lstmlab import api
    from lstmlab.analysis import ANALYSES
    from lstmlab.errors import InputError
    from lstmlab.report import as_text, render

    if what is None and run in ANALYSES:
        run, what = None, run
    if what is None and (example or text or at is not None):
        raise InputError("say what to explain of the example: lstmlab explain RUN gates, or contributions")
    result = api.open_run(run)
    names = [what] if what else [name for name in ANALYSES if result.has(name)]
    for name in names:
        section = result.explain(name, example=example, texts=text or (), at=at)
        tell(as_text(section))
        for figure in section.figures:
            tell(f"Figure: {render(figure, result.folder / 'figures')['svg']}")


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="A data file of your own.")],
    output: Annotated[
        Path | None, typer.Option(help="The recipe to write; FILE's name with .yaml where not given.")
    ] = None,
) -> None:
    """Write a commented recipe for a data file, every setting in it, to change and train."""
    from lstmlab import request
    from lstmlab.disk import save
    from lstmlab.errors import InputError
    from lstmlab.recipe import describe
    from lstmlab.training import experiment

    path = output or Path(file.name.split(".")[0] + ".yaml")
    if path.exists():
        raise InputError(f"{path} exists already; choose another name with --output")
    tree, found = request.guessed(file, {})
    tell(f"Guessed: {found.task}. " + " ".join(found.reasons))
    save(path, describe(experiment.assemble(tree, {}, str(file))).encode())
    tell(f"Written: {path}\nNext:    lstmlab train {shlex.quote(str(path))}")
