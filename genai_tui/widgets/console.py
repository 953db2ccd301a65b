"""The tail of what a run's processes printed."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from genai_tui.history import Instant
from genai_tui.visible import visible
from genai_tui.widgets.field import entitle
from genai_tui.widgets.paging import PAGES

MOST_LINES = 1000
LONGEST = 1000
NOTHING = "nothing was printed yet"
STAMP_CELLS = 60
"""Of a line, in which it may say when it was printed."""
Moment = tuple[float | None, float | None]
"""Time and step, where a line says them."""
_MARKED = Style(reverse=True)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[+-]\d\d:?\d\d|Z)?")
_STEP = re.compile(r"\bstep\s+(\d[\d,]*)", re.IGNORECASE)
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Console(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines as they were printed, without their colours; it follows its end unless scrolled up."""

    ALLOW_MAXIMIZE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "up", show=False, tooltip="A line up", id="move.up"),
        Binding("down,j", "scroll_down", "down", show=False, tooltip="A line down", id="move.down"),
        *PAGES,
        Binding(
            "home", "scroll_home", "top", show=False, tooltip="The first line kept", id="move.first"
        ),
        Binding(
            "end,G", "scroll_end", "bottom", show=False, tooltip="The newest line", id="move.last"
        ),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[str] = []
        self._moments: list[Moment] = []
        self._rest = ""
        self._instant: Instant | None = None
        self._marked: int | None = None

    def on_mount(self) -> None:
        entitle(self, "console")

    def write(self, text: str) -> None:
        """Adds what was printed next; the last line may be half of one."""
        follows = self.is_vertical_scroll_end
        whole, _, rest = (self._rest + text).rpartition("\n")
        self._rest = rest[-LONGEST:]
        if not whole:
            return
        new = [plain(line) for line in whole.split("\n")]
        self._lines += new
        self._moments += [moment_of(line) for line in new]
        del self._lines[:-MOST_LINES], self._moments[:-MOST_LINES]
        width = max(map(cell_len, self._lines))
        self.virtual_size = Size(width, len(self._lines))
        if follows and self._instant is None:
            self.call_after_refresh(self.scroll_end, animate=False, x_axis=False)
        self.refresh()

    def read_at(self, instant: Instant | None) -> None:
        """Scrolls to the first line of a moment, where lines say when or at which step they are.

        None is now, and follows the end again.
        """
        if instant is None and self._instant is None:
            return
        self._instant = instant
        if instant is None:
            self._mark(None, "")
            self.scroll_end(animate=False, x_axis=False)
            return
        found = line_at(self._moments, instant)
        if found is None:
            self._mark(None, "" if not self._lines else "these lines do not say when")
            return
        self._mark(found, "")
        self.scroll_to(y=found, animate=False)

    def _mark(self, line: int | None, note: str) -> None:
        entitle(self, "console", note)
        if line != self._marked:
            self._marked = line
            self.refresh()

    def on_resize(self) -> None:
        if self._instant is None:
            self.scroll_end(animate=False, x_axis=False)

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        index = y + top
        style = self.rich_style
        if index == self._marked:
            style += _MARKED
        if not self._lines and y == 0:
            return Strip([Segment(NOTHING, style)]).adjust_cell_length(self.size.width, style)
        if index >= len(self._lines):
            return Strip.blank(self.size.width, style)
        line = Strip([Segment(self._lines[index], style)])
        return line.crop_extend(left, left + self.size.width, style)


def moment_of(line: str) -> Moment:
    """When, in seconds since the epoch, and at which step a line says that it was printed."""
    t = step = None
    found = _TIME.search(line[:STAMP_CELLS])
    if found:
        with suppress(ValueError, OverflowError, OSError):
            t = datetime.fromisoformat(found[0]).timestamp()
    found = _STEP.search(line)
    if found:
        step = float(found[1].replace(",", "")[:15])
    return t, step


def line_at(moments: Sequence[Moment], instant: Instant) -> int | None:
    """The first line that is not earlier than an instant, else the last; None if none says when."""
    known = [
        (index, t, step)
        for index, (t, step) in enumerate(moments)
        if (t is not None and instant.t is not None) or step is not None
    ]
    for index, t, step in known:
        if t is not None and instant.t is not None:
            if t >= instant.t:
                return index
        elif step is not None and step >= instant.step:
            return index
    return known[-1][0] if known else None


def plain(line: str) -> str:
    """A line as a terminal would show it in the end: of a progress bar only its last state."""
    line = _SEQUENCES.sub("", line[:LONGEST].rstrip("\r"))
    return visible(line.rpartition("\r")[2], lines=True)
