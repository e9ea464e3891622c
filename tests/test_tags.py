"""What a tagger is made of and measured by: words as numbers, scores of spans, and the baselines it has to beat."""

import json

import pytest

from lstmlab import baselines, metrics
from lstmlab.data.words import LONGEST, WordEncoder, WordSettings, shape
from lstmlab.errors import InputError

# ---- Scores of spans ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "there", "wanted"),
    [
        ([["1X", "2Y"]], [["1X", "3Y"]], (1, 2, 2)),
        ([["1X"]], [["1Y"]], (0, 1, 1)),
        ([["1X"], []], [[], ["1X"]], (0, 1, 1)),
        ([[]], [["1X"]], (0, 0, 1)),
        ([["1X"]], [[]], (0, 1, 0)),
        ([["1X", "1X"]], [["1X"]], (1, 2, 1)),
    ],
)
def test_span_scores_by_hand(found: list[list[str]], there: list[list[str]], wanted: tuple[int, int, int]) -> None:
    some, truth = ([[(one[0], one[1]) for one in row] for row in rows] for rows in (found, there))
    every, _ = metrics.span_scores(some, truth)
    assert (every.right, every.found, every.there) == wanted


def test_precision_recall_and_f1_by_hand() -> None:
    some = [[((0, 1), "X"), ((2, 3), "X"), ((4, 5), "Y")], [((0, 1), "Z")]]
    truth = [[((0, 1), "X"), ((2, 4), "X"), ((4, 5), "Y"), ((6, 7), "Y")], []]
    every, each = metrics.span_scores(some, truth)
    assert (every.precision, every.recall, every.f1) == (0.5, 0.5, 0.5)
    assert {kind: round(one.f1, 4) for kind, one in each.items()} == {"X": 0.5, "Y": 0.6667, "Z": 0.0}
    assert metrics.macro_span_f1(each) == pytest.approx((1 / 2 + 2 / 3) / 2), "Z is nowhere"
    assert metrics.macro_span_f1({}) == 0
    nothing = metrics.SpanScore(0, 0, 0)
    assert (nothing.precision, nothing.recall, nothing.f1) == (0, 0, 0)
    with pytest.raises(InputError, match="no sentences"):
        metrics.span_scores([], [])
    with pytest.raises(ValueError, match="2 sentences"):
        metrics.span_scores([[], []], [[]])


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("span_f1", "Span F1 (strict) (%) ↑"), ("span_precision", "Span precision (%) ↑"),
        ("span_recall", "Span recall (%) ↑"), ("span_f1_macro", "Span F1, mean of kinds (%) ↑"),
        ("span_f1_lenient", "Span F1 (conlleval) (%) ↑"), ("accuracy_unseen", "Accuracy on unseen words (%) ↑"),
    ],
)  # fmt: skip
def test_scores_of_tags_as_people_read_them(name: str, heading: str) -> None:
    assert metrics.format_score(name, 0.25) == "25.00 %"
    assert metrics.format_score(name, None) == metrics.format_score(name, float("nan")) == "–"
    assert metrics.SCORES[name].heading == heading


# ---- What a tagger has to beat --------------------------------------------------------------------------------------


def test_most_frequent_tags_by_hand() -> None:
    words = ["a b a".split(), "a c".split(), "d d d d".split()]
    tags = ["X Y X".split(), "Y Z".split(), "W W W W".split()]
    asked = [["a", "b", "d", "new"], [], ["c"]]
    # Of the words seen once, b is Y and c is Z: Y is first by alphabet.
    assert baselines.most_frequent_tags(words, tags, asked) == [["X", "Y", "W", "Y"], [], ["Z"]]
    assert baselines.most_frequent_tags([["a", "a", "b", "b"]], [["X", "X", "Y", "Y"]], [["c"]]) == [["X"]]
    assert baselines.most_frequent_tags([["a", "a"]], [["Y", "X"]], [["a"]]) == [["X"]]
    with pytest.raises(InputError, match="at least one tagged word"):
        baselines.most_frequent_tags([[]], [[]], [["a"]])


def test_a_linear_tagger_reads_endings_and_neighbours() -> None:
    words = [f"the {stem}ing runs".split() for stem in "pqrstuv"] + [f"to {stem}ed that".split() for stem in "pqrstuv"]
    tags = [["D", "G", "V"]] * 7 + [["T", "P", "D"]] * 7
    assert baselines.linear_tags(words, tags, [["the", "zing", "runs"], [], ["to", "xed", "that"]]) == [
        ["D", "G", "V"], [], ["T", "P", "D"]]  # fmt: skip
    assert baselines.linear_tags([["a", "b"]], [["X", "X"]], [["c"], []]) == [["X"], []]
    assert baselines.linear_tags(words, tags, [[], []]) == [[], []]
    # The same word, told apart by what stands before it.
    words, tags = [["to", "run"], ["a", "run"]] * 5, [["T", "V"], ["D", "N"]] * 5
    assert baselines.linear_tags(words, tags, [["a", "run"], ["to", "run"]]) == [["D", "N"], ["T", "V"]]
    with pytest.raises(InputError, match="at least one tagged word"):
        baselines.linear_tags([[]], [[]], [["a"]])


# ---- Words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "wanted"),
    [("Lyon", "Xx"), ("McDonald", "XxXx"), ("3.5", "0.0"), ("2,000", "0,0"), ("...", "."), ("", ""), ("é1!", "x0!"),
     ("aAaAaAaAaAaAaAaA", "xXxXxXxXxXxX")],
)  # fmt: skip
def test_shapes(word: str, wanted: str) -> None:
    assert shape(word) == wanted


def test_words_as_numbers() -> None:
    encoder = WordEncoder.fit(WordSettings(suffixes=(2,)), [["Lyon", "lyon", "1999"], ["Lyon", "2,5"]])
    assert encoder.vocabulary == ("<pad>", "<unk>", "lyon", "0000", "0,0")
    assert encoder.frequencies.tolist() == [0, 0, 3, 1, 1]
    assert [encoder.seen(word) for word in ("LYON", "1234", "9,9", "new")] == [3, 1, 1, 0]
    words = encoder.encode([["Lyon", "new", "Lyon"], []], "it")
    assert words.places.ids.tolist() == [0, 1, 0]
    assert words.lengths.tolist() == [3, 0]
    assert words.features[:, 0].tolist() == [2, 1]
    assert words.features.shape == (2, 3)
    assert words.letters.lengths.tolist() == [4, 3]
    again = WordEncoder.from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder
    few = WordEncoder.fit(WordSettings(min_count=2, lowercase=False, digits=False), [["A", "A", "a", "1"]])
    assert few.vocabulary == ("<pad>", "<unk>", "A")
    assert few.seen("a") == 1
    long = encoder.encode([["Lyon" * 50]], "it")
    assert long.letters.lengths.tolist() == [LONGEST]
    with pytest.raises(InputError, match="no words"):
        WordEncoder.fit(WordSettings(), [[], []])
