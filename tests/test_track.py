"""A scalar that is thinned out as it grows keeps what is seen of it: peaks, gaps, its course."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from genai_tui.track import Track

values = st.lists(
    st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1.0]),
    min_size=1,
    max_size=300,
)
limits = st.sampled_from([16, 32, 64])


def grown(values: list[float], cuts: list[int], most: int, apart: int = 1) -> Track:
    """A track that took in so many values at a time, and never has more than ``most`` points."""
    track, begin, sizes = Track(), 0, [*cuts]
    while begin < len(values):
        end = begin + (sizes.pop() if sizes else len(values))
        steps = np.arange(begin, min(end, len(values)), dtype=np.float64) * apart + 5
        track.extend(steps, np.array(values[begin:end]))
        begin = end
        if len(track) > most:
            track.thin(most)
    return track


def spans(values: list[float], older: int, width: int) -> list[list[int]]:
    found: dict[int, list[int]] = {}
    for place in range(older):
        found.setdefault((place + 5) // width, []).append(place)
    return list(found.values())


def told(values: list[float], span: list[int]) -> set[int]:
    """Which places of a span stay, by the words of the documentation."""
    finite = [place for place in span if math.isfinite(values[place])]
    wild = [place for place in span if not math.isfinite(values[place])]
    ends = {min(finite, key=values.__getitem__), max(finite, key=values.__getitem__)}
    return (ends if finite else set()) | set(wild[:1])


@given(values, limits)
def test_of_each_span_the_lowest_the_highest_and_the_first_gap_stay(
    values: list[float], most: int
) -> None:
    track = grown(values, [], most)
    kept = [int(step) - 5 for step in track.steps]
    assert len(kept) <= most
    assert all(np.array_equal(track.values[i], values[p], True) for i, p in enumerate(kept))
    assert track.is_thinned == (len(values) > most)
    if not track.is_thinned:
        assert kept == list(range(len(values)))
        return
    older, width = len(values) - most // 2, 1
    while (older + 4) // width - 5 // width >= most // 8:
        width *= 2
    each = spans(values, older, width)
    staying = sorted({place for span in each for place in told(values, span)})
    assert kept == staying + list(range(older, len(values)))
    course = dict(zip(kept, track.course().tolist(), strict=True))
    for span in each:
        finite = [values[place] for place in span if math.isfinite(values[place])]
        for place in told(values, span):
            mean = sum(finite) / len(finite) if math.isfinite(values[place]) else math.nan
            assert math.isclose(course[place], mean, abs_tol=1e-6) or math.isnan(mean)
    np.testing.assert_array_equal(track.course(len(staying)), track.values[len(staying) :])


@given(values, st.lists(st.integers(1, 60), max_size=12), limits, st.integers(1, 1000))
def test_it_does_not_matter_in_how_many_goes(
    values: list[float], cuts: list[int], most: int, apart: int
) -> None:
    """A first value that always stays, so that the spans begin at one place."""
    series = [math.nan, *values]
    bit_by_bit = grown(series, cuts, most, apart)
    assert len(bit_by_bit) <= most
    if len(series) > most:
        bit_by_bit.thin(most)
    at_once = grown(series, [], most, apart)
    assert bit_by_bit.steps.tolist() == at_once.steps.tolist()
    np.testing.assert_array_equal(bit_by_bit.values, at_once.values)
    np.testing.assert_allclose(bit_by_bit.course(), at_once.course(), atol=1e-6)


@given(values, limits, st.integers(0, 310), st.integers(1, 60))
def test_what_is_cut_off_and_what_is_dropped_takes_its_means_along(
    values: list[float], most: int, step: int, last: int
) -> None:
    track = grown(values, [20] * 20, most)
    course = dict(zip(track.steps.tolist(), track.course().tolist(), strict=True))
    track.cut(step)
    track.keep_last(last)
    assert len(track) <= last
    np.testing.assert_array_equal(track.course(), [course[step] for step in track.steps.tolist()])
    half = len(track) // 2
    np.testing.assert_array_equal(track.course(half), track.course()[half:])


def test_a_run_looks_alike_everywhere_however_long_it_is() -> None:
    """The oldest of it is thinned no more than what is nearly new."""
    most, length = 1 << 10, 1 << 17
    wave = np.sin(np.arange(length) * 2 * np.pi / 4096)
    track = grown(wave.tolist(), [500] * 300, most)
    older = track.steps < length - most
    apart = np.diff(track.steps[older])
    assert apart.max() <= 2 * length / (most // 8) * 2
    eighth = [np.count_nonzero((track.steps[older] * 8 // length) == i) for i in range(7)]
    assert min(eighth) >= 0.8 * max(eighth)
