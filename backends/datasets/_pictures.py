"""Turns one picture file of any kind into a small square of bytes."""

import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from backends.data_error import DataError
from backends.datasets._files import open_regular, shown
from backends.datasets._folders import Skipped

PIXELS = 32_000_000
"""A picture that claims more is not decoded: a file of some kB can claim any number."""

BYTES = 4 * PIXELS
"""A larger file is not opened: a sparse one costs nothing, and is read for hours."""

SIDE = 4096
"""Most pixels a side of a picture that is looked at as a whole."""

_FORMATS = (
    *("PNG", "JPEG", "MPO", "WEBP", "AVIF", "JPEG2000", "GIF", "BMP", "DIB", "ICO"),
    *("TIFF", "PPM", "PCX", "SGI", "QOI", "PSD", "DDS", "XBM", "XPM"),
)  # not EPS, which starts another program, and no format without a signature

_SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"qoif")

_FAULTS = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError),
    *(EOFError, RuntimeError, struct.error, zlib.error, Image.DecompressionBombError),
)  # all that Pillow's decoders were seen to raise for damaged files

Square = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Look:
    """How pictures are brought to one form."""

    size: int
    color: Literal["auto", "gray", "rgb"]
    fit: Literal["crop", "pad"]


@cache
def suffixes() -> frozenset[str]:
    """Endings of the file names that picture formats go by."""
    known = Image.registered_extensions()
    return frozenset(ending for ending, kind in known.items() if kind in _FORMATS)


def looks_like_picture(head: bytes) -> bool:
    """Whether a file that begins with ``head`` is of a common picture format."""
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return webp or head[4:12] == b"ftypavif" or head.startswith(_SIGNATURES)


@contextmanager
def wary() -> Iterator[None]:
    """Pillow refuses pictures of too many pixels, and keeps its other warnings to itself.

    Both are settings of the whole process, so threads inside share this one block.
    """
    before = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        Image.MAX_IMAGE_PIXELS = PIXELS
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def square(path: Path, look: Look) -> Square | Skipped:
    """The picture as bytes [C, size, size]: C is 1 if it is gray or wanted so, else 3."""
    try:
        with open_regular(path, follow=False) as file:
            if os.fstat(file.fileno()).st_size > BYTES:
                return Skipped(path, f"larger than {BYTES // 10**6} MB")
            return _square(file, look)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Skipped(path, f"more than {PIXELS // 10**6} million pixels")
    except UnidentifiedImageError:
        return Skipped(path, "no known format")
    except _FAULTS:
        return Skipped(path, "damaged")


def _square(file: BinaryIO, look: Look) -> Square:
    with Image.open(file, "r", _formats()) as image:
        image.draft(None, (2 * look.size, 2 * look.size))
        image.load()
        return _bytes(_fitted(_flat(_upright(image), look.color), look), look.color)


def whole(path: Path, color: Literal["gray", "rgb"]) -> Square:
    """The picture as it is, as bytes [C, H, W].

    Raises:
        DataError: it cannot be read, or a side is longer than SIDE.
    """
    try:
        if path.stat().st_size > BYTES:
            raise DataError(f"{shown(path)} is larger than {BYTES // 10**6} MB: give less")
        with wary(), open_regular(path) as file, Image.open(file, "r", _formats()) as image:
            if max(image.size) > SIDE:
                width, height = image.size
                sentence = f"{shown(path)} is {width} x {height}: no side may be over {SIDE} pixels"
                raise DataError(sentence)
            image.load()
            return _bytes(_flat(_upright(image), color), color)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"{shown(path)} has more than {PIXELS // 10**6} million pixels") from None
    except UnidentifiedImageError:
        raise DataError(f"{shown(path)} is of no known picture format") from None
    except FileNotFoundError:
        raise DataError(f"{shown(path)} does not exist: give a picture that does") from None
    except DataError:
        raise
    except _FAULTS as error:
        raise DataError(f"{shown(path)} cannot be read: {error}") from None


@cache
def _formats() -> list[str]:
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except _FAULTS:  # the pixels are there; only what the camera noted is damaged
        return image


def _flat(image: Image.Image, color: str) -> Image.Image:
    """Eight bits a channel, over white where it is transparent."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(image))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    gray = color == "gray" or (color == "auto" and image.mode in ("1", "L"))
    return image.convert("L" if gray else "RGB")


def _eight_bits(image: Image.Image) -> Square:
    values = np.nan_to_num(np.asarray(image, np.float32))
    if image.mode != "F":
        values /= 257
    elif values.max() <= 1:  # a picture of floats goes to 1 or to 255, and does not say so
        values *= 255
    return values.round().clip(0, 255).astype(np.uint8)


def _fitted(image: Image.Image, look: Look) -> Image.Image:
    side = look.size
    if look.fit == "crop":
        return ImageOps.fit(image, (side, side), Image.Resampling.LANCZOS)
    scale = side / max(image.size)
    width, height = (max(1, round(length * scale)) for length in image.size)
    whole = Image.new(image.mode, (side, side), "white")
    small = image.resize((width, height), Image.Resampling.LANCZOS)
    whole.paste(small, ((side - width) // 2, (side - height) // 2))
    return whole


def _bytes(image: Image.Image, color: str) -> Square:
    values = np.asarray(image)
    if values.ndim == 2:
        return values[None]
    if color == "auto" and (values == values[..., :1]).all():
        return values[None, ..., 0]
    return values.transpose(2, 0, 1)
