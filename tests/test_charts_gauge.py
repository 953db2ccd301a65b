"""The gauge: an area over time, a value as text, and no claim about what is not known."""
# pyright: reportArgumentType=false, reportCallIssue=false
# Arithmetic of numpy's forgets in types that it was float64.

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App
from textual.containers import Grid

from genai_tui.charts.gauge import Gauge, quantity

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

BUSY = 50 + 45 * np.sin(np.linspace(0, 9, 120))


class GaugeApp(App):
    CSS = "Grid { grid-size: 2; grid-rows: 6; grid-gutter: 1 2; } #tall { height: 6; }"

    def compose(self):
        with Grid():
            yield Gauge(id="utilisation")
            yield Gauge(id="unknown")
            yield Gauge(id="tall")
            yield Gauge(id="free")

    def on_mount(self):
        gap = np.where(np.arange(120) // 30 == 1, np.nan, BUSY)
        self.gauge("utilisation").show("GPU 0", BUSY, 87.4, "%")
        self.gauge("unknown").show("GPU 1", np.full(120, np.nan), None, "%")
        self.gauge("tall").show("memory", gap, 41.23, "GB", 0, 80)
        self.gauge("free").show("power", BUSY * 7, 312, "W", 0, None)

    def gauge(self, name):
        return self.query_one(f"#{name}", Gauge)


def rows(gauge):
    return [gauge.render_line(y).text for y in range(gauge.size.height)]


def test_looks(snap_compare):
    assert snap_compare(GaugeApp(), terminal_size=(80, 24))


async def test_the_value_is_text_and_the_unknown_is_not_zero():
    app = GaugeApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert rows(app.gauge("utilisation"))[0].split() == ["GPU", "0", "87.4", "%"]
        unknown = rows(app.gauge("unknown"))
        assert unknown[0].split() == ["GPU", "1", "–"]
        assert not "".join(unknown[1:]).strip()


async def test_zero_is_a_line_and_full_reaches_the_top():
    app = GaugeApp()
    async with app.run_test(size=(80, 24)) as pilot:
        gauge = app.gauge("tall")
        gauge.show("x", np.zeros(10), 0, "%")
        await pilot.pause()
        graph = rows(gauge)[1:]
        assert set(graph[-1]) == {"⣀"}
        assert not "".join(graph[:-1]).strip()
        for value in (100.0, 500.0):
            gauge.show("x", np.full(10, value), value, "%")
            await pilot.pause()
            assert set("".join(rows(gauge)[1:])) == {"⣿"}


async def test_nothing_is_painted_when_nothing_has_changed():
    class Watched(Gauge):
        pictures = asked = 0

        def refresh(self, *regions, **options):
            self.asked += 1
            return super().refresh(*regions, **options)

    class OneApp(App):
        def compose(self):
            yield Watched()

    async with OneApp().run_test(size=(40, 8)) as pilot:
        gauge = pilot.app.query_one(Watched)
        gauge.show("x", BUSY, 3, "%")
        await pilot.pause()
        gauge.asked = 0
        gauge.show("x", BUSY.copy(), 3, "%")
        await pilot.pause()
        assert gauge.asked == 0


@calm
@given(
    st.integers(1, 60),
    st.integers(1, 8),
    st.lists(st.floats(), max_size=40),
    st.none() | st.floats(),
    st.none() | st.floats(-1e6, 1e6),
    st.text(max_size=20),
    st.none() | st.integers(0, 39),
)
def test_any_data_fills_any_size_exactly(width, height, values, last, high, text, cursor):
    gauge = Gauge()
    place = cursor if cursor is not None and cursor < len(values) else None
    gauge.show(text, np.array(values, np.float64), last, text, 0.0, high, place)
    picture = gauge.picture(width, height)
    assert len(picture) == height
    assert {cell_len("".join(t for t, _ in row)) for row in picture} == {width}


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (87.4, "%", "87.4 %"),
        (100.0, "%", "100 %"),
        (0.0, "%", "0 %"),
        (81920.0, "MiB", "81.9k MiB"),
        (None, "%", "–"),
        (float("nan"), "W", "–"),
    ],
)
def test_quantities_are_short(value, unit, text):
    assert quantity(value, unit) == text
