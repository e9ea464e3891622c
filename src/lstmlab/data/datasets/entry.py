"""What an entry of the shelf of named sets is, and what readers of their files share."""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import polars as pl

from lstmlab.data.fetch import Files
from lstmlab.errors import InputError

Frames = dict[str, pl.DataFrame]
Read = Callable[[Mapping[str, Path]], tuple[Frames, tuple[str, ...]]]
"""From the files of one layout, by name, to the parts (columns id, inputs, target) and what was done to them."""


@dataclass(frozen=True)
class SeriesHints:
    """What is what in a named table of series; a recipe may say otherwise."""

    time: tuple[str, ...]
    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    of: str | None = None
    """The column that tells several series apart."""
    season: int | None = None
    """Steps of a season, where its step does not say it."""
    missing: Literal["refuse", "interpolate", "forward", "mask"] = "refuse"
    repeated: Literal["refuse", "first", "last", "mean"] = "refuse"
    sort: bool = False
    valid_rows: int | None = None
    """Rows of an official validation part, before the test part."""
    test_rows: int | None = None
    """Rows of an official test part, at the end."""


@dataclass(frozen=True)
class NamedSet:
    """A data set that is known by name."""

    name: str
    about: str
    task: str
    files: Files
    """No files at all: the set is made by the project itself."""
    read: Read
    homepage: str
    citation: str
    parts: tuple[str, ...] = ("train", "test")
    """The official parts."""
    version: int = 1
    """Of the reader: raise it when `read` gives something else for the same files."""
    languages: tuple[str, ...] = ()
    """Of translations: the language of `inputs`, that of `target`, then of each further column, which bears its name.

    Sets for dialogue have none: their `inputs` are whole dialogues, a turn a line, and their `target` is null.
    """
    tags: tuple[str, ...] = ()
    """Of tagged sentences with several kinds of tags: the columns that hold them, the usual one first."""
    numeric: bool = False
    """Of classification: whether inputs are sequences of numbers (lists of steps) rather than texts."""
    series: SeriesHints | None = None
    """Of series: their single table, called train, has the columns of its file instead of id, inputs and target."""

    @property
    def frozen(self) -> bool:
        """Whether every file has a pinned checksum; a set that still moves has not."""
        return all(remote.pin[1] for layout in self.files.layouts for remote in layout)


def lines(content: bytes, encoding: str, name: str) -> list[tuple[int, str]]:
    """The lines that hold something, numbered from 1. Only newlines end a line: U+0085 and its kin are text."""
    try:
        found = content.decode(encoding).split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: byte {error.start} is not {encoding}") from error
    return [(number, line) for number, line in enumerate(found, 1) if line.strip()]


def frame(rows: list[tuple[str, str, str]]) -> pl.DataFrame:
    """Rows of id, inputs and target as a table of text."""
    return pl.DataFrame(rows, schema={"id": pl.String, "inputs": pl.String, "target": pl.String}, orient="row")


def from_tar(path: Path, wanted: Iterable[str]) -> dict[str, bytes]:
    """Members of a small .tar.gz by their base names."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            members = {PurePosixPath(member.name).name: member for member in archive if member.isfile()}
            files = {name: archive.extractfile(members[name]) for name in wanted}
            return {name: file.read() for name, file in files.items() if file is not None}
    except (tarfile.TarError, OSError, EOFError, zlib.error, KeyError) as error:
        raise InputError(f"{path} cannot be read as the archive it should be ({error}); fetch it again") from error


def from_zip(path: Path | io.BytesIO, wanted: Iterable[str]) -> dict[str, bytes]:
    """Members of a small .zip, a file or an archive within an archive, by their full names."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in wanted}
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, KeyError, NotImplementedError) as error:
        shown = path if isinstance(path, Path) else f"the archive that should hold {', '.join(wanted)}"
        raise InputError(f"{shown} cannot be read as the archive it should be ({error}); fetch it again") from error
