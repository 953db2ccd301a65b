"""The pyramid: exact bounds of any stretch of a series, however it grew."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genai_tui.charts import buckets
from genai_tui.charts.buckets import Buckets, bucket
from genai_tui.charts.pyramid import BLOCK, Pyramid
from genai_tui.column import Column

WHERE = st.integers(0, 5000)


@given(
    st.integers(0, 2**32 - 1),
    st.lists(WHERE, min_size=1, max_size=4),
    st.lists(st.tuples(WHERE, WHERE), min_size=1, max_size=30),
    st.sampled_from([-np.inf, 0.0]),
)
def test_bounds_are_those_of_the_values_whatever_the_stretch(seed, sizes, stretches, floor):
    dice = np.random.default_rng(seed)
    y = dice.normal(size=5000)
    for strange in (np.nan, np.inf, -np.inf):
        y[dice.integers(0, 5000, 300)] = strange
    pyramid = Pyramid(floor)
    for size in sorted(sizes):
        pyramid.follow(y[:size])
    size = max(sizes)
    pairs = [sorted((a % (size + 1), b % (size + 1))) for a, b in stretches]
    begin, end = (np.array(column) for column in zip(*pairs, strict=True))
    low, high = pyramid.bounds(begin, end)
    for a, b, lowest, highest in zip(begin, end, low, high, strict=True):
        valid = y[a:b][(y[a:b] > floor) & (y[a:b] < np.inf)]
        assert np.array_equal(lowest, valid.min() if len(valid) else np.nan, equal_nan=True)
        assert np.array_equal(highest, valid.max() if len(valid) else np.nan, equal_nan=True)


def test_a_chart_of_a_long_series_shows_what_looking_at_every_value_shows(monkeypatch):
    monkeypatch.setattr(buckets, "LONG", 3 * BLOCK)
    dice, x, y, held = np.random.default_rng(3), Column(), Column(), Buckets()
    for _ in range(40):
        count = int(dice.integers(1, 400))
        x.extend(len(x) + np.arange(count) + dice.uniform(0, 0.5, count))
        values = dice.normal(size=count)
        values[dice.uniform(size=count) < 0.1] = np.nan
        y.extend(values)
        held.begin()
        for floor in (-np.inf, 0.0):
            shown = held.columns(x.view, y.view, 10.0, 1.2 * len(x), 300, floor)
            plain = bucket(x.view, y.view, 10.0, 1.2 * len(x), 300, floor=floor)
            for name in ("column", "low", "high", "first", "last"):
                pair = getattr(shown, name), getattr(plain, name)
                assert np.array_equal(*pair, equal_nan=True), name


def test_what_was_cut_away_and_written_again_is_looked_at_again(monkeypatch):
    monkeypatch.setattr(buckets, "LONG", 3 * BLOCK)
    x, y, held = Column(), Column(), Buckets()
    x.extend(np.arange(1000.0))
    y.extend(np.zeros(1000))
    held.begin()
    held.columns(x.view, y.view, 0.0, 1000.0, 50, -np.inf)
    y.cut(200)
    y.extend(np.ones(800))
    held.begin()
    shown = held.columns(x.view, y.view, 0.0, 1000.0, 50, -np.inf)
    assert shown.high[-2] == 1
    assert shown.low[-2] == 1
