"""A widget that is rows of text in inks, and repaints just the rows that have changed."""

from collections.abc import Sequence
from itertools import groupby

from rich.segment import Segment
from rich.style import Style
from textual.dom import NoScreen
from textual.errors import NoWidget
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from genai_tui.charts.canvas import Row
from genai_tui.charts.strips import CompactStrip


class RowsWidget(Widget):
    """Subclasses say what the rows are and how inks look; they call `redraw` when data changes.

    Nothing is computed while the widget is out of sight, and several calls of `redraw` within
    one turn of the event loop are one.
    """

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._painted: list[Row] = []
        self._row_strips: dict[int, Strip] = {}
        self._ink_styles: dict[int, Style] = {}
        self._compact: dict[int, tuple[Strip, CompactStrip]] = {}
        self._drawn_size: Size | None = None
        self._is_awaiting = False

    def picture(self, width: int, height: int) -> list[Row]:
        """The `height` >= 1 rows to show, each of `width` >= 1 cells."""
        raise NotImplementedError

    def ink_style(self, ink: int) -> Style:
        """How text in an ink looks on the widget's background."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Bring the picture up to date, after the message that is being handled."""
        if self.is_running and not self._is_awaiting:
            self._is_awaiting = True
            self.call_next(self._update_rows)

    def _update_rows(self) -> None:
        self._is_awaiting = False
        if self._drawn_size != self.size or not self._is_in_sight():
            self._forget()
            return
        before, self._painted = self._painted, self.picture(*self.size)
        pairs = enumerate(zip(before, self._painted, strict=True))
        changed = [y for y, (old, new) in pairs if old != new]
        for y in changed:
            self._row_strips.pop(y, None)
        if changed:
            self.refresh(*self._regions(changed))

    def _forget(self) -> None:
        """Draw anew when next painted; asking for that once is enough."""
        if self._drawn_size is not None:
            self._drawn_size = None
            self.refresh()

    def _regions(self, rows: Sequence[int]) -> list[Region]:
        """The fewest regions that cover just these rows and their border, which is dear to crop."""
        groups = groupby(enumerate(rows), lambda pair: pair[1] - pair[0])
        runs = [[row for _, row in group] for _, group in groups]
        left, width = -self.gutter.left, self.outer_size.width
        return [Region(left, run[0], width, len(run)) for run in runs]

    def _is_in_sight(self) -> bool:
        try:
            screen = self.screen
            return screen.is_active and bool(screen.find_widget(self).visible_region)
        except (NoScreen, NoWidget):
            return False

    def render_line(self, y: int) -> Strip:
        """The strip of row y, made when first asked for."""
        if self._drawn_size != self.size:
            self._drawn_size = self.size
            self._painted = self.picture(*self.size)
            self._row_strips.clear()
        strip = self._row_strips.get(y)
        if strip is None:
            strip = self._row_strips[y] = self._strip(self._painted[y])
        return strip

    def _strip(self, row: Row) -> Strip:
        return Strip([Segment(text, self._style(ink)) for text, ink in row])

    def _style(self, ink: int) -> Style:
        style = self._ink_styles.get(ink)
        if style is None:
            style = self._ink_styles[ink] = self.ink_style(ink)
        return style

    def render_lines(self, crop: Region) -> list[Strip]:
        """Rows with their border, as Textual makes them, in fewer bytes."""
        strips = super().render_lines(crop)
        return [self._compacted(crop.y + i, strip) for i, strip in enumerate(strips)]

    def _compacted(self, y: int, strip: Strip) -> Strip:
        source, compact = self._compact.get(y, (None, None))
        if compact is None or source is not strip:
            compact = CompactStrip(strip, strip.cell_length)
            self._compact[y] = strip, compact
        return compact

    def notify_style_update(self) -> None:
        """Forget colours that may have changed with the theme."""
        self._ink_styles.clear()
        self._row_strips.clear()
        super().notify_style_update()
