"""The architecture as a drawn data-flow diagram: from what comes in to the loss, with the shapes of what passes."""

from collections.abc import Callable, Mapping
from typing import Any

from lstmlab.analysis.flow import Flow, draw
from lstmlab.analysis.flow_decoders import encoder_decoder, forecaster
from lstmlab.analysis.flow_parts import Known
from lstmlab.analysis.flow_texts import classifier, language_model, matcher, tagger
from lstmlab.report import Figure
from lstmlab.training.questions import measured
from lstmlab.training.run import Run

FLOWS: dict[str, Callable[[Mapping[str, Any], Known], Flow]] = {
    "classification": classifier,
    "pairs": matcher,
    "tagging": tagger,
    "language-model": language_model,
    "translation": encoder_decoder,
    "dialogue": encoder_decoder,
    "forecasting": forecaster,
}

_LETTERS = {
    "classification": "B texts, T tokens, K classes",
    "pairs": "B pairs, T and S tokens of the two texts, K labels",
    "tagging": "B sentences, T words, K tags",
    "language-model": "B places read side by side, T tokens, V tokens known",
    "translation": "B sentences, S source and T target tokens",
    "dialogue": "B replies, S tokens before and T tokens of a reply",
    "forecasting": "B windows, X numbers a step, C values forecast",
}


def flow(recipe: Mapping[str, Any], known: Known | None = None) -> Flow:
    """What passes through the model of a recipe (a tree of plain values, every default written out)."""
    return FLOWS[recipe["task"]](recipe, known or Known())


def figure(run: Run) -> Figure:
    """The drawing of a run's model, with the sizes its data decided."""
    made = flow(run.recipe, Known.of(run))
    drawn, width = draw(made)
    letters = "B sequences, T steps, K classes" if measured(run) else _LETTERS[run.recipe["task"]]
    note = f"Shapes: {letters}. {made.described}"
    return Figure("dataflow", f"{made.title}.", drawn, note=note, width=width)
