"""What happened: every analysis takes a Run and returns a Section."""

from collections.abc import Callable
from dataclasses import dataclass

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
    reported: Callable[[Run], bool] = lambda run: True
    """Whether the standard report has it, which has room for so much."""
    brief: Callable[[Run], Section] | None = None
    """As the standard report has it, where it is shorter there."""


ANALYSES: dict[str, Analysis] = {
    "data": Analysis(overview.data, lambda run: True),
    "model": Analysis(overview.model, lambda run: True),
    "settings": Analysis(overview.settings, lambda run: True),
    "curves": Analysis(curves.section, lambda run: True),
    "scores": Analysis(overview.scores, overview.has_scores),
    "errors": Analysis(errors.section, errors.applies),
    "overlap": Analysis(overlap.section, overlap.applies),
    "mistakes": Analysis(taggings.section, taggings.applies),
    "text": Analysis(prose.section, prose.applies),
    "translations": Analysis(sentences.section, sentences.translates),
    "replies": Analysis(sentences.section, sentences.replies),
    "attention": Analysis(alignments.section, alignments.applies, alignments.why_not),
    "feedback": Analysis(forecasts.section, forecasts.applies),
    "forecasts": Analysis(horizons.section, horizons.applies),
    "residuals": Analysis(residuals.section, residuals.applies),
    "gates": Analysis(gates.section, internals.applies, internals.why_not, gates.section, gates.reported, gates.brief),
    "gradients": Analysis(gradients.section, internals.applies, internals.why_not, reported=lambda run: False),
    "contributions": Analysis(
        contributions.section,
        contributions.applies,
        contributions.why_not,
        contributions.section,
        reported=lambda run: False,
    ),
}
