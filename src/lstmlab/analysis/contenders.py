"""An arm of a study in numbers: what it reached with each seed, and what that cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from lstmlab.analysis.outcomes import Outcomes, outcomes
from lstmlab.metrics.significance import Estimate, mean_interval
from lstmlab.training.arms import Arm
from lstmlab.training.run import Run


@dataclass(frozen=True)
class Contender:
    """An arm with its finished runs."""

    arm: Arm
    runs: Mapping[int, Run]
    """By seed."""
    score: str

    @property
    def name(self) -> str:
        """As people call it."""
        return self.arm.name

    @cached_property
    def test(self) -> dict[int, float]:
        """Seed → main score on the test part, of the runs that have one."""
        return self._scores("test")

    @cached_property
    def valid(self) -> dict[int, float]:
        """Seed → main score on the validation part."""
        return self._scores("valid")

    def _scores(self, part: str) -> dict[int, float]:
        found = {seed: run.metrics.get(part, {}).get(self.score) for seed, run in self.runs.items()}
        return {seed: float(value) for seed, value in found.items() if value is not None}

    @cached_property
    def mean(self) -> Estimate:
        """Mean test score over the seeds with its interval."""
        return mean_interval(list(self.test.values()))

    @cached_property
    def outcomes(self) -> dict[int, Outcomes | None]:
        """Seed → what each test example brought; None where that run does not say it."""
        return {seed: outcomes(self.runs[seed], self.score) for seed in self.test}

    def summed(self, seeds: Sequence[int]) -> Outcomes | None:
        """What each test example brought with all these seeds together; None where a run does not say it."""
        found = [self.outcomes[seed] for seed in seeds]
        known = [told for told in found if told is not None]
        return reduce(add, known) if known and len(known) == len(found) else None

    @property
    def parameters(self) -> int:
        """Numbers learned."""
        return int(next(iter(self.runs.values())).metrics["parameters"])

    @property
    def seconds(self) -> float:
        """Mean seconds of training."""
        return float(np.mean([run.metrics["train_seconds"] for run in self.runs.values()]))


def values(one: Contender, seeds: Sequence[int]) -> NDArray[np.float64]:
    """Test scores of an arm with these seeds, in their order."""
    return np.array([one.test[seed] for seed in seeds])
