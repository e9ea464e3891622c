"""Pairs of texts: read from every kind of file, split so that no source is on both sides, refused where out of step."""

import gzip
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lstmlab.data import grouping
from lstmlab.data.corpus import Dataset
from lstmlab.data.datasets import aligned, dialogues
from lstmlab.data.pairs import DialogueData, TranslationData, load_pairs, read_part
from lstmlab.errors import InputError

PAIRS = [(f"sentence number {at}", f"phrase numéro {at} !") for at in range(100)]


def put(path: Path, content: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def lines(texts: list[str]) -> str:
    return "".join(f"{text}\n" for text in texts)


def table(path: Path, pairs: list[tuple[str, str]], head: str = "") -> str:
    return put(path, head + lines(["\t".join(pair) for pair in pairs]))


def sides(folder: Path, stem: str, pairs: list[tuple[str, str]] = PAIRS) -> tuple[str, str]:
    sources, targets = zip(*pairs, strict=True)
    return put(folder / f"{stem}.en", lines(sources)), put(folder / f"{stem}.fr", lines(targets))


def translated(**given: Any) -> Dataset:
    return load_pairs(TranslationData(**given), 0)


def replied(**given: Any) -> Dataset:
    return load_pairs(DialogueData(**given), 0)


def together(data: Dataset) -> list[tuple[str, str]]:
    return sorted((one.inputs, one.target) for part in data.parts.values() for one in part)


def sizes(data: Dataset) -> dict[str, int]:
    return {part: len(corpus) for part, corpus in data.parts.items()}


def refused(*words: str, **given: Any) -> str:
    with pytest.raises(InputError) as told:
        translated(**given)
    for word in words:
        assert word in str(told.value), told.value
    return str(told.value)


# ---- One's own files ------------------------------------------------------------------------------------------------


def test_every_way_to_bring_pairs_gives_the_same_pairs(tmp_path: Path) -> None:
    frame = pl.DataFrame(PAIRS, schema=["english", "french"], orient="row")
    frame.write_csv(tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_ndjson(tmp_path / "a.jsonl")
    named = {"source": "english", "target": "french"}
    en, fr = sides(tmp_path / "folder", "train")
    zipped = put(tmp_path / "train.en.gz", gzip.compress(Path(en).read_bytes()))
    ways: list[dict[str, Any]] = [
        *({"path": str(tmp_path / f"a.{ending}"), **named} for ending in ("csv", "parquet", "jsonl")),
        {"path": table(tmp_path / "b.tsv", PAIRS, "english\tfrench\n"), **named},
        {"path": table(tmp_path / "b.txt", PAIRS, "english\tfrench\n"), **named},
        {"path": table(tmp_path / "c.tsv", PAIRS)},
        {"path": table(tmp_path / "c.txt", PAIRS)},
        {"path": table(tmp_path / "d.tsv", [(f"{a}\t{b}", "CC-BY") for a, b in PAIRS])},
        {
            "path": table(tmp_path / "e.tsv", [(f"{b}\t{at}", a) for at, (a, b) in enumerate(PAIRS)]),
            "source": 3,
            "target": 1,
        },
        {"source": en, "target": fr},
        {"source": zipped, "target": fr},
        {"path": str(tmp_path / "folder"), "source": "en", "target": "fr"},
        {"path": str(tmp_path / "folder"), "source": ".en", "target": ".fr"},
    ]
    for way in ways:
        data = translated(**way)
        assert together(data) == sorted(PAIRS), way
        assert sizes(data) == {"train": 81, "valid": 9, "test": 10}
        assert data.train.frame.columns == ["id", "inputs", "target"]
        assert data.source.checksums


def test_only_newlines_end_a_line(tmp_path: Path) -> None:
    odd = [("one\u2028here\x85", "un\x0b\x0c ici\x1c"), (" two ", "deux\u2029"), *PAIRS]
    en, fr = sides(tmp_path, "train", odd)
    put(tmp_path / "train.fr", "\ufeff" + Path(fr).read_text().replace("\n", "\r\n").rstrip())
    assert together(translated(source=en, target=fr)) == sorted(odd)
    path = table(tmp_path / "a.tsv", odd)
    put(tmp_path / "a.tsv", "\ufeff" + Path(path).read_text().replace("\n", "\r\n"))
    assert together(translated(path=path)) == sorted(odd)
    assert together(translated(path=put(tmp_path / "b.txt", Path(path).read_bytes()))) == sorted(odd)


def test_a_cell_of_several_lines_is_one_sentence(tmp_path: Path) -> None:
    """Lines of a source would be turns to the model, and a typed sentence is put on one line as well."""
    rows = [{"source": f"dog {at}, \r\n  cat", "target": f"chien {at},\nchat\n"} for at in range(40)]
    path = put(tmp_path / "a.jsonl", "\n".join(json.dumps(row) for row in rows))
    found = together(translated(path=path, source="source", target="target"))
    assert found[0] == ("dog 0, cat", "chien 0, chat")
    assert found[0][0] == dialogues.flat(rows[0]["source"])


def test_encodings(tmp_path: Path) -> None:
    en, fr = sides(tmp_path, "train")
    put(tmp_path / "train.fr", Path(fr).read_text().encode("cp1252"))
    refused("train.fr", "data.encoding=cp1252", source=en, target=fr)
    assert together(translated(source=en, target=fr, encoding="cp1252")) == sorted(PAIRS)


def test_parts_of_their_own(tmp_path: Path) -> None:
    en, fr = sides(tmp_path, "train")
    valid, _ = sides(tmp_path, "val", [("v", "w"), ("v2", "w2")])
    test, _ = sides(tmp_path, "test2016", [("t", "u")])
    data = translated(source=en, target=fr, valid=valid, test=test)
    assert sizes(data) == {"train": 100, "valid": 2, "test": 1}
    assert data.test is not None
    assert data.test[0].target == "u"
    folder = translated(path=str(tmp_path), source="en", target="fr")
    assert sizes(folder) == sizes(data)
    tables = {"path": table(tmp_path / "a.tsv", PAIRS), "test": table(tmp_path / "b.tsv", [("t", "u")])}
    assert sizes(translated(**tables)) == {"train": 90, "valid": 10, "test": 1}


def test_several_test_files_are_asked_about(tmp_path: Path) -> None:
    for stem in ("train", "test_2016", "test_2017"):
        sides(tmp_path, stem)
    way = {"path": str(tmp_path), "source": "en", "target": "fr", "drop_repeated": False}
    refused("test_2016, test_2017", "test=test_2016.en", **way)
    assert sizes(translated(**way, test="test_2017"))["test"] == 100
    assert sizes(translated(**way, test="test_2017.en"))["test"] == 100
    refused("no test_2018.en", "test_2017", **way, test="test_2018")
    sides(tmp_path, "test", [("t", "u")])
    assert sizes(translated(**way))["test"] == 1


def test_folders_that_lack_something(tmp_path: Path) -> None:
    way = {"path": str(tmp_path), "source": "en", "target": "fr"}
    refused("no files that end in .en", **way)
    sides(tmp_path, "train")
    refused("no files that end in .eng", "Did you mean source=en?", **{**way, "source": "eng"})
    refused("endings of its two sides", "en, fr", path=str(tmp_path))
    refused('both "en"', **{**way, "target": "en"})
    put(tmp_path / "val.en", "one\n")
    refused("val.en has no other side", "val.fr", **way)
    (tmp_path / "val.en").unlink()
    for ending in ("en", "fr"):
        (tmp_path / f"train.{ending}").rename(tmp_path / f"europarl-v7.{ending}")
    assert sizes(translated(**way))["train"] == 81
    sides(tmp_path, "other")
    refused("no train part", "europarl-v7, other", **way)


def test_the_other_side_of_a_file(tmp_path: Path) -> None:
    for name in ("en/val.txt", "fr/val.txt", "en/val.en", "fr/val.fr", "dev.src", "dev.tgt.gz", "x.val.en", "alone.en"):
        put(tmp_path / name, "")

    def other(file: str, source: str, target: str) -> str:
        found = aligned.other_side(tmp_path / file, tmp_path / source, tmp_path / target)
        return str(found.relative_to(tmp_path))

    assert other("en/val.txt", "en/train.txt", "fr/train.txt") == "fr/val.txt"
    assert other("en/val.en", "en/train.en", "fr/train.fr") == "fr/val.fr"
    assert other("dev.src", "train.src", "train.tgt") == "dev.tgt.gz"
    assert other("dev.src", "train.src.gz", "train.tgt") == "dev.tgt.gz"
    for file, source, target, said in (
        ("alone.en", "train.en", "train.fr", "alone.en has no other side: expected .*alone.fr"),
        ("en/val.txt", "train.en", "lesson.fr", "differ in more than one word"),
        ("dev.src", "train.en", "train.fr", 'expected a name with "en" in it'),
        ("gone.en", "train.en", "train.fr", "gone.en: no such file"),
    ):
        with pytest.raises(InputError, match=said):
            other(file, source, target)


# ---- What is wrong with them ----------------------------------------------------------------------------------------


def test_sides_out_of_step_say_where(tmp_path: Path) -> None:
    texts = [("word " * (3 + 7 * at % 23), "mot " * (3 + 7 * at % 23)) for at in range(200)]
    en, fr = sides(tmp_path, "train", texts)
    kept = [target for _, target in texts]
    put(tmp_path / "train.fr", lines(kept[:120] + kept[121:]))
    told = refused("train.en has 200 lines", "train.fr has 199", "lose step near line", source=en, target=fr)
    assert abs(int(told.rsplit(" ", 1)[1].rstrip(".")) - 121) <= 2
    put(tmp_path / "train.fr", lines([*kept[:50], "", *kept[50:]]))
    refused("Line 51 is blank in train.fr and not in train.en", source=en, target=fr)
    put(tmp_path / "train.fr", lines([*kept, "", " "]))
    data = translated(source=en, target=fr)
    assert len(together(data)) == 200
    assert "2 blank lines at the end of one file left out." in data.source.steps


def test_one_file_for_both_sides(tmp_path: Path) -> None:
    en, _ = sides(tmp_path, "train")
    refused("for both sides", source=en, target=en)
    (tmp_path / "link.fr").symlink_to(en)
    refused("for both sides", source=en, target=str(tmp_path / "link.fr"))
    same = put(tmp_path / "copy.fr", Path(en).read_bytes())
    refused("all 100 targets are the same as their sources", source=en, target=same)


def test_empty_sides_are_left_out_and_told(tmp_path: Path) -> None:
    holes = [("", "rien"), ("nothing", " "), ("", ""), ("Paris", "Paris"), *PAIRS]
    en, fr = sides(tmp_path, "train", holes)
    data = translated(source=en, target=fr)
    assert len(together(data)) == 101
    assert "3 pairs of 104 with an empty side left out." in data.source.steps
    assert "1 pair of 101 with a target that is its source." in data.source.steps
    put(tmp_path / "train.fr", "\n" * 104)
    refused("every pair has an empty side", source=en, target=fr)
    frame = pl.DataFrame({"a": ["one", None, "three"], "b": ["un", "deux", None]})
    frame.write_parquet(tmp_path / "a.parquet")
    refused("too few", path=str(tmp_path / "a.parquet"), source="a", target="b")


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    headed = table(tmp_path / "a.tsv", PAIRS, "english\tfrench\n")
    bare = table(tmp_path / "b.tsv", PAIRS)
    refused("which columns?", "english, french", path=headed)
    refused("which columns?", path=headed, source="english")
    refused('no column "englisch"', "Did you mean source=english?", path=headed, source="englisch", target="french")
    refused('both "english"', path=headed, source="english", target="english")
    refused('no column "3"', "1, 2", path=bare, source=1, target=3)
    refused("line 3: 1 fields, expected 2", path=put(tmp_path / "c.tsv", "a\tb\nc\td\ne\n"))
    refused("no tabs", path=put(tmp_path / "c.tsv", "a\nb\n"))
    refused("nothing but blank lines", path=put(tmp_path / "c.tsv", "\n \n"))
    refused("no such file", path=str(tmp_path / "none.tsv"))
    refused("no data", source=headed)
    refused("no data")
    listed = put(tmp_path / "l.jsonl", '{"source": ["a"], "target": "b"}\n')
    refused('the column "source" holds', path=listed)


# ---- Splits ---------------------------------------------------------------------------------------------------------


def key(text: str) -> str:
    return grouping.keys(pl.Series([text]))[0]


def test_one_source_is_in_one_part(tmp_path: Path) -> None:
    pairs = [(f"{'Go' if at % 2 else 'go'} to {at // 4}{' !' if at % 3 else ''}", f"va {at}") for at in range(800)]
    path = table(tmp_path / "a.tsv", pairs)
    data = translated(path=path)
    found = {part: {key(text) for text in corpus.inputs} for part, corpus in data.parts.items()}
    assert not found["train"] & found["test"]
    assert not found["train"] & found["valid"]
    assert not found["valid"] & found["test"]
    assert sizes(data) == {"train": 648, "valid": 72, "test": 80}
    assert any(
        "80 pairs split off for testing, all pairs with one source together, seed 0" in s for s in data.source.steps
    )
    assert any("0 of 80 test targets also stand in training" in step for step in data.source.steps)


def test_keys_ignore_what_makes_no_sentence() -> None:
    assert key("Don't  go!") == key("don’t go") == key("DONT GO …")
    assert key("café") == key("cafe\u0301")
    assert key("straße") == key("STRASSE")
    assert key("कि") != key("क")  # signs for vowels are no punctuation
    assert key("?") != key("!")


def test_the_split_depends_on_seed_and_content_alone(tmp_path: Path) -> None:
    there = translated(path=table(tmp_path / "a.tsv", PAIRS))
    back = translated(path=table(tmp_path / "b.tsv", PAIRS[::-1]))
    assert there.test is not None
    assert back.test is not None
    assert sorted(there.test.inputs) == sorted(back.test.inputs)
    other = load_pairs(TranslationData(path=str(tmp_path / "a.tsv")), 1)
    assert other.test is not None
    assert sorted(there.test.inputs) != sorted(other.test.inputs)


def test_limit_and_validation_never_move_a_test_example(tmp_path: Path) -> None:
    path = table(tmp_path / "a.tsv", PAIRS)
    plain, limited = translated(path=path), translated(path=path, limit=50, valid_fraction=0.4)
    assert plain.test is not None
    assert limited.test is not None
    assert plain.test.inputs == limited.test.inputs
    assert sizes(limited) == {"train": 30, "valid": 20, "test": 10}
    assert any("limited to 50 pairs" in step for step in limited.source.steps)


def test_too_few_sources_to_split(tmp_path: Path) -> None:
    path = table(tmp_path / "a.tsv", [("same", f"target {at}") for at in range(50)])
    refused("50 pairs are too few to split off 10%", "only one such group", path=path)


def test_overlap_with_training_is_told(tmp_path: Path) -> None:
    en, fr = sides(tmp_path, "train")
    sides(
        tmp_path,
        "test",
        [("Sentence number 3", "PHRASE numéro 3!"), ("other", "phrase numéro 4 !"), ("new", "new one")],
    )
    way = {"source": en, "target": fr, "test": str(tmp_path / "test.en")}
    whole = translated(**way, drop_repeated=False)
    steps = whole.source.steps
    assert "1 of 3 test pairs also stand in training, source and target." in steps
    assert "1 of 3 test sources also stand in training." in steps
    assert "2 of 3 test targets also stand in training." in steps
    fresh = translated(**way)
    assert sizes(fresh)["train"] == sizes(whole)["train"] - 1
    assert "phrase numéro 3 !" not in fresh.train.targets
    assert any("1 training pair left out" in step for step in fresh.source.steps)
    refused("nothing is left", source=en, target=fr, test=en)


# ---- Dialogue -------------------------------------------------------------------------------------------------------

TALKS = [[f"t{at}-{turn}" for turn in range(4)] for at in range(30)]


def test_every_way_to_bring_dialogues(tmp_path: Path) -> None:
    ways = [
        put(tmp_path / "a.jsonl", lines([json.dumps({"turns": talk}) for talk in TALKS])),
        put(tmp_path / "b.jsonl", lines([json.dumps({"messages": [{"content": t} for t in talk]}) for talk in TALKS])),
        put(tmp_path / "c.txt", lines([" __eou__ ".join(talk) + " __eou__" for talk in TALKS])),
        put(tmp_path / "d.txt", "\n\n \n".join("\r\n".join(talk) for talk in TALKS)),
        table(tmp_path / "e.tsv", [(a, b) for talk in TALKS for a, b in pairwise(talk)]),
    ]
    for path in ways:
        data = replied(path=path, turns=2)
        assert sum(sizes(data).values()) == 90, path
        assert ("t3-1\nt3-2", "t3-3") in together(data), path
        assert ("t3-0", "t3-1") in together(data), path
        # Whole dialogues: none of them is in two parts.
        talks = [{text.split("-")[0] for text in part.targets} for part in data.parts.values()]
        assert sum(map(len, talks)) == 30
    assert ("t3-0\nt3-1\nt3-2", "t3-3") in together(replied(path=ways[0], turns=5))
    assert ("t3-2", "t3-3") in together(replied(path=ways[0], turns=1))
    assert any("turns=3 would read the same" in step for step in replied(path=ways[0], turns=5).source.steps)
    assert any("90 questions and replies became 30 dialogues" in step for step in replied(path=ways[4]).source.steps)


def test_dialogues_that_open_alike_stay_together(tmp_path: Path) -> None:
    talks = [[f"Hello {at % 15}{'!' * (at % 2)}", f"reply {at}", f"more {at}"] for at in range(60)]
    data = replied(path=put(tmp_path / "a.jsonl", lines([json.dumps({"turns": talk}) for talk in talks])))
    openings = [{key(text.split("\n")[0]) for text in part.inputs} for part in data.parts.values()]
    assert not openings[0] & openings[2]


def test_questions_and_replies_in_columns(tmp_path: Path) -> None:
    pairs = [(f"question {at}", f"answer\n{at}") for at in range(40)]
    pl.DataFrame([*pairs, (" ", "x")], schema=["q", "a"], orient="row").write_csv(tmp_path / "a.csv")
    data = replied(path=str(tmp_path / "a.csv"), source="q", target="a", turns=1)
    assert together(data) == sorted((a, b.replace("\n", " ")) for a, b in pairs)
    assert "1 pair of 41 with an empty side left out." in data.source.steps
    (en, fr) = sides(tmp_path, "train")
    assert together(replied(source=en, target=fr)) == sorted(PAIRS)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", "one\ntwo\n\n__eou__", "no dialogue of two turns or more"),
        ("a.txt", "one\n\ntwo\n\nthree\n", "blank line between dialogues"),
        ("a.txt", " \n", "nothing but blank lines"),
        ("a.jsonl", '{"turns": ["a"]}\n', "no dialogue of two turns"),
        ("a.jsonl", '{"turns": ["a", 3]}\n', 'line 1, turn 2 of "turns": expected text'),
        ("a.jsonl", '{"turns": ["a", "b"]}\n{"turn": 3}\n', 'line 2: expected {"turns"'),
        ("a.jsonl", '{"turns": ["a", "b"]}\nx\n', "line 2: not JSON"),
        ("a.jsonl", '{"turns": ["a", "\\ud800"]}\n', "half a character"),
        ("a.jsonl", '{"turns": ["a", "b"]}\n', "too few to split off"),
        ("a.jsonl", '{"a": "b", "c": "d"}\n', "which columns?"),
    ],
)
def test_what_is_no_dialogue(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(InputError, match="a.") as told:
        replied(path=put(tmp_path / name, content))
    assert said in str(told.value)


def test_columns_of_whole_dialogues_are_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", '{"turns": ["a", "b"]}\n')
    with pytest.raises(InputError, match=r"data\.source names a column, and .* holds whole dialogues"):
        replied(path=path, source="turns", target="reply")


# ---- Settings -------------------------------------------------------------------------------------------------------


def test_two_sources_are_refused() -> None:
    with pytest.raises(ValueError, match="give one"):
        TranslationData(name="phrases", path="a.tsv")


def test_languages_of_a_named_set() -> None:
    refused('no language "it"', "en, fr", name="phrases", source="it")
    refused("both fr", name="phrases", source="fr", target="fr")
    assert "Translated is from fr to en." in translated(name="phrases", source="fr").source.steps
    assert "Translated is from fr to en." in translated(name="phrases", target="en").source.steps
    refused('no data set "phrasess". Did you mean phrases?', name="phrasess")
    refused("dailydialog is a data set for dialogue", "multi30k", name="dailydialog")
    refused("imdb is a data set for classification", name="imdb")


def test_what_has_no_effect_is_known(tmp_path: Path) -> None:
    assert TranslationData(name="tatoeba-en-fr").idle().keys() == {"valid", "test", "encoding"}
    idle = TranslationData(name="multi30k").idle()
    assert idle.keys() == {"valid", "test", "encoding", "valid_fraction", "test_fraction"}
    assert {"source", "target"} <= DialogueData(name="dailydialog").idle().keys()
    assert TranslationData(path="a.tsv").idle() == {}
    assert TranslationData(path="a.tsv", test="b.tsv").idle() == {"test_fraction": "the test part is b.tsv"}
    assert TranslationData(path="a.parquet").idle().keys() == {"encoding"}
    sides(tmp_path, "train")
    sides(tmp_path, "dev")
    folder = TranslationData(path=str(tmp_path), source="en", target="fr")
    assert folder.idle().keys() == {"valid_fraction"}


def test_paths_are_made_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sides(tmp_path / "d", "train")
    files = TranslationData(source="d/train.en", target="d/train.fr", valid="d/train.en").located()
    assert (files.source, files.valid) == (str(tmp_path / "d" / "train.en"), str(tmp_path / "d" / "train.en"))
    folder = TranslationData(path="d", source="en", target="fr", test="train").located()
    assert (folder.path, folder.source, folder.test) == (str(tmp_path / "d"), "en", "train")
    assert TranslationData(name="multi30k", source="de").located().source == "de"
    assert TranslationData(path="a.tsv", source=1).located().source == "1"


def test_one_more_file_to_score(tmp_path: Path) -> None:
    en, fr = sides(tmp_path, "train")
    more, _ = sides(tmp_path, "more", [("t", "u"), ("", "x")])
    for settings in (
        TranslationData(source=en, target=fr),
        TranslationData(path=str(tmp_path), source="en", target="fr"),
    ):
        part, steps = read_part(Path(more), settings)
        assert [(one.inputs, one.target) for one in part] == [("t", "u")]
        assert steps == ("1 pair of 2 with an empty side left out.",)
    bare = Path(table(tmp_path / "more.tsv", [("t", "u")]))
    assert read_part(bare, TranslationData(name="multi30k", source="de", target="fr"))[0].targets == ["u"]
    assert read_part(bare, DialogueData(name="dailydialog"))[0].targets == ["u"]


# ---- The real files -------------------------------------------------------------------------------------------------

REAL = [
    (TranslationData(name="multi30k", source="fr", target="de"), {"train": 29_000, "valid": 1014, "test": 1000}),
    (TranslationData(name="tatoeba-en-fr"), {"train": 115_658, "valid": 12_850, "test": 14_279}),
    (TranslationData(name="tatoeba-en-hi"), {"train": 2525, "valid": 280, "test": 312}),
    (DialogueData(name="dailydialog"), {"train": 72_719, "valid": 7069, "test": 6740}),
    (DialogueData(name="simple-dialogs"), {"train": 3015, "valid": 338, "test": 372}),
    (DialogueData(name="chatterbot-corpus-en"), {"train": 1868, "valid": 207, "test": 231}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("settings", "counts"), REAL, ids=lambda value: getattr(value, "name", ""))
def test_real_sets(
    settings: TranslationData, counts: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (Path(os.environ.get("LSTMLAB_DATA", "")) / str(settings.name)).is_dir() or "LSTMLAB_DATA" not in os.environ:
        pytest.skip(f"needs the files of {settings.name}: set LSTMLAB_DATA to the folder of data sets")
    monkeypatch.setenv("LSTMLAB_CACHE", str(tmp_path))
    data = load_pairs(settings, 0)
    assert sizes(data) == counts
    assert data.test is not None
    for corpus in data.parts.values():
        assert corpus.frame["id"].is_unique().all()
        assert not corpus.frame.null_count().sum_horizontal()[0]
    if settings.task == "translation" and settings.name != "multi30k":
        assert not set(grouping.keys(data.train.frame["inputs"])) & set(grouping.keys(data.test.frame["inputs"]))
