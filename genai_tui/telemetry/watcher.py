"""The local machine for the screen: a thread that hands on a sample a second."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from genai_tui.telemetry.record import Telemetry
from genai_tui.telemetry.sampler import Sampler
from genai_tui.telemetry.ticks import ticks

STALE_S = 5.0


class Watcher(threading.Thread):
    """Samples until ``stop``. Never join it: a call of the driver may hang for ever."""

    def __init__(
        self,
        tell: Callable[[Telemetry], object],
        folder: Path,
        sampler: Sampler | None = None,
        every: float = 1.0,
    ) -> None:
        """``tell`` is called on this thread with each sample; the disk is that of ``folder``;
        ``every`` in seconds."""
        super().__init__(name="telemetry", daemon=True)
        self._tell = tell
        self._folder = folder
        self._sampler = sampler or Sampler()
        self._every = every
        self._heard = time.monotonic()
        self._stopped = threading.Event()

    @property
    def stale(self) -> bool:
        """Is the newest sample older than it should be by more than 5 s?"""
        return time.monotonic() - self._heard > self._every + STALE_S

    def start(self) -> None:
        self._heard = time.monotonic()
        super().start()

    def stop(self) -> None:
        """Ask for the end, and do not wait for it; a sample under way is not handed on."""
        self._stopped.set()

    def run(self) -> None:
        for _ in ticks(self._every, sleep=self._stopped.wait):
            if self._stopped.is_set():
                return
            sample = self._sampler.sample(None, self._folder)
            self._heard = time.monotonic()
            if not self._stopped.is_set():
                self._tell(sample)
