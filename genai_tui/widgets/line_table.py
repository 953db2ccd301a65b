"""A table of which only the visible lines are drawn, and of those only the cells that change."""

from collections.abc import Hashable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from genai_tui.charts.strips import CompactStrip
from genai_tui.widgets.inks import Inks


class LineTable(ScrollView, can_focus=True, inherit_bindings=False):
    """One line a key, below a line of titles. The cursor stays on its key.

    Subclasses say what a line and the titles are; they call `follow` when the lines change.

    Attributes:
        ACTIVE, RESTING: behind the line under the cursor, with the focus and without.
    """

    ACTIVE: ClassVar[tuple[str, float]] = ("primary", 0.3)
    RESTING: ClassVar[tuple[str, float]] = ("foreground", 0.1)

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "down", show=False, tooltip="The next line", id="move.down"),
        Binding("up,k", "move(-1)", "up", show=False, tooltip="To the line before", id="move.up"),
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
        Binding("home", "first", "first", show=False, tooltip="To the first line", id="move.first"),
        Binding("end", "last", "last", show=False, tooltip="To the last line", id="move.last"),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.inks = Inks(self)
        self._keys: Sequence[Hashable] = []
        self._painted: dict[int, Strip] = {}
        self._compact: dict[int, tuple[Strip, CompactStrip]] = {}
        self._known_base: Style | None = None
        self._wanted: Hashable = None

    def titles(self) -> list[Segment]:
        """The line above all others."""
        raise NotImplementedError

    def line(self, index: int, base: Style) -> list[Segment]:
        """A line on the background ``base``."""
        raise NotImplementedError

    def cursor_moved(self) -> None:
        """Another line is under the cursor."""

    def place_of(self, index: int, direction: int) -> int:
        """The line for a cursor that would be at ``index``, having moved in a ``direction``."""
        return max(0, min(index, len(self._keys) - 1))

    def top_of(self, index: int) -> int:
        """The first line that is to be seen when the cursor is on ``index``."""
        return index

    @property
    def room(self) -> int:
        """Cells of a line beside the scroll bar."""
        return self.scrollable_content_region.width

    def follow(self, keys: Sequence[Hashable]) -> None:
        """Shows the lines that now have these keys."""
        before = self._keys[self.cursor] if self.cursor < len(self._keys) else None
        count, self._keys = len(self._keys), keys
        aim = self._wanted if self._wanted in keys else before
        self._wanted = None if aim == self._wanted else self._wanted
        place = keys.index(aim) if aim in keys else self.place_of(self.cursor, 1)
        self.set_reactive(LineTable.cursor, place)
        if len(keys) != count:
            self._resize_to(len(keys) + 1)
        if len(keys) != count or aim != before:
            self._reveal(self.cursor)
        self.repaint_changed()
        if not keys or before != keys[self.cursor]:
            self.cursor_moved()

    def point_to(self, key: Hashable) -> None:
        """The cursor goes to the line of this key as soon as there is one."""
        self._wanted = key
        self.follow(self._keys)

    def _resize_to(self, lines: int) -> None:
        """While the scroll bar stays, or stays away, it alone is repainted and not all lines."""
        height = self.size.height
        size = Size(self.size.width, lines)
        if (lines > height) != (self.virtual_size.height > height):
            self.virtual_size = size
            self.repaint_all()
        else:
            self.set_reactive(LineTable.virtual_size, size)  # pyright: ignore[reportArgumentType]
            self.vertical_scrollbar.window_virtual_size = lines
            self.scroll_y = self.validate_scroll_y(self.scroll_y)

    def repaint_all(self) -> None:
        """All that is on the screen may have changed."""
        self._painted.clear()
        self.refresh()

    def repaint_changed(self) -> None:
        """Repaints of the visible lines the stretches that differ."""
        for y, before in list(self._painted.items()):
            after = self._strip(y)
            span = _difference(before, after)
            if span:
                self._painted[y] = after
                self.refresh(Region(span[0], y, span[1] - span[0], 1))

    def render_line(self, y: int) -> Strip:
        strip = self._painted.get(y)
        if strip is None:
            strip = self._painted[y] = self._strip(y)
        return strip

    def _strip(self, y: int) -> Strip:
        base = self._base
        index = y - 1 + self.scroll_offset.y
        if y == 0:
            segments = self.titles()
        elif index < len(self._keys):
            if index == self.cursor:
                base += self.inks.behind(*(self.ACTIVE if self.has_focus else self.RESTING))
            segments = self.line(index, base)
        else:
            segments = []
        return Strip(segments).adjust_cell_length(self.size.width, base).simplify()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Lines with their border, as Textual makes them, in fewer bytes."""
        strips = super().render_lines(crop)
        return [self._compacted(crop.y + i, strip) for i, strip in enumerate(strips)]

    def _compacted(self, y: int, strip: Strip) -> Strip:
        source, compact = self._compact.get(y, (None, None))
        if compact is None or source is not strip:
            compact = CompactStrip(strip, strip.cell_length)
            self._compact[y] = strip, compact
        return compact

    @property
    def _base(self) -> Style:
        """The widget's own style, looked up once: Textual asks all its ancestors."""
        if self._known_base is None:
            self._known_base = self.rich_style
        return self._known_base

    @property
    def base(self) -> Style:
        """The style of what is neither under the cursor nor marked."""
        return self._base

    def watch_cursor(self, before: int, after: int) -> None:
        self._reveal(after)
        self.repaint_changed()
        self.cursor_moved()

    def validate_cursor(self, cursor: int) -> int:
        return self.place_of(cursor, 1 if cursor >= self.cursor else -1)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        self._painted.clear()
        super().watch_scroll_y(old_value, new_value)

    def reveal(self) -> None:
        """Scrolls to the cursor, which the order of the lines may have moved."""
        self._reveal(self.cursor)

    def _reveal(self, index: int) -> None:
        top, room = self.scroll_offset.y, max(1, self.size.height - 1)
        if index <= top:
            index = self.top_of(index)
        if index < top:
            self.scroll_to(y=index, animate=False, immediate=True)
        elif index >= top + room:
            self.scroll_to(y=index - room + 1, animate=False, immediate=True)

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._keys) + 1)
        self._reveal(self.cursor)
        self.repaint_all()

    def notify_style_update(self) -> None:
        self._painted.clear()
        self.inks.reset()
        self._known_base = None
        super().notify_style_update()

    def on_focus(self) -> None:
        self.repaint_changed()

    def on_blur(self) -> None:
        self.repaint_changed()

    def line_at(self, event: events.Click) -> int | None:
        """The line that was clicked; None for the titles, the border and what is below."""
        index = event.y - self.gutter.top - 1 + self.scroll_offset.y
        return index if event.y > self.gutter.top and 0 <= index < len(self._keys) else None

    def on_click(self, event: events.Click) -> None:
        index = self.line_at(event)
        if index is not None:
            self.cursor = index

    def action_move(self, lines: int) -> None:
        self.cursor += lines

    def action_page(self, pages: int) -> None:
        self.cursor += pages * max(1, self.size.height - 2)

    def action_first(self) -> None:
        self.cursor = 0

    def action_last(self) -> None:
        self.cursor = len(self._keys) - 1


def _difference(before: Strip, after: Strip) -> tuple[int, int] | None:
    """The first cell in which two lines differ and the one behind the last; None if none does."""
    if before == after:
        return None
    old, new = _cells(before), _cells(after)
    if old is None or new is None or len(old) != len(new):
        return 0, max(before.cell_length, after.cell_length)
    differing = [x for x, (one, other) in enumerate(zip(old, new, strict=True)) if one != other]
    return (differing[0], differing[-1] + 1) if differing else None


def _cells(strip: Strip) -> list[tuple[str, Style | None]] | None:
    """Each cell's character and style; None for a line with wide characters."""
    cells = [(letter, style) for text, style, _ in strip for letter in text]
    return cells if len(cells) == strip.cell_length else None
