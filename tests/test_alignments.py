"""Attention: its numbers worked by hand, readable tokens, heatmaps with their labels, and what is said of them."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_pairs import attention, row, sentences, translation_run
from lstmlab.analysis.alignments import Alignment, applies, heatmap, judgement, section
from lstmlab.report import render, unlabelled

DIAGONAL = {"source": ["a", "b", "c", "</s>"], "output": ["x", "y", "z", "</s>"], "weights": np.eye(4).tolist()}
UNIFORM = {**DIAGONAL, "weights": np.full((4, 4), 0.25).tolist()}


def test_a_diagonal_looks_at_one_token_at_a_time_in_order() -> None:
    found = Alignment.of(DIAGONAL)
    assert (found.entropy, found.effective) == pytest.approx((0.0, 1.0))
    assert found.reached == pytest.approx(4.0)
    assert found.on_end == 0
    assert found.order == pytest.approx(1.0)
    backwards = {**DIAGONAL, "weights": np.eye(4)[[2, 1, 0, 3]].tolist()}
    assert Alignment.of(backwards).order == pytest.approx(-1.0)


def test_uniform_weights_have_the_entropy_of_the_length_and_no_order() -> None:
    found = Alignment.of(UNIFORM)
    assert (found.entropy, found.effective, found.reached) == pytest.approx((2.0, 4.0, 4.0))
    assert found.on_end == pytest.approx(0.25)
    assert np.isnan(found.order)


def test_numbers_of_mixed_rows_by_hand() -> None:
    told = {"source": ["a", "</s>"], "output": ["x", "</s>"], "weights": [[0.5, 0.5], [1.0, 0.0]]}
    found = Alignment.of(told)
    assert found.entropy == pytest.approx(0.5)
    assert found.effective == pytest.approx(1.5)
    assert found.on_end == pytest.approx(0.5)  # the row of the output's own end mark does not count
    assert np.isnan(found.order)  # one word has no order


def test_ties_share_their_rank() -> None:
    weights = [[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    # Ranks 0.5, 0.5, 2 against 0, 1, 2: worked by hand.
    assert Alignment.of({**DIAGONAL, "weights": weights}).order == pytest.approx(0.8660, abs=1e-4)


def test_subwords_read_as_words_and_letters_come_back_whole() -> None:
    told = {
        "source": ["Le", "s", " chats", " ", "</s>"],
        "output": ["\\xe0\\xa4", "\\xa8", " मैं", "</s>"],
        "weights": [[0.2, 0.2, 0.2, 0.2, 0.2]] * 4,
    }
    found = Alignment.of(told)
    assert found.source == ["Le", "·s", "chats", "␣", "</s>"]
    assert found.output == ["न", "मैं", "</s>"]
    assert found.weights.shape == (3, 5)
    assert found.weights.sum(1) == pytest.approx(1.0)


def test_parts_of_a_source_letter_add_up() -> None:
    told = {"source": ["\\xe0\\xa4", "\\xa8", "</s>"], "output": ["x"], "weights": [[0.3, 0.4, 0.3]]}
    assert Alignment.of(told).weights.tolist() == [[pytest.approx(0.7), 0.3]]
    broken = {"source": ["\\xe0", "a", "</s>"], "output": ["x"], "weights": [[0.3, 0.4, 0.3]]}
    assert Alignment.of(broken).weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("weights", [[[1.0]], [[0.5, 0.5]] * 3, []])
def test_weights_that_do_not_fit_are_refused(weights: list[Any]) -> None:
    with pytest.raises(ValueError):
        Alignment.of({"source": ["a", "b"], "output": ["x", "y"], "weights": weights})


def test_a_heatmap_keeps_every_script_as_text(tmp_path: Path) -> None:
    told = attention(["Élève", "$x^2$", "हिन्दी"], ["中文", "naïve", "œuf"])
    figure = heatmap(told, name="out", title="One <sentence>")
    assert unlabelled(figure) == []
    drawn = render(figure, tmp_path)["svg"].read_text(encoding="utf-8")
    for word in ("Élève", "$x^2$", "हिन्दी", "中文", "naïve", "œuf", "Source", "Output", "One &lt;sentence&gt;"):
        assert word in drawn


def test_a_long_sentence_gets_a_wider_picture() -> None:
    short = heatmap(attention(["a"] * 5, ["b"] * 5), name="a", title="")
    long = heatmap(attention(["a"] * 50, ["b"] * 50), name="b", title="")
    assert long.width > short.width + 1
    assert unlabelled(heatmap(attention(["a"] * 300, ["b"] * 300), name="c", title="t")) == []


def test_the_section_compares_with_uniform_weights(tmp_path: Path) -> None:
    found = section(translation_run(tmp_path))
    assert re.fullmatch(
        r"At each step the decoder looks at \d\.\d of [\d.]+ source tokens on average .*\.", found.claim
    )
    assert "only these carry attention" in found.evidence
    assert "the dark cells run down the diagonal" in found.evidence
    assert [line[0] for line in found.tables[0].rows] == ["beam search", "greedy", "uniform weights"]
    assert [problem for figure in found.figures for problem in unlabelled(figure)] == []


def test_flat_and_stuck_attention_are_weaknesses(tmp_path: Path) -> None:
    flat, stuck = sentences(), sentences()
    for one in flat:
        if one.get("shown"):
            one["attention"] = one["greedy"]["attention"] = attention(one["input"].split(), ["x", "y"], sharp=0.0)
    for one in stuck:
        if one.get("shown"):
            weights = np.zeros_like(one["attention"]["weights"])
            weights[:, 0] = 1
            one["attention"]["weights"] = weights.tolist()
    run = translation_run(tmp_path / "flat", predictions=flat)
    assert judgement(run)[0] is False
    assert "flat, close to a plain mean" in section(run).evidence
    run = translation_run(tmp_path / "stuck", predictions=stuck)
    assert judgement(run)[0] is False
    assert "sharp but stuck" in section(run).evidence
    assert judgement(translation_run(tmp_path / "sharp"))[0] is True


def test_equal_outputs_are_drawn_once_and_greedy_runs_have_one_search(tmp_path: Path) -> None:
    rows = [row("the cat", "le chat", "le chat", shown=True)]
    rows[0]["greedy"]["prediction"] = "le chat"
    found = section(translation_run(tmp_path / "a", predictions=rows))
    assert [line[0] for line in found.tables[0].rows] == ["both searches", "uniform weights"]
    run = translation_run(tmp_path / "b", changes={"decoding": {"method": "greedy"}})
    assert [line[0] for line in section(run).tables[0].rows] == ["greedy", "uniform weights"]


def test_it_needs_attention(tmp_path: Path) -> None:
    assert applies(translation_run(tmp_path / "a"))
    assert not applies(translation_run(tmp_path / "b", changes={"model": {"context": "state"}}))
    plain = [{**one, "attention": None, "greedy": {}} for one in sentences(30)]
    assert not applies(translation_run(tmp_path / "c", predictions=plain))
