"""One pass over a layer in one direction: rows dealt out to threads, each thread's plan, and what comes back."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from lstmlab.kernels import noise as noises
from lstmlab.kernels.build import Kernel
from lstmlab.kernels.noise import Noise
from lstmlab.kernels.pool import Job, Pool, flushes_denormals
from lstmlab.kernels.room import Packed, Room, fresh

POOL, PACKED = Pool(), Packed()
WORTH_A_THREAD = 4e6
"""Multiplications below which a second thread costs more than it saves."""
WORTH_A_TEAM = 1e6
"""Multiplications from which on two threads on the same rows pay."""
FEW_ROWS = 3
"""Up to so many rows, reading the weights takes longer than computing with them."""
COLUMN_NUMBERS = 2**17
"""Numbers of columns that are worked on together: half a second-level cache."""


@dataclass(frozen=True)
class Given:
    """All tensors of a pass, contiguous: values [B T F], weights as `Weights` has them, begins one for each state."""

    values: Tensor
    input: Tensor
    recurrent: Tensor
    bias: Tensor
    inner: Tensor | None
    parameters: tuple[Tensor, ...]
    gains: tuple[Tensor, ...]
    begins: tuple[Tensor, ...]


@dataclass
class Group:
    """The rows of one thread: sizes and addresses by name, and the memory they point to."""

    plan: np.ndarray
    rows: int
    held: list[object] = field(default_factory=list)


def run(kernel: Kernel, job: Job, groups: Sequence[Group]) -> None:
    """Each group in a thread of its own."""
    POOL.run(kernel.signals, job, [group.plan for group in groups])


class Pass:
    """Forward once, then backward as often as asked for: it lets go of the history, so a second one starts anew."""

    def __init__(
        self,
        kernel: Kernel,
        lengths: np.ndarray,
        *,
        reversed: bool,
        noise: Noise,
        saving: bool,
        begins: bool,
        threads: int,
    ) -> None:
        self.kernel, self.facts, self.cell = kernel, kernel.facts, kernel.variant.cell
        self.lengths, self.reversed, self.noise = lengths, reversed, noise
        self.saving, self.begins = saving, begins
        self.threads, self.flush = threads, flushes_denormals()
        self.real = torch.float64 if kernel.variant.real == "float64" else torch.float32
        self._groups: list[Group] | None = None
        self._lock = threading.Lock()

    def prepared(self, given: Given) -> tuple[list[Tensor], list[Group]]:
        """Memory for outputs [B T H] and final states [B H], and the plans that fill it."""
        (batch, self.steps, self.size), self.units = given.values.shape, given.recurrent.shape[1]
        self.padded, self.padded_size = self._round(self.units), self._round(self.size)
        outputs = fresh(given.values, batch, self.steps, self.units)
        finals = [outputs.new_empty(batch, self.units) for _ in self.cell.states]
        shared: dict[str, Tensor] = {
            "values": given.values,
            # What autograd returns knows this pass: holding it as it is would keep both alive for ever.
            "outputs": outputs.detach(),
            "bias": self._biases(given),
            "zeros": torch.zeros(max(self.facts.columns * self.padded, self.padded_size), dtype=self.real),
        }
        for name, begin, final in zip(self.cell.states, given.begins, finals, strict=True):
            shared |= {f"begin_{name}": begin, f"final_{name}": final.detach()}
        if given.parameters:
            shared["parameters"] = self._stacked(given.parameters)
        if given.gains:
            shared["gain"] = self._stacked([self._in_columns(gain, self.facts.gates) for gain in given.gains])
        hidden = self.noise.hidden(batch, outputs) if self.kernel.variant.masked else None
        if hidden is not None:
            shared["hidden"] = hidden
        panels = self._forward_panels(given)
        groups = [self._group(rows) for rows in self._dealt()]
        for group in groups:
            self._point(group, shared)
            group.held.append(panels)
            self._set(group, panels.addresses())
        if len(groups) == 1 and self._teams():
            groups.append(self._teamed(groups[0]))
        return [outputs, *finals], groups

    def keep(self, groups: list[Group]) -> None:
        """Remember the history for one backward pass."""
        self._groups = groups

    def turned(
        self, given: Given, needed: Sequence[bool], gradients: Sequence[Tensor | None]
    ) -> tuple[list[Group], Callable[[], list[Tensor | None]]]:
        """The plans of the backward pass, and what hands out the gradient of each tensor of `given` once they have run.

        `needed` says for values and begins whether anybody wants theirs.
        """
        with self._lock:
            groups, self._groups = self._groups, None
        if groups is None:
            # The history was used up by an earlier backward pass: it is worked out again.
            groups = self.prepared(given)[1]
            run(self.kernel, self.kernel.forward, groups)
        d_outputs, *d_finals = (None if one is None else one.contiguous() for one in gradients)
        d_values = fresh(given.values, *given.values.shape) if needed[0] else None
        states = len(self.cell.states)
        wanted = needed[len(needed) - states :]
        d_begins = [torch.empty_like(one) if yes else None for one, yes in zip(given.begins, wanted, strict=True)]
        shared: dict[str, Tensor | None] = {"d_outputs": d_outputs, "d_values": d_values}
        for name, final, begin in zip(self.cell.states, d_finals, d_begins, strict=True):
            shared |= {f"d_final_{name}": final, f"d_begin_{name}": begin}
        panels = self._backward_panels(given, d_values is not None)
        rooms = [self._prepare_backward(group) for group in groups]
        for group in groups:
            self._point(group, shared)
            group.held.append(panels)
            self._set(group, panels.addresses())
        return groups, lambda: [*self._gathered(given, d_values, rooms), *d_begins]

    # ---- Rows and plans ----

    def _teams(self) -> bool:
        """Whether two threads had better share the units of a few rows: each then reads half of the weights.

        Never more than two: one of them is the caller's own thread, so that no team waits for another one's threads.
        """
        variant, work = self.kernel.variant, float(self.lengths.sum()) * self.units * self.units
        plain = self.cell.recurrent and not variant.normalised and not variant.masked and not self.saving
        even = self.padded % (2 * self.kernel.panel) == 0
        enough = work >= WORTH_A_TEAM and self.threads > 1
        return plain and even and enough and self.kernel.teams and POOL.pairs(self.kernel.signals)

    def _teamed(self, first: Group) -> Group:
        arrived = torch.zeros(1, dtype=torch.int64)
        addresses = np.empty(max(self._block(), first.rows), dtype=np.int64)
        second = Group(first.plan.copy(), first.rows, [*first.held, arrived, addresses])
        for group in (first, second):
            self._set(group, {"team": 2, "arrived": arrived.data_ptr()})
        self._set(second, {"member": 1, "addresses": addresses.ctypes.data})
        return second

    def _dealt(self) -> list[np.ndarray]:
        """Rows by thread, the longest first, back and forth so that all threads have about the same to do."""
        order = np.argsort(-self.lengths, kind="stable")
        work = float(self.lengths.sum()) * (self.size + self.units) * len(self.facts.gates) * self.units
        threads = max(1, min(self.threads, len(order), int(work / WORTH_A_THREAD)))
        if len(order) <= FEW_ROWS and self._teams():
            threads = 1
        if threads == 1:
            return [order]
        turn = np.arange(len(order)) % (2 * threads)
        turn = np.minimum(turn, 2 * threads - 1 - turn)
        return [order[turn == thread] for thread in range(threads)]

    def _group(self, rows: np.ndarray) -> Group:
        lengths, count = self.lengths[rows], len(rows)
        steps, block = int(lengths[0]), self._block()
        alive = np.searchsorted(-lengths, -np.arange(steps + 1), side="left")
        offset = np.concatenate([[0], np.cumsum(alive[:-1])])
        place = rows * self.steps + (lengths - 1 if self.reversed else 0)
        lists = {"alive": alive, "offset": offset, "length": lengths, "row": rows, "place": place}
        table = np.empty(2 * (steps + 1) + 3 * count + max(count, block), dtype=np.int64)
        numbers, at = {}, 0
        for name, values in lists.items():
            table[at : at + len(values)] = values
            numbers[name] = table.ctypes.data + 8 * at
            at += len(values)
        group = Group(np.zeros(len(self.facts.index), dtype=np.int64), count, [table])
        positions = int(offset[-1])
        kept = positions if self.saving else max(block, count)
        sizes = {"columns": kept * self.facts.width * self.padded}
        for name in self.cell.states[1:]:
            sizes[f"state_{name}"] = (count + (positions if self.saving else 0)) * self.padded
        sizes |= {"visible": count * self.padded} if self.kernel.variant.masked else {}
        sizes |= {"spread": kept * self.facts.normals} if self.facts.normals else {}
        room = Room(self.real, sizes)
        group.held.append(room)
        self._set(group, numbers | room.addresses())
        self._set(group, {
            "rows": count, "steps": steps, "whole_steps": self.steps, "size": self.size, "units": self.units,
            "padded": self.padded, "padded_size": self.padded_size, "direction": -1 if self.reversed else 1,
            "saving": self.saving, "block": block, "begins": self.begins, "team": 1, "member": 0, "flush": self.flush,
            "addresses": table.ctypes.data + 8 * at,
        })  # fmt: skip
        self._count_noise(group, rows, alive)
        return group

    def _count_noise(self, group: Group, rows: np.ndarray, alive: np.ndarray) -> None:
        """A key for each row at each step, in the order of the columns; or the share that is kept on average."""
        variant = self.kernel.variant
        for stream, name in enumerate(self.cell.states, 1):
            if name not in variant.zoneout:
                continue
            share = self.noise.zoneout[name]
            if variant.counted and self.noise.seed is not None:
                steps = torch.from_numpy(np.repeat(np.arange(len(alive)), alive))
                which = torch.from_numpy(np.concatenate([rows[:some] for some in alive]))
                keys = noises.keys(self.noise.seed, stream, which, steps).to(torch.uint32)
                self._point(group, {f"keys_{name}": keys})
                self._set(group, {f"threshold_{name}": noises.threshold(share)})
            else:
                self._point(group, {f"share_{name}": torch.full((1,), share, dtype=self.real)})

    def _prepare_backward(self, group: Group) -> Room:
        gates, past, block = len(self.facts.gates), len(self.facts.past), max(self._block(), group.rows)
        widest = max(self.padded, self.padded_size)
        sizes = {
            "panels": block * widest,
            "room": group.rows * widest,
            "d_input": gates * self.padded * self.padded_size,
            "d_recurrent": past * self.padded * self.padded,
            "d_bias": self.facts.columns * self.padded,
            "d_parameters": len(self.cell.parameters) * self.padded,
            "d_gain": self.facts.normals * gates * self.padded,
            "d_line": group.rows * self.facts.normals * gates * self.padded,
            **{f"flow_{name}": group.rows * self.padded for name in self.cell.states},
        }
        room = Room(self.real, sizes)
        self._set(group, room.addresses())
        return room

    def _block(self) -> int:
        return max(128, COLUMN_NUMBERS // (self.facts.width * self.padded))

    def _set(self, group: Group, numbers: Mapping[str, int]) -> None:
        for name, number in numbers.items():
            group.plan[self.facts.index[name]] = number

    def _point(self, group: Group, tensors: Mapping[str, Tensor | None]) -> None:
        """Addresses of tensors, which are held from now on; 0 for None."""
        group.held.append(tensors)
        self._set(group, {name: 0 if one is None else one.data_ptr() for name, one in tensors.items()})

    # ---- Weights in, gradients out ----

    def _forward_panels(self, given: Given) -> Room:
        if self.saving:
            return self._packed(given)
        # Weights that are only read are packed once: for a few short rows packing takes as long as computing.
        weights = (given.input, given.recurrent)
        prints = tuple(self.kernel.fingerprint(one.data_ptr(), one.numel()) for one in weights)
        key = (self.kernel.variant, *((one.data_ptr(), one.shape) for one in weights))
        return PACKED.get(key, prints, lambda: self._packed(given))

    def _packed(self, given: Given) -> Room:
        summed = len(self.facts.past) - len(self.facts.apart)
        parts = {"input_panels": (given.input, self.facts.gates)}
        if self.cell.recurrent:
            parts["summed_panels"] = (given.recurrent, self.facts.past[:summed])
            parts["apart_panels"] = (given.recurrent, self.facts.past[summed:])
        sizes = {name: len(gates) * self.padded * weights.shape[1] for name, (weights, gates) in parts.items()}
        room = self._panels(sizes)
        plans = [self._pack_plan(*part, 0, room.addresses()[name]) for name, part in parts.items() if sizes[name]]
        POOL.run(self.kernel.signals, self.kernel.pack_across, plans)
        return room

    def _backward_panels(self, given: Given, inputs_too: bool) -> Room:
        parts = {"past_panels": (given.recurrent, self.facts.past, self.padded)} if self.cell.recurrent else {}
        if inputs_too:
            parts["gate_panels"] = (given.input, self.facts.gates, self.padded_size)
        room = self._panels({name: len(gates) * self.padded * wide for name, (_, gates, wide) in parts.items()})
        plans = [self._pack_plan(*part, room.addresses()[name]) for name, part in parts.items()]
        if plans:
            POOL.run(self.kernel.signals, self.kernel.pack_along, plans)
        return room

    def _pack_plan(self, weights: Tensor, gates: Sequence[str], wide: int, panels: int) -> np.ndarray:
        """Sizes and addresses, and behind them the order of the gates."""
        plan = np.empty(8 + len(gates), dtype=np.int64)
        order = plan.ctypes.data + 8 * 8
        plan[:8] = len(gates), self.units, self.padded, weights.shape[1], wide, order, weights.data_ptr(), panels
        plan[8:] = self._order(gates)
        return plan

    def _panels(self, sizes: dict[str, int]) -> Room:
        room = Room(self.real, sizes)
        if self.units != self.padded:
            for name in sizes:
                room[name].zero_()  # what packing leaves out
        return room

    def _biases(self, given: Given) -> Tensor:
        """The bias of each column [columns padded]: one inside r counts for the sum where there is only a sum."""
        rows, apart = self._in_columns(given.bias, self.facts.gates), self.facts.apart
        if given.inner is None:
            below = rows.new_zeros(len(apart), self.units)
        else:
            inner = self._in_columns(given.inner, self.facts.gates)
            together = [
                float(gate not in apart and self.kernel.variant.normalised != "sum") for gate in self.facts.gates
            ]
            rows = rows + inner * rows.new_tensor(together)[:, None]
            below = self._in_columns(given.inner, apart)
        return self._stacked([rows, below] if apart else [rows])

    def _gathered(self, given: Given, d_values: Tensor | None, rooms: Sequence[Room]) -> list[Tensor | None]:
        gates, past, units = len(self.facts.gates), len(self.facts.past), self.units
        d_bias = self._total(rooms, "d_bias", self.facts.columns, self.padded)[:, :units]
        d_input = self._total(rooms, "d_input", gates, self.padded, self.padded_size)[:, :units, : self.size]
        d_recurrent = torch.zeros_like(given.recurrent)
        if past:
            total = self._total(rooms, "d_recurrent", past, self.padded, self.padded)[:, :units, :units]
            d_recurrent = self._natural(total, self.facts.past).reshape(given.recurrent.shape)
        d_inner = None
        if given.inner is not None:
            d_inner = d_bias[[self._past_column(gate) for gate in self.cell.gates]].reshape(-1)
        d_gains = self._total(rooms, "d_gain", self.facts.normals, gates, self.padded)[..., :units]
        return [
            d_values,
            self._natural(d_input, self.facts.gates).reshape(given.input.shape),
            d_recurrent,
            self._natural(d_bias[:gates], self.facts.gates).reshape(-1),
            d_inner,
            *self._total(rooms, "d_parameters", len(self.cell.parameters), self.padded)[:, :units],
            *(self._natural(one, self.facts.gates).reshape(-1) for one in d_gains),
        ]

    def _total(self, rooms: Sequence[Room], name: str, *shape: int) -> Tensor:
        """What all threads have added up, copied out of their rooms."""
        first, *others = (room[name].view(shape) for room in rooms)
        total = fresh(first, *shape)
        if not others:
            return total.copy_(first)
        torch.add(first, others[0], out=total)
        for other in others[1:]:
            total += other
        return total

    def _past_column(self, gate: str) -> int:
        """The column whose gradient is that of the gate's part from the past."""
        apart = self.facts.apart
        return len(self.facts.gates) + apart.index(gate) if gate in apart else self.facts.gates.index(gate)

    def _natural(self, stacked: Tensor, gates: Sequence[str]) -> Tensor:
        """Gates in the kernel's order back in the cell's."""
        if tuple(gates) == self.cell.gates:
            return stacked
        return stacked[[gates.index(gate) for gate in self.cell.gates]]

    def _in_columns(self, stacked: Tensor, gates: Sequence[str]) -> Tensor:
        """Some gates' numbers [gates H] in the kernel's order."""
        rows = stacked.view(-1, self.units)
        return rows if tuple(gates) == self.cell.gates else rows[self._order(gates)]

    def _stacked(self, rows: Iterable[Tensor]) -> Tensor:
        stacked = torch.cat([one.reshape(-1, self.units) for one in rows])
        missing = self.padded - self.units
        return torch.nn.functional.pad(stacked, (0, missing)) if missing else stacked

    def _order(self, gates: Sequence[str]) -> np.ndarray:
        return np.array([self.cell.gates.index(gate) for gate in gates], dtype=np.int64)

    def _round(self, size: int) -> int:
        return -(-size // self.kernel.lanes) * self.kernel.lanes
