"""A table to read: a row of names that stays, lines below it that scroll, columns that fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from genai_tui.table import cell, gap_of, widths_of
from genai_tui.visible import visible
from genai_tui.widgets.field import Field, Part
from genai_tui.widgets.paging import PAGES


@dataclass(frozen=True, slots=True)
class Line:
    """A row: what it is about, its cells, and the styles of the cells that have one."""

    name: str
    cells: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    style: str = ""
    """Of the name, and of the cells without a style of their own"""


class Sheet(VerticalScroll, can_focus=True, inherit_bindings=False):
    """Shows lines under a head. All texts may come from anywhere."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll_down", "down", show=False, tooltip="A line down", id="move.down"),
        Binding("up,k", "scroll_up", "up", show=False, tooltip="A line up", id="move.up"),
        *PAGES,
    ]

    def __init__(self, *, id: str | None = None, nothing: str = "") -> None:
        super().__init__(id=id)
        self._head = Line("")
        self._lines: Sequence[Line] = ()
        self._nothing = nothing

    def compose(self) -> ComposeResult:
        yield Field(classes="head")
        yield Field(classes="lines")

    def show(self, head: Line, lines: Sequence[Line]) -> None:
        """Shows these from now on."""
        if (head, lines) != (self._head, self._lines):
            self._head, self._lines = head, lines
            self._draw()

    def on_resize(self) -> None:
        self._draw()

    def _draw(self) -> None:
        room = self.scrollable_content_region.width
        if not room:
            return
        rows = [_texts(line) for line in (self._head, *self._lines) if line.cells]
        widths = widths_of(rows, room)
        gap = " " * gap_of(len(widths), room)
        self.query_one(".head", Field).show(*_parts(self._head, widths, gap))
        parts = [part for line in self._lines for part in (*_parts(line, widths, gap), "\n")]
        self.query_one(".lines", Field).show(*parts[:-1] or (self._nothing,), layout=True)


def _texts(line: Line) -> list[str]:
    return [visible(text) for text in (line.name, *line.cells)]


def _parts(line: Line, widths: Sequence[int], gap: str) -> list[Part]:
    """A line in its columns; one without cells is a title over the whole width."""
    if not line.cells:
        return [(visible(line.name), line.style)]
    name, *cells = _texts(line)
    styles = line.styles or ("",) * len(cells)
    parts: list[Part] = [(cell(name, widths[0], name=True), line.style)]
    for text, width, style in zip(cells, widths[1:], styles, strict=True):
        parts.append((gap + cell(text, width), style or line.style))
    return parts
