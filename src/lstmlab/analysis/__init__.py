"""What happened: every analysis takes a Run and returns a Section."""

from collections.abc import Callable
from dataclasses import dataclass

from lstmlab.analysis import (
    alignments,
    curves,
    errors,
    forecasts,
    horizons,
    overlap,
    overview,
    prose,
    residuals,
    sentences,
    taggings,
)
from lstmlab.report import Section
from lstmlab.training.run import Run


@dataclass(frozen=True)
class Analysis:
    """One way of looking at a run, and which runs it is for."""

    section: Callable[[Run], Section]
    applies: Callable[[Run], bool]


ANALYSES: dict[str, Analysis] = {
    "data": Analysis(overview.data, lambda run: True),
    "model": Analysis(overview.model, lambda run: True),
    "curves": Analysis(curves.section, lambda run: True),
    "scores": Analysis(overview.scores, overview.has_scores),
    "errors": Analysis(errors.section, errors.applies),
    "overlap": Analysis(overlap.section, overlap.applies),
    "mistakes": Analysis(taggings.section, taggings.applies),
    "text": Analysis(prose.section, prose.applies),
    "translations": Analysis(sentences.section, sentences.translates),
    "replies": Analysis(sentences.section, sentences.replies),
    "attention": Analysis(alignments.section, alignments.applies),
    "feedback": Analysis(forecasts.section, forecasts.applies),
    "forecasts": Analysis(horizons.section, horizons.applies),
    "residuals": Analysis(residuals.section, residuals.applies),
}
