"""A keeper's wait for its turn: it looks once a second, and says where its run stands.

Standard library only, for the keeper's sake.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path

from genai_tui.slots import slots
from genai_tui.turns import CPU, Place, Slot, Turns

LOOK_SECONDS = 1.0
HEARTBEAT_SECONDS = 5.0
"""How often a run that waits says that it still does, for viewers on other machines."""
STRANGER_SECONDS = 10.0
"""How long a device that a stranger uses is left alone before it is looked at again."""


class WaitingRoom:
    """Waits until a device is free for a run, or until it is told to stop."""

    def __init__(
        self,
        run: Path,
        turns: Turns,
        say: Callable[[str], None],
        find: Callable[[Path], list[Slot]] = slots,
    ) -> None:
        """``say`` is told where the run stands; ``find`` finds the devices, which takes a while."""
        self._run, self._turns, self._say, self._find = run, turns, say, find
        self._said, self._told = "", 0.0
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def wait(self, stopping: Callable[[], bool]) -> Slot | None:
        """The device that this run has from now on; None if it was stopped."""
        before = signal.set_wakeup_fd(self._write)
        try:
            return self._wait(stopping)
        finally:
            signal.set_wakeup_fd(before)
            os.close(self._read)
            os.close(self._write)

    def _wait(self, stopping: Callable[[], bool]) -> Slot | None:
        known: list[Slot] | None = None
        while not stopping():
            try:
                known = self._find(self._run) if known is None else known
                place = self._turns.look(known)
                self._tell(place)
                slot, known = self._take(place, known)
            except OSError as error:  # a disk that is full may have room later
                print(f"keeper: the queue cannot be read: {error}", flush=True)
                place, slot = None, None
            if slot is not None:
                return slot
            self._sleep(STRANGER_SECONDS if place is None or place.strangers else LOOK_SECONDS)
        return None

    def _take(self, place: Place, known: list[Slot]) -> tuple[Slot | None, list[Slot] | None]:
        """The device that was free, if it is still; and what is known of all of them after that."""
        if place.slot is None:
            return None, None if place.strangers else known
        if place.slot.name != CPU:
            known = self._find(self._run)  # a stranger may have come meanwhile
        return self._turns.take(known), known

    def _tell(self, place: Place) -> None:
        now = time.monotonic()
        if place.phrase != self._said or now >= self._told + HEARTBEAT_SECONDS:
            self._said, self._told = place.phrase, now
            self._say(place.phrase)

    def _sleep(self, seconds: float) -> None:
        """Sleeps, but not through a signal."""
        if select.select([self._read], [], [], seconds)[0]:
            os.read(self._read, 64)
