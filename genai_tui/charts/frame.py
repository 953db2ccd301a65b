"""The plot of a line chart with its axes, as rows of text: all of the picture but its colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len

from genai_tui.charts.axes import Scale, Tick
from genai_tui.charts.buckets import Columns, Floats
from genai_tui.charts.canvas import (
    DOTS_X,
    DOTS_Y,
    Canvas,
    Row,
    Run,
    braille,
    dashed,
    stroke,
)
from genai_tui.charts.palette import ALERT, AXIS, GRID, MARK, MUTED, TEXT
from genai_tui.charts.series import Mark

_ALARMS = frozenset({"error", "crash", "failed", "nan"})
_GLYPHS = {
    "side": "│",
    "tick": "┤",
    "corner": "└",
    "base": "─",
    "down": "┬",
    "mark": "▴",
    "resume": "▸",
    "command": "◆",
    "alert": "!",
    "alarm": "✗",
    "grid": "·",
}
BRAILLE_DOTS = braille()
_GRID_EVERY = 4


@dataclass(frozen=True, slots=True)
class Trace:
    """A line to draw: what it shows in each dot column (values), its ink, and its dashes."""

    columns: Columns
    ink: int
    dashes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """Room for a plot of `width` x `height` cells in all, with its two scales; `framed` makes one.

    `gutter` columns on the left hold the labels of the y axis and its line, `axis_rows` rows at
    the bottom those of the x axis.
    """

    width: int
    height: int
    x: Scale
    y: Scale
    y_ticks: tuple[Tick, ...]
    gutter: int
    axis_rows: int

    @property
    def plot_width(self) -> int:
        """Columns of the plot itself, at least 1."""
        return max(1, self.width - self.gutter)

    @property
    def plot_height(self) -> int:
        """Rows of the plot itself, at least 1."""
        return max(1, self.height - self.axis_rows)

    @property
    def dots(self) -> int:
        """Dot columns of the plot."""
        return self.plot_width * DOTS_X

    def x_cell(self, x: float) -> int | None:
        """The column of the plot that holds x; None outside."""
        share = float(self.x.position(np.array(x)))
        return round(share * (self.dots - 1)) // DOTS_X if 0 <= share <= 1 else None

    def y_cell(self, y: float) -> int:
        """The row of the plot that holds y."""
        return int(self.rows_of(np.array([y]))[0] + 0.5) // DOTS_Y

    def x_at(self, column: int) -> float:
        """The x in the middle of a column of the plot, within the scale."""
        share = (column * DOTS_X + 0.5) / max(self.dots - 1, 1)
        return self.x.low + min(max(share, 0.0), 1.0) * (self.x.high - self.x.low)

    def rows_of(self, y: Floats) -> Floats:
        """Dot rows, downwards, of values."""
        return (1 - self.y.position(y)) * (self.plot_height * DOTS_Y - 1)


def framed(width: int, height: int, x: Scale, y: Scale) -> Frame:
    """Divide the room. Labels below need 4 rows, the x axis 6, the y axis 24 columns."""
    axis_rows = (height >= 4) + (height >= 6)
    ticks = tuple(y.ticks(max(2, min(8, (height - axis_rows) // 3)))) if width >= 24 else ()
    gutter = 2 + max(5, *(len(tick.label) for tick in ticks)) if ticks else 0
    return Frame(width, height, x, y, ticks, gutter, axis_rows)


def traced(frame: Frame, faint: Sequence[Trace], lines: Sequence[Trace]) -> Canvas:
    """The lines alone: `faint` ones lie behind the others; in each group the last one in front."""
    canvas = _traced(frame, lines)
    canvas.over(_traced(frame, faint))
    return canvas


def drawn(
    frame: Frame,
    lines: Canvas,
    marks: Sequence[Mark],
    *,
    cursor: float | None = None,
    message: str = "",
) -> list[Row]:
    """The plot and its axes: `frame.height` rows of `frame.width` cells.

    `lines` are as `traced` made them; `message` stands in the middle of the plot.
    """
    canvas = lines.afresh()
    ticks = {frame.y_cell(tick.value): tick.label for tick in frame.y_ticks}
    _background(frame, canvas, ticks, cursor)
    plot = canvas.rows(BRAILLE_DOTS, blank=AXIS)
    if message:
        plot[(len(plot) - 1) // 2] = _centred(message, frame.plot_width)
    sides = (side(frame, ticks.get(row)) for row in range(frame.plot_height))
    rows = [merged((*edge, *runs)) for edge, runs in zip(sides, plot, strict=True)]
    return (rows + x_axis(frame, marks))[: frame.height]


def _traced(frame: Frame, traces: Sequence[Trace]) -> Canvas:
    canvas = Canvas(frame.plot_width, frame.plot_height)
    for trace in traces:
        band = stroke(trace.columns.mapped(frame.rows_of), canvas.columns, canvas.dots)
        canvas.band(dashed(band, trace.dashes), trace.ink)
    return canvas


def _background(frame: Frame, canvas: Canvas, ticks: dict[int, str], cursor: float | None) -> None:
    for row in ticks:
        canvas.behind(row, slice(_GRID_EVERY - 1, None, _GRID_EVERY), _GLYPHS["grid"], GRID)
    column = None if cursor is None else frame.x_cell(cursor)
    if column is not None:
        canvas.behind(slice(None), column, _GLYPHS["side"], MUTED)


def side(frame: Frame, label: str | None) -> tuple[Run, ...]:
    """The gutter of a row of the plot, with the label of its tick if it has one."""
    if not frame.gutter:
        return ()
    if label is None:
        return ((" " * (frame.gutter - 1) + _GLYPHS["side"], AXIS),)
    return ((label.rjust(frame.gutter - 2) + " ", MUTED), (_GLYPHS["tick"], AXIS))


def merged(runs: tuple[Run, ...]) -> Row:
    """Runs of the same ink side by side joined into one."""
    row: list[Run] = []
    for text, ink in runs:
        if row and row[-1][1] == ink:
            row[-1] = (row[-1][0] + text, ink)
        else:
            row.append((text, ink))
    return tuple(row)


def _centred(message: str, width: int) -> Row:
    return ((message[:width].center(width), MUTED),)


def x_axis(frame: Frame, marks: Sequence[Mark]) -> list[Row]:
    """The rows below the plot: its line with ticks and marks, and labels, as there is room."""
    ticks = frame.x.ticks(max(2, frame.plot_width // 10))
    places = [(cell, t.label) for t in ticks if (cell := frame.x_cell(t.value)) is not None]
    if frame.axis_rows == 0:
        return []
    labels = _x_labels(frame, places)
    return [_x_line(frame, places, marks), labels] if frame.axis_rows == 2 else [labels]


def _x_line(frame: Frame, places: Sequence[tuple[int, str]], marks: Sequence[Mark]) -> Row:
    line = Canvas(frame.plot_width, 1)
    line.behind(0, slice(None), _GLYPHS["base"], AXIS)
    for cell, _ in places:
        line.behind(0, cell, _GLYPHS["down"], AXIS)
    for mark in sorted(marks, key=lambda mark: _is_alarming(mark.kind)):
        cell = frame.x_cell(mark.x)
        if cell is not None:
            glyph, alarming = mark_glyph(mark.kind)
            line.behind(0, cell, glyph, ALERT if alarming else MARK)
    corner = ((_GLYPHS["corner"].rjust(frame.gutter), AXIS),) if frame.gutter else ()
    return merged((*corner, *line.rows(BRAILLE_DOTS)[0]))


def mark_glyph(kind: str) -> tuple[str, bool]:
    """The character of a kind of mark, and whether it is one to worry about."""
    own = kind if kind in ("resume", "command", "alert") else "mark"
    return _GLYPHS["alarm" if kind in _ALARMS else own], _is_alarming(kind)


def _is_alarming(kind: str) -> bool:
    return kind in _ALARMS or kind == "alert"


def _x_labels(frame: Frame, places: Sequence[tuple[int, str]]) -> Row:
    """The labels below their ticks, moved inwards at the ends; one that would touch is left out."""
    text = ""
    for cell, label in places:
        centre = frame.gutter + cell - (cell_len(label) - 1) // 2
        start = max(0, min(centre, frame.width - len(label)))
        if not text or start >= len(text) + 2:
            text = text.ljust(start) + label
    return ((text.ljust(frame.width)[: frame.width], MUTED),)


def blank(width: int, height: int, message: str) -> list[Row]:
    """`height` empty rows with a message in the middle."""
    empty: Row = ((" " * width, TEXT),)
    return [_centred(message, width) if i == (height - 1) // 2 else empty for i in range(height)]
