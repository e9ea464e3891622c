"""evaluate, predict: a finished run at work."""

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from lstmlab.cli import app
from lstmlab.cli.console import Console, counted, tell
from lstmlab.errors import InputError, unknown

if TYPE_CHECKING:
    from lstmlab.api import Result

Encoding = Annotated[str | None, typer.Option(help="How FILE is encoded; as the run's own data where not given.")]


@app.command()
def evaluate(
    run: Annotated[str | None, typer.Argument(help="A run; the newest where not given.")] = None,
    input: Annotated[
        Path | None,
        typer.Option(help="A labelled file with the run's columns; the run's own test part where not given."),
    ] = None,
    encoding: Encoding = None,
) -> None:
    """Scores of a finished run on its test part, or on a labelled file."""
    from lstmlab import api
    from lstmlab.metrics import format_score

    if encoding and not input:
        raise InputError("--encoding would have no effect: it belongs to --input FILE")
    with Console(sys.stderr) as console, _typed_encoding():
        console.activity("Reading the data")
        result = api.open_run(run)
        scores, count = result.evaluate(input, console.activity, encoding=encoding)
    tell(f"{result.run.title} on {input or 'its test part'} ({counted(count, 'example')})")
    for name, value in scores.items():
        tell(f"  {name:<20}{format_score(name, value)}")


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
    encoding: Encoding = None,
) -> None:
    """Answers of a finished run: to texts on the command line, in a file, or a line each on standard input."""
    from lstmlab import api
    from lstmlab.disk import save

    if texts and input:
        raise InputError("give texts or --input, not both")
    if encoding and texts:
        raise InputError("--encoding would have no effect: it belongs to --input FILE and to standard input")
    if output is not None:
        _check_output(output)
    try:
        result = api.open_run(run)
    except InputError as error:
        if run is None or texts or " " not in run:
            raise
        raise InputError(
            f"{error} To predict a text, name the run first: lstmlab predict RUN {shlex.quote(run)}"
        ) from error
    with _typed_encoding():
        if texts:
            asked: list[Any] = [result.parse_input(text, f"argument {i + 1}") for i, text in enumerate(texts)]
        elif input:
            asked = result.read_inputs(input, encoding)
        else:
            asked = _standard_input(result, sys.stdin, encoding or "utf-8")
    if not any(given.strip() if isinstance(given, str) else given for given in asked):
        raise InputError("nothing to predict: give texts as arguments, --input FILE, or lines on standard input")
    answers = result.predict(asked)
    if output is None:
        tell("\n".join(answer_line(given, answer) for given, answer in zip(asked, answers, strict=True)))
    else:
        save(output, _rows(asked, answers, output.suffix).encode())
        tell(f"{counted(len(answers), 'prediction')} in {output}", sys.stderr)


@contextmanager
def _typed_encoding() -> Iterator[None]:
    """Advice about an encoding names the option that gives it here."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace("data.encoding=", "--encoding ")) from error


def _standard_input(result: "Result", stream: TextIO, encoding: str) -> list[Any]:
    from lstmlab.data.contents import decode

    if stream.isatty():
        tell("A text a line; end with Ctrl-D.", sys.stderr)
    # Bytes, because Python itself lets through what is not UTF-8 where the locale is C.
    raw = stream.buffer.read()
    if not raw:
        return []
    return result.parse_lines(decode(raw, "standard input", encoding), "standard input")


def answer_line(given: Any, answer: dict[str, Any]) -> str:
    """`positive  97.1 %  (negative 2.9 %)  A text …` or the forecast numbers."""
    if "probabilities" not in answer:
        return " ".join(f"{value:.6g}" for value in answer["prediction"])
    shares = [(" ".join(name.split()), share) for name, share in answer["probabilities"].items()]
    ranked = sorted(shares, key=lambda pair: -pair[1])
    others = ", ".join(f"{name} {share:.1%}" for name, share in ranked[1:4])
    text = " ".join(str(given).split())
    return f"{ranked[0][0]}\t{ranked[0][1]:.1%}\t({others})\t{text if len(text) <= 70 else text[:69] + '…'}"


ENDINGS = (".csv", ".jsonl", ".ndjson", ".txt", "")


def _check_output(path: Path) -> None:
    """Refuse a file that is there, and an ending nobody writes, before any work."""
    if path.exists():
        raise InputError(f"--output {path} exists already; choose another name")
    if path.suffix not in ENDINGS:
        raise unknown("kind of output file", path.suffix, [ending for ending in ENDINGS if ending])


def _rows(asked: list[Any], answers: list[dict[str, Any]], suffix: str) -> str:
    rows = [{"input": given, **answer} for given, answer in zip(asked, answers, strict=True)]
    if suffix in (".jsonl", ".ndjson"):
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if suffix == ".csv":
        return _csv(rows)
    return "".join(f"{answer['prediction']}\n" for answer in answers)


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
