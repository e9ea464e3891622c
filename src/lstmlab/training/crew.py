"""Workers side by side: processes that train one run after another, without more threads than there are cores."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import lstmlab

PATIENCE = 120.0
"""Seconds that a worker is given to keep its checkpoint once it was asked to stop."""

Job = Mapping[str, Any]
News = Callable[[Job, dict[str, Any]], None]
"""(job, {"event": "begin" | "row" | "done" | "failed" | "stopped", …})"""


@dataclass
class Worker:
    """One process and what it is doing."""

    process: "subprocess.Popen[str]"
    job: Job | None = None
    ear: threading.Thread = field(default_factory=threading.Thread)
    """Hears what it has to tell."""

    def send(self, order: Mapping[str, Any]) -> None:
        """Write an order; a worker that is gone is noticed by the silence of its news."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.write(json.dumps(order, ensure_ascii=False) + "\n")
            self.process.stdin.flush()


class Crew:
    """So many workers, `threads` threads each. As a context it ends them."""

    def __init__(self, size: int, threads: int, log: Path) -> None:
        self.size, self.threads, self.log = size, threads, log
        self._news: Queue[tuple[Worker, dict[str, Any] | None]] = Queue()
        self._workers: list[Worker] = []

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def work(self, jobs: Iterable[Job], news: News, stop: Callable[[], bool]) -> bool:
        """Have all jobs done; False where `stop` said so before. `news` hears of each job in this thread."""
        waiting = list(jobs)
        for _ in range(min(self.size, len(waiting)) - len(self._workers)):
            self._workers.append(self._start())
        for worker in self._workers:
            self._next(worker, waiting, news)
        while any(worker.job is not None for worker in self._workers):
            if stop():
                self._stop(news)
                return False
            with suppress(Empty):
                self._hear(*self._news.get(timeout=0.2), waiting, news)
        return True

    def _start(self) -> Worker:
        """A process that computes with so many threads, whatever library it computes with."""
        names = (
            "OMP_NUM_THREADS",
            "MKL_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "NUMBA_NUM_THREADS",
            "POLARS_MAX_THREADS",
        )
        home = str(Path(lstmlab.__file__).parents[1])
        path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH", "")]))
        variables = {**os.environ, **dict.fromkeys(names, str(self.threads)), "PYTHONPATH": path}
        with open(self.log, "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "lstmlab.training.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                env=variables,
            )
        worker = Worker(process)
        worker.ear = threading.Thread(target=self._listen, args=(worker,), daemon=True)
        worker.ear.start()
        return worker

    def _listen(self, worker: Worker) -> None:
        assert worker.process.stdout is not None
        for line in worker.process.stdout:
            self._news.put((worker, json.loads(line)))
        self._news.put((worker, None))

    def _next(self, worker: Worker, waiting: list[Job], news: News) -> None:
        worker.job = waiting.pop(0) if waiting else None
        if worker.job is not None:
            worker.send(worker.job)
            news(worker.job, {"event": "begin"})

    def _hear(self, worker: Worker, told: dict[str, Any] | None, waiting: list[Job], news: News) -> None:
        job = worker.job
        if told is None:  # the process has ended by itself, which it never should
            code = worker.process.wait()
            self._workers.remove(worker)
            for pipe in (worker.process.stdin, worker.process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            if job is not None:
                told = {"event": "failed", "kind": "failed", "message": f"its process {_ended(code)}"}
                news(job, told)
                if waiting:
                    self._workers.append(self._start())
                    self._next(self._workers[-1], waiting, news)
        elif job is not None:
            news(job, told)
            if told["event"] in ("done", "failed", "stopped"):
                self._next(worker, waiting, news)

    def _stop(self, news: News) -> None:
        """Let every run in flight keep its checkpoint."""
        for worker in self._workers:
            worker.send({"stop": True})
        busy = [worker for worker in self._workers if worker.job is not None]
        while any(worker.job is not None for worker in busy):
            try:
                worker, told = self._news.get(timeout=PATIENCE)
            except Empty:
                return
            if told is None or told["event"] in ("done", "failed", "stopped"):
                if told is not None and worker.job is not None:
                    news(worker.job, told)
                worker.job = None

    def _end(self) -> None:
        """Close the workers' input: those that train keep a checkpoint first."""
        for worker in self._workers:
            assert worker.process.stdin is not None
            with suppress(OSError):
                worker.process.stdin.close()
            if worker.job is None:  # nothing to keep
                worker.process.kill()
        for worker in self._workers:
            try:
                worker.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            worker.ear.join()
            assert worker.process.stdout is not None
            worker.process.stdout.close()
        self._workers = []


def _ended(code: int) -> str:
    """How a process ended, in words."""
    if code == -9:
        return "was killed (signal 9): most often because memory ran out; --workers 1 needs less"
    return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
