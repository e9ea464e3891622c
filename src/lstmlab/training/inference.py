"""A finished run at work: its task and model restored, answers for new examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from lstmlab.errors import InputError
from lstmlab.tasks import TASKS
from lstmlab.tasks.task import Task
from lstmlab.training import checkpoint
from lstmlab.training.experiment import assemble
from lstmlab.training.loop import evaluate
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

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """What the model says of each input: {"prediction": …} and what belongs to it."""
        if isinstance(inputs, (str, bytes)):
            raise InputError("predict takes a list of inputs: predict([text]) for a single one")
        if not inputs:
            return []
        encoded = self.task.encode([Example(str(i + 1), given) for i, given in enumerate(inputs)], "the input")
        return self.task.predict(evaluate(self.model, self.task, encoded, self.device)[0])

    def score(self, examples: Sequence[Example], where: str) -> dict[str, float]:
        """Loss and scores on labelled examples."""
        encoded = self.task.encode(examples, where)
        outputs, losses, count = evaluate(self.model, self.task, encoded, self.device)
        return {"loss": float(np.nansum(losses) / max(count, 1)), **self.task.score(outputs, encoded)}
