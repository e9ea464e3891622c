"""Kernels made ready: written as source into the user's cache, compiled by Numba, kept on disk, imported from there.

The cache folder is the user's own (mode 0700), since Numba's compiled code is loaded from it; a folder that others may
write to is not used. A curious reader finds every kernel's source there.
"""

import atexit
import contextlib
import hashlib
import importlib.util
import inspect
import logging
import os
import platform
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from lstmlab.cells import CELLS
from lstmlab.disk import cache_folder, write_whole
from lstmlab.kernels.pool import Job, Signals
from lstmlab.kernels.source import Facts, Machine, Real, Variant, kernel_source, vectors_source

_log = logging.getLogger("lstmlab.kernels")
_lock = threading.RLock()


@dataclass(frozen=True)
class Kernel:
    """A compiled kernel: `forward` and `backward` take a plan, two functions pack weights."""

    variant: Variant
    facts: Facts
    lanes: int
    panel: int
    """Numbers in a whole row of a panel of packed weights."""
    teams: bool
    """Whether two threads may share rows."""
    path: Path
    forward: Job
    backward: Job
    signals: Signals
    pack_across: Job
    pack_along: Job
    fingerprint: Callable[[int, int], int]


def kernel(variant: Variant) -> Kernel:
    """The kernel of a cell, compiled if need be (some seconds, once on a machine). Raises NotTraceable."""
    with _lock:
        return _kernel(variant)


def ready(variant: Variant) -> bool:
    """Whether the kernel is at hand without compiling anything."""
    try:
        return (_folder() / f"{_name(variant)}.ready").exists()
    except OSError:
        return False


@cache
def machine() -> Machine:
    """Vectors of the processor that Numba compiles for."""
    from llvmlite import binding

    # Numba can be told to compile for a smaller processor than this one.
    told = os.environ.get("NUMBA_CPU_FEATURES")
    here = {name for name, there in binding.get_host_cpu_features().items() if there}
    features = here if told is None else {name[1:] for name in told.split(",") if name.startswith("+")}
    posix = os.name == "posix"
    if "avx512f" in features:
        return Machine(64, 32, posix)
    if "avx2" in features:
        return Machine(32, 16, posix)
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return Machine(16, 16 if x86 else 32, posix, x86)


@cache
def _kernel(variant: Variant) -> Kernel:
    vectors = _vectors(variant.real)
    name = _name(variant)
    path = _folder() / f"{name}.py"
    if not path.exists():
        write_whole(path, kernel_source(variant, vectors.__name__).encode())
    if not ready(variant):
        _log.info('Compiling the kernel of the cell "%s" in %s, once', variant.cell.name, variant.real)
    module = _import(name, path)
    if not ready(variant):
        write_whole(_folder() / f"{name}.ready", b"")
    facts = Facts(**module.FACTS)
    lanes = machine().lanes(variant.real)
    return Kernel(
        variant,
        facts,
        lanes,
        lanes * machine().panel,
        machine().yields,
        path,
        _job(module.forward),
        _job(module.backward),
        Signals(vectors.post, vectors.finish, vectors.serve, vectors.crew.address),
        _job(vectors.pack_across),
        _job(vectors.pack_along),
        vectors.fingerprint,
    )


def _job(compiled: Any) -> Job:
    return Job(compiled.ctypes, compiled.address)


@cache
def _vectors(real: Real) -> ModuleType:
    source = vectors_source(real, machine())
    name = f"lstmlab_vectors_{real}_{_digest(source, _versions())}"
    path = _folder() / f"{name}.py"
    if not path.exists():
        write_whole(path, source.encode())
    return _import(name, path)


@cache
def _name(variant: Variant) -> str:
    """A module's name, different for whatever could make its content different.

    A cell of our own shelf is known by its step's file, which spares SymPy; of other steps we cannot see what they
    depend on, so they are traced and known by what comes out.
    """
    vectors = _digest(vectors_source(variant.real, machine()), _versions())
    shelved = CELLS.get(variant.cell.name) == variant.cell
    told = _own_source(variant) if shelved else kernel_source(variant, vectors)
    plain = "".join(letter if letter.isalnum() else "_" for letter in variant.cell.name)
    return f"lstmlab_{plain}_{variant.real}_{_digest(vectors, told)}"


def _own_source(variant: Variant) -> str:
    from lstmlab.kernels import program, source, symbolic

    modules = (symbolic, program, source, sys.modules[variant.cell.step.__module__])
    files = [inspect.getsource(module) for module in modules]
    template = (Path(__file__).parent / "templates" / "kernel.py.jinja").read_text(encoding="utf-8")
    details = (
        variant.normalised,
        variant.masked,
        variant.zoneout,
        variant.counted,
        variant.cell.states,
        variant.cell.gates,
    )
    return repr((files, template, details))


@cache
def _versions() -> str:
    import llvmlite
    import numba
    from llvmlite import binding

    host = binding.get_host_cpu_name(), sorted(binding.get_host_cpu_features().items())
    return repr((numba.__version__, llvmlite.__version__, sys.version_info[:2], host))


@cache
def _folder() -> Path:
    """A folder that nobody else can write to; a temporary one for this process where the cache will not do."""
    wanted = cache_folder() / "kernels"
    with contextlib.suppress(OSError):
        wanted.mkdir(parents=True, exist_ok=True, mode=0o700)
        facts = wanted.stat()
        mine = not hasattr(os, "getuid") or facts.st_uid == os.getuid()
        if mine and facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            wanted.chmod(0o700)
        if mine and os.access(wanted, os.W_OK):
            return wanted
    _log.info("The cache folder %s cannot be used: kernels are compiled for this process only", wanted)
    own = Path(tempfile.mkdtemp(prefix="lstmlab-kernels-"))
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return own


def _import(name: str, path: Path) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    # Kernels import their vectors by name, which this makes known.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _digest(*parts: Any) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]
