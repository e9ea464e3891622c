"""The phrase set: correct French, the same on every machine, a test part of new sentences made of known words."""

import re
from collections import Counter

import pytest

from lstmlab.data.datasets import grammar, phrases
from lstmlab.data.datasets.grammar import Phrase, Subject, clause, french
from lstmlab.data.pairs import TranslationData, load_pairs


@pytest.fixture(scope="module")
def parts() -> dict[str, list[grammar.Pair]]:
    return phrases.parts()


@pytest.mark.parametrize(
    ("raw", "written"),
    [
        ("je ai un chien", "j'ai un chien"),
        ("je habite à Paris", "j'habite à Paris"),
        ("il ne y a pas de œuf", "il n'y a pas d'œuf"),
        ("est-ce que elle va à la école", "est-ce qu'elle va à l'école"),
        ("est-ce que Anna est à le hôpital", "est-ce qu'Anna est à l'hôpital"),
        ("il vient de le marché", "il vient du marché"),
        ("il vient de la gare", "il vient de la gare"),
        ("il va à le parc", "il va au parc"),
        ("ma orange", "mon orange"),
        ("ma petite orange", "ma petite orange"),
        ("sous le arbre", "sous l'arbre"),
        ("que le chien", "que le chien"),
    ],
)
def test_elision_and_contraction(raw: str, written: str) -> None:
    assert french(raw) == written


def test_sentences_worked_by_hand() -> None:
    anna, they, i = Subject("Anna", "Anna", 2, feminine=True), grammar.SUBJECTS[5], grammar.SUBJECTS[0]
    key = Phrase("a small key", "une petite clé", True)
    assert clause(anna, grammar.HAVE, key, "say") == ("Anna has a small key.", "Anna a une petite clé.")
    assert clause(i, grammar.HAVE, key, "deny") == ("I do not have a small key.", "Je n'ai pas de petite clé.")
    assert clause(anna, grammar.SEEK, key, "ask") == (
        "Is Anna looking for a small key?",
        "Est-ce qu'Anna cherche une petite clé ?",
    )
    assert clause(they, grammar.MUST, Phrase("eat", "manger"), "deny") == (
        "They must not eat.",
        "Ils ne doivent pas manger.",
    )
    assert clause(anna, grammar.LIKE, Phrase("the cake", "le gâteau"), "ask") == (
        "Does Anna like the cake?",
        "Est-ce qu'Anna aime le gâteau ?",
    )
    assert clause(they, grammar.BE, Phrase("sad", "tristes"), "ask") == (
        "Are they sad?",
        "Est-ce qu'ils sont tristes ?",
    )


def test_size_and_wholeness(parts: dict[str, list[grammar.Pair]]) -> None:
    assert 2000 <= sum(map(len, parts.values())) <= 3000
    assert len(parts["valid"]) == len(parts["test"]) == phrases.HELD_OUT
    everything = [pair for found in parts.values() for pair in found]
    assert len({en for en, _ in everything}) == len(everything)
    assert len({fr for _, fr in everything}) == len(everything)


def test_every_word_of_the_held_out_parts_is_known(parts: dict[str, list[grammar.Pair]]) -> None:
    known = Counter(word for pair in parts["train"] for word in phrases.words(pair))
    for part in ("valid", "test"):
        assert all(known[word] >= phrases.KNOWN for pair in parts[part] for word in phrases.words(pair))


def test_every_pattern_stands_in_the_test_part(parts: dict[str, list[grammar.Pair]]) -> None:
    held = set(parts["test"])
    for pattern in phrases.PATTERNS:
        assert held & set(pattern()), pattern.__name__


def test_rules_of_french_hold_throughout(parts: dict[str, list[grammar.Pair]]) -> None:
    for english, text in (pair for found in parts.values() for pair in found):
        assert not re.search(r"\b(je|ne|de|le|la|que|ma) [aeiouyhàâéèêîôûœ]", text, re.IGNORECASE), text
        assert not re.search(r"\b(à le|de le|à les)\b", text), text
        assert text.endswith(" ?") == english.endswith("?"), text
        assert (" not " in english or " no " in english) == (" pas " in text), text
        assert english[0].isupper()
        assert text[0].isupper()
        assert "  " not in english + text
    feminine = {noun.fr for noun in grammar.THINGS + grammar.FOOD + grammar.TEXTS if noun.feminine}
    for _, text in parts["train"]:
        for article, adjective, noun in re.findall(r"\b(une?|le|la|l') ?(?:(petite?|grande?) )?(\w+)", text):
            if noun in feminine:
                assert article in ("une", "la", "l'"), text
                assert not adjective or adjective.endswith("e"), text


def test_the_set_does_not_change_unnoticed(parts: dict[str, list[grammar.Pair]]) -> None:
    assert parts["test"][:2] == [
        ("He is looking for the green cat.", "Il cherche le chat vert."),
        ("Are the children coming from the library?", "Est-ce que les enfants viennent de la bibliothèque ?"),
    ]


def test_it_is_a_named_set() -> None:
    data = load_pairs(TranslationData(name="phrases", limit=100), 0)
    assert {part: len(corpus) for part, corpus in data.parts.items()} == {"train": 100, "valid": 200, "test": 200}
    turned = load_pairs(TranslationData(name="phrases", source="fr", target="en"), 0)
    assert turned.test is not None
    assert data.test is not None
    assert turned.test.inputs == data.test.targets
