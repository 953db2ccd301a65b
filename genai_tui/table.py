"""Rows of texts in columns that fit: the same for a screen and for the command line. Pure."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

NARROWEST = 7
MOST_A_CELL = 4
"""Characters that are looked at for a cell: marks that combine with a letter take none."""


def gap_of(columns: int, room: int) -> int:
    """Cells between two columns: two, or one where as many columns fit no other way."""
    return 2 if NARROWEST * columns + 2 * (columns - 1) <= room else 1


def widths_of(rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """Cells for each column, so that a row is at most ``room`` wide; the widest columns give way.

    The first column names the rows and gives way last; below seven cells no column does.
    """
    widths = [min(room, max(1, *map(cell_len, each))) for each in zip(*rows, strict=True)]
    gaps = gap_of(len(widths), room) * (len(widths) - 1)
    while sum(widths) + gaps > room:
        rest = widths[1:] or widths
        widest = max(rest)
        if widest > NARROWEST:
            widths[widths.index(widest, 1 if widths[1:] else 0)] -= 1
        elif widths[0] > NARROWEST:
            widths[0] -= 1
        else:
            break
    return widths


def cell(text: str, width: int, *, name: bool = False) -> str:
    """A text in exactly ``width`` cells. A value keeps its end, where paths and versions differ."""
    if cell_len(text) <= width:
        return text + " " * (width - cell_len(text))
    if name:
        return set_cell_size(text, width - 1) + "…"
    return set_cell_size("…" + last_cells(text, width - 1), width)


def last_cells(text: str, width: int) -> str:
    """The end of a text in at most ``width`` cells, however long the text is."""
    text = text[-MOST_A_CELL * max(1, width) :]
    while cell_len(text) > width:
        text = text[1:]
    return text
