"""What every report ends with: the author's own words, and how to get the same numbers again."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from lstmlab.analysis.architecture import listed
from lstmlab.errors import InputError
from lstmlab.report import Section, excerpt
from lstmlab.training.run import Run

NOTES = "notes.md"


def date_words(started: str) -> str:
    """2026-02-03T04:05:06+0000 as 3 February 2026, in English whatever the computer's language."""
    months = ("January February March April May June July August September October November December").split()
    try:
        day = datetime.strptime(started[:10], "%Y-%m-%d")
    except ValueError:
        return excerpt(started, 40)
    return f"{day.day} {months[day.month - 1]} {day.year}"


def duration(seconds: float) -> str:
    """75 → 1 min 15 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def notes(folder: Path) -> list[Section]:
    """The author's own words, where the folder of a run or study has them."""
    path = folder / NOTES
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: notes are UTF-8 text; byte {error.start} is not. Save the file as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    return [Section("Notes", "In the author's own words.", text, generated=False)] if text else []


HEADING = re.compile(r"#{1,6}[ \t]+(.+?)[ \t#]*$")


def answered(sections: Sequence[Section]) -> list[Section]:
    """What stands in the notes under the title of a section goes into that section, of two with one title into the
    chapter; the rest stays where notes are."""
    text = next((section.evidence for section in sections if section.title == "Notes"), "")
    owners: dict[str, int] = {}
    for at, section in sorted(enumerate(sections), key=lambda one: one[1].level):
        if section.title not in ("", "Notes"):
            owners.setdefault(section.title.casefold(), at)
    found: dict[int, list[str]] = {}
    rest = []
    for title, body in _headed(text):
        if title.casefold() in owners:
            found.setdefault(owners[title.casefold()], []).append(body)
        else:
            rest.append(f"{title}:\n{body}" if title else body)
    made = [
        replace(one, evidence="\n\n".join(filter(None, rest)))
        if one.title == "Notes"
        else replace(one, answer="\n\n".join(found.get(at, [])))
        for at, one in enumerate(sections)
    ]
    return [one for one in made if one.title != "Notes" or one.evidence]


def _headed(text: str) -> list[tuple[str, str]]:
    """The parts of a text with their headings, none for what is before the first. Between ``` nothing is a heading."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    code = False
    for line in text.split("\n"):
        code ^= line.startswith("```")
        heading = None if code else HEADING.match(line)
        if heading:
            parts.append((heading[1], []))
        else:
            parts[-1][1].append(line)
    return [(title, "\n".join(lines).strip()) for title, lines in parts]


# ---- The same again


def reproduce(run: Run, recipe: str | None = None) -> Section:
    """The command, and everything the numbers depend on."""
    told, training = run.environment, run.recipe["training"]
    if training.get("minutes"):
        claim = "One command trains this model again for the same time, which elsewhere may hold more steps or fewer."
    elif str(told["device"]) != "cpu":
        claim = "One command trains this model again; on a GPU sums are added in changing order, so digits may differ."
    else:
        claim = "One command trains this model again, to the same numbers on the same machine."
    versions = {"Python": told.get("python", ""), **told.get("versions", {})}
    told_versions = listed([excerpt(f"{name} {version}", 60) for name, version in versions.items()])
    threads = told["threads"]
    facts = [f"Seed {told['seed']}, device {told['device']}, {threads} thread{'s' * (threads != 1)}; {told_versions}."]
    if run.finished:
        facts.append(f"Training took {duration(run.metrics['train_seconds'])}, everything together "
                     f"{duration(run.metrics['total_seconds'])}.")  # fmt: skip
    commit = told.get("git_commit")
    by = f" by: {excerpt(str(told['command']), 300)}" if told.get("command") else "."
    at = f" at git commit {str(commit)[:12]}" if commit else ""
    facts.append(
        "Equal numbers need equal versions, device and number of threads; elsewhere they agree closely, but not to the "
        "last digit."
    )
    again = f"lstmlab train {shlex.quote(recipe or str(run.folder / 'recipe.yaml'))}"
    started = f"Started {excerpt(str(told['started']), 40)}{at}{by}"
    lines = ["```", excerpt(again, 400), "```", "", " ".join([*facts, started])]
    return Section("How to reproduce", claim, "\n".join(lines))
