"""Whether a validation part is large enough for what is read off it."""

import numpy as np

from lstmlab.analysis import chance
from lstmlab.analysis.chance import WORTH
from lstmlab.analysis.history import Curves, Known, Observation, late
from lstmlab.metrics import format_score, interval
from lstmlab.report import number

KIND = "validation too small to tell"


def too_small(curves: Curves, known: Known, overfits: Observation | None) -> Observation | None:
    """Two claims are read off a validation part. That the model is better than the most frequent class: it cannot be
    told where the score's 95 % interval holds that class's share and is so wide that even a gain worth having (a tenth
    of the way to 1) would drown in it. That loss has risen since its least: not where the rise is within two standard
    errors of a mean loss; over n examples that is about the loss divided by sqrt(n), as losses of classes are spread
    about as wide as they are large."""
    if known.valid_examples is None or not len(curves.valid) or not curves.finite:
        return None
    return _gain(curves, known) or _rise(curves, known, overfits)


def _gain(curves: Curves, known: Known) -> Observation | None:
    count, accuracies = known.valid_examples, curves.valid_accuracy
    if known.baseline is None or not count or not np.isfinite(accuracies).all():
        return None
    reached = float(np.median(late(accuracies)))
    low, high = interval(reached, count)
    precise = (high - low) / 2 <= WORTH * (1 - known.baseline) and not chance.at_chance(curves, known)
    if precise or not low <= known.baseline <= high:
        return None
    shown = [f"{100 * end:.0f}" for end in (low, high)]
    return Observation(
        KIND,
        f"Validation too small to tell: its {count:,} examples put the accuracy it came to "
        f"({format_score('accuracy', reached)}, the median of the last epochs) between {shown[0]} and {shown[1]} % "
        f"(95 % interval), and a blind guess has {format_score('accuracy', known.baseline)}.",
    )


def _rise(curves: Curves, known: Known, overfits: Observation | None) -> Observation | None:
    if overfits is None or not known.valid_examples or not _in_noise(curves, known.valid_examples):
        return None
    rise, error = float(curves.valid[-1] - curves.valid.min()), _error(curves, known.valid_examples)
    what = "whether it overfits" if doubtful(curves, known) else "since when it overfits"
    return Observation(
        KIND,
        f"Validation too small to tell {what}: its loss ends {number(rise)} above its least, and the mean over "
        f"{known.valid_examples:,} examples has a standard error of about {number(error)}.",
    )


def doubtful(curves: Curves, known: Known) -> bool:
    """Whether nothing but a rise within the noise speaks for overfitting: training loss is not less than half of
    validation loss, nor training accuracy beyond the 95 % interval of validation accuracy."""
    count = known.valid_examples
    if not count or not _in_noise(curves, count) or curves.train[-1] < curves.valid[-1] / 2:
        return False
    return not chance.beyond_interval(curves, count)


def _in_noise(curves: Curves, count: int) -> bool:
    return bool(curves.valid[-1] - curves.valid.min() < 2 * _error(curves, count))


def _error(curves: Curves, count: int) -> float:
    """About the standard error of the least validation loss, over so many examples."""
    return float(curves.valid.min() / np.sqrt(count))
