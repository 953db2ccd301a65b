"""A column of numbers that grows: n appends cost O(n) in all, and reading it copies nothing."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST = 64


class Column:
    """Float64 numbers, appended and never changed: what `view` gave out stays as it was.

    Views of one buffer that only gets longer share their address, which is how readers know what
    they have seen before.
    """

    __slots__ = ("_held", "_size")

    def __init__(self) -> None:
        self._held: Floats = np.empty(_LEAST)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def view(self) -> Floats:
        """All numbers so far, read-only; shape [n]."""
        view = self._held[: self._size]
        view.flags.writeable = False
        return view

    def extend(self, values: Floats) -> None:
        """Appends values of shape [n]."""
        end = self._size + len(values)
        if end > len(self._held):
            self._move(max(end, len(self._held) * 3 // 2))
        self._held[self._size : end] = values
        self._size = end

    def cut(self, size: int) -> None:
        """Forgets all but the first `size` numbers; what comes next is written elsewhere."""
        if size < self._size:
            self._size = size
            self._move(len(self._held))

    def drop(self, count: int) -> None:
        """Forgets the first `count` numbers."""
        kept = self._held[count : self._size]
        self._held, self._size = np.empty(max(_LEAST, len(kept) * 5 // 4)), len(kept)
        self._held[: len(kept)] = kept

    def keep(self, places: NDArray[np.intp]) -> None:
        """Forgets all but the numbers at these places, which are in order."""
        self._held, self._size = self._held[places], len(places)

    def _move(self, room: int) -> None:
        # What is not yet used of a large array costs no memory: pages are mapped when touched.
        moved = np.empty(room)
        moved[: self._size] = self._held[: self._size]
        self._held = moved
