"""Kernels made ready: written as source into the user's cache, compiled by Numba, kept on disk, imported from there.

The cache folder is the user's own (mode 0700), since Numba's compiled code is loaded from it. A folder that others own
or may write to is not used, a temporary one serves this process instead; files that others own or may write to are made
anew, as damaged ones are. A curious reader finds every kernel's source there.
"""

import atexit
import contextlib
import functools
import hashlib
import importlib.util
import inspect
import logging
import os
import platform
import re
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from lstmlab.cells import CELLS, Cell
from lstmlab.disk import cache_folder, write_whole
from lstmlab.kernels.pool import Job, Signals
from lstmlab.kernels.variant import Facts, Machine, Real, Variant
from lstmlab.kernels.vectors import vectors_source

_log = logging.getLogger("lstmlab.kernels")
_lock = threading.RLock()
_STEADY = ("lstmlab", "builtins", "math", "numpy", "sympy", "torch")
"""Packages whose functions and numbers stay what they are."""


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
        return _kernel(variant, _constants(variant.cell))


def ready(variant: Variant) -> bool:
    """Whether the kernel is at hand without compiling anything."""
    try:
        return (_folder() / f"{_name(variant)}.ready").exists()
    except OSError:
        return False


@cache
def usable() -> bool:
    """Whether kernels can be compiled here: Numba is there, runs, and is not told to leave Python as it is."""
    try:
        from numba import config
    except Exception as error:  # beside ImportError, whatever a Numba raises that does not fit its NumPy or LLVM
        _log.info("Numba cannot be used: %s", error)
        return False
    return not getattr(config, "DISABLE_JIT", 0)


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


@lru_cache(maxsize=256)
def _kernel(variant: Variant, constants: tuple[Any, ...]) -> Kernel:
    vectors = _vectors(variant.real)
    name = _named(variant, constants)
    path = _folder() / f"{name}.py"
    if not ready(variant):
        _log.info('Compiling the kernel of the cell "%s" in %s, once', variant.cell.name, variant.real)
    module = _load(name, lambda: _source(variant, constants), vectors.__name__)
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
    return _load(_vectors_name(real), lambda: vectors_source(real, machine()))


@cache
def _vectors_name(real: Real) -> str:
    return f"lstmlab_vectors_{real}_{_digest(vectors_source(real, machine()), _versions())}"


def _name(variant: Variant) -> str:
    """A module's name, different for whatever could make its content different."""
    return _named(variant, _constants(variant.cell))


@lru_cache(maxsize=256)
def _named(variant: Variant, constants: tuple[Any, ...]) -> str:
    # A cell of our own shelf is known by its step's file, which spares SymPy; of other steps we cannot see what they
    # depend on, so they are traced and known by what comes out.
    told = _own_source(variant) if _shelved(variant.cell) else _source(variant, constants)
    plain = re.sub("[^A-Za-z0-9_]", "_", variant.cell.name)[:40]
    return f"lstmlab_{plain}_{variant.real}_{_digest(_vectors_name(variant.real), told)}"


@lru_cache(maxsize=16)
def _source(variant: Variant, constants: tuple[Any, ...]) -> str:
    """The kernel's source; `constants` only tell apart what the same step makes of other numbers."""
    from lstmlab.kernels.source import kernel_source  # and with it SymPy, a third of a second

    return kernel_source(variant, _vectors_name(variant.real))


def _shelved(cell: Cell) -> bool:
    known = CELLS.get(cell.name)
    return known is cell or known == cell


def _constants(cell: Cell) -> tuple[Any, ...]:
    """What a step reads from outside itself, and what may change while it stays the same; nothing on the shelf."""
    return () if _shelved(cell) else tuple(_gathered(cell.step, set(), set()))


def _gathered(value: Any, names: Set[str], seen: set[int]) -> Iterator[Any]:
    """Numbers in a value and what it leads to; of objects and modules those under `names`."""
    if value is None or isinstance(value, int | float | str):
        yield repr(value)
        return
    home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    if id(value) in seen or (isinstance(home, str) and home.partition(".")[0] in _STEADY):
        return
    seen.add(id(value))
    yield type(value).__name__
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, tuple | list | set | frozenset):
        inner = list(value)
    elif isinstance(value, functools.partial):
        inner = [value.func, value.args, value.keywords]
    elif isinstance(value, FunctionType):
        names, inner = _read_by(value)
        yield value.__code__
    else:
        there = value.__self__ if isinstance(value, MethodType) else value
        called = value.__func__ if isinstance(value, MethodType) else _attribute(type(value), "__call__")
        if isinstance(called, FunctionType):
            yield from _gathered(called, names, seen)
            # What an object that is called holds, its other functions may read.
            names = names | _names(called.__code__) | set(getattr(there, "__dict__", ()))
        inner = [_attribute(there, name) for name in sorted(names)]
    for one in inner:
        yield from _gathered(one, names, seen)


def _read_by(function: FunctionType) -> tuple[Set[str], list[Any]]:
    """Names that a function mentions, and values it finds: globals, defaults, variables of functions around it."""
    names = _names(function.__code__)
    known = [function.__globals__[name] for name in sorted(names) if name in function.__globals__]
    around = []
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # a variable that is not set yet
            around.append(cell.cell_contents)
    return names, [*known, function.__defaults__, function.__kwdefaults__, *around]


def _names(code: CodeType) -> Set[str]:
    return set(code.co_names).union(*(_names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _attribute(value: Any, name: str) -> Any:
    # Looked up without running anybody's code, except for slots, which have none.
    found = inspect.getattr_static(value, name, None)
    return getattr(value, name, None) if isinstance(found, MemberDescriptorType) else found


def _own_source(variant: Variant) -> str:
    # Read as files: importing them would import SymPy.
    here = Path(__file__).parent
    parts = ["symbolic.py", "program.py", "source.py", "weights.py", "noise.py", "templates/kernel.py.jinja"]
    files = [(here / part).read_text(encoding="utf-8") for part in parts]
    files.append(inspect.getsource(sys.modules[variant.cell.step.__module__]))
    details = (
        variant.normalised,
        variant.masked,
        variant.zoneout,
        variant.counted,
        variant.cell.states,
        variant.cell.gates,
    )
    return repr((files, details))


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
        machine_code = wanted / "__pycache__"
        machine_code.mkdir(exist_ok=True, mode=0o700)
        if _private(wanted.stat()) and _owned(machine_code.lstat()) and os.access(wanted, os.W_OK):
            return wanted
    _log.info(
        "The cache folder %s cannot be used (it has to be yours and, as by `chmod 700`, writable for nobody else): "
        "kernels are compiled for this process only",
        wanted,
    )
    own, maker = Path(tempfile.mkdtemp(prefix="lstmlab-kernels-")), os.getpid()

    def remove() -> None:
        if os.getpid() == maker:  # not a forked child, whose parent still needs the folder
            shutil.rmtree(own, ignore_errors=True)

    atexit.register(remove)
    return own


def _owned(facts: os.stat_result) -> bool:
    return not hasattr(os, "getuid") or facts.st_uid == os.getuid()


def _private(facts: os.stat_result) -> bool:
    """Whether nobody else owns it or may write to it."""
    loose = hasattr(os, "getuid") and facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return _owned(facts) and not loose


def _load(name: str, make: Callable[[], str], behind: str = "") -> ModuleType:
    """A module from the cache, made where it is missing, and made anew, once, where it is damaged.

    `behind` names the module whose functions are compiled into it.
    """
    known = sys.modules.get(name)
    if known is not None and hasattr(known, "__whole__"):
        return known
    path, mark = _folder() / f"{name}.py", _folder() / f"{name}.ready"
    if not _sound(name):
        content = make().encode()
        # Without a mark another process may be compiling the same source right now.
        if mark.exists() or _content(path) != content or not all(map(_safe, _files(name))):
            _remove(_files(name))
            _write(path, content)
    try:
        module = _import(name, path)
    except Exception:
        _log.info("The compiled %s in %s is damaged: it is compiled anew", name, path.parent, exc_info=True)
        _remove(_files(name))
        _remove(_files(behind, "__pycache__") if behind else [])
        _write(path, make().encode())
        module = _import(name, path)
    if not mark.exists():
        # Numba leaves the modes of its files to the umask.
        for file in [*_files(name), *(_files(behind) if behind else [])]:
            with contextlib.suppress(OSError):
                file.chmod(0o600)
        _write(mark, _sum(_content(path)))
    return module


def _sound(name: str) -> bool:
    """Whether a module was made to its end, is what it was then, and is nobody else's."""
    source, mark = (_content(_folder() / f"{name}{ending}") for ending in (".py", ".ready"))
    return source is not None and mark == _sum(source) and all(map(_safe, _files(name)))


def _safe(path: Path) -> bool:
    try:
        return _private(path.lstat())
    except FileNotFoundError:
        return True


def _files(name: str, *folders: str) -> list[Path]:
    """A module's files: its source, its mark, its machine code; or those in one folder of the cache."""
    return [path for folder in folders or (".", "__pycache__") for path in (_folder() / folder).glob(f"{name}.*")]


def _remove(paths: list[Path]) -> None:
    # The mark goes first: what has none is known to be unfinished.
    for path in sorted(paths, key=lambda path: path.suffix != ".ready"):
        with contextlib.suppress(OSError):
            path.unlink()


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _sum(content: bytes | None) -> bytes:
    return hashlib.sha256(content or b"").hexdigest().encode()


def _write(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
        path.chmod(0o600)
    except (PermissionError, FileNotFoundError):
        # Windows replaces no file that another process reads, and another process may have put its own in place.
        if _content(path) != content:
            raise


def _import(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    # Kernels import their vectors by name, which this makes known.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    # A process that is forked while another thread is here finds the module half made.
    module.__dict__["__whole__"] = True
    return module


def _digest(*parts: Any) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


def _renew() -> None:
    """In a forked child: the lock may be held by a thread that is not there any more."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
