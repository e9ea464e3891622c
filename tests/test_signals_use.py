"""Runs of sequences of measurements at work: a file is asked and scored, and what to type next works."""

import csv
import json
import random
import shlex
import shutil
from pathlib import Path

import polars as pl
import pytest

import lstmlab
from lstmlab.api import Result, open_run
from lstmlab.data.corpus import Corpus, Source
from lstmlab.data.datasets import named
from lstmlab.errors import InputError
from test_cli import Shell

pytestmark = pytest.mark.slow

SETTINGS = ["data.sequence=walk", "label=way", "hidden_size=8", "epochs=12", "learning_rate=0.02"]
HEAD = ("walk", "x", "z", "way")


def walks(names: list[str], seed: int = 0) -> list[tuple[str, ...]]:
    """Rows of walks that rise or fall in x, of 5 to 9 steps; z is noise."""
    rng, rows = random.Random(seed), []
    for at, name in enumerate(names):
        for step in range(rng.randint(5, 9)):
            x = (1 if at % 2 else -1) * step + rng.random()
            rows.append((name, f"{x:.3f}", f"{rng.random():.3f}", "up" if at % 2 else "down"))
    return rows


def write(
    path: Path, rows: list[tuple[str, ...]], *, head: tuple[str, ...] = HEAD, without: tuple[str, ...] = ()
) -> Path:
    kept = [at for at, name in enumerate(head) if name not in without]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([[row[at] for at in kept] for row in [head, *rows]])
    return path


NAMES = [f"w{at}" for at in range(60)]
NEW = ["b7", "a1", "c3"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run beside the file it was trained on, to copy from."""
    folder = tmp_path_factory.mktemp("signals")
    write(folder / "walks.csv", walks(NAMES))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lstmlab.api.Result.report", lambda _: {})
        patch.chdir(folder)
        Shell(folder).done("train", "classification", "path=walks.csv", *SETTINGS, "--output", "run")
    return folder


@pytest.fixture
def shell(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    folder = tmp_path / "work"
    shutil.copytree(trained, folder)
    monkeypatch.chdir(folder)
    return Shell(folder)


def test_a_file_is_asked_with_labels_and_without(shell: Shell) -> None:
    rows = walks(NEW, 1)
    write(shell.folder / "known.csv", rows)
    write(shell.folder / "new.csv", rows, without=("way",))
    said = shell.done("predict", "run", "--input", "new.csv").splitlines()
    assert [line.split("\t")[0] for line in said] == ["down", "up", "down"]
    assert shell.done("predict", "run", "--input", "known.csv").splitlines() == said
    write(shell.folder / "blank.csv", [(*row[:3], "") for row in rows])
    assert shell.done("predict", "run", "--input", "blank.csv").splitlines() == said
    shell.done("predict", "run", "--input", "new.csv", "--output", "answers.jsonl")
    answers = [json.loads(line) for line in (shell.folder / "answers.jsonl").read_text().splitlines()]
    assert [one["prediction"] for one in answers] == ["down", "up", "down"]
    assert answers[0]["input"][0] == [float(word) for word in rows[0][1:3]]


def test_an_answer_on_the_screen_says_what_it_was_given(shell: Shell) -> None:
    write(shell.folder / "new.csv", walks(NEW, 1), without=("way",))
    (first, *_) = shell.done("predict", "run", "--input", "new.csv").splitlines()
    count = sum(row[0] == "b7" for row in walks(NEW, 1))
    assert first.endswith(f"{count} steps")


def test_a_labelled_file_is_scored(shell: Shell) -> None:
    write(shell.folder / "known.csv", walks(NEW, 1))
    told = shell.done("evaluate", "run", "--input", "known.csv")
    assert "on known.csv (3 examples)" in told
    assert "100.00 %" in told
    assert "(6 examples)" in shell.done("evaluate", "run")
    frame = pl.read_csv(shell.folder / "known.csv")
    assert open_run("run").evaluate(frame) == open_run("run").evaluate(shell.folder / "known.csv")


@pytest.mark.parametrize(
    ("command", "without", "told"),
    [
        ("predict", ("walk",), 'new.csv: no column "walk", which tells the sequences apart. Columns: x, z, way'),
        ("evaluate", ("walk",), 'new.csv: no column "walk", which tells the sequences apart. Columns: x, z, way'),
        ("evaluate", ("way",), 'new.csv: no column "way", which holds the labels. Columns: walk, x, z'),
        ("predict", ("z",), "sequence 1: 1 numbers a step, expected 2"),
        ("predict", ("x", "z"), "new.csv: no column of numbers besides walk and way"),
    ],
)
def test_a_file_of_another_format_is_refused(shell: Shell, command: str, without: tuple[str, ...], told: str) -> None:
    write(shell.folder / "new.csv", walks(NEW, 1), without=without)
    assert told in shell.refuses(command, "run", "--input", "new.csv")


def test_labels_training_never_saw_are_refused(shell: Shell) -> None:
    write(shell.folder / "new.csv", [(*row[:3], "sideways") for row in walks(NEW, 1)])
    assert 'the label "sideways" stands only in' in shell.refuses("evaluate", "run", "--input", "new.csv")


def test_what_is_typed_is_a_row_of_numbers(shell: Shell) -> None:
    told = "argument 1: expected numbers separated by blanks or commas, got 'up'"
    assert told in shell.refuses("predict", "run", "up")
    assert "1 numbers a step, expected 2" in shell.refuses("predict", "run", "1 2 3")
    shell.write("new.txt", "1 2 3\nup\n")
    assert "new.txt, line 2: expected numbers" in shell.refuses("predict", "run", "--input", "new.txt")


def test_one_number_a_step_can_be_typed(shell: Shell) -> None:
    write(shell.folder / "narrow.csv", walks(NAMES), without=("z",))
    shell.done("train", "classification", "path=narrow.csv", *SETTINGS, "--output", "narrow")
    said = shell.done("predict", "narrow", "0.5 1.5 2.5 3.5 4.5", "0.5,-0.5,-1.5,-2.5,-3.5").splitlines()
    assert [line.split("\t")[0] for line in said] == ["up", "down"]


def test_what_to_type_next_works(shell: Shell) -> None:
    words = shlex.split(open_run("run").next_words())
    assert words == ["explain", "run"]
    assert shell.done(*words)


@pytest.fixture
def named_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    """A run of a named set of sequences, which has no columns of its own."""
    table = pl.DataFrame(
        {
            "id": NAMES,
            "inputs": [[[float(step * (1 if at % 2 else -1))] for step in range(5)] for at in range(60)],
            "target": ["up" if at % 2 else "down" for at in range(60)],
        }
    )
    chosen = named.NAMED["indoor-movement"]
    parts = {"train": Corpus.of(table)}
    monkeypatch.setattr(named, "open_named", lambda *_, **__: (parts, Source("indoor-movement")))
    monkeypatch.setattr("lstmlab.api.Result.report", lambda _: {})
    assert chosen.numeric
    small = {"data.name": chosen.name, "hidden_size": 8, "epochs": 12, "learning_rate": 0.02}
    return lstmlab.train("classification", output=tmp_path / "run", **small)


def test_a_run_of_a_named_set_reads_columns_called_sequence_and_label(named_run: Result, tmp_path: Path) -> None:
    rows = walks(NEW, 1)
    path = write(tmp_path / "new.csv", rows, head=("sequence", "x", "z", "label"), without=("z",))
    assert [one["prediction"] for one in named_run.predict(named_run.read_inputs(path))] == ["down", "up", "down"]
    scores, count = named_run.evaluate(path)
    assert (scores["accuracy"], count) == (1, 3)
    bare = write(tmp_path / "bare.csv", rows, head=("sequence", "x", "z", "label"), without=("z", "label"))
    assert named_run.read_inputs(bare) == named_run.read_inputs(path)
    other = write(tmp_path / "other.csv", rows, without=("z",))
    with pytest.raises(InputError, match='no column "sequence", which tells the sequences apart. Columns: walk'):
        named_run.read_inputs(other)
