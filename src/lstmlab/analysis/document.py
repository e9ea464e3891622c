"""A run written up: problem, model, training, scores, mistakes, what to make of it, and how to get the same again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from lstmlab.analysis import (
    ANALYSES,
    Analysis,
    alignments,
    curves,
    errors,
    forecasts,
    horizons,
    overlap,
    overview,
    prompts,
    sentences,
    standing,
    taggings,
)
from lstmlab.analysis.answers import Answers
from lstmlab.analysis.architecture import context_words, model_words, search_words
from lstmlab.analysis.closing import answered, date_words, duration, notes, reproduce
from lstmlab.analysis.comparison import score_name
from lstmlab.analysis.discussion import assessment, improvements
from lstmlab.analysis.effect import effect
from lstmlab.analysis.outlines import OUTLINES, Pieces, compose, left
from lstmlab.analysis.outputs import Outputs
from lstmlab.analysis.pseudocode import objectives, printed, pseudocode
from lstmlab.analysis.references import references
from lstmlab.analysis.variety import Variety
from lstmlab.errors import Damaged, InputError, unknown
from lstmlab.metrics import format_score
from lstmlab.report import Document, Section, excerpt
from lstmlab.report.text import Value
from lstmlab.tasks.task import SEQ2SEQ
from lstmlab.training.run import Run


@dataclass(frozen=True)
class Wishes:
    """How somebody wants a report; what is None stays as the recipe has it."""

    outline: str | None = None
    prompts: bool | None = None
    title: str | None = None
    author: str | None = None
    course: str | None = None
    recipe: str | None = None
    """Where the command to reproduce finds the recipe."""

    def of(self, run: Run) -> "Wishes":
        """The same, what is open filled in from the run's recipe. Raises InputError for an outline it cannot have."""
        about, report = run.recipe.get("about", {}), run.recipe.get("report", {})
        whole: dict[str, Any] = {"outline": "standard", "prompts": False} | report | about
        told = {name: whole.get(name, "") if value is None else value for name, value in vars(self).items()}
        if told["outline"] not in OUTLINES:
            raise unknown("outline", told["outline"], OUTLINES)
        if told["outline"] == "seq2seq" and run.recipe["task"] not in SEQ2SEQ:
            raise InputError(
                f"outline=seq2seq goes through encoder, decoder and search, and {run.title} is of "
                f"{run.recipe['task']}: take standard, bootcamp or lab-record"
            )
        return Wishes(**told)


def report_wishes(wishes: Mapping[str, Any]) -> Wishes:
    """How a report is wanted. Raises InputError for a wish that no report knows."""
    known = ("outline", "prompts", "title", "author", "course")
    for name in wishes:
        if name not in known:
            raise unknown("setting of a report", name, known)
    return Wishes(**wishes)


def restyled(made: Document, wishes: Wishes) -> Document:
    """The report of a study as somebody wants it. Raises InputError for an outline, which only a run's report has."""
    if wishes.outline is not None:
        raise InputError("an outline orders the report of a run; that of a study has an order of its own")
    sections = [prompts.questioned(section) for section in made.sections] if wishes.prompts else made.sections
    heads = {name: getattr(wishes, name) for name in ("title", "author", "course") if getattr(wishes, name) is not None}
    return replace(made, sections=sections, **heads)


def document(run: Run, wishes: Wishes | None = None) -> Document:
    """The whole report of a run. Its date is the run's, so the same run gives the same bytes."""
    asked = (wishes or Wishes()).of(run)
    summary = run.recipe.get("summary") or run.recipe.get("name") or run.title
    pieces = Pieces(_makers(run, asked), _places())
    assert asked.outline is not None
    sections = compose(asked.outline, pieces)
    if named := references([summary, *sections]):
        sections.append(named)
    if lost := left(pieces.refused, _missing(run)):
        sections.append(lost)
    return Document(
        title=excerpt(asked.title or summary, 200).rstrip("."),
        author=asked.author or "",
        course=asked.course or "",
        subtitle=excerpt(run.recipe.get("summary", ""), 300) if asked.title else "",
        date=_known(lambda: date_words(run.environment["started"])) or "",
        facts=[fact for fact in _facts(run) if not (asked.prompts and fact[0] == "Training")],
        sections=answered(sections),
        most_pages=4,
    )


def _makers(run: Run, asked: Wishes) -> dict[str, Callable[[], Section | None]]:
    """Everything a report can have, by name."""
    shown = {key: one for key, one in ANALYSES.items() if one.reported(run)}
    own = notes(run.folder)  # refused here and now where they cannot be read: nobody's words are left out
    made: dict[str, Callable[[], Section | None]] = {key: partial(_analysed, one, run) for key, one in shown.items()}
    made |= {
        "aim": lambda: Section("Aim", "", overview.aim(run), generated=False),
        "introduction": lambda: introduction(run),
        "preprocessing": lambda: replace(overview.data(run, aimed=False), title="Data and preprocessing"),
        "objectives": lambda: objectives(run),
        "pseudocode": lambda: pseudocode(run),
        "printed": lambda: printed(run),
        "search": lambda: Section("", "", f"Search: {search_words(run)}.", generated=False),
        "fixed": lambda: Section("", "", f"How the context is passed: {context_words(run)}.", generated=False),
        "assessment": lambda: assessment(run),
        "observed": lambda: Section("What the run shows", "", "\n".join(f"- {one}" for one in observations(run))),
        "improvements": lambda: _improvements(run, asked),
        "effect": lambda: _effect(run, asked),
        "notes": lambda: next(iter(own), None),
        "reproduce": lambda: reproduce(run, asked.recipe),
    }
    return {key: partial(_asked, key, make, run) for key, make in made.items()} if asked.prompts else made


def _effect(run: Run, asked: Wishes) -> Section | None:
    """What a study measured, or a question; what nobody measured stands among the next steps."""
    found = effect(run, recipe=asked.recipe)
    return found if asked.prompts or found.generated else None


def _improvements(run: Run, asked: Wishes) -> Section:
    told, found = improvements(run), effect(run, recipe=asked.recipe)
    if found.generated:
        return told
    return replace(told, evidence=f"{told.evidence}\n\n{found.title} is not measured. {found.evidence}")


def _places() -> dict[str, list[str]]:
    """The analyses at each place of a report."""
    found: dict[str, list[str]] = {}
    for key, one in ANALYSES.items():
        if one.place:
            found.setdefault(one.place, []).append(key)
    return found


def _analysed(one: Analysis, run: Run) -> Section | None:
    return (one.brief or one.section)(run) if one.applies(run) else None


def _asked(key: str, make: Callable[[], Section | None], run: Run) -> Section | None:
    section = make()
    return None if section is None else prompts.asked(key, section, run)


def introduction(run: Run) -> Section:
    """The problem, what was built, what came out."""
    told = [excerpt(str(run.recipe.get("summary", "")), 300), overview.aim(run), f"The model: {model_words(run)}."]
    claim = overview.Comparison.of(run).words if overview.has_scores(run) else ""
    return Section("Introduction", claim, " ".join(filter(None, told)))


FILES = {
    "history.jsonl": "the learning curves and what they show are left out",
    "metrics.json": "scores, baselines and everything measured on the test part are left out",
    "predictions.jsonl": "scores and all sections on the model's answers are left out",
    "summary.json": "data, preprocessing, sizes and all that needs them are left out",
    "environment.json": "the date, and how to get the same numbers, are left out",
    "model.safetensors": "what needs the weights themselves is left out: exact sizes in the drawing, gates, gradients",
    "task.json": "what needs the vocabulary or labels is left out",
}
"""Files of a run, and what a report lacks without them."""


def _missing(run: Run) -> dict[str, str]:
    return {name: lost for name, lost in FILES.items() if not _there(run, name)}


def _there(run: Run, name: str) -> bool:
    return (run.folder / name).is_file()


def observations(run: Run) -> list[str]:
    """What the run shows, a sentence each: its score beside the baselines, the verdict, and what else stands out."""
    told = [overview.Comparison.of(run).words] if overview.has_scores(run) else []
    told += [one.sentence for one in curves.judge(run).observations]
    told += [one.sentence for one in [standing.only_short(run)] if one]
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


def _facts(run: Run) -> list[tuple[str, Value]]:
    """The head of a report: what of it the run's files know."""
    name = _known(lambda: excerpt(run.summary["data"]["name"], 60))
    facts: list[tuple[str, Value]] = [("Data", name)] if name else []
    facts.append(("Model", model_words(run)))
    found = _known(lambda: overview.Comparison.of(run) if overview.has_scores(run) else None)
    if found is not None:
        facts.append((f"Test {score_name(found.score)}", format_score(found.score, found.value)))
        if found.rival is not None:
            facts.append(
                ("Best baseline", f"{format_score(found.score, found.rival_value)} ({excerpt(found.rival, 40)})")
            )
    verdict = _known(lambda: curves.judge(run))
    if verdict is not None:
        facts.append(("Training", verdict.kind))
    took = _known(lambda: f"{duration(run.metrics['train_seconds'])} on {run.environment['device']}")
    if run.finished and took:
        facts.append(("Trained in", took))
    return [*facts, ("Run", excerpt(run.title, 80))]


T = TypeVar("T")


def _known(find: Callable[[], T]) -> T | None:
    """What can be found; None without the files it needs, which the report names at its end."""
    try:
        return find()
    except Damaged:
        raise
    except InputError:
        return None
