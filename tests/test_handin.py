"""The hand-in: one folder, whole or absent, with no path of this machine in it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import lstmlab
from fake_pairs import translation_run
from fake_prose import prose_run
from fake_runs import classification_run, forecasting_run
from fake_taggings import tagging_run
from lstmlab import handin
from lstmlab.analysis.document import Wishes
from lstmlab.errors import InputError
from lstmlab.handin import hand_in
from lstmlab.recipe import read_file
from lstmlab.training.run import Run

pytestmark = pytest.mark.slow

FILES = {
    ".gitignore", "README.md", "figures", "history.jsonl", "metrics.json", "recipe.yaml", "report.html", "report.md",
    "report.pdf",
}  # fmt: skip


def test_everything_is_gathered(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    before = sorted(path.name for path in run.folder.rglob("*"))
    found = hand_in(run, tmp_path / "out/mine", Wishes(author="A. Student", title="My *work*"), notebook="none")
    assert {path.name for path in found.folder.iterdir()} == FILES
    assert list(found.left) == ["notebook.ipynb"]
    page = (found.folder / "README.md").read_text("utf-8")
    assert page.startswith("# My \\*work\\*\n\nSentiment of made-up film reviews.\n\nA. Student · 3 February 2026")
    for wanted in ("Model structure", "How to run it", "Sample outputs", "Scores on the test part", "lstmlab train",
                   "TF-IDF", "What it does well and badly", "no notebook: none was asked for"):  # fmt: skip
        assert wanted in page, wanted
    for picture in re.findall(r"\]\((figures/[^)]+)\)", page):
        assert (found.folder / picture).is_file()
    assert read_file(found.folder / "recipe.yaml")["about"]["author"] == "A. Student"
    assert "to the same numbers on the same machine" in page
    needed = handin._requirements(run)
    assert needed.startswith("# Python 3.11")
    assert "\njupyter\n" in needed
    assert "\nmatplotlib==" in needed
    assert "torch==2.13.0\n" in needed  # no file of it without a notebook
    assert sorted(path.name for path in run.folder.rglob("*")) == before  # the run is not touched


@pytest.mark.slow
@pytest.mark.parametrize("make", [forecasting_run, tagging_run, prose_run, translation_run])
def test_sample_outputs_of_every_family(tmp_path: Path, make: object) -> None:
    run = make(tmp_path / "runs/made/up")  # type: ignore[operator]
    found = hand_in(run, tmp_path / "out", notebook="none")
    page = (found.folder / "README.md").read_text("utf-8")
    assert "## Sample outputs" in page
    assert "figures/dataflow.png" in page


def test_an_existing_folder_is_refused_and_kept(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    there = tmp_path / "out"
    there.mkdir()
    (there / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="exists already: choose another folder with --output"):
        hand_in(run, there)
    assert [path.name for path in there.iterdir()] == ["mine.txt"]


def test_nothing_is_left_behind_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = classification_run(tmp_path / "runs/made/up")

    def fail(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(handin, "write", fail)
    with pytest.raises(InputError, match="could not make .*out: No space left"):
        hand_in(run, tmp_path / "out", notebook="none")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs"]


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    (run.folder / "metrics.json").unlink()
    with pytest.raises(InputError, match="unfinished.*lstmlab resume"):
        hand_in(Run(run.folder), tmp_path / "out")


def test_paths_are_cut_to_names(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "runs/made/up")
    told = json.loads((run.folder / "environment.json").read_text())
    told["command"] = "lstmlab train /home/somebody/data/reviews.csv --output=/home/somebody/out/run seed=1"
    (run.folder / "environment.json").write_text(json.dumps(told))
    (run.folder / "notes.md").write_text("See https://example.org/a/b.html and /usr/share/words.")
    found = hand_in(Run(run.folder), tmp_path / "out", notebook="none")
    for file in (file for file in found.folder.rglob("*") if file.suffix in (".md", ".html", ".yaml", ".json", ".svg")):
        text = file.read_text("utf-8")
        assert "/home/somebody" not in text, file
        assert str(tmp_path) not in text, file
    page = (found.folder / "report.md").read_text("utf-8")
    assert "lstmlab train reviews.csv --output=run seed=1" in page
    assert "/usr/share/words" in page  # somebody's own words stay as they are
    assert "lstmlab train recipe.yaml" in page


@pytest.mark.slow
def test_a_trained_run_of_ones_own_file_with_its_notebook(reviews: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"text": "review", "label": "stars", "epochs": 1, "hidden_size": 4}
    changes["embedding.size"] = 4
    result = lstmlab.train("classification", path=str(reviews), output=tmp_path / "run", **changes)
    found = result.handin(tmp_path / "out", notebook="bare", outline="bootcamp", author="A")
    assert found.left == {}
    assert {path.name for path in found.folder.iterdir()} == FILES | {"notebook.ipynb", "requirements.txt"}
    for file in (file for file in found.folder.rglob("*") if file.suffix not in (".png", ".pdf")):
        if file.is_file():
            assert str(tmp_path) not in file.read_text("utf-8"), file
            assert str(reviews.parent) not in file.read_text("utf-8"), file
    assert read_file(found.folder / "recipe.yaml")["data"]["path"] == reviews.name
    assert f"put {reviews.name} beside recipe.yaml" in (found.folder / "README.md").read_text("utf-8")
    (result.folder / "notebook.ipynb").write_text('{"cells": []}')
    own = result.handin(tmp_path / "other")
    assert (own.folder / "notebook.ipynb").read_text() == '{"cells": []}'
