"""The named data sets: address, checksum, licence, layout, and how each is read.

A set is parsed once; afterwards its parts come from the user cache, as Arrow tables.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from lstmlab.data import cache, fetch
from lstmlab.data.corpus import Corpus, Source
from lstmlab.data.datasets import (
    conversations,
    judged_sets,
    prose_sets,
    sequences,
    series_sets,
    tagged_sets,
    translations,
)
from lstmlab.data.datasets.entry import Frames, NamedSet, from_tar, from_zip, lines
from lstmlab.data.datasets.entry import frame as table_of
from lstmlab.data.datasets.folders import read_folders
from lstmlab.data.download import Announce, Progress, Remote, no_announcement, no_progress
from lstmlab.data.fetch import Files
from lstmlab.errors import InputError, unknown


@dataclass(frozen=True)
class Listed:
    """A line of `lstmlab data list`."""

    name: str
    task: str
    size: int
    """Bytes: of the files here, else of the download (0 where unknown)."""
    licence: str
    place: str
    """The folder its files are in, or "not here"."""


def open_named(
    name: str, *, announce: Announce = no_announcement, progress: Progress = no_progress
) -> tuple[dict[str, Corpus], Source]:
    """The parts of a named set and where they came from; fetched and parsed where that was not done before.

    Raises InputError for an unknown name, and for files that are not to be had or not what they should be.
    """
    frames, key, source = open_tables(find(name), announce=announce, progress=progress)
    if key is None:
        return {part: Corpus.of(table) for part, table in frames.items()}, source
    return {part: Corpus(frame, cache.key("part", key, part)) for part, frame in frames.items()}, source


def find(name: str) -> NamedSet:
    """A set by its name. Raises InputError for an unknown one."""
    if name not in NAMED:
        raise unknown("data set", name, NAMED)
    return NAMED[name]


def open_for(
    name: str, task: str, *, announce: Announce = no_announcement, progress: Progress = no_progress
) -> tuple[NamedSet, Frames, Source]:
    """A named set that is for this task: the entry, its tables and its source. Raises InputError for any other name."""
    fitting = [entry.name for entry in NAMED.values() if entry.task == task]
    if name not in NAMED:
        raise unknown("data set", name, fitting)
    chosen = NAMED[name]
    if chosen.task != task:
        raise InputError(f"{name} is a data set for {chosen.task}, not for {task}. For that: {', '.join(fitting)}")
    frames, _, source = open_tables(chosen, announce=announce, progress=progress)
    return chosen, frames, source


def open_tables(
    chosen: NamedSet, *, announce: Announce = no_announcement, progress: Progress = no_progress
) -> tuple[Frames, str | None, Source]:
    """The tables of a named set, what names their content in the cache (None: they are made), and their source."""
    name = chosen.name
    if not any(chosen.files.layouts):
        frames, steps = chosen.read({})
        return frames, None, Source(name, chosen.about, "", chosen.files.licence, {}, steps)
    try:
        paths = fetch.get(chosen.files, announce, progress)
    except InputError as error:
        if any(remote.address for layout in chosen.files.layouts for remote in layout):
            raise
        raise InputError(f"{error} It is to be had from {chosen.homepage}") from error
    checksums = {file: cache.digest(path) for file, path in paths.items()}
    key = cache.key("named", name, chosen.version, checksums)
    frames, steps = _parsed(chosen, paths, key, announce)
    addresses = [remote.address for remote in chosen.files.layouts[0] if remote.address]
    # A dozen addresses say less than the page they are linked from.
    address = ", ".join(addresses) if 0 < len(addresses) <= 3 else chosen.homepage
    return frames, key, Source(name, chosen.about, address, chosen.files.licence, checksums, steps)


def listed() -> list[Listed]:
    """All named sets, with where each one is now. Looks at names and sizes only."""
    rows = []
    for chosen in NAMED.values():
        if not any(chosen.files.layouts):
            rows.append(Listed(chosen.name, chosen.task, 0, chosen.files.licence, "part of lstmlab"))
            continue
        found = fetch.locate(chosen.files) or {}
        size = sum(path.stat().st_size for path in found.values()) or chosen.files.size
        place = str(next(iter(found.values())).parent) if found else "not here"
        rows.append(Listed(chosen.name, chosen.task, size, chosen.files.licence, place))
    return rows


def _parsed(
    chosen: NamedSet, paths: Mapping[str, Path], key: str, announce: Announce
) -> tuple[Frames, tuple[str, ...]]:
    """The tables of a set from the cache; an entry that cannot be read is made once more."""

    def make(folder: Path) -> None:
        announce(f"Reading {chosen.name}, once: later it comes from the cache.")
        frames, steps = chosen.read(paths)
        for part, frame in frames.items():
            # Uncompressed and in one piece it is read back at the speed of a copy.
            frame.rechunk().write_ipc(folder / f"{part}.arrow", compression="uncompressed")
        (folder / "set.json").write_text(json.dumps({"parts": list(frames), "steps": steps}), "utf-8")

    entry = cache.load_or_make("named", key, make, announce)
    try:
        return _load(entry)
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        announce(f"{entry} is damaged ({error}): reading {chosen.name} again.")
        cache.discard(entry)
        return _load(cache.load_or_make("named", key, make, announce))


def _load(entry: Path) -> tuple[Frames, tuple[str, ...]]:
    told = json.loads((entry / "set.json").read_text("utf-8"))
    frames = {}
    for part in told["parts"]:
        # An open file rather than a path, in which polars would expand *, ? and [.
        with (entry / f"{part}.arrow").open("rb") as content:
            frames[part] = pl.read_ipc(content)
    return frames, tuple(told["steps"])


# ---- How each set is read -------------------------------------------------------------------------------------------


def read_imdb(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """One review per file, aclImdb/train/pos/0_9.txt; its label is the folder's name."""
    (path,) = paths.values()
    frames = {
        part: frame.with_columns(pl.col("inputs").str.replace_all("<br />", "\n", literal=True))
        for part, frame in read_folders(path).items()
    }
    return frames, ("Every HTML line break (<br />) became a newline.", "Reviews without a label were left out.")


def read_mr(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """One sentence per line of rt-polarity.pos and rt-polarity.neg, windows-1252; a single part, `train`."""
    names = {"pos": "rt-polarity.pos", "neg": "rt-polarity.neg"}
    archive = paths.get("rt-polaritydata.tar.gz")
    texts = from_tar(archive, names.values()) if archive else {name: paths[name].read_bytes() for name in paths}
    rows = [
        (f"{label}/{line}", sentence.strip(), label)
        for label, name in names.items()
        for line, sentence in lines(texts[name], "cp1252", name)
    ]
    return {"train": table_of(rows)}, ("Decoded from windows-1252.", "Spaces around each sentence were removed.")


def read_trec(paths: Mapping[str, Path], *, fine: bool) -> tuple[Frames, tuple[str, ...]]:
    """Lines "COARSE:fine question", latin-1; the target is the coarse label, or both as "COARSE:fine"."""
    if archive := paths.get("qc.zip"):
        texts = from_zip(archive, ("qc/train.txt", "qc/test.txt"))
        files = {"train": "qc/train.txt", "test": "qc/test.txt"}
    else:
        texts = {name: path.read_bytes() for name, path in paths.items()}
        files = {"train": "train_5500.label", "test": "TREC_10.label"}
    frames = {}
    for part, name in files.items():
        rows = []
        for line, text in lines(texts[name], "latin-1", name):
            match = re.fullmatch(r"((\w+):\w+) (.*\S)\s*", text)
            if match is None:
                raise InputError(f'{name}, line {line}: expected "COARSE:fine question", found "{text[:60]}"')
            rows.append((f"{part}/{line}", match[3], match[1 if fine else 2]))
        frames[part] = table_of(rows)
    labels = "The label is the fine one (50 kinds)." if fine else "The label is the coarse one (6 kinds)."
    return frames, ("Decoded from latin-1.", labels)


# ---- The shelf ------------------------------------------------------------------------------------------------------

IMDB = Files(
    "imdb",
    (
        (
            Remote(
                "aclImdb_v1.tar.gz",
                "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                sha256="c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
                md5="7c2ac02c03563afcf9b574c7e56c153a",
                size=84_125_825,
            ),
        ),
        # The same labelled reviews packed again, without the unlabelled ones and the bags of words.
        (
            Remote(
                "aclImdb_v1.labelled.tar.gz",
                sha256="3be393b78242103149bc615f28623364c482f9e24b59cc7b6d1c409a7fb99fa6",
                size=28_537_353,
            ),
        ),
    ),
    licence="unclear: none stated; free for research with citation; the reviews belong to IMDb's users",
)

MR = Files(
    "mr",
    (
        (
            Remote(
                "rt-polaritydata.tar.gz",
                "https://www.cs.cornell.edu/people/pabo/movie-review-data/rt-polaritydata.tar.gz",
                md5="50c1c2c047b4225e148e97aa7708c34e",
                size=487_770,
            ),
        ),
        (
            Remote(
                "rt-polarity.pos",
                sha256="2da124ec187a9d5a29c9f04e91c540e02baed5af8868f550a26bd6fd4dbf8bf0",
                size=626_139,
            ),
            Remote(
                "rt-polarity.neg",
                sha256="4ace77d558c3714723843f1d65b60c01e3417b208180f0728808d76ad0eeeaca",
                size=612_256,
            ),
        ),
    ),
    licence="unclear: none stated; free for research with citation",
)

TREC = Files(
    "trec-qc",
    (
        (
            Remote(
                "train_5500.label",
                "https://cogcomp.seas.upenn.edu/Data/QA/QC/train_5500.label",
                sha256="9e4c8bdcaffb96ed61041bd64b564183d52793a8e91d84fc3a8646885f466ec3",
                size=335_858,
            ),
            Remote(
                "TREC_10.label",
                "https://cogcomp.seas.upenn.edu/Data/QA/QC/TREC_10.label",
                sha256="033f22c028c2bbba9ca682f68ffe204dc1aa6e1cf35dd6207f2d4ca67f0d0e8e",
                size=23_354,
            ),
        ),
        (
            Remote(
                "qc.zip",
                "https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/qc.zip",
                sha256="091fb01e50883014d150acb7d5013d787136968b3f955ae01725a65e7e80f304",
                size=125_456,
            ),
        ),
    ),
    licence="unclear: none stated; used for research",
)

_TREC_PAGE = "https://cogcomp.seas.upenn.edu/Data/QA/QC/"
_TREC_PAPER = "Li & Roth 2002, Learning Question Classifiers (COLING)"

NAMED = {
    entry.name: entry
    for entry in (
        NamedSet(
            "imdb",
            "50,000 English film reviews, positive or negative, half of them for testing.",
            "classification",
            IMDB,
            read_imdb,
            "https://ai.stanford.edu/~amaas/data/sentiment/",
            "Maas et al. 2011, Learning Word Vectors for Sentiment Analysis (ACL)",
        ),
        NamedSet(
            "mr",
            "10,662 English sentences from film reviews, positive or negative, without a test part of their own.",
            "classification",
            MR,
            read_mr,
            "https://www.cs.cornell.edu/people/pabo/movie-review-data/",
            "Pang & Lee 2005, Seeing Stars (ACL)",
            parts=("train",),
        ),
        NamedSet(
            "trec-qc",
            "5,952 English questions by the kind of answer they ask for: 6 coarse kinds; 500 are for testing.",
            "classification",
            TREC,
            partial(read_trec, fine=False),
            _TREC_PAGE,
            _TREC_PAPER,
        ),
        NamedSet(
            "trec-qc-fine",
            "5,952 English questions by the kind of answer they ask for: 50 fine kinds; 500 are for testing.",
            "classification",
            TREC,
            partial(read_trec, fine=True),
            _TREC_PAGE,
            _TREC_PAPER,
        ),
        *translations.TRANSLATIONS.values(),
        *conversations.CONVERSATIONS.values(),
        *sequences.SEQUENCES.values(),
        *series_sets.SERIES.values(),
        *tagged_sets.TAGGED.values(),
        *judged_sets.JUDGED.values(),
        *prose_sets.PROSE.values(),
    )
}
