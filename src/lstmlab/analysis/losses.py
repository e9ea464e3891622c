"""The loss whose gradient is followed back through time: of a whole example, or of its last place where each has one.

Letters in shapes: B batch.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lstmlab.nn.forecaster import Forecaster
from lstmlab.nn.language_model import LanguageModel
from lstmlab.nn.tagger import Tagger
from lstmlab.tasks.forecasting import Forecasting
from lstmlab.tasks.task import Task
from lstmlab.types import Batch, Padded


def losses(task: Task, model: nn.Module, batch: Batch) -> Float[Tensor, "B"]:
    """Each example's loss in nats or squared units; of taggers and language models that of the last word or token."""
    if isinstance(model, LanguageModel):
        features, _ = model.read(batch.inputs)
        last = Padded(features, batch.inputs.lengths).last
        return functional.cross_entropy(model.logits(last), _last(batch), reduction="none")
    if isinstance(model, Tagger):
        assert batch.second is not None
        scores = model(batch.inputs, batch.second).last
        return functional.cross_entropy(scores, _last(batch).clamp(min=0), reduction="none")
    if isinstance(model, Forecaster):
        assert isinstance(task, Forecasting)
        at_once = model.settings.strategy in ("direct", "parallel")
        wanted = batch.wanted if at_once else batch.wanted[:, :1]
        ahead = None if batch.second is None else batch.second.values
        said = model(batch.inputs, wanted.shape[1], ahead=ahead, series=batch.series)
        return task.recipe.model.errors(said, wanted).sum((1, 2))
    return task.loss(task.outputs(model, batch), batch).rows


def of_what(task: Task, model: nn.Module) -> str:
    """Which loss that is."""
    if isinstance(model, LanguageModel):
        return "the loss of the last token"
    if isinstance(model, Tagger):
        return "the loss of the last word's tag (each for itself, before the CRF)"
    if isinstance(model, Forecaster) and model.settings.strategy not in ("direct", "parallel"):
        return "the loss of the first step forecast"
    return "the loss"


def short_cut(task: Task, model: nn.Module) -> str:
    """What else than the state leads from a step to the loss; empty where nothing does."""
    settings = getattr(model, "settings", None)
    pooling = getattr(settings, "pooling", ())
    if pooling and tuple(pooling) != ("last",):
        return f"{' and '.join(name for name in pooling if name != 'last')} pooling"
    attends = task.name in ("translation", "dialogue") and getattr(settings, "context", "") == "attention"
    return "attention" if attends else ""


def _last(batch: Batch) -> Tensor:
    rows = torch.arange(len(batch.index))
    return batch.wanted[rows, (batch.inputs.lengths - 1).clamp(min=0)]
