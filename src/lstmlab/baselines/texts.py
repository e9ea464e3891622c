"""What generated text has to beat: the source unchanged, a dictionary, the nearest neighbour's reply."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int

from lstmlab.baselines.words import PIECE, TOKEN
from lstmlab.errors import InputError

Texts = Sequence[str]
RETURN = 0.25
"""How much the way back counts. Without it rare words get the frequent words around them as their translations; a
quarter was best on the validation parts of Multi30k (three directions) and close to it on Tatoeba (French, Hindi)."""


def copy_source(sources: Texts) -> list[str]:
    """Every source as its own translation: what shared names, numbers and punctuation alone are worth."""
    return list(sources)


# ---- Word for word


@dataclass(frozen=True)
class WordForWord:
    """Each word replaced by its likeliest translation; order and white space stay the source's, unknown words too."""

    words: dict[str, str]
    """Lower-cased source word or mark → target word or mark, in its usual case."""

    @classmethod
    def fit(cls, sources: Texts, targets: Texts, *, iterations: int = 5, most: int = 10_000_000) -> "WordForWord":
        """A dictionary from aligned texts, by IBM Model 1 (Brown et al. 1993, section 4.1).

        Words are learned from words, marks from marks. Of data that would put more than `most` pairs of words side by
        side, as many texts as fit are taken, drawn by chance; memory is about 50 bytes a pair.
        """
        if len(sources) != len(targets):
            raise ValueError(f"{len(sources)} sources, but {len(targets)} targets")
        if not len(sources):
            raise InputError("a dictionary needs at least one pair of texts")
        left, right = _Side.of(sources), _Side.of(targets)
        chosen = _affordable(left, right, most)
        source, target = _best(_aligned(left, right, chosen, iterations), len(right.words))
        usual = _usual_case(targets)
        return cls({left.words[f]: usual[right.words[e]] for f, e in zip(source, target, strict=True)})

    def translate(self, texts: Texts) -> list[str]:
        """Each text word for word. A translation begins with a capital where its source does."""
        return [_like(text, re.sub(PIECE, self._lookup, text)) for text in texts]

    def _lookup(self, found: re.Match[str]) -> str:
        return self.words.get(found[0].lower(), found[0])


@dataclass(frozen=True)
class _Side:
    """One side of aligned texts as numbers: all words in a row `ids` [T], `lengths` [N] of the texts, the words."""

    words: list[str]
    ids: Int[np.ndarray, "T"]
    lengths: Int[np.ndarray, "N"]

    @classmethod
    def of(cls, texts: Texts) -> "_Side":
        numbers: dict[str, int] = {}
        # A word is lower-cased on its own, as in a lookup: beside others a Greek sigma may come out in another shape.
        cut = ([word.lower() for word in re.findall(PIECE, text)] for text in texts)
        rows = [[numbers.setdefault(word, len(numbers)) for word in words] for words in cut]
        lengths = np.array([len(row) for row in rows], np.int64)
        ids = np.fromiter((number for row in rows for number in row), np.int32, int(lengths.sum()))
        return cls(list(numbers), ids, lengths)

    @property
    def are_words(self) -> Any:
        """Of each entry of `words`, whether it is a word or a mark [V]."""
        return np.array([re.match(r"\w", word) is not None for word in self.words], bool)


def _affordable(left: _Side, right: _Side, most: int) -> Int[np.ndarray, "_"]:
    """Indices of as many texts as give no more than `most` pairs of words; in order."""
    pairs = left.lengths * right.lengths
    if pairs.sum() <= most:
        return np.flatnonzero(pairs)
    shuffled = np.random.default_rng(0).permutation(np.flatnonzero(pairs))
    # A text of thousands of words takes the place of ten thousand others: it is left out, wherever it stands.
    usual = shuffled[pairs[shuffled] <= max(most // 100, int(np.median(pairs[shuffled])))]
    return np.sort(usual[np.cumsum(pairs[usual]) <= most])


@dataclass(frozen=True)
class _Counts:
    """How often a source word is thought to have become a target word: entries of a sparse table."""

    source: Int[np.ndarray, "_"]
    """-1 for no word at all."""
    target: Int[np.ndarray, "_"]
    times: Float[np.ndarray, "_"]


def _aligned(left: _Side, right: _Side, chosen: Int[np.ndarray, "_"], iterations: int) -> _Counts:
    """Expected counts after some rounds of expectation and maximisation, from equal chances on."""
    source, target, token = _side_by_side(left, right, chosen)
    kinds, inverse = np.unique((source + 1).astype(np.int64) * len(right.words) + target, return_inverse=True)
    kind = inverse.astype(np.int32)
    del source, target, inverse
    from_, to = kinds // len(right.words) - 1, kinds % len(right.words)
    chance: Any = np.ones(len(kinds))
    times: Any = chance
    for _ in range(iterations):
        share = chance[kind]
        share /= np.bincount(token, share)[token]  # of each target word, which source word it came from
        times = np.bincount(kind, share, len(kinds))
        chance = times / np.bincount(from_ + 1, times)[from_ + 1]
    return _Counts(from_, to, times.astype(np.float64))  # of nothing at all, bincount makes integers


def _side_by_side(
    left: _Side, right: _Side, chosen: Int[np.ndarray, "_"]
) -> tuple[Int[np.ndarray, "_"], Int[np.ndarray, "_"], Int[np.ndarray, "_"]]:
    """Every target word beside every source word of its text, and beside no word (-1); and which target word it is."""
    starts = [(np.cumsum(side.lengths) - side.lengths)[chosen].astype(np.int32) for side in (left, right)]
    width, height = (side.lengths[chosen].astype(np.int32) for side in (left, right))
    width += 1
    size = width * height
    before = (np.cumsum(size) - size).astype(np.int32)
    text = np.repeat(np.arange(len(chosen), dtype=np.int32), size)
    row, column = np.divmod(np.arange(len(text), dtype=np.int32) - before[text], width[text])
    # Column 0 is "no word"; the row of ids is shifted by one, so that it has something to read there.
    source = np.where(column == 0, np.int32(-1), np.append(np.int32(0), left.ids)[starts[0][text] + column])
    token = starts[1][text] + row
    target = right.ids[token]
    like = (source < 0) | (left.are_words[source] == right.are_words[target])
    return source[like], target[like], token[like]


def _best(counts: _Counts, targets: int) -> tuple[list[int], list[int]]:
    """Source words and the best target word w of each: the highest p(w | word) p(word | w)^RETURN.

    Of equally good ones the first that occurs in the data.
    """
    of_target = np.bincount(counts.target, counts.times, targets)
    real = counts.source >= 0
    source, target, times = counts.source[real], counts.target[real], counts.times[real]
    # Counts stand for p(w | word), since all candidates of a word share its own count.
    score = times * (times / np.maximum(of_target[target], 1e-300)) ** RETURN
    order = np.lexsort((target, -score, source))
    first = np.flatnonzero(np.diff(source[order], prepend=-1))
    return source[order][first].tolist(), target[order][first].tolist()


def _usual_case(texts: Texts) -> dict[str, str]:
    """Of each lower-cased word the spelling seen most often inside texts; lower case where it only begins texts."""
    inside: dict[str, Counter[str]] = {}
    opening: dict[str, str] = {}
    for text in texts:
        for at, word in enumerate(re.findall(PIECE, text)):
            if at:
                inside.setdefault(word.lower(), Counter())[word] += 1
            else:
                opening[word.lower()] = word.lower()
    return opening | {word: seen.most_common(1)[0][0] for word, seen in inside.items()}


def _like(source: str, text: str) -> str:
    head = source.lstrip()[:1]
    return text[: len(text) - len(text.lstrip())] + _capital(text.lstrip()) if head.isupper() else text


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# ---- The nearest neighbour


@dataclass(frozen=True)
class Retrieval:
    """The reply to the nearest training input: the highest cosine of TF-IDF vectors of words and pairs of words."""

    replies: Texts
    vectorizer: Any
    """scikit-learn's; None where no training input holds a word."""
    known: Any
    """Training inputs as vectors of length one: a sparse matrix, features by inputs."""
    usual: int
    """Where the most frequent reply stands: the one to give where nothing is alike."""

    @classmethod
    def fit(cls, inputs: Texts, replies: Texts) -> "Retrieval":
        """Lower-cased words and pairs of neighbours, 1 + log(count) times smoothed inverse document frequency."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        if len(inputs) != len(replies):
            raise ValueError(f"{len(inputs)} inputs, but {len(replies)} replies")
        if not len(replies):
            raise InputError("retrieval needs at least one training input and its reply")
        usual = list(replies).index(Counter(replies).most_common(1)[0][0])
        if not any(re.search(TOKEN, text) for text in inputs):
            return cls(replies, None, None, usual)
        vectorizer = TfidfVectorizer(token_pattern=TOKEN, ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32)
        return cls(replies, vectorizer, vectorizer.fit_transform(inputs).T.tocsr(), usual)

    def reply(self, inputs: Texts) -> list[str]:
        """A reply of the training part to each input."""
        return [self.replies[at] for at in self.nearest(inputs)[0]]

    def nearest(self, inputs: Texts) -> tuple[Int[np.ndarray, "N"], Float32[np.ndarray, "N"]]:
        """Which training input is nearest to each, the first of equals; and how alike they are, 0 to 1."""
        where, alike = np.full(len(inputs), self.usual), np.zeros(len(inputs), np.float32)
        for rows, likeness in self._likeness(inputs):
            best = likeness.argmax(1)
            alike[rows] = likeness[np.arange(len(best)), best]
            where[rows] = np.where(alike[rows] > 0, best, self.usual)
        return where, alike

    def _likeness(self, inputs: Texts, values: int = 20_000_000) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows of inputs against all training inputs, as many as `values` numbers hold."""
        if self.vectorizer is None or not len(inputs):
            return
        asked = self.vectorizer.transform(inputs)
        step = max(1, values // len(self.replies))
        for start in range(0, len(inputs), step):
            rows = slice(start, start + step)
            yield rows, (asked[rows] @ self.known).toarray()
