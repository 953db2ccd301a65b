"""The app around the screens: what reaches the terminal, and which screen follows which."""

import gc
import subprocess
import sys
import weakref
from collections.abc import Iterator
from contextlib import suppress

import build_runs
import pytest
from rich.segment import Segment
from studio import QUADRANT, screen_text, studio, until
from textual.color import Color
from textual.dom import DOMNode
from textual.widget import Widget
from textual.widgets import Input, Static

from genai_tui import keymap
from genai_tui.app import StudioApp
from genai_tui.images.detect import Graphics
from genai_tui.last_hop import Visible
from genai_tui.screens.help import WIDEST, HelpScreen
from genai_tui.screens.run import RunScreen
from genai_tui.screens.runs import RunsScreen
from genai_tui.screens.too_small import TooSmall
from genai_tui.settings import Settings
from genai_tui.store import Store
from genai_tui.widgets.entry_picker import EntryPicker

HOSTILE = [
    "[@click=app.boom]x[/]",
    "exp[/red]",
    "[/] \x1b]52;c;cm0gLXJm\x07 \x1b[2J\x9b31m a\u202eb\x7f",
]


def test_the_last_hop_shows_controls_and_leaves_the_rest_alone() -> None:
    good = [Segment("loss ⣿ 0.5 ▀"), Segment("\x1b[1m", None, [(1,)])]  # pyright: ignore[reportArgumentType]
    assert Visible().apply(good, Color(0, 0, 0)) is good
    bad = [Segment("a\x1b]0;x\x07\x85\u202e\x7fb")]
    assert [s.text for s in Visible().apply(bad, Color(0, 0, 0))] == ["a·]0;x····b"]


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_name_breaks_nothing_and_reaches_no_terminal(
    store: Store, name: str
) -> None:
    run = build_runs.build(store, name, model=name, dataset=name, step=200, reason=name)
    (run.path / "samples" / "step-000000" / "000.txt").write_text(name)
    run.console.write_text(name + "\n")
    app, feed = studio(store)
    async with app.run_test(size=(120, 40)) as pilot:
        feed.tell_runs()
        await until(pilot, lambda: app.query("RunTable") and app.query_one("RunTable").display)
        for keys in (["question_mark"], ["escape", "x"], ["escape", "enter"]):
            await pilot.press(*keys)
            await pilot.pause()
            _is_clean(screen_text(app))
        await until(pilot, lambda: feed.followers)
        feed.look()
        await pilot.pause(0.1)
        _is_clean(screen_text(app))
        await pilot.press("ctrl+p", *"open")
        await pilot.pause(0.1)
        _is_clean(screen_text(app))


def _is_clean(text: str) -> None:
    assert all(character.isprintable() for character in text.replace("\n", ""))


async def test_a_terminal_that_is_too_small_gets_one_clear_sentence(store: Store) -> None:
    app, _ = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.resize_terminal(50, 12)
        await until(pilot, lambda: isinstance(app.screen, TooSmall))
        assert "The terminal is 50x12; genai-tui needs 60x16." in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


async def test_an_open_run_is_the_first_screen_and_the_list_comes_after_it(store: Store) -> None:
    run = build_runs.build(store, "mine", step=200)
    app, feed = studio(store, run)
    async with app.run_test() as pilot:
        assert isinstance(app.screen, RunScreen)
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert not feed.followers


async def test_enter_opens_a_run_and_q_goes_back_to_the_same_line(store: Store) -> None:
    for number in range(3):
        build_runs.build(store, f"run {number}", step=100, seed=number, telemetry=0)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        feed.tell_runs()
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert isinstance(app.screen, RunsScreen)
        assert app.screen.chosen is not None
        assert app.screen.chosen.name == "run 1"
        assert app.screen.query_one("RunTable").has_focus


async def test_the_help_lists_every_key_and_says_how_pictures_are_shown(store: Store) -> None:
    run = build_runs.build(store, "mine", step=200)
    app, _ = studio(store, run)
    async with app.run_test(size=(100, 50)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        text = str(app.screen.query_one("#help Static", Static).content)
        keys = {word for line in text.splitlines() for word in line[:16].split()}
        assert keys >= {"space", "x", "r", "s", "c", "f", "l", "+", "-", "q", "?", "^p", "^q"}
        assert "pictures as quadrant (a test)" in text
        assert str(store.root) in text
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


def test_every_key_is_explained_in_one_line_of_the_help() -> None:
    long = {action.id: action.what for action in keymap.actions() if len(action.what) > WIDEST}
    assert not long


async def test_the_help_has_words_of_its_own_for_keys_that_the_toolkit_binds(store: Store) -> None:
    app, _ = studio(store)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.focused, EntryPicker))
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        text = str(app.screen.query_one("#help Static", Static).content)
        lines = {line[:15].strip(): line[15:] for line in text.splitlines()}
        assert (lines["tab"], lines["⏎"]) == ("To the next panel", "Choose this line")
        assert "^pgup" not in lines, "nothing there is wider than its panel"
        assert "GPU is free" in screen_text(app)


async def test_the_palette_opens_a_run_by_a_part_of_its_name(store: Store) -> None:
    build_runs.build(store, "needle", step=100, telemetry=0)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        feed.tell_runs()
        await pilot.press("ctrl+p")
        await until(pilot, lambda: app.screen.query(Input))
        await pilot.press(*"needle")
        await until(pilot, lambda: "Open needle" in screen_text(app))
        await pilot.press("enter")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


async def test_the_palette_has_the_commands_of_the_screen(store: Store) -> None:
    app, _ = studio(store)
    async with app.run_test(size=(100, 50)) as pilot:
        await pilot.press("ctrl+p")
        await until(pilot, lambda: "Pick a generator and train it" in screen_text(app))
        await pilot.press(*"theme")
        await until(pilot, lambda: "Choose the colours" in screen_text(app))


async def test_keys_typed_before_the_start_are_not_lost(store: Store) -> None:
    typed = Graphics("half", "half", typed="?")
    app = StudioApp(store, graphics=typed, feed=studio(store)[1])
    async with app.run_test() as pilot:
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))


async def test_what_would_make_pictures_better_is_said_once(store: Store) -> None:
    poor = Graphics("quadrant", "quadrant", hint="for pixels: tmux set -g allow-passthrough on")
    app = StudioApp(store, graphics=poor, feed=studio(store)[1])
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: "allow-passthrough on" in screen_text(app))


async def test_a_theme_of_the_settings_is_used_and_an_unknown_one_is_named(store: Store) -> None:
    feed = studio(store)[1]
    app = StudioApp(store, graphics=QUADRANT, feed=feed, settings=Settings(theme="nord"))
    async with app.run_test():
        assert app.theme == "nord"
    odd = StudioApp(store, graphics=QUADRANT, feed=studio(store)[1], settings=Settings(theme="[/]"))
    async with odd.run_test(notifications=True) as pilot:
        await until(pilot, lambda: "There is no theme '[/]'." in screen_text(odd))


async def test_leaving_stops_the_feed(store: Store) -> None:
    app, feed = studio(store)
    async with app.run_test() as pilot:
        await pilot.press("q")
    assert feed.stopped


def test_the_studio_never_imports_torch_and_the_list_needs_no_numpy() -> None:
    code = (
        "import sys, genai_tui.app; assert 'numpy' not in sys.modules, 'numpy'; "
        "assert 'PIL' not in sys.modules, 'PIL'; "
        "import genai_tui.screens.run, genai_tui.screens.help, genai_tui.screens.dialogs; "
        "assert 'torch' not in sys.modules, 'torch'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.fixture
def nothing_collects() -> Iterator[None]:
    """What goes, goes by the App's own doing."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("nothing_collects")
async def test_runs_that_were_looked_at_leave_the_memory_with_all_their_widgets(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for delay in ("tidying.LET_GO", "tidying.REST", "keys_in_order.REST"):
        monkeypatch.setattr(f"genai_tui.{delay}_SECONDS", 0.05)
    monkeypatch.setattr("genai_tui.tidying.SETTLE_SECONDS", 3600.0)
    run = build_runs.build(store, "seen", step=100)
    app, _ = studio(store, run)
    async with app.run_test() as pilot:
        seen: list[weakref.ref[object]] = []

        def are_gone() -> bool:
            return all(ref() is None for ref in seen)

        for number in range(30):
            await until(pilot, lambda: "back" in screen_text(app))
            if number < 2:
                seen += [ref for node in app.screen.walk_children() for ref in references(node)]
            await pilot.press("q")
            await until(pilot, lambda: not isinstance(app.screen, RunScreen))
            with suppress(AssertionError):  # the next frame may have to be painted before
                await until(pilot, are_gone, seconds=0.3)
                break
            app.open_run(run.id)
        assert are_gone()


def references(node: DOMNode) -> list[weakref.ref[object]]:
    """To a widget, and to all that it drew."""
    assert isinstance(node, Widget)
    return [weakref.ref(node), weakref.ref(node._styles_cache)]  # pyright: ignore[reportPrivateUsage]
