"""Tokens between marks: what goes in comes out, turns stay apart, blanks stand where the language has them."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstmlab.data.sentences import EncodedPairs, Language, Languages, SentenceSettings, spacing
from lstmlab.data.text import TextSettings
from lstmlab.data.tokens import Tokens
from lstmlab.errors import InputError

FRENCH = [
    "Où est l'école ?",
    "Est-ce que tu viens ?",
    "Marie a 3,5 kilos (environ) !",
    "C'est « bien », non ?",
    'Il dit "non" à Zoé.',
    "Ça coûte 1 000 €.",
]
HINDI = ["नमस्ते, आप कैसे हैं?", "मैं ठीक हूँ।", "वह घर जा रहा है।"]


def fitted(texts: list[str], **settings: object) -> Language:
    return Language.fit(TextSettings.model_validate({"lowercase": False, **settings}), texts)


@pytest.mark.parametrize("texts", [FRENCH, HINDI], ids=["French", "Hindi"])
@pytest.mark.parametrize("level", ["word", "character", "subword"])
def test_what_was_learned_comes_back(texts: list[str], level: str) -> None:
    """Numbers, names, accents and capitals survive; so do the blanks before a French question mark."""
    language = fitted(texts, level=level, vocabulary_size=600)
    for text in texts:
        ids = language.targets([text]).row(0)
        assert (ids[0], ids[-1]) == (language.begin, language.end)
        back = language.decode(ids)
        if level == "word":
            # A word's own blanks inside numbers and quotation marks are no rule of spacing.
            assert back.replace(" ", "") == text.replace(" ", "").replace("\u202f", "")
        else:
            assert back == text


def test_blanks_stand_where_the_training_texts_have_them() -> None:
    language = fitted(FRENCH * 3, level="word")
    assert language.join(["Est", "-", "ce", "là", "?"]) == "Est-ce là ?"
    assert language.join(["Il", "dit", '"', "non", '"', "."]) == 'Il dit "non".'
    assert language.join(["a", "(", "b", ")", "!"]) == "a (b) !"
    english = fitted(["Is it? No, it isn't!", "A well-known (old) song."], level="word")
    assert english.join(["Is", "it", "?", "No", ",", "well", "-", "known", "."]) == "Is it? No, well-known."


def test_the_simple_rule_ends_a_word_at_its_apostrophe() -> None:
    language = fitted(["l'homme, don't go!"], level="word", words="simple")
    ids = language.targets(["l'homme, don't go!"]).row(0)
    assert language.names(ids) == ["<s>", "l'", "homme", ",", "don'", "t", "go", "!", "</s>"]
    assert language.decode(ids) == "l'homme, don't go!"


def test_spacing_counts_and_ends_of_texts_say_nothing() -> None:
    assert spacing(["a?", "b ? c"]) == {"?": (False, False)}
    assert spacing(["a, b", "c, d"]) == {",": (True, False)}
    assert spacing([]) == {}


def test_turns_stand_apart_and_no_source_is_empty() -> None:
    language = fitted(["hello there", "fine"], level="word")
    tokens = language.sources(["hello\nfine\nthere", "", "fine"])
    assert [language.names(tokens.row(at)) for at in range(3)] == [
        ["hello", "<turn>", "fine", "<turn>", "there", "</s>"],
        ["</s>"],
        ["fine", "</s>"],
    ]
    assert language.pieces("hello\nstrange") == ["hello", "<turn>", "strange", "</s>"]
    assert language.pieces("") == ["</s>"]


@given(st.lists(st.text(alphabet="ab \n?", max_size=12), min_size=1, max_size=6))
def test_sources_and_pieces_go_together(texts: list[str]) -> None:
    language = fitted(["a b ?"], level="word")
    tokens = language.sources(texts)
    assert tokens.lengths.tolist() == [len(language.pieces(text)) for text in texts]
    assert (tokens.ids[tokens.offsets[1:] - 1] == language.end).all()


def test_no_text_spells_a_mark() -> None:
    language = fitted(["<s> a </s> <turn>"], level="word")
    ids = language.targets(["<s> a </s>"]).row(0)
    assert (ids[1:-1] < language.encoder.size).all()
    assert language.unwritten == (0, language.begin, language.turn)


def test_a_joint_vocabulary_is_one_and_saved_once() -> None:
    for joint in (True, False):
        both = Languages.fit(SentenceSettings(level="word", joint=joint), ["a b"], ["c d"])
        assert (both.source.size == both.target.size == 9) is joint
        told = json.loads(json.dumps(both.to_json()))
        assert ("target" in told) is not joint
        assert Languages.from_json(told) == both


def test_answers_have_the_blanks_of_targets_with_a_joint_vocabulary_too() -> None:
    both = Languages.fit(SentenceSettings(level="word", joint=True), ["Is it? Yes"] * 3, ["Où ? Là"])
    assert both.target.join(["Où", "?", "Là"]) == "Où ? Là"
    assert Languages.from_json(json.loads(json.dumps(both.to_json()))) == both


@pytest.mark.parametrize("saved", [{}, {"glued": 3}, None, {"glued": {}, "vocabulary": []}])
def test_a_foreign_vocabulary_is_refused(saved: object) -> None:
    with pytest.raises(InputError, match="source"):
        Language.from_json(saved, "the source's vocabulary")


def test_pairs_are_bucketed_by_their_target_unless_the_source_is_very_long() -> None:
    def tokens(*lengths: int) -> Tokens:
        return Tokens.of(np.ones(sum(lengths), np.int32), np.array(lengths))

    pairs = EncodedPairs(["a", "b"], ["c", "d"], tokens(5, 400), tokens(7, 3))
    assert pairs.lengths.tolist() == [7, 100]
    assert EncodedPairs(["a", "b"], None, tokens(5, 400), None).lengths.tolist() == [5, 400]


def test_settings_of_words_are_for_words() -> None:
    reasons = SentenceSettings(level="subword", vocabulary_size=300).idle()
    assert {"words", "punctuation", "copy_unknown"} <= reasons.keys()
    assert SentenceSettings(level="word").idle().keys() == {"line_ends"}
