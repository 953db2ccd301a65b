"""The session with the GPU driver: opened late, and again with back-off after a fault."""

from contextlib import suppress

from genai_tui.telemetry.devices import Device, find, keep_lost
from genai_tui.telemetry.nvml import Code, Nvml, NvmlError, phrase

RELIST_S = 60.0  # MIG instances come and go without a fault
LONGEST_WAIT_S = 60.0


class Retry:
    """When to connect again: at once, then after 1, 2, 4, ... seconds."""

    def __init__(self) -> None:
        self._failures = 0
        self._at: float | None = float("-inf")

    def due(self, now: float) -> bool:
        return self._at is not None and now >= self._at

    def failed(self, now: float) -> None:
        """Plan the next attempt, unless one is planned already."""
        if self._at is None or self.due(now):
            self._at = now + min(2.0**self._failures, LONGEST_WAIT_S)
            self._failures = min(self._failures + 1, 16)

    def worked(self) -> None:
        self._failures = 0
        self._at = None


class Session:
    """Owns NVML's state and the handles; times are seconds of any clock that never goes back."""

    def __init__(self) -> None:
        self.devices: list[Device] = []
        self.problem = ""
        self._nvml: Nvml | None = None
        self._started = False
        self._listed = 0.0
        self._retry = Retry()

    def ready(self, now: float) -> Nvml | None:
        """The library with ``devices`` listed, or None and ``problem`` says why. Never raises."""
        try:
            if self._retry.due(now):
                self._list(self._connect(), now)
            elif not self.problem and self._nvml and now - self._listed >= RELIST_S:
                self._list(self._nvml, now)
        except NvmlError as error:
            self.problem = phrase(error.code)
            self._retry.failed(now)
        return None if self.problem else self._nvml

    def report(self, now: float, *, lost: bool) -> None:
        """How the sampling went: after a loss the session is opened again, later and later."""
        if lost:
            self._retry.failed(now)
        else:
            self._retry.worked()

    def _connect(self) -> Nvml:
        nvml = self._nvml = self._nvml or Nvml()
        if self._started:
            with suppress(NvmlError):  # what is broken need not close
                nvml.stop()
        self._started = False
        nvml.start()
        self._started = True
        return nvml

    def _list(self, nvml: Nvml, now: float) -> None:
        self.devices = keep_lost(self.devices, find(nvml))
        if not self.devices:
            raise NvmlError(Code.NOT_FOUND)
        self._listed = now
        self.problem = ""
