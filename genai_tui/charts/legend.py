"""The legend of a line chart: every series with its colour, its name and its values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from genai_tui.charts.axes import value_label
from genai_tui.charts.canvas import Row, Run
from genai_tui.charts.palette import ALERT, MUTED, TEXT, dash, line_ink
from genai_tui.charts.series import Series, plain, shortened

_GAP = "   "
_NAME_CELLS = (200, 24, 16, 10, 6)
_BULLET = "●"
_LEAST_CELLS = 20
"""Of an entry in a legend that is unfolded."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A series in the legend; `smooth` is empty where it is not smoothed."""

    bullet: str
    name: str
    value: str
    smooth: str
    ink: int
    bad: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """Where values are read: at x, said as `where`, with what is marked there; or the last ones."""

    x: float | None = None
    where: str = ""
    note: str = ""


def legend(series: Sequence[Series], width: int, reading: Reading, *, dashed: bool = False) -> Row:
    """A row of exactly `width` cells with the values that are read.

    Names are shortened until all fit. Where they are read comes last, so that the series stay in
    place, and is left out before one of them is; if they never fit, the rest is counted.
    `dashed` tells lines by their dashes.
    """
    entries = [_entry(s, i, reading.x, dashed=dashed) for i, s in enumerate(series)]
    place = f"{_GAP}@{reading.where} " if reading.where else ""
    runs = _fitting(entries, width - cell_len(place))
    if runs is None:
        return cut(_fitting(entries, width) or _counted(entries, width), width)
    return cut([*runs, (place, TEXT), (plain(reading.note), MUTED)], width)


def unfolded(
    series: Sequence[Series], width: int, height: int, reading: Reading, *, dashed: bool = False
) -> list[Row]:
    """As many rows as it takes, at most `height` >= 1: raw and smoothed value of every series.

    What is left out is counted; where values are read has the last row.
    """
    entries = [_entry(s, i, reading.x, dashed=dashed) for i, s in enumerate(series)]
    columns = max(1, min(len(entries), width // max(map(_full_width, entries), default=1)))
    cells = width // columns
    place = [(f"@{reading.where} ", TEXT), (plain(reading.note), MUTED)]
    last = [cut(place, width)] if reading.where and height > 1 else []
    rows = max(1, min(height - len(last), math.ceil(len(entries) / columns)))
    shown = entries[: rows * columns]
    if len(shown) < len(entries):
        shown = entries[: rows * columns - 1]
    parts = [cut(_full(entry, cells), cells) for entry in shown]
    if len(shown) < len(entries):
        parts.append(cut([(f"+{len(entries) - len(shown)} more", MUTED)], cells))
    lines = [parts[i : i + columns] for i in range(0, len(parts), columns)]
    return [cut([run for part in line for run in part], width) for line in lines] + last


def _entry(series: Series, index: int, cursor: float | None, *, dashed: bool) -> Entry:
    value, over = series.at(cursor), series.is_over(cursor)
    colour = index if series.colour is None else series.colour
    known = bool(len(series.x)) and not over
    text = value_label(value) if known else "–"
    shows_smooth = known and series.smooth is not None
    smooth = value_label(series.at(cursor, smooth=True)) if shows_smooth else ""
    bad = known and not math.isfinite(value)
    bullet = dash(colour).bullet if dashed else _BULLET
    return Entry(bullet, plain(series.name), text, smooth, line_ink(colour), bad)


def _full_width(entry: Entry) -> int:
    return max(_LEAST_CELLS, sum(cell_len(text) for text, _ in _full(entry, 200)))


def _full(entry: Entry, cells: int) -> list[Run]:
    """An entry with both values, its name shortened to fit."""
    values = f" {entry.value}" + (f" ~{entry.smooth}" if entry.smooth else "")
    room = max(6, cells - cell_len(values) - cell_len(entry.bullet) - 1 - len(_GAP))
    return [
        (f"{entry.bullet} ", entry.ink),
        (shortened(entry.name, room), MUTED),
        (f" {entry.value}", ALERT if entry.bad else entry.ink),
        (f" ~{entry.smooth}" if entry.smooth else "", MUTED),
        (_GAP, MUTED),
    ]


def _fitting(entries: Sequence[Entry], room: int) -> list[Run] | None:
    """All entries, their names as long as they can be; None if they are too many."""
    for cells in _NAME_CELLS:
        runs = [run for i, entry in enumerate(entries) for run in _runs(entry, cells, i)]
        if _width(runs) <= room:
            return runs
    return None


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
        ((_GAP if index else "") + f"{entry.bullet} ", entry.ink),
        (shortened(entry.name, cells) + " ", MUTED),
        (entry.value, ALERT if entry.bad else entry.ink),
    ]


def _width(runs: Sequence[Run]) -> int:
    return sum(cell_len(text) for text, _ in runs)


def cut(runs: Sequence[Run], width: int) -> Row:
    """The runs cropped or padded to `width` cells."""
    row: list[Run] = []
    for text, ink in runs:
        fits = set_cell_size(text, min(cell_len(text), width))
        width -= cell_len(fits)
        row.append((fits, ink))
    return (*((text, ink) for text, ink in row if text), (" " * width, TEXT))
