"""What is wrong with running text: passages that stand in two parts, characters only one part has, broken encodings."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations

from lstmlab.data.check import broken
from lstmlab.data.corpus import Corpus
from lstmlab.data.finding import EXAMPLES, LEVELS, Finding, by_share, counted
from lstmlab.data.load import Watch
from lstmlab.data.prose import ProseData, load_prose

LONG = 40
"""Characters of a line from which on it is a passage that should not stand in two parts by chance."""


def check_prose(settings: ProseData, watch: Watch = Watch()) -> tuple[dict[str, Corpus], tuple[Finding, ...]]:
    """The parts that training would see, line by line, and all findings about them, problems first."""
    parts = {name: part for name, part in load_prose(settings, watch).parts.items() if isinstance(part, Corpus)}
    texts = {name: part.inputs for name, part in parts.items()}
    found = [_size(texts)]
    found += [finding for name, part in parts.items() for finding in broken(part.frame, name)]
    found += [finding for name in ("valid", "test") for finding in _unseen(texts, name)]
    found += [finding for early, late in combinations(parts, 2) for finding in _shared(parts, early, late)]
    return parts, tuple(sorted(found, key=lambda finding: LEVELS.index(finding.level)))


def _size(texts: Mapping[str, list[str]]) -> Finding:
    counts = [f"{sum(map(len, lines)):,} characters in {name}" for name, lines in texts.items()]
    kinds = len(set().union(*(set(line) for line in texts["train"])))
    return Finding(
        "note", "Length", f"{', '.join(counts)}; {counted(kinds, 'different one', 'different ones')} in train.", kinds
    )


def _unseen(texts: Mapping[str, list[str]], part: str) -> Iterator[Finding]:
    """Characters that a model of characters could not foresee."""
    known = set().union(*(set(line) for line in texts["train"]))
    counts = Counter(letter for line in texts[part] for letter in line if letter not in known)
    if counts:
        shown = ", ".join(repr(letter) for letter, _ in counts.most_common(EXAMPLES))
        total = counts.total()
        yield Finding(
            "warning",
            f"Characters in {part} that train has not",
            f"{counted(total, 'place holds', 'places hold')} one of {len(counts):,}: {shown}. A model of characters "
            "reads them as unknown; one of subwords knows every character.",
            total,
        )


def _shared(parts: Mapping[str, Corpus], early: str, late: str) -> Iterator[Finding]:
    """Long lines of a later part that an earlier one has too: what was learned by heart is no foresight."""
    known = {" ".join(line.split()).casefold() for line in parts[early].inputs}
    long = [(place, line) for place, line in enumerate(parts[late].inputs) if len(line.strip()) >= LONG]
    same = [place for place, line in long if " ".join(line.split()).casefold() in known]
    if same:
        names = [str(parts[late].frame["id"][place]) for place in same[:EXAMPLES]]
        yield Finding(
            by_share(len(same), len(long)),
            f"Lines of {late} that stand in {early} too",
            f"{counted(len(same), 'line', 'lines')} of {LONG} characters or more, of {len(long):,} in {late}, can be "
            "told by heart: scores there are better than they would be on a new text.",
            len(same),
            tuple(f"{late} line {name}" for name in names),
        )
