"""The session with the GPU driver: opened late, and again with back-off after a fault."""

from collections.abc import Callable
from contextlib import suppress

from genai_tui.telemetry.devices import Device, find, keep_lost
from genai_tui.telemetry.driver import Code, Driver, DriverError, phrase

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
    """Owns a library's state and the handles; times are seconds of a clock that never goes back."""

    def __init__(self, load: Callable[[], Driver]) -> None:
        """``load`` gives the library, or raises DriverError where it is not installed."""
        self.devices: list[Device] = []
        self.problem = ""
        self._load = load
        self._driver: Driver | None = None
        self._started = False
        self._listed = 0.0
        self._retry = Retry()

    def ready(self, now: float) -> Driver | None:
        """The library with ``devices`` listed, or None and ``problem`` says why. Never raises."""
        try:
            if self._retry.due(now):
                self._list(self._connect(), now)
            elif not self.problem and self._driver and now - self._listed >= RELIST_S:
                self._list(self._driver, now)
        except DriverError as error:
            self.problem = phrase(error.code)
            self._retry.failed(now)
        return None if self.problem else self._driver

    def report(self, now: float, *, lost: bool) -> None:
        """How the sampling went: after a loss the session is opened again, later and later."""
        if lost:
            self._retry.failed(now)
        else:
            self._retry.worked()

    def _connect(self) -> Driver:
        driver = self._driver = self._driver or self._load()
        if self._started:
            with suppress(DriverError):  # what is broken need not close
                driver.stop()
        self._started = False
        driver.start()
        self._started = True
        return driver

    def _list(self, driver: Driver, now: float) -> None:
        self.devices = keep_lost(self.devices, find(driver))
        if not self.devices:
            raise DriverError(Code.NOT_FOUND)
        self._listed = now
        self.problem = ""
