"""How a run's gates are used over the test part: how often they are open or closed, and how long units remember."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lstmlab.analysis.architecture import setting
from lstmlab.analysis.internals import Subject, joined
from lstmlab.analysis.steps import words
from lstmlab.kernels.activations import Activation, activations
from lstmlab.report import Table
from lstmlab.report.text import Value
from lstmlab.training.run import Run

LOW, HIGH = 0.1, 0.9
"""A gate below the one is closed, above the other open; a candidate is at an end beyond ±HIGH."""
MOSTLY, SELDOM, IDLE = 0.8, 0.02, 0.1
"""A gate is saturated from the first share at its ends on, and hardly ever at them below the second; where the middle
90 % of its values lie as near as the third says, it is as good as a constant."""
HARDLY = 0.05
"""By less a gate's mean has hardly moved."""
EXAMPLES, BUDGET = 64, 4e6
FUNCTIONS = {"sigmoid": "σ", "relu": "ReLU", "": "none"}


@dataclass(frozen=True)
class Use:
    """All values of one gate over some examples: shares of them at either end (None where it has none), quantiles."""

    activation: Activation
    low: float | None
    high: float | None
    quantiles: tuple[float, float, float]
    """5 %, 50 %, 95 %."""
    mean: float = np.nan

    @property
    def ends(self) -> float:
        """The share of its values at either end."""
        return (self.low or 0.0) + (self.high or 0.0)

    @property
    def words(self) -> str:
        """What is remarkable about it, as a clause; empty where nothing is."""
        if self.activation.kind != "gate" or self.low is None or self.high is None:
            return ""
        name, (least, middle, most) = f"the {self.activation.gate} gate", self.quantiles
        if self.low >= MOSTLY:
            return f"{name} is closed (below {LOW}) in {100 * self.low:.0f} % of all cases"
        if self.high >= MOSTLY:
            return f"{name} is open (above {HIGH}) in {100 * self.high:.0f} % of all cases"
        if self.ends >= MOSTLY:
            return f"{name} works as a switch: open or closed in {100 * self.ends:.0f} % of all cases"
        if most - least < IDLE:
            return f"{name} is idle, always about {middle:.2f}"
        return ""


@dataclass(frozen=True)
class Usage:
    """The use of every gate, and how long units remember."""

    uses: list[Use]
    memory: str
    half_lives: Float[np.ndarray, "H"] | None
    """Steps after which half of a unit's memory is gone where nothing is written; None where nothing is handed on."""
    steps: int
    """How many steps were looked at."""
    where: str
    """In what, such as 64 test examples."""
    step: str
    """What steps are called."""
    start: float | None = None
    """What the forget gate gives before training where its sum is its bias alone; None where no bias was set."""

    @classmethod
    def of(cls, subject: Subject) -> "Usage":
        """Measured over examples evenly spread over the test part."""
        places = subject.some(EXAMPLES, BUDGET)
        readings = subject.watched(subject.batch(subject.window(places)))
        cell = subject.stack.cell
        uses = [_use(one, joined([reading.gate(one.gate) for reading in readings])) for one in activations(cell)]
        shares = joined([reading.placed(reading.shares) for reading in readings])
        return cls(
            uses,
            readings[0].memory,
            _half_lives(shares),
            len(shares),
            subject.counted(len(places)),
            words(subject.task)[1],
            _start(subject.run),
        )

    @property
    def claim(self) -> str:
        """The most remarkable thing, in one sentence."""
        gates = [one for one in self.uses if one.activation.kind == "gate"]
        if not gates:
            return self.memory_words or "This cell has no gates: at every step it writes its state anew."
        told = [one.words for one in gates if one.words]
        if told:
            return _sentence("; ".join(told))
        if all(one.ends < SELDOM for one in gates):
            least, most = min(one.quantiles[0] for one in gates), max(one.quantiles[2] for one in gates)
            return (
                f"The gates are hardly ever fully open or closed (mostly {least:.2f} to {most:.2f}): they scale what "
                "passes and switch nothing off."
            )
        parts = [
            f"the {one.activation.gate} gate is open in {_percent(one.high)} and closed in {_percent(one.low)}"
            for one in gates
        ]
        return _sentence(f"{parts[0]} of all cases" + "".join(f", {part}" for part in parts[1:]))

    @property
    def memory_words(self) -> str:
        """How long units remember."""
        lives = self.half_lives
        if lives is None:
            return ""
        middle, long = (float(np.quantile(lives, at)) for at in (0.5, 0.9))
        return (
            f"Where nothing new is written, half of what {self.memory} holds is gone after {_count(middle)} "
            f"{self.step} (the median unit); the tenth of the units that remember longest need {_count(long)} or more."
        )

    @property
    def start_words(self) -> str:
        """The forget gate beside where it began: what training made of it."""
        found = next((one for one in self.uses if one.activation.gate == "forget"), None)
        if self.start is None or found is None or np.isnan(found.mean):
            return ""
        moved = found.mean - self.start
        change = "has hardly moved it" if abs(moved) < HARDLY else "has opened it" if moved > 0 else "has closed it"
        first = _count(float(np.log(0.5) / np.log(self.start)))
        return (
            f"The forget gate is at {found.mean:.2f} on average; it began at about {self.start:.2f} (its bias alone), "
            f"with which half of the memory is gone after {first} {self.step}: on average, training {change}."
        )

    @property
    def measured_words(self) -> str:
        """Which gates, where, and what "mostly" is."""
        gates = [one.activation.gate for one in self.uses if one.activation.kind == "gate"]
        if not gates:
            return ""
        mostly = ", “mostly” from the lowest 5 % to the highest 95 % quantile of a gate" * ("mostly" in self.claim)
        return f"Gates: {', '.join(gates)}, all units at {self.steps:,} {self.step} of {self.where}{mostly}."

    @property
    def table(self) -> Table:
        """A row for each gate."""
        rows: list[list[Value]] = [
            [
                one.activation.gate,
                FUNCTIONS.get(one.activation.function, one.activation.function),
                None if one.low is None else f"{100 * one.low:.1f}",
                None if one.high is None else f"{100 * one.high:.1f}",
                *(f"{value:.2f}" for value in one.quantiles),
            ]
            for one in self.uses
        ]
        kinds = {one.activation.kind for one in self.uses}
        ends = [f"a gate below {LOW} (closed) or above {HIGH} (open)"] * ("gate" in kinds)
        ends += [f"tanh below -{HIGH} or above {HIGH}"] * ("candidate" in kinds)
        told = f" At an end: {', '.join(ends)}." if ends else ""
        dash = " A dash: no bounds to be at." if "other" in kinds else ""
        note = f"All units at {self.steps:,} {self.step} of {self.where}.{told}{dash}"
        columns = ["Gate", "Function", "At its low end (%)", "At its high end (%)", "5 %", "Median", "95 %"]
        return Table("How the gates are used.", columns, rows, note)


def _use(one: Activation, values: Float[np.ndarray, "T H"]) -> Use:
    low = {"gate": LOW, "candidate": -HIGH}.get(one.kind)
    least, middle, most = map(float, np.quantile(values, [0.05, 0.5, 0.95]))
    mean = float(values.mean())
    if low is None:
        return Use(one, None, None, (least, middle, most), mean)
    return Use(one, float((values < low).mean()), float((values > HIGH).mean()), (least, middle, most), mean)


def _start(run: Run) -> float | None:
    """σ(forget_bias), where the recipe sets one."""
    bias = setting(run, "model.encoder.forget_bias")
    return None if bias is None else float(1 / (1 + np.exp(-float(bias))))


def _half_lives(shares: Float[np.ndarray, "T H"]) -> Float[np.ndarray, "H"] | None:
    """From each unit's mean logarithm of what a step hands on; None where that is not a share of what was there."""
    if not len(shares) or (shares <= 0).any() or (shares > 1 + 1e-6).any():
        return None
    decay = -np.log(np.minimum(shares, 1)).mean(0)
    return np.log(2) / np.maximum(decay, 1e-9)


def _count(steps: float) -> str:
    return "10,000" if steps >= 10_000 else f"{steps:.1f}" if steps < 10 else f"{steps:,.0f}"


def _percent(share: float | None) -> str:
    return f"{100 * (share or 0):.0f} %"


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
