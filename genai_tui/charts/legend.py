"""The first row of a line chart: every series with its colour, its name and a value."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from genai_tui.charts.axes import value_label
from genai_tui.charts.canvas import Row, Run
from genai_tui.charts.palette import ALERT, MUTED, TEXT, line_ink
from genai_tui.charts.series import Series, in_ascii, plain, shortened

_GAP = "   "
_NAME_CELLS = (200, 24, 16, 10, 6)


@dataclass(frozen=True, slots=True)
class Entry:
    """A series in the legend."""

    name: str
    value: str
    ink: int
    bad: bool


def legend(
    series: Sequence[Series],
    width: int,
    *,
    cursor: float | None = None,
    where: str = "",
    note: str = "",
    ascii: bool = False,
) -> Row:
    """A row of exactly `width` cells with the last values, or those at the x of the cursor.

    Names are shortened until all fit; if they never do, the rest is counted. `where` says where
    the cursor is, `note` what is marked there; they come last, so that the series stay in place.
    """
    entries = [_entry(s, i, cursor) for i, s in enumerate(series)]
    place = f"{_GAP}@{where} " if where else ""
    runs = _fitting(entries, width - cell_len(place))
    return _cut([*runs, (place, TEXT), (plain(note), MUTED)], width, ascii)


def _entry(series: Series, index: int, cursor: float | None) -> Entry:
    value = series.at(cursor)
    colour = index if series.colour is None else series.colour
    text = value_label(value) if len(series.x) else "–"
    bad = bool(len(series.x)) and not math.isfinite(value)
    return Entry(plain(series.name), text, line_ink(colour), bad)


def _fitting(entries: Sequence[Entry], room: int) -> list[Run]:
    runs: list[Run] = []
    for cells in _NAME_CELLS:
        runs = [run for i, entry in enumerate(entries) for run in _runs(entry, cells, i)]
        if _width(runs) <= room:
            return runs
    return _counted(entries, room)


def _counted(entries: Sequence[Entry], room: int) -> list[Run]:
    """As many entries with short names as leave room to say how many more there are."""
    runs: list[Run] = []
    for i, entry in enumerate(entries):
        more = f"{_GAP}+{len(entries) - i}"
        grown = runs + _runs(entry, _NAME_CELLS[-1], i)
        if i and _width(grown) > room - len(more):
            return [*runs, (more, MUTED)]
        runs = grown
    return runs


def _runs(entry: Entry, cells: int, index: int) -> list[Run]:
    return [
        ((_GAP if index else "") + "● ", entry.ink),
        (shortened(entry.name, cells) + " ", MUTED),
        (entry.value, ALERT if entry.bad else entry.ink),
    ]


def _width(runs: Sequence[Run]) -> int:
    return sum(cell_len(text) for text, _ in runs)


def _cut(runs: Sequence[Run], width: int, ascii: bool) -> Row:
    """The runs cropped or padded to `width` cells."""
    row: list[Run] = []
    for text, ink in runs:
        shown = in_ascii(text) if ascii else text
        fits = set_cell_size(shown, min(cell_len(shown), width))
        width -= cell_len(fits)
        row.append((fits, ink))
    return (*((text, ink) for text, ink in row if text), (" " * width, TEXT))
