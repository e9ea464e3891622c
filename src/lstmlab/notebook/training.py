"""What a recipe says of training, as the templates' loop writes it out."""

from collections.abc import Sequence
from typing import Any

from lstmlab.notebook.layers import unwritten
from lstmlab.training.loop import LoopSettings
from lstmlab.training.optimizer import OptimizerSettings

METHODS = {
    "adam": "Adam adapts each weight's step to the size of its past gradients",
    "adamw": "AdamW adapts each weight's step to the size of its past gradients and pulls all weights towards zero",
    "sgd": "Stochastic gradient descent takes a step against the gradient",
}
SCHEDULES = {
    "constant": "",
    "linear": "The learning rate falls in a line to zero over the whole training, so that the last steps are small.",
    "cosine": "The learning rate falls along half a cosine over the whole training, so that the last steps are small.",
    "plateau": "The learning rate falls when the validation loss stalls.",
}


def loop_facts(settings: LoopSettings, scores: Sequence[str], measured: str, *, better: str = "") -> dict[str, Any]:
    """What the loop needs. The first of `scores` is told beside the loss; `measured` is the call that gives the loss
    and all of them on the validation part; the best epoch has the highest `better` of its row (by default: the score).
    """
    names = ", ".join(f'row["valid {name}"]' for name in ("loss", *scores))
    return {
        "has_valid": True,
        "training": _training(settings),
        "training_words": _words(settings),
        "optimizer": _optimizer(settings.optimizer),
        "score": {"name": scores[0], "valid": f"{names} = {measured}"},
        "best_by": '-row["valid loss"]' if settings.best == "loss" else better or f'row["valid {scores[0]}"]',
    }


def _training(settings: LoopSettings) -> dict[str, Any]:
    """The budget and the batches. Raises InputError for what the loop of a notebook cannot yet do."""
    if settings.epochs is None:
        budget = "steps" if settings.steps is not None else "minutes"
        raise unwritten(f"a budget of training.{budget}", "training.epochs=N")
    if settings.accumulate > 1:
        raise unwritten(f"training.accumulate={settings.accumulate}", "training.accumulate=1")
    if settings.average_epochs > 1:
        raise unwritten(f"training.average_epochs={settings.average_epochs}", "training.average_epochs=1")
    names = ("epochs", "batch_size", "tokens", "bucket", "patience", "best")
    return {name: getattr(settings, name) for name in names}


def _optimizer(settings: OptimizerSettings) -> dict[str, Any]:
    """The optimiser and its schedule."""
    betas = (settings.beta1, settings.beta2)
    decay = settings.weight_decay if settings.method != "adamw" or settings.weight_decay != 0.01 else None
    written = settings.method == "adamw" or decay
    return {
        **settings.model_dump(),
        "scheduled": settings.schedule in ("linear", "cosine") or settings.warmup > 0,
        "betas": f", betas={betas}" if betas != (0.9, 0.999) else "",
        "decay": f", weight_decay={settings.weight_decay}" if written else "",
    }


def _words(settings: LoopSettings) -> str:
    """How it learns, in sentences for a Markdown cell."""
    optimizer = settings.optimizer
    told = [
        f"An epoch goes once through all training examples, in batches of {settings.batch_size}; after each batch the "
        f"gradient says how every weight has to move for the loss to fall. {METHODS[optimizer.method]} "
        f"(learning rate {optimizer.learning_rate:g})."
    ]
    if optimizer.warmup:
        told.append(f"It rises from zero over the first {optimizer.warmup:.0%} of training.")
    if words := SCHEDULES[optimizer.schedule]:
        told.append(words)
    if optimizer.clip is not None:
        told.append(
            f"Gradients longer than {optimizer.clip:g} are shortened to that length: recurrent networks now and then "
            "produce huge ones, and one such step would undo many good ones."
        )
    if optimizer.average is not None:
        told.append(
            "What is scored is a running average of the weights, which is steadier than the weights of any one step."
        )
    if settings.patience is not None:
        told.append(f"Training stops early after {settings.patience} epochs without a better one.")
    return " ".join(told)
