"""Fetching against a server on this machine that can be made to misbehave."""

import errno
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from lstmlab.data import download, fetch
from lstmlab.data.download import Remote
from lstmlab.data.fetch import Files
from lstmlab.disk import cache_folder
from lstmlab.errors import InputError

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Server:
    """What the server does next, and what it was asked."""

    address: str = ""
    content: bytes = CONTENT
    cut_after: int | None = None
    ranges: bool = True
    shifted: bool = False
    says_length: bool = True
    etag: str = '"one"'
    redirect: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args: object) -> None: ...

    def do_GET(self) -> None:
        server: Server = self.server.told
        server.asked.append(dict(self.headers))
        if self.path != "/file.bin":
            self.send_error(404)
            return
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return
        body, start = server.content, 0
        wanted = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and server.ranges and self.headers.get("If-Range", server.etag) == server.etag:
            start = int(wanted[1])
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            start -= server.shifted
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.says_length:
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : server.cut_after])


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("LSTMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("LSTMLAB_DATA", raising=False)
    monkeypatch.delenv("LSTMLAB_OFFLINE", raising=False)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.told = Server(f"http://127.0.0.1:{httpd.server_port}/file.bin")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield httpd.told
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def remote(server: Server, **changes: object) -> Remote:
    return replace(Remote("file.bin", server.address, sha256=SHA256, size=len(CONTENT)), **changes)


def files(server: Server, **changes: object) -> Files:
    return Files("toy", ((remote(server, **changes),),), licence="CC0")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "datasets" / "toy" / "file.bin"


def left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.exists() else []


def test_full_download_is_announced_counted_verified_and_kept(server: Server, target: Path) -> None:
    lines: list[str] = []
    counts: list[tuple[int, int]] = []
    paths = fetch.get(files(server), lines.append, lambda done, total: counts.append((done, total)))
    assert paths == {"file.bin": target}
    assert target.read_bytes() == CONTENT
    assert left(target) == ["file.bin"]
    (line,) = lines
    assert all(word in line for word in ("file.bin", server.address, "0.3 MB", "CC0", str(target.parent)))
    assert counts[0] == (0, len(CONTENT))
    assert counts[-1] == (len(CONTENT), len(CONTENT))
    assert counts == sorted(counts)
    fetch.get(files(server), lines.append)
    assert len(server.asked) == len(lines) == 1


def test_a_cut_download_is_kept_and_gone_on_with(server: Server, target: Path) -> None:
    server.cut_after = 100_000
    with pytest.raises(InputError, match=r"cut off after 0\.1 of 0\.3 MB.*kept") as told:
        fetch.get(files(server))
    assert str(target.parent) in str(told.value)
    assert not target.exists()
    assert target.with_name("file.bin.part").stat().st_size == 100_000
    server.cut_after = None
    fetch.get(files(server))
    assert server.asked[1]["Range"] == "bytes=100000-"
    assert target.read_bytes() == CONTENT
    assert left(target) == ["file.bin"]


def test_resuming_after_a_cut_without_a_length(server: Server, target: Path) -> None:
    server.cut_after, server.says_length = 100_000, False
    with pytest.raises(InputError, match="cut off"):
        fetch.get(files(server))
    server.cut_after = None
    fetch.get(files(server))
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("fault", [{"ranges": False}, {"shifted": True}, {"etag": '"two"'}])
def test_a_server_that_cannot_go_on_starts_from_zero(server: Server, target: Path, fault: dict[str, object]) -> None:
    server.cut_after = 100_000
    with pytest.raises(InputError, match="cut off"):
        fetch.get(files(server))
    server.cut_after = None
    for name, value in fault.items():
        setattr(server, name, value)
    fetch.get(files(server))
    assert server.asked[1]["Range"] == "bytes=100000-"
    assert target.read_bytes() == CONTENT


def test_a_moving_file_never_becomes_a_mixture(server: Server, target: Path) -> None:
    moving = files(server, sha256=None, size=None)
    for etag in ('"one"', ""):
        server.content, server.cut_after, server.etag = CONTENT, 100_000, etag
        with pytest.raises(InputError, match="cut off"):
            fetch.get(moving)
        server.content, server.cut_after = CONTENT[::-1], None
        server.etag = etag and '"two"'
        fetch.get(moving)
        assert target.read_bytes() == CONTENT[::-1]
        target.unlink()


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_nothing_left_to_fetch(server: Server, target: Path, size: int | None) -> None:
    target.parent.mkdir(parents=True)
    target.with_name("file.bin.part").write_bytes(CONTENT)
    fetch.get(files(server, size=size))
    assert target.read_bytes() == CONTENT
    assert len(server.asked) == (size is None)


def test_a_part_longer_than_the_file_is_thrown_away(server: Server, target: Path) -> None:
    target.parent.mkdir(parents=True)
    for size in (None, len(CONTENT)):
        target.with_name("file.bin.part").write_bytes(CONTENT + b"more")
        fetch.get(files(server, size=size))
        assert target.read_bytes() == CONTENT
        target.unlink()


def test_wrong_checksum_is_told_and_removed(server: Server, target: Path) -> None:
    server.content = CONTENT[::-1]
    with pytest.raises(InputError) as told:
        fetch.get(files(server))
    wrong = hashlib.sha256(server.content).hexdigest()
    assert all(word in str(told.value) for word in (wrong, SHA256, server.address, str(target.parent), "By hand"))
    assert left(target) == []


def test_md5_is_checked_where_no_sha256_is_known(server: Server, target: Path) -> None:
    known = files(server, sha256=None, md5=hashlib.md5(CONTENT).hexdigest())
    fetch.get(known)
    target.write_bytes(CONTENT[::-1])
    with pytest.raises(InputError, match="md5"):
        fetch.get(known)


def test_wrong_sizes_are_refused(server: Server, target: Path) -> None:
    server.content = b"<html>please log in</html>"
    with pytest.raises(InputError, match="offers 26 bytes where the file has 300,000"):
        fetch.get(files(server))
    server.content, server.says_length = CONTENT * 2, False
    with pytest.raises(InputError, match="sends more than"):
        fetch.get(files(server))
    assert left(target) == []


def test_dead_addresses(server: Server, target: Path) -> None:
    gone = server.address.replace("file", "gone")
    with pytest.raises(InputError, match=r"answers 404.*may have moved") as told:
        fetch.get(files(server, address=gone))
    assert str(target.parent) in str(told.value)
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9/.*cannot be reached.*[Rr]efused"):
        fetch.get(files(server, address="http://127.0.0.1:9/file.bin"))
    assert left(target) == []


def test_a_silent_server_is_given_up(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(Handler, "do_GET", lambda self: release.wait(5))
    with pytest.raises(InputError, match="timed out"):
        download.download(remote(server), target, timeout=0.1)
    release.set()


def test_offline_refuses_and_asks_nobody(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMLAB_OFFLINE", "1")
    with pytest.raises(InputError, match="LSTMLAB_OFFLINE") as told:
        fetch.get(files(server))
    assert str(target.parent) in str(told.value)
    assert server.asked == []
    monkeypatch.setenv("LSTMLAB_OFFLINE", "0")
    fetch.get(files(server))


@pytest.mark.parametrize("elsewhere", ["file:///etc/hostname", "ftp://127.0.0.1/file.bin", "data:,x"])
def test_only_http_is_fetched(server: Server, target: Path, elsewhere: str) -> None:
    with pytest.raises(InputError, match="only http and https"):
        fetch.get(files(server, address=elsewhere))
    server.redirect = elsewhere
    with pytest.raises(InputError, match=r"302|only http and https"):
        fetch.get(files(server))
    assert left(target) == []


def test_no_redirect_from_https_down_to_http() -> None:
    import urllib.request

    request = urllib.request.Request("https://127.0.0.1/file.bin")
    with pytest.raises(InputError, match="only https"):
        download._Redirects().redirect_request(request, None, 302, "Found", {}, "http://127.0.0.1/file.bin")


def test_a_full_disk(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(InputError, match=r"full .*0\.3 MB to come.*LSTMLAB_CACHE"):
        fetch.get(files(server))
    monkeypatch.undo()
    monkeypatch.setenv("LSTMLAB_CACHE", str(target.parents[2]))

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download, "sync", full)
    with pytest.raises(InputError, match=r"disk of .* is full"):
        fetch.get(files(server))
    assert left(target) == []


def test_a_cache_that_cannot_be_written(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LSTMLAB_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"cannot be written.*set LSTMLAB_CACHE"):
        fetch.get(files(server))


def test_two_at_once_fetch_once(server: Server, target: Path) -> None:
    target.parent.mkdir(parents=True)
    lines: list[str] = []
    with download._alone(target.parent, lines.append):
        other = threading.Thread(target=fetch.get, args=(files(server), lines.append))
        other.start()
        while not lines:
            assert other.is_alive()
            threading.Event().wait(0.005)
        assert "waiting" in lines[0]
        target.write_bytes(CONTENT)
    other.join()
    assert server.asked == []


def test_a_disk_without_locks(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def bad(*args: object) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", bad)
    lines: list[str] = []
    fetch.get(files(server), lines.append)
    assert "cannot be locked" in lines[0]
    assert target.read_bytes() == CONTENT


# ---- Looking files up -----------------------------------------------------------------------------------------------


def test_order_of_places_and_layouts(
    server: Server, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repacked = Remote("small.bin", sha256=hashlib.sha256(b"small").hexdigest())
    toy = Files("toy", ((remote(server), remote(server, name="second.bin")), (repacked,)))
    shared = tmp_path / "shared"
    (shared / "toy").mkdir(parents=True)
    monkeypatch.setenv("LSTMLAB_DATA", str(shared))
    (shared / "toy" / "file.bin").write_bytes(CONTENT)
    assert fetch.locate(toy) is None  # half a layout is none
    target.parent.mkdir(parents=True)
    target.with_name("small.bin").write_bytes(b"small")
    assert fetch.get(toy) == {"small.bin": target.with_name("small.bin")}
    (shared / "toy" / "second.bin").write_bytes(CONTENT)
    assert fetch.get(toy).keys() == {"file.bin", "second.bin"}
    assert server.asked == []


def test_only_what_is_missing_is_fetched(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy = Files("toy", ((remote(server), remote(server, name="second.bin")),))
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    with monkeypatch.context() as patch:
        patch.setenv("LSTMLAB_OFFLINE", "1")
        with pytest.raises(InputError, match=r"second\.bin is not here"):
            fetch.get(toy)
    fetch.get(toy)
    assert left(target) == ["file.bin", "second.bin"]
    assert len(server.asked) == 1


def test_a_staged_file_with_another_checksum_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LSTMLAB_DATA", str(tmp_path))
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "file.bin").write_bytes(b"something else")
    with pytest.raises(InputError, match=f"not the file expected.*{SHA256}"):
        fetch.get(files(server))
    assert (tmp_path / "toy" / "file.bin").exists()


def test_a_folder_of_data_sets_that_is_none(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMLAB_DATA", "/no/such/folder")
    with pytest.raises(InputError, match="LSTMLAB_DATA=/no/such/folder is not a folder"):
        fetch.get(files(server))


def test_a_moving_file_is_recorded_and_its_change_is_told(server: Server, target: Path) -> None:
    moving = files(server, sha256=None, size=None)
    lines: list[str] = []
    fetch.get(moving, lines.append)
    assert json.loads((cache_folder() / "checksums.json").read_text()) == {"toy/file.bin": SHA256}
    target.write_bytes(CONTENT[::-1])
    fetch.get(moving, lines.append)
    new = hashlib.sha256(CONTENT[::-1]).hexdigest()
    assert SHA256 in lines[-1]
    assert new in lines[-1]
    assert "has changed" in lines[-1]
    fetch.get(moving, lines.append)
    assert len(lines) == 2
