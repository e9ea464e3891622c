"""One example that is looked at: which one somebody asks for, and how its steps are called."""

from dataclasses import dataclass

from lstmlab.report import excerpt
from lstmlab.types import Batch, Example


@dataclass(frozen=True)
class Ask:
    """Whose inside is to be shown: an example of the test part by its id, or a text of one's own; and one place in it,
    counted from 1. Nothing of it: an example of typical length that the model got right."""

    example: str = ""
    texts: tuple[str, ...] = ()
    at: int | None = None


ANY = Ask()


@dataclass(frozen=True)
class Case:
    """One example as the model reads it: a batch of its own, and the name of each step, text by text."""

    example: Example
    batch: Batch
    names: list[list[str]]
    said: str = ""
    """What the model answered, where the run wrote that down."""
    at: int | None = None

    @property
    def flat(self) -> list[str]:
        """The names of all steps, one text behind the other."""
        return [name for names in self.names for name in names]

    @property
    def title(self) -> str:
        """The example on one line."""
        given = self.example.inputs
        if isinstance(given, str):
            return f"“{excerpt(given, 60)}”"
        if given and isinstance(given[0], str):
            joined = " / ".join(given) if len(self.names) == 2 else " ".join(given)
            return f"“{excerpt(joined, 60)}”"
        return f"example {excerpt(self.example.id, 40)}"
