"""The machine: processor, memory, disks, network, and the disk under a folder."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psutil

from genai_tui.telemetry.record import Host

Answer = TypeVar("Answer")

# What psutil raises where /proc is hidden, masked or odd.
TROUBLE = (psutil.Error, OSError, RuntimeError, ValueError)
INTERFACES = Path("/sys/class/net")


class _Ticks(NamedTuple):
    """Seconds since boot, of a core or of all of them."""

    busy: float
    total: float


class _Counters(NamedTuple):
    """Bytes since boot, and when they were counted."""

    at: float
    into: int
    out: int


class HostMeter:
    """Samples the machine; loads and rates are those since the sample before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._before: _Ticks | None = None
        self._cores_before: list[_Ticks] = []
        self._disks: _Counters | None = None
        self._net: _Counters | None = None

    def sample(self, folder: Path) -> Host:
        """The machine now, with the disk that ``folder`` is on. Never raises."""
        memory = _known(psutil.virtual_memory)
        swap = _known(psutil.swap_memory)
        disk = _known(lambda: os.statvfs(folder))
        load = _known(os.getloadavg)
        before, self._disks = self._disks, self._counted(_disk_bytes)
        read, written = _rates(before, self._disks)
        before, self._net = self._net, self._counted(_net_bytes)
        received, sent = _rates(before, self._net)
        return Host(
            cpu=self._cpu(),
            cores=_known(psutil.cpu_count),
            load=round(load[0], 2) if load else None,
            memory_used=memory.total - memory.available if memory else None,
            memory_total=memory.total if memory else None,
            disk_free=disk.f_bavail * disk.f_frsize if disk else None,
            disk_total=disk.f_blocks * disk.f_frsize if disk else None,
            swap_used=swap.used if swap else None,
            swap_total=swap.total if swap else None,
            disk_read=read,
            disk_write=written,
            net_in=received,
            net_out=sent,
        )

    def cores(self) -> list[float] | None:
        """Per cent of each core since the call before; None at first, or where nobody tells."""
        times = _known(lambda: psutil.cpu_times(percpu=True))
        before, self._cores_before = self._cores_before, [_ticks(each) for each in times or []]
        if not self._cores_before or len(before) != len(self._cores_before):
            return None
        loads = map(_load, before, self._cores_before)
        return [load or 0.0 for load in loads]

    def _cpu(self) -> float | None:
        """Per cent; None for the first sample, and where no time was counted."""
        before, self._before = self._before, _known(lambda: _ticks(psutil.cpu_times()))
        return _load(before, self._before)

    def _counted(self, count: Callable[[], tuple[int, int] | None]) -> _Counters | None:
        counted = _known(count)
        return _Counters(self._clock(), *counted) if counted else None


def _ticks(times: Any) -> _Ticks:
    # The fields differ between systems. Linux counts the time of guests within user and nice.
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    total = sum(times) - guests
    return _Ticks(total - times.idle - getattr(times, "iowait", 0.0), total)


def _load(before: _Ticks | None, now: _Ticks | None) -> float | None:
    if before is None or now is None or now.total <= before.total:
        return None
    share = (now.busy - before.busy) / (now.total - before.total)
    return round(100 * min(max(share, 0.0), 1.0), 1)


def _rates(before: _Counters | None, now: _Counters | None) -> tuple[float | None, float | None]:
    """Bytes a second; None where counters are missing or were set back."""
    if before is None or now is None or now.at <= before.at:
        return None, None
    seconds = now.at - before.at
    into, out = now.into - before.into, now.out - before.out
    return (
        None if into < 0 else round(into / seconds),
        None if out < 0 else round(out / seconds),
    )


def _disk_bytes() -> tuple[int, int] | None:
    """Read and written."""
    counted = psutil.disk_io_counters()
    return (counted.read_bytes, counted.write_bytes) if counted else None


def _net_bytes() -> tuple[int, int] | None:
    """Received and sent by the hardware, whose bytes bridges would count again.

    A container has no hardware: there, every interface but the loopback counts.
    """
    counted = {
        name: each
        for name, each in psutil.net_io_counters(pernic=True).items()
        if not name.startswith("lo")
    }
    if not counted:
        return None
    hardware = [each for name, each in counted.items() if (INTERFACES / name / "device").exists()]
    summed = hardware or list(counted.values())
    return sum(each.bytes_recv for each in summed), sum(each.bytes_sent for each in summed)


def _known(question: Callable[[], Answer]) -> Answer | None:
    try:
        return question()
    except TROUBLE:
        return None
