"""From series to the rows of a line chart, with axes that are remembered so as not to jump."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from genai_tui.charts.axes import Scale, Sticky, grown
from genai_tui.charts.buckets import Buckets, Floats
from genai_tui.charts.canvas import DOTS_X, Canvas, Row
from genai_tui.charts.frame import Frame, Trace, blank, drawn, framed, traced
from genai_tui.charts.legend import Reading, legend, unfolded
from genai_tui.charts.palette import dash, faint_ink, line_ink
from genai_tui.charts.series import Mark, Series, extent
from genai_tui.charts.times import Clock, Durations

_USUAL_GUTTER = 7
_UNFOLDS_FROM = 7
"""Rows of a chart below which an unfolded legend would leave nothing of it."""

Unit = Literal["number", "duration", "clock"]
SCALES: dict[Unit, type[Scale]] = {"number": Scale, "duration": Durations, "clock": Clock}


@dataclass(frozen=True, slots=True)
class View:
    """How to look at the data; `AxesChart` has reactives of the same names."""

    log_y: bool = False
    x_unit: Unit = "number"
    x_range: tuple[float, float] | None = None
    x_hint: float | None = None
    cursor: float | None = None
    unfolded: bool = False
    mono: bool = False


class Plot:
    """Makes the rows of one chart; `frame` tells where things were drawn last, None if nothing."""

    def __init__(self) -> None:
        self.frame: Frame | None = None
        self._y_axis = Sticky()
        self._buckets = Buckets()
        self._traced: tuple[tuple[Frame, list[Trace], list[Trace]], Canvas] | None = None

    def rows(
        self, series: Sequence[Series], marks: Sequence[Mark], view: View, width: int, height: int
    ) -> list[Row]:
        """`height` >= 1 rows of `width` >= 1 cells: the legend, the plot, the x axis."""
        ends = extent(series)
        if ends is None:
            self.frame = None
            return blank(width, height, "no data yet")
        x = SCALES[view.x_unit](*(view.x_range or grown(*ends, view.x_hint)))
        where = "" if view.cursor is None else x.label(view.cursor)
        reading = Reading(view.cursor, where)
        room = height - len(self._legend(series, reading, view, width, height))
        plot = self._plot(series, marks, x, view, width, room) if room else []
        reading = replace(reading, note=self._note(marks, view.cursor))
        return [*self._legend(series, reading, view, width, height), *plot]

    def _legend(
        self, series: Sequence[Series], reading: Reading, view: View, width: int, height: int
    ) -> list[Row]:
        """One row; where it is unfolded and there is room for it, up to half of the chart."""
        if view.unfolded and height >= _UNFOLDS_FROM:
            return unfolded(series, width, height // 2, reading, dashed=view.mono)
        return [legend(series, width, reading, dashed=view.mono)]

    def _plot(
        self,
        series: Sequence[Series],
        marks: Sequence[Mark],
        x: Scale,
        view: View,
        width: int,
        height: int,
    ) -> list[Row]:
        """Bucket for a width that depends on labels that depend on the buckets: twice at most."""
        gutter = self.frame.gutter if self.frame else _USUAL_GUTTER
        dots = DOTS_X * max(1, width - gutter)
        self._buckets.begin()
        faint, lines = self._traces(series, x, dots, view)
        values = _extent_of(lines + faint)
        y = self._y_axis.fit(*values or ((1.0, 10.0) if view.log_y else (0.0, 1.0)), log=view.log_y)
        self.frame = framed(width, height, x, y)
        if self.frame.dots != dots:
            faint, lines = self._traces(series, x, self.frame.dots, view)
        message = "" if values else _nothing(view)
        canvas = self._canvas(self.frame, faint, lines)
        return drawn(self.frame, canvas, marks, cursor=view.cursor, message=message)

    def _canvas(self, frame: Frame, faint: list[Trace], lines: list[Trace]) -> Canvas:
        """The lines, traced anew unless they are the last ones: a cursor moves before them."""
        if self._traced is None or self._traced[0] != (frame, faint, lines):
            self._traced = (frame, faint, lines), traced(frame, faint, lines)
        return self._traced[1]

    def _traces(
        self, series: Sequence[Series], x: Scale, dots: int, view: View
    ) -> tuple[list[Trace], list[Trace]]:
        """Raw lines to draw faintly behind, and lines in front; the first series comes foremost."""
        floor = 0.0 if view.log_y else -np.inf

        def trace(s: Series, y: Floats, ink: int, dashes: tuple[int, ...] = ()) -> Trace:
            return Trace(self._buckets.columns(s.x, y, x.low, x.high, dots, floor), ink, dashes)

        coloured = [(s, i if s.colour is None else s.colour) for i, s in enumerate(series)][::-1]
        faint = [trace(s, s.y, faint_ink(c)) for s, c in coloured if s.smooth is not None]
        lines = [
            trace(
                s,
                s.y if s.smooth is None else s.smooth,
                line_ink(c),
                dash(c).lengths if view.mono else (),
            )
            for s, c in coloured
        ]
        return faint, lines

    def _note(self, marks: Sequence[Mark], cursor: float | None) -> str:
        """The labels of the marks in the cursor's column."""
        if cursor is None or self.frame is None:
            return ""
        here = self.frame.x_cell(cursor)
        return ", ".join(m.label for m in marks if self.frame.x_cell(m.x) == here)


def _extent_of(traces: Sequence[Trace]) -> tuple[float, float] | None:
    """The lowest and the highest value in sight; None without a finite one."""
    low = np.concatenate([t.columns.low for t in traces])
    high = np.concatenate([t.columns.high for t in traces])
    if not np.isfinite(low).any():
        return None
    return float(np.nanmin(low)), float(np.nanmax(high))


def _nothing(view: View) -> str:
    where = "" if view.x_range is None else " here"
    return f"no {'positive' if view.log_y else 'finite'} values{where}"
