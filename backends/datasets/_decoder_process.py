"""A decoder as its parent has it: files go in, their bytes or a reason come out, or it ends."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from backends.datasets._decoder import END, HEAD, LENGTH, MEMORY, OUT_OF_MEMORY, PIECE, READY
from backends.datasets._files import gib

SECONDS = 60.0
"""Within so many there must be the next piece of a file, or its end."""

_BEGIN_SECONDS = 120.0  # of a machine that is very busy
_REASON = 200  # bytes of the longest reason
_READ = 1 << 18
_ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


class DecoderError(RuntimeError):
    """A decoder did not come up, which is no fault of a file."""


class DecoderEndedError(Exception):
    """A decoder is of no use any more; the text says what is wrong with the file that it was at."""


class DecoderProcess:
    """One decoder, which ends with the thread that started it at the latest.

    Nothing that it says is trusted: it may be what a file of somebody has made of it.

    Attributes:
        answered: files that it was done with.
    """

    def __init__(self, how: Sequence[str]) -> None:
        """``how``: what it decodes and how, see :mod:`backends.datasets._decoder`.

        Raises:
            DecoderError: the system lets none be started.
        """
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "backends.datasets._decoder", str(os.getpid()), *how],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **_ALONE},
            )
        except OSError as error:
            raise DecoderError(f"no process that decodes files can be started: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)
        self._unsent, self._unread = b"", bytearray()
        self._is_ready = False
        self.answered = 0

    def answers(self, files: Sequence[Path], most: int) -> Iterator[bytearray | str]:
        """The bytes of each file, ``most`` at most, or the reason why it cannot be used.

        Raises:
            DecoderEndedError: at the first file that it has not answered for.
            DecoderError: it did not come up.
        """
        self._await_ready()
        paths = [os.fsencode(file) for file in files]
        self._unsent = b"".join(LENGTH.pack(len(path)) + path for path in paths)
        for _ in files:
            answer = self._answer(most)
            self.answered += 1
            yield answer

    def kill(self) -> None:
        """Ends it at once: it has nothing to save. Any thread may do that."""
        self._process.kill()

    def close(self) -> None:
        """Nothing of it is left afterwards."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _await_ready(self) -> None:
        if self._is_ready:
            return
        try:
            self._is_ready = self._frame(0, _BEGIN_SECONDS)[0] == READY
        except DecoderEndedError:
            raise DecoderError("the process that decodes files did not come up") from None

    def _answer(self, most: int) -> bytearray | str:
        whole = bytearray()
        while True:
            kind, body = self._frame(max(most - len(whole), _REASON), SECONDS)
            if kind == END:
                return body.decode(errors="replace") or whole
            whole += body
            if kind != PIECE or len(whole) > most:
                raise DecoderEndedError("crashed its decoder")

    def _frame(self, most: int, seconds: float) -> tuple[bytes, bytes]:
        until = time.monotonic() + seconds
        kind, length = HEAD.unpack(self._take(HEAD.size, until))
        if length > most:
            raise DecoderEndedError("crashed its decoder")
        return kind, self._take(length, until)

    def _take(self, count: int, until: float) -> bytes:
        while len(self._unread) < count:
            self._unread += self._read(until)
        taken = bytes(self._unread[:count])
        del self._unread[:count]
        return taken

    def _read(self, until: float) -> bytes:
        """The next bytes, while it gets what it has room for: neither waits for the other."""
        while True:
            poll = select.poll()
            poll.register(self._from, select.POLLIN)
            if self._unsent:
                poll.register(self._to, select.POLLOUT)
            ready = dict(poll.poll(1000 * max(0.0, until - time.monotonic())))
            if not ready:
                raise DecoderEndedError(f"not decoded within {SECONDS:g} s")
            if self._from in ready:
                return os.read(self._from, _READ) or self._at_end()
            self._send()

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._to, self._unsent) :]
        except BrokenPipeError:  # what it has answered is still to be read
            self._unsent = b""

    def _at_end(self) -> bytes:
        """Raises what there is to say of a decoder that has closed its pipe."""
        self.kill()
        if self._process.wait() == OUT_OF_MEMORY:
            raise DecoderEndedError(f"needs more than {gib(MEMORY)} of memory")
        raise DecoderEndedError("crashed its decoder")
