"""Setting up: ranges and pins agree, and `make` says in one sentence what is missing."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): pin for name, pin in pairs}


@pytest.fixture(scope="module")
def ranges() -> list[Requirement]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = settings["project"]
    named = project["dependencies"] + project["optional-dependencies"]["dev"] + settings["build-system"]["requires"]
    return [Requirement(text) for text in named]


def test_every_range_admits_its_pin(ranges: list[Requirement], pins: dict[str, str]) -> None:
    pinned = {each: pins.get(canonicalize_name(each.name)) for each in ranges}
    assert [str(each) for each, pin in pinned.items() if pin is None or pin not in each.specifier] == []


@pytest.mark.skipif(not (ROOT / ".venv/.complete").exists(), reason="pins are installed by `make` only")
def test_all_that_is_installed_is_pinned(ranges: list[Requirement], pins: dict[str, str]) -> None:
    needed, new = set(), [each.name for each in ranges]
    while new:
        name = canonicalize_name(new.pop())
        if name in needed or name.startswith(("nvidia-", "cuda-", "triton")):
            continue  # torch's builds for CUDA pin what they bring
        try:
            parts = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue  # wanted on another system only
        needed.add(name)
        new += [part.name for part in parts if part.marker is None or part.marker.evaluate({"extra": ""})]
    installed = {name: version(name).partition("+")[0] for name in needed}
    assert {name: pin for name, pin in installed.items() if pins.get(name) != pin} == {}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("prelude", "sentence"),
    [
        (
            "sys.version_info = (3, 9, 2)",
            r"lstmlab needs Python 3\.11 to 3\.14, and .* is 3\.9\.2: .* make demo PYTHON=",
        ),
        ("sys.modules['ensurepip'] = None", r".* lacks its venv module: run: sudo apt install python3.\d+-venv, "),
    ],
)
def test_an_unsuitable_python_is_refused_in_one_sentence(tmp_path: Path, prelude: str, sentence: str) -> None:
    folder = tmp_path / "with a space"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    python = folder / "python"
    python.write_text(
        f'#!/bin/sh\nshift; code=$1; shift\nexec "{sys.executable}" -c "import sys; {prelude}\n$code" "$@"\n'
    )
    python.chmod(0o755)
    # The outer make's own settings would reach the inner one.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "demo", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("make")]
    assert done.returncode != 0
    assert len(said) == 1
    assert re.match(sentence, said[0])
    assert not (folder / ".venv").exists()
