"""Pictures as cells: exact where they can be, best two colours where not, never over budget."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from fake_terminal import GLYPHS, FakeTerminal
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from genai_tui.images.cells import (
    CELL_MODES,
    SUBPIXELS,
    CellMode,
    Cells,
    fit,
    place,
    render,
    resample,
    row_ansi,
)

Picture = NDArray[np.uint8]


def noise(height: int, width: int, seed: int = 0) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def photo(side: int = 64) -> Picture:
    """Smooth shades, a sharp edge and a fine texture."""
    y, x = np.mgrid[0:side, 0:side] / side
    red = 127 + 120 * np.sin(9 * x + 3 * y * y)
    green = np.where(x + y > 1, 220, 60) + 30 * np.sin(40 * x)
    blue = 255 * x * y
    return np.clip(np.stack([red, green, blue], -1), 0, 255).astype(np.uint8)


def on_screen(cells: Cells, width: int = 2, height: int = 4) -> Picture:
    """What a terminal shows for the rows' ANSI, in pixels."""
    terminal = FakeTerminal(cells.columns, cells.rows)
    terminal.feed("\r\n".join(row_ansi(cells, y) for y in range(cells.rows)))
    return terminal.pixels(width, height)


def psnr(one: Picture, other: Picture) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def test_a_28x28_picture_in_28x14_half_blocks_is_exact() -> None:
    picture = noise(28, 28)
    cells = render(picture, 28, 14, "half")
    assert (cells.columns, cells.rows) == (28, 14)
    assert np.array_equal(on_screen(cells)[::2, ::2], picture)


@pytest.mark.parametrize("mode", ["half", "quadrant", "octant"])
def test_whole_factors_enlarge_exactly(mode: CellMode) -> None:
    picture = noise(6, 7)
    cells = render(picture, 22, 12, mode)
    assert (cells.columns, cells.rows) == (21, 9)  # three cells wide a pixel
    assert np.array_equal(on_screen(cells), picture.repeat(6, axis=0).repeat(6, axis=1))


def test_octants_enlarge_by_half_cells_too() -> None:
    spot = place(28, 28, 46, 22, "octant")
    assert (spot.columns, spot.rows, spot.across, spot.down) == (42, 21, 84, 84)


def test_quadrants_at_half_scale_take_14x7_cells_and_the_best_two_colours() -> None:
    picture = photo(28)
    cells = render(picture, 14, 7, "quadrant")
    assert (cells.columns, cells.rows) == (14, 7)
    means = picture.reshape(14, 2, 28, 3).mean(axis=1)  # a quadrant is one pixel wide, two high
    shown = on_screen(cells)[::2].astype(float)
    error = np.square(shown - means).reshape(7, 2, 14, 2, 3).sum(axis=(1, 3, 4))
    assert np.all(error <= _least_error(means.reshape(7, 2, 14, 2, 3)) + 8)


def test_octants_find_the_best_of_all_127_splits() -> None:
    picture = noise(16, 8)
    cells = fit(picture, "octant")
    error = np.square(on_screen(cells).astype(float) - picture)
    error = error.reshape(4, 4, 4, 2, 3).sum(axis=(1, 3, 4))
    assert np.all(error <= _least_error(picture.reshape(4, 4, 4, 2, 3).astype(float)) + 16)


def _least_error(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """By trying every split of every cell; blocks [rows, down, columns, across, 3]."""
    rows, down, columns, across, _ = blocks.shape
    cells = blocks.transpose(0, 2, 1, 3, 4).reshape(rows, columns, down * across, 3)
    least = np.full((rows, columns), np.inf)
    for split in product([False, True], repeat=down * across):
        groups = [cells[:, :, np.array(split) == side] for side in (False, True)]
        errors = [
            np.square(g - g.mean(axis=2, keepdims=True)).sum(axis=(2, 3))
            for g in groups
            if g.shape[2]
        ]
        least = np.minimum(least, sum(errors))
    return least


def test_finer_cells_are_nearer_to_a_photo() -> None:
    picture = photo()
    reference = resample(picture, 64, 64)
    quality = [
        psnr(on_screen(render(picture, 32, 16, mode)), reference)
        for mode in ("half", "quadrant", "octant")
    ]
    assert quality[0] + 1 < quality[1] < quality[2] - 1


@pytest.mark.parametrize("mode", CELL_MODES)
def test_characters_are_those_a_terminal_draws(mode: CellMode) -> None:
    used = set("".join(render(noise(64, 64), 40, 20, mode).glyphs))
    if mode == "ascii":
        assert used <= set(" .:-=+*#%@")
    else:  # without the four single octants that kitty leaves blank
        assert used <= set(GLYPHS)


def test_octant_characters_are_the_charts() -> None:
    white, black = np.full((4, 2, 3), 255, np.uint8), np.zeros((4, 2, 3), np.uint8)
    for digits, expected in {"25": 0x1CD0B, "3": 0x1CD00, "2345678": 0x1CDE5, "78": 0x2582}.items():
        cell = black.copy()
        for digit in digits:
            cell[(int(digit) - 1) // 2, (int(digit) - 1) % 2] = 255
        for colored in (cell, white - cell):
            found = fit(colored, "octant")
            assert np.array_equal(on_screen(found), colored)
            complement = chr(expected) not in found.glyphs[0]
            assert complement == (found.foreground[0, 0, 0] == colored[cell == 0][0])


def test_ascii_shades_get_denser_with_light() -> None:
    ramp = np.repeat(np.linspace(0, 255, 10).astype(np.uint8), 3).reshape(1, 10, 3)
    cells = render(np.repeat(ramp, 2, axis=0), 10, 1, "ascii")
    assert cells.glyphs == (" .:-=+*#%@",)


def test_a_picture_that_shrinks_is_averaged_by_area() -> None:
    picture = noise(28, 28)
    halves = picture.reshape(14, 2, 14, 2, 3).mean(axis=(1, 3))
    cells = render(picture, 14, 7, "half")
    assert np.abs(on_screen(cells)[::2, ::2] - halves).max() <= 0.5
    assert abs(float(resample(picture, 5, 3).mean()) - float(picture.mean())) < 1


def test_a_given_scale_is_kept_while_it_fits() -> None:
    assert place(28, 28, 80, 40, "half", Fraction(1)).columns == 28
    assert place(28, 28, 80, 40, "half").columns == 56
    assert place(28, 28, 14, 7, "half", Fraction(1)).columns == 14


def test_the_matte_fills_the_last_cells() -> None:
    cells = render(np.full((3, 3, 3), 9, np.uint8), 3, 2, "half", matte=(1, 2, 3))
    assert on_screen(cells)[-1, 0].tolist() == [1, 2, 3]


def test_a_part_of_a_row_is_drawn_like_the_whole() -> None:
    cells = render(noise(16, 16), 16, 8, "quadrant")
    whole, part = FakeTerminal(16, 1), FakeTerminal(16, 1)
    whole.feed(row_ansi(cells, 3))
    part.feed(
        "\x1b[1;1H" + row_ansi(cells, 3, 0, 5) + row_ansi(cells, 3, 5, 6) + row_ansi(cells, 3, 6)
    )
    assert np.array_equal(whole.pixels(), part.pixels())


@settings(max_examples=120, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 50),
    st.integers(1, 30),
    st.sampled_from(CELL_MODES),
    st.one_of(st.none(), st.fractions(Fraction(1, 9), 6, max_denominator=9)),
)
def test_no_size_fails_or_exceeds_its_budget(
    height: int, width: int, columns: int, rows: int, mode: CellMode, scale: Fraction | None
) -> None:
    cells = render(noise(height, width), columns, rows, mode, scale)
    assert 1 <= cells.columns <= columns
    assert 1 <= cells.rows <= rows
    assert cells.foreground.shape == cells.background.shape == (cells.rows, cells.columns, 3)
    assert len(cells.glyphs) == cells.rows
    assert {len(row) for row in cells.glyphs} == {cells.columns}
    spot = place(width, height, columns, rows, mode, scale)
    across, down = SUBPIXELS[mode]
    assert spot.across <= spot.columns * across
    assert spot.down <= spot.rows * down
