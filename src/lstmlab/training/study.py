"""The study directory: several runs that are compared. A contract, as the run directory is; other programs read it."""

import csv
import io
import json
import os
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lstmlab import recipe as recipes
from lstmlab.disk import save
from lstmlab.errors import InputError, nearest
from lstmlab.metrics import SCORES
from lstmlab.recipe import Settings
from lstmlab.training.arms import RATE, Arm, Plan, slug
from lstmlab.training.run import Run, main_score, new_folder, read_object

try:
    import fcntl
except ImportError:  # Windows, where nothing keeps two processes apart
    fcntl = None  # type: ignore[assignment]

STUDIES = Path("studies")


@dataclass(frozen=True)
class Entry:
    """One arm with one seed: where its run is or will be, and what went wrong with it."""

    arm: Arm
    seed: int
    folder: Path
    failure: Mapping[str, str] | None = None
    """{"kind", "message"} of a run that did not end."""
    rate: float | None = None
    """Of a run that tries a learning rate."""
    with_base: bool = False
    """Whether its base has to be told, since there are several."""

    @cached_property
    def run(self) -> Run | None:
        """The finished run; None while there is none."""
        run = Run(self.folder)
        return run if run.finished else None

    @property
    def name(self) -> str:
        """For a person: "gru, seed 2", "gru, rate 0.003"."""
        base = f"{self.arm.base}: " if self.with_base else ""
        return f"{base}{self.arm.name}, " + (f"seed {self.seed}" if self.rate is None else f"rate {self.rate:g}")


@dataclass(frozen=True)
class Study:
    """A study directory, to read."""

    folder: Path

    @property
    def title(self) -> str:
        """Name and time, as in the folder's path."""
        whole = self.folder.absolute()
        return f"{whole.parent.name}/{whole.name}"

    @cached_property
    def plan(self) -> Plan:
        """What is compared."""
        path = self.folder / "study.yaml"
        return recipes.validate(Plan, recipes.read_file(path), str(path))

    @cached_property
    def environment(self) -> dict[str, Any]:
        """When it was started, by which command, with which versions."""
        return read_object(self.folder / "environment.json")

    @cached_property
    def failures(self) -> dict[str, dict[str, str]]:
        """Run folder within the study → what went wrong."""
        path = self.folder / "failures.json"
        return read_object(path) if path.is_file() else {}

    @cached_property
    def entries(self) -> list[Entry]:
        """Every run there is to be, seed by seed, so that the arms stay level while a study grows. Twins have none."""
        arms = [arm for arm in self.plan.arms if arm.twin is None]
        seeds = [(arm, seed) for seed in self.plan.seeds for arm in arms if not arm.runs or str(seed) in arm.runs]
        return [self._entry(arm, seed) for arm, seed in seeds]

    @cached_property
    def trials(self) -> list[Entry]:
        """The runs that try learning rates."""
        arms = [arm for arm in self.plan.arms if arm.twin is None and not arm.runs]
        return [self._trial(arm, rate) for arm in arms for rate in self.plan.rates]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to be trained, and something was."""
        return any(entry.run for entry in self.entries) and all(
            entry.run is not None or entry.failure is not None for entry in self.entries
        )

    def of(self, base: str) -> list[Arm]:
        """The arms on a base."""
        return [arm for arm in self.plan.arms if arm.base == base]

    def runs(self, arm: Arm) -> dict[int, Run]:
        """Seed → finished run of an arm; of a twin the runs it shares."""
        return {entry.seed: entry.run for entry in _with(arm, self.entries) if entry.run is not None}

    def tried(self, arm: Arm) -> dict[float, float]:
        """Learning rate → the main score on validation, of the rates tried for an arm so far."""
        found = {}
        for entry in _with(arm, self.trials):
            if entry.rate is not None and entry.run is not None:
                score = main_score(entry.run)
                value = entry.run.metrics["valid"].get(score)
                if value is not None:
                    found[entry.rate] = float(value)
        return found

    def begun(self, arm: Arm) -> Run | None:
        """The first run of an arm that has begun; None before."""
        found = [entry for entry in _with(arm, self.entries) if (entry.folder / "recipe.yaml").is_file()]
        return next((entry.run or Run(entry.folder) for entry in found), None)

    def rate(self, arm: Arm) -> float | None:
        """The learning rate chosen for an arm by validation, the smallest of equals; once it has begun, the one it has
        begun with. None where none was tried."""
        begun = self.begun(arm) if self.plan.rates else None
        if begun is not None:
            return float(begun.recipe["training"]["optimizer"]["learning_rate"])
        tried = self.tried(arm)
        if not tried:
            return None
        run = next(entry.run for entry in self.trials if entry.run is not None and entry.arm.base == arm.base)
        sign = 1 if SCORES[main_score(run)].higher_is_better else -1
        return max(tried, key=lambda rate: (sign * tried[rate], -rate))

    def recipe(self, entry: Entry) -> dict[str, Any]:
        """The changes that make the base's recipe an entry's."""
        fixed = self.plan.bases[entry.arm.base]
        split = fixed.get("split_seed")
        changes = {**entry.arm.changes, "seed": entry.seed, "split_seed": fixed["seed"] if split is None else split}
        rate = entry.rate if entry.rate is not None else self.rate(entry.arm)
        return changes if rate is None else {**changes, RATE: rate}

    def fresh(self) -> "Study":
        """The same, read anew."""
        return Study(self.folder)

    def _place(self, arm: Arm) -> str:
        return f"{slug(arm.base)}.{slug(arm.name)}" if self.plan.several else slug(arm.name)

    def _entry(self, arm: Arm, seed: int) -> Entry:
        if arm.runs:
            return Entry(arm, seed, Path(arm.runs[str(seed)]))
        place = f"runs/{self._place(arm)}/seed-{seed}"
        return Entry(arm, seed, self.folder / place, self.failures.get(place), None, self.plan.several)

    def _trial(self, arm: Arm, rate: float) -> Entry:
        place = f"search/{self._place(arm)}/rate-{rate:g}"
        failure = self.failures.get(place)
        return Entry(arm, self.plan.search_seed, self.folder / place, failure, rate, self.plan.several)


def _with(arm: Arm, entries: Sequence[Entry]) -> list[Entry]:
    """Those of an arm; of a twin those it shares."""
    same = arm.twin or arm.name
    return [entry for entry in entries if (entry.arm.base, entry.arm.name) == (arm.base, same)]


class StudyWriter:
    """A study directory, to write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(
        cls, root: Path, name: str, plan: Settings, environment: Mapping[str, Any], output: Path | None
    ) -> "StudyWriter":
        """A new folder, `output` or `root/name/date-time`, with the plan in it, or what is to be measured."""
        folder = new_folder(root, name, output)
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise InputError(f"could not make {folder}: {error.strerror}; choose a place with --output DIR") from error
        save(folder / "environment.json", (json.dumps(environment, indent=1, ensure_ascii=False) + "\n").encode())
        # Last, since its presence is what makes a folder a study.
        save(folder / "study.yaml", recipes.write_yaml(recipes.dump(plan)).encode())
        return cls(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else goes on with this study meanwhile; the system lifts the lock also when we are killed."""
        with open(self.folder / ".lock", "wb") as file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise InputError(f"{self.folder} is being worked on by another process") from error
            yield

    def fail(self, entry: Entry, kind: str, message: str) -> None:
        """Note that a run did not end; forget it again with an empty message."""
        known = dict(Study(self.folder).failures)
        place = entry.folder.relative_to(self.folder).as_posix()
        known.pop(place, None)
        if message:
            known[place] = {"kind": kind, "message": message}
        save(self.folder / "failures.json", (json.dumps(known, indent=1, ensure_ascii=False) + "\n").encode())

    def results(self) -> None:
        """results.csv: a row per run."""
        save(self.folder / "results.csv", results(Study(self.folder)).encode())


def results(study: Study) -> str:
    """A row per run, as CSV: arm, crossed settings, seed, state, scores, cost, folder."""
    plan = study.plan
    factors = list(dict.fromkeys(key for arm in plan.arms for key in arm.factors))
    rows = [_row(study, entry) for entry in study.entries]
    scores = list(dict.fromkeys(key for row in rows for key in row if key.startswith(("valid_", "test_"))))
    fixed = ["seed", "learning_rate", "state", *scores, "parameters", "best_epoch", "train_seconds", "total_seconds"]
    # A crossed learning_rate is a column already.
    names = list(dict.fromkeys(["base", "arm", *factors, *fixed, "folder", "note"]))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _row(study: Study, entry: Entry) -> dict[str, Any]:
    arm = entry.arm
    outside = bool(arm.runs)
    folder = str(entry.folder) if outside else entry.folder.relative_to(study.folder).as_posix()
    notes = [f"no effect: {path} ({told})" for path, told in arm.marks.items()]
    row: dict[str, Any] = {"base": arm.base, "arm": arm.name}
    row |= {key: json_word(value) for key, value in arm.factors.items()}
    row |= {"seed": entry.seed, "state": "open", "folder": folder, "note": "; ".join(notes)}
    if entry.run is None:
        if entry.failure is not None:
            row |= {"state": entry.failure["kind"], "note": "; ".join([*notes, entry.failure["message"]])}
        return row
    told = entry.run.metrics
    for part in ("valid", "test"):
        row |= {f"{part}_{name}": value for name, value in told.get(part, {}).items()}
    cost = ("parameters", "best_epoch", "train_seconds", "total_seconds")
    rate = entry.run.recipe["training"]["optimizer"].get("learning_rate")
    return row | {"state": "finished", "learning_rate": rate} | {name: told.get(name) for name in cost}


def json_word(value: Any) -> str:
    """A value as it is typed: words bare, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def all_studies(root: Path = STUDIES) -> list[Study]:
    """Every study under `root`, oldest first."""
    found = [path.parent for path in root.glob("*/*/study.yaml")]
    return [Study(folder) for folder in sorted(found, key=lambda folder: (folder.name, folder.parent.name))]


def find_study(word: str, root: Path = STUDIES) -> Study:
    """The study a person means: a folder, or a study's name (its newest)."""
    if (Path(word) / "study.yaml").is_file():
        return Study(Path(word))
    found = [study for study in all_studies(root) if word in (study.folder.parent.name, study.title)]
    if found:
        return found[-1]
    if Path(word).exists():
        raise InputError(f"{word} is not a study: it has no study.yaml")
    match = nearest(word, {name for study in all_studies(root) for name in (study.folder.parent.name, study.title)})
    raise InputError(f'no study "{word}" in {root}.' + (f" Did you mean {match[0]}?" if match else ""))


def is_study(word: str | None, root: Path = STUDIES) -> bool:
    """Whether a word given to a command means a study."""
    if word is None:
        return False
    return (Path(word) / "study.yaml").is_file() or any(word == study.title for study in all_studies(root))


def how_to_go_on(folder: Path) -> str:
    """The command that goes on with a study."""
    return f"lstmlab compare {shlex.quote(str(folder))}"


def started() -> str:
    """Now, as a run writes it down."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
