"""Words cut where letters, digits and marks meet."""

from pathlib import Path

import pytest

from lstmlab.data.recut import pieces, recut
from lstmlab.data.spans import Scheme
from lstmlab.data.tagging import TaggingData, load_tagged, words_of
from test_tagged import corpus


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("I'm", "I ' m"), ("'s", "' s"), ("#2nd", "# 2 nd"), ("@anna_b", "@ anna _ b"), ("30,000", "30 , 000"),
        ("t-shirt", "t-shirt"), ("Sci-", "Sci -"), (":-)", ": - )"), ("...", ". . ."), ("naïve", "naïve"),
        ("http://t.co/x1y", "http://t.co/x1y"), ("हिन्दी", None), ("\u200b", "\u200b"), ("a", "a"), ("_", "_"),
    ],
)  # fmt: skip
def test_pieces(word: str, wanted: str | None) -> None:
    assert "".join(pieces(word)) == word, "nothing is lost"
    assert wanted is None or pieces(word) == wanted.split()


@pytest.mark.parametrize(
    ("scheme", "tags", "wanted"),
    [
        ("bio", "O B-X I-X B-X", "O O O B-X I-X I-X I-X B-X I-X"),
        ("bioes", "O B-X E-X S-X", "O O O B-X I-X I-X E-X B-X E-X"),
        ("iob1", "O I-X I-X B-X", "O O O I-X I-X I-X I-X B-X I-X"),
        ("plain", "P N N V", "P P P N N N N V V"),
    ],
)
def test_the_same_spans(scheme: Scheme, tags: str, wanted: str) -> None:
    words, found = recut(["I'm", "Ann's", "3", "v2"], tags.split(), scheme)
    assert words == ["I", "'", "m", "Ann", "'", "s", "3", "v", "2"]
    assert found == wanted.split()


def test_a_typed_sentence() -> None:
    assert words_of("I'm in Rome2, ok :)", recut=True) == "I ' m in Rome 2 , ok : )".split()
    assert words_of(" ", recut=True) == []


def test_the_training_part_alone(tmp_path: Path) -> None:
    path = corpus(tmp_path / "a.conll", [f"I'm/O Ann's{at}/B-X" for at in range(20)])
    plain, cut = (load_tagged(TaggingData(path=path, recut=recut), 0) for recut in (False, True))
    assert len(cut.train.inputs[0]) == 7
    assert cut.train.targets[0] == ["O"] * 3 + ["B-X"] + ["I-X"] * 3
    assert cut.test is not None
    assert plain.test is not None
    assert cut.test.inputs == plain.test.inputs
    assert any("words were cut into" in step for step in cut.source.steps)
