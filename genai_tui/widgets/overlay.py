"""The curves of several runs laid over one another: a chart a scalar, in each a line a run."""

from collections.abc import Sequence

from genai_tui.charts.axes import grown
from genai_tui.charts.line import Mark, Series
from genai_tui.charts.window import Window
from genai_tui.exports.curves import Curve
from genai_tui.groups import Group, grouped
from genai_tui.history import History
from genai_tui.widgets.chart_marks import alert_marks, marks_of
from genai_tui.widgets.charts import Charts
from genai_tui.widgets.contender import Contender
from genai_tui.widgets.lens import Lens

SHOWN_MARKS = frozenset({"crash", "failed"})
"""Beside alerts; what of several runs would crowd the axis is left out."""


class Together(Lens):
    """Looks at several runs at once, each on an axis of its own: its steps, its epochs, its time.

    The instant is a step of the run that has come furthest; elsewhere it is what stands above it.
    """

    def __init__(self, smoothing: float) -> None:
        super().__init__(smoothing)
        self.contenders: Sequence[Contender] = ()

    def follow_all(self, contenders: Sequence[Contender]) -> History:
        """Takes runs whose histories may have grown; the history that has come furthest."""
        self.contenders = contenders
        for one in contenders:
            one.axis.follow(one.history)
        histories = [one.history for one in contenders]
        furthest = max(histories, key=lambda history: history.step, default=History())
        self.follow(furthest)
        return furthest

    @property
    def steps(self) -> list[float] | None:
        """The step of each run that stands at the cursor; None is now."""
        cursor = self.cursor
        return None if cursor is None else [one.axis.step_at(cursor) for one in self.contenders]

    def series(self, group: Group) -> list[Series]:
        lines = [self._line(one, key) for key in group.keys for one in self.contenders]
        return [line for line in lines if line is not None]

    def _line(self, one: Contender, key: str) -> Series | None:
        """A scalar of a run; None if it was never logged."""
        track = one.history.values.get(key) or one.history.rates.get(key)
        if not track:
            return None
        if one.smoothing.weight != self.smoothing.weight:
            one.smoothing.change(self.smoothing.weight)
        smooth = one.smoothing.values(key, track)
        return Series(one.letter, one.axis.column(key, track), track.values, smooth, one.colour)

    def marks(self) -> list[Mark]:
        """What went wrong, with the letter of the run."""
        marks = [
            Mark(one.axis.place(mark.x), f"{one.letter} {mark.label}", mark.kind)
            for one in self.contenders
            for mark in (
                *(mark for mark in marks_of(one.history) if mark.kind in SHOWN_MARKS),
                *alert_marks(one.watch.found),
            )
        ]
        return sorted(marks, key=lambda mark: mark.x)

    @property
    def hint(self) -> float | None:
        if self.axis.kind not in ("step", "epoch"):
            return None
        started = [one for one in self.contenders if one.history.starts]
        return max((one.axis.place(one.history.starts[-1].of) for one in started), default=None)

    def turn_axis(self) -> None:
        """The next kind of axis that all runs know enough for."""
        while True:
            super().turn_axis()
            kind = self.axis.kind
            if all(kind in one.axis.offered for one in self.contenders):
                break
        for one in self.contenders:
            one.axis.use(kind)

    @property
    def _whole(self) -> Window:
        ends = [
            (one.axis.place(float(steps[0])), one.axis.place(float(steps[-1])))
            for one in self.contenders
            if len(steps := one.history.times.steps)
        ]
        first = min((start for start, _ in ends), default=0.0)
        last = max((stop for _, stop in ends), default=0.0)
        return grown(first, last, self.hint)


class Overlay(Charts):
    """Draws contenders. A new scalar gets its chart by itself; all keys of charts hold."""

    def __init__(self, smoothing: float, *, id: str | None = None) -> None:
        super().__init__(smoothing, id=id)
        self.lens: Together = Together(smoothing)
        self._run = "compared"

    def follow_all(self, contenders: Sequence[Contender]) -> None:
        """Brings all charts up to date."""
        self._history = self.lens.follow_all(contenders)
        values = {key: None for one in contenders for key in one.history.values}
        rates = {key: None for one in contenders for key in one.history.rates}
        keys = [key for group in grouped(values, rates) for key in group.keys]
        self.shelf.fill([Group(key, (key,)) for key in keys])
        self._arrange()
        self._redraw()

    def curves(self, group: Group) -> dict[str, Curve]:
        """The line of each run that has logged the scalar, under the run's name."""
        found: dict[str, Curve] = {}
        for one in self.lens.contenders:
            for key in group.keys:
                track = one.history.values.get(key) or one.history.rates.get(key)
                if track:
                    found[f"{one.letter} {one.spec.name} {key}"] = (track.steps, track.values)
        return found

    @property
    def is_thinned(self) -> bool:
        return any(one.history.is_thinned for one in self.lens.contenders)

    def read_step(self, step: float | None) -> None:
        """Reads all charts at a step; None is now."""
        self.read_at(None if step is None else self._history.instant(step))
