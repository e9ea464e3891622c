"""Whether a training was stable: losses that are no numbers, that leap, that end far above their least."""

import numpy as np

from lstmlab.analysis.history import Curve, Curves, Observation
from lstmlab.report import number


def unstable(curves: Curves) -> Observation | None:
    """A loss was not a number, or the training loss ends far above its least, or it jumped at least twice, or the
    validation loss leapt up and back at least twice (see `jumps` and `leaps`). What jumped early and then no more, in
    the last third of the training, has calmed down, and its weights are none the worse."""
    return _no_number(curves) or _rose_again(curves) or _jumped(curves)


def _no_number(curves: Curves) -> Observation | None:
    for name, losses in (("training", curves.train), ("validation", curves.valid)):
        bad = np.flatnonzero(~np.isfinite(losses))
        if len(bad):
            at = curves.epochs[int(bad[0])]
            grown = _grown(curves, int(bad[0]))
            return Observation("unstable", f"Unstable: {name} loss was not a number in epoch {at}{grown}.", at)
    return None


def _rose_again(curves: Curves) -> Observation | None:
    """The end is a fifth above the least, and by more than a tenth of where it began: less is a wobble."""
    train = curves.train
    least = int(train.argmin())
    if train[-1] <= 1.2 * train[least] or train[-1] - train[least] <= 0.1 * train[0]:
        return None
    at = least + 1
    return Observation(
        "unstable",
        f"Unstable: training loss rose again after epoch {curves.epochs[least]}, from "
        f"{number(train[least])} to {number(train[-1])} at the end{_grown(curves, at)}.",
        curves.epochs[at],
    )


def _jumped(curves: Curves) -> Observation | None:
    for name, losses, found in (
        ("training", curves.train, jumps(curves.train)),
        ("validation", curves.valid, leaps(curves.valid)),
    ):
        if len(found) >= 2 and found[-1] >= len(losses) - max(3, len(losses) // 3):
            worst = max(found, key=lambda at: losses[at] - losses[at - 1])
            return Observation(
                "unstable",
                f"Unstable: {name} loss jumped up {len(found)} times, most in epoch {curves.epochs[worst]}, "
                f"from {number(losses[worst - 1])} to {number(losses[worst])}{_grown(curves, worst)}.",
                curves.epochs[worst],
            )
    return None


def _grown(curves: Curves, at: int) -> str:
    """Whether the gradient had grown there, tenfold or more, beyond what it usually was before."""
    before = curves.norms[:at]
    usual = float(np.median(before[np.isfinite(before)])) if np.isfinite(before).any() else np.nan
    if at >= len(curves.norms) or not usual > 0:
        return ""
    now = np.nanmax(curves.norms[at - 1 : at + 1]) if np.isfinite(curves.norms[at - 1 : at + 1]).any() else np.nan
    return f"; the gradient's norm was {number(float(now))} there, {number(usual)} before" if now >= 10 * usual else ""


def jumps(train: Curve) -> list[int]:
    """Where training loss rose in one epoch by at least a fifth, and by more than a tenth of its first value."""
    return [
        at
        for at in range(1, len(train))
        if train[at] >= 1.2 * train[at - 1] and train[at] - train[at - 1] > 0.1 * train[0]
    ]


def leaps(valid: Curve) -> list[int]:
    """Where validation loss rose in one epoch by at least half, and by more than a fifth of its first value, and lost
    at least half of that an epoch later: validation parts are small, so their losses are noisier."""
    return [
        at
        for at in range(1, len(valid) - 1)
        if valid[at] >= 1.5 * valid[at - 1]
        and valid[at] - valid[at - 1] > 0.2 * valid[0]
        and valid[at + 1] <= (valid[at] + valid[at - 1]) / 2
    ]
