"""The files of a named data set: from $LSTMLAB_DATA, from the user cache, else by download.

A file is used only if its checksum is the known one; of a moving file the first one seen is recorded, and a later
difference is told. Every error says where the files can be put by hand.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from lstmlab.data import cache
from lstmlab.data.download import Announce, Progress, Remote, download, no_announcement, no_progress
from lstmlab.disk import cache_folder, write_whole
from lstmlab.errors import InputError


@dataclass(frozen=True)
class Files:
    """The files of a data set, in one or more layouts: any layout that is there whole will do, the first is fetched."""

    folder: str
    layouts: tuple[tuple[Remote, ...], ...]
    licence: str = ""

    @property
    def size(self) -> int:
        """Bytes to download (0 where a size is unknown)."""
        sizes = [remote.size for remote in self.layouts[0]]
        return sum(size for size in sizes if size) if all(sizes) else 0


def places(files: Files) -> list[Path]:
    """The folders in which a set's files are looked for, in order."""
    shared = os.environ.get("LSTMLAB_DATA")
    if shared and not Path(shared).expanduser().is_dir():
        raise InputError(f"LSTMLAB_DATA={shared} is not a folder: set it to the folder of data sets, or unset it")
    home = cache_folder() / "datasets" / files.folder
    return [Path(shared).expanduser().absolute() / files.folder, home] if shared else [home]


def locate(files: Files) -> dict[Remote, Path] | None:
    """The files of the first layout found whole, or None. Contents are not looked at."""
    for place in places(files):
        for layout in files.layouts:
            found = {remote: place / remote.name for remote in layout}
            if all(path.is_file() for path in found.values()):
                return found
    return None


def get(files: Files, announce: Announce = no_announcement, progress: Progress = no_progress) -> dict[str, Path]:
    """The files of one layout by name, each with the right content, downloaded where they are not here.

    Raises InputError, saying where to put the files by hand, where that cannot be.
    """
    try:
        found = locate(files)
        if found is None:
            home = places(files)[-1]
            found = {remote: home / remote.name for remote in files.layouts[0]}
            for remote, path in found.items():
                if not path.is_file():
                    download(remote, path, licence=files.licence, announce=announce, progress=progress)
        for remote, path in found.items():
            _check(remote, path, f"{files.folder}/{remote.name}", announce)
    except InputError as error:
        raise InputError(f"{error}\n{by_hand(files)}") from error
    return {remote.name: path for remote, path in found.items()}


def by_hand(files: Files) -> str:
    """Where to put a set's files when fetching does not work."""
    choices = []
    for layout in files.layouts:
        choices.append(
            " and ".join(
                f"{remote.name} (from {remote.address})" if remote.address else remote.name for remote in layout
            )
        )
    home = cache_folder() / "datasets" / files.folder
    return f"By hand: put {', or '.join(choices)} into {home} (or into $LSTMLAB_DATA/{files.folder})."


def _check(remote: Remote, path: Path, name: str, announce: Announce) -> None:
    """Compare a file with what is known of it: the pinned checksum, or the one recorded on first use."""
    algorithm, expected = remote.pin
    got = cache.digest(path, algorithm)
    if expected is None:
        _compare_with_first_use(path, name, got, announce)
    elif got != expected:
        raise InputError(
            f"{path} is not the file expected: its {algorithm} is {got} ({path.stat().st_size:,} bytes), "
            f"expected {expected}. Replace it or remove it."
        )


def _compare_with_first_use(path: Path, name: str, got: str, announce: Announce) -> None:
    record = cache_folder() / "checksums.json"
    recorded = cache.read_table(record)
    if recorded.get(name) == got:
        return
    if name in recorded:
        announce(
            f"{path} has changed since it was first used here: its sha256 was {recorded[name]} and is now {got}. "
            "Scores may differ from earlier runs."
        )
    try:
        cache.made(record.parent)
        write_whole(record, json.dumps(recorded | {name: got}, indent=1).encode())
    except OSError as error:
        announce(f"{record} cannot be written ({error.strerror}): a later change of {path.name} will go unnoticed")
