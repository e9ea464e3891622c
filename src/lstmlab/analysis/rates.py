"""Whether the learning rate was far too high or far too low, by how far a step can and did go.

A rate is never accused for its size alone: there has to be a harm (loss above the blind guess's, instability; or a loss
that hardly fell), and the size has to account for it.
"""

import numpy as np

from lstmlab.analysis.history import Curves, Known, Observation, late
from lstmlab.report import number

VANISHED = 1e-3
"""Norm of a gradient, as a share of the loss, from which on it is as good as zero. At chance the output's bias alone
gets a gradient of about 0.5/sqrt(b) from the luck of a batch of b examples: 0.02 with as many as 600."""
ABOVE = 1.2
"""Training loss at so many times the untrained model's, for a third of the epochs, is worse than never to have begun;
half as much again (1.5) is, if the first epoch's mean is."""
FELL = 0.9
"""Loss that ends above this share of where it began has hardly fallen."""
MOVED = 0.1
"""Weights that can have moved by at most this share of their initial size are still the drawn ones."""


def vanished(curves: Curves) -> bool:
    """Whether the gradient has come to as good as nothing while loss is left."""
    norms, losses = late(curves.norms), late(curves.train)
    known = np.isfinite(norms) & np.isfinite(losses)
    return bool(known.any() and np.median(norms[known]) < VANISHED * np.median(losses[known]))


def too_high(curves: Curves, known: Known, unstable: Observation | None) -> Observation | None:
    """Training loss stood above the untrained model's (see `ABOVE`), where only steps that overshoot can bring it; or
    it was unstable, and one step is as long as the weights or the loss are large (see `_overwrites`)."""
    train = curves.train[np.isfinite(curves.train)]
    rate = f"The learning rate{_named(curves, known)}"
    start = known.start
    if start is not None and len(train):
        above = train >= ABOVE * start
        if train[0] >= 1.5 * start or above.sum() >= max(len(curves.train) / 3, 2):
            worst = int(np.nanargmax(curves.train))
            return Observation(
                "learning rate too high",
                f"{rate} was too high: training loss was {number(curves.train[worst])} in epoch "
                f"{curves.epochs[worst]}, above the {number(start)} of a model that has learned nothing, so steps "
                "overshoot.",
                curves.epochs[worst],
            )
    if unstable is None or not (why := _overwrites(curves, known)):
        return None
    return Observation("learning rate too high", f"{rate} was too high for a stable training: {why}.", unstable.epoch)


def _overwrites(curves: Curves, known: Known) -> str:
    """Why a step is too long, in words; nothing where it is not.

    Adam moves each weight by about the rate (Kingma & Ba 2015, section 2.1): it is too long where ten steps go as far
    as the largest initial weight, 1/sqrt(hidden_size). Plain descent is too long where a step would, went the slope
    on, take away more than the whole loss: rate · norm² > loss.
    """
    if not _rated(curves):
        return ""
    rate = float(np.nanmax(curves.rates))
    if known.method in ("adam", "adamw") and known.hidden_size:
        largest = 1 / np.sqrt(known.hidden_size)
        if 10 * rate >= largest:
            begin = f"weights begin at up to {number(float(largest))}"
            return f"ten steps of Adam move a weight by up to {number(10 * rate)}, and {begin}"
    if known.method == "sgd":
        norms = _clipped(curves, known)
        length = rate / (1 - known.momentum) * float(np.nanmedian(norms)) ** 2 if np.isfinite(norms).any() else 0.0
        if length > float(np.nanmedian(curves.train)):
            return (
                f"along its slope a step would take {number(length)} off a loss of "
                f"{number(float(np.nanmedian(curves.train)))}"
            )
    return ""


def too_low(curves: Curves, known: Known) -> Observation | None:
    """Loss hardly fell (see `FELL`), gradients were there, and all steps together could not go far.

    Adam moves each weight by at most about the rate a step, so by at most their sum: too low where that is less than
    `MOVED` of the largest initial weight. Plain descent can take at most the sum of rate · norm² off the loss, to first
    order: too low where that is less than a tenth of it.
    """
    train = curves.train
    if not curves.finite or train[-1] <= FELL * train[0] or vanished(curves) or not _rated(curves):
        return None
    steps, rates = curves.steps, curves.rates
    if not (np.isfinite(steps).all() and np.isfinite(rates).all()):
        return None
    fell = f"training loss went from {number(train[0])} to {number(train[-1])}"
    named = f"The learning rate{_named(curves, known)} was too low, or the steps too few: {fell}, and"
    if known.method in ("adam", "adamw") and known.hidden_size:
        path, largest = float((rates * steps).sum()), 1 / np.sqrt(known.hidden_size)
        if path < MOVED * largest:
            return Observation(
                "learning rate too low",
                f"{named} {int(steps.sum()):,} steps together can have moved a weight by at most about {number(path)}, "
                f"where weights begin at up to {number(float(largest))}.",
            )
    norms = _clipped(curves, known)
    if known.method == "sgd" and np.isfinite(norms).all():
        most = float((rates * norms**2 * steps).sum()) / (1 - known.momentum)
        if most < (1 - FELL) * train[0]:
            return Observation(
                "learning rate too low",
                f"{named} {int(steps.sum()):,} steps, each straight downhill, could have taken off at most about "
                f"{number(most)}.",
            )
    return None


def _named(curves: Curves, known: Known) -> str:
    rate = known.rate or (float(np.nanmax(curves.rates)) if _rated(curves) else None)
    return "" if rate is None else f" ({rate:g})"


def _rated(curves: Curves) -> bool:
    return bool(np.isfinite(curves.rates).any()) and float(np.nanmax(curves.rates)) > 0


def _clipped(curves: Curves, known: Known) -> np.ndarray:
    return curves.norms if known.clip is None else np.minimum(curves.norms, known.clip)
