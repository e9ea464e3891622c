"""The score of one answer of a model, as a function of what it read: what contributions are shares of.

Letters in shapes: P versions of what is read, S steps, F numbers of a step; an answer has one value (_) for each.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lstmlab.analysis.cases import Case
from lstmlab.analysis.internals import Subject
from lstmlab.data.grades import Grades
from lstmlab.data.labels import LabelSet
from lstmlab.errors import InputError
from lstmlab.nn.attribution import Score, feeding, spread, vectors_read
from lstmlab.nn.forecaster import Forecaster
from lstmlab.nn.language_model import LanguageModel
from lstmlab.nn.tagger import Tagger
from lstmlab.report import excerpt
from lstmlab.tasks.classification import TextClassification
from lstmlab.tasks.forecasting import Forecasting
from lstmlab.tasks.language_model import LanguageModelling
from lstmlab.tasks.pairs import SentencePairs
from lstmlab.tasks.tagging import Tagging
from lstmlab.types import Batch, Padded


@dataclass(frozen=True)
class Answer:
    """What is explained: its name, and its value for each row of a batch, or of copies of it."""

    name: str
    value: Callable[[Batch], Float[Tensor, "_"]]
    place: int | None = None
    """Which step it is the answer of, counted from 0; None where it is of the whole."""


def answer(subject: Subject, case: Case) -> Answer:
    """What the model says of an example: the likeliest label, tag or next token, the score, the first step forecast.

    Of taggers the tag of the word at `case.at`, or of the word the model is least sure of; of language models the token
    after the one at `case.at`, or after the last.
    """
    task, model = subject.task, subject.model
    if isinstance(model, Tagger):
        return _tag(subject, model, case)
    if isinstance(model, LanguageModel):
        return _next(subject, model, case)
    if case.at is not None:
        raise InputError(f"--at {case.at} would have no effect: a run of {task.name} answers once, of all that it read")
    if isinstance(model, Forecaster):
        return _forecast(subject, model, case)
    assert isinstance(task, TextClassification | SentencePairs)
    if isinstance(task, SentencePairs) and isinstance(task.kinds, Grades):
        points = torch.tensor(task.kinds.points)
        return Answer("the score", lambda batch: task.outputs(model, batch).softmax(1) @ points)

    def probabilities(batch: Batch) -> Tensor:
        logits = task.outputs(model, batch)
        return (torch.cat([torch.zeros_like(logits), logits], 1) if logits.shape[1] == 1 else logits).softmax(1)

    with torch.no_grad():
        label = int(probabilities(case.batch)[0].argmax())
    kinds = task.labels if isinstance(task, TextClassification) else task.kinds
    assert isinstance(kinds, LabelSet)
    names = kinds.names
    return Answer(f"P(“{excerpt(str(names[label]), 30)}”)", lambda batch: probabilities(batch)[:, label])


def _tag(subject: Subject, model: Tagger, case: Case) -> Answer:
    assert isinstance(subject.task, Tagging)

    def told(batch: Batch) -> Tensor:
        assert batch.second is not None
        return model.probabilities(model(batch.inputs, batch.second))

    with torch.no_grad():
        all_tags = told(case.batch)[0]
    place = int(all_tags.max(1).values.argmin()) if case.at is None else case.at - 1
    tag = int(all_tags[place].argmax())
    name = f"P({subject.task.tags[tag]}) of “{case.flat[place]}”, word {place + 1}"
    return Answer(name, lambda batch: told(batch)[:, place, tag], place=place)


def _next(subject: Subject, model: LanguageModel, case: Case) -> Answer:
    assert isinstance(subject.task, LanguageModelling)
    place = len(case.flat) - 1 if case.at is None else case.at - 1

    def told(batch: Batch) -> Tensor:
        return model.logits(model.read(batch.inputs)[0][:, place]).softmax(1)

    with torch.no_grad():
        token = int(told(case.batch)[0].argmax())
    (name,) = subject.task.encoder.tokens([token])
    shown = name.replace("\n", "⏎").replace(" ", "␣") or "␣"
    return Answer(f"P(next is “{excerpt(shown, 24)}”)", lambda batch: told(batch)[:, token], place=place)


def _forecast(subject: Subject, model: Forecaster, case: Case) -> Answer:
    task, series = subject.task, case.batch.series
    assert isinstance(task, Forecasting)
    at_once = model.settings.strategy in ("direct", "parallel")
    # A series that training never saw has no scale of its own among those that were saved.
    who = -1 if series is None else int(series[0])
    scaler = task.scalers.values
    mean, deviation = (float(scaler.mean[who, 0]), float(scaler.deviation[who, 0])) if who >= 0 else (0.0, 1.0)

    def told(batch: Batch) -> Tensor:
        ahead = None if batch.second is None else batch.second.values
        said = model(batch.inputs, model.sizes.horizon if at_once else 1, ahead=ahead, series=batch.series)
        return model.settings.middle(said)[:, 0, 0] * deviation + mean

    units = "" if who >= 0 else " in scaled units"
    return Answer(f"the forecast of the next step{units}", told)


def scoring(subject: Subject, case: Case, asked: Answer) -> tuple[Score, Float[Tensor, "S F"]]:
    """The answer's score as a function of what is read, and what was read: numbers as they are, tokens as vectors."""
    batch = case.batch
    if batch.inputs.values.is_floating_point():

        def of_numbers(given: Float[Tensor, "P S F"]) -> Tensor:
            copied = copies(batch, len(given))
            return asked.value(replace(copied, inputs=Padded(given, copied.inputs.lengths)))

        return of_numbers, batch.inputs.values[0]
    # What a composing second stack reads, or a stack called again for what it forecast, follows from these passes.
    passes = vectors_read(subject.stack, lambda: asked.value(batch))[: len(case.names)]

    def of_tokens(given: Float[Tensor, "P S F"]) -> Tensor:
        with feeding(subject.stack, spread(given, passes)):
            return asked.value(copies(batch, len(given), spelled=isinstance(subject.model, Tagger)))

    return of_tokens, torch.cat([one.values[one.mask] for one in passes])


def copies(batch: Batch, count: int, *, spelled: bool = False) -> Batch:
    """A batch of one example, `count` times. `spelled` says that its second input is the spelling of its different
    words, which all copies share."""

    def many(value: Tensor) -> Tensor:
        return value.repeat(count, *[1] * (value.dim() - 1))

    def repeated(one: Padded | None) -> Padded | None:
        return None if one is None else Padded(many(one.values), many(one.lengths))

    inputs = repeated(batch.inputs)
    assert inputs is not None
    return Batch(
        inputs,
        None if batch.targets is None else many(batch.targets),
        many(batch.index),
        second=batch.second if spelled else repeated(batch.second),
        series=None if batch.series is None else many(batch.series),
    )
