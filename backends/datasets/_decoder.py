"""The process that decodes files of others: it may die of them, and nothing else does.

``python -P -m backends.datasets._decoder PARENT picture LOOK``, where LOOK is a Look as JSON, or
``PARENT sound`` says that it is ready, then reads paths from stdin, each behind its length, and
answers on stdout. An answer is a number of frames: what the file holds, in pieces, and an end with
the reason why it cannot be used, which is empty where it can. It imports no PyTorch.
"""

import contextlib
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from backends.confined import confine

MEMORY = 1 << 30
"""Bytes that a decoder may take beyond what it begins with: the largest picture takes most."""

OUT_OF_MEMORY = 71
"""Its exit status where that was not enough."""

LENGTH = struct.Struct("<I")
HEAD = struct.Struct("<cI")
READY, PIECE, END = b"R", b"P", b"E"
"""Kinds of frames; behind each stands its length, and then so many bytes."""

Send = Callable[[bytes], None]
Read = Callable[[Path, Send], str]
"""Sends what a file holds; the reason why it cannot be used, or nothing."""


def main(parent: int, how: list[str]) -> None:
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.SIG_IGN)  # the parent's to heed, with whom it ends anyhow
    read = _reader(how)
    paths, answers = _streams()
    confine(parent=parent, memory=MEMORY)
    answers.write(HEAD.pack(READY, 0))
    answers.flush()
    for path in _paths(paths):
        reason = read(path, lambda piece: _frame(answers, PIECE, piece))
        _frame(answers, END, reason.encode())
        answers.flush()


def _reader(how: list[str]) -> Read:
    return _picture_reader(how[1]) if how[0] == "picture" else _sound_reader()


def _picture_reader(look_as_json: str) -> Read:
    """Sends how many channels there are, and then the bytes [C, size, size]."""
    import msgspec
    from PIL import Image

    from backends.datasets._folders import Skipped
    from backends.datasets._pictures import Look, square, wary

    Image.init()
    with contextlib.suppress(ImportError):  # Pillow had none before 11.3
        from PIL import AvifImagePlugin

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # each would take room for its stack
    look = msgspec.json.decode(look_as_json, type=Look)

    def read(path: Path, send: Send) -> str:
        with wary():
            found = square(path, look)
        if isinstance(found, Skipped):
            return found.reason
        send(bytes([len(found)]) + found.tobytes())
        return ""

    return read


def _sound_reader() -> Read:
    from backends.datasets._sound_files import send_sound

    return send_sound


def _streams() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes to the parent; what a library prints goes nowhere."""
    paths, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    return paths, answers


def _paths(stream: BinaryIO) -> Iterator[Path]:
    while head := stream.read(LENGTH.size):
        yield Path(os.fsdecode(stream.read(*LENGTH.unpack(head))))


def _frame(to: BinaryIO, kind: bytes, body: bytes) -> None:
    to.write(HEAD.pack(kind, len(body)))
    to.write(body)


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), sys.argv[2:])
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
