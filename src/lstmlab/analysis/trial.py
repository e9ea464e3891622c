"""A cell beside LSTM and GRU with as many numbers to learn: speed, gradient reach, memory, a small language model.

Whatever a cell of somebody's own fails with is told in its place; the others go on.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from lstmlab.analysis.untrained import Told, silent
from lstmlab.cells import CELLS, Cell
from lstmlab.data import fetch
from lstmlab.data.contents import read_text
from lstmlab.data.datasets import synthetic
from lstmlab.data.datasets.prose_sets import PROSE
from lstmlab.errors import InputError
from lstmlab.nn.initialisation import Initialisation
from lstmlab.nn.reach import Beginning, Reach, reach
from lstmlab.training.memory import Effort, Speed, Trace, learn, matched, speeds
from lstmlab.training.optimizer import OptimizerSettings
from lstmlab.training.problems import Problem, adding, characters, copy

RIVALS = ("lstm", "gru")
SMALL = Beginning(norm=0.5)
"""The beginning whose gradient is compared: small recurrent weights, the cell's own biases."""
GOALS = {"adding": 1e-3, "copy": 0.02}
"""Held-out losses at which a training stops: it has learned the problem."""

NOT_RUN = "not run"
"""In place of a speed, where a cell has failed before."""
LEAST = 0.02
"""Minutes that a training gets even where the others have used them up."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Plan:
    """How much is measured: lengths, sizes and minutes, which are for everything, the laws included."""

    minutes: float = 12.0
    steps: int | None = None
    """Most updates of a training; None leaves it to the minutes."""
    hidden_size: int = 64
    adding: int = 100
    copy: int = 20
    characters: int = 100
    reach: int = 100
    seeds: int = 3
    rows: int = 500
    quick: bool = False

    @classmethod
    def brief(cls) -> "Plan":
        """To see the page within seconds: nothing is learned in so short a time."""
        return cls(0.3, 20, 8, adding=20, copy=3, characters=20, reach=30, seeds=1, rows=100, quick=True)


@dataclass(frozen=True)
class Trial:
    """What was found, by cell; a text in place of a result says what went wrong."""

    cells: Mapping[str, Cell]
    plan: Plan
    text: str
    """Which text the language models learned."""
    problems: Mapping[str, Problem]
    speeds: Mapping[str, Speed | str]
    reaches: Mapping[str, Reach | str]
    traces: dict[str, dict[str, Trace | str]] = field(default_factory=dict)
    """Problem → cell → how it went."""


def hold(cell: Cell, plan: Plan, told: Told = silent, *, begun: float | None = None) -> Trial:
    """Measure everything. The cell comes first; of a rival with its own name nothing is measured twice.

    What is left of the plan's minutes since `begun` (of time.monotonic) is dealt out evenly: to the problems that are
    still to come, and in each of them to the cells.
    """
    ends = (time.monotonic() if begun is None else begun) + 60 * plan.minutes
    cells = {cell.name: cell} | {name: CELLS[name] for name in RIVALS if CELLS[name] != cell and name != cell.name}
    name, text = _text(plan)
    kinds = [adding(plan.adding), copy(plan.copy), characters(text, plan.characters)]
    problems = {one.name: one for one in kinds}
    reaches = {}
    for key, one in cells.items():
        told(f"gradient reach: {key}")
        reaches[key] = attempt(partial(reach, one, SMALL, steps=plan.reach, seeds=plan.seeds))
    told("speed")
    quick = {key: one for key, one in cells.items() if not isinstance(reaches[key], str)}
    rounds = 2 if plan.quick else 9
    sizes = _efforts(cells, problems["characters"], plan, LEAST)
    raced = attempt(partial(speeds, quick, problems["characters"], sizes, rounds))
    told_speeds = {key: raced if isinstance(raced, str) else raced.get(key, NOT_RUN) for key in cells}
    found = Trial(cells, plan, name, problems, told_speeds, reaches)
    for at, (kind, problem) in enumerate(problems.items()):
        share = (ends - time.monotonic()) / 60 / (len(problems) - at) / len(cells)
        efforts = _efforts(cells, problem, plan, max(share, LEAST))
        found.traces[kind] = {}
        for key, one in cells.items():
            told(f"{kind}: {key}")
            found.traces[kind][key] = attempt(partial(learn, one, problem, efforts[key]))
    return found


def _efforts(cells: Mapping[str, Cell], problem: Problem, plan: Plan, minutes: float) -> dict[str, Effort]:
    """The same for all cells but for the hidden size, which makes their numbers to learn equal."""
    # What has to be held in mind for long asks for chrono; in a text the beginnings are as the cells want them.
    start = Initialisation("orthogonal") if problem.name == "characters" else None
    moves = OptimizerSettings(learning_rate=3e-3, clip=1.0, schedule="cosine", final_rate=0.05)
    effort = Effort(plan.hidden_size, 32, moves, start, minutes=minutes, steps=plan.steps, rows=plan.rows,
                    goal=GOALS.get(problem.name), every=10 if plan.quick else 100)  # fmt: skip
    return matched(effort, list(cells.values()), CELLS["lstm"], problem)


def _text(plan: Plan) -> tuple[str, str]:
    """Shakespeare where he is at hand, else brackets; nothing is downloaded for a card."""
    files = PROSE["tinyshakespeare"].files
    if not plan.quick and fetch.locate(files) is not None:
        (path,) = fetch.get(files).values()
        return "tinyshakespeare", read_text(path)
    return "brackets", synthetic.brackets(3000 if plan.quick else 400_000, 0)


def attempt(measure: Callable[[], Found]) -> Found | str:
    """What is measured, or in words what went wrong: a card tells whatever a cell fails with."""
    try:
        return measure()
    except InputError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split()) or 'no reason given'}"
