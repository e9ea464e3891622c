"""Text to ids and back: round trips, hostile input, frequencies, and one text encoded as among thousands."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmlab.data.labels import LabelSet
from lstmlab.data.text import TextEncoder, TextSettings, kept
from lstmlab.data.tokens import Tokens
from lstmlab.errors import InputError
from lstmlab.recipe import validate

LEVELS = ("word", "character", "subword")
SCRIPTS = [
    "The film cost 3.5 million, didn't it?",
    "नमस्ते दुनिया। क्षेत्र",
    "我爱北京",
    "👩‍👩‍👧‍👦 👍🏽 🇮🇳 ❤️",
    "Straße «été» 10:30",
    "می‌خواهم",
]
# Text as strangers write it: letters of many scripts, marks, emoji, blanks, controls.
SOME = st.sampled_from("ab \n.'3,(é\u0301न\u094d🇮\u200d😀\x00")
ANY = st.text(st.characters(exclude_categories=["Cs"]) | SOME, max_size=40)


def fit(texts, **choices):
    return TextEncoder.fit(TextSettings(**choices), texts)


@pytest.fixture(scope="module")
def bpe():
    return fit(SCRIPTS * 3, level="subword", vocabulary_size=330, lowercase=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't pay 3.5 $, pay 1,000!", ["don't", "pay", "3.5", "$", ",", "pay", "1,000", "!"]),
        ("a well-known e-mail", ["a", "well", "-", "known", "e", "-", "mail"]),
        ("'quoted' it’s", ["'", "quoted", "'", "it’s"]),
        ("mp3s at 10:30. End...", ["mp3s", "at", "10:30", ".", "end", ".", ".", "."]),
        ("नमस्ते दुनिया। क्षेत्र", ["नमस्ते", "दुनिया", "।", "क्षेत्र"]),
        ("我爱北京, 한국어", ["我", "爱", "北", "京", ",", "한국어"]),
        ("👩‍👩‍👧‍👦👍🏽 🇮🇳🇫🇷 ❤️", ["👩‍👩‍👧‍👦", "👍🏽", "🇮🇳", "🇫🇷", "❤️"]),
        ("e\u0301te\u0301 می‌خواهم", ["e\u0301te\u0301", "می‌خواهم"]),
        ("a\x00b\ufeff", ["a", "b"]),
        ("<pad> <unk>", ["<", "pad", ">", "<", "unk", ">"]),
        ("", []),
        (" \n\t ", []),
    ],
)
def test_words(text, expected):
    encoder = fit(["a"])
    assert encoder.pieces(text) == expected
    assert encoder.encode([text]).lengths.tolist() == [len(expected)]


def test_frequent_tokens_come_first_and_ties_by_alphabet():
    encoder = fit(["b a c", "c b a", "c d"])
    assert encoder.vocabulary == ("<pad>", "<unk>", "c", "a", "b", "d")
    assert fit(["b a c", "c b a", "c d"], vocabulary_size=4).vocabulary == ("<pad>", "<unk>", "c", "a")
    assert fit(["b a c", "c b a", "c d"], min_count=2).vocabulary == ("<pad>", "<unk>", "c", "a", "b")
    assert encoder.encode(["C never d"]).ids.tolist() == [2, 1, 5]


@pytest.mark.parametrize("level", ["word", "character"])
def test_counts_agree_with_counting_by_hand(level):
    from collections import Counter

    texts = [text for text in SCRIPTS for _ in range(2)] + ["a b a", ""]
    encoder = fit(texts, level=level)
    counts = Counter(piece for text in texts for piece in encoder.pieces(text))
    assert encoder.vocabulary[2:] == tuple(sorted(counts, key=lambda piece: (-counts[piece], piece)))


def test_a_vocabulary_larger_than_16_bits():
    words = [f"w{at}" for at in range(70_000)]
    encoder = fit([" ".join(words)], vocabulary_size=100_000)
    ids = encoder.encode([" ".join(words[::-1])]).ids
    assert len(set(ids.tolist())) == 70_000
    assert encoder.tokens(ids[:3]) == words[:-4:-1]


@given(st.lists(ANY, max_size=6))
@settings(max_examples=60, deadline=None)
def test_characters_come_back_exactly(texts):
    encoder = fit(["x", *texts], level="character", lowercase=False)
    tokens = encoder.encode(texts)
    assert [encoder.decode(tokens.row(at)) for at in range(len(texts))] == texts
    assert encoder.encode(["x\u0378"]).ids[-1] == 1 or "\u0378" in "".join(texts)


@given(text=ANY)
@settings(max_examples=100, deadline=None)
def test_subwords_lose_nothing_even_unseen(bpe, text):
    ids = bpe.encode([text]).row(0)
    assert bpe.decode(ids) == text
    assert ids.min(initial=2) >= 2
    assert len(bpe.pieces(text)) == len(ids)


@given(text=ANY)
@settings(max_examples=150, deadline=None)
def test_decoded_words_encode_to_the_same_ids(text):
    encoder = fit([text, "x"])
    ids = encoder.encode([text]).row(0)
    assert encoder.encode([encoder.decode(ids)]).row(0).tolist() == ids.tolist()
    assert encoder.tokens(ids) == encoder.pieces(text)


@pytest.mark.parametrize("level", LEVELS)
@given(texts=st.lists(ANY, max_size=8))
@settings(max_examples=25, deadline=None)
def test_a_text_alone_is_encoded_as_among_others(level, texts):
    encoder = fit(SCRIPTS, level=level, vocabulary_size=300, first=5, last=3)
    together = encoder.encode(texts)
    assert len(together) == len(texts)
    for at, text in enumerate(texts):
        assert encoder.encode([text]).row(0).tolist() == together.row(at).tolist()
        assert len(encoder.pieces(text)) == together.lengths[at] <= 8


@pytest.mark.parametrize("level", LEVELS)
def test_more_texts_than_one_chunk(level, monkeypatch):
    import lstmlab.data.text as module

    texts = [f"{word} number {at % 7}" for at, word in enumerate(["one", "Two", "", "três"] * 20)]
    whole = fit(texts, level=level, vocabulary_size=300)
    expected = whole.encode(texts)
    monkeypatch.setattr(module, "CHUNK", 7)
    again = fit(texts, level=level, vocabulary_size=300)
    assert again.vocabulary == whole.vocabulary
    assert again.encode(texts).ids.tolist() == expected.ids.tolist()
    assert again.encode(texts).offsets.tolist() == expected.offsets.tolist()


@pytest.mark.parametrize("level", LEVELS)
def test_saved_as_plain_json_and_restored(level):
    encoder = fit(SCRIPTS, level=level, vocabulary_size=300, last=9)
    saved = json.loads(json.dumps(encoder.to_json()))
    restored = TextEncoder.from_json(saved)
    assert restored == encoder
    assert restored.encode(SCRIPTS).ids.tolist() == encoder.encode(SCRIPTS).ids.tolist()


@pytest.mark.slow
def test_subwords_are_learned_alike_in_every_process():
    code = (
        "import random; from lstmlab.data.text import *; r = random.Random(0); "
        "t = [' '.join(r.choices('ab abc bcd cde xyz zyx'.split(), k=9)) for _ in range(300)]; "
        "print(TextEncoder.fit(TextSettings(level='subword', vocabulary_size=300), t).vocabulary)"
    )
    outputs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(outputs) == 1


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, "abcdefg"),
        (3, None, "abc"),
        (None, 2, "fg"),
        (2, 2, "abfg"),
        (4, 3, "abcdefg"),
        (5, 5, "abcdefg"),
    ],
)
def test_first_and_last(first, last, expected):
    encoder = fit(["a b c d e f g"], first=first, last=last)
    assert "".join(encoder.pieces("a b c d e f g")) == expected
    assert encoder.decode(encoder.encode(["a b c d e f g"]).ids).replace(" ", "") == expected
    assert sorted(encoder.vocabulary[2:]) == sorted(expected), "tokens that are cut away are not in the vocabulary"


@given(st.lists(st.integers(0, 9), max_size=9), st.none() | st.integers(1, 5), st.none() | st.integers(1, 5))
def test_kept_is_what_slicing_keeps(lengths, first, last):
    rows = [list(range(length)) for length in lengths]
    expected = [
        row
        if first is None and last is None
        else [at for at in row if at < (first or 0) or at >= len(row) - (last or 0)]
        for row in rows
    ]
    lengths = np.array(lengths, np.int64)
    assert kept(lengths, first, last).sum() == sum(map(len, expected))
    tokens = Tokens.of(np.array([one for row in rows for one in row], np.int32), lengths).cut(first, last)
    assert [tokens.row(at).tolist() for at in range(len(rows))] == expected


@given(st.lists(st.lists(st.integers(1, 99), max_size=5), min_size=1, max_size=9), st.data())
def test_take_and_padded(rows, data):
    lengths = np.array([len(row) for row in rows], np.int64)
    tokens = Tokens.of(np.array([one for row in rows for one in row], np.int32), lengths)
    index = np.array(data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9)), np.int64)
    taken = tokens.take(index)
    assert [taken.row(at).tolist() for at in range(len(index))] == [rows[at] for at in index]
    assert taken.ids.dtype == np.int32
    assert taken.offsets.dtype == np.int64
    width = max((len(rows[at]) for at in index), default=0)
    assert taken.padded().tolist() == [rows[at] + [0] * (width - len(rows[at])) for at in index]
    assert tokens.row(-1).tolist() == rows[-1]
    with pytest.raises(IndexError):
        tokens.row(len(rows))


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_a_million_characters_without_a_blank(level):
    encoder = fit(["ab cd", "é"], level=level, vocabulary_size=300)
    text = "ab" * 500_000
    ids = encoder.encode([text]).ids
    assert len(ids) == {"word": 1, "character": 1_000_000}.get(level, len(ids))
    assert encoder.decode(ids) == ("<unk>" if level == "word" else text)


@pytest.mark.parametrize("level", LEVELS)
def test_hostile_texts(level):
    encoder = fit(["ab cd \ufffd", "\x00"], level=level, vocabulary_size=300)
    assert encoder.encode([]).offsets.tolist() == [0]
    assert encoder.encode(["", ""]).lengths.tolist() == [0, 0]
    assert encoder.pieces("") == []
    assert encoder.decode([]) == ""
    assert encoder.decode([0, 0]) == ""
    # A lone surrogate becomes U+FFFD; the two halves of one character become that character.
    assert encoder.decode(encoder.encode(["ab \udc80"]).ids) == "ab \ufffd"
    assert encoder.pieces("\ud83d\ude00") == encoder.pieces("😀")
    with pytest.raises(InputError, match="text 2: expected text, got nothing"):
        encoder.encode(["a", None])
    with pytest.raises(InputError, match="text 1: expected text, got float"):
        encoder.encode([1.5])
    with pytest.raises(TypeError, match="sequence of texts"):
        encoder.encode("one text")


def test_unknown_characters_show_and_subwords_show_bytes(bpe):
    characters = fit(["abc"], level="character")
    assert characters.decode(characters.encode(["aXb"]).ids) == "a\ufffdb"
    assert bpe.pieces("ॐ")[0].startswith("\\xe0") or bpe.pieces("ॐ") == ["ॐ"]
    assert bpe.tokens([0, 1]) == ["<pad>", "<unk>"]


def test_text_cannot_spell_a_special_token():
    encoder = fit(["<pad><unk>"] * 50, level="subword", vocabulary_size=300)
    assert encoder.encode(["<pad><unk>"]).ids.min() >= 2
    assert encoder.decode(encoder.encode(["<pad><unk>"]).ids) == "<pad><unk>"
    assert TextEncoder.from_json(encoder.to_json()) == encoder


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"level": "subword", "vocabulary_size": 200}, "256 bytes, so vocabulary_size must be at least 258, got 200"),
        ({"vocabulary_size": 2}, "vocabulary_size: expected greater than 2, got 2"),
        ({"first": 0}, "first: expected greater than 0, got 0"),
        ({"last": -1}, "last: expected"),
        ({"level": "words"}, "level: expected 'word', 'character' or 'subword', got \"words\""),
        ({"min_counts": 3}, "Did you mean min_count"),
    ],
)
def test_impossible_settings_are_refused(tree, message):
    with pytest.raises(InputError, match="text: ") as error:
        validate(TextSettings, tree, "text")
    assert message in str(error.value)


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_to_learn_from(level):
    for texts in ([], ["", ""]):
        with pytest.raises(InputError, match=f"no {level} in the {len(texts)} training texts"):
            fit(texts, level=level)
    if level != "subword":
        with pytest.raises(InputError, match=rf"no {level} occurs 5 times .* occurs 2 times"):
            fit(["a", "a"], level=level, min_count=5)


@pytest.mark.parametrize(
    "damage",
    [
        {"vocabulary": ["<pad>", "a"]},
        {"vocabulary": ["<pad>", "<unk>", "a", "a"]},
        {"vocabulary": "abc"},
        {"vocabulary": ["<pad>", "<unk>", 3]},
        {"merges": [["a"]]},
        {"merges": {}},
        {"settings": {"level": "runes"}},
        {"settings": []},
        {"extra": 1},
        {"settings": {"level": "character"}, "vocabulary": ["<pad>", "<unk>", "ab"]},
        {"settings": {"level": "subword"}},
        {"settings": {"level": "subword"}, "vocabulary": ["<pad>", "<unk>", "a"]},
    ],
)
def test_a_damaged_file_is_refused(damage):
    with pytest.raises(InputError, match="task.json"):
        TextEncoder.from_json(fit(["a b"]).to_json() | damage, "task.json")


def test_damaged_merges_are_refused(bpe):
    with pytest.raises(InputError, match="merges join tokens"):
        TextEncoder.from_json(bpe.to_json() | {"merges": [["zz", "zz"]]})


def test_labels():
    labels = LabelSet.fit(["pos", "neg", "pos"])
    assert labels.names == ("neg", "pos")
    assert labels.encode(["pos", "neg"], "test").tolist() == [1, 0]
    assert labels.encode([], "test").dtype == np.int64
    assert labels.decode([1, 0]) == ["pos", "neg"]
    assert LabelSet.from_json(json.loads(json.dumps(labels.to_json()))) == labels


def test_labels_that_do_not_fit():
    labels = LabelSet.fit(["pos", "neg"])
    expected = r'the label "neutral" stands only in the test part \(row 17\); training knows: neg, pos$'
    with pytest.raises(InputError, match=expected):
        labels.encode(["pos"] * 16 + ["neutral"], "test")
    with pytest.raises(InputError, match=r"the valid part \(row 1\) has no label"):
        labels.encode([None], "valid")
    with pytest.raises(InputError, match='the 3 examples of the training part carry only the label "a"'):
        LabelSet.fit(["a"] * 3)
    with pytest.raises(InputError, match="no label at all"):
        LabelSet.fit([])
    with pytest.raises(InputError, match="row 2 of the training part has no label"):
        LabelSet.fit(["a", None])
    many = LabelSet.fit([f"class{at:02}" for at in range(50)] + ["location"])
    with pytest.raises(InputError, match=r'"lokation" .* training knows: location and 50 others'):
        many.encode(["lokation"], "test")


@pytest.mark.parametrize("saved", [["b", "a"], ["a"], ["a", "a"], "ab", [1, 2], None])
def test_damaged_labels_are_refused(saved):
    with pytest.raises(InputError, match="expected a sorted list"):
        LabelSet.from_json(saved)
