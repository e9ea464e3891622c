"""What `predict` of a language model shows: a text that goes on while one watches, or the likeliest next words."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmlab.cli.console import plain, table, tell, utf8
from lstmlab.cli.search import PredictSearch
from lstmlab.disk import save
from lstmlab.errors import InputError

if TYPE_CHECKING:
    from lstmlab.api import Result


def answered(
    result: "Result", search: PredictSearch, given: Sequence[str | Path], encoding: str | None, output: Path | None
) -> None:
    """What a language model is asked: to go on from --prime, from typed texts or the lines of a file (a Path among
    `given`), or to foresee the words after --next."""
    there = {"--prime": search.prime is not None, "--next": search.next is not None}
    there |= {"texts" if isinstance(one, str) else "--input": True for one in given}
    ways = [name for name, asked in there.items() if asked]
    if len(ways) > 1:
        raise InputError(f"give one of --prime, --next, texts and --input; got {' and '.join(ways)}")
    if encoding is not None and (there["--prime"] or there["--next"]):
        raise InputError(f"--encoding would have no effect: {ways[0]} is no file")
    typed = search.changes()
    if search.next is not None:
        if output is not None:
            raise InputError("--output would have no effect: what --next asks for is shown on the screen")
        foreseen(result, search.next, typed)
        return
    primes = [search.prime or ""] if not given else [str(one) for one in given]
    if given and isinstance(given[0], Path):
        primes = result.read_inputs(given[0], encoding)
    spoken(result, primes, typed, output)


def foreseen(result: "Result", text: str, typed: dict[str, Any]) -> None:
    """A table of the ten likeliest words after a text."""
    if typed:
        raise InputError(f"{next(iter(typed))} would have no effect: --next tells what is likely and draws nothing")
    _told_unknown(result, text)
    rows = [
        ["␣" if word == " " else word.replace("\n", "\\n"), f"{share:.2%}"] for word, share in result.likeliest(text)
    ]
    tell("\n".join(table(rows, ["next", "probability"], left=1)))


def spoken(result: "Result", primes: list[str], typed: dict[str, Any], output: Path | None) -> None:
    """One prime goes on as it is written; several are written whole, each after an empty line."""
    from lstmlab.training.machine import tuned

    result.search(typed)  # what has no effect is refused before anything is written
    utf8(sys.stdout)
    for prime in primes:
        _told_unknown(result, prime)
    # One token at a time is too little work for two threads: beside a busy neighbour they wait for each other.
    with tuned(1):
        if output is not None:
            _saved(result, primes, typed, output)
            return
        for number, prime in enumerate(primes):
            sys.stdout.write("\n" * (2 if number else 0) + plain(prime))
            for piece in result.stream(prime, **typed):
                sys.stdout.write(plain(piece))
                sys.stdout.flush()
        sys.stdout.write("\n")


def _saved(result: "Result", primes: list[str], typed: dict[str, Any], output: Path) -> None:
    told = ["".join(result.stream(prime, **typed)) for prime in primes]
    if output.suffix.lower() in (".jsonl", ".ndjson"):
        rows = [{"input": prime, "prediction": text} for prime, text in zip(primes, told, strict=True)]
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    elif output.suffix.lower() == ".csv":
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows([("input", "prediction"), *zip(primes, told, strict=True)])
        content = out.getvalue()
    else:
        content = "\n\n".join(prime + text for prime, text in zip(primes, told, strict=True)) + "\n"
    save(output, content.encode())
    tell(f"{len(told)} {'text' if len(told) == 1 else 'texts'} in {output}", sys.stderr)


def _told_unknown(result: "Result", text: str) -> None:
    """Tell which of somebody's first words the model has never seen."""
    unknown = result.unseen(text)
    if unknown:
        shown = ", ".join(repr(one) for one in unknown[:8])
        tell(f"never seen in training, read as unknown: {shown}", sys.stderr)
