"""Taggers: learned on a made-up grammar, asked, scored on files; what they count and what they have to beat."""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import writers
from lstmlab import request
from lstmlab.api import Result
from lstmlab.cli import use
from lstmlab.cli.tagged import columns, tagged_line
from lstmlab.data import spans
from lstmlab.data.load import Watch
from lstmlab.errors import InputError
from lstmlab.tasks import TASKS
from lstmlab.types import Example
from test_cli import Shell

pytestmark = pytest.mark.slow

NAMES = "Anna Ben Clara Dora Emil Fay Gus Hana".split()
TOWNS = ["Lyon", "Rome", "Oslo", "New York", "San Jose", "Rio"]
VERBS = "visits likes leaves paints".split()
SMALL: dict[str, Any] = {
    "hidden_size": 16, "model.words.size": 16, "letters.hidden_size": 8, "letters.size": 8, "batch_size": 8,
    "learning_rate": 0.02, "device": "cpu", "average": None,
}  # fmt: skip
SPANS = {"span_f1", "span_precision", "span_recall", "span_f1_macro", "span_f1_lenient"}


def sentence(rng: random.Random) -> list[tuple[str, str]]:
    """Anna visits New York, Ben."""
    who, where, other = rng.choice(NAMES), rng.choice(TOWNS).split(), rng.choice(NAMES)
    town = [(word, "I-LOC" if at else "B-LOC") for at, word in enumerate(where)]
    # Now and then a name nobody else has.
    who = f"Q{rng.randrange(1000)}a" if rng.random() < 0.1 else who
    return [(who, "B-PER"), (rng.choice(VERBS), "O"), *town, (",", "O"), (other, "B-PER"), (".", "O")]


PLAIN = {"O": "X", "B-PER": "PROPN", "B-LOC": "PROPN", "I-LOC": "PROPN"}


def write(
    path: Path, made: list[list[tuple[str, str]]], tags: Callable[[list[str]], list[str]] = lambda own: own
) -> str:
    blocks = []
    for one in made:
        own = tags([tag for _, tag in one])
        blocks.append("".join(f"{word}\t{tag}\n" for (word, _), tag in zip(one, own, strict=True)))
    path.write_text("\n".join(blocks), encoding="utf-8")
    return str(path)


def corpus(seed: int = 0, count: int = 200) -> list[list[tuple[str, str]]]:
    rng = random.Random(seed)
    return [sentence(rng) for _ in range(count)]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Three epochs over BIO, with letters and a CRF."""
    folder = tmp_path_factory.mktemp("tagger")
    path = write(folder / "names.conll", corpus())
    return writers.trained(folder / "made" / "run", "tagging", {**SMALL, "path": path, "epochs": 3})


@pytest.fixture
def others(tmp_path: Path) -> str:
    return write(tmp_path / "others.conll", corpus(1, 30))


# ---- Training -------------------------------------------------------------------------------------------------------


def test_a_run_has_its_scores_and_what_it_has_to_beat(result: Result) -> None:
    assert SPANS | {"accuracy", "accuracy_unseen", "loss"} == result.scores.keys()
    assert result.scores["span_f1"] > 0.8
    assert list(result.baselines) == ["most frequent tag", "linear classifier"]
    for scores in result.baselines.values():
        assert SPANS | {"accuracy", "accuracy_unseen"} == scores.keys()
        assert all(value is None or 0 <= value <= 1 for value in scores.values())
    assert "span_f1" in result.history[-1]["valid"]
    assert result.run.metrics["signatures"]["span_f1"].startswith("strict, micro, scheme BIO")
    for row in result.run.predictions:
        assert len(row["input"]) == len(row["prediction"]) == len(row["target"]) == len(row["certainty"])
        assert spans.spans(row["prediction"], "bio")[1] == []
        assert all(0 <= share <= 1 for share in row["certainty"])
    right = [one == other for row in result.run.predictions for one, other in zip(row["prediction"], row["target"],
                                                                                 strict=True)]  # fmt: skip
    assert result.scores["accuracy"] == pytest.approx(np.mean(right))
    assert result.run.saved_task["tags"] == ["O", *(f"{mark}-{kind}" for kind in ("LOC", "PER") for mark in "BIES")]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["iob1", "bioes", "bilou", "plain"])
def test_answers_are_in_the_scheme_of_the_data(scheme: str, tmp_path: Path) -> None:
    def tags(own: list[str]) -> list[str]:
        if scheme == "plain":
            return [PLAIN[tag] for tag in own]
        found = spans.converted(own, "bio", "bioes" if scheme == "bilou" else scheme)  # type: ignore[arg-type]
        return [tag.replace("E-", "L-").replace("S-", "U-") for tag in found] if scheme == "bilou" else found

    path = write(tmp_path / "a.conll", corpus(count=100), tags)
    run = writers.trained(tmp_path / "made" / "run", "tagging", {**SMALL, "path": path, "epochs": 4})
    known = "bioes" if scheme == "bilou" else scheme
    assert run.run.saved_task["scheme"] == known
    assert run.scores["accuracy"] > 0.8
    assert (run.scores.keys() >= SPANS) == (scheme != "plain")
    for row in run.run.predictions:
        assert scheme == "plain" or spans.spans(row["prediction"], known)[1] == []  # type: ignore[arg-type]
    right = [one == other for row in run.run.predictions for one, other in zip(row["prediction"], row["target"],
                                                                              strict=True)]  # fmt: skip
    assert run.scores["accuracy"] == pytest.approx(np.mean(right))


@pytest.mark.slow
@pytest.mark.parametrize("output", ["softmax", "crf"])
@pytest.mark.parametrize("letters", ["none", "lstm", "cnn"])
def test_outputs_and_letters(output: str, letters: str, tmp_path: Path) -> None:
    changes = {key: value for key, value in SMALL.items() if letters != "none" or not key.startswith("letters")}
    if letters == "cnn":
        changes["letters.width"] = 4
    path = write(tmp_path / "a.conll", corpus(count=100))
    typed = {**changes, "path": path, "epochs": 2, "model.output": output, "letters.kind": letters}
    run = writers.trained(tmp_path / "made" / "run", "tagging", typed)
    assert run.scores["accuracy"] > run.baselines["most frequent tag"]["accuracy"] - 0.5
    assert all(spans.spans(row["prediction"], "bio")[1] == [] for row in run.run.predictions)
    told = run.predict([["Anna", "", "x" * 100]])
    assert len(told[0]["prediction"]) == 3


def test_a_part_with_one_tag_teaches_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", [[("a", "O"), ("b", "O")]] * 20)
    recipe = request.assemble("tagging", {"path": path})
    data = TASKS["tagging"].load(recipe, Watch())
    with pytest.raises(InputError, match=r"one tag only \(O\)"):
        TASKS["tagging"].prepare(recipe, data, Watch())


@pytest.mark.parametrize("name", ["a.jsonl", "a.tsv", "a.txt", "a.conll"])
def test_a_file_of_any_kind_is_trained_on(name: str, tmp_path: Path) -> None:
    rows = [{"tokens": [word for word, _ in one], "tags": [tag for _, tag in one]} for one in corpus(count=30)]
    path = tmp_path / name
    write(path, corpus(count=30))
    if name == "a.jsonl":
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    recipe: Any = request.assemble("tagging", {"path": str(path)})
    assert (recipe.data.text, recipe.data.label) == (None, None)
    assert TASKS["tagging"].load(recipe, Watch()).train.inputs[0][1] in VERBS
    typed: Any = request.assemble("tagging", {"path": str(path), "label": 1 if name != "a.jsonl" else "tags"})
    assert typed.data.label == ("1" if name != "a.jsonl" else "tags")


def test_settings_of_endings_that_would_have_no_effect() -> None:
    with pytest.raises(InputError, match="suffix_size"):
        request.assemble("pos-ewt", {"words.suffixes": [], "model.words.suffix_size": 5})
    with pytest.raises(InputError, match=r"words\.suffixes"):
        request.assemble("pos-ewt", {"words.suffixes": [2], "model.words.suffix_size": 0})
    with pytest.raises(InputError, match="width"):
        request.assemble("pos-ewt", {"letters.width": 5})


# ---- Asking ---------------------------------------------------------------------------------------------------------


def test_no_schedule_follows_a_validation_part_that_is_learned_from(tmp_path: Path) -> None:
    plateau = {"training.optimizer.schedule": "plateau", "plateau_patience": 1}
    with pytest.raises(InputError, match=r"schedule=plateau .* no validation part \(data.join_valid=true\): take"):
        request.assemble("tagging", {"path": "a.conll", "join_valid": True, **plateau})
    request.assemble("tagging", {"path": "a.conll", **plateau})
    with pytest.raises(InputError, match=r"no validation part \(data.valid_fraction is 0\)"):
        request.assemble("sine", {"valid_fraction": 0, **plateau})
    with pytest.raises(InputError, match=r"training.best would have no effect: .* \(data.valid_fraction is 0\)"):
        request.assemble("sine", {"valid_fraction": 0, "training.best": "score"})
    path = tmp_path / "own.yaml"
    path.write_text(
        "task: tagging\ndata: {path: a.conll, join_valid: true}\n"
        "training: {epochs: 1, optimizer: {schedule: plateau}}\n", encoding="utf-8"
    )  # fmt: skip
    with pytest.raises(InputError, match="schedule=plateau"):
        request.assemble(str(path), {})


def test_a_typed_sentence(result: Result) -> None:
    words = result.parse_input("Anna visits New York, Ben.", "argument 1")
    assert words == ["Anna", "visits", "New", "York", ",", "Ben", "."]
    (answer,) = result.predict([words])
    assert answer["prediction"] == ["B-PER", "O", "B-LOC", "I-LOC", "O", "B-PER", "O"]
    assert use.answer_line(words, answer) == "[PER Anna] visits [LOC New York] , [PER Ben] ."


def test_words_in_files(result: Result, tmp_path: Path, others: str) -> None:
    wanted = [[word for word, _ in one] for one in corpus(1, 30)]
    assert result.read_inputs(Path(others)) == wanted
    for name in ("a.conll", "a.iob2", "a.tsv"):
        (tmp_path / name).write_text("Anna\nlikes\n\nRome\n", encoding="utf-8")
        assert result.read_inputs(tmp_path / name) == [["Anna", "likes"], ["Rome"]], name
    (tmp_path / "a.txt").write_text("Anna likes Rome.\n\nBen!\n", encoding="utf-8")
    assert result.read_inputs(tmp_path / "a.txt") == [["Anna", "likes", "Rome", "."], [], ["Ben", "!"]]
    (tmp_path / "a.jsonl").write_text('{"tokens": ["Anna", "likes"]}\n', encoding="utf-8")
    assert result.read_inputs(tmp_path / "a.jsonl") == [["Anna", "likes"]]
    (tmp_path / "b.conll.gz").write_bytes(gzip.compress(b"Anna\tB-PER\nlikes\tO\n"))
    assert result.read_inputs(tmp_path / "b.conll.gz") == [["Anna", "likes"]]


def test_empty_long_and_strange_sentences(result: Result) -> None:
    strange = ["", " ", "\x00", "हिन्दी", "\U0001f600", "x" * 3000, "zzz", "ſ"]
    asked = [[], ["Anna"], ["Anna", "likes", "Rome"] * 667, strange, []]
    told = result.predict(asked)
    assert [len(one["prediction"]) for one in told] == [0, 1, 2001, len(strange), 0]
    assert [len(one["certainty"]) for one in told] == [0, 1, 2001, len(strange), 0]
    assert all(spans.spans(one["prediction"], "bio")[1] == [] for one in told)
    assert np.isfinite(told[2]["certainty"]).all()
    assert [one["prediction"] for one in result.predict([[]])] == [[]]
    assert result.predict([]) == []


def test_words_never_seen_are_known_by_their_letters(result: Result) -> None:
    (answer,) = result.predict([["Q9999a", "visits", "Rome", ",", "Fay", "."]])
    assert answer["prediction"][0] == "B-PER"


@pytest.mark.parametrize("given", ["Anna likes Rome", [1, 2], 3, None])
def test_what_is_no_list_of_words_is_refused(result: Result, given: Any) -> None:
    with pytest.raises(InputError, match="sentence 2: expected a list of words"):
        result.predict([["Anna"], given])


def test_a_batch_of_any_size_and_order_says_the_same(result: Result) -> None:
    asked = [[word for word, _ in one] for one in corpus(2, 40)] + [[], ["Anna"] * 50]
    together = [one["prediction"] for one in result.predict(asked)]
    assert [result.predict([one])[0]["prediction"] for one in asked] == together
    backwards = [one["prediction"] for one in result.predict(asked[::-1])]
    assert backwards[::-1] == together


def test_answers_on_the_command_line(result: Result, tmp_path: Path, others: str, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    shell, run = Shell(tmp_path), str(result.folder)
    assert shell.done("predict", run, "Anna visits New York.") == "[PER Anna] visits [LOC New York] .\n"
    assert shell.done("predict", run, "Anna.", " ", "Rome") == "[PER Anna] .\n\n[LOC Rome]\n"
    shell.done("predict", run, "--input", others, "--output", "out.conll")
    assert result.read_inputs(Path("out.conll")) == [[word for word, _ in one] for one in corpus(1, 30)]
    for name in ("out.csv", "out.jsonl", "out.txt"):
        shell.done("predict", run, "Anna likes Rome.", "--output", name)
        assert "B-LOC" in Path(name).read_text(encoding="utf-8")


def test_sentences_as_people_read_them() -> None:
    words = "Anna Ben visits New York".split()
    assert tagged_line(words, "B-PER B-PER O B-LOC I-LOC".split()) == "[PER Anna] [PER Ben] visits [LOC New York]"
    assert tagged_line(words, "N N V N N".split()) == "Anna/N Ben/N visits/V New/N York/N"
    assert tagged_line([], []) == ""
    painted = tagged_line(words, "B-PER O O O O".split(), coloured=True)
    assert painted.count("\x1b[0m") == 1
    assert columns([(["a", "b"], {"prediction": ["O", "B-X"]}), ([], {"prediction": []})]) == "a\tO\nb\tB-X\n\n\n"


# ---- Scoring --------------------------------------------------------------------------------------------------------


def test_scores_on_a_file(result: Result, others: str) -> None:
    scores, count = result.evaluate(others)
    assert count == 30
    assert SPANS | {"accuracy", "accuracy_unseen", "loss"} == scores.keys()
    assert scores["span_f1"] > 0.8
    assert scores["loss"] < 1


def test_scores_of_the_test_part_are_those_of_training(result: Result) -> None:
    scores, _ = result.evaluate()
    for name in ("span_f1", "accuracy"):
        assert scores[name] == pytest.approx(result.scores[name])


def test_a_tag_training_never_saw_counts_as_missed(result: Result, tmp_path: Path) -> None:
    known = [("Anna", "B-PER"), ("visits", "O"), ("Rome", "B-LOC"), (",", "O"), ("Ben", "B-PER"), (".", "O")]
    new = [(word, tag.replace("LOC", "CITY")) for word, tag in known]
    one, _ = result.evaluate(write(tmp_path / "a.conll", [known]))
    both, _ = result.evaluate(write(tmp_path / "b.conll", [known, new]))
    assert (one["accuracy"], one["span_f1"], one["span_recall"]) == (1, 1, 1)
    assert both["accuracy"] == pytest.approx(11 / 12)
    assert both["span_recall"] == pytest.approx(5 / 6)
    assert both["span_precision"] == pytest.approx(5 / 6)
    assert both["span_f1_macro"] == pytest.approx((1 + 2 / 3 + 0) / 3, abs=1e-6)
    assert both["loss"] == pytest.approx(one["loss"], rel=1e-4), "the loss is of the sentence that has one"


def test_tags_in_a_file_that_cannot_stand_are_refused(result: Result, tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", [[("Anna", "B-PER")], [("Rome", "O"), ("York", "I-LOC")]])
    with pytest.raises(InputError, match='sentence 3: "York" is tagged I-LOC after O') as error:
        result.evaluate(path)
    assert "Mend the file: its tags have to be in the scheme that was trained with." in str(error.value)
    assert "Mend such tags with data.repair=true" not in str(error.value), "which cannot be set any more"


def test_unseen_words_are_those_of_no_training_sentence(result: Result) -> None:
    task: Any = result.predictor.task
    rows = [
        {"input": ["anna", "zyx", "zzz"], "prediction": ["O", "O", "B-PER"], "target": ["B-PER", "O", "O"]},
    ]
    assert task._unseen(rows) == 0.5
    assert np.isnan(task._unseen([{"input": ["anna"], "prediction": ["O"], "target": ["O"]}]))


def test_some_with_and_some_without_tags(result: Result) -> None:
    with pytest.raises(ValueError, match="some examples have a target and some have none"):
        result.predictor.task.encode([Example("1", ["a"], ["O"]), Example("2", ["a"])], "it")
    with pytest.raises(InputError, match="it: 2 words and 1 tags"):
        result.predictor.task.encode([Example("1", ["a", "b"], ["O"])], "it")


# ---- The model ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letters", ["none", "lstm", "cnn"])
@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_padding_and_order_change_no_tag(letters: str, output: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", corpus(count=40))
    changes = {"path": path, "letters.kind": letters, "model.output": output, "hidden_size": 8}
    recipe = request.assemble("tagging", changes)
    data = TASKS["tagging"].load(recipe, Watch())
    task: Any = TASKS["tagging"].prepare(recipe, data, Watch())
    torch.manual_seed(0)
    model = task.build().eval()
    encoded = task.encode(
        [*data.train, Example("0", [], []), Example("1", ["Anna"] * 30, ["B-PER"] * 30)], "it"
    )  # fmt: skip
    order = np.random.default_rng(0).permutation(len(encoded))
    with torch.inference_mode():
        together = scored(task, model, encoded, order)
        for place in range(0, len(order), 7):
            alone = scored(task, model, encoded, order[place : place + 1])
            length = int(encoded.lengths[order[place]])
            torch.testing.assert_close(alone[0][0, :length], together[0][place, :length], rtol=1e-4, atol=1e-5)
            assert torch.equal(alone[1][0, :length], together[1][place, :length])
            torch.testing.assert_close(alone[2][0], together[2][place], rtol=1e-4, atol=1e-4)


def scored(task: Any, model: Any, encoded: Any, index: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Probabilities, best tags and losses."""
    batch = task.collate(encoded, index)
    scores = model(batch.inputs, batch.second)
    return model.probabilities(scores), model.best(scores), model.loss(scores, batch.targets)


def test_rare_words_are_forgotten_now_and_then(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", corpus(count=40))
    recipe: Any = request.assemble("tagging", {"path": path, "model.words.unknown": 1.0})
    data = TASKS["tagging"].load(recipe, Watch())
    task: Any = TASKS["tagging"].prepare(recipe, data, Watch())
    model = task.build()
    torch.manual_seed(0)
    known = len(task.encoder.vocabulary)
    ids = torch.arange(known).repeat(4000, 1)
    shares = (model._forgetting(ids) == 1).float().mean(0)
    counts = torch.from_numpy(task.encoder.frequencies).float()
    torch.testing.assert_close(shares[2:], 1 / (1 + counts[2:]), rtol=0, atol=0.05)
    assert shares[0] == 0


@pytest.mark.parametrize("output", ["softmax", "crf"])
def test_a_bias_against_o_finds_more_spans_and_leaves_the_loss(output: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.conll", corpus(count=40))
    found = []
    for bias in (-50.0, 0.0, 50.0):
        changes = {"path": path, "model.output": output, "hidden_size": 8, "outside_bias": bias}
        recipe = request.assemble("tagging", changes)
        data = TASKS["tagging"].load(recipe, Watch())
        task: Any = TASKS["tagging"].prepare(recipe, data, Watch())
        torch.manual_seed(0)
        with torch.inference_mode():
            probabilities, best, loss = scored(task, task.build().eval(), task.encode(data.train, "it"), np.arange(20))
        found.append((probabilities[..., 0].sum(), int((best > 0).sum()), loss))
    (all_o, none, loss), (some_o, _, same), (no_o, most, again) = found
    assert torch.equal(loss, same)
    assert torch.equal(loss, again)
    assert all_o > some_o > no_o
    assert no_o == pytest.approx(0, abs=1e-3)
    assert none == 0 < most


# ---- What is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "extra", "changes", "told"),
    [
        ("a.conll", "x\tO\ny\n", [], 'line 203: 1 columns, expected 2: "y"'),
        ("a.conll", "x\tO\ny\tI-PER\n", [], '"y" is tagged I-PER after O, which cannot be in BIO'),
        ("a.conll", "x\tO\n", ["label=3"], "no column 3: expected a number from 1 to 2"),
        ("a.conll", "x\tO\n", ["scheme=bioess"], "expected 'bio', 'iob1', 'bioes' or 'plain'"),
        ("a.conll", "x\tO\n", ["scheme=plain", "exchange=0.3"], "words.exchange would have no effect"),
        ("a.jsonl", '{"tokens": ["a", "b"], "tags": ["O"]}\n', [], "line 31: 2 words and 1 tags"),
    ],
)  # fmt: skip
def test_bad_files_end_with_one_line_and_status_2(
    name: str, extra: str, changes: list[str], told: str, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = corpus(count=30)
    if name == "a.jsonl":
        lines = [json.dumps({"tokens": [a for a, _ in one], "tags": [b for _, b in one]}) + "\n" for one in rows]
        text = "".join(lines)
    else:
        write(tmp_path / name, rows)
        text = (tmp_path / name).read_text(encoding="utf-8") + "\n"
        told = told.replace("203", str(text.count("\n") + 2))
    (tmp_path / name).write_text(text + extra, encoding="utf-8")
    assert told in Shell(tmp_path).refuses("train", "tagging", f"path={name}", *changes)


def test_a_sentence_of_two_thousand_words_is_learned_from(tmp_path: Path) -> None:
    long = [[(f"w{at}", "B-LOC" if at % 50 == 0 else "O") for at in range(2000)]]
    path = write(tmp_path / "a.conll", [*corpus(count=30), *long * 3])
    run = writers.trained(tmp_path / "made" / "run", "tagging", {**SMALL, "path": path, "steps": 4})
    assert np.isfinite(run.scores["loss"])
