"""The command line: every bad input ends with one clear message and status 2, and leaves nothing behind."""

import errno
import hashlib
import io
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors.torch import save_file

from conftest import review
from lstmlab import cli, disk
from lstmlab.cli.use import answer_line
from lstmlab.data.datasets import named
from lstmlab.data.download import Remote
from lstmlab.data.fetch import Files
from lstmlab.disk import cache_folder
from lstmlab.training import checkpoint, loop
from lstmlab.training.run import Run

SMALL = ["hidden_size=4", "embedding.size=4"]
QUICK = ["steps=2", *SMALL]
COLUMNS = ["text=review", "label=stars"]

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


class Stream(io.TextIOWrapper):
    """A standard stream in memory."""

    mode = "r+"
    name = "<stream>"

    def __init__(self, content: bytes = b"", encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(content), encoding=encoding, write_through=True)

    @property
    def text(self) -> str:
        """What was written."""
        return self.buffer.getvalue().decode(self.encoding)  # type: ignore[attr-defined]


class Closed(Stream):
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


@dataclass
class Shell:
    """Runs `lstmlab` in this process, in a folder of its own."""

    folder: Path

    def __call__(self, *words: str, stdin: bytes = b"", screen: Stream | None = None) -> Outcome:
        out, err = screen or Stream(), Stream()
        with pytest.MonkeyPatch.context() as patch:
            for name, stream in (("stdin", Stream(stdin)), ("stdout", out), ("stderr", err)):
                patch.setattr(sys, name, stream)
            patch.setattr(sys, "argv", ["lstmlab", *words])
            with pytest.raises(SystemExit) as ended:
                cli.main()
        return Outcome(int(str(ended.value.code)), out.text, err.text)

    def refuses(self, *words: str, stdin: bytes = b"") -> str:
        """The one message of a refusal, after which everything is as it was."""
        before = tree(self.folder)
        outcome = self(*words, stdin=stdin)
        assert outcome.status == 2, outcome
        assert outcome.err.startswith("lstmlab: ")
        assert "Traceback" not in outcome.err
        assert tree(self.folder) == before
        return outcome.err.removeprefix("lstmlab: ").rstrip("\n")

    def done(self, *words: str, stdin: bytes = b"") -> str:
        """What a command printed that ended well."""
        outcome = self(*words, stdin=stdin)
        assert outcome.status == 0, outcome
        return outcome.out

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder and what it holds."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def rows(count: int = 240) -> list[tuple[str, str]]:
    rng = random.Random(0)
    return [(review(rng, i % 2 == 0), "good" if i % 2 == 0 else "bad") for i in range(count)]


REVIEWS = "review,stars\n" + "".join(f"{text},{label}\n" for text, label in rows())


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    found = Shell(folder)
    found.write("reviews.csv", REVIEWS)
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, and its data, to copy from."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "reviews.csv").write_text(REVIEWS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSTMLAB_CACHE", str(folder / "cache"))
        patch.chdir(folder)
        Shell(folder).done("train", "reviews.csv", "epochs=2", *SMALL, "--output", "run")
    return folder / "run"


@pytest.fixture
def run(finished: Path, shell: Shell) -> Path:
    """A finished run in the shell's folder, named `run`."""
    shutil.copytree(finished, shell.folder / "run")
    return shell.folder / "run"


# ---- Data -----------------------------------------------------------------------------------------------------------

UTF8 = REVIEWS.encode()
BAD_FILES: dict[str, tuple[bytes, list[str]]] = {
    "empty": (b"", ["empty (0 bytes)"]),
    "header only": (b"review,stars\n", ["no rows, only a header (review, stars)"]),
    "blank lines": (b"\n\n \n", ["nothing but blank lines"]),
    "cp1252": (
        UTF8.replace(b"wonderful", b"caf\xe9 wonderful", 1),
        ["byte", "(0xE9) is not utf-8. cp1252 fits", "café", "give data.encoding=cp1252"],
    ),
    "utf-16": (REVIEWS.encode("utf-16"), ["line 1", "utf-16 fits", "give data.encoding=utf-16"]),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\r", ["expected text, found a PNG picture"]),
    "binary": (bytes(range(256)) * 9, ["expected text, found a zero byte (at byte 0)"]),
    "a field too many": (UTF8 + b"one,two,three\n", ["line 242: 3 fields, expected 2 (review, stars)", "in quotes"]),
    "a quote never closed": (UTF8 + b'"a film,good\n', ["line 242", "never closed"]),
    "one class": (UTF8.replace(b",bad", b",good"), ['the same label ("good" in column "stars")', "at least 2"]),
    "no text": (re.sub(rb"\n[^,]+,", b"\n,", UTF8), ['every text in column "review" is blank']),
    "no label": (UTF8 + b"a film,\n", ['row 241: no label in column "stars"']),
    "a column twice": (b"a,a\n1,2\n", ['"a" stands twice in the header']),
}


QUICK_FILES = ("empty", "cp1252", "a quote never closed", "one class", "no text")


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in QUICK_FILES else [pytest.mark.slow]) for kind in BAD_FILES]
)
def test_a_bad_file(shell: Shell, kind: str) -> None:
    content, told = BAD_FILES[kind]
    shell.write("mine.csv", content)
    message = shell.refuses("train", "classification", "path=mine.csv", *COLUMNS, *QUICK)
    assert message.startswith("mine.csv")
    assert [part for part in told if part not in message] == []
    # Guessed or typed, trained or only looked at: it is the same file.
    assert shell.refuses("train", "mine.csv").startswith("mine.csv") or kind == "no text"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "nothere.csv"], "nothere.csv: no such file. Did you mean test.csv?"),
        (["train", "revews.csv"], "revews.csv: no such file. Did you mean reviews.csv?"),
        (["train", "no/such/place.csv"], "nor is there a folder no/such"),
        (["train", "classification", "path=folder.csv", *COLUMNS, *QUICK],
         "data.text would have no effect: it names a column, and folder.csv is a folder or archive of texts"),
        (["train", "folder.csv"], "folder.csv: no text files in class folders"),
        (["train", "classification", "path=reviews.csv", "text=reviw", "label=stars", *QUICK],
         'reviews.csv: no column "reviw". Columns: review, stars. Did you mean text=review?'),
        (["train", "classification", "path=reviews.csv", "text=review", "label=review", *QUICK], "name two columns"),
        (["train", "classification", "path=reviews.csv", *COLUMNS, "test=test.csv", *QUICK],
         'the label "superb" stands only in the test part (row 2); training knows: bad, good'),
        (["train", "reviews.csv", "encoding=utf-9"], 'no encoding "utf-9". Did you mean utf-8?'),
        (["train", "reviews.csv", "limit=1", *QUICK], "too few to split off"),
        (["train", "classification"], "no data: give data.name=NAME (see `lstmlab data list`) or data.path=FILE"),
        (["train", "classification", "name=imbd", "data.name=imbd", *QUICK], 'no data set "imbd". Did you mean imdb?'),
        (["data", "check", "nothere.csv"], "nothere.csv: no such file"),
        (["data", "fetch", "imbd"], 'no data set "imbd". Did you mean imdb?'),
        (["new", "nothere.csv"], "nothere.csv: no such file"),
        (["new", "reviews.csv", "--output", "reviews.csv"], "reviews.csv exists already"),
    ],
)  # fmt: skip
def test_data_that_is_not_there(shell: Shell, words: list[str], told: str) -> None:
    (shell.folder / "folder.csv").mkdir()
    shell.write("test.csv", "review,stars\na film,good\nanother,superb\n")
    assert told in shell.refuses(*words)


@pytest.mark.slow
def test_a_named_encoding_is_read_with(shell: Shell) -> None:
    shell.write("mine.csv", BAD_FILES["cp1252"][0])
    assert "Test: loss" in shell.done("train", "mine.csv", "encoding=cp1252", *QUICK)


@pytest.mark.slow
def test_a_text_of_a_million_characters(shell: Shell) -> None:
    text = "great film dull plot " * 47_620
    assert len(text) > 1_000_000
    shell.write("mine.csv", REVIEWS + f"{text},good\n" * 2)
    assert "Test: loss" in shell.done("train", "mine.csv", "epochs=1", *SMALL, "--output", "long")
    shell.write("texts.txt", f"{text}\na short one\n")
    assert len(shell.done("predict", "long", "--input", "texts.txt").splitlines()) == 2


def tar(path: Path, member: tarfile.TarInfo, content: bytes = b"x") -> None:
    member.size = len(content) if member.isreg() else 0
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(member, io.BytesIO(content))


def link() -> tarfile.TarInfo:
    member = tarfile.TarInfo("pos/1.txt")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


@pytest.mark.parametrize(
    ("member", "told"),
    [
        (tarfile.TarInfo("../../evil/pos/1.txt"), "../../evil/pos/1.txt points outside the archive: refused"),
        (tarfile.TarInfo("/etc/pos/1.txt"), "/etc/pos/1.txt points outside the archive: refused"),
        (link(), "pos/1.txt is a link: refused"),
    ],
)
def test_a_tar_that_points_outside(shell: Shell, member: tarfile.TarInfo, told: str) -> None:
    tar(shell.folder / "mine.tar.gz", member)
    assert told in shell.refuses("train", "mine.tar.gz")


def test_a_zip_that_points_outside(shell: Shell) -> None:
    with zipfile.ZipFile(shell.folder / "mine.zip", "w") as archive:
        archive.writestr("..\\pos\\1.txt", "x")
    assert "points outside the archive: refused" in shell.refuses("train", "mine.zip")


def test_a_truncated_archive(shell: Shell) -> None:
    tar(shell.folder / "mine.tar.gz", tarfile.TarInfo("pos/1.txt"), os.urandom(4000))
    path = shell.folder / "mine.tar.gz"
    path.write_bytes(path.read_bytes()[:1000])
    assert "mine.tar.gz: not a whole tar.gz archive" in shell.refuses("train", "mine.tar.gz")


# ---- Downloads ------------------------------------------------------------------------------------------------------


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes, bytes], None]]:
    """serve(expected, sent): a set named `toy` whose server at 127.0.0.1 sends other bytes than expected."""
    servers: list[HTTPServer] = []

    def start(expected: bytes, sent: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(expected)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *args: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/toy.txt"
        remote = Remote("toy.txt", address, sha256=hashlib.sha256(expected).hexdigest(), size=len(expected))
        toy = named.NamedSet("toy", "", "classification", Files("toy", ((remote,),)), lambda paths: ({}, ()), "", "")
        monkeypatch.setitem(named.NAMED, "toy", toy)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("sent", "told"),
    [(b"0123456789", "the download of"), (b"x" * 1000, "gave another file than expected: got sha256")],
    ids=["cut off", "wrong checksum"],
)
def test_a_bad_download(
    shell: Shell, serve: Callable[[bytes, bytes], None], monkeypatch: pytest.MonkeyPatch, sent: bytes, told: str
) -> None:
    monkeypatch.setenv("LSTMLAB_CACHE", str(shell.folder.parent / "cache"))
    monkeypatch.delenv("LSTMLAB_DATA", raising=False)
    serve(b"y" * 1000, sent)
    for words in (["data", "fetch", "toy"], ["train", "classification", "data.name=toy", *QUICK]):
        message = shell.refuses(*words)
        assert told in message
        assert "toy.txt" in message.splitlines()[-1]  # where to put it by hand
    assert not (cache_folder() / "datasets" / "toy" / "toy.txt").exists()


# ---- Recipes and settings -------------------------------------------------------------------------------------------

RECIPE = "task: classification\ndata: {path: reviews.csv, text: review, label: stars}\ntraining: {steps: 2}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("trainin: {steps: 2}\ntask: classification", 'no setting "trainin". Did you mean training?'),
        (RECIPE + "model: {encoder: {hidden: 3}}", 'no setting "model.encoder.hidden". Did you mean model.encoder.hid'),
        (RECIPE + "seed: many", 'seed: expected integer, got "many"'),
        (RECIPE + "seed: -1", "seed: expected greater than or equal to 0, got -1"),
        (RECIPE + "seed: 99999999999999999999", "seed: expected less than"),
        (RECIPE + "model: 3", "model: expected settings of its own (key: value), got 3"),
        (RECIPE + "model: {pooling: max}", 'model.pooling: expected a list such as [a, b], got "max"'),
        (RECIPE + "model: {segment_length: 3, pooling: [last]}", "pooling=last reads the end of a text"),
        (RECIPE + "model: {encoder: {cell: lsmt}}", 'no cell "lsmt". Did you mean lstm?'),
        (RECIPE + "device: tpu", "device: expected 'auto', 'cpu', 'cuda' or 'mps', got \"tpu\""),
        (RECIPE + "seed: 1\nseed: 2", 'line 5: the key "seed" stands twice; keep one'),
        (RECIPE + "model: [", "line 4: not YAML"),
        (RECIPE + "model: &a [*a]", "more than 10000 values or 20 levels: not a recipe"),
        (RECIPE + "seed: 2020-01-01", 'seed: expected integer, got "2020-01-01"'),
        (RECIPE + "about: {title: !!binary aGVsbG8=}", "expected text, a number"),
        (RECIPE + "about: {1: 2}", "expected a word as key, got 1"),
        (RECIPE.replace("steps: 2", "steps: 2, epochs: 1"), "exactly one of epochs, steps and minutes"),
        (RECIPE.replace("path:", "name: imdb, path:"), "two sources: give one"),
        (RECIPE.replace("classification", "clasification"), 'no task "clasification". Did you mean classification?'),
        (RECIPE.replace("task", "tusk", 1), "mine.yaml: no task; one of"),
        ("", "mine.yaml: no task; one of"),
        ("- 1", "mine.yaml: expected `key: value` lines"),
        (b"\xff\xfe", "a recipe is UTF-8 text; byte 0 is not"),
        (b"a: \0", "not text: character 3"),
        (RECIPE + "name: ../../evil", "name"),
        (RECIPE + "name: /tmp/evil", "name"),
    ],
)
def test_a_bad_recipe(shell: Shell, text: str | bytes, told: str) -> None:
    shell.write("mine.yaml", text)
    assert told in shell.refuses("train", "mine.yaml")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["lerning_rate=1"], "Did you mean training.optimizer.learning_rate?"),
        (["epochs"], 'expected key=value, got "epochs"'),
        (["seed=1", "seed=2"], '"seed" was given twice'),
        (["steps=2", "training.steps=3"], "training.steps was given twice"),
        (["dropout=0.1"], '"dropout" could be any of model.embedding.dropout, model.encoder.dropout, model.dropout'),
        (["hidden_size=0"], "model.encoder.hidden_size: expected greater than or equal to 1, got 0"),
        (["momentum=0.5"], "training.optimizer.momentum would have no effect: it belongs to sgd"),
        (["encoder.dropout=0.5"], "would have no effect: it works between layers, and num_layers is 1"),
        (["length=5"], "data.length would have no effect: it belongs to synthetic sets"),
        (["data.name=parity", "text=review"], "would have no effect"),
        (["task=forecasting"], "task=forecasting cannot take the place of classification here"),
        (["cell=lsmt", *QUICK], 'no cell "lsmt". Did you mean lstm?'),
        (["name=../../evil", *QUICK], "name"),
    ],
)
def test_a_bad_setting(shell: Shell, words: list[str], told: str) -> None:
    assert told in shell.refuses("train", "reviews.csv", *words)


def test_settings_that_a_folder_leaves_without_effect(shell: Shell) -> None:
    for label in ("pos", "neg"):
        (shell.folder / "mine" / label).mkdir(parents=True)
        (shell.folder / "mine" / label / "1.txt").write_text("a film")
    assert "data.text would have no effect: it names a column" in shell.refuses("train", "mine", "text=review")
    message = shell.refuses("train", "parity", "valid_fraction=0.3")
    assert message == "data.valid_fraction would have no effect: parity comes in parts of its own"


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there(shell: Shell, device: str) -> None:
    from lstmlab.training.experiment import choose_device

    if choose_device("auto").type == device:
        pytest.skip(f"this machine has {device}")
    assert f"device={device} is not there" in shell.refuses("train", "reviews.csv", f"device={device}", *QUICK)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["train", "imbd"], 'no recipe, task or file "imbd". Did you mean imdb?'),
        (["train", "clasification"], "Did you mean classification?"),
        (["train", "zzzz"], "Recipes: "),
        (["train", "nothere.yaml"], "nothere.yaml: no such file"),
        (["train", "folder.yaml"], "folder.yaml: expected a file, found a folder"),
        (["recipes", "show", "imbd"], "Did you mean imdb?"),
        (["recipes", "shwo", "imdb"], "usage: lstmlab recipes"),
        (["recipes", "show"], "usage: lstmlab recipes"),
        (["predict", "nothing", "x"], 'no run "nothing" in runs'),
        (["predict"], "no runs in runs yet: train one, for example: lstmlab train sine"),
        (["resume", "nothing"], 'no run "nothing" in runs'),
        (["report", "folder.yaml"], "folder.yaml is not a run: it has no recipe.yaml"),
        (["evaluate"], "no runs in runs yet"),
        (["explain", "nothing"], 'no run "nothing" in runs'),
    ],
)
def test_unknown_names(shell: Shell, words: list[str], told: str) -> None:
    (shell.folder / "folder.yaml").mkdir()
    assert told in shell.refuses(*words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["train"], "Missing argument 'RECIPE|FILE|TASK'"),
        (["train", "sine", "--outptu", "x"], "--output"),
        (["predict", "--input"], "'--input' requires an argument"),
        (["data", "lst"], "No such command 'lst'"),
        (["runs", "extra"], "unexpected extra argument"),
        (["--vresion"], "--version"),
    ],
)
def test_wrong_usage(shell: Shell, words: list[str], told: str) -> None:
    outcome = shell(*words)
    assert outcome.status == 2
    assert told in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("words", [[], ["data"]])
def test_no_command_shows_the_commands(shell: Shell, words: list[str]) -> None:
    outcome = shell(*words)
    assert "Commands" in outcome.out + outcome.err
    assert "Traceback" not in outcome.err


# ---- Runs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["file", "folder", "run"])
def test_an_output_that_is_there_is_refused_before_the_data_is_read(shell: Shell, run: Path, kind: str) -> None:
    shell.write("file", "mine")
    (shell.folder / "folder").mkdir()
    outcome = shell("train", "reviews.csv", *QUICK, "--output", kind)
    assert "Reading" not in outcome.out
    assert f"--output {kind} exists already" in outcome.err
    assert ("lstmlab resume run" in outcome.err) == (kind == "run")
    assert f"{kind} exists already" in shell.refuses("train", "reviews.csv", *QUICK, "--output", kind)


@pytest.mark.parametrize("words", [["--output", "reviews.csv/run"], []])
def test_a_place_where_no_run_can_be(shell: Shell, words: list[str]) -> None:
    shell.write("runs", "a file in the way")
    message = shell.refuses("train", "reviews.csv", *QUICK, *words)
    assert "Not a directory; choose a place with --output DIR" in message


def damaged(kind: str, content: bytes, path: Path) -> None:
    if kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "foreign":
        path.write_bytes(UTF8)
    elif kind == "empty":
        path.write_bytes(b"")
    else:
        from torch import zeros

        save_file({"a": zeros(2)}, path)


@pytest.mark.parametrize("kind", ["truncated", "foreign", "empty", "another model's"])
@pytest.mark.parametrize("file", ["model.safetensors", "checkpoints/last.safetensors"])
def test_a_bad_checkpoint(shell: Shell, run: Path, kind: str, file: str) -> None:
    damaged(kind, (run / file).read_bytes(), run / file)
    if file == "model.safetensors":
        message = shell.refuses("predict", "run", "a film")
    else:
        (run / "metrics.json").unlink()  # unfinished, so that there is something to resume
        message = shell.refuses("resume", "run")
    assert message.startswith(f"run/{file}: ")
    told = "not one of lstmlab's checkpoints" if kind == "another model's" else "cut off or not a safetensors file"
    assert told in message


@pytest.mark.slow
@pytest.mark.parametrize("content", ["{", "{}", "[]", "3", '"x"', "\xff"])
@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("task.json", ["predict", "run", "x"]),
        ("recipe.yaml", ["predict", "run", "x"]),
        ("environment.json", ["report", "run"]),
        ("summary.json", ["report", "run"]),
        ("metrics.json", ["report", "run"]),
    ],
)
def test_a_damaged_run(shell: Shell, run: Path, file: str, command: list[str], content: str) -> None:
    (run / file).write_text(content, encoding="latin-1")
    assert f"run/{file}" in shell(*command).err
    assert shell(*command).status == 2


@pytest.mark.parametrize("name", ["history.jsonl", "predictions.jsonl"])
def test_a_damaged_line(shell: Shell, run: Path, name: str) -> None:
    with open(run / name, "a", encoding="utf-8") as file:
        file.write("3\n")
    assert f"run/{name}, line " in shell.refuses("report", "run")


@pytest.mark.slow
def test_an_unfinished_run(shell: Shell, run: Path) -> None:
    (run / "model.safetensors").unlink()
    (run / "metrics.json").unlink()
    for command in (["predict", "run", "x"], ["evaluate", "run"]):
        assert "no model yet; finish it with: lstmlab resume run" in shell.refuses(*command)
    shell.done("resume", "run")
    assert Run(run).finished


def full(monkeypatch: pytest.MonkeyPatch, stop: Callable[[Path], bool]) -> None:
    """A disk that is full for the files `stop` says yes to."""
    replace = os.replace

    def refuse(aside: Path, path: Path) -> None:
        if stop(Path(path)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(aside, path)

    monkeypatch.setattr(disk.os, "replace", refuse)


@pytest.mark.slow
def test_a_disk_that_fills_while_training(shell: Shell) -> None:
    times = 0

    def third(path: Path) -> bool:
        nonlocal times
        times += path.name == "last.safetensors"
        return times > 2

    with pytest.MonkeyPatch.context() as patch:
        full(patch, third)
        outcome = shell("train", "reviews.csv", "epochs=4", *SMALL, "--output", "run")
    assert outcome.status == 2
    assert "the disk is full; last.safetensors is still the one before" in outcome.err
    kept = shell.folder / "run" / "checkpoints"
    assert list(kept.glob(".*.part")) == []
    assert checkpoint.read(kept / "last.safetensors")[1]["moment"]["epoch"] == 3
    assert "Epoch 4/4" in shell.done("resume", "run")
    assert Run(shell.folder / "run").finished


@pytest.mark.parametrize("file", ["recipe.yaml", "task.json", "history.jsonl"])
def test_a_disk_that_is_full_from_the_start_leaves_no_folder(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    full(monkeypatch, lambda path: path.name == file)
    message = shell.refuses("train", "reviews.csv", *QUICK, "--output", "run")
    assert message == f"could not write run/{file}: the disk is full"


# ---- Predicting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "stdin", "told"),
    [
        ([], b"", "nothing to predict: give texts as arguments, --input FILE, or lines on standard input"),
        ([], b"\n \n", "nothing to predict"),
        ([""], b"", "nothing to predict"),
        ([], b"fine\ncaf\xe9\n", "standard input, line 2: byte 8 (0xE9) is not utf-8. cp1252 fits"),
        ([], "café".encode("utf-16"), "standard input, line 1: byte 0 (0xFF) is not utf-8. utf-16 fits"),
        ([], b"\x89PNG\r\n\x1a\n", "standard input: expected text, found a PNG picture"),
        (["caf\udce9"], b"", "is not UTF-8"),
        (["x", "--input", "reviews.csv"], b"", "give texts or --input, not both"),
        (["x", "--encoding", "cp1252"], b"", "--encoding would have no effect"),
        (["--input", "nothere.txt"], b"", "nothere.txt: no such file"),
        (["--input", "other.csv"], b"", 'other.csv: no column "review" of text. Columns: a, b'),
        (["--input", "latin.txt"], b"", "give --encoding cp1252"),
        (["x", "--output", "reviews.csv"], b"", "--output reviews.csv exists already"),
        (["x", "--output", "answers.xlsx"], b"", 'no kind of output file ".xlsx"'),
        (["x", "--output", "reviews.csv/answers.csv"], b"", "could not write reviews.csv/answers.csv"),
    ],
)
def test_a_bad_question(shell: Shell, run: Path, words: list[str], stdin: bytes, told: str) -> None:
    shell.write("other.csv", "a,b\n1,2\n")
    shell.write("latin.txt", b"caf\xe9\n")
    assert told in shell.refuses("predict", "run", *words, stdin=stdin)


def test_questions_in_every_way(shell: Shell, run: Path) -> None:
    shell.write("texts.txt", "a wonderful film\na dull one\n")
    shell.write("latin.txt", b"a wonderful caf\xe9\n")
    typed = shell.done("predict", "run", "a wonderful film", "a dull one")
    assert shell.done("predict", "run", "--input", "texts.txt") == typed
    assert shell.done("predict", "run", stdin=b"a wonderful film\r\na dull one") == typed
    assert "café" in shell.done("predict", "run", "--input", "latin.txt", "--encoding", "cp1252")
    assert "café" in shell.done("predict", "run", "--encoding", "cp1252", stdin=b"caf\xe9")
    assert shell("predict", "run", "x", "--output", "answers.csv").err == "1 prediction in answers.csv\n"
    assert (shell.folder / "answers.csv").read_text().startswith("input,prediction,probability of bad,")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("review,stars\na film,superb\n", 'the label "superb" stands only in'),
        ("review,stars\n", "no rows, only a header"),
        ("text,label\na,b\n", 'no column "review". Columns: text, label.'),
    ],
)
def test_a_bad_file_to_be_scored(shell: Shell, run: Path, content: str, told: str) -> None:
    shell.write("more.csv", content)
    assert told in shell.refuses("evaluate", "run", "--input", "more.csv")


def test_scores_say_of_how_many_examples(shell: Shell, run: Path) -> None:
    shell.write("more.csv", "review,stars\na wonderful film,good\n")
    assert "work/run on more.csv (1 example)\n" in shell.done("evaluate", "run", "--input", "more.csv")
    assert "(24 examples)" in shell.done("evaluate", "run")


# ---- Interruptions and terminals ------------------------------------------------------------------------------------


def test_a_reader_that_has_gone(shell: Shell, run: Path) -> None:
    outcome = shell("predict", "run", "a film", screen=Closed())
    assert (outcome.status, outcome.err) == (141, "")
    assert shell("train", "reviews.csv", *QUICK, screen=Closed()).status == 141
    assert not (shell.folder / "runs").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="head is a Unix program")
def test_a_real_pipe(shell: Shell, run: Path) -> None:
    shell.write("texts.txt", "a film\n" * 20_000)
    command = f"set -o pipefail; {shlex.quote(sys.executable)} -m lstmlab predict run --input texts.txt | head -1"
    told = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (141, "")
    assert len(told.stdout.splitlines()) == 1


def test_an_interrupt_while_the_data_is_read(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("lstmlab.data.datasets.files.corpus", interrupted)
    outcome = shell("train", "reviews.csv", *QUICK)
    assert outcome.status == 130
    assert outcome.err.strip() == "lstmlab: stopped"
    assert not (shell.folder / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_training_keeps_a_checkpoint(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")
    step = loop.Training._step

    def interrupted(training: loop.Training, *rest: object) -> None:
        step(training, *rest)  # type: ignore[arg-type]
        if training.moment.step == 9:
            signal.raise_signal(number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Training, "_step", interrupted)
        outcome = shell("train", "reviews.csv", "epochs=3", *SMALL, "--output", "run")
    assert outcome.status == 128 + number
    assert outcome.out.rstrip().endswith("resume run")
    kept = checkpoint.read(shell.folder / "run" / "checkpoints" / "last.safetensors")[1]
    assert kept["moment"]["step"] == 9
    assert "Epoch 3/3" in shell.done("resume", "run")


@pytest.mark.slow
def test_foreign_text_commands_no_terminal(shell: Shell) -> None:
    table = "review,st\x1b[31mars\n" + "".join(
        f"\x1b[2J{text} [bold]x[/bold],go\x1b]0;title\x07od{'' if label == 'good' else 'b'}\n" for text, label in rows()
    )
    name = "\x1b[31m[red]mine.csv"
    shell.write(name, table)
    said = [
        shell("train", name, *QUICK),
        shell("train", name, "text=\x1b[31mreview", "label=x"),
        shell("predict", "-mine".strip("-"), "\x1b[2J hello"),
        shell("data", "check", name),
        shell("new", name, "--output", "\x1b[32mmine.yaml"),
        shell("runs"),
        shell("explain", "curves"),
        shell("report"),
        shell("evaluate", "--input", name),
        shell("train", "\x1b[31mnothere.csv"),
        shell("tr\x1b[31main"),
        shell("train", "sine", "--\x1b[31mx"),
        shell("train", "sine", "\x1b[31m=3"),
    ]
    assert [found for outcome in said for found in CONTROL.findall(outcome.out + outcome.err)] == []
    assert "[bold]x[/bold]" in said[0].out
    assert "\\x1b[31m[red]mine.csv" in said[0].out
    (folder,) = (shell.folder / "runs").iterdir()
    assert re.fullmatch(r"[\w -]+", folder.name)


def test_a_terminal_that_knows_ascii_only(shell: Shell, run: Path) -> None:
    outcome = shell("predict", "run", "café", screen=Stream(encoding="ascii"))
    assert outcome.status == 0
    assert "caf\\xe9" in outcome.out


def test_errors_of_the_system_are_told(shell: Shell, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(error: Exception) -> Outcome:
        def raising(*args: object) -> None:
            raise error

        monkeypatch.setattr("lstmlab.cli.use.answer_line", raising)
        return shell("predict", "run", "x")

    assert fail(OSError(errno.ENOSPC, "x")).err == "lstmlab: the disk is full\n"
    assert fail(PermissionError(errno.EACCES, "Permission denied", "a.b")).err == "lstmlab: a.b: Permission denied\n"
    assert "out of memory" in fail(MemoryError()).err
    assert "tokens=" in fail(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")).err
    # Our own defects keep their traceback.
    with pytest.raises(RuntimeError, match="a defect"):
        fail(RuntimeError("a defect"))


def test_settings_of_a_named_set_are_refused_by_data_check(shell: Shell) -> None:
    outcome = shell("data", "check", "parity", "count=50")
    assert outcome.status == 2
    assert "count would have no effect" in outcome.err


# ---- Forecasts ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def foretold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of a forecaster beside its data, to copy from."""
    folder = tmp_path_factory.mktemp("foretold")
    days = (f"2024-{1 + day // 28:02}-{1 + day % 28:02},{day % 7}\n" for day in range(84))
    (folder / "days.csv").write_text("day,y\n" + "".join(days), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lstmlab.api.Result.report", lambda _: {})
        patch.chdir(folder)
        words = ["path=days.csv", "target=y", "window=6", "horizon=3", "strategy=direct", "epochs=1", "hidden_size=4"]
        Shell(folder).done("train", "forecasting", *words, "--output", "run")
    return folder


@pytest.fixture
def forecaster(foretold: Path, shell: Shell) -> Path:
    """A finished forecaster in the shell's folder, named `run`, and its data."""
    shutil.copytree(foretold, shell.folder, dirs_exist_ok=True)
    return shell.folder / "run"


@pytest.mark.slow
@pytest.mark.parametrize("stdin", [b"", b"\n", b" \n\n"])
def test_a_forecaster_goes_on_after_its_data_when_nothing_is_asked(
    shell: Shell, forecaster: Path, stdin: bytes
) -> None:
    said = shell.done("predict", "run", stdin=stdin)
    assert said == shell.done("predict", "run", "--horizon", "3")
    assert [line.split()[0] for line in said.splitlines()[2:]] == ["85", "86", "87"]


@pytest.mark.slow
def test_a_forecaster_answers_numbers_on_standard_input(shell: Shell, forecaster: Path) -> None:
    typed = shell.done("predict", "run", "0 1 2 3 4 5", "6 0 1 2 3 4")
    assert shell.done("predict", "run", stdin=b"0 1 2 3 4 5\n6,0,1,2,3,4") == typed
    shell.write("windows.txt", "0 1 2 3 4 5\n6 0 1 2 3 4\n")
    assert shell.done("predict", "run", "--input", "windows.txt") == typed
    assert "standard input, line 1: expected numbers" in shell.refuses("predict", "run", stdin=b"up\n")
    assert "nothing to predict" in shell.refuses("predict", "run", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--encoding", "cp1252"], "--encoding would have no effect"),
        (["--horizon", "3", "--encoding", "cp1252"], "--encoding would have no effect"),
        (["--beam", "3"], "--beam would have no effect"),
        (["--horizon", "3", "--beam", "3"], "--beam would have no effect"),
    ],
)
def test_options_a_forecast_has_no_use_for(shell: Shell, forecaster: Path, words: list[str], told: str) -> None:
    assert told in shell.refuses("predict", "run", *words)


def unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three steps the first is foretold, the others are no numbers."""
    values = ((1.25,), (None,), (float("nan"),))
    after = SimpleNamespace(
        series="", targets=("y",), times=("85", "86", "87"), values=values, quantiles={"0.1": values, "0.9": values}
    )
    monkeypatch.setattr("lstmlab.api.Result.forecast", lambda *_, **__: [after])


@pytest.mark.slow
def test_a_forecast_that_is_no_number_is_a_dash(
    shell: Shell, forecaster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown(monkeypatch)
    rows = [line.split() for line in shell.done("predict", "run", "--horizon", "3").splitlines()[2:]]
    assert rows == [["85", "1.25", "1.25", "1.25"], ["86", "–", "–", "–"], ["87", "–", "–", "–"]]
    for ending in ("csv", "jsonl", "txt"):
        shell.done("predict", "run", "--horizon", "3", "--output", f"answers.{ending}")
    assert (shell.folder / "answers.csv").read_text().splitlines()[1:] == ["85,1.25,1.25,1.25", "86,,,", "87,,,"]
    lines = (shell.folder / "answers.jsonl").read_text().splitlines()
    assert json.loads(lines[2], parse_constant=pytest.fail) == {
        "time": "87", "forecast": None, "forecast q0.1": None, "forecast q0.9": None
    }  # fmt: skip
    assert (shell.folder / "answers.txt").read_text().splitlines()[2] == "86\t\t\t"


def test_a_typed_window_whose_forecast_is_no_number() -> None:
    assert answer_line([1.0], {"prediction": [1.25, None, float("nan")]}) == "1.25 – –"
