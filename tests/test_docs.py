"""The guide: it builds without a warning, nothing in it points nowhere, its commands parse, its Python runs."""

import os
import re
import shlex
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer

from lstmlab import request
from lstmlab.analysis import ANALYSES
from lstmlab.catalogue import read_recipe, recipe_names, study_names
from lstmlab.cli import app, cells, chat, compare, data, doctor, explore, handin, learn, notebooks, use  # noqa: F401
from lstmlab.recipe import parse_overrides

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {str(path.relative_to(DOCS)): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
CONCEPTS = [name for name in PAGES if name.startswith("concepts")]
LARGEST = 2_000_000
"""Bytes of all pages and pictures together."""
UNREPORTED = "import lstmlab.api\n\nlstmlab.api.Result.report = lambda _: {}\n"
"""To draw a report takes longer than all that the pages train."""


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a page that are marked with this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands() -> list[tuple[str, str]]:
    """Page and line of every command: in blocks for a shell, and between backticks."""
    found = []
    for name, text in PAGES.items():
        lines = [line.strip() for block in blocks(text, "sh") for line in block.replace("\\\n", " ").splitlines()]
        lines += re.findall(
            r"`(lstmlab [a-z][^`\n]*|python -m [^`\n]*)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
        )
        found += [(name, line) for line in lines if line and not line.startswith("#")]
    return found


COMMANDS = commands()
OURS = sorted({line for _, line in COMMANDS if line.startswith("lstmlab ")})

MINE = next(block for block in blocks(PAGES["extending.md"], "python") if "DAMPED" in block)
"""The cell of one's own that the guide writes."""

# ---- Pages ----------------------------------------------------------------------------------------------------------


class Pointers(HTMLParser):
    """What a page points to, and the names in it that can be pointed to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.names: set[str] = set()
        self.undescribed: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.names |= {value for key in ("id", "name") if (value := given.get(key))}
        self.targets += [value for key in ("href", "src") if (value := given.get(key))]
        if tag == "img" and not given.get("alt"):
            self.undescribed.append(str(given.get("src")))


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_points_nowhere_in_vain(tmp_path: Path) -> None:
    site = tmp_path / "site"
    words = ["-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", str(tmp_path / "trees")]
    told = subprocess.run([sys.executable, *words, DOCS, site], capture_output=True, text=True, timeout=300)
    assert (told.returncode, told.stderr) == (0, "")
    pages = {path: Pointers(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    assert {f"{Path(name).with_suffix('')}.html" for name in PAGES} <= {str(path.relative_to(site)) for path in pages}
    lost = []
    for path, page in pages.items():
        for target in page.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages[there].names if there in pages else set()
            if not there.exists() or (parts.fragment and there in pages and unquote(parts.fragment) not in known):
                lost.append(f"{path.relative_to(site)} → {target}")
    assert lost == []
    assert [name for page in pages.values() for name in page.undescribed] == []


def test_every_picture_is_used_and_all_of_it_is_small() -> None:
    text = "\n".join(PAGES.values())
    pictures = [path for path in (DOCS / "figures").iterdir() if path.suffix in (".svg", ".png")]
    assert [path.name for path in pictures if f"figures/{path.name})" not in text] == []
    assert sum(path.stat().st_size for path in DOCS.rglob("*") if path.is_file()) < LARGEST


@pytest.mark.parametrize("name", CONCEPTS)
def test_a_concept_says_how_to_measure_it(name: str) -> None:
    assert [line for page, line in COMMANDS if page == name and line.startswith(("lstmlab ", "python -m benchmarks"))]


@pytest.mark.parametrize("name", PAGES)
def test_files_that_a_page_names_are_there_and_no_machine_is(name: str) -> None:
    text = PAGES[name]
    named = {path.rstrip("/.") for path in re.findall(r"`((?:src|tests|benchmarks|docs)/[\w./-]+)`", text)}
    assert {path for path in named if not (ROOT / path).exists()} == set()
    assert re.findall(r"(?<![\w./`])/(?:work|tmp|home|root|opt)/\S*", text) == []


# ---- Commands -------------------------------------------------------------------------------------------------------


def test_the_guide_shows_commands_that_exist_elsewhere_too() -> None:
    assert OURS
    for name, line in COMMANDS:
        words = shlex.split(line, comments=True)
        if words[:2] == ["python", "-m"] and words[2].startswith("benchmarks"):
            path = ROOT / words[2].replace(".", "/")
            assert path.is_dir() or path.with_suffix(".py").is_file(), f"{name}: {line}"
        elif words[0] == "make":
            assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), f"{name}: {line}"


@pytest.mark.parametrize("line", OURS)
def test_a_command_of_the_guide_parses(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command and options exist; recipes, arms, settings and analyses, where it names them, assemble."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)
    words = shlex.split(line, comments=True)[1:]
    if any("…" in word or "<" in word for word in words):
        return
    command, called = typer.main.get_command(app), "lstmlab"
    while getattr(command, "commands", None) and words:
        called = f"{called} {words[0]}"
        assert words[0] in command.commands, f"there is no command {called}"
        command, words = command.commands[words[0]], words[1:]
    assert called != "lstmlab" or words[0].startswith("--")
    if not words:
        return
    with command.make_context(called, list(words)) as context:
        given = context.params
        if called == "lstmlab train" and not request.is_data(given["what"]):
            request.assemble(given["what"], parse_overrides(given["changes"] or []))
        if called == "lstmlab compare":
            arms_assemble(words)
        if called == "lstmlab explain" and given["what"]:
            assert given["what"] in ANALYSES
            assert given["run"] in recipe_names()


def arms_assemble(words: list[str]) -> None:
    """Every arm that `lstmlab compare …` would train is a recipe; a study that is named exists."""
    what, plain, arms, at = words[0], [], [], 1
    if what not in recipe_names():
        assert what in study_names() or "/" in what
        return
    while at < len(words):
        if words[at] == "--over":
            key, _, values = words[at + 1].partition("=")
            arms += [[f"{key}={value}"] for value in values.split(",")]
        elif words[at] == "--arm":
            arms.append(words[at + 1].partition(":")[2].split())
        elif not words[at].startswith("--"):
            plain.append(words[at])
        at += 2 if words[at].startswith("--") and words[at] != "--match-parameters" else 1
    for arm in arms:
        request.assemble(what, parse_overrides([*plain, *arm]))
    assert read_recipe(what)


# ---- Python ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, text in PAGES.items() if blocks(text, "python")])
def test_the_python_of_a_page_runs(name: str, tmp_path: Path) -> None:
    """All of it from top to bottom, in a process and a folder of its own."""
    script = tmp_path / "page.py"
    script.write_text("\n".join([UNREPORTED, *blocks(PAGES[name], "python")]), encoding="utf-8")
    told = subprocess.run(
        [sys.executable, "-W", "error", script.name],
        cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr[-2000:]
