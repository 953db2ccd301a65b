"""Ticks, labels, scales, and ranges that hold still."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genai_tui.charts.axes import (
    Scale,
    Sticky,
    fitted,
    grown,
    nice_step,
    step_label,
    value_label,
)

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

USUAL = st.floats(-1e290, 1e290).filter(lambda v: v == 0 or abs(v) > 1e-290)


@calm
@given(st.floats(1e-200, 1e200), st.integers(1, 20))
def test_a_nice_step_is_1_2_or_5_times_a_power_of_ten(span, count):
    step = nice_step(span, count)
    assert f"{step:.6e}"[0] in "125"
    assert span / step <= count * (1 + 1e-6)
    assert span / step >= count / 2.6


@calm
@given(USUAL, USUAL, st.integers(2, 12), st.booleans())
def test_ticks_lie_in_order_within_a_scale_that_holds_the_data(a, b, count, log):
    low, high = sorted((abs(a) or 1.0, abs(b) or 1.0)) if log else sorted((a, b))
    scale = fitted(low, high, log=log)
    assert scale.low < scale.high
    place = scale.position(np.array([low, high]))
    assert -1e-9 <= place[0] <= place[1] <= 1 + 1e-9
    ticks = scale.ticks(count)
    assert 1 <= len(ticks) <= max(3 * count, 8)
    values = [tick.value for tick in ticks]
    assert values == sorted(values)
    assert len({tick.label for tick in ticks}) == len(ticks)
    inside = scale.position(np.array(values))
    assert ((inside > -1e-3) & (inside < 1 + 1e-3)).all()


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0, 1.0, "0 0.2 0.4 0.6 0.8 1.0"),
        (0.0, 12000.0, "0 2k 4k 6k 8k 10k 12k"),
        (0.0, 5000.0, "0 1000 2000 3000 4000 5000"),
        (0.0, 1.5e6, "0 0.5M 1.0M 1.5M"),
        (-1.0, 1.0, "-1.0 -0.5 0 0.5 1.0"),
        (0.0, 5e-4, "0 1e-4 2e-4 3e-4 4e-4 5e-4"),
        (1234500.0, 1234520.0, "1.234500M 1.234505M 1.234510M 1.234515M 1.234520M"),
    ],
)
def test_labels_of_an_axis_share_one_unit(low, high, labels):
    assert " ".join(tick.label for tick in Scale(low, high).ticks(7)) == labels


@pytest.mark.parametrize(
    ("low", "high", "count", "labels"),
    [
        (1e-5, 10.0, 8, "1e-5 1e-4 0.001 0.01 0.1 1 10"),
        (1e-12, 1.0, 6, "1e-12 1e-10 1e-8 1e-6 1e-4 0.01 1"),
        (0.1, 5.0, 8, "0.1 0.2 0.5 1 2 5"),
        (0.31, 0.45, 5, "0.35 0.40 0.45"),
        (1e3, 1e9, 8, "1000 10k 100k 1M 10M 100M 1G"),
    ],
)
def test_ticks_of_a_log_axis_are_decades_or_finer(low, high, count, labels):
    assert " ".join(tick.label for tick in Scale(low, high, log=True).ticks(count)) == labels


def test_a_log_scale_places_decades_evenly_and_ignores_what_is_not_positive():
    place = Scale(0.01, 1.0, log=True).position(np.array([0.01, 0.1, 1.0, 0.0, -3.0, np.nan]))
    np.testing.assert_allclose(place, [0, 0.5, 1, np.nan, np.nan, np.nan])


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e-12, 1e308, -1e308, 5e-324])
def test_a_constant_gets_room_around_it(value):
    scale = fitted(value, value)
    place = scale.position(np.array([value]))
    assert scale.low < scale.high
    assert 0 < place[0] < 1 or abs(value) > 1e300
    assert len(scale.ticks(5)) >= 2


def test_positive_values_that_begin_near_zero_begin_at_zero():
    assert fitted(0.01, 2.0).low == 0.0
    assert fitted(0.0, 2.0).low == 0.0
    assert fitted(1.8, 2.0).low > 1.0
    assert fitted(-2.0, 0.0).high == 0.0


@calm
@given(st.floats(0.1, 10), st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_a_sticky_scale_holds_its_data_and_stays_while_it_can(first, shares):
    sticky = Sticky()
    held = sticky.fit(0.0, first)
    for share in shares:
        top = held.high * (0.7 + 0.3 * share)
        assert sticky.fit(0.0, top) == held
    assert sticky.fit(0.0, held.high * 1.01).high >= held.high * 1.01


def test_a_sticky_scale_lets_go_of_room_that_is_no_longer_used():
    sticky = Sticky()
    assert sticky.fit(0.0, 100.0).high >= 100
    assert sticky.fit(0.0, 80.0).high >= 100
    assert sticky.fit(0.0, 10.0).high < 20
    assert sticky.fit(0.1, 10.0, log=True).log


def test_a_falling_loss_moves_the_axis_only_a_few_times():
    sticky, loss = Sticky(), 2.3 * np.exp(-np.linspace(0, 6, 2000)) + 0.05
    scales = {sticky.fit(float(loss[: i + 1].min()), 2.35) for i in range(len(loss))}
    assert len(scales) < 20


@calm
@given(st.floats(0, 1e9), st.floats(0, 1e9), st.none() | st.floats(1, 1e9))
def test_the_x_axis_holds_its_data(a, b, hint):
    first, last = sorted((a, b))
    start, stop = grown(first, last, hint)
    assert start <= first
    assert last <= stop
    assert start < stop


def test_the_x_axis_grows_in_few_jumps_and_then_waits_for_the_end():
    ends = [grown(10, float(step), 50_000)[1] for step in range(10, 50_001, 10)]
    assert ends == sorted(ends)
    assert len(set(ends)) < 45
    assert set(ends[2000:]) == {50_000}
    assert grown(10, 60_000, 50_000)[1] > 60_000


def test_a_run_that_begins_late_begins_at_the_edge():
    assert grown(5000, 6000) == (5000, 6200)
    assert grown(10, 6000)[0] == 0
    assert grown(0, 0) == (0, 1)


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (0.412, "0.4120"),
        (12.34, "12.34"),
        (999.96, "1000"),
        (1234.0, "1234"),
        (12346.0, "12.35k"),
        (999999.0, "1.000M"),
        (-0.5, "-0.5000"),
        (3.1e-4, "3.100e-4"),
        (0.0, "0"),
        (1e300, "1.000e300"),
        (math.nan, "NaN"),
        (math.inf, "NaN"),
    ],
)
def test_values_have_four_digits(value, label):
    assert value_label(value) == label


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (0.0, "0"),
        (950.0, "950"),
        (12346.0, "12.35k"),
        (12300.0, "12.3k"),
        (1000.0, "1k"),
        (1.5e6, "1.5M"),
        (-2000.0, "-2k"),
        (0.25, "0.25"),
    ],
)
def test_steps_are_short(value, label):
    assert step_label(value) == label


@calm
@given(USUAL)
def test_labels_read_back_as_the_value(value):
    for label in (value_label(value), step_label(value)):
        unit = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}.get(label[-1], 1.0)
        number = float(label if unit == 1.0 else label[:-1]) * unit
        assert number == pytest.approx(value, rel=6e-4, abs=1e-320)
