"""Files are recognised for what they are, with reasons; where it is unsure, the guess says what to type."""

import io
import json
import os
import shlex
import tarfile
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from lstmlab.data import pair_guess
from lstmlab.data.guess import command, guess
from lstmlab.errors import InputError
from lstmlab.recipe import parse_overrides

TEXTS = [f"This is review number {at} and it says a few things about a film" for at in range(60)]
STARS = [str(1 + at % 5) for at in range(60)]
MOODS = ["pos", "neg", "neg"] * 20


def reviews(**columns: object) -> pl.DataFrame:
    return pl.DataFrame({"review": TEXTS, "stars": STARS, **columns})


def test_a_table_of_reviews_in_every_format(tmp_path: Path) -> None:
    frame = reviews()
    frame.write_csv(tmp_path / "r.csv")
    frame.write_csv(tmp_path / "r.tsv", separator="\t")
    frame.write_ndjson(tmp_path / "r.jsonl")
    frame.with_columns(pl.col("stars").cast(pl.Int8)).write_parquet(tmp_path / "r.parquet")
    for ending in ("csv", "tsv", "jsonl", "parquet"):
        found = guess(tmp_path / f"r.{ending}")
        assert found.sure, ending
        assert found.task == "classification"
        assert found.settings == {
            "data.path": str(tmp_path / f"r.{ending}"),
            "data.text": "review",
            "data.label": "stars",
        }
        assert '"stars" looks like a label: 5 different values in 60 rows.' in found.reasons
        assert not found.alternatives


def test_lists_of_words_and_tags(tmp_path: Path) -> None:
    rows = [{"id": at, "tokens": ["Anna", f"w{at}"], "ner_tags": ["B-PER", "O"]} for at in range(20)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = guess(path)
    assert (found.task, found.settings, found.sure) == ("tagging", {"data.path": str(path)}, True)
    assert found.reasons == ('"tokens" holds lists of words, and "ner_tags" a tag for each of them.',)
    frame = pl.DataFrame(rows).rename({"tokens": "left", "ner_tags": "right"})
    assert guess(frame).settings == {"data.text": "left", "data.label": "right"}
    frame.write_parquet(tmp_path / "a.parquet")
    assert guess(tmp_path / "a.parquet").settings.keys() == {"data.path", "data.text", "data.label"}
    ragged = frame.with_columns(pl.col("right").list.head(1))
    assert guess(ragged).task == "classification", "lists of other lengths are no tags, unless their names say so"
    assert guess(ragged.rename({"left": "tokens", "right": "tags"})).task == "tagging"


def test_data_frames_have_no_path() -> None:
    assert guess(reviews()).settings == {"data.text": "review", "data.label": "stars"}
    pd = pytest.importorskip("pandas")
    assert guess(pd.DataFrame({0: TEXTS, 1: MOODS})).settings == {"data.text": "0", "data.label": "1"}
    with pytest.raises(InputError, match="expected a polars or pandas data frame, got str"):
        guess("reviews.csv")


def test_a_file_sorted_by_label_is_looked_at_from_end_to_end(tmp_path: Path) -> None:
    pl.DataFrame(
        {"t": [f"one more text {at} to read" for at in range(4000)], "kind": ["a"] * 2000 + ["b"] * 2000}
    ).write_csv(tmp_path / "r.csv")
    assert guess(tmp_path / "r.csv").settings["data.label"] == "kind"


def test_the_name_decides_between_columns_of_few_values() -> None:
    found = guess(reviews(split=["train", "train", "test"] * 20, year=["2001", "2002"] * 30))
    assert found.sure
    assert found.settings["data.label"] == "stars"
    named = guess(pl.DataFrame({"body": TEXTS, "starRating": STARS, "shelf": MOODS}))
    assert named.settings["data.label"] == "starRating"
    assert named.sure


def test_two_labels_or_two_texts_are_asked_about() -> None:
    found = guess(reviews(sentiment=MOODS))
    assert not found.sure
    assert any("could be the label as well" in reason for reason in found.reasons)
    chosen = {found.settings["data.label"], *(word.partition("data.label=")[2] for word in found.alternatives)}
    assert chosen == {"stars", "sentiment"}
    pairs = guess(pl.DataFrame({"one": TEXTS, "two": TEXTS[::-1], "label": MOODS}))
    assert not pairs.sure
    assert "lstmlab train classification data.text=two data.label=label" in pairs.alternatives
    titled = guess(
        pl.DataFrame(
            {"title": ["a good film"] * 20 + [f"film number {at}" for at in range(40)], "text": TEXTS, "label": MOODS}
        )
    )
    assert titled.sure
    assert titled.settings["data.text"] == "text"


def test_no_text_or_no_label_is_said() -> None:
    bare = guess(pl.DataFrame({"text": TEXTS}))
    assert (bare.sure, bare.settings) == (False, {"data.text": "text"})
    assert bare.reasons == ("it has no column that looks like a label.",)
    assert bare.alternatives == ("lstmlab train classification data.text=text data.label=COLUMN",)
    kinds = guess(pl.DataFrame({"one": MOODS, "two": STARS[:30] * 2}).with_columns(one=pl.lit("x")))
    assert not kinds.sure
    assert "it has no column of text." in kinds.reasons


@pytest.mark.parametrize("name", ["r.csv", "r.tsv"])
def test_a_table_without_a_header_is_recognised(tmp_path: Path, name: str) -> None:
    separator = "\t" if name.endswith("tsv") else ","
    reviews().write_csv(tmp_path / name, include_header=False, separator=separator)
    found = guess(tmp_path / name)
    assert not found.sure
    assert "its first row looks like data" in found.reasons[0]
    assert found.alternatives == (f"put a line of column names on top: text{separator}label",)


def test_other_tasks_are_named(tmp_path: Path) -> None:
    (tmp_path / "play.txt").write_text("First Citizen:\nBefore we proceed any further, hear me speak.\n")
    (tmp_path / "pairs.txt").write_text("".join(f"Go away {at}.\tVa-t'en {at} !\n" for at in range(9)))
    (tmp_path / "pairs.tsv").write_text("".join(f"Go away now {at}.\tVa-t'en donc {at} !\n" for at in range(9)))
    (tmp_path / "ner.conll").write_text("Peter B-PER\n")
    (tmp_path / "ner.tsv").write_text("Peter\tB-PER\nwent\tO\n\nto\tO\nParis\tB-LOC\n\n" * 5)
    days = [f"2020-01-{day:02}" for day in range(1, 30)]
    pl.DataFrame({"date": days, "high": [1.5] * 29}).write_csv(tmp_path / "series.csv")
    (tmp_path / "short.tsv").write_text("Go.\tVa !\n" + (tmp_path / "pairs.tsv").read_text())
    assert guess(tmp_path / "short.tsv").settings == {
        "data.path": str(tmp_path / "short.tsv"),
        "data.source": 1,
        "data.target": 2,
    }
    tasks = {
        "play.txt": "language-model",
        "pairs.txt": "translation",
        "pairs.tsv": "translation",
        "ner.conll": "tagging",
        "ner.tsv": "tagging",
        "series.csv": "forecasting",
    }
    for name, task in tasks.items():
        found = guess(tmp_path / name)
        assert (found.task, found.sure) == (task, True), name
        assert found.reasons
    (tmp_path / "table.txt").write_text("text\tn\tlabel\n" + "".join(f"{text}\t1\tpos\n" for text in TEXTS))
    table = guess(tmp_path / "table.txt")
    assert not table.sure
    assert table.alternatives[0].endswith(f"lstmlab train {tmp_path / 'table.tsv'}")
    assert not guess(pl.DataFrame({"a": [1.5, 2.5], "b": [1, 2]})).sure


ROWS = [(f"how are you {at}?", f"I am very well, number {at}") for at in range(40)]


@pytest.mark.parametrize(
    ("first", "second", "task", "source"),
    [
        ("english", "french", "translation", "english"),
        ("target", "source", "translation", "source"),
        ("question", "answer", "dialogue", "question"),
        ("reply", "message", "dialogue", "message"),
        ("en", "fr", "translation", "en"),
    ],
)
def test_names_tell_what_pairs_are(first: str, second: str, task: str, source: str) -> None:
    found = guess(pl.DataFrame(ROWS, schema=[first, second], orient="row"))
    assert (found.task, found.sure, found.settings["data.source"]) == (task, True, source)
    assert {found.settings["data.source"], found.settings["data.target"]} == {first, second}


def test_pairs_in_one_language_may_be_dialogue(tmp_path: Path) -> None:
    same = guess(pl.DataFrame([(b, f"{a} and so {b}") for a, b in ROWS], schema=["one", "two"], orient="row"))
    assert (same.task, same.sure) == ("dialogue", False)
    assert [shlex.split(typed)[2] for typed in same.alternatives] == ["dialogue", "translation"]
    said = [f"so I said number {at} to you" for at in range(40)]
    (tmp_path / "chain.txt").write_text("".join(f"{a}\t{b}\n" for a, b in pairwise(said)))
    chain = guess(tmp_path / "chain.txt")
    assert (chain.task, chain.sure) == ("dialogue", True)
    assert command(chain).endswith("data.source=1 data.target=2")
    assert parse_overrides(shlex.split(command(chain))[3:]) == chain.settings


def test_whole_dialogues(tmp_path: Path) -> None:
    for name, text in (
        ("a.jsonl", '{"turns": ["Hi", "Hello"]}\n'),
        ("b.jsonl", '{"id": 1, "messages": [{"role": "user", "content": "Hi"}]}\n'),
        ("c.txt", "Hi . __eou__ Hello . __eou__\n"),
    ):
        (tmp_path / name).write_text(text)
        found = guess(tmp_path / name)
        assert (found.task, found.settings, found.sure) == ("dialogue", {"data.path": str(tmp_path / name)}, True)


def test_pairs_with_and_without_a_line_of_names(tmp_path: Path) -> None:
    rows = "".join(f"how are you {at}?\tcomment ça va {at} ?\n" for at in range(40))
    for name in ("a.tsv", "a.txt"):
        (tmp_path / name).write_text("english\tfrench\n" + rows)
        assert guess(tmp_path / name).settings["data.source"] == "english"
        (tmp_path / name).write_text(rows)
        assert guess(tmp_path / name).settings["data.target"] == 2
    (tmp_path / "a.csv").write_text(rows.replace("\t", ","))
    bare = guess(tmp_path / "a.csv")
    assert (bare.task, bare.sure) == ("translation", False)
    assert bare.alternatives == ("put a line of column names on top: source,target",)


def test_folders_of_aligned_files(tmp_path: Path) -> None:
    for name in ("train.fr", "train.en", "val.en", "val.fr", "README.md"):
        (tmp_path / name).write_text("one\ntwo\n")
    found = guess(tmp_path)
    assert (found.task, found.sure) == ("translation", True)
    assert found.settings == {"data.path": str(tmp_path), "data.source": "en", "data.target": "fr"}
    (tmp_path / "train.de").write_text("one\ntwo\n")
    with pytest.raises(InputError, match=r"3 languages \(en, de, fr\).*source=en target=fr"):
        guess(tmp_path)


def test_class_folders_and_their_archives(tmp_path: Path) -> None:
    for name in ("d/train/pos/1.txt", "d/train/neg/2.txt", "d/test/pos/3.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    with tarfile.open(tmp_path / "d.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "d", "d")
    for path in (tmp_path / "d", tmp_path / "d.tar.gz"):
        found = guess(path)
        assert (found.task, found.settings, found.sure) == ("classification", {"data.path": str(path)}, True)
        assert found.reasons == ("it holds class folders (neg, pos) with 2 in train, 1 in test.",)
    (tmp_path / "tables").mkdir()
    reviews().write_csv(tmp_path / "tables" / "r.csv")
    with pytest.raises(InputError, match=r"holds tables \(r\.csv\): give one of them, such as .*r\.csv"):
        guess(tmp_path / "tables")


def test_what_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("café".encode("cp1252"))
    (tmp_path / "blank.txt").write_text("\n \n")
    for name, said in (
        ("latin.txt", "data.encoding=cp1252"),
        ("blank.txt", "blank lines"),
        ("no.csv", "no such file"),
        ("no.txt", "no such file"),
        ("no.conll", "no such file"),
        ("no", "no such file"),
    ):
        with pytest.raises(InputError, match=said):
            guess(tmp_path / name)
    assert guess(tmp_path / "latin.txt", encoding="cp1252").settings["data.encoding"] == "cp1252"


def test_the_command_survives_the_shell_and_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "my 'best' reviews.csv"
    pl.DataFrame({"it's: text": TEXTS, "no label": MOODS}).write_csv(path)
    found = guess(path)
    words = shlex.split(command(found))
    assert words[:3] == ["lstmlab", "train", "classification"]
    assert parse_overrides(words[3:]) == found.settings
    for names in (("1", "1e3"), ("null", "true"), ("[a", '"b"'), ("a b ", "x #y")):
        odd = guess(pl.DataFrame({names[0]: TEXTS, names[1]: MOODS}))
        assert parse_overrides(shlex.split(command(odd))[3:]) == {"data.text": names[0], "data.label": names[1]}


def test_columns_of_lists_and_blanks_are_passed_over() -> None:
    found = guess(reviews(empty=[None] * 60, blank=[" "] * 60, lists=[["a"]] * 60))
    assert found.sure
    assert found.settings["data.label"] == "stars"


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("beijing-pm25/pollution.csv", "forecasting"),
        ("classic-series/shampoo.csv", "forecasting"),
        ("stocks/stocks.csv", "forecasting"),
        ("seattle-weather/seattle-weather.csv", "forecasting"),
        ("bc5cdr-ner/devel.tsv", "tagging"),
        ("wnut17/wnut17train.conll", "tagging"),
        ("tatoeba-en-hi/hin.txt", "translation"),
        ("simple-dialogs/dialogs.txt", "dialogue"),
        ("tinyshakespeare/input.txt", "language-model"),
    ],
)
def test_published_files(name: str, task: str) -> None:
    path = Path(os.environ.get("LSTMLAB_DATA", "")) / name
    if not os.environ.get("LSTMLAB_DATA") or not path.exists():
        pytest.skip(f"LSTMLAB_DATA is not set, or holds no {name}")
    found = guess(path)
    assert (found.task, found.sure) == (task, True)


def test_published_sentence_pairs_are_asked_about(tmp_path: Path) -> None:
    path = Path(os.environ.get("LSTMLAB_DATA", "")) / "sick" / "SICK_train.txt"
    if not os.environ.get("LSTMLAB_DATA") or not path.exists():
        pytest.skip("LSTMLAB_DATA is not set, or holds no sick")
    found = guess(pl.read_csv(io.BytesIO(path.read_bytes()), separator="\t", quote_char=None))
    assert (found.task, found.sure) == ("pairs", False)
    label, score = found.alternatives
    assert "data.label=entailment_judgment" in label
    assert "data.label=relatedness_score data.graded=true" in score


def test_blank_rows_are_no_reply_that_comes_back():
    """A question that is the reply before it makes a dialogue; two blank cells do not."""
    rows = [("", ""), ("hello", "bonjour"), ("", ""), ("", ""), ("good", "bon")] * 3
    found = pair_guess.pairing(pl.DataFrame(rows, schema=["a", "b"], orient="row"), "a", "b")
    assert found.task == "translation"
    chained = [("hi", "hello"), ("hello", "how are you"), ("how are you", "fine")] * 3
    assert pair_guess.pairing(pl.DataFrame(chained, schema=["a", "b"], orient="row"), "a", "b").task == "dialogue"
