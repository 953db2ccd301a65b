"""Rows of a picture for Textual that cost no Segment a cell unless Textual looks inside.

One Rich style a cell costs five times what fitting the picture costs. A LazyStrip therefore
renders straight from the picture's arrays, and is cropped as such; Segments are built only when
Textual recolours a row (a modal screen dims it, NO_COLOR, 256 colours) or exports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from rich.cells import cell_len, set_cell_size
from rich.color import Color as RichColor
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.strip import Strip

from genai_tui.images import kitty
from genai_tui.images.cells import Cells, row_ansi


class Drawing:
    """A picture drawn on `columns` x `rows` cells: as cells, or as pixels with cells to stand in.

    `make` yields the cells; it is called when they are first needed. With an `image_id` what the
    terminal gets are placeholders. Textual dims and exports the cells instead: a placeholder's
    colour is the image's id, which no filter may change. `at_edge` says that the last column is
    the screen's, see `kitty.placeholders`. With `bared` the terminal gets blanks, and `bared` is
    told each time of which row and columns: that is where the picture has to be painted over.
    """

    def __init__(
        self,
        columns: int,
        rows: int,
        make: Callable[[], Cells],
        image_id: int | None = None,
        at_edge: bool = False,
        bared: Callable[[int, int, int], None] | None = None,
    ) -> None:
        self.columns = columns
        self.rows = rows
        self.image_id = image_id
        self.bared = bared
        self._bare_from = columns - 1 if at_edge else columns
        self._make = make

    @property
    def has_pixels(self) -> bool:
        """Whether the terminal gets anything but cells."""
        return self.image_id is not None or self.bared is not None

    @cached_property
    def cells(self) -> Cells:
        return self._make()

    def ansi(self, y: int, start: int, end: int) -> str:
        if self.image_id is not None:
            return kitty.placeholders(self.image_id, y, start, end, self._bare_from)
        return row_ansi(self.cells, y, start, end)

    def segments(self, y: int, start: int, end: int) -> list[Segment]:
        cells = self.cells
        colors = zip(
            cells.glyphs[y][start:end],
            cells.foreground[y, start:end].tolist(),
            cells.background[y, start:end].tolist(),
            strict=True,
        )
        return [Segment(glyph, _style(tuple(front), tuple(back))) for glyph, front, back in colors]


class LazyStrip(Strip):
    """Cells `start` to `end` of a row `width` cells wide, with a drawing's row `y` at `left`.

    It stands on one private name of Textual: `Strip._segments`, here a property.
    """

    __slots__ = ["_ansi", "_built", "_drawing", "_end", "_left", "_margin", "_start", "_y"]

    def __init__(
        self, drawing: Drawing, y: int, left: int, margin: Style, start: int, end: int
    ) -> None:
        self._drawing = drawing
        self._y = y
        self._left = left
        self._margin = margin
        self._start = start
        self._end = end
        self._ansi: str | None = None
        super().__init__((), end - start)
        self._built: list[Segment] | None = None

    @property
    def _segments(self) -> list[Segment]:
        if self._built is None:
            before, first, last, after = self._spans()
            self._built = [
                *self._blank(before),
                *self._drawing.segments(self._y, first, last),
                *self._blank(after),
            ]
        return self._built

    @_segments.setter
    def _segments(self, segments: Iterable[Segment]) -> None:
        self._built = list(segments)

    def __bool__(self) -> bool:
        return self._end > self._start

    def render(self, console: Console) -> str:
        if not self._drawing.has_pixels and console.color_system not in ("truecolor", None):
            return super().render(console)  # Rich knows how to do with fewer colours
        before, first, last, after = self._spans()
        if self._drawing.bared is not None:
            self._drawing.bared(self._y, first, last)
            return self._spaces(before + last - first + after)
        if self._ansi is None:
            middle = self._drawing.ansi(self._y, first, last) if last > first else ""
            self._ansi = self._spaces(before) + middle + self._spaces(after)
        return self._ansi

    def apply_filter(self, filter: LineFilter, background: Color) -> Strip:
        """The filtered strip; this one, if the filter leaves colours alone or only ANSI ones.

        Of a picture there is nothing else to filter: its text is this room's own characters.
        """
        if not _keeps_true_colors(filter, background):
            return super().apply_filter(filter, background)
        margin = filter.apply([Segment(" ", self._margin)], background)[0].style or Style.null()
        return self if margin == self._margin else self._cut(self._start, self._end, margin)

    def crop(self, start: int, end: int | None = None) -> Strip:
        width = self._end - self._start
        first, last = max(0, start), width if end is None else min(end, width)
        if (first, last) == (0, width):
            return self
        if last <= first:
            return Strip([], 0)
        return self._cut(self._start + first, self._start + last, self._margin)

    def divide(self, cuts: Iterable[int]) -> Sequence[Strip]:
        width, start = self._end - self._start, 0
        parts: list[Strip] = []
        for cut in cuts:
            if cut <= width:
                parts.append(self.crop(start, cut))
                start = cut
        return parts

    def _cut(self, start: int, end: int, margin: Style) -> LazyStrip:
        return LazyStrip(self._drawing, self._y, self._left, margin, start, end)

    def _spans(self) -> tuple[int, int, int, int]:
        """Cells of margin before, the drawing's first and last column, cells of margin after."""
        right = self._left + self._drawing.columns
        first, last = max(self._start, self._left), min(self._end, right)
        before = max(0, min(self._end, self._left) - self._start)
        after = max(0, self._end - max(self._start, right))
        return before, first - self._left, max(first, last) - self._left, after

    def _blank(self, count: int) -> list[Segment]:
        return [Segment(" " * count, self._margin)] if count else []

    def _spaces(self, count: int) -> str:
        text = " " * count
        return self.render_style(self._margin, text, ColorSystem.TRUECOLOR) if count else ""


def centred(text: str, width: int, style: Style) -> Strip:
    """A line of text in the middle, cut where it is too long."""
    if cell_len(text) > width:
        text = set_cell_size(text, max(0, width - 1)) + "…"[:width]
    text = set_cell_size(" " * ((width - cell_len(text)) // 2) + text, width)
    return Strip([Segment(text, style)])


_PROBES = [
    Segment("▀", Style(color=RichColor.from_rgb(*front), bgcolor=RichColor.from_rgb(*back)))
    for front, back in (((201, 34, 58), (16, 91, 172)), ((8, 200, 90), (250, 240, 20)))
]


def _keeps_true_colors(filter: LineFilter, background: Color) -> bool:
    """Whether a filter leaves 24-bit colours as they are, by trying it on a few."""
    filtered = filter.apply(list(_PROBES), background)
    return [part.style for part in filtered] == [probe.style for probe in _PROBES]


def _style(front: tuple[int, ...], back: tuple[int, ...]) -> Style:
    return Style(color=RichColor.from_rgb(*front), bgcolor=RichColor.from_rgb(*back))
