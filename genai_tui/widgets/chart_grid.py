"""Charts in as many columns as are wide enough, on as many pages as it takes."""

import math
from collections.abc import Callable, Sequence

from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

from genai_tui.widgets.chart_panel import Chart, ChartPanel

LEAST_WIDTH, LEAST_HEIGHT, MOST_HEIGHT = 36, 9, 18


class ChartGrid(Container):
    """Holds a chart for every group that was ever arranged; draws those on the page in sight."""

    class Turned(Message):
        """Another page is in sight, or there are more or fewer of them."""

    def __init__(
        self,
        draw: Callable[[ChartPanel], None],
        make: Callable[[str], ChartPanel] = Chart,
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._draw, self._make = draw, make
        self._charts: dict[str, ChartPanel] = {}
        self._names: list[str] = []
        self._waiting: list[ChartPanel] = []
        self._columns = self._rows = 1
        self.page, self.pages = 0, 1
        self.nothing = "no chart has such a name"

    @property
    def shown(self) -> list[ChartPanel]:
        """The charts on the page in sight."""
        start = self.page * self._columns * self._rows
        names = self._names[start : start + self._columns * self._rows]
        return [self._charts[name] for name in names]

    @property
    def chosen(self) -> ChartPanel | None:
        """The chart with the focus."""
        return next((chart for chart in self._charts.values() if chart.has_focus), None)

    def on_resize(self) -> None:
        self._settle()

    def put(self, names: Sequence[str]) -> None:
        """Shows these and no others, in this order."""
        if list(names) == self._names:
            return
        chosen = self.chosen
        place = self._names.index(chosen.group) if chosen and chosen.group in self._names else 0
        new = [self._make(name) for name in names if name not in self._charts]
        for chart in new:
            self._charts[chart.group] = chart
        self._names = list(names)
        if new:
            self.mount_all(new)
        order: dict[Widget, int] = {self._charts[name]: i for i, name in enumerate(names)}
        self.sort_children(key=lambda child: order.get(child, len(order)))  # pyright: ignore
        self._settle()
        self.can_focus = not names  # keys have to go somewhere
        if not names:
            if chosen is not None or self.screen.focused is None:
                self.focus()
        elif chosen is not None and chosen.group in names:
            self.focus_on(chosen.group)
        elif chosen is not None or self.screen.focused in (None, self):
            self.focus_on(*names[min(place, len(names) - 1) :][:1])

    def render(self) -> Content:
        return Content(self.nothing if self._charts and not self._names else "")

    def redraw(self) -> None:
        """Draws the charts in sight, one after another: keys come in between."""
        idle = not self._waiting
        self._waiting = sorted(self.shown, key=lambda chart: not chart.has_focus)
        if idle:
            self._draw_next()

    def _draw_next(self) -> None:
        if not self._waiting:
            return  # a search has hidden them all meanwhile
        self._draw(self._waiting.pop(0))
        if self._waiting:
            self.call_later(self._draw_next)

    def focus_on(self, *names: str) -> None:
        """Turns to the page of a chart and chooses it."""
        for name in names:
            self.turn_to(self._names.index(name) // (self._columns * self._rows))
            self._charts[name].focus()

    def focus_near(self, rows: int) -> None:
        """Chooses the chart so many rows below, on the next page if need be."""
        chosen = self.chosen
        if chosen is None or chosen.group not in self._names:
            return
        index = self._names.index(chosen.group) + rows * self._columns
        if 0 <= index < len(self._names):
            self.focus_on(self._names[index])

    def turn(self, by: int) -> None:
        """Turns over so many pages, round and round, and chooses the first chart there."""
        self.turn_to((self.page + by) % self.pages)
        if self.shown:
            self.shown[0].focus()

    def turn_to(self, page: int) -> None:
        if page != self.page:
            self.page = page
            self._settle()

    def _settle(self) -> None:
        """As many columns as are wide enough, but no more than it takes to see all charts."""
        count = len(self._names)
        width, height = self.size
        if not count or not width:
            self._display()
            return
        most = max(1, min(count, width // LEAST_WIDTH))
        self._columns = next(
            (n for n in range(1, most) if math.ceil(count / n) * LEAST_HEIGHT <= height), most
        )
        needed = math.ceil(count / self._columns)
        self._rows = max(1, min(needed, height // LEAST_HEIGHT))
        self.pages = math.ceil(count / (self._columns * self._rows))
        self.page = min(self.page, self.pages - 1)
        self.styles.grid_size_columns = self._columns
        self.styles.grid_rows = str(max(4, min(height // self._rows, MOST_HEIGHT)))
        self._display()

    def _display(self) -> None:
        shown = set(self.shown)
        for chart in self._charts.values():
            if chart.display is not (chart in shown):
                chart.display = chart in shown
        self.redraw()
        self.post_message(self.Turned())
