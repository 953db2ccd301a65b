"""Times for what is kept: they never go back, whatever is done to the clock of the machine."""

import time
from collections.abc import Callable

MOST_AHEAD = 2 * 86400.0
"""Seconds: a time on record further ahead than this is not waited for. It was no clock's."""


class Forward:
    """Seconds since the epoch. They follow the clock, but where it is set back they go on at their
    own pace, so that what is later has a greater time and durations stay durations."""

    def __init__(
        self,
        floor: float = 0.0,
        wall: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """``floor``: the last time that an earlier process has put on record."""
        self._wall, self._ticks = wall, ticks
        now = wall()
        self._last = floor if now < floor < now + MOST_AHEAD else now
        self._at = ticks()

    def __call__(self) -> float:
        """The time now."""
        at = self._ticks()
        self._last = max(self._wall(), self._last + at - self._at)
        self._at = at
        return self._last
