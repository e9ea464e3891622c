"""What a model of pairs of texts has to beat: how many words they share, and linear models over shared and other words.

Letters in shapes: N and M pairs, F features.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from lstmlab.baselines.words import TOKEN, WORD

Pairs = Sequence[Sequence[str]]


def overlap_labels(train: Pairs, labels: Shaped[np.ndarray, "N"], test: Pairs) -> Shaped[np.ndarray, "M"]:
    """Guesses of a logistic regression that sees nothing but how many words both texts share."""
    return _fitted(_classifier(1.0), _overlap(train), labels, _overlap(test))


def overlap_scores(train: Pairs, scores: Float[np.ndarray, "N"], test: Pairs) -> Float[np.ndarray, "M"]:
    """The same as scores, by linear regression."""
    from sklearn.linear_model import LinearRegression

    return _fitted(LinearRegression(), _overlap(train), scores, _overlap(test))


def linear_labels(train: Pairs, labels: Shaped[np.ndarray, "N"], test: Pairs) -> Shaped[np.ndarray, "M"]:
    """Guesses of a logistic regression over the words both texts share and those only one of them has (TF-IDF, words
    and pairs of neighbours), and what `overlap_labels` sees. L2 penalty with C = 10, as for single texts.
    """
    return _fitted(_classifier(10.0), *_told_apart(train, labels, test))


def linear_scores(train: Pairs, scores: Float[np.ndarray, "N"], test: Pairs) -> Float[np.ndarray, "M"]:
    """The same as scores, by ridge regression (penalty 1)."""
    from sklearn.linear_model import Ridge

    return _fitted(Ridge(1.0), *_told_apart(train, scores, test))


def _classifier(strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=1000)


def _fitted(model: Any, train: Any, targets: Shaped[np.ndarray, "N"], test: Any) -> Shaped[np.ndarray, "M"]:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # On vectors this short several BLAS threads only wait for each other.
    with threadpool_limits(1, user_api="blas"):
        return np.asarray(model.fit(train, targets).predict(test))


def _told_apart(train: Pairs, targets: Shaped[np.ndarray, "N"], test: Pairs) -> tuple[Any, Any, Any]:
    """Features of the training pairs, their targets, features of the test pairs."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(token_pattern=TOKEN, ngram_range=(1, 2), sublinear_tf=True)
    if not any(re.search(TOKEN, side) for pair in train for side in pair):
        return _overlap(train), targets, _overlap(test)
    vectorizer.fit([side for pair in train for side in pair])

    def features(pairs: Pairs) -> Any:
        first, second = (vectorizer.transform([pair[side] for pair in pairs]) for side in (0, 1))
        shared = first.multiply(second > 0)
        alone = [one - one.multiply(other > 0) for one, other in ((first, second), (second, first))]
        return hstack([shared, *alone, csr_matrix(_overlap(pairs))]).tocsr()

    return features(train), targets, features(test)


def _overlap(pairs: Pairs) -> Float[np.ndarray, "N F"]:
    """Shares of shared words and of shared neighbours: of the first text's, of the second's, of both; and lengths."""
    return np.array([_shares(*pair) for pair in pairs], np.float64).reshape(len(pairs), 7)


def _shares(first: str, second: str) -> list[float]:
    words = [re.findall(WORD, side.lower()) for side in (first, second)]
    found: list[float] = []
    for one, other in (map(set, words), (set(pairwise(side)) for side in words)):
        both = len(one & other)
        found += [both / max(len(one), 1), both / max(len(other), 1), both / max(len(one | other), 1)]
    return [*found, float(np.log((1 + len(words[0])) / (1 + len(words[1]))))]
