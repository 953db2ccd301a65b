"""Whether a worker hangs: it takes no step, or shows no sign of life, for longer than it may.

Standard library only, for the keeper's sake. What counts depends on what the worker is at: while it
takes steps only a step does; while it imports, loads, compiles, validates, draws or saves, anything
does that it writes or reads, down to a little work of its processor; a paused one may rest.
"""

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from genai_tui.pulse import Pulse

USUAL_STEPS = 20
"""A step may take as long as so many usual ones, however low the limit."""
PACE_STEPS = 101
BUSY = 0.05
"""A worker that takes more of a core than that is at work; beating costs it less."""


class HangWatch:
    """Looks at one worker, now and then.

    Only the time in which the keeper itself ran counts: a machine that slept, or a container that
    was frozen, stopped both.
    """

    def __init__(
        self,
        pulse: Pulse,
        run: Path,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``seconds`` without a step are too many; 0 is never."""
        self._pulse, self._run, self._limit, self._clock = pulse, run, seconds, clock
        self.interval = min(5.0, max(0.1, seconds / 10)) if seconds else None
        """Seconds between two looks; None where nobody looks."""
        self.begin(0)

    def begin(self, pid: int) -> None:
        """There is a new worker."""
        self._pulse.reset()
        self._pid, self._idle = pid, 0.0
        self._count: int = 0
        self._looked = self._clock()
        self._pace: deque[float] = deque(maxlen=PACE_STEPS)
        self._signs = self._all_signs()
        self._ticks = _ticks(pid)

    @property
    def limit(self) -> float:
        """Seconds without a step that are too many for this worker."""
        usual = sorted(self._pace)[len(self._pace) // 2] if self._pace else 0.0
        return max(self._limit, USUAL_STEPS * usual)

    def look(self) -> str:
        """What is wrong, in a phrase; empty if nothing is."""
        now, count = self._clock(), self._pulse.count
        gap, self._looked = now - self._looked, now
        self._idle += min(gap, 3 * (self.interval or 0.0))
        if count != self._count:
            if self._pulse.at == "steps" and self._count:
                self._pace.append(self._idle / (count - self._count))
            self._idle = 0.0
            self._count = count
        elif self._lives(gap):
            self._idle = 0.0
        return "" if self._idle < self.limit else self._phrase()

    def _phrase(self) -> str:
        what = "no step" if self._pulse.at == "steps" else "no sign of life"
        return f"{what} for {self._idle:,.0f} s"

    def _lives(self, gap: float) -> bool:
        """Whether it may be waited for, though it did not come round."""
        at, busy, signs = self._pulse.at, self._is_busy(gap), self._all_signs()
        other, self._signs = signs != self._signs, signs
        if at == "steps":
            return busy and not self._pace  # how long its steps take is not known yet
        return at == "paused" or busy or other

    def _is_busy(self, gap: float) -> bool:
        before, self._ticks = self._ticks, _ticks(self._pid)
        if before is None or self._ticks is None:
            return self._ticks is None and before is None
        return self._ticks - before > BUSY * gap * os.sysconf("SC_CLK_TCK")

    def _all_signs(self) -> tuple[int, ...]:
        """Changes whenever the worker writes or reads something.

        Its status is no sign: a thread of its own writes that, whatever the training waits for.
        """
        found: list[int] = [_bytes_read(self._pid)]
        for name in ("records.jsonl", "console.log"):
            with contextlib.suppress(OSError):
                stat = os.stat(self._run / name)
                found += [stat.st_mtime_ns, stat.st_size]
        return tuple(found)


def _ticks(pid: int) -> int | None:
    """Processor time of a process and of its children that ended; None where nobody tells."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    return sum(int(field) for field in stat[stat.rfind(b")") + 2 :].split()[11:15])


def _bytes_read(pid: int) -> int:
    """What a process has read of files and pipes so far; 0 where nobody tells."""
    try:
        told = Path(f"/proc/{pid}/io").read_bytes()
    except OSError:
        return 0
    return int(told.split(b"rchar: ")[1].split(b"\n")[0]) if b"rchar: " in told else 0
