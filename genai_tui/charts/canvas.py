"""A braille canvas on numpy: bands of dots in, rows of text with runs of colour out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genai_tui.charts.buckets import Columns, Floats

Run = tuple[str, int]
"""Text, and the ink it is drawn in: a number that the owner of the canvas gives a colour."""
Row = tuple[Run, ...]

NO_INK = -1
DOTS_X, DOTS_Y = 2, 4
BRAILLE = 0x2800

_LEFT = np.array([0x01, 0x02, 0x04, 0x40])
_RIGHT = np.array([0x08, 0x10, 0x20, 0x80])


def _below(dots: NDArray[np.int_]) -> NDArray[np.uint8]:
    """The bits of the first n dots of a column, by n from 0 to 4."""
    return np.concatenate(([0], np.cumsum(dots))).astype(np.uint8)


_LEFT_BELOW, _RIGHT_BELOW = _below(_LEFT), _below(_RIGHT)


@dataclass(frozen=True, slots=True)
class Band:
    """What to ink in every dot column: dot rows `top` to `bottom`, both included; 0 is the highest.

    Two arrays of shape [columns]; a column with top > bottom, or outside the canvas, stays blank.
    """

    top: NDArray[np.intp]
    bottom: NDArray[np.intp]


def stroke(columns: Columns, count: int, height: int) -> Band:
    """The connected line through `columns` (values in dot rows) on `count` x `height` dots."""
    top, bottom = np.full(count, np.inf), np.full(count, -np.inf)
    inside = (columns.column >= 0) & (columns.column <= count - 1)
    place = columns.column[inside].astype(np.intp)
    low, high = columns.low[inside], columns.high[inside]
    top[place] = np.fmin(np.fmin(low, high), np.inf)
    bottom[place] = np.fmax(np.fmax(low, high), -np.inf)
    _connect(columns, top, bottom)
    return _rounded(top, bottom, height)


def _connect(columns: Columns, top: Floats, bottom: Floats) -> None:
    """Widen the bands so that neighbours without a gap between them touch, and fill what they skip.

    A line that falls s rows a column covers s dots in each: half of them less one on either side
    of its centre. Rounded, those meet corner to corner, with neither hole nor overlap.
    """
    count = len(top)
    a, b = columns.column[:-1], columns.column[1:]
    y0, y1 = columns.last[:-1], columns.first[1:]
    linked = np.isfinite(y0) & np.isfinite(y1)
    a, b, y0, y1 = a[linked], b[linked], y0[linked], y1[linked]
    slope = (y1 - y0) / (b - a)
    reach = np.sign(slope) * np.maximum(0.0, (np.abs(slope) - 1) / 2)
    _widen(top, bottom, a, y0 + reach)
    _widen(top, bottom, b, y1 - reach)
    left = np.clip(np.floor(a) + 1, 0, count).astype(np.intp)
    right = np.clip(np.ceil(b), 0, count).astype(np.intp)
    lengths = np.maximum(right - left, 0)
    link = np.repeat(np.arange(len(lengths)), lengths)
    place = left[link] + np.arange(len(link)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    middle = y0[link] + slope[link] * (place - a[link])
    _widen(top, bottom, place, middle - reach[link])
    _widen(top, bottom, place, middle + reach[link])


def _widen(top: Floats, bottom: Floats, column: Floats | NDArray[np.intp], y: Floats) -> None:
    """Let each (distinct) column inside the canvas reach y as well."""
    inside = (column >= 0) & (column <= len(top) - 1)
    place, y = column[inside].astype(np.intp), y[inside]
    top[place] = np.minimum(top[place], y)
    bottom[place] = np.maximum(bottom[place], y)


def _rounded(top: Floats, bottom: Floats, height: int) -> Band:
    """Nearest dot rows, kept within one row of the canvas; a blank column has top > bottom."""
    rows = (np.floor(np.clip(edge, -1, height) + 0.5).astype(np.intp) for edge in (top, bottom))
    return Band(*rows)


def dashed(band: Band, lengths: Sequence[int]) -> Band:
    """Of a band what lies in dot columns that are on: `lengths` are on, off, on, ... in turn."""
    if len(lengths) < 2:
        return band
    pattern = np.repeat(np.arange(len(lengths)) % 2 == 0, lengths)
    shown = np.resize(pattern, len(band.top))
    return Band(np.where(shown, band.top, 1), np.where(shown, band.bottom, 0))


class Canvas:
    """`width` x `height` cells of 2 x 4 dots; the series inked last owns the colour of a cell."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._bits = np.zeros((height, width), np.uint8)
        self._ink = np.full((height, width), NO_INK, np.int16)
        self._back = np.full((height, width), ord(" "), np.uint32)
        self._back_ink = np.full((height, width), NO_INK, np.int16)

    @property
    def columns(self) -> int:
        """How many dots the canvas is wide."""
        return self.width * DOTS_X

    @property
    def dots(self) -> int:
        """How many dots the canvas is high."""
        return self.height * DOTS_Y

    def band(self, band: Band, ink: int) -> None:
        """Add dots in `ink` >= 0; those that share a cell with earlier ones recolour it."""
        first = np.arange(self.height)[:, None] * DOTS_Y
        start = np.clip(band.top - first, 0, DOTS_Y)
        stop = np.maximum(np.clip(band.bottom + 1 - first, 0, DOTS_Y), start)
        left = _LEFT_BELOW[stop[:, 0::2]] ^ _LEFT_BELOW[start[:, 0::2]]
        right = _RIGHT_BELOW[stop[:, 1::2]] ^ _RIGHT_BELOW[start[:, 1::2]]
        bits = left | right
        self._bits |= bits
        self._ink[bits != 0] = ink

    def behind(self, rows: int | slice, columns: int | slice, glyph: str, ink: int) -> None:
        """Put a character into cells of the background; it shows where no dots are."""
        self._back[rows, columns] = ord(glyph)
        self._back_ink[rows, columns] = ink

    def afresh(self) -> "Canvas":
        """The same dots before an empty background; they are shared and must not be added to."""
        copy = Canvas(self.width, self.height)
        copy._bits, copy._ink = self._bits, self._ink
        return copy

    def over(self, below: "Canvas") -> None:
        """Lay this canvas on another of the same size: its dots hide those in the same cell."""
        free = self._bits == 0
        self._bits = np.where(free, below._bits, self._bits)
        self._ink = np.where(free, below._ink, self._ink)

    def rows(self, glyphs: NDArray[np.uint32], blank: int = NO_INK) -> list[Row]:
        """The picture, top to bottom; `glyphs` [256] gives the character of each dot pattern.

        Blank cells join the run on their left, so that they cost no change of colour; those
        at the beginning of a row have ink `blank`.
        """
        if not self._bits.size:
            return [()] * self.height
        empty = self._bits == 0
        code = np.where(empty, self._back, glyphs[self._bits])
        ink = _carried(np.where(empty, self._back_ink, self._ink), blank)
        change = np.ones(ink.shape, bool)
        change[:, 1:] = ink[:, 1:] != ink[:, :-1]
        starts = np.flatnonzero(change)
        text = code.astype("<u4").tobytes().decode("utf-32-le")
        return _split(text, starts.tolist(), ink.ravel()[starts].tolist(), self.width)


def _carried(ink: NDArray[np.int16], blank: int) -> NDArray[np.int16]:
    """Give every cell without ink that of the nearest cell with ink on its left."""
    source = np.tile(np.arange(len(ink[0])), (len(ink), 1))
    source[ink == NO_INK] = 0
    filled = np.take_along_axis(ink, np.maximum.accumulate(source, axis=1), axis=1)
    filled[filled == NO_INK] = blank
    return filled


def _split(text: str, starts: list[int], inks: list[int], width: int) -> list[Row]:
    rows: list[list[Run]] = [[] for _ in range(len(text) // width)]
    for start, stop, ink in zip(starts, [*starts[1:], len(text)], inks, strict=True):
        rows[start // width].append((text[start:stop], ink))
    return [tuple(row) for row in rows]


def braille() -> NDArray[np.uint32]:
    """Glyphs [256] of a terminal with Unicode."""
    return np.arange(256, dtype=np.uint32) + BRAILLE
