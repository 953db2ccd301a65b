"""Pictures of samples on their way: all that are followed in a square, or one of them."""

import math
from collections.abc import Sequence
from pathlib import Path

from genai_tui.images.grid import compose
from genai_tui.images.tonemap import Picture, load

FOLLOWED = 16
"""Samples in a picture of the way, row by row in a square; see genai_tui.watched."""


def moment(
    ways: Sequence[Path], tiles: Sequence[Path], at: int, tile: int | None = None
) -> Picture:
    """The moment number ``at``; after the last of ``ways`` comes the end, the tiles themselves.

    Args:
        tile: the one that is wanted alone; one that is not followed gives all that are.

    Raises PictureError or ValueError where they cannot be read or are of different sizes.
    """
    count = min(len(tiles), FOLLOWED)
    columns = math.ceil(math.sqrt(count))
    if at >= len(ways):
        whole = compose([load(path) for path in tiles[:count]], columns, 0)
    else:
        whole = load(ways[at])
    return whole if tile is None else _cut(whole, tile, columns, count)


def _cut(whole: Picture, tile: int, columns: int, count: int) -> Picture:
    """One tile of a picture of ``count`` without gaps; all of it, if the tile is not in it."""
    rows = math.ceil(count / columns)
    height, width = whole.shape[0] // rows, whole.shape[1] // columns
    if tile >= count or not height or not width:
        return whole
    top, left = tile // columns * height, tile % columns * width
    return whole[top : top + height, left : left + width]
