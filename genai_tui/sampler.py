"""The studio's side of a warm sampler: starts it, asks, and hands on what it tells.

The process belongs to whoever holds this: it ends with :meth:`Sampler.close`, and with the studio.
"""

import contextlib
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import IO

from backends.records import UNREADABLE
from genai_tui import playground
from genai_tui.playground import Ask, Told
from genai_tui.run import Run


class Sampler:
    """A process that draws from checkpoints of one run.

    Args:
        told: called from a thread with everything that it tells.
        ended: called from the same thread, with one sentence, when the process is gone although
            nobody closed this.
    """

    def __init__(
        self, run: Run, told: Callable[[Told], object], ended: Callable[[str], object]
    ) -> None:
        self._run, self._told, self._ended = run, told, ended
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._closed = False

    def ask(self, ask: Ask) -> None:
        """Asks; a process that is not there yet, or no longer, is started."""
        with self._lock:
            if self._closed:
                return
            process = self._running()
            assert process.stdin is not None
            with contextlib.suppress(OSError):  # it is gone: its thread says so
                process.stdin.write(playground.encode(ask) + b"\n")
                process.stdin.flush()

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            # A file, since a pipe that nobody reads would fill up and stop the worker.
            errors = tempfile.TemporaryFile()  # noqa: SIM115
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "genai_tui.worker", "play", str(self._run.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # it gives way to others, see genai_tui.playing
            )
            arguments = (self._process, errors)
            threading.Thread(target=self._read, args=arguments, name="sampler", daemon=True).start()
        return self._process

    def _read(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            with contextlib.suppress(*UNREADABLE):
                self._told(playground.decode_told(line))
        process.wait()
        with self._lock:
            self._process = None
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()  # pyright: ignore[reportOptionalMemberAccess]
        with errors:
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()
        if not self._closed:
            why = said[-1] if said else f"exit status {process.returncode}"
            self._ended(f"the sampler died: {why}")
