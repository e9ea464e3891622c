"""Classification of sequences of measurements: reading, scaling, folds, training, asking."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lstmlab
from lstmlab import baselines, request
from lstmlab.data.corpus import Corpus, stratified_fold
from lstmlab.data.datasets import sequences
from lstmlab.data.load import Watch
from lstmlab.data.signals import SignalEncoder, numeric, tables
from lstmlab.errors import InputError
from lstmlab.tasks import TASKS


def write(path: Path, walks: int = 60) -> Path:
    """Walks that rise or fall in x, of 5 to 9 steps; z is noise."""
    rng, rows = random.Random(0), ["walk,x,z,way"]
    for walk in range(walks):
        way = walk % 2
        for step in range(rng.randint(5, 9)):
            x = (1 if way else -1) * step + rng.random()
            rows.append(f"w{walk},{x:.3f},{rng.random():.3f},{'up' if way else 'down'}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def read(path: Path, label: str | None = "way") -> Corpus:
    return sequences.corpus(pl.read_csv(path, infer_schema=False), "walk", label, str(path))


def test_a_table_becomes_an_example_for_each_sequence(tmp_path: Path) -> None:
    found = read(write(tmp_path / "walks.csv"))
    assert len(found) == 60
    assert (found[1].id, found[1].target, len(found[1].inputs[0])) == ("w1", "up", 2)
    assert found.fingerprint == read(tmp_path / "walks.csv").fingerprint


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("walk,x,way\na,1,up\na,2,down\n", 'sequence "a" has 2 labels: up, down'),
        ("walk,x,way\na,1,up\na,,up\n", 'row 2, column "x": no value'),
        ("walk,x,way\na,1,up\nb,2, \nc,3,\n", 'row 2 and 1 more: no label in column "way"'),
        ("walk,x,way\na,1,up\n,2,down\n", 'row 2: no name of a sequence in column "walk"'),
        ("walk,x,way\na,1,up\na,high,up\nb,2,up\n", 'row 2, column "x": "high" is no number'),
        ("walk,way\na,up\n", "no column of numbers besides walk and way"),
        ("walc,x,way\na,1,up\n", 'no column "walk".*Did you mean sequence=walc'),
    ],
)
def test_bad_tables(tmp_path: Path, rows: str, told: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(rows)
    with pytest.raises(InputError, match=told):
        read(path)


def test_blanks_around_names_and_missing_values_of_typed_columns() -> None:
    frame = pl.DataFrame({"walk": ["a", " a", "b"], "x": [1.0, 2.0, 3.0], "way": ["up", "up ", "down"]})
    assert [example.target for example in sequences.corpus(frame, "walk", "way", "f")] == ["up", "down"]
    for name in ("walk", "way"):
        broken = frame.with_columns(pl.Series(name, ["a", None, "b"]))
        with pytest.raises(InputError, match=f'f, row 2.*column "{name}"'):
            sequences.corpus(broken, "walk", "way", "f")


def test_a_label_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="data.label=COLUMN"):
        read(write(tmp_path / "walks.csv"), None)


def test_scaling_padding_and_taking() -> None:
    encoder = SignalEncoder.fit([[[0.0, 5.0], [2.0, 5.0]], [[4.0, 5.0]]], "here")
    assert encoder.features == 2
    signals = SignalEncoder.from_json(encoder.to_json()).encode([[[2.0, 5.0]], [[0.0, 5.0], [4.0, 6.0]]], "here")
    np.testing.assert_allclose(signals.padded()[:, :, 0], [[0, 0], [-1.2247449, 1.2247449]], rtol=1e-5)
    np.testing.assert_allclose(signals.take(np.array([1])).values[:, 1], [0, 1])
    assert signals.take(np.array([1, 0])).lengths.tolist() == [2, 1]
    assert not numeric(["text"])
    assert numeric([[1.0]])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([[[1.0, 2.0], [3.0]]], "sequence 1: expected steps of equally many numbers"),
        ([[]], "sequence 1: expected a list of steps"),
        ([[[1.0]], [[1.0, 2.0]]], "sequence 2: 2 numbers a step, expected 1"),
        ([[[1.0], [float("nan")]]], "sequence 1, step 2: nan is no finite number"),
        (["text"], "sequence 1: expected"),
    ],
)
def test_bad_sequences(given: list[Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        tables(given, "here")


def test_folds_share_out_everything_once_and_evenly(tmp_path: Path) -> None:
    corpus = read(write(tmp_path / "walks.csv"))
    parts = [stratified_fold(corpus, 7, fold, 0) for fold in range(1, 8)]
    ids = [example.id for _, test in parts for example in test]
    assert sorted(ids) == sorted(example.id for example in corpus)
    assert {len(test) for _, test in parts} <= {8, 9}
    assert all(len(rest) + len(test) == 60 for rest, test in parts)
    assert all(3 <= sum(example.target == "up" for example in test) <= 5 for _, test in parts)
    with pytest.raises(InputError, match="cannot be cut into 61 folds"):
        stratified_fold(corpus, 61, 1, 0)


def test_the_linear_baseline_reads_the_slope() -> None:
    rng = np.random.default_rng(0)
    made = [np.outer(np.arange(8), [way]) + rng.standard_normal((8, 1)) for way in (-1.0, 1.0) * 20]
    labels = np.array([0, 1] * 20)
    assert (baselines.linear_signals(made[:30], labels[:30], made[30:]) == labels[30:]).all()


@pytest.mark.usefixtures("unreported")
def test_a_run_learns_is_scored_and_answers(tmp_path: Path) -> None:
    path = write(tmp_path / "walks.csv")
    changes = {"path": str(path), "data.sequence": "walk", "label": "way", "folds": 4, "fold": 2}
    small = {"hidden_size": 8, "epochs": 12, "learning_rate": 0.02}
    made = lstmlab.train("classification", output=tmp_path / "run", **changes, **small)
    assert made.scores["accuracy"] > 0.9
    assert made.baselines.keys() == {"majority class", "features + logistic regression"}
    rows = made.run.predictions
    again = made.predict([row["input"] for row in rows])
    assert [one["prediction"] for one in again] == [row["prediction"] for row in rows]
    json.dumps(rows, allow_nan=False)
    with pytest.raises(InputError, match="1 numbers a step, expected 2"):
        made.predict([[1.0, 2.0]])
    with pytest.raises(InputError, match="it is for texts, and these are sequences of numbers"):
        lstmlab.train("classification", output=tmp_path / "other", **changes, **{"text.level": "character"})


def test_padding_changes_no_answer(tmp_path: Path) -> None:
    changes = {"path": str(write(tmp_path / "walks.csv")), "data.sequence": "walk", "label": "way", "hidden_size": 8}
    recipe = request.assemble("classification", changes)
    kind = TASKS["classification"]
    data = kind.load(recipe, Watch())
    task = kind.prepare(recipe, data, Watch())
    encoded, model = task.encode(data.train, "train"), task.build().eval()
    order = np.arange(6)
    together = task.outputs(model, task.collate(encoded, order)).detach().numpy()
    alone = [task.outputs(model, task.collate(encoded, order[at : at + 1])).detach().numpy()[0] for at in range(6)]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)
