"""The Compare screen, as keystrokes and as pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import build_runs
import pytest
from build_runs import NOW
from studio import StillFeed, screen_text, studio, until
from textual.pilot import Pilot

from backends.records import Step, scalar
from genai_tui import liveness, log
from genai_tui.app import StudioApp
from genai_tui.screens.compare import CompareScreen
from genai_tui.screens.runs import RunsScreen
from genai_tui.settings import Settings
from genai_tui.store import Run, Store
from genai_tui.widgets.chart_panel import Chart
from genai_tui.widgets.overlay import Overlay
from genai_tui.widgets.sample_row import Drawn, SampleRow

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture
def runs(store: Store) -> list[Run]:
    live = build_runs.build(
        store, "slow", seed=1, step=1400, state="running", samples_every=200, train={"lr": 0.001}
    )
    liveness.hold_keeper(live.path / "keeper.lock")
    fast = build_runs.build(store, "fast", seed=2, train={"lr": 0.003})
    conv = build_runs.build(store, "a-gan", seed=3, model="gan/dcgan", step=600, state="stopped")
    return [live, fast, conv]


async def opened(
    app: StudioApp, feed: StillFeed, pilot: Pilot[None], runs: Sequence[Run]
) -> CompareScreen:
    """Waits until all that is in the folders is on the screen."""
    await until(pilot, lambda: feed.listener)
    app.compare([run.id for run in runs])
    await until(pilot, lambda: len(feed.followers) == len(runs))
    screen = app.screen
    assert isinstance(screen, CompareScreen)
    feed.look()
    await until(pilot, lambda: all(one.summary for one in screen.contenders))
    await painted(pilot, screen)
    return screen


async def painted(pilot: Pilot[None], screen: CompareScreen) -> None:
    await until(pilot, lambda: screen._timer is None and screen.focused)
    await until(pilot, lambda: not screen.query_one(Overlay).grid._waiting)
    panels = [panel for panel in screen.query(Drawn) if panel.content_size.area]
    await until(pilot, lambda: all(panel.is_settled for panel in panels))
    await pilot.pause()


def picture(
    store: Store, runs: Sequence[Run], size: tuple[int, int], snap_compare: Any, *keys: str
) -> None:
    app, feed = studio(store)

    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(app, feed, pilot, runs)
        await pilot.press(*keys)
        await painted(pilot, screen)

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_the_curves(
    store: Store, runs: list[Run], size: tuple[int, int], snap_compare: Any
) -> None:
    picture(store, runs, size, snap_compare)


@pytest.mark.parametrize("page", ["knobs", "scalars", "samples"])
def test_the_picture_of_a_page(store: Store, runs: list[Run], page: str, snap_compare: Any) -> None:
    turns = ["right_square_bracket"] * ["knobs", "scalars", "samples"].index(page)
    picture(store, runs, (80, 24), snap_compare, "right_square_bracket", *turns)


def test_the_picture_in_the_light(
    store: Store, runs: list[Run], snap_compare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, feed = studio(store)

    async def before(pilot: Pilot[None]) -> None:
        app.theme = "textual-light"
        await painted(pilot, await opened(app, feed, pilot, runs))

    assert snap_compare(app, terminal_size=(120, 40), run_before=before)


async def test_every_run_has_its_line_in_its_colour_in_every_chart(
    store: Store, runs: list[Run]
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, feed, pilot, runs)
        charts = {str(chart.border_title): chart for chart in screen.query(Chart)}
        of = {one.letter: one.colour for one in screen.contenders}
        assert len(set(of.values())) == 3
        shown = lambda key: {s.name: s.colour for s in charts[key]._series}  # noqa: E731
        assert shown("loss") == {"A": of["A"], "B": of["B"]}
        assert shown("G/loss") == {"C": of["C"]}
        text = screen_text(app)
        assert "● A ● slow" in text
        assert "1.4k/2k" in text


async def test_what_a_live_run_logs_appears(store: Store, runs: list[Run]) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, feed, pilot, runs[:2])
        target = screen.contenders[0]
        step = Step(step=1410, t=NOW, values={"surprise": 1.0})
        target.post_message(feed.RecordsRead(log.Chunk([step])))
        await until(pilot, lambda: "surprise" in [str(c.border_title) for c in screen.query(Chart)])


async def test_brackets_turn_the_pages_and_equals_shows_all_knobs(
    store: Store, runs: list[Run]
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(100, 40)) as pilot:
        screen = await opened(app, feed, pilot, runs)
        await pilot.press("right_square_bracket")
        await painted(pilot, screen)
        assert "0.003" in screen_text(app)
        assert "device" not in screen_text(app)
        await pilot.press("equals_sign")
        await painted(pilot, screen)
        assert "device" in screen_text(app)
        await pilot.press("left_square_bracket", "left_square_bracket")
        await painted(pilot, screen)
        assert isinstance(screen.focused, SampleRow)
        await pilot.press("left_square_bracket")
        await painted(pilot, screen)
        assert "* best of all" in screen_text(app)


def captions(screen: CompareScreen) -> list[str]:
    """What is said below the samples of each run, without how they are drawn."""
    return [str(panel.border_subtitle).partition(" · q")[0] for panel in screen.query(Drawn)]


async def test_left_and_right_go_through_the_samples_of_all_runs(
    store: Store, runs: list[Run]
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, feed, pilot, runs)
        await pilot.press("left_square_bracket")
        await painted(pilot, screen)
        assert captions(screen) == [
            "A · step 1,400 · seed 0",
            "B · step 2,000 · seed 0",
            "C · step 500 · seed 0",
        ]
        await pilot.press("left")
        assert captions(screen) == [
            "A · step 1,400 · seed 0",
            "B · step 1,500 · seed 0",
            "C · step 500 · seed 0",
        ]
        await pilot.press("left", "left")
        assert captions(screen)[0].startswith("A · step 1,200")
        assert captions(screen)[1].startswith("B · step 1,000")
        await pilot.press("end")
        assert captions(screen)[1].startswith("B · step 2,000")


async def test_the_cursor_of_the_curves_reads_every_value_and_the_samples_follow(
    store: Store, runs: list[Run]
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await opened(app, feed, pilot, runs)
        await pilot.press(*["left"] * 20)
        await painted(pilot, screen)
        steps = screen.query_one(Overlay).lens.steps
        assert steps is not None
        assert {chart.cursor for chart in screen.query_one(Overlay).grid.shown} == {max(steps)}
        assert "at 1" in screen_text(app)
        assert str(screen.query(Drawn)[1].border_subtitle).startswith("B · step 1,000")


async def test_zoom_pan_and_fit_hold_for_all_charts(store: Store, runs: list[Run]) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, feed, pilot, runs)
        lens = screen.query_one(Overlay).lens
        await pilot.press("i")
        first = lens.window
        assert first is not None
        assert first[1] - first[0] == pytest.approx(1000)
        await pilot.press("shift+left")
        assert lens.window == (first[0] - 250, first[1] - 250)
        await painted(pilot, screen)
        assert {chart.x_range for chart in screen.query_one(Overlay).grid.shown} == {lens.window}
        await pilot.press("home")
        assert lens.window is None


async def test_each_run_has_an_axis_of_its_own(store: Store, runs: list[Run]) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, feed, pilot, runs)
        await pilot.press("X")
        await painted(pilot, screen)
        assert "x relative" in screen_text(app)  # no run says how long an epoch is
        loss = next(chart for chart in screen.query(Chart) if chart.group == "loss")
        ends = [float(series.x[-1]) for series in loss._series]
        assert ends == pytest.approx([1400 * 0.08, 2000 * 0.08])
        await pilot.press(*["left"] * 20)
        steps = screen.query_one(Overlay).lens.steps
        assert steps is not None
        assert steps[0] == pytest.approx(steps[1], abs=1)  # both take their steps at one pace
        await pilot.press("X", "X")
        assert [one.axis.kind for one in screen.contenders] == ["step"] * 3


async def test_what_is_wrong_is_marked_with_the_letter_of_the_run(
    store: Store, runs: list[Run]
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, feed, pilot, runs)
        two = screen.contenders[1]
        bad = Step(step=2000, t=NOW, values={"loss": scalar(float("nan"))})
        two.post_message(feed.RecordsRead(log.Chunk([bad])))
        await until(pilot, lambda: " alert" in screen_text(app))
        labels = [mark.label for mark in screen.query_one(Overlay).lens.marks()]
        assert labels == ["B not a number: loss"]


async def test_l_f_plus_and_minus_are_the_keys_of_the_run_screen(
    store: Store, runs: list[Run]
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, feed, pilot, runs)
        await pilot.press("l")
        assert [c.log_y for c in screen.query(Chart)].count(True) == 1
        await pilot.press("plus")
        await painted(pilot, screen)
        assert "smoothing 0.8" in screen_text(app)
        await pilot.press("minus", "minus", "f")
        await painted(pilot, screen)
        assert screen.maximized is screen.focused
        await pilot.press("escape")
        assert screen.maximized is None


async def test_a_run_that_cannot_be_read_is_left_out_and_named(
    store: Store, runs: list[Run]
) -> None:
    (runs[0].path / "run.json").write_text("{")
    app, feed = studio(store)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: feed.listener)
        app.compare([run.id for run in runs])
        await until(pilot, lambda: len(feed.followers) == 2)
        await until(pilot, lambda: any("is damaged" in one.message for one in app._notifications))


async def test_runs_that_are_marked_are_compared(store: Store, runs: list[Run]) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: feed.listener)
        feed.tell_runs()
        await until(pilot, lambda: "a-gan" in screen_text(app))
        await pilot.press("m", "m", "C")
        await until(
            pilot, lambda: isinstance(app.screen, CompareScreen) and len(feed.followers) == 2
        )


async def test_one_run_is_not_enough_and_nine_are_too_many(store: Store, runs: list[Run]) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: feed.listener)
        for ids in ([runs[0].id], [f"{n}" for n in range(9)]):
            app.compare(ids)
            await pilot.pause()
            assert isinstance(app.screen, RunsScreen)
        assert ["2 to 8 runs" in one.message for one in app._notifications] == [True, True]


async def test_q_goes_back_and_nothing_is_read_any_more(store: Store, runs: list[Run]) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(app, feed, pilot, runs)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and not feed.followers)


@pytest.mark.parametrize("size", [(80, 24), (150, 40), (40, 10)])
async def test_resizing_never_breaks_it(
    store: Store, runs: list[Run], size: tuple[int, int]
) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await opened(app, feed, pilot, runs)
        await pilot.resize_terminal(*size)
        await pilot.pause()
        await pilot.resize_terminal(120, 40)
        await painted(pilot, screen)
        assert "● B" in screen_text(app)


async def test_the_curves_of_all_runs_are_exported_into_one_file(
    store: Store, runs: list[Run], tmp_path: Path
) -> None:
    app, feed = studio(store)
    app.settings = Settings(exports=str(tmp_path / "out"))
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(app, feed, pilot, runs)
        chart = screen.query_one(Overlay).grid.chosen
        assert chart is not None
        assert chart.group == "loss"
        await pilot.press("E")
        await until(pilot, lambda: list((tmp_path / "out").glob("*.csv")))
    header = (tmp_path / "out" / "compared-loss.csv").read_text().splitlines()[0]
    assert header == "step,time,A slow loss,B fast loss"
