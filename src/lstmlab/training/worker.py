"""A process that trains one run after another for a study: jobs come in as lines of JSON, news go out as such lines.

Plain text instead of pickled objects, and a program of its own instead of a copy of the caller's: a study started from
a notebook or from a script without a main guard works the same. Where the caller is gone, so is the other end of the
standard input; the run in flight then keeps a checkpoint and the process ends.
"""

import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from lstmlab.errors import InputError

Tell = Callable[..., None]


def main() -> None:
    """Work until the standard input ends."""
    # Ctrl-C in a terminal reaches the whole group; the caller decides what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    news = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    # What a library prints goes where the complaints go, not among the news.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    orders = Orders(sys.stdin)

    def tell(event: str, **facts: Any) -> None:
        _send(news, {"event": event, **facts})

    for job in orders:
        work(job, tell, orders.stopped.is_set)


class Orders:
    """The jobs as they come. `stopped` is set when the caller says so or is gone."""

    def __init__(self, stream: TextIO) -> None:
        self.stopped = threading.Event()
        self._jobs: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: TextIO) -> None:
        for line in stream:
            job = json.loads(line)
            if job.get("stop"):
                break
            self._jobs.put(job)
        self.stopped.set()
        self._jobs.put(None)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        while (job := self._jobs.get()) is not None and not self.stopped.is_set():
            yield job


def work(job: dict[str, Any], tell: Tell, stop: Callable[[], bool]) -> None:
    """Train one run, from its checkpoint where there is one, and tell how it ended."""
    from lstmlab.training.experiment import Stopped
    from lstmlab.training.nan_guard import Diverged

    try:
        run_job(job, tell, stop)
    except Stopped:
        tell("stopped")
    except Diverged as error:
        tell("failed", kind="diverged", message=str(error))
    except InputError as error:
        tell("failed", kind="failed", message=str(error))
    except MemoryError:
        tell("failed", kind="failed", message="out of memory: smaller batches or models, or --workers 1, need less")
    except Exception as error:
        # A study goes on without this run; the whole story is in its log.
        traceback.print_exc()
        tell("failed", kind="failed", message=f"{type(error).__name__}: {error}")
    else:
        tell("done")


def run_job(job: dict[str, Any], tell: Tell, stop: Callable[[], bool]) -> None:
    """Train, go on with, or find finished the run that a job describes; then score it on the probe, if there is one."""
    from lstmlab.training import experiment
    from lstmlab.training.experiment import Monitor
    from lstmlab.training.probe import write_probe
    from lstmlab.training.run import Run

    folder, blind = Path(job["folder"]), bool(job.get("blind"))

    def row(row: dict[str, Any], settings: Any) -> None:
        tell("row", epoch=row["epoch"], epochs=settings.epochs)

    monitor = Monitor(row=row, stop=stop)
    run = Run(folder)
    if not (folder / "recipe.yaml").is_file():
        shutil.rmtree(folder, ignore_errors=True)  # killed before anything was in it
        recipe, _ = experiment.settle(job["tree"], job["changes"], job["name"])
        run = experiment.train(recipe, root=folder.parent, output=folder, blind=blind, monitor=monitor)
    elif not run.finished:
        run = experiment.resume(run, blind=blind, monitor=monitor)
    if job.get("probe"):
        write_probe(Run(folder), job["probe"])


def _send(stream: TextIO, news: dict[str, Any]) -> None:
    try:
        stream.write(json.dumps(news, ensure_ascii=False) + "\n")
        stream.flush()
    except OSError:  # nobody is there to hear it any more
        return


if __name__ == "__main__":
    main()
