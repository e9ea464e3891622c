"""What a translator writes: faults found by their rules and no others, scores by length, dullness, little data."""

from pathlib import Path
from typing import Any

import pytest

from fake_pairs import HOSTILE_ROWS, dialogue_run, row, sentences, translation_run
from lstmlab.analysis import curves, overview
from lstmlab.analysis.architecture import context_words, search_words
from lstmlab.analysis.comparison import Comparison
from lstmlab.analysis.document import document, observations
from lstmlab.analysis.faults import confusions, edits, find, loop
from lstmlab.analysis.outputs import Outputs, by_length
from lstmlab.analysis.sentences import section
from lstmlab.analysis.variety import Variety
from lstmlab.recipe import fields, override, parse_overrides
from lstmlab.report import unlabelled
from lstmlab.training.experiment import recipe_class
from lstmlab.training.run import Run

pytestmark = pytest.mark.slow

GOOD = [row("the cat sees a dog", "le chat voit un chien", "le chat voit un chien")] * 2

ADVICE = "Improvements and next steps"


def kinds(tmp_path: Path, *rows: dict[str, Any], **changes: Any) -> dict[str, int]:
    """Fault → how many of `rows` have it, beside two good ones."""
    run = translation_run(tmp_path, predictions=[*rows, *GOOD], changes=changes)
    return {kind.name: len(kind.rows) for kind in find(run, Outputs.of(run)) if kind.rows}


@pytest.mark.parametrize(
    ("source", "said", "wanted", "fault"),
    [
        ("the cat", "le chat le chat le chat", "le chat voit un chien dans un jardin", "repeats itself in a loop"),
        ("never never never", "jamais jamais jamais", "jamais jamais jamais", None),
        ("wait ...", "attends ...", "attends ...", None),
        ("the small cat reads", "le", "le petit chat lit", "cut off too early"),
        ("the cat", "", "le chat", "empty output"),
        ("the cat reads a book", "the cat reads a book", "le chat lit un livre", "copies its source"),
        ("the cat reads 3 books", "the cat reads 3 livre", "le chat lit 3 livre", "copies its source"),
        ("Anna, Bob!", "Anna, Bob!", "Anna, Bob!", None),
        ("a zebra sees the cat", "un zebra voit le chat", "un zèbre voit le chat", "words left untranslated"),
        ("Zebra 77 sees", "Zebra 78 voit", "Bob 77 voit", "says something else"),
        ("the cat sees", "le <unk> voit", "le chat voit", "unknown-word marks"),
        ("the cat sees", "le chien voit", "le chat voit", "one word differs"),
        ("a book", "abc xyz uvw", "un livre", "says something else"),
    ],
)  # fmt: skip
def test_each_rule_finds_its_fault(tmp_path: Path, source: str, said: str, wanted: str, fault: str | None) -> None:
    found = kinds(tmp_path, row(source, said, wanted))
    assert (fault in found) if fault else not found, found


def test_one_output_for_three_sources_is_a_fault_where_their_references_differ(tmp_path: Path) -> None:
    rows = [row(f"source {at}", "le chat voit", f"le chat {at}") for at in "abc"]
    assert kinds(tmp_path / "a", *rows)["one output for many sources"] == 3
    same = [row(f"source {at}", "le chat voit", "le chat voit") for at in "abc"]
    assert kinds(tmp_path / "b", *same) == {}
    right = [row("source d", "le chat voit", "le chat voit")]
    assert kinds(tmp_path / "c", *rows, *right)["one output for many sources"] == 3


def test_an_unfinished_output_was_stopped(tmp_path: Path) -> None:
    assert kinds(tmp_path, row("the cat", "le chat", "le chat", finished=False))["stopped at the greatest length"] == 1


def test_a_reply_is_not_bounded_by_its_source(tmp_path: Path) -> None:
    def reason(run: Run) -> str:
        return next(kind.reason for kind in find(run, Outputs.of(run)) if kind.name.startswith("stopped"))

    assert "three times the source" in reason(translation_run(tmp_path / "a", predictions=GOOD))
    assert "three times the source" not in reason(dialogue_run(tmp_path / "b", predictions=GOOD))


@pytest.mark.parametrize(
    ("words", "expected"),
    [("a b a b a b", ["a", "b"]), ("a b a b a", []), (". . . . .", []), ("x y y y", ["y"]), ("", [])],
)
def test_loops(words: str, expected: list[str]) -> None:
    assert loop(words.split()) == expected


@pytest.mark.parametrize(("one", "other", "expected"), [("a b c", "a b c", 0), ("a c", "a b c", 1), ("", "a b", 2),
                                                        ("b a", "a b", 2), ("a x c d", "a b c", 2)])  # fmt: skip
def test_edits(one: str, other: str, expected: int) -> None:
    assert edits(one.split(), other.split()) == edits(other.split(), one.split()) == expected


def test_confused_words_are_counted(tmp_path: Path) -> None:
    rows = [row("the cat sees", "le chien voit", "le chat voit")] * 3 + [row("a", "une", "un")]
    run = translation_run(tmp_path, predictions=rows)
    assert confusions(Outputs.of(run)) == [("chat", "chien", 3), ("un", "une", 1)]
    assert "“chat” became “chien” (3 times)." in section(run).evidence


def test_the_section_counts_by_hand_and_shows_five(tmp_path: Path) -> None:
    run = translation_run(tmp_path)
    found, rows = section(run), run.predictions
    equal = sum(one["prediction"] == one["target"] for one in rows)
    assert found.claim.startswith(f"{equal:.1f} % of 100 translations equal their reference; ")
    assert f"BLEU {run.metrics['test']['bleu']:.2f} (95 % interval " in found.evidence
    assert "BLEU|nrefs:1|made-up" in found.evidence
    assert f"TER {run.metrics['test']['ter']:.2f}" in found.evidence
    assert [len(str(line[1]).split()) for line in found.tables[0].rows] == sorted(
        len(one["input"].split()) for one in rows if one.get("shown"))  # fmt: skip
    assert "Chosen before training" in found.tables[0].note
    assert "10, 30, 50, 70 and 90 %" in found.tables[0].note
    assert "after epoch 1 “try 1 of 2”, after 6 “try 6 of 2”, after 12 “try 12 of 2”." in found.evidence


def test_bins_of_length_add_up(tmp_path: Path) -> None:
    outputs = Outputs.of(translation_run(tmp_path))
    bins = by_length(outputs)
    assert sum(one.count for one in bins) == 100
    assert all(one.interval[0] <= one.chrf <= one.interval[1] for one in bins)
    assert by_length(Outputs(outputs.rows[:30])) == []


def test_an_effect_of_length_is_drawn_where_intervals_part(tmp_path: Path) -> None:
    rows = [row("a cat", "un chat", "un chat") for _ in range(50)]
    rows += [row("a small cat sees the dog", "xyz " * 6, "un petit chat voit le chien") for _ in range(50)]
    found = section(translation_run(tmp_path, predictions=rows))
    assert "Length: chrF is 100.0" in found.evidence
    assert [figure.name for figure in found.figures] == ["length"]
    assert unlabelled(found.figures[0]) == []


def test_little_data_and_unknown_words_are_said(tmp_path: Path) -> None:
    assert "Little data: 700 training pairs" in section(translation_run(tmp_path / "a")).evidence
    assert "Little data" not in section(translation_run(tmp_path / "b", train=50_000)).evidence
    rows = [row("the zebra", "le zèbre", "le zèbre")] * 4
    evidence = section(translation_run(tmp_path / "c", predictions=rows)).evidence
    assert "Unknown words: 50.0 % of the words and marks of the test sources and 50.0 %" in evidence


def test_hostile_texts_stay_one_line(tmp_path: Path) -> None:
    for made in (translation_run, dialogue_run):
        found = section(made(tmp_path / made.__name__, predictions=HOSTILE_ROWS))
        assert len(found.claim.splitlines()) == 1
        assert "```" not in [line.strip() for line in found.evidence.splitlines()]
        assert found.tables


# ---- Dialogue


def test_a_dull_model_is_warned_of_in_words(tmp_path: Path) -> None:
    run = dialogue_run(tmp_path / "dull", dull=True)
    found = section(run)
    assert found.claim == "1 different replies to 60 test sources: the model has become dull."
    assert found.evidence.startswith("Warning, the model has become dull: distinct-2")
    assert "“I do not know.”, was given 60 times (100 %)" in found.evidence
    assert found.tables[2].rows[0] == ["I do not know.", 60, "100.0", 0]
    assert [line[0] for line in found.tables[1].rows] == ["this model", "TF-IDF retrieval", "the references"]
    assert any("become dull" in line for line in observations(run))
    advice = next(one.evidence for one in document(run).sections if one.title == ADVICE)
    assert "decoding.method=sample top_p=0.9." in advice
    assert "and dull; training" in next(one.claim for one in document(run).sections if one.title == "Observations")


def test_a_lively_model_is_not_called_dull(tmp_path: Path) -> None:
    run = dialogue_run(tmp_path)
    assert not Variety.of(run).dull
    assert "not dull" in section(run).claim
    unknown = dialogue_run(tmp_path / "b", baseline={})
    assert not Variety.of(unknown).dull
    assert "nothing can be said of it" in section(unknown).evidence


def test_generic_replies_alone_make_a_model_dull(tmp_path: Path) -> None:
    run = dialogue_run(tmp_path)
    people = {"distinct_2": 0.5, "generic_replies": 0.1}
    for mine, dull in ((0.09, False), (0.19, False), (0.21, True)):
        assert Variety(Outputs.of(run), {"distinct_2": 0.5, "generic_replies": mine}, people).dull is dull


# ---- The other sections


def test_bleu_has_its_interval_and_its_noise(tmp_path: Path) -> None:
    found = Comparison.of(translation_run(tmp_path / "a"))
    assert found.interval is not None
    assert found.interval[0] < found.value < found.interval[1]
    assert "on 100 test sentences (95 % interval" in found.words
    assert "points better than the best baseline (word for word, 20.00)." in found.words
    near = {"word for word": {"bleu": found.value - 0.1}}
    noisy = Comparison.of(translation_run(tmp_path / "b", baseline=near))
    assert noisy.noise
    assert not noisy.beaten


def test_perplexity_stands_beside_a_blind_guess(tmp_path: Path) -> None:
    run = dialogue_run(tmp_path)
    found = Comparison.of(run)
    tokens = len(run.saved_task["languages"]["target"]["vocabulary"]) + 3
    assert (found.rival, found.rival_value) == (f"a blind guess among {tokens} tokens", tokens)
    assert "Perplexity 12.00 on 60 test replies" in found.words
    table = overview.scores(run).tables[0]
    assert [str(line[0]) for line in table.rows][1:] == ["TF-IDF retrieval", found.rival, "this model on validation"]
    assert not any("Distinct" in head for head in table.columns)
    (run.folder / "task.json").write_text("{}", encoding="utf-8")
    assert Comparison.of(Run(run.folder)).rival is None


def test_the_facts_keep_the_case_of_names(tmp_path: Path) -> None:
    assert "Test BLEU" in dict(document(translation_run(tmp_path / "t")).facts)
    assert "Test perplexity" in dict(document(dialogue_run(tmp_path / "d")).facts)


def test_how_the_context_is_passed_is_told(tmp_path: Path) -> None:
    def words(number: int, **model: Any) -> str:
        return context_words(translation_run(tmp_path / str(number), changes={"model": model}))

    one_way = {"encoder": {"cell": "gru", "hidden_size": 64, "num_layers": 1, "bidirectional": False}}
    assert "both directions side by side" in words(0)
    assert "through a linear layer" in words(0)
    assert "general: qᵀ W k, Luong et al. 2015" in words(0)
    assert "input feeding" in words(0)
    assert "as it is, layer by layer" in words(1, **one_way)
    assert "by nothing else" in words(2, context="state")
    assert "beside every input" in words(3, context="every-step")
    assert "a state of zeros (no bridge)" in words(4, bridge="zero")
    assert "input feeding" not in words(5, attention={"kind": "additive", "size": None, "input_feeding": False})
    assert "through a linear layer" in words(6, **one_way, decoder={"cell": "lstm", "hidden_size": None})


def test_the_search_is_told(tmp_path: Path) -> None:
    def words(number: int, **search: Any) -> str:
        return search_words(translation_run(tmp_path / str(number), changes={"decoding": search}))

    assert words(0).startswith("beam search with 5 hypotheses side by side, ranked by log p / ((5 + length) / 6)^1 (")
    assert words(1, length_penalty=0.0).endswith("ranked by log p alone")
    assert words(2, method="greedy", no_repeat_ngram=3).endswith("at every step; no run of 3 tokens twice")
    assert words(3, method="sample", top_p=0.9) == "tokens are drawn at random (temperature 1, top-p 0.9)"


def test_curves_judge_a_decoder_by_the_blind_guess(tmp_path: Path) -> None:
    run = translation_run(tmp_path / "a")
    found = curves.section(run)
    assert "a blind guess among" in found.evidence
    assert "nats a target token" in found.evidence
    assert [problem for figure in found.figures for problem in unlabelled(figure)] == []
    high = [{**one, "train": {"loss": 2.75}, "valid": {"loss": 2.75}} for one in run.history]
    assert curves.judge(translation_run(tmp_path / "b", history=high)).kind == "underfitting"


@pytest.mark.parametrize("made", [translation_run, dialogue_run])
def test_every_advice_is_a_setting_that_exists(tmp_path: Path, made: Any) -> None:
    changes = {"model": {"context": "state"}, "decoding": {"method": "greedy"}}
    for number, run in enumerate((made(tmp_path / "a"), made(tmp_path / "b", changes=changes))):
        advice = next(one.evidence for one in document(run).sections if one.title == ADVICE)
        points = [line for line in advice.partition("What to try next")[2].splitlines() if line.startswith("- ")]
        typed = [word.rstrip(".") for point in points for word in point.split() if "=" in word]
        assert typed, number
        override(run.recipe, parse_overrides(typed), [path for path, _ in fields(recipe_class(run.recipe["task"]))])


def test_outputs_are_read_once(tmp_path: Path) -> None:
    run = translation_run(tmp_path, predictions=sentences(30))
    assert Outputs.of(run) is Outputs.of(run)
    assert Outputs.of(Run(run.folder)) is not Outputs.of(run)
