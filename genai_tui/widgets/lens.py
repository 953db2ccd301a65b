"""How all charts of a run look at it: x axis, part in sight, smoothing, and the instant."""

from collections.abc import Sequence

import numpy as np

from genai_tui import amounts
from genai_tui.charts.axes import grown, value_label
from genai_tui.charts.heat import Slice
from genai_tui.charts.line import Mark, Series
from genai_tui.charts.window import Window, following, holding, nearest, panned, zoomed
from genai_tui.groups import Group, short_names
from genai_tui.history import History, Instant
from genai_tui.spreads import Bins
from genai_tui.widgets.chart_marks import marks_of
from genai_tui.widgets.smoothed import Smoothing
from genai_tui.widgets.x_axis import XAxis


class Lens:
    """One for all charts of a screen, so that what stands one above the other belongs together.

    `window` is the part of the x axis in sight, in its units; None is all of it. A window that
    `follows` moves on with the newest point. `instant` is the moment that is read; None is now.
    """

    def __init__(self, smoothing: float) -> None:
        self.axis = XAxis()
        self.smoothing = Smoothing(smoothing)
        self.window: Window | None = None
        self.follows = False
        self.instant: Instant | None = None
        self.alerts: Sequence[Mark] = ()
        """Where something is wrong, by the step."""
        self._history = History()

    def follow(self, history: History) -> None:
        """Takes a history, which may have grown."""
        self._history = history
        self.axis.follow(history)
        if self.window is not None and self.follows:
            self.window = following(self.window, self._newest)

    # ------------------------------------------------------------------ what a chart shows

    def series(self, group: Group) -> list[Series]:
        """The lines of a chart."""
        lines: list[Series] = []
        for key, name in zip(group.keys, short_names(group), strict=True):
            track = self._history.track(key)
            smooth = self.smoothing.values(key, track)
            lines.append(Series(name, self.axis.column(key, track), track.values, smooth))
        return lines

    def slices(self, name: str) -> list[Slice]:
        """The histograms of a name, where they lie on this axis."""
        kept = self._history.spreads[name].kept
        places = self.axis.places(np.array([bins.step for bins in kept]))
        return [
            Slice(x, bins.low, bins.high, bins.counts, _noted(bins))
            for x, bins in zip(np.maximum.accumulate(places).tolist(), kept, strict=True)
        ]

    def marks(self) -> list[Mark]:
        """The marks, where they lie on this axis."""
        place = self.axis.place
        marks = sorted([*marks_of(self._history), *self.alerts], key=lambda mark: mark.x)
        return [Mark(place(mark.x), mark.label, mark.kind) for mark in marks]

    @property
    def sight(self) -> Window:
        """The part of the axis that every chart shows, whether it has points there or not."""
        return self.window or self._whole

    @property
    def _hint(self) -> float | None:
        """Where the axis is expected to end; nobody knows at what time."""
        history = self._history
        of = history.starts[-1].of if history.starts else 0
        return self.axis.place(of) if of and self.axis.kind in ("step", "epoch") else None

    @property
    def cursor(self) -> float | None:
        """Where the instant lies on this axis."""
        return None if self.instant is None else self.axis.place(self.instant.step)

    # ------------------------------------------------------------------ looking elsewhere

    def zoom(self, factor: float, anchor: float | None = None) -> None:
        """Shows `factor` times as much, around a place, else around the cursor or the middle."""
        whole = self._whole
        window = self.window or whole
        if anchor is None:
            anchor = self.cursor if self.cursor is not None else (window[0] + window[1]) / 2
        self.window = zoomed(window, whole, factor, anchor)
        self.follows = False

    def pan(self, share: float) -> None:
        """Moves the part in sight by a share of its width."""
        if self.window is not None:
            self.window, self.follows = panned(self.window, self._whole, share), False

    def fit(self) -> None:
        """Shows all there is."""
        self.window, self.follows = None, False

    def newest(self) -> None:
        """Gives the instant back, and lets the part in sight follow the newest point."""
        self.instant = None
        if self.window is not None:
            self.window, self.follows = following(self.window, self._newest), True

    def turn_axis(self) -> None:
        """The next kind of x axis, with the same steps in sight."""
        steps = None if self.window is None else [self.axis.step_at(x) for x in self.window]
        self.axis.turn()
        if steps is not None:
            start, stop = (self.axis.place(step) for step in steps)
            self.window = (start, stop) if start < stop else None

    def read_at(self, instant: Instant | None) -> None:
        """Reads another moment; the part in sight moves so far that it can be seen."""
        self.instant = instant
        cursor = self.cursor
        if self.window is not None and cursor is not None:
            self.window = holding(self.window, cursor)

    def step_from(self, dots: int, dot: float) -> float | None:
        """The logged step that lies so many columns of `dot` from the instant, at least one on.

        None is beyond the newest.
        """
        steps = self._history.times.steps
        if not len(steps):
            return None
        now = len(steps) - 1 if self.instant is None else nearest(steps, self.instant.step)
        there = self.axis.step_at(self.axis.place(float(steps[now])) + dots * dot)
        index = nearest(steps, there)
        index = max(index, now + 1) if dots > 0 else min(index, now - 1)
        return None if index >= len(steps) - 1 else float(steps[max(index, 0)])

    def step_at(self, x: float) -> float | None:
        """The logged step nearest to a place; None if nothing was logged."""
        steps = self._history.times.steps
        if not len(steps):
            return None
        return float(steps[nearest(steps, self.axis.step_at(x))])

    @property
    def _newest(self) -> float:
        return self.axis.place(float(self._history.step))

    @property
    def _whole(self) -> Window:
        """All of the axis, as a chart without a window shows it."""
        steps = self._history.times.steps
        ends = steps[[0, -1]] if len(steps) else np.zeros(2)
        first, last = (self.axis.place(float(step)) for step in ends)
        return grown(first, last, self._hint)


def _noted(bins: Bins) -> str:
    """How many numbers, from where to where, and how many were none."""
    wrong = f", {amounts.count(bins.not_finite)} not finite" if bins.not_finite else ""
    ends = f"{value_label(bins.least)} … {value_label(bins.most)}"
    return f"{amounts.count(bins.count)} in {ends}{wrong}"
