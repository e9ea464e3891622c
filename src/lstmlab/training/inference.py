"""A finished run at work: its task and model restored, answers for new examples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from lstmlab import recipe as recipes
from lstmlab.data.corpus import Part
from lstmlab.decoding import SearchSettings, StreamSettings
from lstmlab.errors import InputError
from lstmlab.nn.language_model import LanguageModel
from lstmlab.tasks import TASKS, speaking
from lstmlab.tasks.language_model import LanguageModelling
from lstmlab.tasks.seq2seq import Translation
from lstmlab.tasks.task import Continuous, Task
from lstmlab.training import checkpoint
from lstmlab.training.evaluation import evaluate
from lstmlab.training.experiment import assemble
from lstmlab.training.machine import choose_device
from lstmlab.training.run import Run
from lstmlab.types import Example


@dataclass(frozen=True)
class Predictor:
    """Task and model of a run, ready to answer. Needs recipe.yaml, task.json and model.safetensors, nothing else."""

    task: Task
    model: nn.Module
    device: torch.device

    @classmethod
    def of(cls, run: Run, device: str = "auto") -> "Predictor":
        """Restored from the run's best weights."""
        recipe = assemble(run.recipe, {}, str(run.folder / "recipe.yaml"))
        task = TASKS[recipe.task].restore(recipe, run.saved_task)
        model = task.build()
        checkpoint.load_weights(model, run.weights(), run.folder / "model.safetensors")
        place = choose_device(device)
        return cls(task, model.to(place), place)

    @property
    def search(self) -> SearchSettings | StreamSettings | None:
        """How the recipe searches for answers, or draws them; None where the task picks or computes them."""
        return self.task.recipe.decoding if isinstance(self.task, (Translation, LanguageModelling)) else None

    def searching(self, changes: Mapping[str, Any]) -> SearchSettings | StreamSettings:
        """The recipe's way to search with somebody's changes. Refuses what would have no effect, with the reason."""
        if isinstance(self.search, StreamSettings):
            return _drawn(self.search, changes)
        if self.search is None:
            first = next(iter(changes), "a search")
            raise InputError(
                f"{first} would have no effect: it belongs to tasks that write their answers (translation, dialogue), "
                f"and this run is of {self.task.name}"
            )
        return changed(self.search, changes)

    def predict(
        self,
        inputs: Sequence[Any],
        search: SearchSettings | StreamSettings | None = None,
        *,
        look: bool = False,
        first: int = 0,
    ) -> list[dict[str, Any]]:
        """What the model says of each input: {"prediction": …} and what belongs to it.

        The others are for tasks that write their answers: `search`, how to look for them instead of the recipe's way;
        `look`, to be told where they looked ("attention"); `first`, the first input's place among all that are asked.
        """
        if isinstance(inputs, (str, bytes)):
            raise InputError("predict takes a list of inputs: predict([text]) for a single one")
        if not inputs:
            return []
        encoded = self.task.encode([Example(str(i + 1), given) for i, given in enumerate(inputs)], "the input")
        task: Task = self.task
        if isinstance(self.task, LanguageModelling) and isinstance(search, StreamSettings):
            task = self.task.drawing(search)
        elif isinstance(self.task, Translation):
            assert search is None or isinstance(search, SearchSettings)
            task = self.task.searching(search or self.task.recipe.decoding, look=look, first=first)
        elif search is not None or look:
            self.searching({"look" if search is None else "search": True})
        outputs = np.zeros((0, 0), np.float32)
        if not isinstance(task, Continuous):
            outputs = evaluate(self.model, task, encoded, self.device)[0]
        return task.predict(self.model, encoded, outputs)

    def speaking(self) -> LanguageModelling:
        """The task of a language model. Raises InputError for any other."""
        if not isinstance(self.task, LanguageModelling):
            raise InputError(f"only a language model writes on from what is given, and this run is of {self.task.name}")
        return self.task

    def stream(self, prime: str, draw: StreamSettings | None = None) -> Iterator[str]:
        """What a language model writes after `prime`, as it comes."""
        task, model = self.speaking(), self.model
        assert isinstance(model, LanguageModel)
        return speaking.spoken(model, task.encoder, prime, draw or task.recipe.decoding)

    def next_words(self, text: str, count: int = 10) -> list[tuple[str, float]]:
        """The likeliest words after a text by a language model, with their probabilities."""
        task, model = self.speaking(), self.model
        assert isinstance(model, LanguageModel)
        return speaking.next_words(model, task.encoder, text, count)

    def score(self, examples: Part | Sequence[Example], where: str) -> dict[str, float]:
        """Loss and scores on examples with known targets."""
        encoded = self.task.encode(examples, where)
        outputs, losses, count = evaluate(self.model, self.task, encoded, self.device)
        told = self.task.predict(self.model, encoded, outputs)
        rows = [
            {**answer, "target": one.target, "input": one.inputs}
            for one, answer in zip(examples, told, strict=True)
            if answer is not None
        ]
        return {"loss": float(np.nansum(losses) / max(count, 1)), **self.task.score(outputs, encoded, rows)}


def _drawn(draw: StreamSettings, changes: Mapping[str, Any]) -> StreamSettings:
    """A way to draw with changes. Raises InputError for what would have no effect."""
    if changes.get("method") == "sample":
        raise InputError("--sample would have no effect: a language model always draws")
    searched = [name for name in changes if name in SearchSettings.model_fields and name not in recipes.dump(draw)]
    if searched:
        raise InputError(
            f"{searched[0]} would have no effect: it belongs to tasks that search for an answer, and a language model "
            "draws what it writes; what it can be told: " + ", ".join(recipes.dump(draw))
        )
    found = recipes.validate(StreamSettings, {**recipes.dump(draw), **changes}, "search")
    recipes.refuse_idle(found, list(changes))
    return found


def changed(search: SearchSettings, changes: Mapping[str, Any]) -> SearchSettings:
    """A way to search with changes, which may imply others: a beam_size is for a beam, whose best the recipe's n_best
    may be no more than. Raises InputError for what would have no effect.
    """
    tree = {**recipes.dump(search), **changes}
    if "beam_size" in changes and "method" not in changes:
        tree["method"] = "beam"
    if tree["method"] == "beam" and "n_best" not in changes and isinstance(tree["beam_size"], int):
        tree["n_best"] = min(tree["n_best"], max(tree["beam_size"], 1))
    if "min_length" not in changes and isinstance(tree["max_length"], int):
        tree["min_length"] = min(tree["min_length"], max(tree["max_length"], 0))
    found = recipes.validate(SearchSettings, tree, "search")
    recipes.refuse_idle(found, list(changes))
    return found
