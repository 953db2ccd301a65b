"""Ties between a keeper and its children, where the kernel offers them (Linux)."""

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path

STOPS = frozenset({signal.SIGTERM, signal.SIGINT})
"""Withheld from a worker until it has said what they do: until then they would just kill it."""

LAST_SECONDS = 0.5

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def follow_parent(number: signal.Signals) -> bool:
    """Asks the kernel to send this process ``number`` when its keeper dies.

    The keeper's pid is in the environment. False means it is dead already, or that the kernel
    cannot be asked.
    """
    _prctl(_PR_SET_PDEATHSIG, int(number))
    return not orphaned()


def orphaned() -> bool:
    """Whether the keeper that started this process is gone."""
    keeper = os.environ.get("GENAI_TUI_KEEPER", "")
    return bool(keeper) and os.getppid() != int(keeper)


def end_children(spared: int = 0) -> None:
    """Kills every child of this process but one (0: none), and what they leave as it is adopted.

    A process that hangs in a driver cannot be killed: it is left alone after a moment.
    """
    until = time.monotonic() + LAST_SECONDS
    while (left := _children() - {spared}) and time.monotonic() < until:
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.002)


def end_family() -> None:
    """Ends this process and all it has started, if its keeper is gone, who would do that."""
    if orphaned() and os.getpgrp() == os.getpid():
        end_children()
        os.killpg(0, signal.SIGKILL)


def adopt_orphans() -> None:
    """Makes this process the parent of what its children leave behind."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _children() -> set[int]:
    """Pids of the children of this process, of each of its threads; none where nobody tells."""
    found: set[int] = set()
    for told in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= {int(pid) for pid in told.read_text().split()}
    return found


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
