"""A run written up: what stands in it, that every sentence fits the numbers, that equal runs give equal bytes."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from fake_runs import HOSTILE, answers, classification_run, curve, forecasting_run, texts
from lstmlab.analysis import ANALYSES
from lstmlab.analysis.document import document, observations
from lstmlab.analysis.overview import Comparison
from lstmlab.analysis.overview import data as data_section
from lstmlab.errors import InputError
from lstmlab.recipe import override
from lstmlab.report import Document, unlabelled, write
from lstmlab.training.run import Run

pytestmark = pytest.mark.slow


def words(found: Document) -> str:
    """Everything a document says in its sections' claims and evidence."""
    return "\n".join(f"{section.claim}\n{section.evidence}" for section in found.sections)


def compared(tmp_path: Path, accuracy: float, baseline: float, count: int = 400) -> Comparison:
    rows = answers(texts(count), ["a", "b"])
    score = {"accuracy": accuracy, "macro_f1": accuracy}
    name = f"{accuracy}-{baseline}-{count}"
    rivals = {"majority class": {"accuracy": baseline}}
    return Comparison.of(classification_run(tmp_path / name, predictions=rows, test=score, baseline=rivals))


def test_order_and_head(tmp_path: Path) -> None:
    about = {"title": "My report", "author": "A. Student", "course": "NLP 101"}
    found = document(classification_run(tmp_path / "r", about=about))
    assert (found.title, found.author, found.course, found.date) == (
        "My report",
        "A. Student",
        "NLP 101",
        "3 February 2026",
    )
    assert found.subtitle == "Sentiment of made-up film reviews."
    assert [section.title for section in found.sections] == [
        "Problem and data",
        "Model",
        "Training",
        "Scores",
        "Errors",
        "Observations",
        "Improvements and next steps",
        "How to reproduce",
        "References",
        "Left out",
    ]  # fmt: skip  (the last: this run has no model)
    # Every paper that is named stands at the end, and no other.
    assert "Hochreiter, S. & Schmidhuber, J. (1997)" in found.sections[-2].evidence
    assert "Bahdanau" not in found.sections[-2].evidence
    found = document(forecasting_run(tmp_path / "f"))
    assert found.title == "The textbook sine forecaster"
    assert [section.title for section in found.sections][4] == "Forecast"
    assert dict(found.facts)["Training"] == "sound"


def test_the_first_screen_has_the_facts(tmp_path: Path) -> None:
    facts = dict(document(classification_run(tmp_path / "made-up" / "20260203-040506")).facts)
    assert facts["Run"] == "made-up/20260203-040506"
    assert facts["Best baseline"] == "80.00 % (TF-IDF + logistic regression)"
    assert facts["Trained in"] == "1 min 2 s on cpu"


def test_a_better_model_is_told_so_with_its_margin(tmp_path: Path) -> None:
    found = compared(tmp_path, 0.9, 0.8)
    assert found.beaten
    assert "Accuracy 90.00 % on 400 test examples (95 % interval 86.7 to 92.6 %): 10.0 points better" in found.words


def test_noise_is_told(tmp_path: Path) -> None:
    found = compared(tmp_path, 0.81, 0.80)
    assert not found.beaten
    assert "1.0 points better" in found.words
    assert "within the noise of 400 test examples" in found.words


def test_a_model_that_does_not_beat_its_baseline_is_told_so(tmp_path: Path) -> None:
    assert "it does not beat the best baseline (majority class, 80.00 %) but is 10.0 points worse." in compared(
        tmp_path, 0.7, 0.8).words  # fmt: skip
    assert "no better than the best baseline" in compared(tmp_path, 0.8, 0.8).words
    assert "worse, and the gap is within the noise" in compared(tmp_path, 0.79, 0.8).words
    worse = document(classification_run(tmp_path / "w", test={"accuracy": 0.5, "macro_f1": 0.5}))
    assert "gives no reason to prefer it" in words(worse)
    assert "not better than its baselines" in words(worse)


def test_the_best_row_is_marked_and_validation_is_no_rival(tmp_path: Path) -> None:
    run = classification_run(
        tmp_path,
        test={"accuracy": 0.7, "macro_f1": 0.7},
        test_last={"accuracy": 0.7, "macro_f1": 0.7},
        valid={"accuracy": 0.99, "macro_f1": 0.99},
    )
    [table] = ANALYSES["scores"].section(run).tables
    marked = [str(row[0]) for row in table.rows if "(best)" in str(row[0])]
    assert "TF-IDF + logistic regression (best)" in marked
    assert not any("validation" in name for name in marked)


def test_observations_are_a_handful_of_sentences(tmp_path: Path) -> None:
    told = observations(classification_run(tmp_path / "c"))
    assert told[0].startswith("Accuracy 9")
    assert told[1].startswith("Overfitting since epoch 3:")
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in told)
    told = observations(forecasting_run(tmp_path / "f"))
    assert "does not beat the best baseline (seasonal naive (63 steps), 0.0200)" in told[0]
    assert 2 <= len(told) <= 5


def test_bad_calibration_is_among_the_observations(tmp_path: Path) -> None:
    rows = answers(texts(300), ["a", "b"])
    for row in rows:
        row["probabilities"] = {name: 1.0 if name == row["prediction"] else 0.0 for name in "ab"}
        row["prediction"] = "a"
        row["probabilities"] = {"a": 0.999, "b": 0.001}
    assert any("too sure of itself" in line for line in observations(classification_run(tmp_path, predictions=rows)))


def advice(run: Run) -> list[str]:
    evidence = next(s.evidence for s in document(run).sections if s.title == "Improvements and next steps")
    return re.findall(r": ([a-z_.]+=\S+)\.$", evidence.partition("What to try next")[2], re.MULTILINE)


@pytest.mark.parametrize("history", [
    curve(), curve(overfit=False), curve()[:2],
    [{**row, "train": {"loss": 0.69, "accuracy": 0.5}, "valid": {"loss": 0.69, "accuracy": 0.5}} for row in curve()],
    [{**row, "train": {"loss": 0.1 + 0.6 * (at % 2), "accuracy": 0.8}} for at, row in enumerate(curve(11))],
])  # fmt: skip
def test_every_advice_is_a_setting_that_exists(tmp_path: Path, history: list[dict[str, Any]]) -> None:
    from lstmlab.recipe import fields, parse_overrides
    from lstmlab.training.experiment import recipe_class

    for run in (classification_run(tmp_path / "c", history=history, dropout=0.0), forecasting_run(tmp_path / "f")):
        told = advice(run)
        assert told
        paths = [path for path, _ in fields(recipe_class(run.recipe["task"]))]
        override(run.recipe, parse_overrides(told), paths)


def test_notes_are_included_as_plain_text(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "r")
    (run.folder / "notes.md").write_text("What I saw: <b>nothing</b>.\n\n- a point\n", encoding="utf-8")
    notes = next(section for section in document(run).sections if section.title == "Notes")
    assert notes.evidence == "What I saw: <b>nothing</b>.\n\n- a point"
    page = write(document(run), run.folder)["html"].read_text(encoding="utf-8")
    assert "&lt;b&gt;nothing&lt;/b&gt;" in page
    (run.folder / "notes.md").write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match=r"notes\.md: notes are UTF-8 text; byte 3 is not"):
        document(run)


def test_no_foreign_line_closes_the_block_of_the_journey(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "r")
    summary = run.summary
    summary["journey"] = [[text[:30], text] for text in HOSTILE]
    (run.folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    evidence = data_section(Run(run.folder)).evidence
    block = evidence.partition("```\n")[2]
    assert len(block.rstrip("`").splitlines()) == len(HOSTILE)


def test_an_unfinished_run_says_how_to_finish_it(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "r")
    (run.folder / "metrics.json").unlink()
    assert observations(Run(run.folder)) == [observations(classification_run(tmp_path / "s"))[1]]
    assert "Errors" not in [section.title for section in document(Run(run.folder)).sections]


def test_without_a_test_part(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "r", predictions=[])
    metrics = {name: value for name, value in run.metrics.items() if name not in ("test", "test_last", "baseline")}
    (run.folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    found = document(Run(run.folder))
    assert [section.title for section in found.sections][3] == "Observations"


@pytest.mark.slow
def test_equal_runs_give_equal_bytes_and_hostile_texts_stay_text(tmp_path: Path) -> None:
    rows = answers([*texts(60), *HOSTILE * 8], HOSTILE[:3], right=0.5)
    found = []
    for at in range(2):
        run = classification_run(
            tmp_path / "runs" / "made", predictions=rows, about=dict.fromkeys(("title", "author"), HOSTILE[0])
        )
        found.append({kind: path.read_bytes() for kind, path in write(document(run), tmp_path / f"out{at}").items()})
    assert found[0] == found[1]
    assert b"<script>alert" not in found[0]["html"]


@pytest.mark.slow
@pytest.mark.parametrize("made", [classification_run, forecasting_run])
def test_a_report_has_two_to_four_pages(tmp_path: Path, made: Any) -> None:
    pdf = write(document(made(tmp_path / "runs/made/up")), tmp_path)["pdf"].read_bytes()
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 4


def test_every_figure_has_its_labels(tmp_path: Path) -> None:
    for run in (classification_run(tmp_path / "c"), forecasting_run(tmp_path / "f")):
        assert [problem for figure in document(run).figures for problem in unlabelled(figure)] == []
