"""Class folders read the same from a directory and from every archive; hostile and broken archives are refused."""

import contextlib
import gzip
import io
import os
import random
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from lstmlab.data.datasets.folders import is_archive, read_folders
from lstmlab.errors import InputError

TEXTS = {
    "aclImdb/train/pos/0_9.txt": "Größe <br />\nfine",
    "aclImdb/train/pos/10_8.txt": "\ufeffgood",
    "aclImdb/train/neg/0_1.txt": "bad",
    "aclImdb/test/neg/0_2.txt": "",
    "aclImdb/test/pos/0_7.txt": "nice",
}
BESIDE = {
    "aclImdb/README.txt": "read me",
    "aclImdb/train/unsup/0_0.txt": "?",
    "aclImdb/train/labeledBow.feat": "0:1",
    "aclImdb/train/urls_pos.txt": "http",
    "aclImdb/imdb.vocab": "the",
    "__MACOSX/train/pos/._0_9.txt": "\0",
}
TRAIN = [
    ("train/neg/0_1", "bad", "neg"),
    ("train/pos/0_9", "Größe <br />\nfine", "pos"),
    ("train/pos/10_8", "good", "pos"),
]
TEST = [("test/neg/0_2", "", "neg"), ("test/pos/0_7", "nice", "pos")]


def tar(path: Path, texts: Mapping[str, str | bytes], *others: tarfile.TarInfo) -> Path:
    mode = "w" if path.suffix == ".tar" else "w:gz"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, text in texts.items():
            raw = text.encode() if isinstance(text, str) else text
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
        for other in others:
            archive.addfile(other)
    return path


def zipped(path: Path, texts: Mapping[str, str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name, text)
    return path


def folder(path: Path, texts: Mapping[str, str]) -> Path:
    for name, text in texts.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(text.encode())
    return path


def refused(path: Path, *words: str) -> None:
    with pytest.raises(InputError) as caught:
        read_folders(path)
    for word in (path.name, *words):
        assert word in str(caught.value), caught.value


@pytest.mark.parametrize("kind", ["folder", "a.tar.gz", "a.tgz", "a.tar", "a.zip", "A.ZIP"])
@pytest.mark.parametrize("order", [1, -1])
def test_every_container_gives_the_same_tables(tmp_path: Path, kind: str, order: int) -> None:
    texts = dict(list((TEXTS | BESIDE).items())[::order])
    make = folder if kind == "folder" else zipped if kind.lower().endswith("zip") else tar
    parts = read_folders(make(tmp_path / kind, texts))
    assert list(parts) == ["train", "test"]
    assert parts["train"].columns == ["id", "inputs", "target"]
    assert parts["train"].rows() == TRAIN
    assert parts["test"].rows() == TEST


def test_a_folder_without_parts_is_the_training_part(tmp_path: Path) -> None:
    texts = {"reviews/README.txt": "no class", "reviews/pos/1.txt": "a", "reviews/neg/2.TXT": "b"}
    expected = [("train/neg/2", "b", "neg"), ("train/pos/1", "a", "pos")]
    for path in (
        folder(tmp_path / "x", texts),
        folder(tmp_path / "x", texts) / "reviews",
        tar(tmp_path / "a.tar", texts),
        tar(tmp_path / "b.tar", {f"./{name}": text for name, text in texts.items()}),
    ):
        parts = read_folders(path)
        assert {part: frame.rows() for part, frame in parts.items()} == {"train": expected}


def test_other_names_of_parts(tmp_path: Path) -> None:
    texts = {f"d/{part}/{label}/1.txt": "t" for part in ("training", "dev", "Test") for label in ("a", "b")}
    assert list(read_folders(tar(tmp_path / "a.tgz", texts))) == ["train", "valid", "test"]


def test_progress_counts_texts(tmp_path: Path) -> None:
    texts = {f"{label}/{at}.txt": "t" for at in range(1100) for label in ("a", "b")}
    told: list[int] = []
    read_folders(tar(tmp_path / "a.tar.gz", texts), progress=told.append)
    assert told == [1000, 2000, 2200]


@pytest.mark.parametrize("name", ["/pos/1.txt", "../pos/1.txt", "a/../../pos/1.txt", "C:/pos/1.txt", "..\\pos\\1.txt"])
def test_members_that_point_outside_are_refused(tmp_path: Path, name: str) -> None:
    for path in (tar(tmp_path / "a.tar.gz", TEXTS | {name: "x"}), zipped(tmp_path / "a.zip", TEXTS | {name: "x"})):
        refused(path, "points outside")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.FIFOTYPE, "device"),
    ],
)
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes, said: str) -> None:
    member = tarfile.TarInfo("aclImdb/train/pos/5.txt")
    member.type, member.linkname = kind, "/etc/passwd"
    refused(tar(tmp_path / "a.tar.gz", TEXTS, member), "aclImdb/train/pos/5.txt", said)


def test_links_in_folders_and_zips_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "set", TEXTS)
    (path / "aclImdb/train/pos/5.txt").symlink_to("/etc/passwd")
    refused(path, "aclImdb/train/pos/5.txt is a link")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("train/pos/5.txt")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    refused(tmp_path / "a.zip", "train/pos/5.txt", "link")
    os.mkfifo(folder(tmp_path / "other", TEXTS) / "aclImdb/train/pos/5.txt")
    refused(tmp_path / "other", "not an ordinary file")


@pytest.mark.slow
def test_archives_that_expand_absurdly_are_refused(tmp_path: Path) -> None:
    zeros = {"train/pos/1.txt": "0" * (65 << 20)}
    refused(tar(tmp_path / "a.tar.gz", zeros), "refused", "unpack to more than")
    refused(zipped(tmp_path / "a.zip", zeros), "refused", "unpack to more than")
    # What lies behind the archive's end, or in a member nobody wants, is decompressed too.
    tar(tmp_path / "b.tar", TEXTS)
    (tmp_path / "b.tar.gz").write_bytes(gzip.compress((tmp_path / "b.tar").read_bytes() + bytes(65 << 20)))
    refused(tmp_path / "b.tar.gz", "refused")


def test_truncated_and_corrupt_archives_are_refused(tmp_path: Path) -> None:
    chance = random.Random(0)
    texts = {f"train/{label}/{at}.txt": chance.randbytes(300).hex() for at in range(40) for label in ("a", "b")}
    made = {"tar.gz": tar, "tar": tar, "zip": zipped}
    whole = {ending: make(tmp_path / f"w.{ending}", texts).read_bytes() for ending, make in made.items()}
    for ending, raw in whole.items():
        path = tmp_path / f"cut.{ending}"
        # Of a .tar the end mark (two blocks of zeros, then padding) is what shows that it is whole.
        end = len(raw.rstrip(b"\0")) if ending == "tar" else len(raw)
        for share in (0.0, 0.1, 0.5, 0.9, 0.99):
            path.write_bytes(raw[: int(share * end)])
            refused(path, "not a whole")
        path.write_bytes(b"not an archive at all" * 100)
        refused(path, "not a whole")
    between = whole["tar"][: 512 * 3 * 10]
    (tmp_path / "cut.tar").write_bytes(between)
    refused(tmp_path / "cut.tar", "not a whole")
    # A damaged byte is noticed by its checksum, unless it stands where nothing is read (a zip keeps some things twice).
    right = read_folders(tmp_path / "w.tar")["train"]
    for ending, least in (("tar.gz", 20), ("zip", 10)):
        noticed = 0
        for _ in range(20):
            raw = bytearray(whole[ending])
            raw[chance.randrange(200, len(raw) * 2 // 3)] ^= 0x55
            (tmp_path / f"bad.{ending}").write_bytes(raw)
            try:
                assert read_folders(tmp_path / f"bad.{ending}")["train"].equals(right)
            except InputError:
                noticed += 1
        assert noticed >= least


def test_random_damage_never_gives_anything_but_an_input_error(tmp_path: Path) -> None:
    chance = random.Random(1)
    for ending, base in (("tar", tar(tmp_path / "w.tar", TEXTS)), ("zip", zipped(tmp_path / "w.zip", TEXTS))):
        for _ in range(300):
            raw = bytearray(base.read_bytes())
            for _ in range(chance.randint(1, 5)):
                raw[chance.randrange(min(len(raw), 6000))] = chance.randrange(256)
            (tmp_path / f"bad.{ending}").write_bytes(raw)
            with contextlib.suppress(InputError):
                assert "train" in read_folders(tmp_path / f"bad.{ending}")


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"a.txt": "x"}, ["no text files in class folders", "train/pos/1.txt"]),
        ({"train/pos/1.txt": "x"}, ["only one class", '"pos"']),
        ({"test/pos/1.txt": "x", "test/neg/1.txt": "x"}, ["no train part"]),
        ({"one/pos/1.txt": "x", "one/neg/1.txt": "x", "two/pos/2.txt": "x"}, ["two places", "one", "two"]),
        (
            {"train/pos/1.txt": "x", "train/pos/1.TXT": "x", "train/neg/1.txt": "x"},
            ["train/pos/1.txt stands there twice"],
        ),
    ],
)
def test_other_layouts_are_refused(tmp_path: Path, texts: dict[str, str], words: list[str]) -> None:
    refused(tar(tmp_path / "a.tar.gz", texts), *words)


def test_other_encodings(tmp_path: Path) -> None:
    texts: dict[str, str | bytes] = {"pos/1.txt": "le café".encode("cp1252"), "neg/1.txt": "x"}
    path = tar(tmp_path / "a.tar", texts)
    refused(path, "pos/1.txt", "0xE9", "café", "data.encoding=cp1252")
    assert read_folders(path, encoding="cp1252")["train"]["inputs"].to_list() == ["x", "le café"]
    with pytest.raises(InputError, match='no encoding "utf9x"'):
        read_folders(path, encoding="utf9x")
    refused(tar(tmp_path / "b.tar", {"pos/1.txt": b"\0\1", "neg/1.txt": "x"}), "pos/1.txt", "zero byte")
    name = b"pos/\xff.txt".decode("utf-8", "surrogateescape")
    odd = folder(tmp_path / "odd", {name: "x", "neg/1.txt": "y"})
    assert read_folders(odd)["train"]["id"].to_list() == ["train/neg/1", "train/pos/\ufffd"]


def test_missing_and_other_files(tmp_path: Path) -> None:
    tar(tmp_path / "reviews.tar.gz", TEXTS)
    refused(tmp_path / "review.tar.gz", "Did you mean", "reviews.tar.gz")
    (tmp_path / "a.csv").write_text("a,b\n")
    refused(tmp_path / "a.csv", "expected a folder", ".tar.gz")
    assert is_archive(Path("x/a.TGZ"))
    assert not is_archive(Path("x/a.csv.gz"))


@pytest.mark.slow
def test_imdb_as_published() -> None:
    path = Path(os.environ.get("LSTMLAB_DATA", "")) / "imdb" / "aclImdb_v1.labelled.tar.gz"
    if not os.environ.get("LSTMLAB_DATA") or not path.exists():
        pytest.skip("LSTMLAB_DATA is not set, or holds no imdb")
    parts = read_folders(path)
    assert {part: len(frame) for part, frame in parts.items()} == {"train": 25000, "test": 25000}
    for frame in parts.values():
        assert frame["target"].value_counts().sort("target").rows() == [("neg", 12500), ("pos", 12500)]
    assert parts["train"]["inputs"].str.len_bytes().sum() == 33_132_823
    assert parts["train"].filter(pl.col("id") == "train/pos/0_9")["inputs"][0].startswith("Bromwell High")
