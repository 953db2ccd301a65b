"""Files that are made and never take another's place."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from genai_tui.errors import MISUSE, UserError

MOST_NAMES = 10_000


class ExportError(UserError):
    """What cannot be exported, and why; one sentence."""


def write(path: Path, fill: Callable[[BinaryIO], object]) -> Path:
    """Makes a file of exactly that name; the absolute path of it.

    Raises:
        ExportError: there is such a file, or it cannot be written.
    """
    try:
        return _write(path, fill)
    except FileExistsError:
        sentence = f"{path} is there already and is never overwritten: choose another name"
        raise ExportError(sentence, status=MISUSE) from None


def write_beside(path: Path, fill: Callable[[BinaryIO], object]) -> Path:
    """Makes a file of that name, or of the next name that is free: ``name-2.png``.

    Raises:
        ExportError: it cannot be written.
    """
    for number in range(1, MOST_NAMES):
        name = path.name if number == 1 else f"{path.stem}-{number}{path.suffix}"
        try:
            return _write(path.with_name(name), fill)
        except FileExistsError:
            continue
    raise ExportError(f"{path.parent} is full of files of that name")


def _write(path: Path, fill: Callable[[BinaryIO], object]) -> Path:
    path = path.absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            _filled(path, file, fill)
    except (FileExistsError, NotADirectoryError):
        if path.parent.is_dir():
            raise
        raise ExportError(f"{path.parent} can be no folder", status=MISUSE) from None
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {_reason(error)}") from None
    return path


def _filled(path: Path, file: BinaryIO, fill: Callable[[BinaryIO], object]) -> None:
    """Fills a new file, or leaves none."""
    done = False
    try:
        fill(file)
        done = True
    finally:
        if not done:
            path.unlink(missing_ok=True)


def _reason(error: OSError) -> str:
    return error.strerror or os.strerror(error.errno or errno.EIO)
