"""The likeliest next words against all words there are, spelled out and weighed one by one."""

import itertools
import string
import time
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from lstmlab.data.text import TextEncoder, TextSettings
from lstmlab.decoding import foresight, likeliest
from lstmlab.nn.language_model import LanguageModel, LanguageModelSettings
from lstmlab.tasks import speaking

LETTERS, BLANK, STOP = (2, 3, 4), 5, 6
SIZE = 7
NEVER = (0, 1)
LONG = 8
"""Tokens of the longest word that is enumerated."""


def table(seed: int) -> Tensor:
    """Logits after each token; the last row is the beginning. Words end after two or three letters on average."""
    found = np.random.default_rng(seed).normal(0, 1.5, (SIZE + 1, SIZE))
    found[:, [BLANK, STOP]] += 0.7
    return torch.from_numpy(found.astype(np.float32))


def mask(*tokens: int) -> Tensor:
    found = torch.zeros(SIZE, dtype=torch.bool)
    found[list(tokens)] = True
    return found


def foreseen(
    logits: Tensor, count: int, opening: Tensor | None = None, inner: Tensor | None = None
) -> list[tuple[tuple[int, ...], float]]:
    """By the search, with a state that remembers the last token."""
    letters = mask(*LETTERS)
    told = likeliest(
        lambda tokens, state: (logits[tokens], tokens),
        lambda state, rows: state[rows],
        logits[-1:],
        torch.zeros(1, dtype=torch.long),
        opening=letters if opening is None else opening,
        inner=letters if inner is None else inner,
        never=NEVER,
        count=count,
    )
    return [(one.tokens, one.probability) for one in told]


def every(
    logits: Tensor, count: int, opening: Sequence[int] = LETTERS, inner: Sequence[int] = LETTERS
) -> list[tuple[tuple[int, ...], float]]:
    """The same by enumeration of all words of at most LONG tokens."""
    shares = logits.double().softmax(1)
    shares[:, list(NEVER)] = 0
    found = []
    for first in range(SIZE):
        if first not in opening:
            found.append(((first,), float(shares[-1, first])))
            continue
        for size in range(LONG):
            for rest in itertools.product(inner, repeat=size):
                word = (first, *rest)
                p = float(shares[-1, first])
                for before, token in itertools.pairwise(word):
                    p *= float(shares[before, token])
                ends = sum(float(shares[word[-1], token]) for token in range(SIZE) if token not in inner)
                found.append((word, p * ends))
    return sorted((one for one in found if one[1] > 0), key=lambda one: -one[1])[:count]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [1, 20])
def test_the_likeliest_words_are_those_of_all_words(seed: int, count: int) -> None:
    found, expected = foreseen(table(seed), count), every(table(seed), 10_000)
    assert [share for _, share in found] == pytest.approx([share for _, share in expected[:count]])
    # Words of the same pairs of letters are alike: which one is first is open.
    assert {word: share for word, share in expected if word in dict(found)} == pytest.approx(dict(found))


@pytest.mark.parametrize("seed", range(4))
def test_pieces_that_begin_a_word_and_pieces_that_go_on(seed: int) -> None:
    """As subwords are: two tokens begin words, two others go on."""
    logits = table(seed)
    found = foreseen(logits, 12, mask(2, 3), mask(4, 5))
    expected = every(logits, 12, (2, 3), (4, 5))
    assert [word for word, _ in found] == [word for word, _ in expected]
    assert [share for _, share in found] == pytest.approx([share for _, share in expected])


def test_whole_words_are_the_likeliest_tokens() -> None:
    logits = table(0)
    found = foreseen(logits, 3, mask(), mask())
    shares = logits[-1].double().softmax(0)
    shares[list(NEVER)] = 0
    best = shares.topk(3)
    assert [word for word, _ in found] == [(int(token),) for token in best.indices]
    assert [share for _, share in found] == pytest.approx(best.values.tolist())


def test_probabilities_of_different_words_add_up_to_no_more_than_one() -> None:
    logits = table(1)
    logits[:, list(NEVER)] = -20
    found = foreseen(logits, 500)
    assert len({word for word, _ in found}) == len(found)
    assert 0.9 < sum(share for _, share in found) <= 1 + 1e-9
    assert all(NEVER[0] not in word and NEVER[1] not in word for word, _ in found)


def test_words_without_an_end_are_given_up() -> None:
    """In a text without blanks a sure model would spell one word for ever."""
    logits = torch.full((SIZE + 1, SIZE), -30.0)
    for at in range(SIZE + 1):
        logits[at, LETTERS[at % 3]] = 0
    began = time.monotonic()
    assert all(len(word) <= foresight.LONGEST for word, _ in foreseen(logits, 10))
    assert time.monotonic() - began < 5


# ---- With a model of each level -------------------------------------------------------------------------------------

TEXTS = ["ab ba ab abba.", "ba ab, a bab ab a.", "bab ab ba a b ab ba."] * 4


def spoken(
    level: str, text: str, vocabulary: int = 20_000
) -> tuple[list[tuple[str, float]], TextEncoder, LanguageModel]:
    """The likeliest words after a text by a model nobody trained."""
    encoder = TextEncoder.fit(
        TextSettings(level=level, lowercase=False, vocabulary_size=vocabulary, words="unicode"),  # type: ignore[arg-type]
        TEXTS,
    )
    torch.manual_seed(0)
    settings = LanguageModelSettings.model_validate(
        {"embedding": {"size": 8, "deviation": 2.0}, "encoder": {"hidden_size": 8, "bidirectional": False}}
    )
    model = LanguageModel(settings, torch.ones(encoder.size)).eval()
    with torch.no_grad():
        model.bias.normal_(0, 2)
        if level == "subword":  # bytes nobody saw would share all there is
            seen = torch.from_numpy(np.unique(encoder.encode(TEXTS).ids))
            model.bias.sub_(torch.ones(encoder.size).index_fill(0, seen.long(), 0) * 30)
    return speaking.next_words(model, encoder, text, 8), encoder, model


@torch.inference_mode()
def p(model: LanguageModel, encoder: TextEncoder, text: str) -> Tensor:
    """What the model says of the next token after a text, read whole."""
    return speaking.begin(model, encoder, [text]).logits[0].double().softmax(0)


def test_words_of_characters_are_weighed_letter_by_letter() -> None:
    told, encoder, model = spoken("character", "ab ba")
    assert len(told) == 8
    letters = [encoder.vocabulary.index(letter) for letter in "ab"]
    at = {name: place for place, name in enumerate(encoder.vocabulary)}
    shares: dict[str, float] = {}
    begun = {"": 1.0}
    first = p(model, encoder, "ab ba ")
    for mark in " .,":
        shares[mark.lstrip(" ")] = float(first[at[mark]])
    for _ in range(6):
        longer: dict[str, float] = {}
        for word, share in begun.items():
            following = p(model, encoder, "ab ba " + word)
            if word:
                shares[word] = share * float(following[[at[mark] for mark in " .,"]].sum())
            for letter in letters:
                longer[word + encoder.vocabulary[letter]] = share * float(following[letter])
        begun = longer
    best = sorted(shares.items(), key=lambda one: -one[1])[:8]
    assert [word for word, _ in told] == [word for word, _ in best]
    assert [share for _, share in told] == pytest.approx([share for _, share in best], rel=1e-4)


def test_a_blank_behind_the_text_changes_nothing_of_characters() -> None:
    assert spoken("character", "ab ba")[0] == spoken("character", "ab ba ")[0]


def test_words_of_words_are_the_likeliest_tokens() -> None:
    told, encoder, model = spoken("word", "ab ba")
    shares = p(model, encoder, "ab ba")
    best = shares[2:].topk(min(8, encoder.size - 2))
    assert [word for word, _ in told] == [encoder.vocabulary[token + 2] for token in best.indices]
    assert [share for _, share in told] == pytest.approx(best.values.tolist(), rel=1e-5)


def test_words_of_pieces_are_put_together() -> None:
    told, encoder, model = spoken("subword", "ab ba", 275)
    shares = p(model, encoder, "ab ba")
    total = 0.0
    for word, share in told:
        assert word
        assert not set(word) - set(string.ascii_letters + string.punctuation + "\n")
        total += share
    assert total <= 1 + 1e-6
    # Of a word that is one piece: that piece, and then anything that does not go on with the word.
    names = encoder.tokens(range(encoder.size))
    whole = next(word for word, _ in told if f" {word}" in names)
    inside = [at for at, name in enumerate(names) if at > 1 and speaking._within(name)]
    others = [at for at in range(2, encoder.size) if at not in inside]
    after = p(model, encoder, f"ab ba {whole}")[others]
    begun = shares / (1 - shares[inside].sum())  # a text that ends in a word goes on with another one
    one_piece = float(begun[names.index(f" {whole}")] * after.sum())
    assert dict(told)[whole] >= one_piece * (1 - 1e-4)


@pytest.mark.parametrize("level", ["subword", "character"])
def test_a_word_is_told_once_and_a_blank_behind_the_text_changes_nothing(level: str) -> None:
    with_blank, bare = (spoken(level, text, 275)[0] for text in ("ab ba ", "ab ba"))
    names = [word for word, _ in bare]
    assert len(names) == len(set(names))
    assert with_blank == bare
