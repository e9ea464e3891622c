"""Memory that kernels work in, used again from pass to pass: fresh memory costs a page fault for every few numbers."""

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

ALIGNMENT = 64
"""Bytes of a cache line."""
KEPT_BYTES = 2**30
"""How much freed memory is kept at most."""


def _anew_in_children(holder: Any) -> None:
    """A lock for `holder`; a forked child gets a new one, since nobody is left there to open the old one."""

    def renew() -> None:
        holder._lock = threading.Lock()

    renew()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)


class Arena:
    """Blocks of memory that were let go, for whoever needs one of about that size. Any thread may take and give."""

    _lock: threading.Lock

    def __init__(self) -> None:
        _anew_in_children(self)
        # Blocks come back whenever Python collects their users, also in the middle of `take`: adding needs no lock.
        self._returned: deque[np.ndarray] = deque()
        self._free: list[np.ndarray] = []

    def take(self, size: int) -> np.ndarray:
        """A block of at least so many bytes, not zeroed."""
        with self._lock:
            self._collect()
            fitting = [block for block in self._free if size <= block.size <= 2 * size + 2**16]
            if fitting:
                best = min(fitting, key=len)
                self._free = [block for block in self._free if block is not best]
                return best
        # Large blocks of NumPy's come in huge pages where the system has them.
        return np.empty(size + size // 8, dtype=np.uint8)

    def _collect(self) -> None:
        while self._returned:
            self._free.append(self._returned.popleft())
        while self._free and sum(map(len, self._free)) > KEPT_BYTES:
            self._free.pop(0)

    def give(self, block: np.ndarray) -> None:
        """Take back a block that nobody uses any more."""
        self._returned.append(block)
        if self._lock.acquire(blocking=False):
            try:
                self._collect()
            finally:
                self._lock.release()


ARENA = Arena()


class Room:
    """Named stretches of numbers in one block, which goes back when the room is not used any more.

    What leaves a kernel's hands must be copied out of it.
    """

    def __init__(self, real: torch.dtype, sizes: Mapping[str, int]) -> None:
        width = 8 if real == torch.float64 else 4
        places, total = {}, 0
        for name, size in sizes.items():
            places[name] = (total, size)
            total += -(-size * width // ALIGNMENT) * ALIGNMENT
        block = ARENA.take(total + ALIGNMENT)
        weakref.finalize(self, ARENA.give, block)
        self._base = block.__array_interface__["data"][0]
        self._start = -self._base % ALIGNMENT
        self._block, self._real, self._width, self._places = block, real, width, places

    @property
    def size(self) -> int:
        """Bytes of the block."""
        return len(self._block)

    def addresses(self) -> dict[str, int]:
        """Where each stretch begins."""
        return {name: self._base + self._start + at for name, (at, _) in self._places.items()}

    def __getitem__(self, name: str) -> Tensor:
        """A stretch as a tensor; only to be used while the room lives."""
        at, size = self._places[name]
        at += self._start
        return torch.from_numpy(self._block[at : at + size * self._width]).view(self._real)


class Packed:
    """What was packed lately, by where it came from, for as long as what stands there is the same, bit by bit."""

    _lock: threading.Lock

    def __init__(self, size: int = 2**26) -> None:
        self._size = size
        _anew_in_children(self)
        self._rooms: dict[object, tuple[object, Room]] = {}
        self._held = 0

    def get(self, key: object, state: object, pack: Callable[[], Room]) -> Room:
        """The room under this key if it was made in this state, else a new one."""
        with self._lock:
            found = self._taken(key)
        if found is None or found[0] != state:
            found = (state, pack())
        with self._lock:
            self._taken(key)  # Another thread may have put its own there in the meantime.
            self._rooms[key] = found
            self._held += found[1].size
            while self._held > self._size and len(self._rooms) > 1:
                self._taken(next(iter(self._rooms)))
        return found[1]

    def _taken(self, key: object) -> tuple[object, Room] | None:
        found = self._rooms.pop(key, None)
        self._held -= found[1].size if found else 0
        return found


def fresh(like: Tensor, *shape: int) -> Tensor:
    """A new tensor, not zeroed, in huge pages where it is large."""
    size = int(np.prod(shape, dtype=np.int64))
    if size * like.element_size() < 2**22:
        return like.new_empty(shape)
    width = like.element_size()
    return torch.from_numpy(np.empty(size * width, dtype=np.uint8)).view(like.dtype).view(shape)
