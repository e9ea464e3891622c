"""The cache: whole or absent, racing processes, damage, disks that cannot be written."""

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from lstmlab.data import cache
from lstmlab.disk import cache_folder
from lstmlab.errors import InputError

KEY = cache.key("an entry")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LSTMLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Maker:
    """Makes an entry and counts how often."""

    def __init__(self, text: str = "content") -> None:
        self.text, self.times = text, 0

    def __call__(self, folder: Path) -> None:
        self.times += 1
        (folder / "inner").mkdir()
        (folder / "inner" / "file.txt").write_text(self.text)


def test_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.setenv("LSTMLAB_CACHE", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "lstmlab"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder() == tmp_path / ".cache" / "lstmlab"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == tmp_path / "Library" / "Caches" / "lstmlab"


def test_keys() -> None:
    assert cache.key("a", {"x": 1, "y": 2}) == cache.key("a", {"y": 2, "x": 1})
    others = [cache.key("a"), cache.key("b"), cache.key("a", "b"), cache.key("ab"), cache.key(["a", "b"]), cache.key()]
    assert len(set(others)) == len(others)
    assert all(len(key) == 64 for key in others)
    with pytest.raises(TypeError):
        cache.key(object())
    with pytest.raises(ValueError):
        cache.key(float("nan"))


def test_the_format_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache.key("a")
    monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    assert cache.key("a") != before


def test_made_once(place: Path) -> None:
    make = Maker()
    entry = cache.load_or_make("kind", KEY, make)
    assert entry == place / "kind" / KEY == cache.load_or_make("kind", KEY, make)
    assert make.times == 1
    assert (entry / "inner" / "file.txt").read_text() == "content"
    assert json.loads((entry / "manifest.json").read_text())["files"] == {"inner/file.txt": 7}
    assert os.listdir(place / "kind") == [KEY]
    assert entry.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["missing", "size", "manifest", "format", "empty", "file"])
def test_a_torn_entry_is_made_anew(place: Path, damage: str) -> None:
    make = Maker()
    entry = cache.load_or_make("kind", KEY, make)
    manifest = entry / "manifest.json"
    if damage == "missing":
        (entry / "inner" / "file.txt").unlink()
    elif damage == "size":
        (entry / "inner" / "file.txt").write_text("conten")
    elif damage == "manifest":
        manifest.write_text('{"files": ')
    elif damage == "format":
        manifest.write_text('[{"format": 0}]')
    elif damage == "empty":
        shutil.rmtree(entry)
        entry.mkdir()
    else:
        shutil.rmtree(entry)
        entry.write_text("")
    assert not cache.is_whole(entry)
    assert cache.load_or_make("kind", KEY, make) == entry
    assert make.times == 2
    assert (entry / "inner" / "file.txt").read_text() == "content"
    assert os.listdir(place / "kind") == [KEY]


def test_what_fails_leaves_nothing(place: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "half").write_text("ha")
        raise InputError("row 7 is not a number")

    with pytest.raises(InputError, match="row 7"):
        cache.load_or_make("kind", KEY, make)
    assert os.listdir(place / "kind") == []


def test_the_slower_of_two_makers_takes_the_first_ones(place: Path) -> None:
    first = Maker("first")

    def slow(folder: Path) -> None:
        cache.load_or_make("kind", KEY, first)
        Maker("other")(folder)

    entry = cache.load_or_make("kind", KEY, slow)
    assert (entry / "inner" / "file.txt").read_text() == "first"
    assert os.listdir(place / "kind") == [KEY]


def _race(number: int, start: object, results: object) -> None:
    start.wait()
    entry = cache.load_or_make("kind", KEY, Maker(str(number)))
    results.put((entry / "inner" / "file.txt").read_text())


def test_processes_race(place: Path) -> None:
    processes = multiprocessing.get_context("spawn")
    start, results = processes.Event(), processes.Queue()
    racers = [processes.Process(target=_race, args=(number, start, results)) for number in range(2)]
    for racer in racers:
        racer.start()
    start.set()
    read = [results.get(timeout=60) for _ in racers]
    for racer in racers:
        racer.join()
    assert len(set(read)) == 1
    assert os.listdir(place / "kind") == [KEY]


def test_without_a_cache_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LSTMLAB_CACHE", str(tmp_path / "file"))
    lines: list[str] = []
    entry = cache.load_or_make("kind", KEY, Maker(), lines.append)
    assert (entry / "inner" / "file.txt").read_text() == "content"
    assert "cannot be written" in lines[0]
    shutil.rmtree(entry)


def test_a_disk_that_fills_up(place: Path) -> None:
    make = Maker()

    def full(folder: Path) -> None:
        make(folder)
        if place in folder.parents:
            raise OSError(errno.ENOSPC, "No space left on device")

    lines: list[str] = []
    entry = cache.load_or_make("kind", KEY, full, lines.append)
    assert "No space left" in lines[0]
    assert (entry / "inner" / "file.txt").read_text() == "content"
    assert os.listdir(place / "kind") == []
    shutil.rmtree(entry)

    def fuller(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"neither the cache.*nor the temporary folder.*LSTMLAB_CACHE and TMPDIR"):
        cache.load_or_make("kind", KEY, fuller)


def test_the_least_recently_used_go_first(place: Path) -> None:
    entries = [cache.load_or_make("kind", cache.key(number), Maker("x" * 1000)) for number in range(4)]
    for age, entry in enumerate(reversed(entries)):
        os.utime(entry / "manifest.json", (1e9 - age, 1e9 - age))
    cache.load_or_make("kind", cache.key(0), Maker())  # used just now
    freed = cache.prune("kind", 2500)
    assert [entry.exists() for entry in entries] == [True, False, False, True]
    assert freed > 2000
    assert cache.prune("kind", 0, keep=entries[3]) > 1000
    assert os.listdir(place / "kind") == [entries[3].name]
    assert cache.prune("nothing of the kind") == 0


def test_making_prunes_but_not_what_was_made(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "KEEP_BYTES", 100)
    old = cache.load_or_make("kind", cache.key("old"), Maker("x" * 1000))
    os.utime(old / "manifest.json", (1e9, 1e9))
    new = cache.load_or_make("kind", cache.key("new"), Maker("x" * 1000))
    assert not old.exists()
    assert new.exists()


def test_what_died_is_cleared_away(place: Path) -> None:
    for name, age in ((".old", 2 * cache.ABANDONED_SECONDS), (".young", 60.0)):
        (place / "kind" / name).mkdir(parents=True)
        os.utime(place / "kind" / name, (time.time() - age,) * 2)
    cache.prune("kind")
    assert os.listdir(place / "kind") == [".young"]


def test_digests_are_remembered_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert cache.digest(path) == hashlib.sha256(b"one").hexdigest()
    assert cache.digest(path, "md5") == hashlib.md5(b"one").hexdigest()

    def never(*args: object) -> None:
        raise AssertionError("hashed again")

    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", never)
        assert cache.digest(path) == hashlib.sha256(b"one").hexdigest()
    # The same size and date, put in its place: only the change time tells.
    state = path.stat()
    time.sleep(0.02)
    path.write_bytes(b"two")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert cache.digest(path) == hashlib.sha256(b"two").hexdigest()


@pytest.mark.parametrize("damage", ["", "[1]", '{"sha256:FILE": 7}', '{"sha256:FILE": [1]}', "[" * 100_000, "\xff"])
def test_a_damaged_memory_is_forgotten(place: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    place.mkdir()
    (place / "digests.json").write_text(damage.replace("FILE", str(path)), "latin-1")
    assert cache.digest(path) == cache.digest(path) == hashlib.sha256(b"one").hexdigest()


def test_a_digest_without_a_cache_or_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    monkeypatch.setenv("LSTMLAB_CACHE", str(path / "no"))
    assert cache.digest(path) == hashlib.sha256(b"one").hexdigest()
    with pytest.raises(InputError, match="gone cannot be read"):
        cache.digest(tmp_path / "gone")


def test_write_whole_keeps_the_old_where_the_new_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    cache.write_whole(path, b"old")

    def fail(*args: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="broken"):
        cache.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]
