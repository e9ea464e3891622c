"""train, resume."""

import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lstmlab.cli import Words, app
from lstmlab.cli.console import Console, clock, program, table
from lstmlab.errors import InputError

if TYPE_CHECKING:
    from lstmlab.api import Result
    from lstmlab.tasks.task import Recipe
    from lstmlab.training.experiment import Monitor
    from lstmlab.training.loop import LoopSettings
    from lstmlab.training.moment import Tick


class Signals:
    """Ctrl-C and SIGTERM while training: finish the step, keep a checkpoint. A second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.asked: int | None = None
        self.training = False

    def __call__(self, number: int, frame: object) -> None:
        if self.asked is not None or not self.training:
            raise KeyboardInterrupt
        self.asked = number

    def stop(self) -> bool:
        """Whether the loop should keep a checkpoint and return."""
        self.training = True
        return self.asked is not None

    def leave(self) -> None:
        """Training is over: from here a signal stops at once, and so does one that came during the last step."""
        self.training = False
        if self.asked is not None:
            raise KeyboardInterrupt

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Within this, signals ask first."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def monitor(console: Console, signals: Signals) -> "Monitor":
    """The console as a run's monitor."""
    from lstmlab.metrics import format_score
    from lstmlab.training.experiment import Monitor
    from lstmlab.training.loop import epoch_line

    def tick(step: "Tick", settings: "LoopSettings") -> None:
        left = step.seconds * (1 - step.share) / step.share if step.share else 0
        of = f"/{settings.epochs}" if settings.epochs else ""
        console.status = (
            f"Epoch {step.epoch}{of}  {step.batch / step.batches:.0%}  loss {step.loss:.4f}  "
            f"{step.speed:,.0f} {step.things}/s  {clock(left)} left"
        )

    def row(row: dict[str, Any], settings: "LoopSettings") -> None:
        console.line(epoch_line(row, settings))
        for one in row.get("samples", []):
            console.line(
                f"    {_one_line(one['input'])} → {_one_line(one['prediction'])}   ({_one_line(one['target'])})"
            )
        signals.training = True

    def say(line: str) -> None:
        signals.leave()
        console.say(line)

    def scored(scores: dict[str, float]) -> None:
        console.line("Test: " + "  ".join(f"{name} {format_score(name, value)}" for name, value in scores.items()))

    return Monitor(
        say=say,
        progress=console.progress,
        begin=lambda facts: begin(console, facts),
        tick=tick,
        row=row,
        stop=signals.stop,
        scored=scored,
    )


def _one_line(text: str, most: int = 60) -> str:
    """A text on one line, turns parted by a bar, cut where it is long."""
    line = " | ".join(" ".join(turn.split()) for turn in text.split("\n"))
    return line if len(line) <= most else line[: most - 1] + "…"


def begin(console: Console, facts: dict[str, Any]) -> None:
    """Data, one example on its way to a tensor, and the model, before the first step."""
    data = facts["data"]
    console.line(f"\nData: {data['name']}: " + ", ".join(f"{n:,} {part}" for part, n in data["parts"].items()))
    for stage, text in facts["journey"]:
        console.line(f"  {stage:<8}{text}")
    console.line("\nModel")
    rows = [[name, shape, f"{count:,}"] for name, shape, count in facts["layers"]]
    for line in table(rows, ["layer", "shape", "parameters"], left=2):
        console.line(line)
    console.line()


def end(console: Console, result: "Result", seconds: float) -> None:
    """Scores beside baselines, the verdicts, where everything is, what to type next."""
    from lstmlab.metrics import format_score

    metrics = result.run.metrics
    if "test" in metrics:
        names = [name for name in metrics["test"] if any(name in scores for scores in metrics["baseline"].values())]
        rows = [["this model", *(format_score(n, metrics["test"][n]) for n in names)]]
        for name, scores in metrics["baseline"].items():
            # Not every baseline answers: what the references tell of themselves has no BLEU.
            rows.append([name, *(format_score(n, scores[n]) if n in scores else "–" for n in names)])
        console.line("\nScores on the test part")
        for line in table(rows, ["", *names]):
            console.line(line)
    for line in written(result):
        console.line(line)
    console.line()
    for claim in result.claims():
        console.line(f"• {claim}")
    console.line(f"\nTrained in {clock(metrics['train_seconds'])}, everything done in {clock(seconds)}.")
    console.line(f"Report: {result.folder / 'report.html'}")
    console.line(f"Next:   {program()} {result.next_words()}")


def written(result: "Result") -> list[str]:
    """For runs that write their answers: five unseen sources, greedy beside the run's own search, and the drawing of
    where attention looked."""
    shown = [row for row in result.run.predictions if row.get("shown")]
    if not shown:
        return []
    search = result.run.recipe["decoding"]
    method = f"beam {search['beam_size']}" if search["method"] == "beam" else search["method"]
    lines = ["", f"{len(shown)} unseen sources, chosen by their length before training"]
    for row in shown:
        answers = {method: row["prediction"], "greedy": row["greedy"]["prediction"], "reference": row["target"]}
        lines += [f"  {_one_line(row['input'], 100)}"]
        lines += [f"    {name:<11}{_one_line(text, 100)}" for name, text in answers.items()]
    heatmap = result.folder / "figures" / "attention-1.svg"
    return [*lines, f"Where it looked: {heatmap}"] if heatmap.exists() else lines


def fit(work: Callable[["Monitor"], "Result"], started: float) -> None:
    """Train or go on, with everything shown; a wish to stop ends with how to go on."""
    from lstmlab.training.experiment import Stopped

    console, signals = Console(), Signals()
    try:
        with console, signals.caught():
            result = work(monitor(console, signals))
    except Stopped as stopped:
        where = shlex.quote(str(stopped.folder))
        console.line(f"\nStopped; a checkpoint is kept. Go on with: {program()} resume {where}")
        sys.exit(128 + (signals.asked or signal.SIGINT))
    end(console, result, time.monotonic() - started)


@app.command()
def train(
    what: Annotated[
        str, typer.Argument(metavar="RECIPE|FILE|TASK", help="A recipe, a data file of your own, or a task.")
    ],
    changes: Words = None,
    output: Annotated[Path | None, typer.Option(help="The run directory; refused if it exists.")] = None,
) -> None:
    """Train a model, score it beside baselines, and write its report."""
    started = time.monotonic()
    with Console() as console:
        console.line(f"lstmlab train {shlex.join([what, *(changes or [])])}")
        console.activity("Starting PyTorch")
        from lstmlab import api

        recipe = _recipe(console, what, changes or [])
    fit(lambda watch: api.run_recipe(recipe, monitor=watch, output=output), started)


def _recipe(console: Console, what: str, changes: Sequence[str]) -> "Recipe":
    """The recipe meant, having said what was guessed, and asked where the guess is unsure."""
    from lstmlab import request
    from lstmlab.data.guess import command
    from lstmlab.recipe import parse_overrides
    from lstmlab.training import experiment

    typed = parse_overrides(changes)
    if not request.is_data(what):
        return request.assemble(what, typed)
    tree, found = request.guessed(Path(what), typed)
    if request.columns_typed(typed):
        return experiment.assemble(tree, typed, what)
    console.line(f"Guessed: {found.task}. " + " ".join(found.reasons))
    console.line(f"That is: {command(found)} {shlex.join(changes)}".rstrip())
    if not found.sure:
        told = "; ".join(found.alternatives)
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise InputError(f"not sure enough to go on without you ({told}): type the command with the right columns")
        console.activity("")
        if not typer.confirm(f"Not sure ({told}). Go on with this?"):
            raise InputError("not started; type the command above with the right columns")
    return experiment.assemble(tree, typed, what)


@app.command()
def resume(
    run: Annotated[str | None, typer.Argument(help="A run or a study; the newest run where not given.")] = None,
) -> None:
    """Go on with a run that was stopped or killed, to the last bit as if it had not been; or with a study."""
    started = time.monotonic()
    if run is not None and (Path(run) / "study.yaml").is_file():
        from lstmlab.cli.compare import carry_on

        carry_on(run)
        return
    with Console() as console:
        console.activity("Starting PyTorch")
        from lstmlab import api

        found = api.find(run)
        if found.finished:
            if not (found.folder / "report.html").exists():
                api.Result(found).report()
            console.line(f"{found.title} is finished. Its report: {found.folder / 'report.html'}")
            return
        console.line(f"Going on with {found.folder}")
    fit(lambda watch: api.go_on(found, monitor=watch), started)
