"""A pseudo-terminal that runs a program and measures when what appears, and how many bytes."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_ATTRIBUTES = b"\x1b[c"
"""The question of a program what terminal this is (DA1)."""
_ESCAPES = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B]|[=>78])"
)


class Terminal:
    """Runs ``argv`` in a terminal of ``columns`` x ``rows``; the clock starts with the program.

    One that does not answer says nothing when it is asked what it can do.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 200,
        rows: int = 50,
        environment: dict[str, str] | None = None,
        answers: bool = True,
    ) -> None:
        self.began = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            self._become(argv, environment or {})
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, size)
        self.bytes = 0
        self.output = b""
        self._answers = answers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._fd)

    def send(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def forget(self) -> None:
        """Forgets what has appeared so far."""
        self.output, self.bytes = b"", 0

    @property
    def text(self) -> str:
        """What has appeared, without escape sequences."""
        return _ESCAPES.sub(b"", self.output).decode(errors="replace")

    def wait(self, appeared: Callable[[str], bool], seconds: float = 30.0) -> float | None:
        """Seconds from now until ``appeared(text)``; None if it does not within ``seconds``."""
        begin = time.perf_counter()
        while time.perf_counter() - begin < seconds:
            if self._read(0.05) and self._drain() and appeared(self.text):
                return time.perf_counter() - begin
        return None

    def _drain(self) -> bool:
        """Reads all that is there: whoever looks at every few kB keeps the program waiting."""
        while self._read(0.0):
            pass
        return True

    def settle(self, quiet: float = 0.15, seconds: float = 30.0) -> float:
        """Waits until nothing has come for ``quiet`` seconds; seconds until the last byte."""
        begin = last = time.perf_counter()
        while time.perf_counter() - last < quiet and time.perf_counter() - begin < seconds:
            if self._read(quiet / 4):
                last = time.perf_counter()
        return last - begin

    def listen(self, seconds: float) -> int:
        """Bytes that come within ``seconds``."""
        before, until = self.bytes, time.perf_counter() + seconds
        while time.perf_counter() < until:
            self._read(min(0.05, max(0.0, until - time.perf_counter())))
        return self.bytes - before

    def settings(self) -> list[object]:
        """How the kernel treats what is typed and written, as ``termios.tcgetattr`` tells it."""
        return termios.tcgetattr(self._fd)

    def memory(self) -> float:
        """Proportional set size of the program in MB."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
        return float("nan")

    def cpu(self) -> float:
        """CPU seconds that the program has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:  # the program has ended
            return False
        if self._answers and _ATTRIBUTES in data:  # as every terminal answers, and at once
            os.write(self._fd, b"\x1b[?62;22c")
        self.bytes += len(data)
        self.output = (self.output + data)[-(1 << 21) :]
        return bool(data)

    @staticmethod
    def _become(argv: Sequence[str], environment: dict[str, str]) -> None:
        base = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        base.pop("TMUX", None)
        try:
            os.execvpe(argv[0], list(argv), {**base, **environment})
        finally:
            os._exit(127)
