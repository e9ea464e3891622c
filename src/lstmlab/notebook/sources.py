"""Where a notebook's data comes from: a named set's address and checksum, or a file beside the notebook."""

from pathlib import Path
from typing import Any

from lstmlab.data.contents import read_text
from lstmlab.data.datasets import pair_tables
from lstmlab.data.datasets.entry import NamedSet
from lstmlab.data.parts import PartedData
from lstmlab.notebook.layers import unwritten


def named_facts(chosen: NamedSet) -> dict[str, Any]:
    """A named set as the notebook tells of it and fetches it."""
    remotes = []
    for remote in chosen.files.layouts[0]:
        method, checksum = remote.pin
        remotes.append({"name": remote.name, "address": remote.address, "checksum": f"{method}:{checksum}"})
    return {
        "named": True,
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


def table_facts(data: Any) -> dict[str, Any]:
    """One's own table of texts and labels. Raises InputError for a format that plain Python does not read."""
    parted: PartedData = data
    files = parted.files()
    kind = _kind(files["train"])
    others = [(part, file.name) for part, file in files.items() if part != "train"]
    for _, name in others:
        if _kind(Path(name)) != kind:
            raise unwritten("parts in files of different formats", "files of one format")
    return {
        "kind": kind,
        "named": False,
        "file": files["train"].name,
        "others": others,
        "more": "".join(f', "{part}": read({part.upper()}_FILE)' for part, _ in others),
        "parts": tuple(files),
        "text": data.text,
        "label": data.label,
        "encoding": "utf-8-sig" if parted.encoding.lower() in ("utf-8", "utf8") else parted.encoding,
        "delimiter": _delimiter(files["train"], parted.encoding) if kind == "table" else "",
    }


def _kind(file: Path) -> str:
    ending = file.suffix.lower()
    if ending in (".csv", ".tsv", ".tab"):
        return "table"
    if ending in (".jsonl", ".ndjson"):
        return "lines"
    raise unwritten(f"data in {file.name}", "a .csv, .tsv or .jsonl file")


def _delimiter(file: Path, encoding: str) -> str:
    """How csv.DictReader has to be told of the delimiter: as `files.read_table` finds it."""
    if file.suffix.lower() != ".csv":
        return ', delimiter="\\t", quoting=csv.QUOTE_NONE'
    head = read_text(file, encoding=encoding).partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    return "" if delimiter == "," else f", delimiter={delimiter!r}".replace("'", '"')


def pair_facts(data: Any) -> dict[str, Any]:
    """One's own table of pairs. Raises InputError for a format that plain Python does not read."""
    if data.path is None or Path(data.path).is_dir():
        raise unwritten("two aligned files", "one table with a column for each side (data.path=FILE.tsv)")
    files = data.files()
    path, others = files["train"], [(part, file.name) for part, file in files.items() if part != "train"]
    ending = path.suffix.lower()
    if ending not in (".csv", ".tsv", ".tab", ".txt"):
        raise unwritten(f"data in {path.name}", "a .csv or .tsv file")
    told = {
        "named": False,
        "file": path.name,
        "others": others,
        "more": "".join(f', "{part}": read({part.upper()}_FILE)' for part, _ in others),
        "parts": tuple(files),
        "encoding": "utf-8-sig" if data.encoding.lower() in ("utf-8", "utf8") else data.encoding,
    }
    lines = [line for line in read_text(path, encoding=data.encoding).split("\n") if line.strip()]
    table = pair_tables.read(path, data.source, data.target, encoding=data.encoding)
    if pair_tables.tabbed(path) and len(table) == len(lines):  # no line of names
        places = [int(name) - 1 if name else place for place, name in enumerate((data.source, data.target))]
        return {**told, "kind": "columns", "source_at": places[0], "target_at": places[1]}
    delimiter = _delimiter(path, data.encoding)
    names = {"source": data.source or "source", "target": data.target or "target"}
    return {**told, "kind": "table", **names, "delimiter": delimiter}
