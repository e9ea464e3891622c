"""What a file is: its task, its columns, why that was guessed and how sure it is.

A guess never decides silently: it comes with its reasons, with the command it stands for and, where it is unsure, with
what to type instead.
"""

import io
import json
import re
import shlex
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import polars as pl

from lstmlab.data import contents, pair_guess
from lstmlab.data.datasets import dialogues, files, folders, judged, pair_tables, tagged
from lstmlab.data.series_guess import series_guess
from lstmlab.errors import InputError
from lstmlab.recipe import scalar

ROWS = 1000
"""How many rows are looked at, spread evenly over the table (files are often sorted by label)."""

MOST_LABELS = 100
"""A column with more distinct values than this among the rows looked at is not taken for a label."""

MOST_GRADES = 10
"""A column with more different numbers than this is a score rather than a label."""

TAGGED = (".conll", ".conllu", ".conll03", ".bio", ".iob", ".iob2")
PLAIN = (".txt", ".text", ".tokens", ".md")

_NO_LABELS = frozenset(
    {
        "split",
        "part",
        "fold",
        "set",
        "subset",
        "source",
        "lang",
        "language",
        "year",
        "month",
        "day",
        "user",
        "author",
        "date",
        "index",
        "id",
    }
)

_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?([T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([T ].*)?|\d{1,2}-\d{2}"
    r"|[A-Z][a-z]{2,8} \d{1,2},? \d{4}|\d{1,2} [A-Z][a-z]{2,8} \d{4}"
)


@dataclass(frozen=True)
class Guess:
    """A task with the settings that make it so."""

    task: str
    """classification, pairs, tagging, language-model, translation, dialogue or forecasting."""
    settings: dict[str, object]
    """Dotted setting → value, such as data.path, data.text, data.label."""
    reasons: tuple[str, ...]
    """Why, a sentence each."""
    sure: bool
    alternatives: tuple[str, ...] = ()
    """Where unsure: the commands it could be instead, or what to change in the file."""


@dataclass(frozen=True)
class _Column:
    """What a column looks like in the rows looked at."""

    name: str
    distinct: int
    """Different values that are not blank."""
    count: int
    """Values that are not blank."""
    characters: float
    """Mean length of a value."""
    words: float
    """Mean number of words of a value."""
    numeric: bool
    dated: bool

    @property
    def prose(self) -> bool:
        """Whether it holds sentences: several words, mostly different from row to row."""
        wordy = self.words >= 3 or (self.characters >= 15 and self.words >= 1.5)
        return not self.numeric and not self.dated and wordy and self.distinct > 0.3 * self.count

    @property
    def label(self) -> float:
        """How much it looks like a label; 0 or less is not at all."""
        name = self.name.lower()
        few = self.distinct <= max(2, min(MOST_LABELS, self.count / 2))
        if self.prose or self.dated or not few or not self.count or self.characters > 60:
            return 0.0
        telling = 3.0 if name in files.LABEL_NAMES else 2.0 * any(_holds(self.name, word) for word in files.LABEL_NAMES)
        # Many different numbers are rather a measurement.
        misleading = 3.0 * any(_holds(self.name, word) for word in _NO_LABELS) + (self.numeric and self.distinct > 10)
        return telling - misleading + 1.5 - self.distinct / MOST_LABELS - 0.5 * (self.distinct < 2)


def guess(source: Path | object, *, encoding: str = "utf-8") -> Guess:
    """What a file, a folder or archive of class folders, or a data frame is.

    Raises InputError where it cannot be read, or is nothing a task can learn from.
    """
    if not isinstance(source, Path):
        return _table(files.to_table(source), {}, named=True)
    settings: dict[str, object] = {"data.path": str(source)}
    if encoding != "utf-8":
        settings["data.encoding"] = encoding
    if source.is_dir() or folders.is_archive(source):
        return _folders(source, settings, encoding)
    suffix = source.name.lower().removesuffix(".gz")
    if suffix.endswith(TAGGED):
        contents.existing_file(source)
        reason = f"{source.name} is named as CoNLL files are: a word and its tag on every line."
        return Guess("tagging", settings, (reason,), True)
    if suffix.endswith(PLAIN):
        return _plain(source, settings, encoding)
    if suffix.endswith((".tsv", ".tab")) and _tagged(_lines(source, encoding)):
        reason = "every line is a word and a tag, and blank lines stand between sentences."
        return Guess("tagging", settings, (reason,), True)
    table = files.read_table(source, encoding=encoding)
    if key := pair_guess.turns_column(table):
        return Guess("dialogue", settings, (f'"{key}" holds the turns of a dialogue.',), True)
    return _table(table, settings, named=False)


def command(found: Guess) -> str:
    """The full command a guess stands for, quoted for the shell."""
    words = (f"{key}={_word(value)}" for key, value in found.settings.items())
    return " ".join(["lstmlab", "train", found.task, *(shlex.quote(word) for word in words)])


def _word(value: object) -> str:
    """A setting as it is typed: a column counted from 1 is a number, names that hold commas are a list."""
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else _value(str(value))


def _value(text: str) -> str:
    """`text` as it must be typed to stay text: a column called 1 would be read as a number."""
    return text if scalar(text) == text and text else "'" + text.replace("'", "''") + "'"


def _holds(name: str, word: str) -> bool:
    """Whether a column's name has this word as one of its parts: star_rating, entailmentLabel."""
    parts = re.findall(r"[a-z0-9]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    return word in parts


def _folders(path: Path, settings: dict[str, object], encoding: str) -> Guess:
    try:
        parts = folders.read_folders(path, encoding=encoding)
    except InputError as error:
        if path.is_dir() and (found := pair_guess.sides(path)):
            source, target, sides = found
            reason = f"it holds aligned files ending in .{source} and .{target} ({', '.join(sides)})."
            return Guess("translation", settings | {"data.source": source, "data.target": target}, (reason,), True)
        tables = sorted(entry.name for entry in path.iterdir() if files.known(entry)) if path.is_dir() else []
        if not tables:
            raise
        held = ", ".join(tables[:5]) + (", …" if len(tables) > 5 else "")
        raise InputError(
            f"{error}. The folder holds tables ({held}): give one of them, such as {path / tables[0]}"
        ) from error
    labels = sorted(parts["train"]["target"].unique().to_list())
    counts = ", ".join(f"{len(frame):,} in {part}" for part, frame in parts.items())
    shown = ", ".join(labels[:5]) + (", …" if len(labels) > 5 else "")
    return Guess("classification", settings, (f"it holds class folders ({shown}) with {counts}.",), True)


def _lines(path: Path, encoding: str) -> list[str]:
    """The first lines of a text file. (`str.splitlines` would also split at characters that stand within a line.)"""
    text = io.StringIO(contents.read_text(path, encoding=encoding), newline=None)
    return [line.rstrip("\n") for line in islice(text, 5 * ROWS)]


def _plain(path: Path, settings: dict[str, object], encoding: str) -> Guess:
    """A text file: prose, unless tabs part every line into the same number of fields."""
    lines = [line for line in _lines(path, encoding) if line.strip()]
    if not lines:
        raise InputError(f"{path}: nothing but blank lines")
    if any(dialogues.END in line for line in lines):
        return Guess("dialogue", settings, (f"{dialogues.END} stands between the turns of its lines.",), True)
    fields = {line.count("\t") + 1 for line in lines}
    if fields == {1}:
        told = f"lstmlab train dialogue path={shlex.quote(str(path))}"
        reasons = (
            f"{path.name} is plain text without columns: what comes next in it can be learned.",
            f"(If it holds dialogues, a turn a line and blank lines between them: {told})",
        )
        return Guess("language-model", settings, reasons, True)
    table_name = shlex.quote(str(path.with_suffix(".tsv")))
    renamed = f"cp {shlex.quote(str(path))} {table_name} && lstmlab train {table_name}"
    if len(fields) > 1:
        reason = "some of its lines hold tabs, but not all the same number of them."
        return Guess("language-model", settings, (reason,), False, (renamed,))
    rows = [line.split("\t") for line in lines]
    headless = not pair_tables.names_columns(rows[0]) or len(rows) < 2
    names = [f"column_{at}" for at in range(1, len(rows[0]) + 1)] if headless else [name.strip() for name in rows[0]]
    table = pl.DataFrame(rows if headless else rows[1:], schema=names, orient="row")
    columns = [_column(table[name].gather_every(-(-len(table) // ROWS))) for name in table.columns]
    texts = [column.words >= 1.3 and column.distinct > 0.3 * column.count for column in columns]
    if len(columns) in (2, 3) and all(texts):
        return _pairs(table, table.columns[0], table.columns[1], settings, headless=headless)
    reason = f"tabs part every line into {len(columns)} fields: it looks like a table rather than prose."
    return Guess("language-model", settings, (reason,), False, (renamed,))


def _tagged(lines: list[str]) -> bool:
    """Whether lines are word TAB tag (or tags), blank lines parting sentences."""
    words = [line.split("\t") for line in lines if line.strip()]
    gaps = sum(not line.strip() for line in lines[:-1])
    if not words or gaps < max(1, len(words) / 200) or any(len(fields) < 2 for fields in words[:100]):
        return False
    tags = {fields[-1] for fields in words}
    return len(tags) <= MOST_LABELS and sum(" " in fields[0] for fields in words) < len(words) / 20


def _table(frame: pl.DataFrame, settings: dict[str, object], *, named: bool) -> Guess:
    """What a table is. `named` says that its column names were given by somebody, not read from a first line."""
    sample = frame.gather_every(-(-len(frame) // ROWS))
    if lists := tagged.list_columns(sample):
        return _sentences(lists, settings)
    if found := _judged(sample, settings):
        return found
    columns = [_column(sample[name]) for name in frame.columns]
    prose = sorted((column for column in columns if column.prose), key=_readable, reverse=True)
    labels = sorted((column for column in columns if column.label > 0), key=lambda column: -column.label)
    headless = not named and _headless(sample)
    if not labels and len(prose) == 2:
        first, second = sorted((column.name for column in prose), key=frame.columns.index)
        return _pairs(sample, first, second, settings, headless=headless)
    if not prose and any(column.numeric for column in columns):
        dates = [column.name for column in columns if column.dated or column.name.lower() in ("date", "year", "time")]
        if dates or all(column.numeric for column in columns):
            series = series_guess(frame, str(settings.get("data.path", "the table")))
            if series is not None:
                sure = bool(dates) and series.sure
                return Guess("forecasting", settings | series.settings, series.reasons, sure, series.alternatives)
    found = _classification(prose, labels, settings)
    if not headless:
        return found
    line = ("\t" if str(settings["data.path"]).lower().removesuffix(".gz").endswith((".tsv", ".tab")) else ",").join(
        "text" if prose[:1] == [column] else "label" if labels[:1] == [column] else f"column_{at}"
        for at, column in enumerate(columns, 1)
    )
    reason = f'its first row looks like data, not like column names ("{_short(frame.columns[0])}", …).'
    return Guess(found.task, settings, (reason, *found.reasons), False, (f"put a line of column names on top: {line}",))


def _sentences(lists: tuple[str, str], settings: dict[str, object]) -> Guess:
    """Two columns of lists, of words and of as many tags. Names that say so need not be typed."""
    words, tags = lists
    chosen: dict[str, object] = {} if words in tagged.WORDS else {"data.text": words}
    chosen |= {} if tags in tagged.TAGS else {"data.label": tags}
    reason = f'"{words}" holds lists of words, and "{tags}" a tag for each of them.'
    return Guess("tagging", settings | chosen, (reason,), True)


def _judged(sample: pl.DataFrame, settings: dict[str, object]) -> Guess | None:
    """Two columns of text and a judgment of both, where their names say so (premise, hypothesis, gold_label)."""
    texts = judged.sides(sample.columns)
    if texts is None or any(_column(sample[name]).numeric for name in texts):
        return None
    rest = [name for name in sample.columns if name not in texts]
    known = (judged.judgment(rest, graded=graded) for graded in (False, True))
    found = [_judgment(sample[name], texts, settings) for name in dict.fromkeys(known) if name is not None]
    if len(found) < 2:
        return found[0] if found else None
    reasons = (*found[0].reasons, f'"{found[1].settings["data.label"]}" could be what is to be learned as well.')
    return replace(found[0], reasons=reasons, sure=False, alternatives=tuple(map(command, found)))


def _judgment(values: pl.Series, texts: tuple[str, str], settings: dict[str, object]) -> Guess:
    """Pairs of texts with this column as their judgment: a score where it holds many different numbers."""
    column, written = _column(values), files.text_of(values)
    whole = written is not None and written.drop_nulls().str.contains(r"^\s*-?\d+\s*$").all()
    graded = column.numeric and (column.distinct > MOST_GRADES or not whole)
    chosen: dict[str, object] = {"data.first": texts[0], "data.second": texts[1], "data.label": values.name}
    what = "rates both" if graded else f"says what they are to each other: {column.distinct} different values"
    reason = f'"{texts[0]}" and "{texts[1]}" are two texts, and "{values.name}" {what}.'
    return Guess("pairs", settings | chosen | ({"data.graded": True} if graded else {}), (reason,), True)


def _pairs(table: pl.DataFrame, first: str, second: str, settings: dict[str, object], *, headless: bool) -> Guess:
    """Two columns of text without a label: translations, or questions with their replies."""
    path = Path(str(settings.get("data.path", "")))
    if not headless or pair_tables.names_columns([first, second]):
        found = pair_guess.pairing(table, first, second)
        chosen: dict[str, object] = {"data.source": found.source, "data.target": found.target}
    else:
        columns = [str(at) for at in range(1, len(table.columns) + 1)]
        left, right = columns[table.columns.index(first)], columns[table.columns.index(second)]
        found = pair_guess.pairing(table.rename(dict(zip(table.columns, columns, strict=True))), left, right)
        chosen = {"data.source": int(found.source), "data.target": int(found.target)}
        if not pair_tables.tabbed(path):
            reason = f'its first row looks like data, not like column names ("{_short(first)}", …).'
            line = "put a line of column names on top: source,target"
            return Guess(found.task, settings, (reason, found.reason), False, (line,))
    guessed = Guess(found.task, settings | chosen, (found.reason,), found.sure)
    if found.sure:
        return guessed
    other = "translation" if found.task == "dialogue" else "dialogue"
    others = tuple(command(replace(guessed, task=task)) for task in (found.task, other))
    return replace(guessed, alternatives=others)


def _classification(prose: list[_Column], labels: list[_Column], settings: dict[str, object]) -> Guess:
    def chosen(text: str, label: str) -> Guess:
        return Guess("classification", settings | {"data.text": text, "data.label": label}, (), True)

    if not prose or not labels:
        lacking = "column that looks like a label" if prose else "column of text"
        known = {"data.text": prose[0].name} if prose else {}
        typed = chosen(prose[0].name if prose else "COLUMN", labels[0].name if labels else "COLUMN")
        return Guess("classification", settings | known, (f"it has no {lacking}.",), False, (command(typed),))
    text, label = prose[0], labels[0]
    reasons = [
        f'"{text.name}" holds text: {text.words:.0f} words a row, mostly different ones.',
        f'"{label.name}" looks like a label: {label.distinct} different values in {label.count} rows.',
    ]
    rivals = [column for column in labels[1:] if column.label > label.label - 1]
    twins = [column for column in prose[1:] if _readable(column) > 0.6 * _readable(text)]
    if rivals:
        reasons.append(f"{_named(rivals)} could be the label as well.")
    if twins:
        reasons.append(f"{_named(twins)} could be the text as well.")
    others = [chosen(text.name, column.name) for column in rivals]
    others += [chosen(column.name, label.name) for column in twins]
    best = chosen(text.name, label.name)
    return Guess(best.task, best.settings, tuple(reasons), not others, tuple(command(other) for other in others))


def _named(columns: list[_Column]) -> str:
    return ", ".join(f'"{column.name}"' for column in columns)


def _readable(column: _Column) -> float:
    """How much a column of prose looks like the text to read: the longest one, or the one that says so."""
    return column.words * (3 if column.name.lower() in files.TEXT_NAMES else 1)


def _column(values: pl.Series) -> _Column:
    words = files.text_of(values)
    words = pl.Series([], dtype=pl.String) if words is None else words.str.strip_chars()
    words = words.filter(words.fill_null("") != "")
    if words.is_empty():
        return _Column(values.name, 0, 0, 0.0, 0.0, False, False)
    numbers = words.cast(pl.Float64, strict=False).is_not_null().sum()
    dated = values.dtype.is_temporal() or all(_DATE.fullmatch(word) for word in words.head(50))
    # Nothing blank is left, so every word of a row but the first follows white space.
    spaces = words.str.count_matches(r"\s+").sum()
    letters = words.str.len_chars().sum()
    return _Column(
        values.name,
        words.n_unique(),
        len(words),
        int(letters) / len(words),
        1 + int(spaces) / len(words),
        numbers > 0.9 * len(words) and not dated,
        dated,
    )


def _headless(sample: pl.DataFrame) -> bool:
    """Whether the column names look like a row of data: numbers, sentences, or a value the column often has."""
    if all(name.endswith((".", "!", "?")) for name in sample.columns):
        return True
    for name in sample.columns:
        values = files.text_of(sample[name])
        if re.fullmatch(r"[-+]?\d+(\.\d+)?", name) or len(name.split()) > 5 or _DATE.fullmatch(name):
            return True
        if values is not None and (values == name).sum() > 1:
            return True
    return False


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
