"""The Kitty graphics protocol with Unicode placeholders: pictures that move like text. Pure.

The picture is sent once under an id. Where it appears is said by placeholder characters, whose
foreground colour is the id and whose diacritics name the row and column, so that scrolling,
cropping and tmux need to know nothing of pictures.
See https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders.
"""

from __future__ import annotations

import io
import itertools
import secrets
import zlib
from base64 import b64encode
from fractions import Fraction

import numpy as np
from PIL import Image

from genai_tui.images.cells import resample
from genai_tui.images.tonemap import Picture

PLACEHOLDER = "\U0010eeee"
CHUNK = 4096
"""Base64 characters a command, the most the protocol allows."""
CELL = (10, 20)
"""Pixels of a cell, width and height, where the terminal does not say."""
MAX_ID = 0xFFFFFF

_MARKS = """
305 30D-30E 310 312 33D-33F 346 34A-34C 350-352 357 35B 363-36F 483-487 592-595 597-599
59C-5A1 5A8-5A9 5AB-5AC 5AF 5C4 610-617 657-65B 65D-65E 6D6-6DC 6DF-6E2 6E4 6E7-6E8 6EB-6EC
730 732-733 735-736 73A 73D 73F-741 743 745 747 749-74A 7EB-7F1 7F3 816-819 81B-823 825-827
829-82D 951 953-954 F82-F83 F86-F87 135D-135F 17DD 193A 1A17 1A75-1A7C 1B6B 1B6D-1B73
1CD0-1CD2 1CDA-1CDB 1CE0 1DC0-1DC1 1DC3-1DC9 1DCB-1DCC 1DD1-1DE6 1DFE 20D0-20D1 20D4-20D7
20DB-20DC 20E1 20E7 20E9 20F0 2CEF-2CF1 2DE0-2DFF A66F A67C-A67D A6F0-A6F1 A8E0-A8F1 AAB0
AAB2-AAB3 AAB7-AAB8 AABE-AABF AAC1 FE20-FE26 10A0F 10A38 1D185-1D189 1D1AA-1D1AD 1D242-1D244
"""
"""The protocol's combining marks in order, as ranges of code points: the n-th means number n."""


def _marks() -> tuple[str, ...]:
    ends = (span.split("-") for span in _MARKS.split())
    return tuple(chr(c) for span in ends for c in range(int(span[0], 16), int(span[-1], 16) + 1))


MARKS = _marks()
MAX_SPAN = len(MARKS)
"""The most columns or rows a placeholder can name."""

_next_id = itertools.count(secrets.randbelow(MAX_ID))


def new_id() -> int:
    """An image id, 1 to MAX_ID. It starts at random: panes of one terminal share its ids."""
    return next(_next_id) % MAX_ID + 1


def box(
    width: int,
    height: int,
    columns: int,
    rows: int,
    cell: tuple[int, int] = CELL,
    scale: Fraction | None = None,
) -> tuple[int, int]:
    """The columns and rows a picture of `width` x `height` pixels takes of a budget of cells.

    `scale` is the width of a pixel in cells; by default the largest that fits, a whole number of
    screen pixels where it is at least one. The terminal centres the picture in these cells.
    """
    columns, rows = min(max(1, columns), MAX_SPAN), min(max(1, rows), MAX_SPAN)
    zoom = zoom_of(width, height, columns * cell[0], rows * cell[1], scale and scale * cell[0])
    across, down = -(-width * zoom // cell[0]), -(-height * zoom // cell[1])
    return max(1, int(across)), max(1, int(down))


def zoom_of(
    width: int, height: int, across: int, down: int, wanted: Fraction | None = None
) -> Fraction:
    """Pixels of the screen that a picture's pixel takes, if it has `across` x `down` of them.

    `wanted` if that fits; by default the largest, a whole number where it is at least one.
    """
    largest = min(Fraction(across, width), Fraction(down, height))
    if wanted is not None:
        return min(largest, wanted)
    return Fraction(int(largest)) if largest >= 1 else largest


def transmit(
    picture: Picture,
    image_id: int,
    columns: int,
    rows: int,
    cell: tuple[int, int] = CELL,
    tmux: bool = False,
) -> str:
    """The commands that send a picture (uint8 HxWx3) and lay it over `columns` x `rows` cells.

    Sent again under the same id it replaces the former, so the terminal's memory stays flat.
    A picture with more pixels than its cells have is first averaged down to them. The terminal is
    told to answer nothing (q=2).
    """
    data, form = _encode(_no_larger_than(picture, columns * cell[0], rows * cell[1]))
    text = b64encode(data).decode("ascii")
    chunks = [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]
    head = f"a=T,U=1,q=2,i={image_id},c={columns},r={rows},{form},"
    last = len(chunks) - 1
    commands = (
        _command(f"{head if n == 0 else 'q=2,'}m={int(n < last)}", chunk, tmux)
        for n, chunk in enumerate(chunks)
    )
    return "".join(commands)


def delete(image_id: int, tmux: bool = False) -> str:
    """The command that removes a picture and frees its memory in the terminal."""
    return _command(f"a=d,d=I,i={image_id},q=2", "", tmux)


def placeholders(image_id: int, row: int, start: int, end: int, bare_from: int = MAX_SPAN) -> str:
    """Columns `start` to `end` of a picture's `row`: text with the id as its 24-bit foreground.

    Every cell names its row and column, so that any part of the text may be cut away; but cells
    from column `bare_from` on, which follow their left neighbour: at the right edge of a screen
    that does not wrap, tmux gives a cell's marks to the one before it.
    """
    red, green, blue = image_id >> 16 & 255, image_id >> 8 & 255, image_id & 255
    cells = "".join(
        PLACEHOLDER if start < column >= bare_from else PLACEHOLDER + MARKS[row] + MARKS[column]
        for column in range(start, end)
    )
    return f"\x1b[38;2;{red};{green};{blue}m{cells}\x1b[0m"


def _command(control: str, payload: str, tmux: bool) -> str:
    command = f"\x1b_G{control};{payload}\x1b\\"
    if not tmux:
        return command
    doubled = command.replace("\x1b", "\x1b\x1b")
    return f"\x1bPtmux;{doubled}\x1b\\"


def _no_larger_than(picture: Picture, width: int, height: int) -> Picture:
    share = min(Fraction(width, picture.shape[1]), Fraction(height, picture.shape[0]))
    if share >= 1:
        return picture
    sides = (max(1, round(side * share)) for side in (picture.shape[1], picture.shape[0]))
    return resample(picture, *sides)


def _encode(picture: Picture) -> tuple[bytes, str]:
    """The bytes to send and the keys that say what they are: gray as PNG, colour as packed RGB."""
    height, width = picture.shape[:2]
    gray = picture[:, :, 0]
    if np.array_equal(gray, picture[:, :, 1]) and np.array_equal(gray, picture[:, :, 2]):
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(gray)).save(file, "PNG", compress_level=1)
        return file.getvalue(), "f=100"
    return zlib.compress(picture.tobytes(), 1), f"f=24,s={width},v={height},o=z"
