"""Notebooks: what they compute is what the run computed, and they need nothing of ours."""

import csv
import json
import os
import random
import re
from pathlib import Path
from typing import Any

import pytest

from conftest import review
from lstmlab import notebook, request
from lstmlab.data.datasets import named, phrases
from lstmlab.errors import InputError
from lstmlab.notebook.document import Cell, from_percent, to_json, to_percent
from lstmlab.notebook.execution import execute
from lstmlab.notebook.families import FAMILIES
from lstmlab.notebook.writing import literal, spaced
from lstmlab.training import experiment
from lstmlab.training.run import Run

TELL = Cell("code", 'import json\n\nprint("HISTORY", json.dumps(history))')
"""A last cell that says what the notebook's training saw."""

SMALL = {"hidden_size": 8, "epochs": 3}
TEXTS = {**SMALL, "data.text": "review", "data.label": "stars", "embedding.size": 8, "vocabulary_size": 200}

PAIRS = {
    **SMALL,
    "data.path": "pairs.tsv",
    "embedding.size": 8,
    "glance": 10,
    "epochs": 2,
    "patience": None,
    "data.limit": 120,
}

CRF = {**SMALL, "data.path": "tagged.conll", "patience": None, "model.words.size": 8}
TAGS = {**CRF, "letters.size": 4}

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "sine": ("sine", {**SMALL, "points": 200, "horizon": 20}),
    "sine, as in the textbook": ("sine-classic", {**SMALL, "points": 200, "horizon": 20}),
    "waves at once": (
        "forecasting",
        {**SMALL, "data.name": "waves", "points": 300, "horizon": 6, "window": 24, "patience": None, "num_layers": 2}
        | {"encoder.dropout": 0.3, "model.dropout": 0.2, "cell": "gru"},
    ),
    "reviews": ("classification", {**TEXTS, "ratios": 2, "data.path": "reviews.csv", "word_dropout": 0.3}),
    "reviews in pieces": (
        "classification",
        {**TEXTS, "data.path": "reviews.csv", "segment_length": 4, "forget_bias": 1.0, "num_layers": 2}
        | {"encoder.dropout": 0.2, "locked_dropout": 0.1, "embedding.dropout": 0.1, "pooling": ["mean", "attention"]},
    ),
    "reviews, one unit": (
        "classification",
        {**TEXTS, "data.path": "reviews.csv", "single_unit": True, "initialisation": "orthogonal", "pooling": ["last"]}
        | {"text.last": 6, "punctuation": False, "average": None, "bucket": False, "tokens": None, "cell": "gru"},
    ),
    "phrases": ("translate-demo", {**SMALL, "data.limit": 150, "embedding.size": 8, "glance": 10, "epochs": 2}),
    "pairs, words, additive": (
        "translation",
        {**PAIRS, "text.level": "word", "vocabulary_size": 60, "attention.kind": "additive", "input_feeding": False}
        | {"cell": "gru", "model.tied": "two-way", "memory_dropout": 0.1, "embedding.locked_dropout": 0.1, "seed": 3},
    ),
    "pairs, subwords, one table": (
        "translation",
        {**PAIRS, "vocabulary_size": 300, "model.tied": "three-way", "label_smoothing": 0.1, "forget_bias": 1.0}
        | {"word_dropout": 0.1, "model.encoder.num_layers": 2, "clip": 0.5}
        | {"optimizer.schedule": "linear", "warmup": 0.1},
    ),
    "pairs, the last state": (
        "translation",
        {**PAIRS, "vocabulary_size": 280, "model.context": "state", "model.encoder.bidirectional": False},
    ),
    "pairs, one vector": (
        "translation",
        {**PAIRS, "text.level": "character", "text.joint": False, "vocabulary_size": 50}
        | {"model.context": "every-step", "bridge": "linear", "initialisation": "orthogonal", "best": "score"},
    ),
    "letters of a text": (
        "language-model",
        {**SMALL, "data.path": "prose.txt", "embedding.size": 8, "bptt": 20, "batch_size": 4, "model.dropout": 0.2}
        | {"patience": None, "passage": 50, "label_smoothing": 0.1},
    ),
    "words of a text": (
        "language-model",
        {**SMALL, "data.path": "prose.txt", "embedding.size": 6, "bptt": 10, "batch_size": 4, "text.level": "word"}
        | {"patience": None, "cell": "gru", "model.tied": True, "model.dropout": 0.2, "model.locked": False}
        | {"vocabulary_dropout": 0.1, "locked_dropout": 0.1},
    ),
    "tags": ("tagging", {**TAGS, "model.output": "softmax"}),
    "tags, with a CRF": ("tagging", {**CRF, "letters.kind": "none", "cell": "gru", "suffixes": [2], "limit": 60}),
    "parity": ("parity", {**SMALL, "count": 200, "length": 8}),
}


@pytest.fixture
def reviews(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of reviews in the folder one stands in."""
    monkeypatch.chdir(tmp_path)
    rng = random.Random(1)
    rows = [(review(rng, good), "good" if good else "bad") for good in [True, False] * 60]
    with open("reviews.csv", "w", newline="") as file:
        csv.writer(file).writerows([("review", "stars"), *rows])
    lines = [f"{english}\t{french}\n" for part in phrases.parts().values() for english, french in part]
    english = [english for part in phrases.parts().values() for english, _ in part]
    Path("prose.txt").write_text("\n".join(english[:300]) + "\n", "utf-8")
    tagged = ("\n".join(f"{word}\t{_tag(word)}" for word in text[:-1].split()) for text in english[:120])
    Path("tagged.conll").write_text("\n\n".join(tagged) + "\n", "utf-8")
    Path("pairs.tsv").write_text("".join(lines[::4]), "utf-8")
    return tmp_path / "reviews.csv"


def _tag(word: str) -> str:
    return "NAME" if word in ("Anna", "Paul", "Paris") else "DET" if word in ("the", "a", "an", "my") else "WORD"


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_its_epochs_have_the_losses_of_the_run(case: str, reviews: Path) -> None:
    word, changes = CASES[case]
    recipe = request.assemble(word, changes)
    run = experiment.train(recipe, root=Path("runs"), output=Path("run"))
    cells = execute([*notebook.compose(recipe, run=run), TELL], {}, notebook.files(recipe))
    if "bleu" in run.metrics["test"]:
        _same_answers(run, cells)
    told = next(out["text"] for out in cells[-1].outputs if out["text"].startswith("HISTORY"))
    history = json.loads(told.removeprefix("HISTORY"))
    assert len(history) == len(run.history)
    for ours, theirs in zip(run.history, history, strict=True):
        assert theirs["loss"] == pytest.approx(ours["train"]["loss"], abs=1e-3)
        if "valid" in ours:
            assert theirs["valid loss"] == pytest.approx(ours["valid"]["loss"], abs=1e-3)


def _same_answers(run: Run, cells: list[Cell]) -> None:
    """The beam's answers to the test part have the run's BLEU."""
    text = "".join(out.get("text", "") for cell in cells for out in cell.outputs)
    found = re.search(r"beam of \d+ +([\d.]+)", text)
    assert found is not None
    assert float(found[1]) == pytest.approx(run.metrics["test"]["bleu"], abs=0.02)


def test_it_is_whole_and_self_contained(tmp_path: Path, reviews: Path) -> None:
    recipe = request.assemble(*CASES["reviews"])
    cells = notebook.compose(recipe)
    code = "\n".join(cell.source for cell in cells if cell.kind == "code")
    compile(code, "notebook", "exec")
    assert not re.search(r"^\s*(import|from) lstmlab", code, re.MULTILINE)
    assert str(tmp_path) not in to_percent(cells)
    imported = set(re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE))
    assert imported & {"torch", "numpy", "matplotlib", "sklearn"} == {"torch", "numpy", "matplotlib", "sklearn"}
    assert not imported & {"lstmlab", "pandas", "polars", "tokenizers", "transformers", "scipy"}


@pytest.mark.slow
def test_the_file_is_a_notebook_and_the_same_each_time(tmp_path: Path) -> None:
    recipe = request.assemble("sine", {**SMALL, "points": 120, "horizon": 10, "epochs": 2})
    first, second = tmp_path / "a.ipynb", tmp_path / "b.ipynb"
    for path in (first, second):
        notebook.write(recipe, path)
    assert first.read_bytes() == second.read_bytes()
    whole = json.loads(first.read_text())
    assert (whole["nbformat"], whole["nbformat_minor"]) == (4, 5)
    names = [cell["id"] for cell in whole["cells"]]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in names)
    counts = [cell["execution_count"] for cell in whole["cells"] if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [out for cell in whole["cells"] for out in cell.get("outputs", [])]
    assert any("image/png" in out.get("data", {}) for out in outputs)
    assert any("Epoch 2/2" in "".join(out.get("text", [])) for out in outputs)
    schema(whole)


def schema(whole: dict[str, Any]) -> None:
    """What nbformat 4.5 asks of a notebook; with nbformat itself where it is installed."""
    keys = {"markdown": {"cell_type", "id", "metadata", "source"}}
    keys["code"] = keys["markdown"] | {"execution_count", "outputs"}
    wanted = {"stream": {"name", "text"}, "display_data": {"data", "metadata"}}
    wanted["execute_result"] = wanted["display_data"] | {"execution_count"}
    for cell in whole["cells"]:
        assert cell.keys() == keys[cell["cell_type"]]
        for out in cell.get("outputs", []):
            assert out.keys() == {"output_type", *wanted[out["output_type"]]}
    try:
        import nbformat
    except ImportError:
        return
    nbformat.validate(nbformat.from_dict(whole))


SHIPPED = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_notebook_is_up_to_date_and_runs(path: Path, tmp_path: Path) -> None:
    """Its cells are what is written today (else: make notebooks), and at the small size they run from top to bottom."""
    recipe = request.assemble(path.stem, {})
    chosen = named.NAMED.get(str(recipe.data.name))
    if chosen is not None and any(chosen.files.layouts) and not os.environ.get("LSTMLAB_DATA"):
        pytest.skip("LSTMLAB_DATA is not set: no data for this notebook")
    shipped = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text())["cells"]]
    quick = "**Small size**" in shipped[0][1]  # of recipes that take too long to be run for an example
    wanted = notebook.compose(notebook.smaller(recipe) if quick else recipe, quick=quick)
    assert shipped == [(cell.kind, cell.source) for cell in wanted]
    small = notebook.write(recipe, tmp_path / "small.ipynb", quick=True)
    assert "**Small size**" in small.read_text()


def test_notebooks_ship() -> None:
    tasks = {request.assemble(path.stem, {}).task for path in SHIPPED}
    assert tasks == set(FAMILIES)
    for path in SHIPPED:
        assert "/root" not in path.read_text()
        assert "/home/" not in path.read_text()


@pytest.mark.slow
def test_a_failing_cell_is_told_and_nothing_is_written() -> None:
    with pytest.raises(InputError, match="cell 2 of the notebook .*ZeroDivisionError"):
        execute([Cell("code", "a = 1"), Cell("code", "a / 0")], {}, {})
    with pytest.raises(InputError, match="self-contained"):
        execute([Cell("code", "import lstmlab")], {}, {})
    with pytest.raises(InputError, match="status 3"):
        execute([Cell("code", "import os\nos._exit(3)")], {}, {})


@pytest.mark.slow
def test_outputs_stand_beside_their_cells() -> None:
    said: list[str] = []
    code = "print('one')\nimport sys\nprint('two', file=sys.stderr)\n3 + 4"
    cell, silent = execute([Cell("code", code), Cell("code", "5;")], {}, {}, said.append)
    assert [(out["output_type"], out.get("name")) for out in cell.outputs] == [
        ("stream", "stdout"),
        ("stream", "stderr"),
        ("execute_result", None),
    ]
    assert cell.outputs[2]["data"] == {"text/plain": "7"}
    assert silent.outputs == ()
    assert said == ["one", "two"]


@pytest.mark.parametrize(
    ("word", "changes", "message"),
    [
        ("seattle-weather", {}, "cannot yet write model.head=quantile"),
        ("sine", {"zoneout": 0.1}, "cannot yet write model.encoder.zoneout=0.1"),
        ("sine", {"cell": "slstm"}, 'cannot yet write out the cell "slstm"'),
        ("sine", {"head": "quantile"}, "cannot yet write model.head=quantile; it can with model.head=point"),
        ("parity", {"training.steps": 10}, "a budget of training.steps; it can with training.epochs=N"),
        ("dailydialog", {}, "no notebook for dialogue yet; these have one: forecasting"),
    ],
)
def test_what_it_has_no_words_for_is_refused(word: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        notebook.compose(request.assemble(word, changes))


def test_percent_form_and_back() -> None:
    cells = [Cell("markdown", "# A title\n\ntext"), Cell("code", "a = 1\n\n\ndef f():\n    return a")]
    assert from_percent(to_percent(cells)) == cells
    assert to_json(cells) == to_json(list(cells))


def test_code_is_spaced_as_usual() -> None:
    close = "a = 1\ndef f():\n    return 1\nclass C:\n    x = 1\n    def g(self):\n        return 2\n"
    assert spaced(close + "@deco\ndef h():\n    pass\nb = 2") == (
        "a = 1\n\n\ndef f():\n    return 1\n\n\nclass C:\n    x = 1\n\n    def g(self):\n        return 2\n\n\n"
        "@deco\ndef h():\n    pass\n\n\nb = 2"
    )


def test_literals_read_well() -> None:
    assert literal([1, "a", 'say "x"', None]) == """[1, "a", 'say "x"', None]"""
    assert eval(literal(list(range(100)))) == list(range(100))
    assert max(len(line) for line in literal(list(range(100))).split("\n")) <= 100


@pytest.mark.slow
def test_a_run_has_its_notebook(tmp_path: Path) -> None:
    from lstmlab.api import Result

    run = experiment.train(
        request.assemble("sine", {**SMALL, "points": 120, "horizon": 10}), root=tmp_path, output=tmp_path / "run"
    )
    path = Result(Run(run.folder)).notebook(execute=False)
    text = path.read_text()
    assert path == run.folder / "notebook.ipynb"
    assert f"{run.history[0]['train']['loss']:.7f}"[:9] in text
    assert str(tmp_path) not in text
