"""The Kitty protocol: what a terminal decodes from our commands is the picture, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from fake_terminal import DIACRITICS, FakeTerminal
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tui.images import kitty


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def shown(picture: np.ndarray, columns: int, rows: int, tmux: bool = False) -> FakeTerminal:
    terminal = FakeTerminal(columns, rows)
    terminal.feed(kitty.transmit(picture, 0x12AB34, columns, rows, tmux=tmux))
    lines = (kitty.placeholders(0x12AB34, row, 0, columns) for row in range(rows))
    terminal.feed("\r\n".join(lines))
    return terminal


@pytest.mark.parametrize("tmux", [False, True])
@pytest.mark.parametrize("colors", ["gray", "colour"])
def test_a_picture_arrives_pixel_by_pixel(tmux: bool, colors: str) -> None:
    picture = noise(64, 80)
    if colors == "gray":
        picture = np.repeat(picture[:, :, :1], 3, axis=2)
    terminal = shown(picture, 20, 8, tmux)
    assert np.array_equal(terminal.images[0x12AB34], picture)
    assert np.array_equal(terminal.pixels(4, 8), picture)
    assert bool(terminal.unwrapped) is not tmux


def test_placeholders_name_every_cell_so_that_any_part_can_be_cut() -> None:
    terminal = FakeTerminal(300, 1)
    terminal.feed(kitty.placeholders(7, 296, 0, 297))
    parts = terminal.placeholders()
    assert [parts[0, column] for column in range(297)] == [(7, 296, c) for c in range(297)]
    assert tuple(DIACRITICS) == kitty.MARKS


def test_a_bare_last_column_follows_its_neighbour() -> None:
    terminal = FakeTerminal(10, 1)
    text = kitty.placeholders(9, 4, 0, 10, bare_from=9)
    terminal.feed(text)
    assert text.endswith("\U0010eeee\x1b[0m")
    assert terminal.placeholders()[0, 9] == (9, 4, 9)
    alone = FakeTerminal(10, 1)
    alone.feed("\x1b[1;10H" + kitty.placeholders(9, 4, 9, 10, bare_from=9))
    assert alone.placeholders() == {(0, 9): (9, 4, 9)}


def test_commands_come_in_chunks_and_ask_for_no_answer() -> None:
    commands = kitty.transmit(noise(100, 100), 5, 10, 5)
    assert commands.count("\x1b_G") == commands.count("\x1b\\") > 5
    assert commands.count("q=2") == commands.count("\x1b_G")
    assert commands.count("m=0;") == 1


def test_a_new_picture_replaces_the_old_and_delete_frees_it() -> None:
    terminal = FakeTerminal()
    terminal.feed(kitty.transmit(noise(8, 8), 5, 4, 2) + kitty.transmit(noise(9, 9), 5, 4, 2))
    assert list(terminal.images) == [5]
    assert terminal.images[5].shape == (9, 9, 3)
    terminal.feed(kitty.delete(5))
    assert not terminal.images
    terminal.feed(kitty.delete(5, tmux=True))
    assert terminal.deletions == 2


def test_gray_pictures_and_large_ones_cost_few_bytes() -> None:
    gray = np.repeat(noise(256, 256)[:, :, :1], 3, axis=2)
    assert len(kitty.transmit(gray, 1, 80, 40)) < 1.5 * gray[:, :, 0].size
    large = noise(2000, 1000)
    terminal = FakeTerminal()
    terminal.feed(kitty.transmit(large, 1, 10, 10, cell=(10, 20)))
    assert terminal.images[1].shape == (200, 100, 3)


def test_ids_differ_and_fit_a_colour() -> None:
    ids = {kitty.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(1 <= number <= kitty.MAX_ID for number in ids)


def test_the_box_keeps_the_shape_by_the_size_of_cells() -> None:
    assert kitty.box(28, 28, 80, 40) == (79, 40)  # 28 times 28 screen pixels
    assert kitty.box(100, 100, 80, 40, cell=(9, 18)) == (78, 39)
    assert kitty.box(512, 256, 20, 40) == (20, 5)
    assert kitty.box(4, 4, 1000, 1000)[0] <= kitty.MAX_SPAN


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 400), st.integers(1, 400))
def test_no_box_exceeds_its_budget(width: int, height: int, columns: int, rows: int) -> None:
    across, down = kitty.box(width, height, columns, rows)
    assert 1 <= across <= min(columns, kitty.MAX_SPAN)
    assert 1 <= down <= min(rows, kitty.MAX_SPAN)
