"""Sixel: pixels for terminals that have no better protocol. Pure.

A picture is reduced to a few colours once. Any part of it can then be written as a command of its
own, so that what other text has overwritten is all that need be sent again.
See https://vt100.net/docs/vt3xx-gp/chapter14.html.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genai_tui.images.cells import resample
from genai_tui.images.tonemap import Picture

COLORS = 64
"""Colours of a picture: 64 halve the bytes of 256, for what few can tell on a screen."""
BAND = 6
"""Rows of pixels in a sixel."""
MOST = 1000
"""Pixels a side, the most that xterm takes."""
_LETTERS = np.frombuffer(b"?-$!#", np.uint8)
_EMPTY, _NEXT_BAND, _SAME_BAND, _REPEAT, _COLOR = _LETTERS
_POWERS = np.array([10, 100, 1000])
_SHORTEST_RUN = 4
"""Equal sixels from which on a count is shorter than they are."""
_RESERVED = 1
"""Colours kept for the matte."""


@dataclass(frozen=True, slots=True, eq=False)
class Indexed:
    """A picture of a few colours, as large as it is on the screen."""

    pixels: NDArray[np.uint8]
    """Height x width, numbers of colours."""
    palette: NDArray[np.uint8]
    """Colours x 3."""


def index(
    picture: Picture,
    size: tuple[int, int],
    sheet: tuple[int, int],
    matte: tuple[int, int, int] = (0, 0, 0),
    colors: int = COLORS,
) -> Indexed:
    """A picture (uint8 HxWx3) in the colours and of the size that it has on the screen.

    Args:
        picture: what to show.
        size: its width and height in pixels of the screen.
        sheet: width and height of the cells it stands on, whose rest has the matte's colour.
        matte: a colour.
        colors: how many the terminal has registers for.
    """
    width, height = size
    small = resample(picture, min(width, picture.shape[1]), min(height, picture.shape[0]))
    # enlarged after its colours are counted: that costs less
    numbers, palette = _few_colors(small, min(colors, COLORS) - _RESERVED)
    whole = np.full((sheet[1], sheet[0]), len(palette), np.uint8)
    whole[:height, :width] = _enlarged(numbers, width, height)
    return Indexed(whole, np.vstack([palette, np.array([matte], np.uint8)]))


def command(picture: Indexed, top: int, left: int, height: int, width: int) -> str:
    """What draws the pixels of a part of the picture at the cursor."""
    part = picture.pixels[top : top + height, left : left + width]
    return f'\x1bP0;1;0q"1;1;{width};{height}{_palette(picture, part)}{_bands(part)}\x1b\\'


def _few_colors(picture: Picture, most: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The number of the colour of each pixel, and the colours: means of what they stand for."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    numbers = np.asarray(image.quantize(most, method=Image.Quantize.FASTOCTREE))
    flat = numbers.ravel()
    counts = np.maximum(np.bincount(flat), 1)
    sums = [np.bincount(flat, picture[:, :, channel].ravel()) for channel in range(3)]
    return numbers, np.rint(np.stack(sums, -1) / counts[:, None]).astype(np.uint8)


def _enlarged(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    rows = np.arange(height) * pixels.shape[0] // height
    columns = np.arange(width) * pixels.shape[1] // width
    return pixels[rows][:, columns]


def _palette(picture: Indexed, part: NDArray[np.uint8]) -> str:
    """Definitions of the colours that a part shows, in per cent."""
    parts: list[str] = []
    for number in np.flatnonzero(np.bincount(part.ravel())).tolist():
        red, green, blue = np.rint(picture.palette[number] / 2.55).astype(int).tolist()
        parts.append(f"#{number};2;{red};{green};{blue}")
    return "".join(parts)


def _bands(pixels: NDArray[np.uint8]) -> str:
    """All sixels: of each band of six rows one line a colour, one over the other."""
    colors = int(pixels.max()) + 1
    dots = _dots(pixels, colors)
    drawn = np.flatnonzero(dots.any(axis=1))
    band, color = np.divmod(drawn, colors)
    text = np.empty((len(drawn), 4 + pixels.shape[1]), np.uint8)
    text[:, 0] = np.where(np.diff(band, prepend=0) > 0, _NEXT_BAND, _SAME_BAND)
    text[:, 1] = _COLOR
    text[:, 2] = ord("0") + color // 10
    text[:, 3] = ord("0") + color % 10
    text[:, 4:] = dots[drawn] + _EMPTY
    return _packed(text.ravel())[1:].decode("ascii")


def _dots(pixels: NDArray[np.uint8], colors: int) -> NDArray[np.uint8]:
    """Which of six pixels have a colour, as bits: [bands * colors, width]."""
    height, width = pixels.shape
    dots = np.zeros((-(-height // BAND) * colors, width), np.uint8)
    columns = np.arange(width, dtype=np.intp)
    for row in range(min(BAND, height)):
        numbers = pixels[row::BAND]
        lines = np.arange(len(numbers))[:, None] * colors + numbers
        dots[lines, columns] |= np.uint8(1 << row)
    return dots


def _packed(text: NDArray[np.uint8]) -> bytes:
    """The text with counts for runs of equal sixels, and without what is empty at ends of lines."""
    starts = np.append(0, np.flatnonzero(text[1:] != text[:-1]) + 1)
    letters, lengths = text[starts], np.diff(starts, append=len(text))
    after = np.append(letters[1:], _SAME_BAND)
    lengths[(letters == _EMPTY) & ((after == _SAME_BAND) | (after == _NEXT_BAND))] = 0
    counted = lengths >= _SHORTEST_RUN
    digits = 1 + np.searchsorted(_POWERS, lengths, side="right")
    sizes = np.where(counted, digits + 2, lengths)
    places = (np.cumsum(sizes) - sizes)[counted]
    packed = np.repeat(letters, sizes)
    packed[places] = _REPEAT
    for power in range(4):
        has = digits[counted] > power
        digit = lengths[counted][has] // 10**power % 10
        packed[places[has] + digits[counted][has] - power] = ord("0") + digit
    return packed.tobytes()
