"""How the context is passed: BLEU of `translate-en-fr` by final state, context at every step and attention.

    python -m benchmarks.context [RECIPE] [key=value ...]

Everything else is equal: data order, budget, sizes, search. Three seeds of initial weights and dropout (the data's
split goes with the seed too). Prints a table: mean BLEU on the test part, its 95 % interval over seeds (Student's t),
each seed, parameters and training seconds.
"""

import statistics
import sys
import tempfile
from pathlib import Path

import lstmlab
from lstmlab.recipe import parse_overrides

CONTEXTS = {"final state": "state", "every step": "every-step", "attention": "attention"}
SEEDS = (0, 1, 2)
SMALL = {
    "data.limit": 30_000, "epochs": 8, "model.encoder.hidden_size": 128, "model.embedding.size": 128,
    "vocabulary_size": 4000, "decoding.method": "greedy",
}  # fmt: skip
T = 4.303
"""Student's t, two-sided 95 %, two degrees of freedom."""


def main() -> None:
    recipe, *typed = sys.argv[1:] or ["translate-en-fr"]
    changes = {**SMALL, **parse_overrides(typed)}
    print("| context | BLEU, mean of 3 seeds | 95 % interval | seeds | chrF | parameters | training seconds |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name, context in CONTEXTS.items():
        own = {"model.context": context}
        found = []
        for seed in SEEDS:
            with tempfile.TemporaryDirectory() as folder:
                result = lstmlab.train(recipe, output=Path(folder) / "run", **{**changes, **own, "seed": seed})
                metrics = result.run.metrics
            found.append((metrics["test"]["bleu"], metrics["test"]["chrf"], metrics))
        bleu = [one[0] for one in found]
        mean, half = statistics.mean(bleu), T * statistics.stdev(bleu) / len(bleu) ** 0.5
        print(
            f"| {name} | {mean:.2f} | {mean - half:.2f} to {mean + half:.2f} | "
            f"{', '.join(f'{one:.2f}' for one in bleu)} | {statistics.mean(one[1] for one in found):.2f} | "
            f"{found[0][2]['parameters']:,} | {statistics.mean(one[2]['train_seconds'] for one in found):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
