"""What a report is made of: a document, its sections, their tables and figures."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lstmlab.report.text import Value


@dataclass(frozen=True)
class Table:
    """Rows of text and numbers; a column of numbers is set to the right, with one number of decimals where honest.

    None is a missing value. A column of texts such as "0.85 ± 0.01" or "85.2 %" counts as numbers too. A `minor` table
    is left out of a PDF that would be longer than its document wants.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    note: str = ""
    minor: bool = False

    def __post_init__(self) -> None:
        if not self.columns:
            raise ValueError(f'table "{self.title}" has no columns')
        for row in self.rows:
            if len(row) != len(self.columns):
                sizes = f"{len(self.columns)} columns, but a row of {len(row)}"
                raise ValueError(f'table "{self.title}": {sizes}: {row!r:.200}')


@dataclass(frozen=True)
class Mathematics:
    """Equations in the languages of the formats. Made by this program alone: they are not escaped."""

    latex: str
    mathml: str
    typst: str
    plain: str


@dataclass(frozen=True)
class Figure:
    """A picture, drawn when it is needed: `draw` gets an empty matplotlib Figure and fills it, never through pyplot.
    A drawing that is finished already is given instead as the text of its SVG; only `width` then has a meaning.

    `name` is the files' name, `title` the caption and, with `note`, what is read aloud; sizes are in inches. Labels are
    shown as they are, dollar signs included; mathematics says so: `axes.set_ylabel("$h_t$", parse_math=True)`.
    `equations` stand beside the picture. A `minor` figure is left out where a minor table is.
    """

    name: str
    title: str
    draw: Callable[[Any], object] | str  # Any is a matplotlib.figure.Figure, which only a report that draws imports
    note: str = ""
    width: float = 6.4
    height: float = 3.6
    equations: Mathematics | None = None
    minor: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}", self.name):
            raise ValueError(f"figure {self.name!r}: the name becomes a file's: letters, digits, - and _ only")


@dataclass(frozen=True)
class Section:
    """One finding: a claim in one sentence and its evidence; a section that only tells may leave the claim empty.

    `evidence` is plain text: blank lines part its paragraphs, lines that begin with "- " are a list, lines between two
    ``` are code. Foreign text inside it goes through `excerpt`, which keeps it on one line.

    A section of level 2 stands inside the one of level 1 before it. `questions` are for the reader: below them stands
    the `answer` (written as evidence is), or room for one.
    """

    title: str
    claim: str
    evidence: str
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    questions: Sequence[str] = ()
    answer: str = ""
    level: int = 1
    generated: bool = True
    """Whether rules wrote the claim from numbers, which a report then marks; False where a person did."""

    def __post_init__(self) -> None:
        if self.level not in (1, 2):
            raise ValueError(f'section "{self.title}": level {self.level}, expected 1 or 2')


@dataclass(frozen=True)
class Document:
    """A report: its head, a few facts by name (recipe, data, score), its sections.

    The date is the caller's to give, as text: the same document then has the same bytes tomorrow. A PDF of more than
    `most_pages` is set more closely and then, if need be, without what is minor.
    """

    title: str
    subtitle: str = ""
    author: str = ""
    course: str = ""
    date: str = ""
    sections: Sequence[Section] = ()
    facts: Sequence[tuple[str, Value]] = ()
    language: str = "en"
    most_pages: int | None = None

    def __post_init__(self) -> None:
        # File systems that ignore case would let one figure overwrite another.
        names = [figure.name.lower() for figure in self.figures]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two figures have the same name: {', '.join(twice)}")
        if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", self.language):
            raise ValueError(f"language {self.language!r}: expected a tag such as en, de or pt-BR")

    @property
    def figures(self) -> list[Figure]:
        """All figures, in the order of their numbers."""
        return [figure for section in self.sections for figure in section.figures]
