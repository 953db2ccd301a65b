"""Room on the disk that a run keeps while it trains, for its last words when the disk is full.

Standard library only, for the keeper's sake.
"""

import contextlib
import os
from pathlib import Path

from genai_tui.regular import UNFOLLOWED

NAME = ".reserve"
BYTES = 1 << 17
"""For a status, the last records and what is printed."""


def hold(run: Path) -> None:
    """Takes the room; without it, where there is none any more, the run begins all the same."""
    fd = -1
    try:
        fd = os.open(run / NAME, os.O_WRONLY | os.O_CREAT | UNFOLLOWED, 0o600)
        os.posix_fallocate(fd, 0, BYTES)
    except (OSError, AttributeError):  # a disk that is full already, a system that cannot do it
        release(run)
    finally:
        if fd >= 0:
            os.close(fd)


def release(run: Path) -> None:
    """Gives the room back, to be written on."""
    with contextlib.suppress(OSError):
        os.unlink(run / NAME)
