"""Every planted fault is found with its count and ids, and clean data has no problem."""

import random
import time

import polars as pl
import pytest

from lstmlab.data.check import Finding, check
from lstmlab.data.corpus import Corpus

WORDS = "the a film plot was really very quite good bad slow funny sad long short story cast and but with".split()


def clean(count: int, seed: int, ids: str = "") -> pl.DataFrame:
    """Different texts of 6 to 15 words with two labels, in turn."""
    chance = random.Random(seed)
    texts = [f"{' '.join(chance.choices(WORDS, k=chance.randint(5, 14)))} {seed}-{at}" for at in range(count)]
    return pl.DataFrame(
        {"id": [f"{ids}{at}" for at in range(count)], "inputs": texts, "target": ["pos", "neg"] * (count // 2)}
    )


def put(frame: pl.DataFrame, column: str, changes: dict[int, str | None]) -> pl.DataFrame:
    values = frame[column].to_list()
    for at, value in changes.items():
        values[at] = value
    return frame.with_columns(pl.Series(column, values, dtype=pl.String))


def found(title: str, **frames: pl.DataFrame) -> Finding:
    matches = [one for one in check({name: Corpus.of(frame) for name, frame in frames.items()}) if one.title == title]
    assert len(matches) == 1, title
    return matches[0]


def titles(**frames: pl.DataFrame) -> list[str]:
    return [one.title for one in check({name: Corpus.of(frame) for name, frame in frames.items()})]


def test_clean_data_has_nothing_but_notes() -> None:
    findings = check(
        {"train": Corpus.of(clean(200, 0)), "valid": Corpus.of(clean(40, 1)), "test": Corpus.of(clean(60, 2))}
    )
    assert {one.level for one in findings} == {"note"}
    assert {one.title.split()[0] for one in findings} == {"Lengths", "Labels"}
    labels = next(one for one in findings if one.title == "Labels in train")
    assert labels.text == 'neg 50.0 %, pos 50.0 %. Always saying "neg" scores 0.500 accuracy.'


def pairs(count: int, seed: int) -> pl.DataFrame:
    """Sentences with targets that are other sentences of about their length."""
    frame = clean(count, seed)
    return frame.with_columns(target=pl.col("inputs").str.to_uppercase().str.replace_all("A", "E") + " ja")


def test_pairs_are_no_labels() -> None:
    findings = check({"train": Corpus.of(pairs(200, 0)), "test": Corpus.of(pairs(60, 2))})
    assert {one.level for one in findings} == {"note"}
    assert {one.title.split()[0] for one in findings} == {"Lengths"}


def test_faults_of_pairs_are_found() -> None:
    train, test = pairs(200, 0), pairs(60, 1)
    sources, targets = train["inputs"].to_list(), train["target"].to_list()
    faulty = put(train, "target", {3: " ", 4: None, 5: sources[5].title(), 6: "short", 7: targets[8], 9: targets[8]})
    faulty = put(faulty, "inputs", {9: sources[8] + " ", 11: sources[12]})
    parts = {"train": faulty, "test": put(test, "target", {0: targets[20].lower()})}
    assert found("Blank targets in train", **parts).examples == ("train 3", "train 4")
    assert found("Targets equal to their source in train", **parts).examples == ("train 5",)
    assert "train 6" in found("Sides of very different length in train", **parts).examples
    assert found("Repeated pairs in train", **parts).examples == ("train 9",)
    assert found("Sources with several targets in train", **parts).count == 1
    assert found("Targets of test that train has too", **parts).examples == ("test 0",)
    shifted = pairs(200, 0).with_columns(pl.col("target").repeat_by(pl.col("id").cast(pl.Int64) % 7 + 1).list.join(" "))
    assert found("Sides of very different length in train", train=shifted).level == "warning"


def test_leaks_are_found_across_case_and_white_space() -> None:
    train, test = clean(200, 0), clean(100, 1)
    leaked = put(test, "inputs", {3: train["inputs"][7].upper(), 5: "  " + train["inputs"][9].replace(" ", "\n ")})
    one = found("Leak from train into test", train=train, test=leaked)
    assert (one.level, one.count, one.examples) == ("problem", 2, ("test 3 = train 7", "test 5 = train 9"))
    assert one.text.startswith("2 of 100 examples (2.0 %) of test stand in train too")
    assert found("Leak from valid into test", train=train, valid=test[:1], test=test).count == 1
    few = put(clean(1000, 1), "inputs", {3: train["inputs"][7]})
    assert found("Leak from train into test", train=train, test=few).level == "warning"
    assert not any("Leak" in title for title in titles(train=train, test=test))


def test_ids_that_say_their_part_are_left_as_they_are() -> None:
    train, test = clean(20, 0, "train/pos/"), clean(20, 0, "test/pos/")
    assert found("Leak from train into test", train=train, test=test).examples[0] == "test/pos/0 = train/pos/0"


def test_duplicates_and_contradictions() -> None:
    train = clean(200, 0)
    twice = put(train, "inputs", {10: train["inputs"][4], 12: train["inputs"][4], 15: train["inputs"][4]})
    again = found("Duplicates within train", train=twice)
    assert (again.level, again.count, again.examples) == ("warning", 3, ("train 10", "train 12", "train 15"))
    split = found("The same text with different labels", train=twice)
    assert (split.level, split.count) == ("warning", 4)
    assert split.examples == ("train 4 (pos)", "train 10 (pos)", "train 12 (pos)", "train 15 (neg)")
    agreeing = put(train, "inputs", {10: train["inputs"][4]})
    assert "The same text with different labels" not in titles(train=agreeing)
    test = clean(100, 1)
    other = put(test, "inputs", {1: train["inputs"][0]})
    across = found("The same text with different labels", train=train, test=other)
    assert across.examples == ("train 0 (pos)", "test 1 (neg)")


def test_blank_short_and_long_texts() -> None:
    frame = put(clean(200, 0), "inputs", {1: "", 2: " \n\t", 3: None, 6: "good", 8: "so " * 5000})
    blank = found("Blank texts in train", train=frame)
    assert (blank.level, blank.count, blank.examples) == ("problem", 3, ("train 1", "train 2", "train 3"))
    assert "Duplicates within train" not in titles(train=frame)
    assert found("Very short texts in train", train=frame).examples == ("train 6",)
    assert found("Very long texts in train", train=frame).examples == ("train 8",)
    assert "the longest has 5,000 words (15,000 characters)" in found("Lengths in train", train=frame).text
    assert titles(train=clean(4, 0)[:0], test=clean(4, 0)) == ["Lengths in test", "Labels in test"]


def test_imbalance_rare_and_single_classes() -> None:
    frame = clean(200, 0)
    uneven = put(frame, "target", {at: "pos" for at in range(1, 180, 2)})
    one = found("Imbalance in train", train=uneven)
    assert one.level == "warning"
    assert one.text.startswith('pos 95.0 %, neg 5.0 %. Always saying "pos" scores 0.950 accuracy. ')
    assert found("Labels in test", train=frame, test=uneven).level == "note"
    rare = found("Rare labels in train", train=put(frame, "target", {0: "so-so", 1: "so-so"}))
    assert '"so-so"' in rare.text
    single = found("One class only in train", train=frame.with_columns(target=pl.lit("pos")))
    assert (single.level, single.count) == ("problem", 200)


def test_labels_that_do_not_match() -> None:
    train, test = clean(200, 0), clean(100, 1)
    strange = put(test, "target", {0: "meh", 2: "meh", 4: "Pos "})
    one = found("Labels of test that train lacks", train=train, test=strange)
    assert (one.level, one.count) == ("problem", 2)
    assert one.text == '"meh", "Pos ": 3 examples of test cannot be got right.'
    assert '"pos/Pos "' in found("Labels spelled in several ways", train=train, test=strange).text
    lacking = found("Labels of train that test lacks", train=put(train, "target", {0: "meh"}), test=test)
    assert (lacking.level, lacking.text) == ("note", '"meh": the score on test says nothing about them.')
    missing = found("Missing labels in train", train=put(train, "target", {4: None, 6: None}))
    assert (missing.level, missing.count, missing.examples) == ("problem", 2, ("4", "6"))


def test_broken_characters_and_html() -> None:
    signs = {1: "un cafÃ© noir", 3: "itâ€™s fine", 5: "caf\ufffd", 7: "Â£5 a seat", 9: "ï»¿first"}
    garbled = found("Suspicious characters in train", train=put(clean(200, 0), "inputs", signs))
    assert (garbled.level, garbled.count) == ("warning", 5)
    assert garbled.examples == ("train 1", "train 3", "train 5", "train 7", "train 9")
    marked = {2: "good<br /><br />bad", 4: "x &amp; y", 6: '<a href="x">', 8: "&#39;s"}
    html = found("HTML in train", train=put(clean(200, 0), "inputs", marked))
    assert (html.level, html.count) == ("warning", 4)
    sound = {0: "São João, CORAÇÃO, café £5 à la carte", 1: "a < b and c > d", 2: "AT&T; I <3 it", 3: "Ärger mit 映画"}
    assert len(titles(train=put(clean(200, 0), "inputs", sound))) == 2


@pytest.mark.parametrize("targets", [[1, 2] * 10, [True, False] * 10])
def test_other_kinds_of_labels(targets: list[object]) -> None:
    frame = clean(20, 0).with_columns(target=pl.Series(targets))
    assert "Labels in train" in titles(train=frame)


def test_sequences_and_numbers_are_passed_over() -> None:
    series = pl.DataFrame({"id": ["1", "2"], "inputs": [[1.0], [2.0]], "target": [[0.5], [0.7]]})
    assert check({"train": Corpus.of(series)}) == ()
    labelled = series.with_columns(target=pl.Series(["a", "b"]))
    assert titles(train=labelled) == ["Labels in train"]
    unlabelled = clean(20, 0).with_columns(target=pl.lit(None, pl.String))
    assert titles(train=unlabelled) == ["Lengths in train"]
    assert check({}) == ()


def test_problems_come_first() -> None:
    train = put(clean(200, 0), "inputs", {0: "", 1: "x <br />"})
    levels = [one.level for one in check({"train": Corpus.of(train)})]
    assert levels == sorted(levels, key=["problem", "warning", "note"].index)
    assert set(levels) == {"problem", "warning", "note"}


@pytest.mark.slow
def test_fifty_thousand_reviews_take_a_few_seconds() -> None:
    long = clean(25_000, 0).with_columns(inputs=pl.concat_str([pl.col("inputs")] * 18, separator=" "))
    parts = {"train": Corpus.of(long), "test": Corpus.of(long.with_columns(inputs=pl.col("inputs") + " x"))}
    begin = time.perf_counter()
    findings = check(parts)
    assert time.perf_counter() - begin < 10
    assert {one.level for one in findings} == {"note"}
