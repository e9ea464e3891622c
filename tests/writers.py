"""Tiny runs, trained once for all tests: a translator of phrases, a partner in conversation, a classifier."""

from pathlib import Path
from typing import Any

import pytest

from lstmlab import request
from lstmlab.api import Result
from lstmlab.training import experiment

SMALL: dict[str, Any] = {
    "model.encoder.hidden_size": 24, "embedding.size": 24, "batch_size": 16, "decoding.max_length": 20, "glance": 5,
    "device": "cpu",
}  # fmt: skip
TALK = "\n\n".join(
    f"hello {name}\nhi , how are you ?\n{said}\ni see , {name}\ngood bye {name}\nbye"
    for name in "anna ben carl dora emil fay".split()
    for said in ("fine , thanks", "not so well", "tired")
)


KERNELS = Path(__file__).parents[1] / ".pytest_cache" / "lstmlab-kernels"


def trained(folder: Path, word: str, changes: dict[str, Any]) -> Result:
    """A run in `folder`, without a report. Its cache is its own but for compiled kernels, which all tests share."""
    cache = folder.parent / "cache"
    cache.mkdir(parents=True)
    KERNELS.mkdir(parents=True, exist_ok=True, mode=0o700)
    (cache / "kernels").symlink_to(KERNELS, target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSTMLAB_CACHE", str(cache))
        patch.chdir(folder.parent)
        return Result(experiment.train(request.assemble(word, changes), root=folder, output=folder))


def translator(base: Path) -> Result:
    """A translator that has seen phrases for a moment."""
    return trained(base / "translator" / "run", "translate-demo", {**SMALL, "steps": 60})


def partner(base: Path) -> Result:
    """A partner in conversation who has seen a few dialogues and reads three turns."""
    folder = base / "partner"
    folder.mkdir()
    (folder / "talk.txt").write_text(TALK + "\n", encoding="utf-8")
    changes = {**SMALL, "path": "talk.txt", "turns": 3, "level": "word", "steps": 60, "valid_fraction": 0.2}
    return trained(folder / "run", "dialogue", changes)


def classifier(base: Path) -> Result:
    """A classifier, which writes nothing."""
    changes = {"steps": 2, "data.count": 60, "hidden_size": 4, "device": "cpu"}
    return trained(base / "classifier" / "run", "parity", changes)
