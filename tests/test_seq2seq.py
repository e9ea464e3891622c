"""Translation and dialogue as tasks: what is shown, copied, bounded, scored; schedules of teacher forcing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lstmlab import request
from lstmlab.data.load import Watch
from lstmlab.data.sentences import Languages, SentenceSettings
from lstmlab.data.tokens import Tokens
from lstmlab.decoding import Hypothesis, SearchSettings
from lstmlab.errors import InputError
from lstmlab.tasks import rivals, writing
from lstmlab.tasks.forcing import TeacherForcing
from lstmlab.tasks.seq2seq import Translation
from lstmlab.training import experiment
from lstmlab.training.inference import Predictor
from lstmlab.types import Example

# All of them need a vocabulary of phrases, and most of them a model.
pytestmark = pytest.mark.slow

SMALL = {
    "text.level": "word", "hidden_size": 16, "model.embedding.size": 16, "data.limit": 120, "max_length": 12,
    "glance": 5, "epochs": 2,
}  # fmt: skip


def task(**changes: Any) -> Translation:
    recipe = request.assemble("translation", {**SMALL, "data.name": "phrases", **changes})
    return Translation.prepare(recipe, Translation.load(recipe, Watch()), Watch())


def encoded(one: Translation, sources: list[str], targets: list[str] | None = None) -> Any:
    wanted = targets or [None] * len(sources)
    return one.encode([Example(str(at), *pair) for at, pair in enumerate(zip(sources, wanted, strict=True))], "here")


def model_of(one: Translation) -> torch.nn.Module:
    torch.manual_seed(0)
    return one.build()


def test_answers_come_in_order_and_an_empty_source_gets_an_empty_answer() -> None:
    one = task()
    model = model_of(one)
    sources = ["Where is my dog?", "", "  ", "I am here."]
    told = one.predict(model, encoded(one, sources), np.zeros((4, 4), np.float32))
    assert [bool(row["tokens"]) for row in told] == [True, False, False, True]
    assert told[1]["prediction"] == ""
    (alone,) = one.predict(model, encoded(one, sources[3:]), np.zeros((1, 4), np.float32))
    assert alone["prediction"] == told[3]["prediction"]


def test_five_are_shown_by_length_alone_with_where_they_looked() -> None:
    one = task()
    sources = [" ".join(["dog"] * (1 + at % 50)) for at in range(100)]
    pairs = encoded(one, sources, ["x"] * 100)
    told = one.predict(model_of(one), pairs, np.zeros((100, 4), np.float32))
    shown = [at for at, row in enumerate(told) if row.get("shown")]
    lengths = sorted(len(sources[at].split()) for at in shown)
    assert lengths == [6, 16, 26, 36, 46]
    for at in shown:
        for row in (told[at], told[at]["greedy"]):
            weights = np.array(row["attention"]["weights"])
            assert weights.shape == (len(row["attention"]["output"]), len(row["attention"]["source"]))
            np.testing.assert_allclose(weights.sum(1), 1, atol=47 * 5e-5)  # four digits are kept
    assert sorted(shown) == sorted(writing.even_lengths(pairs, np.arange(100)).tolist())


def test_a_glance_shows_five_and_scores_the_rest() -> None:
    one = task(glance=20)
    pairs = encoded(one, [f"{'dog ' * (at + 1)}" for at in range(40)], ["chien"] * 40)
    told = one.glance(model_of(one), pairs)
    assert (len(told), sum("shown" in row for row in told)) == (20, 5)
    scores = one.score(np.ones((40, 4), np.float32), pairs, told)
    assert {"bleu", "chrf", "ter", "exact_match", "perplexity", "token_accuracy"} == scores.keys()
    assert {"perplexity", "token_accuracy"} == one.score(np.ones((40, 4), np.float32), pairs).keys()


def test_an_answer_is_bounded_by_its_source() -> None:
    one = task(max_length=1000)
    model: Any = model_of(one)
    with torch.no_grad():
        model.decoder.scoring[1][one.languages.target.end] = -1e4  # it never ends by itself
    (row,) = one.predict(model, encoded(one, ["dog"]), np.zeros((1, 4), np.float32))
    assert (row["tokens"], row["finished"]) == (3 * 2 + 20, False)


def test_an_unknown_word_is_copied_from_where_attention_looks() -> None:
    one = task()
    model: Any = model_of(one)
    with torch.no_grad():
        model.decoder.scoring[1][1] = 1e4  # <unk>, always
    told = one.predict(model, encoded(one, ["Zebulon Quux"]), np.zeros((1, 4), np.float32))
    assert "<unk>" not in told[0]["prediction"]
    assert set(told[0]["prediction"].split()) <= {"Zebulon", "Quux"}
    plain = task(copy_unknown=False)
    assert "<unk>" in plain.predict(model, encoded(plain, ["Zebulon"]), np.zeros((1, 4), np.float32))[0]["prediction"]


def test_an_unknown_word_is_never_copied_from_a_mark() -> None:
    languages = Languages.fit(SentenceSettings(level="word"), ["hello you\nhow are you"], ["fine thanks"])
    looks = np.array([[0.1, 0.1, 0.5, 0.2, 0.0, 0.1]])  # most at the mark between two turns
    one = Hypothesis((1,), -1.0, -1.0, False, looks)
    way = writing.Writing(SearchSettings(), copy_unknown=True)
    assert writing._told(one, languages, "hello you\nhow are", way)["prediction"] == "how"
    nothing = Hypothesis((1,), -1.0, -1.0, False, np.ones((1, 1)))
    assert writing._told(nothing, languages, "\u200b", way)["prediction"] == "<unk>"


def test_long_sources_are_worked_on_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are padded to the longest: hundreds beside one of thousands of words would fill the memory."""
    one, seen = task(), []
    search = writing._searched

    def spied(*given: Any) -> Any:
        seen.append((int(given[2].source.lengths[given[3]].max()), len(given[3])))
        return search(*given)

    monkeypatch.setattr(writing, "_searched", spied)
    sources = ["dog"] * 200 + ["dog " * 4000] + ["cat"] * 60
    told = one.predict(model_of(one), encoded(one, sources), np.zeros((261, 4), np.float32))
    assert sum(count for _, count in seen) == len(told) == 261
    assert all(longest * count <= writing.ROWS * writing.LONG // 5 for longest, count in seen)
    assert seen[-1][0] == 2
    assert len(seen) <= 4


def test_one_table_needs_one_vocabulary() -> None:
    """Two vocabularies may well be of one size and still not be one."""
    with pytest.raises(InputError, match=r"text\.joint=true"):
        request.assemble("translation", {**SMALL, "data.name": "phrases", "tied": "three-way", "joint": False})
    joint = {"tied": "three-way", "joint": True}
    assert request.assemble("translation", {**SMALL, "data.name": "phrases", **joint})


def test_samples_are_the_places_own() -> None:
    one = task().searching(SearchSettings(method="sample", seed=3, max_length=8))
    model = model_of(one)
    sources = ["I am here."] * 4
    together = one.predict(model, encoded(one, sources), np.zeros((4, 4), np.float32))
    assert len({row["prediction"] for row in together}) > 1
    again = one.predict(model, encoded(one, sources), np.zeros((4, 4), np.float32))
    assert [row["prediction"] for row in again] == [row["prediction"] for row in together]


def test_n_best_are_sorted_and_begin_with_the_answer() -> None:
    one = task().searching(SearchSettings(beam_size=4, n_best=3, max_length=8))
    (row,) = one.predict(model_of(one), encoded(one, ["I am here."]), np.zeros((1, 4), np.float32))
    scores = [best["score"] for best in row["n_best"]]
    assert scores == sorted(scores, reverse=True)
    assert row["prediction"] == row["n_best"][0]["prediction"]


def test_a_beam_wider_than_the_vocabulary_works() -> None:
    one = task().searching(SearchSettings(beam_size=2000, max_length=3))
    (row,) = one.predict(model_of(one), encoded(one, ["I am here."]), np.zeros((1, 4), np.float32))
    assert isinstance(row["prediction"], str)


@pytest.mark.parametrize("text", ["word " * 5000, "🙂 🎉", "漢字 かな", "Q" * 3000])
def test_strange_sources_are_answered(text: str) -> None:
    one = task()
    (row,) = one.predict(model_of(one), encoded(one, [text]), np.zeros((1, 4), np.float32))
    assert row["tokens"] <= 12


def test_teacher_forcing_follows_its_schedule() -> None:
    assert TeacherForcing().at(0.3) == 1.0
    falling = {name: TeacherForcing(final_ratio=0.0, schedule=name) for name in ("linear", "exponential", "sigmoid")}
    for one in falling.values():
        shares = [one.at(done) for done in np.linspace(0, 1, 11)]
        assert shares == sorted(shares, reverse=True)
        assert shares[0] == pytest.approx(1)
        assert shares[-1] == pytest.approx(0)
    assert falling["linear"].at(0.25) == 0.75
    assert falling["exponential"].at(0.25) < 0.5 < falling["sigmoid"].at(0.25)
    assert "schedule" in TeacherForcing().idle()


@pytest.mark.parametrize(
    ("text", "name"), [("नमस्ते दुनिया", "intl"), ("漢字かな交じり文", "char"), ("Où ?", "13a"), ("", "13a")]
)
def test_bleu_cuts_words_as_the_script_asks(text: str, name: str) -> None:
    assert rivals.tokenizer([text]) == name


def test_a_run_keeps_its_samples_and_signatures(tmp_path: Path) -> None:
    recipe = request.assemble("translation", {**SMALL, "data.name": "phrases"})
    run = experiment.train(recipe, root=tmp_path)
    assert [len(row["samples"]) for row in run.history] == [5, 5]
    assert {row["input"] for row in run.history[0]["samples"]} == {row["input"] for row in run.history[1]["samples"]}
    assert run.metrics["signatures"]["bleu"].startswith("BLEU|")
    assert sum("shown" in row for row in run.predictions) == 5
    assert run.metrics["baseline"].keys() == {"source copied", "word for word"}
    asked = [row["input"] for row in run.predictions]
    again = Predictor.of(run).predict(asked)
    assert [row["prediction"] for row in again] == [row["prediction"] for row in run.predictions]


def test_a_reply_is_told_how_dull_it_is(tmp_path: Path) -> None:
    turns = ["hello", "hi", "how are you", "fine", "and you", "good"]
    path = tmp_path / "talk.txt"
    path.write_text("\n\n".join("\n".join([*turns[at % 6 :], f"bye {at}"]) for at in range(60)), encoding="utf-8")
    recipe = request.assemble("dialogue", {**SMALL, "data.limit": 60, "data.path": str(path)})
    run = experiment.train(recipe, root=tmp_path)
    named = {"distinct_1", "distinct_2", "repeated_replies", "generic_replies"}
    assert named <= run.metrics["test"].keys()
    assert named == run.metrics["baseline"]["the references"].keys()
    assert "TF-IDF retrieval" in run.metrics["baseline"]
    assert 1 < run.metrics["baseline"]["token frequencies"]["perplexity"] < 20


def test_token_frequencies_are_a_perplexity() -> None:
    """Three tokens seen 2, 1 and 0 times, one added to each: p = 1/2, 1/3, 1/6. Begin marks (9) do not count."""
    train = Tokens.of(np.array([9, 0, 1, 9, 0], np.int32), np.array([3, 2]))
    nats, tokens = rivals.frequencies(train, Tokens.of(np.array([9, 0, 2], np.int32), np.array([3])), 3)
    assert (nats, tokens) == (pytest.approx(np.log(2) + np.log(6)), 2)
