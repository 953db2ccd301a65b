"""Columns of a table of lines: which of them fit, how wide they are, and text in that width."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

GAP = 1


@dataclass(frozen=True, slots=True)
class LineColumn:
    """A column between its least and its largest width; the one that matters least goes first."""

    name: str
    title: str
    least: int
    most: int
    matters: int
    right: bool = False


def fitted(columns: Sequence[LineColumn], width: int) -> list[tuple[LineColumn, int]]:
    """The columns that fit into ``width`` cells, each with its width; what matters grows first."""
    kept = list(columns)
    while len(kept) > 1 and _least(kept) > width:
        kept.remove(min(kept, key=lambda column: column.matters))
    spare = max(0, width - _least(kept))
    widths = {column: column.least for column in kept}
    for column in sorted(kept, key=lambda column: -column.matters):
        more = min(column.most - column.least, spare)
        widths[column] += more
        spare -= more
    return [(column, widths[column]) for column in kept]


def _least(columns: Sequence[LineColumn]) -> int:
    return sum(column.least for column in columns) + GAP * (len(columns) - 1)


def set_width(text: str, width: int, *, right: bool = False) -> str:
    """``text`` in exactly ``width`` cells, wide characters counted as two."""
    if right and cell_len(text) <= width:
        return " " * (width - cell_len(text)) + text
    return set_cell_size(text, width)
