"""The hints for a newcomer: five, once, and in nobody's way."""

from pathlib import Path

import build_runs
import pytest
from studio import QUADRANT, StillFeed, screen_text, until

from genai_tui import screens
from genai_tui.app import StudioApp
from genai_tui.screens.new_run import NewRunScreen
from genai_tui.screens.settings import SettingsScreen
from genai_tui.store import Store
from genai_tui.widgets.tour import DONE_BY, HINTS, Tour, was_seen


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENAI_TUI_STATE", str(tmp_path / "state"))


def newcomer(store: Store) -> tuple[StudioApp, StillFeed]:
    feed = StillFeed(store)
    return StudioApp(store, graphics=QUADRANT, feed=feed, tour=True), feed


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_five_hints_are_read_one_by_one_and_remembered(
    store: Store, size: tuple[int, int]
) -> None:
    build_runs.build(store, "mine", step=100, telemetry=0)
    app, feed = newcomer(store)
    async with app.run_test(size=size) as pilot:
        feed.tell_runs()
        for number, hint in enumerate(HINTS, 1):
            await until(pilot, lambda n=number: f"{n} of {len(HINTS)}" in screen_text(app))
            shown = " ".join(screen_text(app).split())
            assert all(word in shown for word in hint.split())
            assert "help" in screen_text(app).splitlines()[-1]
            assert not was_seen()
            await pilot.press("full_stop")
        await until(pilot, lambda: not app.query(Tour))
        await until(pilot, was_seen)


async def test_they_are_skipped_with_one_key_and_every_other_key_does_what_it_does(
    store: Store,
) -> None:
    app, _ = newcomer(store)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.query(Tour))
        await pilot.press("4")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        await pilot.press("comma", "escape")
        await until(pilot, lambda: app.query(Tour))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, NewRunScreen))
        await pilot.press("escape")
        await until(pilot, lambda: app.query(Tour))
        await pilot.press("comma")
        await until(pilot, was_seen)
        assert not app.query(Tour)


async def test_a_hint_goes_once_it_is_done(store: Store) -> None:
    app, _ = newcomer(store)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.query(Tour))
        tour = app.query_one(Tour)
        await pilot.press("n", "escape")
        await until(pilot, lambda: tour.number == 1)
        await pilot.press("n", "escape", "question_mark", "escape", "full_stop", "3", "escape")
        await until(pilot, lambda: tour.number == 3)
        assert not was_seen()
        await pilot.press("question_mark")
        await until(pilot, lambda: tour.number == 4)
        await pilot.press("escape", "question_mark", "escape", "full_stop")
        await until(pilot, was_seen)


def test_every_screen_that_a_hint_is_about_exists() -> None:
    found = {path.stem: path.read_text() for path in Path(screens.__path__[0]).glob("*.py")}
    named = {name for names in DONE_BY for name in names} - {"CommandPalette"}
    assert all(any(f"class {name}(" in text for text in found.values()) for name in named)


async def test_a_folder_that_cannot_be_written_is_no_trouble(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GENAI_TUI_STATE", str(tmp_path / "file" / "state"))
    app, _ = newcomer(store)
    async with app.run_test() as pilot:
        await until(pilot, lambda: app.query(Tour))
        await pilot.press("comma")
        await until(pilot, lambda: not app.query(Tour))
        assert not was_seen()
