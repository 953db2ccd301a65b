"""The worker and its children: processor and memory, never a stranger's with the same pid."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil

from genai_tui.telemetry.host import TROUBLE
from genai_tui.telemetry.record import Worker

CHILDREN_S = 3.0  # finding children reads every process of the machine


class WorkerMeter:
    """Samples a process tree; its processor load is that since the sample before."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._forget((0, 0))

    def sample(self, pid: int | None, started: int = 0) -> Worker | None:
        """The process ``pid`` now, None if it is gone. Never raises.

        ``started``: clock ticks since boot (field 22 of /proc/PID/stat), 0 if unknown. Without it
        the first process seen under ``pid`` is taken for the worker.
        """
        if not pid or pid < 0:
            return None
        if (pid, started) != self._bound_to:
            self._forget((pid, started))
        try:
            root = self._bind(pid, started)
            return self._measure(root) if root else None
        except TROUBLE:
            return None

    def _forget(self, bound_to: tuple[int, int]) -> None:
        self._bound_to = bound_to
        self._root: psutil.Process | None = None
        self._tree: list[psutil.Process] = []
        self._tree_at = float("-inf")
        self._busy: dict[psutil.Process, float] = {}
        self._at: float | None = None

    def _bind(self, pid: int, started: int) -> psutil.Process | None:
        """The worker while it lives. It is looked up once: later its pid may be a stranger's."""
        if self._root is None:
            if started and _ticks(pid) not in (None, started):
                return None
            self._root = psutil.Process(pid)
        alive = self._root.is_running() and self._root.status() != psutil.STATUS_ZOMBIE
        return self._root if alive else None

    def _measure(self, root: psutil.Process) -> Worker:
        now = self._clock()
        busy: dict[psutil.Process, float] = {}
        memory = 0
        for process in self._members(root, now):
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory += process.memory_info().rss
                busy[process] = times.user + times.system
            except TROUBLE:  # a child that just left
                continue
        cpu = self._load(busy, now)
        self._busy, self._at = busy, now
        return Worker(root.pid, cpu, memory or None)

    def _load(self, busy: dict[psutil.Process, float], now: float) -> float | None:
        """Per cent of one core, of the processes that were there before."""
        if self._at is None or now <= self._at:
            return None
        both = busy.keys() & self._busy.keys()
        if not both:
            return None
        used = sum(busy[each] - self._busy[each] for each in both)
        return round(100 * max(used, 0.0) / (now - self._at), 1)

    def _members(self, root: psutil.Process, now: float) -> list[psutil.Process]:
        if now - self._tree_at >= CHILDREN_S:
            self._tree = [root, *root.children(recursive=True)]
            self._tree_at = now
        return self._tree


def _ticks(pid: int) -> int | None:
    """When the process started, in clock ticks since boot; None where there is no /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        return int(stat.rpartition(b")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None
