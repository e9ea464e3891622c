"""The analysis of a classifier's mistakes, on predictions made by hand and on hostile ones."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_runs import HOSTILE, answers, classification_run, texts
from lstmlab.analysis import wording
from lstmlab.analysis.answers import Answers, by_length
from lstmlab.analysis.errors import applies, length_words, section
from lstmlab.report import Table, unlabelled


def said(text: str, target: str, **probabilities: float) -> dict[str, Any]:
    prediction = max(probabilities, key=lambda name: probabilities[name])
    return {
        "id": text,
        "input": text,
        "target": target,
        "prediction": prediction,
        "probabilities": probabilities,
        "loss": float(-np.log(max(probabilities.get(target, 0), 1e-9))),
    }


def table(found: Any, title: str) -> Table:
    return next(one for one in found.tables if one.title.startswith(title))


def test_the_claim_counts_by_hand(tmp_path: Path) -> None:
    rows = [
        said("a", "neg", neg=0.2, pos=0.8),
        said("b", "neg", neg=0.1, pos=0.9),
        said("c", "pos", neg=0.6, pos=0.4),
        *[said(f"right {at}", "pos", neg=0.3, pos=0.7) for at in range(7)],
    ]
    found = section(classification_run(tmp_path, predictions=rows))
    assert found.claim == "30.0 % of the 10 test texts are wrong; most often “neg” is taken for “pos” (twice)."
    assert table(found, "Scores by label").rows[0] == ["neg", 2, "0.0", "0.0", "0.0"]
    assert table(found, "Scores by label").rows[1] == ["pos", 8, "77.8", "87.5", "82.4"]
    assert [row[0] for row in table(found, "The worst").rows] == ["b", "a", "c"]


def test_kinds_of_mistake_are_counted(tmp_path: Path) -> None:
    one = {"a": 0.1, "b": 0.1, "c": 0.1}
    wrong = [("a", "b", 3), ("c", "b", 2), ("b", "a", 1)]
    rows = [said(f"{at}", true, **{**one, given: 0.8}) for true, given, times in wrong for at in range(times)]
    rows += [said("right", "c", **{**one, "c": 0.8})] * 2
    found = section(classification_run(tmp_path, predictions=rows))
    assert table(found, "Most frequent").rows == [["a", "b", 3, "100.0"], ["c", "b", 2, "50.0"], ["b", "a", 1, "100.0"]]


def test_chance_is_not_called_bad_calibration(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for at, p in enumerate(rng.uniform(0.5, 1, 150)):
        rows.append(said(str(at), "pos" if rng.random() < p else "neg", neg=1 - p, pos=p))
    answered = Answers.of(classification_run(tmp_path, predictions=rows))
    assert answered.calibration_error > 0.05
    assert not answered.ill_calibrated


def test_confident_mistakes_that_are_not_the_costliest_are_shown_too(tmp_path: Path) -> None:
    costly = [said(f"costly {at}", "a", a=1e-6, b=0.5, c=0.499) for at in range(5)]
    sure = said("sure", "a", a=0.02, b=0.98, c=0.0)
    found = section(classification_run(tmp_path, predictions=[*costly, sure]))
    assert table(found, "The worst").rows[4][0] == "sure"
    assert "not yet among them" in table(found, "The worst").note


def test_accuracy_by_length_bins_add_up_and_intervals_hold_the_share(tmp_path: Path) -> None:
    run = classification_run(tmp_path)
    answered = Answers.of(run)
    bins = by_length(answered)
    assert sum(one.count for one in bins) == len(answered.rows)
    assert sum(one.right for one in bins) == len(answered.rows) - len(answered.wrong)
    assert all(one.low <= one.accuracy <= one.high for one in bins)
    assert all(before.longest < after.shortest for before, after in pairwise(bins))


def test_an_effect_of_length_is_claimed_only_where_the_bins_differ_by_more_than_chance(tmp_path: Path) -> None:
    short = [said("word " * 5, "pos", neg=0.1, pos=0.9) for _ in range(100)]
    long = [said("word " * 50, "pos", neg=0.9, pos=0.1) for _ in range(60)] + [
        said("word " * 50, "pos", neg=0.1, pos=0.9)
    ] * 40
    found = section(classification_run(tmp_path / "a", predictions=short + long))
    assert "100.0 % of the texts of 5 words are right and 40.0 % of those of 50" in found.evidence
    even = [said("word " * (5 + at % 40), "pos", neg=0.1, pos=0.9) for at in range(200)]
    assert "no clear effect" in section(classification_run(tmp_path / "b", predictions=even)).evidence
    # 1,000 of up to 12 words, 91.0 and 94.0 % right: the intervals overlap, the difference is real (z = 2.5).
    near = [
        said("word " * (5 + at % 8), "pos", neg=float(at % 100 < 9), pos=float(at % 100 >= 9)) for at in range(1000)
    ]
    far = [said("word " * (20 + at % 8), "pos", neg=float(at % 50 < 3), pos=float(at % 50 >= 3)) for at in range(1000)]
    found = Answers.of(classification_run(tmp_path / "c", predictions=near + far))
    bins = by_length(found, 2)
    assert bins[0].high > bins[1].low
    assert "differ by more than chance" in length_words(found, bins, classification_run(tmp_path / "d"))[0]


def test_overconfidence_is_said(tmp_path: Path) -> None:
    rows = [said(str(at), "pos" if at % 2 else "neg", neg=0.02, pos=0.98) for at in range(200)]
    evidence = section(classification_run(tmp_path, predictions=rows)).evidence
    assert "98.0 % sure on average and right in 50.0 %" in evidence
    assert "48.00 %: it is too sure of itself" in evidence
    assert "Never predicted, though present in the test part: “neg”." in evidence


DEGENERATE = {
    "no errors": [said(text, "pos", neg=0.1, pos=0.9) for text in texts(50)],
    "one example": [said("only", "pos", neg=0.9, pos=0.1)],
    "two examples": [said("one", "pos", neg=0.9, pos=0.1), said("two", "neg", neg=0.9, pos=0.1)],
    "fifty classes": answers(texts(300), [f"class number {at}" for at in range(50)], right=0.5),
    "twenty classes": answers(texts(300), [f"class-{at}" for at in range(20)], right=0.5),
    "empty texts": answers([""] * 60, ["a", "b"]),
    "hostile texts": answers(HOSTILE * 10, ["a", "b"], right=0.3),
    "hostile labels": answers(texts(60), [*HOSTILE[:6]], right=0.3),
    "one class never predicted": [said(str(at), "abc"[at % 3], a=0.6, b=0.4, c=0.0) for at in range(60)],
    "one class alone": [said(str(at), "a", a=1.0) for at in range(60)],
    "no probability and no loss": [{**said("x", "a", a=0.0, b=1.0), "loss": None}] * 30,
    "a label never learned": [said("x", "new", a=0.3, b=0.7)] * 30,
}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_runs(tmp_path: Path, name: str) -> None:
    run = classification_run(tmp_path, predictions=DEGENERATE[name])
    assert applies(run)
    found = section(run)
    assert [problem for figure in found.figures for problem in unlabelled(figure)] == []
    assert found.claim.endswith(".")
    assert "nan" not in (found.claim + found.evidence).lower()
    assert "\n" not in found.claim
    if name == "no errors":
        assert found.claim == "All 50 test texts are right."


def test_it_does_not_apply_without_labels(tmp_path: Path) -> None:
    assert not applies(classification_run(tmp_path / "a", predictions=[]))
    assert not applies(classification_run(tmp_path / "b", predictions=[{**said("x", "a", a=1.0), "target": None}]))


def test_words_and_ratings_that_go_with_mistakes_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for at in range(1500):
        hard, rated = at % 5 == 0, at % 7 == 0
        wrong = rng.random() < (0.5 if hard else 0.02 if rated else 0.1)
        words = [*rng.choice(list("abcdefghijk"), 6), *["ironie"] * hard, *["3/10"] * rated]
        rows.append(said(" ".join(words), "pos", neg=float(wrong), pos=float(not wrong)))
    found = Answers.of(classification_run(tmp_path, predictions=rows))
    more, fewer = wording.telling(found)
    assert [one.word for one in more] == ["ironie"]
    assert {one.word for one in fewer} <= {"3", "10"}
    told = " ".join(wording.common_words(found))
    assert "“ironie” (" in told
    assert "name a rating in figures" in told


def test_words_that_chance_alone_put_among_mistakes_are_not_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    named = 0
    for at in range(20):
        rows = [said(" ".join(rng.choice([f"w{k}" for k in range(60)], 9)), "pos", neg=wrong, pos=1 - wrong)
                for wrong in (rng.random(400) < 0.2).astype(float)]  # fmt: skip
        named += bool(wording.common_words(Answers.of(classification_run(tmp_path / str(at), predictions=rows))))
    assert named <= 4  # one in twenty is the level
    assert not wording.RATING.search("on 3/10/2001, open 24/7")


def test_texts_on_which_model_and_baseline_disagree_are_shown(tmp_path: Path) -> None:
    rows = [{**said("mine", "pos", neg=0.1, pos=0.9), "baseline": "neg"},
            {**said("theirs", "pos", neg=0.9, pos=0.1), "baseline": "pos"}]  # fmt: skip
    told = wording.apart_words(Answers.of(classification_run(tmp_path, predictions=rows)))[0]
    assert "the model alone knows “mine”" in told
    assert "the best baseline alone knows “theirs”" in told
    assert (
        wording.apart_words(Answers.of(classification_run(tmp_path / "b", predictions=[said("x", "a", a=1.0)]))) == []
    )
