"""Limits that a process puts on itself before it opens a file of somebody else. Linux in full.

Elsewhere the kernel may not know a limit, which is then left out.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def confine(*, parent: int, memory: int, seconds: int | None = None, file_bytes: int = 0) -> None:
    """Call it with all imports done; it cannot be taken back.

    Args:
        parent: pid of the process that started this one, with whose thread it ends.
        memory: bytes of address space beyond what is mapped by now.
        seconds: of the processor, beyond those spent by now; None where the parent sees to that.
        file_bytes: the largest file that may be written.
    """
    _die_with(parent)
    _limit("RLIMIT_AS", _mapped() + memory)
    if seconds is not None:
        spent = resource.getrusage(resource.RUSAGE_SELF)
        _limit("RLIMIT_CPU", int(spent.ru_utime + spent.ru_stime) + seconds)
    _limit("RLIMIT_FSIZE", file_bytes)
    _limit("RLIMIT_CORE", 0)
    with contextlib.suppress(OSError):  # where memory ends all the same, it goes before others
        Path("/proc/self/oom_score_adj").write_text("1000")


def _limit(name: str, most: int) -> None:
    kind = getattr(resource, name, None)
    if kind is None:
        return
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (most, most))


def _mapped() -> int:
    """Bytes of address space of this process; 2 GiB where nobody tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 1 << 31
    return pages * os.sysconf("SC_PAGE_SIZE")


def _die_with(parent: int) -> None:
    """Lets the kernel kill this process with the thread of ``parent`` that started it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it was gone before it could be asked for
        os._exit(1)
