"""A spared line: frames are few and lose nothing, pictures wait, and bytes are counted."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import build_runs
import numpy as np
import pytest
from fake_terminal import FakeTerminal
from studio import screen_text, studio, until
from textual.app import ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from genai_tui.images.detect import Graphics
from genai_tui.images.view import ImageView
from genai_tui.pacing import PacedApp, counted
from genai_tui.store import Store


@pytest.fixture(autouse=True)
def _true_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


class Line(PacedApp[None]):
    """A text and a picture on a fake terminal, whose frames are counted."""

    def __init__(self) -> None:
        self.terminal = terminal = FakeTerminal()
        self.graphics = Graphics("half", "half")
        self.frames = 0

        class Driver(HeadlessDriver):
            @property
            def is_headless(self) -> bool:
                return False

            def write(self, data: str) -> None:
                terminal.feed(data)

        super().__init__(driver_class=counted(Driver))

    def _end_update(self) -> None:
        self.frames += 1
        super()._end_update()

    def compose(self) -> ComposeResult:
        yield Static("0", id="text")
        yield ImageView()

    @property
    def line(self) -> str:
        """What the terminal shows in its first row."""
        cells = [self.terminal.cells.get((0, x)) for x in range(40)]
        return "".join(cell.char if cell else " " for cell in cells).strip()

    @property
    def text(self) -> str:
        """All characters on the terminal."""
        return "".join(cell.char for _, cell in sorted(self.terminal.cells.items()))

    def say(self, text: str) -> None:
        self.query_one("#text", Static).update(text)


async def drive(app: Line, script: Callable[[Pilot[None]], Awaitable[None]]) -> None:
    async def then_exit(pilot: Pilot[Any]) -> None:
        try:
            await pilot.pause()
            await script(pilot)
        finally:
            app.exit()

    await app.run_async(headless=False, size=(40, 14), auto_pilot=then_exit)


async def test_between_two_frames_changes_add_up_and_none_is_lost() -> None:
    app = Line()

    async def script(pilot: Pilot[None]) -> None:
        app.pace(2.0)
        app.say("1")
        await until(pilot, lambda: app.line == "1")
        before = app.frames
        for number in range(2, 12):
            app.say(str(number))
            await asyncio.sleep(0.02)  # longer than Textual's own frame
        await until(pilot, lambda: app.line == "11")
        assert app.frames == before + 1

    await drive(app, script)


async def test_a_screen_that_opens_between_frames_is_shown_whole_at_the_next() -> None:
    app = Line()

    async def script(pilot: Pilot[None]) -> None:
        app.pace(0.2)
        app.say("1")
        await until(pilot, lambda: app.line == "1")
        screen: Screen[None] = Screen()
        await app.push_screen(screen)
        await screen.mount(Static("opened"))
        await until(pilot, lambda: app.line == "opened")
        app.pop_screen()
        await until(pilot, lambda: app.line == "1")

    await drive(app, script)


async def test_pictures_wait_until_they_are_asked_for_and_so_does_the_next_one() -> None:
    app = Line()

    async def script(pilot: Pilot[None]) -> None:
        view = app.query_one(ImageView)
        app.on_demand = True
        picture = np.full((20, 20, 3), 200, np.uint8)
        view.show(picture)
        await until(pilot, lambda: "20x20 pixels: g draws them" in app.text)
        assert not (app.terminal.pixels() == 200).all(axis=2).any()
        view.demand()
        await until(pilot, lambda: (app.terminal.pixels() == 200).sum() > 1000)
        view.show(np.full((20, 20, 3), 100, np.uint8))
        await until(pilot, lambda: "g draws them" in app.text)
        app.on_demand = False
        await until(pilot, lambda: (app.terminal.pixels() == 100).sum() > 1000)

    await drive(app, script)


async def test_the_meter_counts_what_the_terminal_gets() -> None:
    app = Line()

    async def script(pilot: Pilot[None]) -> None:
        before = app.bytes_written
        app.say("ä" * 10)
        await until(pilot, lambda: "ä" in app.line)
        assert app.bytes_written >= before + 20
        app.meter(True)
        await until(pilot, lambda: app.traffic.endswith("B/s"))
        app.meter(False)
        assert app.traffic == ""

    await drive(app, script)


async def test_the_setting_spares_the_line_at_once_and_g_draws_a_picture(store: Store) -> None:
    run = build_runs.build(store, "mine", step=1000)
    app, feed = studio(store, run)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: feed.followers)
        feed.look()
        app.settings = replace(app.settings, low_bandwidth=True)
        await until(pilot, lambda: "pixels: g draws them" in screen_text(app))
        await until(pilot, lambda: "B/s" in screen_text(app))
        mode = app.graphics.mode
        await pilot.press("g")
        await until(pilot, lambda: "g draws them" not in screen_text(app))
        assert app.graphics.mode == mode
        app.settings = replace(app.settings, low_bandwidth=False)
        await until(pilot, lambda: "B/s" not in screen_text(app))
