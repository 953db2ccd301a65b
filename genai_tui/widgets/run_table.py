"""The table of runs: any number of them, of which only the visible lines are ever drawn."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from genai_tui.store import Summary
from genai_tui.widgets.line_table import LineTable
from genai_tui.widgets.run_columns import Sparkline, fitted
from genai_tui.widgets.run_lines import GUTTER, RunLines, has_tags
from genai_tui.widgets.run_look import Look
from genai_tui.widgets.run_order import Row


class RunTable(LineTable):
    """One line a run below a line of titles, some under headings. The cursor stays on its run.

    The first cell of a line is for the mark of a run that the user has marked.
    """

    class Highlighted(Message):
        """The cursor is on another run, or on none, or what is known of the run is new."""

        def __init__(self, run: Summary | None) -> None:
            super().__init__()
            self.run = run

    class Opened(Message):
        """The user wants to see a run."""

        def __init__(self, run: Summary) -> None:
            super().__init__()
            self.run = run

    RESTING = LineTable.ACTIVE
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", tooltip="Watch the run", id="runs.open"),
        Binding("down,j", "move(1)", "down", show=False, tooltip="To the next run", id="move.down"),
        Binding("up,k", "move(-1)", "up", show=False, tooltip="To the previous run", id="move.up"),
        Binding("home", "first", "first", show=False, tooltip="To the newest run", id="move.first"),
        Binding("end,G", "last", "last", show=False, tooltip="To the oldest run", id="move.last"),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: list[Row] = []
        self._look = Look()
        self._lines = RunLines(self.inks)

    @property
    def runs(self) -> Sequence[Summary]:
        """The runs that are listed, in their order."""
        return [row.run for row in self._rows if row.run is not None]

    @property
    def chosen(self) -> Summary | None:
        """The run under the cursor."""
        return self._rows[self.cursor].run if self.cursor < len(self._rows) else None

    def show(self, rows: list[Row]) -> None:
        """Shows these; repaints the lines that differ."""
        before = self.chosen
        self._rows = rows
        self._fit_columns()
        self.follow([row.run.id if row.run is not None else ("", row.heading) for row in rows])
        if self.chosen != before:
            self.post_message(self.Highlighted(self.chosen))

    def dress(self, look: Look) -> None:
        """From now on the list has these columns, and the title of its order is marked."""
        self._look = look
        self._lines.sort, self._lines.backwards = look.sort, look.backwards
        self._fit_columns()
        self.repaint_changed()

    def mark(self, ids: Collection[str]) -> None:
        """Shows marks on the lines of these runs and on no other."""
        self._lines.marked = frozenset(ids)
        self.repaint_changed()

    def warn(self, alerts: Mapping[str, int]) -> None:
        """Shows beside the states of runs how many things are wrong, by their ids."""
        self._lines.alerts = alerts
        self.repaint_changed()

    def draw_curves(self, sparkline: Sparkline) -> None:
        """From now on the course of the loss is drawn: what draws it is slow to load."""
        self._lines.sparkline = sparkline
        self.repaint_changed()

    def tick(self) -> None:
        """Brings the ages up to date."""
        self.repaint_changed()

    def _fit_columns(self) -> None:
        if not self.size.width:
            return  # hidden: the width is told when it is shown
        wanted = self._look.wanted()
        said: set[str] = {self._look.grouping}  # by the headings
        if self._look.columns is None and not has_tags(self._rows, self._look.grouping):
            said.add("tags")
        wanted = [column for column in wanted if column.name not in said]
        self._lines.columns = fitted(self.size.width - GUTTER, wanted)

    # ------------------------------------------------------------------ lines

    def titles(self) -> list[Segment]:
        return self._lines.titles(self.base)

    def line(self, index: int, base: Style) -> list[Segment]:
        return self._lines.line(self._rows[index], base, self.size.width, time.time())

    def on_resize(self) -> None:
        self._fit_columns()
        super().on_resize()

    # ------------------------------------------------------------------ the cursor

    def cursor_moved(self) -> None:
        self.post_message(self.Highlighted(self.chosen))

    def place_of(self, index: int, direction: int) -> int:
        """The line of a run at ``index``, or the nearest: first in a direction, then the other."""
        last = len(self._rows) - 1
        if last < 0:
            return 0
        index = max(0, min(index, last))
        ahead = range(index, last + 1) if direction > 0 else range(index, -1, -1)
        behind = range(index, -1, -1) if direction > 0 else range(index, last + 1)
        return next((i for i in (*ahead, *behind) if self._rows[i].run is not None), 0)

    def top_of(self, index: int) -> int:
        """The first run is shown with the heading above it."""
        return 0 if all(row.run is None for row in self._rows[:index]) else index

    def on_click(self, event: events.Click) -> None:
        index = self.line_at(event)
        if index is None or self._rows[index].run is None:
            return
        if index == self.cursor and event.chain > 1:
            self.action_open()
        self.cursor = index

    def action_open(self) -> None:
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))
