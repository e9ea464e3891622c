"""Named sets: how each is read, that it is parsed once, and the real files where they are at hand."""

import gzip
import hashlib
import io
import os
import tarfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from lstmlab.data.datasets import conversations, named, translations
from lstmlab.data.download import Remote
from lstmlab.data.fetch import Files
from lstmlab.disk import cache_folder
from lstmlab.errors import InputError

SHARED = os.environ.get("LSTMLAB_DATA", "")


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSTMLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LSTMLAB_OFFLINE", "1")
    monkeypatch.delenv("LSTMLAB_DATA", raising=False)


def tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


# ---- Readers --------------------------------------------------------------------------------------------------------


def test_imdb_line_breaks_become_newlines(tmp_path: Path) -> None:
    texts = {
        f"aclImdb/{part}/{label}/0_9.txt": f"A {label} film.<br /><br />Ünd so.".encode()
        for part in ("train", "test")
        for label in ("pos", "neg")
    }
    path = tar(tmp_path / "aclImdb_v1.tar.gz", texts | {"aclImdb/train/unsup/0_0.txt": b"?", "aclImdb/README": b"?"})
    frames, steps = named.read_imdb({path.name: path})
    assert {part: sorted(frame["target"]) for part, frame in frames.items()} == {
        "train": ["neg", "pos"],
        "test": ["neg", "pos"],
    }
    assert "A pos film.\n\nÜnd so." in frames["train"]["inputs"].to_list()
    assert any("<br />" in step for step in steps)


def test_mr_from_files_and_from_the_archive(tmp_path: Path) -> None:
    # 0x85 is an ellipsis in windows-1252, and a line end to str.splitlines() once it is read as latin-1.
    contents = {"rt-polarity.pos": b"the ch\xe2teau \x85 is good . \nfine \n", "rt-polarity.neg": b"\nbad \n"}
    paths = {}
    for name, content in contents.items():
        paths[name] = tmp_path / name
        paths[name].write_bytes(content)
    archive = tar(
        tmp_path / "rt-polaritydata.tar.gz", {f"rt-polaritydata/{name}": content for name, content in contents.items()}
    )
    frames, _ = named.read_mr(paths)
    assert frames["train"].rows() == [
        ("pos/1", "the château … is good .", "pos"),
        ("pos/2", "fine", "pos"),
        ("neg/2", "bad", "neg"),
    ]
    assert named.read_mr({archive.name: archive})[0]["train"].equals(frames["train"])


def test_trec_from_files_and_from_the_zip(tmp_path: Path) -> None:
    contents = {"train": b"LOC:city Which sister\xf0city ?\nNUM:count How many : 3 ?\n", "test": b"HUM:ind Who ?\n"}
    path = tmp_path / "qc.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for part, content in contents.items():
            archive.writestr(f"qc/{part}.txt", content)
    paths = {"train_5500.label": tmp_path / "train_5500.label", "TREC_10.label": tmp_path / "TREC_10.label"}
    for target, content in zip(paths.values(), contents.values(), strict=True):
        target.write_bytes(content)
    coarse, _ = named.read_trec({"qc.zip": path}, fine=False)
    fine, _ = named.read_trec(paths, fine=True)
    assert coarse["train"].rows() == [("train/1", "Which sisterðcity ?", "LOC"), ("train/2", "How many : 3 ?", "NUM")]
    assert fine["train"]["target"].to_list() == ["LOC:city", "NUM:count"]
    assert fine["test"].rows() == [("test/1", "Who ?", "HUM:ind")]
    paths["TREC_10.label"].write_bytes(b"HUM:ind Who ?\nno label here\n")
    with pytest.raises(InputError, match=r'TREC_10.label, line 2: expected "COARSE:fine question", found "no label'):
        named.read_trec(paths, fine=False)


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_multi30k_has_three_languages_side_by_side(tmp_path: Path) -> None:
    paths = {}
    for name in translations.MULTI30K_PARTS.values():
        for language in ("en", "fr", "de"):
            file = tmp_path / f"{name}.{language}.gz"
            # U+2028 stands within a caption, and a reader that ends lines at it loses step.
            file.write_bytes(gzip.compress(f"{language} one\u2028here\n{language} two \n".encode()))
            paths[file.name] = file
    frames, _ = translations.read_multi30k(paths)
    assert list(frames) == ["train", "valid", "test"]
    assert frames["test"].columns == ["id", "inputs", "target", "de"]
    assert frames["test"].rows()[0] == (
        "test_2016_flickr/1",
        "en one\u2028here",
        "fr one\u2028here",
        "de one\u2028here",
    )
    (tmp_path / "val.de.gz").write_bytes(gzip.compress(b"one\n"))
    with pytest.raises(InputError, match=r"val: \[2, 2, 1\] lines"):
        translations.read_multi30k(paths)
    (tmp_path / "val.de.gz").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"val\.de\.gz cannot be read as the gzip file"):
        translations.read_multi30k(paths)


def test_tatoeba_with_and_without_attribution_zipped_and_bare(tmp_path: Path) -> None:
    read = named.NAMED["tatoeba-en-hi"].read
    lines = "Go.\tVa !\nRun!\tCours\u202f!\r\n".encode()
    old = zipped(tmp_path / "hin-eng.zip", {"hin.txt": lines, "_about.txt": b""})
    frames, steps = read({old.name: old})
    assert frames["train"].rows() == [("1", "Go.", "Va !"), ("2", "Run!", "Cours\u202f!")]
    assert steps == ()
    new = tmp_path / "hin.txt"
    new.write_text("Go.\tVa !\tCC-BY 2.0\n")
    frames, steps = read({new.name: new})
    assert frames["train"].rows() == [("1", "Go.", "Va !")]
    assert "attribution" in steps[0]
    for bad in ("Go.\n", "Go.\t \n", "a\tb\tc\td\n"):
        new.write_text("Go.\tVa !\n" + bad)
        with pytest.raises(InputError, match=r"hin\.txt, line 2: expected"):
            read({new.name: new})
    empty = zipped(tmp_path / "hin-eng.zip", {"_about.txt": b""})
    with pytest.raises(InputError, match=r"hin-eng\.zip"):
        read({empty.name: empty})


def test_dailydialog_from_its_three_archives_and_from_the_outer_one(tmp_path: Path) -> None:
    inner = {
        name: zipped(tmp_path / f"{name}.zip", {f"{name}/dialogues_{name}.txt": b"Hi . __eou__ Hello ! __eou__\n"})
        for name in ("train", "validation", "test")
    }
    frames, _ = conversations.read_dailydialog({path.name: path for path in inner.values()})
    assert list(frames) == ["train", "valid", "test"]
    assert frames["valid"].rows() == [("valid/1", "Hi .\nHello !", None)]
    members = {f"ijcnlp_dailydialog/{path.name}": path.read_bytes() for path in inner.values()}
    outer = zipped(tmp_path / "ijcnlp_dailydialog.zip", members)
    assert conversations.read_dailydialog({outer.name: outer})[0]["valid"].equals(frames["valid"])
    outer.write_bytes(b"")
    with pytest.raises(InputError, match="ijcnlp_dailydialog"):
        conversations.read_dailydialog({outer.name: outer})
    broken = zipped(tmp_path / "ijcnlp_dailydialog.zip", dict.fromkeys(members, b"broken"))
    with pytest.raises(InputError, match=r"train/dialogues_train\.txt"):
        conversations.read_dailydialog({broken.name: broken})


def test_simple_dialogs_are_chained(tmp_path: Path) -> None:
    path = tmp_path / "dialogs.txt"
    path.write_text("hi\tho\nho    how are you?\nbye\tbye!\n")
    frames, steps = conversations.read_simple_dialogs({path.name: path})
    assert frames["train"].rows() == [("1", "hi\nho\nhow are you?", None), ("3", "bye\nbye!", None)]
    assert "3 lines" in steps[0]
    assert "2 dialogues" in steps[0]
    path.write_text("hi\tho\nalone\n")
    with pytest.raises(InputError, match=r"dialogs\.txt, line 2"):
        conversations.read_simple_dialogs({path.name: path})


def test_chatterbot_conversations(tmp_path: Path) -> None:
    path = tmp_path / "food.yml"
    path.write_text(
        "categories:\n- food\nconversations:\n- - Do you drink?\n  - no\n"
        "- - How many?\n  - 42\n  - |-\n    a\n      b\n- lost its dash\n"
    )
    frames, steps = conversations.read_chatterbot({path.name: path})
    # To YAML 1.2 `no` is a word; 42 is a number, and was text to its writer.
    assert frames["train"].rows() == [("food/1", "Do you drink?\nno", None), ("food/2", "How many?\n42\na b", None)]
    assert steps[1] == "Conversations of a single turn left out: 1."
    for bad in ("a: [", "conversations: 3", "- a", "!!python/object:os.system {}", "conversations: [\x00]"):
        path.write_text(bad)
        with pytest.raises(InputError, match=r"food\.yml"):
            conversations.read_chatterbot({path.name: path})


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00broken", b"PK\x03\x04broken"])
def test_damaged_archives(tmp_path: Path, content: bytes) -> None:
    for name, read in (
        ("rt-polaritydata.tar.gz", named.read_mr),
        ("qc.zip", named.NAMED["trec-qc"].read),
        ("aclImdb_v1.tar.gz", named.read_imdb),
        ("fra-eng.zip", named.NAMED["tatoeba-en-fr"].read),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError, match=name):
            read({name: path})


def test_archives_without_the_expected_members(tmp_path: Path) -> None:
    path = tar(tmp_path / "rt-polaritydata.tar.gz", {"other": b""})
    with pytest.raises(InputError, match=r"rt-polarity\.pos"):
        named.read_mr({path.name: path})


# ---- Opening --------------------------------------------------------------------------------------------------------


class Toy:
    """A named set of two lines that counts how often it is read."""

    def __init__(self, tmp_path: Path) -> None:
        self.times = 0
        self.path = tmp_path / "cache" / "datasets" / "toy" / "toy.txt"
        self.path.parent.mkdir(parents=True)
        self.path.write_text("a\nb")
        toy = Remote("toy.txt", "https://127.0.0.1/toy.txt", sha256=hashlib.sha256(b"a\nb").hexdigest(), size=3)
        self.entry = named.NamedSet(
            "toy",
            "Letters.",
            "classification",
            Files("toy", ((toy,),), "CC0"),
            self.read,
            "https://127.0.0.1/",
            "Nobody 1999",
        )

    def read(self, paths: dict[str, Path]) -> tuple[dict[str, pl.DataFrame], tuple[str, ...]]:
        self.times += 1
        letters = paths["toy.txt"].read_text().split("\n")
        frame = pl.DataFrame({"id": ["0", "1"], "inputs": letters, "target": ["x", None]})
        return {"train": frame, "test": frame}, ("Split at newlines.",)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    made = Toy(tmp_path)
    monkeypatch.setitem(named.NAMED, "toy", made.entry)
    return made


def test_parsed_once_and_told_whole(toy: Toy) -> None:
    lines: list[str] = []
    first, source = named.open_named("toy", announce=lines.append)
    again, same = named.open_named("toy", announce=lines.append)
    assert toy.times == len(lines) == 1
    assert list(first) == list(again) == ["train", "test"]
    assert first["train"].frame.equals(again["train"].frame)
    assert first["train"].targets == ["x", None]
    assert first["train"].fingerprint == again["train"].fingerprint != first["test"].fingerprint
    assert source == same
    assert source.checksums == {"toy.txt": hashlib.sha256(b"a\nb").hexdigest()}
    assert source.steps == ("Split at newlines.",)
    assert source.licence == "CC0"


def test_a_new_reader_reads_anew(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = named.open_named("toy")
    monkeypatch.setitem(named.NAMED, "toy", replace(toy.entry, version=2))
    again, _ = named.open_named("toy")
    assert toy.times == 2
    assert first["train"].fingerprint != again["train"].fingerprint


@pytest.mark.parametrize("damage", ["train.arrow gone", "set.json", "test.arrow"])
def test_a_damaged_entry_is_read_anew(toy: Toy, damage: str) -> None:
    first, _ = named.open_named("toy")
    (entry,) = (cache_folder() / "named").iterdir()
    file = entry / damage.removesuffix(" gone")
    if damage.endswith("gone"):
        file.unlink()
    else:
        file.write_bytes(b"\0" * file.stat().st_size)
    again, _ = named.open_named("toy")
    assert toy.times == 2
    assert first["test"].frame.equals(again["test"].frame)


def test_a_cache_in_a_folder_with_wildcards_in_its_name(
    toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "a[1]*?b"
    (tmp_path / "cache").rename(odd)
    monkeypatch.setenv("LSTMLAB_CACHE", str(odd))
    for _ in range(2):
        assert len(named.open_named("toy")[0]["train"]) == 2
    assert toy.times == 1


def test_without_a_cache_it_still_opens(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared = tmp_path / "shared"
    (tmp_path / "cache" / "datasets").rename(shared)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LSTMLAB_DATA", str(shared))
    monkeypatch.setenv("LSTMLAB_CACHE", str(tmp_path / "file"))
    lines: list[str] = []
    parts, _ = named.open_named("toy", announce=lines.append)
    assert parts["train"].inputs == ["a", "b"]
    assert any("working without it" in line for line in lines)


def test_unknown_names_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'no data set "imbd"\. Did you mean imdb\?'):
        named.open_named("imbd")
    with pytest.raises(InputError, match="LSTMLAB_OFFLINE") as told:
        named.open_named("trec-qc")
    for word in ("train_5500.label", "TREC_10.label", "qc.zip", str(tmp_path / "cache" / "datasets" / "trec-qc")):
        assert word in str(told.value)


def test_the_list(toy: Toy) -> None:
    rows = {row.name: row for row in named.listed()}
    assert list(rows) == list(named.NAMED)
    assert rows["toy"] == named.Listed("toy", "classification", 3, "CC0", str(toy.path.parent))
    assert rows["phrases"].place == "part of lstmlab"
    assert rows["imdb"].place == "not here"
    assert rows["imdb"].size == 84_125_825


MOVING = {"tatoeba-en-fr", "tatoeba-en-hi", "dailydialog", "simple-dialogs", "chatterbot-corpus-en"}
"""What has no checksum to pin: its publisher changes it, or never told one."""


@pytest.mark.parametrize("name", named.NAMED)
def test_every_entry_is_complete(name: str) -> None:
    entry = named.NAMED[name]
    assert entry.frozen == (name not in MOVING)
    assert entry.name == name
    assert all((entry.about.endswith("."), entry.task, entry.citation, entry.files.licence))
    assert bool(entry.languages) == (entry.task == "translation")
    if name == "phrases":
        assert not any(entry.files.layouts)
        return
    secure = ("https://", "http://") if name == "dailydialog" else ("https://",)
    assert entry.homepage.startswith(secure)
    unmeasured = ("wikitext-2",)  # its archive's checksum is published, how large it is is not
    assert bool(entry.files.size) == (entry.frozen and name not in unmeasured)
    addresses = [remote.address for remote in entry.files.layouts[0]]
    assert all(address.startswith(secure) for address in addresses) or name == "simple-dialogs"
    pins = [pin for layout in entry.files.layouts for remote in layout for pin in (remote.sha256, remote.md5) if pin]
    assert all(len(pin) in (32, 64) and set(pin) <= set("0123456789abcdef") for pin in pins)


# ---- The real files -------------------------------------------------------------------------------------------------

REAL = {
    "imdb": {"train": (25_000, {"neg": 12_500, "pos": 12_500}), "test": (25_000, {"neg": 12_500, "pos": 12_500})},
    "mr": {"train": (10_662, {"neg": 5331, "pos": 5331})},
    "trec-qc": {
        "train": (5452, {"ABBR": 86, "DESC": 1162, "ENTY": 1250, "HUM": 1223, "LOC": 835, "NUM": 896}),
        "test": (500, {"ABBR": 9, "DESC": 138, "ENTY": 94, "HUM": 65, "LOC": 81, "NUM": 113}),
    },
}


def real(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (Path(SHARED) / named.NAMED[name].files.folder).is_dir() or not SHARED:
        pytest.skip(f"needs the files of {name}: set LSTMLAB_DATA to the folder of data sets")
    monkeypatch.setenv("LSTMLAB_DATA", SHARED)


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real(name, monkeypatch)
    parts, _ = named.open_named(name)
    assert {
        part: (len(corpus), dict(corpus.frame["target"].value_counts().sort("target").iter_rows()))
        for part, corpus in parts.items()
    } == REAL[name]
    for corpus in parts.values():
        assert corpus.frame["id"].is_unique().all()
        assert corpus.frame["inputs"].str.strip_chars().ne("").all()
        assert not corpus.frame["inputs"].str.contains("<br />", literal=True).any()


PAIRED = {
    "multi30k": {"train": 29_000, "valid": 1014, "test": 1000},
    "dailydialog": {"train": 11_118, "valid": 1000, "test": 1000},
    "simple-dialogs": {"train": 345},
    "chatterbot-corpus-en": {"train": 2025},
    "tatoeba-en-hi": {"train": 3117},
    "tatoeba-en-fr": {"train": 142_787},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRED)
def test_real_pairs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real(name, monkeypatch)
    parts, source = named.open_named(name)
    assert {part: len(corpus) for part, corpus in parts.items()} == PAIRED[name]
    assert tuple(parts) == named.NAMED[name].parts
    assert source.address
    for corpus in parts.values():
        assert corpus.frame["id"].is_unique().all()
        assert corpus.frame["inputs"].str.strip_chars().ne("").all()
        if named.NAMED[name].languages:
            assert corpus.frame["target"].str.strip_chars().ne("").all()
        else:
            assert corpus.frame["target"].is_null().all()
            assert corpus.frame["inputs"].str.contains("\n", literal=True).all()


def test_real_fine_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    real("trec-qc-fine", monkeypatch)
    parts, _ = named.open_named("trec-qc-fine")
    assert parts["train"].frame["target"].n_unique() == 50


@pytest.mark.slow
def test_a_second_opening_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    real("imdb", monkeypatch)
    named.open_named("imdb")
    times = []
    for _ in range(3):
        start = time.perf_counter()
        named.open_named("imdb")
        times.append(time.perf_counter() - start)
    assert min(times) < 0.4
