"""A picture that lies over its cells: what a frame overwrites of it is painted anew, no more."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from textual.geometry import Offset, Region

from genai_tui.images import sixel

Span = tuple[int, int, int]
"""A row of a picture's cells, the first column and the one after the last."""

_SAVE, _RESTORE = "\x1b7", "\x1b8"


@dataclass(frozen=True, slots=True)
class Sheet:
    """Where a picture is, and how it gets onto the screen."""

    cell: tuple[int, int]
    """Pixels of a cell, width and height."""
    origin: Callable[[], Offset]
    """The place of its first cell on the screen."""
    paint_over: Callable[[Callable[[], str]], None]
    """Takes what says what to write after the frame that is being written."""


class Overlay:
    """The sixels of one picture at one size."""

    def __init__(self, make: Callable[[], sixel.Indexed], sheet: Sheet) -> None:
        """``make`` yields the picture when it is first painted."""
        self._make, self._sheet = make, sheet
        self._picture: sixel.Indexed | None = None
        self._bare: list[Span] = []
        self._last: tuple[Region, str] | None = None

    def bared(self, row: int, first: int, last: int) -> None:
        """The frame that is being written has blanks in columns ``first`` to ``last`` of a row."""
        if last <= first:
            return
        if not self._bare:
            self._sheet.paint_over(self.paint)
        self._bare.append((row, first, last))

    def paint(self) -> str:
        """What fills the blanks of the last frame."""
        blocks, self._bare = blocks_of(self._bare), []
        origin = self._sheet.origin()
        parts: list[str] = []
        for block in blocks:
            x, y = block.offset + origin
            parts.append(f"\x1b[{y + 1};{x + 1}H{self._command(block)}")
        return f"{_SAVE}{''.join(parts)}{_RESTORE}"

    def _command(self, block: Region) -> str:
        """Of one block, which is mostly the whole picture, the bytes are kept."""
        if self._last is None or self._last[0] != block:
            if self._picture is None:
                self._picture = self._make()
            width, height = self._sheet.cell
            command = sixel.command(
                self._picture,
                block.y * height,
                block.x * width,
                block.height * height,
                block.width * width,
            )
            self._last = block, command
        return self._last[1]


def blocks_of(spans: Iterable[Span]) -> list[Region]:
    """The fewest blocks that joining neighbours in a row, then equal rows, makes of spans."""
    blocks: list[Region] = []
    for row, first, last in _joined(spans):
        above = next(
            (
                n
                for n, block in enumerate(blocks)
                if block.bottom == row and _is(block, first, last)
            ),
            None,
        )
        if above is None:
            blocks.append(Region(first, row, last - first, 1))
        else:
            blocks[above] = blocks[above].grow((0, 0, 1, 0))
    return blocks


def _is(block: Region, first: int, last: int) -> bool:
    return (block.x, block.right) == (first, last)


def _joined(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for row, first, last in sorted(spans):
        if joined and joined[-1][0] == row and joined[-1][2] >= first:
            _, start, end = joined.pop()
            first, last = start, max(end, last)
        joined.append((row, first, last))
    return joined
