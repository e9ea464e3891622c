"""evaluate, predict: a finished run at work."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from lstmlab.cli import app
from lstmlab.cli.console import Console
from lstmlab.errors import InputError, unknown


@app.command()
def evaluate(
    run: Annotated[str | None, typer.Argument(help="A run; the newest where not given.")] = None,
    input: Annotated[
        Path | None,
        typer.Option(help="A labelled file with the run's columns; the run's own test part where not given."),
    ] = None,
) -> None:
    """Scores of a finished run on its test part, or on a labelled file."""
    from lstmlab import api
    from lstmlab.metrics import format_score

    console = Console(sys.stderr)
    with console:
        console.activity("Reading the data")
        result = api.open_run(run)
        scores, count = result.evaluate(input, console.activity)
    print(f"{result.run.title} on {input or 'its test part'} ({count:,} examples)")
    for name, value in scores.items():
        print(f"  {name:<20}{format_score(name, value)}")


@app.command()
def predict(
    run: Annotated[str | None, typer.Argument(help="A run; the newest where not given.")] = None,
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="What to predict.")] = None,
    input: Annotated[
        Path | None, typer.Option(help="A file: a text a line (.txt), or with the run's text column.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write here (.csv, .jsonl or text) instead of the screen.")
    ] = None,
) -> None:
    """Answers of a finished run: to texts on the command line, in a file, or a line each on standard input."""
    from lstmlab import api
    from lstmlab.disk import save

    if texts and input:
        raise InputError("give texts or --input, not both")
    if output is not None and output.exists():
        raise InputError(f"--output {output} exists already; choose another name")
    result = api.open_run(run)
    if texts:
        asked: list[Any] = [result.parse_input(text, f"argument {i + 1}") for i, text in enumerate(texts)]
    elif input:
        asked = result.read_inputs(input)
    else:
        asked = _standard_input(result, sys.stdin)
    answers = result.predict(asked)
    if output is None:
        print("\n".join(answer_line(given, answer) for given, answer in zip(asked, answers, strict=True)))
    else:
        save(output, _rows(asked, answers, output.suffix).encode())
        print(f"{len(answers):,} predictions in {output}", file=sys.stderr)


def _standard_input(result: Any, stream: TextIO) -> list[Any]:
    if stream.isatty():
        print("A text a line; end with Ctrl-D.", file=sys.stderr)
    try:
        lines = [line.rstrip("\n") for line in stream]
    except UnicodeDecodeError as error:
        raise InputError(f"standard input is not UTF-8 (byte {error.start})") from error
    if not lines:
        raise InputError("nothing to predict: give texts as arguments, --input FILE, or lines on standard input")
    return [result.parse_input(line, f"line {i + 1}") for i, line in enumerate(lines)]


def answer_line(given: Any, answer: dict[str, Any]) -> str:
    """`positive  97.1 %  (negative 2.9 %)  A text …` or the forecast numbers."""
    if "probabilities" not in answer:
        return " ".join(f"{value:.6g}" for value in answer["prediction"])
    ranked = sorted(answer["probabilities"].items(), key=lambda pair: -pair[1])
    others = ", ".join(f"{name} {share:.1%}" for name, share in ranked[1:4])
    text = " ".join(str(given).split())
    return f"{ranked[0][0]}\t{ranked[0][1]:.1%}\t({others})\t{text if len(text) <= 70 else text[:69] + '…'}"


def _rows(asked: list[Any], answers: list[dict[str, Any]], suffix: str) -> str:
    rows = [{"input": given, **answer} for given, answer in zip(asked, answers, strict=True)]
    if suffix in (".jsonl", ".ndjson"):
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if suffix == ".csv":
        return _csv(rows)
    if suffix in (".txt", ""):
        return "".join(f"{answer['prediction']}\n" for answer in answers)
    raise unknown("kind of output file", suffix, [".csv", ".jsonl", ".txt"])


def _csv(rows: list[dict[str, Any]]) -> str:
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = list(rows[0].get("probabilities", {})) if rows else []
    writer.writerow(["input", "prediction", *(f"probability of {name}" for name in names)])
    for row in rows:
        shares = [f"{row['probabilities'][name]:.6f}" for name in names]
        prediction = row["prediction"]
        told = prediction if isinstance(prediction, str) else json.dumps(prediction)
        writer.writerow([row["input"], told, *shares])
    return out.getvalue()
