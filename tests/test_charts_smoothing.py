"""Smoothing equals its sequential definition, however the series arrives; sparklines."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genai_tui.charts.smoothing import Smoother, smooth
from genai_tui.charts.spark import sparkline

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

WEIGHTS = st.floats(0, 0.9999)
SERIES = arrays(
    np.float64,
    st.integers(0, 300),
    elements=st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf])),
)


def sequentially(values, weight):
    mean, count, out = 0.0, 0, []
    for value in values:
        if math.isfinite(value):
            mean, count = weight * mean + (1 - weight) * value, count + 1
        known = math.isfinite(value)
        total = -math.expm1(count * math.log(weight)) if weight > 0 else 1.0
        out.append(mean / total if known else math.nan)
    return np.array(out)


def same(smoothed, values, weight):
    scale = np.max(np.abs(values), where=np.isfinite(values), initial=1.0)
    np.testing.assert_allclose(
        smoothed / scale, sequentially(values, weight) / scale, rtol=1e-9, atol=1e-9
    )


@calm
@given(SERIES, WEIGHTS)
def test_smoothing_equals_the_sequential_definition(values, weight):
    same(smooth(values, weight), values, weight)


@calm
@given(SERIES, WEIGHTS, st.lists(st.integers(0, 300), max_size=8))
def test_smoothing_in_pieces_equals_smoothing_at_once(values, weight, cuts):
    smoother = Smoother(weight)
    pieces = [smoother.extend(piece) for piece in np.split(values, sorted(cuts))]
    same(np.concatenate(pieces), values, weight)
    np.testing.assert_array_equal(smoother.values, np.concatenate(pieces))
    assert len(smoother) == len(values)


def test_a_long_series_equals_the_sequential_definition():
    values = np.random.default_rng(0).normal(size=40_000)
    values[::97] = np.nan
    for weight in (0.6, 0.99, 0.9999):
        same(smooth(values, weight), values, weight)


def test_a_constant_stays_what_it_is_from_the_first_value():
    np.testing.assert_allclose(smooth(np.full(5000, 3.5), 0.999), 3.5, rtol=1e-12)


def test_no_weight_changes_nothing():
    values = np.array([1.0, -2.0, 3.0])
    np.testing.assert_array_equal(smooth(values, 0.0), values)


def test_the_values_cannot_be_written():
    smoother = Smoother(0.5)
    smoother.extend([1.0])
    with pytest.raises(ValueError, match="read-only"):
        smoother.values[0] = 2.0


@pytest.mark.parametrize("weight", [-0.1, 1.0, math.nan])
def test_a_weight_outside_its_range_is_refused(weight):
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        Smoother(weight)


def test_a_sparkline_goes_from_the_lowest_to_the_highest_bar():
    assert sparkline(range(8), 8) == "▁▂▃▄▅▆▇█"
    assert sparkline(range(800), 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([5.0], 8) == "▄"


def test_a_sparkline_shows_gaps_and_a_bad_end():
    assert sparkline([0.0, math.nan, 1.0], 8) == "▁ █"
    assert sparkline([0.0, 1.0, math.inf], 8) == "▁█!"
    assert sparkline([math.nan, math.nan], 8) == " !"
    assert sparkline([], 8) == sparkline([1.0], 0) == ""


@calm
@given(st.lists(st.floats(), max_size=60), st.integers(-1, 30))
def test_a_sparkline_never_is_wider_than_asked(values, width):
    text = sparkline(values, width)
    assert len(text) == max(0, min(len(values), width))
