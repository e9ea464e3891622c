"""What drawings of models share: the sizes a run knows, the box of an encoder, shapes in brackets.

Letters in shapes: B batch, T and S steps, F features, K classes, V vocabulary, C values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lstmlab.analysis.architecture import CELLS
from lstmlab.analysis.flow import Box, Strip
from lstmlab.report import excerpt
from lstmlab.training.run import Run

MOST_STRIPS = 4
"""Layers and directions that are drawn one by one; of more the first ones."""


@dataclass(frozen=True)
class Known:
    """Sizes that only data decides, where a run has them: of every tensor of the model, and numbers learned by part."""

    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Run) -> "Known":
        """What the run's model and summary say; nothing where they are not there."""
        shapes: dict[str, Sequence[int]] = {}
        path = run.folder / "model.safetensors"
        if path.is_file():
            shapes = _header(str(path))
        rows = run.summary.get("layers", [])
        return cls(shapes, {str(name).split(":")[0]: int(count) for name, _, count in rows})

    def size(self, tensor: str, axis: int, otherwise: str) -> str:
        """One side of a tensor, as it is written in a shape; a letter where it is not known."""
        shape = self.shapes.get(tensor)
        return f"{shape[axis]:,}" if shape is not None and len(shape) > axis else otherwise

    def count(self, *parts: str) -> tuple[str, ...]:
        """How many numbers these parts learn, as a line of a box."""
        found = [self.counts[part] for part in parts if part in self.counts]
        return (f"{sum(found):,} parameters",) if sum(found) else ()


def _header(path: str) -> dict[str, Sequence[int]]:
    """The shapes of all tensors in a file, none of them read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        return {}  # a drawing can do with letters; whoever needs the weights says what is wrong with them


def shape(*sides: object) -> str:
    """[B T 64]"""
    return f"[{' '.join(str(side) for side in sides)}]"


def output_size(encoder: Mapping[str, Any]) -> int:
    """Features of an encoder's output."""
    both = encoder.get("bidirectional") and encoder.get("kind", "recurrent") == "recurrent"
    return int(encoder["hidden_size"]) * (2 if both else 1)


def encoder_box(
    encoder: Mapping[str, Any], at: tuple[int, int], known: Known, *, name: str = "encoder", title: str = "Encoder",
    parts: Sequence[str] = ("encoder",), lines: Sequence[str] = (), last: str = "T",
) -> Box:  # fmt: skip
    """An encoder or decoder, its layers and directions drawn, with cell, layers and units."""
    kind, depth, units = encoder.get("kind", "recurrent"), int(encoder.get("num_layers", 1)), encoder["hidden_size"]
    layers = "1 layer" if depth == 1 else f"{depth} layers"
    both = bool(encoder.get("bidirectional"))
    if kind == "recurrent":
        cell = CELLS.get(encoder["cell"], excerpt(str(encoder["cell"]).rpartition(":")[2] or "cell", 20))
        directions = [Strip("forwards"), Strip("backwards")] if both else [Strip("forwards")]
        strips, told = directions * depth, f"{cell}, {layers}, {units} units{' each way' if both else ''}"
    elif kind == "convolution":
        strips, told = [Strip("neighbours")] * depth, f"convolution, {layers}, {units} filters"
        step = "dilated, " if encoder.get("dilated") else ""
        lines = (f"{step}{encoder.get('width')} steps wide{'' if both else ', past only'}", *lines)
    else:
        strips, told = [Strip("all")] * depth, f"Transformer, {layers}, {units} units"
        lines = (f"{encoder.get('heads')} heads{'' if both else ', past only'}", *lines)
    shown = tuple(strips[:MOST_STRIPS])
    if len(strips) > MOST_STRIPS:
        lines = (f"{len(shown)} of {len(strips)} readings drawn", *lines)
    return Box(name, title, at, (told, *lines, *known.count(*parts)), "recurrent", shown, last)
