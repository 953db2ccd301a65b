"""Whether somebody lives whom nobody here can ask: another host's keeper, or another user's.

All that is seen of them is a heartbeat by their own clock, which may be any time off. Who looks
again and again goes by whether it moves; who looks for the first time has the two clocks alone.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

STALE_SECONDS = 15.0
"""How old a heartbeat may be; the slowest comes every 5 s."""
LOOK_SECONDS = 6.0
"""How long a look takes that goes by no clock."""


@dataclass(slots=True)
class _Heart:
    """Attributes:
    beat: the last heartbeat, by its own clock.
    since: when it was seen first, by the clock of this process.
    looked: when it was looked at last.
    is_watched: whether the beat before it was seen, too, and not long ago.
    """

    beat: float
    since: float
    looked: float
    is_watched: bool = False


class Heartbeats:
    """Remembers what it saw of each heart; ``wall`` and ``ticks`` are the clocks of this host."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall, self._ticks = wall, ticks
        self._hearts: dict[str, _Heart] = {}

    def is_fresh(self, whose: str, beat: float) -> bool:
        """Whether a heart lives whose last beat is this one."""
        now = self._ticks()
        heart = self._hearts.get(whose)
        if heart is None or beat < heart.beat or now - heart.looked >= STALE_SECONDS:
            heart = self._hearts[whose] = _Heart(beat, now, now)
        elif beat > heart.beat:
            heart.beat, heart.since, heart.is_watched = beat, now, True
        heart.looked = now
        recent = heart.is_watched or self._wall() - beat < STALE_SECONDS
        return recent and now - heart.since < STALE_SECONDS


def moves(beat: Callable[[], float]) -> bool:
    """Looks for a while whether a heart beats, whatever the clocks say."""
    first, begin = beat(), time.monotonic()
    while time.monotonic() - begin < LOOK_SECONDS:
        time.sleep(0.1)
        if beat() != first:
            return True
    return False
