"""Grids of tiles: whole factors, readable tiles, and pages instead of shrinking."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genai_tui.images.cells import place
from genai_tui.images.detect import MODES, Mode
from genai_tui.images.grid import compose, layout, paged


def tiles(count: int, side: int = 28) -> list[np.ndarray]:
    generator = np.random.default_rng(2)
    return [generator.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize("mode", ["quadrant", "octant"])
def test_sixty_four_tiles_go_on_pages_of_readable_tiles(mode: Mode) -> None:
    found = layout(28, 28, 80, 40, mode, 64)
    assert (found.columns, found.rows, found.per_page, found.pages) == (5, 5, 25, 3)
    assert found.scale * 28 == 14


def test_few_tiles_are_enlarged_until_they_fill_the_room() -> None:
    assert layout(28, 28, 80, 40, "quadrant", 4).scale == 1
    assert layout(28, 28, 120, 60, "quadrant", 1).scale == 4
    assert layout(28, 28, 90, 45, "octant", 1).scale == 3


def test_half_blocks_stay_exact_unless_less_than_four_tiles_fit() -> None:
    assert layout(28, 28, 80, 40, "half", 64).scale == 1
    small = layout(28, 28, 80, 24, "half", 64)
    assert (small.scale * 28, small.columns, small.rows) == (14, 5, 3)


def test_large_tiles_shrink_to_thirty_two_columns_and_tiny_rooms_show_one_tile() -> None:
    assert layout(256, 256, 80, 40, "quadrant", 9).scale * 256 == 32
    tiny = layout(28, 28, 9, 4, "quadrant", 10)
    assert (tiny.per_page, tiny.pages) == (1, 10)
    assert tiny.scale * 28 <= 9


def test_pages_show_every_tile_once_in_order() -> None:
    pictures = tiles(7)
    grid = paged(pictures, 30, 15, "quadrant")
    assert (grid.layout.columns, grid.layout.rows, grid.pages) == (2, 2, 2)
    across, down = grid.layout.gap
    seen = [
        page[y : y + 28, x : x + 28]
        for page in map(grid.page, range(grid.pages))
        for y in range(0, page.shape[0], 28 + down)
        for x in range(0, page.shape[1], 28 + across)
    ]
    assert all(np.array_equal(one, other) for one, other in zip(seen, pictures, strict=False))
    assert grid.page(1).shape[1] == grid.page(0).shape[1]
    with pytest.raises(IndexError, match="no page 2"):
        grid.page(2)


def test_the_gap_shows_the_separating_colour() -> None:
    sheet = compose(tiles(2, 4), 2, gap=(2, 0), color=(9, 8, 7))
    assert sheet.shape == (4, 10, 3)
    assert np.all(sheet[:, 4:6] == (9, 8, 7))
    with pytest.raises(ValueError, match="one size"):
        compose([*tiles(1, 4), *tiles(1, 5)], 2)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.integers(1, 200),
    st.integers(1, 80),
    st.sampled_from(MODES),
    st.integers(1, 200),
)
def test_every_layout_fits_its_room_and_holds_every_tile(
    width: int, height: int, columns: int, rows: int, mode: Mode, count: int
) -> None:
    found = layout(width, height, columns, rows, mode, count)
    assert found.per_page == found.columns * found.rows
    assert found.pages == math.ceil(count / found.per_page)
    across, down = found.gap
    sheet_w = found.columns * (width + across) - across
    sheet_h = found.rows * (height + down) - down
    assert sheet_w * found.scale <= columns
    assert sheet_h * found.scale / 2 <= rows
    if mode not in ("kitty", "sixel"):  # what the widget draws has the size that was planned
        spot = place(sheet_w, sheet_h, columns, rows, mode, found.scale)
        assert abs(spot.columns - sheet_w * found.scale) < 1
        assert abs(spot.rows - sheet_h * found.scale / 2) < 1
