"""Attention: where the decoder looked while it wrote, how sharply, and whether in the order of the source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstmlab.analysis.architecture import setting
from lstmlab.analysis.heatmaps import Panel, drawn_height, heatmap, page_figures
from lstmlab.analysis.looks import Alignment
from lstmlab.analysis.outputs import Outputs
from lstmlab.report import Section, Table
from lstmlab.report.text import Value
from lstmlab.training.run import Run

__all__ = ["Alignment", "Look", "applies", "claim", "heatmap", "section", "summary"]

SHARP, FLAT = 0.35, 0.7
"""Shares of the source's tokens (effective number over all) below which attention is sharp, from which it is flat."""
ORDERED = 0.7
"""From this rank correlation on, attention moves along the source in its order."""
BOTH = "both searches"
"""Where greedy search wrote the same as the run's own."""
ROOM, ROOM_OF_REPLIES = 4.5, 2.4
"""Inches of a page for heatmaps, greedy ones included; of replies, whose report has more tables, fewer."""
PARKED = 0.3
"""From this share of the weights on, the end mark is where attention mostly rests."""


def applies(run: Run) -> bool:
    """Whether the run has attention and wrote down where it looked."""
    return run.finished and setting(run, "model.context") == "attention" and bool(_looks(run))


def why_not(run: Run) -> str:
    """Why there is no attention to show."""
    if run.recipe["task"] not in ("translation", "dialogue"):
        return f"it is of {run.recipe['task']}; attention is shown of translators and partners in conversation"
    if setting(run, "model.context") != "attention":
        return f"it has no attention: it was trained with model.context={setting(run, 'model.context')}"
    return "none of its test outputs tells where it looked"


def section(run: Run) -> Section:
    """Heatmaps of the sentences shown, for both searches, with the numbers that say how sharp they are."""
    looks = _looks(run)
    shown = len({look.sentence for look in looks})
    only = "one sentence" if shown == 1 else f"{shown} sentences"
    told = (
        f"Measured on the {only} shown under “What it writes”: only these carry attention.",
        _sharp_words(looks),
        _end_words(looks),
        _order_words(looks),
        "It shows where the decoder looked, not why it wrote what it did.",
    )
    kept = _fitting(looks, ROOM_OF_REPLIES if run.recipe["task"] == "dialogue" else ROOM)
    note = "A row for each step of writing; white is a weight of 0, dark blue one of 1."
    if len(kept) < len(looks):
        own = sum(look.search != "greedy" for look in looks) - sum(look.search != "greedy" for look in kept)
        note += f" {'The shortest' if own else 'Greedy outputs'} are drawn, as far as there is room."
    figures = page_figures([_panel(look) for look in kept], note)
    return Section("Attention", claim(looks), " ".join(filter(None, told)), [_table(looks)], figures)


def _panel(look: "Look") -> Panel:
    return Panel(look.alignment, f"{look.sentence + 1}: {look.search}")


def _fitting(looks: "Sequence[Look]", room: float) -> "list[Look]":
    """As many outputs as there is room for (inches): the run's own search first, then greedy ones, shortest first."""
    greedy = [at for at, look in enumerate(looks) if look.search == "greedy"]
    own = [at for at in range(len(looks)) if at not in greedy]
    kept = [*own, *greedy]
    while len(kept) > 1 and drawn_height([_panel(looks[at]) for at in sorted(kept)]) > room:
        kept.pop()
    return [looks[at] for at in sorted(kept)]


def summary(run: Run) -> str:
    """The claim alone."""
    return claim(_looks(run))


def judgement(run: Run) -> tuple[bool | None, str]:
    """Whether attention is a strength (sharp, and all over the source), a weakness (flat, or stuck) or neither."""
    looks = _looks(run)
    tokens = float(np.mean([look.tokens for look in looks]))
    effective, reached = _mean(looks, "effective"), _mean(looks, "reached")
    said = f"{effective:.1f} of {tokens:.1f} source tokens at a step, {reached:.1f} over all steps of an output"
    if effective >= FLAT * tokens:
        return False, f"Flat attention, which looks at {said}."
    if reached < SHARP * tokens:
        return False, f"Attention is stuck: it looks at {said}."
    return (True, f"Sharp attention, which looks at {said}.") if effective <= SHARP * tokens else (None, "")


@dataclass(frozen=True)
class Look:
    """One of the sentences shown (counted from 0), how its output was searched for, where attention was."""

    sentence: int
    search: str
    text: str
    alignment: Alignment

    @property
    def tokens(self) -> int:
        """Tokens of the source."""
        return len(self.alignment.source)


def _looks(run: Run) -> list[Look]:
    """Every output of the sentences shown; greedy and the run's own search are one where they wrote the same."""
    own = {"beam": "beam search", "sample": "sampling"}.get(setting(run, "decoding.method"), "greedy")
    found = []
    for at, row in enumerate(Outputs.of(run).shown):
        other = row.get("greedy") or {}
        tries = [(own, row), ("greedy", other)]
        if own == "greedy":
            tries = [(own, row)]
        elif other.get("prediction") == row.get("prediction"):
            tries = [(BOTH, row)]
        for search, one in tries:
            if _has_weights(one):
                found.append(Look(at, search, str(one.get("prediction", "")), Alignment.of(one["attention"])))
    return found


def _has_weights(row: Mapping[str, Any]) -> bool:
    told = row.get("attention") or {}
    return bool(told.get("weights")) and bool(told.get("source"))


def claim(looks: Sequence[Look]) -> str:
    """How many tokens are looked at, how much rests on the end mark, in which order."""
    effective, tokens = _mean(looks, "effective"), float(np.mean([look.tokens for look in looks]))
    parts = [
        f"At each step the decoder looks at {effective:.1f} of {tokens:.1f} source tokens on average (effective number)"
    ]
    end, order = _mean(looks, "on_end"), _mean(looks, "order")
    if np.isfinite(end):
        parts.append(f"{100 * end:.0f} % of the weight rests on the end mark")
    if np.isfinite(order):
        parts.append(f"the rank correlation with the source's order is {order:.2f}")
    return ", ".join(parts[:-1]) + (", and " if parts[:-1] else "") + parts[-1] + "."


def _mean(looks: Sequence[Look], name: str) -> float:
    """The mean over outputs, those without a value left out."""
    known = [value for look in looks if np.isfinite(value := getattr(look.alignment, name))]
    return float(np.mean(known)) if known else float("nan")


def _sharp_words(looks: Sequence[Look]) -> str:
    effective, tokens = _mean(looks, "effective"), float(np.mean([look.tokens for look in looks]))
    share, reached = effective / tokens, _mean(looks, "reached")
    if share <= SHARP and reached < SHARP * tokens:
        return (
            f"Attention is sharp but stuck: all steps of an output together reach no more than {reached:.1f} of "
            f"{tokens:.1f} tokens, so most of the source is never looked at."
        )
    if share <= SHARP:
        return f"It is sharp: few tokens for each word, {reached:.1f} over all steps of an output."
    if share >= FLAT:
        return "Attention is flat, close to a plain mean of the source: it has hardly learned where to look."
    return "Attention is neither sharp nor flat."


def _end_words(looks: Sequence[Look]) -> str:
    end = _mean(looks, "on_end")
    if not np.isfinite(end):
        return ""
    uniform = float(np.mean([1 / look.tokens for look in looks]))
    said = (
        f"{100 * end:.0f} % of the weight lies on the source's end mark ({100 * uniform:.0f} % if all tokens were "
        "looked at alike)"
    )
    if end < PARKED:
        return f"{said}."
    return f"{said}: a resting place, where the encoder has read everything; such words have no source word."


def _order_words(looks: Sequence[Look]) -> str:
    order = _mean(looks, "order")
    if not np.isfinite(order):
        return ""
    if order >= ORDERED:
        return "It moves along the source from left to right: the dark cells run down the diagonal."
    if order >= 0.3:
        return "It moves mostly forwards, with jumps where the languages order words differently or attention strays."
    return "It does not move along the source, so the heatmaps cannot be read as word alignments."


def _table(looks: Sequence[Look]) -> Table:
    """A row for each search, and what uniform weights would give."""
    groups = {
        search: [look for look in looks if look.search in (search, BOTH)]
        for search in dict.fromkeys(look.search for look in looks if look.search != BOTH)
    } or {BOTH: list(looks)}
    rows: list[list[Value]] = [
        [
            search,
            len(found),
            f"{_mean(found, 'effective'):.1f}",
            f"{_mean(found, 'entropy'):.2f}",
            f"{_mean(found, 'reached'):.1f}",
            _percent(_mean(found, "on_end")),
            _plain(_mean(found, "order")),
        ]
        for search, found in groups.items()
    ]
    tokens = [look.tokens for look in looks]
    sizes = f"{np.mean(tokens):.1f}"
    uniform: list[Value] = ["uniform weights", len(looks), sizes, f"{np.mean(np.log2(tokens)):.2f}", sizes]
    rows.append([*uniform, _percent(float(np.mean([1 / one for one in tokens]))), None])
    heads = [
        "Outputs",
        "Tokens at a step",
        "Entropy (bits)",
        "Tokens in all",
        "On the end mark (%)",
        "Order",
    ]
    note = "Tokens: effective numbers, 2 to the entropy. Order: rank correlation of step and place, 1 if rightwards."
    return Table("How sharp attention is.", ["", *heads], rows, note)


def _percent(share: float) -> Value:
    return f"{100 * share:.0f}" if np.isfinite(share) else None


def _plain(value: float) -> Value:
    return f"{value:.2f}" if np.isfinite(value) else None
