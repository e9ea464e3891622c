"""The inside of a finished run: its model restored, examples of its test part, and one of them looked at step by step.

What is looked at is the first layer of the recurrent stack, forwards; of translators the encoder.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import nn

from lstmlab.analysis import steps
from lstmlab.analysis.architecture import setting
from lstmlab.analysis.cases import ANY, Ask, Case
from lstmlab.data.corpus import Part
from lstmlab.data.load import Watch
from lstmlab.errors import InputError, nearest
from lstmlab.nn.encoder_decoder import EncoderDecoder
from lstmlab.nn.forecaster import Forecaster
from lstmlab.nn.recurrent import Recurrent
from lstmlab.nn.tagger import Tagger
from lstmlab.nn.watching import Reading, watching
from lstmlab.tasks.forecasting import Forecasting
from lstmlab.tasks.language_model import LanguageModelling
from lstmlab.tasks.task import Task
from lstmlab.training import questions
from lstmlab.training.inference import Predictor
from lstmlab.training.run import Run
from lstmlab.types import Batch, Example, Padded

DRAWN = 48
"""Steps of an example that is chosen to be drawn, at most, where there is one so short."""
STRETCH, STRETCHES = 60, 7
"""Tokens of a text that a language model is shown, and how many such texts."""


def why_not(run: Run) -> str:
    """Why there is nothing to look into; empty where there is."""
    kind = setting(run, "model.encoder.kind") or "recurrent"
    if kind != "recurrent":
        return f"its encoder is a {kind} (model.encoder.kind={kind}), which has no gates and carries no state"
    if not (run.folder / "model.safetensors").is_file():
        return f"{run.folder} has no model.safetensors, and the weights are what would be looked at"
    return ""


def refusal(run: Run, reason: str) -> InputError:
    """The reason as an error about this run."""
    return InputError(f"{run.title} cannot be looked into: {reason}")


def applies(run: Run) -> bool:
    """Whether the run has a recurrent stack and its weights."""
    return run.finished and not why_not(run)


@dataclass(frozen=True)
class Subject:
    """Task and model of a run on the processor, in evaluation, and its test examples."""

    run: Run
    task: Task
    model: nn.Module
    examples: Sequence[Example] | Part
    rows: list[dict[str, Any]] = field(default_factory=list)
    """What the run answered to these examples, where that is written down for each."""

    @classmethod
    def of(cls, run: Run) -> "Subject":
        """Restored once for all analyses of a Run object. Raises InputError where there is nothing to look into."""
        held = vars(run)
        if "_subject" not in held:
            if reason := why_not(run):
                raise refusal(run, reason)
            held["_subject"] = cls._restored(run)
        return held["_subject"]

    @classmethod
    def _restored(cls, run: Run) -> "Subject":
        found = Predictor.of(run, "cpu")
        task, model = found.task, found.model.eval()
        if isinstance(task, LanguageModelling):
            texts = steps.passage(task, _passage(run), STRETCH, STRETCHES)
            return cls(run, task, model, [Example(f"passage/{at}", text) for at, text in enumerate(texts, 1)])
        if isinstance(task, Forecasting):
            # What a forecaster reads may be several columns, of which predictions tell one.
            data = task.load(task.recipe, Watch())
            run.refuse_changed(data.source)
            return cls(run, task, model, data.test if data.test is not None else [])
        rows = [row for row in run.predictions if not questions.blank(row["input"])]
        return cls(run, task, model, [Example(row["id"], row["input"], row.get("target")) for row in rows], rows)

    @property
    def stack(self) -> Recurrent:
        """The recurrent stack that reads the inputs."""
        found = getattr(self.model, "encoder", None) or getattr(self.model, "layers", None)
        if not isinstance(found, Recurrent):
            raise InputError(f"{self.run.title}: what reads its inputs is no recurrent stack")
        return found

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """About how many steps each example has."""
        if isinstance(self.examples, Part) and not len(self.examples):
            return np.zeros(0, np.int64)
        if isinstance(self.task, Forecasting):
            return np.full(len(self.examples), len(steps.steps(self.task, None)[0]))
        letters = setting(self.run, "text.level") == "character"
        return np.array([_size(example.inputs, letters) for example in self.examples], np.int64)

    def case(self, ask: Ask = ANY) -> Case:
        """The example that was asked for. Raises InputError where there is none, with the nearest id."""
        if ask.example and ask.texts:
            raise InputError("--example names an example of the test part and --text gives one's own: take one of them")
        if ask.texts:
            if steps.numeric(self.task):
                raise InputError("--text is for runs that read text, and this one reads numbers: take --example ID")
            given = questions.parse_typed(self.run, ask.texts)
            if len(given) != 1:
                raise InputError(f"one text at a time, got {len(given)}")
            return self._opened([Example("the text", given[0])], "", ask.at)
        at = self._place(ask.example) if ask.example else self.typical()
        said = self.rows[at].get("prediction") if self.rows else None
        return self._opened(self.window(np.array([at])), said if isinstance(said, str) else "", ask.at)

    def _place(self, name: str) -> int:
        ids = [example.id for example in self.examples]
        if name in ids:
            return ids.index(name)
        close = nearest(name, ids) or ids[:1]
        hint = f' Did you mean "{close[0]}"?' if close else ""
        raise InputError(f'{self.run.title}: no example "{name}" among the {len(ids):,} that can be shown.{hint}')

    def typical(self) -> int:
        """Of the examples the model got right the one of the most usual length, or the longest that is well drawn."""
        if not len(self.examples):
            raise InputError(f"{self.run.title}: its test part is empty, so that there is no example: take --text")
        right = [at for at, row in enumerate(self.rows) if row.get("prediction") == row.get("target")]
        among = np.array(right or range(len(self.examples)))
        # What is cut into segments is best seen where it is one.
        room = min(DRAWN, 0.8 * (setting(self.run, "model.segment_length") or DRAWN * 2))
        wanted = min(float(np.median(self.sizes)), room)
        return int(among[np.abs(self.sizes[among] - wanted).argmin()])

    def _opened(self, one: Sequence[Example] | Part, said: str, at: int | None) -> Case:
        example = one[0]
        names = steps.steps(self.task, example.inputs)
        count = sum(map(len, names))
        if not count:
            raise InputError(f"{self.run.title}: nothing is read of {example.id}, which is empty")
        if at is not None and not 1 <= at <= count:
            raise InputError(f"--at {at}: the example has {count} {steps.words(self.task)[1]}, counted from 1")
        batch = self.batch(one)
        if isinstance(self.task, LanguageModelling):
            # The last token is read too, though nothing after it is known.
            ids = torch.cat([batch.inputs.values[:, :1], batch.wanted], 1)
            batch = replace(batch, inputs=Padded(ids, batch.inputs.lengths + 1), targets=torch.zeros_like(ids))
        return Case(example, batch, names, said, at)

    def batch(self, examples: Sequence[Example] | Part) -> Batch:
        """Examples as the model is given them."""
        return self.task.collate(self.task.encode(examples, "the test part"), np.arange(len(examples)))

    def window(self, places: NDArray[np.int64]) -> Sequence[Example] | Part:
        """The examples at these places."""
        if isinstance(self.examples, Part):
            return self.examples.take(places)
        return [self.examples[at] for at in places]

    def some(self, most: int, budget: float) -> NDArray[np.int64]:
        """Places of up to `most` examples, evenly spread over the test part, so many that their steps, times the units
        of the stack, stay within the budget. The longest are left out.
        """
        units = self.stack.hidden_size
        usual = np.quantile(self.sizes, 0.95) if len(self.sizes) else 0
        places = np.flatnonzero(self.sizes <= max(min(usual, budget / units / 8), self.sizes.min(initial=0)))
        longest = max(int(self.sizes[places].max(initial=1)), 1)
        count = min(most, len(places), max(1, int(budget / (longest * units))))
        return places[np.unique(np.linspace(0, len(places) - 1, count).round().astype(int))]

    def lasting(self) -> list[Example]:
        """Of a language model, whose examples are cut from one text, some that are half as long as it; of others none:
        theirs have the length they have."""
        if not isinstance(self.task, LanguageModelling):
            return []
        told = _passage(self.run)
        return [
            Example(f"part {at}", one)
            for at, one in enumerate(steps.passage(self.task, told, len(told) // 2, STRETCHES))
        ]

    def counted(self, count: int) -> str:
        """So many examples, in words."""
        if isinstance(self.task, LanguageModelling):
            return f"{count} stretches of the test text" if count > 1 else "a stretch of the test text"
        return f"{count} test examples" if count > 1 else "one test example"

    def watched(self, batch: Batch, *, gates: bool = True) -> list[Reading]:
        """The stack's first layer reading a batch forwards: once, or for pairs of texts once for each side."""
        with torch.no_grad(), watching(self.stack, gates=gates) as watch:
            run_through(self.task, self.model, batch)
        return watch.readings()[: 2 if self.task.name == "pairs" else 1]


def _passage(run: Run) -> list[str]:
    """The tokens of the passage of the test text that a language model's run wrote down."""
    return list(run.metrics.get("details", {}).get("passage", {}).get("tokens", []))


def run_through(task: Task, model: nn.Module, batch: Batch) -> None:
    """Have the model read a batch, whether or not its targets are known."""
    if isinstance(model, Tagger):
        assert batch.second is not None
        model(batch.inputs, batch.second)
    elif isinstance(model, EncoderDecoder):
        model.encode(batch.inputs)
    elif isinstance(model, Forecaster):
        # Where each step ahead is a reading of its own, the first one is what is looked at.
        at_once = model.settings.strategy in ("direct", "parallel")
        ahead = None if batch.second is None else batch.second.values
        model(batch.inputs, model.sizes.horizon if at_once else 1, ahead=ahead, series=batch.series)
    else:
        task.outputs(model, batch)


def joined(values: Sequence[Padded]) -> Float[np.ndarray, "T H"]:
    """What was seen of one example, all its steps in their order: texts and segments one behind the other."""
    return torch.cat([one.values[one.mask] for one in values]).double().numpy()


def _size(given: Any, letters: bool) -> int:
    if isinstance(given, str):
        return len(given) if letters else len(given.split())
    return sum(_size(side, letters) if " " in side else 1 for side in given) if _texts(given) else len(given)


def _texts(given: Any) -> bool:
    return bool(given) and isinstance(given[0], str)
