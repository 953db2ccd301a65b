"""The local machine for the screen: a poller, and a thread that hands on what it says."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from genai_tui.telemetry.record import Snapshot, decode_snapshot

LONGEST_LINE = 2**22  # bytes; a snapshot with every process takes some 100 kB
LONGEST_WAIT_S = 60.0


class Watcher(threading.Thread):
    """Reads a poller until ``stop``, and starts another if it dies.

    A driver that hangs takes the poller with it, never the screen: threads of the screen's own
    process would keep it from ending. Never join this thread.
    """

    def __init__(
        self,
        tell: Callable[[Snapshot], object],
        folder: Path,
        every: float = 1.0,
        *,
        processes: bool = False,
    ) -> None:
        """``tell`` is called on this thread with each sample; the disk is that of ``folder``;
        ``every`` in seconds; with ``processes`` all of them are looked at now and then."""
        super().__init__(name="telemetry", daemon=True)
        self._tell = tell
        arguments = [str(folder), "--print", "--every", str(every)]
        self._arguments = [*arguments, "--processes"] if processes else arguments
        self._poller: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Asks for the end, and does not wait for it; no sample is handed on any more."""
        self._stopped.set()
        if self._poller is not None:
            self._poller.terminate()

    def run(self) -> None:
        wait = 1.0
        while not self._stopped.is_set():
            told = self._follow()
            wait = 1.0 if told else min(2 * wait, LONGEST_WAIT_S)
            self._stopped.wait(wait)

    def _follow(self) -> bool:
        """Hands on what one poller says until it ends; whether it said anything."""
        told = False
        # Started on this thread: the kernel ends the poller with the thread that made it.
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "genai_tui.telemetry", *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as self._poller:
            assert self._poller.stdout is not None
            while not self._stopped.is_set():
                line = self._poller.stdout.readline(LONGEST_LINE)
                if not line:
                    break
                snapshot = decode_snapshot(line)
                if snapshot is not None and not self._stopped.is_set():
                    told = True
                    self._tell(snapshot)
            self._poller.terminate()
        return told
