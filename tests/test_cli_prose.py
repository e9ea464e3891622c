"""Language models on the command line: trained from a file, asked in every way; bad input ends with one clear line."""

import csv
import json
import random
import re
import shutil
from pathlib import Path

import pytest

from conftest import PLAIN
from test_cli import CONTROL, Shell

pytestmark = pytest.mark.slow

SMALL = ["hidden_size=16", "embedding.size=16", "batch_size=4", "learning_rate=0.02", "decoding.length=20", "steps=40"]
RNG = random.Random(0)
TEXT = "".join(" ".join(RNG.choices(PLAIN, k=5)).capitalize() + ".\n" for _ in range(100))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of characters and one of words, as the command line leaves them."""
    folder = tmp_path_factory.mktemp("writers")
    (folder / "prose.txt").write_text(TEXT, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSTMLAB_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        told = Shell(folder).done("train", "prose.txt", *SMALL, "--output", "run")
        assert "Guessed: language-model" in told
        assert "lstmlab train language-model" in told
        assert "7-grams (Kneser-Ney)" in told
        assert re.search(r"Next:\s+\S*lstmlab predict run --prime .* --length 500", told)
        Shell(folder).done("train", "language-model", "path=prose.txt", "level=word", *SMALL, "--output", "words")
    return folder


@pytest.fixture
def shell(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A folder with the text and both runs."""
    folder = tmp_path / "work"
    for name in ("run", "words"):
        shutil.copytree(made / name, folder / name)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LSTMLAB_CACHE", str(tmp_path / "cache"))
    found = Shell(folder)
    found.write("prose.txt", TEXT)
    return found


# ---- Asked ----------------------------------------------------------------------------------------------------------


def test_a_prime_goes_on_and_always_in_the_same_way(shell: Shell) -> None:
    told = shell.done("predict", "run", "--prime", "The film", "--length", "40")
    assert told.startswith("The film")
    assert len(told) == len("The film") + 40 + 1
    assert shell.done("predict", "run", "--prime", "The film", "--length", "40") == told
    assert shell.done("predict", "run", "The film", "--length", "40") == told
    assert shell.done("predict", "run", "--prime", "The film", "--length", "40", "--seed", "1") != told
    assert len(shell.done("predict", "run", "--prime", "")) == 21  # as many as the recipe says
    assert shell.done("predict", "run") == shell.done("predict", "run", "--prime", "")


def test_ways_to_draw(shell: Shell) -> None:
    sure = shell.done("predict", "run", "--prime", "a", "--temperature", "0")
    assert shell.done("predict", "run", "--prime", "a", "--top-k", "1") == sure
    assert shell.done("predict", "run", "--prime", "a", "--top-p", "0.000001") == sure
    assert shell.done("predict", "run", "--prime", "a", "--temperature", "3") != sure


def test_several_texts_lines_of_a_file_and_of_standard_input(shell: Shell) -> None:
    told = shell.done("predict", "run", "The", "A plot", "--length", "5")
    assert re.fullmatch(r"The.{5}\n\nA plot.{5}\n", told, re.DOTALL)
    shell.write("lines.txt", "The\nA plot\n")
    assert shell.done("predict", "run", "--input", "lines.txt", "--length", "5") == told
    assert shell.done("predict", "run", "--length", "5", stdin=b"The\nA plot\n") == told
    shell.write("latin.txt", "Caf\xe9\n".encode("cp1252"))
    assert shell.done("predict", "run", "--input", "latin.txt", "--encoding", "cp1252").startswith("Café")


def test_texts_are_written_to_a_file(shell: Shell) -> None:
    words = ["predict", "run", "The", "A plot", "--length", "5"]
    told = shell.done(*words)
    assert shell(*words, "--output", "out.txt").err == "2 texts in out.txt\n"
    assert (shell.folder / "out.txt").read_text("utf-8") == told
    shell.done(*words, "--output", "out.jsonl")
    rows = [json.loads(line) for line in (shell.folder / "out.jsonl").read_text("utf-8").splitlines()]
    assert "\n\n".join(row["input"] + row["prediction"] for row in rows) + "\n" == told
    shell.done(*words, "--output", "out.csv")
    with open(shell.folder / "out.csv", encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == rows
    assert "exists already" in shell.refuses(*words, "--output", "out.txt")


@pytest.mark.parametrize("run", ["run", "words"])
def test_the_likeliest_next_words(shell: Shell, run: str) -> None:
    told = shell.done("predict", run, "--next", "The film").splitlines()
    assert told[0].split() == ["next", "probability"]
    shares = [float(line.split()[-1].rstrip("%")) for line in told if line.endswith("%")]
    assert len(shares) == 10
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 100.1


def test_words_are_written_with_blanks(shell: Shell) -> None:
    told = shell.done("predict", "words", "--prime", "The film", "--length", "30")
    assert told.startswith("The film")
    assert set(re.findall(r"\w+", told.lower())) <= set(PLAIN)
    assert " ." not in told
    for end in (" ", "\n"):  # what stands there already is not written again
        after = shell.done("predict", "words", "--prime", f"The film{end}", "--length", "3")
        assert after.startswith(f"The film{end}")
        assert not re.match(r"[ ]", after.removeprefix(f"The film{end}"))


def test_what_was_never_seen_is_told(shell: Shell) -> None:
    outcome = shell("predict", "run", "--prime", "☃ the ☃ß", "--length", "5")
    assert outcome.status == 0
    assert outcome.out.startswith("☃ the ☃ß")
    assert outcome.err == "never seen in training, read as unknown: '☃', 'ß'\n"
    assert "'zebra'" in shell("predict", "words", "--next", "zebra").err
    only = shell("predict", "words", "--prime", "zebra giraffe", "--length", "5")
    assert (only.status, only.err.count("'")) == (0, 4)


def test_nothing_that_was_typed_or_learned_commands_the_terminal(shell: Shell) -> None:
    shell.write("wild.txt", "a\x1b[31mb\x07 \u202ec\x9bd\n" * 60)
    shell.done("train", "language-model", "path=wild.txt", *SMALL, "--output", "wild")
    outcome = shell("predict", "wild", "--prime", "a\x1b[31m", "--length", "60")
    assert outcome.status == 0
    assert not CONTROL.search(outcome.out + outcome.err)
    assert r"a\x1b[31m" in outcome.out
    assert not CONTROL.search(shell.done("predict", "wild", "--next", "a"))


def test_scores_on_another_text(shell: Shell) -> None:
    shell.write("other.txt", TEXT[:500])
    told = shell.done("evaluate", "run", "--input", "other.txt")
    assert re.search(r"nats_per_character\s+\d", told)
    assert re.search(r"perplexity\s+\d", told)
    assert "nats_per_character" not in shell.done("evaluate", "words", "--input", "other.txt")
    strange = shell.done("evaluate", "run", "--input", shell.write("strange.txt", "Ünß ☃\n" * 9).name)
    assert re.search(r"perplexity\s+\d", strange)
    again = shell.done("evaluate", "run")
    scores = json.loads((shell.folder / "run" / "metrics.json").read_text())["test"]
    assert f"{scores['loss']:.4f}" in again


def test_a_run_is_explained(shell: Shell) -> None:
    told = shell.done("explain", "run", "text")
    assert "A character of the test text costs" in told
    assert "it writes" in told.lower()
    assert re.search(r"\d characters in train", shell.done("data", "check", "prose.txt"))
    assert shell.done("new", "prose.txt").splitlines()[1].startswith("Written")
    assert shell.refuses("explain", "run", "errors").startswith("errors does not apply to language-model")


# ---- Refused --------------------------------------------------------------------------------------------------------

NO_EFFECT = [
    (["--prime", "a", "--next", "b"], "give one of --prime, --next, texts and --input; got --prime and --next"),
    (["a", "--prime", "b"], "got --prime and texts"),
    (["--input", "prose.txt", "--next", "b"], "got --next and --input"),
    (["--prime", "a", "--beam", "3"], "--beam would have no effect: it belongs to tasks that search"),
    (["--prime", "a", "--n-best", "3"], "--n-best would have no effect"),
    (["--prime", "a", "--sample"], "--sample would have no effect: a language model always draws"),
    (["--prime", "a", "--horizon", "3"], "--horizon would have no effect"),
    (["--prime", "a", "--max-length", "3"], "--max-length would have no effect"),
    (["--prime", "a", "--encoding", "cp1252"], "--encoding would have no effect: --prime is no file"),
    (["--next", "a", "--encoding", "cp1252"], "--encoding would have no effect: --next is no file"),
    (["--prime", "a", "--attention", "a.svg"], "has no attention to draw"),
    (["--next", "a", "--length", "3"], "length would have no effect: --next tells what is likely"),
    (["--next", "a", "--temperature", "3"], "temperature would have no effect"),
    (["--next", "a", "--output", "a.txt"], "--output would have no effect"),
    (["--prime", "a", "--temperature", "0", "--seed", "1"], "would have no effect: temperature is 0"),
    (["--prime", "a", "--temperature", "-1"], "--temperature: expected greater than or equal to 0"),
    (["--prime", "a", "--top-p", "0"], "--top-p: expected greater than 0"),
    (["--prime", "a", "--length", "0"], "--length: expected greater than or equal to 1"),
    (["--input", "nothere.txt"], "nothere.txt: no such file"),
    (["--input", "nul.txt"], "nul.txt: expected text, found a zero byte"),
    (["--input", "latin.txt"], "give --encoding cp1252"),
    (["--prime", "a", "--output", "prose.txt"], "--output prose.txt exists already"),
    (["--prime", "a", "--output", "a.xlsx"], '".xlsx"'),
]


@pytest.mark.parametrize(("words", "told"), NO_EFFECT)
def test_what_a_language_model_cannot_do_is_refused(shell: Shell, words: list[str], told: str) -> None:
    shell.write("nul.txt", "a\0b\n" * 9)
    shell.write("latin.txt", "café\n".encode("cp1252"))
    assert told in shell.refuses("predict", "run", *words)


BAD: dict[str, tuple[bytes, list[str]]] = {
    "blank": (b"\n \n\n" * 50, ["nothing but blank lines"]),
    "empty": (b"", ["empty (0 bytes)"]),
    "a word": (b"hello\n", ["bad.txt: 5 characters of text, and a language model needs 100 at least"]),
    "one line": (b"hello world " * 3, ["35 characters of text"]),
    "NUL": (b"hello\0world\n" * 50, ["bad.txt: expected text, found a zero byte (at byte 5)"]),
    "not UTF-8": (b"caf\xe9 and so on\n" * 50, ["is not utf-8. cp1252 fits", "data.encoding=cp1252"]),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\r", ["found a PNG picture"]),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_text_is_refused(shell: Shell, kind: str) -> None:
    content, told = BAD[kind]
    shell.write("bad.txt", content)
    for words in (["train", "bad.txt"], ["train", "language-model", "path=bad.txt"], ["data", "check", "bad.txt"]):
        message = shell.refuses(*words)
        wanted = ["0 characters of text"] if kind == "blank" and "path=bad.txt" in words else told
        assert [part for part in wanted if part not in message] == []
        assert len(message.splitlines()[-1]) < 400


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["path=prose.txt", "vocabulary_size=2"], "vocabulary_size: expected greater than 2"),
        (["path=prose.txt", "min_count=100000"], "no character occurs 100000 times"),
        (["path=prose.txt", "level=banana"], "'word', 'character' or 'subword'"),
        (["path=prose.txt", "bidirectional=true"], "a language model reads forwards"),
        (["path=prose.txt", "test=gone.txt"], "gone.txt: no such file"),
        (["path=prose.txt", "test=blank.txt"], "the test part is empty"),
        (["path=prose.txt", "valid_fraction=0.95"], "add up to 1 or more"),
        (["path=prose.txt", "best=score"], "best would have no effect"),
        (["data.name=imdb"], "imdb is a data set for classification"),
        ([], "no data: give data.name=NAME"),
    ],
)
def test_a_bad_setting_is_refused(shell: Shell, words: list[str], told: str) -> None:
    shell.write("blank.txt", "\n\n")
    assert told in shell.refuses("train", "language-model", *words)


def test_other_runs_go_on_with_nothing(shell: Shell) -> None:
    shell.done("train", "parity", "steps=2", "hidden_size=4", "data.count=60", "--output", "labels")
    for option in ("--prime", "--next", "--length"):
        told = shell.refuses("predict", "labels", option, "3")
        assert told == f"{option} would have no effect: it belongs to language models"
    assert "holds no conversation" in shell.refuses("chat", "run")
