"""Running text: every character of it in one part, in order; files, folders and named texts; what is refused."""

import gzip
import hashlib
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conftest import PLAIN
from lstmlab.data import prose
from lstmlab.data.corpus import Dataset
from lstmlab.data.datasets import named, prose_sets
from lstmlab.data.download import Remote
from lstmlab.data.fetch import Files
from lstmlab.data.prose import LONGEST, NEAR, ProseData, lines, load_prose
from lstmlab.errors import InputError

LINE = " ".join(PLAIN)
TEXT = "".join(f"{number} {LINE[: 10 + 7 * number % 60]}\n" for number in range(300))


def loaded(**settings: Any) -> Dataset:
    return load_prose(ProseData.model_validate({key: str(value) if isinstance(value, Path) else value
                                                for key, value in settings.items()}))  # fmt: skip


def text_of(data: Dataset, part: str) -> str:
    return "".join(data.parts[part].inputs)


def whole(data: Dataset) -> str:
    return "".join(text_of(data, part) for part in ("train", "valid", "test"))


def written(path: Path, text: str = TEXT) -> Path:
    path.write_bytes(text.encode())
    return path


# ---- Lines ----------------------------------------------------------------------------------------------------------


@given(st.text(st.sampled_from("ab \n\t\u2028\x85\x0b\x0c中"), max_size=200))
@example("")
@example("\n\n")
@example("no end")
def test_lines_end_to_end_are_the_text(text: str) -> None:
    frame = lines(text)
    assert "".join(frame["inputs"]) == text
    assert frame["id"].is_unique().all()
    assert all(one.count("\n") <= 1 for one in frame["inputs"])
    assert "" not in frame["inputs"].to_list()


@pytest.mark.parametrize("text", ["x" * 10_001, "word " * 3000, " " * 5000, f"{'y' * 3000} {'z' * 3000}\nend"])
def test_a_long_line_is_several_examples(text: str) -> None:
    frame = lines(text)
    assert "".join(frame["inputs"]) == text
    assert frame["inputs"].str.len_chars().max() <= LONGEST
    assert frame["id"].is_unique().all()
    assert frame["id"].to_list()[:2] == ["1", "1.1"]


def test_a_long_line_ends_before_a_blank() -> None:
    pieces = lines("word " * 3000)["inputs"].to_list()
    assert all(piece.startswith(" word") for piece in pieces[1:])
    assert all(piece.endswith("word") for piece in pieces[:-1])


# ---- Parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("valid", "test"), [(0.05, 0.1), (0.1, 0.1), (0.4, 0.4), (0.2, 0.05)])
def test_a_text_is_cut_in_order_and_nothing_is_lost(tmp_path: Path, valid: float, test: float) -> None:
    data = loaded(path=written(tmp_path / "a.txt"), valid_fraction=valid, test_fraction=test)
    assert whole(data) == TEXT
    assert [data.parts[part][0].id for part in data.parts] == ["train/1", "valid/1", "test/1"]
    assert len(text_of(data, "test")) == pytest.approx(test * len(TEXT), abs=(NEAR + 0.01) * len(TEXT))
    assert len(text_of(data, "valid")) == pytest.approx(valid * len(TEXT), abs=(NEAR + 0.01) * len(TEXT))
    for part in ("train", "valid"):
        assert text_of(data, part).endswith("\n")
    assert "Cut by length, in order: train" in data.source.steps[0]


@given(st.text(st.sampled_from("abc \n"), min_size=150, max_size=400))
def test_any_text_is_cut_without_loss_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = written(tmp_path_factory.getbasetemp() / "any.txt", text)
    try:
        assert whole(loaded(path=path)) == text
    except InputError as error:
        assert "characters of text" in str(error) or "part is empty" in str(error)  # noqa: PT017


def test_a_text_of_one_line_is_cut_before_a_blank(tmp_path: Path) -> None:
    text = " ".join(PLAIN * 60)
    data = loaded(path=written(tmp_path / "a.txt", text))
    assert whole(data) == text
    for part in ("valid", "test"):
        assert text_of(data, part).startswith(" ")
        assert not text_of(data, part).startswith("  ")


def test_a_text_without_blanks_is_cut_where_it_must(tmp_path: Path) -> None:
    text = "abcdefghij" * 100
    data = loaded(path=written(tmp_path / "a.txt", text))
    assert [len(text_of(data, part)) for part in ("train", "valid", "test")] == [800, 100, 100]
    assert whole(data) == text


def test_a_far_line_end_does_not_move_a_cut(tmp_path: Path) -> None:
    text = "abcdefghij" * 100 + "\n"
    assert len(text_of(loaded(path=written(tmp_path / "a.txt", text)), "test")) == pytest.approx(100, abs=2)


def test_parts_of_ones_own_are_taken_as_they_are(tmp_path: Path) -> None:
    train, other = written(tmp_path / "a.txt"), written(tmp_path / "b.txt", f"another text\nof {LINE}\n")
    data = loaded(path=train, valid=other, test=other)
    assert [text_of(data, part) for part in ("train", "valid", "test")] == [TEXT, other.read_text(), other.read_text()]
    assert not data.source.steps
    one = loaded(path=train, test=other)
    assert text_of(one, "train") + text_of(one, "valid") == TEXT
    assert text_of(one, "test") == other.read_text()
    assert len(text_of(one, "valid")) == pytest.approx(0.1 * len(TEXT), rel=0.3)
    last = loaded(path=train, valid=other)
    assert text_of(last, "train") + text_of(last, "test") == TEXT


def test_a_limit_takes_the_first_lines_of_training_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt")
    full, few = loaded(path=path), loaded(path=path, limit=7)
    assert few.train.inputs == full.train.inputs[:7]
    assert text_of(few, "test") == text_of(full, "test")
    assert "limited to its first 7 lines" in few.source.steps[-1]
    assert loaded(path=path, limit=10_000).train.inputs == full.train.inputs


def test_the_same_text_has_the_same_fingerprint_and_another_has_not(tmp_path: Path) -> None:
    first, again = loaded(path=written(tmp_path / "a.txt")), loaded(path=written(tmp_path / "b.txt"))
    assert first.train.fingerprint == again.train.fingerprint
    assert first.source.checksums == again.source.checksums
    other = loaded(path=written(tmp_path / "c.txt", TEXT.replace("film", "Film", 1)))
    assert other.train.fingerprint != first.train.fingerprint


# ---- Files ----------------------------------------------------------------------------------------------------------


def test_every_kind_of_line_end_is_a_newline(tmp_path: Path) -> None:
    for name, end in (("dos", "\r\n"), ("mac", "\r")):
        assert whole(loaded(path=written(tmp_path / f"{name}.txt", TEXT.replace("\n", end)))) == TEXT


def test_zipped_and_marked_files(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    (tmp_path / "b.txt").write_bytes(TEXT.encode("utf-8-sig"))
    (tmp_path / "c.txt").write_bytes(TEXT.replace("film", "café").encode("cp1252"))
    assert whole(loaded(path=tmp_path / "a.txt.gz")) == TEXT
    assert whole(loaded(path=tmp_path / "b.txt")) == TEXT
    assert "café" in whole(loaded(path=tmp_path / "c.txt", encoding="cp1252"))


def test_a_folder_is_read_in_order_of_name(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    half = len(TEXT) // 2
    written(folder / "2.txt", TEXT[half:])
    written(folder / "1.txt", TEXT[:half] + "\n")
    written(folder / "10.tokens", "the very last\n")
    written(folder / "notes.csv", "no,prose\n")
    (folder / "3.txt").mkdir()
    data = loaded(path=folder)
    assert whole(data) == TEXT[:half] + "\nthe very last\n" + TEXT[half:]
    assert data.source.checksums.keys() == {"train/1.txt", "train/10.tokens", "train/2.txt"}
    assert "3 files were read one after the other, in order of name" in data.source.steps[0]


def test_a_file_without_a_last_line_end_does_not_run_into_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    folder.mkdir()
    written(folder / "1.txt", f"{LINE}\nthe end")
    written(folder / "2.txt", f"begins here {LINE}")
    assert whole(loaded(path=folder)) == f"{LINE}\nthe end\nbegins here {LINE}"


def test_files_of_the_same_name_in_two_parts_are_told_apart(tmp_path: Path) -> None:
    """Otherwise a resumed run would not see that its training text has changed."""
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        written(tmp_path / part / "a.txt", TEXT if part == "train" else LINE)
    before = loaded(path=tmp_path / "train", test=tmp_path / "test").source.checksums
    written(tmp_path / "train" / "a.txt", TEXT + "more\n")
    assert loaded(path=tmp_path / "train", test=tmp_path / "test").source.checksums != before
    assert len(before) == 2


REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"the file is empty \(0 bytes\)"),
    "blank": (b" \n\n \n" * 99, r"0 characters of text, and a language model needs 100 at least"),
    "too short": (b"hello\n", r"bad.txt: 5 characters of text, and a language model needs 100"),
    "NUL": (b"ab\0cd" * 99, r"bad.txt: expected text, found a zero byte"),
    "a picture": (b"\x89PNG\r\n" * 99, r"found a PNG picture"),
    "not UTF-8": (b"caf\xe9 " * 99, r"bad.txt, line 1.*0xE9.*cp1252 fits"),
    "blank at the end": (b"a" * 150 + b"\n" * 150, r"bad.txt: the (valid|test) part is empty; give more text"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_no_model_can_learn_from_is_refused(tmp_path: Path, kind: str) -> None:
    content, told = REFUSED[kind]
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(InputError, match=told):
        loaded(path=tmp_path / "bad.txt")


def test_other_refusals(tmp_path: Path) -> None:
    good, blank = written(tmp_path / "good.txt"), written(tmp_path / "blank.txt", "\n \n")
    (tmp_path / "empty").mkdir()
    for settings, told in (
        ({}, "no data: give data.name=NAME .* or data.path=FILE"),
        ({"path": tmp_path / "godo.txt"}, "no such file. Did you mean .*good.txt"),
        ({"path": tmp_path / "empty"}, r"no text file in this folder; expected names that end in \.txt"),
        ({"path": good, "test": blank}, "good.txt: the test part is empty"),
        ({"path": good, "valid": tmp_path / "gone.txt"}, "gone.txt: no such file"),
        ({"path": good, "valid_fraction": 0.5, "test_fraction": 0.5}, "add up to 1 or more"),
        ({"name": "imdb"}, "imdb is a data set for classification, not for language-model. .*tinyshakespeare"),
        ({"name": "tinyshakespear"}, "Did you mean tinyshakespeare"),
    ):
        with pytest.raises(InputError, match=told):
            loaded(**settings)


def test_one_more_file_is_read_as_lines(tmp_path: Path) -> None:
    part = prose.read_file(written(tmp_path / "a.txt", "one\r\ntwo"))
    assert part.inputs == ["one\n", "two"]
    assert part.targets == [None, None]
    with pytest.raises(InputError, match="is empty"):
        prose.read_file(written(tmp_path / "b.txt", ""))


# ---- Named texts ----------------------------------------------------------------------------------------------------

PARTS = {part: f" = {part} = \n\n the <unk> of {LINE} ,\n" * 4 for part in ("train", "valid", "test")}


@pytest.mark.parametrize("layout", ["files", "archive"])
def test_wikitext_in_both_layouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    folder = tmp_path / "data" / "wikitext-2"
    folder.mkdir(parents=True)
    if layout == "files":
        for part, name in prose_sets.WIKITEXT_PARTS.items():
            written(folder / name, PARTS[part])
    else:
        with zipfile.ZipFile(folder / "wikitext-2-v1.zip", "w") as archive:
            for part, name in prose_sets.WIKITEXT_PARTS.items():
                archive.writestr(f"wikitext-2/{name}", PARTS[part])
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    pinned = Files("wikitext-2", (tuple(Remote(name, sha256=sha) for name, sha in sorted(found.items())),))
    monkeypatch.setitem(named.NAMED, "wikitext-2", replace(named.NAMED["wikitext-2"], files=pinned))
    monkeypatch.setenv("LSTMLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LSTMLAB_CACHE", str(tmp_path / "cache"))
    data = loaded(name="wikitext-2")
    assert {part: text_of(data, part) for part in PARTS} == PARTS
    few = loaded(name="wikitext-2", limit=3)
    assert few.train.inputs == [" = train = \n", "\n", f" the <unk> of {LINE} ,\n"]
    assert text_of(few, "test") == PARTS["test"]


def test_an_archive_without_its_members_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "wikitext-2-v1.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("wikitext-2/wiki.train.tokens", "x")
    with pytest.raises(InputError, match="cannot be read as the archive it should be"):
        prose_sets.read_wikitext({path.name: path})
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match="cannot be read as the archive it should be"):
        prose_sets.read_wikitext({path.name: path})


def test_plays_are_one_text(tmp_path: Path) -> None:
    path = written(tmp_path / "input.txt", TEXT)
    frames, steps = prose_sets.read_plays({"input.txt": path})
    assert frames["train"].equals(
        pl.DataFrame({"id": ["input.txt"], "inputs": [TEXT], "target": [None]}, schema=frames["train"].schema)
    )
    assert not steps


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("LSTMLAB_DATA"), reason="LSTMLAB_DATA is not set: no real data")
def test_real_texts() -> None:
    data = loaded(name="tinyshakespeare", valid_fraction=0.05, test_fraction=0.1)
    sizes = {part: len(text_of(data, part)) for part in data.parts}
    assert sum(sizes.values()) == 1_115_394
    assert whole(data).startswith("First Citizen:\nBefore we proceed any further, hear me speak.\n")
    assert sizes["test"] == pytest.approx(111_539, abs=22_000)
    assert sizes["valid"] == pytest.approx(55_770, abs=22_000)
    wiki = loaded(name="wikitext-2")
    words = {part: sum(len(line.split()) for line in wiki.parts[part].inputs) for part in wiki.parts}
    assert words == {"train": 2_051_910, "valid": 213_886, "test": 241_211}
    assert [text_of(wiki, part).count("\n") for part in wiki.parts] == [36_718, 3_760, 4_358]
