"""The guide's figures: `python docs/figures.py [FOLDER]` draws into docs/figures what the sources can tell, and takes
the rest from the newest runs and studies of FOLDER (the one where one works), where they are there.

The commands that make those are in COLLECTED, beside the figures they give. What has not been run keeps its old figure.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lstmlab import request
from lstmlab.analysis import dataflow, flow
from lstmlab.cells import CELLS
from lstmlab.kernels import drawing
from lstmlab.recipe import dump
from lstmlab.report import Figure, render

DOCS = Path(__file__).parent
FIGURES = DOCS / "figures"
BENCHMARKS = DOCS.parent / "benchmarks" / "README.md"

COLLECTED: dict[str, tuple[str, dict[str, str]]] = {
    "lstmlab compare gradients": (
        "studies/gradients",
        {name: name for name in ("gradient-reach", "gradient-biases", "clipping")},
    ),
    "lstmlab compare architecture": ("studies/architecture", {"scores": "architecture-scores"}),
    "python -m benchmarks.memory horizon minutes=1": (
        "memory",
        {name: name for name in ("memory-adding", "memory-copy")},
    ),
    "lstmlab explain parity gates": ("runs/parity", {"gates": "parity-gates"}),
    "lstmlab train translate-demo": ("runs/translate-demo", {"attention-1": "translate-demo-attention"}),
    "lstmlab train imdb-classic": ("runs/imdb-classic", {"curves": "imdb-classic-curves"}),
    "lstmlab train sine-classic": ("runs/sine-classic", {"forecast": "sine-classic-forecast"}),
}
"""Command → the folder its newest result is in, and the guide's names for figures of that result."""


def cells() -> Iterator[Figure]:
    """The three classical cells, from their step functions."""
    for name in ("rnn", "lstm", "gru"):
        yield Figure(f"cell-{name}", f"One step of {name}.", drawing.draw(CELLS[name]))


def contexts() -> Iterator[Figure]:
    """How the source reaches the decoder: by the final state alone, and by attention."""
    for context in ("state", "attention"):
        recipe = request.assemble("translate-demo", {"model.context": context})
        drawn, width = flow.draw(dataflow.flow(dump(recipe)))
        yield Figure(f"flow-{context}", f"Data flow, context={context}.", drawn, width=width)


def scores() -> Iterator[Figure]:
    """BLEU by context, seed by seed: the numbers are read from the log of benchmarks, where they live."""
    pattern = re.compile(r"^\| (final state|every step|attention) \| ([\d.]+) \|[^|]*\| ([\d., ]+) \|", re.MULTILINE)
    rows = pattern.findall(BENCHMARKS.read_text("utf-8"))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for at, (_, mean, seeds) in enumerate(rows):
            axes.scatter([float(one) for one in seeds.split(",")], [at] * 3, color="#0072B2", s=22, zorder=3)
            axes.plot([float(mean)] * 2, [at - 0.25, at + 0.25], color="#D55E00", linewidth=2)
        axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
        axes.invert_yaxis()
        axes.set(title="BLEU by how the context is passed", ylabel="Context", xlim=(0, None))
        axes.set_xlabel("BLEU on the test part (a point a seed, a line their mean)")

    yield Figure("contexts", "BLEU by context.", draw, width=6.4, height=2.4)


def collect(folder: Path, names: dict[str, str]) -> list[str]:
    """These figures as SVG, from `folder` itself or the newest result in it."""
    found = sorted(path for path in (folder / "figures", *folder.glob("*/figures")) if path.is_dir())
    if not found:
        return []
    for name, ours in names.items():
        (FIGURES / f"{ours}.svg").write_bytes((found[-1] / f"{name}.svg").read_bytes())
    return list(names.values())


def main(root: Path) -> None:
    FIGURES.mkdir(exist_ok=True)
    for maker in (cells, contexts, scores):
        for figure in maker():
            with TemporaryDirectory() as aside:
                (FIGURES / f"{figure.name}.svg").write_bytes(render(figure, Path(aside))["svg"].read_bytes())
            print(FIGURES.name, figure.name)
    for command, (folder, names) in COLLECTED.items():
        made = collect(root / folder, names)
        print(", ".join(made) if made else f"left as they were: {', '.join(names.values())} ({command})")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
