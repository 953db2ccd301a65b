"""The heat strip: what is many is bright, and what is read stands beside it."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from genai_tui.charts.canvas import Row
from genai_tui.charts.heat import HeatPlot, Slice
from genai_tui.charts.palette import HEAT, heat_levels, line_ink
from genai_tui.charts.plot import View
from genai_tui.charts.series import Mark

ends = st.floats(-1e6, 1e6)


def bell(x: float, spread: float, middle: float = 0.0) -> Slice:
    """10,000 numbers of a bell curve."""
    edges = np.linspace(-4, 4, 49)
    counts = np.diff([5000 * (1 + math.erf(edge / math.sqrt(2))) for edge in edges])
    return Slice(x, middle - 4 * spread, middle + 4 * spread, counts, f"note {x:g}")


def texts(rows: list[Row]) -> list[str]:
    return ["".join(text for text, _ in row) for row in rows]


def cells(row: Row) -> list[tuple[str, int]]:
    return [(letter, ink) for text, ink in row for letter in text]


def brightness(rows: list[Row], plot: HeatPlot, column: int) -> list[int]:
    """The levels of a column of the strip, two a row, downwards."""
    assert plot.frame is not None
    found: list[int] = []
    for row in rows[1 : 1 + plot.frame.plot_height]:
        letter, ink = cells(row)[plot.frame.gutter + column]
        found += (heat_levels(ink) or (0, 0)) if letter == "▀" else (0, 0)
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(ends, ends, st.lists(st.integers(0, 10**6), min_size=1, max_size=5))),
    *(st.integers(1, 60), st.integers(1, 20), st.booleans(), st.booleans()),
    st.one_of(st.none(), st.floats(-10, 200)),
)
def test_the_rows_fill_the_room_whatever_they_are_given(data, width, height, log, mono, cursor):
    slices = [
        Slice(5.0 * i, min(a, b), max(a, b), np.array(counts, np.float64), "a\x1bnote")
        for i, (a, b, counts) in enumerate(data)
    ]
    view = View(log_y=log, mono=mono, cursor=cursor)
    rows = HeatPlot().rows(slices, [Mark(5.0, "a\x1bmark", "error")], view, width, height)
    assert len(rows) == height
    assert {cell_len(text) for text in texts(rows)} == {width}
    assert not any(letter < " " for text in texts(rows) for letter in text)


def test_the_middle_of_a_bell_is_brightest_and_its_tails_are_seen():
    plot = HeatPlot()
    rows = plot.rows([bell(0, 1), bell(100, 1)], (), View(), 60, 20)
    levels = brightness(rows, plot, 3)
    filled = [level for level in levels if level]
    assert filled == [*sorted(filled[: len(filled) // 2]), *filled[len(filled) // 2 :]]
    assert max(filled) == HEAT - 1
    assert filled[0] == filled[-1] == 1


def test_logarithmic_shades_show_more_of_the_tails():
    def total(*, log: bool) -> int:
        plot = HeatPlot()
        rows = plot.rows([bell(0, 1), bell(100, 1)], (), View(log_y=log), 60, 20)
        return sum(brightness(rows, plot, 3))

    assert total(log=True) > total(log=False)


def test_a_column_shows_the_newest_histogram_until_then():
    plot = HeatPlot()
    rows = plot.rows([bell(40, 1), bell(80, 3)], (), View(x_range=(0, 100)), 60, 20)
    assert plot.frame is not None
    before, narrow, wide, after = (
        sum(map(bool, brightness(rows, plot, plot.frame.x_cell(x) or 0))) for x in (20, 60, 80, 95)
    )
    assert before == after == 0
    assert 0 < narrow < wide


def test_the_bars_beside_are_those_of_the_histogram_that_is_read():
    slices = [bell(0, 1, -3), bell(100, 1, 3)]

    def filled(cursor: float | None) -> list[int]:
        rows = texts(HeatPlot().rows(slices, (), View(cursor=cursor), 60, 20))
        return [index for index, row in enumerate(rows) if "█" in row]

    assert max(filled(None)) < min(filled(50.0))  # upwards is more
    heads = [
        texts(HeatPlot().rows(slices, (), View(cursor=cursor), 60, 20))[0]
        for cursor in (None, 50.0, -1.0)
    ]
    assert [head.split("   ")[0].strip() for head in heads] == [
        "● note 100",
        "● note 0",
        "● none yet",
    ]
    assert "@50" in heads[1]


def test_numbers_that_are_all_one_are_a_line():
    plot = HeatPlot()
    pieces = [Slice(x, y, y, np.array([7.0])) for x, y in ((0.0, 0.21), (10.0, 0.93))]
    rows = plot.rows(pieces, (), View(), 60, 20)
    assert [level for level in brightness(rows, plot, 3) if level] == [HEAT - 1]


@pytest.mark.parametrize("log", [False, True])
def test_without_colours_shades_are_letters_of_one_ink(log):
    rows = HeatPlot().rows([bell(0, 1), bell(9, 1)], (), View(mono=True, log_y=log), 60, 20)
    shades = {(letter, ink) for row in rows for letter, ink in cells(row) if letter in "░▒▓█▀"}
    assert {letter for letter, _ in shades} > {"░", "▒"}
    assert {ink for _, ink in shades} == {line_ink(0)}
    assert "▀" not in {letter for letter, _ in shades}
