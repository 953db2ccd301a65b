"""A real pseudo-terminal: types keys into a program and keeps every byte that it writes."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType

SECONDS_OF_PATIENCE = 120.0
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]P][^\x07\x1b]*(?:\x07|\x1b\\)?")


class Terminal:
    """A program on a pseudo-terminal of its own.

    ``output`` is everything that it wrote so far, as text.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        size: tuple[int, int] = (40, 120),
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", **environment},
            start_new_session=True,
        )
        os.close(slave)
        self._bytes = bytearray()

    @property
    def output(self) -> str:
        return self._bytes.decode("utf-8", "replace")

    def shown(self, since: int = 0) -> str:
        """What was written after ``since``, without control sequences."""
        return _SEQUENCES.sub("", self.output[since:])

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def expect(self, *words: str, since: int = 0, seconds: float = 30.0) -> None:
        """Reads until all ``words`` were shown after ``since``; without any, until anything is."""
        deadline = time.monotonic() + seconds
        while not (self.shown(since) and all(word in self.shown(since) for word in words)):
            assert time.monotonic() < deadline, f"no {words} in {self.shown(since)[-2000:]!r}"
            assert self._read(0.2) or self.process.poll() is None, self.output[-2000:]

    def settle(self, quiet: float = 0.2, seconds: float = 3.0) -> None:
        """Reads until nothing has come for a moment: what was asked for is painted."""
        deadline = time.monotonic() + seconds
        while self._read(quiet) and time.monotonic() < deadline:
            pass

    def wait(self, seconds: float = 60.0) -> int:
        """Reads to the end; the program's exit status."""
        deadline = time.monotonic() + seconds
        while self._read(0.2) or self.process.poll() is None:
            assert time.monotonic() < deadline, self.output[-2000:]
        return self.process.wait()

    def _read(self, seconds: float) -> bool:
        if not select.select([self._master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # the other end is closed
            return False
        self._bytes += data
        return bool(data)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)
