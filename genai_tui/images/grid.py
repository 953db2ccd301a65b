"""Many equal pictures on one page: tiles large enough to read, and pages instead of shrinking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from genai_tui.images.cells import HALF
from genai_tui.images.detect import Mode
from genai_tui.images.tonemap import Picture

LARGE = 64
"""Pixels beyond which a tile may be averaged down: it still reads at 32 columns."""
GAP_COLOR = (48, 48, 48)
_FEW = 4
"""Tiles that half blocks must show at once before they are worth their exactness."""


@dataclass(frozen=True, slots=True)
class GridLayout:
    """How tiles are arranged on pages."""

    columns: int
    rows: int
    per_page: int
    pages: int
    scale: Fraction
    """Width of a pixel in cells: what ImageView.show and cells.render take."""
    gap: tuple[int, int]
    """Pixels between tiles, across and down: such that every tile begins with a cell."""


def layout(
    tile_w: int, tile_h: int, cells_w: int, cells_h: int, mode: Mode, count: int
) -> GridLayout:
    """Arrange `count` tiles of `tile_w` x `tile_h` pixels on pages of `cells_w` x `cells_h` cells.

    The largest whole factor that shows all at once; if none does, the smallest that can still be
    read, on several pages. That is half a column a pixel (28x28 in 14x7), or a whole one with half
    blocks as long as four tiles fit so (28x28 in 28x14, exact); pixels need a quarter. Tiles of
    more than LARGE pixels may shrink to 32 columns. At least one tile is on a page, however small.
    """
    cells_w, cells_h, count = max(1, cells_w), max(1, cells_h), max(1, count)
    fitting = [
        found
        for scale in _scales(tile_w, tile_h, mode)
        if (found := _arrange(tile_w, tile_h, cells_w, cells_h, scale, count)) is not None
    ]
    if not fitting:
        return _single(tile_w, tile_h, cells_w, cells_h, count)
    few = min(_FEW, count)
    exact = [found for found in fitting if found.scale >= 1 and found.per_page >= few]
    choice = exact if exact and mode in ("half", "ascii") else fitting
    at_once = [found for found in choice if found.pages == 1]
    return at_once[-1] if at_once else choice[0]


def compose(
    tiles: Sequence[Picture],
    columns: int,
    gap: int | tuple[int, int] = 1,
    color: tuple[int, int, int] = GAP_COLOR,
) -> Picture:
    """Put equal tiles (uint8 HxWx3) into `columns`, row by row, `gap` pixels of `color` between.

    Raises ValueError for no tiles or tiles of different sizes.
    """
    if not tiles or len({tile.shape for tile in tiles}) != 1:
        raise ValueError("A grid needs tiles, all of one size.")
    height, width = tiles[0].shape[:2]
    across, down = (gap, gap) if isinstance(gap, int) else gap
    rows = math.ceil(len(tiles) / columns)
    shape = (rows * (height + down) - down, columns * (width + across) - across, 3)
    sheet = np.empty(shape, np.uint8)
    sheet[:] = color
    for index, tile in enumerate(tiles):
        top, left = index // columns * (height + down), index % columns * (width + across)
        sheet[top : top + height, left : left + width] = tile
    return sheet


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Tiles and their arrangement: shows page after page."""

    tiles: Sequence[Picture]
    layout: GridLayout
    color: tuple[int, int, int] = GAP_COLOR

    @property
    def pages(self) -> int:
        return self.layout.pages

    def page(self, k: int) -> Picture:
        """The picture of page `k`, 0 to pages - 1; the last page keeps the width of the others."""
        if not 0 <= k < self.pages:
            raise IndexError(f"There is no page {k} of {self.pages}.")
        start = k * self.layout.per_page
        tiles = self.tiles[start : start + self.layout.per_page]
        return compose(tiles, self.layout.columns, self.layout.gap, self.color)


def paged(
    tiles: Sequence[Picture],
    cells_w: int,
    cells_h: int,
    mode: Mode,
    color: tuple[int, int, int] = GAP_COLOR,
) -> Grid:
    """Arrange tiles (uint8 HxWx3, at least one, all of one size) for a budget of cells."""
    height, width = tiles[0].shape[:2]
    return Grid(tiles, layout(width, height, cells_w, cells_h, mode, len(tiles)), color)


def _scales(tile_w: int, tile_h: int, mode: Mode) -> list[Fraction]:
    """The factors at which a tile can be read, smallest first."""
    longest = max(tile_w, tile_h)
    large = [Fraction(1, k) for k in range(longest * 2 // LARGE, 2, -1)] if longest > LARGE else []
    halves = mode in ("octant", "kitty", "sixel")  # the modes in which three halves are whole, too
    small = [Fraction(1, 4)] if mode in ("kitty", "sixel") and longest <= LARGE else large
    return [*small, HALF, *(Fraction(n, 2) for n in range(2, 33) if halves or n % 2 == 0)]


def _arrange(
    tile_w: int, tile_h: int, cells_w: int, cells_h: int, scale: Fraction, count: int
) -> GridLayout | None:
    across, down = _gap(tile_w, scale), _gap(tile_h, scale / 2)
    columns = math.floor((cells_w / scale + across) / (tile_w + across))
    rows = math.floor((2 * cells_h / scale + down) / (tile_h + down))
    if columns < 1 or rows < 1:
        return None
    columns = min(columns, count)
    if columns * rows >= count:  # one page, its last row as full as it gets
        rows = math.ceil(count / columns)
        columns = math.ceil(count / rows)
    per_page = columns * rows
    return GridLayout(columns, rows, per_page, math.ceil(count / per_page), scale, (across, down))


def _gap(size: int, scale: Fraction) -> int:
    """The least number of pixels, at least one, after which the next tile begins with a cell."""
    return next(gap for gap in range(1, 2 * scale.denominator + 2) if _ends(size + gap, scale))


def _ends(pixels: int, scale: Fraction) -> bool:
    return (pixels * scale).denominator == 1


def _single(tile_w: int, tile_h: int, cells_w: int, cells_h: int, count: int) -> GridLayout:
    """One tile a page, as large as there is room: too small to read, but better than nothing."""
    scale = min(Fraction(cells_w, tile_w), Fraction(2 * cells_h, tile_h))
    return GridLayout(1, 1, 1, count, scale, (0, 0))
