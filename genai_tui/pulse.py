"""A worker's pulse, felt by its keeper: how often the training came round, and what it is at.

Both share a page of memory, so that a disk which is full or slow does not look like a worker that
hangs, and a beat costs nothing to speak of. Standard library only, for the keeper's sake.
"""

import contextlib
import mmap
import os
import struct
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

VARIABLE = "GENAI_TUI_PULSE"
"""Tells a worker the descriptor of the page."""

At = Literal["elsewhere", "steps", "paused"]
"""Taking steps; waiting to be told to go on; or anything else, which takes as long as it takes."""

_KINDS: tuple[At, ...] = ("elsewhere", "steps", "paused")
_COUNT = struct.Struct("<Q")
"""Of the page; what it is at is the byte after."""


class Pulse:
    """The keeper's hand on it."""

    def __init__(self) -> None:
        self.descriptor = _anonymous_file()
        os.truncate(self.descriptor, mmap.PAGESIZE)
        self._page = mmap.mmap(self.descriptor, mmap.PAGESIZE)

    @property
    def count(self) -> int:
        """How often the training has come round since :meth:`reset`."""
        return int(_COUNT.unpack_from(self._page, 0)[0])

    @property
    def at(self) -> At:
        return _KINDS[self._page[_COUNT.size] % len(_KINDS)]

    def reset(self) -> None:
        """For the next worker."""
        self._page[:] = bytes(len(self._page))


class Heart:
    """The worker's end; without a keeper nobody feels it."""

    def __init__(self, page: mmap.mmap | None = None) -> None:
        self._page, self._count = page, 0

    def beat(self) -> None:
        """The training has come round once more."""
        self._count += 1
        if self._page is not None:
            _COUNT.pack_into(self._page, 0, self._count)

    def turn(self, phase: str) -> None:
        """The training is at something else from here on."""
        at: At = "steps" if phase == "training" else "paused" if phase == "paused" else "elsewhere"
        if self._page is not None:
            self._page[_COUNT.size] = _KINDS.index(at)


@contextmanager
def inherited() -> Generator[Heart]:
    """The heart that the keeper of this process feels."""
    told = os.environ.pop(VARIABLE, "")
    page = None
    if told.isdecimal():
        with contextlib.suppress(OSError, ValueError):
            page = mmap.mmap(int(told), mmap.PAGESIZE)
            os.close(int(told))  # children of the worker have no business with it
    try:
        yield Heart(page)
    finally:
        if page is not None:
            page.close()


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("genai-tui-pulse", os.MFD_CLOEXEC)
    import tempfile  # slow to load, and hardly any system needs it

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
