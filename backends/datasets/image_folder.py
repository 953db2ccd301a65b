"""A folder of pictures of your own, of any format and size; sub-folders are classes."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from backends.data import DataError, Dataset
from backends.datasets._files import (
    MEMORY,
    counted,
    gib,
    head,
    listing,
    named,
    regular_files,
    required,
    shown,
    shut_notice,
)
from backends.datasets._images import image_dataset
from backends.datasets._pictures import (
    Look,
    Skipped,
    looks_like_picture,
    square,
    suffixes,
    wary,
)
from backends.knobs import Bounds

MODALITY = "image"
EMBEDDED = False
NEEDS_PATH = True

_THREADS = 4  # each may hold a picture of 32 million pixels
_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation"}


@dataclass(frozen=True, kw_only=True)
class Config:
    size: Annotated[int, "height and width that pictures are brought to", Bounds(8, 512, "px")] = 32
    color: Annotated[Literal["auto", "gray", "rgb"], "auto: gray where no picture has colour"] = (
        "auto"
    )
    fit: Annotated[
        Literal["crop", "pad"], "crop the middle square, or pad the whole picture with white"
    ] = "crop"
    flip: Annotated[bool, "mirror half of the training pictures, others each epoch"] = False


@dataclass(frozen=True, slots=True)
class Decoded:
    """Pictures [N, C, S, S], the file of each, and the files that were skipped."""

    pixels: NDArray[np.uint8]
    files: list[Path]
    skipped: list[Skipped]


def fits(path: Path) -> bool:
    """Whether a picture lies in the folder ``path`` or below it."""
    return path.is_dir() and any(map(_is_picture, regular_files(path)))


def load(config: Config, path: Path | None, validation: float) -> Dataset:
    """Every picture below ``path``; the names of two or more sub-folders become classes."""
    folder = required(path, "a folder of pictures")
    found = listing(folder)
    pictures = [file for file in found.files if _is_picture(file)]
    if not pictures:
        raise DataError(f"{shown(folder)} holds no picture: add some or give another folder")
    files = _classified(folder, pictures)
    decoded = _decode(files, Look(config.size, config.color, config.fit), folder)
    classes = _classes(folder, decoded.files)
    notices = [
        _loose(folder, len(pictures) - len(files)),
        _splits(folder, classes),
        shut_notice(folder, found.shut),
        _skipped(folder, decoded.skipped),
    ]
    return image_dataset(
        decoded.pixels,
        _labels(folder, decoded.files, classes),
        tuple(shown(name) for name in classes),
        where=shown(folder),
        validation=validation,
        flip=config.flip,
        notices=tuple(notice for notice in notices if notice),
    )


def _is_picture(file: Path) -> bool:
    """By the ending of its name; a file without one is looked into."""
    return file.suffix.lower() in suffixes() if file.suffix else looks_like_picture(head(file))


def _class(folder: Path, file: Path) -> str:
    """The sub-folder of ``folder`` that holds ``file``; empty if none does."""
    parts = file.relative_to(folder).parts
    return parts[0] if len(parts) > 1 else ""


def _classes(folder: Path, files: list[Path]) -> list[str]:
    classes = sorted({_class(folder, file) for file in files} - {""})
    return classes if len(classes) > 1 else []


def _classified(folder: Path, files: list[Path]) -> list[Path]:
    """Those in sub-folders, where sub-folders are classes; else all."""
    if not _classes(folder, files):
        return files
    return [file for file in files if _class(folder, file)]


def _labels(folder: Path, files: list[Path], classes: list[str]) -> NDArray[np.int64] | None:
    if not classes:
        return None
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index[_class(folder, file)] for file in files])


def _decode(files: list[Path], look: Look, folder: Path) -> Decoded:
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
        raise DataError(f"none of the pictures in {shown(folder)} can be read: {_why(skipped)}")
    return Decoded(pixels[: len(kept)] if colours else pixels[: len(kept), :1], kept, skipped)


def _check_memory(count: int, channels: int, look: Look, folder: Path) -> None:
    need = count * channels * look.size**2
    if need > MEMORY:
        form = f"{counted(count, 'picture')} of {look.size} x {look.size} x {channels}"
        less = "lower size" if channels == 1 else "lower size or set color=gray"
        raise DataError(f"{shown(folder)} needs {gib(need)} for {form}, over {gib(MEMORY)}: {less}")


def _why(skipped: list[Skipped]) -> str:
    return named([f"{shown(skip.path.name)} ({skip.reason})" for skip in skipped])


def _skipped(folder: Path, skipped: list[Skipped]) -> str:
    if not skipped:
        return ""
    return f"{counted(len(skipped), 'file')} of {shown(folder)} skipped: {_why(skipped)}"


def _loose(folder: Path, count: int) -> str:
    beside = f"{counted(count, 'picture')} beside the class folders of {shown(folder)} left out"
    return beside if count else ""


def _splits(folder: Path, classes: list[str]) -> str:
    if not classes or not {name.lower() for name in classes} <= _SPLITS:
        return ""
    names = " and ".join(classes)
    inner = shown(folder / classes[-1])
    return f"{names} are taken as classes: give {inner} if the classes are folders inside it"
