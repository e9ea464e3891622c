"""The verdict: what the history of a training says about it, in one sentence with its numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmlab.metrics import format_score
from lstmlab.report import number

History = Sequence[Mapping[str, Any]]
Curve = NDArray[np.float64]

LEAST_ROWS = 3
"""With fewer evaluations nothing can be said of a trend."""
MARGIN = 0.05
"""A rise of validation loss below this share of its least value is no overfitting, nor such a fall an improvement."""


@dataclass(frozen=True)
class Verdict:
    """What a history says. `kind` is one of overfitting, underfitting, unstable, still improving, sound, too short to
    tell; `sentence` says it with its numbers; `evidence` is what else a reader of the curves would want to know."""

    kind: str
    sentence: str
    evidence: str
    best_epoch: int | None
    """The epoch of least validation loss; None without validation."""


@dataclass(frozen=True)
class Curves:
    """Losses by evaluation, NaN where one was not a number; `valid` is empty without a validation part."""

    epochs: list[int]
    train: Curve
    valid: Curve
    accuracy: float | None
    """The better of training and validation accuracy at the end."""
    rates: Curve

    @classmethod
    def of(cls, history: History) -> "Curves":
        """The curves of a history."""
        parts = [row[part] for row in history[-1:] for part in ("train", "valid") if part in row]
        known = [part["accuracy"] for part in parts if part.get("accuracy") is not None]
        has_valid = any("valid" in row for row in history)
        return cls(
            [int(row["epoch"]) for row in history],
            series(history, "train", "loss"),
            series(history, "valid", "loss") if has_valid else np.empty(0),
            max(known, default=None),
            np.array([float(row.get("learning_rate", np.nan)) for row in history]),
        )

    @property
    def judged(self) -> Curve:
        """The loss that decides: validation's where there is one."""
        return self.valid if len(self.valid) else self.train

    @property
    def name(self) -> str:
        """What the deciding loss is called."""
        return "validation loss" if len(self.valid) else "training loss"


def series(history: History, part: str, score: str) -> Curve:
    """One score of one part, an entry a row, NaN where it is missing."""
    told = [row.get(part, {}).get(score) for row in history]
    return np.array([np.nan if value is None else float(value) for value in told])


def verdict(history: History, *, baseline: float | None = None, blind_loss: float | None = None) -> Verdict:
    """Judge a history, given what a blind guess reaches: its accuracy (`baseline`) or its loss (`blind_loss`).

    Unstable: a loss was not a number, or the training loss ends far above its least, or it jumped at least twice, or
        the validation loss leapt up and back at least twice (see `_jumps` and `_leaps`).
    Underfitting: accuracy has come less than a tenth of the way from the baseline to 1; where no accuracy is known,
        training loss is at more than nine tenths of the blind guess's, or of where it began.
    Overfitting, since the epoch of least validation loss: it ends (median of the last third that follows, of
        three at least) above its least by more than `MARGIN`, twice that where fewer than three epochs follow, and by
        more than its own noise, while training loss fell on or was already less than half of it.
    Still improving: the deciding loss fell by more than `MARGIN` and its noise over the last quarter of training, and
        not almost all of that in the first half of it.
    Sound: none of these. Too short to tell: fewer than three evaluations.
    """
    curves = Curves.of(history)
    best = None
    if np.isfinite(curves.valid).any():
        best = curves.epochs[int(np.nanargmin(curves.valid))]
    if len(history) < LEAST_ROWS:
        said = (
            "no epoch was finished"
            if not history
            else f"{_times(len(history), 'evaluation')}, at least {LEAST_ROWS} needed"
        )
        return Verdict("too short to tell", f"Too short to tell: {said}.", _aside(curves), best)
    kind, sentence = (
        _unstable(curves)
        or _underfitting(curves, baseline, blind_loss)
        or _overfitting(curves)
        or _improving(curves)
        or _sound(curves)
    )
    return Verdict(kind, sentence, _aside(curves), best)


Told = tuple[str, str]


def _unstable(curves: Curves) -> Told | None:
    train, valid = curves.train, curves.valid
    for name, losses in (("training", train), ("validation", valid)):
        if not np.isfinite(losses).all():
            at = curves.epochs[int(np.flatnonzero(~np.isfinite(losses))[0])]
            return "unstable", f"Unstable: {name} loss was not a number in epoch {at}."
    least = int(train.argmin())
    if train[-1] > 1.2 * train[least] and train[-1] - train[least] > 0.1 * train[0]:
        return "unstable", (
            f"Unstable: training loss rose again after epoch {curves.epochs[least]}, from "
            f"{number(train[least])} to {number(train[-1])} at the end."
        )
    for name, losses, found in (("training", train, _jumps(train)), ("validation", valid, _leaps(valid))):
        if len(found) >= 2:
            worst = max(found, key=lambda at: losses[at] - losses[at - 1])
            return "unstable", (
                f"Unstable: {name} loss jumped up {len(found)} times, most in epoch {curves.epochs[worst]}, "
                f"from {number(losses[worst - 1])} to {number(losses[worst])}."
            )
    return None


def _jumps(train: Curve) -> list[int]:
    """Where training loss rose in one epoch by at least a fifth, and by more than a tenth of its first value."""
    return [
        at
        for at in range(1, len(train))
        if train[at] >= 1.2 * train[at - 1] and train[at] - train[at - 1] > 0.1 * train[0]
    ]


def _leaps(valid: Curve) -> list[int]:
    """Where validation loss rose in one epoch by at least half, and by more than a fifth of its first value, and lost
    at least half of that an epoch later: validation parts are small, so their losses are noisier."""
    return [
        at
        for at in range(1, len(valid) - 1)
        if valid[at] >= 1.5 * valid[at - 1]
        and valid[at] - valid[at - 1] > 0.2 * valid[0]
        and valid[at + 1] <= (valid[at] + valid[at - 1]) / 2
    ]


def _underfitting(curves: Curves, baseline: float | None, blind_loss: float | None) -> Told | None:
    first, last = curves.train[0], curves.train[-1]
    if baseline is not None and curves.accuracy is not None:
        if curves.accuracy >= baseline + 0.1 * (1 - baseline):
            return None
        return "underfitting", (
            f"Underfitting: accuracy ends at {format_score('accuracy', curves.accuracy)} even on its "
            f"better part, where the most frequent class alone gives {format_score('accuracy', baseline)}."
        )
    if blind_loss is not None and last <= 0.9 * blind_loss:
        return None
    if blind_loss is not None:
        return "underfitting", (
            f"Underfitting: training loss ends at {number(last)}, where a blind guess gives {number(blind_loss)}."
        )
    if first > 0 and last > 0.9 * first and curves.judged[-1] > 0.9 * curves.judged[0] and not _rose(curves):
        return "underfitting", f"Underfitting: training loss hardly fell, from {number(first)} to {number(last)}."
    return None


def _rose(curves: Curves) -> bool:
    return _overfitting(curves) is not None


def _overfitting(curves: Curves) -> Told | None:
    valid, train = curves.valid, curves.train
    if not len(valid):
        return None
    best = int(valid.argmin())
    after = len(valid) - 1 - best
    level = float(np.median(valid[-min(max(3, after // 3), after) :])) if after else valid[best]
    # One lucky epoch is no level to rise from: in a longer history the least median of three neighbours is.
    low = min(np.median(valid[at - 1 : at + 2]) for at in range(1, len(valid) - 1)) if len(valid) >= 8 else valid[best]
    rise = min(level, valid[-1]) - low
    allowed = max((MARGIN if after >= 3 else 2 * MARGIN) * valid[best], 3 * _noise(valid), 0.002 * valid[0])
    if rise <= allowed or not (train[-1] <= 1.02 * train[best] or train[-1] < valid[-1] / 2):
        return None
    start, end = number(train[best]), number(train[-1])
    fell = (
        f"training loss fell from {start} to {end}"
        if train[-1] < 0.98 * train[best]
        else f"training loss stayed at {end}"
    )
    return "overfitting", (
        f"Overfitting since epoch {curves.epochs[best]}: validation loss {number(valid[best])} at its "
        f"least, {number(valid[-1])} at the end, while {fell}."
    )


def _noise(losses: Curve) -> float:
    """How far a loss moves against its course: the mean rise before its least value and the mean fall after it."""
    best, moves = int(losses.argmin()), np.diff(losses)
    against = np.concatenate([moves[:best][moves[:best] > 0], -moves[best:][moves[best:] < 0]])
    return float(against.mean()) if len(against) else 0.0


def _improving(curves: Curves) -> Told | None:
    losses = curves.judged
    quarter = max(1, round(len(losses) / 4))
    middle = max(1, quarter // 2)
    before, end = float(np.median(losses[-quarter - middle : -quarter])), float(np.median(losses[-middle:]))
    fall = before - end
    levelled = losses[-1 - quarter // 2] - losses[-1] < fall / 4 and quarter > 1
    if fall <= max(MARGIN * before, 2 * _noise(losses), 0.005 * losses[0]) or levelled:
        return None
    if losses.argmin() < len(losses) - quarter:
        return None
    since = curves.epochs[-quarter - 1]
    return "still improving", (
        f"Still improving: {curves.name} fell from {number(losses[-quarter - 1])} to "
        f"{number(losses[-1])} after epoch {since}{_rate(curves)}."
    )


def _rate(curves: Curves) -> str:
    """What more epochs would mean, where the learning rate has run out."""
    finite = curves.rates[np.isfinite(curves.rates)]
    out = len(finite) and finite[-1] <= 0.05 * finite.max() and finite.max() > 0
    return "; the learning rate has run out, so going on means a longer schedule" if out else ""


def _sound(curves: Curves) -> Told:
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
    return "sound", f"Sound: {said}."


def _aside(curves: Curves) -> str:
    """What the verdict alone does not say."""
    told = []
    if len(curves.epochs) and not len(curves.valid):
        told.append("There is no validation part, so overfitting cannot be seen here: only training loss was judged.")
    finite = len(curves.valid) and np.isfinite(curves.valid).all() and np.isfinite(curves.train).all()
    if finite and curves.valid[-1] < curves.train[-1]:
        told.append(
            "Validation loss is below training loss at the end. That is usual where dropout or noise makes training "
            "harder, where weights are averaged before they are scored, and while a model still learns fast: "
            "training loss is the mean over an epoch, validation loss is measured after it."
        )
    if finite and curves.valid[-1] > 2 * curves.train[-1] and not _overfitting(curves):
        ratio = "many" if curves.train[-1] <= curves.valid[-1] / 1000 else f"{curves.valid[-1] / curves.train[-1]:.2g}"
        told.append(
            f"Validation loss ends at {ratio} times the training loss: the model knows its training part better than "
            "the rule behind it, though validation loss has not risen much for that."
        )
    single = _jumps(curves.train)
    if len(single) == 1:
        told.append(f"Training loss jumped up once, in epoch {curves.epochs[single[0]]}, and came back.")
    return " ".join(told)


def _times(count: int, what: str) -> str:
    return f"{count} {what}" + "s" * (count != 1)
