"""Histograms over time as rows of text: a strip of heat, and the one that is read beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from genai_tui.charts.axes import Scale, Sticky, grown
from genai_tui.charts.buckets import Floats
from genai_tui.charts.canvas import DOTS_X, Row, Run
from genai_tui.charts.frame import Frame, blank, framed, merged, side, x_axis
from genai_tui.charts.legend import cut
from genai_tui.charts.palette import AXIS, HEAT, MUTED, TEXT, heat_ink, line_ink
from genai_tui.charts.plot import SCALES, View
from genai_tui.charts.series import Mark, plain

Levels = NDArray[np.intp]

_SHADES = " ░▒▓█"
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BESIDE_FROM = 30
"""Columns of a chart below which there is no histogram beside the strip."""
_LEAST_BESIDE = 8


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """The histogram at `x`: `counts` [n] of equal bins from `low` to `high`, both finite.

    Where `low` equals `high`, everything is there. `note` says in words what the picture does not.
    """

    x: float
    low: float
    high: float
    counts: Floats
    note: str = ""


class HeatPlot:
    """Makes the rows of one chart; `frame` tells where the strip was drawn last."""

    def __init__(self) -> None:
        self.frame: Frame | None = None
        self._y_axis = Sticky()

    def rows(
        self, slices: Sequence[Slice], marks: Sequence[Mark], view: View, width: int, height: int
    ) -> list[Row]:
        """`height` >= 1 rows of `width` >= 1 cells: what is read, the strip, the x axis.

        `slices` are sorted by x. A column of cells shows the newest one until its end, in shades
        of the share of its own fullest bin; with `log_y` of the logarithm of counts, which shows
        tails.
        """
        self.frame = None
        if not slices:
            return blank(width, height, "no data yet")
        ends = slices[0].x, slices[-1].x
        x = SCALES[view.x_unit](*(view.x_range or grown(*ends, view.x_hint)))
        read = _until(slices, view.cursor)
        head = _head(read, "" if view.cursor is None else x.label(view.cursor), width)
        if height == 1:
            return [head]
        beside = max(_LEAST_BESIDE, width // 5) if width >= _BESIDE_FROM else 0
        return [head, *self._plot(slices, read, marks, x, view, width - beside, beside, height - 1)]

    def _plot(
        self,
        slices: Sequence[Slice],
        read: Slice | None,
        marks: Sequence[Mark],
        x: Scale,
        view: View,
        width: int,
        beside: int,
        height: int,
    ) -> list[Row]:
        frame = framed(width, height, x, Scale(0.0, 1.0))
        shown = _columns(frame, slices)
        seen = [slices[i] for i in sorted({*shown} - {-1})] or [read or slices[0]]
        y = self._y_axis.fit(min(s.low for s in seen), max(s.high for s in seen))
        self.frame = frame = framed(width, height, x, y)
        levels = _levels(frame, slices, _columns(frame, slices), log=view.log_y)
        cursor = None if view.cursor is None else frame.x_cell(view.cursor)
        strip = _strip(levels, cursor, coarse=view.mono)
        ticks = {frame.y_cell(tick.value): tick.label for tick in frame.y_ticks}
        bars = _bars(frame, read, beside)
        rows = [
            merged((*side(frame, ticks.get(row)), *strip[row], *bars[row]))
            for row in range(frame.plot_height)
        ]
        pad: tuple[Run, ...] = ((" " * beside, TEXT),) if beside else ()
        return (rows + [(*row, *pad) for row in x_axis(frame, marks)])[:height]


def _until(slices: Sequence[Slice], x: float | None) -> Slice | None:
    """The newest slice until x; of all where x is None."""
    if x is None:
        return slices[-1]
    return next((each for each in reversed(slices) if each.x <= x), None)


def _head(read: Slice | None, where: str, width: int) -> Row:
    """What the picture does not say of the histogram that is read."""
    note = plain(read.note) if read else "none yet"
    place = f"   @{where}" if where else ""
    return cut([("● ", line_ink(0)), (note, MUTED), (place, TEXT)], width)


def _columns(frame: Frame, slices: Sequence[Slice]) -> list[int]:
    """The slice that each column of the strip shows; -1 before the first and after the last."""
    x = np.array([each.x for each in slices])
    first = np.arange(frame.plot_width) * DOTS_X
    span = (frame.x.high - frame.x.low) / max(frame.dots - 1, 1)
    begin, end = (frame.x.low + (first + dot - 0.5) * span for dot in (0, DOTS_X))
    shown = np.searchsorted(x, end, side="left") - 1
    shown[begin > x[-1]] = -1
    return shown.tolist()


def _levels(frame: Frame, slices: Sequence[Slice], shown: Sequence[int], *, log: bool) -> Levels:
    """How full each half of a cell is, from 0 to HEAT - 1; shape [2 rows, columns]."""
    rows = 2 * frame.plot_height
    known = {i: _shades(_mass(slices[i], frame.y, rows), log=log) for i in {*shown} - {-1}}
    nothing = np.zeros(rows, np.intp)
    return np.stack([known.get(i, nothing) for i in shown], axis=1)


def _mass(piece: Slice, y: Scale, rows: int) -> Floats:
    """How much of a histogram lies in each of so many rows, downwards; shape [rows]."""
    edges = np.linspace(y.high, y.low, rows + 1)
    spare = 1e-9 * (y.high - y.low) if piece.low == piece.high else 0.0
    ends = np.linspace(piece.low - spare, piece.high + spare, len(piece.counts) + 1)
    below = np.concatenate(([0.0], np.cumsum(piece.counts)))
    return -np.diff(np.interp(edges, ends, below))


def _shades(mass: Floats, *, log: bool) -> Levels:
    """Levels of rows, with the least one for whatever is not empty."""
    most = mass.max()
    if not most > 0:
        return np.zeros(len(mass), np.intp)
    share = np.log1p(mass) / np.log1p(most) if log else np.sqrt(np.maximum(mass, 0) / most)
    return np.clip(np.ceil(share * (HEAT - 1) - 1e-6), mass > 1e-9 * most, HEAT - 1).astype(np.intp)


def _strip(levels: Levels, cursor: int | None, *, coarse: bool) -> list[list[Run]]:
    """Rows of the strip; `coarse` tells levels by shades of one ink and halves not at all."""
    rows: list[list[Run]] = []
    for top, bottom in zip(levels[0::2].tolist(), levels[1::2].tolist(), strict=True):
        cells = [
            _shaded(max(pair)) if coarse else _halved(*pair)
            for pair in zip(top, bottom, strict=True)
        ]
        if cursor is not None:
            level = max(top[cursor], bottom[cursor])
            cells[cursor] = ("│", TEXT if coarse or not level else heat_ink(HEAT, level))
        rows.append([("".join(t for t, _ in run), ink) for ink, run in _runs(cells)])
    return rows


def _runs(cells: Sequence[Run]) -> list[tuple[int, list[Run]]]:
    return [(ink, list(run)) for ink, run in groupby(cells, lambda cell: cell[1])]


def _halved(top: int, bottom: int) -> Run:
    return ("▀", heat_ink(top, bottom)) if top or bottom else (" ", AXIS)


def _shaded(level: int) -> Run:
    shade = _SHADES[-(-level * (len(_SHADES) - 1) // (HEAT - 1))]
    return (shade, line_ink(0)) if level else (" ", AXIS)


def _bars(frame: Frame, read: Slice | None, width: int) -> list[list[Run]]:
    """The histogram that is read, its bins as rows on the same axis, the fullest `width` long."""
    rows = frame.plot_height
    if not width:
        return [[]] * rows
    mass = np.zeros(rows) if read is None else _mass(read, frame.y, rows)
    most, room = max(mass.max(), 1e-300), width - 1
    eighths = np.clip(np.ceil(mass / most * room * 8 - 1e-6), 0, room * 8).astype(int).tolist()
    return [[("│", AXIS), (_bar(n).ljust(room), line_ink(0))] for n in eighths]


def _bar(eighths: int) -> str:
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")
