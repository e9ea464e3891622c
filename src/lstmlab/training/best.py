"""The weights of the best epochs, and their mean: checkpoint averaging (Junczys-Dowmunt, Dwojak & Sennrich 2016)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

Weights = dict[str, Tensor]


@dataclass
class Best:
    """At most `count` epochs with the least badness, each with its weights."""

    count: int
    badness: dict[int, float] = field(default_factory=dict)
    """By epoch."""
    weights: dict[int, Weights] = field(default_factory=dict)

    def offer(self, epoch: int, badness: float, weights: Mapping[str, Tensor]) -> Weights | None:
        """One more epoch. The mean over the best ones where it is among them, else None."""
        if len(self.badness) == self.count and badness >= max(self.badness.values()):
            return None
        self.badness[epoch] = badness
        self.weights[epoch] = {name: value.detach().clone() for name, value in weights.items()}
        if len(self.badness) > self.count:
            worst = max(self.badness, key=lambda one: (self.badness[one], one))
            del self.badness[worst], self.weights[worst]
        return self.mean()

    def mean(self) -> Weights:
        """Every weight's mean; what is no number to calculate with is the newest epoch's."""
        every = [self.weights[epoch] for epoch in sorted(self.weights)]
        if len(every) == 1:
            return every[0]
        return {
            name: torch.stack([one[name] for one in every]).mean(0) if value.is_floating_point() else value
            for name, value in every[-1].items()
        }

    def pack(self) -> Weights:
        """All weights under names of their own, to be saved."""
        return {f"{epoch}.{name}": value for epoch, one in self.weights.items() for name, value in one.items()}

    def unpack(self, tensors: Mapping[str, Tensor], badness: Mapping[str, float]) -> None:
        """Put back what `pack` took out."""
        self.badness = {int(epoch): value for epoch, value in badness.items()}
        self.weights = {epoch: {} for epoch in self.badness}
        for key, value in tensors.items():
            epoch, name = key.split(".", 1)
            self.weights[int(epoch)][name] = value.clone()
