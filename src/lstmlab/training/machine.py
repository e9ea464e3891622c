"""The machine one trains on: which device, how many threads, and two habits of CPUs and C libraries that cost time."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from lstmlab.errors import InputError

SMALL_STEP = 5e8
"""Floating-point operations of a training step below which one thread is faster than two. Measured on two cores: with
two threads a step of `sine` (0.2e9) takes twice as long, beside a busy neighbour many times as long, and one of
`imdb-classic` (4e9) two thirds."""


def choose_device(wanted: str) -> torch.device:
    """The device a recipe asks for. Raises InputError where it is not there."""
    have = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if have[name]))
    if not have[wanted]:
        there = ", ".join(name for name, here in have.items() if here)
        raise InputError(f"device={wanted} is not there; this machine and this build of PyTorch have: {there}")
    return torch.device(wanted)


def fitting_threads(model: nn.Module, steps: int) -> int:
    """Threads for a model whose batches hold so many steps in all: one for small work, else as many as torch has.

    Whoever sets OMP_NUM_THREADS has chosen already.
    """
    tables = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    used = sum(p.numel() for p in model.parameters() if id(p) not in tables)
    small = 6 * used * steps < SMALL_STEP and "OMP_NUM_THREADS" not in os.environ
    return 1 if small else torch.get_num_threads()


@contextmanager
def tuned(threads: int) -> Iterator[None]:
    """Train within this: so many threads, no denormal numbers, memory kept from step to step. All put back afterwards.

    Gradients that fade over many steps end in denormal numbers, which a CPU computes a hundred times slower.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    _allocate(trim=1 << 30, pad=64 << 20, maps=0)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(False)
        _allocate(trim=128 << 10, pad=0, maps=65536)


def _allocate(*, trim: int, pad: int, maps: int) -> None:
    """Tell glibc's allocator how much freed memory to keep (bytes), and how many blocks it may map by themselves.

    By default it maps, zeroes and unmaps every large activation anew at each step: a third of the time of `imdb`. The
    first arguments are mallopt's M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_MAX. Other C libraries are left alone.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt") and hasattr(library, "gnu_get_libc_version"):
        for option, value in ((-1, trim), (-2, pad), (-4, maps)):
            library.mallopt(option, value)
