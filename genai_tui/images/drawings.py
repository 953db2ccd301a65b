"""A picture as a drawing of some cells, in each of the ways that there are."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial

from textual.geometry import Offset

from genai_tui.images import kitty, sixel
from genai_tui.images.cells import SUBPIXELS, CellMode, Cells, fit, place, render, resample
from genai_tui.images.detect import Graphics
from genai_tui.images.overlay import Overlay, Sheet
from genai_tui.images.strips import Drawing
from genai_tui.images.tonemap import Picture

Room = tuple[int, int]
"""The columns and rows that there are."""
Color = tuple[int, int, int]


def in_cells(
    picture: Picture, room: Room, scale: Fraction | None, mode: CellMode, matte: Color
) -> Drawing:
    """Characters in two colours; they are not fitted until they are needed."""
    height, width = picture.shape[:2]
    spot = place(width, height, *room, mode, scale)
    make = partial(render, picture, *room, mode, scale, matte)
    return Drawing(spot.columns, spot.rows, make)


def in_placeholders(
    picture: Picture,
    room: Room,
    scale: Fraction | None,
    graphics: Graphics,
    image_id: int,
    screen_ends: bool,
) -> Drawing:
    """Kitty's placeholders. ``screen_ends`` says that the room's last column is the screen's."""
    height, width = picture.shape[:2]
    columns, rows = kitty.box(width, height, *room, graphics.cell or kitty.CELL, scale)
    stand_in = partial(_stretched, picture, columns, rows, graphics.cells)
    return Drawing(columns, rows, stand_in, image_id, screen_ends and columns == room[0])


def in_sixels(
    picture: Picture,
    room: Room,
    scale: Fraction | None,
    graphics: Graphics,
    matte: Color,
    origin: Callable[[int, int], Offset],
    paint_over: Callable[[Callable[[], str]], None],
) -> Drawing:
    """Blanks, over which the frame's end paints sixels.

    ``origin`` says where a drawing of so many columns and rows begins on the screen; see `Sheet`
    for ``paint_over``.
    """
    height, width = picture.shape[:2]
    wide, tall = cell = graphics.cell or kitty.CELL
    most = min(room[0], sixel.MOST // wide) * wide, min(room[1], sixel.MOST // tall) * tall
    zoom = kitty.zoom_of(width, height, *most, scale and scale * wide)
    across, down = max(1, int(width * zoom)), max(1, int(height * zoom))
    columns, rows = -(-across // wide), -(-down // tall)
    whole = columns * wide, rows * tall
    make = partial(sixel.index, picture, (across, down), whole, matte, graphics.colors)
    overlay = Overlay(make, Sheet(cell, partial(origin, columns, rows), paint_over))
    stand_in = partial(_stretched, picture, columns, rows, graphics.cells)
    return Drawing(columns, rows, stand_in, bared=overlay.bared)


def _stretched(picture: Picture, columns: int, rows: int, mode: CellMode) -> Cells:
    across, down = SUBPIXELS[mode]
    return fit(resample(picture, columns * across, rows * down), mode)
