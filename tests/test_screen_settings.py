"""The settings as a user changes them: at once on the screen, one value at a time in the file."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import build_runs
import pytest
from studio import screen_text, studio, until
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from genai_tui import settings
from genai_tui.app import StudioApp
from genai_tui.keymap import Action, _owners, actions
from genai_tui.screens.ask_key import AskKey
from genai_tui.screens.dialogs import AskText
from genai_tui.screens.help import HelpScreen
from genai_tui.screens.new_run import NewRunScreen
from genai_tui.screens.runs import RunsScreen
from genai_tui.screens.settings import SettingsScreen
from genai_tui.settings import Settings
from genai_tui.store import Store
from genai_tui.widgets.run_table import RunTable

FIXED = {"ConfigForm", "SignalDialog"}
"""A form is typed into, and a question names its answers: their keys stay what they are."""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "settings.toml"
    monkeypatch.setenv("GENAI_TUI_SETTINGS", str(path))
    return path


async def opened(app: StudioApp, pilot: Pilot[None]) -> OptionList:
    """The settings, with all their keys."""
    await pilot.press("4")
    await until(pilot, lambda: isinstance(app.screen, SettingsScreen) and app.screen._actions)
    rows = app.screen.query_one(OptionList)
    await until(pilot, lambda: rows.option_count > len(settings.MEANINGS) + 10)
    return rows


def choose(rows: OptionList, name: str) -> None:
    rows.highlighted = rows.get_option_index(name)


async def test_left_and_right_change_a_value_at_once_and_in_the_file(
    store: Store, file: Path
) -> None:
    file.write_text("# mine\nsmoothing = 0.5\n")
    app, _ = studio(store)
    app.set_reactive(StudioApp.settings, settings.load())
    async with app.run_test(size=(120, 40)) as pilot:
        rows = await opened(app, pilot)
        choose(rows, "theme")
        before = app.theme
        await pilot.press("right")
        await until(pilot, lambda: app.theme != before)
        assert settings.load().theme == app.theme
        choose(rows, "smoothing")
        await pilot.press("left")
        await until(pilot, lambda: app.settings.smoothing == 0.45)
        choose(rows, "meter")
        await pilot.press("enter")
        await until(pilot, lambda: app.settings.meter)
        await until(pilot, lambda: "0.45" in screen_text(app))
        await pilot.press("delete")
        await until(pilot, lambda: not app.settings.meter)
    written = f'# mine\nsmoothing = 0.45\ntheme = "{app.theme}"\n'
    assert file.read_text() == written


async def test_words_after_a_slash_find_settings_and_keys_and_escape_shows_all_again(
    store: Store, file: Path
) -> None:
    app, _ = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        rows = await opened(app, pilot)
        everything = rows.option_count
        await pilot.press("slash", *"pictures auto")
        await until(pilot, lambda: rows.option_count == 1)
        await pilot.press("enter", "right")
        await until(pilot, lambda: app.settings.graphics == "kitty")
        assert "how pictures are drawn" in screen_text(app)
        await pilot.press("slash", "ctrl+u", *"delete the run")
        await until(pilot, lambda: "runs.delete" in screen_text(app))
        assert "theme" not in screen_text(app)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, AskKey))
        await pilot.press("escape", "slash", *"zzz")
        await until(pilot, lambda: "nothing is about that" in screen_text(app))
        await pilot.press("enter", "enter", "delete", "left", "escape")
        await until(pilot, lambda: rows.option_count == everything)
        assert isinstance(app.screen, SettingsScreen)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


async def test_the_way_of_drawing_pictures_changes_with_its_setting(
    store: Store, file: Path
) -> None:
    app, _ = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        choose(await opened(app, pilot), "graphics")
        await pilot.press("left")
        await until(pilot, lambda: app.graphics.mode == "ascii")
        await pilot.press("right")
        await until(pilot, lambda: app.graphics.mode == "quadrant")
        await pilot.press("g")
        await until(pilot, lambda: "now half (your choice" in screen_text(app))


async def test_the_way_of_drawing_pictures_is_remembered(store: Store, file: Path) -> None:
    app, _ = studio(store)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("g")
        await until(pilot, lambda: settings.load().graphics == "half")
        await pilot.press("g", "g")
        await until(pilot, lambda: app.graphics.mode == "quadrant")
        await until(pilot, lambda: settings.load().graphics == "auto")
        assert app.settings.graphics == "auto"
        file.unlink()
        file.mkdir()
        await pilot.press("g")
        await until(pilot, lambda: "The way of drawing is not remembered" in screen_text(app))


async def test_a_number_is_typed_and_a_wrong_one_is_refused_in_a_sentence(
    store: Store, file: Path
) -> None:
    app, _ = studio(store)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        choose(await opened(app, pilot), "refresh")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, AskText))
        await pilot.press("backspace", "backspace", "backspace", "x", "enter")
        await until(pilot, lambda: "a number" in screen_text(app))
        await pilot.press("backspace", "9", "9", "enter")
        await until(pilot, lambda: "refresh must be from 0.1 to 60, not 99" in screen_text(app))
        assert app.settings == Settings()
        assert not file.exists()


async def test_a_key_is_given_to_something_else_and_holds_at_once(store: Store, file: Path) -> None:
    app, _ = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        choose(await opened(app, pilot), "key runs.new")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, AskKey))
        await pilot.press("ctrl+t")
        await until(pilot, lambda: app.settings.keys == {"runs.new": "ctrl+t"})
        assert settings.load().keys == {"runs.new": "ctrl+t"}
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await until(pilot, lambda: "^t new run" in screen_text(app))
        await pilot.press("n")
        await pilot.pause()
        assert isinstance(app.screen, RunsScreen)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen))


async def test_a_key_that_is_taken_is_refused_and_a_default_comes_back(
    store: Store, file: Path
) -> None:
    app, _ = studio(store)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        rows = await opened(app, pilot)
        for name, key in [("runs.new", "x"), ("help", "n")]:
            choose(rows, f"key {name}")
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, AskKey))
            await pilot.press(key)
            await until(pilot, lambda key=key: f"{key} is taken: " in screen_text(app))
        assert not app.settings.keys
        choose(rows, "key help")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, AskKey))
        await pilot.press("f1")
        await until(pilot, lambda: app.settings.keys)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        await pilot.press("escape", "backspace")
        await until(pilot, lambda: not app.settings.keys)
        await pilot.press("enter", "escape")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))


async def test_keys_of_the_file_hold_from_the_start_and_a_clash_is_said(store: Store) -> None:
    app, _ = studio(store)
    chosen = Settings(keys={"help": "f1", "runs.new": "ctrl+t", "runs.delete": "ctrl+t"})
    app.set_reactive(StudioApp.settings, chosen)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: "The settings give a key twice" in screen_text(app))
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))


async def test_runs_of_another_folder_are_shown_at_once(
    store: Store, tmp_path: Path, file: Path
) -> None:
    other = Store(tmp_path / "other")
    build_runs.build(other, "elsewhere", step=100, telemetry=0)
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        choose(await opened(app, pilot), "runs")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, AskText))
        app.screen.query_one(Input).value = str(other.root)
        await pilot.press("enter")
        await until(pilot, lambda: app.store.root == other.root)
        assert feed.stopped
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        await pilot.press("escape")
        now: Any = app.feed
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and now.listener)
        now.tell_runs()
        await until(pilot, lambda: "elsewhere" in screen_text(app))


def test_every_key_has_a_name_and_says_what_it_is_for() -> None:
    found = {action.id: action for action in actions()}
    assert all(action.what for action in found.values())
    assert {"help", "go.settings", "runs.new", "run.pause", "graphics"} <= set(found)
    assert len(found["move.down"].owners) > 3
    named = {owner: vars(owner).get("BINDINGS", ()) for owner in _owners()}
    for owner, bindings in named.items():
        without = [one.description for one in Binding.make_bindings(bindings) if not one.id]
        assert not without or owner.__name__ in FIXED, (owner, without)


async def test_one_name_moves_in_every_list(store: Store) -> None:
    for number in range(3):
        build_runs.build(store, f"run {number}", step=100, seed=number, telemetry=0)
    app, feed = studio(store)
    app.set_reactive(StudioApp.settings, Settings(keys={"move.down": "ctrl+n"}))
    async with app.run_test(size=(120, 40)) as pilot:
        feed.tell_runs()
        await until(pilot, lambda: app.query("RunTable") and app.query_one("RunTable").display)
        await pilot.press("ctrl+n", "j")
        table = app.screen.query_one(RunTable)
        assert table.cursor == 1
        rows = await opened(app, pilot)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: rows.highlighted == 1)


async def test_curves_that_are_on_the_screen_follow_their_settings(store: Store) -> None:
    run = build_runs.build(store, "mine", step=1000)
    app, feed = studio(store, run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: feed.followers)
        feed.look()
        await until(pilot, lambda: "smoothing 0.6" in screen_text(app))
        app.settings = replace(app.settings, smoothing=0.0, refresh=0.1)
        await until(pilot, lambda: "not smoothed" in screen_text(app))


async def test_unicode_can_be_done_without(store: Store, file: Path) -> None:
    build_runs.build(store, "fashion-vae", step=100)
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        feed.tell_runs()
        await until(pilot, lambda: "fashion-vae" in screen_text(app))
        assert not screen_text(app).isascii()
        rows = await opened(app, pilot)
        choose(rows, "unicode")
        await pilot.press("left")
        await until(pilot, lambda: app.settings.unicode == "no")
        await pilot.pause()
        assert screen_text(app).isascii()
        assert app.graphics.mode == "ascii"
        await pilot.press("q")
        await until(pilot, lambda: "fashion-vae" in screen_text(app))
        assert screen_text(app).isascii()
        choose(await opened(app, pilot), "unicode")
        await pilot.press("right")
        await until(pilot, lambda: app.settings.unicode == "auto")
        await pilot.pause()
        assert not screen_text(app).isascii()


@pytest.mark.parametrize(
    ("size", "theme"),
    [((80, 24), "textual-dark"), ((120, 40), "textual-light"), ((200, 60), "textual-dark")],
    ids=["80x24", "120x40-light", "200x60"],
)
def test_the_picture_of_the_settings(
    store: Store,
    snap_compare: Any,
    monkeypatch: pytest.MonkeyPatch,
    size: tuple[int, int],
    theme: str,
) -> None:
    monkeypatch.setenv("GENAI_TUI_SETTINGS", "settings.toml")
    some = [
        Action("help", "question_mark", "Every key of this screen", (StudioApp,)),
        Action("move.down", "down,j", "To the next run", (RunTable,)),
        Action("runs.new", "n", "Pick a generator and train it", (RunsScreen,)),
    ]
    monkeypatch.setattr("genai_tui.screens.settings.actions", lambda: some)
    app, _ = studio(store)
    app.set_reactive(StudioApp.settings, Settings(theme=theme, keys={"runs.new": "N"}))

    async def before(pilot: Pilot[None]) -> None:
        await pilot.press("4")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen) and app.screen._actions)
        await pilot.press("down", "down")
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)
