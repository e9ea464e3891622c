"""What a model takes over from a language model's run: its vocabulary, its vectors and its recurrent stack.

A language model has learned from running text what words mean beside each other; a classifier that begins there needs
fewer labelled texts (Dai & Le 2015; Howard & Ruder 2018).
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lstmlab.data.contents import existing_file
from lstmlab.data.text import TextEncoder, TextSettings
from lstmlab.errors import InputError
from lstmlab.nn.encoder import EncoderSettings
from lstmlab.recipe import read_file

SAME = ("kind", "cell", "hidden_size", "num_layers", "residual", "layer_norm", "second_bias")
"""Settings of a stack that have to be the run's."""
PARTS = {"embedding.table.": "embedding.table.", "layers.": "encoder."}
"""What the parts of a language model are called, and what they are called in a classifier."""


def vocabulary(folder: Path, settings: TextSettings) -> TextEncoder:
    """The run's tokens; how much of a text is read is what `settings` say."""
    saved = _task(folder)
    encoder = TextEncoder.from_json(saved.get("encoder"), str(folder / "task.json"))
    cut = encoder.settings.model_copy(update={"first": settings.first, "last": settings.last})
    return TextEncoder(cut, encoder.vocabulary, encoder.merges)


def lend(folder: Path, model: nn.Module, stack: EncoderSettings) -> None:
    """Put the run's vectors and its stack into a model whose stack is `stack`; a second direction keeps its weights.

    Raises InputError, naming the settings that would fit, where the model is another one.
    """
    told = _model(folder)["encoder"]
    other = next((name for name in SAME if name in told and told[name] != getattr(stack, name)), None)
    if other is not None:
        here = getattr(stack, other)
        raise InputError(f"start={folder}: encoder.{other} is {told[other]} there and {here} here. {_fitting(folder)}")
    own, lent = model.state_dict(), _weights(folder / "model.safetensors")
    found: dict[str, Tensor] = {}
    for name, value in lent.items():
        prefix = next((prefix for prefix in PARTS if name.startswith(prefix)), None)
        if prefix is None:
            continue
        place = PARTS[prefix] + name.removeprefix(prefix)
        if place not in own or own[place].shape != value.shape:
            raise InputError(f"start={folder}: its {name} does not fit this model. {_fitting(folder)}")
        found[place] = value
    missing = {name for name in own if name.startswith("embedding.table") or "forwards" in name} - found.keys()
    if missing:
        name = min(missing)
        raise InputError(f'{folder / "model.safetensors"}: nothing for "{name}": it was written by another model')
    model.load_state_dict({**own, **found})


def _fitting(folder: Path) -> str:
    """The settings with which a model has the sizes of the run's."""
    told = _model(folder)
    same = {f"encoder.{name}": told["encoder"][name] for name in SAME if name in told["encoder"]}
    sizes = {"model.embedding.size": told["embedding"]["size"], **same}
    words = " ".join(f"{name}={str(value).lower()}" for name, value in sizes.items())
    return f"What fits: {words} encoder.bidirectional=false model.embedding.ratios=0"


def _model(folder: Path) -> dict[str, Any]:
    """The `model` block of the run's recipe."""
    told: Any = read_file(existing_file(folder / "recipe.yaml")).get("model")
    if not isinstance(told, dict) or not all(isinstance(told.get(part), dict) for part in ("encoder", "embedding")):
        raise InputError(f"{folder / 'recipe.yaml'}: no settings of a language model")
    return told


def _task(folder: Path) -> dict[str, Any]:
    path = folder / "task.json"
    try:
        saved = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"start={folder}: no run there (no file task.json)") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(saved, dict) or saved.get("task") != "language-model":
        kind = saved.get("task", "something else") if isinstance(saved, dict) else "something else"
        raise InputError(f"start={folder}: expected the run of a language model, found one of {kind}")
    return saved


def _weights(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: torch.as_tensor(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no weights; the run is unfinished") from error
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: cut off or not a safetensors file ({error})") from error
