"""The table of runs: any number of them, of which only the visible lines are ever drawn."""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from genai_tui.charts.strips import CompactStrip
from genai_tui.store import Summary
from genai_tui.widgets.inks import Inks
from genai_tui.widgets.run_columns import Sparkline, fitted
from genai_tui.widgets.run_lines import GUTTER, RunLines, has_tags
from genai_tui.widgets.run_look import Look
from genai_tui.widgets.run_order import Row

_CURSOR = ("primary", 0.3)


class RunTable(ScrollView, can_focus=True):
    """One line a run below a line of titles, some under headings. The cursor stays on its run.

    The first cell of a line is for the mark of a run that the user has marked.
    """

    class Highlighted(Message):
        """The cursor is on another run, or on none."""

        def __init__(self, run: Summary | None) -> None:
            super().__init__()
            self.run = run

    class Opened(Message):
        """The user wants to see a run."""

        def __init__(self, run: Summary) -> None:
            super().__init__()
            self.run = run

    class TypedAhead(Message):
        """A character that was typed while the filter was on its way, for the filter."""

        def __init__(self, character: str) -> None:
            super().__init__()
            self.character = character

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", tooltip="Watch the run", id="runs.open"),
        Binding("down,j", "move(1)", "down", show=False, tooltip="To the next run", id="move.down"),
        Binding("up,k", "move(-1)", "up", show=False, tooltip="To the previous run", id="move.up"),
        Binding(
            "pagedown",
            "page(1)",
            "page down",
            show=False,
            tooltip="A page down",
            id="move.page_down",
        ),
        Binding(
            "pageup", "page(-1)", "page up", show=False, tooltip="A page up", id="move.page_up"
        ),
        Binding("home", "first", "first", show=False, tooltip="To the newest run", id="move.first"),
        Binding("end,G", "last", "last", show=False, tooltip="To the oldest run", id="move.last"),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: list[Row] = []
        self._painted: dict[int, Strip] = {}
        self._look = Look()
        self._inks = Inks(self)
        self._lines = RunLines(self._inks)
        self._known_base: Style | None = None
        self._filter_comes = False

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
        before, count = self.chosen, len(self._rows)
        self._rows = rows
        self.set_reactive(RunTable.cursor, self._line_of(before))
        self._fit_columns()
        if len(rows) != count:
            self.virtual_size = Size(self.size.width, len(rows) + 1)
            self._painted.clear()
            self.refresh()
        self._repaint_changed()
        if self.chosen != before:
            self.post_message(self.Highlighted(self.chosen))

    def dress(self, look: Look) -> None:
        """From now on the list has these columns, and the title of its order is marked."""
        self._look = look
        self._lines.sort, self._lines.backwards = look.sort, look.backwards
        self._fit_columns()
        self._repaint_changed()

    def reveal(self) -> None:
        """Scrolls to the cursor, which the order of the list may have moved."""
        self._reveal(self.cursor)

    def mark(self, ids: Collection[str]) -> None:
        """Shows marks on the lines of these runs and on no other."""
        self._lines.marked = frozenset(ids)
        self._repaint_changed()

    def warn(self, alerts: Mapping[str, int]) -> None:
        """Shows beside the states of runs how many things are wrong, by their ids."""
        self._lines.alerts = alerts
        self._repaint_changed()

    def draw_curves(self, sparkline: Sparkline) -> None:
        """From now on the course of the loss is drawn: what draws it is slow to load."""
        self._lines.sparkline = sparkline
        self._repaint_changed()

    def tick(self) -> None:
        """Brings the ages up to date."""
        self._repaint_changed()

    def _fit_columns(self) -> None:
        if not self.size.width:
            return  # hidden: the width is told when it is shown
        wanted = self._look.wanted()
        said: set[str] = {self._look.grouping}  # by the headings
        if self._look.columns is None and not has_tags(self._rows, self._look.grouping):
            said.add("tags")
        wanted = [column for column in wanted if column.name not in said]
        self._lines.columns = fitted(self.size.width - GUTTER, wanted)

    def on_key(self, event: events.Key) -> None:
        """Passes on what is typed between the key of the filter and the filter's having focus."""
        if not event.is_printable or not event.character:
            return
        if self._filter_comes:
            event.stop()
            event.prevent_default()
            self.post_message(self.TypedAhead(event.character))
            return
        active = self.screen.active_bindings.get(event.key)
        self._filter_comes = active is not None and active.binding.id == "runs.filter"

    def render_line(self, y: int) -> Strip:
        strip = self._painted.get(y)
        if strip is None:
            strip = self._painted[y] = self._line(y)
        return strip

    def _line_of(self, before: Summary | None) -> int:
        if before is not None:
            for index, row in enumerate(self._rows):
                if row.run is not None and row.run.id == before.id:
                    return index
        return self._run_at(0 if before is None else self.cursor, 1)

    def _run_at(self, index: int, direction: int) -> int:
        """The line of a run at ``index``, or the nearest: first in a direction, then the other."""
        last = len(self._rows) - 1
        if last < 0:
            return 0
        index = max(0, min(index, last))
        ahead = range(index, last + 1) if direction > 0 else range(index, -1, -1)
        behind = range(index, -1, -1) if direction > 0 else range(index, last + 1)
        return next((i for i in (*ahead, *behind) if self._rows[i].run is not None), 0)

    def _repaint_changed(self) -> None:
        for y, before in list(self._painted.items()):
            after = self._line(y)
            if after != before:
                self._painted[y] = after
                self.refresh(Region(0, y, self.size.width, 1))

    def _line(self, y: int) -> Strip:
        base, width = self._base, self.size.width
        if y == 0:
            return CompactStrip(self._lines.titles(base)).adjust_cell_length(width, base)
        index = y - 1 + self.scroll_offset.y
        if index >= len(self._rows):
            return Strip.blank(width, base)
        if index == self.cursor:
            base += self._inks.behind(*_CURSOR)
        segments = self._lines.line(self._rows[index], base, width, time.time())
        return CompactStrip(segments).adjust_cell_length(width, base)

    @property
    def _base(self) -> Style:
        """The widget's own style, looked up once: Textual asks all its ancestors."""
        if self._known_base is None:
            self._known_base = self.rich_style
        return self._known_base

    def watch_cursor(self, before: int, after: int) -> None:
        self._reveal(after)
        top = self.scroll_offset.y
        for index in (before, after):
            y = index - top + 1
            if 1 <= y < self.size.height:
                self._painted.pop(y, None)
                self.refresh(Region(0, y, self.size.width, 1))
        self.post_message(self.Highlighted(self.chosen))

    def validate_cursor(self, cursor: int) -> int:
        """Headings are passed over."""
        return self._run_at(cursor, 1 if cursor >= self.cursor else -1)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        self._painted.clear()
        super().watch_scroll_y(old_value, new_value)

    def _reveal(self, index: int) -> None:
        top, room = self.scroll_offset.y, max(1, self.size.height - 1)
        if index <= top and all(row.run is None for row in self._rows[:index]):
            index = 0  # the heading above the first run
        if index < top:
            self.scroll_to(y=index, animate=False, immediate=True)
        elif index >= top + room:
            self.scroll_to(y=index - room + 1, animate=False, immediate=True)

    def on_resize(self) -> None:
        self._fit_columns()
        self._painted.clear()
        self._reveal(self.cursor)
        self.refresh()

    def notify_style_update(self) -> None:
        self._painted.clear()
        self._inks.reset()
        self._known_base = None
        super().notify_style_update()

    def on_focus(self) -> None:
        self._filter_comes = False
        self._repaint_changed()

    def on_blur(self) -> None:
        self._repaint_changed()

    def on_click(self, event: events.Click) -> None:
        index = event.y - 1 + self.scroll_offset.y
        if event.y < 1 or index >= len(self._rows) or self._rows[index].run is None:
            return
        if index == self.cursor and event.chain > 1:
            self.action_open()
        self.cursor = index

    def action_open(self) -> None:
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))

    def action_move(self, lines: int) -> None:
        self.cursor += lines

    def action_page(self, pages: int) -> None:
        self.cursor += pages * max(1, self.size.height - 2)

    def action_first(self) -> None:
        self.cursor = 0

    def action_last(self) -> None:
        self.cursor = len(self._rows) - 1
