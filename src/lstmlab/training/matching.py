"""Arms of equal size: each one's hidden_size changed until it has as many parameters as the first arm."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from lstmlab.data.corpus import Dataset
from lstmlab.data.load import Watch
from lstmlab.errors import InputError
from lstmlab.tasks import TASKS
from lstmlab.training.arms import Arm, Plan
from lstmlab.training.experiment import settle

SIZE = "model.encoder.hidden_size"
NEAR = 0.02
"""Share of the parameters by which a matched arm may differ."""
LARGEST = 8192


def matched(plan: Plan, data: Mapping[str, Dataset], watch: Watch = Watch()) -> Plan:
    """The plan with matched sizes. Raises InputError where no hidden_size brings an arm near enough."""
    arms: list[Arm] = []
    wanted: dict[str, int] = {}
    for arm in plan.arms:
        sizes = Sizes(plan.bases[arm.base], arm, data[arm.base], watch)
        if arm.base not in wanted:
            wanted[arm.base] = sizes.count(sizes.own)
            arms.append(arm)
            continue
        size = sizes.nearest(wanted[arm.base])
        if size == sizes.own or arm.twin is not None:
            arms.append(arm)
            continue
        changes = {**arm.changes, SIZE: size}
        arms.append(arm.model_copy(update={"changes": changes, "asked_size": sizes.own}))
    return plan.model_copy(update={"arms": tuple(arms)})


@dataclass
class Sizes:
    """How many parameters an arm has with each hidden_size. Vocabulary and labels are fitted once."""

    tree: Mapping[str, Any]
    arm: Arm
    data: Dataset
    watch: Watch

    def __post_init__(self) -> None:
        recipe, _ = settle(self.tree, self.arm.changes, self.arm.name)
        settings: Any = recipe
        self.own = int(settings.model.encoder.hidden_size)
        self._known: dict[int, int] = {}
        self._saved = TASKS[recipe.task].prepare(recipe, self.data, self.watch).saved()

    def count(self, size: int) -> int:
        """Parameters with this hidden_size; memory is taken for none of them."""
        if size not in self._known:
            recipe, _ = settle(self.tree, {**self.arm.changes, SIZE: size}, self.arm.name)
            with torch.device("meta"):
                model = TASKS[recipe.task].restore(recipe, self._saved).build()
            self._known[size] = sum(p.numel() for p in model.parameters())
        return self._known[size]

    def nearest(self, wanted: int) -> int:
        """The hidden_size whose number of parameters is nearest to the wanted one."""
        low, high = 1, 2
        while high < LARGEST and self._counted(high) < wanted:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._counted(middle) < wanted else (low, middle)
        # Some encoders allow only certain sizes: look around.
        near = [size for size in range(max(1, low - 8), high + 9) if self._possible(size)]
        best = min(near, key=lambda size: (abs(self.count(size) - wanted), size), default=None)
        if best is None or abs(self.count(best) - wanted) > NEAR * wanted:
            found = "none" if best is None else f"{self.count(best):,} with hidden_size={best}"
            raise InputError(
                f"{self.arm.name}: no hidden_size gives it the first arm's {wanted:,} parameters within 2 % "
                f"(nearest: {found}); make the first arm larger, or leave out --match-parameters"
            )
        return best

    def _counted(self, size: int) -> int:
        """Parameters at this size, or at the next possible one above it."""
        possible = next((one for one in range(size, size + 17) if self._possible(one)), None)
        if possible is None:
            raise InputError(f"{self.arm.name}: no hidden_size about {size} is possible, so sizes cannot be matched")
        return self.count(possible)

    def _possible(self, size: int) -> bool:
        try:
            self.count(size)
        except InputError:
            return False
        return True
