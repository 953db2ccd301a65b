"""Sixels: what a terminal makes of them, and that no more is sent than was overwritten."""

import numpy as np
import pytest
from fake_terminal import FakeTerminal
from hypothesis import given
from hypothesis import strategies as st
from test_images_view import Studio, drive, noise, until
from textual.geometry import Region
from textual.pilot import Pilot
from textual.screen import ModalScreen
from textual.widgets import Static

from genai_tui.images import sixel
from genai_tui.images.detect import Graphics
from genai_tui.images.overlay import blocks_of
from genai_tui.images.view import ImageView

CELL = (4, 8)
SIXEL = Graphics("sixel", "quadrant", cell=CELL, why="a test")
PERCENT = np.round(np.arange(101) * 2.55).astype(np.uint8)
"""What of 256 levels a sixel's per cent can say."""


@pytest.fixture(autouse=True)
def _true_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)


def few(height: int, width: int, colors: int = 20, seed: int = 0) -> np.ndarray:
    """A picture of few colours, all of which a sixel can say exactly."""
    draw = np.random.default_rng(seed)
    palette = PERCENT[draw.choice(101, (colors, 3))]
    return palette[draw.integers(0, colors, (height, width))]


def shown(command: str, rows: int, columns: int) -> np.ndarray:
    terminal = FakeTerminal(columns, rows + 1, cell=CELL)
    terminal.feed(command)
    for place in terminal.tiles:
        terminal.cells.setdefault(place)  # pyright: ignore[reportArgumentType,reportCallIssue]
    tiles = [np.hstack([terminal.tiles[y, x] for x in range(columns)]) for y in range(rows)]
    return np.vstack(tiles)


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 30), st.integers(0, 99))
def test_every_pixel_of_few_colours_arrives(
    rows: int, columns: int, colors: int, seed: int
) -> None:
    height, width = rows * CELL[1], columns * CELL[0]
    picture = few(height, width, colors, seed)
    numbers, palette = np.unique(picture.reshape(-1, 3), axis=0, return_inverse=True)
    indexed = sixel.Indexed(palette.reshape(height, width).astype(np.uint8), numbers)
    command = sixel.command(indexed, 0, 0, height, width)
    assert np.array_equal(shown(command, rows, columns), picture)


def test_a_picture_is_enlarged_by_whole_factors_and_the_rest_of_its_cells_is_matte() -> None:
    picture = few(5, 7)
    indexed = sixel.index(picture, (14, 10), (16, 16), (255, 0, 0))
    seen = shown(sixel.command(indexed, 0, 0, 16, 16), 2, 4)
    close = picture.repeat(2, axis=0).repeat(2, axis=1).astype(int) - seen[:10, :14]
    assert np.abs(close).mean() < 12
    assert (seen[10:] == (255, 0, 0)).all()
    assert (seen[:, 14:] == (255, 0, 0)).all()


def test_many_colours_become_the_ones_nearest_to_them() -> None:
    y, x = np.mgrid[0:128, 0:128].astype(np.uint8)
    smooth = np.stack([x * 2, y * 2, (x + y)], -1)
    indexed = sixel.index(smooth, (128, 128), (128, 128))
    assert len(indexed.palette) <= sixel.COLORS
    error = indexed.palette[indexed.pixels].astype(float) - smooth
    assert 10 * np.log10(255**2 / np.square(error).mean()) > 25


def test_a_grid_of_512_pixels_stays_small() -> None:
    tiles = np.kron(few(16, 16, 60), np.ones((32, 32, 1), np.uint8))
    command = sixel.command(sixel.index(tiles, (512, 512), (512, 512)), 0, 0, 512, 512)
    assert len(command) < 80_000


def test_blocks_join_what_is_next_to_each_other() -> None:
    spans = [(1, 0, 4), (0, 4, 10), (0, 0, 4), (1, 4, 10), (2, 0, 3), (2, 6, 10), (3, 6, 10)]
    expected = [Region(0, 0, 10, 2), Region(0, 2, 3, 1), Region(6, 2, 4, 2)]
    assert blocks_of(spans) == expected
    assert blocks_of([]) == []


async def test_pixels_arrive_one_by_one_in_one_write_and_are_sent_once() -> None:
    app, picture = Studio(ImageView(SIXEL)), few(20, 40)

    async def script(pilot: Pilot[None]) -> None:
        terminal = app.terminal
        app.view.show(picture)
        await until(pilot, lambda: terminal.sixels == [(0, 0, 10, 40)])
        enlarged = picture.repeat(4, axis=0).repeat(4, axis=1).astype(int)
        assert np.abs(terminal.pixels(*CELL)[:80] - enlarged).max() <= 40
        app.view.show(picture.copy())
        await pilot.pause()
        assert len(terminal.sixels) == 1
        app.view.show(few(20, 40, seed=1))
        await until(pilot, lambda: len(terminal.sixels) == 2)

    await drive(app, (40, 11), script)
    sent = [text for text in app.written if "\x1bP" in text]
    assert len(sent) == 2
    assert all(text.startswith("\x1b7") and text.endswith("\x1b8") for text in sent)


async def test_a_note_over_a_picture_stays_and_only_what_it_hid_is_sent_again() -> None:
    css = "Screen { layers: low high; } #note { layer: high; offset: 5 3; width: 4; height: 2; }"
    app, picture = Studio(ImageView(SIXEL), Static("note", id="note"), css=css), few(80, 160)

    async def script(pilot: Pilot[None]) -> None:
        terminal = app.terminal
        app.view.show(picture)
        await until(pilot, lambda: len(terminal.tiles) == 40 * 10 - 8)
        assert "".join(terminal.cells[3, x].char for x in range(5, 9)) == "note"
        app.query_one("#note").display = False
        await until(pilot, lambda: len(terminal.tiles) == 40 * 10)
        terminal.sixels.clear()
        app.view.refresh(Region(5, 3, 4, 2))
        await until(pilot, lambda: terminal.sixels)
        assert all(y == 3 and rows == 2 for y, _, rows, _ in terminal.sixels)

    await drive(app, (40, 11), script)


async def test_under_a_dialog_there_are_dimmed_cells_and_the_pixels_come_back() -> None:
    app = Studio(ImageView(SIXEL))

    async def script(pilot: Pilot[None]) -> None:
        terminal = app.terminal
        app.view.show(few(20, 40))
        await until(pilot, lambda: len(terminal.tiles) == 400)
        await app.push_screen(ModalScreen())
        await until(pilot, lambda: not terminal.tiles)
        assert terminal.pixels(*CELL).max() > 20
        app.pop_screen()
        await until(pilot, lambda: len(terminal.tiles) == 400)

    await drive(app, (40, 11), script)


async def test_without_the_size_of_a_cell_there_are_cells() -> None:
    app = Studio(ImageView(Graphics("sixel", "half")))

    async def script(pilot: Pilot[None]) -> None:
        app.view.show(noise(20, 40))
        await until(pilot, lambda: app.terminal.pixels().max() > 100)
        assert not app.terminal.tiles
        assert app.view.shown_mode == "half"

    await drive(app, (40, 11), script)


async def test_scrolling_moves_the_pixels() -> None:
    from textual.containers import VerticalScroll

    css = "ImageView { height: 20; width: 40; } VerticalScroll { scrollbar-size: 0 0; height: 10; }"
    app, picture = Studio(VerticalScroll(ImageView(SIXEL)), css=css), few(40, 40)

    async def script(pilot: Pilot[None]) -> None:
        terminal = app.terminal
        app.view.show(picture)
        await until(pilot, lambda: len(terminal.tiles) == 400)
        before = terminal.pixels(*CELL)[40:80]
        app.query_one(VerticalScroll).scroll_to(y=5, animate=False)
        await until(pilot, lambda: np.array_equal(terminal.pixels(*CELL)[:40], before))

    await drive(app, (40, 11), script)
