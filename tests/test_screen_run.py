"""The Run screen, as keystrokes and as pictures."""

import re
import time
from typing import Any

import build_runs
import pytest
from build_runs import NOW
from studio import StillFeed, screen_text, studio, until
from textual.pilot import Pilot
from textual.widgets import Input

from backends.records import (
    Command,
    End,
    Mark,
    Notice,
    Phase,
    Record,
    Sample,
    SampleRequest,
    Start,
    State,
    Step,
)
from genai_tui import control, launch, liveness
from genai_tui.app import StudioApp
from genai_tui.history import History
from genai_tui.images.detect import Graphics
from genai_tui.screens.dialogs import AskText, Confirm
from genai_tui.screens.run import RunScreen
from genai_tui.screens.runs import RunsScreen
from genai_tui.store import Run, Store
from genai_tui.widgets.activity import Activity
from genai_tui.widgets.chart_bar import ChartBar
from genai_tui.widgets.chart_grid import ChartGrid
from genai_tui.widgets.chart_marks import marks_of
from genai_tui.widgets.chart_panel import Chart
from genai_tui.widgets.charts import Charts
from genai_tui.widgets.console import Console, plain
from genai_tui.widgets.meters import BIN_SECONDS, Bins, Meters
from genai_tui.widgets.samples import Samples

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.fixture
def live(store: Store) -> Run:
    run = build_runs.build(store, "fashion-vae", step=1400, state="running", samples_every=200)
    liveness.hold_keeper(run.path / "keeper.lock")
    return run


async def opened(pilot: Pilot[None], feed: StillFeed) -> RunScreen:
    """Waits until all that is in the folder is on the screen."""
    await until(pilot, lambda: feed.followers)
    screen = pilot.app.screen
    assert isinstance(screen, RunScreen)
    feed.look()
    await until(pilot, lambda: screen.chosen and not screen._timer)
    if screen.history.values:
        await until(pilot, lambda: screen.query(Chart) and screen.query_one(Samples)._shown)
    await pilot.pause()
    return screen


async def painted(pilot: Pilot[None], screen: RunScreen) -> None:
    await until(pilot, lambda: screen._timer is None)
    await pilot.pause()


# ---------------------------------------------------------------------------- pictures


def picture(store: Store, run: Run, size: tuple[int, int], snap_compare: Any, *keys: str) -> None:
    app, feed = studio(store, run)

    async def before(pilot: Pilot[None]) -> None:
        screen = await opened(pilot, feed)
        await until(pilot, lambda: screen.focused)
        await pilot.press(*keys)
        await painted(pilot, screen)

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_a_live_run(
    store: Store, live: Run, size: tuple[int, int], snap_compare: Any
) -> None:
    picture(store, live, size, snap_compare)


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_a_failed_run_with_gpus_and_texts(
    store: Store, size: tuple[int, int], snap_compare: Any
) -> None:
    run = build_runs.build(
        store,
        "shakespeare",
        model="autoregressive/gpt",
        dataset="shakespeare-mini",
        modality="text",
        state="failed",
        step=1200,
        reason="the loss was NaN at step 1203",
        gpus=2,
    )
    picture(store, run, size, snap_compare)


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_an_instant_of_a_part(
    store: Store,
    live: Run,
    size: tuple[int, int],
    snap_compare: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    app, feed = studio(store, live)

    async def before(pilot: Pilot[None]) -> None:
        app.theme = "textual-light" if size == (120, 40) else "textual-dark"
        screen = await opened(pilot, feed)
        await until(pilot, lambda: isinstance(screen.focused, Chart))
        await pilot.press("ctrl+left", "left", "i", "L")
        meters = screen.query_one(Meters)
        await until(pilot, lambda: str(meters.border_subtitle).startswith("at "))
        await until(pilot, lambda: screen.query_one(Samples).border_subtitle)
        await painted(pilot, screen)

    assert snap_compare(app, terminal_size=size, run_before=before)


def test_the_picture_of_one_chart_alone(store: Store, live: Run, snap_compare: Any) -> None:
    picture(store, live, (80, 24), snap_compare, "f", "l")


# ---------------------------------------------------------------------------- what it shows


async def test_the_header_says_what_the_run_is_and_how_far(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, feed)
        first, second = screen_text(app).splitlines()[:2]
        assert re.search(r"● running +fashion-vae +vae/conv · fashion-mini .* training", first)
        assert re.search(r"━+─+ +1,400/2,000 70 % +ETA 49 s +12\.3 steps/s +787 items/s", second)


async def test_t_e_and_capital_r_write_on_the_run_as_in_the_list(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, feed)
        for key, text in [("t", "night"), ("e", "look at step 40"), ("R", "boots")]:
            await pilot.press(key)
            await until(pilot, lambda: isinstance(app.screen, AskText))
            app.screen.query_one(Input).value = text
            await pilot.press("enter")
            await until(pilot, lambda: not isinstance(app.screen, AskText))
        await until(pilot, lambda: live.annotation().name == "boots")
        assert (live.annotation().tags, live.annotation().note) == (("night",), "look at step 40")
        feed.look()
        await until(pilot, lambda: "boots" in screen_text(app).splitlines()[0])
        assert "night  ✎ look at step 40" in screen_text(app).splitlines()[0]


async def test_there_is_a_chart_for_every_group_and_a_new_scalar_gets_its_own(
    store: Store, live: Run
) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        assert screen.query_one(ChartGrid)._names == [
            "loss",
            "reconstruction",
            "kl",
            "grad_norm",
            "lr",
            "steps_per_second",
            "items_per_second",
        ]
        feed.tell_records(Step(step=1410, t=NOW, values={"surprise": 1.0}))
        await until(pilot, lambda: "surprise" in screen.query_one(ChartGrid)._names)
        await pilot.pause()
        titles = [str(chart.border_title) for chart in screen.query(Chart)]
        assert titles.index("surprise") == titles.index("kl") + 1


async def test_a_run_without_a_gpu_shows_the_processor_and_says_so(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, feed)
        text = screen_text(app)
        for word in ("no GPU", "worker CPU", "worker mem", "host CPU", "host mem"):
            assert word in text


async def test_every_gpu_has_its_four_graphs_and_what_is_unknown_is_a_dash(store: Store) -> None:
    run = build_runs.build(store, "a", step=100, gpus=2)
    app, feed = studio(store, run)
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await opened(pilot, feed)
        text = screen_text(app)
        for word in ("2 GPU", "GPU0 mem", "GPU1 power", "GPU1 temp", "H100 80GB"):
            assert word in text
        sample = build_runs.machine(NOW, 1, 0)
        unknown = type(sample.gpus[0])(index=0, name="X", problem="utilisation: not supported")
        feed.tell(feed.TelemetryRead([type(sample)(t=NOW + 100, gpus=[unknown])]))
        await until(pilot, lambda: "utilisation: not supported" in screen_text(app))
        assert re.search(r"GPU +–", screen_text(app))
        assert screen.query_one(Meters)


async def test_a_failed_run_says_why_and_how_to_go_on(store: Store) -> None:
    run = build_runs.build(store, "a", step=100, state="failed", reason="NaN in D/loss")
    build_runs.write_status(run, "failed", 100, 2000, reason="NaN in D/loss", exit_code=77)
    app, feed = studio(store, run)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, feed)
        assert "failed: NaN in D/loss · exit code 77 · press r to resume" in screen_text(app)


async def test_a_run_whose_keeper_is_gone_is_interrupted_and_says_so(store: Store) -> None:
    run = build_runs.build(store, "a", step=100, state="running")
    build_runs.write_status(run, "running", 100, 2000, signal=9)
    app, feed = studio(store, run)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, feed)
        text = screen_text(app)
        assert "! interrupted" in text
        assert "signal 9 · press r to resume" in text
        assert "ETA" not in text


async def test_the_phase_is_shown_while_it_lasts(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, feed)
        feed.tell_records(Phase(step=1400, t=NOW, name="saving a checkpoint"))
        await until(pilot, lambda: "saving a checkpoint" in screen_text(app).splitlines()[0])


async def test_the_console_follows_its_end_unless_scrolled(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        await until(pilot, lambda: "step  1400/2000" in screen_text(app))
        feed.tell(feed.ConsoleRead("the newest line\n"))
        await until(pilot, lambda: "the newest line" in screen_text(app))
        screen.query_one(Console).focus()
        await pilot.press("home")
        feed.tell(feed.ConsoleRead("one more\n"))
        await pilot.pause()
        assert "training vae/conv" in screen_text(app)
        assert "one more" not in screen_text(app)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("10%\r50%\r100%", "100%"),
        ("done\r", "done"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07x", "·]0;title·x"),
        ("a\tb", "a    b"),
    ],
)
def test_a_console_line_is_what_a_terminal_would_show_in_the_end(line: str, shown: str) -> None:
    assert plain(line) == shown


# ---------------------------------------------------------------------------- samples


async def test_left_and_right_go_through_all_samples_and_end_follows_again(
    store: Store, live: Run
) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        subtitle = lambda: str(screen.query_one(Samples).border_subtitle)  # noqa: E731
        assert subtitle() == "step 1,400 · 8 of 8 · quadrant"
        screen.query_one(Samples).focus()
        await pilot.press("left")
        assert subtitle() == "step 1,200 · 7 of 8 · quadrant"
        await pilot.press(*["left"] * 10)
        assert subtitle() == "step 0 · 1 of 8 · quadrant"
        await pilot.press("right")
        assert subtitle() == "step 200 · 2 of 8 · quadrant"
        newer = Sample(step=1600, t=NOW, path="samples/step-001600", modality="image", count=1)
        feed.tell_records(newer)
        await until(pilot, lambda: subtitle() == "step 200 · 2 of 9 · quadrant")
        await pilot.press("end")
        assert subtitle().startswith("step 1,600 · 9 of 9")
        await until(pilot, lambda: "these samples are no longer on disk" in screen_text(app))


async def test_a_restart_takes_back_the_samples_it_will_draw_again(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        feed.tell_records(Start(step=500, t=NOW, attempt=2, of=2000))
        samples = screen.query_one(Samples)
        await until(pilot, lambda: "step 400 · 3 of 3" in str(samples.border_subtitle))
        assert screen.history.step == 500


async def test_samples_are_paged_where_they_would_be_too_small(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed)
        samples = screen.query_one(Samples)
        pages = re.fullmatch(r"samples · page 1 of (\d+)", str(samples.border_title))
        assert pages
        samples.focus()
        await pilot.press("down")
        assert str(samples.border_title).startswith("samples · page 2 of")
        await pilot.press("up", "up")
        assert str(samples.border_title) == f"samples · page {pages[1]} of {pages[1]}"


@pytest.mark.parametrize("path", ["/etc", "../../..", "samples/../../other"])
async def test_samples_outside_of_the_run_are_not_shown(store: Store, live: Run, path: str) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        feed.tell_records(Sample(step=1500, t=NOW, path=path, modality="text", count=1))
        nothing = screen.query_one("Samples .nothing")
        await until(pilot, lambda: nothing.display)


async def test_a_damaged_tile_leaves_the_grid(store: Store, live: Run) -> None:
    (live.path / "samples" / "step-001400" / "000.png").write_bytes(b"no picture")
    app, feed = studio(store, live)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        assert str(screen.query_one(Samples).border_title) == "samples"
        assert screen.query_one("ImageView").display


# ---------------------------------------------------------------------------- commands


async def test_every_command_is_requested_accepted_and_done(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(200, 60)) as pilot:
        screen = await opened(pilot, feed)
        for key, verb in [("space", "pause"), ("s", "sample"), ("c", "checkpoint")]:
            await pilot.press(key)
            (command,) = control.take(live.control)
            assert isinstance(command, Command)
            assert command.verb == verb
            await until(pilot, lambda verb=verb: f"{verb} requested" in screen_text(app))
            id = command.id
            feed.tell_records(Mark(step=1410, t=NOW, id=id, verb=verb, answer="accepted"))
            feed.tell_records(Mark(step=1412, t=NOW, id=id, verb=verb, answer="done"))
            await painted(pilot, screen)
            wanted = f"{verb} requested → accepted at step 1,410 → done at step 1,412"
            await until(pilot, lambda wanted=wanted: wanted in str(screen.query_one(Activity).text))


async def test_a_command_that_is_refused_says_why(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, feed)
        await pilot.press("c")
        (command,) = control.take(live.control)
        assert isinstance(command, Command)
        feed.tell_records(
            Mark(
                step=7,
                t=NOW,
                id=command.id,
                verb="checkpoint",
                answer="refused",
                detail="the disk is full",
            )
        )
        activity = app.screen.query_one(Activity)
        await until(pilot, lambda: "refused: the disk is full" in activity.text)


async def test_x_asks_and_stops(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test() as pilot:
        await opened(pilot, feed)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        (command,) = control.take(live.control)
        assert isinstance(command, Command)
        assert command.verb == "stop"


async def test_a_finished_run_takes_no_commands_and_says_so(store: Store) -> None:
    run = build_runs.build(store, "a", step=100, of=100)
    app, feed = studio(store, run)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await opened(pilot, feed)
        await pilot.press("s")
        await until(pilot, lambda: "run a is finished" in screen_text(app))


async def test_r_resumes_an_interrupted_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run = build_runs.build(store, "a", step=100, state="running")
    resumed: list[str] = []

    def resume(run: Run, steps: int | None = None) -> None:
        resumed.append(run.id)

    monkeypatch.setattr(launch, "resume", resume)
    app, feed = studio(store, run)
    async with app.run_test() as pilot:
        await opened(pilot, feed)
        await pilot.press("r")
        await until(pilot, lambda: resumed)
        assert resumed == [run.id]


async def test_a_run_that_is_deleted_elsewhere_closes(store: Store) -> None:
    run = build_runs.build(store, "a", step=100)
    app, feed = studio(store, run)
    async with app.run_test() as pilot:
        await opened(pilot, feed)
        feed.tell(feed.RunLost())
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


# ---------------------------------------------------------------------------- looking


async def test_f_shows_the_focused_panel_alone_and_all_again(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed)
        await until(pilot, lambda: isinstance(screen.focused, Chart))
        await pilot.press("f")
        await pilot.pause()
        assert isinstance(screen.maximized, Chart)
        assert screen.maximized.size.width > 70
        assert "1,400/2,000" in screen_text(app)
        await pilot.press("f")
        assert screen.maximized is None
        for kind in (Samples, Meters, Console):
            screen.query_one(kind).focus()
            await pilot.press("f")
            await pilot.pause()
            assert screen.maximized is screen.query_one(kind)
            assert screen.maximized.size.height > 15, kind
            await pilot.press("q")
            assert screen.maximized is None
        assert app.screen is screen


async def test_a_panel_that_is_reached_by_tab_fills_the_screen_when_maximised(
    store: Store, live: Run
) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(pilot, feed)
        samples = screen.query_one(Samples)
        while not samples.has_focus:
            await pilot.press("tab")
        few = str(samples.border_title)
        await pilot.press("f")
        await until(pilot, lambda: str(samples.border_title) != few)


async def test_l_is_for_the_focused_chart_and_plus_and_minus_smooth(
    store: Store, live: Run
) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        await until(pilot, lambda: isinstance(screen.focused, Chart))
        charts, lens = screen.query(Chart), screen.query_one(Charts).lens
        await pilot.press("l")
        assert [chart.log_y for chart in charts] == [True] + [False] * 6
        await pilot.press("down")
        assert screen.focused is not charts.first()
        screen.set_focus(None)
        await pilot.press("l")
        assert all(chart.log_y for chart in charts)
        assert lens.smoothing.weight == 0.6
        await pilot.press("plus", "plus", "plus", "plus", "plus", "plus")
        assert lens.smoothing.weight == 0.99
        assert "smoothing 0.99" in screen.query_one(ChartBar).text
        await pilot.press(*["minus"] * 9)
        assert lens.smoothing.weight == 0


async def test_nothing_is_drawn_when_nothing_has_changed(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        await pilot.pause(0.3)
        updates: list[Any] = []
        render, compositor = screen._compositor.render_update, screen._compositor
        compositor.render_update = lambda *a, **k: updates.append(1) or render(*a, **k)
        assert screen.chosen is not None
        feed.tell(feed.StatusRead(screen.chosen))
        feed.tell_records()
        await pilot.pause()
        await painted(pilot, screen)
        assert updates == []


# ---------------------------------------------------------------------------- pure parts


def test_marks_are_restarts_commands_the_checkpoints_that_are_kept_and_a_failure() -> None:
    history = History()
    log: list[Record] = [Start(step=0, t=0.0, attempt=1, of=100)]
    log += build_runs.marks("a", "pause", 5, "accepted", "done")
    log += [Start(step=7, t=0.0, attempt=2, of=100)]
    log += [End(step=9, t=0.0, state="failed", exit_code=77, reason="NaN")]
    history.fold(log)
    found = [(mark.x, mark.label, mark.kind) for mark in marks_of(history)]
    assert found == [(5, "pause", "command"), (7, "start 2", "crash"), (9, "NaN", "failed")]


def test_the_activity_tells_restarts_and_notices_in_their_order() -> None:
    from genai_tui.widgets.activity import entries

    history = History()
    history.fold(
        [
            Notice(step=1, t=1.0, text="3 files were skipped"),
            Start(step=500, t=3.0, attempt=2, of=2000),
            Mark(step=2, t=2.0, id="a", verb="set", answer="done", detail="lr 0.1"),
        ]
    )
    mine = Command(id="b", verb="sample", t=4.0, request=SampleRequest())
    texts = [
        "".join(part if isinstance(part, str) else part[0] for part in entry.parts)
        for entry in entries(history, [mine])
    ]
    assert texts == [
        "sample requested",
        "start from step 500, attempt 2",
        "set requested → done at step 2 (lr 0.1)",
        "3 files were skipped",
    ]


def test_bins_are_means_of_equal_times_with_gaps_where_nothing_is_known() -> None:
    bins = Bins()
    for t, value in [(0.0, 1.0), (1.0, 3.0), (BIN_SECONDS, 5.0), (3 * BIN_SECONDS, None)]:
        bins.push(t, value)
    bins.push(0.0, 99.0)
    shown = [None if value != value else value for value in bins.newest(6).tolist()]
    assert shown == [None, None, 2.0, 5.0, None, None]
    assert bins.last is None


@pytest.mark.parametrize("state", ["stopped", "finished"])
async def test_an_ended_run_has_no_rates(store: Store, state: State) -> None:
    run = build_runs.build(store, "a", step=100, state=state)
    app, feed = studio(store, run)
    async with app.run_test(size=(100, 30)) as pilot:
        await opened(pilot, feed)
        assert "steps/s" not in screen_text(app).splitlines()[1]


def test_the_studio_app_holds_what_the_pictures_need(store: Store) -> None:
    assert StudioApp(store).graphics.mode == "quadrant"


async def test_the_panel_says_how_pictures_are_drawn_and_what_would_be_better(
    store: Store, live: Run
) -> None:
    feed = StillFeed(store)
    graphics = Graphics(mode="quadrant", hint="set -g allow-passthrough on")
    app = StudioApp(store, graphics=graphics, open_run=live, feed=feed)
    async with app.run_test(size=(200, 50)) as pilot:
        await opened(pilot, feed)
        await until(pilot, lambda: "quadrant · set -g allow-passthrough on" in screen_text(app))
