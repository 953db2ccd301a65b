"""The rows of a line chart: legend, axes, marks, names that nobody has checked, any size."""
# pyright: reportArgumentType=false, reportCallIssue=false
# Arithmetic of numpy's forgets in types that it was float64.

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from genai_tui.charts.axes import value_label
from genai_tui.charts.palette import ALERT, DARK, LIGHT, MARK, faint_ink, line_ink
from genai_tui.charts.plot import Plot, View
from genai_tui.charts.series import Mark, Series, plain, shortened

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

STEPS = np.arange(1, 101) * 100.0


def falling(name="loss", *, smooth=None):
    return Series(name, STEPS, 3 * np.exp(-STEPS / 3000) + 0.2, smooth)


def texts(series, marks=(), view=View(), width=80, height=20):  # noqa: B008  a frozen value
    rows = Plot().rows(series, marks, view, width, height)
    return ["".join(text for text, _ in row) for row in rows]


def inks(row):
    return {ink for _, ink in row}


@calm
@given(
    st.integers(1, 200),
    st.integers(1, 60),
    st.lists(
        st.tuples(
            st.text(max_size=40),
            st.lists(st.floats() | st.floats(0, 1), max_size=30),
            st.booleans(),
        ),
        max_size=4,
    ),
    st.booleans(),
    st.none() | st.floats(-1e9, 1e9),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["number", "duration", "clock"]),
)
def test_any_data_fills_any_size_exactly(width, height, data, log, cursor, unfolds, mono, unit):
    series = [
        Series(name, np.arange(len(y)) * 1.0, np.array(y), np.array(y) if smooth else None)
        for name, y, smooth in data
    ]
    marks = [Mark(5.0, "a\x1bmark", "error"), Mark(-7.0, "", "")]
    view = View(log_y=log, x_unit=unit, cursor=cursor, unfolded=unfolds, mono=mono)
    rows = texts(series, marks, view, width, height)
    assert len(rows) == height
    assert {cell_len(row) for row in rows} == {width}
    assert not any(c < " " or c == "\x7f" for row in rows for c in row)


def test_the_legend_names_every_series_with_its_last_value_in_its_colour():
    series = [falling("a"), Series("b", STEPS, np.full(100, 12345.6))]
    head = Plot().rows(series, (), View(), 80, 20)[0]
    assert (f"{falling().y[-1]:.4f}", line_ink(0)) in head
    assert ("12.35k", line_ink(1)) in head


def test_a_last_value_that_is_not_finite_reads_nan_as_an_alarm():
    y = np.append(np.ones(99), math.inf)
    head = Plot().rows([Series("loss", STEPS, y)], (), View(), 80, 20)[0]
    assert ("NaN", ALERT) in head


def test_a_series_keeps_the_colour_it_asks_for():
    rows = Plot().rows([Series("b", STEPS, STEPS, colour=3)], (), View(), 80, 20)
    assert line_ink(3) in inks(rows[0])
    assert line_ink(3) in set().union(*map(inks, rows[1:]))


def test_names_are_shortened_in_the_middle_until_all_fit():
    names = [f"generator/a_rather_long_name/{i}" for i in range(4)]
    head = texts([falling(name) for name in names], width=80)[0]
    assert head.count("●") == 4
    assert all(f"/{i} " in head for i in range(4))


def test_series_that_never_fit_are_counted():
    head = texts([falling(f"name{i}") for i in range(20)], width=60)[0]
    shown = head.count("●")
    assert 0 < shown < 20
    assert f"+{20 - shown}" in head


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\x1b[31mb\x07", "a[31mb"),
        ("\x9b31mred\u202edlo", "31mreddlo"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        ("two\nlines", "twolines"),
        ("\ud800lone", "lone"),
        ("損失", "損失"),
        ("x" * 999, "x" * 200),
    ],
)
def test_names_lose_what_a_terminal_would_obey(name, shown):
    assert plain(name) == shown


@calm
@given(st.text(max_size=30), st.integers(1, 20))
def test_a_shortened_name_fits(name, cells):
    assert cell_len(shortened(plain(name), cells)) <= cells


def test_where_values_are_read_is_left_out_before_a_line_is():
    series = [falling("a"), falling("b")]
    wide, narrow = (texts(series, view=View(cursor=5000.0), width=w)[0] for w in (60, 26))
    assert "@5k" in wide
    assert "@5k" not in narrow
    assert "b 0.7666" in narrow


def test_an_unfolded_legend_has_the_raw_and_the_smoothed_value_of_every_series():
    names = [f"bucket {i}" for i in range(6)]
    series = [falling(name, smooth=np.full(100, 0.25 + i)) for i, name in enumerate(names)]
    folded, rows = texts(series, width=80), texts(series, view=View(unfolded=True), width=80)
    assert not all(name in folded[0] for name in names)
    shown = "\n".join(rows[:10])
    for i, name in enumerate(names):
        assert f"{name} {falling().y[-1]:.4f} ~{value_label(0.25 + i)}" in shown
    assert len(rows) == len(folded)


def test_an_unfolded_legend_takes_half_of_the_chart_and_counts_the_rest():
    series = [falling(f"series {i}") for i in range(40)]
    rows = texts(series, view=View(unfolded=True, cursor=500.0), width=40, height=20)
    assert rows[9].startswith("@500")
    assert "more" in rows[8]
    assert any("└" in row for row in rows[10:])


def test_without_colours_lines_are_told_by_their_dashes():
    series = [Series(str(i), STEPS, np.full(100, 1.0 + i)) for i in range(4)]
    rows = texts(series, view=View(mono=True), width=80, height=30)
    drawn = [row[7:] for row in rows[1:-2] if sum("\u2800" < c <= "\u28ff" for c in row) > 20]
    patterns = {tuple(c == " " or c == "·" for c in row[:40]) for row in drawn}
    assert len(patterns) >= 3
    assert all(bullet in rows[0] for bullet in ("━━ 0", "╍╍ 1", "┅┅ 2", "━╍ 3"))


def test_without_a_point_it_says_so():
    for series in ([], [Series("loss", np.empty(0), np.empty(0))]):
        assert sum("no data yet" in row for row in texts(series)) == 1


def test_values_that_cannot_be_drawn_are_explained():
    bad = Series("loss", STEPS, np.full(100, np.nan))
    assert any("no finite values" in row for row in texts([bad]))
    below = Series("loss", STEPS, -STEPS)
    assert any("no positive values" in row for row in texts([below], view=View(log_y=True)))


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="one shape"):
        Series("loss", STEPS, STEPS[:-1])
    with pytest.raises(ValueError, match="one shape"):
        Series("loss", STEPS, STEPS, STEPS[:-1])


def test_the_raw_line_is_faint_behind_the_smooth_one():
    noisy = Series("loss", STEPS, np.where(np.arange(100) % 2, 1.0, 2.0), np.full(100, 1.5))
    rows = Plot().rows([noisy], (), View(), 80, 20)
    everywhere = set().union(*map(inks, rows[1:]))
    assert {line_ink(0), faint_ink(0)} <= everywhere
    alone = Plot().rows([falling()], (), View(), 80, 20)
    assert faint_ink(0) not in set().union(*map(inks, alone))


def test_the_axes_are_labelled_with_round_numbers():
    rows = texts([falling()], view=View(x_hint=10_000))
    assert rows[-1].split() == ["0", "2k", "4k", "6k", "8k", "10k"]
    assert [row[:5].strip() for row in rows[1:-2] if row[6] == "┤"] == ["3", "2", "1", "0"]
    assert rows[-2].count("┬") == 6


def test_a_log_axis_is_labelled_with_decades():
    loss = Series("loss", STEPS, 10.0 ** np.linspace(0, -5, 100))
    rows = texts([loss], view=View(log_y=True), height=24)
    labels = [row[:7].strip(" ┤") for row in rows[1:-2] if row[6] == "┤"]
    assert labels == ["1", "0.1", "0.01", "0.001", "1e-4", "1e-5"]


def test_marks_stand_on_the_axis():
    marks = [Mark(5000, "saved", "checkpoint"), Mark(8000, "out of memory", "error")]
    row = Plot().rows([falling()], marks, View(x_hint=10_000), 80, 20)[-2]
    assert ("▴", MARK) in row
    assert ("✗", ALERT) in row


def test_a_mark_outside_the_range_is_not_shown():
    view = View(x_range=(1000, 2000))
    assert "▴" not in texts([falling()], [Mark(5000, "saved")], view)[-2]


def test_the_cursor_reads_all_series_and_the_mark_beneath():
    rows = texts([falling()], [Mark(5000, "saved")], View(cursor=5000.0, x_hint=10_000))
    assert f"{falling().y[49]:.4f}" in rows[0]
    assert "@5k saved" in rows[0]
    assert sum("│" in row[8:] for row in rows) > 10


def test_the_cursor_reads_no_value_of_a_line_that_ended_before():
    ended = Series("ended", STEPS[:10], np.full(10, 7.25))
    rare = Series("rare", STEPS[::25], np.full(len(STEPS[::25]), 3.5))
    x = float(STEPS[40])
    (first, *_) = texts([falling(), ended, rare], view=View(cursor=x, x_hint=10_000))
    assert "ended –" in first
    assert "rare 3.500" in first, "the newest there is, since the next is not due yet"
    (first, *_) = texts([falling(), ended], view=View(cursor=float(STEPS[10]), x_hint=10_000))
    assert "ended 7.250" in first


def test_a_range_shows_just_that_part():
    y = np.where(STEPS < 5000, 1000.0, 1.0)
    rows = texts([Series("loss", STEPS, y)], view=View(x_range=(6000, 8000)))
    assert not any("k" in row[:7] for row in rows)
    assert rows[-1].split()[0] == "6000"


def test_a_gap_in_the_data_is_a_gap_in_the_line():
    y = np.ones(100)
    y[40:60] = np.nan
    rows = texts([Series("loss", STEPS, y)], view=View(x_range=(100, 10_000)))
    line = max(rows[1:-2], key=lambda row: sum("\u2800" < c <= "\u28ff" for c in row))
    plot = line[7:]
    drawn = ["\u2800" < c <= "\u28ff" for c in plot]
    assert drawn[0]
    assert drawn[-1]
    assert sum(drawn) == pytest.approx(0.8 * len(plot), abs=3)


def test_the_axes_hold_still_while_data_arrives():
    plot, held = Plot(), None
    for n in range(70, 100):
        series = [Series("loss", STEPS[:n], falling().y[:n])]
        rows = plot.rows(series, (), View(x_hint=10_000), 100, 30)
        if held is not None:
            changed = [i for i, row in enumerate(rows) if row != held[i]]
            assert len(changed) <= 4
        held = rows


def test_a_point_under_the_mouse_is_where_it_is_drawn():
    plot = Plot()
    plot.rows([falling()], (), View(x_hint=10_000), 80, 20)
    frame = plot.frame
    assert frame is not None
    assert [frame.x_cell(frame.x_at(c)) for c in range(73)] == list(range(73))
    assert frame.x_cell(-1000.0) is None


@pytest.mark.parametrize(("dark", "palette"), [(True, DARK), (False, LIGHT)], ids=["dark", "light"])
def test_colours_stand_out_on_every_theme(dark, palette):
    for theme in BUILTIN_THEMES.values():
        background = theme.background or "#121212"
        if theme.dark == dark and background.startswith("#"):
            worst = min(contrast(colour, background) for colour in palette)
            assert worst >= 3, (theme.name, worst)


def contrast(a, b):
    """The ratio of WCAG 2.1."""
    light, dark = sorted((luminance(linear(a)), luminance(linear(b))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(rgb):
    return rgb @ np.array([0.2126, 0.7152, 0.0722])


# Machado, Oliveira and Fernandes (2009), table 1, full severity.
BLINDNESS = {
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.3039],
    ],
}


@pytest.mark.parametrize("kind", BLINDNESS)
@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=["dark", "light"])
def test_the_first_colours_differ_for_colour_blind_eyes(kind, palette):
    seen = [lab(np.array(BLINDNESS[kind]) @ linear(colour)) for colour in palette[:4]]
    distances = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(distances) > 10


def linear(colour):
    s = np.array(Color.parse(colour).rgb) / 255
    return np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1.0, 1.089]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_the_pure_part_needs_no_textual():
    rooms = "axes, buckets, canvas, frame, legend, palette, plot, pyramid, series, smoothing, times"
    code = f"import sys; from genai_tui.charts import {rooms}; sys.exit('textual' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
