"""Class folders: one text per file, its label the folder's name, in a directory or still inside its archive.

    [anything/]train/pos/0_9.txt   test/neg/…      parts, then labels (aclImdb, upstream's own archive too)
    [anything/]pos/0_9.txt         neg/…           labels alone: one part, named train

Archives are read in one pass, from front to back, and never unpacked to disk.
"""

import codecs
import gzip
import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import polars as pl

from lstmlab.errors import InputError, nearest

PARTS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "dev": "valid",
}
"""Folder name → part."""

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")

UNLABELLED = frozenset({"unsup", "unlabelled", "unlabeled"})
"""Folders of texts without a label (aclImdb has train/unsup): left out."""

MOST_BYTES = 4 << 30
"""The most an archive may hold after decompression, in bytes."""

MOST_EXPANSION = 200
"""How many times an archive may grow when decompressed. Text grows 3 to 10 times; 1,000 is an attack."""

_FREE = 64 << 20
"""Archives that hold less than this many bytes may have grown by any factor: they harm nobody."""

_TELL_EVERY = 1000
_CHUNK = 1 << 15

Member = tuple[str, bytes]
"""A text file's name inside its folder or archive, and what it holds."""


def read_folders(
    path: Path, *, encoding: str = "utf-8", progress: Callable[[int], None] | None = None
) -> dict[str, pl.DataFrame]:
    """Part → table with the columns id ("train/pos/0_9"), inputs (the text) and target (the label), sorted by id.

    Only .txt files that stand in a label's folder are read; everything else beside them is left alone. `progress` is
    told the number of texts read so far, now and then. Raises InputError for a layout that is not this one, and for
    an archive that is damaged, grows absurdly, holds links or devices, or points outside itself.
    """
    where = str(path)
    _check_encoding(encoding)
    rows: list[tuple[str, ...]] = []
    troubles: list[InputError] = []
    for name, raw in _members(path):
        place = _place(name)
        if place is None:
            continue
        part, label, identity = place
        folder = name.removeprefix("./").rpartition("/")[0]
        try:
            text = _decode(raw, f"{where}: {name}", encoding)
        except InputError as error:
            text = ""
            troubles.append(error)
        rows.append((folder, part, identity, text, label))
        if progress is not None and len(rows) % _TELL_EVERY == 0:
            progress(len(rows))
    if progress is not None:
        progress(len(rows))
    parts = _parts(rows, where)
    # A layout that is not this one is the plainer news, so it comes first.
    if troubles:
        raise troubles[0]
    return parts


def is_archive(path: Path) -> bool:
    """Whether the name is one of an archive that may hold class folders."""
    return path.name.lower().endswith(ARCHIVES)


def _members(path: Path) -> Iterator[Member]:
    if path.is_dir():
        return _from_directory(path)
    if not path.is_file():
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        match = nearest(path.name, siblings)
        raise InputError(
            f"{path}: no such folder or archive." + (f" Did you mean {path.parent / match[0]}?" if match else "")
        )
    if not is_archive(path):
        raise InputError(f"{path}: expected a folder of class folders or an archive of them ({', '.join(ARCHIVES)})")
    return _from_zip(path) if path.name.lower().endswith(".zip") else _from_tar(path)


def _from_directory(path: Path) -> Iterator[Member]:
    """Files below `path`. Links are refused: they could lead anywhere, or around in circles."""

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: {error.strerror}") from error

    for folder, folders, files in os.walk(path, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for entry in (Path(folder, name) for name in [*folders, *files]):
            name = _printable(entry.relative_to(path).as_posix())
            if entry.is_symlink():
                raise InputError(f"{path}: {name} is a link: put the files themselves there")
            if entry.name in folders or _place(name) is None:
                continue
            if not entry.is_file():
                raise InputError(f"{path}: {name} is not an ordinary file")
            try:
                yield name, entry.read_bytes()
            except OSError as error:
                refuse(error)


@dataclass
class _Bounded:
    """A stream that gives at most `left` bytes and then refuses: decompressed headers count as well as texts."""

    stream: io.BufferedIOBase
    left: int
    path: Path

    def read(self, size: int) -> bytes:
        data = self.stream.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise _too_large(self.path)
        return data


class _StrictHeader(tarfile.TarInfo):
    """A tar header that must be whole. The standard one takes a damaged header, or none, for the archive's end."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> "_StrictHeader":
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            # One block of zeros is how an archive ends.
            if type(error).__name__ == "EOFHeaderError":
                raise
            raise tarfile.ReadError(str(error)) from error


def _from_tar(path: Path) -> Iterator[Member]:
    """Files of a tar archive in the order they stand in it, read as a stream to its very end."""
    try:
        with path.open("rb") as file:
            plain = path.name.lower().endswith(".tar")
            stream = _Bounded(file if plain else gzip.GzipFile(fileobj=file), _most(path), path)
            with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK, tarinfo=_StrictHeader) as archive:  # type: ignore[call-overload]
                for member in archive:
                    name = _printable(member.name)
                    _check_name(name, path)
                    if not (member.isfile() or member.isdir()) or member.issparse():
                        kind = "a link" if member.issym() or member.islnk() else "a device or the like"
                        raise InputError(f"{path}: its member {name} is {kind}: refused")
                    content = archive.extractfile(member) if member.isfile() and _place(name) else None
                    if content is not None:
                        yield name, content.read()
            # gzip's checksum stands at the end.
            while stream.read(_CHUNK):
                pass
    except (tarfile.TarError, zlib.error, EOFError, OSError, ValueError, OverflowError) as error:
        raise _damaged(path, error) from error


def _from_zip(path: Path) -> Iterator[Member]:
    """Files of a zip archive. Its directory may lie about sizes: reading stops at the size named there."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > _most(path):
                raise _too_large(path)
            for member in members:
                name = _printable(member.filename)
                _check_name(name, path)
                kind = (member.external_attr >> 16) & 0o170000
                if kind not in (0, 0o100000, 0o040000):
                    raise InputError(f"{path}: its member {name} is a link or a device: refused")
                if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise InputError(f"{path}: its member {name} is encrypted or compressed unusually: unpack it first")
                if not member.is_dir() and _place(name):
                    yield name, archive.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise _damaged(path, error) from error


def _most(path: Path) -> int:
    """How many bytes this archive may hold."""
    return min(MOST_BYTES, max(MOST_EXPANSION * path.stat().st_size, _FREE))


def _too_large(path: Path) -> InputError:
    return InputError(
        f"{path}: {path.stat().st_size:,} bytes that unpack to more than {_most(path):,}: refused. "
        "Unpack it yourself and give the folder, if it is meant to be so"
    )


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: not a whole {path.name.partition('.')[2] or 'tar'} archive ({error}); fetch it again")


def _check_name(name: str, path: Path) -> None:
    parts = name.replace("\\", "/").split("/")
    if not parts[0] or ".." in parts or parts[0].endswith(":"):
        raise InputError(f"{path}: its member {name} points outside the archive: refused")


def _printable(name: str) -> str:
    """A name without the half characters that stand for bytes that are not UTF-8."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _place(name: str) -> tuple[str, str, str] | None:
    """Part, label and id of a text's name; None for whatever is no labelled text."""
    names = [part for part in name.split("/") if part not in ("", ".")]
    if len(names) < 2 or not names[-1].lower().endswith(".txt"):
        return None
    label, file = names[-2], names[-1]
    if label in UNLABELLED or any(part.startswith(".") or part == "__MACOSX" for part in names):
        return None
    part = PARTS.get(names[-3].lower(), "") if len(names) > 2 else ""
    if not part and label.lower() in PARTS:
        return None
    return part, label, f"{part or 'train'}/{label}/{file[:-4]}"


def _parts(rows: list[tuple[str, ...]], where: str) -> dict[str, pl.DataFrame]:
    layout = "expected files such as train/pos/1.txt and train/neg/2.txt, or pos/1.txt and neg/2.txt"
    if not rows:
        raise InputError(
            f"{where}: no text files in class folders; {layout}. If they are one running text: lstmlab train "
            f"language-model path={where}"
        )
    columns = dict.fromkeys(("folder", "part", "id", "inputs", "target"), pl.String)
    frame = _classes(pl.DataFrame(rows, schema=columns, orient="row").sort("id"), where)
    repeated = frame.filter(pl.col("id").is_duplicated())
    if len(repeated):
        raise InputError(f"{where}: {repeated['id'][0]}.txt stands there twice: keep one")
    found = {part: frame.filter(pl.col("part") == part) for part in ("train", "valid", "test")}
    parts = {part: texts.select("id", "inputs", "target") for part, texts in found.items() if len(texts)}
    if "train" not in parts:
        raise InputError(f"{where}: a {next(iter(parts))} part but no train part; {layout}")
    labels = parts["train"]["target"].unique()
    if len(labels) < 2:
        raise InputError(f'{where}: only one class, "{labels[0]}"; {layout}')
    return parts


def _classes(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """The rows whose folder is a class. A folder that holds class folders (with a README.txt, say) is none itself."""
    folders = frame["folder"].unique().to_list()
    above = {str(parent) for folder in folders for parent in PurePosixPath(folder).parents}
    frame = frame.filter(~pl.col("folder").is_in(list(above)))
    if frame["part"].n_unique() > 1:
        # Beside parts, a folder that belongs to none of them (docs/) is no class either.
        frame = frame.filter(pl.col("part") != "")
    for part, texts in frame.group_by("part", maintain_order=True):
        places = sorted({str(PurePosixPath(folder).parent) for folder in texts["folder"].unique()})
        if len(places) > 1:
            raise InputError(
                f"{where}: class folders of one part ({part[0] or 'train'}) in two places, "
                f"{places[0]} and {places[1]}: give a folder with one of them"
            )
    return frame.with_columns(pl.col("part").replace("", "train"))


def _check_encoding(encoding: str) -> None:
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        raise InputError(f'no encoding "{encoding}". Usual ones: utf-8, cp1252, latin-1, utf-16.') from error


def _decode(raw: bytes, where: str, encoding: str) -> str:
    try:
        text = raw.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        fits = "utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "cp1252"
        sample = " ".join(raw[max(error.start - 20, 0) : error.start + 20].decode(fits, errors="replace").split())
        raise InputError(
            f"{where}: byte {error.start} (0x{raw[error.start]:02X}) is not {encoding}. As {fits} it "
            f'reads "{sample}": if that is right, give data.encoding={fits}'
        ) from error
    except UnicodeError as error:
        raise InputError(f"{where}: cannot be read as {encoding}: {error}") from error
    if "\0" in text:
        raise InputError(f"{where}: expected text, found a zero byte: a binary or damaged file")
    return text
