"""What a tagger gets wrong: which tag for which, where, and whether it knew the word."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lstmlab.data import spans
from lstmlab.data.spans import Scheme
from lstmlab.data.words import WordEncoder
from lstmlab.metrics import SpanScore, span_scores
from lstmlab.report import Figure, Section, Table, excerpt
from lstmlab.report.text import Value
from lstmlab.training.run import Run

BINS = ((0, 0, "never"), (1, 1, "once"), (2, 9, "2 to 9"), (10, 99, "10 to 99"), (100, None, "100 or more"))
"""How often training saw a word: least, most, in words."""
SHOWN = 8
"""Rows of a table."""
AROUND = 3
"""Words on each side of a mistake that are shown."""


@dataclass(frozen=True)
class Word:
    """A word of the test part with the tag it has and the one it was given."""

    word: str
    truth: str
    said: str
    before: str
    after: str
    seen: int
    """How often training saw it."""

    @property
    def right(self) -> bool:
        """Whether the tag is the right one."""
        return self.truth == self.said


@dataclass(frozen=True)
class Taggings:
    """All words of the test part, sentence after sentence."""

    words: list[Word]
    scheme: Scheme
    rows: list[dict[str, Any]]

    @classmethod
    def of(cls, run: Run) -> "Taggings":
        """The run's answers, and from its vocabulary how often each word was seen."""
        saved = run.saved_task
        encoder = WordEncoder.from_json(saved["encoder"])
        rows = [row for row in run.predictions if row.get("target") is not None]
        return cls(list(_words(rows, encoder)), saved["scheme"], rows)

    @cached_property
    def wrong(self) -> list[Word]:
        """Those with a wrong tag."""
        return [word for word in self.words if not word.right]

    @property
    def accuracy(self) -> float:
        """Share of the words with the right tag."""
        return 1 - len(self.wrong) / max(len(self.words), 1)

    @property
    def bins(self) -> list[tuple[str, int, float]]:
        """Words by how often training saw them: (how often, words, accuracy); bins without a word are left out."""
        found = []
        for least, most, name in BINS:
            some = [word.right for word in self.words if word.seen >= least and (most is None or word.seen <= most)]
            if some:
                found.append((name, len(some), float(np.mean(some))))
        return found

    @cached_property
    def spans(self) -> tuple[SpanScore, dict[str, SpanScore]]:
        """Strict scores of spans, of all and by kind."""
        sides = (
            [[((one.start, one.stop), one.kind) for one in spans.spans(row[name], self.scheme)[0]] for row in self.rows]
            for name in ("prediction", "target")
        )
        return span_scores(*sides)


def _words(rows: list[dict[str, Any]], encoder: WordEncoder) -> Iterator[Word]:
    for row in rows:
        given = [str(word) for word in row["input"]]
        for at, (word, truth, said) in enumerate(zip(given, row["target"], row["prediction"], strict=True)):
            before, after = given[max(at - AROUND, 0) : at], given[at + 1 : at + 1 + AROUND]
            yield Word(word, str(truth), str(said), " ".join(before), " ".join(after), encoder.seen(word))


def applies(run: Run) -> bool:
    """Whether the run tagged words whose tags are known."""
    return run.recipe["task"] == "tagging" and run.finished and any(row.get("target") for row in run.predictions)


def section(run: Run) -> Section:
    """Accuracy by how often a word was seen, spans by kind, what is taken for what, with examples."""
    told = Taggings.of(run)
    tables = [_confusions(told), _examples(told)] if told.wrong else []
    if told.scheme != "plain":
        tables.insert(0, _kinds(told))
    words = " ".join(filter(None, [seen_words(told), kind_words(told)]))
    return Section("Mistakes", claim(told), words, tables, [_figure(told)])


def claim(told: Taggings) -> str:
    """How many words are wrong, and what is most often taken for what."""
    count, wrong = len(told.words), len(told.wrong)
    said = f"{wrong:,} of {count:,} words have a wrong tag ({100 * wrong / max(count, 1):.1f} %)"
    if not wrong:
        return f"All {count:,} words have the right tag."
    (truth, other), often = _ranked(told)[0]
    return f"{said}; the most frequent mistake is {excerpt(other, 30)} for {excerpt(truth, 30)} ({often:,} times)."


def seen_words(told: Taggings) -> str:
    """What words that training never saw cost."""
    bins = {name: (count, share) for name, count, share in told.bins}
    if "never" not in bins or len(bins) < 2:
        return "Training saw every word of the test part." if "never" not in bins else ""
    count, share = bins["never"]
    known = [word.right for word in told.words if word.seen]
    return (
        f"{100 * count / len(told.words):.1f} % of the words never occur in training: {100 * share:.1f} % of them are "
        f"right, of the others {100 * float(np.mean(known)):.1f} %."
    )


def kind_words(told: Taggings) -> str:
    """Which kind of span is found best, which worst."""
    if told.scheme == "plain":
        return ""
    _, each = told.spans
    known = {kind: score for kind, score in each.items() if score.there}
    if len(known) < 2:
        return ""
    best, worst = (choose(known, key=lambda kind: known[kind].f1) for choose in (max, min))
    return (
        f"Found best: {excerpt(best, 30)} (F1 {100 * known[best].f1:.1f} %); worst: {excerpt(worst, 30)} "
        f"({100 * known[worst].f1:.1f} %, {known[worst].there:,} in the test part)."
    )


def _ranked(told: Taggings) -> list[tuple[tuple[str, str], int]]:
    """(truth, said) and how often, most frequent first."""
    counts = Counter((word.truth, word.said) for word in told.wrong)
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))


def _kinds(told: Taggings) -> Table:
    every, each = told.spans
    order = sorted(each, key=lambda kind: -each[kind].there)[:12]
    rows: list[list[Value]] = []
    for name, one in [*((kind, each[kind]) for kind in order), ("all", every)]:
        shares = [f"{100 * value:.1f}" for value in (one.precision, one.recall, one.f1)]
        rows.append([excerpt(name, 30), *shares, one.there, one.found])
    note = f"A span counts where its words and its kind are right (strict, {told.scheme.upper()})."
    return Table("Spans by kind.", ["Kind", "Precision (%)", "Recall (%)", "F1 (%)", "There", "Found"], rows, note)


def _confusions(told: Taggings) -> Table:
    rows: list[list[Value]] = []
    for (truth, said), often in _ranked(told)[:SHOWN]:
        own = [word for word in told.wrong if (word.truth, word.said) == (truth, said)]
        common = Counter(word.word for word in own).most_common(3)
        shown = ", ".join(excerpt(word, 20) for word, _ in common)
        rows.append([excerpt(truth, 30), excerpt(said, 30), often, shown])
    return Table("What is most often taken for what.", ["It is", "The model says", "Times", "For example"], rows)


def _examples(told: Taggings) -> Table:
    """One mistake of each of the most frequent kinds, in its sentence."""
    rows: list[list[Value]] = []
    for pair, _ in _ranked(told)[:SHOWN]:
        word = next(word for word in told.wrong if (word.truth, word.said) == pair)
        around = f"{word.before} [{word.word}] {word.after}".strip()
        rows.append([excerpt(around, 70), excerpt(word.truth, 24), excerpt(word.said, 24), word.seen])
    note = "The word in question stands in brackets; at the right how often training saw it."
    return Table("Mistakes in their sentences.", ["In its sentence", "It is", "The model says", "Seen"], rows, note)


def _figure(told: Taggings) -> Figure:
    bins = told.bins

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        heights = [100 * share for _, _, share in bins]
        axes.bar(range(len(bins)), heights, color="#0072B2", width=0.6)
        for at, ((_, count, _), height) in enumerate(zip(bins, heights, strict=True)):
            axes.annotate(f"{height:.1f} %\n{count:,}", (at, height), ha="center", va="bottom", fontsize=7)
        axes.set_xticks(range(len(bins)), [name for name, _, _ in bins])
        axes.set_ylim(max(0, min(heights) - 10), 103)
        axes.set(title="Accuracy by frequency", xlabel="Times training saw the word", ylabel="Accuracy (%)")

    return Figure("accuracy-by-frequency", "Accuracy by how often training saw the word.", draw,
                  note="Under the share: words of the test part.", width=5.4, height=2.3)  # fmt: skip
