"""What a translator or a partner in conversation writes: five unseen sources, scores, faults, growth by epoch."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstmlab.analysis import faults, scarcity, variety
from lstmlab.analysis.faults import told
from lstmlab.analysis.outputs import LengthBin, Outputs
from lstmlab.analysis.variety import Variety
from lstmlab.metrics import SCORES, format_score
from lstmlab.metrics.significance import SURE, equal_means, p_word
from lstmlab.report import Figure, Section, Table, excerpt
from lstmlab.report.text import Value
from lstmlab.tasks.writing import SHOWN
from lstmlab.training.run import Run

FEW_FAULTS = 0.05
"""Below this share of the test part a fault is no weakness worth a line among the observations."""


def translates(run: Run) -> bool:
    """Whether the run translated a test part."""
    return run.recipe["task"] == "translation" and run.finished and bool(Outputs.of(run).rows)


def replies(run: Run) -> bool:
    """Whether the run replied to a test part."""
    return run.recipe["task"] == "dialogue" and run.finished and bool(Outputs.of(run).rows)


def section(run: Run) -> Section:
    """Outputs beside their references, how good they are by BLEU and length, what is wrong with them."""
    outputs, dialogue = Outputs.of(run), run.recipe["task"] == "dialogue"
    found, bins = faults.find(run, outputs), [] if dialogue else outputs.bins
    varied = Variety.of(run) if dialogue else None
    parts = [
        *([varied.words] if varied else []),
        score_words(run, outputs),
        *length_words(bins),
        fault_words(outputs, found),
        "" if dialogue else confusion_words(outputs),
        growth_words(run),
        *scarcity.words(run, outputs),
    ]
    tables = [*_shown(outputs), *(variety.tables(run, varied) if varied else [])]
    said = _reply_claim(outputs, varied) if varied else claim(outputs, found)
    return Section("What it writes", said, "\n\n".join(filter(None, parts)), tables, _figures(bins))


def claim(outputs: Outputs, found: Sequence[faults.Fault]) -> str:
    """How many translations are right to the letter, and what is wrong most often."""
    count, equal = len(outputs.rows), outputs.equal
    right = f"{100 * equal / count:.1f} % of {count:,} translations equal their reference"
    severe = [kind for kind in found if not kind.mild and len(kind.rows) >= max(FEW_FAULTS * count, 1)]
    worst = [*severe, *(kind for kind in found if kind.rows)][:1]
    if not worst:
        return f"{right}."
    return f"{right}; most frequent otherwise: {worst[0].name} ({100 * len(worst[0].rows) / count:.1f} %)."


def summary(run: Run, outputs: Outputs) -> str:
    """The claim alone, for a translator."""
    return claim(outputs, faults.find(run, outputs))


def _reply_claim(outputs: Outputs, varied: Variety) -> str:
    different = len({one.casefold() for one in outputs.said})
    verdict = "the model has become dull" if varied.dull else "not dull beside the references"
    if not varied.people:
        verdict = "the references' own variety is not known"
    count = len(outputs.rows)
    return f"{different:,} different replies to {count:,} test sources: {verdict}."


def score_words(run: Run, outputs: Outputs) -> str:
    """BLEU with its interval and signature, chrF and TER."""
    found, test = outputs.scores, run.metrics["test"]
    parts = []
    for name in ("bleu", "chrf", "ter"):
        value = {**found.scores, **{known: test[known] for known in ("ter",) if test.get(known) is not None}}.get(name)
        if value is None:
            continue
        interval = found.intervals.get(name)
        ends = f" (95 % interval {interval[0]:.1f} to {interval[1]:.1f})" if interval else ""
        parts.append(f"{SCORES[name].title} {format_score(name, value)}{ends}")
    signature = run.metrics.get("signatures", {}).get("bleu") or found.signatures["bleu"]
    return (
        f"Scores of all {len(outputs.rows):,} test outputs: {', '.join(parts)}. Other good wordings than "
        f"the reference's count as wrong. By sacreBLEU: {excerpt(signature, 120)}."
    )


def length_words(bins: Sequence[LengthBin]) -> list[str]:
    """Whether the source's length makes a difference; nothing where there are too few sentences to ask."""
    if not bins:
        return []
    best, worst = max(bins, key=lambda one: one.chrf), min(bins, key=lambda one: one.chrf)
    if not _matters(bins):
        each = ", ".join(f"{one.chrf:.0f} ({one.words} words, n = {one.count:,})" for one in bins)
        return [f"Length: no clear effect ({p_word(_by_chance(bins))} over all bins). chrF {each}."]
    return [
        f"Length: chrF is {best.chrf:.1f} (BLEU {best.bleu:.1f}) for sources of {best.words} words and "
        f"{worst.chrf:.1f} (BLEU {worst.bleu:.1f}) for those of {worst.words}; the {len(bins)} bins differ "
        f"by more than chance ({p_word(_by_chance(bins))})."
    ]


def _matters(bins: Sequence[LengthBin]) -> bool:
    """Whether the bins differ by more than chance."""
    return _by_chance(bins) < SURE


def _by_chance(bins: Sequence[LengthBin]) -> float:
    """p of bins as unlike as these, were there no effect of length; standard errors are those of the bootstrap."""
    return equal_means([one.chrf for one in bins], [(one.interval[1] - one.interval[0]) / 3.92 for one in bins])


def fault_words(outputs: Outputs, found: Sequence[faults.Fault]) -> str:
    """Every kind of fault that occurs, and which do not."""
    count = len(outputs.rows)
    there, missing = [kind for kind in found if kind.rows], [kind.name for kind in found if not kind.rows]
    large = [kind for at, kind in enumerate(there) if at < 2 or len(kind.rows) >= FEW_FAULTS * count]
    small = [f"{kind.name} ({100 * len(kind.rows) / count:.1f} %)" for kind in there[len(large) :]]
    rest = [f"Rarer: {', '.join(small)}."] if small else []
    rest += [f"Looked for and not found: {', '.join(missing)}."] if missing else []
    if not there:
        return f"What is wrong, by rules over all {count:,} outputs: nothing. {' '.join(rest)}"
    points = [*(kind.words(outputs) for kind in large), *([" ".join(rest)] if rest else [])]
    head = f"What is wrong, by rules over all {count:,} outputs (one may have several faults):"
    return "\n".join([head, *(f"- {point}" for point in points)])


def confusion_words(outputs: Outputs) -> str:
    """Which words are taken for which, where it happens more than once."""
    often = [(true, other, count) for true, other, count in faults.confusions(outputs) if count > 1]
    if not often:
        return ""
    shown = [f"{told(true, 30)} became {told(other, 30)} ({count} times)" for true, other, count in often[:4]]
    return f"Most frequent wrong words: {'; '.join(shown)}."


def weaknesses(run: Run, outputs: Outputs) -> list[str]:
    """The faults that are frequent enough to be weaknesses, a sentence each."""
    count = len(outputs.rows)
    return [
        f"{kind.name[:1].upper()}{kind.name[1:]}: {len(kind.rows):,} of {count:,} outputs "
        f"({100 * len(kind.rows) / count:.1f} %)."
        for kind in faults.find(run, outputs)
        if not kind.mild and len(kind.rows) >= max(FEW_FAULTS * count, 1)
    ]


def growth_words(run: Run) -> str:
    """How one answer changed: the middle one of the validation sources answered after every epoch."""
    rows = [row for row in run.history if row.get("samples")]
    if len(rows) < 2:
        return ""
    samples = rows[-1]["samples"]
    chosen = samples[len(samples) // 2]
    steps = []
    for place in sorted({0, (len(rows) - 1) // 2, len(rows) - 1}):
        said = [one["prediction"] for one in rows[place]["samples"] if one["input"] == chosen["input"]]
        steps += [f"{int(rows[place]['epoch'])} {told(str(said[0]))}"] if said else []
    reference = f" (reference {told(str(chosen['target']))})" if chosen.get("target") else ""
    return f"How an answer grew, to the validation source {told(str(chosen['input']))}{reference}: after epoch " + (
        ", after ".join(steps) + "."
    )


# ---- Tables


def _shown(outputs: Outputs) -> list[Table]:
    place_of = {id(row): at for at, row in enumerate(outputs.rows)}
    chosen = [place_of[id(row)] for row in outputs.shown]
    if not chosen:
        return []
    rows: list[list[Value]] = [
        [place, *(_text(texts[at]) for texts in (outputs.sources, outputs.said, outputs.wanted)),
         f"{outputs.each[at]:.0f}"]
        for place, at in enumerate(chosen, 1)
    ]  # fmt: skip
    shares = ", ".join(f"{100 * share:.0f}" for share in SHOWN[:-1]) + f" and {100 * SHOWN[-1]:.0f} %"
    note = f"Chosen before training: those at {shares} of the test sources ordered by length. chrF: of each alone."
    return [Table("Five unseen sources." if len(chosen) == 5 else "Unseen sources.",
                  ["", "Source", "Output", "Reference", "chrF"], rows, note)]  # fmt: skip


def _text(text: str) -> str:
    return excerpt(" / ".join(text.split("\n")), 110) or "(nothing)"


# ---- Figure


def _figures(bins: Sequence[LengthBin]) -> list[Figure]:
    if not bins or not _matters(bins):  # a sentence says as much
        return []

    def draw(figure: Any) -> None:
        axes, at = figure.subplots(), np.arange(len(bins))
        middle = np.array([one.chrf for one in bins])
        spread = [middle - [one.interval[0] for one in bins], [one.interval[1] for one in bins] - middle]
        axes.errorbar(at, middle, yerr=np.maximum(spread, 0), fmt="o-", capsize=3)
        for place, one in zip(at, bins, strict=True):
            axes.annotate(f"{one.chrf:.0f}", (place, one.chrf), (6, 3), textcoords="offset points", fontsize=8)
        names = [f"{one.words.replace(' to ', '–')}\n(n = {one.count:,})" for one in bins]
        axes.set_xticks(at, names)
        axes.set(title="chrF by length", xlabel="Words and marks of the source", ylabel="chrF (0–100)")

    note = "Bins of about equal size; bars are 95 % bootstrap intervals, n the number of sentences."
    return [Figure("length", "chrF by the length of the source.", draw, note=note, width=5.0, height=1.7)]
