"""Where a run stands beside its baseline, and what to try next, on runs made up to have each fault."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_runs import answers, classification_run, curve, forecasting_run
from histories import fall, rows
from lstmlab.analysis import overview, remedies
from lstmlab.analysis.closing import notes
from lstmlab.analysis.curves import judge, section
from lstmlab.analysis.discussion import assessment
from lstmlab.analysis.standing import not_better, only_short, standing
from lstmlab.report import Document, write

STEADY = rows(
    fall(0.68, 0.25, 0.4, 16), fall(0.62, 0.32, 0.6, 16), accuracy=np.full(16, 0.9), valid_accuracy=np.full(16, 0.86)
)


def by_length(near: float, far: float, count: int = 400, seed: int = 0) -> list[dict[str, Any]]:
    """Answers of which `near` are right among texts of up to 50 words, `far` among longer ones, up to 100; two labels
    of equal share."""
    rng = np.random.default_rng(seed)
    made = []
    for at in range(count):
        words = int(rng.integers(1, 101))
        [row] = answers([" ".join(["word"] * words)], ["a", "b"], right=1.0, seed=at)
        target, right = "ab"[at % 2], rng.random() < (near if words <= 50 else far)
        said = target if right else "ab"[1 - at % 2]
        made.append({**row, "target": target, "prediction": said, "probabilities": {"a": 0.5, "b": 0.5, said: 0.9}})
    return made


def run_of(folder: Path, predictions: Sequence[Mapping[str, Any]], **changed: Any) -> Any:
    right = float(np.mean([row["prediction"] == row["target"] for row in predictions]))
    test = {"loss": 0.5, "accuracy": right, "macro_f1": right}
    return classification_run(folder, predictions=predictions, **{"history": STEADY, "test": test, **changed})


@pytest.mark.parametrize("seed", range(6))
def test_better_only_on_short_inputs(tmp_path: Path, seed: int) -> None:
    run = run_of(tmp_path / "r", by_length(0.9, 0.5, seed=seed), baseline={"majority class": {"accuracy": 0.5}})
    found = only_short(run)
    assert found is not None
    assert found.sentence.startswith("Better than the most frequent label only on short inputs: of ")
    assert "no gain beyond chance" in found.sentence
    assert found.sentence in assessment(run).evidence


@pytest.mark.parametrize(("near", "far"), [(0.9, 0.9), (0.9, 0.75), (0.5, 0.5), (0.5, 0.9), (0.62, 0.58)])
def test_no_such_thing_where_length_makes_no_such_difference(tmp_path: Path, near: float, far: float) -> None:
    for seed in range(6):
        run = run_of(tmp_path / str(seed), by_length(near, far, seed=seed))
        assert only_short(run) is None


@pytest.mark.parametrize(("right", "praised"), [(0.5, False), (0.8, True)])
def test_certainty_is_no_merit_at_chance(tmp_path: Path, right: float, praised: bool) -> None:
    sure = {"a": right, "b": 1 - right}
    rows = [
        {**row, "probabilities": sure if row["prediction"] == "a" else {"a": 1 - right, "b": right}}
        for row in by_length(right, right)
    ]
    run = run_of(tmp_path / "r", rows, baseline={"majority class": {"accuracy": 0.5}})
    good, bad = assessment(run).evidence.split("Weaknesses:")
    assert ("Calibration" in good) == praised
    assert "Calibration" not in bad
    assert "Length" not in good


def test_few_texts_do_not_tell(tmp_path: Path) -> None:
    assert only_short(run_of(tmp_path / "r", by_length(1.0, 0.5, count=30))) is None
    assert only_short(forecasting_run(tmp_path / "f")) is None


def test_not_better_than_the_baseline(tmp_path: Path) -> None:
    rivals = {"majority class": {"accuracy": 0.5}, "TF-IDF + logistic regression": {"accuracy": 0.8}}
    for at, (score, kind) in enumerate([(0.7, True), (0.81, True), (0.9, False)]):
        run = run_of(tmp_path / str(at), by_length(score, score), baseline=rivals, test={"accuracy": score})
        assert (not_better(run) is not None) == kind
        assert [one.kind for one in standing(run)] == ["not better than the baseline"] * kind


# ---- Advice


def told(tmp_path: Path, history: Sequence[Mapping[str, Any]], **changed: Any) -> str:
    run = classification_run(tmp_path, history=history, **changed)
    return " ".join(remedies.against(run, judge(run)))


def test_advice_fits_what_was_observed(tmp_path: Path) -> None:
    flat = np.full(10, 0.6931)
    half = np.full(10, 0.5)
    hot = rows(noisy_above(), flat, accuracy=half, valid_accuracy=half, rate=0.3, steps=40)
    assert "ten times smaller: learning_rate=0.0001." in told(tmp_path / "hot", hot)
    cold = rows(flat, flat, accuracy=half, valid_accuracy=half, rate=1e-7, steps=40)
    assert "ten times larger" in told(tmp_path / "cold", cold)
    stuck = rows(flat, flat, accuracy=half, valid_accuracy=half, steps=400)
    assert "labels follow from the inputs" in told(tmp_path / "stuck", stuck)
    assert remedies.REMEDIES.keys() >= {"unstable", "overfitting", "still improving"}
    assert told(tmp_path / "sound", STEADY) == ""


def noisy_above() -> np.ndarray:
    """Losses far above a coin's."""
    return np.array([3.0, 1.1, 0.95, 1.0, 0.9, 0.95, 1.0, 0.92, 0.97, 0.95])


def test_falling_training_loss_alone_is_no_reason_to_train_longer(tmp_path: Path) -> None:
    falling = np.linspace(0.68, 0.3, 20)
    without = told(tmp_path / "a", rows(falling))
    assert "Keep a validation part" in without
    assert "epochs=" not in without
    assert "Train longer" in told(tmp_path / "b", rows(falling, falling + 0.05))


# ---- Marks


def test_the_curves_mark_where_it_happens(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    history = rows([0.6, 0.4, 0.3, 0.35, 0.5, 0.7, 0.9], [0.5, 0.4, 0.35, 0.4, 0.55, 0.7, 0.95])
    [drawn] = section(classification_run(tmp_path / "r", history=history)).figures
    assert "Dotted: epoch 4 (unstable)." in drawn.note
    figure = Figure()
    assert callable(drawn.draw)
    drawn.draw(figure)
    assert any(line.get_linestyle() == ":" and set(line.get_xdata()) == {4} for line in figure.axes[0].lines)


def test_a_loss_that_was_no_number_is_told_of_a_run_that_ended_there(tmp_path: Path) -> None:
    history = [*curve(1), {"epoch": 2, "step": 61, "seconds": 2.0, "learning_rate": 1.0, "gradient_norm": None,
                           "train": {"loss": None}}]  # fmt: skip
    run = classification_run(tmp_path / "r", history=history)
    assert judge(run).sentence == "Unstable: training loss was not a number in epoch 2."
    assert section(run).figures


def test_generated_sentences_are_marked_and_a_persons_own_are_not(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "r")
    (run.folder / "notes.md").write_text("What I saw.\n", encoding="utf-8")
    found = Document("Report", sections=[section(run), *notes(run.folder)])
    text = write(found, tmp_path / "out")["md"].read_text(encoding="utf-8")
    assert text.count("† Sentences with this mark were generated from the numbers by fixed rules") == 1
    assert f"**{judge(run).sentence}** †" in text
    assert "**In the author's own words.**\n" in text


def test_the_best_baselines_answers_say_whether_the_model_beats_it(tmp_path: Path) -> None:
    rows = by_length(0.9, 0.9, count=1000)
    right = [row["target"] == row["prediction"] for row in rows]
    # Of 20 texts that one of both alone has right, the model has 15: p = 0.041, though the interval holds the rival.
    lost, won = np.flatnonzero(right)[:15], np.flatnonzero(~np.array(right))[:5]
    other = {"a": "b", "b": "a"}
    said = [other[row["prediction"]] if at in {*lost, *won} else row["prediction"] for at, row in enumerate(rows)]
    told = [{**row, "baseline": one} for row, one in zip(rows, said, strict=True)]
    rival = float(np.mean([row["baseline"] == row["target"] for row in told]))
    run = run_of(tmp_path / "a", told, baseline={"rival": {"accuracy": rival}})
    found = overview.Comparison.of(run)
    assert found.alone == (15, 5)
    assert found.interval is not None
    assert found.interval[0] < rival
    assert found.beaten
    assert "model alone has 15 right and the best baseline alone 5 (McNemar's test, exact: p = 0.041)" in (
        overview.scores(run).evidence
    )
    older = overview.Comparison.of(run_of(tmp_path / "b", rows, baseline={"rival": {"accuracy": rival}}))
    assert older.noise
    assert older.paired_words == ""


def test_better_than_the_best_baseline_only_on_short_inputs(tmp_path: Path) -> None:
    rows = by_length(0.95, 0.75, count=1000)
    rng = np.random.default_rng(1)
    told = [{**row, "baseline": row["target"] if rng.random() < 0.75 else "c"} for row in rows]
    found = only_short(run_of(tmp_path, told, baseline={"rival": {"accuracy": 0.75}}))
    assert found is not None
    assert found.sentence.startswith("Better than the best baseline (rival) only on short inputs")
