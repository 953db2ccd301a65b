"""All curves of a run: a chart a group of scalars, in as many columns as are wide enough."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from genai_tui.charts.line import LineChart, Mark, Series
from genai_tui.charts.smoothing import Smoother
from genai_tui.groups import Group, short_names
from genai_tui.history import History, Track
from genai_tui.widgets.field import entitle

LEAST_WIDTH, LEAST_HEIGHT, MOST_HEIGHT = 36, 9, 18
WEIGHTS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99)
SHOWN_CHECKPOINTS = 3
"""As many as a run keeps; marks of older ones would only crowd the axis."""


@dataclass(slots=True)
class Smoothed:
    """The smoothed values of a track, kept up with it."""

    smoother: Smoother
    cuts: int = 0

    def follow(self, track: Track) -> None:
        if self.cuts != track.cuts:
            self.smoother, self.cuts = Smoother(self.smoother.weight), track.cuts
        if len(self.smoother) < len(track):
            self.smoother.extend(track.values[len(self.smoother) :])


@dataclass(slots=True)
class Smoothing:
    """A weight, and what was smoothed with it so far."""

    weight: float
    done: dict[str, Smoothed] = field(default_factory=dict)

    def change(self, weight: float) -> None:
        self.weight = weight
        self.done.clear()

    def series(self, key: str, name: str, track: Track) -> Series:
        """The track as a chart's line, smoothed where noise would hide its course."""
        if self.weight == 0 or key.endswith("lr") or key.startswith("validation/"):
            return Series(name, track.steps, track.values)
        smoothed = self.done.setdefault(key, Smoothed(Smoother(self.weight), track.cuts))
        smoothed.follow(track)
        return Series(name, track.steps, track.values, smoothed.smoother.values)


class Chart(LineChart, can_focus=True):
    """A chart that can be chosen and maximised."""

    ALLOW_MAXIMIZE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "step(1)", "chart below", show=False, tooltip="To the chart below"),
        Binding("up,k", "step(-1)", "chart above", show=False, tooltip="To the chart above"),
    ]

    def action_step(self, rows: int) -> None:
        grid = self.parent
        if isinstance(grid, ChartGrid):
            grid.focus_near(self, rows)


class ChartGrid(VerticalScroll, can_focus=False, inherit_bindings=False):
    """Draws a history; asks it for groups, so that a new scalar gets its chart by itself."""

    def __init__(self, smoothing: float, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._smoothing = Smoothing(smoothing)
        self._charts: dict[str, Chart] = {}
        self._history = History()
        self._waiting: list[Group] = []
        self._columns = 1
        self._log_y = False

    @property
    def weight(self) -> float:
        return self._smoothing.weight

    def on_resize(self) -> None:
        self._arrange()

    def follow(self, history: History) -> None:
        """Brings all charts up to date with a history, one after another: keys come in between."""
        self._history = history
        groups = history.groups()
        self._add(groups)
        idle = not self._waiting
        self._waiting = sorted(groups, key=lambda group: not self._charts[group.name].has_focus)
        if idle and self._waiting:
            self._draw_next()

    def _draw_next(self) -> None:
        group, history = self._waiting.pop(0), self._history
        chart = self._charts[group.name]
        chart.x_hint = (history.starts[-1].of if history.starts else 0) or None
        named = zip(group.keys, short_names(group), strict=True)
        series = [self._smoothing.series(key, name, history.track(key)) for key, name in named]
        chart.show(series, marks_of(history))
        if self._waiting:
            self.call_later(self._draw_next)

    def smooth(self, direction: int) -> None:
        """The next stronger or weaker smoothing; the first chart says which."""
        nearest = min(range(len(WEIGHTS)), key=lambda i: abs(WEIGHTS[i] - self.weight))
        self._smoothing.change(WEIGHTS[max(0, min(nearest + direction, len(WEIGHTS) - 1))])
        self.follow(self._history)
        for name, chart in list(self._charts.items())[:1]:
            weight = f"smoothing {self.weight:g}" if self.weight else "not smoothed"
            entitle(chart, f"{name} · {weight}", str(chart.border_subtitle or ""))

    def toggle_log(self) -> None:
        """A logarithmic y axis for the focused chart, or for all."""
        focused = self.screen.focused
        if isinstance(focused, Chart):
            focused.log_y = not focused.log_y
            return
        self._log_y = not self._log_y
        for chart in self._charts.values():
            chart.log_y = self._log_y

    def focus_near(self, chart: Chart, rows: int) -> None:
        """Focus moves to the chart so many rows below."""
        charts = list(self._charts.values())
        index = charts.index(chart) + rows * self._columns
        if 0 <= index < len(charts):
            charts[index].focus()

    def _add(self, groups: Sequence[Group]) -> None:
        new = [group.name for group in groups if group.name not in self._charts]
        if not new:
            return
        for name in new:
            self._charts[name] = Chart(name.replace("_per_second", "/s"))
            self._charts[name].log_y = self._log_y
        order = [group.name for group in groups]
        self._charts = {name: self._charts[name] for name in order}
        if self.children:
            self.mount_all(self._charts[name] for name in new)
            self.sort_children(key=lambda child: list(self._charts.values()).index(child))  # pyright: ignore[reportArgumentType]
        else:
            self.mount_all(self._charts.values())
            if self.screen.focused is None:
                self._charts[order[0]].focus()
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
        rows = math.ceil(count / columns)
        visible = max(1, min(rows, height // LEAST_HEIGHT))
        self._columns = columns
        self.styles.grid_size_columns = columns
        self.styles.grid_rows = str(max(LEAST_HEIGHT, min(height // visible, MOST_HEIGHT)))


def marks_of(history: History) -> list[Mark]:
    """What is marked on the x axes: restarts, commands, checkpoints that are kept, a failure."""
    crashes = history.crashes
    found = [
        Mark(float(start.step), f"start {start.attempt}", "crash" if start in crashes else "start")
        for start in history.starts
        if start.attempt > 1
    ]
    found += [
        Mark(float(mark.step), mark.verb, "command")
        for mark in history.marks
        if mark.answer == "accepted"
    ]
    kept = history.checkpoints[-SHOWN_CHECKPOINTS:]
    found += [Mark(float(each.step), "checkpoint", "checkpoint") for each in kept]
    if history.end is not None and history.end.state == "failed":
        found.append(Mark(float(history.end.step), history.end.reason or "failed", "failed"))
    return sorted(found, key=lambda mark: mark.x)
