"""Arrays and picture files to uint8 RGB: the one form in which this room handles pictures."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Picture = NDArray[np.uint8]
"""A picture: uint8, height x width x 3, sRGB."""
Layout = Literal["auto", "CHW", "HWC"]
ValueRange = Literal["auto"] | tuple[float, float]

MAX_PIXELS = 32_000_000
MAX_BYTES = 4 * MAX_PIXELS
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""Decoders that read pixels and run nothing: no EPS, no PDF, no plug-ins."""
CHECKER = (102, 153)
SLACK = 1.25
"""How far a model may overshoot [0, 1] or [-1, 1] and still be read as that range."""

_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow raises on a damaged or hostile file: its decoders have no common error class."""


class PictureError(ValueError):
    """Something that cannot be shown as a picture; its text is one sentence for the user."""


def to_uint8(
    array: NDArray[np.generic],
    value_range: ValueRange = "auto",
    layout: Layout = "auto",
) -> Picture:
    """Turn an array of almost any kind into a picture, uint8 HxWx3.

    `array` is HxW (gray) or has 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGBA) channels, first
    (CHW) or last (HWC); `layout="auto"` takes the last axis where both fit. Alpha is laid over a
    checkerboard. NaN and -inf become the lowest value, +inf the highest.

    `value_range` (lo, hi) maps lo to black and hi to white. "auto" reads bool, 8-bit and 16-bit
    integers as such; floats as [0, 1] or [-1, 1] if they are at most a quarter outside, as 0..255
    if they are whole numbers in it, and stretches anything else from its least to its greatest.
    Pass the range wherever it is known: "auto" is decided anew for each array.

    Raises PictureError for other shapes, empty arrays and types that are no real numbers.
    """
    channels = _channels_last(np.asarray(array), layout)
    if channels.dtype.kind not in "buif":
        raise PictureError(f"A picture needs real numbers, this array holds {channels.dtype}.")
    has_alpha = channels.shape[2] in (2, 4)
    color = channels[:, :, :-1] if has_alpha else channels
    rgb = _tone(color, value_range)
    rgb = np.repeat(rgb, 3, axis=2) if rgb.shape[2] == 1 else rgb
    if has_alpha:
        rgb = _over_checker(rgb, _tone(channels[:, :, -1:], _alpha_range(channels[:, :, -1])))
    return np.ascontiguousarray(rgb)


def check(array: NDArray[np.generic]) -> None:
    """Raise PictureError for an array that is not a picture: uint8, HxWx3, not empty."""
    is_rgb = array.ndim == 3 and array.shape[2] == 3 and array.size > 0
    if array.dtype != np.uint8 or not is_rgb:
        raise PictureError(f"A picture is uint8 HxWx3, not {array.dtype} {array.shape}.")


def load(path: str | Path) -> Picture:
    """Read a picture file into uint8 HxWx3; raises PictureError for whatever is not a fair picture.

    At most MAX_PIXELS pixels; of an animation the first frame; turned as its EXIF says.
    """
    file = Path(path)
    if not file.is_file():  # a pipe or a device would block or never end
        raise PictureError(f"{file.name} is not a file.")
    if file.stat().st_size > MAX_BYTES:  # a sparse file costs nothing, and is read for hours
        raise PictureError(f"{file.name} is larger than {MAX_BYTES // 1_000_000} MB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise PictureError(
                        f"{file.name} has {image.width} x {image.height} pixels, more than "
                        f"{MAX_PIXELS // 1_000_000} million."
                    )
                return _decoded(image)
    except PictureError:
        raise
    except _DECODER_ERRORS as error:
        raise PictureError(f"{file.name} cannot be read as a picture: {error}.") from error


def _decoded(image: Image.Image) -> Picture:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("F", "I", "I;16", "I;16L", "I;16B", "I;16N"):
        return to_uint8(np.asarray(upright), layout="HWC")
    has_alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
    return to_uint8(np.asarray(upright.convert("RGBA" if has_alpha else "RGB")), layout="HWC")


def _channels_last(array: NDArray[np.generic], layout: Layout) -> NDArray[np.generic]:
    """HxW, CxHxW or HxWxC -> HxWxC."""
    if array.ndim == 2:
        array, layout = array[:, :, np.newaxis], "HWC"
    if array.ndim != 3 or array.size == 0:
        raise PictureError(f"A picture needs 2 or 3 axes, none empty; this array is {array.shape}.")
    counts = (1, 2, 3, 4)
    if layout == "auto":
        # two channels are rare, two pixels wide is not: (3, 8, 2) is RGB, channels first
        last = array.shape[2] in (1, 3, 4) or array.shape[0] not in counts
        layout = "HWC" if last else "CHW"
    moved = array if layout == "HWC" else np.moveaxis(array, 0, 2)
    if moved.shape[2] not in counts:
        raise PictureError(f"A picture has 1 to 4 channels; this array is {array.shape}.")
    return moved


def _tone(values: NDArray[np.generic], value_range: ValueRange) -> Picture:
    if values.dtype.kind == "b":
        return values.astype(np.uint8) * np.uint8(255)
    if value_range == "auto" and values.dtype == np.uint8:
        return values.astype(np.uint8)
    with np.errstate(over="ignore"):  # beyond float64 is infinite, which is handled below
        numbers = values.astype(np.float64)
    if value_range == "auto":
        value_range = _guess_range(numbers, values.dtype)
    lo, hi = value_range
    if not (np.isfinite(lo) and np.isfinite(hi) and lo <= hi):
        raise PictureError(f"A value range goes from low to high, not from {lo} to {hi}.")
    # halved before subtracting, so that the widest float64 range does not overflow
    span = hi / 2 - lo / 2
    clipped = np.clip(np.nan_to_num(numbers, nan=lo, posinf=hi, neginf=lo), lo, hi)
    scaled = (clipped / 2 - lo / 2) / span if span > 0 else np.zeros_like(clipped)
    return np.rint(np.clip(scaled, 0.0, 1.0) * 255).astype(np.uint8)


def _guess_range(numbers: NDArray[np.float64], dtype: np.dtype[np.generic]) -> tuple[float, float]:
    finite = numbers[np.isfinite(numbers)]
    if finite.size == 0:
        return 0.0, 1.0
    lo, hi = float(finite.min()), float(finite.max())
    if dtype.kind in "ui":
        return _integer_range(lo, hi, dtype)
    if lo >= 0 and hi <= SLACK:
        return 0.0, 1.0
    if lo >= -SLACK and hi <= SLACK:
        return -1.0, 1.0
    if lo >= 0 and hi <= 255 and bool(np.all(finite == np.rint(finite))):
        return 0.0, 255.0
    return lo, hi


def _integer_range(lo: float, hi: float, dtype: np.dtype[np.generic]) -> tuple[float, float]:
    if dtype == np.uint16:
        return 0.0, 65535.0
    if lo >= 0 and hi <= 65535:
        return 0.0, 255.0 if hi <= 255 else 65535.0
    return lo, hi


def _alpha_range(alpha: NDArray[np.generic]) -> ValueRange:
    """Alpha is a share of the type's full scale: never stretched from its least to its greatest."""
    if alpha.dtype.kind == "f":
        return 0.0, 1.0
    eight_bits = alpha.dtype != np.uint16 and float(alpha.max()) <= 255
    return 0.0, 255.0 if eight_bits else 65535.0


def _over_checker(rgb: Picture, alpha: Picture, square: int = 8) -> Picture:
    height, width = rgb.shape[:2]
    rows, columns = np.ogrid[:height, :width]
    odd: NDArray[np.intp] = (rows // square + columns // square) % 2
    board = np.array(CHECKER, np.uint16)[odd][:, :, np.newaxis]
    opaque = alpha.astype(np.uint16)
    # 255 * 255 + 127 still fits 16 bits: half the memory of floats on a large photo
    return ((rgb * opaque + board * (255 - opaque) + 127) // 255).astype(np.uint8)
