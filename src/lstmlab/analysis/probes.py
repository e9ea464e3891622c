"""How the arms of a study do on the sentences they were scored on besides: negation, contrast, irrealis."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lstmlab.analysis.contenders import Contender
from lstmlab.analysis.contest import Contest
from lstmlab.metrics.significance import Estimate, holm, mean_interval, p_word, sign_flip
from lstmlab.report import Section, Table, excerpt
from lstmlab.report.text import Value
from lstmlab.training.probe import CONTRAST, FILE, read_answers

KIND, PAIR = "kind", "pair"
ASKED = (
    "The sentences turn on negation, contrast or what is only imagined; single words mislead. They were written for "
    "this purpose and nobody trained on them."
)
"""Of the project's own."""


@dataclass(frozen=True)
class Probed:
    """One arm's answers to the probe, all its seeds."""

    name: str
    rows: list[dict[str, Any]]
    right: np.ndarray
    """[S N] whether each seed's answer is right."""

    @property
    def accuracy(self) -> Estimate:
        """Share of right answers, with its interval over seeds."""
        return mean_interval(self.right.mean(1))

    def of(self, kind: str) -> float:
        """Share of right answers to one kind of sentence."""
        here = [row.get(KIND) == kind for row in self.rows]
        return float(self.right[:, here].mean())

    @property
    def pairs(self) -> float | None:
        """Share of pairs of which both sentences are right; None where the probe has no pairs."""
        names = [row.get(PAIR) for row in self.rows]
        twos = [name for name, count in Counter(names).items() if name and count > 1]
        if not twos:
            return None
        both = [self.right[:, [other == name for other in names]].all(1) for name in twos]
        return float(np.mean(both))


def probed(one: Contender) -> Probed | None:
    """An arm's answers; None where it was not asked, or not alike with every seed."""
    told = [rows for run in one.runs.values() if (rows := read_answers(run))]
    if not told or len({tuple(row["text"] for row in rows) for rows in told}) > 1:
        return None
    right = np.array([[row["prediction"] == row["label"] for row in rows] for rows in told])
    return Probed(one.name, told[0], right)


def section(contest: Contest) -> list[Section]:
    """Accuracy of each arm on the probe and on each of its kinds; nothing where there is none."""
    found = [one for contender in contest.contenders if (one := probed(contender)) is not None]
    if not found:
        return []
    kinds = list(dict.fromkeys(str(row[KIND]) for row in found[0].rows if row.get(KIND)))
    probe = contest.study.plan.probe or FILE
    own = probe != CONTRAST
    title = f"Sentences of {excerpt(Path(probe).name, 60)}" if own else "Contrast sentences"
    evidence = f"{'' if own else ASKED} {_evidence(found)}".strip()
    return [Section(title, _claim(found), evidence, [_table(found, kinds), _hardest(found)])]


def _claim(found: list[Probed]) -> str:
    best = max(found, key=lambda one: one.accuracy.mean)
    count = len(best.rows)
    chance = max(Counter(row["label"] for row in best.rows).values()) / count
    told = (
        f"{100 * best.accuracy.mean:.0f} % of {count} sentences are right with the best arm ({excerpt(best.name, 60)})"
    )
    return f"{told}; always saying the same label would have {100 * chance:.0f} %."


def _evidence(found: list[Probed]) -> str:
    """Whether the arms differ on these sentences, example by example."""
    best = max(found, key=lambda one: one.accuracy.mean)
    others = [one for one in found if one is not best]
    if not others or best.right.shape[0] < 2:
        return ""
    ps = holm([sign_flip(best.right.mean(0) - one.right.mean(0)) for one in others])
    told = [
        f"{excerpt(best.name, 40)} against {excerpt(one.name, 40)}: "
        f"{100 * (best.accuracy.mean - one.accuracy.mean):+.1f} points, {p_word(p)}"
        for one, p in zip(others, ps, strict=True)
    ]
    return f"Over the sentences (sign-flip test, Holm): {'; '.join(told)}."


def _table(found: list[Probed], kinds: list[str]) -> Table:
    rows: list[list[Value]] = []
    with_pairs = any(one.pairs is not None for one in found)
    for one in found:
        half = "" if one.accuracy.count < 2 else f" ± {100 * one.accuracy.half:.1f}"
        pairs: list[Value] = [None if one.pairs is None else f"{100 * one.pairs:.1f}"] if with_pairs else []
        rows.append([excerpt(one.name, 60), f"{100 * one.accuracy.mean:.1f}{half}", *pairs,
                     *(f"{100 * one.of(kind):.1f}" for kind in kinds)])  # fmt: skip
    heads = ["Arm", "All (%)", *(["Both of a pair (%)"] if with_pairs else []), *(f"{kind} (%)" for kind in kinds)]
    return Table("Accuracy on these sentences.", heads, rows, "Means over seeds.")


def _hardest(found: list[Probed]) -> Table:
    """The sentences most often wrong."""
    shares = np.mean([one.right.mean(0) for one in found], axis=0)
    order = np.argsort(shares, kind="stable")[:6]
    rows: list[list[Value]] = [
        [
            excerpt(found[0].rows[at]["text"], 110), excerpt(found[0].rows[at]["label"], 20),
            *(f"{100 * one.right[:, at].mean():.0f}" for one in found[:4]),
        ]
        for at in order.tolist()
    ]  # fmt: skip
    heads = ["Sentence", "Truth", *(f"{excerpt(one.name, 20)} right (%)" for one in found[:4])]
    return Table("The hardest of them.", heads, rows, "Shares of seeds that got it right.")
