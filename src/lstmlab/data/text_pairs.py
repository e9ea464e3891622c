"""From the `data` block of a recipe to pairs of texts with a judgment: a label, or a score.

Parts that are missing are split off with the labels in proportion, pairs with a text in common together where that can
be: a premise whose other pairs were trained on is half known, and a pair read the other way round wholly.
"""

from pathlib import Path

import polars as pl

from lstmlab.data import cache, grouping, matching
from lstmlab.data.corpus import Corpus, Dataset, Source, limited
from lstmlab.data.datasets import files, judged, named
from lstmlab.data.load import Watch
from lstmlab.data.parts import PartedData
from lstmlab.errors import InputError

BETWEEN = ("\t", "|||")
"""What may stand between the two texts of a pair on one line."""
SCORE = "relatedness"
"""The column of a named set that holds its scores."""


class TextPairData(PartedData):
    """Which pairs of texts to learn from, and how they are parted. One's own are tables: CSV, TSV, JSONL, Parquet."""

    first: str | None = None
    """The column of the first texts; known by names such as sentence_A, premise, question1 where not given."""
    second: str | None = None
    """The column of the second texts; likewise."""
    label: str | None = None
    """The column of what is said of a pair; likewise."""
    graded: bool = False
    """Whether that is a score (how related, how alike) instead of a label."""
    symmetric: bool | tuple[str, ...] = False
    """What holds the other way round as well: labels such as [contradiction], or true for every label or score.
    Training reads such pairs in either order, by chance."""

    def idle(self) -> dict[str, str]:
        """What a named set leaves without effect."""
        reasons = super().idle()
        if self.name is not None:
            told = f"it names a column of one's own file; data.name is {self.name}"
            reasons |= dict.fromkeys(("first", "second", "label"), told)
        return reasons

    @property
    def columns(self) -> tuple[str | None, str | None, str | None]:
        """The columns that were named."""
        return self.first, self.second, self.label


def load_text_pairs(settings: TextPairData, seed: int, watch: Watch = Watch()) -> Dataset:
    """The parts a recipe names, each with inputs (two texts) and target (a label, or a number where graded).

    Raises InputError for every fault of file, row, column or name.
    """
    tables, source = _read_named(settings, watch) if settings.name is not None else _read_own(settings, watch)
    steps = []
    if "test" not in tables:
        tables["train"], tables["test"], told = _split(tables["train"], settings.test_fraction, seed, settings)
        steps.append(f"{len(tables['test']):,} pairs split off for testing, {told}, seed {seed}.")
    if settings.limit is not None and settings.limit < len(tables["train"]):
        tables["train"] = limited(Corpus.of(tables["train"]), settings.limit, seed).frame
        steps.append(f"Training part limited to {len(tables['train']):,} pairs, seed {seed}.")
    if "valid" not in tables:
        tables["train"], tables["valid"], told = _split(tables["train"], settings.valid_fraction, seed, settings)
        steps.append(f"{len(tables['valid']):,} training pairs split off for validation, {told}, seed {seed}.")
    train, valid, test = (Corpus.of(tables[part]) for part in ("train", "valid", "test"))
    return Dataset(train, valid, test, source.then(*steps))


def read_file(
    settings: TextPairData, file: Path, *, judged_too: bool = True, encoding: str | None = None
) -> tuple[pl.DataFrame, list[str]]:
    """One more file with the columns of `settings`; without judgments where they are not asked for."""
    return judged.read_judged(
        file,
        settings.columns,
        graded=settings.graded,
        judged=judged_too,
        encoding=encoding or settings.encoding,
    )


def read_inputs(settings: TextPairData, file: Path, *, encoding: str | None = None) -> list[list[str]]:
    """The pairs of a table, one for each of its rows. Raises InputError where a side is empty: it has no answer."""
    frame, where = files.read_table(file, encoding=encoding or settings.encoding), str(file)
    chosen = judged.columns(frame, where, settings.columns, graded=settings.graded, judged=False)
    first, second, empty = judged.texts(frame, chosen, where)
    if empty.any():
        row = int(empty.arg_true()[0])
        others = f" and {int(empty.sum()) - 1:,} more" if empty.sum() > 1 else ""
        raise InputError(f"{where}, row {row + 1}{others}: a side of the pair is empty. Fill it in or remove the row")
    return [list(pair) for pair in zip(first, second, strict=True)]


def parted(line: str, where: str) -> list[str]:
    """The two texts on a line. Raises InputError for any other number of them, and for an empty one."""
    mark = next((mark for mark in BETWEEN if mark in line), None)
    sides = [side.strip() for side in line.split(mark)] if mark else [line]
    if len(sides) != 2:
        found = "an empty line" if not line.strip() else f"{len(sides)} text{'s' * (len(sides) > 1)}"
        expected = f"expected two texts with a tab or {BETWEEN[1]} between them"
        raise InputError(f"{where}: {expected}, got {found}: {line[:60]!r}")
    return list(matching.sound(sides, where))


def _read_named(settings: TextPairData, watch: Watch) -> tuple[dict[str, pl.DataFrame], Source]:
    name = str(settings.name)
    _, frames, source = named.open_for(
        name,
        "pairs",
        announce=watch.say,
        progress=lambda done, total: watch.progress(f"fetching {name}", done, total),
    )
    target = pl.col(SCORE if settings.graded else "target").alias("target")
    return {part: table.select("id", "inputs", target) for part, table in frames.items()}, source


def _read_own(settings: TextPairData, watch: Watch) -> tuple[dict[str, pl.DataFrame], Source]:
    given = settings.files()
    parts, steps = {}, []
    for part, file in given.items():
        watch.say(f"Reading {file}")
        parts[part], told = read_file(settings, file)
        steps += told
    path = given["train"]
    checksums = {part: cache.digest(file) for part, file in given.items()}
    source = Source(path.name, "files of one's own", address=str(path), checksums=checksums, steps=tuple(steps))
    return parts, source


def _split(
    table: pl.DataFrame, fraction: float, seed: int, settings: TextPairData
) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """The rest, about `fraction` (0 to 1) of the pairs, and how they were drawn."""
    # Scores are all different: they are drawn as if they were one label.
    kind = pl.lit(None, pl.String) if settings.graded else pl.col("target")
    rows = table.select("inputs", kind.alias("target")).with_row_index("at")
    rest, drawn, told = grouping.split_linked(rows, fraction, seed)
    labels = "" if settings.graded else ", labels in proportion as far as that allows"
    return table[rest["at"].to_numpy()], table[drawn["at"].to_numpy()], told + labels
