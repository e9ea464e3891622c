"""compare: several settings with several seeds as one experiment, or finished runs beside each other."""

import shlex
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstmlab.cli import app
from lstmlab.cli.console import Console, clock, counted, program, table
from lstmlab.cli.learn import Signals
from lstmlab.cli.search import with_search
from lstmlab.errors import InputError

if TYPE_CHECKING:
    from lstmlab.studies import Measured, StudyResult
    from lstmlab.training.comparing import Onlooker
    from lstmlab.training.study import Entry


@dataclass(frozen=True)
class Asked:
    """What is to be compared, and how often."""

    over: Annotated[
        list[str] | None, typer.Option(metavar="KEY=V1,V2", help="Cross these values of a setting; may be repeated.")
    ] = None
    arm: Annotated[
        list[str] | None, typer.Option(metavar="'NAME: KEY=VALUE …'", help="An arm by name; may be repeated.")
    ] = None
    seeds: Annotated[str | None, typer.Option(help="How many seeds (5) or which (1,2,3); 3 if not given.")] = None
    rates: Annotated[
        str | None, typer.Option(metavar="R1,R2", help="Learning rates to choose from by validation, arm by arm.")
    ] = None
    match_parameters: Annotated[
        bool, typer.Option("--match-parameters", help="Change hidden_size until all arms are as large as the first.")
    ] = False
    probe: Annotated[
        str | None, typer.Option(help="A labelled CSV, or contrast-sentences, to score every classifier on as well.")
    ] = None

    @property
    def typed(self) -> list[str]:
        """The options that were given."""
        given = {name: value for name, value in vars(self).items() if value not in (None, False, [])}
        return [f"--{name.replace('_', '-')}" for name in given]

    def settings(self) -> dict[str, Any]:
        """What was typed, as settings of a study."""
        from lstmlab.training.arms import parse_arms, parse_over, parse_rates, parse_seeds

        found: dict[str, Any] = {
            "over": parse_over(self.over) if self.over else None,
            "arms": parse_arms(self.arm) if self.arm else None,
            "seeds": None if self.seeds is None else parse_seeds(self.seeds),
            "rates": None if self.rates is None else parse_rates(self.rates),
            "match_parameters": self.match_parameters or None,
            "probe": self.probe,
        }
        return {name: value for name, value in found.items() if value is not None}


@app.command()
@with_search(Asked, "asked")
def compare(
    what: Annotated[
        str,
        typer.Argument(metavar="RECIPE|STUDY|FOLDER|RUN", help="What to vary; a study; its folder, to go on; or runs."),
    ],
    rest: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE|RUN]...", help="Settings of all arms, or more runs.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Runs side by side; as many as there are cores if not given.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The study directory; refused if it exists.")] = None,
    *,
    asked: Asked,
) -> None:
    """Compare settings with several seeds: means, intervals, paired tests, a report. To go on: compare FOLDER."""
    _carried_out(what, rest or [], asked, (workers, output))


def carry_on(folder: str) -> None:
    """Go on with a study."""
    _carried_out(folder, [], Asked(), (None, None))


def _carried_out(what: str, rest: Sequence[str], asked: Asked, how: tuple[int | None, Path | None]) -> None:
    """Do what is asked, with everything shown; a wish to stop ends with how to go on."""
    began, console, signals = time.monotonic(), Console(), Signals()
    with console:
        console.activity("Starting PyTorch")
        from lstmlab.training.comparing import Interrupted

        signals.training = True  # the first Ctrl-C asks, from the beginning
        try:
            with signals.caught():
                result = _result(what, rest, asked, how, Progress().onlooker(console, signals))
        except Interrupted as stopped:
            where = shlex.quote(str(stopped.folder))
            console.line(f"\nStopped; what is done is kept. Go on with: {program()} compare {where}")
            sys.exit(128 + (signals.asked or signal.SIGINT))
    _end(console, result, time.monotonic() - began)


class Progress:
    """What is going on, run by run, for one living line."""

    def __init__(self) -> None:
        self.going: dict[str, str] = {}
        self.done = self.total = 0

    def onlooker(self, console: Console, signals: Signals) -> "Onlooker":
        """The console as a study's onlooker."""
        from lstmlab.analysis.compare import run_line
        from lstmlab.training.comparing import Onlooker

        def show(entry: "Entry", text: str | None) -> None:
            self.going.pop(entry.name, None)
            if text is not None:
                self.going[entry.name] = text
            head = f"{self.done} of {self.total} runs done" if self.total else "Training"
            console.status = "  ".join([head, *(f"{name}: {told}" for name, told in self.going.items())])

        def end(entry: "Entry", done: int, total: int) -> None:
            self.done, self.total = done, total
            console.line(run_line(entry, done, total))
            show(entry, None)

        return Onlooker(
            say=console.say,
            progress=console.progress,
            begin=lambda entry: show(entry, "starting"),
            row=lambda entry, epoch, epochs: show(entry, f"epoch {epoch}" + (f"/{epochs}" if epochs else "")),
            end=end,
            stop=lambda: signals.asked is not None,
        )


def _result(
    what: str, rest: Sequence[str], asked: Asked, how: tuple[int | None, Path | None], watch: "Onlooker"
) -> "StudyResult | Measured":
    """What the words mean: a study to go on with or to repeat, runs to be compared, or a study to plan."""
    from lstmlab import studies
    from lstmlab.recipe import parse_overrides
    from lstmlab.training.run import Run, refuse_existing
    from lstmlab.training.study import is_study

    workers, output = how
    idle = [*asked.typed, *(["--workers"] if workers else [])]
    if is_study(what):
        told = f"{what} is a study already and goes on as it is"
        _refuse([*asked.typed, *rest, *(["--output"] if output else [])], told)
        return _again(what, workers, watch)
    refuse_existing(output)
    tree, where = studies.find_tree(what)
    if tree is not None and "arms" in tree:
        _refuse([*asked.typed, *rest], f"{what} says it all")
        return studies.start(studies.read_plan(Path(what)), workers=workers, output=output, watch=watch)
    if tree is not None and studies.measures(tree):
        _refuse([option for option in idle if option != "--seeds"], f"{what} trains nothing")
        changes = parse_overrides([*rest, *([f"seeds={asked.seeds}"] if asked.seeds else [])])
        return studies.measure(tree, changes, where, output=output, say=watch.say)
    runs = [word for word in (what, *rest) if (Path(word) / "recipe.yaml").is_file()]
    if runs:
        others = [word for word in (what, *rest) if word not in runs]
        if others:
            raise InputError(f"{others[0]} is not a run: finished runs are compared with each other only")
        _refuse(idle, "the runs to compare are finished")
        return studies.compare_runs([Run.open(Path(word)) for word in runs], output=output)
    recipe, bases = studies.request_study(what, asked.settings(), parse_overrides(rest))
    return studies.run_study(recipe, bases, workers=workers, output=output, watch=watch)


def _again(what: str, workers: int | None, watch: "Onlooker") -> "StudyResult | Measured":
    """Go on with a study; what failed for want of something is tried again."""
    from lstmlab import studies
    from lstmlab.training.comparing import undone

    found = studies.open_study(what)
    if isinstance(found, studies.Measured):
        found.report()
        return found
    study = found.study
    left = sum(undone(study, entry) for entry in study.entries)
    watch.say(f"Going on with {study.folder}: {counted(left, 'run')} of {len(study.entries)} left")
    return studies.go_on_with(study, workers=workers, watch=watch)


def _refuse(words: Sequence[str], reason: str) -> None:
    if words:
        raise InputError(f"{words[0]} would have no effect: {reason}")


def _end(console: Console, result: "StudyResult | Measured", seconds: float) -> None:
    """The table, the verdicts, where everything is."""
    for section in result.sections():
        if not section.title.startswith("Results"):
            continue
        shown = section.tables[0]
        console.line(f"\n{section.title}: {shown.title}")
        for line in table([[_cell(cell) for cell in row] for row in shown.rows], list(shown.columns)):
            console.line(line)
    console.line()
    for claim in result.claims():
        console.line(f"• {claim}")
    console.line(f"\nEverything done in {clock(seconds)}.")
    if (result.folder / "results.csv").is_file():
        console.line(f"Results: {result.folder / 'results.csv'}")
    console.line(f"Report:  {result.folder / 'report.html'}")


def _cell(cell: Any) -> str:
    return "–" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)
