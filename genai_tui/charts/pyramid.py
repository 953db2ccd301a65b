"""Lowest and highest values of any stretch of a series, at a cost that does not grow with it."""

import numpy as np
from numpy.typing import NDArray

from genai_tui.column import Column, Floats

Ints = NDArray[np.intp]

BLOCK = 32
"""Values that one entry of a level stands for, and entries that one of the next level does."""


class Pyramid:
    """Bounds of blocks of a growing series, of blocks of those blocks, and so on.

    Values that are not finite, or not above `floor`, count as absent; what is empty has the bounds
    inf and -inf. It is given ever longer views of one series, whose values never change: only
    what is new is looked at.
    """

    def __init__(self, floor: float) -> None:
        self._floor = floor
        self._y: Floats = np.empty(0)
        self._low: list[Column] = []
        self._high: list[Column] = []

    def follow(self, y: Floats) -> None:
        """Takes the series, as long as it is now."""
        self._y = y
        low = high = y
        level, whole = 0, len(y) // BLOCK
        while whole:
            if level == len(self._low):
                self._low.append(Column())
                self._high.append(Column())
            new = slice(len(self._low[level]) * BLOCK, whole * BLOCK)
            if new.stop > new.start:
                lows, highs = (low[new], high[new]) if level else self._cleaned(y[new])
                self._low[level].extend(lows.reshape(-1, BLOCK).min(axis=1))
                self._high[level].extend(highs.reshape(-1, BLOCK).max(axis=1))
            low, high = self._low[level].view, self._high[level].view
            level, whole = level + 1, whole // BLOCK

    def bounds(self, begin: Ints, end: Ints) -> tuple[Floats, Floats]:
        """The lowest and highest value of each stretch y[begin:end], NaN where there is none.

        All arrays have shape [K]; a stretch may be empty.
        """
        low, high = self._bounds(-1, begin, end)
        absent = low > high
        return np.where(absent, np.nan, low), np.where(absent, np.nan, high)

    def _bounds(self, level: int, begin: Ints, end: Ints) -> tuple[Floats, Floats]:
        """The same in entries of a level (-1: values): whole blocks, and what sticks out."""
        above = level + 1
        width = int((end - begin).max(initial=0))
        if above == len(self._low) or width <= 2 * BLOCK:
            return self._scan(level, _places(begin, end, width), begin < end)
        first, last = -(-begin // BLOCK), end // BLOCK
        apart = first < last
        left = np.where(apart, np.maximum(first * BLOCK, begin + 1), end)
        right = np.where(apart, np.minimum(last * BLOCK, end - 1), end - 1)
        edges = np.concatenate((_places(begin, left, 2 * BLOCK), _places(right, end, BLOCK)))
        low, high = self._scan(level, edges, begin < end)
        lows, highs = self._bounds(above, np.where(apart, first, 0), np.where(apart, last, 0))
        return np.minimum(low, lows), np.maximum(high, highs)

    def _scan(self, level: int, places: Ints, known: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Bounds of the entries at places [n, K]; what is not known has none."""
        if not len(places):
            return np.full(len(known), np.inf), np.full(len(known), -np.inf)
        if level < 0:
            lows, highs = self._cleaned(self._y[places])
        else:
            lows, highs = self._low[level].view[places], self._high[level].view[places]
        low, high = lows.min(axis=0), highs.max(axis=0)
        return np.where(known, low, np.inf), np.where(known, high, -np.inf)

    def _cleaned(self, y: Floats) -> tuple[Floats, Floats]:
        """Values twice: with what is absent as inf, and as -inf."""
        valid = (y > self._floor) & (y < np.inf)
        if valid.all():
            return y, y
        return np.where(valid, y, np.inf), np.where(valid, y, -np.inf)


def _places(begin: Ints, end: Ints, width: int) -> Ints:
    """The places [width, K] of each stretch, which is not empty: the last one again at the end."""
    return np.minimum(begin + np.arange(width)[:, None], np.maximum(end - 1, 0))
