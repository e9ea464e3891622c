"""Series carried on step by step: where a model forecasts fewer steps at once than are asked for, it goes on from its
own forecasts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lstmlab.data.panel import Panel, Windows

Ask = Callable[[Windows], list[dict[str, Any]]]
"""Windows at the end of every series → what is forecast of each: "prediction", and "quantiles" where there are some."""


@dataclass
class Told:
    """The forecasts of one series so far: values [S C], and the same by level of a quantile."""

    values: list[list[float]] = field(default_factory=list)
    quantiles: dict[str, list[list[float]]] = field(default_factory=dict)

    def add(self, answer: dict[str, Any], count: int) -> None:
        """The first `count` steps of an answer."""
        self.values += _rows(answer["prediction"])[:count]
        for level, values in answer.get("quantiles", {}).items():
            self.quantiles.setdefault(level, []).extend(_rows(values)[:count])


def roll(panel: Panel, context: int, steps: int, at_once: int, ask: Ask) -> list[Told]:
    """`steps` steps after the end of every series of a panel, at most `at_once` of them from one asking.

    What is known ahead has to reach as far; columns of the past are unknown there.
    """
    found = [Told() for _ in panel.lines]
    for done in range(0, steps, at_once):
        lines = tuple(
            line.followed(np.array(told.values, float)) if told.values else line
            for line, told in zip(panel.lines, found, strict=True)
        )
        ends = np.array([len(line) for line in lines])
        part = min(at_once, steps - done)
        answers = ask(Windows(replace(panel, lines=lines), np.arange(len(ends)), ends, context, part))
        for told, answer in zip(found, answers, strict=True):
            told.add(answer, part)
    return found


def _rows(values: Sequence[Any]) -> list[list[float]]:
    """Steps as lists of values, also where each is a single one."""
    return [list(one) if isinstance(one, list) else [one] for one in values]
