"""Cross-validation of a recipe that sets data.folds: the accuracy of each fold, their mean, and the baselines'.

python -m benchmarks.folds indoor-movement [key=value ...]
"""

import statistics
import sys
import tempfile
from pathlib import Path

import lstmlab
from lstmlab.recipe import parse_overrides
from lstmlab.request import assemble


def main() -> None:
    recipe, *typed = sys.argv[1:]
    changes = parse_overrides(typed)
    settings = assemble(recipe, changes)
    columns: dict[str, list[float]] = {}
    for fold in range(1, settings.data.folds + 1):  # type: ignore[attr-defined]
        with tempfile.TemporaryDirectory() as folder:
            told = lstmlab.train(recipe, output=Path(folder) / "run", **{**changes, "data.fold": fold}).run.metrics
        row = {"validation": told["valid"]["accuracy"], "test": told["test"]["accuracy"]}
        row |= {name: scores["accuracy"] for name, scores in told["baseline"].items()}
        print(f"fold {fold}: " + ", ".join(f"{name} {100 * value:.1f} %" for name, value in row.items()), flush=True)
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    print("mean: " + ", ".join(f"{name} {100 * statistics.mean(values):.1f} %" for name, values in columns.items()))


if __name__ == "__main__":
    main()
