"""Every analysis on every kind of run: it holds where it applies, from the smallest run to a hostile one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fake_matches import HOSTILE_PAIRS, judged, pairs_run
from fake_pairs import HOSTILE_ROWS, dialogue_run, row, translation_run
from fake_prose import HOSTILE_PROSE, HOSTILE_TOKENS, details, prose_run
from fake_runs import HOSTILE, answers, classification_run, curve, forecasting_run, texts
from fake_series import series_run
from fake_taggings import HOSTILE_TAGGED, tagged, tagging_run
from lstmlab.analysis import ANALYSES
from lstmlab.report import as_text, unlabelled
from lstmlab.training.run import Run

RUNS: dict[str, Callable[[Path], Run]] = {
    "a classifier": classification_run,
    "the smallest classifier": lambda path: classification_run(
        path, history=curve(1), predictions=answers(["a"], ["x", "y"]), baseline={}),
    "a classifier of hostile texts": lambda path: classification_run(
        path, predictions=answers(HOSTILE * 5, HOSTILE[:4], right=0.4)),
    "a classifier of fifty labels": lambda path: classification_run(
        path, predictions=answers(texts(200), [f"label {at}" for at in range(50)])),
    "a classifier without history": lambda path: classification_run(path, history=[]),
    "a forecaster": forecasting_run,
    "the smallest forecaster": lambda path: forecasting_run(path, horizon=1, baseline={}),
    "a forecaster without history": lambda path: forecasting_run(path, history=[]),
    "a forecaster of a series": series_run,
    "a forecaster with intervals": lambda path: series_run(path, quantiles=True, name=HOSTILE[0]),
    "the smallest forecaster of a series": lambda path: series_run(path, horizon=1, windows=1, free=False),
    "a forecaster of what never changes": lambda path: series_run(path, values=np.full(96, 3.0), error=0.0),
    "a translator": translation_run,
    "the smallest translator": lambda path: translation_run(
        path, history=[], predictions=[row("a", "b", "c", shown=True)], baseline={}),
    "a translator of nothing": lambda path: translation_run(path, predictions=[row("a", "", "c", shown=True)]),
    "a translator without attention": lambda path: translation_run(path, changes={"model": {"context": "state"}}),
    "a translator of hostile texts": lambda path: translation_run(path, predictions=HOSTILE_ROWS),
    "a tagger of names": tagging_run,
    "a tagger of parts of speech": lambda path: tagging_run(path, scheme="plain"),
    "a tagger that is always right": lambda path: tagging_run(path, predictions=[tagged(["a", "b"], ["B-X", "O"])] * 3),
    "a tagger of words training saw": lambda path: tagging_run(
        path, scheme="plain", predictions=[tagged(["a", "b"], ["V", "N"], ["V", "V"])], known=("a", "b")),
    "a tagger of words nobody saw": lambda path: tagging_run(path, known=("zzz",)),
    "a tagger that finds nothing": lambda path: tagging_run(
        path, predictions=[tagged(["a", "b"], ["O", "O"], ["O", "B-X"]), tagged([], [])]),
    "the smallest tagger": lambda path: tagging_run(
        path, history=[], predictions=[tagged(["a"], ["B-X"], ["O"])], baseline={}, known=("b",)),
    "a tagger of hostile words": lambda path: tagging_run(path, predictions=HOSTILE_TAGGED),
    "a judge of pairs": pairs_run,
    "a judge of scores": lambda path: pairs_run(path, graded=True),
    "a judge that is always right": lambda path: pairs_run(
        path, predictions=[judged("a b", "a c", "entailment")] * 50, attention="none"),
    "the smallest judge": lambda path: pairs_run(
        path, history=[], predictions=[judged("a", "b", "neutral", "entailment")], baseline={}),
    "the smallest judge of scores": lambda path: pairs_run(
        path, graded=True, history=[], predictions=[judged("a", "b", 1.0, 2.0)], baseline={}),
    "a judge of hostile texts": lambda path: pairs_run(path, predictions=HOSTILE_PAIRS),
    "a writer": prose_run,
    "a writer of words": lambda path: prose_run(
        path, level="word", tokens="what light through yonder window breaks ? \n".split(" ") * 20,
        details=details(["light", "<unk>"] * 50, unknown=0.5)),
    "a writer of pieces": lambda path: prose_run(path, level="subword", tokens=["Wh", "at", " light", "\\xf0"] * 9),
    "a writer that goes on learning": lambda path: prose_run(
        path, details=details("abc", dynamic={"rate": 0.1, "nats_per_character": 1.2, "perplexity": 3.3})),
    "a writer gone astray": lambda path: prose_run(
        path, test={"loss": 11120.6, "nats_per_character": 11120.6, "perplexity": None},
        details=details("abc", dynamic={"rate": 1e9, "nats_per_character": None, "perplexity": None})),
    "a writer of little sense": lambda path: prose_run(path, test={"loss": 90.0, "perplexity": 1.2e39}),
    "the smallest writer": lambda path: prose_run(path, tokens="a", history=[], predictions=[], baseline={}),
    "a writer without details": lambda path: prose_run(path, details={}),
    "a writer of nothing": lambda path: prose_run(path, tokens=[], predictions=HOSTILE_PROSE[-3:-1]),
    "a writer who is never wrong": lambda path: prose_run(
        path, details={**details("ab"), "passage": {"tokens": ["a", "b"], "nats": [0.0, 0.0]}}),
    "a writer of hostile texts": lambda path: prose_run(path, tokens=HOSTILE_TOKENS, predictions=HOSTILE_PROSE),
    "a partner in conversation": dialogue_run,
    "a dull partner": lambda path: dialogue_run(path, dull=True),
    "the smallest partner": lambda path: dialogue_run(path, history=[], predictions=[row("a", "b", "c")], baseline={}),
}  # fmt: skip


PLAIN = (
    "a classifier", "a judge of pairs", "a judge of scores", "a tagger of names", "a forecaster",
    "a forecaster of a series", "a translator", "a partner in conversation",
)  # fmt: skip
KINDS = [kind if kind in PLAIN else pytest.param(kind, marks=pytest.mark.slow) for kind in RUNS]
EVERYWHERE = {"data", "model", "settings"}
"""What applies to every run, whatever it lacks."""


@pytest.mark.parametrize("kind", KINDS)
def test_an_analysis_gives_a_claim_and_labelled_figures(kind: str, tmp_path: Path) -> None:
    run = RUNS[kind](tmp_path / "made" / "up")
    applying = {name: analysis for name, analysis in ANALYSES.items() if analysis.applies(run)}
    assert applying.keys() >= EVERYWHERE
    for name, analysis in applying.items():
        found = analysis.section(run)
        assert found.claim.endswith("."), name
        assert len(found.claim.splitlines()) == 1, name
        assert "nan" not in f" {found.claim} {found.evidence} ".lower().split(), name
        assert [problem for figure in found.figures for problem in unlabelled(figure)] == [], name
        assert as_text(found), name


def test_each_task_has_its_own_analysis(tmp_path: Path) -> None:
    text, numbers = classification_run(tmp_path / "c"), forecasting_run(tmp_path / "f")
    assert [name for name in ANALYSES if ANALYSES[name].applies(text)] == [
        "data",
        "model",
        "settings",
        "curves",
        "scores",
        "errors",
    ]
    assert [name for name in ANALYSES if ANALYSES[name].applies(numbers)] == [
        "data", "model", "settings", "curves", "scores", "feedback"]  # fmt: skip
    series = series_run(tmp_path / "s")
    assert [name for name in ANALYSES if ANALYSES[name].applies(series)] == [
        "data", "model", "settings", "curves", "scores", "forecasts", "residuals"]  # fmt: skip
    taggers = tagging_run(tmp_path / "n"), tagging_run(tmp_path / "p", scheme="plain")
    for one in taggers:
        assert [name for name in ANALYSES if ANALYSES[name].applies(one)] == [
            "data", "model", "settings", "curves", "scores", "mistakes"]  # fmt: skip
    judges = pairs_run(tmp_path / "j"), pairs_run(tmp_path / "g", graded=True)
    assert [[name for name in ANALYSES if ANALYSES[name].applies(one)] for one in judges] == [
        ["data", "model", "settings", "curves", "scores", "errors", "overlap"],
        ["data", "model", "settings", "curves", "scores", "overlap"],
    ]
    assert [name for name in ANALYSES if ANALYSES[name].applies(prose_run(tmp_path / "w"))] == [
        "data", "model", "settings", "curves", "scores", "text"]  # fmt: skip
    pairs = translation_run(tmp_path / "t"), dialogue_run(tmp_path / "d")
    assert [[name for name in ANALYSES if ANALYSES[name].applies(one)] for one in pairs] == [
        ["data", "model", "settings", "curves", "scores", "translations", "attention"],
        ["data", "model", "settings", "curves", "scores", "replies", "attention"],
    ]


def test_nothing_but_the_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An analysis is of a finished run: it neither restores the model nor loads the data."""
    run = classification_run(tmp_path / "c")
    monkeypatch.setattr(Run, "weights", lambda self: pytest.fail("the weights were read"))
    before = sorted(path.name for path in run.folder.rglob("*"))
    for analysis in ANALYSES.values():
        if analysis.applies(run):
            analysis.section(run)
    assert sorted(path.name for path in run.folder.rglob("*")) == before


@pytest.mark.slow
def test_what_training_writes_can_be_analysed(reviews: Path, tmp_path: Path) -> None:
    """The contract between a run's folder and its analyses, on a run that training wrote itself."""
    import lstmlab

    changes = {"text": "review", "label": "stars", "epochs": 3, "encoder.hidden_size": 8, "embedding.size": 8}
    run = lstmlab.train("classification", path=str(reviews), root=tmp_path / "runs", **changes).run
    applying = [name for name in ANALYSES if ANALYSES[name].applies(run)]
    looks = ["gates", "gradients", "contributions"]
    assert applying == ["data", "model", "settings", "curves", "scores", "errors", *looks]
    for name in applying:
        found = ANALYSES[name].section(run)
        assert found.claim.endswith(".")
        assert [problem for figure in found.figures for problem in unlabelled(figure)] == []
    series = lstmlab.train("sine", root=tmp_path / "runs", epochs=1, horizon=20).run
    assert "of 20 steps" in ANALYSES["feedback"].section(series).claim
