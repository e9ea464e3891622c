"""Study directories made up by hand: arms with runs that score what they are told to."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fake_runs import classification_run, curve
from lstmlab import recipe as recipes
from lstmlab.training.arms import Arm, Claim, Plan, slug
from lstmlab.training.study import Study

WORDS = "the film was a very good bad slow moving picture with actors who never seem to know why".split()


def examples(count: int = 300) -> tuple[list[str], list[str]]:
    """Texts of 3 to 40 words and their labels."""
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(WORDS, int(random.integers(3, 41)))) for _ in range(count)]
    return texts, [("negative", "positive")[int(side)] for side in random.integers(0, 2, count)]


def predictions(right: float, seed: int, count: int = 300) -> list[dict[str, Any]]:
    """Answers to the same examples, exactly this share of them right; the easy ones are easy for everybody."""
    texts, labels = examples(count)
    random = np.random.default_rng(seed)
    hardness = np.random.default_rng(1).random(count) + 0.2 * random.random(count)
    known = set(np.argsort(hardness)[: round(right * count)].tolist())
    other = {"negative": "positive", "positive": "negative"}
    made = []
    for at, (text, label) in enumerate(zip(texts, labels, strict=True)):
        said = label if at in known else other[label]
        made.append(
            {
                "id": f"test-{at}", "input": text, "target": label, "prediction": said,
                "probabilities": {said: 0.8, other[said]: 0.2}, "loss": 0.22 if at in known else 1.6,
            }
        )  # fmt: skip
    return made


def study(
    folder: Path,
    scores: Mapping[str, Sequence[float]],
    *,
    factors: Mapping[str, Mapping[str, Any]] | None = None,
    parameters: Mapping[str, int] | None = None,
    claims: Sequence[Claim] = (),
    **changed: Any,
) -> Study:
    """A study of arms with these test accuracies, one a seed; validation scores are the same less a point."""
    seeds = tuple(range(max(len(one) for one in scores.values())))
    plan = Plan(
        name="made-up",
        bases={"base": {"task": "classification", "seed": 0, "split_seed": None}},
        arms=tuple(Arm(name=name, base="base", factors=dict((factors or {}).get(name, {}))) for name in scores),
        seeds=seeds,
        claims=tuple(claims),
    ).model_copy(update=changed)
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text(recipes.write_yaml(recipes.dump(plan)), encoding="utf-8")
    told = {"started": "2026-02-03T04:05:06+0000", "command": "lstmlab compare made-up", "versions": {"torch": "2.13"}}
    (folder / "environment.json").write_text(json.dumps(told), encoding="utf-8")
    for name, accuracies in scores.items():
        for seed, right in enumerate(accuracies):
            run(folder / "runs" / slug(name) / f"seed-{seed}", right, seed, (parameters or {}).get(name, 1000))
    return Study(folder)


def run(folder: Path, right: float, seed: int, parameters: int = 1000, count: int = 300) -> None:
    """A run with this accuracy."""
    rows = predictions(right, seed, count)
    exact = round(right * count) / count
    scores = {"loss": 0.5, "accuracy": exact, "macro_f1": exact, "calibration_error": 0.02}
    valid = {**scores, "accuracy": exact - 0.01}
    made = classification_run(
        folder, predictions=rows, history=curve(4), parameters=parameters, test=scores, valid=valid
    )
    tree = {**made.recipe, "seed": seed}
    (folder / "recipe.yaml").write_text(recipes.write_yaml(tree), encoding="utf-8")
