"""Sequences of measurements with a label each: tables of one's own, and the named ones."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from lstmlab.data.corpus import Corpus
from lstmlab.data.datasets.entry import Frames, NamedSet, from_zip
from lstmlab.data.datasets.files import text_of
from lstmlab.data.datasets.numbers import numeric_share, to_numbers
from lstmlab.data.download import Remote
from lstmlab.data.fetch import Files
from lstmlab.errors import InputError, nearest


def corpus(frame: pl.DataFrame, sequence: str, label: str | None, where: str) -> Corpus:
    """A table with a row a step as one example a sequence, in the order in which they first appear.

    Raises InputError naming file, row and column, and for a sequence with two labels.
    """
    if label is None:
        raise InputError(f"{where}: which column is the label of a sequence? Give data.label=COLUMN")
    for key, name in (("sequence", sequence), ("label", label)):
        if name not in frame.columns:
            match = nearest(name, frame.columns)
            told = f" Did you mean {key}={match[0]}?" if match else ""
            raise InputError(f'{where}: no column "{name}" (data.{key}). Columns: {", ".join(frame.columns)}.{told}')
    names, labels = (text_of(frame[name]) for name in (sequence, label))
    if names is None or labels is None:
        raise InputError(f'{where}: the columns "{sequence}" and "{label}" have to hold text or numbers')
    names, labels = names.str.strip_chars(), labels.str.strip_chars()
    _refuse_blank(names, sequence, "no name of a sequence", where)
    _refuse_blank(labels, label, "no label", where)
    features = [name for name in frame.columns if name not in (sequence, label) and numeric_share(frame[name]) > 0.5]
    if not features:
        raise InputError(f"{where}: no column of numbers besides {sequence} and {label}")
    values = np.stack([to_numbers(frame[name], where) for name in features], 1)
    missing = np.argwhere(np.isnan(values))
    if len(missing):
        row, column = (int(one) for one in missing[0])
        raise InputError(f'{where}, row {row + 1}, column "{features[column]}": no value; {len(missing):,} in all')
    table = pl.DataFrame({"id": names, "target": labels}).with_row_index("at")
    grouped = table.group_by("id", maintain_order=True).agg("at", pl.col("target").unique(maintain_order=True))
    several = grouped.filter(pl.col("target").list.len() != 1)
    if len(several):
        name, _, found = several.row(0)
        raise InputError(f'{where}: sequence "{name}" has {len(found)} labels: {", ".join(map(str, found[:4]))}')
    rows = [(name, values[np.array(at)].tolist(), found[0]) for name, at, found in grouped.iter_rows()]
    return Corpus.of(_frame(rows))


def _refuse_blank(column: pl.Series, name: str, lacking: str, where: str) -> None:
    blank = (column.fill_null("") == "").arg_true()
    if len(blank):
        others = f" and {len(blank) - 1:,} more" if len(blank) > 1 else ""
        raise InputError(
            f'{where}, row {int(blank[0]) + 1}{others}: {lacking} in column "{name}". Fill it in or remove the row '
            "(rows are counted from 1, without the header)"
        )


def _frame(rows: list[tuple[str, list[list[float]], str]]) -> pl.DataFrame:
    names, inputs, targets = zip(*rows, strict=True)
    steps = pl.Series("inputs", inputs, dtype=pl.List(pl.List(pl.Float64)))
    return pl.DataFrame([pl.Series("id", names), steps, pl.Series("target", targets)])


# ---- The shelf

WAYS = {"1": "changes room", "-1": "stays"}


def read_indoor(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """A file of four signal strengths for each of 314 walks, and a file with what each walk did."""
    (path,) = paths.values()
    told = from_zip(path, ["dataset/MovementAAL_target.csv"])["dataset/MovementAAL_target.csv"]
    rows = [line.split(",") for line in told.decode("utf-8").splitlines() if line and line[0] != "#"]
    names = {number.strip(): f"dataset/MovementAAL_RSS_{number.strip()}.csv" for number, _ in rows}
    walks = from_zip(path, names.values())
    found = []
    for number, kind in rows:
        name = names[number.strip()]
        lines = [line for line in walks[name].decode("utf-8").splitlines() if line.strip() and line[0] != "#"]
        steps = [[float(cell) for cell in line.split(",")] for line in lines]
        found.append((number.strip(), steps, WAYS[kind.strip()]))
    return {"train": _frame(found)}, ("The labels 1 and -1 are called 'changes room' and 'stays'.",)


SEQUENCES = {
    "indoor-movement": NamedSet(
        "indoor-movement",
        "314 walks through offices as four radio signals saw them, by whether the walker changes room.",
        "classification",
        Files(
            "indoor-movement",
            (
                (
                    Remote(
                        "IndoorMovement.zip",
                        "https://raw.githubusercontent.com/jbrownlee/Datasets/master/IndoorMovement.zip",
                        sha256="c657ee8635275145b11c9e4ed3b4647b876f8acb638e61e7b1a6a18f27e0472a",
                        size=215_028,
                    ),
                ),
            ),
            licence="CC BY 4.0 (UCI data set 348)",
        ),
        read_indoor,
        "https://archive.ics.uci.edu/dataset/348",
        "Bacciu et al. 2014, An experimental characterization of reservoir computing in ambient assisted living (NCA)",
        ("train",),
        numeric=True,
    )
}
