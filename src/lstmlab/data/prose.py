"""From the `data` block of a recipe to running text: a language model's training, validation and test part.

A part is its text line by line, in order: every line an example, its line end included, so that end to end they are the
text again. Nothing is drawn by chance: the first of it is for training, the next for validation, the last for testing.
"""

from pathlib import Path

import polars as pl
from pydantic import Field

from lstmlab.data import cache, contents
from lstmlab.data.corpus import Corpus, Dataset, Source
from lstmlab.data.datasets import named
from lstmlab.data.load import Watch
from lstmlab.data.parts import PartedData
from lstmlab.errors import InputError

LEAST = 100
"""Characters of the shortest text there is a language model for."""
LONGEST = 2000
"""Characters of the longest line that is one example; a longer one is several."""
ENDINGS = (".txt", ".text", ".md", ".tokens")
NEAR = 0.02
"""A cut moves to the end of a line, or to a blank, where that is this share of the text away at most."""


class ProseData(PartedData):
    """Which text to learn, and how it is parted. One's own is a text file, or a folder of them read in order of name.

    A text without parts of its own is cut by length: first the training part, then validation, then test.
    """

    limit: int | None = Field(default=None, gt=0)
    """Use only this many lines of the training text, from its beginning."""
    valid_fraction: float = Field(default=0.1, gt=0, lt=1)
    """Share of the whole text, before the test part, for validation where the data has no such part (0 to 1)."""
    test_fraction: float = Field(default=0.1, gt=0, lt=1)
    """Share of the whole text, at its end, for testing where the data has no such part (0 to 1)."""


def load_prose(settings: ProseData, watch: Watch = Watch()) -> Dataset:
    """The parts a recipe names. Raises InputError for every fault of file or name, and for a text that is too short."""
    texts, source = _read_named(settings, watch) if settings.name is not None else _read_own(settings, watch)
    parts, steps = _parted(texts, settings, source.name)
    found = {part: Corpus.of(lines(text, f"{part}/")) for part, text in parts.items()}
    if settings.limit is not None and settings.limit < len(found["train"]):
        found["train"] = Corpus.of(found["train"].frame.head(settings.limit))
        steps.append(f"Training part limited to its first {settings.limit:,} lines.")
    return Dataset(found["train"], found["valid"], found["test"], source.then(*steps))


def read_file(path: Path, encoding: str = "utf-8") -> Corpus:
    """The lines of one more file."""
    return Corpus.of(lines(_read(path, encoding)))


def lines(text: str, before: str = "") -> pl.DataFrame:
    """A text as a table: a row a line, its line end included. A line longer than LONGEST is several rows.

    A row's id is `before` and the line's number.
    """
    whole = text.split("\n")
    rows = [(f"{before}{number}", line + "\n") for number, line in enumerate(whole[:-1], 1)]
    if whole[-1]:
        rows.append((f"{before}{len(whole)}", whole[-1]))
    cut = [
        (f"{name}.{piece}" if piece else name, part) for name, line in rows for piece, part in enumerate(_pieces(line))
    ]
    schema = {"id": pl.String, "inputs": pl.String}
    return pl.DataFrame(cut, schema=schema, orient="row").with_columns(target=pl.lit(None, pl.String))


def _pieces(line: str) -> list[str]:
    """A line in pieces that end before a blank where there is one."""
    found, start = [], 0
    while len(line) - start > LONGEST:
        blank = line.rfind(" ", start + 1, start + LONGEST)
        end = blank if blank > 0 else start + LONGEST
        found.append(line[start:end])
        start = end
    return [*found, line[start:]]


def _read_named(settings: ProseData, watch: Watch) -> tuple[dict[str, str], Source]:
    name = str(settings.name)
    _, frames, source = named.open_for(
        name,
        "language-model",
        announce=watch.say,
        progress=lambda done, total: watch.progress(f"fetching {name}", done, total),
    )
    return {part: "".join(frame["inputs"].to_list()) for part, frame in frames.items()}, source


def _read_own(settings: ProseData, watch: Watch) -> tuple[dict[str, str], Source]:
    given = settings.files()
    texts: dict[str, str] = {}
    checksums: dict[str, str] = {}
    steps: list[str] = []
    for part, place in given.items():
        watch.say(f"Reading {place}")
        found = _files(place)
        texts[part] = _joined([_read(file, settings.encoding) for file in found])
        names = [f"{part}/{file.name}" if place.is_dir() else part for file in found]
        checksums |= {name: cache.digest(file) for name, file in zip(names, found, strict=True)}
        if len(found) > 1:
            steps.append(f"{part}: {len(found)} files were read one after the other, in order of name.")
    path = given["train"]
    return texts, Source(path.name, "files of one's own", str(path), checksums=checksums, steps=tuple(steps))


def _joined(texts: list[str]) -> str:
    """Texts one after the other: a last line without an end does not run on into the next text."""
    return "".join(text if text.endswith("\n") else f"{text}\n" for text in texts[:-1]) + texts[-1]


def _files(place: Path) -> list[Path]:
    """The file, or the text files of a folder by name."""
    if not place.is_dir():
        return [contents.existing_file(place)]
    found = sorted(file for file in place.iterdir() if file.is_file() and known(file))
    if not found:
        raise InputError(f"{place}: no text file in this folder; expected names that end in {', '.join(ENDINGS)}")
    return found


def known(path: Path) -> bool:
    """Whether a file is named as running text is."""
    return path.name.lower().removesuffix(".gz").endswith(ENDINGS)


def _read(path: Path, encoding: str) -> str:
    """A text whose lines end in a newline alone."""
    return contents.read_text(path, encoding=encoding).replace("\r\n", "\n").replace("\r", "\n")


def _parted(texts: dict[str, str], settings: ProseData, where: str) -> tuple[dict[str, str], list[str]]:
    """All three parts; what is missing is cut from the end of the training text, the test part last."""
    text, shares = texts["train"], {"valid": settings.valid_fraction, "test": settings.test_fraction}
    missing = [part for part in shares if part not in texts]
    if len(text.strip()) < LEAST:
        dialogue = f" (dialogues: lstmlab train dialogue path={settings.path})" if settings.path else ""
        raise InputError(
            f"{where}: {len(text.strip())} characters of text, and a language model needs {LEAST} at least{dialogue}"
        )
    if sum(shares[part] for part in missing) >= 1:
        raise InputError(
            "data.valid_fraction and data.test_fraction add up to 1 or more: nothing is left to learn from"
        )
    ends: list[int] = []
    left = 1.0
    for part in reversed(missing):
        left -= shares[part]
        ends.insert(0, _boundary(text, left))
    pieces = [text[start:stop] for start, stop in zip([0, *ends], [*ends, len(text)], strict=True)]
    found = {**texts, **dict(zip(["train", *missing], pieces, strict=True))}
    for part, own in found.items():
        if not own.strip():
            raise InputError(f"{where}: the {part} part is empty; give more text, or larger shares")
    steps = [
        f"Cut by length, in order: {', '.join(f'{part} {len(found[part]):,} characters' for part in found)}."
    ] * bool(missing)
    return {part: found[part] for part in ("train", "valid", "test")}, steps


def _boundary(text: str, share: float) -> int:
    """Where to cut so that about `share` of the text is before it: after a line, or before a blank, that is near."""
    wanted, most = round(share * len(text)), max(1, round(NEAR * len(text)))
    for mark, past in (("\n", 1), (" ", 0)):
        after = text.find(mark, wanted, wanted + most)
        if after >= 0:
            return after + past
    return wanted
