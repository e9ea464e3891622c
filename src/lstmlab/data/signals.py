"""Sequences of measurements, a label each: what a sensor saw, as numbers a network reads.

Letters in shapes: A all steps of all sequences end to end, N sequences, T steps, F features.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int
from numpy.typing import NDArray

from lstmlab.data.scaler import Scaler
from lstmlab.data.tokens import places
from lstmlab.errors import InputError


@dataclass(frozen=True)
class Signals:
    """Scaled sequences end to end: sequence i is `values[offsets[i]:offsets[i + 1]]`."""

    values: Float32[np.ndarray, "A F"]
    offsets: Int[np.ndarray, "_"]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int[np.ndarray, "N"]:
        """Steps of each sequence."""
        return np.diff(self.offsets)

    def take(self, index: Int[np.ndarray, "_"]) -> "Signals":
        """The sequences at these positions, in that order."""
        ends = np.cumsum(self.lengths[index])
        return Signals(self.values[places(self.offsets, index)], np.concatenate([[0], ends]))

    def padded(self) -> Float32[np.ndarray, "N T F"]:
        """One row a sequence, as wide as the longest, zeros at the end."""
        out = np.zeros((len(self), self.lengths.max(initial=0), self.values.shape[1]), np.float32)
        out[np.arange(out.shape[1]) < self.lengths[:, None]] = self.values
        return out


@dataclass(frozen=True)
class SignalEncoder:
    """Scales every feature to mean 0 and deviation 1 of the training part."""

    scaler: Scaler

    @classmethod
    def fit(cls, inputs: Sequence[Any], where: str) -> "SignalEncoder":
        """From the training part alone. Raises InputError for what is no sequence of numbers."""
        return cls(Scaler.fit([np.concatenate(tables(inputs, where))]))

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "SignalEncoder":
        """What `to_json` wrote."""
        return cls(Scaler(np.array(saved["mean"], ndmin=2), np.array(saved["deviation"], ndmin=2)))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"signals": True, "mean": self.scaler.mean.tolist(), "deviation": self.scaler.deviation.tolist()}

    @property
    def features(self) -> int:
        """Numbers of a step."""
        return self.scaler.mean.shape[1]

    def encode(self, inputs: Sequence[Any], where: str) -> Signals:
        """Scaled sequences. Raises InputError for what is no sequence of as many features as in training."""
        found = tables(inputs, where, self.features)
        lengths = [len(one) for one in found]
        values = (np.concatenate(found) - self.scaler.mean[0]) / self.scaler.deviation[0]
        return Signals(values.astype(np.float32), np.concatenate([[0], np.cumsum(lengths)]))


def numeric(inputs: Sequence[Any]) -> bool:
    """Whether inputs are sequences of numbers rather than texts."""
    return bool(len(inputs)) and not isinstance(inputs[0], str) and inputs[0] is not None


def tables(inputs: Sequence[Any], where: str, features: int | None = None) -> list[NDArray[np.float64]]:
    """Every input as a table [T F]; a plain list of numbers has one feature."""
    found = []
    for number, given in enumerate(inputs, 1):
        at = f"{where}, sequence {number}"
        try:
            table = np.array(given, np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"{at}: expected steps of equally many numbers, got {str(given)[:60]}") from error
        table = table[:, None] if table.ndim == 1 else table
        if table.ndim != 2 or not len(table):
            raise InputError(f"{at}: expected a list of steps, got {str(given)[:60]}")
        if features is not None and table.shape[1] != features:
            raise InputError(f"{at}: {table.shape[1]} numbers a step, expected {features}")
        odd = np.argwhere(~np.isfinite(table))
        if len(odd):
            raise InputError(f"{at}, step {odd[0][0] + 1}: {table[tuple(odd[0])]} is no finite number")
        features = table.shape[1]
        found.append(table)
    return found
