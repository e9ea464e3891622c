"""What each token or number adds to an answer: integrated gradients of one example, checked for completeness.

Letters in shapes: S steps, F numbers of a step.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lstmlab.analysis import internals
from lstmlab.analysis.cases import ANY, Ask, Case
from lstmlab.analysis.coloured import bars_figure, channels_figure, text_figure
from lstmlab.analysis.internals import Subject
from lstmlab.analysis.scoring import Answer, answer, scoring
from lstmlab.analysis.steps import numeric, words
from lstmlab.nn.attribution import Attribution, integrated_gradients
from lstmlab.report import Figure, Section, Table
from lstmlab.report.text import Value
from lstmlab.tasks.forecasting import Forecasting
from lstmlab.training.run import Run

WRITERS = ("translation", "dialogue")
SHOWN = 12
"""Rows of the table."""
WORTH_TELLING = 0.05
"""Part of the largest contribution that another one has to have to be named in the claim."""


def why_not(run: Run) -> str:
    """Why no contributions can be told; empty where they can."""
    if run.recipe["task"] in WRITERS:
        return (
            f"a run of {run.recipe['task']} answers with many tokens, each with contributions of its own; where it "
            "looked while it wrote is what `attention` shows"
        )
    return internals.why_not(run)


def applies(run: Run) -> bool:
    """Whether the run answers with one thing at a time, and has its weights."""
    return run.finished and not why_not(run)


@dataclass(frozen=True)
class Contributions:
    """What each step of an example, and each number of it, adds to one answer."""

    case: Case
    answer: Answer
    found: Attribution
    step: tuple[str, str]
    numeric: bool
    backwards: bool
    """Whether steps are counted back from the end, which a forecast follows."""

    @classmethod
    def of(cls, subject: Subject, ask: Ask = ANY) -> "Contributions":
        """Worked out for the answer the model gives."""
        case = subject.case(ask)
        asked = answer(subject, case)
        score, read = scoring(subject, case, asked)
        found = integrated_gradients(score, read)
        series = isinstance(subject.task, Forecasting)
        step = ("time step", "time steps") if series else words(subject.task)
        return cls(case, asked, found, step, numeric(subject.task), series)

    @property
    def steps(self) -> Float[np.ndarray, "S"]:
        """The contribution of each step, all its numbers together."""
        return self.found.values.sum(1).numpy()

    @property
    def order(self) -> list[int]:
        """Steps by the size of their contribution, the largest first."""
        return np.argsort(-np.abs(self.steps), kind="stable").tolist()

    @property
    def names(self) -> list[str]:
        """The steps' names; of series counted back from the forecast."""
        count = len(self.steps)
        if not self.numeric:
            return self.case.flat
        return [str(at - count if self.backwards else at + 1) for at in range(count)]

    @property
    def claim(self) -> str:
        """The answer's value, and what adds most to it and takes most from it."""
        least = WORTH_TELLING * float(np.abs(self.steps).max(initial=0))
        speaking = [at for at in self.order if self.steps[at] > least][:3]
        against = [at for at in self.order if self.steps[at] < -least][:1]
        said = f"{self._first()} is {self.found.to:.3g}, and {self.found.from_:.3g} where {self._nothing()}"
        parts = [f"most is added by {', '.join(map(self._told, speaking))}"] if speaking else []
        parts += [f"most is taken away by {self._told(against[0])}"] if against else []
        return f"{said}: {', '.join(parts)}." if parts else f"{said}."

    def _first(self) -> str:
        name = self.answer.name
        return f"{name[0].upper()}{name[1:]}"

    def _nothing(self) -> str:
        return "every number is the mean" if self.numeric else "all vectors are zero"

    def _told(self, at: int) -> str:
        name = f"{self.step[0]} {self.names[at]}" if self.numeric else f"“{self.names[at]}”"
        return f"{name} ({self.steps[at]:+.2g})"

    @property
    def evidence(self) -> str:
        """How it was worked out, and how nearly the sum is what it has to be."""
        found = self.found
        residual = abs(found.residual) / max(abs(found.difference), 1e-12)
        exact = "They are complete" if residual <= 0.05 else "They are not complete, and to be read with care"
        return (
            f"Read: {self.case.title}. Contributions are integrated gradients along the straight way from "
            f"{'means' if self.numeric else 'zero vectors'} to what was read, at {found.points} points. {exact}: they "
            f"add up to {float(found.values.sum()):.3g}, and the difference they explain is {found.difference:.3g} "
            f"(residual {100 * residual:.2g} %). They tell what this answer of the model hangs on, not why it is right."
        )

    def table(self) -> Table:
        """The steps that matter most."""
        shown = self.order[:SHOWN]
        size = max(abs(self.found.difference), 1e-12)
        rows: list[list[Value]] = [
            [self.names[at], f"{self.steps[at]:.4f}", f"{100 * self.steps[at] / size:.1f}"] for at in shown
        ]
        heads = [self.step[0].capitalize(), "Contribution", "Of the difference (%)"]
        if not self.numeric:
            rows = [[at + 1, *row] for at, row in zip(shown, rows, strict=True)]
            heads = ["Place", *heads]
        note = "Time steps are counted back from the forecast." if self.backwards else ""
        if len(shown) < len(self.steps):
            left = float(self.steps[self.order[SHOWN:]].sum())
            note = f"{note} The other {len(self.steps) - len(shown)} add {left:.3g} in all.".strip()
        return Table(f"What adds to {self.answer.name}.", heads, rows, note)


def section(run: Run, ask: Ask = ANY) -> Section:
    """One answer, its tokens coloured by what they add to it."""
    if reason := why_not(run):
        raise internals.refusal(run, reason)
    subject = Subject.of(run)
    found = Contributions.of(subject, ask)
    return Section("Inside: contributions", found.claim, found.evidence, [found.table()], [_figure(subject, found)])


def _figure(subject: Subject, found: Contributions) -> Figure:
    title = f"What adds to {found.answer.name} ({found.found.to:.3g})"
    if not found.numeric:
        return text_figure(found.case.names, found.steps, title=title, marked=found.answer.place)
    values = found.found.values.numpy()
    read = found.case.batch.inputs.values[0].double().numpy()
    if values.shape[1] == 1:
        return bars_figure(list(map(int, found.names)), read[:, 0], values[:, 0], title=title)
    channels = _channels(subject, values.shape[1])
    return channels_figure(list(map(int, found.names)), values, channels, title=title)


def _channels(subject: Subject, count: int) -> list[str]:
    """What the numbers of a step are called."""
    task = subject.task
    if isinstance(task, Forecasting):
        panel = subject.examples.panel  # type: ignore[union-attr]
        known = [f"{name} is known" for name in panel.targets] if task.masked else []
        names = [*panel.targets, *known, *panel.past, *panel.future]
        if len(names) == count:
            return names
    return [f"feature {at + 1}" for at in range(count)]
