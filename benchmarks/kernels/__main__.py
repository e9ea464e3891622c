"""What the kernels reach on this machine, beside what they have to reach.

    python -m benchmarks.kernels [PART ...] [--quick] [--threads N] [--hidden H ...] [--kernel NAME] [--both-policies]

Parts: lstm gru variants regularised bidirectional inference scan compile memory; all of them where none is named. Both
sides of a comparison run in this process, in turns, after a warm-up; medians of at least 7 rounds; float32, forward and
backward with the gradient of inputs, weights and first states, as many input features as hidden units. Times over
several shapes are joined by their geometric mean. The whole takes about half an hour; a quiet machine is needed.
"""

import argparse
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from lstmlab import kernels

from . import against_torch, inference, processes, variants
from .measure import Options, Table

PARTS: dict[str, Callable[[Options], Table]] = {
    "lstm": against_torch.lstm,
    "gru": against_torch.gru,
    "variants": variants.variants,
    "regularised": variants.regularised,
    "bidirectional": variants.bidirectional,
    "inference": inference.inference,
    "scan": variants.scan,
    "compile": processes.compile,
    "memory": processes.memory,
}
POLICIES = ("passive", "active")


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.kernels", description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="smallest shapes, 3 rounds: only shows that it works")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hidden", type=int, nargs="+", default=[], help="only these hidden sizes")
    parser.add_argument("--kernel", choices=kernels.KERNELS, help="this kernel, whatever would be chosen")
    parser.add_argument(
        "--both-policies", action="store_true", help="all of it twice, with OMP_WAIT_POLICY=passive and active"
    )
    chosen = parser.parse_args(words)
    strange = [part for part in chosen.parts if part not in PARTS]
    if strange:
        parser.error(f"no part {strange[0]}; there are {', '.join(PARTS)}")
    if chosen.both_policies:
        twice([word for word in words if word != "--both-policies"])
        return
    options = Options(chosen.quick, chosen.threads, chosen.kernel, tuple(chosen.hidden))
    print(machine(options), flush=True)
    for part in chosen.parts or PARTS:
        torch.set_num_threads(options.threads)
        torch.manual_seed(0)
        before = load()
        text = PARTS[part](options).markdown()
        print(f"\n{text}\nLoad average before: {before}; after: {load()}.", flush=True)


def twice(words: list[str]) -> None:
    """The same measurement under both policies of how OpenMP's threads wait, which are read once at the start."""
    for policy in POLICIES:
        command = [sys.executable, "-m", "benchmarks.kernels", *words]
        subprocess.run(command, check=True, env={**os.environ, "OMP_WAIT_POLICY": policy})
        print(flush=True)


def machine(options: Options) -> str:
    """What was measured on, in one paragraph."""
    policy = os.environ.get("OMP_WAIT_POLICY", "not set")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "numba"))
    return (
        f"## Kernels, OMP_WAIT_POLICY {policy}\n\n{processor()}, {os.cpu_count()} cores, "
        f"{torch.backends.cpu.get_cpu_capability()}; {versions}, Python {platform.python_version()}; "
        f"{options.threads} threads; load average {load()}; {'--quick; ' if options.quick else ''}"
        f"kernel: {options.kernel or 'as chosen'}."
    )


def processor() -> str:
    """Its name where the system tells one."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def load() -> str:
    """The mean number of busy processes over 1, 5 and 15 minutes."""
    return " ".join(f"{value:.2f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"


if __name__ == "__main__":
    main(sys.argv[1:])
