"""One file over HTTP: said first, gone on with where it was cut off, and whole and right or not there at all."""

import contextlib
import errno
import http.client
import os
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from lstmlab.data import cache
from lstmlab.disk import sync, write_whole
from lstmlab.errors import InputError

Announce = Callable[[str], None]
Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all (0 where that is unknown)."""

CHUNK_BYTES = 1 << 17
TIMEOUT_SECONDS = 30.0
"""How long a server may stay silent."""


@dataclass(frozen=True)
class Remote:
    """One file: its name, where it is to be had, and how to know it.

    Without a checksum the file is a moving one: its sha256 is recorded on first use. `browser`: the server turns
    Python's own user agent away.
    """

    name: str
    address: str = ""
    """Empty for a repacked file that no server has."""
    sha256: str | None = None
    md5: str | None = None
    """Used where no sha256 is known."""
    size: int | None = None
    browser: bool = False

    @property
    def pin(self) -> tuple[str, str | None]:
        """The algorithm the content is known by, and its checksum where that is known beforehand."""
        return ("md5", self.md5) if self.md5 and not self.sha256 else ("sha256", self.sha256)


def no_announcement(line: str) -> None:
    """Say nothing."""


def no_progress(done: int, total: int) -> None:
    """Show nothing."""


def download(
    remote: Remote,
    target: Path,
    *,
    licence: str = "",
    announce: Announce = no_announcement,
    progress: Progress = no_progress,
    timeout: float = TIMEOUT_SECONDS,
) -> None:
    """Fetch one file to `target`, by way of `target` + ".part".

    Raises InputError; what there is then is a .part at most. A second process that wants the file waits for the first.
    """
    _check_address(remote.address)
    if offline():
        raise InputError(f"LSTMLAB_OFFLINE is set: {remote.name} is not here and {remote.address} is not asked for it")
    part = target.with_name(target.name + ".part")
    try:
        with _alone(cache.made(target.parent), announce):
            if target.is_file():
                return
            size = f"{remote.size / 1e6:.1f} MB" if remote.size else "size unknown"
            announce(
                f"Downloading {remote.name} ({size}) from {remote.address} to {target.parent}. "
                f"Licence: {licence or 'unknown'}"
            )
            _transfer(remote, part, progress, timeout)
            _verify(remote, part)
            sync(part)
            os.replace(part, target)
            _forget(part)
            sync(target.parent)
    except OSError as error:
        raise _disk_error(error, part) from error


def offline() -> bool:
    """Whether the user forbade downloads."""
    return os.environ.get("LSTMLAB_OFFLINE", "").lower() not in ("", "0", "false", "no")


def _verify(remote: Remote, part: Path) -> None:
    """Remove a finished download that is not what it should be, and say so."""
    algorithm, expected = remote.pin
    got = cache.digest(part, algorithm)
    if expected is not None and got != expected:
        size = part.stat().st_size
        _forget(part)
        raise InputError(
            f"{remote.address} gave another file than expected: got {algorithm} {got} ({size:,} bytes), "
            f"expected {expected}. It was removed."
        )


def _transfer(remote: Remote, part: Path, progress: Progress, timeout: float) -> None:
    """Bring `part` to its full length, from where it stands if the server can, else from the beginning."""
    for start in dict.fromkeys((_resume_point(remote, part), 0)):
        if start and start == remote.size:
            return
        with _ask(remote, part, start, timeout) as response:
            first, total = _extent(response.headers)
            if response.status == 416 and total == start:
                return  # Nothing is missing: the last attempt ended between the last byte and the check.
            if response.status == 200:
                first = 0
            elif response.status != 206 or first != start:
                continue
            _receive(remote, response, part, first, total, progress)
            return
    raise InputError(f"{remote.address} does not send the beginning of the file when asked for it")


def _resume_point(remote: Remote, part: Path) -> int:
    """How many bytes of an earlier attempt can be built upon."""
    size = part.stat().st_size if part.is_file() else 0
    # A moving file is gone on with only if the server can vouch that it is still the same one.
    return size if remote.pin[1] or _tag(part) else 0


def _ask(remote: Remote, part: Path, start: int, timeout: float) -> http.client.HTTPResponse | urllib.error.HTTPError:
    """Request a file from byte `start` on. An answer 416 (no such range) is returned, other refusals raised."""
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0" if remote.browser else "lstmlab"
    headers = {"User-Agent": agent, "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if tag := _tag(part):
            headers["If-Range"] = tag
    request = urllib.request.Request(remote.address, headers=headers)
    try:
        response: http.client.HTTPResponse = urllib.request.build_opener(_Redirects).open(request, timeout=timeout)
        return response
    except urllib.error.HTTPError as error:
        if error.code == 416 and start:
            return error
        with error:
            hint = "it may have moved" if error.code in (404, 410) else "it may work later"
            raise InputError(f"{remote.address} answers {error.code} {error.reason}: {hint}") from error
    except (OSError, http.client.HTTPException) as error:
        raise InputError(f"{remote.address} cannot be reached ({getattr(error, 'reason', error)})") from error


def _receive(
    remote: Remote,
    response: http.client.HTTPResponse | urllib.error.HTTPError,
    part: Path,
    start: int,
    total: int,
    progress: Progress,
) -> None:
    """Write the body to `part` from byte `start` on. `total`: the whole file's size, 0 if the server does not say."""
    expected = total or remote.size or 0
    if remote.size and expected != remote.size:
        raise InputError(f"{remote.address} offers {expected:,} bytes where the file has {remote.size:,}")
    if expected - start > (free := shutil.disk_usage(part.parent).free):
        raise OSError(errno.ENOSPC, f"{(expected - start) / 1e6:.1f} MB to come, {free / 1e6:.1f} MB free")
    if not start:
        _remember_tag(part, response.headers)
    done = start
    progress(done, expected)
    try:
        with part.open("ab" if start else "wb") as out:
            while piece := _read(response):
                out.write(piece)
                done += len(piece)
                progress(done, expected)
                if expected and done > expected:
                    _forget(part)
                    raise InputError(f"{remote.address} sends more than the {expected:,} bytes the file has")
        if done < expected:
            raise _Cut("the connection ended")
    except _Cut as cut:
        of = f" of {expected / 1e6:.1f}" if expected else ""
        raise InputError(
            f"the download of {remote.address} was cut off after {done / 1e6:.1f}{of} MB ({cut}). "
            "What came is kept: the same command goes on from there."
        ) from cut


class _Cut(Exception):
    """The connection broke: kept apart from the disk's own errors."""


def _read(response: http.client.HTTPResponse | urllib.error.HTTPError) -> bytes:
    try:
        return response.read(CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _Cut(str(error) or type(error).__name__) from error


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects within http and https only, and never from https down to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        _check_address(newurl, secure=req.full_url.lower().startswith("https:"))
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_address(address: str, *, secure: bool = False) -> None:
    allowed = ("https",) if secure else ("http", "https")
    if urllib.parse.urlsplit(address).scheme.lower() not in allowed:
        raise InputError(
            f"{address or 'no address'}: only {' and '.join(allowed)} addresses are fetched"
            f"{' when the first one was https' if secure else ''}"
        )


def _extent(headers: Message) -> tuple[int, int]:
    """Where a body begins in the file, and the whole file's size (0 if not said)."""
    ranged = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", headers.get("Content-Range", "").strip())
    if ranged:
        return int(ranged[1] or 0), 0 if ranged[2] == "*" else int(ranged[2])
    length = headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else 0


def _tag_file(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _tag(part: Path) -> str:
    """What the server said names the version of the file that `part` is a beginning of; empty if it said nothing."""
    try:
        tag = _tag_file(part).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return tag if tag.isprintable() else ""


def _remember_tag(part: Path, headers: Message) -> None:
    # A weak ETag names files that mean the same, not files with the same bytes: of no use to go on from.
    tag = headers.get("ETag", "")
    tag = tag if tag.startswith('"') else headers.get("Last-Modified", "")
    if tag.isascii() and tag:
        write_whole(_tag_file(part), tag.encode())
    else:
        _tag_file(part).unlink(missing_ok=True)


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag_file(part).unlink(missing_ok=True)


def _disk_error(error: OSError, part: Path) -> InputError:
    """A disk that is full or read-only, in words. On a full one the unfinished file is removed."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        _forget(part)
        return InputError(
            f"the disk of {part.parent} is full ({error.strerror}): free some space, "
            "or set LSTMLAB_CACHE to a folder with room"
        )
    return InputError(
        f"{part.parent} cannot be written ({error.strerror or error}): set LSTMLAB_CACHE to a folder that can"
    )


@contextlib.contextmanager
def _alone(folder: Path, announce: Announce) -> Iterator[None]:
    """Let one process at a time download into a folder."""
    handle = os.open(folder, os.O_RDONLY) if os.name == "posix" else None
    try:
        if handle is not None:
            _lock(handle, folder, announce)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _lock(handle: int, folder: Path, announce: Announce) -> None:
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        announce(f"Another process is downloading into {folder}: waiting for it.")
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        # Network disks may not lock folders. Two downloads at once then fail by checksum, not in silence.
        announce(f"{folder} cannot be locked ({error.strerror}): let no other process download into it.")
