"""The verdict: what the history of a training says about it, in sentences with their numbers.

The rules stand beside each other by what they ask: `stability`, `chance` (and underfitting), `rates`, `trend`
(overfitting, still improving, sound), `samples` (is validation large enough). Here they are put in order.
"""

from dataclasses import dataclass

import numpy as np

from lstmlab.analysis import chance, rates, samples, stability, trend
from lstmlab.analysis.history import Curves, History, Known, Observation, series

__all__ = ["Curves", "History", "Known", "Observation", "Verdict", "series", "verdict"]

LEAST_ROWS = 3
"""With fewer evaluations nothing can be said of a trend."""


@dataclass(frozen=True)
class Verdict:
    """What a history says. `kind` is the main thing, one of unstable, stuck at chance, underfitting, overfitting,
    learning rate too high, learning rate too low, validation too small to tell, still improving, sound, too short to
    tell; `sentence` says it with its numbers; `evidence` is what else a reader of the curves would want to know."""

    kind: str
    sentence: str
    evidence: str
    best_epoch: int | None
    """The epoch of least validation loss; None without validation."""
    epoch: int | None = None
    """Where the curves show it, if in one place."""
    also: tuple[Observation, ...] = ()
    """What is true besides: of the kinds above, or that validation is too small to tell."""

    @property
    def observations(self) -> tuple[Observation, ...]:
        """The main one and the others."""
        return (Observation(self.kind, self.sentence, self.epoch), *self.also)

    @property
    def kinds(self) -> frozenset[str]:
        """All that was told."""
        return frozenset(one.kind for one in self.observations)


def verdict(history: History, known: Known | None = None) -> Verdict:
    """Judge a history, beside what is known of the run.

    The first of these that holds is the main verdict: unstable, stuck at chance (training never left it), underfitting,
    overfitting, learning rate too low, learning rate too high, validation too small to tell (where it is at chance),
    still improving, sound; too short to tell with fewer than three evaluations. Of the others, those that hold too are
    told besides. A loss that is not a number is told however short the history is, and a learning rate that was far too
    high as well.
    """
    known = known or Known()
    curves = Curves.of(history)
    best = None
    if np.isfinite(curves.valid).any():
        best = curves.epochs[int(np.nanargmin(curves.valid))]
    if len(history) < LEAST_ROWS and curves.finite:
        high = rates.too_high(curves, known, None)
        said = f"Too short to tell: {_few(history)}."
        return Verdict("too short to tell", said, _aside(curves, known), best, also=(high,) if high else ())
    main, *others = _found(curves, known)
    return Verdict(main.kind, main.sentence, _aside(curves, known), best, main.epoch, tuple(others))


def _found(curves: Curves, known: Known) -> list[Observation]:
    """What holds, the main thing first."""
    unstable = stability.unstable(curves)
    high = rates.too_high(curves, known, unstable)
    low = None if high else rates.too_low(curves, known)
    if not curves.finite:
        return [one for one in (unstable, high) if one]
    stuck = chance.stuck(curves, known, high or low)
    # To be stuck says more than to have learned little, and what was lost again was learned.
    little = None if stuck or unstable else chance.underfitting(curves, known)
    by_heart = stuck is not None and chance.learned_by_heart(curves, known)
    # Nothing is overfitted where nothing was learned.
    overfits = None if little or (stuck and not by_heart) else trend.overfitting(curves, known)
    few = None if stuck or little else samples.too_small(curves, known, overfits)
    if overfits and samples.doubtful(curves, known):
        overfits = None
    # Of what was learned by heart, that it overfits is what the curves show first.
    faults = [unstable, overfits, stuck, low, high] if by_heart else [unstable, stuck, little, overfits, low, high]
    told = [one for one in faults if one]
    # What is no better than a blind guess, as far as can be seen, is not called sound.
    if not told and not (few and chance.at_chance(curves, known)):
        told = [trend.improving(curves, known) or trend.sound(curves)]
    return [*told, *([few] if few else [])]


def _few(history: History) -> str:
    if not history:
        return "no epoch was finished"
    count = len(history)
    return f"{count} evaluation{'s' * (count != 1)}, at least {LEAST_ROWS} needed"


def _aside(curves: Curves, known: Known) -> str:
    """What the verdict alone does not say."""
    told = []
    if len(curves.epochs) and not len(curves.valid):
        told.append("There is no validation part, so overfitting cannot be seen here: only training loss was judged.")
    finite = len(curves.valid) and curves.finite
    if finite and curves.valid[-1] < curves.train[-1]:
        told.append(
            "Validation loss is below training loss at the end. That is usual where dropout or noise makes training "
            "harder, where weights are averaged before they are scored, and while a model still learns fast: "
            "training loss is the mean over an epoch, validation loss is measured after it."
        )
    if finite and curves.valid[-1] > 2 * curves.train[-1] and not trend.overfitting(curves, known):
        ratio = "many" if curves.train[-1] <= curves.valid[-1] / 1000 else f"{curves.valid[-1] / curves.train[-1]:.2g}"
        told.append(
            f"Validation loss ends at {ratio} times the training loss: the model knows its training part better than "
            "the rule behind it, though validation loss has not risen much for that."
        )
    jumped = stability.jumps(curves.train)
    if jumped and not (len(jumped) > 1 and stability.unstable(curves)):
        often = "once" if len(jumped) == 1 else f"{len(jumped)} times"
        last = "" if len(jumped) == 1 else "the last time "
        told.append(f"Training loss jumped up {often}, {last}in epoch {curves.epochs[jumped[-1]]}, and came back.")
    return " ".join(told)
