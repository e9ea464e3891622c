"""Notebooks: what they compute is what the run computed, and they need nothing of ours."""

import ast
import csv
import io
import json
import os
import random
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import histories
from conftest import review
from lstmlab import notebook, request
from lstmlab.analysis.verdict import verdict
from lstmlab.data.datasets import named, phrases
from lstmlab.errors import InputError
from lstmlab.notebook.document import Cell, to_percent
from lstmlab.notebook.families import FAMILIES
from lstmlab.recipe import dump
from lstmlab.tasks.task import Recipe
from lstmlab.training import experiment
from lstmlab.training.run import Run

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

LEAKY = """from lstmlab.cells import Cell, State, log, maximum, sigmoid, tanh

def step(x, r, state):
    keep = sigmoid(x.keep + r.keep) ** 2 / 2
    return State(h=maximum(keep * state.h - (1 - keep) * tanh(-(x.new + x.tilt * r.new)), -0.5))

LEAKY = Cell("leaky", states=("h",), gates=("keep", "new"), step=step, parameters=("tilt",), recurrent_bias=("new",))
"""

JUDGED = {
    **SMALL,
    "data.path": "judged-train.csv",
    "data.valid": "judged-valid.csv",
    "data.test": "judged-test.csv",
    "data.first": "one",
    "data.second": "other",
    "data.label": "kind",
    "embedding.size": 8,
    "head_size": 8,
    "patience": None,
}

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
    "parity, a cell written out": (
        "parity",
        {**SMALL, "count": 100, "length": 8, "cell": "peephole", "bidirectional": True, "num_layers": 2},
    ),
    "waves, a cell of one's own": (
        "forecasting",
        {**SMALL, "data.name": "waves", "points": 120, "horizon": 4, "window": 8, "patience": None, "epochs": 2}
        | {"cell": "./leaky.py:LEAKY"},
    ),
    "walks": ("indoor-movement", {**SMALL, "epochs": 2, "seed": 1}),
    "a table of measurements": (
        "classification",
        {**SMALL, "data.path": "steps.csv", "sequence": "walk", "label": "kind", "pooling": ["max", "attention"]}
        | {"cell": "gru", "bidirectional": False, "single_unit": True, "patience": None},
    ),
    "judged pairs": ("pairs", {**JUDGED, "symmetric": ["same"], "model.dropout": 0.2, "word_dropout": 0.1}),
    "judged pairs as vectors": (
        "pairs",
        {
            **JUDGED,
            "attention": "none",
            "alone": False,
            "pooling": ["last", "attention"],
            "cell": "gru",
            "alike": False,
            "text.level": "character",
            "embedding.locked_dropout": 0.1,
        },
    ),
    "judged pairs, parted here": (
        "pairs",
        {**JUDGED, "data.path": "judged.csv", "data.valid": None, "data.test": None, "data.limit": 90, "epochs": 2},
    ),
    "graded pairs, parted here": (
        "pairs",
        {**JUDGED, "data.path": "judged.csv", "data.valid": None, "data.test": None, "data.limit": 90, "epochs": 2}
        | {"data.label": "score", "graded": True},
    ),
    "graded pairs": (
        "pairs",
        {**JUDGED, "data.label": "score", "graded": True, "symmetric": True, "best": "score", "average": 0.9},
    ),
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
    _judged(rng, english)
    _steps(rng)
    Path("leaky.py").write_text(LEAKY, "utf-8")
    return tmp_path / "reviews.csv"


def _tag(word: str) -> str:
    return "NAME" if word in ("Anna", "Paul", "Paris") else "DET" if word in ("the", "a", "an", "my") else "WORD"


def _judged(rng: random.Random, texts: Sequence[str]) -> None:
    """Pairs of a text and itself with a word more, or of two different texts, in three files."""
    for name, count in (("-train", 60), ("-valid", 20), ("-test", 20), ("", 140)):
        with open(f"judged{name}.csv", "w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["one", "other", "kind", "score"])
            for at in range(count):
                one, same = rng.choice(texts), at % 2
                other = f"really, {one}" if same else rng.choice(texts)
                table.writerow([one, other, ["other", "same"][same], round(rng.uniform(1, 3) + 2 * same, 1)])


def _steps(rng: random.Random) -> None:
    """Sequences of two measurements that rise or fall."""
    with open("steps.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["walk", "left", "right", "note", "kind"])
        for walk in range(60):
            slope = [-1, 1][walk % 2]
            for step in range(rng.randint(3, 9)):
                values = [round(slope * step + rng.gauss(0, 1), 3) for _ in "lr"]
                table.writerow([f"w{walk}", *values, "-", ["falls", "rises"][walk % 2]])


def run_here(cells: Sequence[Cell]) -> tuple[dict[str, Any], str]:
    """Run the code cells from top to bottom in this process: what they define, and what they print.

    Nothing is drawn into a file; a notebook executed in a Python of its own is tested below.
    """
    import matplotlib
    import numpy as np

    matplotlib.use("Agg")
    from matplotlib import pyplot

    space: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()
    with pyplot.rc_context(), np.printoptions(), redirect_stdout(printed):
        for number, cell in enumerate(cells):
            if cell.kind == "code":
                exec(compile(cell.source, f"<cell {number}>", "exec"), space)
                pyplot.close("all")
    return space, printed.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_its_epochs_have_the_losses_of_the_run(case: str, reviews: Path) -> None:
    word, changes = CASES[case]
    recipe = request.assemble(word, changes)
    _skip_without_data(recipe)
    run = experiment.train(recipe, root=Path("runs"), output=Path("run"))
    cells = notebook.compose(recipe, run=run)
    assert set(_imported(cells)) <= ALLOWED
    space, printed = run_here(cells)
    if "bleu" in run.metrics["test"]:
        _same_answers(run, printed)
    if case == "reviews":
        _nothing_of_a_left_out_token_is_left(space)
    history = space["history"]
    assert len(history) == len(run.history)
    for ours, theirs in zip(run.history, history, strict=True):
        assert theirs["loss"] == pytest.approx(ours["train"]["loss"], abs=1e-3)
        if "valid" in ours:
            assert theirs["valid loss"] == pytest.approx(ours["valid"]["loss"], abs=1e-3)


def _same_answers(run: Run, printed: str) -> None:
    """The beam's answers to the test part have the run's BLEU."""
    found = re.search(r"beam of \d+ +([\d.]+)", printed)
    assert found is not None
    assert float(found[1]) == pytest.approx(run.metrics["test"]["bleu"], abs=0.02)


def _nothing_of_a_left_out_token_is_left(space: dict[str, Any]) -> None:
    """Without one of its tokens a text is answered as the text that never had it, hints of neighbouring n-grams too."""
    tokens = space["tokenize"](space["test"].texts[0])
    _, left_out = space["without_each"](space["test"].ids[0])
    for at in range(len(tokens)):
        plain = space["classify"](" ".join(tokens[:at] + tokens[at + 1 :]))
        assert left_out[at].tolist() == pytest.approx(list(plain.values()), abs=1e-5)


ALLOWED = {"torch", "numpy", "matplotlib", "scipy", "sklearn", *sys.stdlib_module_names}
"""What a notebook may import: what Colab has."""


def _imported(cells: Sequence[Cell]) -> Iterator[str]:
    """The packages that code cells import, anywhere in them."""
    for node in ast.walk(ast.parse("\n".join(cell.source for cell in cells if cell.kind == "code"))):
        if isinstance(node, ast.Import):
            yield from (name.name.split(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module).split(".")[0]


def _skip_without_data(recipe: Any) -> None:
    chosen = named.NAMED.get(str(recipe.data.name))
    if chosen is not None and any(chosen.files.layouts) and not os.environ.get("LSTMLAB_DATA"):
        pytest.skip("LSTMLAB_DATA is not set: no data for this notebook")


def test_it_is_whole_and_self_contained(tmp_path: Path, reviews: Path) -> None:
    recipe = request.assemble(*CASES["reviews"])
    cells = notebook.compose(recipe)
    assert str(tmp_path) not in to_percent(cells)
    imported = set(_imported(cells))
    assert imported <= ALLOWED
    assert imported > {"torch", "numpy", "matplotlib", "sklearn"}


def tiny(recipe: Recipe) -> Recipe:
    """The same with hardly any training: what is tested is that every cell runs."""
    settings: Any = recipe
    changes: dict[str, Any] = {"training.epochs": min(settings.training.epochs, 2), "model.encoder.hidden_size": 16}
    if getattr(settings.data, "limit", None):
        changes["data.limit"] = min(settings.data.limit, 300)
    return experiment.assemble(dump(recipe), changes, recipe.name)


SHIPPED = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_notebook_is_up_to_date_and_runs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells are what is written today (else: make notebooks), and at the small size they run from top to bottom."""
    recipe = request.assemble(path.stem, {})
    _skip_without_data(recipe)
    shipped = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(path.read_text())["cells"]]
    quick = "**Small size**" in shipped[0][1]  # of recipes that take too long to be run for an example
    wanted = notebook.compose(notebook.smaller(recipe) if quick else recipe, quick=quick)
    assert shipped == [(cell.kind, cell.source) for cell in wanted]
    cells = notebook.compose(tiny(notebook.smaller(recipe)), quick=True)
    assert "**Small size**" in cells[0].source
    for name, value in notebook.environment(recipe).items():
        monkeypatch.setenv(name, value)
    run_here(cells)


def test_notebooks_ship() -> None:
    families = {notebook.family_name(request.assemble(path.stem, {})) for path in SHIPPED}
    assert families == set(FAMILIES)
    for path in SHIPPED:
        assert "/root" not in path.read_text()
        assert "/home/" not in path.read_text()


@pytest.mark.parametrize(
    ("word", "changes", "message"),
    [
        ("seattle-weather", {}, "cannot yet write model.head=quantile"),
        ("sine", {"zoneout": 0.1}, "cannot yet write model.encoder.zoneout=0.1"),
        (
            "char-shakespeare",
            {"cell": "slstm"},
            'cannot yet write the cell "slstm" (model.encoder.cell) where its state',
        ),
        ("parity", {"cell": "mingru", "initialisation": "orthogonal"}, "cannot yet write model.encoder.initialisation"),
        ("sine", {"head": "quantile"}, "cannot yet write model.head=quantile; it can with model.head=point"),
        ("parity", {"training.steps": 10}, "a budget of training.steps; it can with training.epochs=N"),
        ("dailydialog", {}, "no notebook for dialogue yet; these have one: forecasting"),
    ],
)
def test_what_it_has_no_words_for_is_refused(word: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        notebook.compose(request.assemble(word, changes))


JUDGED_ALIKE = {"too short to tell", "overfitting", "still improving", "sound"}
OTHER_NOISE = {"spiky_series 0", "spiky_series 1", "recorded: airline-passengers"}
"""Histories in which the lines of a notebook take noise for a trend."""


@pytest.mark.slow
def test_its_verdict_is_that_of_the_run(reviews: Path) -> None:
    """The closing cell says of a history what `verdict` does: one rule, though a notebook has it in a few lines."""
    cell = notebook.compose(request.assemble(*CASES["reviews"]))[-2].source
    lines = compile(cell[cell.index("losses = [") : cell.index('print(f"Kept is')], "<verdict>", "exec")
    seen = set()
    for name, case in histories.cases().items():
        found = verdict(case.rows, case.known)
        if found.kind not in JUDGED_ALIKE or case.known.per_token or name in OTHER_NOISE:
            continue
        if any("valid" not in row for row in case.rows):
            continue
        columns = [(row["epoch"], row["train"]["loss"], row["valid"]["loss"]) for row in case.rows]
        history = [{"epoch": epoch, "loss": train, "valid loss": valid} for epoch, train, valid in columns]
        with redirect_stdout(io.StringIO()) as printed:
            exec(lines, {"np": np, "history": history})
        assert f"→ {found.kind.capitalize()}" in printed.getvalue(), name
        seen.add(found.kind)
    assert seen == JUDGED_ALIKE


@pytest.mark.slow
def test_a_file_that_is_not_the_one_expected_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it came there: downloaded, or packed by somebody."""
    recipe = request.assemble("trec-qc", {})
    _skip_without_data(recipe)
    cells = notebook.compose(recipe)
    code = "\n".join(cell.source for cell in cells[:4] if cell.kind == "code")
    (tmp_path / "trec-qc").mkdir()
    (tmp_path / "trec-qc" / "qc.zip").write_bytes(b"not what it says")
    monkeypatch.setenv("LSTMLAB_DATA", str(tmp_path))
    with pytest.raises(ValueError, match=r"qc\.zip is not the file expected"), redirect_stdout(io.StringIO()):
        exec(compile(code, "<cells>", "exec"), {})


def test_parts_in_files_of_one_name_are_refused(reviews: Path) -> None:
    """Beside a notebook they would be one file, and the test part that of training."""
    Path("other").mkdir()
    Path("other/reviews.csv").write_bytes(reviews.read_bytes())
    recipe = request.assemble("classification", {**TEXTS, "data.path": "reviews.csv", "data.test": "other/reviews.csv"})
    with pytest.raises(InputError, match=r"parts in files that are all called reviews\.csv"):
        notebook.compose(recipe)
