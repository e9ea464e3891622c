"""Whether every kernel is right on this machine, and how quick: what `lstmlab doctor` shows.

Kernels are found through `kernels.KERNELS` and `kernels.runs`, cells through their shelf, so a new one is examined the
day it joins. Letters in shapes: B batch, T steps, F features, G gates, H hidden.
"""

import contextlib
import math
import os
import platform
import statistics
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import torch
from torch import Tensor

from lstmlab import kernels
from lstmlab.cells import Cell, State
from lstmlab.kernels.weights import Weights
from lstmlab.types import Padded

CPU = torch.device("cpu")
BATCH, STEPS, HIDDEN, ROUNDS = 16, 50, 128, 5
"""What is timed: ragged rows, as many features as units."""
PATIENCE = 1.0
"""Seconds for the timing of one cell: on a slow or busy machine fewer rounds have to do."""
FACTOR = 4
"""A kernel's error may be this many times the reference's own in the same precision, and as many eps besides."""


@dataclass(frozen=True)
class Size:
    """Of a batch and the weights that read it."""

    lengths: tuple[int, ...]
    features: int
    hidden: int


# An empty row, one of a single step, sizes that fill no vector register evenly; and a batch that occupies all threads.
ODD = Size((12, 7, 5, 1, 0), 7, 33)
COMMON = Size(tuple(STEPS // 4 + (STEPS - STEPS // 4) * row // (BATCH - 1) for row in range(BATCH)), HIDDEN, HIDDEN)

Results = dict[str, Tensor]


@dataclass(frozen=True)
class Machine:
    """What the kernels run on."""

    processor: str
    cores: int
    threads: int
    features: tuple[str, ...]
    versions: Mapping[str, str]
    devices: tuple[torch.device, ...]
    load: float | None
    """How many programs wanted a core, on the mean of the last minute; None where the system does not tell."""


@dataclass(frozen=True)
class Finding:
    """How far a kernel is from the reference in float64, in the quantity where that is worst.

    Errors are shares of the quantity's largest absolute value. `problem` is what the kernel failed with, if it did.
    """

    cell: str
    kernel: str
    device: str
    quantity: str = ""
    error: float = math.nan
    reference: float = math.nan
    allowed: float = math.nan
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether values and gradients are as exact as they have to be. Not a number is not exact."""
        return not self.problem and self.error <= self.allowed


def machine() -> Machine:
    """This machine, as Python, torch and Numba's compiler see it."""
    from llvmlite import binding

    able = binding.get_host_cpu_features()
    wanted = ("sse4", "avx", "fma", "f16c", "amx", "neon", "asimd", "sve", "bf16", "fp16")
    named = binding.get_host_cpu_name()
    name = _processor()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        processor=f"{name} ({named})" if named not in ("", name) else name,
        cores=cores,
        threads=torch.get_num_threads(),
        features=tuple(sorted(feature for feature, has in able.items() if has and feature.startswith(wanted))),
        versions={"Python": platform.python_version()} | {one: metadata.version(one) for one in ("torch", "numba")},
        devices=devices(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def devices() -> tuple[torch.device, ...]:
    """The processor, and every accelerator of CUDA."""
    return (CPU, *(torch.device("cuda", at) for at in range(torch.cuda.device_count())))


def writable(folder: Path) -> bool:
    """Whether files can be put there, the folder being made if need be."""
    there = next((one for one in (folder, *folder.parents) if one.exists()), None)
    return there is not None and there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def choice(cell: Cell, device: torch.device = CPU) -> kernels.Choice:
    """What runs a plain cell there, and why."""
    return kernels.choose(cell, drawn(cell, ODD)[1].to(device, torch.float32))


def able(cell: Cell, device: torch.device = CPU) -> list[str]:
    """The kernels that run a plain cell there."""
    weights = drawn(cell, ODD)[1].to(device, torch.float32)
    return [kernel for kernel in kernels.KERNELS if kernels.runs(kernel, cell, weights)]


def examine(cell: Cell, names: Iterable[str], device: torch.device = CPU) -> Iterator[Finding]:
    """One finding for each kernel: outputs, last states and the gradient of everything in float32, in both reading
    directions, on an odd and on a common size, against the reference in float64, beside what the reference loses in
    float32."""
    trials = [_Trial.of(cell, device, size) for size in (ODD, COMMON)]
    for kernel in names:
        try:
            found = [one for trial in trials for one in trial.findings(kernel)]
        except Exception as error:  # whatever a kernel fails with is what this examination is to find
            told = " ".join(str(error).split()) or "no reason given"
            yield Finding(cell.name, kernel, str(device), problem=f"{type(error).__name__}: {told}")
        else:
            yield max(found, key=lambda one: math.inf if math.isnan(one.error) else one.error / one.allowed)


def race(cell: Cell, names: Iterable[str], device: torch.device = CPU) -> dict[str, float]:
    """Median seconds of a forward and backward pass by each kernel, in turns, in float32 on the common size."""
    inputs, weights, _ = drawn(cell, COMMON)
    leaves, weights = _leaves(weights.to(device, torch.float32))
    leaves["inputs"] = inputs.values.to(device, torch.float32).requires_grad_()
    inputs = Padded(leaves["inputs"], inputs.lengths.to(device))
    gradient = torch.ones(*inputs.values.shape[:2], COMMON.hidden, device=device)

    def seconds(kernel: str) -> float:
        for leaf in leaves.values():
            leaf.grad = None
        _wait(device)
        start = time.perf_counter()
        outputs, _ = kernels.run(cell, inputs, weights, kernel=kernel)
        outputs.values.backward(gradient)
        _wait(device)
        return time.perf_counter() - start

    names = list(names)
    for kernel in names:
        seconds(kernel)
    found: dict[str, list[float]] = {kernel: [] for kernel in names}
    start = time.perf_counter()
    for _ in range(ROUNDS):
        for kernel in names:
            found[kernel].append(seconds(kernel))
        if time.perf_counter() - start > PATIENCE:
            break
    return {kernel: statistics.median(values) for kernel, values in found.items()}


@dataclass(frozen=True)
class _Trial:
    """What every kernel is given, and what it should make of it."""

    cell: Cell
    device: torch.device
    given: tuple[Padded, Weights, State]
    exact: Results
    reference: Results

    @classmethod
    def of(cls, cell: Cell, device: torch.device, size: Size) -> "_Trial":
        inputs, weights, begin = drawn(cell, size)
        single = (
            Padded(inputs.values.to(device, torch.float32), inputs.lengths.to(device)),
            weights.to(device, torch.float32),
            begin.map(lambda one: one.to(device, torch.float32)),
        )
        # A second thread gains nothing at these sizes, and beside a busy neighbour it costs seconds.
        with _one_thread(), _single_precision():
            exact = _results(cell, "reference", inputs, weights, begin)
            return cls(cell, device, single, exact, _results(cell, "reference", *single))

    def findings(self, kernel: str) -> Iterator[Finding]:
        """One for each quantity."""
        with _single_precision():
            ours = self.reference if kernel == "reference" else _results(self.cell, kernel, *self.given)
        for name, right in self.exact.items():
            if right.numel():
                errors = _errors(right, ours.get(name), self.reference[name])
                yield Finding(self.cell.name, kernel, str(self.device), name, *errors)


def drawn(cell: Cell, size: Size) -> tuple[Padded, Weights, State]:
    """Inputs, weights and first states in float64, the same ones every time; torch's own generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weights = _weights(cell, size.features, size.hidden)
        values = torch.randn(len(size.lengths), max(size.lengths), size.features, dtype=torch.float64)
        start = cell.start(values.new_empty(len(size.lengths), size.hidden))
        return (
            Padded(values, torch.tensor(size.lengths)).masked(),
            weights,
            start.map(lambda v: v + torch.rand_like(v) / 2),
        )


def _results(cell: Cell, kernel: str, inputs: Padded, weights: Weights, begin: State) -> Results:
    """What a kernel gives and, under fixed random weights on that, the gradient of all it is given, in float64."""
    leaves, weights = _leaves(weights)
    leaves["inputs"] = inputs.values.detach().clone().requires_grad_()
    begin = State(**{name: value.detach().clone().requires_grad_() for name, value in begin.items()})
    leaves |= {f"first {name}": value for name, value in begin.items()}
    given: Results = {}
    for reversed in (False, True):
        read = Padded(leaves["inputs"], inputs.lengths)
        # Backwards from the cell's own beginning, which kernels may treat in another way than a state that is given.
        first = None if reversed else begin
        outputs, end = kernels.run(cell, read, weights, first, reversed=reversed, kernel=kernel)
        way = ", read backwards" if reversed else ""
        given[f"outputs{way}"] = outputs.values
        given |= {f"last {name}{way}": value for name, value in (end.items() if end else ())}
    generator = torch.Generator().manual_seed(1)
    shares = [torch.randn(one.shape, generator=generator, dtype=torch.float64) for one in given.values()]
    total = sum((one * share.to(one)).sum() for one, share in zip(given.values(), shares, strict=True))
    assert isinstance(total, Tensor)
    total.backward()
    gradients = {f"gradient of {name}": torch.zeros_like(v) if v.grad is None else v.grad for name, v in leaves.items()}
    return {name: one.detach().to(CPU, torch.float64) for name, one in (given | gradients).items()}


def _errors(exact: Tensor, ours: Tensor | None, reference: Tensor) -> tuple[float, float, float]:
    """A kernel's error, the reference's and what is allowed, as shares of the largest value."""
    scale = float(exact.abs().max()) or 1.0
    least = float((reference - exact).abs().max()) / scale
    allowed = FACTOR * (least + torch.finfo(torch.float32).eps)
    if ours is None or ours.shape != exact.shape:
        return math.nan, least, allowed
    return float((ours - exact).abs().max()) / scale, least, allowed


def _weights(cell: Cell, features: int, hidden: int) -> Weights:
    """Weights in float64 with no zero among them; the recurrent ones so small that every cell keeps its bounds."""
    rows, inner = len(cell.gates) * hidden, len(cell.recurrent_bias) * hidden
    double = torch.float64
    return Weights(
        torch.randn(rows, features, dtype=double) / features**0.5,
        (torch.rand(rows if cell.recurrent else 0, hidden, dtype=double) * 2 - 1) / hidden**0.5,
        torch.randn(rows, dtype=double) / 2,
        torch.randn(inner, dtype=double) / 2 if inner else None,
        {name: torch.randn(hidden, dtype=double) / 2 for name in cell.parameters},
    )


def _leaves(weights: Weights) -> tuple[Results, Weights]:
    """Copies that collect gradients, by name and as weights."""
    found: Results = {}

    def copied(name: str, tensor: Tensor) -> Tensor:
        found[name] = tensor.detach().clone().requires_grad_()
        return found[name]

    inner = weights.recurrent_bias
    return found, replace(
        weights,
        input=copied("input weights", weights.input),
        recurrent=copied("recurrent weights", weights.recurrent),
        bias=copied("biases", weights.bias),
        recurrent_bias=None if inner is None else copied("recurrent biases", inner),
        parameters={name: copied(name, vector) for name, vector in weights.parameters.items()},
    )


@contextlib.contextmanager
def _single_precision() -> Iterator[None]:
    """cuDNN's recurrent layers multiply with 10 bits of mantissa (TF32) where nobody forbids it: here it is the
    kernel that is judged, and not that setting."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _processor() -> str:
    """The processor's name where the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()
