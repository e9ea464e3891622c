"""The classes of a task: names, and the ids that stand for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from lstmlab.errors import InputError, nearest


@dataclass(frozen=True)
class LabelSet:
    """The classes of a task, sorted; a label's id is its place."""

    names: tuple[str, ...]

    @classmethod
    def fit(cls, labels: Sequence[Any]) -> "LabelSet":
        """The labels of the training part. Raises InputError for a missing label and for fewer than two kinds."""
        for row, label in enumerate(labels, 1):
            if not isinstance(label, str):
                raise InputError(f"row {row} of the training part has no label (found {label!r})")
        names = tuple(sorted(set(labels)))
        if len(names) < 2:
            found = f'only the label "{names[0]}"' if names else "no label at all"
            raise InputError(
                f"the {len(labels)} examples of the training part carry {found}: "
                "telling classes apart needs two or more"
            )
        return cls(names)

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, labels: Sequence[Any], where: str) -> Int[np.ndarray, "N"]:
        """Ids of labels, int64. Raises InputError for one never seen in training; `where` names the part ("test")."""
        ids = {name: at for at, name in enumerate(self.names)}
        for row, label in enumerate(labels, 1):
            if label not in ids:
                raise self._unseen(label, f"the {where} part (row {row})")
        return np.array([ids[label] for label in labels], np.int64)

    def decode(self, ids: Sequence[int] | Int[np.ndarray, "N"]) -> list[str]:
        """The labels with these ids."""
        return [self.names[at] for at in ids]

    def to_json(self) -> list[str]:
        """What `from_json` reads."""
        return list(self.names)

    @classmethod
    def from_json(cls, saved: Any, where: str = "labels") -> "LabelSet":
        """The set that `to_json` wrote. Raises InputError, naming `where`, for anything else."""
        known = isinstance(saved, list) and all(isinstance(one, str) for one in saved)
        if not known or len(saved) < 2 or sorted(set(saved)) != saved:
            raise InputError(f"{where}: expected a sorted list of two or more different labels")
        return cls(tuple(saved))

    def _unseen(self, label: Any, place: str) -> InputError:
        if not isinstance(label, str):
            return InputError(f"{place} has no label (found {label!r})")
        many = len(self.names) > 12
        known = (nearest(label, self.names, most=3) or list(self.names[:3])) if many else list(self.names)
        more = f" and {len(self.names) - len(known)} others" if many else ""
        return InputError(f'the label "{label}" stands only in {place}; training knows: {", ".join(known)}{more}')
