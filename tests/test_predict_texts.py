"""Asking runs that write their answers: every way in and out, every option, everything that is refused."""

import csv
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import lstmlab
from lstmlab import request as requests
from lstmlab.api import Result
from lstmlab.errors import InputError
from lstmlab.recipe import dump
from test_cli import Closed, Shell, Stream
from writers import SMALL, trained

# All of them need a translator, which takes seconds to train.
pytestmark = pytest.mark.slow

ASKED = ["Where is my chair?", "", "I see a cat.", "  ", "My brother is looking for a red chair."]
LINES = "\n".join(ASKED) + "\n"


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


@pytest.fixture
def run(translator: Result) -> str:
    return str(translator.folder)


# ---- Every way in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [[], ["--beam", "2"], ["--sample", "--temperature", "1.5", "--seed", "7"]])
def test_however_it_is_asked_the_answers_are_the_same(
    shell: Shell, run: str, way: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.write("texts.txt", LINES)
    typed = shell.done("predict", run, *ASKED, *way)
    answers = typed.removesuffix("\n").split("\n")
    assert [bool(line) for line in answers] == [bool(line.strip()) for line in ASKED]
    assert shell.done("predict", run, "--input", "texts.txt", *way) == typed
    assert shell.done("predict", run, *way, stdin=LINES.replace("\n", "\r\n").encode()) == typed
    assert shell.done("predict", run, *way, stdin=LINES.encode().rstrip()) == typed
    # In portions of a few bytes, as a slow writer would send them.
    monkeypatch.setattr("lstmlab.cli.use.PORTION", 7)
    assert shell.done("predict", run, *way, stdin=LINES.encode()) == typed
    shell.done("predict", run, "--input", "texts.txt", "--output", "answers.txt", *way)
    assert (shell.folder / "answers.txt").read_text(encoding="utf-8") == typed


def test_each_line_is_answered_at_once(run: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "lstmlab", "predict", run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line, answered in (("Where is my chair?", True), ("", False), ("I see a cat.", True)):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            assert bool(process.stdout.readline().strip()) == answered
        process.stdin.close()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("a.tsv", "source\ttarget\nWhere is my chair?\tx\nI see a cat.\ty\n", "the column source"),
        ("b.tsv", "Where is my chair?\tx\nI see a cat.\ty\n", "the first one without names"),
        ("c.csv", 'english,b\nWhere is my chair?,2\nI see a cat.,"a, b"\n', "named like a source"),
        ("d.jsonl", '{"en": "Where is my chair?"}\n{"en": "I see a cat."}\n', "the only one"),
        ("e.en", "Where is my chair?\nI see a cat.\n", "lines"),
    ],
)
def test_tables(shell: Shell, run: str, name: str, content: str, column: str) -> None:
    shell.write(name, content)
    assert shell.done("predict", run, "--input", name) == shell.done("predict", run, ASKED[0], ASKED[2])


def test_the_column_trained_on_is_read(shell: Shell) -> None:
    pairs = [(f"i see {word}", f"je vois {word}") for word in "anna ben carl dora emil fay gus hal ida jo".split()]
    shell.write("pairs.csv", "a,b\n" + "".join(f"{one},{other}\n" for one, other in pairs * 3))
    changes = {**SMALL, "path": "pairs.csv", "source": "b", "target": "a", "level": "word", "steps": 2}
    run = trained(shell.folder / "run", "translation", changes)
    asked = run.read_inputs(shell.folder / "pairs.csv")
    assert asked == [other for _, other in pairs] * 3
    shell.write("others.csv", "a,c\n1,2\n")
    told = 'others.csv: no column "b" of text. Columns: a, c'
    assert told in shell.refuses("predict", "run", "--input", "others.csv")
    assert shell.refuses("evaluate", "run", "--input", "others.csv").startswith('others.csv: no column "b"')
    assert "(30 examples)" in shell.done("evaluate", "run", "--input", "pairs.csv")


def test_turns_of_a_dialogue(partner: Result, tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    path.write_text(json.dumps({"turns": ["a", "b", "c", "d"]}) + "\n", encoding="utf-8")
    assert partner.read_inputs(path) == ["b\nc\nd"]
    assert partner.parse_input("a __eou__ b", "it") == "a\nb"
    assert partner.parse_input("a\nb\nc\nd", "it") == "b\nc\nd"


def test_a_sentence_stays_one(translator: Result) -> None:
    assert translator.parse_input("Where is\nmy chair?", "it") == "Where is my chair?"


@pytest.mark.parametrize(
    "text", ["word " * 5000, "🙂🙃 👨‍👩‍👧", "नमस्ते दुनिया", "你好世界", "a\u2028b", "</s> <pad>", "a" * 3000, "\x1b[31m"]
)  # fmt: skip
def test_odd_texts_are_answered_on_one_line(shell: Shell, run: str, partner: Result, text: str) -> None:
    for asked in (run, str(partner.folder)):
        shell.write("odd.txt", f"{text}\n{text}\n")
        assert len(shell.done("predict", asked, "--input", "odd.txt", "--beam", "2").split("\n")) == 3


# ---- Every way out --------------------------------------------------------------------------------------------------


def test_the_best_answers_with_their_scores(shell: Shell, run: str) -> None:
    told = shell.done("predict", run, *ASKED, "--n-best", "3", "--beam", "4").splitlines()
    rows = [line.split("\t") for line in told]
    assert [row[0] for row in rows] == list("11123334555")
    scores = [float(row[1]) for row in rows if row[0] == "1"]
    assert scores == sorted(scores, reverse=True)
    assert len({row[2] for row in rows if row[0] == "1"}) == 3
    shell.done("predict", run, ASKED[0], ASKED[1], "--n-best", "3", "--output", "a.csv")
    with open("a.csv", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["rank"] for row in table] == list("1231")
    assert [row["input"] for row in table] == [ASKED[0]] * 3 + [""]
    shell.done("predict", run, ASKED[0], "--n-best", "3", "--output", "a.jsonl")
    (row,) = map(json.loads, Path("a.jsonl").read_text(encoding="utf-8").splitlines())
    assert [one["prediction"] for one in row["n_best"]] == [one["prediction"] for one in table[:3]]


def test_answers_never_break_a_line(shell: Shell, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmlab.data.sentences.Language.decode", lambda *_: "one\ntwo\u2028three\r")
    assert shell.done("predict", run, ASKED[0]) == "one two three\n"


def test_answers_are_utf8_in_every_locale(shell: Shell, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmlab.data.sentences.Language.decode", lambda *_: "là ça")
    assert shell("predict", run, ASKED[0], screen=Stream(encoding="ascii")).out == "là ça\n"


def test_attention_is_drawn(shell: Shell, run: str) -> None:
    drawn = shell("predict", run, "", ASKED[0], ASKED[2], "--attention", "a.svg")
    assert (drawn.status, len(drawn.out.splitlines()), drawn.err) == (0, 3, "Attention: a.svg\n")
    picture = (shell.folder / "a.svg").read_text(encoding="utf-8")
    assert all(word in picture for word in ("chair", "Source", "&lt;/s&gt;"))
    assert "cat" not in picture
    shell.done("predict", run, "--attention", "deep/a.PNG", "--output", "a.txt", stdin=LINES.encode())
    assert (shell.folder / "deep" / "a.PNG").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in shell.folder.iterdir()) == ["a.svg", "a.txt", "deep"]


def test_a_run_without_attention(shell: Shell) -> None:
    trained(shell.folder / "run", "translate-demo", {**SMALL, "steps": 2, "context": "state"})
    assert "trained with model.context=state" in shell.refuses("predict", "run", "hi", "--attention", "a.svg")


def test_a_stopped_answer_is_told(shell: Shell, run: str) -> None:
    told = shell("predict", run, *[ASKED[4]] * 6, "--max-length", "1").err.splitlines()
    assert told[0] == "answer 1 was stopped at 1 token: --max-length allows more"
    assert told[3:] == ["3 more answers were stopped at their largest length"]


def test_options_have_their_effect(shell: Shell, run: str) -> None:
    def told(*words: str) -> str:
        return shell.done("predict", run, ASKED[4], *words)

    assert len(told("--beam", "100000", "--max-length", "3").split()) <= 3  # wider than the vocabulary
    assert told("--beam", "1") == told("--sample", "--top-k", "1")
    draws = {told("--sample", "--seed", str(seed), "--top-p", "0.99") for seed in range(5)}
    assert len(draws) > 1
    words = told("--no-repeat-ngram", "1", "--max-length", "12").split()
    assert len(set(words)) == len(words)


# ---- Refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([""], "nothing to predict"),
        (["  ", ""], "nothing to predict"),
        (["hi", "--beam", "0"], "--beam: expected greater than or equal to 1, got 0"),
        (["hi", "--n-best", "7", "--beam", "5"], "--n-best (7) is more than a beam of 5 keeps; take --beam 7"),
        (["hi", "--n-best", "7"], "take --beam 7"),
        (["hi", "--n-best", "0"], "--n-best: expected greater than or equal to 1"),
        (["hi", "--temperature", "0.5"], "--temperature would have no effect: it belongs to sampling"),
        (["hi", "--seed", "5"], "add --sample"),
        (["hi", "--sample", "--beam", "3"], "--beam would have no effect: it belongs to beam search"),
        (["hi", "--sample", "--temperature", "nan"], "--temperature: expected a finite number"),
        (["hi", "--sample", "--top-k", "1", "--seed", "2"], "--seed would have no effect: --top-k is 1"),
        (["hi", "--beam", "1", "--length-penalty", "1"], "a beam of 1 has nothing to choose between"),
        (["hi", "--max-length", "0"], "--max-length: expected greater than or equal to 1"),
        (["hi", "--attention", "a.pdf"], 'no kind of attention file ".pdf". Known: .png, .svg'),
        (["hi", "--attention", "there.svg"], "--attention there.svg exists already"),
        (["hi", "--output", "there.svg"], "--output there.svg exists already"),
        (["--input", "nothere.txt"], "nothere.txt: no such file"),
        (["--input", "odd.csv"], 'which column is to be read? Call it "source"'),
        (["--input", "blank.txt"], "nothing"),
    ],
)  # fmt: skip
def test_a_bad_question(shell: Shell, run: str, words: list[str], told: str) -> None:
    shell.write("there.svg", "x")
    shell.write("odd.csv", "a,b\n1,2\n")
    shell.write("blank.txt", "\n \n")
    assert told in shell.refuses("predict", run, *words)


def test_bad_lines_on_standard_input(shell: Shell, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "nothing to predict" in shell.refuses("predict", run)
    assert shell("predict", run, stdin=b"\n \n").out == "\n\n"
    assert "nothing to predict" in shell.refuses("predict", run, stdin=b"\n \n")
    assert "standard input, line 2: byte 6" in shell.refuses("predict", run, stdin=b"hi\ncaf\xe9\n")
    monkeypatch.setattr("lstmlab.cli.use.PORTION", 3)
    assert "standard input after line 1, line 1: byte 3" in shell.refuses("predict", run, stdin=b"hi\ncaf\xe9\n")
    wide = "Where is my chair?\nI see a cat.\n".encode("utf-16")
    assert len(shell.done("predict", run, "--encoding", "utf-16", stdin=wide).splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--beam", "3"], "--beam would have no effect: it belongs to tasks that write their answers"),
        (["--sample"], "this run is of classification"),
        (["--attention", "a.svg"], "has no attention to draw: it is of classification"),
    ],
)
def test_a_classifier_searches_for_nothing(
    shell: Shell,
    classifier: Result,
    words: list[str],
    told: str,
) -> None:
    assert told in shell.refuses("predict", str(classifier.folder), "1 0 1", *words)


def test_a_reader_that_has_gone(shell: Shell, run: str) -> None:
    outcome = shell("predict", run, ASKED[0], screen=Closed())
    assert (outcome.status, outcome.err) == (141, "")


@pytest.mark.skipif(os.name == "nt", reason="yes and head are Unix programs")
def test_a_real_pipe(run: str) -> None:
    python = shlex.quote(sys.executable)
    command = f"set -o pipefail; yes 'I see a cat.' | {python} -m lstmlab predict {shlex.quote(run)} | head -1"
    told = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr, len(told.stdout.splitlines())) == (141, "", 1)


# ---- Scoring --------------------------------------------------------------------------------------------------------


def test_pairs_are_scored(shell: Shell, run: str) -> None:
    shell.write("pairs.tsv", "Where is my chair?\tOù est ma chaise ?\nI see\t\nI see a cat.\tJe vois un chat.\n")
    outcome = shell("evaluate", run, "--input", "pairs.tsv")
    assert "on pairs.tsv (2 examples)" in outcome.out
    assert all(name in outcome.out for name in ("bleu", "chrf", "perplexity", "token_accuracy"))
    assert "1 pair of 3 with an empty side left out." in outcome.err
    shell.write("odd.csv", "a,b\nx,y\n")
    assert 'Call them "source" and "target"' in shell.refuses("evaluate", run, "--input", "odd.csv")
    assert "(200 examples)" in shell.done("evaluate", run)


# ---- From Python ----------------------------------------------------------------------------------------------------


def test_the_search_can_be_chosen(translator: Result) -> None:
    (answer,) = translator.predict(["I see a cat."], n_best=2, look=True)
    assert len(answer["n_best"]) == 2
    assert answer["attention"]["source"][:2] == ["I", "see"]
    with pytest.raises(InputError, match=r'search: no setting "beam_sise". Did you mean beam_size'):
        translator.predict(["a"], beam_sise=3)
    with pytest.raises(InputError, match="temperature would have no effect"):
        translator.predict(["a"], temperature=0.5)
    sampled = translator.predict(ASKED, method="sample", seed=3)
    portions = translator.predict(ASKED[:2], method="sample", seed=3)
    portions += translator.predict(ASKED[2:], method="sample", seed=3, first=2)
    assert [one["prediction"] for one in portions] == [one["prediction"] for one in sampled]


def test_what_to_type_next(translator: Result, partner: Result) -> None:
    words = shlex.split(translator.next_words())
    assert words[:2] == ["predict", str(translator.folder)]
    assert words[2] in {row["input"] for row in translator.run.predictions}
    assert partner.next_words() == f"chat {partner.folder}"


@pytest.mark.usefixtures("unreported")
def test_a_frame_of_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = "anna ben carl dora emil fay gus hal ida jo".split()
    frame = pl.DataFrame({"in": [f"i see {word}" for word in words], "out": [f"je vois {word}" for word in words]})
    changes = {**SMALL, "steps": 2, "level": "word", "valid_fraction": 0.2}
    run = lstmlab.train("translation", frame, source="in", target="out", **changes)
    assert len(run.predict(["i see anna"])) == 1


# ---- Recipes for one's own pairs ------------------------------------------------------------------------------------


def pairs(count: int) -> str:
    return "".join(f"this is sentence number {at}\tc'est la phrase {at} de toutes\n" for at in range(count))


def test_a_file_of_pairs_is_guessed(shell: Shell) -> None:
    shell.write("pairs.tsv", pairs(500))
    tree, found = requests.guessed(Path("pairs.tsv"), {})
    assert (found.task, found.sure) == ("translation", True)
    recipe = dump(requests.assemble("pairs.tsv", {}))
    assert recipe["data"]["source"] == "1"
    assert recipe["text"]["vocabulary_size"] == tree["text"]["vocabulary_size"]
    assert (recipe["text"]["level"], recipe["text"]["joint"]) == ("subword", True)
    with pytest.raises(InputError, match="begin with it: lstmlab train dialogue"):
        requests.assemble("pairs.tsv", {"task": "dialogue"})
    assert "Written: pairs.yaml" in shell.done("new", "pairs.tsv")
    assert dump(requests.assemble("pairs.yaml", {}))["text"] == recipe["text"]


def test_the_vocabulary_grows_with_the_data(shell: Shell) -> None:
    def size(count: int, **changes: object) -> int:
        path = shell.write(f"{count}.tsv", pairs(count))
        typed = requests.assemble("translation", {"path": str(path), **changes})
        assert requests.assemble(str(path), changes).model_dump()["text"] == typed.model_dump()["text"]
        return int(dump(typed)["text"]["vocabulary_size"])

    assert size(10) == 400
    assert size(500) < size(5000) < size(60_000) <= size(100_000) <= 8000
    assert size(500, vocabulary_size=1234) == 1234
    assert size(500, level="word") == 8000
    assert dump(requests.assemble("translation", {"data.name": "phrases"}))["text"]["vocabulary_size"] == 8000


def test_aligned_files(shell: Shell) -> None:
    shell.write("train.en", "a cat\n" * 3000)
    shell.write("train.fr", "un chat\n" * 3000)
    recipe = dump(requests.assemble("translation", {"source": "train.en", "target": "train.fr"}))
    assert (recipe["data"]["path"], recipe["data"]["source"], recipe["text"]["vocabulary_size"]) == (
        None, "train.en", 700,
    )  # fmt: skip
    told = "one side of aligned files: lstmlab train translation source=train.en target=train.fr"
    assert told in shell.refuses("train", "train.en")


@pytest.mark.parametrize(
    ("name", "content", "words", "told"),
    [
        ("talk.txt", "hi\nhello\n", ["talk.txt"], "lstmlab train dialogue path=talk.txt"),
        ("a.csv", "hello you,bonjour toi\n" * 9 + "x y z a,b c d\n", ["a.csv"], "put a line of column names on top"),
        ("a.csv", "x,y\nhello you,3\n", ["translation", "path=a.csv"], "which columns? Give source=COLUMN"),
        ("a.tsv", "".join(f"it is {i}\tis it {i}\n" for i in range(50)), ["a.tsv"], "lstmlab train dialogue"),
    ],
)  # fmt: skip
def test_pairs_that_need_a_word_more(shell: Shell, name: str, content: str, words: list[str], told: str) -> None:
    shell.write(name, content)
    assert told in shell.refuses("train", *words, "steps=2")


def test_columns_with_telling_names_need_not_be_typed(shell: Shell) -> None:
    shell.write("a.csv", "french,english\n" + "".join(f"le chat noir {i},the black cat {i}\n" for i in range(40)))
    data = dump(requests.assemble("translation", {"path": "a.csv"}))["data"]
    assert {data["source"], data["target"]} == {"french", "english"}
