"""Text that arrives token by token reads as all of it decoded at once."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lstmlab.data.spelling import Spelling
from lstmlab.data.text import REPLACEMENT, TextEncoder, TextSettings

KNOWN = [
    "The naïve café, don't: 3.5 (so) [it] {was}; it's 100%! Really? … “quoted” l'homme\n\nनमस्ते 中文 👩‍👩‍👧 é",
    "a b c . , ! ? ( ) [ ] - ' \" \n\t x\n\n\ny  z a\u0301 🙂",
]
LEVELS: dict[str, dict[str, Any]] = {
    "character": {"level": "character"},
    "small characters": {"level": "character", "lowercase": True},
    "subword": {"level": "subword", "vocabulary_size": 300},
    "word": {"level": "word"},
    "word with line ends": {"level": "word", "line_ends": True},
    "word of blanks": {"level": "word", "words": "blanks", "line_ends": True},
    "simple words": {"level": "word", "words": "simple", "line_ends": True},
}
ENCODERS = {
    name: TextEncoder.fit(TextSettings.model_validate({"lowercase": False, **changes}), KNOWN)
    for name, changes in LEVELS.items()
}
TEXTS = st.lists(
    st.one_of(
        st.sampled_from([*KNOWN[0], *KNOWN[1]]), st.sampled_from(["a\u0301", "👩‍👩‍👧", "中文", "न"]), st.characters()
    ),
    max_size=40,
).map("".join)


def streamed(encoder: TextEncoder, tokens: list[int]) -> str:
    spelling = Spelling(encoder)
    return "".join(spelling.add(token) for token in tokens)


@pytest.mark.parametrize("name", LEVELS)
@given(text=TEXTS)
@example(text="the \n\n ( a ) . b")
@example(text="\ud83d")
def test_a_text_streams_as_it_is_decoded(name: str, text: str) -> None:
    encoder = ENCODERS[name]
    tokens = encoder.encode([text]).ids.tolist()
    assert streamed(encoder, tokens) == encoder.decode(tokens)


@pytest.mark.parametrize("name", LEVELS)
@given(data=st.data())
def test_any_tokens_at_all_stream_as_they_are_decoded(name: str, data: st.DataObject) -> None:
    """What a model draws is no text of anybody: it may end inside a character."""
    encoder = ENCODERS[name]
    tokens = data.draw(st.lists(st.integers(2, encoder.size - 1), max_size=30))
    told, whole = streamed(encoder, tokens), encoder.decode(tokens)
    assert whole.startswith(told)
    assert whole[len(told) :] in ("", REPLACEMENT)


@pytest.mark.parametrize("name", LEVELS)
@given(data=st.data())
def test_what_follows_a_text_is_what_is_left_of_the_whole(name: str, data: st.DataObject) -> None:
    encoder = ENCODERS[name]
    before = encoder.encode([data.draw(TEXTS)]).ids.tolist()
    after = encoder.encode([data.draw(TEXTS)]).ids.tolist()
    spelling = Spelling(encoder).after(before)
    told = "".join(spelling.add(token) for token in after)
    assert encoder.decode(before) + told == encoder.decode(before + after)


def test_half_a_character_waits_for_its_other_half() -> None:
    encoder = ENCODERS["subword"]
    tokens = encoder.encode(["🦉"]).ids.tolist()
    assert len(tokens) > 2  # training never saw its bytes together
    spelling = Spelling(encoder)
    assert [spelling.add(token) for token in tokens] == [*[""] * (len(tokens) - 1), "🦉"]


def test_a_character_that_is_never_finished_is_told_when_another_begins() -> None:
    encoder = ENCODERS["subword"]
    tokens = encoder.encode(["🦉"]).ids.tolist()[:2] + encoder.encode(["a"]).ids.tolist()
    spelling = Spelling(encoder)
    assert [spelling.add(token) for token in tokens] == ["", "", f"{REPLACEMENT}a"]


def test_words_have_blanks_between_them_and_none_before_marks() -> None:
    encoder = ENCODERS["word with line ends"]
    tokens = encoder.encode(["The café, (so) it's\nwas."]).ids.tolist()
    spelling = Spelling(encoder)
    assert [spelling.add(token) for token in tokens] == [
        "The",
        " café",
        ",",
        " (",
        "so",
        ")",
        " it's",
        "\n",
        "was",
        ".",
    ]
