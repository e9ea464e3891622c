"""A few threads that run compiled jobs, started when first needed, anew after a fork.

A job is the address of a compiled function and that of its plan. A worker that has done one looks for the next for a
moment, inside compiled code and without Python's lock, so that jobs that follow each other closely start within a
microsecond; then it sleeps. No more threads work than were asked for: callers wait for each other's workers.
"""

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
import torch

PATIENCE = 30_000
"""How often a worker looks for its next job before it sleeps: about a tenth of a millisecond."""
FUNCTION, PLAN, ASLEEP = 0, 1, 4
"""Places in a worker's box; see the module of vectors."""


@dataclass(frozen=True)
class Signals:
    """Compiled: post a job (1: the worker sleeps), wait for its end, and a worker's loop."""

    post: Callable[[int], int]
    finish: Callable[[int], None]
    serve: Callable[[int, int], None]


@dataclass(frozen=True)
class Job:
    """A compiled function: `call` runs it here, `address` lets a worker run it."""

    call: Callable[[int], None]
    address: int


class Worker:
    """One thread, its box, and the lock that whoever uses it holds."""

    def __init__(self, signals: Signals, number: int) -> None:
        self.lock = threading.Lock()
        self.signals = signals
        self._box = np.zeros(16, dtype=np.int64)
        self._box[ASLEEP] = 1
        self._at = self._box.ctypes.data
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._flushes: bool | None = None
        threading.Thread(target=self._live, name=f"lstmlab-kernel-{number}", daemon=True).start()

    def start(self, job: Job, plan: int, flush: bool) -> None:
        """Begin a job; the holder of the lock calls this, then `finish`."""
        if flush != self._flushes:
            # Only Python can change how a thread treats denormal numbers: let the worker come back there first.
            while not self._box[ASLEEP]:
                threading.Event().wait(1e-4)
            self._flushes = flush
        self._box[FUNCTION], self._box[PLAN] = job.address, plan
        if self.signals.post(self._at):
            self._wake.put(flush)

    def finish(self) -> None:
        """Wait for the end of the job."""
        self.signals.finish(self._at)

    def _live(self) -> None:
        while True:
            torch.set_flush_denormal(self._wake.get())
            self.signals.serve(self._at, PATIENCE)


class Pool:
    """Runs jobs side by side, the first in the calling thread."""

    def __init__(self) -> None:
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def run(self, signals: Signals, job: Job, plans: Sequence[np.ndarray]) -> None:
        """One job for each plan; return when all are done."""
        here, *others = (plan.ctypes.data for plan in plans)
        if not others:
            job.call(here)
            return
        flush = _flushes_denormals()
        with ExitStack() as held:
            workers = self._workers(signals, len(others))
            # Always in the same order, so that callers cannot wait for each other in a circle.
            for worker in workers:
                held.enter_context(worker.lock)
            for worker, plan in zip(workers, others, strict=True):
                worker.start(job, plan, flush)
            try:
                job.call(here)
            finally:
                # Jobs write to memory of the caller's, which must not go before they end.
                for worker in workers:
                    worker.finish()

    def _workers(self, signals: Signals, count: int) -> list[Worker]:
        with self._lock:
            while len(self._all) < count:
                self._all.append(Worker(signals, len(self._all) + 1))
            return self._all[:count]

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._all: list[Worker] = []


def _flushes_denormals() -> bool:
    """Whether this thread takes denormal numbers for zero."""
    return _TINY * _HALF == 0.0


_TINY, _HALF = 2.2250738585072014e-308, 0.5
