"""Where a notebook's data comes from: a named set's address and checksum, or a file beside the notebook."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lstmlab.data.contents import read_text
from lstmlab.data.datasets import pair_tables
from lstmlab.data.datasets.entry import NamedSet
from lstmlab.data.load import DataSettings
from lstmlab.data.parts import PartedData
from lstmlab.notebook.layers import unwritten


def named_facts(chosen: NamedSet) -> dict[str, Any]:
    """A named set as the notebook tells of it and fetches it."""
    remotes = []
    for remote in chosen.files.layouts[0]:
        method, checksum = remote.pin
        remotes.append({"name": remote.name, "address": remote.address, "checksum": f"{method}:{checksum}"})
    packed = [(one.name, *one.pin) for layout in chosen.files.layouts[1:] for one in layout]
    return {
        "named": True,
        "packed": [{"name": name, "checksum": f"{method}:{checksum}"} for name, method, checksum in packed],
        "about": chosen.about,
        "citation": chosen.citation,
        "homepage": chosen.homepage,
        "licence": chosen.files.licence,
        "folder": chosen.files.folder,
        "remotes": remotes,
        "pinned": chosen.frozen,
        "browser": any(remote.browser for layout in chosen.files.layouts for remote in layout),
        "parts": chosen.parts,
    }


def imports(source: Mapping[str, Any], names: Iterable[str], froms: Sequence[str] = ()) -> list[str]:
    """What a notebook imports of Python's own library: `names`, what its source needs, and `froms`."""
    fetching = ("hashlib", "os", "urllib.request") if source["named"] else ()
    reading = {"table": ("csv",), "lines": ("json",)}.get(str(source.get("kind")), ())
    paths = [] if source.get("made") else ["from pathlib import Path"]
    return [f"import {name}" for name in sorted({"math", *names, *fetching, *reading})] + [*froms, *paths]


def encoding(data: Any) -> str:
    """How one's own files are decoded: of UTF-8 a mark at the beginning is no text."""
    return "utf-8-sig" if data.encoding.lower() in ("utf-8", "utf8") else str(data.encoding)


def part_facts(data: PartedData, parts: Sequence[str], tested: int, most: int | None) -> dict[str, Any]:
    """How a notebook parts its data as the run does: `parts` are there already. With `most`, for a quick look, about so
    many of the `tested` examples are scored."""
    told = {name: getattr(data, name) for name in ("test_fraction", "valid_fraction", "limit")}
    told |= {f"splits_{part}": part not in parts for part in ("test", "valid")}
    told["splits"] = told["splits_test"] or told["splits_valid"]
    told["draws"] = told["splits"] or data.limit is not None
    return {**told, "test_step": 1 if most is None else max(tested // most, 1)}


def label_parts(data: DataSettings, parts: Sequence[str], tested: int, most: int | None, what: str) -> dict[str, Any]:
    """`part_facts` of `what` has labels, which keep their shares in every part; and a sentence that says so."""
    told = part_facts(data, parts, tested, most)
    folds = data.folds if told["splits_test"] else None
    sentences = []
    if folds is not None:
        sentences.append(f"the {what} are dealt out over {folds} folds, of which number {data.fold} is for testing")
    elif told["splits_test"]:
        sentences.append(f"{data.test_fraction:.0%} of the {what} are set aside for testing")
    if told["splits_valid"]:
        sentences.append(f"{data.valid_fraction:.0%} of the training part for validation")
    parted = f"Here {' and '.join(sentences)}, with every label in proportion." if sentences else ""
    return {**told, "folds": folds, "fold": data.fold, "parted": parted}


def own_files(data: PartedData) -> dict[str, Any]:
    """One's own files, which will stand beside the notebook. Raises InputError for two of one name."""
    files = data.files()
    others = [(part, file.name) for part, file in files.items() if part != "train"]
    if len({file.name for file in files.values()}) < len(files):
        raise unwritten(f"parts in files that are all called {files['train'].name}", "files of different names")
    return {
        "named": False,
        "file": files["train"].name,
        "others": others,
        "more": "".join(f', "{part}": read({part.upper()}_FILE)' for part, _ in others),
        "parts": tuple(files),
        "encoding": encoding(data),
    }


def table_facts(data: PartedData) -> dict[str, Any]:
    """One's own tables. Raises InputError for a format that plain Python does not read."""
    told, files = own_files(data), data.files()
    kind = _kind(files["train"])
    if any(_kind(file) != kind for file in files.values()):
        raise unwritten("parts in files of different formats", "files of one format")
    dialect = _dialect(files["train"], data.encoding) if kind == "table" else {}
    return {**told, "kind": kind, "delimiter": _code(dialect)}


def rows(file: Path, data: PartedData) -> list[dict[str, Any]]:
    """The rows of one's own table as the notebook reads them."""
    text = read_text(file, encoding=data.encoding)
    if _kind(file) == "lines":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return list(csv.DictReader(io.StringIO(text, newline=""), **_dialect(file, data.encoding)))


def _kind(file: Path) -> str:
    ending = file.suffix.lower()
    if ending in (".csv", ".tsv", ".tab"):
        return "table"
    if ending in (".jsonl", ".ndjson"):
        return "lines"
    raise unwritten(f"data in {file.name}", "a .csv, .tsv or .jsonl file")


def _dialect(file: Path, encoding: str) -> dict[str, Any]:
    """What csv.DictReader has to be told of the delimiter, as `files.read_table` finds it."""
    if file.suffix.lower() != ".csv":
        return {"delimiter": "\t", "quoting": csv.QUOTE_NONE}
    head = read_text(file, encoding=encoding).partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    return {} if delimiter == "," else {"delimiter": delimiter}


def _code(dialect: Mapping[str, Any]) -> str:
    """The same as Python behind a first argument."""
    told = f", delimiter={dialect['delimiter']!r}".replace("'", '"') if dialect else ""
    return told + ", quoting=csv.QUOTE_NONE" * ("quoting" in dialect)


def pair_facts(data: Any) -> dict[str, Any]:
    """One's own table of pairs. Raises InputError for a format that plain Python does not read."""
    if data.path is None or Path(data.path).is_dir():
        raise unwritten("two aligned files", "one table with a column for each side (data.path=FILE.tsv)")
    told, path = own_files(data), data.files()["train"]
    if path.suffix.lower() not in (".csv", ".tsv", ".tab", ".txt"):
        raise unwritten(f"data in {path.name}", "a .csv or .tsv file")
    lines = [line for line in read_text(path, encoding=data.encoding).split("\n") if line.strip()]
    table = pair_tables.read(path, data.source, data.target, encoding=data.encoding)
    if pair_tables.tabbed(path) and len(table) == len(lines):  # no line of names
        places = [int(name) - 1 if name else place for place, name in enumerate((data.source, data.target))]
        return {**told, "kind": "columns", "source_at": places[0], "target_at": places[1]}
    delimiter = _code(_dialect(path, data.encoding))
    names = {"source": data.source or "source", "target": data.target or "target"}
    return {**told, "kind": "table", **names, "delimiter": delimiter}
