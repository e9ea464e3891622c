"""Parallel text: two files with a sentence a line, line by line the translation of each other, and folders of them.

Only newlines end a line: U+2028, U+0085 and the like stand within sentences of real corpora, and a reader that breaks
lines at them loses step with the other side.
"""

import re
from pathlib import Path

import numpy as np
import polars as pl

from lstmlab.data.contents import existing_file, read_text
from lstmlab.data.datasets.folders import PARTS
from lstmlab.errors import InputError, nearest

Sides = tuple[Path, Path]
"""The two files of a part: source, target."""


def read_sides(source: Path, target: Path, *, encoding: str = "utf-8") -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Two files as a table of id (the line's number), inputs and target, and what was done on the way.

    Raises InputError where both are one file, and, saying where they may have lost step, where one has more lines.
    """
    if source.absolute() == target.absolute() or (source.exists() and target.exists() and source.samefile(target)):
        raise InputError(
            f"{source} is given for both sides: expected the sentences in one file, translations in another"
        )
    left, right = read_lines(source, encoding), read_lines(target, encoding)
    steps: tuple[str, ...] = ()
    longer, shorter = (left, right) if len(left) > len(right) else (right, left)
    extra = len(longer) - len(shorter)
    if extra and not any(line.strip() for line in longer[len(shorter) :]):
        del longer[len(shorter) :]
        steps = (f"{extra} blank {'line' if extra == 1 else 'lines'} at the end of one file left out.",)
    if len(left) != len(right):
        raise InputError(
            f"{source} has {len(left):,} lines and {target} has {len(right):,}: expected as many, line by line the "
            f"translation of each other. {_lost_step(left, right, source, target)}"
        )
    ids = [str(line) for line in range(1, len(left) + 1)]
    return pl.DataFrame([ids, left, right], schema=["id", "inputs", "target"]), steps


def read_lines(path: Path, encoding: str = "utf-8") -> list[str]:
    """The lines of a text file as they are, without their ends (newline, or carriage return and newline)."""
    text = read_text(path, encoding=encoding).removeprefix("\ufeff")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _lost_step(left: list[str], right: list[str], source: Path, target: Path) -> str:
    """Where two sides of different length may have lost step: a blank on one side only, or what the lengths suggest."""
    for number, (one, other) in enumerate(zip(left, right, strict=False), 1):
        if bool(one.strip()) != bool(other.strip()):
            blank, full = (source, target) if not one.strip() else (target, source)
            return f"Line {number} is blank in {blank.name} and not in {full.name}: look there first."
    a, b = (np.log1p([len(line) for line in side]) for side in (left, right))
    if len(a) < len(b):
        a, b = b, a
    shift = len(a) - len(b)
    # Sentences and their translations are about as long: up to the break without the shift, after it with the shift.
    before, after = np.abs(a[: len(b)] - b), np.abs(a[shift:] - b)
    cost = np.concatenate([[0.0], np.cumsum(before)]) + np.concatenate([np.cumsum(after[::-1])[::-1], [0.0]])
    return f"By the lengths of their lines they lose step near line {int(cost.argmin()) + 1}."


# ---- The other side of a file ---------------------------------------------------------------------------------------


def other_side(file: Path, source: Path, target: Path) -> Path:
    """The target side that belongs to `file`, whose name differs from it as `target` differs from `source`.

    val.en → val.fr where the others are train.en and train.fr, and so for folders (en/val.txt → fr/val.txt). Raises
    InputError, naming both files, where there is none.
    """
    existing_file(file)
    ours, theirs = _words(source), _words(target)
    differing = {one: other for one, other in zip(ours, theirs, strict=False) if one != other}
    if len(ours) != len(theirs) or len(differing) != 1:
        raise InputError(
            f"{source} and {target} differ in more than one word, so that the other side of {file} cannot be told: "
            "name them alike (train.en, train.fr; valid.en, valid.fr)"
        )
    ((mine, other),) = differing.items()
    words = _words(file)
    if mine not in words:
        raise InputError(
            f'{file}: expected a name with "{mine}" in it as in {source}, so that exchanging it for "{other}" gives '
            "the other side"
        )
    at = len(words) - 1 - words[::-1].index(mine)
    name = "".join([*words[:at], other, *words[at + 1 :]])
    # It may stand in the folder's name as well: en/val.en → fr/val.fr.
    everywhere = "".join(other if word == mine else word for word in words)
    ways = [way + ending for way in (name, everywhere) for ending in ("", ".gz")]
    found = next((Path(way) for way in ways if Path(way).is_file()), None)
    if found is None:
        raise InputError(f"{file} has no other side: expected {name} (or {name}.gz) beside {file}")
    return found


def _words(path: Path) -> list[str]:
    """A path, without .gz, in words and what parts them."""
    return re.findall(r"[^\W_]+|[\W_]", re.sub(r"\.gz$", "", str(path), flags=re.IGNORECASE))


# ---- Folders --------------------------------------------------------------------------------------------------------


def endings(folder: Path) -> list[str]:
    """The endings that stand behind the same stems, commonest first: en, fr for train.en, train.fr, val.en, val.fr.

    Empty where no two files are sides of each other.
    """
    stems: dict[str, set[str]] = {}
    for name in _names(folder):
        stem, _, ending = name.rpartition(".")
        if stem and re.fullmatch(r"[A-Za-z][A-Za-z_-]{1,7}", ending) and ending.lower() not in _NO_SIDES:
            stems.setdefault(stem, set()).add(ending)
    counts: dict[str, int] = {}
    for found in stems.values():
        for ending in found if len(found) > 1 else ():
            counts[ending] = counts.get(ending, 0) + 1
    return sorted(counts, key=lambda ending: (-counts[ending], ending))


_NO_SIDES = frozenset(
    "txt md csv tsv tab jsonl json parquet yaml yml zip tar tgz py names licence license html".split()
)


def folder_parts(
    folder: Path, source: str, target: str, *, valid: str | None = None, test: str | None = None
) -> dict[str, Sides]:
    """Part → the two files of it: train.en and train.fr, val (valid, dev), test…, each plain or .gz.

    `valid` and `test` choose among several (a stem such as test_2016_flickr, or the whole name). Raises InputError
    where a side is missing, where there is no train part, and, with their names, where several could be meant.
    """
    source, target = source.removeprefix("."), target.removeprefix(".")
    if source == target:
        raise InputError(f'{folder}: source and target are both "{source}": name the endings of two sides')
    sides = {ending: _stems(folder, ending) for ending in (source, target)}
    for key, ending in (("source", source), ("target", target)):
        if not sides[ending]:
            known = endings(folder)
            match = nearest(ending, known)
            held = f"Endings there: {', '.join(known) or 'none that pair'}."
            raise InputError(
                f"{folder}: no files that end in .{ending} (data.{key}). {held}"
                + (f" Did you mean {key}={match[0]}?" if match else "")
            )
    parts: dict[str, Sides] = {}
    for part, chosen in (("train", None), ("valid", valid), ("test", test)):
        stem = _stem_of(folder, part, sides, source, chosen)
        if stem is not None:
            for ending in (source, target):
                if stem not in sides[ending]:
                    there = sides[target if ending == source else source][stem]
                    raise InputError(f"{there} has no other side: expected {folder / stem}.{ending} (or .gz)")
            parts[part] = (sides[source][stem], sides[target][stem])
    return parts


def _names(folder: Path) -> list[str]:
    """The names of a folder's files without .gz, sorted."""
    try:
        return sorted(
            re.sub(r"\.gz$", "", entry.name, flags=re.IGNORECASE) for entry in folder.iterdir() if entry.is_file()
        )
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from error


def _stems(folder: Path, ending: str) -> dict[str, Path]:
    """Stem → file with this ending; the plain one where there is a .gz as well."""
    found = {}
    for name in dict.fromkeys(_names(folder)):
        if name.endswith("." + ending) and len(name) > len(ending) + 1:
            plain = folder / name
            found[name[: -len(ending) - 1]] = plain if plain.is_file() else _zipped(plain)
    return found


def _zipped(plain: Path) -> Path:
    return next(
        path for path in (plain.with_name(plain.name + end) for end in (".gz", ".GZ", ".Gz", ".gZ")) if path.is_file()
    )


def _stem_of(folder: Path, part: str, sides: dict[str, dict[str, Path]], source: str, chosen: str | None) -> str | None:
    """The stem that is a part; None for a part that is not there."""
    stems = sorted({stem for found in sides.values() for stem in found})
    if chosen is not None:
        name = re.sub(r"\.gz$", "", Path(chosen).name, flags=re.IGNORECASE).removesuffix("." + source)
        if name not in stems:
            raise InputError(f"{folder}: no {name}.{source} for data.{part}={chosen}. There: {', '.join(stems)}")
        return name
    exact = [stem for stem in stems if PARTS.get(stem.lower()) == part]
    begun = [stem for stem in stems if PARTS.get(re.split(r"[\W_\d]", stem.lower(), maxsplit=1)[0]) == part]
    found = exact or begun
    if part == "train" and not found and len(stems) == 1:
        return stems[0]
    if len(found) > 1:
        way = (
            f"name one with {part}={found[0]}.{source}"
            if part != "train"
            else "give the two files as source and target"
        )
        raise InputError(f"{folder}: several files could be the {part} part ({', '.join(found)}): {way}")
    if part == "train" and not found:
        raise InputError(
            f"{folder}: no train part; expected train.{source} and its other side. There: {', '.join(stems)}"
        )
    return found[0] if found else None
