"""The picture widget in a running app, seen through a terminal that decodes what it is sent."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from fake_terminal import FakeTerminal
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.color import Color
from textual.containers import VerticalScroll
from textual.drivers.headless_driver import HeadlessDriver
from textual.events import AppBlur, AppFocus
from textual.filter import LineFilter, Monochrome
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Static

from genai_tui.images.detect import Graphics, Mode
from genai_tui.images.grid import paged
from genai_tui.images.host import PictureHost
from genai_tui.images.strips import Drawing
from genai_tui.images.tonemap import PictureError
from genai_tui.images.view import ImageView

KITTY = Graphics("kitty", "quadrant", cell=(4, 8), why="kitty(0.41.1)")


@pytest.fixture(autouse=True)
def _true_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


class Sanitiser(LineFilter):
    """Like the studio's last hop: control characters become visible, colours stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text.replace("\x1b", "␛"), style, None) for text, style, _ in segments]


class Studio(PictureHost[None]):
    """An app of given widgets on a fake terminal."""

    def __init__(self, *widgets: Widget, graphics: Graphics | None = None, css: str = "") -> None:
        self.terminal = terminal = FakeTerminal()
        self.written: list[str] = []
        self.graphics = graphics
        self._widgets = widgets

        class Driver(HeadlessDriver):
            @property
            def is_headless(self) -> bool:
                return False

            def write(self, data: str) -> None:
                app.written.append(data)
                terminal.feed(data)

        app = self
        self.CSS = css  # pyright: ignore[reportAttributeAccessIssue]
        super().__init__(driver_class=Driver)
        self._filters.append(Sanitiser())

    def compose(self) -> ComposeResult:
        yield from self._widgets

    @property
    def view(self) -> ImageView:
        return self.screen_stack[0].query_one(ImageView)


Script = Callable[[Pilot[None]], Awaitable[None]]


async def drive(app: Studio, size: tuple[int, int], script: Script) -> FakeTerminal:
    """Run an app on its fake terminal until the script ends."""
    app.terminal.columns, app.terminal.rows = size

    async def then_exit(pilot: Pilot[Any]) -> None:
        try:
            await pilot.pause()
            await script(pilot)
        finally:
            app.exit()

    await app.run_async(headless=False, size=size, auto_pilot=then_exit)
    return app.terminal


async def until(pilot: Pilot[None], fact: Callable[[], object]) -> None:
    for _ in range(300):
        if fact():
            return
        await pilot.pause(0.01)
    raise AssertionError("what the test waits for did not happen")


async def test_a_28x28_picture_is_exact_on_a_screen_of_28x14_half_blocks() -> None:
    app, picture = Studio(ImageView(Graphics("half", "half"))), noise(28, 28)

    async def script(pilot: Pilot[None]) -> None:
        app.view.show(picture)
        await until(pilot, lambda: np.array_equal(app.terminal.pixels()[::2, ::2], picture))

    await drive(app, (28, 14), script)


async def test_painting_builds_no_segments_even_below_a_widget_and_with_filters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over = Static("note", id="note")
    css = "Screen { layers: low high; } #note { layer: high; offset: 5 3; width: 4; height: 1; }"
    app, picture = Studio(ImageView(Graphics("half", "half")), over, css=css), noise(28, 28)
    built: list[object] = []
    segments = Drawing.segments
    monkeypatch.setattr(Drawing, "segments", lambda *row: built.append(row) or segments(*row))

    async def script(pilot: Pilot[None]) -> None:
        app.view.show(picture)
        await until(
            pilot, lambda: np.array_equal(app.terminal.pixels()[-28::2, ::2], picture[-14:])
        )
        pixels = app.terminal.pixels()[::2, ::2]
        assert "".join(app.terminal.cells[3, x].char for x in range(5, 9)) == "note"
        assert np.array_equal(pixels[:, 9:], picture[:, 9:])
        assert np.array_equal(pixels[:, :5], picture[:, :5])
        assert not built

    await drive(app, (28, 14), script)


def test_lazy_strips_stand_on_names_that_textual_still_has() -> None:
    """If this fails, read strips.py and view.py against the new Textual."""
    assert "_segments" in Strip.__slots__
    assert Strip([Segment("ab")])._segments == [Segment("ab")]
    assert hasattr(App(), "_driver")
    assert hasattr(App(), "_end_update")


async def test_pixels_arrive_one_by_one_and_are_sent_once() -> None:
    app, picture = Studio(ImageView(KITTY)), noise(80, 80)

    async def script(pilot: Pilot[None]) -> None:
        app.view.show(picture)
        doubled = picture.repeat(2, axis=0).repeat(2, axis=1)
        await until(pilot, lambda: np.array_equal(app.terminal.pixels(4, 8), doubled))
        app.view.show(picture.copy())
        app.view.refresh()
        await pilot.pause()
        app.screen.refresh(layout=True)
        await pilot.pause()
        assert app.terminal.transmissions == 1
        app.view.show(noise(80, 80, 1), "step 2")
        await until(pilot, lambda: app.terminal.transmissions == 2)
        app.view.show(noise(80, 80, 1), "step 2, again")
        await pilot.pause()
        assert app.terminal.transmissions == 3 - 1
        assert len(app.terminal.images) == 1

    terminal = await drive(app, (40, 20), script)
    assert not terminal.images


async def test_a_transmission_is_one_write_before_the_frame_that_shows_it() -> None:
    app = Studio(ImageView(KITTY))

    async def script(pilot: Pilot[None]) -> None:
        app.view.show(noise(80, 80))
        await until(pilot, app.terminal.placeholders)

    await drive(app, (40, 20), script)
    sent = [n for n, text in enumerate(app.written) if "a=T" in text]
    shown = [n for n, text in enumerate(app.written) if "\U0010eeee" in text]
    assert len(sent) == 1
    assert app.written[sent[0]].startswith("\x1b_G")
    assert app.written[sent[0]].endswith("\x1b\\")
    assert sent[0] < shown[0]


async def test_a_modal_screen_dims_cells_and_the_pixels_return_after_it() -> None:
    app, picture = Studio(ImageView(KITTY)), noise(80, 80)

    async def script(pilot: Pilot[None]) -> None:
        terminal = app.terminal
        app.view.show(picture)
        await until(pilot, terminal.placeholders)
        bright = terminal.pixels().mean()
        await app.push_screen(ModalScreen())
        await until(pilot, lambda: not terminal.placeholders())
        assert 20 < terminal.pixels().mean() < bright
        app.pop_screen()
        await until(pilot, lambda: len(terminal.placeholders()) == 800)
        assert terminal.transmissions == 1

    await drive(app, (40, 20), script)


async def test_modes_can_be_changed_and_pixels_no_longer_shown_are_freed() -> None:
    app, picture = Studio(ImageView(KITTY)), noise(40, 40)

    async def script(pilot: Pilot[None]) -> None:
        view, terminal = app.view, app.terminal
        view.show(picture)
        await until(pilot, terminal.placeholders)
        view.mode = "half"
        await until(pilot, lambda: not terminal.placeholders())
        assert np.array_equal(terminal.pixels()[::2, ::2], picture)
        assert not terminal.images
        view.mode = "auto"
        await until(pilot, lambda: len(terminal.placeholders()) == 800)
        view.show(None)
        await until(pilot, lambda: not terminal.placeholders())
        assert not terminal.images
        with pytest.raises(ValueError, match="choose auto or one of kitty"):
            view.mode = "iterm"  # pyright: ignore[reportAttributeAccessIssue]

    await drive(app, (40, 20), script)


async def test_another_size_sends_the_picture_again_for_its_new_cells() -> None:
    app = Studio(ImageView(KITTY))

    async def script(pilot: Pilot[None]) -> None:
        app.view.show(noise(80, 80))
        await until(pilot, lambda: app.terminal.transmissions == 1)
        app.terminal.cells.clear()
        await pilot.resize_terminal(20, 10)
        await until(pilot, lambda: len(app.terminal.placeholders()) == 200)
        assert list(app.terminal.spans.values()) == [(20, 10)]
        assert app.terminal.transmissions == 2

    await drive(app, (40, 20), script)


@pytest.mark.parametrize("in_tmux", [True, False])
async def test_only_inside_tmux_a_focused_terminal_may_be_another(in_tmux: bool) -> None:
    app = Studio(ImageView(), graphics=Graphics("kitty", in_tmux=in_tmux))

    async def script(pilot: Pilot[None]) -> None:
        app.view.show(noise(8, 8))
        await until(pilot, lambda: app.terminal.transmissions == 1)
        for event in (AppBlur(), AppFocus()):
            app.post_message(event)
            await pilot.pause()
        await until(pilot, lambda: app.terminal.transmissions == 1 + in_tmux)
        assert bool(app.terminal.unwrapped) is not in_tmux

    await drive(app, (40, 20), script)


async def test_removing_the_widget_frees_its_picture() -> None:
    app = Studio(ImageView(KITTY))

    async def script(pilot: Pilot[None]) -> None:
        app.view.show(noise(8, 8))
        await until(pilot, lambda: app.terminal.images)
        await app.view.remove()
        assert not app.terminal.images

    await drive(app, (40, 20), script)


async def test_headless_apps_and_exports_show_cells() -> None:
    class Plain(App[None]):
        def compose(self) -> ComposeResult:
            yield ImageView(KITTY)

    app = Plain()
    async with app.run_test(size=(28, 14)) as pilot:
        view = app.query_one(ImageView)
        view.show(noise(28, 28))
        await pilot.pause()
        assert view.shown_mode == "quadrant"
        assert view.status == "quadrant cells · kitty(0.41.1)"
        assert "▀" in app.export_screenshot()
    live = Studio(ImageView(KITTY))

    async def script(pilot: Pilot[None]) -> None:
        live.view.show(noise(28, 28))
        await until(pilot, live.terminal.placeholders)
        assert "\U0010eeee" not in live.export_screenshot()

    await drive(live, (28, 14), script)


async def test_no_color_shows_gray_cells() -> None:
    app = Studio(ImageView(KITTY))
    app._filters.append(Monochrome())

    async def script(pilot: Pilot[None]) -> None:
        app.view.show(noise(28, 28))
        await until(pilot, lambda: app.terminal.pixels().max() > 100)
        pixels = app.terminal.pixels()
        assert np.array_equal(pixels[:, :, 0], pixels[:, :, 2])
        assert not app.terminal.placeholders()

    await drive(app, (28, 14), script)


async def test_a_terminal_of_256_colours_gets_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLORTERM")
    app = Studio(ImageView(Graphics("half", "half")))

    async def script(pilot: Pilot[None]) -> None:
        app.view.show(noise(28, 28))
        await until(pilot, lambda: any("▀" in text for text in app.written))
        colors = re.findall("\x1b\\[([0-9;]+)m▀", "".join(app.written))
        assert colors
        assert all(color.startswith(("38;5;", "3", "9")) for color in colors)
        assert not any("8;2;" in color for color in colors)

    await drive(app, (28, 14), script)


@pytest.mark.parametrize("mode", ["half", "kitty"])
async def test_a_border_and_scrolling_leave_the_picture_whole(mode: Mode) -> None:
    graphics = Graphics(mode, cell=(4, 8))
    css = "ImageView { border: solid red; height: 20; width: 42; }"
    app, picture = Studio(VerticalScroll(ImageView(graphics)), css=css), noise(36, 36)

    async def script(pilot: Pilot[None]) -> None:
        app.view.show(picture)
        await pilot.pause()
        box = app.query_one(VerticalScroll)
        box.scroll_to(y=10, animate=False)
        await pilot.pause()
        inside = np.s_[: 4 * 9, 2 * (1 + 2) : 2 * (1 + 2 + 36)]
        expected = picture[18:].repeat(2, axis=0).repeat(2, axis=1)
        await until(pilot, lambda: np.array_equal(app.terminal.pixels()[inside], expected))

    await drive(app, (50, 10), script)


async def test_captions_are_cut_and_cannot_command_the_terminal() -> None:
    app = Studio(ImageView(Graphics("half", "half")))

    async def script(pilot: Pilot[None]) -> None:
        terminal = app.terminal

        def caption() -> str:
            return "".join(terminal.cells[11, x].char for x in range(28))

        app.view.show(noise(20, 28), "step 7\x1b[31m" + "·" * 40)
        await until(pilot, lambda: "step" in caption())
        assert caption() == "step 7\ufffd[31m" + "·" * 16 + "…"
        app.view.show(noise(20, 28), "step 8")
        await until(pilot, lambda: caption() == "step 8".center(28))

    await drive(app, (28, 14), script)


@pytest.mark.parametrize("mode", ["half", "quadrant", "octant", "kitty"])
async def test_the_widget_shows_a_grid_as_it_was_laid_out(mode: Mode) -> None:
    app = Studio(ImageView(Graphics(mode, cell=(4, 8))))
    tiles: Sequence[np.ndarray] = [np.full((28, 28, 3), 8 * n + 9, np.uint8) for n in range(30)]

    async def script(pilot: Pilot[None]) -> None:
        view = app.view
        grid = paged(tiles, *view.budget(), view.shown_mode)
        view.show(grid.page(0), "page 1", grid.layout.scale)
        size = int(28 * grid.layout.scale)
        await until(pilot, lambda: (app.terminal.pixels() == tiles[0][0, 0, 0]).any())
        shown = app.terminal.pixels()[:, :, 0]
        for value in (tile[0, 0, 0] for tile in tiles[: grid.layout.per_page]):
            rows, columns = np.nonzero(shown == value)
            assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (2 * size, 2 * size)
        lefts = [np.nonzero(shown == 8 * n + 9)[1].min() for n in range(grid.layout.columns)]
        assert len({b - a for a, b in pairwise(lefts)}) == 1

    await drive(app, (80, 40), script)


async def test_other_arrays_are_refused() -> None:
    view = ImageView()
    for array in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(PictureError, match="uint8 HxWx3"):
            view.show(array)  # pyright: ignore[reportArgumentType]


async def test_a_note_over_a_picture_leaves_it_whole_when_it_goes() -> None:
    css = "Screen { layers: low high; } #note { layer: high; offset: 5 3; width: 4; height: 2; }"
    app, picture = Studio(ImageView(KITTY), Static("note", id="note"), css=css), noise(80, 80)

    async def script(pilot: Pilot[None]) -> None:
        terminal = app.terminal
        app.view.show(picture)
        await until(pilot, lambda: len(terminal.placeholders()) == 800 - 8)
        app.query_one("#note").display = False
        doubled = picture.repeat(2, axis=0).repeat(2, axis=1)
        await until(pilot, lambda: np.array_equal(terminal.pixels(4, 8), doubled))
        assert terminal.transmissions == 1

    await drive(app, (40, 20), script)
