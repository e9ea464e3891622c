"""Runs a notebook's cells, so that the outputs it shows are those of the very code beside them."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lstmlab.data.load import Watch
from lstmlab.errors import InputError
from lstmlab.notebook.document import Cell, Output

WORKER = Path(__file__).with_name("worker.py")
MOST_TEXT = 20_000
"""Characters of one cell's text that are kept."""


def execute(
    cells: Sequence[Cell],
    environment: Mapping[str, str],
    files: Mapping[str, Path],
    watch: Watch = Watch(),
) -> list[Cell]:
    """The same cells with their outputs, run one after another in a Python without lstmlab.

    They stand in an empty folder that holds nothing but `files`, by name; `environment` is set besides our own. Raises
    InputError for a cell that fails, with what it said.
    """
    sources = [cell.source for cell in cells if cell.kind == "code"]
    outputs: dict[int, list[Output]] = {number: [] for number in range(1, len(sources) + 1)}
    at = 1
    for told in _told(sources, environment, files):
        if told["kind"] == "begin":
            at = told["cell"]
            watch.progress("running the cells", at, len(sources))
        elif told["kind"] == "error":
            raise InputError(_failed(told, sources[at - 1]))
        elif told["kind"] != "end":
            _add(outputs[at], told, watch.say)
    numbers = iter(range(1, len(sources) + 1))
    found = []
    for cell in cells:
        count = next(numbers) if cell.kind == "code" else None
        found.append(replace(cell, outputs=tuple(outputs[count]), count=count) if count else cell)
    return found


def _told(
    sources: Sequence[str], environment: Mapping[str, str], files: Mapping[str, Path]
) -> Iterator[dict[str, Any]]:
    """What the worker tells, line by line. Raises InputError where it ends without having said how."""
    # -I: neither the folder one stands in nor PYTHONPATH brings modules that a notebook would not have.
    command = [sys.executable, "-I", "-X", "utf8", str(WORKER)]
    with tempfile.TemporaryFile() as complaints, tempfile.TemporaryDirectory() as folder:
        for name, file in files.items():
            shutil.copyfile(file, Path(folder, name))
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            cwd=folder,
            env={**os.environ, **environment},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(list(sources)).encode())
            process.stdin.close()
            last: dict[str, Any] = {}
            for line in process.stdout:
                last = json.loads(line)
                yield last
            process.wait()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        if last.get("kind") not in ("end", "error"):
            complaints.seek(0)
            said = complaints.read()[-2000:].decode(errors="replace").strip()
            raise InputError(f"the notebook's Python ended with status {process.returncode}: {said or 'no word why'}")


def _add(outputs: list[Output], told: dict[str, Any], say: Callable[[str], None]) -> None:
    if told["kind"] == "stream":
        same = outputs and outputs[-1]["output_type"] == "stream" and outputs[-1]["name"] == told["name"]
        if not same:
            outputs.append({"output_type": "stream", "name": told["name"], "text": ""})
        before = outputs[-1]["text"].rpartition("\n")[2]
        for line in (before + told["text"]).split("\n")[:-1]:
            if line.strip():
                say(line)
        outputs[-1]["text"] = (outputs[-1]["text"] + told["text"])[:MOST_TEXT]
    elif told["kind"] == "result":
        outputs.append({"output_type": "execute_result", "metadata": {}, "data": {"text/plain": told["text"]}})
    elif told["kind"] == "figure":
        data = {"image/png": told["png"], "text/plain": "<a figure>"}
        outputs.append({"output_type": "display_data", "metadata": {}, "data": data})


def _failed(told: dict[str, Any], source: str) -> str:
    first = next((line for line in source.split("\n") if line.strip()), "")
    where = f"cell {told['cell']} of the notebook (it begins: {first[:60]})"
    return f"{where} stopped with {told['name']}: {told['text'][:500]}\nWrite it without running it: --no-run"
