"""The tail of what a run's processes printed."""

import re
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from genai_tui.visible import visible
from genai_tui.widgets.field import entitle

MOST_LINES = 1000
LONGEST = 1000
NOTHING = "nothing was printed yet"
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Console(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines as they were printed, without their colours; it follows its end unless scrolled up."""

    ALLOW_MAXIMIZE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_up", "up", show=False, tooltip="A line up"),
        Binding("down,j", "scroll_down", "down", show=False, tooltip="A line down"),
        Binding("pageup", "page_up", "page up", show=False, tooltip="A page up"),
        Binding("pagedown", "page_down", "page down", show=False, tooltip="A page down"),
        Binding("home", "scroll_home", "top", show=False, tooltip="The first line kept"),
        Binding("end,G", "scroll_end", "bottom", show=False, tooltip="The newest line"),
    ]

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[str] = []
        self._rest = ""

    def on_mount(self) -> None:
        entitle(self, "console")

    def write(self, text: str) -> None:
        """Adds what was printed next; the last line may be half of one."""
        follows = self.is_vertical_scroll_end
        whole, _, rest = (self._rest + text).rpartition("\n")
        self._rest = rest[-LONGEST:]
        if not whole:
            return
        self._lines += [plain(line) for line in whole.split("\n")]
        del self._lines[:-MOST_LINES]
        width = max(map(cell_len, self._lines))
        self.virtual_size = Size(width, len(self._lines))
        if follows:
            self.call_after_refresh(self.scroll_end, animate=False, x_axis=False)
        self.refresh()

    def on_resize(self) -> None:
        self.scroll_end(animate=False, x_axis=False)

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        index = y + top
        style = self.rich_style
        if not self._lines and y == 0:
            return Strip([Segment(NOTHING, style)]).adjust_cell_length(self.size.width, style)
        if index >= len(self._lines):
            return Strip.blank(self.size.width, style)
        line = Strip([Segment(self._lines[index], style)])
        return line.crop_extend(left, left + self.size.width, style)


def plain(line: str) -> str:
    """A line as a terminal would show it in the end: of a progress bar only its last state."""
    line = _SEQUENCES.sub("", line[:LONGEST].rstrip("\r"))
    return visible(line.rpartition("\r")[2], lines=True)
