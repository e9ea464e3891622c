"""The options of a search for answers, shared by the commands that have them."""

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Annotated, Any

import typer

from lstmlab.errors import InputError


@dataclass(frozen=True)
class Search:
    """How to search for an answer, where it is not to be as in the run's recipe."""

    beam: Annotated[int | None, typer.Option(metavar="N", help="Hypotheses kept side by side; 1 is greedy.")] = None
    length_penalty: Annotated[
        float | None, typer.Option(metavar="A", help="Beam: how much long answers are favoured; 0 not at all.")
    ] = None
    temperature: Annotated[
        float | None, typer.Option(metavar="T", help="Draw: below 1 the likely becomes likelier, above 1 less so.")
    ] = None
    top_k: Annotated[int | None, typer.Option(metavar="K", help="Draw from the K likeliest tokens; 0 from all.")] = None
    top_p: Annotated[
        float | None, typer.Option(metavar="P", help="Draw from the likeliest tokens that hold this share (0 to 1).")
    ] = None
    seed: Annotated[int | None, typer.Option(metavar="N", help="Draw: where the random numbers start.")] = None
    no_repeat_ngram: Annotated[
        int | None, typer.Option(metavar="N", help="Runs of N tokens occur once in an answer; 0 allows all.")
    ] = None
    max_length: Annotated[int | None, typer.Option(metavar="N", help="Most tokens of an answer.")] = None

    def changes(self) -> dict[str, Any]:
        """What was typed, as settings of the search."""
        typed = {field.name: getattr(self, field.name) for field in fields(self)}
        return {SETTINGS.get(name, name): value for name, value in typed.items() if value is not None}


@dataclass(frozen=True)
class PredictSearch(Search):
    """What predict has besides."""

    n_best: Annotated[int | None, typer.Option(metavar="N", help="So many answers each, with their scores.")] = None
    sample: Annotated[bool, typer.Option("--sample", help="Draw the answer at random.")] = False
    length: Annotated[int | None, typer.Option(metavar="N", help="Language models: tokens that are written.")] = None
    prime: Annotated[str | None, typer.Option(metavar="TEXT", help="Language models: what the text begins with.")] = (
        None
    )
    next: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Language models: the ten likeliest words after TEXT.")
    ] = None

    def changes(self) -> dict[str, Any]:
        """What was typed, as settings of the search."""
        typed = super().changes()
        drawn = typed.pop("sample")
        for given in ("prime", "next"):
            typed.pop(given, None)
        return {"method": "sample", **typed} if drawn else typed


@dataclass(frozen=True)
class ChatSearch(Search):
    """What chat has besides; it draws unless told otherwise."""

    greedy: Annotated[bool, typer.Option("--greedy", help="Always the likeliest token: nothing is drawn.")] = False

    def changes(self) -> dict[str, Any]:
        """What was typed, as settings of the search."""
        typed = super().changes()
        greedy = typed.pop("greedy")
        if greedy and "beam_size" in typed:
            raise InputError("--greedy and --beam are two ways to search: give one")
        return {"method": "greedy", **typed} if greedy else typed


SETTINGS = {"beam": "beam_size"}
"""Options that are called otherwise than their setting."""

_OPTIONS = {
    SETTINGS.get(field.name, field.name): "--" + field.name.replace("_", "-")
    for field in fields(PredictSearch)
    if field.name not in ("sample", "prime", "next")
}
# Plain words such as seed may stand in the name of a run as well: they count at the beginning of a message only.
_NAMES = re.compile(rf"(?:^(?:{'|'.join(_OPTIONS)})\b|\b(?:{'|'.join(name for name in _OPTIONS if '_' in name)})\b)=?")


@contextmanager
def spelled(way: str = "") -> Iterator[None]:
    """Within this, what is said of settings is said of options. `way` tells how to draw where that is needed."""
    try:
        yield
    except InputError as error:
        said = str(error).removeprefix("search: ")
        told = _NAMES.sub(lambda found: _OPTIONS[found[0].rstrip("=")] + " " * found[0].endswith("="), said)
        raise InputError(told + (f"; {way}" if way and "belongs to sampling" in said else "")) from error


def with_search(kind: type[Any], last: str = "search") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command these options: its last parameter, `search`, is what was typed of them."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [one for one in inspect.signature(command).parameters.values() if one.name != last]
        names = [field.name for field in fields(kind)]
        added = [inspect.signature(kind).parameters[name] for name in names]

        @functools.wraps(command)
        def called(**given: Any) -> None:
            typed = kind(**{name: given.pop(name) for name in names})
            command(**given, **{last: typed})

        called.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
        called.__annotations__ = {one.name: one.annotation for one in (*own, *added)}
        return called

    return decorate
