"""Words as a tagger sees them: known or not, letter by letter, by their ending and by their shape.

What is known of a word depends on the word alone, so it is worked out once for each different word of a part and looked
up for all others. Letters in shapes: U different words, N sentences, F features.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from jaxtyping import Int
from pydantic import Field

from lstmlab.data.text import SPECIALS, UNKNOWN
from lstmlab.data.tokens import Tokens
from lstmlab.errors import InputError
from lstmlab.recipe import Settings, dump, validate

LONGEST = 30
"""Letters of a word that are read: the first and the last half of these."""
_DIGIT = re.compile(r"\d")
_ADDRESS = re.compile(r"(https?:|www\.)\S+|([@#])\w\S*", re.IGNORECASE)


class WordSettings(Settings):
    """How words become numbers."""

    lowercase: bool = True
    """Whether capitals are made small before a word is looked up; its letters and its shape keep them."""
    digits: bool = True
    """Whether all digits count as 0 when a word is looked up."""
    addresses: bool = False
    """Whether all web addresses count as one word when they are looked up, and so all @names and all #topics."""
    min_count: Annotated[int, Field(gt=0)] = 1
    """How often a word must occur in the training part to be known."""
    suffixes: tuple[Annotated[int, Field(gt=0, le=8)], ...] = (2, 3)
    """Lengths of the endings that are looked up beside the word; none: []."""
    exchange: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Training: part of the spans whose words are exchanged for those of another one of the same kind and length, drawn
    anew every time, so that names are told by what stands around them too (Dai & Adel 2020, mention replacement)."""


@dataclass(frozen=True)
class Words:
    """Sentences of one part: which of its different words stands where, and what is known of each of those."""

    places: Tokens
    """Sentences as positions in `features` and `letters`."""
    features: Int[np.ndarray, "U F"]
    """Of each different word: the word's id, its shape's, those of its endings."""
    letters: Tokens
    """The ids of its letters."""

    @property
    def lengths(self) -> Int[np.ndarray, "N"]:
        """Words of each sentence."""
        return self.places.lengths

    def __len__(self) -> int:
        return len(self.places)


@dataclass(frozen=True)
class WordEncoder:
    """From words to numbers; a plain value, fitted on the training part once."""

    settings: WordSettings
    counts: Mapping[str, int]
    """Every word of the training part as it is looked up, and how often it occurs there, most frequent first."""
    tables: tuple[tuple[str, ...], ...]
    """The shapes by id, then the endings of each length by id; ids 0 and 1 are `<pad>` and `<unk>` everywhere."""
    alphabet: tuple[str, ...]
    """The letters by id."""

    @classmethod
    def fit(cls, settings: WordSettings, sentences: Sequence[Sequence[str]]) -> "WordEncoder":
        """From training sentences. Raises InputError where there is no word."""
        forms = Counter(word for sentence in sentences for word in sentence)
        if not forms:
            raise InputError("the training part has no words")
        words: Counter[str] = Counter()
        kinds: list[Counter[str]] = [Counter() for _ in range(1 + len(settings.suffixes))]
        letters: Counter[str] = Counter()
        for form, count in forms.items():
            words[looked_up(form, settings)] += count
            letters.update(dict.fromkeys(form, count))
            for kind, value in zip(kinds, _kinds(form, settings), strict=True):
                kind[value] += count
        tables = tuple(SPECIALS + _ranked(kind, 5 if at else 1) for at, kind in enumerate(kinds))
        return cls(settings, dict(words.most_common()), tables, SPECIALS + _ranked(letters, 2))

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """The known words by id."""
        return SPECIALS + tuple(word for word, count in self.counts.items() if count >= self.settings.min_count)

    @cached_property
    def _ids(self) -> list[dict[str, int]]:
        return [{name: at for at, name in enumerate(table)} for table in (self.vocabulary, *self.tables, self.alphabet)]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many words, shapes, endings of each length there are."""
        return len(self.vocabulary), *map(len, self.tables)

    @property
    def frequencies(self) -> Int[np.ndarray, "V"]:
        """How often each known word occurs in the training part; zero for the specials."""
        known = self.vocabulary[len(SPECIALS) :]
        return np.array([0] * len(SPECIALS) + [self.counts[word] for word in known], np.int64)

    def seen(self, word: str) -> int:
        """How often a word occurs in the training part."""
        return self.counts.get(looked_up(word, self.settings), 0)

    def encode(self, sentences: Sequence[Any], where: str) -> Words:
        """Numbers for sentences. Raises InputError for what is no list of words."""
        at: dict[str, int] = {}
        flat = [at.setdefault(word, len(at)) for word in _words(sentences, where)]
        places = Tokens.of(np.array(flat, np.int32), np.array([len(one) for one in sentences], np.int64))
        *ids, letters = self._ids
        features = np.array(
            [
                [ids[kind].get(value, UNKNOWN) for kind, value in enumerate(_features(form, self.settings))]
                for form in at
            ],
            np.int32,
        ).reshape(len(at), len(ids))
        spelled = [[letters.get(letter, UNKNOWN) for letter in _cut(form)] for form in at]
        flat_letters = np.array([letter for word in spelled for letter in word], np.int32)
        return Words(places, features, Tokens.of(flat_letters, np.array([len(one) for one in spelled], np.int64)))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "settings": dump(self.settings),
            "counts": dict(self.counts),
            "tables": list(map(list, self.tables)),
            "alphabet": list(self.alphabet),
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "WordEncoder":
        """What `to_json` wrote."""
        settings = validate(WordSettings, saved["settings"], "words")
        return cls(settings, saved["counts"], tuple(map(tuple, saved["tables"])), tuple(saved["alphabet"]))


def looked_up(word: str, settings: WordSettings) -> str:
    """A word as it is looked up."""
    if settings.addresses and (found := _ADDRESS.fullmatch(word)):
        return f"<{found[2] or 'www'}>"
    word = word.lower() if settings.lowercase else word
    return _DIGIT.sub("0", word) if settings.digits else word


def shape(word: str) -> str:
    """What kinds of characters a word is made of, runs of them once: "Lyon" Xx, "McDonald" XxXx, "3.5" 0.0."""
    found = ""
    for letter in word:
        kind = "X" if letter.isupper() else "x" if letter.isalpha() else "0" if letter.isdigit() else letter
        if found[-1:] != kind:
            found += kind
    return found[:12]


def _features(form: str, settings: WordSettings) -> tuple[str, ...]:
    return looked_up(form, settings), *_kinds(form, settings)


def _kinds(form: str, settings: WordSettings) -> tuple[str, ...]:
    """Shape, and endings of each length."""
    word = looked_up(form, settings)
    return shape(form), *(word[-length:] for length in settings.suffixes)


def _cut(form: str) -> str:
    return form if len(form) <= LONGEST else form[: LONGEST // 2] + form[-LONGEST // 2 :]


def _ranked(counts: Counter[str], least: int) -> tuple[str, ...]:
    """Names by how often they occur, those too rare to learn from left out."""
    return tuple(name for _, name in sorted((-count, name) for name, count in counts.items() if count >= least))


def _words(sentences: Sequence[Any], where: str) -> Iterator[str]:
    for number, sentence in enumerate(sentences, 1):
        words = isinstance(sentence, Sequence) and not isinstance(sentence, str)
        if not words or not all(isinstance(word, str) for word in sentence):
            raise InputError(f"{where}, sentence {number}: expected a list of words, got {str(sentence)[:60]!r}")
        yield from sentence
