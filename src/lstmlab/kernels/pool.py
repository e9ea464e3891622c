"""Compiled jobs side by side. A job is the address of a compiled function and that of its plan.

Where PyTorch's own threads are GNU OpenMP's, they do the work: after each of PyTorch's operations they look for more
for some milliseconds, and threads of our own would have to fight them for the processor. Elsewhere, and in a forked
child, whose OpenMP threads are gone, there are workers of our own. One that has done a job looks for the next for a
moment, inside compiled code and without Python's lock, and then sleeps. No more threads work than were asked for:
callers wait for each other.
"""

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

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
    crew: int
    """Address of what each thread of a crew does."""


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
        threading.Thread(target=self._live, name=f"lstmlab-kernel-{number}", daemon=True).start()

    def start(self, job: Job, plan: int) -> None:
        """Begin a job; the holder of the lock calls this, then `finish`."""
        self._box[FUNCTION], self._box[PLAN] = job.address, plan
        if self.signals.post(self._at):
            self._wake.put(True)

    def finish(self) -> None:
        """Wait for the end of the job."""
        self.signals.finish(self._at)

    def _live(self) -> None:
        while True:
            self._wake.get()
            self.signals.serve(self._at, PATIENCE)


class Pool:
    """Runs jobs side by side, one of them in the calling thread."""

    def __init__(self) -> None:
        self._openmp: Any = None
        self._forget()
        self._asked = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def run(self, signals: Signals, job: Job, plans: Sequence[np.ndarray]) -> None:
        """One job for each plan; return when all are done."""
        addresses = [plan.ctypes.data for plan in plans]
        if len(addresses) == 1:
            job.call(addresses[0])
            return
        if not self._asked:
            self._openmp, self._asked = _gnu_openmp(signals.crew), True
        if self._openmp is None:
            self._with_workers(signals, job, addresses)
            return
        with self._busy:
            self._openmp(signals.crew, _board(job.address, addresses), len(addresses))

    def _with_workers(self, signals: Signals, job: Job, plans: Sequence[int]) -> None:
        here, *others = plans
        with ExitStack() as held:
            workers = self._workers(signals, len(others))
            # Always in the same order, so that callers cannot wait for each other in a circle.
            for worker in workers:
                held.enter_context(worker.lock)
            for worker, plan in zip(workers, others, strict=True):
                worker.start(job, plan)
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
        self._lock, self._busy = threading.Lock(), threading.Lock()
        self._all: list[Worker] = []
        self._openmp, self._asked = None, True


def _board(job: int, plans: Sequence[int]) -> np.ndarray:
    """What a crew works through: how many plans were taken, how many there are, the job, the plans."""
    return np.array([0, len(plans), job, *plans], dtype=np.int64)


def _gnu_openmp(crew: int) -> Callable[[int, np.ndarray, int], None] | None:
    """PyTorch's GNU OpenMP as (function, its data, threads), if it is there and gives as many threads as asked for."""
    if not sys.platform.startswith("linux"):
        return None
    home = str(Path(torch.__file__).parent)
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        paths = {line.split(maxsplit=5)[5].strip() for line in maps if "libgomp" in line}
    own = [path for path in paths if path.startswith(home)] or (list(paths) if len(paths) == 1 else [])
    library = ctypes.CDLL(own[0]) if len(own) == 1 else None
    if library is None or not hasattr(library, "GOMP_parallel"):
        return None
    parallel = library.GOMP_parallel
    parallel.argtypes, parallel.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
    threads = library.omp_get_num_threads
    seen: list[int] = []
    probe = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: seen.append(threads()))
    parallel(ctypes.cast(probe, ctypes.c_void_p), None, 2, 0)
    if seen != [2, 2]:
        return None
    return lambda function, data, count: parallel(function, data.ctypes.data, count, 0)


def flushes_denormals() -> bool:
    """Whether this thread takes denormal numbers for zero."""
    return _TINY * _HALF == 0.0


_TINY, _HALF = 2.2250738585072014e-308, 0.5
