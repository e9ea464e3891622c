"""Law of runs: 20 steps = 8 steps, kill -9, resume, 12 steps, bit for bit, mid-epoch too."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import PLAIN
from lstmlab.api import go_on, run_recipe
from lstmlab.errors import InputError
from lstmlab.request import assemble
from lstmlab.training.experiment import Monitor, Stopped
from lstmlab.training.run import Run, RunWriter

pytestmark = pytest.mark.usefixtures("unreported")

TEXT = {
    "text": "review",
    "label": "stars",
    "hidden_size": 8,
    "model.embedding.size": 8,
    "batch_size": 16,
    "dropout": None,
    "word_dropout": 0.2,
    "steps": 20,
    "checkpoint_seconds": 0,
    "average": 0.9,
    "clip": 1.0,
    "schedule": "cosine",
    "warmup": 0.1,
}
SETTINGS = {
    "adam, averaged": {},
    "sgd, plateau": {"method": "sgd", "schedule": "plateau", "warmup": 0.0, "average": None},
    "adamw, two layers, accumulated": {
        "method": "adamw",
        "num_layers": 2,
        "model.encoder.dropout": 0.3,
        "accumulate": 2,
        "weight_decay": 0.01,
        "average_epochs": 2,
    },
}


def recipe(reviews: Path, changes: dict) -> object:
    merged = {**TEXT, **changes, "path": str(reviews)}
    return assemble("classification", {key: value for key, value in merged.items() if key != "dropout"})


def outcome(run: Run) -> tuple:
    """What must be equal: weights, history without times, scores, predictions."""
    rows = [{key: value for key, value in row.items() if key != "seconds"} for row in run.history]
    metrics = {key: value for key, value in run.metrics.items() if not key.endswith("seconds")}
    return (run.folder / "model.safetensors").read_bytes(), rows, metrics, run.predictions


def stop_after(count: int) -> Monitor:
    """A monitor that asks to stop after `count` steps."""
    left = [count]

    def stop() -> bool:
        left[0] -= 1
        return left[0] <= 0

    return Monitor(stop=stop)


@pytest.mark.parametrize(
    "changes",
    [pytest.param(changes, id=name, marks=[pytest.mark.slow] if changes else []) for name, changes in SETTINGS.items()],
)
def test_stopped_and_resumed_equals_never_stopped(tmp_path: Path, reviews: Path, changes: dict) -> None:
    straight = run_recipe(recipe(reviews, changes), output=tmp_path / "straight").run
    assert straight.history[-1]["step"] == 20
    for place, at in {"first epoch": 3, "mid-epoch": 8, "epoch's end": 12}.items():
        with pytest.raises(Stopped):
            run_recipe(recipe(reviews, changes), output=tmp_path / place, monitor=stop_after(at))
        resumed = go_on(Run.open(tmp_path / place)).run
        assert outcome(resumed) == outcome(straight), place


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"output": "softmax", "average": None}], ids=["crf", "softmax"])
def test_a_tagger_stopped_and_resumed_equals_one_never_stopped(tmp_path: Path, changes: dict) -> None:
    """Chance is in dropouts, in what is read as unknown and in which names are exchanged."""
    path, rng = tmp_path / "names.conll", random.Random(0)
    blocks = [
        "".join(f"{rng.choice(PLAIN)}\t{tag}\n" for tag in rng.choice((["B-X", "O"], ["O", "B-Y", "I-Y", "O"])))
        for _ in range(120)
    ]
    path.write_text("\n".join(blocks), encoding="utf-8")
    small = {"hidden_size": 8, "model.words.size": 8, "letters.size": 4, "letters.hidden_size": 4, "batch_size": 8}
    budget = {"steps": 20, "checkpoint_seconds": 0, "average": 0.9, "schedule": "cosine"}
    typed = {"path": str(path), **small, **budget, "exchange": 0.5, "locked_dropout": 0.2, **changes}
    made = assemble("tagging", typed)
    straight = run_recipe(made, output=tmp_path / "straight").run
    assert straight.history[-1]["step"] == 20
    for place, at in {"first epoch": 3, "mid-epoch": 16}.items():
        with pytest.raises(Stopped):
            run_recipe(made, output=tmp_path / place, monitor=stop_after(at))
        assert outcome(go_on(Run.open(tmp_path / place)).run) == outcome(straight), place


SPOKEN = {
    "hidden_size": 8, "model.embedding.size": 8, "batch_size": 4, "bptt": 10, "decoding.length": 20, "steps": 20,
    "checkpoint_seconds": 0, "learning_rate": 0.05, "schedule": "cosine",
}  # fmt: skip


def prose(folder: Path) -> Path:
    """A text of which an epoch is nine batches of SPOKEN."""
    rng, path = random.Random(0), folder / "prose.txt"
    path.write_text("".join(" ".join(rng.choices(PLAIN, k=6)) + ".\n" for _ in range(14)), encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"average": 0.9},
        {"average": None, "num_layers": 2, "vocabulary_dropout": 0.2, "model.dropout": 0.3, "accumulate": 2},
        {"average": None, "level": "word", "output": "sampled", "samples": 5, "weight_drop": 0.3, "bptt": 6},
    ],
    ids=["characters", "dropouts, accumulated", "words, sampled"],
)
def test_a_language_model_stopped_and_resumed_equals_one_never_stopped(tmp_path: Path, changes: dict) -> None:
    """Besides all chance there is the state, which goes on from batch to batch within an epoch."""
    made = assemble("language-model", {"path": str(prose(tmp_path)), **SPOKEN, **changes})
    straight = run_recipe(made, output=tmp_path / "straight").run
    assert straight.history[-1]["step"] == 20
    assert len(straight.history) > 1
    for place, at in {"first step": 1, "mid-epoch": 6, "late": 16}.items():
        with pytest.raises(Stopped):
            run_recipe(made, output=tmp_path / place, monitor=stop_after(at))
        tensors, facts = RunWriter(tmp_path / place).read_checkpoint("last")
        carried = {name: value for name, value in tensors.items() if name.startswith("carried")}
        assert bool(carried) == bool(facts["moment"]["batch"])
        assert all(value.any() for value in carried.values())
        assert outcome(go_on(Run.open(tmp_path / place)).run) == outcome(straight), place


def goes_on_to_the_same_bits(tmp_path: Path, command: list[str]) -> None:
    """A training that is killed at a random moment and resumed ends as one that never was."""
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    subprocess.run([*command, "--output", str(straight)], check=True, capture_output=True, cwd=tmp_path)
    process = subprocess.Popen([*command, "--output", str(killed)], stdout=subprocess.DEVNULL, cwd=tmp_path)
    while not Run(killed).resumable:
        assert process.poll() is None
        time.sleep(0.005)
    time.sleep(0.15)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not Run(killed).finished
    subprocess.run(
        [sys.executable, "-m", "lstmlab", "resume", str(killed)], check=True, capture_output=True, cwd=tmp_path
    )
    assert outcome(Run(killed)) == outcome(Run(straight))


@pytest.mark.slow
def test_a_killed_language_model_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    words = [f"{key}={value}" for key, value in {"path": prose(tmp_path), **SPOKEN, "steps": 120}.items()]
    command = [sys.executable, "-m", "lstmlab", "train", "language-model", *words]
    goes_on_to_the_same_bits(tmp_path, command)


def test_the_same_recipe_gives_the_same_bits_and_another_seed_does_not(tmp_path: Path, reviews: Path) -> None:
    first, again, other = (
        run_recipe(recipe(reviews, {"seed": seed}), output=tmp_path / name).run
        for name, seed in (("first", 0), ("again", 0), ("other", 1))
    )
    assert outcome(first) == outcome(again)
    assert outcome(first)[0] != outcome(other)[0]


def test_a_saved_recipe_trains_again_to_the_same_numbers(tmp_path: Path, reviews: Path) -> None:
    first = run_recipe(recipe(reviews, {}), output=tmp_path / "first").run
    again = run_recipe(assemble(str(first.folder / "recipe.yaml"), {}), output=tmp_path / "again").run
    assert outcome(first) == outcome(again)


@pytest.mark.slow
def test_killed_at_a_random_moment_and_resumed_equals_never_killed(tmp_path: Path, reviews: Path) -> None:
    words = [f"{key}={'null' if value is None else value}" for key, value in TEXT.items() if key != "dropout"]
    command = [sys.executable, "-m", "lstmlab", "train", "classification", f"path={reviews}", *words, "steps=120"]
    command = [word for word in command if word != "steps=20"]
    goes_on_to_the_same_bits(tmp_path, command)


@pytest.mark.slow
def test_sigterm_keeps_a_checkpoint_and_says_how_to_go_on(tmp_path: Path, reviews: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "lstmlab",
        "train",
        "classification",
        f"path={reviews}",
        "text=review",
        "label=stars",
        "epochs=10000",
        "--output",
        "run",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    while not (tmp_path / "run" / "history.jsonl").is_file() or not Run(tmp_path / "run").history:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "resume run" in told
    assert Run(tmp_path / "run").resumable


def test_a_torn_row_of_history_is_no_row(tmp_path: Path, reviews: Path) -> None:
    with pytest.raises(Stopped):
        run_recipe(recipe(reviews, {}), output=tmp_path / "run", monitor=stop_after(15))
    path = tmp_path / "run" / "history.jsonl"
    whole = Run(tmp_path / "run").history
    with open(path, "ab") as file:
        file.write(json.dumps({"epoch": 2, "step": 99}).encode()[:-3])
    assert Run(tmp_path / "run").history == whole
    assert go_on(Run(tmp_path / "run")).run.history[-1]["step"] == 20


@pytest.mark.parametrize("size", [0, 7, 200, 5000])
def test_a_torn_checkpoint_is_refused(tmp_path: Path, reviews: Path, size: int) -> None:
    with pytest.raises(Stopped):
        run_recipe(recipe(reviews, {}), output=tmp_path / "run", monitor=stop_after(5))
    path = tmp_path / "run" / "checkpoints" / "last.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match=r"last.safetensors: cut off or not a safetensors file"):
        go_on(Run(tmp_path / "run"))


def test_a_foreign_checkpoint_is_refused(tmp_path: Path, reviews: Path) -> None:
    for name, changes in (("one", {}), ("two", {"hidden_size": 9})):
        with pytest.raises(Stopped):
            run_recipe(recipe(reviews, changes), output=tmp_path / name, monitor=stop_after(5))
    place = Path("checkpoints") / "last.safetensors"
    os.replace(tmp_path / "two" / place, tmp_path / "one" / place)
    with pytest.raises(InputError, match="was written by another model"):
        go_on(Run(tmp_path / "one"))


def test_an_output_folder_that_exists_is_left_alone(tmp_path: Path, reviews: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        run_recipe(recipe(reviews, {}), output=tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["precious"]


@pytest.mark.slow
def test_a_full_disk_leaves_the_checkpoint_before(
    tmp_path: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [0]
    real = os.fsync

    def full_after_a_while(handle: int) -> None:
        calls[0] += 1
        if calls[0] > 30:
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(os, "fsync", full_after_a_while)
    with pytest.raises(InputError, match="the disk is full; .* is still the one before"):
        run_recipe(recipe(reviews, {}), output=tmp_path / "run")
    monkeypatch.undo()
    monkeypatch.setenv("LSTMLAB_CACHE", str(tmp_path / "cache"))
    straight = run_recipe(recipe(reviews, {}), output=tmp_path / "straight").run
    assert outcome(go_on(Run(tmp_path / "run")).run) == outcome(straight)
    assert not list((tmp_path / "run").rglob("*.part"))


def test_two_processes_do_not_train_into_one_folder(tmp_path: Path, reviews: Path) -> None:
    with pytest.raises(Stopped):
        run_recipe(recipe(reviews, {}), output=tmp_path / "run", monitor=stop_after(5))
    before = (tmp_path / "run" / "history.jsonl").read_bytes()
    with RunWriter(tmp_path / "run").locked(), pytest.raises(InputError, match="is being trained by another process"):
        go_on(Run(tmp_path / "run"))
    assert (tmp_path / "run" / "history.jsonl").read_bytes() == before


def test_changed_data_is_refused(tmp_path: Path, reviews: Path) -> None:
    with pytest.raises(Stopped):
        run_recipe(recipe(reviews, {}), output=tmp_path / "run", monitor=stop_after(5))
    with open(reviews, "a", encoding="utf-8") as file:
        file.write("one more,good\n")
    with pytest.raises(InputError, match="its data has changed"):
        go_on(Run(tmp_path / "run"))


def test_a_run_goes_on_from_another_folder(tmp_path: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reviews.parent)
    with pytest.raises(Stopped):
        run_recipe(recipe(Path(reviews.name), {}), output=tmp_path / "run", monitor=stop_after(5))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert go_on(Run(tmp_path / "run")).run.finished


def test_a_death_between_row_and_checkpoint_writes_no_row_twice(
    tmp_path: Path, reviews: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """What no handler expects."""

    def die(*_: object) -> None:
        raise Killed

    writing = RunWriter.keep
    monkeypatch.setattr(
        RunWriter, "keep", lambda self, tensors, facts, best: die() if best else writing(self, tensors, facts, best)
    )
    with pytest.raises(Killed):
        run_recipe(recipe(reviews, {}), output=tmp_path / "run")
    monkeypatch.setattr(RunWriter, "keep", writing)
    assert [row["epoch"] for row in Run(tmp_path / "run").history] == [1]
    rows = go_on(Run(tmp_path / "run")).run.history
    assert [row["epoch"] for row in rows] == list(range(1, len(rows) + 1))
