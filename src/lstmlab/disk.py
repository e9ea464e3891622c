"""Files that are there whole or not at all."""

import errno
import os
import sys
import threading
from pathlib import Path

from lstmlab.errors import InputError


def cache_folder() -> Path:
    """Where the cache is: $LSTMLAB_CACHE, else the place the operating system has for such things."""
    chosen, base = os.environ.get("LSTMLAB_CACHE"), os.environ.get("XDG_CACHE_HOME")
    try:
        if chosen:
            return Path(chosen).expanduser().absolute()
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Caches" / "lstmlab"
        # The XDG specification has relative paths ignored.
        return (Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache") / "lstmlab"
    except RuntimeError as error:
        raise InputError(f"no home folder to keep a cache in ({error}): set LSTMLAB_CACHE to a folder") from error


def write_whole(path: Path, content: bytes) -> None:
    """Write aside, sync, rename: a reader finds the old file or the new one, also after a crash. Raises OSError."""
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with open(aside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync(path.parent)


def save(path: Path, content: bytes) -> None:
    """`write_whole` for a person's files, making their folder: where the disk refuses, an InputError says why and what
    is still there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        kept = f"; {path.name} is still the one before" if path.exists() else ""
        reason = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror
        raise InputError(f"could not write {path}: {reason}{kept}") from error


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder, and needs no sync for its names
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
