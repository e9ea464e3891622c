"""Whether a model is stuck at chance, and why; or learned little (underfitting)."""

import numpy as np

from lstmlab.analysis import trend
from lstmlab.analysis.history import Curve, Curves, Known, Observation, late
from lstmlab.analysis.rates import FELL, vanished
from lstmlab.metrics import format_score, interval
from lstmlab.report import number

WORTH = 0.1
"""Accuracy that has come less than this share of the way from the most frequent class to 1 is hardly any gain."""
NEAR = 0.99
"""Loss above this share of a blind guess's is no better than it: one part in a hundred of a coin's 0.693 nats is what
knowing the answer in 56 of 100 cases instead of 50 is worth, and what luck does to a few thousand examples."""


def beyond(known: Known) -> float:
    """The accuracy from which on something was learned: `WORTH` of the way from the most frequent class to 1."""
    assert known.baseline is not None
    return known.baseline + WORTH * (1 - known.baseline)


def stuck(curves: Curves, known: Known, rate: Observation | None) -> Observation | None:
    """No better than a guess that looks at no input: there is only one label; or accuracy and loss of both parts have
    stayed there; or those of validation have while the training part was learned by heart.

    `rate` is what was found of the learning rate, which would be the reason.
    """
    if known.classes == 1 or (known.baseline is not None and known.baseline >= 1):
        return Observation(
            "stuck at chance", "Nothing to learn: every example has the same label, so one label is always right."
        )
    if not curves.finite or not at_chance(curves, known):
        return None
    by_heart = learned_by_heart(curves, known)
    if not (_carries_nothing(curves, known) if by_heart else _untaught(curves, known)):
        return None
    guess = _guess(known)
    if by_heart:
        return Observation(
            "stuck at chance",
            f"Stuck at chance on unseen examples: {_where(curves, known)}, {guess}, while training loss fell to "
            f"{number(curves.train[-1])}: the training part is being learned by heart, and nothing of it carries over. "
            "Either the labels do not follow from the inputs, or the examples are too few to show how.",
        )
    return Observation("stuck at chance", f"Stuck at chance: {_where(curves, known)}, {guess}. {_why(curves, rate)}")


def at_chance(curves: Curves, known: Known) -> bool:
    """Whether the deciding part's loss and accuracy came to be those of a blind guess, as far as they are known, and
    its loss never was clearly less. Accuracy has to be beyond what luck does to so few examples, too."""
    losses, accuracies, signs = curves.judged, _accuracies(curves), []
    if known.blind_loss is not None:
        signs.append(float(np.median(late(losses))) >= NEAR * known.blind_loss)
        signs.append(float(losses.min()) >= FELL * known.blind_loss)
    if known.baseline is not None and len(accuracies) and np.isfinite(accuracies).all():
        valid = accuracies is curves.valid_accuracy
        count = known.valid_examples if valid else known.train_examples
        luck = interval(known.baseline, count)[1] if count else 0.0
        signs.append(float(np.mean(late(accuracies))) < max(beyond(known), luck))
    return bool(signs) and all(signs)


def _untaught(curves: Curves, known: Known) -> bool:
    """Whether the training part was hardly learned either, by its loss and its accuracy, as far as they are known."""
    accuracies, signs = late(curves.train_accuracy), []
    if known.blind_loss is not None:
        signs.append(float(curves.train.min()) >= FELL * known.blind_loss)
    if known.baseline is not None and np.isfinite(accuracies).all():
        signs.append(float(np.mean(accuracies)) < beyond(known))
    return bool(signs) and all(signs)


def _accuracies(curves: Curves) -> Curve:
    """The deciding part's, or the training part's where that has none."""
    return curves.valid_accuracy if np.isfinite(curves.valid_accuracy).any() else curves.train_accuracy


def learned_by_heart(curves: Curves, known: Known) -> bool:
    """Whether the training part was learned all the same."""
    last = curves.train_accuracy[-1] if len(curves.train_accuracy) else np.nan
    learned = known.baseline is not None and np.isfinite(last) and last >= beyond(known)
    return bool(len(curves.valid) and learned and not _untaught(curves, known))


def _carries_nothing(curves: Curves, known: Known) -> bool:
    """Whether the gain of validation accuracy over the most frequent class is, even at the upper end of its 95 %
    interval, less than half of the training part's."""
    if not known.valid_examples or known.baseline is None:
        return True
    highest = interval(float(np.mean(late(curves.valid_accuracy))), known.valid_examples)[1]
    return bool(highest - known.baseline < (curves.train_accuracy[-1] - known.baseline) / 2)


def beyond_interval(curves: Curves, count: int) -> bool:
    """Whether training accuracy ends above the 95 % interval of a validation accuracy over so many examples."""
    reached, train = late(curves.valid_accuracy), curves.train_accuracy[-1]
    return bool(np.isfinite(reached).all() and interval(float(np.mean(reached)), count)[1] < train)


def _where(curves: Curves, known: Known) -> str:
    name = "validation" if len(curves.valid) else "training"
    accuracies = _accuracies(curves)
    told = f"{name} loss ends at {number(curves.judged[-1])}"
    if known.baseline is not None and len(accuracies) and np.isfinite(accuracies[-1]):
        told += f" and {name} accuracy at {format_score('accuracy', float(accuracies[-1]))}"
    return told


def _guess(known: Known) -> str:
    """What a blind guess reaches, in words."""
    parts = []
    if known.blind_loss is not None:
        parts.append(f"has a loss of {number(known.blind_loss)}")
    if known.baseline is not None:
        parts.append(f"is right in {format_score('accuracy', known.baseline)}")
    return f"where a blind guess {' and '.join(parts)}"


def _why(curves: Curves, rate: Observation | None) -> str:
    """The reason, as far as the history tells it."""
    norm = float(np.median(late(curves.norms))) if np.isfinite(late(curves.norms)).all() else np.nan
    if vanished(curves):
        return (
            f"The gradient has vanished (its norm is {number(norm)} at the end), so nothing moves any more: saturated "
            "or dead units, or weights that start at zero."
        )
    if rate is not None:
        return f"The reason seems to be the {rate.kind.replace(' too', ', which is too')}."
    there = f" (norm {number(norm)})" if np.isfinite(norm) else ""
    return (
        f"Gradients reach the weights{there} and the learning rate moves them, so either the labels do not follow from "
        "the inputs, or what they follow from does not get through: a gradient that fades over long inputs, weights "
        "that all start alike, or a rule that opens only after many more epochs."
    )


def underfitting(curves: Curves, known: Known) -> Observation | None:
    """Accuracy has come less than `WORTH` of the way from the most frequent class to 1 on both parts; where no accuracy
    is known, the loss of both is at more than nine tenths of the blind guess's, or of where it began."""
    if not curves.finite:
        return None
    first, last = curves.train[0], curves.train[-1]
    if known.baseline is not None and curves.accuracy is not None:
        if curves.accuracy >= beyond(known):
            return None
        return Observation(
            "underfitting",
            f"Underfitting: accuracy ends at {format_score('accuracy', curves.accuracy)} even on its "
            f"better part, where a blind guess gives {format_score('accuracy', known.baseline)}.",
        )
    if known.blind_loss is not None:
        if min(last, curves.judged[-1]) <= FELL * known.blind_loss:
            return None
        return Observation(
            "underfitting",
            f"Underfitting: training loss ends at {number(last)}, where a blind guess gives "
            f"{number(known.blind_loss)}.",
        )
    fell = curves.judged[-1] <= FELL * curves.judged[0] or last <= FELL * first
    if first > 0 and not fell and trend.overfitting(curves, known) is None:
        return Observation(
            "underfitting", f"Underfitting: training loss hardly fell, from {number(first)} to {number(last)}."
        )
    return None
