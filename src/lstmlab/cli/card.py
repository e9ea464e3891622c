"""cells card: a cell put through everything, as one page."""

import os
import re
import shutil
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lstmlab.cli.console import Console
from lstmlab.errors import InputError

if TYPE_CHECKING:
    from lstmlab.analysis.card import Card
    from lstmlab.report import Document

MOST = 15.0
"""Minutes that a card may take."""


def make(name: str, output: Path | None, minutes: float | None, quick: bool) -> None:
    """Measure, then write the card into a folder that appears whole or not at all."""
    if quick and minutes is not None:
        raise InputError("--minutes would have no effect: --quick takes seconds")
    if minutes is not None and not 0 < minutes <= MOST:
        raise InputError(f"--minutes {minutes:g}: expected more than 0 and at most {MOST:g}")
    from lstmlab.analysis.card import examine
    from lstmlab.analysis.trial import Plan
    from lstmlab.cells import find_cell

    cell = find_cell(name)
    folder = output or _place(cell.name)
    _refuse_full(folder)
    plan = Plan.brief() if quick else Plan(minutes=minutes) if minutes is not None else Plan()
    with Console() as console:
        console.line(f"The card of {cell.name}: {'a quick look' if quick else f'about {plan.minutes:g} minutes'}.")
        found = examine(cell, plan, console.say)
        console.activity("writing")
        today = date.today()
        _write(found.document(f"{today.day} {today:%B %Y}"), folder)
        console.line(f"{cell.name}: {_laws(found)}\n{folder / 'report.pdf'}, report.html, report.md")


def _laws(card: "Card") -> str:
    told = [
        f"  {one.law}: {one.problem or f'{one.worst:.1e}, allowed {one.allowed:.1e}'} ({one.kernel})"
        for one in card.broken
    ]
    return "\n".join([f"{len(told)} of {len(card.findings)} laws are broken:", *told]) if told else "all laws hold."


def _place(name: str) -> Path:
    """cards/NAME/DATE-TIME in the folder one works in."""
    word = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "cell"
    return Path("cards", word, time.strftime("%Y%m%d-%H%M%S"))


def _refuse_full(folder: Path) -> None:
    """Before minutes of measuring: a folder that holds something is left as it is."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--output {folder} exists already and is not an empty folder; choose another name")


def _write(document: "Document", folder: Path) -> None:
    """Beside its place first, so that an interrupt leaves no half of a card behind."""
    from lstmlab.report import write

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".card-", dir=folder.parent))
        try:
            write(document, aside)
            aside.chmod(0o755)
            if folder.exists():
                folder.rmdir()
            os.replace(aside, folder)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
    except OSError as error:
        raise InputError(f"--output {folder}: the card cannot be written there ({error.strerror or error})") from error
