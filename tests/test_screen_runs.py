"""The Runs screen, as keystrokes and as pictures."""

import re
import time
from pathlib import Path
from typing import Any

import build_runs
import msgspec
import pytest
from build_runs import NOW
from studio import StillFeed, screen_text, studio, until
from textual import events
from textual.pilot import Pilot
from textual.widgets import Button

from backends import records
from genai_tui import amounts, launch, liveness
from genai_tui.app import StudioApp
from genai_tui.atomic import write_atomic
from genai_tui.screens.dialogs import AskSteps, Confirm
from genai_tui.screens.runs import RunsScreen
from genai_tui.store import Run, Store
from genai_tui.widgets import run_table
from genai_tui.widgets.run_columns import COLUMNS, GAP, fitted
from genai_tui.widgets.run_table import RunTable

SIZES = [(80, 24), (120, 40), (200, 60)]


def fill(store: Store) -> dict[str, Run]:
    """A run of every kind."""
    build = build_runs.build
    runs = {
        "fashion": build(
            store, "fashion-vae", id="6", step=1400, state="running", created=NOW - 300, seed=1
        ),
        "clothes": build(
            store, "clothes-gan", id="5", model="gan/dcgan", step=500, of=10000, state="paused"
        ),
        "bard": build(
            store,
            "shakespeare",
            id="4",
            model="autoregressive/gpt",
            dataset="shakespeare-mini",
            modality="text",
            created=NOW - 86400,
        ),
        "flow": build(
            store,
            "flow-guided",
            id="3",
            model="diffusion/rectified_flow",
            state="failed",
            step=1200,
            of=20000,
            reason="the loss was NaN at step 1203",
            created=NOW - 3 * 86400,
        ),
        "wide": build(store, "vae-wide", id="2", state="stopped", step=900, created=NOW - 9e5),
    }
    (store.root / "1").mkdir()
    (store.root / "1" / "run.json").write_text("{")
    for name in ("fashion", "clothes"):
        liveness.hold_keeper(runs[name].path / "keeper.lock")
    return runs


async def opened(pilot: Pilot[None], feed: StillFeed) -> RunTable:
    await until(pilot, lambda: feed.listener)
    feed.tell_runs()
    table = pilot.app.screen.query_one(RunTable)
    await until(pilot, lambda: table.runs)
    return table


def names(table: RunTable) -> list[str]:
    return [run.name for run in table.runs]


# ---------------------------------------------------------------------------- pictures


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        time = staticmethod(lambda: NOW)

    monkeypatch.setattr(run_table, "time", Clock)


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_the_picture(store: Store, size: tuple[int, int], snap_compare: Any) -> None:
    fill(store)
    app, feed = studio(store)

    async def before(pilot: Pilot[None]) -> None:
        await opened(pilot, feed)
        feed.tell_machine(build_runs.snapshot(NOW, 1, 0))
        await until(pilot, lambda: "loss" in screen_text(app) and "▁" in screen_text(app))
        if size[0] >= 100:
            await until(pilot, lambda: app.screen.query_one("#samples ImageView").display, 20)

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.usefixtures("frozen")
def test_the_picture_of_an_empty_store(store: Store, snap_compare: Any) -> None:
    app, feed = studio(store)

    async def before(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: feed.listener)
        feed.tell_runs()
        await until(pilot, lambda: app.screen.query_one("#empty").display)
        await until(pilot, lambda: app.screen.query("#samples"))

    assert snap_compare(app, terminal_size=(80, 24), run_before=before)


# ---------------------------------------------------------------------------- the list


async def test_every_run_is_listed_the_newest_first_and_a_broken_one_with_its_reason(
    store: Store,
) -> None:
    fill(store)
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        table = await opened(pilot, feed)
        assert names(table) == [
            "fashion-vae",
            "clothes-gan",
            "shakespeare",
            "flow-guided",
            "vae-wide",
            "1",
        ]
        await pilot.pause()
        text = screen_text(app)
        row = r"● running +fashion-vae +vae/conv +fashion\S* +1,400/2,000 +49s +12\.3"
        assert re.search(row, text)
        assert "‖ paused" in text
        assert re.search(r"\? broken +1: run.json is damaged", text)
        assert "6 · 2 training" in text


async def test_an_empty_store_says_what_to_press(store: Store) -> None:
    app, feed = studio(store)
    async with app.run_test() as pilot:
        feed.tell_runs()
        await until(pilot, lambda: "No runs yet." in screen_text(app))
        assert "genai-tui demo" in screen_text(app)


async def test_the_keys_move_the_cursor(store: Store) -> None:
    fill(store)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        table = await opened(pilot, feed)
        for key, line in [
            ("down", 1),
            ("j", 2),
            ("k", 1),
            ("up", 0),
            ("up", 0),
            ("G", 5),
            ("down", 5),
            ("home", 0),
            ("end", 5),
            ("home", 0),
            ("pagedown", 5),
            ("pageup", 0),
        ]:
            await pilot.press(key)
            assert table.cursor == line, key


async def test_the_cursor_stays_on_its_run_when_a_newer_one_comes(store: Store) -> None:
    fill(store)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        table = await opened(pilot, feed)
        await pilot.press("j", "j")
        build_runs.build(store, "newer", id="9", step=0, telemetry=0)
        feed.tell_runs()
        await until(pilot, lambda: len(table.runs) == 7)
        assert table.chosen is not None
        assert (table.chosen.name, table.cursor) == ("shakespeare", 3)


async def test_a_line_that_has_not_changed_is_not_drawn_again(store: Store) -> None:
    runs = fill(store)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        table = await opened(pilot, feed)
        await pilot.pause()
        drawn: list[Any] = []
        table.refresh = lambda *regions, **_: drawn.extend(regions) or table  # pyright: ignore[reportAttributeAccessIssue]
        feed.tell_runs()
        await pilot.pause()
        assert drawn == []
        build_runs.write_status(runs["fashion"], "running", 1410, 2000)
        feed.tell_runs()
        await until(pilot, lambda: drawn)
        assert {region.y for region in drawn} == {1}


async def test_the_filter_shows_runs_that_contain_every_word(store: Store) -> None:
    fill(store)
    app, feed = studio(store)
    async with app.run_test(size=(100, 30)) as pilot:
        table = await opened(pilot, feed)
        await pilot.press("slash", *"vae run")
        await until(pilot, lambda: names(table) == ["fashion-vae"])
        await pilot.press("enter")
        assert table.has_focus
        await pilot.press("slash", *"zzz")
        await until(pilot, lambda: "No run is meant by that." in screen_text(app))
        await pilot.press("escape")
        await until(pilot, lambda: len(table.runs) == 6)
        assert table.has_focus


async def test_letters_that_come_at_once_with_the_key_of_the_filter_reach_it(store: Store) -> None:
    fill(store)
    app, feed = studio(store)
    async with app.run_test(size=(100, 30)) as pilot:
        table = await opened(pilot, feed)
        for key in ("slash", "w", "i", "d", "e"):  # as a terminal hands them over, in one read
            app.post_message(events.Key(key, "/" if key == "slash" else key))
        await until(pilot, lambda: names(table) == ["vae-wide"])
        assert app.focused is not table


async def test_five_thousand_runs_are_shown_and_scrolled_at_once(store: Store) -> None:
    one = build_runs.build(store, "one", step=0, telemetry=0).summary()
    many = [type(one)(**{**vars_of(one), "id": str(i), "name": f"run {i}"}) for i in range(5000)]
    app, feed = studio(store)
    async with app.run_test() as pilot:
        began = time.process_time()
        feed.tell(feed.RunsRead(many))
        table = app.screen.query_one(RunTable)
        await until(pilot, lambda: table.runs)
        await pilot.press("G")
        assert table.cursor == 4999
        assert time.process_time() - began < 1.0
        await pilot.pause()
        assert "run 4999" in screen_text(app)


def vars_of(summary: Any) -> dict[str, Any]:
    return {name: getattr(summary, name) for name in summary.__slots__}


@pytest.mark.parametrize("width", range(20, 260, 7))
def test_columns_fill_the_width_and_never_more(width: int) -> None:
    columns = fitted(width)
    used = sum(cells for _, cells in columns) + GAP * (len(columns) - 1)
    assert used <= width
    assert used >= min(width, sum(c.least for c in COLUMNS)) - max(c.least for c in COLUMNS) - 1
    assert all(column.least <= cells <= column.most for column, cells in columns)


# ---------------------------------------------------------------------------- marks


async def test_marked_runs_are_handed_over_for_a_comparison(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    app, feed = studio(store)
    wanted: list[list[str]] = []

    def compare(_: StudioApp, event: RunsScreen.CompareWanted) -> None:
        wanted.append(list(event.ids))

    monkeypatch.setattr(StudioApp, "on_runs_screen_compare_wanted", compare, raising=False)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        table = await opened(pilot, feed)
        await pilot.press("C")
        await until(pilot, lambda: "Mark two runs or more with m" in screen_text(app))
        await pilot.press("m")  # and on to the next
        assert table.cursor == 1
        await pilot.press("j", "m")
        await until(pilot, lambda: "2 marked" in screen_text(app))
        assert re.search(r"◆● running +fashion-vae", screen_text(app))
        await pilot.press("slash", *"zzz", "enter", "C")
        await until(pilot, lambda: wanted)
        assert wanted == [["6", "4"]]
        await pilot.press("escape", "home", "m")
        await until(pilot, lambda: "1 marked" in screen_text(app))
        await pilot.press("M")
        await until(pilot, lambda: "◆" not in screen_text(app))


async def test_the_mark_of_a_run_that_is_gone_is_gone(store: Store) -> None:
    runs = fill(store)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        table = await opened(pilot, feed)
        await pilot.press("end", "k", "m")
        screen = app.screen
        assert isinstance(screen, RunsScreen)
        assert screen.marked == {"2"}
        runs["wide"].delete()
        feed.tell_runs()
        await until(pilot, lambda: len(table.runs) == 5)
        assert screen.marked == set()


# ---------------------------------------------------------------------------- commands


async def test_space_asks_the_worker_to_pause_and_a_paused_one_to_go_on(store: Store) -> None:
    runs = fill(store)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        await opened(pilot, feed)
        assert "pause" in screen_text(app).splitlines()[-1]
        await pilot.press("space")
        await pilot.press("space", "space")  # impatiently
        await pilot.press("j", "space")
        assert "go on" in screen_text(app).splitlines()[-1]
        assert verbs(runs["fashion"]) == ["pause"]
        assert verbs(runs["clothes"]) == ["resume"]


def verbs(run: Run) -> list[str]:
    from genai_tui import control

    return [command.verb for command in control.take(run.control) if not isinstance(command, str)]


async def test_the_cursor_waits_for_a_run_that_is_not_listed_yet(store: Store) -> None:
    fill(store)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        table = await opened(pilot, feed)
        screen = app.screen
        assert isinstance(screen, RunsScreen)
        screen.point_to("7")
        new = build_runs.build(store, "newcomer", id="7", step=0, telemetry=0)
        feed.tell_runs()
        await until(pilot, lambda: table.chosen and table.chosen.id == new.id)
        await pilot.press("down")
        feed.tell_runs()
        await pilot.pause()
        assert table.chosen is not None
        assert table.chosen.id != new.id


async def test_x_asks_before_it_stops(store: Store) -> None:
    runs = fill(store)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        await opened(pilot, feed)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        assert "Stop fashion-vae after this step?" in screen_text(app)
        await pilot.press("n")
        assert verbs(runs["fashion"]) == []
        await pilot.press("x")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert verbs(runs["fashion"]) == ["stop"]


async def test_what_cannot_be_commanded_is_said_in_one_sentence(store: Store) -> None:
    fill(store)
    app, feed = studio(store)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await opened(pilot, feed)
        await pilot.press("j", "j", "space")
        await until(pilot, lambda: "shakespeare is finished" in screen_text(app))
        await pilot.press("x")
        await until(pilot, lambda: "shakespeare is finished already." in screen_text(app))


async def test_d_says_how_much_disk_a_run_takes_and_deletes_it_on_yes_alone(store: Store) -> None:
    runs = fill(store)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        await opened(pilot, feed)
        await pilot.press("j", "j", "j", "d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        size = amounts.size(runs["flow"].size())
        assert f"Delete flow-guided for good? It takes {size}" in screen_text(app)
        assert app.focused is app.screen.query_one("#no", Button)
        await pilot.press("enter")
        assert runs["flow"].path.exists()
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: not runs["flow"].path.exists())


async def test_a_run_that_trains_is_not_deleted(store: Store) -> None:
    runs = fill(store)
    app, feed = studio(store)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await opened(pilot, feed)
        await pilot.press("d")
        await until(pilot, lambda: "is running: stop it before" in screen_text(app))
        assert not isinstance(app.screen, Confirm)
        assert runs["fashion"].path.exists()


async def test_r_resumes_a_stopped_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    resumed: list[tuple[str, int | None]] = []

    def resume(run: Run, steps: int | None = None) -> None:
        resumed.append((run.id, steps))

    monkeypatch.setattr(launch, "resume", resume)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        await opened(pilot, feed)
        await pilot.press("j", "j", "j", "j", "r")
        await until(pilot, lambda: resumed)
        assert resumed == [("2", None)]


async def test_r_asks_up_to_which_step_a_finished_run_shall_train_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    resumed: list[tuple[str, int | None]] = []

    def resume(run: Run, steps: int | None = None) -> None:
        resumed.append((run.id, steps))

    monkeypatch.setattr(launch, "resume", resume)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        await opened(pilot, feed)
        await pilot.press("j", "j", "r")
        await until(pilot, lambda: isinstance(app.screen, AskSteps))
        await pilot.press(*["backspace"] * 4, *"1500", "enter")
        assert "more than the 2,000 that are done" in screen_text(app)
        await pilot.press(*["backspace"] * 4, *"3000", "enter")
        await until(pilot, lambda: resumed)
        assert resumed == [("4", 3000)]


async def test_a_start_that_fails_is_said_and_the_app_lives_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)

    def resume(run: Run, steps: int | None = None) -> None:
        raise launch.LaunchError("the worker died: [/] no module named torch")

    monkeypatch.setattr(launch, "resume", resume)
    app, feed = studio(store)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await opened(pilot, feed)
        await pilot.press("G", "k", "r")
        await until(pilot, lambda: "[/] no module named torch" in screen_text(app))


async def test_a_broken_run_is_not_opened_but_says_why(store: Store) -> None:
    fill(store)
    app, feed = studio(store)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await opened(pilot, feed)
        await pilot.press("G", "enter")
        await until(pilot, lambda: "1 cannot be opened" in screen_text(app))
        assert isinstance(app.screen, RunsScreen)


async def test_the_samples_of_the_run_under_the_cursor_are_beside_the_list(store: Store) -> None:
    fill(store)
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await opened(pilot, feed)
        await until(pilot, lambda: "step 1,000" in screen_text(app), 20)
        await pilot.press("j", "j")
        await until(pilot, lambda: "ROMEO:" in screen_text(app))


def test_the_app_is_the_one_users_get(tmp_path: Path) -> None:
    assert StudioApp(Store(tmp_path)).title == "genai-tui"


async def test_a_run_that_does_not_train_just_now_says_what_it_does(store: Store) -> None:
    run = build_runs.build(store, "a", state="running", step=100)
    liveness.hold_keeper(run.path / "keeper.lock")
    status = msgspec.structs.replace(run.status(), phase="validating", phase_done=3, phase_of=8)
    write_atomic(run.path / "status.json", records.encode(status))
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: feed.listener)
        feed.tell_runs()
        await until(pilot, lambda: "● validating" in screen_text(app))
