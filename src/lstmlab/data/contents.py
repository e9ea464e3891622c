"""Files as bytes and bytes as text: what is missing, binary, too large or encoded otherwise is told with its remedy."""

import codecs
import gzip
import zlib
from pathlib import Path

from lstmlab.errors import InputError, nearest, unknown

MOST_BYTES = 4 << 30
"""The largest table read into memory, in bytes after decompression."""
_MAGIC = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive (as .xlsx and .docx files are)",
    b"\x93NUMPY": "a NumPy array",
    b"\x1f\x8b": "gzip data (its name should end in .gz)",
    b"SQLite format 3": "an SQLite database",
    b"PAR1": "Parquet data (its name should end in .parquet)",
    **dict.fromkeys((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "a pickle"),
}


def existing_file(path: Path) -> Path:
    """`path` if it is a regular file; else InputError with the most similar name in its folder."""
    try:
        if path.is_file():
            return path
        if path.is_dir():
            raise InputError(f"{path}: expected a file, found a folder")
        if path.exists():
            raise InputError(f"{path}: expected a file, found a device or a pipe")
        if not path.parent.is_dir():
            raise InputError(f"{path}: no such file, nor is there a folder {path.parent}")
        names = sorted(entry.name for entry in path.parent.iterdir() if entry.is_file())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    match = nearest(path.name, names)
    held = f"That folder holds {', '.join(names[:8]) or 'no files'}{', …' if len(names) > 8 else '.'}"
    raise InputError(f"{path}: no such file. " + (f"Did you mean {path.parent / match[0]}?" if match else held))


def read_bytes(path: Path) -> bytes:
    """The whole file, decompressed where its name ends in .gz."""
    existing_file(path)
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a whole gzip file ({error}); fetch or write it again") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    if not raw:
        raise InputError(f"{path}: the file is empty (0 bytes)")
    if len(raw) > MOST_BYTES:
        raise InputError(f"{path}: larger than {MOST_BYTES >> 30} GiB: split it or give a part of it")
    return raw


def read_text(path: Path, *, encoding: str = "utf-8") -> str:
    """A text file, gzipped or not. Raises InputError where it is missing, empty, binary or encoded otherwise."""
    return decode(read_bytes(path), str(path), encoding)


def decode(raw: bytes, where: str, encoding: str = "utf-8") -> str:
    """Bytes as text, a byte order mark removed. Raises InputError naming line, byte and the encoding that fits."""
    try:
        name = codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise unknown(
            "encoding",
            encoding,
            ["utf-8", "cp1252", "latin-1", "utf-16", "cp1251", "gb18030", "shift_jis", "euc-kr", "big5"],
        ) from error
    _refuse_binary(raw, where, name)
    try:
        return raw.decode("utf-8-sig" if name == "utf-8" else name)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{where}, line {line}: byte {error.start} (0x{raw[error.start]:02X}) is not {encoding}. "
            f"{_fitting(raw, error.start)}"
        ) from error
    except (LookupError, UnicodeError) as error:
        raise InputError(f'{where}: "{encoding}" is not an encoding this text can be read with: {error}') from error


def _refuse_binary(raw: bytes, where: str, encoding: str) -> None:
    for magic, what in _MAGIC.items():
        if raw.startswith(magic):
            raise InputError(f"{where}: expected text, found {what}")
    wide = encoding.startswith(("utf-16", "utf-32")) or raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    at = -1 if wide else raw.find(b"\0")
    if at >= 0:
        if raw[:2000].count(b"\0") > len(raw[:2000]) / 3:
            order = "le" if at % 2 else "be"
            raise InputError(
                f"{where}: zero bytes between the letters: this looks like UTF-16. Give data.encoding=utf-16-{order}"
            )
        raise InputError(f"{where}: expected text, found a zero byte (at byte {at}): a binary or damaged file")


def _fitting(raw: bytes, at: int) -> str:
    """Which encoding would fit, and how the text at the first trouble would then read."""
    marked = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for name in ("utf-16",) if marked else ("utf-8", "cp1252", "latin-1"):
        try:
            raw.decode(name)
        except UnicodeDecodeError:
            continue
        near = raw if marked else raw[max(at - 12, 0) : at + 12]
        # The cut may fall inside a character; what is lost at the edges is only part of the sample.
        sample = " ".join(near[:40].decode(name, errors="ignore").split())
        return f'{name} fits (reads "{sample}"): give data.encoding={name}'
    return "Save it as UTF-8."
