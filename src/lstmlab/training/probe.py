"""A labelled file that a study's classifiers are scored on besides their test part, such as the contrast sentences."""

import csv
import io
import json
from importlib import resources
from pathlib import Path
from typing import Any

from lstmlab.data.contents import existing_file, read_text
from lstmlab.disk import save
from lstmlab.errors import InputError
from lstmlab.training.run import Run, read_objects

CONTRAST = "contrast-sentences"
FILE = "probe.jsonl"


def read_probe(name: str) -> list[dict[str, str]]:
    """The rows of a probe: text, label, and whatever else its table says (kind, pair)."""
    if name == CONTRAST:
        file = resources.files("lstmlab") / "data" / "datasets" / f"{CONTRAST}.csv"
        text = file.read_text(encoding="utf-8")
    else:
        text = read_text(existing_file(Path(name)))
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or not {"text", "label"} <= rows[0].keys():
        raise InputError(f"{name}: a probe is a CSV table with the columns text and label (and kind, if it has kinds)")
    for number, row in enumerate(rows, 2):
        if not row["text"] or not row["label"]:
            raise InputError(f"{name}, line {number}: a probe needs a text and a label in every row")
    return rows


def asked(run: Run) -> bool:
    """Whether a run has been asked a probe."""
    return (run.folder / FILE).is_file()


def write_probe(run: Run, name: str) -> None:
    """What a run says of a probe, beside its other predictions; not a row where its labels are others."""
    from lstmlab.training.inference import Predictor

    if asked(run):
        return
    rows = read_probe(name)
    answers = Predictor.of(run, "cpu").predict([row["text"] for row in rows])
    known = set(answers[0].get("probabilities", {}))
    told = [{**row, "prediction": answer["prediction"]} for row, answer in zip(rows, answers, strict=True)]
    if not {row["label"] for row in rows} <= known:
        told = []
    save(run.folder / FILE, b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in told))


def read_answers(run: Run) -> list[dict[str, Any]]:
    """What a run said of the study's probe; nothing where it was not asked."""
    return read_objects(run.folder / FILE)
