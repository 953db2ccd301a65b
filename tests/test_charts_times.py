"""Axes of time and the part of an axis in sight."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genai_tui.charts.times import Clock, Durations, clock_label, duration_label
from genai_tui.charts.window import following, holding, nearest, panned, within, zoomed

PLACES = st.floats(-1e12, 1e12)


@pytest.fixture
def berlin(monkeypatch):
    """A clock that is put forward on 2026-03-29."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("seconds", "step", "label"),
    [
        (0, 1, "0s"),
        (0.25, 0.05, "0.25s"),
        (42, 1, "42s"),
        (185, 1, "3m05s"),
        (180, 1, "3m"),
        (7800, 1, "2h10m"),
        (7200, 60, "2h"),
        (273600, 3600, "3d04h"),
        (-90, 1, "-1m30s"),
    ],
)
def test_a_duration_has_the_two_units_that_matter(seconds, step, label):
    assert duration_label(seconds, step) == label


@given(st.floats(0, 1e12), st.floats(1e-3, 1e9), st.integers(1, 12))
def test_ticks_are_few_in_order_and_inside(low, span, count):
    if low + span == low:
        return
    for scale in (Durations(low, low + span), Clock(low, low + span)):
        values = [tick.value for tick in scale.ticks(count)]
        assert len(values) <= count + 1
        assert values == sorted(values)
        slack = 1e-5 * span + 1e-9 * (low + span)
        assert all(low - slack <= v <= low + span + slack for v in values)


def test_ticks_of_a_run_of_minutes_are_round():
    labels = [tick.label for tick in Durations(0, 400).ticks(5)]
    assert labels == ["0s", "2m", "4m", "6m"]


def test_the_clock_is_that_of_the_place_and_a_day_begins_with_its_date(berlin):
    noon = 1_795_431_600.0  # 2026-11-23 12:20 in Berlin
    labels = [tick.label for tick in Clock(noon - 14 * 3600, noon + 14 * 3600).ticks(6)]
    assert labels == ["Nov 23", "06:00", "12:00", "18:00", "Nov 24"]
    assert clock_label(noon) == "12:00:00"
    assert clock_label(1e30) == "–"


def test_zooming_keeps_the_anchor_where_it_is():
    assert zoomed((0, 100), (0, 100), 0.5, 20) == (10, 60)
    assert zoomed((10, 60), (0, 100), 2, 20) is None
    assert zoomed((40, 60), (0, 100), 2, 60) == (20, 60)


@given(PLACES, st.floats(1, 1e6), st.floats(0.1, 10), PLACES)
def test_what_is_in_sight_never_is_empty(start, width, factor, anchor):
    window, whole = (start, start + width), (start - width, start + 2 * width)
    shown = zoomed(window, whole, factor, anchor)
    assert shown is None or shown[0] < shown[1]
    for share in (-3.0, -0.25, 0.25, 3.0):
        moved = panned(window, whole, share)
        slack = 1e-9 * (abs(start) + width)
        assert whole[0] - slack <= moved[0] < moved[1] <= whole[1] + slack


def test_a_window_moves_no_further_than_it_must():
    assert within((90, 110), (0, 100)) == (80, 100)
    assert holding((0, 10), 5) == (0, 10)
    assert holding((0, 10), 12) == (3, 13)
    assert holding((0, 10), -2) == (-3, 7)
    assert following((0, 10), 9.9) == (0, 10)
    assert following((0, 10), 10) == (2, 12)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.floats(-1e6, 1e6))
def test_the_nearest_place_is_the_nearest(places, x):
    ordered = np.array(sorted(places))
    assert abs(ordered[nearest(ordered, x)] - x) == min(abs(ordered - x))
