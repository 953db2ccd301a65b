"""Finds and opens files that somebody else put in a folder: regular ones only, in a fixed order."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backends.data_error import DataError

MEMORY = 2**31
"""Most bytes that a data set may take in memory, as it is kept there."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in a folder and below it: regular files, and links or special files left shut."""

    files: list[Path]
    shut: list[Path]


def shown(path: Path | str) -> str:
    """``path`` for a message: control characters and undecodable bytes are spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(path))


def counted(count: int, noun: str) -> str:
    """ "1 file", "1,200 files"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def named(names: list[str]) -> str:
    """The first three of ``names``, and how many more there are."""
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def gib(count: float) -> str:
    """A number of bytes in GiB."""
    return f"{count / 2**30:.1f} GiB"


def shut_notice(folder: Path, shut: list[Path]) -> str:
    """A sentence about links and special files; empty if there are none."""
    names = named([shown(path.name) for path in shut])
    return f"links and special files of {shown(folder)} are not opened: {names}" if shut else ""


def required(path: Path | None, what: str) -> Path:
    """``path``, where the data set cannot do without one."""
    if path is None:
        raise DataError(f"the data set needs a path: give that of {what}")
    return path


def open_regular(path: Path, *, follow: bool = True) -> BinaryIO:
    """Opens ``path`` for reading, and never waits for a FIFO or reads a device.

    Raises:
        DataError: if it is no regular file.
        OSError: if it cannot be opened, or is a link and ``follow`` is off.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise DataError(f"{shown(path)} is not a regular file: give a file that holds data")
    return os.fdopen(descriptor, "rb")


def text_of(path: Path, most: int) -> str:
    """The UTF-8 text of a file.

    Raises:
        DataError: it cannot be read, is larger than ``most`` bytes or is no UTF-8.
    """
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            data = b"" if size > most else file.read(most + 1)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror}") from None
    if max(size, len(data)) > most:
        raise DataError(f"{shown(path)} is larger than {gib(most)}: give less")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fault = f"byte {error.start:,} of {shown(path)} is not UTF-8"
        raise DataError(f"{fault}: convert the file") from None


def head(path: Path, count: int = 32) -> bytes:
    """The first bytes of a file; none if it cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(count)
    except (OSError, DataError):
        return b""


def listing(folder: Path) -> Listing:
    """Everything below ``folder``, sorted by name folder by folder, hidden names left out."""
    files, shut = [], []
    for entry in _entries(folder):
        (files if entry.is_file(follow_symlinks=False) else shut).append(Path(entry.path))
    return Listing(files, shut)


def regular_files(folder: Path) -> Iterator[Path]:
    """The files of :func:`listing`, one at a time, for who needs but the first of a kind."""
    return (Path(e.path) for e in _entries(folder) if e.is_file(follow_symlinks=False))


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    waiting = [str(folder)]
    while waiting:
        inside = _scan(waiting.pop())
        yield from (entry for entry in inside if not entry.is_dir(follow_symlinks=False))
        folders = [entry.path for entry in inside if entry.is_dir(follow_symlinks=False)]
        waiting.extend(reversed(folders))


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith((".", "__MACOSX"))]
    except FileNotFoundError:
        raise DataError(f"{shown(folder)} does not exist: give a folder that does") from None
    except NotADirectoryError:
        raise DataError(f"{shown(folder)} is not a folder: give the folder of the data") from None
    except OSError as error:
        raise DataError(f"{shown(folder)} cannot be read: {error.strerror}") from None
    return sorted(visible, key=lambda entry: entry.name)
