"""Ties between a keeper and its children, where the kernel offers them (Linux)."""

import ctypes
import os
import signal
import sys

STOPS = frozenset({signal.SIGTERM, signal.SIGINT})
"""Withheld from a worker until it has said what they do: until then they would just kill it."""

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


def adopt_orphans() -> None:
    """Makes this process the parent of what its children leave behind."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
