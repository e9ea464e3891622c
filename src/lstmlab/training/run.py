"""The run directory: written by training, read by everything after it. A contract; other programs read it."""

import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from lstmlab import recipe as recipes
from lstmlab.data.corpus import Source
from lstmlab.disk import save
from lstmlab.errors import Damaged, InputError, nearest
from lstmlab.tasks import TASKS
from lstmlab.training import checkpoint

try:
    import fcntl
except ImportError:  # Windows, where nothing keeps two processes apart
    fcntl = None  # type: ignore[assignment]

PACKAGES = ("lstmlab", "torch", "numpy", "polars", "scikit-learn", "tokenizers", "safetensors")


class _Told(dict[str, Any]):
    """What a run's file says. A key that is not in it is the file's fault, told by name."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise Damaged(f"{where}: expected a JSON object, got {type(value).__name__}")
        super().__init__(value)
        self.where = where

    def __missing__(self, key: str) -> Any:
        raise Damaged(f'{self.where}: no "{key}": damaged, or written by another version')


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises Damaged where there is none, and for a key asked for that it has not."""
    try:
        return _Told(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (ValueError, OSError) as error:
        raise Damaged(f"{path}: unreadable: {error}") from error


def read_objects(path: Path) -> list[dict[str, Any]]:
    """The JSON objects in a file's lines, none where there is no file. Raises Damaged likewise."""
    if not path.is_file():
        return []
    # A row is whole once its newline is there; what a kill left after the last newline is no row yet.
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        return [_Told(json.loads(line), f"{path}, line {number}") for number, line in enumerate(lines, 1)]
    except (ValueError, OSError) as error:
        raise Damaged(f"{path}: unreadable: {error}") from error


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _finite(value: Any) -> Any:
    """NaN and infinity as null: JSON has neither."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


@dataclass(frozen=True)
class Run:
    """A run directory, to read."""

    folder: Path

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """The run in this folder. Raises InputError where it is none."""
        if not (folder / "recipe.yaml").is_file():
            raise InputError(f"{folder} is not a run: it has no recipe.yaml")
        return cls(folder)

    @property
    def title(self) -> str:
        """Recipe and time, as in the folder's path."""
        whole = self.folder.absolute()
        return f"{whole.parent.name}/{whole.name}"

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """The settings as resolved."""
        path = self.folder / "recipe.yaml"
        return _Told(recipes.read_file(path), str(path))

    @cached_property
    def environment(self) -> dict[str, Any]:
        """Versions, device, threads, data checksums, command line."""
        return self._read("environment.json")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Data with its source and steps, the model's layers, one example on its way to a tensor."""
        return self._read("summary.json")

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Scores of test and validation, baselines, parameters, best epoch, seconds."""
        return self._read("metrics.json")

    @cached_property
    def saved_task(self) -> dict[str, Any]:
        """Vocabulary, labels, scaler."""
        return self._read("task.json")

    @cached_property
    def history(self) -> list[dict[str, Any]]:
        """A row per evaluation."""
        return read_objects(self.folder / "history.jsonl")

    @cached_property
    def predictions(self) -> list[dict[str, Any]]:
        """The test part: id, input, target, prediction, loss."""
        return read_objects(self.folder / "predictions.jsonl")

    def refuse_changed(self, source: Source) -> None:
        """Refuse data that is not what the run was trained on: its parts would be others, or its labels."""
        if dict(source.checksums) != self.environment["data"]["checksums"]:
            raise InputError(f"{self.folder}: its data has changed since it was trained, so its parts are others now")

    @property
    def finished(self) -> bool:
        """Whether training ended and everything was scored."""
        return (self.folder / "metrics.json").is_file() and (self.folder / "predictions.jsonl").is_file()

    @property
    def resumable(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return (self.folder / "checkpoints" / "last.safetensors").is_file()

    def weights(self) -> dict[str, Tensor]:
        """The best weights."""
        path = self.folder / "model.safetensors"
        if not path.is_file():
            raise InputError(
                f"{self.folder}: no model yet; finish it with: lstmlab resume {shlex.quote(str(self.folder))}"
            )
        return checkpoint.read(path)[0]

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        if not path.exists():
            raise InputError(
                f"{self.folder}: no {name}; the run is unfinished: lstmlab resume {shlex.quote(str(self.folder))}"
            )
        return read_object(path)


def main_score(run: Run) -> str:
    """The score a summary of a run names first, defined or not; of its validation part where it has no test part."""
    scores = TASKS[run.recipe["task"]].main_scores
    known = run.metrics.get("test") or run.metrics.get("valid", {})
    return next((name for name in scores if name in known), scores[-1])


class RunWriter:
    """A run directory, to write. Made only when data and model are ready, so that a bad recipe leaves no folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, root: Path, name: str, output: Path | None) -> "RunWriter":
        """A new folder: `output`, or `root/name/date-time`. Refuses one that exists and a name that leads elsewhere."""
        folder = new_folder(root, name, output)
        try:
            (folder / "checkpoints").mkdir(parents=True)
        except OSError as error:
            raise InputError(f"could not make {folder}: {error.strerror}; choose a place with --output DIR") from error
        return cls(folder)

    def start(
        self,
        recipe: recipes.Settings,
        environment: Mapping[str, Any],
        summary: Mapping[str, Any],
        task: Mapping[str, Any],
    ) -> None:
        """Everything known before the first step. Where it cannot be written, no folder stays behind."""
        try:
            save(self.folder / "environment.json", _json(environment))
            save(self.folder / "summary.json", _json(summary))
            save(self.folder / "task.json", json.dumps(task, ensure_ascii=False).encode())
            save(self.folder / "history.jsonl", b"")
            # Last, since its presence is what makes a folder a run.
            save(self.folder / "recipe.yaml", recipes.write_yaml(recipes.dump(recipe)).encode())
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else trains into this folder meanwhile; the system lifts the lock also when we are killed."""
        with open(self.folder / "checkpoints" / ".lock", "wb") as file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise InputError(f"{self.folder} is being trained by another process") from error
            yield

    def keep(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], best: bool) -> None:
        """A checkpoint: the best weights, or a moment to go on from."""
        checkpoint.write(self.folder / "checkpoints" / f"{'best' if best else 'last'}.safetensors", tensors, facts)

    def read_checkpoint(self, which: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The checkpoint `best` or `last`."""
        return checkpoint.read(self.folder / "checkpoints" / f"{which}.safetensors")

    def row(self, row: Mapping[str, Any]) -> None:
        """One more row of history."""
        path = self.folder / "history.jsonl"
        try:
            with open(path, "ab") as file:
                file.write(json.dumps(_finite(row), ensure_ascii=False).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            again = f"lstmlab resume {shlex.quote(str(self.folder))}"
            raise InputError(f"could not write {path}: {error.strerror}; then go on with: {again}") from error

    def rewind(self, epoch: int, done: bool) -> None:
        """Forget the rows of epochs the checkpoint has not left yet: the resumed training will write them again."""
        rows = [row for row in Run(self.folder).history if done or row["epoch"] < epoch]
        save(
            self.folder / "history.jsonl",
            b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows),
        )

    def finish(
        self, weights: Mapping[str, Tensor], metrics: Mapping[str, Any], predictions: Iterable[Mapping[str, Any]]
    ) -> None:
        """Best weights, predictions, scores; the scores last, since their presence says that the run is finished."""
        facts = {"lstmlab": json.dumps({"format": checkpoint.FORMAT})}
        flat = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
        save(self.folder / "model.safetensors", safetensors_bytes(flat, metadata=facts))
        lines = (json.dumps(_finite(row), ensure_ascii=False).encode() + b"\n" for row in predictions)
        save(self.folder / "predictions.jsonl", b"".join(lines))
        save(self.folder / "metrics.json", _json(_finite(metrics)))


def new_folder(root: Path, name: str, output: Path | None) -> Path:
    """`output`, or `root/name/date-time`, not made yet. Refuses one that exists and a name that leads elsewhere."""
    refuse_existing(output)
    if output is not None:
        return output
    if name in (".", "..") or not name.isprintable() or set(name) & set("/\\"):
        raise InputError(f"name={name}: it names the run's folder in {root}, so it holds no / and no \\")
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return next(path for path in _candidates(root / name, stamp) if not path.exists())


def refuse_existing(output: Path | None) -> None:
    """Refuse a folder for a new run that is there already, before any work is done for it."""
    if output is not None and (output.exists() or output.is_symlink()):
        go_on = f", or resume it with: lstmlab resume {shlex.quote(str(output))}" if output.is_dir() else ""
        raise InputError(f"--output {output} exists already: choose another folder{go_on}")


def _candidates(folder: Path, stamp: str) -> Iterable[Path]:
    yield folder / stamp
    for number in range(2, 1000):
        yield folder / f"{stamp}-{number}"


def environment(device: torch.device, threads: int, seed: int, source: Source, command: str) -> dict[str, Any]:
    """What one must know to get the same numbers again."""
    return {
        "versions": versions(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": str(device),
        "threads": threads,
        "seed": seed,
        "data": asdict(source),
        "git_commit": _git_commit(),
        "command": command,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def versions() -> dict[str, str]:
    """The versions of what the numbers depend on."""
    return {name: metadata.version(name) for name in PACKAGES}


def _git_commit() -> str | None:
    """The commit of the folder one works in, where it is a git checkout."""
    if shutil.which("git") is None:
        return None
    told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return told.stdout.strip() or None


def command_line() -> str:
    """The command this process was started with, as one would type it."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def all_runs(root: Path) -> list[Run]:
    """Every run under `root`, oldest first."""
    found = [path.parent for path in root.glob("*/*/recipe.yaml")]
    return [Run(folder) for folder in sorted(found, key=lambda folder: (folder.name, folder.parent.name))]


def find_run(word: str | None, root: Path) -> Run:
    """The run a person means: a folder, a recipe's name (its newest run), or nothing at all (the newest of all)."""
    if word is not None and (Path(word) / "recipe.yaml").is_file():
        return Run(Path(word))
    runs = all_runs(root)
    if word is not None:
        runs = [run for run in runs if word in (run.folder.parent.name, run.title)]
    if runs:
        return runs[-1]
    if word is None:
        raise InputError(f"no runs in {root} yet: train one, for example: lstmlab train sine")
    if Path(word).exists():
        raise InputError(f"{word} is not a run: it has no recipe.yaml")
    names = {name for run in all_runs(root) for name in (run.folder.parent.name, run.title)}
    match = nearest(word, names)
    raise InputError(f'no run "{word}" in {root}.' + (f" Did you mean {match[0]}?" if match else " See: lstmlab runs"))
