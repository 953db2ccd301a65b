"""A run's telemetry.jsonl: appended to by one poller, bounded, read by anyone while it grows."""

import os
from pathlib import Path
from typing import BinaryIO, NamedTuple

from genai_tui.telemetry.record import Telemetry, decode, encode

NAME = "telemetry.jsonl"
OLD = "telemetry.1.jsonl"
LIMIT = 64 * 2**20  # bytes, then the file becomes OLD
READ_BYTES = 2**20  # at most, in one call

# O_NOFOLLOW: whoever can write into the folder must not choose another file for us.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Reading(NamedTuple):
    """What one call of ``read`` found; ``offset`` is where the next begins."""

    samples: list[Telemetry]
    offset: int
    damaged: int  # lines that were skipped


def append(folder: Path, sample: Telemetry, limit: int = LIMIT) -> None:
    """Add one line with one write. Raises FileNotFoundError if the folder is gone, else OSError.

    A line that a crash or a full disk tore is first closed with a newline: it spoils no other.
    """
    line = encode(sample) + b"\n"
    path = folder / NAME
    if _size(path) + len(line) > limit:
        path.replace(folder / OLD)
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        os.write(descriptor, _seal(descriptor) + line)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def _seal(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
    return b"\n" if torn else b""


def read(path: Path, offset: int = 0, limit: int = 1000) -> Reading:
    """The samples from byte ``offset`` on: at most ``limit`` lines or 1 MiB. Never raises.

    A negative offset counts from the end, to the next whole line. A file shorter than ``offset``
    was rotated and is read from its start; a line that is still being written waits; what cannot be
    read at all gives nothing. Nothing more to read: the offset did not move.
    """
    try:
        with path.open("rb") as file:
            start = _seek(file, offset)
            chunk = file.read(READ_BYTES)
    except FileNotFoundError:
        return Reading([], 0, 0)
    except OSError:
        return Reading([], offset, 0)
    return _parse(chunk, start, limit)


def _seek(file: BinaryIO, offset: int) -> int:
    size = file.seek(0, os.SEEK_END)
    start = 0 if offset > size else max(offset, 0) if offset >= 0 else max(size + offset, 0)
    if offset < 0 < start:
        file.seek(start - 1)
        start += len(file.readline(READ_BYTES)) - 1
    return file.seek(start)


def _parse(chunk: bytes, start: int, limit: int) -> Reading:
    lines = chunk.split(b"\n")
    tail = lines.pop()
    if not lines and len(tail) == READ_BYTES:  # no sample is that long: step over it
        return Reading([], start + len(tail), 1)
    samples: list[Telemetry] = []
    damaged = 0
    for line in lines[:limit]:
        start += len(line) + 1
        sample = decode(line)
        if sample:
            samples.append(sample)
        elif line:
            damaged += 1
    return Reading(samples, start, damaged)
