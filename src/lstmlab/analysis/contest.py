"""All arms of a study on one base beside each other, tested on the same examples."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lstmlab.analysis.comparison import Comparison
from lstmlab.analysis.contenders import Contender
from lstmlab.analysis.duels import Duel, duels
from lstmlab.errors import InputError
from lstmlab.metrics import SCORES, Score
from lstmlab.training.arms import Arm
from lstmlab.training.run import Run, main_score
from lstmlab.training.study import Study


@dataclass(frozen=True)
class Contest:
    """All arms on one base. Raises InputError where their runs were not tested on the same examples."""

    study: Study
    base: str
    contenders: tuple[Contender, ...]
    """Those with a scored run, in the plan's order; twins left out."""
    twins: tuple[Arm, ...]
    lost: tuple[Contender, ...]
    """Those without any scored run."""
    kind: Score

    @classmethod
    def of(cls, study: Study, base: str) -> "Contest":
        """The arms of a study on one base."""
        arms = study.of(base)
        whole = [arm for arm in arms if arm.twin is None]
        first = next((run for arm in whole for run in study.runs(arm).values()), None)
        if first is None:
            raise InputError(f"{study.folder}: no finished run on {base} yet; go on with it")
        score = main_score(first)
        found = [Contender(arm, study.runs(arm), score) for arm in whole]
        refuse_other_tests([run for one in found for run in one.runs.values()])
        scored = tuple(one for one in found if one.test)
        if not scored:
            raise InputError(f"{study.folder}: no run on {base} has a test part to be compared on")
        lost = tuple(one for one in found if not one.test)
        return cls(study, base, scored, tuple(arm for arm in arms if arm.twin), lost, SCORES[score])

    @property
    def first(self) -> Run:
        """Any of its runs: what they share can be read off it."""
        return next(iter(self.contenders[0].runs.values()))

    @property
    def sign(self) -> int:
        """1 where higher scores are better, else -1."""
        return 1 if self.kind.higher_is_better else -1

    @cached_property
    def seeds(self) -> list[int]:
        """Seeds with which every arm ended."""
        return [seed for seed in self.study.plan.seeds if all(seed in one.test for one in self.contenders)]

    @property
    def repeated(self) -> bool:
        """Whether any arm has several seeds, without which nothing can be said of chance."""
        return any(len(one.test) > 1 for one in self.contenders)

    @cached_property
    def baseline(self) -> Comparison:
        """The first run beside the best of its baselines."""
        return Comparison.of(self.first)

    @cached_property
    def ranked(self) -> list[Contender]:
        """Best mean test score first."""
        return sorted(self.contenders, key=lambda one: -self.sign * one.mean.mean)

    @cached_property
    def duels(self) -> list[Duel]:
        """Its arms in pairs, tested."""
        return duels(self.contenders, self.chosen, self.study.plan.seeds, self.kind)

    @cached_property
    def chosen(self) -> Contender:
        """The arm that validation prefers, or the first where there is no validation part."""
        known = [one for one in self.contenders if one.valid]
        if not known:
            return self.contenders[0]
        return max(known, key=lambda one: self.sign * float(np.mean(list(one.valid.values()))))

    def find(self, name: str) -> Contender | None:
        """The arm with this name, if it was scored; of a twin the one it is like."""
        same = next((arm.twin for arm in self.twins if arm.name == name), None) or name
        return next((one for one in self.contenders if one.name == same), None)


def tested_on(run: Run) -> str:
    """What a run was tested on, as a word that is equal for equal test parts."""
    told = run.summary["data"]
    known = [run.recipe["task"], dict(told.get("checksums", {})), told.get("parts", {}).get("test")]
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    for row in run.predictions:
        digest.update(json.dumps([row["id"], row["input"], row.get("target")], ensure_ascii=False).encode())
    return digest.hexdigest()


def refuse_other_tests(runs: Sequence[Run]) -> None:
    """Refuse runs that were tested on other examples, or for another task: their scores cannot be compared."""
    first, *others = runs
    same = tested_on(first)
    for run in others:
        if run.recipe["task"] != first.recipe["task"]:
            told = f"is of {run.recipe['task']}, {first.title} of {first.recipe['task']}"
            raise InputError(f"{run.title} {told}: their scores cannot be compared")
        if tested_on(run) != same:
            raise InputError(
                f"{run.title} and {first.title} were tested on different examples ({len(run.predictions):,} and "
                f"{len(first.predictions):,}): their scores cannot be compared. Train them on the same data with the "
                "same split_seed"
            )
