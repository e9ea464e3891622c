"""Where a training has gone: overfitting, still improving, sound."""

import numpy as np

from lstmlab.analysis.history import Curve, Curves, Known, Observation, late
from lstmlab.report import number

MARGIN = 0.05
"""A rise of validation loss below this share of its least value is no overfitting, nor such a fall an improvement; of a
loss in nats a token so many nats, which are that share of the perplexity."""


def overfitting(curves: Curves, known: Known) -> Observation | None:
    """Since the epoch of least validation loss: it ends (median of the last third that follows, of three at least)
    above its least by more than `MARGIN`, twice that where fewer than three epochs follow, and by more than its own
    noise, while training loss fell on or was already less than half of it. Or, however noisy: validation ends where it
    began or above, with training loss less than half of that and of its own beginning."""
    valid, train = curves.valid, curves.train
    if not len(valid) or not curves.finite:
        return None
    best = int(valid.argmin())
    rise, allowed = _rise(valid, known)
    rose = rise > allowed and (train[-1] <= 1.02 * train[best] or train[-1] < valid[-1] / 2)
    gained_nothing = float(np.median(late(valid))) >= valid[0] and train[-1] < min(valid[-1], train[0]) / 2
    if not rose and not gained_nothing:
        return None
    start, end = number(train[best]), number(train[-1])
    fell = (
        f"training loss fell from {start} to {end}"
        if train[-1] < 0.98 * train[best]
        else f"training loss stayed at {end}"
    )
    return Observation(
        "overfitting",
        f"Overfitting since epoch {curves.epochs[best]}: validation loss {number(valid[best])} at its "
        f"least, {number(valid[-1])} at the end, while {fell}.",
        curves.epochs[best],
    )


def margin(level: float, known: Known) -> float:
    """What counts as a change of a loss at this level."""
    return MARGIN if known.per_token else MARGIN * level


def _rise(valid: Curve, known: Known) -> tuple[float, float]:
    """By how much validation loss ends above its least, and how much of that may be its own noise."""
    best = int(valid.argmin())
    after = len(valid) - 1 - best
    level = float(np.median(valid[-min(max(3, after // 3), after) :])) if after else valid[best]
    if (np.diff(valid[best:]) > 0).all():  # a rise in every epoch is no luck of the last one
        level = float(valid[-1])
    # One lucky epoch is no level to rise from: in a longer history the least median of three neighbours is.
    low = min(np.median(valid[at - 1 : at + 2]) for at in range(1, len(valid) - 1)) if len(valid) >= 8 else valid[best]
    allowed = max((1 if after >= 3 else 2) * margin(valid[best], known), 3 * noise(valid), 0.002 * valid[0])
    return float(min(level, valid[-1]) - low), float(allowed)


def noise(losses: Curve) -> float:
    """How far a loss moves against its course: the mean rise before its least value and the mean fall after it."""
    best, moves = int(losses.argmin()), np.diff(losses)
    against = np.concatenate([moves[:best][moves[:best] > 0], -moves[best:][moves[best:] < 0]])
    return float(against.mean()) if len(against) else 0.0


def improving(curves: Curves, known: Known) -> Observation | None:
    """The deciding loss fell by more than `MARGIN` and its noise over the last quarter of training, and not almost all
    of that in the first half of it."""
    losses = curves.judged
    quarter = max(1, round(len(losses) / 4))
    middle = max(1, quarter // 2)
    before, end = float(np.median(losses[-quarter - middle : -quarter])), float(np.median(losses[-middle:]))
    fall = before - end
    levelled = losses[-1 - quarter // 2] - losses[-1] < fall / 4 and quarter > 1
    if fall <= max(margin(before, known), 2 * noise(losses), 0.005 * losses[0]) or levelled:
        return None
    if losses.argmin() < len(losses) - quarter:
        return None
    since = curves.epochs[-quarter - 1]
    further = _rate(curves) if len(curves.valid) else ", which says nothing of unseen examples"
    return Observation(
        "still improving",
        f"Still improving{'' if len(curves.valid) else ' on its training part'}: {curves.name} fell from "
        f"{number(losses[-quarter - 1])} to {number(losses[-1])} after epoch {since}{further}.",
        since,
    )


def _rate(curves: Curves) -> str:
    """What more epochs would mean, where the learning rate has run out."""
    finite = curves.rates[np.isfinite(curves.rates)]
    out = len(finite) and finite[-1] <= 0.05 * finite.max() and finite.max() > 0
    return "; the learning rate has run out, so going on means a longer schedule" if out else ""


def sound(curves: Curves) -> Observation:
    """What is left where nothing is wrong."""
    losses, train = curves.judged, curves.train
    best = int(losses.argmin())
    if len(curves.valid):
        said = (
            f"validation loss is least in epoch {curves.epochs[best]} ({number(losses[best])}) and "
            f"{number(losses[-1])} "
            f"at the end, with training loss at {number(train[-1])}"
        )
    else:
        said = f"training loss fell from {number(train[0])} to {number(train[-1])} and on that scale no longer moves"
    return Observation("sound", f"Sound: {said}.")
