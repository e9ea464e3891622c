"""The user cache: what can be made again, kept so that it need not be.

An entry is a folder that is whole or absent: made aside, synced, then renamed into place. Its files are read back by
memory map (Arrow, .npy, safetensors) or as JSON; nothing in it is ever a pickle. A cache that cannot be written costs
time and never stops the work.
"""

import atexit
import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmlab.disk import cache_folder, sync, write_whole
from lstmlab.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

FORMAT = 1
"""Part of every key and manifest: raise it when the meaning of cached files changes, and old entries are made anew."""

KEEP_BYTES = 4 * 2**30
"""How much of one kind is kept before the least recently used entries go (bytes)."""

MANIFEST = "manifest.json"
ABANDONED_SECONDS = 24 * 3600.0


def key(*parts: object) -> str:
    """One name for all of `parts` (JSON values): equal parts, in the same cache format, give the same 64 hex digits."""
    text = json.dumps([FORMAT, *parts], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def load_or_make(
    kind: str, key: str, make: Callable[[Path], None], warn: Callable[[str], None] = lambda line: None
) -> Path:
    """The folder of an entry, made by `make(folder)` unless it is there and whole.

    Of several processes making the same entry the first to finish wins and all return its folder. Where the cache
    cannot be written, `warn` is told why and the entry is made in a temporary folder that goes when the process ends
    (`make` may therefore run twice). Raises what `make` raises, and InputError where no folder at all can be written.
    """
    target = cache_folder() / kind / key
    if is_whole(target):
        _touch(target)
        return target
    try:
        _make_in_cache(target, make)
    except OSError as error:
        warn(f"the cache {target.parent} cannot be written ({error.strerror or error}): working without it")
        return _make_for_now(make)
    prune(kind, KEEP_BYTES, keep=target)
    return target


def value(kind: str, key: str, make: Callable[[], Any], warn: Callable[[str], None] = lambda line: None) -> Any:
    """What `make()` gives, a JSON value, from the cache where it was made before. Raises as `load_or_make` does."""

    def write(folder: Path) -> None:
        (folder / "value.json").write_text(json.dumps(make()), encoding="utf-8")

    return json.loads((load_or_make(kind, key, write, warn) / "value.json").read_text(encoding="utf-8"))


def arrays(
    kind: str, key: str, make: Callable[[], Mapping[str, "Array"]], warn: Callable[[str], None] = lambda line: None
) -> dict[str, "Array"]:
    """The arrays that `make()` gives by name, from the cache where they were made before. Raises as `load_or_make`."""
    import numpy as np

    def write(folder: Path) -> None:
        for name, array in make().items():
            np.save(folder / f"{name}.npy", array)

    folder = load_or_make(kind, key, write, warn)
    return {path.stem: np.load(path, allow_pickle=False) for path in folder.glob("*.npy")}


def is_whole(entry: Path) -> bool:
    """Whether every file an entry's manifest lists is there, in its size."""
    try:
        manifest = json.loads((entry / MANIFEST).read_bytes())
        return manifest["format"] == FORMAT and all(
            (entry / name).stat().st_size == size for name, size in manifest["files"].items()
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False


def discard(entry: Path) -> None:
    """Remove an entry: out of sight in one step, then for good."""
    with contextlib.suppress(FileNotFoundError):
        doomed = Path(tempfile.mkdtemp(prefix=".gone-", dir=entry.parent))
        try:
            os.rename(entry, doomed / "entry")
        finally:
            shutil.rmtree(doomed, ignore_errors=True)


def prune(kind: str, keep_bytes: int = KEEP_BYTES, keep: Path | None = None) -> int:
    """Remove the least recently used entries of a kind beyond `keep_bytes`, but never `keep`. Returns bytes freed.

    Also clears away what processes left behind that died while making an entry.
    """
    held = freed = 0
    entries = [path for path in (cache_folder() / kind).glob("*") if path.is_dir()]
    for entry in sorted((path for path in entries if path.name[0] != "."), key=_last_used, reverse=True):
        # Another process may be pruning as well, and another user's entry is not ours to remove.
        with contextlib.suppress(OSError):
            size = sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
            if held + size > keep_bytes and entry != keep:
                discard(entry)
                freed += size
            else:
                held += size
    for left in (path for path in entries if path.name[0] == "."):
        if time.time() - _modified(left) > ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    return freed


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The checksum of a file, remembered for as long as its size and times stay. Raises InputError if it is unreadable.

    The change time is compared as well, so that a file put in another's place with its date kept does not pass for it.
    """
    path = path.absolute()
    name = f"{algorithm}:{path}"
    try:
        state = path.stat()
        known = [state.st_size, state.st_mtime_ns, state.st_ctime_ns]
        memory = cache_folder() / "digests.json"
        seen = read_table(memory)
        if isinstance(seen.get(name), list) and seen[name][:3] == known:
            return str(seen[name][3])
        with path.open("rb") as content:
            value = hashlib.file_digest(content, algorithm).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    # A memory that cannot be kept costs a second look next time and nothing else.
    with contextlib.suppress(OSError):
        made(memory.parent)
        kept = {at: entry for at, entry in seen.items() if os.path.exists(at.partition(":")[2])}
        write_whole(memory, json.dumps(kept | {name: [*known, value]}, indent=1).encode())
    return value


def read_table(path: Path) -> dict[str, Any]:
    """A JSON object from a file of the cache; empty where there is none or it is damaged (it can be made again)."""
    try:
        table = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return table if isinstance(table, dict) else {}


def made(path: Path) -> Path:
    """A folder of the cache, made where it is missing; readable by its owner alone. Raises OSError."""
    for place in (cache_folder(), path):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _make_in_cache(target: Path, make: Callable[[Path], None]) -> None:
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name[:16]}-", dir=made(target.parent)))
    try:
        make(aside)
        _seal(aside)
        _place(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _make_for_now(make: Callable[[Path], None]) -> Path:
    try:
        place = Path(tempfile.mkdtemp(prefix="lstmlab-"))
        atexit.register(shutil.rmtree, place, ignore_errors=True)
        make(place)
    except OSError as error:
        raise InputError(
            f"neither the cache {cache_folder()} nor the temporary folder {tempfile.gettempdir()} can be written "
            f"({error.strerror or error}): free some space, or set LSTMLAB_CACHE and TMPDIR to folders with room"
        ) from error
    return place


def _seal(entry: Path) -> None:
    """Sync an entry's files and list them with their sizes in its manifest."""
    files = sorted(path for path in entry.rglob("*") if path.is_file())
    for path in files:
        sync(path)
    sizes = {path.relative_to(entry).as_posix(): path.stat().st_size for path in files}
    write_whole(entry / MANIFEST, json.dumps({"format": FORMAT, "files": sizes}, indent=1).encode())


def _place(aside: Path, target: Path) -> None:
    """Rename a finished entry into place, unless another process was quicker; a torn one there gives way."""
    for last in (False, True):
        try:
            os.rename(aside, target)
        except OSError:
            if is_whole(target):
                return
            if last or not os.path.lexists(target):
                raise
            discard(target)
        else:
            sync(target.parent)
            return


def _touch(entry: Path) -> None:
    # On a disk that cannot be written nothing is pruned either.
    with contextlib.suppress(OSError):
        os.utime(entry / MANIFEST)


def _last_used(entry: Path) -> float:
    return _modified(entry / MANIFEST)


def _modified(path: Path) -> float:
    """When a file was last written (seconds); the beginning of time for one that is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
