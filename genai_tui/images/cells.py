"""A picture as terminal cells: one character and two colours each, fitted exactly and purely."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genai_tui.images.glyphs import GLYPHS, SHADES, CellMode
from genai_tui.images.tonemap import Picture

CELL_MODES: tuple[CellMode, ...] = ("octant", "quadrant", "half", "ascii")

SUBPIXELS: dict[CellMode, tuple[int, int]] = {
    "octant": (2, 4),
    "quadrant": (2, 2),
    "half": (1, 2),
    "ascii": (1, 1),
}
"""How many columns and rows of subpixels one cell has. A cell is taken to be 1 wide, 2 high."""

HALF = Fraction(1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Rows x columns terminal cells, as `render` returns them."""

    glyphs: tuple[str, ...]
    """One string of one-column characters a row."""
    foreground: NDArray[np.uint8]
    """Rows x columns x 3, the colour of the character."""
    background: NDArray[np.uint8]
    """Rows x columns x 3, the colour behind it."""

    @property
    def columns(self) -> int:
        return int(self.foreground.shape[1])

    @property
    def rows(self) -> int:
        return int(self.foreground.shape[0])


@dataclass(frozen=True, slots=True)
class Placement:
    """How a picture is drawn: on `columns` x `rows` cells, of which it need not fill the last."""

    columns: int
    rows: int
    across: int
    """Subpixels the picture takes, left to right."""
    down: int
    width: int
    """Pixels these subpixels show: the picture's, and less than one subpixel of matte."""
    height: int


def place(
    width: int, height: int, columns: int, rows: int, mode: CellMode, scale: Fraction | None = None
) -> Placement:
    """Fit a picture of `width` x `height` pixels into at most `columns` x `rows` cells.

    `scale` is the width of a pixel in cells, kept if the picture then fits. By default it is the
    largest whole factor, so that no pixel is blurred; of a picture that has to shrink, the
    largest factor at all.
    """
    columns, rows = max(1, columns), max(1, rows)
    largest = min(Fraction(columns, width), Fraction(2 * rows, height))
    chosen = scale if scale is not None and scale <= largest else _largest_whole(largest, mode)
    per_cell, per_row = SUBPIXELS[mode]
    fx, fy = chosen * per_cell, chosen * per_row / 2  # subpixels a pixel
    if _is_whole(fx) and _is_whole(fy):
        across, down = math.ceil(width * fx), math.ceil(height * fy)
        cells = math.ceil(across / per_cell), math.ceil(down / per_row)
        return Placement(*cells, across, down, math.ceil(across / fx), math.ceil(down / fy))
    wide = min(columns, max(1, round(chosen * width)))
    high = min(rows, max(1, round(chosen * height / 2)))
    return Placement(wide, high, wide * per_cell, high * per_row, width, height)


def render(
    picture: Picture,
    columns: int,
    rows: int,
    mode: CellMode,
    scale: Fraction | None = None,
    matte: tuple[int, int, int] = (0, 0, 0),
) -> Cells:
    """Draw a picture (uint8 HxWx3) in at most `columns` x `rows` cells; see `place` for the size.

    `matte` is the colour of what the picture leaves free in its last cells.
    """
    height, width = picture.shape[:2]
    spot = place(width, height, columns, rows, mode, scale)
    drawn = resample(padded(picture, spot.width, spot.height, matte), spot.across, spot.down)
    across, down = SUBPIXELS[mode]
    return fit(padded(drawn, spot.columns * across, spot.rows * down, matte), mode)


def fit(subpixels: Picture, mode: CellMode) -> Cells:
    """The cells nearest to a picture of whole cells: a multiple of SUBPIXELS[mode] in size."""
    if mode == "ascii":
        return _shade(subpixels)
    across, down = SUBPIXELS[mode]
    rows, columns = subpixels.shape[0] // down, subpixels.shape[1] // across
    # => [rows, columns, down * across, 3], the subpixels of a cell from top left to bottom right
    blocks = subpixels.reshape(rows, down, columns, across, 3).transpose(0, 2, 1, 3, 4)
    return _two_colors(blocks.reshape(rows, columns, down * across, 3), mode)


def row_ansi(cells: Cells, y: int, start: int = 0, end: int | None = None) -> str:
    """Cells `start` to `end` of row `y` as 24-bit SGR sequences and text, ended by a reset."""
    parts: list[str] = []
    last: tuple[list[int] | None, list[int] | None] = None, None
    glyphs = cells.glyphs[y][start:end]
    foreground: list[list[int]] = cells.foreground[y, start:end].tolist()
    background: list[list[int]] = cells.background[y, start:end].tolist()
    for glyph, front, back in zip(glyphs, foreground, background, strict=True):
        if glyph == " ":  # shows no foreground: one colour less to send
            front = last[0]
        if front != last[0]:
            ends = f"48;2;{back[0]};{back[1]};{back[2]}m" if back != last[1] else ""
            lead = f"\x1b[38;2;{front[0]};{front[1]};{front[2]}" if front else ""
            parts.append(f"{lead};{ends}" if ends else f"{lead}m")
        elif back != last[1]:
            parts.append(f"\x1b[48;2;{back[0]};{back[1]};{back[2]}m")
        parts.append(glyph)
        last = front, back
    return "".join(parts) + "\x1b[0m" if parts else ""


def padded(picture: Picture, width: int, height: int, matte: tuple[int, int, int]) -> Picture:
    """The picture at the top left of a `width` x `height` sheet; the rest is the matte's colour."""
    if picture.shape[:2] == (height, width):
        return picture
    sheet = np.empty((height, width, 3), np.uint8)
    sheet[:] = matte
    sheet[: picture.shape[0], : picture.shape[1]] = picture
    return sheet


def resample(picture: Picture, width: int, height: int) -> Picture:
    """Resize by area averages (a BOX filter): whole factors repeat or average pixels exactly."""
    if picture.shape[:2] == (height, width):
        return picture
    factor = min(picture.shape[0] // height, picture.shape[1] // width) // 8
    if factor > 1:  # a large photo: C thins it first, to no less than eight pixels a subpixel
        picture = np.asarray(Image.fromarray(picture).reduce(factor))
    averaged = _average(_average(picture.astype(np.float32), height, 0), width, 1)
    return np.rint(averaged).astype(np.uint8)


def _average(values: NDArray[np.float32], size: int, axis: int) -> NDArray[np.float32]:
    """Means over `size` equal intervals of an axis; pixels count by how much of them is inside."""
    length = values.shape[axis]
    if size % length == 0:
        return np.repeat(values, size // length, axis=axis)
    edges = np.arange(size + 1) * (length / size)
    first = np.minimum(edges.astype(np.intp), length - 1)
    shape = tuple(size + 1 if axis == here else 1 for here in range(3))
    part = (edges - first).astype(np.float32).reshape(shape)
    cut = np.take(values, first, axis) * part
    # sums from one edge's pixel up to the next's; reduceat has no empty sums, they are zeroed
    sums = np.take(np.add.reduceat(values, first, axis=axis), np.arange(size), axis)
    filled = (np.diff(first) > 0).reshape(tuple(max(1, side - 1) for side in shape))
    return (sums * filled + np.diff(cut, axis=axis)) * np.float32(size / length)


def _is_whole(factor: Fraction) -> bool:
    """Whether a pixel is a whole number of subpixels, or a subpixel a whole number of pixels."""
    return 1 in (factor.denominator, factor.numerator)


def _largest_whole(largest: Fraction, mode: CellMode) -> Fraction:
    """The largest whole factor in `mode`, or `largest` where only shrinking is left."""
    if mode == "octant" and largest >= HALF:
        return Fraction(math.floor(largest * 2), 2)
    if largest >= 1:
        return Fraction(math.floor(largest))
    # half a cell a pixel is sharp in quadrants; what is a little larger would be blurred
    return HALF if HALF <= largest < Fraction(5, 8) else largest


def _shade(pixels: Picture) -> Cells:
    """Characters that are darker or lighter on black, for a terminal without block characters."""
    luminance = pixels @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    level = np.rint(luminance * ((len(SHADES) - 1) / 255)).astype(np.intp)
    rows = tuple("".join(row) for row in np.array(list(SHADES))[level].tolist())
    return Cells(rows, pixels, np.zeros_like(pixels))


def _two_colors(blocks: Picture, mode: CellMode) -> Cells:
    """The character and two colours nearest to each cell's subpixels, by squared error.

    blocks [rows, columns, n, 3]. Splitting a cell into a set S and its complement lowers the
    squared error below one colour's by |sum over S of (x - mean)|^2 n / (|S| (n - |S|)), so the
    best of all splits is where that is greatest. One of each complementary pair is enough.
    """
    rows, columns, n, _ = blocks.shape
    x = blocks.reshape(rows * columns, n, 3).transpose(1, 2, 0).astype(np.float32)
    mean = x.mean(axis=0)  # => [3, cells]
    sums = _subset_sums(x - mean)  # => [patterns, 3, cells]
    glyphs, swap, lit_count = GLYPHS[mode]
    size = lit_count.astype(np.float32)
    weight = np.divide(n, size * (n - size), out=np.zeros_like(size), where=size > 0)
    gain = np.einsum("pcx,pcx->px", sums, sums) * weight[:, np.newaxis]
    pattern = np.argmax(gain, axis=0)
    lit = sums[pattern, :, np.arange(len(pattern))].T  # => [3, cells]
    on = mean + lit / np.maximum(size[pattern], 1)
    off = mean - lit / (n - size[pattern])
    character, swapped = glyphs[pattern], swap[pattern]
    foreground, background = on.copy(), off.copy()
    foreground[:, swapped], background[:, swapped] = off[:, swapped], on[:, swapped]
    return Cells(
        tuple("".join(row) for row in character.reshape(rows, columns).tolist()),
        _colors(foreground, rows, columns),
        _colors(background, rows, columns),
    )


def _subset_sums(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums over every subset of the first n - 1 of n rows; bit i of an index means row i."""
    sums = np.zeros((1, *x.shape[1:]), np.float32)
    for row in x[:-1]:
        sums = np.concatenate([sums, sums + row])
    return sums


def _colors(values: NDArray[np.floating], rows: int, columns: int) -> NDArray[np.uint8]:
    clipped = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(clipped.T).reshape(rows, columns, 3)
