"""What a language model finds hard: the tokens that cost most, a passage token by token, and how it writes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstmlab.metrics import SCORES, format_score
from lstmlab.report import Figure, Section, Table, excerpt
from lstmlab.report.text import Value
from lstmlab.training.run import Run

SHOWN = 12
"""Tokens of the table."""
COLUMNS = 72
"""Characters of a drawn line."""
EPOCHS = 5
"""Evaluations whose samples are shown."""
TEXTS = 4
"""Continuations that are shown."""
MOST = 1e7
"""Perplexities from here on are told as powers of ten."""


@dataclass(frozen=True)
class Told:
    """What a run says of its test text."""

    level: str
    scores: dict[str, Any]
    details: dict[str, Any]
    history: list[dict[str, Any]]
    answers: list[dict[str, Any]]

    @classmethod
    def of(cls, run: Run) -> "Told":
        """Scores, details, samples of each evaluation and continuations of lines of the test part."""
        level = str(run.recipe["text"]["level"])
        samples = [row for row in run.history if row.get("samples")]
        answers = [row for row in run.predictions if str(row.get("prediction", "")).strip()]
        return cls(level, run.metrics["test"], run.metrics.get("details", {}), samples, answers)

    @property
    def costly(self) -> list[dict[str, Any]]:
        """The tokens that cost most in all."""
        return list(self.details.get("costly", []))


def applies(run: Run) -> bool:
    """Whether the run is of a language model that was scored."""
    return run.recipe["task"] == "language-model" and run.finished and "perplexity" in run.metrics.get("test", {})


def section(run: Run) -> Section:
    """How uncertain the model is, where, and what it writes at the beginning and at the end of its training."""
    told = Told.of(run)
    tables = [table for table in (_costly(told), _epochs(told), _texts(told)) if table is not None]
    passage = told.details.get("passage", {})
    figures = [_figure(passage)] if passage.get("tokens") else []
    return Section("What it finds hard, and what it writes", claim(told), words(told), tables, figures)


def claim(told: Told) -> str:
    """How uncertain the model is on average."""
    scores, kind = told.scores, "piece" if told.level == "subword" else told.level
    nats, among = scores["loss"], scores["perplexity"]
    said = [f"A {kind} of the test text costs {nats:.3f} nats ({nats / np.log(2):.2f} bits) on average"]
    if among is not None:  # of a model gone astray it is too large for a number
        said[0] += f", as much as a choice among {among:,.1f}" if among < MOST else f", a choice among {among:.0e}"
    if "token_accuracy" in scores:
        said.append(f"{100 * scores['token_accuracy']:.1f} % of them are the likeliest one")
    return "; ".join(said) + "."


def words(told: Told) -> str:
    """Which tokens carry the cost, and what was never seen."""
    parts = []
    if told.costly:
        name, share = _name(told.costly[0]["token"]), told.costly[0]["share"]
        looked = int(told.details.get("looked_at", 0))
        parts.append(
            f"Most in all cost {name}: {100 * share:.1f} % of the loss of the first {looked:,} tokens of the test text."
        )
    if dynamic := told.details.get("dynamic"):
        name = "nats_per_character" if "nats_per_character" in dynamic else "perplexity"
        parts.append(
            "Read once more by a copy that goes on learning from what it has read (dynamic evaluation, learning rate "
            f"{dynamic['rate']:g}), the same text comes to {SCORES[name].title.lower()} "
            f"{format_score(name, dynamic[name])} instead of {format_score(name, told.scores[name])}; the scores are "
            "those without."
        )
    unknown = float(told.details.get("unknown", 0.0))
    if unknown:
        parts.append(
            f"{100 * unknown:.2f} % of the test text's tokens are not in the vocabulary and are scored as <unk>, which "
            "is easier to foresee than the words themselves: compare perplexities only at the same vocabulary."
        )
    return " ".join(parts)


def _name(token: str) -> str:
    """A token made visible."""
    shown = token.replace("\n", "↵").replace("\t", "⇥")
    return f"“{excerpt(shown, 30)}”" if shown.strip() else f"“{'␣' * max(len(shown), 1)}”"


def _costly(told: Told) -> Table | None:
    rows: list[list[Value]] = [
        [_name(one["token"]), one["count"], f"{one['nats']:.3f}", f"{100 * one['share']:.1f}"]
        for one in told.costly[:SHOWN]
    ]
    columns = ["Token", "Times", "Nats each", "Share of the loss (%)"]
    return Table("The tokens that cost most in all.", columns, rows) if rows else None


def _epochs(told: Told) -> Table | None:
    """How the same place of the validation text was continued after some evaluations."""
    if not told.history:
        return None
    chosen = np.unique(np.linspace(0, len(told.history) - 1, EPOCHS).round().astype(int)).tolist()
    picked = [told.history[at] for at in chosen]
    rows: list[list[Value]] = [
        [row["epoch"], f"{row['valid']['loss']:.3f}" if "valid" in row else None,
         excerpt(" ".join(str(row["samples"][0]["prediction"]).split()), 110)]
        for row in picked
    ]  # fmt: skip
    note = f"All go on after: …{excerpt(' '.join(str(picked[0]['samples'][0]['input']).split())[-80:], 80)}"
    return Table("What it writes as it learns.", ["Epoch", "Validation loss", "It writes"], rows, note)


def _texts(told: Told) -> Table | None:
    rows: list[list[Value]] = [
        [excerpt(" ".join(str(one["input"]).split()), 50), excerpt(" ".join(str(one["prediction"]).split()), 150)]
        for one in [one for one in told.answers if str(one["input"]).strip()][:TEXTS]
    ]
    return Table("Lines of the test text, and how it goes on.", ["Given", "It writes"], rows) if rows else None


def _figure(passage: dict[str, Any]) -> Figure:
    letters, nats = _grid([str(one) for one in passage["tokens"]], np.array(passage["nats"], np.float64))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        image = axes.imshow(nats, cmap="YlOrRd", aspect="auto", vmin=0, vmax=max(float(np.nanmax(nats)), 1e-3))
        for row, line in enumerate(letters):
            for column, letter in enumerate(line):
                dark = nats[row, column] > 0.6 * np.nanmax(nats)
                axes.text(column, row, letter, ha="center", va="center", fontsize=6, family="monospace",
                          color="white" if dark else "black", parse_math=False)  # fmt: skip
        axes.set(title="What each token costs", xlabel="Character of the line", ylabel="Line", yticks=[])
        figure.colorbar(image, ax=axes, label="Nats", fraction=0.03, pad=0.01)

    return Figure("passage", "A passage of the test text, coloured by what each of its tokens costs.", draw,
                  note="Dark is dear: what the model did not expect.", width=7.0,
                  height=min(0.9 + 0.19 * len(letters), 8.0))  # fmt: skip


def _grid(tokens: list[str], nats: NDArray[np.float64]) -> tuple[list[list[str]], NDArray[np.float64]]:
    """Letters in lines, and each letter's share of the picture: what its token costs. Missing cells are NaN."""
    lines: list[list[tuple[str, float]]] = [[]]
    spaced = sum(len(one) for one in tokens) > 1.5 * len(tokens) and not any(one.startswith(" ") for one in tokens)
    for token, cost in zip(tokens, nats.tolist(), strict=True):
        shown = token.replace("\n", "↵").replace("\t", " ")
        shown = "".join(one if one.isprintable() else "·" for one in shown) + (" " if spaced else "")
        if len(lines[-1]) + len(shown) > COLUMNS and lines[-1]:
            lines.append([])
        lines[-1] += [(letter, cost) for letter in shown[:COLUMNS]]
        if "\n" in token:
            lines.append([])
    lines = [line for line in lines if line] or [[(" ", 0.0)]]
    grid = np.full((len(lines), COLUMNS), np.nan)
    for row, line in enumerate(lines):
        grid[row, : len(line)] = [cost for _, cost in line]
    return [[letter for letter, _ in line] for line in lines], grid
