"""The braille canvas and its decimation, against brute force: no spike lost, no gap bridged."""
# pyright: reportArgumentType=false, reportCallIssue=false
# Arithmetic of numpy's forgets in types that it was float64.

import math

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genai_tui.charts.axes import Scale
from genai_tui.charts.buckets import Buckets, bucket
from genai_tui.charts.canvas import Band, Canvas, braille, stroke

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

BRAILLE = braille()
VALUES = st.one_of(st.floats(-10, 10), st.just(math.nan), st.just(math.inf), st.just(-math.inf))


@st.composite
def curves(draw, values=VALUES, most=120):
    """Sorted x in about [0, 100], some of them equal, and as many values."""
    n = draw(st.integers(1, most))
    x = np.sort(draw(arrays(np.float64, n, elements=st.floats(-20, 120))))
    return x, draw(arrays(np.float64, n, elements=values))


def nearest(x, start, stop, count):
    step = (stop - start) / max(count - 1, 1)
    return np.searchsorted(start + (np.arange(count + 1) - 0.5) * step, x, side="right") - 1


@calm
@given(curves(), st.integers(2, 40), st.sampled_from([-math.inf, 0.0]))
def test_columns_hold_the_bounds_and_ends_of_their_points(curve, count, floor):
    x, y = curve
    columns = bucket(x, y, 0.0, 100.0, count, floor=floor)
    valid = np.where(np.isfinite(y) & (y > floor), y, np.nan)
    place = nearest(x, 0.0, 100.0, count)
    inside = {c: i for i, c in enumerate(columns.column) if 0 <= c <= count - 1}
    assert set(inside) == {p for p in place if 0 <= p < count}
    for column, i in inside.items():
        points = valid[place == column]
        known = points[~np.isnan(points)]
        expected = (known.min(), known.max()) if len(known) else (math.nan, math.nan)
        np.testing.assert_array_equal((columns.low[i], columns.high[i]), expected)
        np.testing.assert_array_equal((columns.first[i], columns.last[i]), (points[0], points[-1]))


@calm
@given(curves(), st.integers(2, 40))
def test_the_nearest_points_outside_are_kept_so_that_lines_reach_the_edge(curve, count):
    x, y = curve
    columns = bucket(x, y, 0.0, 100.0, count)
    place = nearest(x, 0.0, 100.0, count)
    assert sum(columns.column < 0) == min(1, sum(place < 0))
    assert sum(columns.column > count - 1) == min(1, sum(place >= count))
    if any(place < 0):
        np.testing.assert_array_equal(
            columns.last[0], np.where(np.isfinite(y), y, np.nan)[place < 0][-1]
        )


def bands(x, y, count, height, low=-10.0, high=10.0):
    scale = Scale(low, high)
    columns = bucket(x, y, 0.0, 100.0, count)
    return stroke(columns.mapped(lambda v: (1 - scale.position(v)) * (height - 1)), count, height)


@calm
@given(curves(), st.integers(2, 40), st.integers(2, 40))
def test_every_finite_point_in_view_is_inked(curve, count, height):
    x, y = curve
    band = bands(x, y, count, height)
    place = nearest(x, 0.0, 100.0, count)
    for column, value in zip(place, y, strict=True):
        if 0 <= column < count and math.isfinite(value):
            row = math.floor((1 - (value + 10) / 20) * (height - 1) + 0.5)
            assert band.top[column] <= row <= band.bottom[column]


@calm
@given(curves(st.floats(-10, 10)), st.integers(2, 40), st.integers(2, 40))
def test_a_line_without_gaps_is_connected(curve, count, height):
    band = bands(*curve, count, height)
    inked = np.flatnonzero(band.top <= band.bottom)
    assert (np.diff(inked) == 1).all()
    top, bottom = band.top[inked], band.bottom[inked]
    assert (top[1:] <= bottom[:-1] + 1).all()
    assert (top[:-1] <= bottom[1:] + 1).all()


def test_a_spike_among_a_million_points_is_drawn():
    x = np.linspace(0, 100, 1_000_000)
    y = np.zeros_like(x)
    y[123_456] = 10.0
    band = bands(x, y, 80, 40)
    assert np.flatnonzero(band.top == 0).tolist() == [10]


def test_a_steep_line_neither_overlaps_nor_leaves_holes():
    band = bands(np.array([0.0, 100.0]), np.array([10.0, -10.0]), 5, 21)
    assert band.top[0] == 0
    assert band.bottom[-1] == 20
    assert (band.top[1:] == band.bottom[:-1] + 1).all()


def test_nan_breaks_the_line_between_its_neighbours():
    x, y = np.linspace(0, 100, 11), np.zeros(11)
    y[5] = np.nan
    band = bands(x, y, 21, 9)
    assert np.flatnonzero(band.top > band.bottom).tolist() == [9, 10, 11]


def test_a_point_between_two_gaps_is_still_a_dot():
    y = np.array([1.0, np.nan, 2.0, np.nan, 1.0])
    band = bands(np.linspace(0, 100, 5), y, 9, 9)
    assert np.flatnonzero(band.top <= band.bottom).tolist() == [0, 4, 8]


def test_zooming_between_two_points_shows_the_line_that_joins_them():
    band = bands(np.array([-50.0, 150.0]), np.array([0.0, 0.0]), 10, 9)
    assert (band.top == 4).all()
    assert (band.bottom == 4).all()


def test_nothing_in_view_inks_nothing():
    for x in (np.empty(0), np.array([500.0])):
        band = bands(x, x, 10, 9)
        assert (band.top > band.bottom).all()


def drawn(canvas):
    """The dots of a canvas as booleans, read back from its text."""
    dots = np.zeros((canvas.dots, canvas.columns), bool)
    bits = ((0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1), (3, 0), (3, 1))
    for i, row in enumerate(canvas.rows(BRAILLE)):
        for j, char in enumerate("".join(text for text, _ in row)):
            code = 0 if char == " " else ord(char) - 0x2800
            for bit, (down, right) in enumerate(bits):
                dots[4 * i + down, 2 * j + right] = bool(code >> bit & 1)
    return dots


@calm
@given(st.data(), st.integers(1, 9), st.integers(1, 5))
def test_a_canvas_inks_just_the_dots_of_its_bands(data, width, height):
    canvas = Canvas(width, height)
    expected = np.zeros((canvas.dots, canvas.columns), bool)
    for ink in range(2):
        edge = arrays(np.intp, canvas.columns, elements=st.integers(-2, canvas.dots + 1))
        band = Band(data.draw(edge), data.draw(edge))
        canvas.band(band, ink)
        rows = np.arange(canvas.dots)[:, None]
        expected |= (rows >= band.top) & (rows <= band.bottom)
    np.testing.assert_array_equal(drawn(canvas), expected)


def level(row, columns):
    rows = np.full(columns, row)
    return Band(rows, rows)


def test_the_last_ink_owns_a_cell_and_keeps_the_dots_of_the_others():
    canvas = Canvas(2, 1)
    canvas.band(level(0, 4), 1)
    canvas.band(Band(np.array([3, 9, 9, 9]), np.array([3, 0, 0, 0])), 2)
    assert canvas.rows(BRAILLE) == [(("⡉", 2), ("⠉", 1))]


def test_a_canvas_over_another_hides_what_is_in_the_same_cell():
    above, below = Canvas(2, 1), Canvas(2, 1)
    below.band(level(0, 4), 1)
    above.band(Band(np.array([3, 9, 9, 9]), np.array([3, 0, 0, 0])), 2)
    above.over(below)
    assert above.rows(BRAILLE) == [(("⡀", 2), ("⠉", 1))]


def test_blanks_join_the_run_on_their_left():
    canvas = Canvas(6, 1)
    canvas.behind(0, slice(1, None, 3), "x", 7)
    assert canvas.rows(BRAILLE, blank=5) == [((" ", 5), ("x  x ", 7))]


def test_the_background_shows_only_where_no_dots_are():
    canvas = Canvas(3, 1)
    canvas.behind(0, slice(None), "·", 7)
    canvas.band(Band(np.array([9, 9, 0, 9, 9, 9]), np.array([0, 0, 3, 0, 0, 0])), 1)
    assert canvas.rows(BRAILLE) == [(("·", 7), ("⡇", 1), ("·", 7))]


def test_arrays_shown_again_are_not_bucketed_again():
    x, y, buckets = np.arange(10.0), np.arange(10.0), Buckets()
    buckets.begin()
    first = buckets.columns(x, y, 0.0, 9.0, 4, -math.inf)
    buckets.begin()
    assert buckets.columns(x, y, 0.0, 9.0, 4, -math.inf) is first
    assert buckets.columns(x, y.copy(), 0.0, 9.0, 4, -math.inf) is not first
    assert buckets.columns(x, y, 0.0, 8.0, 4, -math.inf) is not first
    assert buckets.columns(x, y, 0.0, 9.0, 4, 0.0) is not first
    buckets.begin()
    buckets.begin()
    assert buckets.columns(x, y, 0.0, 9.0, 4, -math.inf) is not first
