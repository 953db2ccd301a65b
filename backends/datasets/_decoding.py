"""Decodes many picture files at once: those that cannot be read are left out and named."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from backends import counting
from backends.data_error import DataError
from backends.datasets import _decoded
from backends.datasets._decoded import Decoded
from backends.datasets._decoders import Task, decoded
from backends.datasets._files import MEMORY, counted, gib, head, shown
from backends.datasets._folders import Skipped, why
from backends.datasets._pictures import Look, Square, looks_like_picture, suffixes
from backends.knobs import Bounds

WORTH = 256
"""Fewer pictures are decoded anew each time: that takes less than a second."""

_BATCH = 32  # pictures that a decoder gets at a time


@dataclass(frozen=True, kw_only=True)
class LookKnobs:
    """Knobs of pictures of your own."""

    size: Annotated[int, "height and width that pictures are brought to", Bounds(8, 512, "px")] = 32
    color: Annotated[Literal["auto", "gray", "rgb"], "auto: gray where no picture has colour"] = (
        "auto"
    )
    fit: Annotated[
        Literal["crop", "pad"], "crop the middle square, or pad the whole picture with white"
    ] = "crop"
    flip: Annotated[bool, "mirror half of the training pictures, others each epoch"] = False

    @property
    def look(self) -> Look:
        return Look(self.size, self.color, self.fit)


def is_picture(file: Path) -> bool:
    """By the ending of its name; a file without one is looked into."""
    return file.suffix.lower() in suffixes() if file.suffix else looks_like_picture(head(file))


def decode(files: list[Path], look: Look, folder: Path) -> Decoded:
    """The pictures in the order of ``files``; many are decoded once and then mapped from a cache.

    Raises:
        DataError: none can be read, or they fit neither into memory nor into the cache.
    """
    shape = (len(files), 1 if look.color == "gray" else 3, look.size, look.size)
    if len(files) < WORTH and np.prod(shape) <= MEMORY:
        return _decode(files, look, folder, np.empty(shape, np.uint8))
    key = _decoded.key_of(files, look, folder)
    return _decoded.find(key, files) or _decode_once(files, look, folder, shape, key)


def _decode_once(
    files: list[Path], look: Look, folder: Path, shape: tuple[int, ...], key: str
) -> Decoded:
    try:
        with _decoded.scratch(shape) as (hidden, pixels):
            whole = _decode(files, look, folder, pixels)
            _decoded.keep(key, whole, files, hidden)
        found = _decoded.find(key, files)
    except OSError as error:
        found, reason = None, error.strerror or str(error)
    else:
        reason = "the entry could not be read back"
    if found is not None:
        return found
    need = int(np.prod(shape))
    if need <= MEMORY:
        return _decode(files, look, folder, np.empty(shape, np.uint8))
    form = f"{counted(len(files), 'picture')} of {look.size} x {look.size} x {shape[1]}"
    where = f"{shown(folder)} needs {gib(need)} for {form}, and the cache cannot keep them"
    raise DataError(f"{where} ({reason}): set GENAI_TUI_CACHE to a folder with room or lower size")


def _decode(files: list[Path], look: Look, folder: Path, pixels: NDArray[np.uint8]) -> Decoded:
    """Decodes into ``pixels`` [N, C, S, S]."""
    kept, skipped, colours = [], [], look.color == "rgb"
    with closing(decoded(files, squares(look))) as results:
        for file, result in counting.counted(zip(files, results, strict=True), len(files)):
            if isinstance(result, Skipped):
                skipped.append(result)
                continue
            pixels[len(kept)] = result
            kept.append(file)
            colours = colours or len(result) == 3
    if not kept:
        raise DataError(f"none of the pictures in {shown(folder)} can be read: {why(skipped)}")
    return Decoded(pixels[: len(kept)] if colours else pixels[: len(kept), :1], kept, skipped)


def squares(look: Look) -> Task[Square]:
    """Decodes pictures to bytes [C, size, size], C being 1 or 3."""
    area = look.size**2

    def made(file: Path, data: bytearray) -> Square | Skipped:
        whole = len(data) == 1 + data[0] * area and data[0] in (1, 3) if data else False
        if not whole:
            return Skipped(file, "damaged")  # nothing but a decoder gone wrong answers so
        return np.frombuffer(data, np.uint8, offset=1).reshape(-1, look.size, look.size)

    how = ("picture", msgspec.json.encode(look).decode())
    return Task(how, 1 + 3 * area, made, _BATCH)
