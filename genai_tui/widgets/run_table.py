"""The table of runs: any number of them, of which only the visible lines are ever drawn."""

import time
from collections.abc import Collection, Sequence
from typing import ClassVar

from rich.cells import set_cell_size
from rich.segment import Segment
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
from genai_tui.visible import visible
from genai_tui.widgets.inks import Inks
from genai_tui.widgets.run_columns import GAP, Cell, Column, Sparkline, fitted, share, text_of
from genai_tui.widgets.states import COLOURS, shown

# The theme's variable of each part of a line, and how strong it is.
_INKS = {
    "header": ("foreground", 0.6),
    "text": ("foreground", 1.0),
    "muted": ("foreground", 0.7),
    "curve": ("text-accent", 1.0),
    "error": ("text-error", 1.0),
    "mark": ("text-accent", 1.0),
}
_CURSOR, _DONE = ("primary", 0.3), ("primary", 0.55)
MARK, GUTTER = "◆", 1
_PART_OF = {"model": "muted", "data": "muted", "age": "muted", "curve": "curve"}


class RunTable(ScrollView, can_focus=True):
    """One line a run, the newest first, below a line of titles. The cursor stays on its run.

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

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", tooltip="Watch the run", id="runs.open"),
        Binding("down,j", "move(1)", "down", show=False, tooltip="To the next run"),
        Binding("up,k", "move(-1)", "up", show=False, tooltip="To the previous run"),
        Binding("pagedown", "page(1)", "page down", show=False, tooltip="A page down"),
        Binding("pageup", "page(-1)", "page up", show=False, tooltip="A page up"),
        Binding("home", "first", "first", show=False, tooltip="To the newest run"),
        Binding("end,G", "last", "last", show=False, tooltip="To the oldest run"),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._runs: list[Summary] = []
        self._columns: list[tuple[Column, int]] = []
        self._painted: dict[int, Strip] = {}
        self._sparkline: Sparkline | None = None
        self._marked: frozenset[str] = frozenset()
        self._inks = Inks(self)
        self._known_base: Style | None = None

    @property
    def runs(self) -> Sequence[Summary]:
        return self._runs

    @property
    def chosen(self) -> Summary | None:
        """The run under the cursor."""
        return self._runs[self.cursor] if self.cursor < len(self._runs) else None

    def show(self, runs: list[Summary]) -> None:
        """Shows these; repaints the lines that differ."""
        before, count = self.chosen, len(self._runs)
        self._runs = runs
        self.set_reactive(RunTable.cursor, self._line_of(before))
        if len(runs) != count:
            self.virtual_size = Size(self.size.width, len(runs) + 1)
            self._painted.clear()
            self.refresh()
        self._repaint_changed()
        if self.chosen != before:
            self.post_message(self.Highlighted(self.chosen))

    def mark(self, ids: Collection[str]) -> None:
        """Shows marks on the lines of these runs and on no other."""
        self._marked = frozenset(ids)
        self._repaint_changed()

    def draw_curves(self, sparkline: Sparkline) -> None:
        """From now on the course of the loss is drawn: what draws it is slow to load."""
        self._sparkline = sparkline
        self._repaint_changed()

    def tick(self) -> None:
        """Brings the ages up to date."""
        self._repaint_changed()

    def render_line(self, y: int) -> Strip:
        strip = self._painted.get(y)
        if strip is None:
            strip = self._painted[y] = self._line(y)
        return strip

    def _line_of(self, before: Summary | None) -> int:
        if before is None:
            return 0
        for index, run in enumerate(self._runs):
            if run.id == before.id:
                return index
        return max(0, min(self.cursor, len(self._runs) - 1))

    def _repaint_changed(self) -> None:
        for y, before in list(self._painted.items()):
            after = self._line(y)
            if after != before:
                self._painted[y] = after
                self.refresh(Region(0, y, self.size.width, 1))

    def _line(self, y: int) -> Strip:
        if y == 0:
            return self._titles()
        index = y - 1 + self.scroll_offset.y
        base = self._base
        if index >= len(self._runs):
            return Strip.blank(self.size.width, base)
        run = self._runs[index]
        if index == self.cursor:
            base += self._inks.behind(*_CURSOR)
        cells = self._broken(run, base) if run.state == "broken" else self._cells(run, base)
        mark = MARK if run.id in self._marked else " " * GUTTER
        segments = [Segment(mark, base + self._ink("mark")), *cells]
        return CompactStrip(segments).adjust_cell_length(self.size.width, base)

    def _titles(self) -> Strip:
        style = self._base + self._ink("header")
        texts = (_set(column.title, width, column.right) for column, width in self._columns)
        line = " " * GUTTER + (" " * GAP).join(texts)
        return CompactStrip([Segment(line, style)]).adjust_cell_length(self.size.width, style)

    def _cells(self, run: Summary, base: Style) -> list[Segment]:
        now = time.time()
        segments: list[Segment] = []
        for column, width in self._columns:
            text = text_of(column, Cell(run, width, now, self._sparkline))
            text = _set(text, width, column.right)
            segments += self._inked(column, text, run, base)
            segments.append(Segment(" " * GAP, base))
        return segments[:-1]

    def _inked(self, column: Column, text: str, run: Summary, base: Style) -> list[Segment]:
        if column.name == "step":
            done = round(len(text) * share(run))
            return [
                Segment(text[:done], base + self._inks.behind(*_DONE)),
                Segment(text[done:], base),
            ]
        if column.name == "state":
            return [Segment(text, base + self._state_ink(run))]
        return [Segment(text, base + self._ink(_PART_OF.get(column.name, "text")))]

    def _broken(self, run: Summary, base: Style) -> list[Segment]:
        state = _set(shown(run.state), 13, False)
        what = run.error.rpartition(f"{run.id}/")[2]  # the name of a file says enough
        reason = visible(f"{run.id}: {what}")
        room = max(0, self.size.width - GUTTER - 13 - GAP)
        return [
            Segment(state + " " * GAP, base + self._state_ink(run)),
            Segment(_set(reason, room, False), base + self._ink("error")),
        ]

    @property
    def _base(self) -> Style:
        """The widget's own style, looked up once: Textual asks all its ancestors."""
        if self._known_base is None:
            self._known_base = self.rich_style
        return self._known_base

    def _ink(self, part: str) -> Style:
        return self._inks.text(*_INKS[part])

    def _state_ink(self, run: Summary) -> Style:
        return self._inks.text(COLOURS[run.state])

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
        return max(0, min(cursor, len(self._runs) - 1))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        self._painted.clear()
        super().watch_scroll_y(old_value, new_value)

    def _reveal(self, index: int) -> None:
        top, room = self.scroll_offset.y, max(1, self.size.height - 1)
        if index < top:
            self.scroll_to(y=index, animate=False, immediate=True)
        elif index >= top + room:
            self.scroll_to(y=index - room + 1, animate=False, immediate=True)

    def on_resize(self) -> None:
        self._columns = fitted(self.size.width - GUTTER)
        self._painted.clear()
        self._reveal(self.cursor)
        self.refresh()

    def notify_style_update(self) -> None:
        self._painted.clear()
        self._inks.reset()
        self._known_base = None
        super().notify_style_update()

    def on_focus(self) -> None:
        self._repaint_changed()

    def on_blur(self) -> None:
        self._repaint_changed()

    def on_click(self, event: events.Click) -> None:
        index = event.y - 1 + self.scroll_offset.y
        if event.y < 1 or index >= len(self._runs):
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
        self.cursor = len(self._runs) - 1


def _set(text: str, width: int, right: bool) -> str:
    """``text`` in exactly ``width`` cells, wide characters counted as two."""
    return text.rjust(width) if right else set_cell_size(text, width)
