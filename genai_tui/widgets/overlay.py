"""The curves of several runs laid over one another: a chart a scalar, in each a line a run."""

import math
from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from genai_tui.charts.line import LineChart, Mark, Series
from genai_tui.groups import grouped
from genai_tui.widgets.chart_grid import LEAST_HEIGHT, LEAST_WIDTH, MOST_HEIGHT
from genai_tui.widgets.chart_marks import marks_of
from genai_tui.widgets.contender import Contender
from genai_tui.widgets.field import entitle
from genai_tui.widgets.smoothed import WEIGHTS

ZOOM = 2.0
STRIDES = 60
"""The cursor crosses what is in sight in so many steps."""
Span = tuple[float, float]
SHOWN_MARKS = frozenset({"crash", "failed", "alert"})
"""What of several runs would crowd the axis is left out."""


class OverlayChart(LineChart, can_focus=True):
    """One scalar of all runs."""

    ALLOW_MAXIMIZE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "step(1)", "chart below", show=False, tooltip="To the chart below"),
        Binding("up,k", "step(-1)", "chart above", show=False, tooltip="To the chart above"),
    ]

    def action_step(self, rows: int) -> None:
        overlay = self.parent
        if isinstance(overlay, Overlay):
            overlay.focus_near(self, rows)


class Overlay(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Draws the histories of contenders. A new scalar gets its chart by itself."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._charts: dict[str, OverlayChart] = {}
        self._waiting: list[str] = []
        self._contenders: Sequence[Contender] = ()
        self._columns = 1
        self._log_y = False
        self._span: Span | None = None
        self._cursor: float | None = None

    def on_resize(self) -> None:
        self._arrange()

    def follow(self, contenders: Sequence[Contender]) -> None:
        """Brings all charts up to date, one after another: keys come in between."""
        self._contenders = contenders
        values = {key: None for one in contenders for key in one.history.values}
        rates = {key: None for one in contenders for key in one.history.rates}
        keys = [key for group in grouped(values, rates) for key in group.keys]
        self._add(keys)
        idle = not self._waiting
        self._waiting = sorted(keys, key=lambda key: not self._charts[key].has_focus)
        if idle and self._waiting:
            self._draw_next()

    def _draw_next(self) -> None:
        key = self._waiting.pop(0)
        chart = self._charts[key]
        of = [one.history.starts[-1].of for one in self._contenders if one.history.starts]
        chart.x_hint = max(of, default=0) or None
        chart.show(*self._lines(key))
        if self._waiting:
            self.call_later(self._draw_next)

    def _lines(self, key: str) -> tuple[list[Series], list[Mark]]:
        """The line of every run that has logged a scalar, and what went wrong in those runs."""
        series: list[Series] = []
        marks: list[Mark] = []
        for one in self._contenders:
            if key in one.history.values or key in one.history.rates:
                line = one.smoothing.series(key, one.letter, one.history.track(key))
                series.append(Series(line.name, line.x, line.y, line.smooth, one.colour))
                marks += [
                    Mark(mark.x, f"{one.letter} {mark.label}", mark.kind)
                    for mark in marks_of(one.history)
                    if mark.kind in SHOWN_MARKS
                ]
        return series, marks

    # ------------------------------------------------------------------ how they are looked at

    def smooth(self, direction: int) -> None:
        """The next stronger or weaker smoothing; the first chart says which."""
        weights = [one.smoothing.weight for one in self._contenders]
        if not weights:
            return
        nearest = min(range(len(WEIGHTS)), key=lambda i: abs(WEIGHTS[i] - weights[0]))
        self.smooth_by(WEIGHTS[max(0, min(nearest + direction, len(WEIGHTS) - 1))])

    def smooth_by(self, weight: float) -> None:
        """Smooths with a weight from 0 to 0.99."""
        for one in self._contenders:
            one.smoothing.change(weight)
        self.follow(self._contenders)
        for key, chart in list(self._charts.items())[:1]:
            phrase = f"smoothing {weight:g}" if weight else "not smoothed"
            entitle(chart, f"{key} · {phrase}", str(chart.border_subtitle or ""))

    def toggle_log(self) -> None:
        """A logarithmic y axis for the focused chart, or for all."""
        focused = self.screen.focused
        if isinstance(focused, OverlayChart):
            focused.log_y = not focused.log_y
            return
        self._log_y = not self._log_y
        for chart in self._charts.values():
            chart.log_y = self._log_y

    @property
    def extent(self) -> Span | None:
        """From the first to the last step of all runs; None before there are two."""
        ends = [one.history.times.steps for one in self._contenders if len(one.history.times)]
        if not ends:
            return None
        low, high = min(float(e[0]) for e in ends), max(float(e[-1]) for e in ends)
        return (low, high) if low < high else None

    @property
    def stride(self) -> float:
        """How far the cursor goes with one key, in steps."""
        span = self._span or self.extent
        return max(1.0, (span[1] - span[0]) / STRIDES) if span else 1.0

    def point(self, step: float | None) -> None:
        """All charts read their values at ``step``; at the end if it is None."""
        self._cursor = step
        for chart in self._charts.values():
            chart.cursor = step

    def zoom(self, inwards: bool) -> None:
        """Half or twice as much of the axis, around the cursor or else at the end."""
        extent = self.extent
        if extent is None:
            return
        span = self._span or extent
        around = span[1] if self._cursor is None else self._cursor
        self._look(zoomed(span, extent, around, 1 / ZOOM if inwards else ZOOM))

    def pan(self, direction: int) -> None:
        """A quarter of what is in sight to the left or to the right."""
        extent = self.extent
        if extent is not None and self._span is not None:
            shift = direction * (self._span[1] - self._span[0]) / 4
            self._look(within((self._span[0] + shift, self._span[1] + shift), extent))

    def fit(self) -> None:
        """All there is."""
        self._look(None)

    def _look(self, span: Span | None) -> None:
        self._span = span
        for chart in self._charts.values():
            chart.x_range = span

    # ------------------------------------------------------------------ where they stand

    def focus_near(self, chart: OverlayChart, rows: int) -> None:
        """Focus moves to the chart so many rows below."""
        charts = list(self._charts.values())
        index = charts.index(chart) + rows * self._columns
        if 0 <= index < len(charts):
            charts[index].focus()

    def focus_first(self) -> None:
        for chart in list(self._charts.values())[:1]:
            chart.focus()

    def _add(self, keys: Sequence[str]) -> None:
        new = [key for key in keys if key not in self._charts]
        if not new:
            return
        for key in new:
            chart = self._charts[key] = OverlayChart(key.replace("_per_second", "/s"))
            chart.log_y, chart.x_range, chart.cursor = self._log_y, self._span, self._cursor
        self._charts = {key: self._charts[key] for key in keys}
        order = {chart: place for place, chart in enumerate(self._charts.values())}
        first = not self.children
        self.mount_all(self._charts[key] for key in new)
        if not first:
            self.sort_children(key=lambda child: order[child])  # pyright: ignore[reportArgumentType]
        self._arrange()

    def _arrange(self) -> None:
        """As many columns as are wide enough, but no more than it takes to see all charts."""
        count = len(self._charts)
        width, height = self.size
        if not count or not width:
            return
        most = max(1, min(count, width // LEAST_WIDTH))
        columns = next(
            (n for n in range(1, most) if math.ceil(count / n) * LEAST_HEIGHT <= height), most
        )
        visible = max(1, min(math.ceil(count / columns), height // LEAST_HEIGHT))
        self._columns = columns
        self.styles.grid_size_columns = columns
        self.styles.grid_rows = str(max(LEAST_HEIGHT, min(height // visible, MOST_HEIGHT)))


def zoomed(span: Span, extent: Span, around: float, factor: float) -> Span | None:
    """``span`` made ``factor`` times as wide with ``around`` in its place; None if that is all."""
    width = (span[1] - span[0]) * factor
    if width >= extent[1] - extent[0]:
        return None
    around = min(max(around, span[0]), span[1])
    share = (around - span[0]) / (span[1] - span[0])
    return within((around - share * width, around + (1 - share) * width), extent)


def within(span: Span, extent: Span) -> Span:
    """``span`` moved, not cut, until it lies inside ``extent``, which is at least as wide."""
    low = min(max(span[0], extent[0]), extent[1] - (span[1] - span[0]))
    return (low, low + span[1] - span[0])
