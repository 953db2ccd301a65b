"""The chart in an app: what it looks like, and that only changed rows are painted."""

import io

import numpy as np
import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Label

from genai_tui.charts.line import LineChart, Mark, Series
from genai_tui.charts.smoothing import smooth
from genai_tui.charts.strips import CompactStrip
from genai_tui.likeness import Ascii

SIZES = [(80, 24), (120, 40)]
MARKS = [Mark(3000, "saved", "checkpoint"), Mark(7000, "out of memory", "error")]


def losses(count=1000, weight=None):
    """A GAN's noisy curves, one of them with a gap, from a fixed seed."""
    rng = np.random.default_rng(7)
    x = np.arange(1, count + 1, dtype=np.float64) * 10
    curves = []
    for i, name in enumerate(("G/loss", "D/loss", "D/r1")):
        y = (2.2 - 0.5 * i) * np.exp(-x / 10_000 * (2 + i)) + 0.3 + 0.2 * i
        y += rng.normal(size=count) * 0.06
        if i == 1:
            y[count // 2 : count // 2 + count // 15] = np.nan
        curves.append(Series(name, x, y, None if weight is None else smooth(y, weight)))
    return curves


def last_value(series):
    return f"G/loss {series[0].y[-1]:#.4g} "


class Watched(LineChart):
    """A chart that notes which regions it asked to have painted."""

    def __init__(self, title=""):
        super().__init__(title)
        self.asked = []
        self.pictures = 0

    def refresh(self, *regions, **options):
        if options.get("repaint", True) and hasattr(self, "asked"):
            self.asked.append(regions)
        return super().refresh(*regions, **options)

    def picture(self, width, height):
        self.pictures += 1
        return super().picture(width, height)


class ChartApp(App):
    CSS = "LineChart { height: 1fr; }"

    def __init__(self, series=(), marks=(), title="loss", **reactives):
        super().__init__()
        self.chart = Watched(title)
        self.shown = series, marks
        self.reactives = reactives

    def compose(self) -> ComposeResult:
        yield self.chart

    def on_mount(self):
        for name, value in self.reactives.items():
            setattr(self.chart, name, value)
        self.chart.show(*self.shown)


def rows(chart):
    return [chart.render_line(y).text for y in range(chart.size.height)]


@pytest.mark.parametrize("size", SIZES)
def test_looks_raw(snap_compare, size):
    assert snap_compare(ChartApp(losses(), MARKS), terminal_size=size)


@pytest.mark.parametrize("size", SIZES)
def test_looks_smooth(snap_compare, size):
    app = ChartApp(losses(weight=0.95), MARKS, x_hint=12_000)
    assert snap_compare(app, terminal_size=size)


def test_looks_light(snap_compare):
    async def switch(pilot):
        pilot.app.theme = "textual-light"

    app = ChartApp(losses(weight=0.95), MARKS)
    assert snap_compare(app, terminal_size=(80, 24), run_before=switch)


def test_looks_logarithmic(snap_compare):
    x = np.arange(1, 2001, dtype=np.float64)
    y = np.exp(-x / 250) * (1 + 0.2 * np.sin(x / 15))
    app = ChartApp([Series("mse", x, y)], title="error", log_y=True)
    assert snap_compare(app, terminal_size=(80, 24))


def test_looks_in_ascii(snap_compare):
    class AsciiApp(ChartApp):
        def get_line_filters(self):
            return [*super().get_line_filters(), Ascii()]

    assert snap_compare(AsciiApp(losses(), MARKS), terminal_size=(80, 24))


def test_looks_without_colours(snap_compare, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(ChartApp(losses(weight=0.95), MARKS), terminal_size=(80, 24))


def test_looks_with_an_unfolded_legend(snap_compare):
    app = ChartApp(losses(weight=0.95), MARKS, unfolded=True, cursor=7000.0)
    assert snap_compare(app, terminal_size=(80, 24))


def test_looks_empty(snap_compare):
    assert snap_compare(ChartApp(), terminal_size=(80, 24))


def test_looks_at_the_cursor(snap_compare):
    app = ChartApp(losses(weight=0.9), MARKS, cursor=7000.0)
    assert snap_compare(app, terminal_size=(80, 24))


async def test_nothing_is_painted_when_nothing_has_changed():
    app = ChartApp(losses())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.chart.asked.clear()
        app.chart.show(losses())
        await pilot.pause()
        assert app.chart.asked == []


async def test_just_the_changed_rows_are_painted():
    app = ChartApp(losses(900), x_hint=10_000)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        before = rows(app.chart)
        app.chart.asked.clear()
        app.chart.show(losses()[:1] + losses(900)[1:])
        await pilot.pause()
        after = rows(app.chart)
        changed = {y for y, (a, b) in enumerate(zip(before, after, strict=True)) if a != b}
        (regions,) = app.chart.asked
        assert {y for region in regions for y in region.line_range} == changed
        assert 0 in changed
        assert len(changed) < 12
        assert {(region.x, region.width) for region in regions} == {(-1, 80)}


async def test_several_calls_in_a_row_are_one_picture():
    app = ChartApp(losses())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        pictures = app.chart.pictures
        for count in (700, 800, 900):
            app.chart.show(losses(count))
        app.chart.log_y = True
        await pilot.pause()
        assert app.chart.pictures == pictures + 1
        assert last_value(losses(900)) in rows(app.chart)[0]


async def test_a_chart_out_of_sight_is_drawn_when_it_comes_into_sight():
    class Scrolled(ChartApp):
        CSS = "LineChart { height: 12; } Label { height: 60; }"

        def compose(self) -> ComposeResult:
            with VerticalScroll():
                yield Label("above")
                yield self.chart

    app = Scrolled(losses())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert app.chart.pictures == 0
        app.chart.asked.clear()
        app.chart.show(losses(500))
        await pilot.pause()
        assert app.chart.pictures == 0
        assert app.chart.asked == []
        app.chart.scroll_visible(animate=False)
        await pilot.pause()
        assert app.chart.pictures == 1
        assert last_value(losses(500)) in rows(app.chart)[0]


async def test_a_chart_under_a_dialog_stays_right():
    app = ChartApp(losses())
    async with app.run_test(size=(80, 24)) as pilot:
        await app.push_screen(ModalScreen())
        app.chart.show(losses(500))
        await pilot.pause()
        await app.pop_screen()
        await pilot.pause()
        assert last_value(losses(500)) in rows(app.chart)[0]


async def test_a_resized_chart_fills_its_new_size():
    app = ChartApp(losses())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        for size in ((120, 40), (30, 8), (5, 3), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert len(rows(app.chart)) == max(0, size[1] - 2)
        assert "G/loss" in rows(app.chart)[0]


async def test_a_theme_changes_the_colours():
    app = ChartApp(losses())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        dark = app.chart.render_line(0)
        app.theme = "textual-light"
        await pilot.pause()
        light = app.chart.render_line(0)
        assert dark.text == light.text
        assert dark != light


@pytest.mark.parametrize("theme", ["ansi-dark", "ansi-light"])
async def test_terminal_colours_are_left_as_they_are(theme):
    app = ChartApp(losses(weight=0.9))
    async with app.run_test(size=(80, 24)) as pilot:
        app.theme = theme
        await pilot.pause()
        assert "G/loss" in rows(app.chart)[0]


async def test_the_mouse_reads_values_and_leaves():
    app = ChartApp(losses())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.hover(LineChart, offset=Offset(40, 10))
        assert app.chart.pointer == pytest.approx(5000, rel=0.1)
        await pilot.pause()
        assert "@" in rows(app.chart)[0]
        await pilot.hover(LineChart, offset=Offset(3, 10))
        assert app.chart.pointer is None


async def test_names_and_titles_are_never_markup():
    x = np.arange(3.0)
    title = "[red]loss[/red]\x1b]0;owned\x07"
    app = ChartApp([Series("[blink]a[/]\x1b[2J", x, x)], title=title)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "[blink]a[/][2J" in rows(app.chart)[0]
        shown = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "[red]loss[/red]]0;owned" in shown
        assert "\x1b" not in shown


@pytest.mark.parametrize("empty", [(3.0, 3.0), (5.0, 2.0), (np.nan, 1.0)])
def test_an_empty_range_is_refused(empty):
    with pytest.raises(ValueError, match="x_range"):
        LineChart().x_range = empty


def test_a_chart_can_be_fed_before_it_is_in_an_app():
    chart = LineChart("loss")
    chart.show(losses())
    chart.log_y = True
    chart.cursor = 3.0


STYLES = [
    Style(color="#ff0000", bgcolor="#101010"),
    Style(color="#00ff00", bgcolor="#101010"),
    Style(color="#00ff00", bgcolor="#202020"),
    Style(color="#00ff00", bgcolor="#202020", bold=True),
    Style(color="#0000ff", bgcolor="#202020", bold=True, underline=True),
    Style(color="#0000ff"),
    Style(bgcolor="#202020"),
    None,
    Style(italic=True),
]


@pytest.mark.parametrize("system", ["truecolor", "256", "standard"])
def test_a_compact_strip_paints_what_a_strip_paints_in_fewer_bytes(system):
    order = np.random.default_rng(0).integers(0, len(STYLES), 60)
    segments = [Segment(f"<{i}>", STYLES[i]) for i in order]
    console = Console(color_system=system, file=io.StringIO(), force_terminal=True)
    plain, compact = Strip(segments), CompactStrip(segments)
    assert painted(compact.render(console)) == painted(plain.render(console))
    assert len(compact.render(console)) < len(plain.render(console))
    assert compact.render(console).endswith("\x1b[0m")
    for start, end in ((0, 40), (7, 101), (0, None)):  # a part of a row is repainted alone
        parts = [strip.crop(start, end).render(console) for strip in (plain, compact)]
        assert painted(parts[0]) == painted(parts[1])
        assert len(parts[0]) > len(parts[1])


def painted(sequence):
    """Every character with the look that a terminal gives it."""
    text = Text.from_ansi(sequence)
    console = Console(file=io.StringIO())
    looks = (text.get_style_at_offset(console, i) for i in range(len(text)))
    return [
        (
            char,
            style.color,
            style.bgcolor,
            bool(style.bold),
            bool(style.italic),
            bool(style.underline),
        )
        for char, style in zip(text.plain, looks, strict=True)
    ]
