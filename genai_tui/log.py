"""The append-only log of records: one JSON object a line that ends in its own checksum.

The CRC-32 is of the bytes before ``,"crc"``, so any tool reads a line and a reader still knows a
damaged one. One writer, any number of readers, no lock.
"""

import os
import zlib
from pathlib import Path
from typing import get_args

import msgspec
from msgspec import Struct, field

from backends import records
from backends.records import Record
from genai_tui.admission import create
from genai_tui.regular import opened

_TAIL = len(b',"crc":"00000000"}')
LIMIT = 1 << 20
"""Bytes read at once; a longer line cannot be a record."""


class Log:
    """The writer's end. It seals the torn tail of an earlier writer and never truncates."""

    def __init__(self, path: Path) -> None:
        self._fd = create(path, os.O_RDWR | os.O_APPEND)
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")
        self._torn = False

    def append(self, record: Record) -> None:
        """Writes one record with one write(2).

        Raises:
            OSError: the disk is full or the file is gone; a torn line is left for the reader to
                skip, and the next record seals it.
        """
        data = b"\n" + line(record) if self._torn else line(record)
        self._torn = True
        while data:  # a disk that is nearly full takes a part
            data = data[os.write(self._fd, data) :]
        self._torn = False

    def sync(self) -> None:
        """Returns when all that was appended would survive a power cut."""
        os.fsync(self._fd) if not hasattr(os, "fdatasync") else os.fdatasync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


class Chunk(Struct):
    """Some records, the offset to read on from, and how many lines were damaged."""

    records: list[Record] = field(default_factory=list[Record])
    offset: int = 0
    damaged: int = 0
    more: bool = False


def line(record: Record) -> bytes:
    """``record`` as a line of the log."""
    body = records.encode(record)[:-1]
    return b'%b,"crc":"%08x"}\n' % (body, zlib.crc32(body))


def parse(data: bytes) -> Record | None:
    """The record of a line without its newline; None if it is damaged or of an unknown kind."""
    if not _is_whole(data):
        return None
    try:
        return records.decode_record(data)
    except records.UNREADABLE:
        return None


def is_foreign(data: bytes) -> bool:
    """Whether a line is whole and of a kind that this version does not know, as a later one may
    write it: such a line is passed over, and no damage."""
    if not _is_whole(data):
        return False
    try:
        return _decode_kind(data).kind not in _KINDS
    except records.UNREADABLE:
        return False


def _is_whole(data: bytes) -> bool:
    body, tail = data[:-_TAIL], data[-_TAIL:]
    return tail == b',"crc":"%08x"}' % zlib.crc32(body)


class _Kind(Struct):
    """What every record has."""

    kind: str


_decode_kind = msgspec.json.Decoder(_Kind).decode
_KINDS = frozenset(str(kind.__struct_config__.tag) for kind in get_args(Record))


def read(path: Path, offset: int = 0, limit: int = LIMIT) -> Chunk:
    """Records of the whole lines after ``offset``, at most about ``limit`` bytes of them.

    A missing file has no records. A file that shrank is read from its beginning.
    """
    try:
        with opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            offset = offset if offset <= size else 0
            file.seek(offset)
            data = file.read(limit)
            chunk = _split(data, offset, size, limit)
            if chunk.offset == offset + limit and not chunk.records:
                chunk.offset = _past_hole(file.fileno(), chunk.offset, size)
                chunk.more = chunk.offset < size
            return chunk
    except FileNotFoundError:
        return Chunk()
    except OSError:  # a link, a FIFO, or nothing that we may read
        return Chunk(offset=offset)


def _past_hole(fd: int, offset: int, size: int) -> int:
    """Where there is something again: a sparse file of a terabyte costs nothing but the reading."""
    try:
        return os.lseek(fd, offset, os.SEEK_DATA)
    except OSError:  # nothing but a hole to the end
        return size


def _split(data: bytes, offset: int, size: int, limit: int) -> Chunk:
    end = data.rfind(b"\n") + 1
    chunk = Chunk(offset=offset + end, more=offset + len(data) < size)
    if not end and len(data) == limit:
        chunk.offset, chunk.damaged = offset + limit, 1
    for text in data[:end].split(b"\n"):
        if not text:
            continue
        record = parse(text)
        if record is not None:
            chunk.records.append(record)
        elif not is_foreign(text):
            chunk.damaged += 1
    return chunk
