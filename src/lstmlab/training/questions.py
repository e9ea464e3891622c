"""What a finished run is asked: typed texts, lines, tables; and labelled files it is scored on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lstmlab.data import contents, matching, prose, text_pairs
from lstmlab.data.corpus import Corpus, Part
from lstmlab.data.datasets import dialogues, files, pair_tables, sequences
from lstmlab.data.datasets.times import Step
from lstmlab.data.guess import TAGGED, guess
from lstmlab.data.load import DataSettings, read
from lstmlab.data.pairs import DialogueData, PairSettings, TranslationData, read_part
from lstmlab.data.panel import Windows
from lstmlab.data.series import read_on
from lstmlab.data.series_settings import SeriesSettings
from lstmlab.data.tagging import TaggingData, read_file, sound, words_of
from lstmlab.data.text_pairs import TextPairData
from lstmlab.errors import InputError
from lstmlab.recipe import validate
from lstmlab.training.run import Run

PAIRS: dict[str, type[PairSettings]] = {"translation": TranslationData, "dialogue": DialogueData}
"""The tasks that write a text for a text, with what says where their pairs are."""


def labelled(run: Run, file: Path, encoding: str | None = None) -> tuple[Part, tuple[str, ...]]:
    """A file with inputs and targets, its columns those the run was trained on (or what they are guessed to be); and
    what was done to it.
    """
    task, data = run.recipe["task"], run.recipe["data"]
    if task in PAIRS:
        settings = _pairs(run)
        try:
            return read_part(file, settings.model_copy(update={"encoding": encoding or settings.encoding}))
        except InputError as error:  # here no columns can be typed
            said = str(error).replace("Give source=COLUMN and target=COLUMN", 'Call them "source" and "target"')
            raise InputError(said) from error
    if task == "forecasting":
        return _windows(run, file, encoding), ()
    if task == "tagging":
        return _tagged(run, file, encoding, labelled=True), ()
    if task == "language-model":
        return prose.read_file(file, encoding or data["encoding"]), ()
    if task == "pairs":
        with _no_typing():
            table, steps = text_pairs.read_file(_text_pairs(run), file, encoding=encoding)
        return Corpus.of(table), tuple(steps)
    if measured(run):
        return _sequences(run, file, encoding, labelled=True), ()
    if "text" not in data:
        raise InputError(f"--input is for texts with labels, and {run.title} is of {task}")
    encoding = encoding or data["encoding"]
    if data["text"] is not None:
        columns = {name: data[name] for name in ("text", "label")}
    else:
        found = guess(file, encoding=encoding).settings
        columns = {key.split(".")[-1]: value for key, value in found.items()}
    parts = read(DataSettings.model_validate({**columns, "path": str(file), "encoding": encoding}), 0, least_classes=1)[
        0
    ]
    if len(parts) > 1:
        raise InputError(f"{file} has several parts ({', '.join(parts)}): name one of its folders")
    return parts["train"], ()


def _windows(run: Run, file: Path, encoding: str | None) -> Windows:
    """Every window that fits into the series of a file, as far apart as those of the run's test part."""
    settings = validate(SeriesSettings, run.recipe["data"], f"{run.folder / 'recipe.yaml'}: data")
    panel = read_on(settings, file, encoding, 0, Step(**run.saved_task["step"]))
    ends = np.array([len(line) for line in panel.lines])
    stride = settings.test_stride or settings.horizon
    found = Windows.over(panel, settings.window, settings.horizon, np.zeros_like(ends), ends, stride)
    if not len(found):
        needed = f"a window of {settings.window} with {settings.horizon} to forecast needs"
        raise InputError(f"{file}: {int(ends.max())} steps, and {needed} {settings.window + settings.horizon}")
    return found


def measured(run: Run) -> bool:
    """Whether its inputs are sequences of measurements, a label each."""
    # Asked for every line that is read, hence not checked again.
    return run.recipe["task"] == "classification" and DataSettings.model_construct(**run.recipe["data"]).numeric


def _sequences(run: Run, file: Path, encoding: str | None, *, labelled: bool) -> Corpus:
    """The sequences in a table with a row a step. Its columns are the run's own; of a named set, which has none, they
    are called "sequence" and "label". Where labels are not asked for, none are read.
    """
    settings = validate(DataSettings, run.recipe["data"], f"{run.folder / 'recipe.yaml'}: data")
    name, label = settings.sequence or "sequence", settings.label or "label"
    frame = files.read_table(file, encoding=encoding or settings.encoding)
    needed = {name: "tells the sequences apart"} | ({label: "holds the labels"} if labelled else {})
    for column, what in needed.items():
        if column not in frame.columns:
            shown = ", ".join(frame.columns[:20])
            raise InputError(f'{file}: no column "{column}", which {what}. Columns: {shown}')
    if not labelled:
        frame = frame.with_columns(pl.lit("unknown").alias(label))
    return sequences.corpus(frame, name, label, str(file))


def _columns(run: Run, file: Path) -> bool:
    """Whether a file holds sentences in columns, a word a line, rather than a sentence a line."""
    return run.recipe["task"] == "tagging" and file.name.lower().removesuffix(".gz").endswith(TAGGED)


def _tagged(run: Run, file: Path, encoding: str | None, *, labelled: bool) -> Corpus:
    """The sentences of a file as the run's own are written; where tags are not asked for, none are read."""
    settings = validate(TaggingData, run.recipe["data"], f"{run.folder / 'recipe.yaml'}: data")
    table, _ = read_file(settings, file, labelled=labelled, encoding=encoding)
    if labelled:
        table, _ = sound(table, run.saved_task["scheme"], str(file), repair=settings.repair)
    return Corpus.of(table)


def read_inputs(run: Run, file: Path, encoding: str | None = None) -> list[Any]:
    """The inputs in a file: one a line, or the column the run was trained on."""
    data = run.recipe["data"]
    encoding = encoding or data.get("encoding", "utf-8")
    if not files.known(file) and not _columns(run, file):
        return parse_lines(run, contents.read_text(file, encoding=encoding), str(file))
    if run.recipe["task"] in PAIRS:
        return _sources(run, file, encoding)
    if run.recipe["task"] == "tagging":
        return _tagged(run, file, encoding, labelled=False).inputs
    if run.recipe["task"] == "pairs":
        with _no_typing():
            return text_pairs.read_inputs(_text_pairs(run), file, encoding=encoding)
    if measured(run):
        return _sequences(run, file, encoding, labelled=False).inputs
    if run.recipe["task"] == "language-model":
        raise InputError(f"{file}: expected a text file (.txt), a beginning on each line")
    if "text" not in data:
        raise InputError(f"{file}: expected a text file, the numbers of one input on each line")
    frame = files.read_table(file, encoding=encoding)
    return _texts(frame, str(data.get("text") or guess(file, encoding=encoding).settings.get("data.text")), file)


def _sources(run: Run, file: Path, encoding: str) -> list[str]:
    """The sources in a table; of whole dialogues the turns that wait for a reply."""
    settings = _pairs(run)
    if isinstance(settings, DialogueData) and files.FORMATS.get(Path(file.name.removesuffix(".gz")).suffix) == "jsonl":
        found = dialogues.read_json_dialogues(file, encoding)
        if found is not None:
            return ["\n".join(turns[-settings.turns :]) for _, turns in found]
    # The columns of a named set are languages, those of aligned files no columns at all.
    trained_on_table = settings.name is None and settings.path is not None and not Path(settings.path).is_dir()
    column = settings.source if trained_on_table else None
    if pair_tables.tabbed(file) and (column is None or column.isdecimal()):
        frame = pair_tables.read_headless(file, encoding=encoding)
        if column in frame.columns or not pair_tables.names_columns(list(frame.row(0))):
            return _texts(frame, column or "1", file)
    frame = files.read_table(file, encoding=encoding)
    if column is not None and column.isdecimal() and column not in frame.columns:
        column = None
    return _texts(frame, column or _source_column(frame, file), file)


def _source_column(frame: pl.DataFrame, file: Path) -> str:
    """The column to read where the run was not trained on a table: source, the only one, or one named like a source."""
    names = frame.columns
    telling = [name for name in names if name.lower() in pair_tables.SOURCE_NAMES]
    found = ["source"] if "source" in names else names if len(names) == 1 else telling
    if len(found) != 1:
        raise InputError(
            f'{file}: which column is to be read? Call it "source", or give a text a line (.txt). '
            f"Columns: {', '.join(names[:20])}"
        )
    return found[0]


def _texts(frame: pl.DataFrame, column: str, file: Path) -> list[str]:
    texts = files.text_of(frame[column]) if column in frame.columns else None
    if texts is None:
        raise InputError(f'{file}: no column "{column}" of text. Columns: {", ".join(frame.columns[:20])}')
    found: list[str] = texts.fill_null("").to_list()
    return found


def parse_lines(run: Run, text: str, where: str, first: int = 1) -> list[Any]:
    """An input a line; the first one is line number `first`."""
    lines = text.removesuffix("\n").split("\n")
    return [parse_input(run, line.rstrip("\r"), f"{where}, line {number}") for number, line in enumerate(lines, first)]


def parse_typed(run: Run, texts: Sequence[str]) -> list[Any]:
    """What somebody typed behind a command, an input each. Of pairs two texts without a mark between them are one.

    Raises InputError for texts of which nobody can tell which belong together.
    """
    if run.recipe["task"] == "pairs" and not any(mark in text for mark in text_pairs.BETWEEN for text in texts):
        if len(texts) == 2:
            return [list(matching.sound(texts, "the typed texts"))]
        several = f"{len(texts)} texts" if len(texts) > 1 else "one text"
        raise InputError(
            f'{several} typed, expected two: "A man sings" "Someone sings"; or each pair as one: '
            f'"A man sings {text_pairs.BETWEEN[1]} Someone sings"'
        )
    return [parse_input(run, text, f"argument {number}") for number, text in enumerate(texts, 1)]


def parse_input(run: Run, text: str, where: str) -> Any:
    """What somebody typed, as this task's input: a text, turns of a dialogue, or numbers parted by blanks or commas (of
    sequences of measurements a number a step).
    """
    task = run.recipe["task"]
    if task == "dialogue":
        turns = dialogues.parted(text) if dialogues.END in text else text.splitlines()
        return "\n".join([turn.strip() for turn in turns][-int(run.recipe["data"]["turns"]) :])
    if task == "translation":
        return dialogues.flat(text)
    if task == "tagging":
        return words_of(text)
    if task == "pairs":
        return text_pairs.parted(text, where)
    if task != "forecasting" and not measured(run):
        return text
    try:
        return [float(word) for word in text.replace(",", " ").split()]
    except ValueError as error:
        raise InputError(f"{where}: expected numbers separated by blanks or commas, got {text[:60]!r}") from error


def blank(given: Any) -> bool:
    """Whether nothing was asked."""
    return not (given.strip() if isinstance(given, str) else given)


def all_blank(asked: Sequence[Any]) -> bool:
    """Whether nothing at all was asked."""
    return all(blank(given) for given in asked)


def _text_pairs(run: Run) -> TextPairData:
    return validate(TextPairData, run.recipe["data"], f"{run.folder / 'recipe.yaml'}: data")


@contextmanager
def _no_typing() -> Iterator[None]:
    """Advice for where columns cannot be typed: what to call them."""
    try:
        yield
    except InputError as error:
        said = str(error).replace("Give first=COLUMN and second=COLUMN", 'Call them "first" and "second"')
        raise InputError(said.replace("Give label=COLUMN", 'Call it "label"')) from error


def _pairs(run: Run) -> PairSettings:
    return validate(PAIRS[run.recipe["task"]], run.recipe["data"], f"{run.folder / 'recipe.yaml'}: data")
