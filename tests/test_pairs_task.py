"""Pairs of texts: tables, marks and grades; a model of labels and one of scores trained, asked and scored on files."""

import csv
import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy import stats

import writers
from lstmlab import baselines, metrics, request
from lstmlab.api import Result, check_data, go_on, run_recipe
from lstmlab.cli import use
from lstmlab.data import matching, text_pairs
from lstmlab.data.datasets import judged
from lstmlab.data.grades import Grades
from lstmlab.data.guess import command, guess
from lstmlab.data.load import Watch
from lstmlab.data.matching import MatchSettings
from lstmlab.data.text import TextEncoder, TextSettings
from lstmlab.data.text_pairs import TextPairData, load_text_pairs
from lstmlab.errors import InputError
from lstmlab.nn.matcher import alone, turned
from lstmlab.tasks import TASKS
from lstmlab.training.experiment import Monitor, Stopped
from lstmlab.training.run import Run
from lstmlab.types import Example, Padded
from test_cli import Shell

WHO = "man woman dog girl boy cat".split()
DOES = "sings runs sleeps jumps plays swims".split()
SMALL: dict[str, Any] = {
    "model.encoder.hidden_size": 16, "model.embedding.size": 16, "compared_size": 16, "head_size": 16, "batch_size": 16,
    "learning_rate": 0.01, "device": "cpu", "average": None, "model.dropout": 0.0, "patience": None,
}  # fmt: skip
SICK = pytest.mark.skipif("LSTMLAB_DATA" not in os.environ, reason="LSTMLAB_DATA is not set: no named data")


def pair(rng: random.Random) -> tuple[str, str, str, float]:
    """The same sentence, its negation, or one about something else; and a score of how alike both are."""
    who, does = rng.choice(WHO), rng.choice(DOES)
    first, kind = f"A {who} {does} now", rng.choice(["entails", "contradicts", "neither"])
    other = rng.choice([word for word in WHO if word != who])
    second = {"entails": f"A {who} {does}", "contradicts": f"A {who} never {does}", "neither": f"A {other} {does}"}
    return first, second[kind], kind, {"entails": 5.0, "contradicts": 3.5, "neither": 2.0}[kind]


def write(path: Path, count: int = 300, seed: int = 0) -> str:
    rng = random.Random(seed)
    rows = ["premise,hypothesis,label,score", *(",".join(map(str, pair(rng))) for _ in range(count))]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A model of labels."""
    folder = tmp_path_factory.mktemp("pairs")
    path = write(folder / "pairs.csv")
    return writers.trained(folder / "made" / "run", "pairs", {**SMALL, "path": path, "epochs": 8})


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """A model of scores."""
    folder = tmp_path_factory.mktemp("scores")
    changes = {**SMALL, "path": write(folder / "pairs.csv"), "graded": True, "epochs": 8}
    return writers.trained(folder / "made" / "run", "pairs", changes)


# ---- Tables ---------------------------------------------------------------------------------------------------------


def table(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame(columns)


def read(frame: pl.DataFrame, *given: str | None, **options: Any) -> tuple[pl.DataFrame, list[str]]:
    chosen = judged.columns(frame, "it", given or (None, None, None), graded=options.get("graded", False), judged=True)
    return judged.table(frame, chosen, "it", **options)


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (("sentence_A", "sentence_B"), "entailment_judgment"),
        (("premise", "hypothesis"), "gold_label"),
        (("Sentence1", "sentence 2"), "label"),
        (("question1", "question2"), "is_duplicate"),
        (("#1 String", "#2 String"), "Quality"),
    ],
)
def test_columns_are_known_by_their_names(names: tuple[str, str], label: str) -> None:
    frame = table(**{label: ["x", "y"], names[1]: ["c d", "e"], "other": ["", ""], names[0]: ["a b", "f"]})
    found, steps = read(frame)
    assert found.rows() == [("1", ["a b", "c d"], "x"), ("2", ["f", "e"], "y")]
    assert steps == []


def test_a_label_is_told_from_a_score() -> None:
    frame = table(sentence_A=["a", "b"], sentence_B=["c", "d"], relatedness_score=["4,5", "1,25"], judgment=["x", "y"])
    assert read(frame)[0]["target"].to_list() == ["x", "y"]
    assert read(frame, graded=True)[0]["target"].to_list() == [4.5, 1.25]


def test_an_empty_side_is_left_out_and_told() -> None:
    frame = table(first=["a", " ", "c", None, "e"], second=["b", "b", "", "d", "f"], label=["x", None, "", "x", "y"])
    found, steps = read(frame)
    assert found["inputs"].to_list() == [["a", "b"], ["e", "f"]]
    assert found["id"].to_list() == ["1", "5"], "rows keep their numbers"
    assert steps == ["it: 3 pairs with an empty side left out (rows 2, 3, 4)."]
    with pytest.raises(InputError, match="it: every pair has an empty side"):
        read(frame[1:4])


def test_pairs_without_consensus_are_left_out() -> None:
    frame = table(sentence1=["a", "b"], sentence2=["c", "d"], gold_label=["-", "neutral"])
    found, steps = read(frame)
    assert found["target"].to_list() == ["neutral"]
    assert steps == ['it: 1 pair without consensus (label "-") left out (row 1).']


@pytest.mark.parametrize(
    ("columns", "given", "options", "message"),
    [
        ({"x": ["a"], "y": ["b"]}, (), {}, r"which two columns hold the texts\? Give first=COLUMN and second=COLUMN"),
        ({"first": ["a"], "second": ["b"]}, (), {}, r"which column holds the label of a pair\? Give label=COLUMN"),
        ({"first": ["a"], "second": ["b"], "label": ["c"]}, ("first", "first", "label"), {}, "name the same column"),
        ({"first": ["a"], "second": ["b"], "label": ["c"]}, ("frist", "second", "label"), {}, "Did you mean first="),
        ({"first": ["a"], "second": ["b"], "label": ["c"]}, ("first", "second", "labl"), {}, "Did you mean label="),
        (
            {"first": ["a", "b"], "second": ["b", "c"], "label": ["c", None]},
            (),
            {},
            'row 2: no label in column "label"',
        ),
        ({"first": ["a"], "second": ["b"], "score": ["c"]}, (), {"graded": True}, '"c" is no number'),
        ({"first": ["a"], "second": ["b"], "score": [""]}, (), {"graded": True}, 'row 1: no score in column "score"'),
        ({"first": ["a"], "second": ["b"], "x": ["1"]}, ("first", "second", "y"), {"graded": True}, 'no column "y"'),
        ({"first": [["a"]], "second": ["b"], "label": ["c"]}, (), {}, "expected text"),
    ],
)
def test_what_is_wrong_with_a_table(columns: Any, given: Any, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(table(**columns), *given, **options)


def test_parts_are_split_by_first_text(tmp_path: Path) -> None:
    rows = [f"text {at // 3},other {at},{'abc'[at % 3]}" for at in range(300)]
    (tmp_path / "a.csv").write_text("\n".join(["first,second,label", *rows]), encoding="utf-8")
    data = load_text_pairs(TextPairData(path=str(tmp_path / "a.csv"), test_fraction=0.2), 0)
    firsts = [{pair[0] for pair in part.inputs} for part in data.parts.values()]
    assert all(one.isdisjoint(other) for at, one in enumerate(firsts) for other in firsts[at + 1 :])
    assert [len(part) for part in data.parts.values()] == [216, 24, 60]
    assert [step.split(": ")[-1].split(", ", 1)[1] for step in data.source.steps] == [
        "pairs with a text in common kept together, labels in proportion as far as that allows, seed 0."
    ] * 2
    again = load_text_pairs(TextPairData(path=str(tmp_path / "a.csv"), test_fraction=0.2), 1)
    assert again.test is not None
    assert again.test.inputs != data.parts["test"].inputs


def split(rows: list[tuple[str, str, str]], folder: Path, **given: Any) -> tuple[list[set[tuple[str, str]]], str]:
    """The pairs of train, valid and test part, and the steps that were told."""
    table(first=[row[0] for row in rows], second=[row[1] for row in rows], label=[row[2] for row in rows]).write_csv(
        folder / "a.csv"
    )
    data = load_text_pairs(TextPairData(path=str(folder / "a.csv"), **given), 0)
    assert sum(map(len, data.parts.values())) == len(rows)
    return [{(one, two) for one, two in part.inputs} for part in data.parts.values()], " ".join(data.source.steps)


def apart(parts: list[set[Any]]) -> bool:
    return all(one.isdisjoint(other) for at, one in enumerate(parts) for other in parts[at + 1 :])


@pytest.mark.parametrize("graded", [False, True])
def test_a_pair_and_its_reverse_are_never_parted(graded: bool, tmp_path: Path) -> None:
    rows = [
        (f"{one} {at}", f"{other} {at}", label)
        for at in range(100)
        for one, other, label in (("how", "what", "1"), ("What ", "how", "2"), ("how", "why", "3"))
    ]
    parts, told = split(rows, tmp_path, graded=graded, symmetric=True, test_fraction=0.2)
    assert apart([{text.strip().lower() for pair in part for text in pair} for part in parts])
    assert [len(part) for part in parts] == [216, 24, 60]
    assert told.count("pairs with a text in common kept together") == 2
    assert ("labels in proportion" in told) == (not graded)


def test_labels_are_in_proportion_though_groups_are_of_any_size(tmp_path: Path) -> None:
    rng = random.Random(0)
    sizes = [rng.choice([1, 2, 3, 8]) for _ in range(300)]
    rows = [(f"t {at}", f"u {at} {k}", rng.choice("aaaab")) for at, size in enumerate(sizes) for k in range(size)]
    parts, _ = split(rows, tmp_path, test_fraction=0.2)
    labels = {row[:2]: row[2] for row in rows}
    counts = [[sum(labels[pair] == label for pair in part) for label in "ab"] for part in (parts[2], labels)]
    assert counts[0] == pytest.approx([0.2 * count for count in counts[1]], abs=4)


def test_texts_that_stand_everywhere_do_not_tie_all_pairs_together(tmp_path: Path) -> None:
    """Every pair is linked to every other by its second text; then by its first text too."""
    rows = [(f"text {at // 4}", f"usual {at % 4}", "xy"[at % 2]) for at in range(200)]
    rows += [("usual 1", "text 3", "x"), ("usual 2", "text 3", "x")]
    parts, told = split(rows, tmp_path, test_fraction=0.2)
    assert told.count("pairs with one first text kept together, and the same two texts in either order") == 2
    assert apart([{pair[0] for pair in part} for part in parts])
    assert apart([{frozenset(pair) for pair in part} for part in parts])
    assert abs(len(parts[2]) - 40) <= 2
    rows = [("the same", f"other {at}", "xy"[at % 2]) for at in range(100)] + [("other 7", "the same", "x")]
    parts, told = split(rows, tmp_path, test_fraction=0.2)
    assert told.count("the same two texts kept together in either order") == 2
    assert apart([{frozenset(pair) for pair in part} for part in parts])
    assert abs(len(parts[2]) - 20) <= 2
    halves = [("one", f"other {at}", "x") if at % 2 else ("two", f"more {at}", "y") for at in range(60)]
    assert [len(part) for part in split(halves, tmp_path)[0]] == [49, 5, 6], "nothing of 6 pairs has to be 30"
    for few in ([("a", "b", "x")], [("a", "b", "x"), ("b", "a", "x")], [("a", "b", "x"), ("c", "d", "y")]):
        with pytest.raises(InputError, match="too few to split off 10%"):
            split(few, tmp_path)


def test_each_label_is_left_to_learn(tmp_path: Path) -> None:
    rows = [(f"t {at // 5}", f"u {at}", "rare" if at == 7 else "abc"[at % 3]) for at in range(60)]
    for seed in range(5):
        table(first=[row[0] for row in rows], second=[row[1] for row in rows], label=[row[2] for row in rows]
              ).write_csv(tmp_path / "a.csv")  # fmt: skip
        data = load_text_pairs(TextPairData(path=str(tmp_path / "a.csv"), test_fraction=0.5), seed)
        assert set(data.train.targets) == {"a", "b", "c", "rare"}


def test_check_tells_of_pairs_the_other_way_round(tmp_path: Path) -> None:
    table(first=["A b", "c", "e"], second=["c", "d", "e"], score=[1.0, 2, 3]).write_csv(tmp_path / "a.csv")
    table(first=["d ", "C", "e", "x"], second=["c", "a  B", "e", "y"], score=[1.0, 2, 3, 4]).write_csv(
        tmp_path / "b.csv"
    )
    given = {"path": str(tmp_path / "a.csv"), "valid": str(tmp_path / "b.csv"), "test": str(tmp_path / "a.csv")}
    _, findings = check_data("pairs", {**given, "graded": True}, Watch())
    found = {one.title: one for one in findings if "the other way round" in one.title}
    assert list(found) == [f"Pairs of {late} that stand in {early} the other way round"
                           for early, late in (("train", "valid"), ("valid", "test"))]  # fmt: skip
    told = found["Pairs of valid that stand in train the other way round"]
    assert (told.level, told.count, told.examples) == ("warning", 2, ("valid 1 = train 2", "valid 2 = train 1"))
    assert "2 of 4 examples (50.0 %) of valid stand in train with their texts exchanged" in told.text


def test_files_of_parts_and_a_limit(tmp_path: Path) -> None:
    path, valid, test = (write(tmp_path / f"{name}.csv", 60, seed) for seed, name in enumerate(("a", "b", "c")))
    data = load_text_pairs(TextPairData(path=path, valid=valid, test=test, limit=20), 0)
    assert [len(part) for part in data.parts.values()] == [20, 60, 60]
    scores = load_text_pairs(TextPairData(path=path, graded=True, label="score"), 0)
    assert [len(part) for part in scores.parts.values()] != [60, 0, 0]
    assert set(scores.train.targets) == {2.0, 3.5, 5.0}


@SICK
def test_sick() -> None:
    data = load_text_pairs(TextPairData(name="sick"), 0)
    assert [len(part) for part in data.parts.values()] == [4500, 500, 4927]
    assert data.train[0].id == "1"
    assert data.train[0].inputs[0].startswith("A group of kids is playing")
    assert data.train[0].target == "neutral"
    assert data.test is not None
    assert [data.test.targets.count(label) for label in ("contradiction", "entailment", "neutral")] == [720, 1414, 2793]
    scores = load_text_pairs(TextPairData(name="sick", graded=True), 0)
    assert (scores.train[0].target, min(scores.train.targets), max(scores.train.targets)) == (4.5, 1.0, 5.0)
    parts, findings = check_data("sick", {}, Watch())
    assert {name: len(part) for name, part in parts.items()} == {"train": 4500, "valid": 500, "test": 4927}
    assert any(one.title == "Labels in train" for one in findings)


def test_first_is_the_column_and_text_first_the_cut() -> None:
    recipe: Any = request.assemble(
        "pairs", {"path": "p.csv", "first": "a", "second": "b", "label": "c", "text.first": 9}
    )
    assert (recipe.data.first, recipe.text.first) == ("a", 9)
    single: Any = request.assemble("imdb", {"first": 9})
    assert single.text.first == 9


def test_another_kind_of_set_is_refused() -> None:
    with pytest.raises(InputError, match="imdb is a data set for classification, not for pairs. For that: sick"):
        load_text_pairs(TextPairData(name="imdb"), 0)
    with pytest.raises(InputError, match="Did you mean sick"):
        load_text_pairs(TextPairData(name="sik"), 0)
    with pytest.raises(InputError, match=r"data\.first would have no effect|first"):
        request.assemble("entailment-sick", {"data.first": "x"})


# ---- Guessing -------------------------------------------------------------------------------------------------------


def test_a_table_of_pairs_is_recognised(tmp_path: Path) -> None:
    path = write(tmp_path / "p.csv", 60)
    both = guess(Path(path))
    assert (both.task, both.sure, len(both.alternatives)) == ("pairs", False, 2)
    with pytest.raises(InputError, match=r"not sure .*graded=true"):
        request.assemble(path, {})
    frame = pl.read_csv(path)
    frame.drop("score").write_csv(path)
    found = guess(Path(path))
    assert (found.task, found.sure) == ("pairs", True)
    wanted = {"data.first": "premise", "data.second": "hypothesis", "data.label": "label"}
    assert found.settings == {"data.path": path, **wanted}
    recipe: Any = request.assemble(path, {})
    assert (recipe.task, recipe.data.first, recipe.data.graded) == ("pairs", "premise", False)
    frame = frame.drop("label")
    graded = guess(frame)
    assert graded.settings == {**wanted, "data.label": "score", "data.graded": True}
    assert "graded=true" in command(graded)
    assert guess(frame.drop("score")).task in ("translation", "dialogue")
    assert guess(frame.with_columns(premise=1.5, hypothesis=2.5)).task != "pairs"


# ---- Marks and grades -----------------------------------------------------------------------------------------------


def marked(first: str, second: str, **settings: bool) -> list[list[int]]:
    encoder = TextEncoder.fit(TextSettings(), ["a man"])
    told = matching.encode(encoder, MatchSettings(**settings), [[first, second]], "it")
    return [flags.sum(1).tolist() for flags in told.flags]


def test_a_token_knows_its_like_in_the_other_text() -> None:
    assert marked("A dog plays", "Dogs playing a game") == [[2, 1, 1], [1, 1, 2, 0]]
    assert marked("the there", "then others") == [[1, 0], [1, 0]]
    assert marked("cats", "cars") == [[0], [0]]
    assert marked("zebra Zebra", "ZEBRA") == [[2, 2], [2]], "words nobody knows match as well"
    assert marked("A dog", "dogs a", same=False) == [[1, 1], [1, 1]]
    assert marked("A dog", "dogs a", alike=False) == [[1, 0], [0, 1]]
    assert marked("?", "!") == [[0], [0]]


def test_a_subword_is_the_same_with_and_without_a_blank() -> None:
    texts = ["dog sleeps", "a dog sleeps", "dogma and docs"] * 4
    encoder = TextEncoder.fit(TextSettings(level="subword", vocabulary_size=300), texts)
    assert encoder.pieces_of(["dog sleeps", "a dog"]) == [["dog", " sleeps"], ["a", " dog"]]
    told = matching.encode(encoder, MatchSettings(), [["dog sleeps", "a dog"]], "it")
    assert [flags.tolist() for flags in told.flags] == [[[1, 1], [0, 0]], [[0, 0], [1, 1]]]
    # Three letters and a blank are no beginning of four letters.
    told = matching.encode(encoder, MatchSettings(), [["a dogma", "a docs"]], "it")
    assert [encoder.pieces_of(["a dogma", "a docs"])[side][0] for side in (0, 1)] == ["a", "a"]
    assert list(matching._told(["a", " dogma"], ["a", " doggy"])) == [(True, True), (False, False)]
    assert list(matching._told([" ", "a"], [" "])) == [(True, True), (False, False)], "a blank of its own is a token"


def test_marks_go_with_tokens_at_every_level_and_cut() -> None:
    texts = [["The dogs play football", "A dog plays"], ["x", "yy zz"]]
    settings: dict[str, Any]
    for settings in ({"level": "character"}, {"first": 2}, {"first": 1, "last": 1}, {"level": "subword",
                     "vocabulary_size": 300}):  # fmt: skip
        encoder = TextEncoder.fit(TextSettings(**settings), [side for pair in texts for side in pair])
        told = matching.encode(encoder, MatchSettings(), texts, "it")
        for tokens, flags in zip((told.first, told.second), told.flags, strict=True):
            assert len(tokens.ids) == len(flags), settings
        assert told.lengths.tolist() == np.maximum(told.first.lengths, told.second.lengths).tolist()
        assert [encoder.pieces(side) for side in texts[0]] == encoder.pieces_of(texts[0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["a", ""], "the second text is empty"),
        ([" ", "b"], "the first text is empty"),
        (["a"], "expected two texts"),
        (["a", "b", "c"], "expected two texts"),
        ("ab", "expected two texts"),
        ([1, "b"], "expected two texts"),
        (None, "expected two texts"),
    ],
)
def test_what_is_no_pair_is_refused(given: Any, message: str) -> None:
    encoder = TextEncoder.fit(TextSettings(), ["a"])
    with pytest.raises(InputError, match=f"it, pair 2: {message}"):
        matching.encode(encoder, MatchSettings(), [["a", "b"], given], "it")


def test_scores_are_spread_over_grades() -> None:
    grades = Grades.fit([1.0, 4.2, 5])
    assert grades.points == (1, 2, 3, 4, 5)
    shares = grades.spread(np.array([3.6, 5.0, 1.0, 9.0, -1.0]))
    np.testing.assert_allclose(shares[0], [0, 0, 0.4, 0.6, 0])
    np.testing.assert_allclose(grades.mean(shares), [3.6, 5, 1, 5, 1])
    for scores in ([0.0, 0.31, 1.0], [0, 100], [-0.2, 0.3]):
        fitted = Grades.fit(scores)
        np.testing.assert_allclose(fitted.mean(fitted.spread(np.array(scores, float))), scores)
        assert Grades.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted
    for scores, message in (([3, 3], "every training pair has the score 3"), ([1, "a"], "row 2 .* no score"),
                            ([1, float("nan")], "row 2")):  # fmt: skip
        with pytest.raises(InputError, match=message):
            Grades.fit(scores)
    for saved in ([1], [2, 1], "x", [1, "a"]):
        with pytest.raises(InputError, match="grades: expected"):
            Grades.from_json(saved)


def test_a_column_that_is_no_score_is_refused_before_it_costs_anything() -> None:
    for scores, message in (
        ([0, 3, 1e9], r"go from 0 to 1e\+09, and half of the different ones lie within 3 of 3: .*label=COLUMN"),
        ([1.0, 2, 3, 4, 5, 1e300], "go from 1 to 1e"),
        ([-1e308, 0, 1, 2, 1e308], "no grades between the ends"),
        ([1.0, np.nextafter(1.0, 2)], "too close to each other"),
    ):
        with pytest.raises(InputError, match=message):
            Grades.fit(scores)
    assert Grades.fit([0, 1, 2, 3, 4, 100]).points == tuple(np.linspace(0, 100, 11))
    assert len(Grades.fit([0.0, 1e9])) == len(Grades.fit([-1e300, 1e300])) == 11
    assert Grades.fit([0.0] * 90 + [5.0]).points == (0, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(("valid", "found"), [([3.0, 3.0], "2 pairs with the score 3"), ([3.0], "1 pair")])
def test_no_epoch_is_chosen_by_a_correlation_that_is_none(valid: list[float], found: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 60)
    table(premise=["a"] * len(valid), hypothesis=[str(at) for at in range(len(valid))], score=valid).write_csv(
        tmp_path / "b.csv"
    )
    changes = {"path": path, "valid": str(tmp_path / "b.csv"), "graded": True, "label": "score"}
    for best, refused in (("score", True), ("loss", False)):
        recipe = request.assemble("pairs", {**changes, "training.best": best})
        data = TASKS["pairs"].load(recipe, Watch())
        if refused:
            with pytest.raises(InputError, match=f"two different scores there; it has {found}. Take train"):
                TASKS["pairs"].prepare(recipe, data, Watch())
        else:
            TASKS["pairs"].prepare(recipe, data, Watch())
    recipe = request.assemble("pairs", {"path": path, "graded": True, "label": "score", "training.best": "score"})
    TASKS["pairs"].prepare(recipe, TASKS["pairs"].load(recipe, Watch()), Watch())


def test_correlations_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    truth, said = rng.normal(size=50), rng.normal(size=50)
    said = np.round(said + truth, 1)
    assert metrics.pearson(truth, said) == pytest.approx(stats.pearsonr(truth, said)[0])
    assert metrics.spearman(truth, said) == pytest.approx(stats.spearmanr(truth, said)[0])
    low, high = stats.pearsonr(truth, said).confidence_interval()
    assert metrics.pearson_interval(metrics.pearson(truth, said), 50) == pytest.approx((low, high))
    assert np.isnan(metrics.pearson(truth, np.ones(50)))
    assert metrics.pearson_interval(0.5, 3) == (-1, 1)


def test_baselines_see_what_they_say() -> None:
    rng = random.Random(0)
    made = [pair(rng) for _ in range(300)]
    texts, labels = [row[:2] for row in made], np.array([row[2] for row in made])
    scores = np.array([row[3] for row in made])
    train, test = texts[:200], texts[200:]
    share = [float((method(train, labels[:200], test) == labels[200:]).mean())
             for method in (baselines.overlap_labels, baselines.linear_labels)]  # fmt: skip
    assert 0.5 < share[0] <= share[1]
    assert share[1] > 0.95
    said = [method(train, scores[:200], test) for method in (baselines.overlap_scores, baselines.linear_scores)]
    assert all(metrics.pearson(scores[200:], one) > 0.7 for one in said)
    assert len(baselines.linear_labels([("?", "!"), ("?", "?")], np.array(["a", "b"]), [("!", "!")])) == 1


# ---- Trained --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_has_its_scores_and_what_it_has_to_beat(result: Result) -> None:
    assert result.scores.keys() == {"loss", "accuracy", "macro_f1", "calibration_error"}
    assert result.scores["accuracy"] > 0.9
    assert list(result.baselines) == [
        "majority class", "word overlap", "TF-IDF of both texts + logistic regression", "second text alone",
    ]  # fmt: skip
    assert result.baselines["second text alone"]["accuracy"] < 0.9, "who is meant stands in the first text"
    for row in result.run.predictions:
        assert len(row["input"]) == 2
        assert sum(row["probabilities"].values()) == pytest.approx(1)
    assert result.run.saved_task["labels"] == ["contradicts", "entails", "neither"]
    assert [stage for stage, _ in result.run.summary["journey"]][:2] == ["first", "second"]


@pytest.mark.slow
def test_scores_are_learned_as_well(scorer: Result) -> None:
    assert scorer.scores.keys() == {"loss", "pearson", "spearman", "mse"}
    assert scorer.scores["pearson"] > 0.9
    assert list(scorer.baselines) == ["mean", "word overlap", "TF-IDF of both texts + ridge regression"]
    assert scorer.run.saved_task["grades"] == [2, 3, 4, 5]
    assert all(2 <= row["prediction"] <= 5 for row in scorer.run.predictions)
    said = np.array([row["prediction"] for row in scorer.run.predictions])
    truth = np.array([row["target"] for row in scorer.run.predictions])
    assert metrics.mse(truth, said) == pytest.approx(scorer.scores["mse"])
    assert "mse" in scorer.history[-1]["train"]
    (answer,) = scorer.predict([["A man sings now", "A man sings"]])
    assert use.answer_line(["A man sings now", "A man sings"], answer).endswith("\tA man sings now → A man sings")


@pytest.mark.slow
def test_a_batch_of_any_size_and_order_says_the_same(result: Result) -> None:
    rng = random.Random(3)
    asked = [list(pair(rng)[:2]) for _ in range(30)] + [["x " * 40, "y"], ["?", "A dog " * 9]]
    together = result.predict(asked)
    for one, told in zip(asked, together, strict=True):
        (alone,) = result.predict([one])
        assert alone["probabilities"] == pytest.approx(told["probabilities"], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"attention": "none"},
        {"pooling": ["last", "attention"]},
        {"level": "character"},
        {"same": False, "alike": False},
        {"alone": False},
        {"punctuation": False},
    ],
)
def test_padding_and_order_change_no_answer(changes: dict[str, Any], tmp_path: Path) -> None:
    small = {key: value for key, value in SMALL.items() if key != "compared_size" or "attention" not in changes}
    recipe = request.assemble("pairs", {**small, "path": write(tmp_path / "a.csv", 40), **changes})
    data = TASKS["pairs"].load(recipe, Watch())
    task: Any = TASKS["pairs"].prepare(recipe, data, Watch())
    torch.manual_seed(0)
    model = task.build().eval()
    encoded = task.encode([*data.train, Example("0", ["?", "a man"], "entails")], "it")
    order = np.random.default_rng(0).permutation(len(encoded))
    with torch.inference_mode():
        together = task.outputs(model, task.collate(encoded, order))
        alone = torch.cat([task.outputs(model, task.collate(encoded, order[at : at + 1])) for at in range(len(order))])
        other = task.encode([Example(one.id, one.inputs[::-1], one.target) for one in data.train], "it")
        swapped = task.outputs(model, task.collate(other, np.arange(len(other))))
        straight = task.outputs(model, task.collate(encoded, np.arange(len(other))))
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(swapped, straight, atol=1e-5), "which text is the first one matters"


def test_rows_are_turned_round() -> None:
    first = Padded(torch.tensor([[[1], [2]], [[3], [0]]]), torch.tensor([2, 1]))
    second = Padded(torch.tensor([[[4], [0], [0]], [[5], [6], [7]]]), torch.tensor([1, 3]))
    one, other = turned(first, second, torch.tensor([False, True]))
    assert one.values[..., 0].tolist() == [[1, 2, 0], [5, 6, 7]]
    assert other.values[..., 0].tolist() == [[4, 0, 0], [3, 0, 0]]
    assert (one.lengths.tolist(), other.lengths.tolist()) == ([2, 3], [1, 1])


@pytest.mark.parametrize("symmetric", [False, True, ["contradicts"]])
def test_only_what_holds_either_way_is_turned_round(symmetric: Any, tmp_path: Path) -> None:
    recipe = request.assemble("pairs", {**SMALL, "path": write(tmp_path / "a.csv", 60), "symmetric": symmetric})
    data = TASKS["pairs"].load(recipe, Watch())
    task: Any = TASKS["pairs"].prepare(recipe, data, Watch())
    batch = task.collate(task.encode(data.train, "it"), np.arange(len(data.train)))
    seen: list[Padded] = []

    class Model(torch.nn.Module):
        def forward(self, first: Padded, second: Padded) -> torch.Tensor:
            seen.append(first)
            return torch.zeros(len(first.lengths), 3)

    torch.manual_seed(0)
    model = Model()
    task.outputs(model, batch)
    task.outputs(model.eval(), batch)
    moved = (seen[0].values != batch.inputs.values).any(2).any(1).numpy()
    assert torch.equal(seen[1].values, batch.inputs.values), "answers are given in the order of the texts"
    labels = np.array(data.train.targets)
    turning = set(task.kinds.names) if symmetric is True else set(symmetric or ())
    assert set(labels[moved]) == turning
    assert moved.sum() < 0.8 * np.isin(labels, list(turning)).sum() or not turning, "by chance, not always"


def test_labels_that_hold_either_way_have_to_be_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 60)
    for changes, message in (
        ({"symmetric": ["contradict"]}, "Did you mean contradicts"),
        ({"symmetric": ["a"], "graded": True}, "give true or false"),
    ):
        recipe = request.assemble("pairs", {"path": path, **changes})
        with pytest.raises(InputError, match=message):
            TASKS["pairs"].prepare(recipe, TASKS["pairs"].load(recipe, Watch()), Watch())


def test_tokens_that_stand_alone() -> None:
    values = torch.arange(1.0, 9.0).reshape(2, 4, 1)
    flags = torch.tensor([[0, 1, 0, 1], [1, 1, 0, 0]])[..., None].float()
    lengths = torch.tensor([4, 2])
    found = alone(Padded(values, lengths), Padded(flags, lengths))
    assert found.lengths.tolist() == [2, 0], "what lies past a row's end stands nowhere"
    assert found.values[..., 0].tolist() == [[1, 3, 0, 0], [0, 0, 0, 0]]


@pytest.mark.slow
def test_some_with_and_some_without_labels(result: Result) -> None:
    with pytest.raises(ValueError, match="some examples have a target and some have none"):
        result.predictor.task.encode([Example("1", ["a", "b"], "entails"), Example("2", ["a", "b"])], "it")
    with pytest.raises(InputError, match='the label "odd" stands only in'):
        result.predictor.task.encode([Example("1", ["a", "b"], "odd")], "it")


@pytest.mark.slow
@pytest.mark.usefixtures("unreported")
def test_stopped_and_resumed_equals_never_stopped(tmp_path: Path) -> None:
    """Chance is in dropouts and in which pairs are turned round."""
    typed = {**SMALL, "path": write(tmp_path / "a.csv", 120), "symmetric": True, "model.dropout": 0.3, "steps": 12}
    recipe = request.assemble("pairs", {**typed, "checkpoint_seconds": 0.0})
    straight = run_recipe(recipe, output=tmp_path / "straight").run
    left = iter(range(7))
    with pytest.raises(Stopped):
        run_recipe(recipe, output=tmp_path / "broken", monitor=Monitor(stop=lambda: next(left, None) is None))
    resumed = go_on(Run.open(tmp_path / "broken")).run
    weights = resumed.weights()
    assert all(torch.equal(value, weights[name]) for name, value in straight.weights().items())
    assert resumed.predictions == straight.predictions


# ---- Asked ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_pairs_on_the_command_line(result: Result, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    shell, run = Shell(tmp_path), str(result.folder)
    told = shell.done("predict", run, "A man sings now", "A man sings")
    assert told.startswith("entails\t")
    assert told.endswith("\tA man sings now → A man sings\n")
    pairs = ["A dog runs now ||| A dog never runs", "A cat jumps now\tA boy jumps"]
    assert [line.split("\t")[0] for line in shell.done("predict", run, *pairs).splitlines()] == [
        "contradicts", "neither"]  # fmt: skip
    for texts, message in (
        (["one"], "one text typed, expected two"),
        (["one", "two", "three"], "3 texts typed, expected two"),
        (["a ||| b", "c"], "argument 2: expected two texts with a tab or ||| between them, got 1 text"),
        (["a ||| b ||| c"], "argument 1: expected two texts with a tab or ||| between them, got 3 texts"),
        (["a", " "], "the second text is empty"),
    ):
        assert message in shell.refuses("predict", run, *texts)


@pytest.mark.slow
def test_pairs_in_files(result: Result, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    shell, run = Shell(tmp_path), str(result.folder)
    Path("a.txt").write_text("A man sings now\tA man sings\nA dog runs now ||| A dog never runs\n", encoding="utf-8")
    wanted = [["A man sings now", "A man sings"], ["A dog runs now", "A dog never runs"]]
    assert result.read_inputs(Path("a.txt")) == wanted
    frame = table(hypothesis=[other for _, other in wanted], premise=[one for one, _ in wanted])
    frame.write_csv("a.csv")
    frame.write_ndjson("a.jsonl")
    for name in ("a.csv", "a.jsonl"):
        assert result.read_inputs(Path(name)) == wanted
    shell.done("predict", run, "--input", "a.csv", "--output", "out.csv")
    rows = list(csv.DictReader(Path("out.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["first"], row["second"]) for row in rows] == [tuple(one) for one in wanted]
    assert [row["prediction"] for row in rows] == ["entails", "contradicts"]
    shell.done("predict", run, "--input", "a.txt", "--output", "out.jsonl")
    assert [json.loads(line)["input"] for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()] == wanted
    Path("b.txt").write_text("a\tb\n\nc\td\n", encoding="utf-8")
    assert "b.txt, line 2: expected two texts" in shell.refuses("predict", run, "--input", "b.txt")
    table(premise=["a", "b", ""], hypothesis=["a", " ", "c"]).write_csv("b.csv")
    assert "b.csv, row 2 and 1 more: a side of the pair is empty" in shell.refuses("predict", run, "--input", "b.csv")
    table(text=["a"], other=["b"]).write_csv("c.csv")
    assert 'Call them "first" and "second". Columns: text, other' in shell.refuses("predict", run, "--input", "c.csv")


@pytest.mark.slow
def test_scores_on_a_file(result: Result, scorer: Result, tmp_path: Path) -> None:
    path = write(tmp_path / "more.csv", 50, 7)
    scores, count = result.evaluate(path)
    assert (count, scores.keys()) == (50, result.scores.keys())
    assert scores["accuracy"] > 0.9
    assert scorer.evaluate(path)[0]["pearson"] > 0.9
    assert result.evaluate()[0]["accuracy"] == pytest.approx(result.scores["accuracy"])
    frame = pl.read_csv(path)
    said: list[str] = []
    holed = frame.with_columns(pl.when(pl.col("score") == 2.0).then(pl.lit(None)).otherwise("premise").alias("premise"))
    _, kept = result.evaluate(holed, said.append)
    assert kept == int((frame["score"] != 2.0).sum())
    assert "with an empty side left out" in said[0]
    with pytest.raises(InputError, match="data frame: which two columns hold the texts"):
        result.evaluate(frame.rename({"premise": "x"}))


@pytest.mark.slow
def test_a_report_is_written(result: Result, scorer: Result) -> None:
    for run in (result, scorer):
        assert run.report()["html"].stat().st_size > 10_000
    assert "pairs" in result.explain("errors").claim
    assert "shared" in scorer.explain("overlap").claim


def test_check_looks_at_pairs(tmp_path: Path) -> None:
    rows = [
        "first,second,label",
        "a b,c,x",
        "A  b,c,y",
        "d,e,x",
        "d,f,x",
        *(f"t{at},u,{'xy'[at % 2]}" for at in range(30)),
    ]
    path = tmp_path / "p.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    parts, findings = check_data("pairs", {"path": str(path), "test": str(path)}, Watch())
    titles = {one.title for one in findings}
    assert {"Leak from train into test", "The same text with different labels"} <= titles
    assert sum(map(len, parts.values())) == 68


def test_lines_and_separators() -> None:
    assert text_pairs.parted("a |b\t c ", "it") == ["a |b", "c"]
    assert text_pairs.parted("a ||| b", "it") == ["a", "b"]
    with pytest.raises(InputError, match="it: expected two texts .* got an empty line"):
        text_pairs.parted(" ", "it")
