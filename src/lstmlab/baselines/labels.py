"""What a classifier has to beat: the majority class and a linear classifier.

Letters in shapes: N and M examples, K classes.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from numpy.typing import NDArray

from lstmlab.baselines.words import TOKEN
from lstmlab.errors import InputError

MANY = 1000  # texts from which on an n-gram seen in one text only is left out

SETTINGS = {
    "TF-IDF + logistic regression": "TF-IDF: lower-cased words and pairs of neighbours, those of a single text left "
    "out from 1,000 texts on, 1 + log of the count; logistic regression with C = 10",
    "naive Bayes n-grams": "Naive Bayes n-grams (Wang & Manning 2012): the model's own tokens, each n-gram once a text "
    "and times its log-count ratio; logistic regression with C = 1",
}
"""What a report tells of how each of these was set, by the beginning of its name; nothing here was tuned."""

Labels = Sequence[Any] | Shaped[np.ndarray, "N"]


def majority(train_labels: Labels, test_count: int) -> Shaped[np.ndarray, "M"]:
    """The most frequent training label, `test_count` times; of equally frequent ones the first in order."""
    if len(train_labels) == 0:
        raise InputError("the majority class needs at least one training label")
    names, counts = np.unique(np.asarray(train_labels), return_counts=True)
    return np.full(test_count, names[counts.argmax()])


def linear_signals(
    train: Sequence[NDArray[np.float64]], labels: NDArray[np.int64], test: Sequence[NDArray[np.float64]]
) -> NDArray[np.int64]:
    """Guesses [N] of a logistic regression on each feature's mean, deviation, ends, extremes and slope, and the length.

    Sequences are tables [T F]; everything is scaled to the training part's mean and deviation.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(np.stack([_summary(one) for one in train]), labels)
    found: NDArray[np.int64] = model.predict(np.stack([_summary(one) for one in test]))
    return found


def _summary(table: NDArray[np.float64]) -> NDArray[np.float64]:
    at = np.arange(len(table)) - (len(table) - 1) / 2
    slope = (at[:, None] * table).sum(0) / max(float((at**2).sum()), 1.0)
    parts = (table.mean(0), table.std(0), table[0], table[-1], table.min(0), table.max(0), slope, [len(table)])
    return np.concatenate(parts)


def linear_text(
    train_texts: Sequence[str],
    train_labels: Labels,
    test_texts: Sequence[str],
    *,
    progress: Callable[[str], None] | None = None,
) -> tuple[Shaped[np.ndarray, "M"], Float[np.ndarray, "M K"]]:
    """TF-IDF and logistic regression: predicted labels, and probabilities whose columns are the sorted labels.

    Lower-cased single words and pairs of neighbours; 1 + log(count), times smoothed inverse document frequency, rows of
    length one; n-grams found in one text only are left out from 1,000 texts on; L2 penalty with C = 10 (a fixed choice,
    tuned on nothing), L-BFGS; all of the training texts, uncut. Training texts without any word leave the shares of
    the classes as the prediction. Raises InputError where there are fewer than two classes.
    """
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    say = progress or (lambda message: None)
    if len(train_texts) != len(train_labels):
        raise ValueError(f"{len(train_texts)} texts, but {len(train_labels)} labels")
    labels = np.asarray(train_labels)
    names, counts = np.unique(labels, return_counts=True)
    if len(names) < 2:
        found = f'only "{names[0]}"' if len(names) else "none"
        raise InputError(f"a classifier needs examples of two or more labels; the {len(labels)} found carry {found}")
    if not len(test_texts) or not any(re.search(TOKEN, text) for text in train_texts):
        return majority(labels, len(test_texts)), np.tile(counts / counts.sum(), (len(test_texts), 1))
    say(f"Counting words and pairs of words in {len(train_texts):,} texts")
    train, test = _weights(train_texts, test_texts)
    say(f"Fitting logistic regression on {train.shape[1]:,} features")
    # The vectors are short: with several BLAS threads this took twenty times as long, and their number showed in the
    # last digits.
    with threadpool_limits(1, user_api="blas"):
        model = LogisticRegression(C=10, max_iter=1000).fit(train, labels)
        probabilities = model.predict_proba(test).astype(np.float64)
    return names[probabilities.argmax(1)], probabilities


def linear_ngrams(
    train: tuple[NDArray[np.int64], NDArray[np.int64]],
    labels: NDArray[np.int64],
    test: tuple[NDArray[np.int64], NDArray[np.int64]],
    test_count: int,
) -> NDArray[np.int64]:
    """Guesses [M] of a logistic regression on n-grams weighted by their naive Bayes log-count ratios (Wang & Manning
    2012; as logistic regression, Mesnil et al. 2015).

    Either side is given as (which text, which n-gram) of every occurrence, both counted from 0. An n-gram counts once a
    text; those found in one training text only are left out from 1,000 texts on; each label is told from all others;
    ratios are smoothed as those of the network are, L2 penalty with C = 1 (a fixed choice, tuned on nothing).
    """
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    texts = len(labels)
    found = _present(*train, texts)
    counts = np.bincount(found.indices, minlength=found.shape[1])
    known = np.flatnonzero(counts >= (2 if texts >= MANY else 1))
    place = np.full(found.shape[1], -1, np.int64)
    place[known] = np.arange(len(known))
    seen, asked = (_kept(one, place, len(known)) for one in (found, _present(*test, test_count)))
    classes = int(labels.max()) + 1
    columns = []
    for label in [1] if classes == 2 else range(classes):
        here = labels == label
        inside, whole = np.asarray(seen[here].sum(0)).ravel(), counts[known]
        shares = (inside / max(here.sum(), 1), (whole - inside) / max((~here).sum(), 1))
        weights = sparse.diags((np.log(shares[0] + 2 / texts) - np.log(shares[1] + 2 / texts)).astype(np.float32))
        model = LogisticRegression(C=1.0, solver="liblinear", dual=True, max_iter=1000, random_state=0)
        columns.append(model.fit((seen @ weights).tocsr(), here).decision_function((asked @ weights).tocsr()))
    guesses: NDArray[np.int64] = (columns[0] > 0).astype(np.int64) if classes == 2 else np.stack(columns).argmax(0)
    return guesses


def _present(text: NDArray[np.int64], gram: NDArray[np.int64], texts: int) -> Any:
    """Which n-grams are in which text, as a sparse matrix of ones."""
    from scipy import sparse

    width = int(gram.max(initial=0)) + 1
    found = sparse.csr_matrix((np.ones(len(gram), np.float32), (text, gram)), shape=(texts, width))
    found.sum_duplicates()
    found.data[:] = 1
    return found


def _kept(found: Any, place: NDArray[np.int64], width: int) -> Any:
    """The columns that have a place, at their places."""
    from scipy import sparse

    at = np.where(found.indices < len(place), place[np.minimum(found.indices, len(place) - 1)], -1)
    ends = np.concatenate([[0], np.cumsum(at >= 0)])[found.indptr]
    return sparse.csr_matrix((found.data[at >= 0], at[at >= 0], ends), shape=(found.shape[0], width))


def _weights(train_texts: Sequence[str], test_texts: Sequence[str]) -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    def fit(least: int) -> tuple[Any, Any]:
        vectorizer = TfidfVectorizer(
            token_pattern=TOKEN, ngram_range=(1, 2), min_df=least, sublinear_tf=True, dtype=np.float32
        )
        return vectorizer.fit_transform(train_texts), vectorizer.transform(test_texts)

    if len(train_texts) < MANY:
        return fit(1)
    try:
        return fit(2)
    except ValueError:  # what scikit-learn raises where no two texts share a word
        return fit(1)
