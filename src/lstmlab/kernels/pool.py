"""A few threads for kernels that let go of Python's lock: started when first needed, anew after a fork."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue

import torch

_Job = tuple[Callable[[], None], bool, "Future[None]"]


class Pool:
    """Runs jobs side by side, one of them in the calling thread, so that no more threads work than there are jobs.

    Several callers may share a pool; a forked child gets threads of its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def run(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Do all jobs; return when all are done. The first error is raised, after the others have ended."""
        flush = _flushes_denormals()
        waiting: list[Future[None]] = []
        if len(jobs) > 1:
            self._grow(len(jobs) - 1)
            for job in jobs[1:]:
                done: Future[None] = Future()
                self._jobs.put((job, flush, done))
                waiting.append(done)
        try:
            jobs[0]()
        finally:
            # Jobs write to memory of the caller's, which must not go before they end.
            errors = [done.exception() for done in waiting]
        for error in errors:
            if error is not None:
                raise error

    def _grow(self, count: int) -> None:
        with self._lock:
            while self._threads < count:
                self._threads += 1
                name = f"lstmlab-kernel-{self._threads}"
                threading.Thread(target=_work, args=(self._jobs,), name=name, daemon=True).start()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._threads = 0


def _work(jobs: "SimpleQueue[_Job]") -> None:
    flushing = None
    while True:
        job, flush, done = jobs.get()
        # Each thread has its own rule for denormal numbers; results must not depend on which thread did the work.
        if flush != flushing:
            torch.set_flush_denormal(flush)
            flushing = flush
        try:
            job()
        except BaseException as error:
            done.set_exception(error)
        else:
            done.set_result(None)
        del job, done


def _flushes_denormals() -> bool:
    """Whether this thread takes denormal numbers for zero."""
    return _TINY * _HALF == 0.0


_TINY, _HALF = 2.2250738585072014e-308, 0.5
