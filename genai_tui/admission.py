"""Lets those look at what is made in a run's folder who may look into that folder.

A folder that is shared bears three things: its group, that group's right to read, and set-gid,
which hands the group on to what is made inside. Whatever is made anywhere else is its owner's
alone, as the umask wants it. The folder is looked at when something is made in it, never when
something is written. Standard library only, for the keeper's sake.
"""

import contextlib
import os
import stat
from pathlib import Path

from genai_tui.regular import UNFOLLOWED

SHARED = stat.S_ISGID | stat.S_IRGRP
OTHERS = stat.S_ISGID | stat.S_IRWXG | stat.S_IRWXO


def create(path: Path, flags: int) -> int:
    """Opens a file in a run's folder, and makes it where there is none; its descriptor.

    Args:
        flags: of os.open, such as ``os.O_WRONLY | os.O_APPEND``.

    Raises:
        OSError: it cannot be opened, or a link has its name.
    """
    fd = os.open(path, flags | os.O_CREAT | UNFOLLOWED, 0o600)
    if not os.fstat(fd).st_size:  # new, or its maker was killed before it came to the next line
        _hand_on(fd, path.parent)
    return fd


def create_folder(path: Path) -> None:
    """Makes a folder in a run's folder, where there is none.

    Raises:
        OSError: it cannot be made.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    _admit_one(path, path.parent)


def admit(folder: Path) -> None:
    """For a folder with all that is in it, when it is whole and before it gets its name."""
    with contextlib.suppress(OSError):
        if _group_of(folder.parent) is None:
            return
        for parent, _, names in os.walk(folder, topdown=False):
            for path in (*(Path(parent, name) for name in names), Path(parent)):
                _admit_one(path, folder.parent)


def grant(fd: int, group: int) -> bool:
    """Gives a group the right to read an open file, or to look into an open folder, and takes all
    others' away; whether that changed anything.

    Raises:
        OSError: the file is somebody else's, or its owner is not in that group.
    """
    told = os.fstat(fd)
    if told.st_gid != group:  # first: the group that it has now is let into nothing
        os.fchown(fd, -1, group)
    more = SHARED | stat.S_IXGRP if stat.S_ISDIR(told.st_mode) else stat.S_IRGRP
    mode = stat.S_IMODE(told.st_mode)
    wanted = mode & ~0o037 | more
    if wanted != mode:
        os.fchmod(fd, wanted)
    return told.st_gid != group or wanted != mode


def shut(fd: int) -> bool:
    """Makes an open file or folder its owner's alone; whether it was not.

    Raises:
        OSError: the file is somebody else's.
    """
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if not mode & OTHERS:
        return False
    os.fchmod(fd, mode & ~OTHERS)
    return True


def _admit_one(path: Path, shared: Path) -> None:
    fd = os.open(path, os.O_RDONLY | UNFOLLOWED)
    try:
        _hand_on(fd, shared)
    finally:
        os.close(fd)


def _hand_on(fd: int, folder: Path) -> None:
    """What cannot be shared stays its owner's: no run fails for those who watch it.

    Looks again when it has: whoever shuts a run changes its folders first and then what is in them,
    so that of two who meet at least one sees the other.
    """
    with contextlib.suppress(OSError):
        group = _group_of(folder)
        if group is not None:
            grant(fd, group)
            if _group_of(folder) != group:
                shut(fd)


def _group_of(folder: Path) -> int | None:
    """The group that a folder is shared with; None if it is not."""
    told = os.stat(folder, follow_symlinks=False)
    return told.st_gid if told.st_mode & SHARED == SHARED else None
