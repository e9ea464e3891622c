"""What `data check` says of tagged sentences."""

import json
from pathlib import Path

import pytest

from lstmlab import api
from lstmlab.data.load import Watch
from lstmlab.data.tag_check import check_tagged
from lstmlab.data.tagging import TaggingData
from lstmlab.errors import InputError
from test_cli import Shell
from test_tagged import corpus

GOOD = [f"Anna{at}/B-PER visits/O Rome{at}/B-LOC" for at in range(40)]


def titles(settings: TaggingData) -> dict[str, tuple[str, str, int]]:
    _, findings = check_tagged(settings, 0)
    return {one.title: (one.level, one.text, one.count) for one in findings}


def parts(folder: Path, train: list[str], valid: list[str], test: list[str]) -> TaggingData:
    files = {
        name: corpus(folder / f"{name}.conll", rows) for name, rows in zip("abc", (train, valid, test), strict=True)
    }
    return TaggingData(path=files["a"], valid=files["b"], test=files["c"])


def test_sound_data_has_no_more_than_notes(tmp_path: Path) -> None:
    found = titles(parts(tmp_path, GOOD[:30], GOOD[30:35], GOOD[35:]))
    assert {level for level, _, _ in found.values()} == {"note"}
    assert found["Tags in train"][1] == "60 spans, BIO: PER 50.0 %, LOC 50.0 %."


def test_tags_that_cannot_stand_are_counted(tmp_path: Path) -> None:
    bad = ["a/O b/I-PER c/I-LOC", "a/B-PER b/I-LOC"]
    found = titles(parts(tmp_path, GOOD, [*GOOD[:3], *bad], GOOD))
    level, text, count = found["Tags in valid that cannot stand where they do"]
    assert (level, count) == ("problem", 2)
    assert text.startswith("3 tags of 2 sentences cannot be in BIO")
    assert "data.repair=true" in text
    assert "Tags in train that cannot stand where they do" not in found


def test_tags_that_training_lacks(tmp_path: Path) -> None:
    found = titles(parts(tmp_path, GOOD, GOOD, ["a/B-ORG b/I-ORG c/O", "a/B-PER"]))
    assert found["Tags of test that train lacks"] == ("problem", "ORG: 1 of test cannot be got right.", 1)
    assert "Tags of valid that train lacks" not in found


def test_sentences_in_several_parts_and_tagged_in_several_ways(tmp_path: Path) -> None:
    again = GOOD[0].replace("B-LOC", "O")
    found = titles(parts(tmp_path, [*GOOD[:30], again], GOOD[28:33], GOOD[33:]))
    assert found["Leak from train into valid"][2] == 2
    assert found["Duplicates within train"][2] == 1
    level, text, count = found["The same sentence tagged in several ways in train"]
    assert (level, count) == ("warning", 2)
    assert text.startswith("1 sentence stands there with different tags, 2 times")


def test_plain_tags_and_rare_ones(tmp_path: Path) -> None:
    rows = [f"a{at}/DET b{at}/NOUN c{at}/VERB" for at in range(40)]
    found = titles(parts(tmp_path, [*rows, "hm/INTJ"], rows, rows))
    assert found["Rare tags in train"][1] == "1 tag has fewer than 10 words in train: INTJ."
    assert found["Tags in train"][1].startswith("121 words, tags that mark no spans: DET 33.1 %")
    assert titles(parts(tmp_path, ["a/X b/X"] * 9, rows, rows))["One tag only in train"][0] == "problem"


def test_sentences_without_words(tmp_path: Path) -> None:
    rows = [{"tokens": [f"a{at}", "b"] if at else [], "tags": ["B-X", "O"] if at else []} for at in range(30)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert "1 sentences without words" in titles(TaggingData(path=str(path)))["Left out in reading"][1]


def test_ragged_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("a\tO\nb\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2: 1 columns, expected 2"):
        check_tagged(TaggingData(path=str(path)), 0)


def test_on_the_command_line(tmp_path: Path) -> None:
    path = corpus(tmp_path / "a.conll", [*GOOD, "a/O b/I-PER"])
    told = Shell(tmp_path).done("data", "check", path)
    assert "1 tag of 1 sentence cannot be in BIO" in told
    assert "Tags in train" in told
    found, findings = api.check_data(path, {}, Watch())
    assert sum(map(len, found.values())) == 41
    assert findings[0].level == "problem"
