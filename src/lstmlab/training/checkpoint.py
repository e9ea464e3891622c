"""A moment of training in one file: written whole or not at all, read back to the bit.

Tensors by name in safetensors, everything else as one JSON string in its metadata (with several keys safetensors would
write them in a changing order). Its header states every tensor's place, so a file cut short is never taken for whole.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes
from torch import Tensor

from lstmlab.disk import save
from lstmlab.errors import InputError

FORMAT = "lstmlab checkpoint 1"


def write(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """One checkpoint: named tensors and JSON facts."""
    flat = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    save(path, safetensors_bytes(flat, metadata={"lstmlab": json.dumps({"format": FORMAT, **facts})}))


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write` wrote. Raises InputError for a missing, cut off or foreign file."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such checkpoint") from error
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: cut off or not a safetensors file ({error})") from error
    try:
        facts = json.loads(metadata["lstmlab"])
        known = facts["format"] == FORMAT
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: a safetensors file, but not one of lstmlab's checkpoints") from error
    if not known:
        raise InputError(f'{path}: format "{facts["format"]}", this version reads "{FORMAT}"')
    return tensors, facts


def pick(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under `prefix.`, named without it."""
    return {name.removeprefix(prefix + "."): value for name, value in tensors.items() if name.startswith(prefix + ".")}


def put(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The same tensors named under `prefix.`."""
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def load_weights(model: torch.nn.Module, weights: Mapping[str, Tensor], where: Path) -> None:
    """Put weights into a model. Raises InputError naming the first that is missing, left over or of another shape."""
    own = model.state_dict()
    for name in sorted(own.keys() | weights.keys()):
        if name not in weights or name not in own:
            raise InputError(
                f'{where}: the weight "{name}" {"is missing" if name in own else "has no place here"}: '
                "it was written by another model"
            )
        if own[name].shape != weights[name].shape:
            raise InputError(
                f'{where}: the weight "{name}" has shape {list(weights[name].shape)}, '
                f"expected {list(own[name].shape)}: it was written by another model"
            )
    model.load_state_dict(dict(weights))
