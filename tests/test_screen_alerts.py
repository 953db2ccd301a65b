"""Alerts on the screens: a badge, a list, marks on the curves, and how they are told."""

import json
from pathlib import Path
from typing import Any

import build_runs
import pytest
from build_runs import NOW
from studio import StillFeed, screen_text, studio, until
from textual.pilot import Pilot
from waiting import until as wait_until

from backends.records import Scalar, Step, scalar
from genai_tui import liveness, log
from genai_tui.alerts.alert import Alert
from genai_tui.app import StudioApp
from genai_tui.screens.alerts import AlertsScreen
from genai_tui.screens.run import RunScreen
from genai_tui.sentry import Sentry
from genai_tui.settings import Settings
from genai_tui.store import Run, Store
from genai_tui.widgets.chart_panel import Chart
from genai_tui.widgets.charts import Charts
from genai_tui.widgets.samples import Samples

SPIKE = Alert(
    "spike",
    "warning",
    1410,
    NOW,
    "loss jumped from 0.2512 to 50.00 at step 1,410, 2487 times its usual noise",
    "a bad batch, or steps that are too long for where the weights are",
    "if it does not come back by itself: set clip_grad=1, or halve lr",
    "loss",
    "1410",
)
DONE = Alert(
    "finished", "info", 2000, NOW, "all 2,000 steps are done", "", "look at its samples (v)"
)


@pytest.fixture
def live(store: Store) -> Run:
    run = build_runs.build(store, "fashion-vae", step=1400, state="running", samples_every=200)
    liveness.hold_keeper(run.path / "keeper.lock")
    return run


async def opened(pilot: Pilot[None], feed: StillFeed) -> RunScreen:
    await until(pilot, lambda: feed.followers)
    screen = pilot.app.screen
    assert isinstance(screen, RunScreen)
    await until(pilot, lambda: screen._watch)
    feed.look()
    await until(pilot, lambda: screen.chosen and not screen._timer and screen.query(Chart))
    await until(pilot, lambda: screen.query_one(Samples).is_settled)
    return screen


def steps(**values: float) -> list[Step]:
    """A jump, and steps after it."""
    at: dict[str, Scalar] = {key: scalar(value) for key, value in values.items()}
    return [
        Step(step=1410, t=NOW, values=at),
        *(Step(step=s, t=NOW, values={"loss": 0.25}) for s in range(1420, 1500, 10)),
    ]


async def test_the_header_counts_and_a_key_lists_what_is_wrong(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        assert "alert" not in screen_text(app).splitlines()[0]
        feed.tell_records(*steps(loss=50.0, kl=float("nan")))
        await until(pilot, lambda: "! 2 alerts (A)" in screen_text(app).splitlines()[0])
        assert [mark.x for mark in screen.query_one(Charts).lens.alerts] == [1410, 1410]
        assert "2 alerts" in screen_text(app).splitlines()[2]  # the legend of the marks
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, AlertsScreen))
        text = screen_text(app)
        assert text.index("not a number: kl") < text.index("spike of loss")
        assert "halve lr" in text
        await pilot.press("A")
        assert isinstance(app.screen, RunScreen)


async def test_the_list_of_a_healthy_run_says_so(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, feed)
        await pilot.press("A")
        await until(pilot, lambda: "Nothing is wrong" in screen_text(app))


async def test_while_an_old_log_is_read_nothing_is_wrong_yet(store: Store, live: Run) -> None:
    app, feed = studio(store, live)
    async with app.run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, feed)
        feed.tell(feed.RecordsRead(log.Chunk(list(steps(loss=50.0)), more=True)))
        await until(pilot, lambda: screen.history.step == 1490 and screen._timer is None)
        screen._show_alerts()
        assert screen.alerts() == []
        assert "alert" not in screen_text(app).splitlines()[0]


async def test_the_list_of_runs_shows_how_many_and_a_key_which(store: Store, live: Run) -> None:
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: feed.listener)
        feed.tell_runs()
        await until(pilot, lambda: "● running" in screen_text(app))
        app.post_message(Sentry.Found(live.summary(), [SPIKE, DONE], []))
        await until(pilot, lambda: "● running !1" in screen_text(app))
        await pilot.press("A")
        await until(pilot, lambda: "spike of loss" in screen_text(app))
        assert "all 2,000 steps are done" in screen_text(app)


async def test_of_a_run_that_ended_before_anybody_looked_the_list_says_what_its_screen_says(
    store: Store,
) -> None:
    run = build_runs.build(store, "wild", step=1400, of=1400, telemetry=0)
    line = log.Log(run.records)
    for step in steps(loss=50.0):
        line.append(step)
    line.close()
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: feed.listener)
        feed.tell_runs()
        await until(pilot, lambda: "wild" in screen_text(app))
        assert app.alerts == {}
        await pilot.press("A")
        await until(pilot, lambda: "spike of loss" in screen_text(app))


def rung(app: StudioApp, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that is told from now on: bells, and what is written to the terminal."""
    told: list[str] = []
    assert app._driver is not None
    write = app._driver.write

    def listen(data: str) -> None:
        if "\x1b]9;" in data or "\x1b]777;" in data:
            told.append(data)
        write(data)

    monkeypatch.setattr(app, "bell", lambda: told.append("bell"))
    monkeypatch.setattr(app._driver, "write", listen)
    return told


async def test_news_ring_once_with_the_bell_a_toast_and_a_notification(
    store: Store, live: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-kitty")
    monkeypatch.delenv("VTE_VERSION", raising=False)
    app, _ = studio(store)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        told = rung(app, monkeypatch)
        app.post_message(Sentry.Found(live.summary(), [SPIKE], [SPIKE]))
        await until(pilot, lambda: len(told) == 2)
        assert told[0] == "bell"
        assert told[1].startswith("\x1b]9;genai-tui: fashion-vae: spike of loss: loss jumped from")
        app.post_message(Sentry.Found(live.summary(), [SPIKE], []))
        await pilot.pause()
        assert len(told) == 2
        assert ["spike of loss" in one.message for one in app._notifications] == [True]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(notify="off"), []),
        (Settings(notify="bell"), ["bell"]),
        (Settings(mute="spike"), []),
        (Settings(mute="plateau, nan", notify="bell"), ["bell"]),
    ],
)
async def test_what_is_told_is_for_the_user_to_say(
    store: Store,
    live: Run,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    expected: list[str],
) -> None:
    app, _ = studio(store)
    app.settings = settings
    async with app.run_test(size=(120, 40)) as pilot:
        told = rung(app, monkeypatch)
        app.post_message(Sentry.Found(live.summary(), [SPIKE], [SPIKE]))
        await until(pilot, lambda: app.alerts)
        await pilot.pause()
        assert told == expected


async def test_the_command_is_run_with_the_alert(store: Store, live: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    app, _ = studio(store)
    app.settings = Settings(notify="off", alert_command=f"tee {out}")
    async with app.run_test(size=(120, 40)):
        app.post_message(Sentry.Found(live.summary(), [SPIKE], [SPIKE]))
        import asyncio

        await asyncio.to_thread(wait_until, lambda: out.exists() and out.read_text())
    said = json.loads(out.read_text())
    assert (said["run"], said["kind"], said["step"]) == (live.id, "spike", 1410)
    assert said["action"] == SPIKE.action


async def test_the_app_watches_until_it_ends(store: Store, live: Run) -> None:
    app, _ = studio(store)
    async with app.run_test(size=(120, 40)):
        assert app._sentry is None  # a test's App is left alone
        app.watch_runs()
        assert app._sentry is not None
    app._sentry._thread.join(20)  # a busy machine may keep it at its last look
    assert not app._sentry._thread.is_alive()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids="{0[0]}x{0[1]}".format)
def test_the_picture_of_the_list(
    store: Store, live: Run, size: tuple[int, int], snap_compare: Any
) -> None:
    app, feed = studio(store, live)

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, feed)
        app.push_screen(AlertsScreen("fashion-vae", [SPIKE, DONE], NOW + 300))
        await until(pilot, lambda: isinstance(app.screen, AlertsScreen))
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)


async def test_what_was_wrong_with_a_run_that_has_ended_is_seen(store: Store) -> None:
    run = build_runs.build(store, "ended", step=1000, state="stopped")
    writer = log.Log(run.records)
    writer.append(Step(step=1010, t=NOW, values={"kl": "NaN"}))
    writer.close()
    app, feed = studio(store, run)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, feed)
        await until(pilot, lambda: "! 1 alert (A)" in screen_text(app).splitlines()[0])
