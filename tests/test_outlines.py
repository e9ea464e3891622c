"""One report in several orders, with questions in the place of conclusions, and without what is not there."""

import copy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fake_pairs import translation_run
from fake_prose import prose_run
from fake_runs import classification_run, curve, forecasting_run
from fake_series import series_run
from fake_taggings import tagging_run
from lstmlab import api, request
from lstmlab.analysis import ANALYSES, Analysis
from lstmlab.analysis.closing import answered
from lstmlab.analysis.document import FILES, Wishes, document, restyled
from lstmlab.analysis.effect import effect
from lstmlab.analysis.outlines import OUTLINES, Pieces, compose, left
from lstmlab.errors import Damaged, InputError
from lstmlab.report import Document, Section, Table, as_markdown, write
from lstmlab.report.pages import pages
from lstmlab.training.loop import LoopSettings, epoch_line
from lstmlab.training.run import Run
from lstmlab.training.study import Study

pytestmark = pytest.mark.slow

MAKERS: dict[str, Callable[[Path], Run]] = {
    "classification": classification_run,
    "forecasting": forecasting_run,
    "series": series_run,
    "tagging": tagging_run,
    "prose": prose_run,
    "translation": translation_run,
}


def whole_run(make: Callable[[Path], Run], folder: Path) -> Run:
    """A run of which every file is there; its weights are none, which a drawing can do without."""
    run = make(folder)
    (run.folder / "model.safetensors").write_bytes(b"")
    return run


def titles(made: Document) -> list[str]:
    """The headings of the first level."""
    return [section.title for section in made.sections if section.level == 1]


def whole(made: Document) -> str:
    """All words of a document's sections."""
    return "\n".join(f"{one.title}\n{one.claim}\n{one.evidence}\n{one.questions}" for one in made.sections)


@pytest.mark.slow
@pytest.mark.parametrize("outline", ["standard", "bootcamp", "lab-record"])
@pytest.mark.parametrize("kind", ["classification", "series", "translation"])
def test_every_outline_has_everything(tmp_path: Path, kind: str, outline: Any) -> None:
    run = MAKERS[kind](tmp_path / "runs/made/up")
    standard, made = document(run), document(run, Wishes(outline=outline))
    assert sorted(figure.name for figure in made.figures) == sorted(figure.name for figure in standard.figures)
    told = whole(made)
    for wanted in ("Not measured", "lstmlab train", "lstmlab compare", "Strengths", "What to try next"):
        assert wanted.casefold() in told.casefold(), wanted
    assert {table.title for one in made.sections for table in one.tables} >= {"Settings.", "Scores on the test part."}


@pytest.mark.slow
def test_the_order_of_each_outline(tmp_path: Path) -> None:
    run = whole_run(translation_run, tmp_path / "runs/made/up")
    made = {outline: titles(document(run, Wishes(outline=outline))) for outline in OUTLINES}
    assert made["standard"][:4] == ["Problem and data", "Model", "Training", "Scores"]
    assert made["bootcamp"][:5] == [
        "Introduction", "Data and preprocessing", "Model architecture", "Training and hyper-parameters", "Results",
    ]  # fmt: skip
    assert made["lab-record"][:7] == [
        "Aim", "Objectives", "Description", "Pseudocode", "Output", "Observation", "Result",
    ]  # fmt: skip
    assert made["seq2seq"][:6] == [
        "The data and their preprocessing", "Encoder and decoder", "Training with teacher forcing",
        "Decoding, and how good the outputs are", "Attention", "Discussion",
    ]  # fmt: skip
    assert all(one[-2:] == ["How to reproduce", "References"] for one in made.values())


def test_the_pseudocode_has_the_numbers_of_the_run(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    told = next(one for one in document(run, Wishes(outline="lab-record")).sections if one.title == "Pseudocode")
    for wanted in ("for epoch = 1 … 10:", "batch of 64", "rate 0.001", "max and mean", "seed 7", "20,000"):
        assert wanted in told.evidence, wanted
    translator = translation_run(tmp_path / "runs/made/other")
    told = next(one for one in document(translator, Wishes(outline="lab-record")).sections if one.title == "Pseudocode")
    assert "decoder(" in told.evidence


def test_an_analysis_brings_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = translation_run(tmp_path / "runs/made/up")
    for place in ("written", "judged", "inside", ""):
        made = Analysis(lambda run, place=place: Section(f"My {place}", "", "."), lambda run: True, place=place)
        monkeypatch.setitem(ANALYSES, f"mine-{place}", made)
    for outline in OUTLINES:
        titles = [one.title for one in document(run, Wishes(outline=outline)).sections]
        assert {one for one in titles if one.startswith("My")} == {"My written", "My judged", "My inside"}, outline


def test_the_lines_shown_are_those_that_were_printed(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up", history=curve(2))
    asked = document(run, Wishes(outline="lab-record"))
    told = next(one for one in asked.sections if one.title == "What the program printed").evidence
    assert epoch_line(run.history[0], LoopSettings(epochs=10)) in told.split("\n")
    assert "Epoch  2/10  loss " in told


def test_a_report_on_measurements_tells_of_no_texts(tmp_path: Path) -> None:
    made = classification_run(tmp_path / "runs/made/up")
    rows = [{**row, "input": [[0.25, 1.5]] * (at % 40 + 1)} for at, row in enumerate(made.predictions)]
    run = classification_run(tmp_path / "runs/made/walks", predictions=rows, dropout=0.0)
    run.recipe["data"]["sequence"] = "walk"
    told = as_markdown(document(run, Wishes(outline="lab-record"))).split("One training example")
    for wrong in (
        "0.25, 1.5",
        "Text becomes",
        "word_dropout",
        "words (median)",
        "| Texts |",
        "test texts",
        "vocabulary",
    ):
        assert wrong not in told[1], wrong
    for wanted in (
        "a sequence of measurements has",
        "Each step's measurements",
        "| Steps | Sequences |",
        "sequence test-",
    ):
        assert wanted in "".join(told), wanted


def test_an_outline_for_other_tasks_is_refused(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    with pytest.raises(InputError, match="seq2seq goes through encoder, decoder"):
        document(run, Wishes(outline="seq2seq"))
    with pytest.raises(InputError, match="Did you mean bootcamp"):
        document(run, Wishes(outline="bootcmp"))
    with pytest.raises(InputError, match="seq2seq goes through encoder"):
        request.assemble("imdb", {"report.outline": "seq2seq"})
    assert request.assemble("translate-demo", {"outline": "seq2seq"}).report.outline == "seq2seq"


def test_the_recipe_chooses_and_a_wish_overrides_it(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up", about={"title": "Mine", "author": "A"})
    run.recipe["report"] = {"outline": "lab-record", "prompts": False}
    made = document(run)
    assert (titles(made)[0], made.title, made.author) == ("Aim", "Mine", "A")
    other = document(run, Wishes(outline="standard", title="Other", author="B"))
    assert (titles(other)[0], other.title, other.author) == ("Problem and data", "Other", "B")
    with pytest.raises(InputError, match='setting of a report "titel"'):
        api.Result(run).report(titel="x")


def test_prompts_leave_evidence_and_questions(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    plain, asked = document(run), document(run, Wishes(prompts=True))
    verdict = next(one.claim for one in plain.sections if one.title == "Training")
    assert verdict.startswith("Overfitting")
    assert "verfitting" not in whole(asked) + str([figure.note for figure in asked.figures])
    assert "Training" not in dict(asked.facts)
    questions = [question for one in asked.sections for question in one.questions]
    assert any("after epoch 4" in one or "after epoch 3" in one for one in questions)
    assert any("majority class" in one for one in questions)
    assert [figure.name for figure in asked.figures] == [figure.name for figure in plain.figures]
    assert sum(len(one.tables) for one in asked.sections) == sum(len(one.tables) for one in plain.sections)
    files = write(asked, tmp_path / "out")
    page, text = files["html"].read_text("utf-8"), files["md"].read_text("utf-8")
    assert page.count('<div class="answer"') == len(questions)
    assert text.count("\nAnswer:\n") == len(questions)


def test_notes_answer_the_section_they_name(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    (run.folder / "notes.md").write_text("First of all.\n\n## training\n\nIt *overfits*.\n\n## Odd\n\nMore.\n", "utf-8")
    made = document(run, Wishes(prompts=True))
    by_title = {one.title: one for one in made.sections}
    assert by_title["Training"].answer == "It *overfits*."
    assert by_title["Notes"].evidence == "First of all.\n\nOdd:\nMore."
    files = write(made, tmp_path / "out")
    assert "It *overfits*." in files["html"].read_text("utf-8")


def test_no_word_of_the_notes_is_lost() -> None:
    """Two answers to one section, a section whose title two have, and code with what looks like a heading."""
    notes = "# Training\nOne.\n# training #\nTwo.\n# Observations\nThree.\n# Else\n```\n# Training\n```"
    parts = [Section("Analysis", "", ""), Section("Observations", "", "", level=2), Section("Training", "", "")]
    made = answered([*parts, Section("Observations", "", ""), Section("Notes", "", notes)])
    assert [one.answer for one in made] == ["", "", "One.\n\nTwo.", "Three.", ""]
    assert made[-1].evidence == "Else:\n```\n# Training\n```"


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_run_without_a_file_says_what_is_left_out(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmlab.analysis.gates.REPORTED", ())  # the made-up run has no model one could look into
    run = whole_run(classification_run, tmp_path / "runs/made/up")
    (run.folder / name).unlink()
    made = document(Run(run.folder), Wishes(outline="lab-record"))
    last = made.sections[-1]
    assert last.title == "Left out"
    assert f"{name} is not in the run's folder" in last.evidence
    assert 1 <= pages(write(made, tmp_path / "out")["pdf"].read_bytes()) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_of_a_sound_run_nothing_else_is_left_out(tmp_path: Path, kind: str) -> None:
    run = MAKERS[kind](tmp_path / "runs/made/up")
    for outline in ("standard", "lab-record"):
        lost = document(run, Wishes(outline=outline)).sections[-1]
        assert lost.title == "Left out"
        assert lost.evidence.startswith("- model.safetensors is not in the run's folder")  # these runs have no model
        assert "\n" not in lost.evidence


def test_damage_is_told_and_no_traceback(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    whole = (run.folder / "metrics.json").read_text()
    (run.folder / "metrics.json").write_text("{broken")
    with pytest.raises(Damaged, match=r"metrics\.json: unreadable"):  # what is there and broken is no missing file
        document(Run(run.folder))
    (run.folder / "metrics.json").write_text(whole)
    (run.folder / "summary.json").write_text('{"data": {}}')
    with pytest.raises(Damaged, match="have no 'name': damaged"):
        document(Run(run.folder))


def test_pieces_are_made_once_and_refusals_kept() -> None:
    count = []

    def fail() -> Section:
        count.append(1)
        raise InputError("no")

    pieces = Pieces({"scores": fail, "data": lambda: Section("D", "", "")})
    assert [one.title for one in compose("standard", pieces)] == ["D"]
    assert pieces["scores"] is None
    assert (len(count), pieces.refused) == (1, {"scores": "no"})
    lost = left(pieces.refused, {"x.json": "y is left out"})
    assert lost is not None
    assert lost.evidence == "- x.json is not in the run's folder: y is left out.\n- Scores: no."
    assert left({}, {}) is None


def test_a_report_of_a_study_can_ask_too() -> None:
    table = Table("T.", ["a"], [[1]])
    made = Document("S", sections=[Section("One", "GRU is better.", "Because.", [table]), Section("Two", "", "x")])
    asked = restyled(made, Wishes(prompts=True, author="A"))
    assert (asked.sections[0].claim, asked.sections[0].evidence, asked.author) == ("", "", "A")
    assert asked.sections[0].questions
    assert asked.sections[1] == made.sections[1]
    with pytest.raises(InputError, match="outline orders the report of a run"):
        restyled(made, Wishes(outline="bootcamp"))


def test_what_no_study_measured_is_said(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    found = effect(run, tmp_path / "studies")
    assert found.claim == "Not measured."
    assert "--over encoder.cell=rnn,lstm,gru --over encoder.hidden_size=32,64 --seeds 5" in found.evidence
    assert "in 30 trainings of about" in found.evidence


def test_how_to_measure_fits_the_run(tmp_path: Path) -> None:
    """Its own recipe, not the built-in one whose name it has; and no cells where there are none."""
    run = classification_run(tmp_path / "runs/mr/up")
    run.recipe["name"] = "mr"
    run.recipe["model"]["encoder"] |= {"kind": "convolution", "hidden_size": 1}
    found = effect(run, tmp_path / "studies").evidence
    assert f"lstmlab compare {run.folder / 'recipe.yaml'} --over encoder.kind=recurrent,convolution" in found
    assert "--over encoder.hidden_size=1 --seeds 5" in found
    assert "in 10 trainings" in found


def test_a_study_that_has_the_recipe_is_cited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    plan = SimpleNamespace(bases={"made-up": {**copy.deepcopy(run.recipe), "seed": 99}}, seeds=(1, 2, 3))
    made = type("Made", (Study,), {"plan": plan, "finished": True, "title": "made-up/20260101"})
    told = ["other: cnn is best.", "made-up: gru is best.", "made-up: it is small."]
    module = sys.modules[effect.__module__]
    monkeypatch.setattr(module, "all_studies", lambda root: [made(tmp_path)])
    monkeypatch.setattr(module.Findings, "verdicts", lambda study: told)
    found = effect(run, tmp_path)
    assert found.claim == "gru is best."
    assert found.evidence == (
        "From the study made-up/20260101, 3 seeds an arm; its report has the tables.\n- it is small."
    )
    run.recipe["model"]["dropout"] = 0.1  # another experiment now
    assert effect(run, tmp_path).claim == "Not measured."


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_two_to_four_pages_and_the_same_bytes(tmp_path: Path, kind: str) -> None:
    run = MAKERS[kind](tmp_path / "runs/made/up")
    copy = shutil.copytree(run.folder, tmp_path / "again" / run.folder.parent.name / run.folder.name)
    # The lab record is the longest of them.
    for outline in OUTLINES if kind == "translation" else ("standard", "lab-record"):
        first = write(document(run, Wishes(outline=outline, recipe="recipe.yaml")), tmp_path / "one")
        assert 2 <= pages(first["pdf"].read_bytes()) <= 4, (kind, outline)
    again = write(document(Run(copy), Wishes(outline=outline, recipe="recipe.yaml")), tmp_path / "two")
    assert [file.read_bytes() for file in first.values()] == [file.read_bytes() for file in again.values()]
