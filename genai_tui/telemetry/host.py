"""The machine: processor, memory, and the disk under a folder."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import psutil

from genai_tui.telemetry.record import Host

Answer = TypeVar("Answer")

# What psutil raises where /proc is hidden, masked or odd.
TROUBLE = (psutil.Error, OSError, RuntimeError, ValueError)


class _Ticks(NamedTuple):
    """Seconds of all cores since boot."""

    busy: float
    total: float


class HostMeter:
    """Samples the machine; the processor's load is that since the sample before."""

    def __init__(self) -> None:
        self._before: _Ticks | None = None

    def sample(self, folder: Path) -> Host:
        """The machine now, with the disk that ``folder`` is on. Never raises."""
        memory = _known(psutil.virtual_memory)
        disk = _known(lambda: os.statvfs(folder))
        load = _known(os.getloadavg)
        return Host(
            cpu=self._cpu(),
            cores=_known(psutil.cpu_count),
            load=round(load[0], 2) if load else None,
            memory_used=memory.total - memory.available if memory else None,
            memory_total=memory.total if memory else None,
            disk_free=disk.f_bavail * disk.f_frsize if disk else None,
            disk_total=disk.f_blocks * disk.f_frsize if disk else None,
        )

    def _cpu(self) -> float | None:
        """Per cent; None for the first sample, and where no time was counted."""
        before, self._before = self._before, _known(_ticks)
        now = self._before
        if before is None or now is None or now.total <= before.total:
            return None
        share = (now.busy - before.busy) / (now.total - before.total)
        return round(100 * min(max(share, 0.0), 1.0), 1)


def _ticks() -> _Ticks:
    times = psutil.cpu_times()
    # Linux counts the time of guests within user and nice.
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    total = sum(times) - guests
    return _Ticks(total - times.idle - getattr(times, "iowait", 0.0), total)


def _known(question: Callable[[], Answer]) -> Answer | None:
    try:
        return question()
    except TROUBLE:
        return None
