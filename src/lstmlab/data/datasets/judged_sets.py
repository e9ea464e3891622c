"""The named sets of pairs of texts with a judgment: SICK, entailment and relatedness of sentences about pictures."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import polars as pl

from lstmlab.data.contents import read_text
from lstmlab.data.datasets.entry import Frames, NamedSet
from lstmlab.data.datasets.judged import Columns, table
from lstmlab.data.download import Remote
from lstmlab.data.fetch import Files
from lstmlab.errors import InputError

HEADER = ("pair_ID", "sentence_A", "sentence_B", "relatedness_score", "entailment_judgment")


def read_sick(paths: Mapping[str, Path], *, files: Mapping[str, str]) -> tuple[Frames, tuple[str, ...]]:
    """Five columns parted by tabs, a file for each part. `target` is the entailment, `relatedness` the score."""
    return {part: _part(paths[name]) for part, name in files.items()}, (
        "The label is in small letters: contradiction, entailment, neutral.",
    )


def _part(path: Path) -> pl.DataFrame:
    lines = read_text(path).replace("\r\n", "\n").rstrip("\n").split("\n")
    rows = [line.split("\t") for line in lines]
    if tuple(rows[0]) != HEADER:
        raise InputError(f"{path}: expected the columns {', '.join(HEADER)}, found {', '.join(rows[0])[:200]}")
    for number, row in enumerate(rows, 1):
        if len(row) != len(HEADER):
            raise InputError(f"{path}, line {number}: {len(row)} fields, expected {len(HEADER)} parted by tabs")
    frame = pl.DataFrame(rows[1:], schema=dict.fromkeys(HEADER, pl.String), orient="row").rename({"pair_ID": "id"})
    frame = frame.with_columns(pl.col("entailment_judgment").str.to_lowercase())
    read = partial(table, frame, where=str(path))
    labels, _ = read(Columns("sentence_A", "sentence_B", "entailment_judgment"))
    scores, _ = read(Columns("sentence_A", "sentence_B", "relatedness_score"), graded=True)
    return labels.with_columns(scores["target"].alias("relatedness"))


# ---- The shelf ------------------------------------------------------------------------------------------------------

_SICK = "https://raw.githubusercontent.com/brmson/dataset-sts/master/data/sts/sick2014"
SICK_PINS = {
    "SICK_train.txt": ("266cf8047149bd1d68138dd30439f3122bff30069740ac6705bb6197d9f1b48e", 506_243),
    "SICK_trial.txt": ("5a88cfb62f8c6bd2a3cce0f2421ba2cb8c2be5ab4a800f6f01e2c64aafb7db56", 57_225),
    "SICK_test_annotated.txt": ("2b8aa806658d6fc23c6824c83776c2d4fee7556000817b5ec0f982861413b7d0", 559_979),
}
PARTS = ("train", "valid", "test")

JUDGED = {
    "sick": NamedSet(
        "sick",
        "9,927 pairs of sentences about pictures: whether one follows from the other, and how related they are "
        "(SemEval edition).",
        "pairs",
        Files(
            "sick",
            (tuple(Remote(name, f"{_SICK}/{name}", sha256=sha, size=size) for name, (sha, size) in SICK_PINS.items()),),
            licence="CC BY-NC-SA 3.0 (non-commercial)",
        ),
        partial(read_sick, files=dict(zip(PARTS, SICK_PINS, strict=True))),
        "https://zenodo.org/records/2787612",
        "Marelli et al. 2014, A SICK cure for the evaluation of compositional distributional semantic models (LREC)",
        parts=PARTS,
    )
}
