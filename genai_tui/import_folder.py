"""The hidden folder in which an import makes its file, and what a killed import has left of one."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

PREFIX = ".import-"
YOUNG_SECONDS = 60.0
"""A folder as young as this may be one whose import has yet to lock it."""
_OPENED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@contextlib.contextmanager
def hidden_folder(beside: Path) -> Generator[Path]:
    """A folder for one import, gone when it ends; what killed imports have left there goes first.

    Raises:
        OSError: nothing can be written there.
    """
    for left in abandoned(beside):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=beside) as name:
        fd = os.open(name, _OPENED)
        try:
            with contextlib.suppress(OSError):  # a file system without locks: nothing is swept
                fcntl.flock(fd, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(fd)


def abandoned(folder: Path) -> list[Path]:
    """Folders of imports of this user that no longer go on, in order of name."""
    try:
        found = sorted(folder.glob(f"{PREFIX}*"))
    except OSError:
        return []
    return [path for path in found if _is_abandoned(path)]


def _is_abandoned(path: Path) -> bool:
    """Whether it is ours, is no link, is not young, and is locked by nobody."""
    try:
        fd = os.open(path, _OPENED)
    except OSError:
        return False
    try:
        found = os.fstat(fd)
        if found.st_uid != os.getuid() or time.time() - found.st_mtime < YOUNG_SECONDS:
            return False
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True
