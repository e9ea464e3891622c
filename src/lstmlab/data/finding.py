"""A finding about data, and the words that all findings are told in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import polars as pl

Level = Literal["problem", "warning", "note"]
LEVELS: tuple[Level, ...] = ("problem", "warning", "note")

SERIOUS = 0.01
"""Share of a part (0 to 1) above which a leak into it is a problem, below it a warning."""
EXAMPLES = 5
"""How many ids a finding names."""


@dataclass(frozen=True)
class Finding:
    """One thing somebody should know before training on this data."""

    level: Level
    """problem: scores would mislead or training fails; warning: look at it; note: good to know."""
    title: str
    text: str
    """What was found, in sentences with numbers, and what to do about it."""
    count: int
    """How many examples (or labels, where the title is about labels)."""
    examples: tuple[str, ...] = ()
    """Ids, with the part in front where the id does not say it."""


def shared(level: Level, title: str, rows: pl.DataFrame, total: int, part: str, text: str) -> Iterator[Finding]:
    """A finding about these rows of the `total` in `part`, `text` after their number; none without rows."""
    if len(rows):
        yield Finding(level, title, f"{of(len(rows), total)} of {part} {text}", len(rows), ids(rows))


def by_share(count: int, total: int) -> Level:
    """A warning where it is about more than a few, else a note."""
    return "warning" if count > SERIOUS * total else "note"


def of(count: int, total: int) -> str:
    """A number of examples among all, with its share."""
    share = 100 * count / total
    return f"{count:,} of {total:,} examples ({'under 0.1' if share < 0.1 else format(share, '.1f')} %)"


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{count:,} {one if count == 1 else many}"


def ids(rows: pl.DataFrame) -> tuple[str, ...]:
    """The first few ids, as they are shown."""
    return tuple(rows["id"].head(EXAMPLES).to_list())
