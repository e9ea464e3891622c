"""What a tagger has to beat: each word's most frequent tag, and a linear classifier over words, endings, neighbours."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from lstmlab.errors import InputError

Sentences = Sequence[Sequence[str]]

PASSES = 8
"""How often the linear classifier goes over the training words."""


def most_frequent_tags(words: Sentences, tags: Sentences, asked: Sentences) -> list[list[str]]:
    """Each word's most frequent tag in training; of a word that is new, the one words seen once most often have.

    Equally frequent ones by alphabet. Raises InputError without a training word.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence, own in zip(words, tags, strict=True):
        for word, tag in zip(sentence, own, strict=True):
            counts[word][tag] += 1
    if not counts:
        raise InputError("a baseline needs at least one tagged word")
    rare: Counter[str] = Counter()
    for found in counts.values():
        if found.total() == 1:
            rare.update(found)
    default = _first(rare or sum(counts.values(), Counter()))
    known = {word: _first(found) for word, found in counts.items()}
    return [[known.get(word, default) for word in sentence] for sentence in asked]


def linear_tags(words: Sentences, tags: Sentences, asked: Sentences) -> list[list[str]]:
    """A linear classifier (logistic loss, stochastic gradient) of each word for itself, over what the word, its
    endings, its shape and the words around it are; hashed into 2^20 features.

    Raises InputError without a training word.
    """
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import SGDClassifier

    labels = [tag for own in tags for tag in own]
    if not labels:
        raise InputError("a baseline needs at least one tagged word")
    if len(set(labels)) < 2:
        return [[labels[0]] * len(sentence) for sentence in asked]
    hasher = FeatureHasher(2**20, input_type="string", alternate_sign=False)
    model = SGDClassifier(loss="log_loss", alpha=1e-6, max_iter=PASSES, tol=None, random_state=0, average=True)
    model.fit(hasher.transform(_features(words)), labels)
    if not any(asked):
        return [[] for _ in asked]
    flat = iter(model.predict(hasher.transform(_features(asked))).tolist())
    return [[next(flat) for _ in sentence] for sentence in asked]


def _first(counts: Counter[str]) -> str:
    return min(counts, key=lambda tag: (-counts[tag], tag))


def _features(sentences: Sentences) -> Iterator[list[str]]:
    """What is known of each word: names of features that it has."""
    for sentence in sentences:
        small = [word.lower() for word in sentence]
        padded = ["<s>", "<s>", *small, "</s>", "</s>"]
        for at, (word, low) in enumerate(zip(sentence, small, strict=True)):
            shape = re.sub(r"(.)\1+", r"\1", re.sub(r"[a-z]", "x", re.sub(r"[A-Z]", "X", re.sub(r"\d", "0", word))))
            yield [
                "bias", f"w={low}", f"W={word}", f"shape={shape[:12]}",
                *(f"s{length}={low[-length:]}" for length in (1, 2, 3, 4)),
                *(f"p{length}={low[:length]}" for length in (1, 2, 3)),
                *(f"{place:+d}={padded[at + 2 + place]}" for place in (-2, -1, 1, 2)),
                f"-1w={padded[at + 1]} {low}", f"+1w={low} {padded[at + 3]}", f"-1+1={padded[at + 1]} {padded[at + 3]}",
                f"-1s3={padded[at + 1][-3:]}", f"+1s3={padded[at + 3][-3:]}",
            ]  # fmt: skip
