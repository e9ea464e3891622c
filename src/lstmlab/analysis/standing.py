"""Where a finished run stands: beside its baseline, and whether it is better than a guess on short inputs only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lstmlab.analysis import errors, overview
from lstmlab.analysis.answers import Answers, LengthBin, by_length
from lstmlab.analysis.verdict import Observation
from lstmlab.report import excerpt
from lstmlab.training.run import Run

SURE = 1.96
"""Standard errors that a difference has to be away from zero, two-sided 95 %."""


def standing(run: Run) -> list[Observation]:
    """Not better than the baseline; better only on short inputs."""
    return [one for one in (not_better(run), only_short(run)) if one is not None]


def not_better(run: Run) -> Observation | None:
    """The main score of the test part is no better than the best baseline's, or by no more than its noise."""
    if not overview.has_scores(run):
        return None
    found = overview.Comparison.of(run)
    if found.rival is None or np.isnan(found.value) or found.beaten:
        return None
    return Observation("not better than the baseline", f"Not better than the baseline: {found.words}")


@dataclass(frozen=True)
class Gain:
    """By how much a model is right more often than a rival, on the same inputs."""

    count: int
    model: float
    guess: float
    gain: float
    error: float
    """Standard error of the gain: of paired differences -1, 0 and 1."""

    @classmethod
    def of(cls, model: NDArray[np.bool_], guess: NDArray[np.bool_]) -> "Gain":
        """The gain over these inputs, of which there is one at least."""
        differences = model.astype(float) - guess
        spread = float(differences.std(ddof=1)) if len(model) > 1 else np.inf
        return cls(
            len(model), float(model.mean()), float(guess.mean()), float(differences.mean()),
            spread / np.sqrt(len(model)),
        )  # fmt: skip

    @property
    def sure(self) -> bool:
        """Whether it is better beyond chance."""
        return bool(self.gain > SURE * self.error)


def only_short(run: Run) -> Observation | None:
    """Of inputs put into bins by length, the shorter ones are labelled better than by the best baseline (where the run
    has its answers), or by the most frequent label, the longer ones not, and that difference is itself beyond chance.
    """
    if not errors.applies(run):
        return None
    answers = Answers.of(run)
    bins = by_length(answers)
    if len(bins) < 2:
        return None
    rivals = {"the most frequent label": answers.targets == _guess(run, answers)}
    if answers.rival_right is not None and (rival := overview.Comparison.of(run).rival):
        rivals = {f"the best baseline ({excerpt(rival, 60)})": answers.rival_right, **rivals}
    found = (_only_short(answers, bins, name, guess) for name, guess in rivals.items())
    return next((one for one in found if one is not None), None)


def _only_short(answers: Answers, bins: list[LengthBin], rival: str, guess: NDArray[np.bool_]) -> Observation | None:
    """The same against one rival, which is right where `guess` says."""
    right = answers.targets == answers.predictions
    places = [(answers.lengths >= one.shortest) & (answers.lengths <= one.longest) for one in bins]
    better = [Gain.of(right[here], guess[here]).sure for here in places]
    leading = better.index(False) if False in better else len(better)
    if leading in (0, len(bins)):
        return None
    short = answers.lengths <= bins[leading - 1].longest
    near, far = Gain.of(right[short], guess[short]), Gain.of(right[~short], guess[~short])
    apart = near.gain - far.gain > SURE * np.hypot(near.error, far.error)
    if far.sure or not near.sure or not apart:
        return None
    limit = f"{bins[leading - 1].longest:,} {answers.unit}"
    return Observation(
        "better only on short inputs",
        f"Better than {rival} only on short inputs: of {near.count:,} {answers.things[1]} of up to "
        f"{limit} {100 * near.model:.1f} % are right, by that rival {100 * near.guess:.1f} %; of "
        f"{far.count:,} longer ones {100 * far.model:.1f} % against {100 * far.guess:.1f} %, which is no gain beyond "
        "chance.",
    )


def beyond_guess(run: Run, answers: Answers) -> bool:
    """Whether the most frequent label alone is beaten, beyond chance."""
    return Gain.of(answers.targets == answers.predictions, answers.targets == _guess(run, answers)).sure


def _guess(run: Run, answers: Answers) -> int:
    """The most frequent label of the training part: the one whose share of the test part is what that baseline scored;
    without that baseline, the most frequent of the test part."""
    shares = np.bincount(answers.targets, minlength=len(answers.names)) / len(answers.rows)
    told = run.metrics.get("baseline", {}).get("majority class", {}).get("accuracy")
    return int(shares.argmax() if told is None else np.abs(shares - told).argmin())
