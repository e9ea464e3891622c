"""The same sections in the order of a report, of an assignment, of a lab record, or task by task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lstmlab.errors import Damaged, InputError
from lstmlab.report import Section, excerpt

END = ("notes", "reproduce")


@dataclass(frozen=True)
class Chapter:
    """Sections under one heading: side by side as its parts, or `merged` into one. Without a title a lone section keeps
    its own, and several stand for themselves. A key may be a place, which stands for all that is there."""

    title: str
    keys: tuple[str, ...]
    merged: bool = False


OUTLINES: dict[str, tuple[Chapter, ...]] = {
    "standard": (
        Chapter("", ("data", "model")),
        Chapter("Training", ("settings", "curves"), merged=True),
        Chapter("", ("scores", "written", "judged", "inside", "assessment", "effect", "improvements")),
        Chapter("", END),
    ),
    "bootcamp": (
        Chapter("Introduction", ("introduction",)),
        Chapter("Data and preprocessing", ("preprocessing",)),
        Chapter("Model architecture", ("model",)),
        Chapter("Training and hyper-parameters", ("settings", "curves"), merged=True),
        Chapter("Results", ("scores", "written", "inside")),
        Chapter("Analysis: what it does well and badly", ("judged", "assessment")),
        Chapter("Observations", ("observed", "effect")),
        Chapter("Improvements and next steps", ("improvements",)),
        Chapter("", END),
    ),
    "lab-record": (
        Chapter("Aim", ("aim",)),
        Chapter("Objectives", ("objectives",)),
        Chapter("Description", ("preprocessing", "model", "settings")),
        Chapter("Pseudocode", ("pseudocode",)),
        Chapter("Output", ("printed", "curves", "written", "inside")),
        Chapter("Observation", ("judged", "assessment", "effect")),
        Chapter("Result", ("scores", "improvements")),
        Chapter("", END),
    ),
    "seq2seq": (
        Chapter("The data and their preprocessing", ("data",)),
        Chapter("Encoder and decoder", ("model",)),
        Chapter("Training with teacher forcing", ("settings", "curves"), merged=True),
        Chapter("Decoding, and how good the outputs are", ("search", "scores", "written")),
        Chapter("Attention", ("fixed", "inside")),
        Chapter("Discussion", ("judged", "assessment", "effect", "improvements")),
        Chapter("", END),
    ),
}  # fmt: skip


@dataclass
class Pieces:
    """Sections by name, each made when it is asked for, once. One that cannot be made is noted with the reason."""

    makers: Mapping[str, Callable[[], Section | None]]
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Which of them are at each place, in their order."""
    refused: dict[str, str] = field(default_factory=dict)
    _made: dict[str, Section | None] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Section | None:
        if key not in self._made:
            self._made[key] = self._make(key)
        return self._made[key]

    def _make(self, key: str) -> Section | None:
        try:
            return self.makers[key]() if key in self.makers else None
        except Damaged:
            raise
        except InputError as error:
            self.refused[key] = str(error)
        except KeyError as error:  # a file that is there, and lacks what every run writes
            raise Damaged(f"the run's files have no {error}: damaged, or written by another version") from error
        return None


def compose(outline: str, pieces: Pieces) -> list[Section]:
    """The sections in an outline's order. What is missing leaves no gap, and no empty heading."""
    found: list[Section] = []
    for chapter in OUTLINES[outline]:
        keys = [key for told in chapter.keys for key in pieces.places.get(told, (told,))]
        there = [section for key in keys if (section := pieces[key]) is not None]
        if not chapter.title:
            found += there
        elif chapter.merged and there:
            found.append(_merged(chapter.title, there))
        elif len(there) == 1:
            found.append(replace(there[0], title=chapter.title))
        elif there:
            lead, rest = _led(there)
            found.append(replace(lead, title=chapter.title) if lead else Section(chapter.title, "", ""))
            found += [replace(section, level=2) for section in rest]
    return found


def _led(sections: Sequence[Section]) -> tuple[Section | None, Sequence[Section]]:
    """A first section that only tells stands directly below its chapter's heading."""
    first = sections[0]
    return (first, sections[1:]) if not first.title else (None, sections)


def _merged(title: str, sections: Sequence[Section]) -> Section:
    """Several sections as one: the last claim, everything else in order."""
    claims = [section.claim for section in sections if section.claim]
    return replace(
        sections[-1],
        title=title,
        claim=claims[-1] if claims else "",
        evidence="\n\n".join(filter(None, (section.evidence for section in sections))),
        tables=[table for section in sections for table in section.tables],
        figures=[figure for section in sections for figure in section.figures],
    )


def left(refused: Mapping[str, str], missing: Mapping[str, str]) -> Section | None:
    """What is not in the report, and why."""
    told = [f"{name} is not in the run's folder: {lost}." for name, lost in missing.items()]
    told += [f"{TITLES.get(key, key)}: {excerpt(reason, 300).rstrip('.')}." for key, reason in refused.items()]
    if not told:
        return None
    return Section("Left out", "", "\n".join(f"- {one}" for one in told), generated=False)


TITLES = {
    "data": "Problem and data", "model": "Model", "settings": "Hyper-parameters", "curves": "Training",
    "scores": "Scores", "errors": "Errors", "translations": "What it writes", "replies": "What it writes",
    "text": "The text", "attention": "Attention", "gates": "Gates", "assessment": "Observations",
    "improvements": "Improvements and next steps", "effect": "The effect of the architecture",
    "reproduce": "How to reproduce", "introduction": "Introduction", "preprocessing": "Data and preprocessing",
    "printed": "What the program printed", "observed": "Observations",
}  # fmt: skip
