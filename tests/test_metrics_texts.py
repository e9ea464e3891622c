"""Scores of generated text against sacreBLEU and numbers worked out by hand."""

import logging
import math

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st

from lstmlab import metrics
from lstmlab.errors import InputError

HYPOTHESES = ["The cat sat on the mat.", "there is a dog in the garden", "", "He said: hello!", "a b c d e f"]
REFERENCES = [
    "The cat is on the mat.",
    "There is a dog in the yard.",
    "Nothing here.",
    "He said: hello!",
    "f e d c b a",
]
TEXT = st.text(alphabet="ab cdé।क .!", max_size=30)
PAIRS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=12)


# ---- Against references


@given(PAIRS, st.booleans(), st.sampled_from(list(metrics.TOKENIZERS)))
@settings(max_examples=60, deadline=None)
def test_scores_are_sacrebleus(pairs, lowercase, tokenize):
    hypotheses, references = map(list, zip(*pairs, strict=True))
    found = metrics.corpus_scores(hypotheses, references, lowercase=lowercase, tokenize=tokenize, samples=3)
    expected = {
        "bleu": sacrebleu.corpus_bleu(
            hypotheses, [references], lowercase=lowercase, tokenize=tokenize, force=True
        ).score,
        "chrf": sacrebleu.CHRF(lowercase=lowercase).corpus_score(hypotheses, [references]).score,
        "ter": sacrebleu.corpus_ter(hypotheses, [references]).score,
    }
    assert found.scores == pytest.approx(expected)
    assert found.count == len(pairs)
    assert metrics.sentence_chrf(hypotheses, references).tolist() == pytest.approx(
        [sacrebleu.sentence_chrf(text, [wanted]).score for text, wanted in pairs]
    )
    assert metrics.sentence_bleu(hypotheses, references).tolist() == pytest.approx(
        [sacrebleu.sentence_bleu(text, [wanted]).score for text, wanted in pairs]
    )


def test_scores_by_hand():
    # 3 of 4 words, 2 of 3 pairs, 1 of 2 triples, 0 of 1 quadruple (smoothed to 1/2), as long as the reference.
    found = metrics.corpus_scores(["a b c d"], ["a b c e"], tokenize="none", samples=5)
    assert found.bleu == pytest.approx(100 * (3 / 4 * 2 / 3 * 1 / 2 * 1 / 2) ** 0.25)
    assert found.ter == pytest.approx(25)
    # Characters: 3 of 4, 2 of 3, 1 of 2, 0 of 1; precision and recall are equal, and so is their F.
    assert found.chrf == pytest.approx(100 * (3 / 4 + 2 / 3 + 1 / 2 + 0) / 4)
    assert found.intervals["bleu"] == pytest.approx((found.bleu, found.bleu))


def test_the_numbers_of_the_command_line_tool():
    found = metrics.corpus_scores(HYPOTHESES, REFERENCES)
    # What sacreBLEU 2.6.0 says on the command line.
    assert found.scores == pytest.approx({"bleu": 46.8049, "chrf": 62.7760, "ter": 37.5}, abs=1e-4)
    assert found.signatures["bleu"].startswith("BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert found.signatures["chrf"].startswith("chrF2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")
    assert found.signatures["ter"].startswith("TER|nrefs:1|case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:")
    other = metrics.corpus_scores(HYPOTHESES, REFERENCES, lowercase=True, tokenize="intl", samples=2)
    assert "case:lc|eff:no|tok:intl" in other.signatures["bleu"]
    assert other.bleu > found.bleu


def test_perfect_and_hopeless():
    found = metrics.corpus_scores(REFERENCES, REFERENCES, samples=20)
    assert found.scores == pytest.approx({"bleu": 100, "chrf": 100, "ter": 0})
    assert found.intervals["chrf"] == pytest.approx((100, 100))
    found = metrics.corpus_scores([""] * 5, REFERENCES, samples=20)
    assert found.scores == pytest.approx({"bleu": 0, "chrf": 0, "ter": 100})
    assert metrics.corpus_scores(["so many words"], ["few"], samples=2).ter > 100
    assert metrics.sentence_chrf(["", "few"], ["few", "few"]).tolist() == pytest.approx([0, 100])


def test_a_danda_is_no_part_of_a_word_with_intl():
    hypotheses, references = ["वह घर जा रहा है"], ["वह घर जा रहा है।"]
    plain, intl = (metrics.corpus_scores(hypotheses, references, tokenize=name).bleu for name in ("13a", "intl"))
    assert plain < intl


def test_one_of_several_references_is_enough():
    references = [["a cat sat there", "the dog lay there"], "one two three four"]
    found = metrics.corpus_scores(["the dog lay there", "one two three four"], references, samples=3)
    assert found.scores == pytest.approx({"bleu": 100, "chrf": 100, "ter": 0})
    assert "nrefs:var" in found.signatures["bleu"]
    assert metrics.exact_match(["the  dog lay there", "one two"], references) == 0.5
    assert metrics.sentence_chrf(["the dog lay there", "x"], references).tolist() == pytest.approx([100, 0])


def test_intervals_hold_the_score_and_shrink():
    random = np.random.default_rng(0)
    words = "abcdefghij"
    references = [" ".join(random.choice(list(words), 9)) for _ in range(400)]
    hypotheses = [" ".join(w if random.random() < 0.8 else "x" for w in text.split()) for text in references]
    few, many = (metrics.corpus_scores(hypotheses[:n], references[:n], samples=300) for n in (50, 400))
    for name in ("bleu", "chrf", "ter"):
        (low, high), (narrow, wide) = few.intervals[name], many.intervals[name]
        assert low < few.scores[name] < high
        assert wide - narrow < 0.6 * (high - low)
    again = metrics.corpus_scores(hypotheses[:50], references[:50], samples=300)
    assert again == few
    assert metrics.corpus_scores(hypotheses[:50], references[:50], samples=300, seed=1).intervals != few.intervals
    # sacreBLEU's own bootstrap of the same sentences says the same, but for its luck.
    own = sacrebleu.BLEU(force=True).corpus_score(hypotheses, [references], n_bootstrap=300)
    low, high = many.intervals["bleu"]
    assert (high - low) / 2 == pytest.approx(own._ci, rel=0.25)


def test_ter_can_be_left_out():
    found = metrics.corpus_scores(HYPOTHESES, REFERENCES, ter=False, samples=2)
    assert found.ter is None
    assert found.scores.keys() == found.intervals.keys() == found.signatures.keys() == {"bleu", "chrf"}


def test_nothing_is_logged(caplog):
    with caplog.at_level(logging.DEBUG):
        metrics.corpus_scores(["tokenized ."] * 150, ["tokenized ."] * 150, samples=1)
        metrics.sentence_bleu(["a"], ["a"])
    assert not caplog.records


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(InputError, match="nothing to score"):
        metrics.corpus_scores([], [])
    with pytest.raises(InputError, match=r'no tokenizer for BLEU "13". Did you mean 13a\?'):
        metrics.corpus_scores(["a"], ["a"], tokenize="13")
    with pytest.raises(InputError, match="text 2 has no reference"):
        metrics.corpus_scores(["a", "b"], ["a", []])
    with pytest.raises(ValueError, match="1 hypotheses, 2 references"):
        metrics.exact_match(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="references: expected a list of texts, got one text"):
        metrics.sentence_chrf(["a"], "a")
    with pytest.raises(ValueError, match="samples: expected 1 or more, got 0"):
        metrics.corpus_scores(["a"], ["a"], samples=0)


def test_exact_match():
    assert metrics.exact_match(["a  b ", "A b", "", "c"], ["a b", "a b", " ", "d"]) == 0.5


# ---- In the model's own probabilities


def test_perplexity():
    assert metrics.perplexity(10 * math.log(7), 10) == pytest.approx(7)
    assert metrics.perplexity(0.0, 3) == 1
    assert metrics.perplexity(1e6, 10) == math.inf
    assert metrics.perplexity(math.inf, 10) == math.inf
    assert math.isnan(metrics.perplexity(math.nan, 10))
    with pytest.raises(InputError, match="nothing to score"):
        metrics.perplexity(0.0, 0)


def test_token_accuracy():
    targets, predictions = np.array([[1, 2, 0], [3, 0, 0]]), np.array([[1, 9, 0], [3, 0, 5]])
    assert metrics.token_accuracy(targets, predictions) == pytest.approx(4 / 6)
    assert metrics.token_accuracy(targets, predictions, targets != 0) == pytest.approx(2 / 3)
    with pytest.raises(InputError, match="nothing to score"):
        metrics.token_accuracy(targets, predictions, np.zeros((2, 3), bool))


# ---- In its variety


def test_distinct_by_hand():
    texts = [["i", "do", "not", "know"], ["i", "do"], ["no"], []]
    assert metrics.distinct(texts, 1) == pytest.approx(5 / 7)  # i do not know no, of seven
    assert metrics.distinct(texts, 2) == pytest.approx(3 / 4)  # (i do) twice, (do not), (not know)
    assert metrics.distinct(texts, 5) == 0
    with pytest.raises(ValueError, match="n: expected 1 or more, got 0"):
        metrics.distinct(texts, 0)
    with pytest.raises(InputError, match="nothing to score"):
        metrics.distinct([], 1)


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6), min_size=1, max_size=8), st.integers(1, 3))
def test_distinct_falls_when_everything_is_said_twice(texts, n):
    once = metrics.distinct(texts, n)
    assert 0 <= once <= 1
    assert metrics.distinct(texts * 2, n) == pytest.approx(once / 2)


def test_repeated_and_generic_replies_by_hand():
    inputs = ["how are you", "who is it", "Who  is it", "what now", "why"]
    replies = ["I do not know.", "i do  not know.", "I do not know.", "Go home.", "go home."]
    assert metrics.repeated_share(replies) == 1
    assert metrics.repeated_share([*replies, "new"]) == pytest.approx(5 / 6)
    # Three times "I do not know.", but two of the inputs are the same.
    assert metrics.generic_share(inputs, replies) == 0
    assert metrics.generic_share(inputs, replies, least=2) == 1
    assert metrics.generic_share([*inputs, "where"], [*replies, "I do not know."]) == pytest.approx(4 / 6)
    with pytest.raises(ValueError, match="1 inputs, 2 replies"):
        metrics.generic_share(["a"], ["a", "b"])


@given(st.lists(st.sampled_from(["a", "A ", "b", "c d", "c  d"]), min_size=1, max_size=20))
def test_shares_are_shares_and_order_does_not_count(replies):
    inputs = [f"input {at}" for at in range(len(replies))]
    repeated, generic = metrics.repeated_share(replies), metrics.generic_share(inputs, replies)
    assert 0 <= generic <= repeated <= 1
    assert metrics.repeated_share(replies[::-1]) == repeated
    assert metrics.generic_share(inputs, replies[::-1]) == generic
    assert metrics.generic_share(["the same"] * len(replies), replies) == 0


@pytest.mark.parametrize(
    ("name", "value", "shown", "heading"),
    [
        ("bleu", 27.3456, "27.35", "BLEU (0–100) ↑"),
        ("chrf", 100.0, "100.00", "chrF (0–100) ↑"),
        ("ter", 53.126, "53.13", "TER (edits per 100 words) ↓"),
        ("exact_match", 0.25, "25.00 %", "Exact match (%) ↑"),
        ("token_accuracy", 0.625, "62.50 %", "Token accuracy (%) ↑"),
        ("perplexity", 12.3456, "12.35", "Perplexity ↓"),
        ("perplexity", math.inf, "inf", "Perplexity ↓"),
        ("distinct_1", 0.0525, "5.25 %", "Distinct-1 (%) ↑"),
        ("distinct_2", 0.2, "20.00 %", "Distinct-2 (%) ↑"),
        ("repeated_replies", 0.5, "50.00 %", "Repeated replies (%) ↓"),
        ("generic_replies", 0.5, "50.00 %", "Generic replies (%) ↓"),
    ],
)
def test_scores_of_text_as_people_read_them(name, value, shown, heading):
    assert metrics.format_score(name, value) == shown
    assert metrics.SCORES[name].heading == heading
