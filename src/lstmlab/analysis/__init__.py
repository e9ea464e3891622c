"""What happened: every analysis takes a Run and returns a Section."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lstmlab.analysis import (
    alignments,
    contributions,
    curves,
    errors,
    forecasts,
    gates,
    gradients,
    horizons,
    internals,
    overlap,
    overview,
    prose,
    residuals,
    sentences,
    taggings,
)
from lstmlab.analysis.cases import Ask
from lstmlab.report import Section
from lstmlab.training.run import Run


@dataclass(frozen=True)
class Analysis:
    """One way of looking at a run, and which runs it is for."""

    section: Callable[[Run], Section]
    applies: Callable[[Run], bool]
    why_not: Callable[[Run], str] = lambda run: ""
    """Of a finished run that it is not for, the reason, where there is more to say than that."""
    asked: Callable[[Run, Ask], Section] | None = None
    """The same of the example, or the text, that somebody names."""
    place: Literal["", "written", "judged", "inside"] = ""
    """Where reports have it: among what the model has `written`, how it is `judged`, or what is `inside` it. Without a
    place only `explain` has it, and the outlines that name it."""
    reported: Callable[[Run], bool] = lambda run: True
    """Whether a report on this run has room for it."""
    brief: Callable[[Run], Section] | None = None
    """As the standard report has it, where it is shorter there."""


ANALYSES: dict[str, Analysis] = {
    "data": Analysis(overview.data, lambda run: True),
    "model": Analysis(overview.model, lambda run: True),
    "settings": Analysis(overview.settings, lambda run: True),
    "curves": Analysis(curves.section, lambda run: True),
    "scores": Analysis(overview.scores, overview.has_scores),
    "errors": Analysis(errors.section, errors.applies, place="judged"),
    "overlap": Analysis(overlap.section, overlap.applies, place="judged"),
    "mistakes": Analysis(taggings.section, taggings.applies, place="judged"),
    "text": Analysis(prose.section, prose.applies, place="written"),
    "translations": Analysis(sentences.section, sentences.translates, place="written"),
    "replies": Analysis(sentences.section, sentences.replies, place="written"),
    "attention": Analysis(alignments.section, alignments.applies, alignments.why_not, place="inside"),
    "feedback": Analysis(forecasts.section, forecasts.applies, place="written"),
    "forecasts": Analysis(horizons.section, horizons.applies, place="written"),
    "residuals": Analysis(residuals.section, residuals.applies, place="judged"),
    "gates": Analysis(
        gates.section,
        internals.applies,
        internals.why_not,
        gates.section,
        place="inside",
        reported=gates.reported,
        brief=gates.brief,
    ),
    "gradients": Analysis(gradients.section, internals.applies, internals.why_not),
    "contributions": Analysis(
        contributions.section, contributions.applies, contributions.why_not, contributions.section
    ),
}
