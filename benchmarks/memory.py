"""The adding problem and copying, learned against the clock.

    python -m benchmarks.memory [adding|copy] [steps=400] [cell=lstm] [minutes=4.5] [goal=5e-4] [hidden=64] [seeds=3]
    python -m benchmarks.memory horizon [minutes=2]     # RNN, LSTM and GRU, longer and longer; writes memory/report.*
    python -m benchmarks.memory gradients               # the study of untrained cells; writes gradients/report.*

Always answering 1 to the adding problem has a mean squared error of 1/6; copying blindly costs ln 8 = 2.079 nats a
symbol. Seconds are all of them: compiling the kernel, drawing data, training, and the looks at held-out rows by which
it stops (`goal=0` uses the whole time). What is told last was measured on 2,000 rows drawn afresh after training.
"""

import sys
import time
from dataclasses import replace

import torch

from lstmlab.analysis.memory import EFFORT, memory_study
from lstmlab.analysis.reach import gradient_study
from lstmlab.report import Document, as_text, write
from lstmlab.training import problems
from lstmlab.training.memory import Effort, learn
from lstmlab.training.optimizer import OptimizerSettings

DEFAULTS = {"steps": "400", "cell": "lstm", "minutes": "4.5", "goal": "5e-4", "hidden": "64", "seeds": "3"}
KINDS = {"adding": problems.adding, "copy": problems.copy}


def main() -> None:
    words = sys.argv[1:]
    name = words.pop(0) if words and "=" not in words[0] else "adding"
    typed = dict(word.split("=", 1) for word in words)
    if name in ("horizon", "gradients"):
        return study(name, float(typed.get("minutes", "2")))
    given = DEFAULTS | typed
    problem = KINDS[name](int(given["steps"]))
    moves = OptimizerSettings(learning_rate=3e-3, clip=1.0, schedule="cosine", final_rate=0.02)
    effort = Effort(
        hidden_size=int(given["hidden"]), optimizer=moves, minutes=float(given["minutes"]), goal=float(given["goal"])
    )
    print(
        f"{name}, T {problem.length}, {given['cell']}, {torch.get_num_threads()} thread(s); chance {problem.chance:.4f}"
    )
    print("| seed | score on fresh rows | seconds | updates | parameters | ended by | held out ≤ 1e-3 after |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for seed in range(int(given["seeds"])):
        begun = time.perf_counter()
        found = learn(given["cell"], problem, effort, seed=seed)
        reached = found.reached(1e-3)
        print(
            f"| {seed} | {found.score:.2e} {problem.unit} | {time.perf_counter() - begun:.0f} | {found.steps:,} | "
            f"{found.parameters:,} | {found.stopped} | {f'{reached.seconds:.0f} s' if reached else '–'} |",
            flush=True,
        )


def study(name: str, minutes: float) -> None:
    """A study as a report in the folder one works in, and its tables on the terminal."""

    def told(what: str) -> None:
        print(f"  {what}", flush=True)

    if name == "horizon":
        sections = memory_study(effort=replace(EFFORT, minutes=minutes), told=told)
    else:
        sections = gradient_study(told=told)
    for section in sections:
        print(as_text(section))
    title = "The memory horizon" if name == "horizon" else "The gradient's way back through time"
    write(Document(title, sections=sections), "memory" if name == "horizon" else "gradients")


if __name__ == "__main__":
    main()
