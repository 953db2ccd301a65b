"""Digits open places from anywhere, and escape goes back to what they covered."""

from dataclasses import replace

import build_runs
import pytest
from studio import screen_text, studio, until

from genai_tui.app import StudioApp
from genai_tui.images.detect import Graphics, next_way
from genai_tui.screens.run import RunScreen
from genai_tui.screens.runs import RunsScreen
from genai_tui.screens.settings import SettingsScreen
from genai_tui.store import Store


async def test_a_digit_opens_a_place_and_escape_goes_back(store: Store) -> None:
    app, _ = studio(store)
    async with app.run_test() as pilot:
        await pilot.press("4")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        await pilot.press("4")
        assert len(app.screen_stack) == 2
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


async def test_a_place_over_a_run_goes_back_to_the_run_and_1_to_the_list(store: Store) -> None:
    run = build_runs.build(store, "mine", step=200)
    app, feed = studio(store)
    async with app.run_test() as pilot:
        feed.tell_runs()
        await pilot.press("enter")
        await until(pilot, lambda: feed.followers)
        await pilot.press("4", "escape")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("4", "1")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        assert len(app.screen_stack) == 1
        await until(pilot, lambda: not feed.followers)
        app.open_run(run.id)
        await until(pilot, lambda: feed.followers)


async def test_1_finds_the_list_when_the_studio_was_opened_on_a_run(store: Store) -> None:
    run = build_runs.build(store, "mine", step=200)
    app, feed = studio(store, run)
    async with app.run_test() as pilot:
        await until(pilot, lambda: feed.followers)
        await pilot.press("4")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        await pilot.press("1")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await pilot.press("4", "escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


async def test_g_draws_pictures_in_the_next_way_and_says_which_and_why(store: Store) -> None:
    app, _ = studio(store)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.press("g")
        assert app.graphics.mode == "half"
        await until(pilot, lambda: "Pictures as half (your choice" in screen_text(app))


def test_the_ways_go_round_and_pixels_get_the_best_cells_back() -> None:
    found = Graphics("kitty", "octant", why="kitty(0.41.1)")
    seen = [found]
    for _ in range(5):
        seen.append(next_way(seen[-1]))
    assert [one.mode for one in seen] == ["kitty", "octant", "quadrant", "half", "ascii", "kitty"]
    assert [one.cells for one in seen[1:]] == ["octant", "quadrant", "half", "ascii", "octant"]
    assert "kitty, octant, quadrant, half and ascii" in seen[1].why


async def test_cells_of_another_size_are_drawn_on_as_such(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = studio(store)
    app.set_reactive(StudioApp.graphics, replace(app.graphics, cell=(10, 20)))
    async with app.run_test() as pilot:
        monkeypatch.setattr("genai_tui.preferring.window_cell_size", lambda: (8, 16))
        monkeypatch.setattr(StudioApp, "is_headless", False)
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: app.graphics.cell == (8, 16))
        monkeypatch.setattr(StudioApp, "is_headless", True)
