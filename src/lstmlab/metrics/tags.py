"""Scores of taggings: spans that are found whole, strictly or as conlleval counts them."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from lstmlab.errors import InputError


@dataclass(frozen=True)
class SpanScore:
    """Precision, recall and F1 (0 to 1) of one kind of span, or of all; zero where nothing was found or nothing was
    there."""

    right: int
    found: int
    there: int

    @property
    def precision(self) -> float:
        """Share of the spans found that are right."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of the spans there that were found."""
        return self.right / self.there if self.there else 0.0

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def span_scores(
    found: Sequence[Sequence[tuple[Hashable, str]]], there: Sequence[Sequence[tuple[Hashable, str]]]
) -> tuple[SpanScore, dict[str, SpanScore]]:
    """Of all spans together (micro), and kind by kind. A span is (where, kind), and right where both are equal.

    Raises InputError without a sentence and ValueError where there are not as many found as there.
    """
    if not len(there):
        raise InputError("no sentences to score")
    if len(found) != len(there):
        raise ValueError(f"{len(found)} sentences with spans found, {len(there)} with spans there")
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("right", "found", "there")}
    for some, truth in zip(found, there, strict=True):
        counts["found"].update(kind for _, kind in some)
        counts["there"].update(kind for _, kind in truth)
        counts["right"].update(kind for _, kind in set(some) & set(truth))
    kinds = sorted(counts["found"].keys() | counts["there"].keys())
    each = {kind: SpanScore(*(counts[name][kind] for name in ("right", "found", "there"))) for kind in kinds}
    return SpanScore(*(sum(counts[name].values()) for name in ("right", "found", "there"))), each


def macro_span_f1(each: dict[str, SpanScore]) -> float:
    """The mean F1 of the kinds that are there (0 to 1); zero where none is."""
    known = [score.f1 for score in each.values() if score.there]
    return sum(known) / len(known) if known else 0.0
