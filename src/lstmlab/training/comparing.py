"""A study carried out: learning rates tried, every arm trained with every seed, side by side; what is done is not done
again, so that going on with a study is carrying it out once more.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lstmlab.data.load import Watch
from lstmlab.errors import InputError
from lstmlab.training.crew import Crew
from lstmlab.training.probe import asked
from lstmlab.training.study import Entry, Study, StudyWriter, cores, how_to_go_on


@dataclass(frozen=True)
class Onlooker(Watch):
    """Who watches a study: besides what a Watch hears, each run's beginning, its epochs, and how it ended."""

    begin: Callable[[Entry], None] = lambda entry: None
    row: Callable[[Entry, int, int | None], None] = lambda entry, epoch, epochs: None
    end: Callable[[Entry, int, int], None] = lambda entry, done, total: None
    """(entry, runs done so far, runs in all); the entry holds its run or its failure."""
    stop: Callable[[], bool] = lambda: False


class Interrupted(Exception):
    """A study was asked to stop; what it has done is kept in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(f"stopped; go on with: {how_to_go_on(folder)}")


def fitting(jobs: int, workers: int | None, device: str = "cpu") -> tuple[int, int]:
    """(workers, threads of each): as many runs side by side as there are cores, with what is left over for each. On a
    GPU runs stand in line, since one can fill it."""
    if workers is not None and workers < 1:
        raise InputError(f"workers is {workers}: expected 1 or more")
    have = cores()
    count = workers if workers is not None else 1 if device != "cpu" else min(have, jobs)
    return max(count, 1), max(have // max(count, 1), 1)


def carry_out(study: Study, workers: int, watch: Onlooker = Onlooker()) -> Study:
    """Train what is left of a study. Raises Interrupted where it was asked to stop, InputError where nothing is left
    to compare because every run failed.
    """
    writer = StudyWriter(study.folder)
    with writer.locked():
        writer.results()
        with Crew(workers, study.plan.threads, study.folder / "workers.log") as crew:
            for phase in ("trials", "entries"):
                # The entries' learning rates are known only when all trials are done.
                current = study.fresh()
                if phase == "entries":
                    _refuse_unchosen(current)
                _work(writer, current, getattr(current, phase), crew, watch)
        done = study.fresh()
        if not any(entry.run for entry in done.entries):
            raise InputError(f"every run of {study.folder} failed; the first: {_first_failure(done)}")
        return done


def undone(study: Study, entry: Entry) -> bool:
    """Whether a run has not ended, or was killed before it was asked the study's probe."""
    if entry.run is None:
        # Trying a learning rate comes too late once its arm has begun with another.
        return entry.rate is None or study.begun(entry.arm) is None
    return _probe(study, entry) is not None and not asked(entry.run)


def _probe(study: Study, entry: Entry) -> str | None:
    """What a run is scored on besides: only classifiers are, and none that tries a learning rate."""
    classifies = study.plan.bases[entry.arm.base]["task"] == "classification"
    return study.plan.probe if classifies and entry.rate is None else None


def _work(writer: StudyWriter, study: Study, entries: Sequence[Entry], crew: Crew, watch: Onlooker) -> None:
    """One after another, the crew trains what is not done; a run that failed for want of something is tried again."""
    diverged = [entry for entry in entries if entry.failure is not None and entry.failure["kind"] == "diverged"]
    todo = [entry for entry in entries if undone(study, entry) and entry not in diverged and not entry.arm.runs]
    known = {str(entry.folder): entry for entry in todo}
    count = [len(entries) - len(todo)]

    def news(job: Any, told: dict[str, Any]) -> None:
        entry = known[job["folder"]]
        if told["event"] == "begin":
            watch.begin(entry)
        elif told["event"] == "row":
            watch.row(entry, told["epoch"], told["epochs"])
        elif told["event"] in ("done", "failed"):
            failed = told["event"] == "failed"
            if failed or entry.failure is not None:
                writer.fail(entry, told.get("kind", ""), told.get("message", "") if failed else "")
            writer.results()
            count[0] += 1
            failure = {"kind": told["kind"], "message": told["message"]} if failed else None
            watch.end(replace(entry, failure=failure), count[0], len(entries))

    if not crew.work([_job(study, entry) for entry in todo], news, watch.stop):
        writer.results()
        raise Interrupted(study.folder)


def _job(study: Study, entry: Entry) -> dict[str, Any]:
    return {
        "folder": str(entry.folder),
        "name": entry.name,
        "tree": study.plan.bases[entry.arm.base],
        "changes": study.recipe(entry),
        "blind": entry.rate is not None,
        "probe": _probe(study, entry),
    }


def _refuse_unchosen(study: Study) -> None:
    """Every arm needs a learning rate that trained at all."""
    for arm in study.plan.arms:
        if study.plan.rates and not arm.runs and study.rate(arm) is None:
            raise InputError(f"{study.folder}: no learning rate worked for {arm.name}: {_first_failure(study)}")


def _first_failure(study: Study) -> str:
    return next((told["message"] for told in study.failures.values()), "see workers.log there")
