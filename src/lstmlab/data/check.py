"""What is wrong with this data: leaks, duplicates, contradictions, imbalance, blank and broken texts.

Two texts are the same here if they agree but for case and white space. Every finding carries a count and the ids of
examples, so that it can be looked up and mended.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

import polars as pl

from lstmlab.data import pair_check
from lstmlab.data.corpus import Corpus
from lstmlab.data.finding import EXAMPLES, LEVELS, SERIOUS, Finding, by_share, counted, of, shared

LOPSIDED = 0.8
"""Share of the commonest label above which the data counts as unbalanced."""
UNEVEN = 10
"""How many times as many examples the commonest label may have as the rarest."""
FEW = 10
"""Fewer training examples of a label than this are hardly enough to learn it."""
SHORT = 2
"""Texts of fewer words are very short."""
LONG = 20
"""Texts of more than this many times the median number of words are very long."""

# UTF-8 read as cp1252 or latin-1 (é becomes Ã©, ’ becomes â€™), and the sign for bytes that were no character.
_MOJIBAKE = r"Ã[\x{80}-\x{BF}€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]|Â[\x{A0}-\x{BF}]|â€|ï»¿|\x{FFFD}"
_HTML = (
    r"</?(?i:br|p|div|span|a|b|i|em|strong|li|ul|ol|h[1-6]|img|td|tr|table)(?:\s[^<>]*)?/?>"
    r"|&(?:[a-z]{2,6}|#\d{1,5});"
)


def check(parts: Mapping[str, Corpus]) -> tuple[Finding, ...]:
    """All findings about the parts of a data set, problems first.

    Texts are looked at where inputs are text, labels where targets are text or whole numbers. Where targets are
    sentences (translations, replies), what is looked at is pairs. Two texts that are judged together count as one.
    """
    parts = {name: part for name, part in parts.items() if len(part)}
    found = [*pair_check.turned(parts)]
    parts = {name: _joined(part) for name, part in parts.items()}
    paired = pair_check.paired(parts)
    if parts and all(part.frame.schema["inputs"] == pl.String for part in parts.values()):
        rows = _rows(parts)
        for part in parts:
            here = rows.filter(pl.col("part") == part)
            found += [*_blank(here, part), *_lengths(here, part), *broken(here, part)]
            found += pair_check.within(here, part) if paired else _repeated(here, part)
        found += [finding for early, late in combinations(parts, 2) for finding in _leak(rows, early, late)]
        found += pair_check.across(rows) if paired else _contradictions(rows)
    if not paired:
        found += _labels(parts)
    return tuple(sorted(found, key=lambda finding: LEVELS.index(finding.level)))


def _joined(part: Corpus) -> Corpus:
    """Pairs of texts with a judgment as one text each."""
    if not pair_check.judged(part):
        return part
    return Corpus(part.frame.with_columns(pl.col("inputs").list.join("\n")), part.fingerprint)


def _rows(parts: Mapping[str, Corpus]) -> pl.DataFrame:
    """All parts under each other: part, id as shown, inputs, target as text, key (what makes texts the same)."""
    frames = [
        part.frame.select(
            pl.lit(name).alias("part"),
            pl.when(pl.col("id").str.starts_with(f"{name}/"))
            .then("id")
            .otherwise(f"{name} " + pl.col("id"))
            .alias("id"),
            pl.col("inputs").fill_null(""),
            _target(part.frame).alias("target"),
        )
        for name, part in parts.items()
    ]
    key = pl.col("inputs").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    return pl.concat(frames).with_columns(key.alias("key"))


def _target(frame: pl.DataFrame) -> pl.Expr:
    """The labels as text; nothing where targets are not labels (numbers to be forecast, tags of words)."""
    kind = frame.schema["target"]
    labels = kind == pl.String or kind == pl.Boolean or kind.is_integer()
    return (pl.col("target") if labels else pl.lit(None)).cast(pl.String)


def _blank(rows: pl.DataFrame, part: str) -> Iterator[Finding]:
    blank = rows.filter(pl.col("key") == "")
    told = "are blank: nothing can be learned from them. Remove them."
    yield from shared("problem", f"Blank texts in {part}", blank, len(rows), part, told)


def _repeated(rows: pl.DataFrame, part: str) -> Iterator[Finding]:
    written = rows.filter(pl.col("key") != "")
    again = written.filter(~pl.col("key").is_first_distinct())
    told = "repeat an earlier text of it: they count twice. Keep one of each."
    yield from shared("warning", f"Duplicates within {part}", again, len(rows), part, told)


def _leak(rows: pl.DataFrame, early: str, late: str) -> Iterator[Finding]:
    """Texts of a later part that stand in an earlier one as well."""
    first = rows.filter((pl.col("part") == early) & (pl.col("key") != "")).unique("key", keep="first")
    there = rows.filter(pl.col("part") == late)
    both = there.join(first.select("key", pl.col("id").alias("twin")), on="key", how="inner", maintain_order="left")
    if len(both):
        pairs = both.head(EXAMPLES).select(pl.format("{} = {}", "id", "twin")).to_series().to_list()
        yield Finding(
            "problem" if len(both) > SERIOUS * len(there) else "warning",
            f"Leak from {early} into {late}",
            f"{of(len(both), len(there))} of {late} stand in {early} too: the score on {late} is partly "
            f"memory. Remove them from {early}.",
            len(both),
            tuple(pairs),
        )


def _contradictions(rows: pl.DataFrame) -> Iterator[Finding]:
    labelled = rows.filter((pl.col("key") != "") & pl.col("target").is_not_null() & pl.col("key").is_duplicated())
    # Only what stands several times is grouped, which is little.
    split = labelled.filter(pl.col("target").n_unique().over("key") > 1).sort("key", maintain_order=True)
    if len(split):
        texts = split["key"].n_unique()
        told = split.head(EXAMPLES).select(pl.format("{} ({})", "id", "target")).to_series().to_list()
        yield Finding(
            "warning",
            "The same text with different labels",
            f"{counted(texts, 'text stands', 'texts stand')} there with more than one label, in "
            f"{len(split):,} examples: no model can get them all right.",
            len(split),
            tuple(told),
        )


def _lengths(rows: pl.DataFrame, part: str) -> Iterator[Finding]:
    rows = rows.filter(pl.col("key") != "")
    if rows.is_empty():
        return
    # In a key, single spaces part the words.
    words = rows["key"].str.count_matches(" ", literal=True) + 1
    low, middle, high = (int(words.quantile(share, "nearest") or 0) for share in (0.05, 0.5, 0.95))
    longest = int(words.arg_max() or 0)
    most, characters = int(words[longest]), len(rows["inputs"][longest])
    yield Finding(
        "note",
        f"Lengths in {part}",
        f"Half of the texts have at most {counted(middle, 'word', 'words')}; 90 % have {low:,} to {high:,}; "
        f"the longest has {most:,} words ({characters:,} characters).",
        len(rows),
    )
    short, long = rows.filter(words < SHORT), rows.filter(words > LONG * middle)
    level = by_share(len(short), len(rows)) if middle > SHORT else "note"
    yield from shared(level, f"Very short texts in {part}", short, len(rows), part, "have a single word.")
    told = f"are more than {LONG} times as long as the median: several texts run together, or an unclosed quote?"
    yield from shared("warning", f"Very long texts in {part}", long, len(rows), part, told)


def broken(rows: pl.DataFrame, part: str) -> Iterator[Finding]:
    """Texts (columns id and inputs) that were read with a wrong encoding, or hold marks of HTML."""
    garbled = rows.filter(pl.col("inputs").str.contains(_MOJIBAKE))
    told = (
        "hold signs of a wrong encoding (such as Ã© for é, or the replacement character): read the original with its "
        "own encoding (data.encoding)."
    )
    yield from shared("warning", f"Suspicious characters in {part}", garbled, len(rows), part, told)
    marked = rows.filter(pl.col("inputs").str.contains(_HTML))
    told = "hold HTML such as <br /> or &amp;: the model would learn it as words."
    yield from shared("warning", f"HTML in {part}", marked, len(rows), part, told)


def _labels(parts: Mapping[str, Corpus]) -> Iterator[Finding]:
    """Findings about labels alone; none for parts without labels."""
    counts: dict[str, dict[str, int]] = {}
    for name, part in parts.items():
        targets = part.frame.select(_target(part.frame).alias("target"))["target"]
        missing = targets.is_null().arg_true()
        if 0 < len(missing) < len(targets):
            yield Finding(
                "problem",
                f"Missing labels in {name}",
                f"{of(len(missing), len(targets))} of {name} have no label, others do.",
                len(missing),
                tuple(part.frame["id"][missing[:EXAMPLES]].to_list()),
            )
        if len(missing) < len(targets):
            table = targets.drop_nulls().value_counts(sort=True).sort("count", "target", descending=[True, False])
            counts[name] = {str(label): int(count) for label, count in table.iter_rows()}
    for name, found in counts.items():
        yield from _shares(name, found)
    if "train" in counts:
        for name, found in counts.items():
            yield from _unmatched(name, found, counts["train"])
    yield from _spellings(label for found in counts.values() for label in found)


def _shares(part: str, counts: Mapping[str, int]) -> Iterator[Finding]:
    total, (common, most), (rare, least) = sum(counts.values()), next(iter(counts.items())), list(counts.items())[-1]
    shares = ", ".join(f"{label} {100 * count / total:.1f} %" for label, count in list(counts.items())[:8])
    others = f", and {len(counts) - 8} more" if len(counts) > 8 else ""
    guess = f'Always saying "{common}" scores {most / total:.3f} accuracy.'
    if len(counts) == 1:
        yield Finding(
            "problem" if part == "train" else "warning",
            f"One class only in {part}",
            f'All {total:,} examples have the label "{common}": nothing can be learned or measured.',
            total,
        )
        return
    # What is only measured on may be as uneven as the world is; training on it is what goes wrong.
    uneven = part == "train" and (most > LOPSIDED * total or most > UNEVEN * least)
    advice = f' Accuracy alone hides how "{rare}" ({least:,}) fares: look at macro F1.' if uneven else ""
    yield Finding(
        "warning" if uneven else "note",
        f"{'Imbalance' if uneven else 'Labels'} in {part}",
        f"{shares}{others}. {guess}{advice}",
        len(counts),
    )
    few = [label for label, count in counts.items() if count < FEW]
    if part == "train" and few and total >= 10 * FEW:
        yield Finding(
            "warning",
            "Rare labels in train",
            f"{counted(len(few), 'label has', 'labels have')} fewer than {FEW} training examples: {_list(few)}.",
            len(few),
        )


def _unmatched(part: str, counts: Mapping[str, int], train: Mapping[str, int]) -> Iterator[Finding]:
    """Labels that one of train and `part` lacks."""
    strange = [label for label in counts if label not in train]
    unseen = [label for label in train if label not in counts]
    if strange:
        rows = sum(counts[label] for label in strange)
        yield Finding(
            "problem",
            f"Labels of {part} that train lacks",
            f"{_list(strange)}: {counted(rows, 'example', 'examples')} of {part} cannot be got right.",
            len(strange),
        )
    if unseen and len(counts) > 1:
        yield Finding(
            "note",
            f"Labels of train that {part} lacks",
            f"{_list(unseen)}: the score on {part} says nothing about them.",
            len(unseen),
        )


def _spellings(labels: Iterable[str]) -> Iterator[Finding]:
    """Labels that differ in case or white space alone."""
    spellings: dict[str, dict[str, None]] = {}
    for label in labels:
        spellings.setdefault(" ".join(label.casefold().split()), {})[label] = None
    several = ["/".join(group) for group in spellings.values() if len(group) > 1]
    if several:
        yield Finding(
            "warning",
            "Labels spelled in several ways",
            f"{_list(several)}: they count as different labels. Write each in one way.",
            len(several),
        )


def _list(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
