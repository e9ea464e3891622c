"""What a study says: verdicts, tables, figures and refusals, on studies made up to have known answers."""

import json
from pathlib import Path

import pytest

import fake_studies
import lstmlab
from lstmlab import studies
from lstmlab.analysis import ablation, claims
from lstmlab.analysis.arm_lengths import Lengths, growth
from lstmlab.analysis.compare import Findings
from lstmlab.analysis.contest import Contest
from lstmlab.analysis.gather import gather
from lstmlab.errors import InputError
from lstmlab.report import Section, unlabelled, write
from lstmlab.training.arms import Arm, Claim
from lstmlab.training.probe import CONTRAST, read_answers, read_probe
from lstmlab.training.run import Run
from lstmlab.training.study import Study, results
from test_cli import Shell

pytestmark = pytest.mark.slow

CLEAR = {
    "rnn": [0.70, 0.71, 0.69, 0.70, 0.705],
    "lstm": [0.80, 0.81, 0.79, 0.803, 0.80],
    "gru": [0.80, 0.80, 0.80, 0.81, 0.79],
}


def told(study: Study) -> str:
    return " ".join(Findings(study).verdicts())


def test_a_clear_winner_and_two_that_are_alike(tmp_path: Path) -> None:
    study = fake_studies.study(tmp_path / "s", CLEAR)
    said = told(study)
    assert "lstm beats rnn by" in said
    assert "gru beats rnn by" in said
    assert "cannot be told apart" in said
    found = {(one.better.name, one.worse.name): one for one in Contest.of(study, "base").duels}
    assert found[("lstm", "rnn")].proven
    assert found[("lstm", "rnn")].lead.mean == pytest.approx(0.1, abs=0.005)
    assert found[("lstm", "rnn")].p >= found[("lstm", "rnn")].raw
    assert found[("lstm", "rnn")].examples < 0.05
    assert not found[("gru", "lstm") if ("gru", "lstm") in found else ("lstm", "gru")].proven


def test_an_arm_that_ended_once_hides_no_other_pair(tmp_path: Path) -> None:
    study = fake_studies.study(tmp_path / "s", {**CLEAR, "wild": [0.4]})
    found = {frozenset((one.better.name, one.worse.name)): one for one in Contest.of(study, "base").duels}
    assert found[frozenset(("lstm", "rnn"))].proven
    assert found[frozenset(("lstm", "rnn"))].examples < 0.05
    assert not found[frozenset(("lstm", "wild"))].proven
    assert "lstm beats rnn by" in told(study)


def test_examples_that_speak_for_the_other_arm_prove_no_lead(tmp_path: Path) -> None:
    """As where BLEU is better and the chrF of most sentences worse."""
    contest = Contest.of(fake_studies.study(tmp_path / "s", {"a": [0.80, 0.82, 0.81], "b": [0.60, 0.61, 0.60]}), "base")
    one, other = contest.contenders
    one.__dict__["outcomes"], other.__dict__["outcomes"] = other.outcomes, one.outcomes
    (duel,) = contest.duels
    assert (duel.better.name, duel.p < 0.05, duel.examples, duel.proven) == ("a", True, 1.0, False)


def test_one_seed_claims_nothing(tmp_path: Path) -> None:
    study = fake_studies.study(tmp_path / "s", {"rnn": [0.5], "lstm": [0.9]})
    said = told(study)
    assert "no significance is claimed" in said
    assert "beats" not in said
    assert "p =" not in said
    assert "p <" not in said
    sections = Findings(study).sections()
    assert all("pairs" not in table.title for section in sections for table in section.tables)


def test_seeds_that_differ_by_the_same_prove_nothing(tmp_path: Path) -> None:
    said = told(fake_studies.study(tmp_path / "s", {"a": [0.5, 0.6, 0.7], "b": [0.6, 0.7, 0.8]}))
    assert "no test over seeds can be made" in said
    alike = {"c": [0.5, 0.6, 0.7], "d": [0.50, 0.62, 0.69]}
    many = told(fake_studies.study(tmp_path / "t", {"a": [0.5, 0.6, 0.7], "b": [0.6, 0.7, 0.8], **alike}))
    assert "b is ahead of a by 10.0 points, the same with every seed" in many
    assert "beats" not in said


def test_equal_arms_are_called_so(tmp_path: Path) -> None:
    assert "scored the same with every seed" in told(
        fake_studies.study(tmp_path / "s", {"a": [0.5, 0.6], "b": [0.5, 0.6]})
    )


def test_a_lead_over_few_examples_is_not_proven(tmp_path: Path) -> None:
    # Two thirds of a point, the same with every seed but for a hair: 300 examples do not show it.
    study = fake_studies.study(tmp_path / "s", {"a": [0.80, 0.81, 0.803], "b": [0.79, 0.8, 0.79]})
    found = Contest.of(study, "base").duels[0]
    assert found.p < 0.05
    assert (found.examples < 0.05) == found.proven


def test_runs_on_other_test_parts_are_refused(tmp_path: Path) -> None:
    study = fake_studies.study(tmp_path / "s", {"a": [0.5, 0.6], "b": [0.6, 0.7]})
    fake_studies.run(study.folder / "runs" / "b" / "seed-1", 0.7, 1, count=200)
    with pytest.raises(InputError, match=r"tested on different examples \(200 and 300\).*split_seed"):
        Findings(study.fresh()).verdicts()


def test_the_smallest_within_one_standard_error(tmp_path: Path) -> None:
    scores = {"small": [0.6, 0.62, 0.61], "middle": [0.80, 0.81, 0.79], "large": [0.78, 0.80, 0.83]}
    sizes = {"small": 10, "middle": 100, "large": 1000}
    contest = Contest.of(fake_studies.study(tmp_path / "s", scores, parameters=sizes), "base")
    said = ablation.smallest_words(contest)
    assert "is middle with 100 instead of 1,000 parameters; on the test part it scores 80.00 %" in said


def test_each_factor_has_its_effect(tmp_path: Path) -> None:
    # Wide adds about ten points with either cell, the cell nothing.
    scores, factors = {}, {}
    for cell in ("rnn", "gru"):
        for size, base in ((16, 0.6), (64, 0.7)):
            name = f"{cell}, hidden_size={size}"
            luck = [
                0.004 * ((seed == 2) - (seed == 3)) * (size == 64) + (0.01 * seed - 0.014 if cell == "gru" else 0)
                for seed in range(4)
            ]
            scores[name] = [base + 0.01 * (seed % 2) + luck[seed] for seed in range(4)]
            factors[name] = {"cell": cell, "hidden_size": size}
    contest = Contest.of(fake_studies.study(tmp_path / "s", scores, factors=factors), "base")
    found = {(one.factor, one.value): one for one in ablation.levels(contest)}
    assert found[("cell", "rnn")].gain is None
    gain = found[("hidden_size", 64)].gain
    assert gain is not None
    assert gain.mean == pytest.approx(0.1, abs=0.003)
    assert found[("cell", "gru")].arms == 2
    assert found[("hidden_size", 64)].p < 0.05 < found[("cell", "gru")].p
    section = ablation.section(contest)[0]
    assert "hidden_size=64 +10.0 points" in section.claim
    assert "rnn" not in section.claim


def test_what_arms_change_is_not_called_equal(tmp_path: Path) -> None:
    study = fake_studies.study(tmp_path / "s", {"a": [0.8, 0.81], "b": [0.7, 0.72]})
    assert "budget of training" in Findings(study).sections()[0].evidence
    arms = [arm.model_copy(update={"changes": {"training.epochs": at, "data.limit": 9}}) for at, arm in
            enumerate(study.plan.arms)]  # fmt: skip
    study.__dict__["plan"] = study.plan.model_copy(update={"arms": tuple(arms)})
    assert "Held equal: the test examples; all settings" in Findings(study).sections()[0].evidence


def test_an_arm_without_effect_is_marked_in_the_table(tmp_path: Path) -> None:
    study = fake_studies.study(tmp_path / "s", {"lstm": [0.8, 0.81], "gru": [0.7, 0.72]})
    arms = [
        study.plan.arms[0],
        study.plan.arms[1].model_copy(update={"marks": {"model.encoder.forget_bias": "the GRU has none"}}),
        Arm(name="gru again", base="base", twin="gru"),
    ]
    study.__dict__["plan"] = study.plan.model_copy(update={"arms": tuple(arms)})
    first, result = Findings(study).sections()[:2]
    marks = {row[0]: row[-1] for row in first.tables[0].rows}
    assert marks["gru"] == "no effect: forget_bias (the GRU has none)"
    assert "the same as gru" in str(marks["gru again"])
    assert any("gru again (as gru)" in str(row[0]) for row in result.tables[0].rows)


def test_claims_hold_or_do_not_or_cannot_be_told(tmp_path: Path) -> None:
    asked = [
        Claim(base="base", better="lstm", than="rnn"),
        Claim(base="base", better="rnn", than="gru"),
        Claim(base="base", better="gru", than="lstm"),
        Claim(base="elsewhere", better="gru", than="lstm"),
        Claim(base="base", better="gru", than="cnn"),
    ]
    study = fake_studies.study(tmp_path / "s", CLEAR, claims=asked)
    contest = Contest.of(study, "base")
    words = [claims.judge(one, [contest])[0] for one in asked]
    assert words == ["holds", "does not hold", "cannot be told", "cannot be told", "cannot be told"]
    assert "1 hold here, 1 do not, 3 cannot be told" in claims.section(study, [contest])[0].claim


def test_each_pair_is_tested_once_however_often_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = [Claim(base="base", better=one, than="rnn") for one in ("lstm", "gru")]
    result = studies.StudyResult(fake_studies.study(tmp_path / "s", CLEAR, claims=asked))
    pairs: list[float] = []
    monkeypatch.setattr("lstmlab.analysis.duels.swap_test", lambda *_: pairs.append(0.0) or 0.0)
    assert result.claims() == result.claims()
    assert len(pairs) == 3


def test_length_groups_hold_every_example_once(tmp_path: Path) -> None:
    contest = Contest.of(fake_studies.study(tmp_path / "s", CLEAR), "base")
    found = Lengths.of(contest)
    assert found is not None
    assert sum(one.count for one in found.by_arm["gru"]) == 300
    assert [one.low <= one.mean <= one.high for one in found.by_arm["rnn"]] == [True] * len(found.bins)
    best, worst = contest.find("lstm"), contest.find("rnn")
    assert best is not None
    assert worst is not None
    apart = growth(found, best, worst)
    assert apart is not None
    assert all(one.low < one.mean < one.high for one in apart)
    assert apart[0].mean == pytest.approx(apart[1].mean)


def test_failures_are_told_and_left_out(tmp_path: Path) -> None:
    study = fake_studies.study(tmp_path / "s", {"sound": [0.8, 0.81], "other": [0.7, 0.71], "wild": [0.5, 0.6]})
    for seed in (0, 1):
        (study.folder / "runs" / "wild" / f"seed-{seed}" / "metrics.json").unlink()
    failed = {"runs/wild/seed-0": {"kind": "diverged", "message": "training diverged at step 3"}}
    (study.folder / "failures.json").write_text(json.dumps(failed))
    sections = {one.title: one for one in Findings(study.fresh()).sections()}
    assert "wild, seed 0: training diverged at step 3" in sections["Runs that did not end"].evidence
    assert "wild, seed 1: not trained yet" in sections["Runs that did not end"].evidence
    assert any("wild (no run ended)" in str(row[0]) for row in sections["Results"].tables[0].rows)
    assert "diverged" in results(study.fresh())


@pytest.mark.slow
def test_the_report_is_whole_labelled_and_the_same_twice(tmp_path: Path) -> None:
    study = fake_studies.study(tmp_path / "s", CLEAR, claims=[Claim(base="base", better="lstm", than="rnn")])
    (study.folder / "notes.md").write_text("My own words.")
    document = Findings(study).document()
    assert [one for figure in document.figures for one in unlabelled(figure)] == []
    first = {kind: path.read_bytes() for kind, path in write(document, tmp_path / "one").items()}
    again = {
        kind: path.read_bytes() for kind, path in write(Findings(study.fresh()).document(), tmp_path / "two").items()
    }
    assert first == again
    text = first["md"].decode()
    assert "My own words." in text
    assert "Holm" in text
    assert text.index("What was compared") < text.index("Results") < text.index("How to reproduce")


# ---- Runs that are there already


def test_finished_runs_become_arms_by_what_differs(tmp_path: Path) -> None:
    study = fake_studies.study(tmp_path / "s", {"a": [0.5, 0.6], "b": [0.6, 0.7]})
    runs = [Run(folder.parent) for folder in sorted(study.folder.glob("runs/*/*/metrics.json"))]
    for run in runs[2:]:
        path = run.folder / "recipe.yaml"
        path.write_text(path.read_text().replace("cell: lstm", "cell: gru"))
    plan = gather([Run(run.folder) for run in runs])
    assert [arm.name for arm in plan.arms] == ["lstm", "gru"]
    assert plan.seeds == (0, 1)
    result = studies.compare([str(run.folder) for run in runs], root=tmp_path / "studies")
    assert (result.folder / "report.pdf").is_file()
    assert "gru" in " ".join(result.claims())
    with pytest.raises(InputError, match="leaves nothing to compare"):
        gather(runs[:1])
    with pytest.raises(InputError, match="nothing but their seeds"):
        gather(runs[:2])
    with pytest.raises(InputError, match="the same seed"):
        gather([runs[0], runs[2], Run(runs[0].folder)])
    (runs[0].folder / "metrics.json").unlink()
    with pytest.raises(InputError, match="is unfinished"):
        gather([Run(run.folder) for run in runs])


# ---- The contrast sentences


def test_the_contrast_sentences_are_balanced_pairs() -> None:
    rows = read_probe(CONTRAST)
    assert 55 <= len(rows) <= 70
    assert sum(row["label"] == "pos" for row in rows) == len(rows) / 2
    assert len({row["text"] for row in rows}) == len(rows)
    for name in {row["pair"] for row in rows}:
        assert sorted(row["label"] for row in rows if row["pair"] == name) == ["neg", "pos"]
    assert {"text": "I can't imagine hating that.", "label": "pos"}.items() <= next(
        row for row in rows if "imagine hating" in row["text"]
    ).items()


def test_a_probe_is_a_section_with_its_kinds_and_pairs(tmp_path: Path) -> None:
    study = fake_studies.study(tmp_path / "s", {"a": [0.8, 0.8], "b": [0.7, 0.7]}, probe=CONTRAST)
    rows = read_probe(CONTRAST)
    for arm, wrong in (("a", 0), ("b", 31)):
        for seed in (0, 1):
            answers = [{**row, "prediction": row["label"] if at >= wrong else "nothing"} for at, row in enumerate(rows)]
            path = study.folder / "runs" / arm / f"seed-{seed}" / "probe.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in answers))
    section = next(one for one in Findings(study).sections() if one.title == "Contrast sentences")
    assert "100 % of 62 sentences are right with the best arm (a)" in section.claim
    assert "p < 0.001" in section.evidence
    assert "turn on negation" in section.evidence
    study.__dict__["plan"] = study.plan.model_copy(update={"probe": "/home/me/own.csv"})
    mine = next(one for one in Findings(study).sections() if one.title == "Sentences of own.csv")
    assert "nobody trained on them" not in mine.evidence
    table = {row[0]: row for row in section.tables[0].rows}
    assert table["a"][2] == "100.0"
    assert table["b"][1].startswith("50.0")


def test_hostile_probes_are_told(tmp_path: Path) -> None:
    file = tmp_path / "probe.csv"
    file.write_text("sentence,mark\nhello,1\n")
    with pytest.raises(InputError, match="columns text and label"):
        read_probe(str(file))
    file.write_text("text,label\nhello\n")
    with pytest.raises(InputError, match="line 2: a probe needs a text and a label"):
        read_probe(str(file))
    with pytest.raises(InputError, match="missing"):
        read_probe(str(tmp_path / "missing.csv"))
    (tmp_path / "probe.jsonl").write_text("{\n")
    with pytest.raises(InputError, match="unreadable"):
        read_answers(Run(tmp_path))
    (tmp_path / "probe.jsonl").write_text('{"text": "hello"}\n')
    with pytest.raises(InputError, match='line 1: no "label"'):
        _ = read_answers(Run(tmp_path))[0]["label"]


# ---- The command


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", "parity"], "nothing to compare"),
        (["compare", "parityy", "--over", "cell=rnn,gru"], "Did you mean parity?"),
        (["compare", "architectur"], "Did you mean architecture?"),
        (["compare", "parity", "--over", "cell=rnn,gru", "--seeds", "x"], "expected how many"),
        (["compare", "parity", "--over", "cell=rnn,gru", "--seeds", ""], "expected how many"),
        (["compare", "parity", "--arm", "gru"], "expected a name and settings"),
        (["compare", "parity", "--over", "cell=rnn,gru", "--probe", "no.csv"], "no.csv: no such file"),
        (["compare", "sine", "--over", "cell=rnn,gru", "--probe", "contrast-sentences"], "it is for classifiers"),
        (["compare", "sine", "--over", "cell=rnn,gru", "--rates", "0.1,0.2"], "validation part"),
        (["compare", "made", "--seeds", "3"], "a study already"),
        (["compare", "made", "epochs=3"], "a study already"),
        (["compare", "made", "--output", "new"], "a study already"),
        (["compare", "made/runs/a/seed-0", "elsewhere"], "elsewhere is not a run"),
        (["compare", "made/runs/a/seed-0", "made/runs/a/seed-1", "--workers", "2"], "--workers would have no effect"),
        (["compare", "gradients", "--over", "cell=rnn,gru"], "trains nothing"),
        (["compare", "gradients", "stepss=3"], "Did you mean measure.steps?"),
        (["train", "architecture"], "lstmlab compare architecture"),
    ],
)
def test_a_bad_command_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    fake_studies.study(tmp_path / "made", {"a": [0.5, 0.6], "b": [0.6, 0.7]})
    if words[0] == "train":
        assert said in Shell(tmp_path)(*words).err
    else:
        assert said in Shell(tmp_path).refuses(*words)


@pytest.mark.slow
def test_a_finished_study_is_told_and_written_again(tmp_path: Path) -> None:
    fake_studies.study(tmp_path / "made", CLEAR)
    for command in ("compare", "resume", "report"):
        assert "report.html" in Shell(tmp_path).done(command, str(tmp_path / "made"))
        (tmp_path / "made" / "report.pdf").unlink()


def test_recipes_lists_the_studies(tmp_path: Path) -> None:
    told = Shell(tmp_path).done("recipes")
    assert all(name in told for name in ("architecture", "cnn-gru-lstm", "gradients"))
    assert "num_layers" in Shell(tmp_path).done("recipes", "show", "architecture")


def test_a_study_without_runs_is_a_folder_like_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def measured(seeds: int, steps: int, **_: object) -> list[Section]:
        asked.append((seeds, steps))
        return [Section("Reach", "Gradients fade.", "")]

    monkeypatch.setattr("lstmlab.analysis.reach.gradient_study", measured)
    result = lstmlab.compare("gradients", root=tmp_path, steps=10, seeds=1)
    assert (result.folder / "report.html").is_file()
    assert result.claims() == ["Gradients fade."]
    assert isinstance(studies.open_study(result.folder), studies.Measured)
    assert asked == [(1, 10), (1, 10)]
