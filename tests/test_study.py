"""Studies planned, carried out, killed and gone on with; their folders, their workers, what they refuse."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import fake_studies
import lstmlab
from lstmlab import studies
from lstmlab.errors import InputError
from lstmlab.recipe import dump, validate, write_yaml
from lstmlab.training.arms import (
    Plan,
    StudyRecipe,
    arm_name,
    make_plan,
    parse_arms,
    parse_over,
    parse_rates,
    parse_seeds,
)
from lstmlab.training.comparing import Interrupted, Onlooker, carry_out, fitting
from lstmlab.training.crew import Crew
from lstmlab.training.probe import asked, read_answers, write_probe
from lstmlab.training.run import Run, main_score
from lstmlab.training.study import Study, StudyWriter, find_study, is_study

TINY: dict[str, Any] = {"epochs": 2, "data.count": 60, "hidden_size": 4, "batch_size": 16}


def plan(word: str = "parity", changes: dict[str, Any] | None = None, **asked: Any) -> Plan:
    recipe, bases = studies.request_study(word, asked, changes or {})
    return make_plan(recipe, bases)


# ---- Words


def test_words_of_the_command_line() -> None:
    typed = ["cell=rnn,lstm", "hidden_size=64,128", "rate=1e-3,0.1", "flag=true,false", "p=[max],[max,mean]"]
    assert parse_over(typed) == {
        "cell": ["rnn", "lstm"], "hidden_size": [64, 128], "rate": [0.001, 0.1], "flag": [True, False],
        "p": [["max"], ["max", "mean"]],
    }  # fmt: skip
    assert parse_arms(["cnn: kind=convolution width=3", "gru:cell=gru"]) == {
        "cnn": {"kind": "convolution", "width": 3},
        "gru": {"cell": "gru"},
    }
    assert parse_seeds("5") == 5
    assert parse_seeds("1, 2,3") == (1, 2, 3)
    assert parse_rates("0.001,1e-2") == (0.001, 0.01)


@pytest.mark.parametrize(
    ("parse", "words", "told"),
    [
        (parse_over, ["cell"], "expected a setting and its values"),
        (parse_over, ["cell="], "expected a setting and its values"),
        (parse_over, ["cell=rnn", "cell=gru"], "--over cell=rnn,gru"),
        (parse_arms, ["cell=gru"], "expected a name and settings"),
        (parse_arms, ["a: cell=gru", "a: cell=rnn"], "given twice"),
        (parse_seeds, "many", "expected how many"),
        (parse_seeds, "1,", "expected how many"),
        (parse_rates, "fast,slow", "expected numbers"),
    ],
)
def test_words_that_mean_nothing_are_refused(parse: Any, words: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        parse(words)


# ---- Plans


def test_settings_are_crossed_and_named() -> None:
    found = plan(over={"cell": ["rnn", "gru"], "hidden_size": [4, 8]}, seeds=2)
    assert [arm.name for arm in found.arms] == [
        "rnn, hidden_size=4", "rnn, hidden_size=8", "gru, hidden_size=4", "gru, hidden_size=8",
    ]  # fmt: skip
    assert found.arms[0].changes == {"model.encoder.cell": "rnn", "model.encoder.hidden_size": 4}
    assert found.seeds == (0, 1)
    assert validate(Plan, dump(found), "it") == found


def test_named_arms_stand_beside_the_crossed_ones() -> None:
    found = plan(over={"cell": ["rnn", "gru"]}, arms={"wide": {"hidden_size": 50}}, seeds=(3, 7))
    assert [arm.name for arm in found.arms] == ["rnn", "gru", "wide"]
    assert found.seeds == (3, 7)
    assert found.search_seed not in found.seeds


def test_numbers_and_equal_words_keep_their_setting() -> None:
    assert arm_name({"model.cell": "lstm", "bidirectional": True}) == "lstm, bidirectional=true"
    assert arm_name({"a": "lstm", "b": "lstm"}) == 'a="lstm", b="lstm"'


def test_a_setting_without_effect_marks_the_arm_and_a_twin_is_not_trained_twice() -> None:
    found = plan(over={"cell": ["lstm", "gru"], "forget_bias": [0.0, 1.0]})
    marks = {arm.name: (arm.marks, arm.twin) for arm in found.arms}
    assert marks["lstm, forget_bias=1.0"] == ({}, None)
    assert "no forget gate" in marks["gru, forget_bias=0.0"][0]["model.encoder.forget_bias"]
    assert marks["gru, forget_bias=1.0"][1] == "gru, forget_bias=0.0"
    study = Study(Path("nowhere"))
    study.__dict__["plan"] = found
    study.__dict__["failures"] = {}
    assert len(study.entries) == 3 * 3


@pytest.mark.parametrize(
    ("asked", "changes", "told"),
    [
        ({"over": {"cell": ["gru"]}}, {}, "nothing to compare"),
        ({}, {}, "nothing to compare"),
        ({"over": {"cel": ["gru", "rnn"]}}, {}, "Did you mean model.encoder.cell"),
        ({"over": {"cell": ["gru", "rrn"]}}, {}, "rnn"),
        ({"over": {"seed": [1, 2]}}, {}, "--seeds"),
        ({"over": {"split_seed": [1, 2]}}, {}, "the same for all arms"),
        ({"over": {"cell": ["gru", "rnn"], "forget_bias": [1.0]}}, {}, "no effect in any arm"),
        ({"over": {"cell": ["gru", "gru"]}}, {}, "same name"),
        ({"over": {"learning_rate": [0.1, 0.2]}, "rates": [0.1, 0.2]}, {}, "leave one out"),
        ({"over": {"hidden_size": [1, 2]}, "match_parameters": True}, {}, "leave one out"),
        ({"over": {"cell": ["gru", "rnn"]}, "rates": [0.1]}, {}, "nothing to choose"),
        ({"over": {"cell": ["gru", "rnn"]}, "rates": [0.1, -1.0]}, {}, "above zero"),
        ({"over": {"cell": ["gru", "rnn"]}, "seeds": 0}, {}, "at least one"),
        ({"over": {"cell": ["gru", "rnn"]}, "seeds": 10**30}, {}, "1000 at most"),
        ({"over": {"cell": ["gru", "rnn"]}, "seeds": (1, 1)}, {}, "stands twice"),
        ({"over": {"cell": ["gru", "rnn"]}}, {"celll": "rnn"}, "no setting"),
        ({"over": {"cell": ["gru", "rnn"]}, "probe": 3}, {}, "probe"),
    ],
)
def test_what_cannot_be_compared_is_refused(asked: dict[str, Any], changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        plan(changes=changes, **asked)


def test_a_recipe_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean parity"):
        plan("parityy", over={"cell": ["rnn", "gru"]})
    file = tmp_path / "mine.yaml"
    file.write_text("study: {bases: [{recipe: parity}], over: {cell: [rnn, gru]}, seedss: 3}\n")
    with pytest.raises(InputError, match="Did you mean study.seeds"):
        plan(str(file))
    file.write_text("study: 3\n")
    with pytest.raises(InputError, match="expected settings of its own"):
        plan(str(file))


def test_the_studies_that_ship_are_plans() -> None:
    from lstmlab.catalogue import read_study, study_names

    for name in study_names():
        tree = read_study(name)
        assert tree["group"] == "studies"
        assert tree["summary"].endswith(".")
        if "study" in tree:
            recipe, bases = studies.request_study(name, {}, {})
            found = make_plan(recipe, bases)
            assert all(not arm.marks for arm in found.arms)
            validate(StudyRecipe, dump(recipe), name)
            for claim in found.claims:
                names = {arm.name for arm in found.arms if arm.base == claim.base}
                assert {claim.better, claim.than} <= names
    assert "study:" in studies.show_study("architecture")


def test_what_is_typed_wins_over_what_a_study_sets() -> None:
    bases = studies.request_study("architecture", {}, {"training.steps": 7})[1]
    assert (bases["trec-qc"].training.steps, bases["trec-qc"].training.epochs) == (7, None)
    assert studies.request_study("architecture", {}, {"epochs": 2})[1]["trec-qc"].training.epochs == 2


def test_one_arms_parameters_are_matched() -> None:
    from lstmlab.tasks import TASKS
    from lstmlab.training.matching import matched

    recipe, bases = studies.request_study(
        "parity", {"over": {"cell": ["lstm", "rnn", "gru"]}, "match_parameters": True}, {"data.count": 60}
    )
    data = {name: TASKS[base.task].load(base, Onlooker()) for name, base in bases.items()}
    found = matched(make_plan(recipe, bases), data)
    assert [arm.asked_size for arm in found.arms] == [None, 32, 32]
    sizes = [arm.changes.get("model.encoder.hidden_size") for arm in found.arms]
    assert sizes[0] is None
    assert sizes[1] > sizes[2] > 32


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            {"over": {"data.count": [60, 70]}},
            r"data.count cannot be compared: .*other examples \(14\) than parity is \(12",
        ),
        ({"over": {"cell": ["rnn", "gru"]}, "probe": "probe.csv"}, r"its labels \(good\) are not those of parity"),
    ],
)
def test_what_only_the_data_show_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "probe.csv").write_text("text,label\nfine,good\n")
    recipe, bases = studies.request_study("parity", asked, {"data.count": 60})
    with pytest.raises(InputError, match=told):
        studies.run_study(recipe, bases, root=tmp_path / "studies")
    assert not (tmp_path / "studies").exists()


# ---- Workers


def test_as_many_workers_as_cores_and_no_more() -> None:
    size, threads = fitting(100, None)
    assert size * threads <= max(os.cpu_count() or 1, size)
    assert fitting(1, None)[0] == 1
    assert fitting(100, 3)[0] == 3
    assert fitting(100, None, "cuda")[0] == 1
    with pytest.raises(InputError, match="1 or more"):
        fitting(1, 0)


@pytest.mark.slow
def test_a_worker_tells_what_went_wrong_and_goes_on(tmp_path: Path) -> None:
    tree = dump(studies.request_study("parity", {"over": {"cell": ["rnn", "gru"]}}, TINY)[1]["parity"])
    bad = {"tree": tree, "changes": {"training.optimizer.learning_rate": 1e30, "training.optimizer.clip": None}}
    jobs = [
        {"folder": str(tmp_path / "diverges"), "name": "a", **bad},
        {"folder": str(tmp_path / "wrong"), "name": "b", "tree": tree, "changes": {"data.count": 1}},
        {"folder": str(tmp_path / "sound"), "name": "c", "tree": tree, "changes": {}},
    ]
    heard: list[tuple[str, str, str]] = []

    def news(job: Any, told: dict[str, Any]) -> None:
        if told["event"] in ("done", "failed"):
            heard.append((Path(job["folder"]).name, told["event"], told.get("kind", "")))

    with Crew(1, 1, tmp_path / "log") as crew:
        assert crew.work(jobs, news, lambda: False)
    assert heard == [("diverges", "failed", "diverged"), ("wrong", "failed", "failed"), ("sound", "done", "")]
    assert lstmlab.open_run(tmp_path / "sound").scores["accuracy"] > 0


# ---- Carried out


@pytest.fixture
def unwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies end without a report, which takes longer than so small a training."""
    monkeypatch.setattr("lstmlab.studies.StudyResult.report", lambda _: {})


def table(folder: Path) -> list[dict[str, str]]:
    """The rows of results.csv."""
    return list(csv.DictReader(io.StringIO((folder / "results.csv").read_text(encoding="utf-8"))))


def outcome(study: Study) -> dict[str, Any]:
    """Scores of all runs."""
    return {entry.name: entry.run and {**entry.run.metrics["test"]} for entry in study.entries}


@pytest.mark.slow
@pytest.mark.usefixtures("unwritten")
def test_a_study_from_the_first_run_to_the_last(tmp_path: Path) -> None:
    lines: list[str] = []
    result = lstmlab.compare(
        "parity", over={"cell": ["rnn", "gru"]}, seeds=2, rates=(0.003, 0.01), root=tmp_path, watch=lines.append, **TINY
    )
    assert isinstance(result, studies.StudyResult)
    study = result.study
    rows = table(result.folder)
    assert [(row["arm"], row["seed"], row["state"]) for row in rows] == [
        ("rnn", "0", "finished"), ("gru", "0", "finished"), ("rnn", "1", "finished"), ("gru", "1", "finished"),
    ]  # fmt: skip
    assert all(float(row["test_accuracy"]) > 0 and int(row["parameters"]) > 0 for row in rows)
    assert all((result.folder / row["folder"] / "model.safetensors").is_file() for row in rows)
    # The search scored no test part, and its choice is the runs' rate.
    for arm in study.plan.arms:
        tried = study.tried(arm)
        assert study.rate(arm) == max(tried, key=lambda rate: (tried[rate], -rate))
        assert {row["learning_rate"] for row in rows if row["arm"] == arm.name} == {str(study.rate(arm))}
    for trial in study.trials:
        assert trial.run is not None
        assert "test" not in trial.run.metrics
        assert not trial.run.predictions
        assert trial.seed not in study.plan.seeds
    # All arms and seeds share their parts, and with a seed the order of the batches.
    first = [entry.run for entry in study.entries if entry.run]
    assert len({json.dumps([row["input"] for row in run.predictions]) for run in first}) == 1
    assert {run.recipe["split_seed"] for run in first} == {0}
    assert len([line for line in lines if "test accuracy" in line]) == 4
    # Nothing is left to do, and what is done is not done again.
    before = [(run.folder / "metrics.json").stat().st_mtime_ns for run in first]
    studies.go_on_with(study.fresh())
    assert before == [(run.folder / "metrics.json").stat().st_mtime_ns for run in first]
    assert find_study("parity", tmp_path).folder == result.folder
    assert is_study(str(result.folder))


KILLED = """
import sys, lstmlab
lstmlab.compare("parity", over={"cell": ["rnn", "gru"]}, seeds=2, root=sys.argv[1], workers=1, epochs=3,
                hidden_size=4, batch_size=16, **{"data.count": 60, "checkpoint_seconds": 0})
"""


@pytest.mark.slow
@pytest.mark.usefixtures("unwritten")
def test_killed_and_gone_on_with_it_ends_as_if_never_killed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "killed")], cwd=tmp_path)
    folder, until = None, time.monotonic() + 120
    while folder is None and time.monotonic() < until:
        time.sleep(0.02)
        found = list((tmp_path / "killed").glob("parity/*/runs/*/*/metrics.json"))
        folder = found[0].parents[3] if found else None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert folder is not None
    before = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/*/metrics.json")}
    result = lstmlab.open_study(folder)
    # The orphaned worker sees that its caller is gone, keeps a checkpoint and leaves; its run is free then.
    until = time.monotonic() + 60
    while time.monotonic() < until:
        result = studies.go_on_with(result.study.fresh(), workers=1)
        if all(entry.run for entry in result.study.entries):
            break
        time.sleep(0.2)
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    whole = lstmlab.compare(
        "parity", over={"cell": ["rnn", "gru"]}, seeds=2, root=tmp_path / "whole", workers=1,
        epochs=3, hidden_size=4, batch_size=16, **{"data.count": 60, "checkpoint_seconds": 0},
    )  # fmt: skip
    assert outcome(result.study) == outcome(whole.study)


@pytest.mark.slow
@pytest.mark.usefixtures("unwritten")
def test_asked_to_stop_it_keeps_what_is_done(tmp_path: Path) -> None:
    done: list[int] = []
    watch = Onlooker(end=lambda entry, count, total: done.append(count), stop=lambda: bool(done))
    recipe, bases = studies.request_study("parity", {"over": {"cell": ["rnn", "gru"]}, "seeds": 2}, TINY)
    with pytest.raises(Interrupted) as stopped:
        studies.run_study(recipe, bases, root=tmp_path, workers=1, watch=watch)
    study = Study(stopped.value.folder)
    assert f"lstmlab compare {study.folder}" in str(stopped.value)
    assert 1 <= sum(entry.run is not None for entry in study.entries) < 4
    assert studies.go_on_with(study.fresh()).study.finished


@pytest.mark.slow
@pytest.mark.usefixtures("unwritten")
def test_a_run_that_diverges_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    arms = {"sound": {"cell": "gru"}, "wild": {"learning_rate": 1e30, "clip": None}}
    result = lstmlab.compare("parity", arms=arms, seeds=1, root=tmp_path, **TINY)
    rows = {row["arm"]: row for row in table(result.folder)}
    assert rows["sound"]["state"] == "finished"
    assert rows["wild"]["state"] == "diverged"
    assert "smaller learning_rate" in rows["wild"]["note"]
    # It would diverge again, so it is not tried again.
    studies.go_on_with(result.study.fresh())
    told = [section for section in result.sections() if section.title == "Runs that did not end"]
    assert "wild, seed 0" in told[0].evidence


def test_two_processes_do_not_work_on_one_study(tmp_path: Path) -> None:
    made = StudyWriter.create(tmp_path, "parity", plan(over={"cell": ["rnn", "gru"]}), {"started": "2026-02-03"}, None)
    with made.locked(), pytest.raises(InputError, match="by another process"):
        carry_out(Study(made.folder), 1)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("base: parity", "base: nowhere", "is on nowhere, and the bases are parity"),
        ("name: gru", "name: RNN", 'two arms on parity are called "RNN"'),
        ("    seed: 0\n", "", "it has no task or no seed"),
    ],
)
def test_a_plan_that_was_edited_into_nonsense_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    tree = write_yaml(dump(plan(over={"cell": ["rnn", "gru"]})))
    assert old in tree
    (tmp_path / "study.yaml").write_text(tree.replace(old, new))
    with pytest.raises(InputError, match=told):
        studies.read_plan(tmp_path / "study.yaml")


def test_a_crossed_setting_is_one_column(tmp_path: Path) -> None:
    made = StudyWriter.create(
        tmp_path, "it", plan(over={"cell": ["rnn", "gru"], "learning_rate": [0.1, 0.2]}), {}, None
    )
    made.results()
    columns = (made.folder / "results.csv").read_text().splitlines()[0].split(",")
    assert columns.count("learning_rate") == 1


def test_a_study_of_which_every_run_failed_is_not_finished(tmp_path: Path) -> None:
    made = StudyWriter.create(tmp_path, "parity", plan(over={"cell": ["rnn", "gru"]}), {}, None)
    for entry in Study(made.folder).entries:
        made.fail(entry, "failed", "no reason")
    assert not Study(made.folder).finished


def test_going_on_takes_no_more_threads_than_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A study begun with one worker of many threads is not gone on with by many of these."""
    found = plan(over={"cell": ["rnn", "gru"]}).model_copy(update={"threads": 2})
    made = StudyWriter.create(tmp_path, "parity", found, {}, None)
    asked: list[int] = []

    def carried(study: Study, size: int, watch: Onlooker) -> Study:
        asked.append(size)
        return study

    monkeypatch.setattr(studies, "carry_out", carried)
    monkeypatch.setattr(studies, "cores", lambda: 2)
    monkeypatch.setattr("lstmlab.training.comparing.cores", lambda: 2)
    monkeypatch.setattr(studies.StudyResult, "report", lambda _: {})
    studies.go_on_with(Study(made.folder))
    studies.go_on_with(Study(made.folder), workers=3)
    assert asked == [1, 3]


def test_a_run_killed_before_its_probe_is_asked_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unwritten: None
) -> None:
    study = fake_studies.study(tmp_path / "s", {"a": [0.5, 0.6], "b": [0.6, 0.7]}, probe="contrast-sentences")
    for entry in study.entries[:3]:
        (entry.folder / "probe.jsonl").touch()
    given: list[Any] = []
    monkeypatch.setattr(Crew, "work", lambda _, jobs, *others: given.extend(jobs) or True)
    studies.go_on_with(study)
    assert [(job["folder"], job["probe"]) for job in given] == [(str(study.entries[3].folder), "contrast-sentences")]


def test_a_run_of_other_labels_is_asked_a_probe_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "probe.csv").write_text("text,label\nfine,good\n")
    answers = SimpleNamespace(predict=lambda texts: [{"prediction": "odd", "probabilities": {"odd": 1.0}}])
    monkeypatch.setattr("lstmlab.training.inference.Predictor.of", lambda *_: answers)
    write_probe(Run(tmp_path), str(tmp_path / "probe.csv"))
    assert asked(Run(tmp_path))
    assert read_answers(Run(tmp_path)) == []


def test_a_rate_found_better_once_an_arm_has_begun_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unwritten: None
) -> None:
    study = fake_studies.study(tmp_path / "s", {"a": [0.5], "b": []}, rates=(0.003, 0.01))
    begun = study.folder / "runs" / "a" / "seed-0" / "recipe.yaml"
    begun.write_text("task: classification\ntraining: {optimizer: {learning_rate: 0.01}}\n")
    for place, right in (("a/rate-0.003", 0.9), ("a/rate-0.01", 0.6), ("b/rate-0.003", 0.9)):
        fake_studies.run(study.folder / "search" / place, right, 0)
    a, b = study.plan.arms
    assert (study.rate(a), study.rate(b)) == (0.01, 0.003)
    # Nor is it tried again, where it failed before.
    (study.folder / "search" / "a" / "rate-0.003" / "metrics.json").unlink()
    given: list[Any] = []
    monkeypatch.setattr(Crew, "work", lambda _, jobs, *others: given.extend(jobs) or True)
    studies.go_on_with(study.fresh())
    assert [job["name"] for job in given] == ["b, rate 0.01", "b, seed 0"]
    assert given[1]["changes"]["training.optimizer.learning_rate"] == 0.003
    begun.unlink()
    assert study.fresh().rate(a) == 0.01


def test_the_main_score_is_the_same_where_it_is_undefined() -> None:
    """Another score in its place would be compared with those of the other runs."""
    run = Run(Path("nowhere"))
    run.__dict__.update(recipe={"task": "tagging"}, metrics={"valid": {"accuracy": 0.5, "span_f1": None}})
    assert main_score(run) == "span_f1"
    run.metrics["test"] = {"accuracy": 0.5}
    assert main_score(run) == "accuracy"


def test_damaged_studies_are_told(tmp_path: Path) -> None:
    made = StudyWriter.create(tmp_path, "parity", plan(over={"cell": ["rnn", "gru"]}), {"started": "2026-02-03"}, None)
    (made.folder / "failures.json").write_text("[")
    with pytest.raises(InputError, match=r"failures.json: unreadable"):
        _ = Study(made.folder).entries
    (made.folder / "environment.json").write_text("{}")
    with pytest.raises(InputError, match='no "started"'):
        _ = Study(made.folder).environment["started"]
    (made.folder / "study.yaml").write_text("arms: 3\n")
    with pytest.raises(InputError, match=r"study.yaml"):
        _ = Study(made.folder).plan
    assert not is_study(str(tmp_path), tmp_path)
    with pytest.raises(InputError, match="Did you mean parity"):
        find_study("parit", tmp_path)
    with pytest.raises(InputError, match="exists already"):
        StudyWriter.create(tmp_path, "parity", plan(over={"cell": ["rnn", "gru"]}), {}, made.folder)
