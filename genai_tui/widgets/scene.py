"""What a gallery shows, as one picture: a page of tiles, one tile, or a moment on their way."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

import numpy as np

from genai_tui.images.detect import Mode
from genai_tui.images.grid import GAP_COLOR, GridLayout, compose, layout
from genai_tui.images.moments import moment
from genai_tui.images.tonemap import Picture, PictureError, load

CURSOR_COLOR = (230, 159, 0)
"""Okabe and Ito's orange: it stands out from pictures for everybody."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Pictures on disk, and how they came about.

    Attributes:
        meant: pictures of the way as the model took them to become, the first first.
        seen: the same as the network saw them; as many, or none.
        walk: whether the tiles themselves are a walk, one after the other.
        sounds: whether the tiles are pictures of sounds, beside their files.
        latent: whether samples near one of them can be drawn.
    """

    tiles: Sequence[Path] = ()
    meant: Sequence[Path] = ()
    seen: Sequence[Path] = ()
    walk: bool = False
    sounds: bool = False
    latent: bool = False

    @property
    def moments(self) -> int:
        """How many pictures the way has; 0 where nothing can be watched."""
        if self.walk:
            return len(self.tiles)
        return len(self.meant) + (1 if self.meant and not self.sounds else 0)  # and the end itself


@dataclass(frozen=True, slots=True)
class Look:
    """What of it is looked at.

    Attributes:
        tile: the one under the cursor.
        alone: whether it is shown alone.
        moment: of the way; None shows what was drawn.
        raw: whether the way is shown as the network saw it.
    """

    tile: int = 0
    alone: bool = False
    moment: int | None = None
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture that is ready to be shown.

    Attributes:
        columns: tiles a row.
        per_page: tiles a page.
    """

    picture: Picture | None = None
    scale: Fraction | None = None
    columns: int = 1
    per_page: int = 1
    page: int = 0
    pages: int = 1
    problem: str = ""


def scene(drawn: Drawn, look: Look, width: int, height: int, mode: Mode) -> Scene:
    """What ``look`` shows of ``drawn`` in so many cells."""
    try:
        if look.moment is not None and drawn.walk:
            return Scene(load(drawn.tiles[look.moment]))
        if look.moment is not None:
            return Scene(_moment(drawn, look))
        if look.alone or len(drawn.tiles) == 1:
            return Scene(load(drawn.tiles[look.tile]))
        return _page(drawn.tiles, look.tile, width, height, mode)
    except (PictureError, ValueError, IndexError) as error:
        return Scene(problem=f"these samples cannot be shown: {error}")


def _moment(drawn: Drawn, look: Look) -> Picture:
    assert look.moment is not None
    ways = drawn.seen if look.raw and drawn.seen else drawn.meant
    return moment(ways, drawn.tiles, look.moment, look.tile if look.alone else None)


def _page(paths: Sequence[Path], tile: int, width: int, height: int, mode: Mode) -> Scene:
    """The page that ``tile`` is on, in a frame."""
    first = load(paths[0])
    room = max(1, width - 2), max(1, height - 2)
    arranged = layout(first.shape[1], first.shape[0], *room, mode, len(paths))
    page = tile // arranged.per_page
    start = page * arranged.per_page
    tiles = [load(path) for path in paths[start : start + arranged.per_page]]
    blank = np.full_like(first, GAP_COLOR)
    full = math.ceil(len(tiles) / arranged.columns) * arranged.columns
    wanted = arranged.per_page if page else full  # all pages but a single one are equally large
    shown = [one for one, _ in zip_longest(tiles, range(wanted), fillvalue=blank)]
    sheet = _framed(compose(shown, arranged.columns, arranged.gap), first, arranged, tile - start)
    return Scene(sheet, arranged.scale, arranged.columns, arranged.per_page, page, arranged.pages)


def _framed(sheet: Picture, tile: Picture, arranged: GridLayout, index: int) -> Picture:
    """The sheet with a frame around one tile, in the gaps; there is one all around for it."""
    across, down = arranged.gap
    sides = sheet.shape[0] + 2 * down, sheet.shape[1] + 2 * across
    wide = np.full((*sides, 3), GAP_COLOR, np.uint8)
    wide[down : down + sheet.shape[0], across : across + sheet.shape[1]] = sheet
    height, width = tile.shape[:2]
    top = index // arranged.columns * (height + down)
    left = index % arranged.columns * (width + across)
    within = wide[top + down : top + down + height, left + across : left + across + width].copy()
    wide[top : top + height + 2 * down, left : left + width + 2 * across] = CURSOR_COLOR
    wide[top + down : top + down + height, left + across : left + across + width] = within
    return wide
