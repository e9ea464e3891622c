"""How a report is wanted: the options that `report` and `handin` share."""

from dataclasses import dataclass
from typing import Annotated, Any

import typer


@dataclass(frozen=True)
class Asked:
    """What is not given stays as the recipe has it; the run is not touched."""

    outline: Annotated[str | None, typer.Option(metavar="ORDER", help="standard, bootcamp, lab-record or seq2seq.")] = (
        None
    )
    prompts: Annotated[
        bool | None,
        typer.Option("--prompts/--no-prompts", help="Leave evidence and questions, and let the student answer."),
    ] = None
    title: Annotated[str | None, typer.Option(help="Title of the report.")] = None
    author: Annotated[str | None, typer.Option(help="Name printed under the title.")] = None
    course: Annotated[str | None, typer.Option(help="Course or occasion, beside the name.")] = None

    def wishes(self) -> dict[str, Any]:
        """Those that were given."""
        return {name: value for name, value in vars(self).items() if value is not None}
