"""How much replies differ from each other, beside people's own, and words of warning where a model has become dull."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lstmlab.analysis.architecture import setting
from lstmlab.analysis.faults import told
from lstmlab.analysis.outputs import Outputs, plain
from lstmlab.metrics import SCORES, format_score
from lstmlab.report import Table, excerpt
from lstmlab.report.text import Value
from lstmlab.training.run import Run

REFERENCES = "the references"
"""The entry of a run's baselines that holds people's own variety."""
NAMES = ("distinct_1", "distinct_2", "repeated_replies", "generic_replies")
POOR = 0.5
"""Below this share of the references' distinct-2 a model is dull."""
GENERIC = 0.1
"""From this share of generic replies on, a model is dull that gives twice as many of them as people do."""
MOST = 3
"""Frequent replies shown."""


@dataclass(frozen=True)
class Variety:
    """The model's variety and the references', each by the names of its scores."""

    outputs: Outputs
    model: dict[str, float]
    people: dict[str, float]
    """Empty where the run does not hold them."""

    @classmethod
    def of(cls, run: Run) -> "Variety":
        """The variety of a run's replies."""
        known = run.metrics.get("baseline", {}).get(REFERENCES, {})
        return cls(Outputs.of(run), _known(run.metrics["test"]), _known(known))

    @property
    def poor(self) -> bool:
        """Whether pairs of words vary less than half as much as people's."""
        mine, theirs = self.model.get("distinct_2"), self.people.get("distinct_2")
        return mine is not None and theirs is not None and mine < POOR * theirs

    @property
    def generic(self) -> bool:
        """Whether too many replies fit everything."""
        mine, theirs = self.model.get("generic_replies", 0.0), self.people.get("generic_replies")
        return theirs is not None and mine > max(2 * theirs, GENERIC)

    @property
    def dull(self) -> bool:
        """Whether a partner in conversation would be bored."""
        return self.poor or self.generic

    @cached_property
    def frequent(self) -> list[tuple[str, int]]:
        """Replies given more than once, with how often, most frequent first."""
        first: dict[str, str] = {}
        for said in self.outputs.said:
            first.setdefault(plain(said), said)
        times = Counter(map(plain, self.outputs.said))
        return [(first[reply], count) for reply, count in times.most_common() if count > 1]

    @property
    def words(self) -> str:
        """The verdict, with its numbers."""
        if not self.people or "distinct_2" not in self.model:
            return "Variety: this run does not hold the references' own, so nothing can be said of it."
        numbers = (
            f"distinct-2, the share of different pairs of words, is {self._beside('distinct_2')}; generic, that is "
            f"given word for word to three different inputs or more, are {self._beside('generic_replies')}"
        )
        if not self.dull:
            return f"Variety: the replies are not dull by these measures: {numbers}."
        often = (
            f" Its most frequent reply, {told(self.frequent[0][0])}, was given {self._often}." if self.frequent else ""
        )
        return (
            f"Warning, the model has become dull: {numbers}.{often} It has learned the replies that fit almost "
            "everything, since these lower the loss on average, and a search for the likeliest reply finds just them "
            "(Li et al. 2016)."
        )

    @property
    def short(self) -> str:
        """The verdict in one sentence."""
        verdict = "Dull replies" if self.dull else "Replies that are not dull"
        return f"{verdict}: distinct-2 {self._beside('distinct_2')}, generic {self._beside('generic_replies')}."

    @property
    def _often(self) -> str:
        times = self.frequent[0][1]
        return f"{times:,} times ({100 * times / len(self.outputs.rows):.0f} %)"

    def _beside(self, name: str) -> str:
        mine, theirs = format_score(name, self.model.get(name)), format_score(name, self.people.get(name))
        return f"{mine} (in the references {theirs})"


def _known(scores: dict[str, float]) -> dict[str, float]:
    return {name: scores[name] for name in NAMES if scores.get(name) is not None}


def tables(run: Run, variety: Variety) -> list[Table]:
    """Variety beside the references', and the most frequent replies."""
    rivals = [(name, scores) for name, scores in run.metrics.get("baseline", {}).items() if _known(scores)]
    rows: list[list[Value]] = [
        [excerpt(name, 40), *(_cell(name_, scores.get(name_)) for name_ in NAMES)]
        for name, scores in [("this model", variety.model), *rivals]
    ]
    lengths = [len(variety.outputs.words(text)) for text in variety.outputs.said]
    wanted = [len(variety.outputs.words(text)) for text in variety.outputs.wanted]
    shown = Table(
        "How much the replies vary.",
        ["", *(SCORES[name].heading.rsplit(" ", 1)[0] for name in NAMES)],
        rows,
        "Distinct-n: different n-grams over all n-grams. Repeated: equal to another reply of the part. Generic: given "
        f"to three different inputs or more. A reply has {np.mean(lengths):.1f} words and marks on average, a "
        f"reference {np.mean(wanted):.1f}. The references are the measure, not a rival.",
    )
    return [shown, *_frequent(variety)]


def _cell(name: str, value: float | None) -> Value:
    return None if value is None else f"{SCORES[name].scale * value:.2f}"


def _frequent(variety: Variety) -> list[Table]:
    if not variety.frequent:
        return []
    count, wanted = len(variety.outputs.rows), Counter(map(plain, variety.outputs.wanted))
    rows: list[list[Value]] = [
        [excerpt(reply, 80) or "(nothing)", times, f"{100 * times / count:.1f}", wanted[plain(reply)]]
        for reply, times in variety.frequent[:MOST]
    ]
    left = len(variety.frequent) - len(rows)
    note = f"{left:,} more were given twice or more." if left > 0 else ""
    heads = ["Reply", "Times", "Share (%)", "Times among the references"]
    return [Table("Most frequent replies.", heads, rows, note, minor=True)]


def advice(run: Run) -> list[str]:
    """What to try against dullness; the setting stands at the end of each."""
    points = []
    search = run.recipe.get("decoding", {})
    if search.get("method") != "sample":
        points.append(
            "Draw words at random, from the likely ones only, in the place of a search for the likeliest reply: "
            "decoding.method=sample top_p=0.9."
        )
    elif search.get("top_p", 1.0) >= 1:
        points.append("Draw from the likely words only, which allows more variety without nonsense: top_p=0.9.")
    else:
        points.append(f"A higher temperature: temperature={search.get('temperature', 1.0) + 0.2:.2g}.")
    turns = setting(run, "data.turns")
    if turns:
        points.append(f"A longer history, which tells more apart: turns={turns + 2}.")
    points.append(
        "More training dialogues, of more people and topics: what a model has seen once it cannot vary (lstmlab data "
        "list)."
    )
    return points
