"""Every process of this machine: whose it is, what it takes, what it was called with."""

import os
import pwd
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import psutil

from genai_tui.telemetry.host import TROUBLE
from genai_tui.telemetry.record import Process

MOST = 400  # processes that are told of
COMMAND_LENGTH = 300  # characters
PROC = Path("/proc")
HOST_NAMESPACE = "pid:[4026531836]"  # of processes, PROC_PID_INIT_INO
_KERNEL = 2  # the kernel's threads are children of this pid

Key = tuple[int, int, bytes]
"""A process while it runs one program: pid, start time, name."""


class _Seen(NamedTuple):
    """One look at a process; times in clock ticks, memory in bytes."""

    pid: int
    parent: int
    started: int
    name: bytes
    busy: int
    memory: int


class ProcessMeter:
    """Looks at all processes; the load of each is that since the look before.

    Reads /proc by itself where there is one: psutil takes ten times as long.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: float | None = None
        self._busy: dict[tuple[int, int], int] = {}
        self._named: dict[Key, Process] = {}

    def sample(self, first: frozenset[int] = frozenset()) -> list[Process] | None:
        """The processes now, at most ``MOST``: the pids of ``first``, our user's, the busiest.

        None where nobody tells. Never raises.
        """
        if not PROC.joinpath("self/stat").exists():
            return _elsewhere()
        now = self._clock()
        seen = list(_look())
        found = [self._describe(each, now) for each in seen]
        self._busy = {(each.pid, each.started): each.busy for each in seen}
        self._at = now
        known = {(each.pid, each.started, each.name) for each in seen}
        self._named = {key: named for key, named in self._named.items() if key in known}
        found.sort(key=lambda each: _rank(each, first), reverse=True)
        return found[:MOST]

    def _describe(self, seen: _Seen, now: float) -> Process:
        key = (seen.pid, seen.started, seen.name)
        named = self._named.get(key)
        if named is None:
            named = self._named[key] = _named(seen)
        return Process(
            named.pid,
            seen.parent,
            named.started,
            named.since,
            named.user,
            named.own,
            named.command,
            self._load(seen, now),
            seen.memory,
        )

    def _load(self, seen: _Seen, now: float) -> float | None:
        before = self._busy.get((seen.pid, seen.started))
        if before is None or self._at is None or now <= self._at:
            return None
        used = max(0, seen.busy - before) / os.sysconf("SC_CLK_TCK")
        return round(100 * used / (now - self._at), 1)


def strangers(pids: frozenset[int]) -> list[int]:
    """Of the driver's ``pids`` those that cannot be taken for ours of the same number.

    In a container a driver before 530 tells the host's numbers. There a process is taken for the
    one on the GPU if it has the GPU open.
    """
    try:
        if os.readlink(PROC / "self/ns/pid") == HOST_NAMESPACE:
            return []
    except OSError:
        return []
    return sorted(pid for pid in pids if not _has_gpu_open(pid))


def _has_gpu_open(pid: int) -> bool:
    try:
        names = os.listdir(PROC / str(pid) / "fd")
        links = (os.readlink(PROC / str(pid) / "fd" / name) for name in names)
        return any(link.startswith(("/dev/nvidia", "/dev/dri", "/dev/kfd")) for link in links)
    except OSError:
        return False


def _look() -> Iterator[_Seen]:
    page = os.sysconf("SC_PAGE_SIZE")
    try:
        names = os.listdir(PROC)
    except OSError:
        return
    for name in names:
        if name.isdecimal():
            try:
                with open(f"{PROC}/{name}/stat", "rb", buffering=0) as file:
                    seen = _parse(file.read(4096), page)
            except (OSError, ValueError, IndexError):  # it has just ended
                continue
            if seen:
                yield seen


def _parse(stat: bytes, page: int) -> _Seen | None:
    """A line of /proc/PID/stat; None for the dead and for the kernel's own."""
    pid, _, rest = stat.partition(b" (")
    name, _, rest = rest.rpartition(b") ")
    fields = rest.split()
    parent = int(fields[1])
    if fields[0] in (b"Z", b"X") or parent == _KERNEL or int(pid) == _KERNEL:
        return None
    busy = int(fields[11]) + int(fields[12])
    return _Seen(int(pid), parent, int(fields[19]), name, busy, max(0, int(fields[21])) * page)


def _named(seen: _Seen) -> Process:
    """What does not change while a process runs one program."""
    try:
        owner = os.stat(PROC / str(seen.pid)).st_uid
        user, own = _user(owner), owner == os.geteuid()
    except OSError:
        user, own = "", False
    since = round(_booted() + seen.started / os.sysconf("SC_CLK_TCK"), 1)
    command = _command(seen)
    return Process(seen.pid, seen.parent, seen.started, since, user, own, command)


def _command(seen: _Seen) -> str:
    """The command line, or the name in brackets where it is hidden."""
    try:
        with open(PROC / str(seen.pid) / "cmdline", "rb") as file:
            words = file.read(4 * COMMAND_LENGTH).rstrip(b"\0").replace(b"\0", b" ")
    except OSError:
        words = b""
    return (words or b"[" + seen.name + b"]").decode(errors="replace")[:COMMAND_LENGTH]


@lru_cache(maxsize=256)
def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@lru_cache(maxsize=1)
def _booted() -> float:
    return psutil.boot_time()


def _rank(process: Process, first: frozenset[int]) -> tuple[bool, bool, float, int]:
    return process.pid in first, process.own, process.cpu or 0.0, process.memory or 0


def _elsewhere() -> list[Process] | None:
    """Processes of our user where there is no /proc: those of others tell little there."""
    mine = pwd.getpwuid(os.geteuid()).pw_name
    found: list[Process] = []
    try:
        for each in psutil.process_iter():
            with each.oneshot():
                if each.username() == mine:
                    found.append(_described(each, mine))
    except TROUBLE:
        return found or None
    return found[:MOST]


def _described(process: psutil.Process, user: str) -> Process:
    return Process(
        pid=process.pid,
        parent=process.ppid() or 0,
        since=process.create_time(),
        user=user,
        own=True,
        command=" ".join(process.cmdline())[:COMMAND_LENGTH] or process.name(),
        cpu=process.cpu_percent(),
        memory=process.memory_info().rss,
    )
