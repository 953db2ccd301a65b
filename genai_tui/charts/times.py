"""Scales of time, since a beginning or by the clock: ticks at round seconds, minutes and days."""

import math
import time
from dataclasses import dataclass

from genai_tui.charts.axes import Scale, Tick, nice_step

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
_STEPS = (
    *(1.0, 2.0, 5.0, 10.0, 15.0, 30.0),
    *(each * MINUTE for each in (1.0, 2.0, 5.0, 10.0, 15.0, 30.0)),
    *(each * HOUR for each in (1.0, 2.0, 3.0, 6.0, 12.0)),
    *(each * DAY for each in (1.0, 2.0, 7.0, 14.0, 28.0, 91.0, 364.0)),
)


@dataclass(frozen=True, slots=True)
class Durations(Scale):
    """Seconds since a run began."""

    def ticks(self, count: int) -> list[Tick]:
        """At most about `count` >= 1 round durations within the scale, in order."""
        step = _time_step(self.high - self.low, count)
        return [Tick(v, duration_label(v, step)) for v in _multiples(self, step, 0.0)]

    def label(self, value: float) -> str:
        """A duration with the two units that matter: 42s, 3m05s, 2h10m, 3d04h."""
        return duration_label(value, 1.0)


@dataclass(frozen=True, slots=True)
class Clock(Scale):
    """Seconds since the epoch, shown in the local time of whoever looks."""

    def ticks(self, count: int) -> list[Tick]:
        """At most about `count` >= 1 round times within the scale, in order."""
        step = _time_step(self.high - self.low, count)
        midnight = _midnight(self.low)
        return [Tick(v, _clock(v, step)) for v in _multiples(self, step, midnight)]

    def label(self, value: float) -> str:
        """The time of the day to the second."""
        return clock_label(value)


def _time_step(span: float, count: int) -> float:
    """The smallest round time that cuts `span` > 0 into at most `count`; decimal below a second."""
    least = span / max(count, 1)
    if least <= 0.5:
        return nice_step(span, count)
    return next((s for s in _STEPS if s >= least * (1 - 1e-9)), nice_step(span / DAY, count) * DAY)


def _multiples(scale: Scale, step: float, origin: float) -> list[float]:
    first = math.ceil((scale.low - origin) / step - 1e-6)
    last = math.floor((scale.high - origin) / step + 1e-6)
    return [origin + i * step for i in range(first, last + 1)]


def _midnight(t: float) -> float:
    """The local midnight before t."""
    try:
        day = time.localtime(t)
        return time.mktime((day.tm_year, day.tm_mon, day.tm_mday, 0, 0, 0, 0, 0, -1))
    except (OverflowError, ValueError, OSError):
        return 0.0  # no time of any clock; the ticks are round in seconds at least


def duration_label(seconds: float, step: float) -> str:
    """A duration, as fine as `step` needs: 0.5s, 42s, 3m05s, 2h10m, 3d04h."""
    if seconds < 0:
        return "-" + duration_label(-seconds, step)
    if step < 1:
        return f"{seconds:.{max(0, math.ceil(-math.log10(step) - 1e-9))}f}s"
    whole = round(seconds)
    for unit, name, part, below in ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "m")):
        if whole >= unit:
            rest = int(whole % unit // part)
            return f"{int(whole // unit)}{name}" + (f"{rest:02}{below}" if rest else "")
    if whole >= MINUTE:
        return f"{whole // 60}m" + (f"{whole % 60:02}s" if whole % 60 else "")
    return f"{whole}s"


def clock_label(t: float, form: str = "%H:%M:%S") -> str:
    """Local time; "–" where no clock has one."""
    try:
        return time.strftime(form, time.localtime(t))
    except (OverflowError, ValueError, OSError):
        return "–"


def _clock(t: float, step: float) -> str:
    if step < 1:
        return f"{clock_label(math.floor(t))}.{math.floor(t * 10) % 10}"
    if step < MINUTE:
        return clock_label(t)
    if step < DAY and clock_label(t, "%H:%M") != "00:00":
        return clock_label(t, "%H:%M")
    return clock_label(t, "%b %d")
