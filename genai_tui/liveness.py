"""Who is alive: locks that die with their holder, and processes that cannot be mistaken.

A run's keeper holds ``keeper.lock`` by flock, its worker ``worker.lock`` by a POSIX lock (which
forked children of the worker do not keep alive). Signals go through a pidfd, so that a reused pid
is never hit. Standard library only, for the keeper's sake.
"""

import fcntl
import os
import signal
import struct
import sys
import time
from pathlib import Path
from typing import NamedTuple

from genai_tui.regular import UNFOLLOWED

_FLOCK = "hhqqi4x"  # struct flock of Linux on 64 bits: type, whence, start, len, pid


class LockHeldError(RuntimeError):
    """Another process holds the lock."""


class Identity(NamedTuple):
    """A process within one boot: its pid and its start time in clock ticks (0 if unknown)."""

    pid: int
    started: int = 0


def boot_id() -> str:
    """Identifies this boot of this machine; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def identity(pid: int) -> Identity:
    """The identity of a living process; ``started`` is 0 if there is none or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return Identity(pid)
    fields = stat[stat.rfind(b")") + 2 :].split()
    return Identity(pid, 0 if fields[0] in (b"Z", b"X") else int(fields[19]))


def is_alive(process: Identity) -> bool:
    """Whether that very process still runs; a zombie or a stranger with its pid does not count."""
    if sys.platform == "linux":
        return process.started > 0 and identity(process.pid).started == process.started
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def send(process: Identity, number: signal.Signals) -> bool:
    """Signals that very process; False if it is gone."""
    if not hasattr(os, "pidfd_open"):
        if not is_alive(process):
            return False
        os.kill(process.pid, number)
        return True
    try:
        fd = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # Checked after the pidfd is open: from here on it means one process and no other.
        if not is_alive(process):
            return False
        signal.pidfd_send_signal(fd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(fd)
    return True


def hold_keeper(path: Path) -> int:
    """Takes the keeper's lock for the life of this process; the descriptor that holds it.

    Raises:
        LockHeldError: another keeper holds it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | UNFOLLOWED, 0o600)
    for _ in range(20):  # a viewer that looks at the lock holds it for microseconds
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.005)
        else:
            return fd
    os.close(fd)
    raise LockHeldError(str(path))


def hold_worker(path: Path) -> int:
    """Takes the worker's lock for the life of this process; the descriptor that holds it.

    This process must not open and close the file again: that would drop the lock.

    Raises:
        LockHeldError: another worker holds it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | UNFOLLOWED, 0o600)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise LockHeldError(str(path)) from None
    return fd


def keeper_held(path: Path) -> bool:
    """Whether some process holds the keeper's lock."""
    try:
        fd = os.open(path, os.O_RDONLY | UNFOLLOWED)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def is_shut(path: Path) -> bool:
    """Whether a lock is there and this user may not look at it: a run that others share."""
    return path.exists() and not os.access(path, os.R_OK)


def worker_held(path: Path) -> bool:
    """Whether some other process holds the worker's lock."""
    try:
        fd = os.open(path, os.O_RDONLY | UNFOLLOWED)
    except OSError:
        return False
    try:
        ask = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, ask)
        return struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK
    except OSError:
        return False
    finally:
        os.close(fd)
