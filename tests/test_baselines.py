"""Baselines: strong where there is something to find, safe where there is almost nothing."""

import io
import os
import re
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lstmlab import baselines, metrics
from lstmlab.errors import InputError


def data(name: str) -> Path:
    folder = Path(os.environ.get("LSTMLAB_DATA", "nowhere")) / name
    if not folder.is_dir():
        pytest.skip(f"no {name} in $LSTMLAB_DATA")
    return folder


def test_majority():
    assert baselines.majority(["b", "a", "b"], 2).tolist() == ["b", "b"]
    assert baselines.majority(np.array([1, 0, 0, 1]), 3).tolist() == [0, 0, 0]
    assert baselines.majority(["a"], 0).tolist() == []
    with pytest.raises(InputError, match="at least one training label"):
        baselines.majority([], 3)


def test_a_word_that_decides_is_found():
    texts = [f"the film was {word} and long" for word in ("good", "bad") * 20]
    told = []
    labels, probabilities = baselines.linear_text(
        texts, ["pos", "neg"] * 20, ["a good one", "so bad"], progress=told.append
    )
    assert labels.tolist() == ["pos", "neg"]
    assert probabilities.shape == (2, 2)
    assert probabilities.sum(1) == pytest.approx(1)
    assert probabilities[0, 1] > 0.5 > probabilities[1, 1]  # columns: neg, pos
    assert len(told) == 2


def test_pairs_of_words_count():
    texts = ["not good", "good", "not bad", "bad"] * 10
    labels, _ = baselines.linear_text(texts, [0, 1, 1, 0] * 10, ["not bad", "not good"])
    assert labels.tolist() == [1, 0]


def test_labels_as_numbers_and_three_classes():
    texts = ["a x", "b x", "c x"] * 5
    labels, probabilities = baselines.linear_text(texts, np.array([0, 1, 2] * 5), ["c", "a"])
    assert labels.tolist() == [2, 0]
    assert probabilities.shape == (2, 3)


def test_numbers_do_not_depend_on_the_run():
    texts = [f"w{at % 7} w{at % 5} w{at % 3}" for at in range(60)]
    labels = [at % 2 for at in range(60)]
    first, second = (baselines.linear_text(texts, labels, texts)[1] for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize(
    ("texts", "labels", "test"),
    [
        (["good", "bad"], [0, 1], ["good", "", "unseen"]),
        (["x", "x"], [0, 1], ["x"]),
        (["", "word"], [0, 1], [""]),
        (["", "", ""], [0, 1, 1], ["a", ""]),
        (["...", " "], [0, 1], ["a"]),
        (["a", "b"], [0, 1], []),
        ([f"only{at}" for at in range(1200)], [0, 1] * 600, ["only3"]),
        (["नमस्ते दुनिया", "क्षेत्र"], [0, 1], ["क्षेत्र"]),
        (["😀", "😡"], [0, 1], ["😡"]),
    ],
)
def test_almost_nothing_is_enough(texts, labels, test):
    found, probabilities = baselines.linear_text(texts, labels, test)
    assert len(found) == len(probabilities) == len(test)
    assert np.isfinite(probabilities).all()
    assert probabilities.sum(1) == pytest.approx(1)
    assert set(found.tolist()) <= {0, 1}


def test_marks_and_emoji_carry_meaning():
    assert re.findall(baselines.TOKEN, "Don't stop! 'quoted' क्षेत्र 👍 a-b, c.") == [
        "Don't",
        "stop",
        "!",
        "quoted",
        "क्षेत्र",
        "👍",
        "a",
        "b",
        "c",
    ]


def test_one_class_is_refused():
    with pytest.raises(InputError, match='two or more labels; the 3 found carry only "7"'):
        baselines.linear_text(["a", "b", "c"], [7, 7, 7], ["a"])
    with pytest.raises(InputError, match="the 0 found carry none"):
        baselines.linear_text([], [], ["a"])
    with pytest.raises(ValueError, match="2 texts, but 1 labels"):
        baselines.linear_text(["a", "b"], [1], ["a"])


SERIES = np.array([[1.0, 10], [2, 20], [4, 40], [8, 80]])


def test_naive_forecasts():
    at = np.array([3, 4])
    assert baselines.last_value(SERIES, at, 2).tolist() == [[[4, 40]] * 2, [[8, 80]] * 2]
    assert baselines.mean(SERIES, at, 1)[:, 0, 0].tolist() == [pytest.approx(7 / 3), 3.75]
    assert baselines.seasonal_naive(SERIES, at, 3, 2)[:, :, 0].tolist() == [[2, 4, 2], [4, 8, 4]]
    lines = baselines.drift(SERIES, at, 2)[:, :, 1]
    assert lines.tolist() == [[55, 70], [pytest.approx(80 + 70 / 3), pytest.approx(380 / 3)]]
    assert baselines.drift(SERIES, np.array([1]), 2)[0, :, 0].tolist() == [1, 1]


def test_a_missing_value_is_the_one_before_it():
    series = np.array([[np.nan], [2.0], [np.nan], [4.0]])
    assert baselines.last_value(series, np.array([1, 2, 3, 4]), 1)[:, 0, 0].tolist() == [2, 2, 2, 4]


def test_the_seasonal_forecast_of_a_seasonal_series_is_exact():
    series = np.tile([3.0, 1, 4, 1, 5], 6)[:, None]
    assert (baselines.seasonal_naive(series, np.array([17]), 13, 5)[0] == series[17:]).all()


def test_impossible_forecasts_are_refused():
    with pytest.raises(InputError, match="season of 4 steps does not fit a past of 3: expected 1 to 3"):
        baselines.seasonal_naive(SERIES, np.array([3]), 2, 4)
    with pytest.raises(InputError, match="at least one step"):
        baselines.mean(SERIES, np.array([3]), 0)
    with pytest.raises(InputError, match="at least one step"):
        baselines.last_value(np.zeros((0, 1)), np.array([1]), 1)


@pytest.mark.slow
def test_question_types():
    archive = zipfile.ZipFile(data("trec-qc") / "qc.zip")
    parts = {}
    for part in ("train", "test"):
        lines = archive.read(f"qc/{part}.txt").decode("latin-1").splitlines()
        parts[part] = [line.split(" ", 1)[1] for line in lines], [line.split(":")[0] for line in lines]
    found, _ = baselines.linear_text(*parts["train"], parts["test"][0])
    assert (found == np.array(parts["test"][1])).mean() > 0.88  # six classes; the majority class reaches 0.19


@pytest.mark.slow
def test_reviews():
    """A fifth of IMDB, to be quick; all of it reaches 0.908."""
    archive = (data("imdb") / "aclImdb_v1.labelled.tar.gz").read_bytes()
    parts: dict[str, list[tuple[str, int]]] = {"train": [], "test": []}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            place = re.fullmatch(r"aclImdb/(train|test)/(pos|neg)/(\d+)_\d+\.txt", member.name)
            if place and int(place[3]) % 5 == 0:
                parts[place[1]].append((tar.extractfile(member).read().decode(), int(place[2] == "pos")))
    (texts, labels), (test_texts, test_labels) = (zip(*parts[part], strict=True) for part in ("train", "test"))
    found, probabilities = baselines.linear_text(texts, labels, test_texts)
    assert metrics.accuracy(np.array(test_labels), found) > 0.87
    assert metrics.loss(probabilities, np.array(test_labels)) < 0.35


def test_weighted_ngrams_are_what_the_paper_says() -> None:
    """Against a matrix written out by hand: presence, times log-count ratio, into scikit-learn's regression."""
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 60)
    there = random.random((60, 12)) < 0.2 + 0.5 * labels[:, None] * (np.arange(12) < 4)
    asked = random.random((40, 14)) < 0.3  # two of its n-grams no training text has
    text, gram = np.nonzero(there)
    twice = np.concatenate([text, text]), np.concatenate([gram, gram])  # an n-gram counts once a text
    counts = np.stack([there[labels == one].sum(0) / (labels == one).sum() for one in (0, 1)])
    ratio = np.log(counts[1] + 2 / 60) - np.log(counts[0] + 2 / 60)
    model = LogisticRegression(C=1.0, solver="liblinear", dual=True, max_iter=1000, random_state=0)
    expected = model.fit(there * ratio, labels).predict(asked[:, :12] * ratio)
    assert (baselines.linear_ngrams(twice, labels, np.nonzero(asked), 40) == expected).all()


def test_weighted_ngrams_tell_three_labels_apart() -> None:
    labels = np.arange(90) % 3
    text = np.arange(90)
    assert (baselines.linear_ngrams((text, labels), labels, (np.arange(3), np.arange(3)), 4)[:3] == np.arange(3)).all()
