"""A run's telemetry.jsonl: appended to by one poller, bounded, read by anyone while it grows."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from genai_tui.admission import create
from genai_tui.regular import opened
from genai_tui.telemetry.record import Telemetry, decode, encode

NAME = "telemetry.jsonl"
OLD = "telemetry.1.jsonl"
LIMIT = 64 * 2**20  # bytes, then the file becomes OLD
READ_BYTES = 2**20  # at most, in one call
CLOSE_BYTES = 2**15  # near enough to read on from


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
    descriptor = create(path, os.O_RDWR | os.O_APPEND)
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
        with opened(path) as file:
            start = _seek(file, offset)
            chunk = file.read(READ_BYTES)
    except FileNotFoundError:
        return Reading([], 0, 0)
    except OSError:
        return Reading([], offset, 0)
    return _parse(chunk, start, limit)


def last_time(folder: Path) -> float:
    """When the newest sample of a run's folder was taken; 0 if there is none."""
    samples = read(folder / NAME, -CLOSE_BYTES).samples
    return samples[-1].t if samples else 0.0


def around(folder: Path, t: float, seconds: float) -> list[Telemetry]:
    """The samples of a run's folder from ``seconds`` before t to as long after, oldest first.

    Looks t up by halving, as lines are in the order of their times. Never raises.
    """
    return [
        sample for name in (OLD, NAME) for sample in _from(folder / name, t - seconds, t + seconds)
    ]


def _from(path: Path, begin: float, end: float) -> Iterator[Telemetry]:
    offset = _find(path, begin)
    while True:
        reading = read(path, offset)
        yield from (sample for sample in reading.samples if begin <= sample.t <= end)
        if reading.offset == offset or (reading.samples and reading.samples[-1].t > end):
            return
        offset = reading.offset


def _find(path: Path, t: float) -> int:
    """The offset of a line that is at, or a little before, the first sample not older than t."""
    try:
        with opened(path) as file:
            low, high = 0, file.seek(0, os.SEEK_END)
            while high - low > CLOSE_BYTES:
                middle = (low + high) // 2
                line, sample = _line_after(file, middle)
                if sample is not None and sample.t < t and line < high:
                    low = line
                else:
                    high = middle
            return low
    except OSError:
        return 0


def _line_after(file: BinaryIO, offset: int) -> tuple[int, Telemetry | None]:
    """Where the first whole line behind an offset begins, and what it holds."""
    file.seek(offset)
    file.readline(READ_BYTES)
    return file.tell(), decode(file.readline(READ_BYTES).rstrip(b"\n"))


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
