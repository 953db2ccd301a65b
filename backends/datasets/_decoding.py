"""Decodes many picture files at once: those that cannot be read are left out and named."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backends.data import DataError
from backends.datasets._files import MEMORY, counted, gib, head, shown
from backends.datasets._folders import Skipped, why
from backends.datasets._pictures import Look, looks_like_picture, square, suffixes, wary

_THREADS = 4  # each may hold a picture of 32 million pixels


@dataclass(frozen=True, slots=True)
class Decoded:
    """Pictures [N, C, S, S], the file of each, and the files that were skipped."""

    pixels: NDArray[np.uint8]
    files: list[Path]
    skipped: list[Skipped]


def is_picture(file: Path) -> bool:
    """By the ending of its name; a file without one is looked into."""
    return file.suffix.lower() in suffixes() if file.suffix else looks_like_picture(head(file))


def decode(files: list[Path], look: Look, folder: Path) -> Decoded:
    """Decodes in threads; the pictures stand in the order of ``files``."""
    channels = 1 if look.color == "gray" else 3
    _check_memory(len(files), channels, look, folder)
    pixels = np.empty((len(files), channels, look.size, look.size), np.uint8)
    kept, skipped, colours = [], [], look.color == "rgb"
    with wary(), ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
        results = pool.map(lambda file: square(file, look), files)
        for file, result in zip(files, results, strict=True):
            if isinstance(result, Skipped):
                skipped.append(result)
                continue
            pixels[len(kept)] = result
            kept.append(file)
            colours = colours or len(result) == 3
    if not kept:
        raise DataError(f"none of the pictures in {shown(folder)} can be read: {why(skipped)}")
    return Decoded(pixels[: len(kept)] if colours else pixels[: len(kept), :1], kept, skipped)


def _check_memory(count: int, channels: int, look: Look, folder: Path) -> None:
    need = count * channels * look.size**2
    if need > MEMORY:
        form = f"{counted(count, 'picture')} of {look.size} x {look.size} x {channels}"
        less = "lower size" if channels == 1 else "lower size or set color=gray"
        raise DataError(f"{shown(folder)} needs {gib(need)} for {form}, over {gib(MEMORY)}: {less}")
