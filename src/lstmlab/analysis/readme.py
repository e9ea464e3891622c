"""The README of a hand-in: what was built, how to run it, what comes out, how good it is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lstmlab.analysis import ANALYSES, overview
from lstmlab.analysis.architecture import PAIRS
from lstmlab.analysis.discussion import assessment
from lstmlab.report import Document, Section, Table, excerpt, number
from lstmlab.report.text import Value
from lstmlab.training.run import Run

SAMPLES = 6
"""Outputs shown, half of them wrong ones where a task has right and wrong."""
STEPS = 8
"""Steps of a forecast that are shown."""


def readme(run: Run, report: Document, files: Mapping[str, str], start: Section) -> Document:
    """The README, with the head of the `report`. `start` says how to run it, `files` what is in the folder."""
    told = [overview.aim(run), excerpt(str(run.summary["data"].get("description", "")), 400)]
    sections = [
        Section("In short", _short(run), " ".join(filter(None, told))),
        replace(overview.model(run), title="Model structure"),
        start,
        *_results(run),
        _samples(run, report),
        replace(assessment(run), title="What it does well and badly"),
        Section("What is in this folder", "", "", [_contents(files)], generated=False),
    ]
    return replace(report, sections=[one for one in sections if one is not None], facts=())


def _short(run: Run) -> str:
    return overview.Comparison.of(run).words if overview.has_scores(run) else ""


def _results(run: Run) -> list[Section]:
    """Curves and scores."""
    found = [ANALYSES["curves"].section(run)]
    return [*found, overview.scores(run)] if overview.has_scores(run) else found


def _contents(files: Mapping[str, str]) -> Table:
    rows: list[list[Value]] = [[name, told] for name, told in files.items()]
    return Table("Files.", ["File", "What it is"], rows)


PICTURED = ("attention", "feedback", "forecasts")
"""Analyses whose figures stand beside sample outputs."""


def _samples(run: Run, report: Document) -> Section | None:
    """Some outputs of the test part, as they are, and the pictures that the report has of them."""
    there = [ANALYSES[key] for key in PICTURED if ANALYSES[key].reported(run) and ANALYSES[key].applies(run)]
    names = {figure.name for one in there for figure in (one.brief or one.section)(run).figures}
    made = _outputs(run)
    return made and replace(made, figures=[figure for figure in report.figures if figure.name in names])


def _outputs(run: Run) -> Section | None:
    task = run.recipe["task"]
    title = "Sample outputs"
    if task == "language-model":
        written = ANALYSES["text"].section(run) if ANALYSES["text"].applies(run) else None
        return replace(written, title=title, claim="", evidence="", figures=()) if written is not None else None
    rows = run.predictions
    if not rows:
        return None
    if task == "forecasting":
        table = _forecast(run)
    elif task == "tagging":
        table = Table("Tagged sentences of the test part.", ["Words", "Tags", "Answer"],
                      [_row([_joined(row["input"]), _joined(row["target"]), _joined(row["prediction"])])
                       for row in _chosen(rows)])  # fmt: skip
    elif task in PAIRS:
        table = Table("Outputs of the test part.", ["Input", "Output", "Reference"],
                      [_row([row["input"], row["prediction"], row["target"]]) for row in _chosen(rows)])  # fmt: skip
    elif task == "pairs":
        table = Table("Answers of the test part.", ["First text", "Second text", "Truth", "Answer"],
                      [_row([*row["input"], row["target"], row["prediction"]]) for row in _chosen(rows)])  # fmt: skip
    else:
        table = Table("Answers of the test part.", ["Input", "Truth", "Answer"],
                      [_row([row["input"], row["target"], row["prediction"]]) for row in _chosen(rows)])  # fmt: skip
    return Section(title, "", "", [table], generated=False)


def _row(cells: Sequence[object]) -> list[Value]:
    told = [number(cell) if isinstance(cell, float) else str(cell) for cell in cells]
    return [excerpt(cell, 140) or "(empty)" for cell in told]


def _joined(words: object) -> str:
    return " ".join(map(str, words)) if isinstance(words, list | tuple) else str(words)


def _chosen(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows spread over the test part, as many right as wrong ones where there are both."""
    wrong = [row for row in rows if row.get("target") != row.get("prediction")]
    right = [row for row in rows if row.get("target") == row.get("prediction")]
    half = SAMPLES // 2
    few = min(len(wrong), max(half, SAMPLES - len(right)))
    return [*_spread(right, SAMPLES - few), *_spread(wrong, few)]


def _spread(rows: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    count = min(count, len(rows))
    return [rows[at * len(rows) // count] for at in range(count)]


def _forecast(run: Run) -> Table:
    """The first steps of one forecast beside what came."""
    row = run.predictions[0]
    pairs = list(zip(row["prediction"], row["target"], strict=False))[:STEPS]
    rows: list[list[Value]] = [[at, _value(forecast), _value(truth)] for at, (forecast, truth) in enumerate(pairs, 1)]
    return Table("The first steps of a forecast of the test part.", ["Steps ahead", "Forecast", "Truth"], rows)


def _value(value: object) -> Value:
    if isinstance(value, list):
        return excerpt(", ".join("–" if one is None else f"{one:.4g}" for one in value), 60)
    return value if value is None or isinstance(value, int | float) else str(value)
