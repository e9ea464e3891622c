"""What a recurrence can hold in mind: a small problem learned against the clock.

Every batch is new, so nothing can be learned by heart; what is told at the end was measured on draws of their own.
Letters in shapes: B batch, T steps, F features, A answers asked of a row, K classes, H hidden.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lstmlab.cells import Cell, find_cell
from lstmlab.errors import InputError
from lstmlab.nn.direction import Direction
from lstmlab.nn.initialisation import Initialisation, chrono_signs
from lstmlab.nn.recurrent import Recurrent
from lstmlab.training import optimizer
from lstmlab.training.optimizer import OptimizerSettings
from lstmlab.training.problems import Drawn, Problem, Rng
from lstmlab.types import Padded

Told = Callable[[str, int, float, float], None]
"""Told while a cell learns: the problem's name, updates done, seconds gone, held-out loss."""

HELD_OUT, EVERY = 1000, 100
"""Rows that a loss is measured on, and updates from one measurement to the next."""
SOLVED = {"adding": 0.01, "copy": 0.1}
"""From which held-out loss on a problem counts as solved: a small part of chance, which is 0.167 and 2.08."""


@dataclass(frozen=True)
class Effort:
    """How hard a cell may try: sizes, how it begins and moves, and when it has to stop."""

    hidden_size: int = 64
    batch_size: int = 32
    optimizer: OptimizerSettings = field(default_factory=lambda: OptimizerSettings(learning_rate=3e-3, clip=1.0))
    start: Initialisation | None = None
    """None: chrono for as many steps as the problem has where the cell's gates allow it, else orthogonal."""
    recurrent_scale: float = 1.0
    """What the recurrent weights are multiplied by before anything is learned."""
    minutes: float | None = None
    steps: int | None = None
    goal: float | None = None
    """Stop as soon as the held-out loss is no larger."""
    rows: int = HELD_OUT
    every: int = EVERY

    def __post_init__(self) -> None:
        if self.minutes is None and self.steps is None:
            raise InputError("how long may it try? Give steps, minutes or both")


@dataclass(frozen=True)
class Point:
    """A look during training: updates and seconds so far, mean training loss since the last look, held-out loss."""

    step: int
    seconds: float
    loss: float
    held_out: float


@dataclass(frozen=True)
class Trace:
    """How it went. `score` is the loss of the final weights on fresh rows that were not looked at before."""

    cell: str
    problem: Problem
    hidden_size: int
    parameters: int
    points: tuple[Point, ...]
    score: float
    seconds: float
    stopped: str
    """goal, steps, minutes, or "not a number" where the loss stopped being one."""

    @property
    def steps(self) -> int:
        """Updates made."""
        return self.points[-1].step if self.points else 0

    @property
    def solved(self) -> bool:
        """Whether fresh rows are answered well enough to call the problem solved."""
        return self.score <= SOLVED.get(self.problem.name, self.problem.chance / 20)

    def reached(self, loss: float) -> Point | None:
        """The first look at which the held-out loss was no larger."""
        return next((point for point in self.points if point.held_out <= loss), None)


class Reader(nn.Module):
    """A recurrent layer and a linear map of its last outputs."""

    def __init__(self, cell: Cell, problem: Problem, hidden_size: int, start: Initialisation) -> None:
        super().__init__()
        self.layer = Recurrent(cell, problem.inputs, hidden_size)
        self.layer.initialise(start.how, start.forget_bias, start.chrono_steps)
        self.head = nn.Linear(hidden_size, problem.outputs)

    @torch.no_grad()
    def scale(self, factor: float) -> None:
        """Multiply the recurrent weights."""
        self.layer.weights().recurrent.mul_(factor)

    def forward(self, values: Float[Tensor, "B T F"], asked: int) -> Float[Tensor, "B A K"]:
        """What it answers after each of the last `asked` steps."""
        lengths = torch.full((len(values),), values.shape[1])
        outputs, _ = self.layer(Padded(values, lengths), final_state=False)
        return self.head(outputs.values[:, -asked:])


def learn(cell: str | Cell, problem: Problem, effort: Effort, *, seed: int = 0, told: Told | None = None) -> Trace:
    """Train `cell` on `problem` from a seed until the effort is spent. torch's own generator is left as it was."""
    cell = find_cell(cell)
    streams = [np.random.default_rng(stream) for stream in np.random.SeedSequence(seed).spawn(3)]
    held = problem.held or problem.draw
    model = _begun(cell, problem, effort, seed)
    watched, begun = held(effort.rows, streams[1]), time.perf_counter()
    points, stopped = _train(model, problem, effort, streams[0], watched, told)
    seconds = time.perf_counter() - begun
    score = _judge(model, problem, held(2 * effort.rows, streams[2]))
    size = sum(one.numel() for one in model.parameters())
    return Trace(cell.name, problem, effort.hidden_size, size, tuple(points), score, seconds, stopped)


def beginning(cell: Cell, steps: int) -> Initialisation:
    """Chrono for so many steps where a gate decides how long the cell remembers, else orthogonal."""
    if chrono_signs(cell):
        return Initialisation("chrono", chrono_steps=max(steps, 3))
    return Initialisation("orthogonal")


def matched_size(cell: Cell, parameters: int, inputs: int, outputs: int) -> int:
    """The hidden size at which layer and head together come nearest to so many numbers to learn; at least 1."""

    def total(hidden: int) -> int:
        with torch.device("meta"):
            layer = sum(one.numel() for one in Direction(cell, inputs, hidden).parameters())
        return layer + (hidden + 1) * outputs

    size = 1
    while total(size + 1) <= parameters:
        size += 1
    return size if parameters - total(size) <= total(size + 1) - parameters else size + 1


def matched(effort: Effort, cells: Sequence[Cell], like: Cell, problem: Problem) -> dict[str, Effort]:
    """For each cell the same effort, at about as many numbers to learn as `like` has at the effort's size."""
    with torch.device("meta"):
        made = Reader(like, problem, effort.hidden_size, Initialisation("torch"))
    wanted = sum(one.numel() for one in made.parameters())
    return {
        cell.name: replace(effort, hidden_size=matched_size(cell, wanted, problem.inputs, problem.outputs))
        for cell in cells
    }


def first_gradient(cell: str | Cell, problem: Problem, effort: Effort, *, seed: int = 0) -> float:
    """The norm of the gradient of all weights on the first batch, before anything is learned or clipped."""
    model = _begun(find_cell(cell), problem, effort, seed)
    values, targets = problem.draw(effort.batch_size, np.random.default_rng(seed))
    problem.loss(model(values, targets.shape[1]), targets).backward()
    return float(nn.utils.get_total_norm([one.grad for one in model.parameters() if one.grad is not None]))


@dataclass(frozen=True)
class Speed:
    """Steps of all rows together in a second: while learning, and while only reading."""

    learning: float
    reading: float


def speeds(
    cells: Mapping[str, Cell], problem: Problem, efforts: Mapping[str, Effort], rounds: int = 9
) -> dict[str, Speed]:
    """The cells' speeds on one batch, in turns, so that a busy machine is busy for all of them; medians of `rounds`."""
    drawn = problem.draw(next(iter(efforts.values())).batch_size, np.random.default_rng(0))
    models = {name: _begun(cell, problem, efforts[name], 0) for name, cell in cells.items()}
    moves = {name: optimizer.build(efforts[name].optimizer, model.parameters()) for name, model in models.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in cells}
    for turn in range(rounds + 1):
        for name, model in models.items():
            begun = time.perf_counter()
            _update(model, problem, moves[name], drawn, efforts[name].optimizer.clip)
            learned = time.perf_counter()
            _judge(model, problem, drawn)
            if turn:  # the first may have to compile
                times[name].append((learned - begun, time.perf_counter() - learned))
    steps = drawn[0].shape[0] * problem.steps
    return {
        name: Speed(*(steps / float(np.median(one)) for one in zip(*found, strict=True)))
        for name, found in times.items()
    }


def _begun(cell: Cell, problem: Problem, effort: Effort, seed: int) -> Reader:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Reader(cell, problem, effort.hidden_size, effort.start or beginning(cell, problem.steps))
    model.scale(effort.recurrent_scale)
    return model


def _train(
    model: Reader, problem: Problem, effort: Effort, rng: Rng, watched: Drawn, told: Told | None
) -> tuple[list[Point], str]:
    """Update by update, with a look every so often; and why it ended."""
    moves = optimizer.build(effort.optimizer, model.parameters())
    points: list[Point] = []
    recent: list[float] = []
    begun, step, stopped = time.perf_counter(), 0, ""
    while not stopped:
        _set_rate(moves, effort, step, time.perf_counter() - begun)
        recent.append(_update(model, problem, moves, problem.draw(effort.batch_size, rng), effort.optimizer.clip))
        step, seconds = step + 1, time.perf_counter() - begun
        stopped = _ended(effort, step, seconds, recent[-1])
        if stopped or step % effort.every == 0:
            point = Point(step, seconds, float(np.mean(recent)), _judge(model, problem, watched))
            points.append(point)
            recent.clear()
            if effort.goal is not None and point.held_out <= effort.goal:
                stopped = "goal"
            if told is not None:
                told(problem.name, step, seconds, point.held_out)
    return points, stopped


def _update(model: Reader, problem: Problem, moves: torch.optim.Optimizer, drawn: Drawn, clip: float | None) -> float:
    values, targets = drawn
    loss = problem.loss(model(values, targets.shape[1]), targets)
    moves.zero_grad()
    loss.backward()
    if clip is not None:
        nn.utils.clip_grad_norm_(model.parameters(), clip)
    moves.step()
    return loss.item()


def _set_rate(moves: torch.optim.Optimizer, effort: Effort, step: int, seconds: float) -> None:
    """The schedule runs over whatever part of the budget is spent most."""
    shares = [step / effort.steps] if effort.steps else []
    shares += [seconds / (60 * effort.minutes)] if effort.minutes else []
    for group in moves.param_groups:
        group["lr"] = optimizer.scheduled_rate(effort.optimizer, min(max(shares), 1.0), 1.0)


def _ended(effort: Effort, step: int, seconds: float, loss: float) -> str:
    if not math.isfinite(loss):
        return "not a number"
    if effort.steps is not None and step >= effort.steps:
        return "steps"
    return "minutes" if effort.minutes is not None and seconds >= 60 * effort.minutes else ""


@torch.no_grad()
def _judge(model: Reader, problem: Problem, drawn: Drawn) -> float:
    """The loss on all rows, a hundred at a time."""
    values, targets = drawn
    total = 0.0
    for rows, wanted in zip(values.split(100), targets.split(100), strict=True):
        total += len(rows) * problem.loss(model(rows, wanted.shape[1]), wanted).item()
    return total / len(values)
