"""The charts of a run as its user meets them: one instant, zoom, x axes, search, arrangement."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import build_runs
import pytest
from build_runs import NOW
from studio import StillFeed, screen_text, studio, until
from textual import events
from textual.pilot import Pilot

from backends.records import Start, Step
from genai_tui import arrangement, history, liveness
from genai_tui.charts.axes import step_label
from genai_tui.charts.canvas import Row
from genai_tui.history import Instant
from genai_tui.screens.run import RunScreen
from genai_tui.settings import Settings
from genai_tui.store import Run, Store
from genai_tui.widgets.chart_bar import ChartBar, ChartSearch
from genai_tui.widgets.chart_grid import ChartGrid
from genai_tui.widgets.chart_panel import Chart
from genai_tui.widgets.charts import Charts
from genai_tui.widgets.console import Console, line_at, moment_of
from genai_tui.widgets.meters import Meters
from genai_tui.widgets.samples import Samples


@dataclass
class Looking:
    """Somebody who looks at the charts of a run."""

    pilot: Pilot[None]
    feed: StillFeed
    screen: RunScreen

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def write(self, text: str) -> None:
        await self.press(*("vertical_line" if letter == "|" else letter for letter in text))

    @property
    def bar(self) -> str:
        return self.screen.query_one(ChartBar).text

    @property
    def names(self) -> list[str]:
        """The charts in their order, those on other pages too."""
        return self.screen.query_one(ChartGrid)._names

    @property
    def chart(self) -> Chart:
        focused = self.screen.focused
        assert isinstance(focused, Chart)
        return focused

    @property
    def range(self) -> tuple[float, float]:
        """What part of the x axis the focused chart shows."""
        frame = self.chart._plot.frame
        assert frame is not None
        return frame.x.low, frame.x.high

    def legend(self, name: str) -> str:
        chart = self.screen.query_one(ChartGrid)._charts[name]
        return chart.render_line(0).text

    def subtitle(self, kind: type[Samples | Meters | Console]) -> str:
        return str(self.screen.query_one(kind).border_subtitle)


@pytest.fixture(autouse=True)
def _nothing_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_TUI_STATE", str(tmp_path / "state"))


@pytest.fixture
def live(store: Store) -> Run:
    run = build_runs.build(
        store, "fashion-vae", step=1400, state="running", samples_every=200, telemetry=150
    )
    liveness.hold_keeper(run.path / "keeper.lock")
    return run


@asynccontextmanager
async def looking(
    store: Store, run: Run, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Looking]:
    app, feed = studio(store, run)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: feed.followers)
        screen = pilot.app.screen
        assert isinstance(screen, RunScreen)
        feed.look()
        await until(pilot, lambda: screen.chosen and not screen._timer)
        await until(pilot, lambda: isinstance(screen.focused, Chart))
        await until(pilot, lambda: screen.query_one(Samples)._shown)
        await pilot.pause()
        yield Looking(pilot, feed, screen)


# ---------------------------------------------------------------------------- the instant


async def test_left_and_right_read_every_chart_at_one_step(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        assert look.bar.startswith("● live")
        await look.press("left")
        step = look.screen.query_one(Charts).lens.instant
        assert step is not None
        assert step.step < 1400
        assert step.step % build_runs.LOG_EVERY == 0
        assert look.bar.startswith(f"◆ step {step.step:,.0f} · ")
        for name in ("kl", "reconstruction", "grad_norm"):
            assert f"@{step_label(step.step)} " in look.legend(name)
        await look.press("right")
        assert look.bar.startswith("● live")
        assert "@" not in look.legend("kl")


async def test_the_legend_says_what_was_logged_at_that_step(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        await look.press("ctrl+left", "ctrl+left", "left")
        step = int(re.findall(r"step ([\d,]+)", look.bar)[0].replace(",", ""))
        track = look.screen.history.values["kl"]
        (logged,) = track.values[track.steps == step]
        assert f"kl {logged:#.4g}" in look.legend("kl")


async def test_ctrl_goes_ten_columns_and_stops_at_the_first_step(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        await look.press("left")
        one = 1400 - look.screen.query_one(Charts).lens.instant.step  # pyright: ignore
        await look.press("end", "ctrl+left")
        ten = 1400 - look.screen.query_one(Charts).lens.instant.step  # pyright: ignore
        assert ten == pytest.approx(10 * one, rel=0.1)
        await look.press(*["ctrl+left"] * 20)
        assert look.bar.startswith("◆ step 10 ")


async def test_samples_machine_and_console_go_to_the_same_instant(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        while "step 1,2" not in look.bar:
            await look.press("left")
        assert look.subtitle(Samples).startswith("step 1,200 · 7 of 8")
        await until(look.pilot, lambda: look.subtitle(Meters).startswith("at "))
        console = look.screen.query_one(Console)
        assert console._marked is not None
        assert console._lines[console._marked].startswith("step  1300")
        await look.press("escape")
        assert look.bar.startswith("● live")
        assert look.subtitle(Samples).startswith("step 1,400 · 8 of 8")
        assert not look.subtitle(Meters).startswith("at ")
        assert console._marked is None


async def test_the_machine_shows_what_was_measured_then(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        await look.press(*["left"] * 5)
        instant = look.screen.query_one(Charts).lens.instant
        assert instant is not None
        assert instant.t is not None
        await until(look.pilot, lambda: look.subtitle(Meters).startswith("at "))
        second = round(instant.t - (NOW - 3600))
        cpu = build_runs.machine(0, 0, second).host.cpu
        assert cpu is not None
        assert re.search(rf"host CPU +{cpu:.0f} %", screen_text(look.screen.app))  # pyright: ignore


async def test_what_was_not_measured_then_is_a_dash(store: Store) -> None:
    run = build_runs.build(store, "a", step=1400, telemetry=30)
    async with looking(store, run) as look:
        await look.press("left")
        await until(look.pilot, lambda: "not measured" in look.subtitle(Meters))
        assert re.search(r"host CPU +–", screen_text(look.screen.app))  # pyright: ignore


async def test_going_through_the_samples_moves_the_instant(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        look.screen.query_one(Samples).focus()
        await look.press("left", "left")
        assert look.subtitle(Samples).startswith("step 1,000 · 6 of 8")
        assert look.bar.startswith("◆ step 1,000 · ")
        assert "@1k " in look.legend("kl")
        await look.press("right", "right")
        assert look.bar.startswith("● live")


async def test_before_the_first_samples_there_are_none(store: Store) -> None:
    run = build_runs.build(store, "a", step=1400, samples_every=1000)
    (run.path / "samples").rename(run.path / "gone")
    async with looking(store, run) as look:
        history = look.screen.history
        history.samples = [sample for sample in history.samples if sample.step]
        await look.press(*["ctrl+left"] * 9)
        assert look.subtitle(Samples).startswith("none yet at this step")


async def test_escape_gives_back_the_instant_then_the_panel_then_the_run(
    store: Store, live: Run
) -> None:
    async with looking(store, live) as look:
        await look.press("f", "left", "escape")
        assert look.bar.startswith("● live")
        assert look.screen.maximized is look.chart
        await look.press("escape")
        assert look.screen.maximized is None
        await look.press("escape")
        await until(look.pilot, lambda: look.pilot.app.screen is not look.screen)


async def test_all_charts_show_the_same_part_whenever_their_lines_begin(
    store: Store, live: Run
) -> None:
    async with looking(store, live, (200, 60)) as look:
        look.feed.tell_records(Step(step=1410, t=NOW, values={"late": 1.0}))
        await until(look.pilot, lambda: "late" in look.names)
        await look.pilot.pause()
        ranges = {chart.x_range for chart in look.screen.query_one(ChartGrid).shown}
        assert ranges == {(0.0, 2000.0)}


async def test_new_points_leave_the_instant_where_it_is(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        await look.press("left", "left")
        before = look.bar.partition(" · smoothing")[0]
        look.feed.tell_records(Step(step=1500, t=NOW, values={"loss": 0.1}))
        await until(look.pilot, lambda: look.screen.history.step == 1500)
        await until(look.pilot, lambda: look.screen._timer is None)
        assert look.bar.startswith(before)


async def test_a_click_chooses_a_chart_and_reads_it(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        second = look.screen.query_one(ChartGrid)._charts["kl"]
        await look.pilot.click(second, offset=(20, 5))
        await look.pilot.pause()
        assert look.chart is second
        assert look.bar.startswith("◆ step ")


# ---------------------------------------------------------------------------- which part


async def test_i_zooms_into_all_charts_and_home_shows_all_again(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        assert look.range == (0, 2000)
        await look.press("i")
        assert look.range == (500, 1500)
        assert "zoomed" in look.bar
        await look.press("down")
        assert look.range == (500, 1500)
        await look.press("shift+left")
        assert look.range == (250, 1250)
        await look.press(*["shift+left"] * 5)
        assert look.range == (0, 1000)
        await look.press("shift+right", "I")
        assert look.range == (0, 2000)
        await look.press("i", "i", "home")
        assert look.range == (0, 2000)
        assert "zoomed" not in look.bar


async def test_zooming_keeps_the_cursor_in_sight(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        await look.press(*["ctrl+left"] * 3)
        cursor = look.chart.cursor
        assert cursor is not None
        await look.press("i", "i", "i")
        start, stop = look.range
        assert start < cursor < stop
        assert stop - start == pytest.approx(250)
        await look.press(*["ctrl+left"] * 10)
        start, stop = look.range
        cursor = look.chart.cursor
        assert cursor is not None
        assert start <= cursor <= stop


async def test_end_follows_the_newest_point_of_a_part(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        await look.press("i", "i", "end")
        start, stop = look.range
        assert "following" in look.bar
        assert start < 1400 < stop
        look.feed.tell_records(Step(step=1900, t=NOW, values={"loss": 0.1}))
        await until(look.pilot, lambda: look.range[1] > 1900)
        assert stop - start == pytest.approx(look.range[1] - look.range[0])


async def test_the_wheel_zooms_the_chart_and_shift_moves_it(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        await look.pilot._post_mouse_events(  # pyright: ignore[reportPrivateUsage]
            [events_of("up")], look.chart, offset=(20, 5)
        )
        await look.pilot.pause()
        start, stop = look.range
        assert stop - start == pytest.approx(1600)


def events_of(way: str) -> type:
    from textual import events

    return events.MouseScrollUp if way == "up" else events.MouseScrollDown


# ---------------------------------------------------------------------------- x axes


async def test_x_is_step_epoch_time_since_the_start_or_time_of_the_day(
    store: Store, live: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with looking(store, live) as look:
        start = Start(step=1400, t=NOW, attempt=2, of=2000, steps_per_epoch=100.0)
        look.feed.tell_records(start)
        await until(look.pilot, lambda: look.screen.history.steps_per_epoch)
        await look.press("left", "X")
        assert "x epoch" in look.bar
        assert look.range == (0, 20)
        await look.press("X")
        assert "x relative" in look.bar
        assert re.search(r"@1m\d\ds", look.legend("kl"))
        await look.press("X")
        assert "x wall" in look.bar
        assert re.search(r"@\d\d:\d\d:\d\d", look.legend("kl"))
        await look.press("X")
        assert "x " not in look.bar


async def test_a_run_that_does_not_say_has_no_epochs(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        await look.press("X")
        assert "x relative" in look.bar


async def test_the_same_steps_are_in_sight_on_every_axis(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        await look.press("end", "i", "i", "X")
        start, stop = look.range
        assert start == pytest.approx(750 * 0.08, rel=0.02)
        assert stop == pytest.approx(1250 * 0.08, rel=0.02)


# ---------------------------------------------------------------------------- which charts


async def test_slash_searches_charts_by_a_regular_expression(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        everything = list(look.names)
        await look.press("slash")
        await look.write("kl|norm")
        assert look.names == ["kl", "grad_norm"]
        await look.press("enter")
        assert look.chart.group == "kl"
        assert "/kl|norm 2 of 7" in look.bar
        await look.press("slash", "escape")
        assert look.names == everything
        assert isinstance(look.screen.focused, Chart)


async def test_what_is_no_expression_yet_leaves_the_charts_as_they_are(
    store: Store, live: Run
) -> None:
    async with looking(store, live) as look:
        await look.press("slash")
        await look.write("kl")
        await look.press("left_parenthesis")
        assert look.names == ["kl"]
        assert look.screen.query_one(ChartSearch).has_class("-invalid")


async def test_a_search_that_finds_nothing_says_so(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        await look.press("slash")
        await look.write("nothing")
        await look.press("enter")
        assert look.names == []
        assert "0 of 7" in look.bar
        assert "no chart has such a name" in screen_text(look.screen.app)  # pyright: ignore
        await look.press("slash", "escape")
        assert len(look.names) == 7


async def test_a_search_that_finds_nothing_goes_on_in_its_field(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        for key in "/zqxvkl":  # as a terminal hands them over, in one read
            look.screen.app.post_message(events.Key("slash" if key == "/" else key, key))
        search = look.screen.query_one(ChartSearch)
        await until(look.pilot, lambda: search.value == "zqxvkl")
        assert look.names == []
        assert search.has_focus
        await look.press(*["backspace"] * 6, "k", "l")
        assert look.names == ["kl"]
        await look.press("escape")
        assert len(look.names) == 7


async def test_pinned_charts_come_first_and_hidden_ones_are_gone(store: Store, live: Run) -> None:
    async with looking(store, live) as look:
        await look.press("down", "P")
        assert look.names[:2] == ["kl", "loss"]
        assert str(look.chart.border_title) == "kl · pinned"
        await look.press("P")
        assert look.names[:3] == ["loss", "reconstruction", "kl"]
        await look.press("h")
        assert "kl" not in look.names
        assert look.chart.group == "grad_norm"
        assert "1 hidden" in look.bar
        await look.press("H")
        assert "kl" in look.names
        await look.press("up", "down", "h")


async def test_charts_move_and_stay_where_they_were_put_for_every_run_of_the_model(
    store: Store, live: Run
) -> None:
    async with looking(store, live) as look:
        await look.press("greater_than_sign", "greater_than_sign")
        assert look.names[:3] == ["reconstruction", "kl", "loss"]
        assert look.chart.group == "loss"
        await look.press("less_than_sign")
        assert look.names[:3] == ["reconstruction", "loss", "kl"]
        await until(look.pilot, lambda: arrangement.load("vae/conv").order[:1])
    other = build_runs.build(store, "another", id="20261123-000000-other", step=300)
    async with looking(store, other) as look:
        await until(look.pilot, lambda: look.names[:3] == ["reconstruction", "loss", "kl"])


async def test_scales_legends_and_smoothing_are_as_they_were_left_for_every_run_of_the_model(
    store: Store, live: Run
) -> None:
    async with looking(store, live) as look:
        await look.press("l", "L", "plus", "down", "l", "l")
        assert look.bar.startswith("● live · smoothing 0.8")
        await until(look.pilot, lambda: arrangement.load("vae/conv").smoothing == 0.8)
        kept = arrangement.load("vae/conv")
        assert (kept.log, kept.unfolded) == (("loss",), ("loss",))
    other = build_runs.build(store, "another", id="20261123-000000-other", step=300)
    async with looking(store, other) as look:
        await until(look.pilot, lambda: look.chart.log_y and look.chart.unfolded)
        assert "smoothing 0.8" in look.bar
        assert [str(c.border_title) for c in look.screen.query(Chart) if c.log_y] == ["loss"]
        look.pilot.app.settings = Settings(smoothing=0.3)  # pyright: ignore
        await until(look.pilot, lambda: "smoothing 0.3" in look.bar)  # the newest wish counts
        await until(look.pilot, lambda: arrangement.load("vae/conv").smoothing is None)


async def test_the_logarithmic_axis_of_a_chart_draws_no_other(
    store: Store, live: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    draw = Chart.picture

    def picture(chart: Chart, width: int, height: int) -> list[Row]:
        drawn.append(chart.group)
        return draw(chart, width, height)

    monkeypatch.setattr(Chart, "picture", picture)
    async with looking(store, live) as look:
        assert len(set(drawn)) > 1
        drawn.clear()
        await look.press("l")
        await until(look.pilot, lambda: drawn)
        await look.press("P")
        assert set(drawn) == {look.chart.group}


async def test_the_legend_unfolds_with_smoothed_values(store: Store, live: Run) -> None:
    async with looking(store, live, (200, 60)) as look:
        assert "~" not in look.legend("loss")
        await look.press("L")
        assert re.search(r"train 0\.\d+ ~0\.\d+", look.legend("loss"))
        assert "~" not in look.legend("kl")
        await look.press("L")
        assert "~" not in look.legend("loss")


async def test_pages_hold_whole_charts(store: Store, live: Run) -> None:
    async with looking(store, live, (80, 24)) as look:
        assert "page 1 of 4" in look.bar
        heights = {chart.size.height for chart in look.screen.query_one(ChartGrid).shown}
        assert min(heights) >= 6
        await look.press("pagedown")
        assert look.chart.group == "kl"
        await look.press("down", "down")
        assert look.chart.group == "lr"
        await look.press("pageup", "pageup", "pageup")
        assert look.chart.group == "items_per_second"
        assert "page 4 of 4" in look.bar


# ---------------------------------------------------------------------------- the console


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        ("2026-11-25 14:05:31 worker: out of memory", (1_795_615_531.0, None)),
        ("[2026-11-25T14:05:31Z] a warning", (1_795_615_531.0, None)),
        ("step  1,400/2000  loss 0.2", (None, 1400.0)),
        ("2026-99-99 14:05:31 is no time", (None, None)),
        ("training vae/conv", (None, None)),
    ],
)
def test_a_line_says_when_it_was_printed(
    line: str, moment: tuple[float | None, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert moment_of(line) == moment


def test_the_console_goes_to_the_first_line_that_is_not_earlier() -> None:
    moments = [(None, None), (10.0, None), (None, None), (20.0, None), (None, 300.0)]
    assert line_at(moments, Instant(5, 1.0)) == 1
    assert line_at(moments, Instant(5, 10.5)) == 3
    assert line_at(moments, Instant(400, 99.0)) == 4
    assert line_at(moments, Instant(250, None)) == 4
    assert line_at([(None, None)], Instant(5, 1.0)) is None


async def test_e_writes_the_curves_of_the_chart_and_says_where(
    store: Store, live: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with looking(store, live, (200, 50)) as look:
        await look.press("E", "E")
        await until(look.pilot, lambda: (tmp_path / "fashion-vae-loss-2.csv").exists())
        lines = (tmp_path / "fashion-vae-loss.csv").read_text().splitlines()
        assert lines[0] == "step,time,loss,validation/loss"
        assert len(lines) == 141
        assert lines[1].startswith("10,")
        await until(look.pilot, lambda: len(look.screen.app._notifications) == 2)  # pyright: ignore
        said = [one.message for one in look.screen.app._notifications]  # pyright: ignore
        assert f"Exported {tmp_path / 'fashion-vae-loss.csv'}" in said


async def test_e_says_when_older_points_of_a_long_run_are_thinned_out(
    store: Store, live: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(history, "MOST_IN_ALL", 640)
    async with looking(store, live, (200, 50)) as look:
        await look.press("E")
        await until(look.pilot, lambda: len(look.screen.app._notifications) == 1)  # pyright: ignore
        (said,) = [one.message for one in look.screen.app._notifications]  # pyright: ignore
        assert said.endswith("; older points are thinned out, records.jsonl has them all")
        rows = (tmp_path / "fashion-vae-loss.csv").read_text().splitlines()[1:]
        assert 0 < len(rows) < 140
        assert all(row.split(",")[1] for row in rows)  # each step has its time
