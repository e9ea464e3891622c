"""A run written up: problem, model, training, scores, mistakes, what to make of it, and how to get the same again."""

import shlex
from datetime import datetime

from lstmlab.analysis import (
    ANALYSES,
    alignments,
    curves,
    errors,
    forecasts,
    horizons,
    overlap,
    overview,
    sentences,
    taggings,
)
from lstmlab.analysis.answers import Answers
from lstmlab.analysis.architecture import listed, model_words
from lstmlab.analysis.discussion import discussion
from lstmlab.analysis.outputs import Outputs
from lstmlab.analysis.variety import Variety
from lstmlab.errors import InputError
from lstmlab.metrics import SCORES, format_score
from lstmlab.report import Document, Section, excerpt
from lstmlab.report.text import Value
from lstmlab.training.run import Run

NOTES = "notes.md"


def document(run: Run) -> Document:
    """The whole report of a run. Its date is the run's, so the same run gives the same bytes."""
    recipe = run.recipe
    about = recipe.get("about", {})
    title = about.get("title") or recipe.get("summary") or recipe.get("name") or run.title
    sections = [one.section(run) for one in ANALYSES.values() if one.applies(run)]
    return Document(
        title=excerpt(title, 200).rstrip("."),
        author=about.get("author", ""),
        course=about.get("course", ""),
        subtitle=excerpt(recipe.get("summary", ""), 300) if about.get("title") else "",
        date=_date(run.environment["started"]),
        facts=_facts(run),
        sections=[*sections, discussion(run), *_notes(run), reproduce(run)],
    )


def observations(run: Run) -> list[str]:
    """What the run shows, a sentence each: its score beside the baselines, the verdict, and what else stands out."""
    told = [overview.Comparison.of(run).words] if overview.has_scores(run) else []
    told.append(curves.judge(run).sentence)
    if errors.applies(run):
        answers = Answers.of(run)
        told.append(errors.claim(answers))
        if answers.ill_calibrated:
            told.append(errors.calibration_words(answers))
    if overlap.applies(run):
        told.append(overlap.claim(overlap.Judged.of(run)))
    if forecasts.applies(run):
        told.append(forecasts.held_words(forecasts.Forecasts.of(run)))
    if horizons.applies(run):
        told += [horizons.claim(horizons.Ahead.of(run)), horizons.copy_words(horizons.Ahead.of(run))]
    if taggings.applies(run):
        mistakes = taggings.Taggings.of(run)
        told += [taggings.claim(mistakes), *filter(None, [taggings.seen_words(mistakes)])]
    if sentences.translates(run):
        told.append(sentences.summary(run, Outputs.of(run)))
    if sentences.replies(run):
        told.append(Variety.of(run).words)
    if alignments.applies(run):
        told.append(alignments.summary(run))
    return told


def _date(started: str) -> str:
    """2026-02-03T04:05:06+0000 as 3 February 2026, in English whatever the computer's language."""
    months = ("January February March April May June July August September October November December").split()
    try:
        day = datetime.strptime(started[:10], "%Y-%m-%d")
    except ValueError:
        return excerpt(started, 40)
    return f"{day.day} {months[day.month - 1]} {day.year}"


def _facts(run: Run) -> list[tuple[str, Value]]:
    facts: list[tuple[str, Value]] = [
        ("Data", excerpt(run.summary["data"]["name"], 60)),
        ("Model", model_words(run)),
    ]
    if overview.has_scores(run):
        found = overview.Comparison.of(run)
        facts.append((f"Test {_title(found.score)}", format_score(found.score, found.value)))
        if found.rival is not None:
            facts.append(
                ("Best baseline", f"{format_score(found.score, found.rival_value)} ({excerpt(found.rival, 40)})")
            )
    facts.append(("Training", curves.judge(run).kind))
    if run.finished:
        facts.append(("Trained in", f"{_duration(run.metrics['train_seconds'])} on {run.environment['device']}"))
    return [*facts, ("Run", excerpt(run.title, 80))]


def _title(score: str) -> str:
    title = SCORES[score].title
    # BLEU, chrF and sMAPE keep their case.
    return title if any(letter.isupper() for letter in title[1:]) else title.lower()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _notes(run: Run) -> list[Section]:
    """The author's own words, where the run's folder has them."""
    path = run.folder / NOTES
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: notes are UTF-8 text; byte {error.start} is not. Save the file as UTF-8") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    return [Section("Notes", "In the author's own words.", text)] if text else []


# ---- The same again


def reproduce(run: Run) -> Section:
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
        facts.append(f"Training took {_duration(run.metrics['train_seconds'])}, everything together "
                     f"{_duration(run.metrics['total_seconds'])}.")  # fmt: skip
    commit = told.get("git_commit")
    by = f" by: {excerpt(str(told['command']), 300)}" if told.get("command") else "."
    at = f" at git commit {str(commit)[:12]}" if commit else ""
    facts.append(
        "Equal numbers need equal versions, device and number of threads; elsewhere they agree closely, but not to the "
        "last digit."
    )
    again = f"lstmlab train {shlex.quote(str(run.folder / 'recipe.yaml'))}"
    started = f"Started {excerpt(str(told['started']), 40)}{at}{by}"
    lines = ["```", excerpt(again, 400), "```", "", " ".join([*facts, started])]
    return Section("How to reproduce", claim, "\n".join(lines))
