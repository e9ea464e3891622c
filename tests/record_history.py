"""Write finished runs as lines of `recorded.json`: `python tests/record_history.py answers.json > tests/recorded.json`.

`answers.json` lists {"name", "run" (a folder), "held_out", "answer": {"main", "must", "may", "why"}}; what a teacher
says of the run is written there by hand, before any rule has seen it.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lstmlab.analysis.curves import known
from lstmlab.training.run import Run

COLUMNS = ("epoch", "step", "learning_rate", "gradient_norm")


def line(told: dict[str, Any]) -> str:
    """One run as one line: numbers to five digits, score by score."""
    run = Run.open(Path(told["run"]))
    columns = {name: [_short(row.get(name)) for row in run.history] for name in COLUMNS}
    for part in ("train", "valid"):
        for score in ("loss", "accuracy"):
            found = [_short(row.get(part, {}).get(score)) for row in run.history]
            if any(value is not None for value in found):
                columns[f"{part}.{score}"] = found
    facts = {name: _short(value) for name, value in asdict(known(run)).items() if value is not None}
    kept = {"name": told["name"], "held_out": told["held_out"], "answer": told["answer"]}
    return json.dumps({**kept, "known": facts, "rows": columns}, separators=(",", ":"))


def _short(value: Any) -> Any:
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    for one in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        print(line(one))
