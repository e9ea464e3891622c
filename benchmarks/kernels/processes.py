"""What needs a process of its own: compiling a cell cold and loading it warm, and the memory that training takes."""

import importlib
import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from .layers import Run, Shape, ours, theirs
from .measure import Options, Row, Table

COLD, COLD_GOAL, WARM = 6, 3, 0.5
MEMORY, MEMORY_GOAL = 1.0, 0.7
CELLS = ("lstm", "gru")
SMALL = Shape(16, 50, 128)
# Imported before the clock starts where they are there: what a fresh process pays once, whatever it compiles.
IMPORTS = ("numba", "sympy", "scipy.linalg.cython_blas", "lstmlab.kernels.symbolic", "lstmlab.kernels.cpu")
MEGABYTE = 1 << 20


def compile(options: Options) -> Table:
    """The first training step less the second, in fresh processes: with an empty cache, and with the one it left."""
    table = Table("Compiling a cell, both directions, in fresh processes, imports apart (seconds; fastest to slowest)")
    for cell in CELLS[:1] if options.quick else CELLS:
        cold, warm = [], []
        for _ in range(1 if options.quick else 7):
            with tempfile.TemporaryDirectory() as folder:
                cold.append(_child("first", cell, options, cache=folder))
                warm.append(_child("first", cell, options, cache=folder))
        for name, seconds, bounds in (("cold", cold, (COLD, COLD_GOAL)), ("warm, from the cache", warm, (WARM, None))):
            parts = {"from – to": f"{min(seconds):.2f} – {max(seconds):.2f}"}
            table.rows.append(
                Row(f"{name}, {cell}", str(SMALL), parts, statistics.median(seconds), *bounds, at_most=True, unit="s")
            )
    return table


def memory(options: Options) -> Table:
    """Peak resident memory above what was resident before training, B 64, T 200, 5 steps."""
    table = Table(
        "Peak memory in training with the LSTM above the baseline (ours over nn.LSTM's; megabytes in columns)"
    )
    for hidden in options.sizes((128, 512)):
        for name, side in (("equal lengths, against nn.LSTM", "padded"), ("ragged, against nn.LSTM packed", "packed")):
            sizes = {one: _child("peak", f"{one} {side} {hidden}", options) for one in ("ours", "torch")}
            parts = {one: f"{size:.0f}" for one, size in sizes.items()}
            ratio = sizes["ours"] / sizes["torch"]
            table.rows.append(Row(name, f"B 64 T 200 H {hidden}", parts, ratio, MEMORY, MEMORY_GOAL, at_most=True))
    return table


def first(words: list[str], kernel: str | None) -> float:
    """Seconds of the first forward and backward pass of a cell, less those of the second."""
    for name in IMPORTS:
        if _there(name):
            importlib.import_module(name)
    inputs = SMALL.inputs(ragged=True)
    _settle(inputs.values)
    run = ours(words[0], SMALL, inputs, kernel=kernel)
    moments = [time.perf_counter()]
    for _ in range(2):
        run()
        moments.append(time.perf_counter())
    return (moments[1] - moments[0]) - (moments[2] - moments[1])


def peak(words: list[str], kernel: str | None) -> float:
    """Megabytes that five training steps took beyond what was there before, a first small step included."""
    side, lengths, hidden = words[0], words[1], int(words[2])
    shape = Shape(64, 200, hidden)
    inputs = shape.inputs(ragged=lengths == "packed")

    def made(shape: Shape) -> Run:
        fed = inputs if shape.hidden == hidden and shape.batch == 64 else shape.inputs(ragged=lengths == "packed")
        if side == "ours":
            return ours("lstm", shape, fed, kernel=kernel)
        return theirs("lstm", shape, fed, packed=lengths == "packed")

    # What is compiled, loaded and set up once is no part of the measure.
    made(Shape(4, 10, hidden))()
    run = made(shape)
    before = _reset_peak()
    for _ in range(5):
        run()
    return (_peak() - before) / MEGABYTE


def _child(what: str, words: str, options: Options, cache: str | None = None) -> float:
    command = [sys.executable, "-m", "benchmarks.kernels.processes", what, words]
    command += [str(options.threads), options.kernel or ""]
    environment = {**os.environ, **({"LSTMLAB_CACHE": cache} if cache else {})}
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(told.stdout.splitlines()[-1])


def _settle(values: torch.Tensor) -> None:
    """torch's own threads and libraries start with their first product and its gradient."""
    weight = torch.randn(values.shape[-1], values.shape[-1], requires_grad=True)
    (values @ weight).sigmoid().sum().backward()


def _there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # not even the package it would be in
        return False


def _reset_peak() -> int:
    """Resident bytes now, from which the system counts the peak anew (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise SystemExit(f"/proc/self/status has no {name}: memory can be measured on Linux only")
    return int(found[1]) * 1024


def _main() -> None:
    what, words, threads, kernel = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    print(json.dumps({"first": first, "peak": peak}[what](words.split(), kernel or None)))


if __name__ == "__main__":
    _main()
