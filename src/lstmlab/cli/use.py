"""evaluate, predict: a finished run at work."""

import json
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from lstmlab.cli import app
from lstmlab.cli.console import Console, counted, tell, utf8
from lstmlab.cli.continued import continued, short, tested
from lstmlab.cli.paired import pair_text, paired
from lstmlab.cli.search import PredictSearch, Search, spelled, with_search
from lstmlab.cli.tagged import columns, tagged_line
from lstmlab.disk import save
from lstmlab.errors import InputError, unknown

if TYPE_CHECKING:
    from lstmlab.api import Result
    from lstmlab.decoding import SearchSettings

Encoding = Annotated[str | None, typer.Option(help="How FILE is encoded; as the run's own data where not given.")]


@app.command()
def evaluate(
    run: Annotated[str | None, typer.Argument(help="A run; the newest where not given.")] = None,
    input: Annotated[
        Path | None,
        typer.Option(help="A labelled file with the run's columns; the run's own test part where not given."),
    ] = None,
    encoding: Encoding = None,
    backtest: Annotated[
        bool, typer.Option("--backtest", help="Forecasts: the errors at several times of the test part.")
    ] = False,
    origins: Annotated[
        int | None, typer.Option(min=1, help="With --backtest: how many times; 10 if not given.")
    ] = None,
    refit: Annotated[bool, typer.Option("--refit", help="With --backtest: train anew before each time.")] = False,
) -> None:
    """Scores of a finished run on its test part, or on a labelled file."""
    from lstmlab import api
    from lstmlab.metrics import format_score

    if backtest:
        if input:
            raise InputError("--backtest is over the run's own test part: leave --input out")
        tested(api.open_run(run), origins or 10, refit=refit)
        return
    if origins or refit:
        raise InputError(f"{'--origins' if origins else '--refit'} would have no effect: it belongs to --backtest")
    if encoding and not input:
        raise InputError("--encoding would have no effect: it belongs to --input FILE")
    with Console(sys.stderr) as console, _typed_encoding():
        console.activity("Scoring" if input else "Reading the data")
        result = api.open_run(run)
        scores, count = result.evaluate(input, console.line if input else console.activity, encoding=encoding)
    tell(f"{result.run.title} on {input or 'its test part'} ({counted(count, 'example')})")
    for name, value in scores.items():
        tell(f"  {name:<20}{format_score(name, value)}")


@app.command()
@with_search(PredictSearch)
def predict(
    run: Annotated[str | None, typer.Argument(help="A run; the newest where not given.")] = None,
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="What to predict.")] = None,
    input: Annotated[
        Path | None, typer.Option(help="A file: a text a line (.txt), or with the run's text or source column.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write here (.csv, .jsonl or text) instead of the screen.")
    ] = None,
    encoding: Encoding = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Forecasts: steps to go on after the end of the file or the run's data.")
    ] = None,
    attention: Annotated[
        Path | None, typer.Option(help="Draw where the first answer looked in its source (.svg or .png).")
    ] = None,
    *,
    search: Search,
) -> None:
    """Answers of a finished run: to texts on the command line, in a file, or a line each on standard input."""
    from lstmlab import api
    from lstmlab.decoding import StreamSettings

    if texts and input:
        raise InputError("give texts or --input, not both")
    if encoding and texts:
        raise InputError("--encoding would have no effect: it belongs to --input FILE and to standard input")
    if output is not None:
        _check_new("--output", output, OUTPUTS)
    if attention is not None:
        _check_new("--attention", attention, DRAWINGS)
    try:
        result = api.open_run(run)
    except InputError as error:
        if run is None or texts or " " not in run:
            raise
        raise InputError(
            f"{error} To predict a text, name the run first: lstmlab predict RUN {shlex.quote(run)}"
        ) from error
    if attention is not None:
        result.refuse_blind()
    typed = search.changes()
    if _spoken(result, search, [*(texts or []), *([] if input is None else [input])], horizon, encoding, output):
        return
    with spelled("add --sample"):
        settings = result.search(typed)
    assert not isinstance(settings, StreamSettings)
    with _typed_encoding():
        portions = None if _goes_on(result, texts, input, horizon) else _portions(result, texts, input, encoding)
        if portions is not None and result.forecasts and not texts and input is None:
            portions = _something(portions)
        if portions is None:
            if encoding and input is None:
                raise InputError("--encoding would have no effect: the series of the run's own data are carried on")
            continued(result, input, horizon, encoding, output)
            return
        _answer(Asking(result, typed, settings, output, attention), portions)


def _spoken(
    result: "Result",
    search: Search,
    given: list[str | Path],
    horizon: int | None,
    encoding: str | None,
    output: Path | None,
) -> bool:
    """Whether the run is a language model, which then goes on from what is given. Elsewhere its options are refused."""
    assert isinstance(search, PredictSearch)
    if not result.speaks:
        for option in ("prime", "next", "length"):
            if getattr(search, option) is not None:
                raise InputError(f"--{option} would have no effect: it belongs to language models")
        return False
    from lstmlab.cli.spoken import answered

    if horizon is not None:
        raise InputError("--horizon would have no effect: it carries on the series of a forecaster")
    if not given and search.prime is None and search.next is None and not sys.stdin.isatty():
        lines = chain.from_iterable(_standard_input(result, sys.stdin, encoding or "utf-8"))
        given = [line for line in lines if line.strip()]
    with spelled(), _typed_encoding():
        answered(result, search, given, encoding, output)
    return True


def _goes_on(result: "Result", texts: list[str] | None, input: Path | None, horizon: int | None) -> bool:
    """Whether series are carried on instead of inputs answered. Refuses --horizon where they are not."""
    from lstmlab.data.datasets import files

    if result.forecasts and not texts:
        return bool(horizon) or (sys.stdin.isatty() if input is None else files.known(input))
    if horizon is not None:
        raise InputError("--horizon would have no effect: it carries on the series of a forecaster, from no typed text")
    return False


def _something(portions: Iterator[list[Any]]) -> Iterator[list[Any]] | None:
    """The portions from the first one on that asks something; None where none does."""
    from lstmlab.training.questions import all_blank

    first = next((asked for asked in portions if not all_blank(asked)), None)
    return None if first is None else chain([first], portions)


@dataclass
class Asking:
    """Answers on their way to the screen or a file, portion after portion."""

    result: "Result"
    typed: dict[str, Any]
    """Options of the search."""
    settings: "SearchSettings | None"
    """The search with them; None where nothing is searched."""
    output: Path | None
    attention: Path | None
    done: int = 0
    """Inputs answered so far."""
    anything: bool = False
    """Whether one of them asked something."""
    rows: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    """What is to be written to a file."""
    stopped: int = 0
    """Answers that were stopped at their largest length."""

    def answer(self, asked: list[Any]) -> None:
        """Answer a portion: on the screen at once."""
        answers = self.result.predict(asked, first=self.done, **self.typed)
        told = list(zip(asked, answers, strict=True))
        if self.output is None:
            tell("\n".join(self._lines(told, self.done + 1)))
            sys.stdout.flush()
        else:
            self.rows += told
        if not self.anything:
            self._draw(asked)
        for at, one in enumerate(answers, self.done + 1):
            self._tell_stopped(at, one)
        self.done += len(asked)

    def _lines(self, told: list[tuple[Any, dict[str, Any]]], first: int = 1) -> Iterator[str]:
        """An answer to each input on a line; several as number of the input, score and answer on a line each."""
        several = self.settings is not None and self.settings.n_best > 1
        for number, (given, answer) in enumerate(told, first):
            if not several:
                yield answer_line(given, answer)
                continue
            for one in answer.get("n_best", [answer]):
                yield f"{number}\t{one['score']:.4f}\t{answer_line(given, one)}"

    def _content(self, suffix: str) -> str:
        """All answers as a file of this kind."""
        if suffix in (".jsonl", ".ndjson"):
            return "".join(json.dumps({"input": given, **one}, ensure_ascii=False) + "\n" for given, one in self.rows)
        if suffix == ".csv":
            return _csv(self.rows)
        if self.result.writes:
            return "".join(f"{line}\n" for line in self._lines(self.rows))
        if self.result.run.recipe["task"] == "tagging":
            return columns(self.rows)
        return "".join(f"{one['prediction']}\n" for _, one in self.rows)

    def _draw(self, asked: list[Any]) -> None:
        """The attention of the first answer to anything."""
        from lstmlab.training.questions import blank

        first = next((at for at, given in enumerate(asked) if not blank(given)), None)
        self.anything = first is not None
        if first is not None and self.attention is not None:
            self.result.alignment(asked[first], self.attention, first=self.done + first, **self.typed)
            tell(f"Attention: {self.attention}", sys.stderr)

    def _tell_stopped(self, number: int, answer: dict[str, Any]) -> None:
        if self.settings is None or answer["finished"]:
            return
        self.stopped += 1
        if self.stopped <= MOST_TOLD:
            full = answer["tokens"] >= self.settings.max_length
            reason = "--max-length allows more" if full else "the most there are for so short a source"
            tell(f"answer {number} was stopped at {counted(answer['tokens'], 'token')}: {reason}", sys.stderr)

    def end(self) -> None:
        """Write the file; refuse a question that was none."""
        if not self.anything:
            raise InputError("nothing to predict: give texts as arguments, --input FILE, or lines on standard input")
        if self.stopped > MOST_TOLD:
            tell(f"{self.stopped - MOST_TOLD:,} more answers were stopped at their largest length", sys.stderr)
        if self.output is not None:
            save(self.output, self._content(self.output.suffix.lower()).encode())
            tell(f"{counted(len(self.rows), 'prediction')} in {self.output}", sys.stderr)


MOST_TOLD = 3
"""Stopped answers that are told one by one."""


def _answer(asking: Asking, portions: Iterable[list[Any]]) -> None:
    if asking.result.writes and not sys.stdout.isatty():
        utf8(sys.stdout)
    for asked in portions:
        asking.answer(asked)
    asking.end()


def _portions(
    result: "Result", texts: list[str] | None, input: Path | None, encoding: str | None
) -> Iterator[list[Any]]:
    """What is asked: typed texts or a file at once, standard input as it comes."""
    from lstmlab.training.questions import all_blank

    if texts is None and input is None:
        yield from _standard_input(result, sys.stdin, encoding or "utf-8")
        return
    asked = result.parse_typed(texts) if texts else result.read_inputs(Path(str(input)), encoding)
    if not all_blank(asked):
        yield asked


@contextmanager
def _typed_encoding() -> Iterator[None]:
    """Advice about an encoding names the option that gives it here."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace("data.encoding=", "--encoding ")) from error


def _standard_input(result: "Result", stream: TextIO, encoding: str) -> Iterator[list[Any]]:
    """The inputs of all lines that have arrived, as soon as there is one: whoever sends a line gets its answer."""
    from lstmlab.data.contents import decode

    if stream.isatty():
        tell("A text a line; end with Ctrl-D.", sys.stderr)
    done = 0
    for raw in _whole_lines(stream, encoding):
        where = f"standard input after line {done}" if done else "standard input"
        asked = result.parse_lines(decode(raw, where, encoding), "standard input", done + 1)
        done += len(asked)
        yield asked


def _whole_lines(stream: TextIO, encoding: str) -> Iterator[bytes]:
    """Bytes, because Python itself lets through what is not UTF-8 where the locale is C."""
    if re.match(r"u(tf|cs)?.?(16|32)", encoding.lower()):  # a newline is more than the byte 10
        if raw := stream.buffer.read():
            yield raw
        return
    rest = b""
    while arrived := stream.buffer.read1(PORTION):  # type: ignore[attr-defined]
        whole, newline, rest = (rest + arrived).rpartition(b"\n")
        if newline:
            yield whole + newline
    if rest:
        yield rest


PORTION = 1 << 16
"""Bytes read at once at most."""


def answer_line(given: Any, answer: dict[str, Any]) -> str:
    """`positive  97.1 %  (negative 2.9 %)  A text …`, the numbers of a forecast, or a written answer."""
    if isinstance(answer["prediction"], str) and "probabilities" not in answer:
        return one_line(answer["prediction"])
    if "certainty" in answer:
        return tagged_line(given, answer["prediction"], coloured=sys.stdout.isatty())
    text = pair_text(given) if paired(given, answer) else None
    if isinstance(answer["prediction"], float):
        return f"{answer['prediction']:.2f}\t{text}"
    if "probabilities" not in answer:
        return " ".join(map(short, answer["prediction"]))
    shares = [(" ".join(name.split()), share) for name, share in answer["probabilities"].items()]
    ranked = sorted(shares, key=lambda pair: -pair[1])
    others = ", ".join(f"{name} {share:.1%}" for name, share in ranked[1:4])
    if text is None:
        text = " ".join(given.split()) if isinstance(given, str) else counted(len(given), "step")
    return f"{ranked[0][0]}\t{ranked[0][1]:.1%}\t({others})\t{text if len(text) <= 70 else text[:69] + '…'}"


def one_line(text: str) -> str:
    """A text without line ends of any kind, so that line n of the answers belongs to line n of what was asked."""
    return " ".join(text.splitlines())


OUTPUTS = (".csv", ".jsonl", ".ndjson", ".txt", ".conll", ".tsv", "")
DRAWINGS = (".svg", ".png")


def _check_new(option: str, path: Path, endings: tuple[str, ...]) -> None:
    """Refuse a file that is there, and an ending nobody writes, before any work."""
    if path.exists():
        raise InputError(f"{option} {path} exists already; choose another name")
    if path.suffix.lower() not in endings:
        kind = f"kind of {option.removeprefix('--')} file"
        raise unknown(kind, path.suffix, [ending for ending in endings if ending])


def _csv(told: list[tuple[Any, dict[str, Any]]]) -> str:
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if told and "score" in told[0][1]:
        writer.writerow(["input", "prediction", "score", "rank"])
        for given, answer in told:
            for rank, one in enumerate(answer.get("n_best", [answer]), 1):
                writer.writerow([given, one["prediction"], f"{one['score']:.6f}", rank])
        return out.getvalue()
    names = list(told[0][1].get("probabilities", {})) if told else []
    pairs = bool(told) and paired(*told[0])
    asked = ["first", "second"] if pairs else ["input"]
    writer.writerow([*asked, "prediction", *(f"probability of {name}" for name in names)])
    for given, answer in told:
        shares = [f"{answer['probabilities'][name]:.6f}" for name in names]
        prediction = answer["prediction"]
        said = prediction if isinstance(prediction, str) else json.dumps(prediction)
        writer.writerow([*(given if pairs else [given]), said, *shares])
    return out.getvalue()
