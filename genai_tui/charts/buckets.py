"""Decimation without loss: what a line shows in each dot column, whatever the number of points."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genai_tui.charts.pyramid import Pyramid

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

LONG = 500_000
"""Values from which on looking at all of them costs more than looking them up."""
_FAR = 1e9
"""Columns from the view beyond which a neighbour is not told apart; its line is flat anyway."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The points of one series, by dot column; all arrays have shape [K], K <= columns + 2.

    `column` is the place of each entry: whole numbers from 0 up inside the view, and at most one
    fractional entry on either side of it, the nearest point beyond the edge, so that a line
    reaches the edge. `low` and `high` bound the finite values and are NaN where there are none.
    `first` and `last` are the outermost values in order of x, NaN where those are not finite:
    there the line breaks.
    """

    column: Floats
    low: Floats
    high: Floats
    first: Floats
    last: Floats

    def mapped(self, position: Callable[[Floats], Floats]) -> "Columns":
        """The same columns with every value passed through `position` (monotone)."""
        values = (position(v) for v in (self.low, self.high, self.first, self.last))
        return Columns(self.column, *values)


def bucket(
    x: Floats,
    y: Floats,
    start: float,
    stop: float,
    count: int,
    *,
    floor: float = -np.inf,
    pyramid: Pyramid | None = None,
) -> Columns:
    """Sort points into `count` >= 1 dot columns whose centres run from `start` to `stop` > start.

    `x` must be sorted and as long as `y`. A value that is not finite, or not above `floor`
    (0 for a log axis), is a gap. Costs two passes over the visible points, or next to nothing
    with the pyramid of `y` for that floor.
    """
    step = (stop - start) / max(count - 1, 1)
    edges = start + (np.arange(count + 1) - 0.5) * step
    cuts = np.searchsorted(x, edges)
    bounds = np.concatenate(([max(cuts[0] - 1, 0)], cuts, [min(cuts[-1] + 1, len(x))]))
    full = np.flatnonzero(bounds[1:] > bounds[:-1])
    begin, end = bounds[full], bounds[full + 1]
    column: Floats = (full - 1).astype(np.float64)
    outside = (full == 0) | (full == count + 1)
    column[outside] = np.clip((x[begin[outside]] - start) / step, -_FAR, _FAR)
    low, high = pyramid.bounds(begin, end) if pyramid else _bounds(y, begin, end, floor)
    first, last = (_gaps(y[i], floor) for i in (begin, end - 1))
    return Columns(column, low, high, first, last)


class Buckets:
    """`bucket` that remembers what it did for arrays which are shown again, or which have grown.

    A finished run beside a live one, or another cursor, costs nothing then; a long series that has
    grown costs what is new. Arrays are told by identity, and by their place in memory: they must
    not be written to. What a round did not ask for is forgotten.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[float, ...], tuple[Floats, Floats, Columns]] = {}
        self._current = self._last
        self._pyramids: dict[tuple[object, ...], tuple[Floats, Pyramid]] = {}
        self._used = self._pyramids

    def begin(self) -> None:
        """Begin a round: one picture of all series."""
        self._last, self._current = self._current, {}
        self._pyramids, self._used = self._used, {}

    def columns(
        self, x: Floats, y: Floats, start: float, stop: float, count: int, floor: float
    ) -> Columns:
        """As `bucket` gives them."""
        key = (id(x), id(y), start, stop, count, floor)
        held = self._last.get(key)
        pyramid = self._pyramid(y, floor) if len(y) >= LONG else None
        if held is None:  # the arrays are kept as well, so that their ids stay theirs
            held = x, y, bucket(x, y, start, stop, count, floor=floor, pyramid=pyramid)
        self._current[key] = held
        return held[2]

    def _pyramid(self, y: Floats, floor: float) -> Pyramid:
        """The pyramid of the series of which `y` is all there is by now."""
        key = (y.__array_interface__["data"][0], y.strides, floor)
        held = self._used.get(key) or self._pyramids.get(key)
        pyramid = held[1] if held else Pyramid(floor)
        pyramid.follow(y)
        self._used[key] = y, pyramid  # the array as well, so that its place stays its own
        return pyramid


def _gaps(values: Floats, floor: float) -> Floats:
    return np.where((values > floor) & (values < np.inf), values, np.nan)


def _bounds(y: Floats, begin: Ints, end: Ints, floor: float) -> tuple[Floats, Floats]:
    """Lowest and highest valid value of each run y[begin:end]; the runs follow one another."""
    if not len(begin):
        return np.empty(0), np.empty(0)
    low, high = _extremes(y[: end[-1]], begin)
    damaged = np.flatnonzero((low <= floor) | (high == np.inf))
    if len(damaged):
        a, b = damaged[0], damaged[-1] + 1
        clean = _gaps(y[begin[a] : end[b - 1]], floor)
        low[a:b], high[a:b] = _extremes(clean, begin[a:b] - begin[a])
    return low, high


def _extremes(y: Floats, begin: Ints) -> tuple[Floats, Floats]:
    with np.errstate(invalid="ignore"):
        return np.fmin.reduceat(y, begin), np.fmax.reduceat(y, begin)
