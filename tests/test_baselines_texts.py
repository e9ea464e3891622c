"""Baselines for generated text: a dictionary is found, the nearest neighbour answers, almost nothing is enough."""

import gzip
import itertools
import os
import re
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lstmlab import baselines, metrics
from lstmlab.baselines import Retrieval, WordForWord
from lstmlab.errors import InputError


def data(name: str) -> Path:
    folder = Path(os.environ.get("LSTMLAB_DATA", "nowhere")) / name
    if not folder.is_dir():
        pytest.skip(f"no {name} in $LSTMLAB_DATA")
    return folder


def lines(path: Path) -> list[str]:
    return gzip.open(path, "rt", encoding="utf-8").read().splitlines()


def test_copy_source():
    assert baselines.copy_source(("a", "")) == ["a", ""]


def test_words_and_marks():
    assert re.findall(baselines.PIECE, "Don't (ever)!") == ["Don't", "(", "ever", ")", "!"]
    # Vowel signs and the invisible joiner belong to the word, the danda does not.
    assert re.findall(baselines.PIECE, "मैं हिन्दी क्‍षेत्र जानता हूँ।") == ["मैं", "हिन्दी", "क्‍षेत्र", "जानता", "हूँ", "।"]
    assert re.findall(baselines.TOKEN, "मैं हूँ। ॥") == ["मैं", "हूँ"]


# ---- Word for word

WORDS = {"the": "das", "cat": "Katze", "dog": "Hund", "sees": "sieht", "red": "rote", "house": "Haus", "old": "alte"}


def toy() -> tuple[list[str], list[str]]:
    nouns = ("cat", "dog", "house")
    rows = [
        ["the", adjective, noun, "sees", "the", other]
        for adjective, noun, other in itertools.product(("red", "old"), nouns, nouns)
    ]
    sources = [" ".join(row).capitalize() + "." for row in rows]
    # The order differs, so that nothing but counting finds the words.
    targets = ["Das " + " ".join(WORDS[word] for word in row[:0:-1]) + "!" for row in rows]
    # Where all sentences hold two words equally often, nothing tells them apart.
    short = [f"The {noun}." for noun in nouns], [f"Das {WORDS[noun]}!" for noun in nouns]
    return sources + 3 * short[0], targets + 3 * short[1]


def test_the_dictionary_of_a_toy_corpus_is_found():
    found = WordForWord.fit(*toy())
    assert found.words == {**WORDS, ".": "!"}
    assert found.translate(["The old  dog sees 7 unicorns, the cat.", "CAT (dog)", "", "   the"]) == [
        "Das alte  Hund sieht 7 unicorns, das Katze!",
        "Katze (Hund)",
        "",
        "   das",
    ]


def test_marks_become_marks_and_sentences_end_with_a_danda():
    sources = ["I drink water.", "I drink tea.", "You drink water.", "Water!", "Tea?"]
    targets = ["मैं पानी पीता हूँ।", "मैं चाय पीता हूँ।", "तुम पानी पीते हो।", "पानी!", "चाय?"]
    found = WordForWord.fit(sources, targets)
    assert found.translate(["Water. Tea?"]) == ["पानी। चाय?"]
    assert found.words["i"] == "मैं"


def test_a_word_without_a_partner_stays():
    assert WordForWord.fit(["a . b"], ["!"]).translate(["A b."]) == ["A b!"]
    assert WordForWord.fit(["", "a"], ["x", ""]).translate(["a x"]) == ["a x"]
    assert WordForWord.fit(["..."], ["word"]).words == {}


def test_spelling_is_the_usual_one_inside_texts():
    found = WordForWord.fit(["yes berlin", "yes hello", "hello"], ["Oui Berlin", "Oui bonjour", "Bonjour"])
    assert found.words == {"yes": "oui", "berlin": "Berlin", "hello": "bonjour"}
    assert found.translate(["Hello yes", "hello Yes"]) == ["Bonjour oui", "bonjour oui"]
    assert WordForWord.fit(["road"], ["ΟΔΟΣ.ΑΒ"]).translate(["Road"]) == ["Οδος"]
    assert WordForWord.fit(["ΟΔΟΣ.ΑΒ İZ"], ["road . x"]).translate(["ΟΔΟΣ"]) == ["Road"]


def test_much_data_is_drawn_from_and_the_outcome_does_not_depend_on_the_run():
    sources, targets = toy()
    small = WordForWord.fit(sources * 9, targets * 9, most=1000)
    assert small == WordForWord.fit(sources * 9, targets * 9, most=1000)
    assert small.words.keys() <= {*WORDS, "."}
    assert WordForWord.fit(["a b"], ["c d"], most=3).words == {}


def test_a_text_of_thousands_of_words_leaves_room_for_the_others():
    giant = " ".join(["ja"] * 50)
    for at in range(21):  # wherever chance puts it, the first place included
        texts = ["road"] * at + [giant] + ["road"] * (20 - at)
        assert WordForWord.fit(texts, texts, most=1000).words == {"road": "road"}


def test_what_has_no_pairs_is_refused():
    with pytest.raises(InputError, match="at least one pair"):
        WordForWord.fit([], [])
    with pytest.raises(ValueError, match="2 sources, but 1 targets"):
        WordForWord.fit(["a", "b"], ["c"])


# ---- The nearest neighbour


def test_the_nearest_input_answers():
    inputs = ["how old are you", "where do you live", "what is your name", "how are you"]
    replies = ["I am ten.", "In Rome.", "Ada.", "Fine."]
    found = Retrieval.fit(inputs, replies)
    assert found.reply(["Where do they live?", "your NAME please", "how old is she"]) == [
        "In Rome.",
        "Ada.",
        "I am ten.",
    ]
    where, alike = found.nearest([*inputs, "unseen"])
    assert where.tolist() == [0, 1, 2, 3, 0]
    assert alike == pytest.approx([1, 1, 1, 1, 0], abs=1e-6)


def test_where_nothing_is_alike_the_most_frequent_reply_is_given():
    found = Retrieval.fit(["a x", "b", "c"], ["No.", "Yes.", "Yes."])
    assert found.reply(["z", "", "x"]) == ["Yes.", "Yes.", "No."]
    assert Retrieval.fit(["", "..."], ["A", "B"]).reply(["a", ""]) == ["A", "A"]
    assert found.reply([]) == []


def test_the_first_of_equals_answers():
    assert Retrieval.fit(["hello", "hello"], ["first", "second"]).reply(["hello"]) == ["first"]


def test_rows_at_a_time_change_nothing():
    random = np.random.default_rng(0)
    inputs = [" ".join(random.choice(list("abcdefgh"), 4)) for _ in range(40)]
    found = Retrieval.fit(inputs, inputs)
    for values in (1, 40, 90, 10**6):
        blocks = list(found._likeness(inputs, values))
        assert sum(len(block) for _, block in blocks) == 40
        best = np.concatenate([block.argmax(1) for _, block in blocks])
        assert best.tolist() == found.nearest(inputs)[0].tolist()


def test_hindi_is_cut_into_words():
    inputs = ["तुम कहाँ रहते हो", "तुम क्या खाते हो"]
    assert Retrieval.fit(inputs, ["दिल्ली", "चावल"]).reply(["वह क्या है।", "कहाँ?"]) == ["चावल", "दिल्ली"]


def test_retrieval_needs_something_to_retrieve():
    with pytest.raises(InputError, match="at least one training input"):
        Retrieval.fit([], [])
    with pytest.raises(ValueError, match="1 inputs, but 2 replies"):
        Retrieval.fit(["a"], ["b", "c"])


# ---- Real data


@pytest.mark.slow
def test_captions():
    folder = data("multi30k")
    parts = {part: [lines(folder / f"{part}.{side}.gz") for side in ("de", "en")] for part in ("train", "val")}
    started = time.perf_counter()
    found = WordForWord.fit(*parts["train"])
    assert time.perf_counter() - started < 20
    assert {word: found.words[word] for word in ("hund", "zwei", "frau", "rot", ".")} == {
        "hund": "dog", "zwei": "two", "frau": "woman", "rot": "red", ".": ".",
    }  # fmt: skip
    sources, targets = parts["val"]
    score = metrics.corpus_scores(found.translate(sources), targets)
    assert score.bleu > 24  # the sources themselves reach 0.5
    assert score.chrf > 53
    assert score.intervals["bleu"][1] - score.intervals["bleu"][0] < 3


@pytest.mark.slow
def test_hindi_sentences():
    rows = (data("tatoeba-en-hi") / "hin.txt").read_text(encoding="utf-8").splitlines()
    sources, targets = zip(*(row.split("\t")[:2] for row in rows), strict=True)
    found = WordForWord.fit(sources, targets)
    assert [found.words[word] for word in ("i", "water", ".", "house")] == ["मैं", "पानी", "।", "घर"]


@pytest.mark.slow
def test_dialogues():
    parts = {}
    for part in ("train", "test"):
        archive = zipfile.ZipFile(data("dailydialog") / f"{part}.zip")
        rows = archive.read(f"{part}/dialogues_{part}.txt").decode().splitlines()
        turns = [[turn.strip() for turn in row.split("__eou__") if turn.strip()] for row in rows]
        parts[part] = [
            [turn for row in turns for turn in row[:-1]],
            [turn for row in turns for turn in row[1:]],
        ]
    inputs, replies = parts["test"]
    started = time.perf_counter()
    found = Retrieval.fit(*parts["train"]).reply(inputs)
    assert time.perf_counter() - started < 60
    assert metrics.repeated_share(found) > metrics.repeated_share(replies)
    # The published split repeats every tenth test dialogue in its training part.
    assert 0.1 < metrics.exact_match(found, replies) < 0.5
