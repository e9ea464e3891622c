"""Series carried on: what `predict` of a forecaster shows and writes."""

import csv
import io
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lstmlab.cli.console import Console, table, tell
from lstmlab.disk import save

if TYPE_CHECKING:
    from lstmlab.api import Result
    from lstmlab.training.continuation import Continuation


def continued(
    result: "Result", file: Path | None, horizon: int | None, encoding: str | None, output: Path | None
) -> None:
    """Forecasts after the end of every series, on the screen or in a file (.csv, .jsonl or text)."""
    with Console(sys.stderr) as console:
        console.activity(f"Reading {file or 'the data of ' + result.run.title}")
        found = result.forecast(file, horizon, encoding=encoding)
    if output is None:
        head, *rows = [[str(cell) for cell in row] for row in _rows(found)]
        tell("\n".join(table(rows, head, left=len(head) - len(_numbers(found)))))
        return
    ending = output.suffix.lower()
    if ending in (".jsonl", ".ndjson"):
        names, *full = _rows(found, full=True)
        text = "".join(f"{json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)}\n" for row in full)
    elif ending == ".csv":
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(_rows(found, full=True))
        text = out.getvalue()
    else:
        lines = ["\t".join("" if cell is None else str(cell) for cell in row) for row in _rows(found, full=True)]
        text = "".join(f"{line}\n" for line in lines)
    save(output, text.encode())
    steps = len(found[0].times)
    tell(f"{len(found):,} series, {steps} steps each: {output}" if len(found) > 1 else f"{steps} steps: {output}")


def tested(result: "Result", origins: int, *, refit: bool) -> None:
    """A table of the errors at several origins, and their mean."""
    from lstmlab.data.load import Watch
    from lstmlab.metrics import format_score
    from lstmlab.training.backtest import mean

    with Console(sys.stderr) as console:
        console.activity("Training anew before each origin" if refit else "Forecasting from each origin")
        found = result.backtest(origins, refit=refit, watch=Watch(console.activity, console.progress))
    rows = [
        [one.time, format_score("mae", one.mae), format_score("mae", one.naive), f"{100 * one.skill:.1f} %"]
        for one in (*found, mean(found))
    ]
    tell(f"{result.run.title}: {len(found)} origins, {'a model for each' if refit else 'one model for all'}")
    tell("\n".join(table(rows, ["first step", "MAE", f"MAE, {found[0].rival}", "error saved"])))


def finite(value: float | None) -> float | None:
    """The number; None for what is none."""
    return value if value is not None and math.isfinite(value) else None


def short(value: float | None) -> str:
    """A number as people read it, "–" for what is none."""
    return "–" if finite(value) is None else f"{value:.6g}"


def _rows(found: Sequence["Continuation"], *, full: bool = False) -> Iterator[list[object]]:
    """A line of names, then a line for each step of each series: series where there are several, time, numbers.

    With `full` numbers are numbers, None where one is not finite; else they are as people read them.
    """
    several = len(found) > 1 or bool(found[0].series)
    yield [*(["series"] if several else []), "time", *_numbers(found)]
    for one in found:
        levels = list(one.quantiles.values())
        for at, (time, values) in enumerate(zip(one.times, one.values, strict=True)):
            numbers = [*values, *(value for level in levels for value in level[at])]
            shown = [finite(value) if full else short(value) for value in numbers]
            yield [*([one.series] if several else []), time, *shown]


def _numbers(found: Sequence["Continuation"]) -> list[str]:
    """What the numbers are called: the targets, then each of their quantiles."""
    first = found[0]
    names = ["forecast"] if len(first.targets) == 1 else list(first.targets)
    return [*names, *(f"{name} q{level}" for level in first.quantiles for name in names)]
