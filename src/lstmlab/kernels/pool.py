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

    def finish_surely(self) -> None:
        """Wait for the end of the job even if interrupted; the interruption is raised then."""
        interrupted: BaseException | None = None
        while True:
            try:
                self.finish()
                break
            except BaseException as error:
                interrupted = error
        if interrupted is not None:
            raise interrupted

    def _live(self) -> None:
        while True:
            self._wake.get()
            self.signals.serve(self._at, PATIENCE)


class Pool:
    """Runs jobs side by side, one of them in the calling thread."""

    def __init__(self) -> None:
        self._openmp: OpenMP | None = None
        self._forget()
        self._asked = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def run(self, signals: Signals, job: Job, plans: Sequence[np.ndarray]) -> None:
        """One job for each plan, on as many threads as torch may use; return when all are done."""
        addresses = [plan.ctypes.data for plan in plans]
        threads = min(len(addresses), torch.get_num_threads())
        if threads == 1:
            for address in addresses:
                job.call(address)
            return
        openmp = self._gnu(signals)
        if openmp is None:
            self._with_workers(signals, job, addresses, threads)
            return
        with self._busy:
            openmp(signals.crew, _board(job.address, addresses), threads)

    def pairs(self, signals: Signals) -> bool:
        """Whether two jobs are sure to run at the same time, so that one may wait for the other."""
        return self._gnu(signals) is not None or bool(self._workers(signals, 1))

    def _gnu(self, signals: Signals) -> "OpenMP | None":
        if not self._asked:
            self._openmp, self._asked = _gnu_openmp(), True
        return self._openmp if self._openmp is not None and self._openmp.certain() else None

    def _with_workers(self, signals: Signals, job: Job, plans: Sequence[int], threads: int) -> None:
        workers = self._workers(signals, threads - 1)
        here, others = plans[: len(plans) - len(workers)], plans[len(plans) - len(workers) :]
        with ExitStack() as held:
            # Always in the same order, so that callers cannot wait for each other in a circle.
            for worker in workers:
                held.enter_context(worker.lock)
            started: list[Worker] = []
            try:
                for worker, plan in zip(workers, others, strict=True):
                    started.append(worker)
                    worker.start(job, plan)
                for plan in here:
                    job.call(plan)
            finally:
                # Jobs write to memory of the caller's, which must not go before they end, Ctrl-C or not.
                for worker in started:
                    worker.finish_surely()

    def _workers(self, signals: Signals, count: int) -> list[Worker]:
        """So many workers, or as many as can be had."""
        with self._lock:
            while len(self._all) < count:
                try:
                    self._all.append(Worker(signals, len(self._all) + 1))
                except RuntimeError:  # no more threads on this machine: the caller's own does the work
                    break
            return self._all[:count]

    def _forget(self) -> None:
        self._lock, self._busy = threading.Lock(), threading.Lock()
        self._all: list[Worker] = []
        self._openmp, self._asked = None, True


def _board(job: int, plans: Sequence[int]) -> np.ndarray:
    """What a crew works through: how many plans were taken, how many there are, the job, the plans."""
    return np.array([0, len(plans), job, *plans], dtype=np.int64)


class OpenMP:
    """PyTorch's GNU OpenMP, called as compiled code calls it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._parallel, self._dynamic = library.GOMP_parallel, library.omp_get_dynamic
        self._parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        self._parallel.restype = None
        self._threads = library.omp_get_num_threads

    def __call__(self, function: int, data: np.ndarray, threads: int) -> None:
        """Run a compiled function in so many threads at once."""
        self._parallel(function, data.ctypes.data, threads, 0)

    def certain(self) -> bool:
        """Whether one gets as many threads as one asks for, now and not only when the machine is idle."""
        return not self._dynamic()

    def gives_two(self) -> bool:
        """Whether two threads come when two are asked for."""
        seen: list[int] = []
        probe = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: seen.append(self._threads()))
        self._parallel(ctypes.cast(probe, ctypes.c_void_p), None, 2, 0)
        return seen == [2, 2]


def _gnu_openmp() -> OpenMP | None:
    if not sys.platform.startswith("linux"):
        return None
    home = str(Path(torch.__file__).parent)
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
            paths = {line.split(maxsplit=5)[5].strip() for line in maps if "libgomp" in line}
    except OSError:
        return None
    own = [path for path in paths if path.startswith(home)] or (list(paths) if len(paths) == 1 else [])
    library = ctypes.CDLL(own[0]) if len(own) == 1 else None
    needs = ("GOMP_parallel", "omp_get_num_threads", "omp_get_dynamic")
    if library is None or not all(hasattr(library, name) for name in needs):
        return None
    found = OpenMP(library)
    return found if found.gives_two() else None


def flushes_denormals() -> bool:
    """Whether this thread takes denormal numbers for zero."""
    return _TINY * _HALF == 0.0


_TINY, _HALF = 2.2250738585072014e-308, 0.5
