"""Pictures made of samples: a grid, a contact sheet with captions, an animation over the steps."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO, cast

from PIL import Image, ImageDraw, ImageFont

from genai_tui.images.grid import compose
from genai_tui.images.tonemap import Picture

MOST_PIXELS = 1 << 24
"""Of one exported picture, or of one frame."""
LARGE, TILE = 480, 128
"""Pixels that a frame, and a tile of a sheet, are enlarged to, by whole factors."""
FRAME_MS, LAST_MS = 300, 1800
_PAPER, _INK, _FAINT = (18, 20, 24), (226, 228, 232), (150, 155, 162)
_FONT, _TITLE = 12, 15
_MARGIN, _GAP, _LINE = 12, 8, 16


@dataclass(frozen=True, slots=True, eq=False)
class Captioned:
    """A picture and what stands below it."""

    picture: Picture
    caption: str = ""


def grid(tiles: Sequence[Picture]) -> Picture:
    """Equal pictures in a square, a pixel apart; one picture is itself.

    Raises ValueError for pictures of different sizes.
    """
    return tiles[0] if len(tiles) == 1 else compose(tiles, math.ceil(math.sqrt(len(tiles))))


def save_png(file: BinaryIO, picture: Picture) -> None:
    """Writes a picture as it is."""
    Image.fromarray(picture).save(file, format="PNG", optimize=True)


def save_gif(file: BinaryIO, frames: Iterable[Captioned]) -> None:
    """Writes an animation that goes round, its last frame longer; frames are read one at a time.

    Raises ValueError for no frames.
    """
    images = _same_size(_frame(one) for one in frames)
    first = next(images, None)
    if first is None:
        raise ValueError("there are no frames")
    rest = list(images)  # palettes: a byte a pixel
    durations = [FRAME_MS] * len(rest) + [LAST_MS]
    first.save(
        file,
        format="GIF",
        save_all=True,
        append_images=rest,
        duration=durations,
        loop=0,
        disposal=1,
    )


def save_sheet(file: BinaryIO, title: str, items: Sequence[Captioned]) -> None:
    """Writes a contact sheet: a title, then pictures in rows, each over its caption.

    Raises ValueError for no pictures.
    """
    if not items:
        raise ValueError("there are no pictures")
    images = [_enlarged(Image.fromarray(item.picture), TILE) for item in items]
    width, height = (max(size) for size in zip(*(image.size for image in images), strict=True))
    columns = _columns(len(images), width, height)
    across, down = width + _GAP, height + _LINE + _GAP
    top = _MARGIN + _LINE + _GAP
    size = (
        2 * _MARGIN + columns * across - _GAP,
        top + math.ceil(len(images) / columns) * down - _GAP + _MARGIN,
    )
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    _write(draw, (_MARGIN, _MARGIN - 2), title, size[0] - 2 * _MARGIN, _TITLE, _INK)
    for index, (image, item) in enumerate(zip(images, items, strict=True)):
        left, y = _MARGIN + index % columns * across, top + index // columns * down
        sheet.paste(image, (left, y))
        _write(draw, (left, y + image.height + 1), item.caption, width, _FONT, _FAINT)
    sheet.save(file, format="PNG", optimize=True)


def _columns(count: int, width: int, height: int) -> int:
    """So many that the sheet is about three by two, and its last row as full as it gets."""
    about = max(1, min(count, round(math.sqrt(1.5 * count * (height + _LINE) / width))))
    near = range(max(1, about - 1), min(count, about + 1) + 1)
    return min(near, key=lambda columns: (-count % columns, abs(columns - about)))


def _frame(one: Captioned) -> Image.Image:
    """One frame over its caption, in 256 colours of its own."""
    image = _enlarged(Image.fromarray(one.picture), LARGE)
    frame = Image.new("RGB", (image.width, image.height + _LINE + 4), _PAPER)
    frame.paste(image, (0, 0))
    _write(ImageDraw.Draw(frame), (2, image.height + 2), one.caption, image.width, _FONT, _INK)
    return frame.quantize(256)


def _same_size(images: Iterator[Image.Image]) -> Iterator[Image.Image]:
    """Those of the size of the first: a run that was changed may have drawn others."""
    size: tuple[int, int] | None = None
    for image in images:
        size = size or image.size
        if image.size == size:
            yield image


def _enlarged(image: Image.Image, wanted: int) -> Image.Image:
    """By the largest whole factor up to ``wanted`` pixels; one that is too large is reduced."""
    shrink = math.ceil(math.sqrt(image.width * image.height / MOST_PIXELS))
    if shrink > 1:
        return image.reduce(shrink)
    factor = max(1, wanted // max(image.size))
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    room: int,
    size: int,
    ink: tuple[int, int, int],
) -> None:
    """A line of text, cut where its room ends."""
    font = _font(size)
    if font.getlength(text) > room:
        while text and font.getlength(f"{text}...") > room:
            text = text[:-1]
        text += "..."
    draw.text(at, text, fill=ink, font=font)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return cast("ImageFont.FreeTypeFont", ImageFont.load_default(size))
